package sandbox

import (
	"context"
	"encoding/csv"
	"math"
	"math/big"
	"slices"
	"strconv"
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

// odpsSelect is a SELECT that runs.
type odpsSelect struct {
	s        *odpsStatement
	t        *odpsTable
	store    *odpsStore
	zone     *time.Location
	fullScan bool

	columns []odpsColumn // of the table, then of its partitions
	wide    int          // how many are of the table
	index   map[string]int
	groups  map[string]*odpsGroup
	order   []string
	out     strings.Builder
	csv     *csv.Writer
	rows    int64
}

// odpsGroup collects what the aggregates of a group need.
type odpsGroup struct {
	key    []odpsValue
	counts []int64
	best   []odpsValue // MIN, MAX
	sums   []*big.Rat
	seen   []map[string]bool // DISTINCT
}

func (q *odpsSelect) run(ctx context.Context) (string, error) {
	columns := q.store.columns(q.t)
	q.columns, q.wide, q.index = slices.Concat(columns, q.t.Partitions), len(columns), make(map[string]int)
	for i, c := range q.columns {
		q.index[c.Name] = i
	}
	aggregates, err := q.check()
	if err != nil {
		return "", err
	}
	q.csv = csv.NewWriter(&q.out)
	if err := q.csv.Write(q.header()); err != nil {
		return "", err
	}
	if aggregates {
		q.groups = make(map[string]*odpsGroup)
		if len(q.s.group) == 0 {
			q.group("", nil)
		}
	}
	for after, more := "", true; more; {
		var parts []ODPSPartition
		if parts, more = q.store.list(q.t, after, odpsListLimit); len(q.t.Partitions) == 0 {
			parts, more = []ODPSPartition{{}}, false
		}
		for _, p := range parts {
			after = p.Spec
			if err := q.partition(ctx, p); err != nil {
				return "", err
			}
		}
	}
	for _, key := range q.order {
		if err := q.write(q.result(q.groups[key])); err != nil {
			return "", err
		}
	}
	q.csv.Flush()
	return q.out.String(), q.csv.Error()
}

// check refuses names that the table does not have, and mixtures; it tells whether there are aggregates.
func (q *odpsSelect) check() (aggregates bool, _ error) {
	var names []string
	var items []odpsItem
	for _, item := range q.s.items {
		if item.column == "*" && item.function == "" {
			for _, c := range q.columns {
				items = append(items, odpsItem{column: c.Name})
			}
			continue
		}
		items = append(items, item)
		aggregates = aggregates || item.function != ""
		if item.column != "*" {
			names = append(names, item.column)
		}
	}
	q.s.items = items
	aggregates = aggregates || len(q.s.group) > 0
	conditions := q.s.where.names(nil)
	for _, name := range slices.Concat(names, conditions, q.s.group) {
		if _, has := q.index[name]; !has {
			return false, sqlError(odpsSemanticError, "Semantic analysis exception - column %s cannot be resolved", name)
		}
	}
	for _, item := range items {
		if aggregates && item.function == "" && !slices.Contains(q.s.group, item.column) {
			return false, sqlError(odpsSemanticError, "Semantic analysis exception - column reference %s should appear in GROUP BY key", item.column)
		}
	}
	pruned := slices.ContainsFunc(conditions, func(name string) bool { return q.index[name] >= q.wide })
	if len(q.t.Partitions) > 0 && !pruned && !q.fullScan {
		return false, sqlError(odpsSemanticError, "Semantic analysis exception - physical plan generation failed: Table(%s) is full scan with all partitions, please specify partition predicates", q.t.odpsName)
	}
	return aggregates, nil
}

// names lists the columns of a condition.
func (e *odpsExpr) names(list []string) []string {
	if e == nil {
		return list
	}
	for _, arg := range e.args {
		list = arg.names(list)
	}
	for _, operand := range append([]odpsOperand{e.left}, e.rights...) {
		if operand.column != "" {
			list = append(list, operand.column)
		}
	}
	return list
}

func (q *odpsSelect) header() []string {
	names := make([]string, len(q.s.items))
	for i, item := range q.s.items {
		switch {
		case item.alias != "":
			names[i] = item.alias
		case item.function != "":
			names[i] = "_c" + strconv.Itoa(i)
		default:
			names[i] = item.column
		}
	}
	return names
}

// partition reads one partition, unless its values alone say that no row can be meant.
func (q *odpsSelect) partition(ctx context.Context, p ODPSPartition) error {
	values := make([]odpsValue, len(p.Values))
	for i, text := range p.Values {
		values[i] = odpsValue{kind: 's', s: text}
		switch q.t.Partitions[i].t.kind {
		case odpsBigint, odpsInt, odpsSmallint, odpsTinyint:
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				values[i] = odpsValue{kind: 'i', i: n}
			}
		}
	}
	var cells []odpsCell
	value := func(name string) odpsValue {
		i := q.index[name]
		switch {
		case i >= q.wide:
			return values[i-q.wide]
		case cells == nil:
			return odpsValue{kind: 'u'}
		}
		return q.columns[i].t.value(&cells[i], q.zone)
	}
	if truth := q.s.where.eval(value); truth == odpsFalse || truth == odpsNull {
		return nil
	}
	snapshot, ok := q.store.snapshot(q.t, p.Spec)
	if !ok {
		return nil
	}
	snapshot.columns = q.columns[:q.wide]
	return snapshot.each(0, func(r *odpsRecords) (bool, error) {
		if r.rows%4096 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if cells = r.cells; q.s.where.eval(value) != odpsTrue {
			return true, nil
		}
		if q.groups != nil {
			q.count(value)
			return true, nil
		}
		row := make([]string, len(q.s.items))
		for i, item := range q.s.items {
			row[i] = value(item.column).String()
		}
		return !q.full(), q.write(row)
	})
}

func (q *odpsSelect) full() bool {
	return q.rows >= odpsResultRows || q.s.limit >= 0 && q.rows >= q.s.limit
}

func (q *odpsSelect) write(row []string) error {
	if q.full() {
		return nil
	}
	q.rows++
	return q.csv.Write(row)
}

func (q *odpsSelect) group(name string, key []odpsValue) *odpsGroup {
	g := q.groups[name]
	if g == nil {
		n := len(q.s.items)
		g = &odpsGroup{key: key, counts: make([]int64, n), best: make([]odpsValue, n), sums: make([]*big.Rat, n), seen: make([]map[string]bool, n)}
		q.groups[name] = g
		q.order = append(q.order, name)
	}
	return g
}

// count adds a row to its group.
func (q *odpsSelect) count(value func(string) odpsValue) {
	name, key := "", []odpsValue(nil)
	for _, column := range q.s.group {
		v := value(column)
		key = append(key, v)
		name += strconv.Quote(v.String()) + string('0'+v.kind) + ","
	}
	g := q.group(name, key)
	for i, item := range q.s.items {
		if item.function == "" {
			continue
		}
		if item.column == "*" {
			g.counts[i]++
			continue
		}
		v := value(item.column)
		if v.kind == 0 {
			continue
		}
		if item.distinct {
			if g.seen[i] == nil {
				g.seen[i] = make(map[string]bool)
			}
			if text := v.String(); !g.seen[i][text] {
				g.seen[i][text] = true
			} else {
				continue
			}
		}
		g.add(i, item.function, v)
	}
}

func (g *odpsGroup) add(i int, function string, v odpsValue) {
	g.counts[i]++
	switch function {
	case "MIN", "MAX":
		order, ok := v.compare(g.best[i])
		if !ok || function == "MIN" && order < 0 || function == "MAX" && order > 0 {
			g.best[i] = v
		}
	case "SUM":
		if n := v.number(); n != nil {
			if g.sums[i] == nil {
				g.sums[i] = new(big.Rat)
			}
			g.sums[i].Add(g.sums[i], n)
		}
	}
}

func (q *odpsSelect) result(g *odpsGroup) []string {
	row := make([]string, len(q.s.items))
	for i, item := range q.s.items {
		switch item.function {
		case "":
			row[i] = g.key[slices.Index(q.s.group, item.column)].String()
		case "COUNT":
			row[i] = strconv.FormatInt(g.counts[i], 10)
		case "SUM":
			row[i] = odpsValue{kind: 'r', r: g.sums[i]}.String()
		default:
			row[i] = g.best[i].String()
		}
	}
	return row
}

// value is a cell as an expression sees it.
func (t odpsType) value(c *odpsCell, zone *time.Location) odpsValue {
	if !c.set {
		return odpsValue{}
	}
	switch t.kind {
	case odpsBigint, odpsInt, odpsSmallint, odpsTinyint:
		return odpsValue{kind: 'i', i: c.num}
	case odpsBoolean:
		return odpsValue{kind: 'b', i: c.num}
	case odpsDouble:
		return odpsValue{kind: 'f', f: math.Float64frombits(uint64(c.num)), s: t.text(c, zone)}
	case odpsFloat:
		return odpsValue{kind: 'f', f: float64(math.Float32frombits(uint32(c.num))), s: t.text(c, zone)}
	case odpsDecimal:
		text := t.text(c, zone)
		if r, ok := new(big.Rat).SetString(text); ok {
			return odpsValue{kind: 'r', r: r, s: text}
		}
	}
	return odpsValue{kind: 's', s: t.text(c, zone)}
}

// String is the value as a result has it; null is \N.
func (a odpsValue) String() string {
	switch a.kind {
	case 0:
		return `\N`
	case 'i':
		return strconv.FormatInt(a.i, 10)
	case 'b':
		return strconv.FormatBool(a.i != 0)
	case 'r':
		switch {
		case a.s != "":
			return a.s
		case a.r == nil:
			return `\N`
		case a.r.IsInt():
			return a.r.Num().String()
		}
		return strings.TrimRight(a.r.FloatString(18), "0")
	}
	return a.s
}
