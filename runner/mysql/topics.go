package mysql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// Partitions that a table's topic is made with.
const (
	keyedPartitions   = 6 // with a primary key: a row's changes stay in one
	keylessPartitions = 1 // without: order is kept by there being one
)

// maxTopicName is Kafka's limit on the length of a topic's name.
const maxTopicName = 249

// Tables are the patterns of mysql.tables.
type Tables struct {
	patterns []string
	fold     bool
}

// ParseTables reads comma-separated names of tables with the wildcards * (any
// characters) and ? (one). A name in backquotes is taken as it stands, wildcards and
// commas too.
func ParseTables(text string) (Tables, error) {
	var t Tables
	for _, item := range connector.SplitList(text) {
		if strings.Contains(item, ".") && !strings.HasPrefix(item, "`") {
			return t, fmt.Errorf("%q: name tables without their database, which is mysql.database; a name that has a dot is written in backquotes.", clip(item))
		}
		t.patterns = append(t.patterns, item)
	}
	if len(t.patterns) == 0 {
		return t, errors.New("name at least one table, or * for all of the database.")
	}
	return t, nil
}

// Fold is the same patterns without regard to upper and lower case: for a server whose
// lower_case_table_names is not 0.
func (t Tables) Fold() Tables { t.fold = true; return t }

// Patterns are the names as they were given.
func (t Tables) Patterns() []string { return t.patterns }

// Match tells whether a table is one of them.
func (t Tables) Match(table string) bool {
	for _, p := range t.patterns {
		if matchPattern(p, table, t.fold) {
			return true
		}
	}
	return false
}

func matchPattern(pattern, table string, fold bool) bool {
	if fold {
		pattern, table = strings.ToLower(pattern), strings.ToLower(table)
	}
	if name, ok := unquote(pattern); ok {
		return name == table
	}
	return wildcard([]rune(pattern), []rune(table))
}

// unquote takes a name out of its backquotes; a doubled one stands for itself.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '`' || s[len(s)-1] != '`' {
		return s, false
	}
	return strings.ReplaceAll(s[1:len(s)-1], "``", "`"), true
}

// wildcard matches * and ? without backtracking further than the last *.
func wildcard(pattern, s []rune) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

// Topic is the name of a table's topic: <prefix>_<table>. Characters that Kafka does not
// take in a topic's name become an underscore; two tables of one topic are refused by
// whoever sees both (Collisions). A name that is too long is an error.
func (s *Settings) Topic(table string) (string, error) {
	name := s.Prefix + "_" + strings.Map(topicRune, table)
	if len(name) > maxTopicName {
		return "", &connector.WrongError{Field: keyPrefix, Remedy: "Shorten " + keyPrefix + ", or leave the table out of " + keyTables + ".",
			Err: fmt.Errorf("the topic %s… of the table %s would have %d characters, and Kafka takes %d", name[:40], clip(table), len(name), maxTopicName)}
	}
	return name, nil
}

// writes are the topics of the tables that the settings name.
func writes(cfg connector.Config) (key string, topics []string) {
	tables, err := ParseTables(cfg.Get(keyTables))
	prefix := cfg.Get(keyPrefix)
	if err != nil || prefix == "" {
		return keyPrefix, nil
	}
	for _, p := range tables.Patterns() {
		name, literal := unquote(p)
		topics = append(topics, prefix+"_"+strings.Map(func(r rune) rune {
			if !literal && (r == '*' || r == '?') {
				return r
			}
			return topicRune(r)
		}, name))
	}
	return keyPrefix, topics
}

func topicRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return r
	}
	return '_'
}

// Partitions is how many partitions a table's topic is made with.
func Partitions(keyed bool) int {
	if keyed {
		return keyedPartitions
	}
	return keylessPartitions
}

// Collisions names the tables that would share a topic, by topic. Kafka itself refuses
// topics that differ in dots and underscores only, so these count as one.
func (s *Settings) Collisions(tables []string) map[string][]string {
	by := map[string][]string{}
	for _, t := range tables {
		if topic, err := s.Topic(t); err == nil {
			key := strings.ReplaceAll(topic, ".", "_")
			by[key] = append(by[key], t)
		}
	}
	for k, names := range by {
		if len(names) < 2 {
			delete(by, k)
		}
	}
	return by
}

// clip shortens what a person typed for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
