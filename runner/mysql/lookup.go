package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// lookupSettings are the settings that a lookup needs, which may be asked for before the
// rest is given; ok is false while not even these are.
func lookupSettings(cfg connector.Config) (s Settings, ok bool) {
	s = Settings{
		Host: strings.Trim(cfg.Get(keyHost), "[]"), Port: int(cfg.Int(keyPort)), TLS: TLSMode(cfg.Get(keyTLS)), CA: cfg.Get(keyCA),
		User: cfg.Get(keyUser), Password: cfg[keyPassword], Database: cfg.Get(keyDatabase), Prefix: cfg.Get(keyPrefix),
	}
	return s, s.Host != "" && s.Port > 0 && s.User != ""
}

// lookupDatabases lists the databases that the account sees, but for the server's own.
func lookupDatabases(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.Option, error) {
	s, ok := lookupSettings(cfg)
	if !ok {
		return nil, nil
	}
	x, err := openSession(ctx, &s, deps)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	got, err := x.rows("SHOW DATABASES")
	if err != nil {
		return nil, s.classify("listing databases", err)
	}
	var out []connector.Option
	for _, r := range got {
		if validDatabase(r[0]) == nil {
			out = append(out, connector.Option{Value: r[0]})
		}
	}
	return out, nil
}

// lookupTables lists the database's tables, each with what becomes of it.
func lookupTables(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.Option, error) {
	s, ok := lookupSettings(cfg)
	if !ok || s.Database == "" {
		return nil, nil
	}
	x, err := openSession(ctx, &s, deps)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	tables, err := listTables(ctx, x, s.Database)
	if err != nil {
		return nil, s.classify("listing tables", err)
	}
	out := make([]connector.Option, 0, len(tables))
	for _, t := range tables {
		out = append(out, connector.Option{Value: written(t.name), Label: t.name, Help: s.becomes(t)})
	}
	return out, nil
}

// becomes says what becomes of a table: its topic, key and partitions, and how large it is.
func (s *Settings) becomes(t listed) string {
	topic := "" // not known before the prefix is
	if s.Prefix != "" {
		name, err := s.Topic(t.name)
		if err != nil {
			return sentence(err)
		}
		topic = "→ " + name + ": "
	}
	key := "key " + strings.Join(t.key, ", ")
	if len(t.key) == 0 {
		key = "no primary key"
	}
	return fmt.Sprintf("%s%s, %s; about %s", topic, key, plural(Partitions(len(t.key) > 0), "partition", "partitions"), plural64(t.rows, "row", "rows"))
}

// openNamed connects, and lists the tables that the settings name now. The session is the caller's to close.
func openNamed(ctx context.Context, s *Settings, deps connector.Deps) (x *session, sv *facts, named []listed, err error) {
	if x, err = openSession(ctx, s, deps); err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	if sv, err = readFacts(x); err != nil {
		return nil, nil, nil, s.classify("reading the server's settings", err)
	}
	if err := sv.supported(); err != nil {
		return nil, nil, nil, err
	}
	tables, err := listTables(ctx, x, s.Database)
	if err != nil {
		return nil, nil, nil, s.classify("listing tables", err)
	}
	patterns := sv.tables(s)
	return x, sv, slices.DeleteFunc(tables, func(t listed) bool { return !patterns.Match(t.name) }), nil
}

// sourceTopics lists the topics of the tables that the settings name now.
func sourceTopics(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.SourceTopic, error) {
	s, err := Decode(cfg, deps.Env)
	if err != nil {
		return nil, err
	}
	x, _, tables, err := openNamed(ctx, &s, deps)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	var out []connector.SourceTopic
	for _, t := range tables {
		topic := connector.SourceTopic{From: t.name, Key: t.key, Partitions: Partitions(len(t.key) > 0),
			Copied: s.Snapshot != SnapshotNoData, Followed: s.Snapshot != SnapshotInitialOnly}
		if topic.Name, err = s.Topic(t.name); err != nil {
			return nil, err
		}
		if deps.Cluster != nil {
			there, exists, err := deps.Cluster.Topic(ctx, topic.Name)
			if err != nil {
				return nil, clusterAway(err)
			}
			if topic.Exists = exists; exists {
				topic.Partitions = there.Partitions
			}
		}
		out = append(out, topic)
	}
	return out, nil
}

// written is a table's name as mysql.tables has it.
func written(name string) string {
	if strings.ContainsAny(name, ",*?.`") || strings.TrimSpace(name) != name {
		return quoteName(name)
	}
	return name
}
