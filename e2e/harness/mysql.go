package harness

import (
	"maps"
	"net/http"
	"strconv"
)

// MySQLConfig is the configuration of a MYSQL2KAFKA connector that reads all tables of a database; extra goes over it.
func MySQLConfig(host string, port int, user, password, database, prefix string, extra map[string]string) map[string]string {
	config := map[string]string{
		"connector.class": "MYSQL2KAFKA", "mysql.host": host, "mysql.port": strconv.Itoa(port), "mysql.user": user, "mysql.password": password,
		"mysql.database": database, "mysql.tables": "*", "topic.prefix": prefix, "mysql.timezone": "UTC",
	}
	maps.Copy(config, extra)
	return config
}

// SourcePosition is one position of a source.
type SourcePosition struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"`
}

// SourcePositions asks for a source's positions.
func (k *Connector) SourcePositions() []SourcePosition {
	k.t.Helper()
	var answer struct {
		Offsets []SourcePosition `json:"offsets"`
	}
	k.c.Must(http.StatusOK, http.MethodGet, k.Path("/offsets"), nil, &answer)
	return answer.Offsets
}

// SetSourcePositions changes a stopped source's positions.
func (k *Connector) SetSourcePositions(to ...SourcePosition) {
	k.t.Helper()
	k.c.Must(http.StatusOK, http.MethodPatch, k.Path("/offsets"), map[string]any{"offsets": to}, nil)
}

// ResetSourcePositions removes a stopped source's positions.
func (k *Connector) ResetSourcePositions() {
	k.t.Helper()
	k.c.Must(http.StatusOK, http.MethodDelete, k.Path("/offsets"), nil, nil)
}

// SnapshotAgain asks a source to copy tables anew.
func (k *Connector) SnapshotAgain(tables ...string) {
	k.t.Helper()
	k.c.Must(http.StatusAccepted, http.MethodPost, k.API("/snapshot"), map[string]any{"tables": tables}, nil)
}

// ReaderPartition stands, with topic "", for the reader of a source where sinks have partitions.
const ReaderPartition = -1
