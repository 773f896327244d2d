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
