package sandbox

import (
	"context"
	"slices"
	"strings"
	"time"
)

// odpsResultRows is how many rows a SELECT's result has at most, as with the service.
const odpsResultRows = 10000

// Query runs a statement as an SQL job would and returns its result, CSV with a header line, or an empty text of a
// statement that has none. project is where names without one are looked up. The error is that of the job.
func (o *ODPS) Query(ctx context.Context, project, sql string) (string, error) {
	return o.query(ctx, odpsName{Project: strings.ToLower(project), Schema: odpsDefaultSchema}, sql, nil, o.options.Now())
}

func (o *ODPS) query(ctx context.Context, at odpsName, sql string, hints map[string]string, now time.Time) (string, error) {
	s, err := parseODPS(sql)
	if err != nil {
		return "", err
	}
	if schema := hints["odps.default.schema"]; schema != "" {
		at.Schema = strings.ToLower(schema)
	}
	name, err := at.resolve(s.table)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(o.options.Projects, func(p string) bool { return strings.EqualFold(p, name.Project) }) {
		return "", sqlError("ODPS-0130013", "Authorization exception - project %s does not exist", name.Project)
	}
	switch s.kind {
	case "create":
		return "", o.runCreate(s, name, now)
	case "drop":
		existed, err := o.store.dropTable(name)
		if err == nil && !existed && !s.lenient {
			err = sqlError(odpsNoTableError, "Table not found - table %s cannot be resolved", name)
		}
		return "", err
	}
	t := o.store.table(name)
	if t == nil {
		return "", sqlError(odpsNoTableError, "Table not found - table %s cannot be resolved", name)
	}
	if s.kind == "select" {
		q := &odpsSelect{s: s, t: t, store: o.store, zone: odpsZone(hints["odps.sql.timezone"]), fullScan: strings.EqualFold(hints["odps.sql.allow.fullscan"], "true")}
		if o.options.Discard {
			return "", sqlError(odpsSemanticError, "Semantic analysis exception - the stand-in was told to discard rows")
		}
		return q.run(ctx)
	}
	return "", o.runAlter(s, t, now)
}

func odpsZone(name string) *time.Location {
	if zone, err := time.LoadLocation(name); name != "" && err == nil {
		return zone
	}
	return time.FixedZone("+08:00", odpsDefaultZone)
}

// resolve completes a name of one to three parts. Of two parts the first is a schema if the request was within one,
// else a project.
func (n odpsName) resolve(parts []string) (odpsName, error) {
	switch len(parts) {
	case 1:
		n.Table = parts[0]
	case 2:
		n.Table = parts[1]
		if n.Schema == odpsDefaultSchema {
			n.Project = parts[0]
		} else {
			n.Schema = parts[0]
		}
	case 3:
		n = odpsName{parts[0], parts[1], parts[2]}
	default:
		return n, sqlError(odpsParseError, "Parse exception - no table is named")
	}
	return n, nil
}

func (o *ODPS) runCreate(s *odpsStatement, name odpsName, now time.Time) error {
	seen := make(map[string]bool)
	for _, c := range slices.Concat(s.columns, s.partitions) {
		if seen[c.Name] {
			return sqlError(odpsSemanticError, "Semantic analysis exception - column %s is there twice", c.Name)
		}
		seen[c.Name] = true
	}
	for _, c := range s.partitions {
		switch c.t.kind {
		case odpsString, odpsVarchar, odpsChar, odpsBigint, odpsInt, odpsSmallint, odpsTinyint, odpsDate:
		default:
			return sqlError(odpsSemanticError, "Semantic analysis exception - partition column %s cannot be %s", c.Name, c.Type)
		}
	}
	made, err := o.store.createTable(&odpsTable{odpsName: name, Columns: s.columns, Partitions: s.partitions, Comment: s.comment, Lifecycle: s.lifecycle}, now)
	if err == nil && !made && !s.lenient {
		err = sqlError(odpsExistsError, "Failed to run ddltask - table %s already exists", name)
	}
	return err
}

func (o *ODPS) runAlter(s *odpsStatement, t *odpsTable, now time.Time) error {
	if s.kind == "add columns" {
		for i, c := range s.columns {
			same := func(old odpsColumn) bool { return old.Name == c.Name }
			if c.NotNull || slices.ContainsFunc(slices.Concat(o.store.columns(t), t.Partitions, s.columns[:i]), same) {
				return sqlError(odpsSemanticError, "Semantic analysis exception - column %s is there already, or NOT NULL", c.Name)
			}
		}
		return o.store.addColumns(t, s.columns, now)
	}
	specs := make([][]string, 0, len(s.specs))
	for _, spec := range s.specs {
		values, err := t.specValues(spec)
		if err != nil {
			return err
		}
		specs = append(specs, values)
	}
	if s.kind == "truncate" && len(specs) == 0 {
		if len(t.Partitions) > 0 {
			return sqlError(odpsSemanticError, "Semantic analysis exception - name the partitions to truncate")
		}
		specs = [][]string{nil}
	}
	for _, values := range specs {
		var done bool
		var err error
		switch s.kind {
		case "add partition":
			done, err = o.store.createPart(t, values, now)
		default:
			done, err = o.store.dropPart(t, t.spec(values))
			if err == nil && done && s.kind == "truncate" {
				_, err = o.store.createPart(t, values, now)
			}
		}
		switch {
		case err != nil:
			return err
		case !done && !s.lenient && s.kind == "add partition":
			return sqlError(odpsExistsError, "Failed to run ddltask - partition %s already exists", t.spec(values))
		case !done && !s.lenient:
			return sqlError(odpsExistsError, "Failed to run ddltask - partition %s does not exist", t.spec(values))
		}
	}
	return nil
}

func (t *odpsTable) specValues(spec map[string]string) ([]string, error) {
	values := make([]string, len(t.Partitions))
	for i, c := range t.Partitions {
		value, has := spec[c.Name]
		if !has || value == "" || strings.ContainsAny(value, `/,='"`) || len(value) > 255 {
			return nil, sqlError(odpsSemanticError, `Semantic analysis exception - partition column %s needs a value of up to 255 characters without / , = ' "`, c.Name)
		}
		values[i] = value
	}
	if len(spec) != len(t.Partitions) || len(t.Partitions) == 0 {
		return nil, sqlError(odpsSemanticError, "Semantic analysis exception - the table's partition columns are %d and %d were given", len(t.Partitions), len(spec))
	}
	return values, nil
}
