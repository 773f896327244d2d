package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The REST half: projects, tables, partitions. The documents' shapes are what the Go SDK and pyodps read.

const odpsListLimit = 10000

type odpsProjectXML struct {
	XMLName          xml.Name `xml:"Project"`
	Name             string
	Type             string
	Owner            string
	CreationTime     string
	LastModifiedTime string
	State            string
	Region           string `xml:",omitempty"`
	Properties       struct{}
}

func (o *ODPS) getProject(q *odpsRequest) *odpsError {
	return q.writeXML(http.StatusOK, odpsProjectXML{Name: q.name.Project, Type: "managed", Owner: DefaultKey, CreationTime: time.Unix(0, 0).UTC().Format(http.TimeFormat),
		LastModifiedTime: time.Unix(0, 0).UTC().Format(http.TimeFormat), State: "AVAILABLE", Region: o.options.Region})
}

// getTunnelEndpoint answers with host and port only; the client puts the scheme before it.
func (o *ODPS) getTunnelEndpoint(q *odpsRequest) *odpsError {
	q.w.Header().Set("Content-Type", "text/plain")
	_, _ = q.w.Write([]byte(o.listener.Addr().String())) // the client may be gone
	return nil
}

type odpsCDATA struct {
	Text string `xml:",cdata"`
}

type odpsTableXML struct {
	XMLName          xml.Name `xml:"Table"`
	Name             string
	TableID          string `xml:"TableId"`
	Project          string
	SchemaName       string
	Owner            string
	Comment          string
	Type             string
	CreationTime     string
	LastModifiedTime string
	Schema           *odpsCDATA `xml:",omitempty"`
}

func (t *odpsTable) xml(schema string) odpsTableXML {
	doc := odpsTableXML{Name: t.Table, TableID: strings.ToLower(t.ID), Project: t.Project, SchemaName: t.Schema, Owner: DefaultKey, Comment: t.Comment, Type: "MANAGED_TABLE",
		CreationTime: t.Created.UTC().Format(http.TimeFormat), LastModifiedTime: t.Altered.UTC().Format(http.TimeFormat)}
	if schema != "" {
		doc.Schema = &odpsCDATA{schema}
	}
	return doc
}

type odpsSchemaJSON struct {
	TableName        string           `json:"tableName"`
	Comment          string           `json:"comment"`
	Owner            string           `json:"owner"`
	CreateTime       int64            `json:"createTime"`
	LastDDLTime      int64            `json:"lastDDLTime"`
	LastModifiedTime int64            `json:"lastModifiedTime"`
	Lifecycle        int              `json:"lifecycle"`
	Size             int64            `json:"size"`
	RecordNum        int64            `json:"recordNum"`
	IsVirtualView    bool             `json:"isVirtualView"`
	IsExternal       bool             `json:"isExternal"`
	TableLabel       string           `json:"tableLabel"`
	Columns          []odpsColumnJSON `json:"columns"`
	PartitionKeys    []odpsColumnJSON `json:"partitionKeys"`
	FileNum          int              `json:"FileNum,omitempty"`
	PhysicalSize     int64            `json:"PhysicalSize,omitempty"`
}

type odpsColumnJSON struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Comment    string `json:"comment"`
	Label      string `json:"label"`
	IsNullable bool   `json:"isNullable"`
}

func columnsJSON(columns []odpsColumn) []odpsColumnJSON {
	list := make([]odpsColumnJSON, len(columns))
	for i, c := range columns {
		list[i] = odpsColumnJSON{Name: c.Name, Type: c.Type, Comment: c.Comment, IsNullable: !c.NotNull}
	}
	return list
}

// tableOf finds the table of a request.
func (o *ODPS) tableOf(q *odpsRequest) (*odpsTable, *odpsError) {
	if t := o.store.table(q.name); t != nil {
		return t, nil
	}
	return nil, errODPSNoTable(clip(q.name.String(), 512))
}

func (o *ODPS) getTable(q *odpsRequest) *odpsError {
	t, oerr := o.tableOf(q)
	if oerr != nil {
		return oerr
	}
	o.store.mu.RLock()
	doc := odpsSchemaJSON{TableName: t.Table, Comment: t.Comment, Owner: DefaultKey, CreateTime: t.Created.Unix(), LastDDLTime: t.Altered.Unix(), LastModifiedTime: t.Altered.Unix(),
		Lifecycle: t.Lifecycle, TableLabel: "0", Columns: columnsJSON(t.Columns), PartitionKeys: columnsJSON(t.Partitions)}
	if doc.Lifecycle == 0 {
		doc.Lifecycle = -1
	}
	for _, p := range t.parts {
		doc.RecordNum += p.rows
		doc.Size += p.bytes
		doc.LastModifiedTime = max(doc.LastModifiedTime, p.modified.Unix())
	}
	o.store.mu.RUnlock()
	if q.query.Has("extended") {
		doc.FileNum, doc.PhysicalSize = max(len(doc.Columns), 1), doc.Size
	}
	schema, err := json.Marshal(doc)
	if err != nil {
		return o.internal(q, err)
	}
	return q.writeXML(http.StatusOK, t.xml(string(schema)))
}

// page reads the parameters of a list: after which name to begin, and how many to give.
func (q *odpsRequest) page() (after string, limit int, _ *odpsError) {
	limit = odpsListLimit
	if text := q.query.Get("maxitems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return "", 0, errODPSArgument("maxitems %q is not a number above 0", clip(text, 32))
		}
		limit = min(n, odpsListLimit)
	}
	return q.query.Get("marker"), limit, nil
}

func (o *ODPS) listTables(q *odpsRequest) *odpsError {
	after, limit, oerr := q.page()
	if oerr != nil {
		return oerr
	}
	doc := struct {
		XMLName  xml.Name `xml:"Tables"`
		Marker   string
		MaxItems int
		Table    []odpsTableXML
	}{MaxItems: limit}
	prefix := strings.ToLower(q.query.Get("name"))
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	var names []string
	for name := range o.store.tables {
		if name.Project == q.name.Project && name.Schema == q.name.Schema && name.Table > after && strings.HasPrefix(name.Table, prefix) {
			names = append(names, name.Table)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		if i == limit {
			doc.Marker = names[i-1]
			break
		}
		doc.Table = append(doc.Table, o.store.tables[odpsName{q.name.Project, q.name.Schema, name}].xml(""))
	}
	return q.writeXML(http.StatusOK, doc)
}

type odpsPartitionXML struct {
	Name                 string `xml:",omitempty"`
	Column               []odpsPartitionColumnXML
	CreationTime         int64
	LastDDLTime          int64
	LastModifiedTime     int64
	PartitionSize        int64
	PartitionRecordCount int64
}

type odpsPartitionColumnXML struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:"Value,attr"`
}

func (o *ODPS) listPartitions(q *odpsRequest) *odpsError {
	t, oerr := o.tableOf(q)
	if oerr != nil {
		return oerr
	}
	if len(t.Partitions) == 0 {
		return errODPSArgument("Table %s has no partitions", t.odpsName)
	}
	after, limit, oerr := q.page()
	if oerr != nil {
		return oerr
	}
	want, oerr := t.partitionFilter(q.query.Get("partition"))
	if oerr != nil {
		return oerr
	}
	doc := struct {
		XMLName   xml.Name `xml:"Partitions"`
		Marker    string
		MaxItems  int
		Partition []odpsPartitionXML
	}{MaxItems: limit}
	for {
		parts, more := o.store.list(t, after, odpsListLimit)
		for _, p := range parts {
			if after = p.Spec; !want(p.Values) {
				continue
			}
			if len(doc.Partition) == limit {
				more = false
				doc.Marker = specOf(t, doc.Partition[limit-1])
				break
			}
			doc.Partition = append(doc.Partition, p.xml(t, q.query.Has("name")))
		}
		if !more {
			return q.writeXML(http.StatusOK, doc)
		}
	}
}

func specOf(t *odpsTable, p odpsPartitionXML) string {
	values := make([]string, len(p.Column))
	for i, c := range p.Column {
		values[i] = c.Value
	}
	return t.spec(values)
}

func (p *ODPSPartition) xml(t *odpsTable, name bool) odpsPartitionXML {
	doc := odpsPartitionXML{CreationTime: p.Created.Unix(), LastDDLTime: p.Created.Unix(), LastModifiedTime: p.Modified.Unix(), PartitionSize: p.Bytes, PartitionRecordCount: p.Rows}
	for i, value := range p.Values {
		doc.Column = append(doc.Column, odpsPartitionColumnXML{t.Partitions[i].Name, value})
	}
	if name {
		doc.Name = p.Spec
	}
	return doc
}

// partitionFilter reads "pt='1',region='x'", which may name some of the partition columns only; empty is all.
func (t *odpsTable) partitionFilter(text string) (func(values []string) bool, *odpsError) {
	given, oerr := t.parseSpec(text)
	if oerr != nil {
		return nil, oerr
	}
	return func(values []string) bool {
		for i, value := range values {
			if want, has := given[i]; has && want != value {
				return false
			}
		}
		return true
	}, nil
}

// parseSpec reads a partition specification, with or without quotation marks, into values by column.
func (t *odpsTable) parseSpec(text string) (map[int]string, *odpsError) {
	given := make(map[int]string)
	if text == "" {
		return given, nil
	}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '/' }) {
		name, value, ok := strings.Cut(part, "=")
		i := slices.IndexFunc(t.Partitions, func(c odpsColumn) bool { return strings.EqualFold(c.Name, strings.TrimSpace(name)) })
		value = strings.Trim(strings.TrimSpace(value), `'"`)
		if _, twice := given[i]; !ok || i < 0 || value == "" || twice {
			return nil, odpsErr(http.StatusBadRequest, "InvalidPartitionSpec", "The specified partitionspec is not valid: %s", clip(text, 512))
		}
		given[i] = value
	}
	return given, nil
}

func (o *ODPS) getPartition(q *odpsRequest) *odpsError {
	t, oerr := o.tableOf(q)
	if oerr != nil {
		return oerr
	}
	given, oerr := t.parseSpec(q.query.Get("partition"))
	if oerr != nil {
		return oerr
	}
	spec, ok := t.wholeSpec(given)
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	p := t.parts[spec]
	if !ok || p == nil {
		return errODPSNoPartition(clip(q.query.Get("partition"), 512))
	}
	schema, err := json.Marshal(map[string]any{"createTime": p.Created.Unix(), "lastDDLTime": p.Created.Unix(), "lastModifiedTime": p.modified.Unix(),
		"lastAccessTime": 0, "partitionSize": p.bytes, "partitionRecordNum": p.rows, "FileNum": len(p.segments), "PhysicalSize": p.bytes})
	if err != nil {
		return o.internal(q, err)
	}
	return q.writeXML(http.StatusOK, struct {
		XMLName xml.Name `xml:"Partition"`
		Schema  odpsCDATA
	}{Schema: odpsCDATA{string(schema)}})
}

// wholeSpec names the partition of values for every partition column.
func (t *odpsTable) wholeSpec(given map[int]string) (string, bool) {
	values, ok := t.wholeValues(given)
	return t.spec(values), ok
}

func (t *odpsTable) wholeValues(given map[int]string) ([]string, bool) {
	values := make([]string, 0, len(t.Partitions))
	for i := range t.Partitions {
		if value, has := given[i]; has {
			values = append(values, value)
		}
	}
	return values, len(values) == len(t.Partitions)
}
