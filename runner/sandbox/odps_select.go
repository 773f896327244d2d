package sandbox

import (
	"math/big"
	"strconv"
	"strings"
)

// Reading SELECT, and what its conditions say of a row.

func (p *odpsParser) selection(s *odpsStatement) {
	s.kind = "select"
	for s.items = append(s.items, p.item()); p.punctuation(",") != ""; {
		s.items = append(s.items, p.item())
	}
	p.needWord("FROM")
	s.table = p.tableName()
	if p.word("WHERE") != "" {
		s.where = p.or()
	}
	if p.words("GROUP", "BY") {
		for s.group = append(s.group, p.name()); p.punctuation(",") != ""; {
			s.group = append(s.group, p.name())
		}
	}
	if p.word("LIMIT") != "" {
		s.limit = p.number()
	}
}

func (p *odpsParser) item() odpsItem {
	var i odpsItem
	if p.punctuation("*") != "" {
		return odpsItem{column: "*"}
	}
	quoted := p.peek().kind == 'q'
	i.column = p.name()
	if !quoted && p.punctuation("(") != "" {
		i.function = strings.ToUpper(i.column)
		switch i.function {
		case "COUNT", "MIN", "MAX", "SUM":
		default:
			p.at--
			p.fail("one of COUNT, MIN, MAX, SUM")
		}
		i.distinct = p.word("DISTINCT") != ""
		if i.function == "COUNT" && !i.distinct && p.punctuation("*") != "" {
			i.column = "*"
		} else if t := p.peek(); i.function == "COUNT" && t.kind == 'n' {
			p.at++ // COUNT(1) counts rows
			i.column = "*"
		} else {
			i.column = p.name()
		}
		p.need(")")
	}
	if p.word("AS") != "" {
		i.alias = p.name()
	}
	return i
}

func (p *odpsParser) or() *odpsExpr {
	if p.depth++; p.depth > odpsMaxDepth {
		p.fail("a condition that is not so deep")
	}
	defer func() { p.depth-- }()
	left := p.and()
	for p.word("OR") != "" {
		left = &odpsExpr{op: "OR", args: []*odpsExpr{left, p.and()}}
	}
	return left
}

func (p *odpsParser) and() *odpsExpr {
	left := p.not()
	for p.word("AND") != "" {
		left = &odpsExpr{op: "AND", args: []*odpsExpr{left, p.not()}}
	}
	return left
}

func (p *odpsParser) not() *odpsExpr {
	negate := false
	for p.word("NOT") != "" {
		negate = !negate
	}
	var e *odpsExpr
	if p.punctuation("(") != "" {
		e = p.or()
		p.need(")")
	} else {
		e = p.comparison()
	}
	if negate {
		return &odpsExpr{op: "NOT", args: []*odpsExpr{e}}
	}
	return e
}

func (p *odpsParser) comparison() *odpsExpr {
	e := &odpsExpr{left: p.operand()}
	if op := p.punctuation("=", "==", "<>", "!=", "<", "<=", ">", ">="); op != "" {
		e.op = map[string]string{"==": "=", "!=": "<>"}[op]
		if e.op == "" {
			e.op = op
		}
		e.rights = []odpsOperand{p.operand()}
		return e
	}
	if p.word("IS") != "" {
		negate := p.word("NOT") != ""
		p.needWord("NULL")
		e.op = "NULL"
		return negated(e, negate)
	}
	negate := p.word("NOT") != ""
	switch p.needWord("IN", "BETWEEN") {
	case "IN":
		e.op = "IN"
		p.list(func() { e.rights = append(e.rights, p.operand()) })
	case "BETWEEN":
		low := p.operand()
		p.needWord("AND")
		high := p.operand()
		e = &odpsExpr{op: "AND", args: []*odpsExpr{
			{op: ">=", left: e.left, rights: []odpsOperand{low}}, {op: "<=", left: e.left, rights: []odpsOperand{high}}}}
	}
	return negated(e, negate)
}

func negated(e *odpsExpr, negate bool) *odpsExpr {
	if negate {
		return &odpsExpr{op: "NOT", args: []*odpsExpr{e}}
	}
	return e
}

func (p *odpsParser) operand() odpsOperand {
	minus := p.punctuation("-") != ""
	switch t := p.peek(); {
	case t.kind == 'n':
		p.at++
		text := strings.TrimSuffix(strings.ToUpper(t.text), "L")
		text = strings.TrimSuffix(text, "BD")
		if minus {
			text = "-" + text
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return odpsOperand{value: odpsValue{kind: 'i', i: n}}
		}
		// An exponent is bounded: a number of a billion digits is no use to anybody.
		if _, exponent, _ := strings.Cut(text, "E"); len(exponent) < 5 {
			if r, ok := new(big.Rat).SetString(text); ok {
				return odpsOperand{value: odpsValue{kind: 'r', r: r}}
			}
		}
		p.at--
		p.fail("a number")
		return odpsOperand{}
	case minus:
		p.fail("a number")
		return odpsOperand{}
	case t.kind == 's':
		p.at++
		return odpsOperand{value: odpsValue{kind: 's', s: t.text}}
	}
	switch p.word("TRUE", "FALSE", "NULL") {
	case "TRUE":
		return odpsOperand{value: odpsValue{kind: 'b', i: 1}}
	case "FALSE":
		return odpsOperand{value: odpsValue{kind: 'b'}}
	case "NULL":
		return odpsOperand{value: odpsValue{}}
	}
	return odpsOperand{column: p.name()}
}

// odpsValue is a value of an expression.
type odpsValue struct {
	kind byte // 0 null, 'i' integer, 'r' number, 'f' double, 's' text, 'b' boolean, 'u' not known yet
	i    int64
	f    float64
	r    *big.Rat
	s    string
}

// Truth of a condition. odpsMaybe is the answer for a partition as a whole, whose rows are not read yet.
type odpsTruth int8

const (
	odpsFalse odpsTruth = iota
	odpsNull
	odpsMaybe
	odpsTrue
)

// eval tells whether the condition holds where columns have the values that look up gives.
func (e *odpsExpr) eval(value func(column string) odpsValue) odpsTruth {
	if e == nil {
		return odpsTrue
	}
	of := func(o odpsOperand) odpsValue {
		if o.column != "" {
			return value(o.column)
		}
		return o.value
	}
	switch e.op {
	case "AND":
		return min(e.args[0].eval(value), e.args[1].eval(value))
	case "OR":
		return max(e.args[0].eval(value), e.args[1].eval(value))
	case "NOT":
		switch t := e.args[0].eval(value); t {
		case odpsTrue:
			return odpsFalse
		case odpsFalse:
			return odpsTrue
		default:
			return t
		}
	case "NULL":
		switch of(e.left).kind {
		case 'u':
			return odpsMaybe
		case 0:
			return odpsTrue
		}
		return odpsFalse
	case "IN":
		answer := odpsFalse
		for _, right := range e.rights {
			answer = max(answer, compareODPS("=", of(e.left), of(right)))
		}
		return answer
	}
	return compareODPS(e.op, of(e.left), of(e.rights[0]))
}

func compareODPS(op string, a, b odpsValue) odpsTruth {
	if a.kind == 'u' || b.kind == 'u' {
		return odpsMaybe
	}
	order, ok := a.compare(b)
	if !ok {
		return odpsNull
	}
	holds := false
	switch op {
	case "=":
		holds = order == 0
	case "<>":
		holds = order != 0
	case "<":
		holds = order < 0
	case "<=":
		holds = order <= 0
	case ">":
		holds = order > 0
	case ">=":
		holds = order >= 0
	}
	if holds {
		return odpsTrue
	}
	return odpsFalse
}

// compare orders two values. Null, and text that is no number beside a number, compare with nothing.
func (a odpsValue) compare(b odpsValue) (int, bool) {
	switch {
	case a.kind == 0 || b.kind == 0:
		return 0, false
	case a.kind == 's' && b.kind == 's':
		return strings.Compare(a.s, b.s), true
	case (a.kind == 'i' || a.kind == 'b') && (b.kind == 'i' || b.kind == 'b'):
		return compareInts(a.i, b.i), true
	}
	x, y := a.number(), b.number()
	if x == nil || y == nil {
		return 0, false
	}
	return x.Cmp(y), true
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (a odpsValue) number() *big.Rat {
	switch a.kind {
	case 'i', 'b':
		return new(big.Rat).SetInt64(a.i)
	case 'r':
		return a.r
	case 'f':
		return new(big.Rat).SetFloat64(a.f) // nil where it is no finite number
	case 's':
		if len(a.s) > 100 || strings.ContainsAny(a.s, "eEpP/_xXoO") {
			return nil
		}
		if r, ok := new(big.Rat).SetString(a.s); ok {
			return r
		}
	}
	return nil
}
