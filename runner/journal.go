package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// journal is a connector's configuration topic: every deployed configuration under
// its content hash, and one current record that says which installation runs the
// connector. An intent names a hash; the journal is where it is looked up.
type journal struct {
	s    *Supervisor
	sub  *subject
	prod *kafka.Producer

	mu      sync.Mutex
	configs map[string]connector.Config
	current *currentRecord
	buried  bool // the current record is a tombstone
}

// currentRecord is the value of the key "current".
type currentRecord struct {
	Installation string    `json:"installation"`
	Connector    string    `json:"connector"` // UUID
	Name         string    `json:"name"`
	Class        string    `json:"class"`
	Hash         string    `json:"hash"`
	Version      int       `json:"version"`
	Epoch        string    `json:"epoch"`
	Released     bool      `json:"released,omitempty"` // removed, its resources kept
	Time         time.Time `json:"time"`
	// Given is the configuration as the user wrote it, without secrets, and Secrets
	// the sealed ones: from these a lost database's connector is recovered.
	Given   connector.Config  `json:"given"`
	Secrets map[string]string `json:"secrets,omitempty"`
}

// configRecord is the value of a key "connector/<hash>": the resolved configuration
// without secrets.
type configRecord struct {
	Version int              `json:"version"`
	Encoder int              `json:"encoder"`
	Config  connector.Config `json:"config"`
}

const (
	journalCurrent = "current"
	journalConfig  = "connector/"
)

func openJournal(ctx context.Context, s *Supervisor, sub *subject) (*journal, error) {
	j := &journal{s: s, sub: sub, configs: map[string]connector.Config{}}
	err := readCompacted(ctx, sub.cluster, sub.names.configTopic, j.load)
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil, sub.gone(connector.KeyConfigTopic, roleConfig, sub.names.configTopic, "Make the topic again (1 partition, cleanup.policy=compact) and resume; what was in it is written anew.")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration topic %s: %w", sub.names.configTopic, err)
	}
	if j.prod, err = kafka.OpenProducer(ctx, sub.cluster); err != nil {
		return nil, fmt.Errorf("opening a producer: %w", err)
	}
	return j, nil
}

func (j *journal) close() { j.prod.Close() }

func (j *journal) load(key string, value []byte) error {
	if key == journalCurrent {
		if value == nil {
			j.buried, j.current = true, nil
			return nil
		}
		var c currentRecord
		if err := json.Unmarshal(value, &c); err != nil {
			return &connector.WrongError{Field: connector.KeyConfigTopic, Err: fmt.Errorf("the record %q is not Sluice's: %w", key, err),
				Remedy: "Name a configuration topic that nothing else writes to."}
		}
		j.buried, j.current = false, &c
		return nil
	}
	if len(key) <= len(journalConfig) || key[:len(journalConfig)] != journalConfig {
		return nil
	}
	hash := key[len(journalConfig):]
	if value == nil {
		delete(j.configs, hash)
		return nil
	}
	var c configRecord
	if err := json.Unmarshal(value, &c); err != nil {
		return &connector.WrongError{Field: connector.KeyConfigTopic, Err: fmt.Errorf("the record %q is not Sluice's: %w", key, err),
			Remedy: "Name a configuration topic that nothing else writes to."}
	}
	j.configs[hash] = c.Config
	return nil
}

// byHash finds a resolved configuration, without secrets.
func (j *journal) byHash(_ context.Context, hash string) (connector.Config, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c, ok := j.configs[hash]
	return maps.Clone(c), ok, nil
}

// claim checks that this installation may run the connector and writes the current
// configuration when it is not there yet. The topic wins over the database.
func (j *journal) claim(ctx context.Context) error {
	c, row := j.current, j.sub.row
	hash := j.sub.spec.Hash(j.sub.config)
	switch {
	case c == nil && j.buried && row.Deployed:
		return j.refuse("its configuration was deleted from the topic since", "The connector was deleted elsewhere. Delete it here too, or create it anew.")
	case c == nil || c.Released:
		// free
	case c.Installation != j.s.o.Installation:
		return (&ClaimedError{Topic: j.sub.names.configTopic, Installation: c.Installation, Since: c.Time}).wrong()
	case c.Connector != row.UUID && row.Deployed:
		return j.refuse("the topic belongs to another connector, "+c.Name, "Name a configuration topic of its own for this connector.")
	case c.Connector == row.UUID && c.Version > row.Version:
		return j.refuse(fmt.Sprintf("the topic holds version %d of its configuration and the database version %d", c.Version, row.Version),
			"The database was restored from an older copy. Modify the connector until its version is higher, or restore the newer database.")
	}
	if c != nil && c.Connector == row.UUID && c.Hash == hash && c.Version == row.Version && c.Epoch == row.Epoch && !c.Released {
		return nil
	}
	return j.write(ctx, hash, false)
}

func (j *journal) refuse(why, remedy string) error {
	return &connector.WrongError{Field: connector.KeyConfigTopic, Remedy: remedy,
		Err: fmt.Errorf("the configuration topic %s does not let this connector start: %s", j.sub.names.configTopic, why)}
}

func (j *journal) write(ctx context.Context, hash string, released bool) error {
	row := j.sub.row
	given, secrets := connector.Config{}, map[string]string{}
	masked := j.sub.spec.Mask(row.Config)
	for k, v := range row.Config {
		if masked[k] != v {
			sealed, err := j.s.o.Seal.Seal("connector/"+row.UUID+"/"+k, v)
			if err != nil {
				return fmt.Errorf("sealing %s: %w", k, err)
			}
			secrets[k] = sealed
			continue
		}
		given[k] = v
	}
	resolved := j.sub.config.Clone()
	for k := range secrets {
		delete(resolved, k)
	}
	one, err := json.Marshal(configRecord{Version: row.Version, Encoder: j.sub.spec.EncoderVersion, Config: resolved})
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	cur := currentRecord{Installation: j.s.o.Installation, Connector: row.UUID, Name: row.Name, Class: row.Class, Hash: hash, Version: row.Version,
		Epoch: row.Epoch, Released: released, Time: time.Now().UTC(), Given: given, Secrets: secrets}
	two, err := json.Marshal(cur)
	if err != nil {
		return fmt.Errorf("encoding the configuration: %w", err)
	}
	topic := j.sub.names.configTopic
	// The hash first: an intent may name it as soon as the current record does.
	if err := j.prod.SendAll(ctx, []kafka.Out{{Topic: topic, Key: []byte(journalConfig + hash), Value: one}}); err != nil {
		return fmt.Errorf("writing to %s: %w", topic, err)
	}
	if err := j.prod.SendAll(ctx, []kafka.Out{{Topic: topic, Key: []byte(journalCurrent), Value: two}}); err != nil {
		return fmt.Errorf("writing to %s: %w", topic, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.configs[hash] = resolved
	j.current = &cur
	return nil
}
