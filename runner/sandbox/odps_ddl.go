package sandbox

// Reading the statements that define tables and partitions.

func (p *odpsParser) statement() *odpsStatement {
	s := &odpsStatement{limit: -1}
	switch p.needWord("CREATE", "DROP", "TRUNCATE", "ALTER", "SELECT") {
	case "CREATE":
		p.create(s)
	case "DROP":
		s.kind = "drop"
		p.needWord("TABLE")
		s.lenient = p.words("IF", "EXISTS")
		s.table = p.tableName()
	case "TRUNCATE":
		s.kind = "truncate"
		p.needWord("TABLE")
		s.table = p.tableName()
		for p.word("PARTITION") != "" {
			s.specs = append(s.specs, p.spec())
			p.punctuation(",")
		}
	case "ALTER":
		p.alter(s)
	case "SELECT":
		p.selection(s)
	}
	return s
}

func (p *odpsParser) tableName() []string {
	list := []string{p.name()}
	for p.punctuation(".") != "" {
		list = append(list, p.name())
	}
	if len(list) > 3 {
		p.fail("a table's name of at most project, schema and table")
	}
	return list
}

func (p *odpsParser) create(s *odpsStatement) {
	s.kind = "create"
	p.needWord("TABLE")
	s.lenient = p.words("IF", "NOT", "EXISTS")
	s.table = p.tableName()
	p.list(func() { s.columns = append(s.columns, p.column()) })
	for p.err == nil {
		switch p.word("COMMENT", "PARTITIONED", "LIFECYCLE", "TBLPROPERTIES") {
		case "COMMENT":
			s.comment = p.text()
		case "PARTITIONED":
			p.needWord("BY")
			p.list(func() { s.partitions = append(s.partitions, p.column()) })
		case "LIFECYCLE":
			s.lifecycle = int(p.number())
		case "TBLPROPERTIES":
			p.list(func() { p.text(); p.need("="); p.text() })
		default:
			return
		}
	}
}

func (p *odpsParser) column() odpsColumn {
	c := odpsColumn{Name: p.name()}
	kind := p.name()
	var params []int
	if p.peek().kind == 'p' && p.peek().text == "(" {
		p.list(func() { params = append(params, int(p.number())) })
	}
	if p.err == nil {
		var err error
		if c.t, err = newODPSType(kind, params); err != nil {
			p.err = sqlError(odpsParseError, "Parse exception - column %s: %s", c.Name, err)
		}
		c.Type = c.t.String()
	}
	c.NotNull = p.words("NOT", "NULL")
	if p.word("COMMENT") != "" {
		c.Comment = p.text()
	}
	return c
}

func (p *odpsParser) alter(s *odpsStatement) {
	p.needWord("TABLE")
	s.table = p.tableName()
	switch p.needWord("ADD", "DROP") {
	case "ADD":
		if p.word("COLUMNS", "COLUMN") != "" {
			s.kind = "add columns"
			p.list(func() { s.columns = append(s.columns, p.column()) })
			return
		}
		s.kind, s.lenient = "add partition", p.words("IF", "NOT", "EXISTS")
	case "DROP":
		s.kind, s.lenient = "drop partition", p.words("IF", "EXISTS")
	}
	p.needWord("PARTITION")
	for s.specs = append(s.specs, p.spec()); p.err == nil; s.specs = append(s.specs, p.spec()) {
		comma := p.punctuation(",") != ""
		if p.word("PARTITION") == "" {
			if comma {
				p.fail("PARTITION")
			}
			return
		}
	}
}

// spec reads (pt='1', region='x').
func (p *odpsParser) spec() map[string]string {
	spec := make(map[string]string)
	p.list(func() {
		name := p.name()
		p.need("=")
		if _, twice := spec[name]; twice {
			p.fail("each partition column once")
		}
		if t := p.peek(); t.kind == 'n' {
			p.at++
			spec[name] = t.text
			return
		}
		spec[name] = p.text()
	})
	return spec
}
