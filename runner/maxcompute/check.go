package maxcompute

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// checking is what the live checks find out on their way.
type checking struct {
	s    *sink
	deps connector.Deps
	t    *table
	pt   string // a partition that exists
}

// check runs the live checks in order; after a failure those that depend on it are
// skipped.
func check(ctx context.Context, cfg connector.Config, deps connector.Deps, emit func(connector.Finding)) error {
	s, err := newSink(cfg, deps, &paces{})
	if err != nil {
		return err
	}
	defer s.Close()
	c := &checking{s: s, deps: deps}
	u := s.client.endpoint
	steps := []step{
		{"Endpoint name", func(ctx context.Context) (string, error) { return resolveName(ctx, u.Hostname()) }},
		{"Connection", func(ctx context.Context) (string, error) { return c.connect(ctx, u) }},
		{"TLS", func(ctx context.Context) (string, error) { return c.handshake(ctx, u) }},
		{aliyun.CheckName, func(ctx context.Context) (string, error) { return aliyun.CheckCredentials(ctx, cfg, s.client.creds) }},
		{"Table", c.table},
		{"Columns", c.columns},
		{"Tunnel endpoint", c.tunnel},
		{"Permission to write", c.write},
	}
	if !aliyun.IdentityOf(cfg).Temporary { // nothing to ask for
		steps = slices.DeleteFunc(steps, func(st step) bool { return st.name == aliyun.CheckName })
	}
	failed := false
	for _, st := range steps {
		if failed {
			emit(connector.Finding{Name: st.name, Status: connector.FindingSkipped, Detail: "Not tried, because a check before it failed."})
			continue
		}
		began := time.Now()
		detail, err := st.run(ctx)
		f := connector.Finding{Name: st.name, Status: connector.FindingOK, Detail: detail, Millis: time.Since(began).Milliseconds()}
		if err != nil {
			failed = true
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, err.Error(), remedyOf(err)
		} else if st.name == "Permission to write" && c.pt == "" {
			f.Status = connector.FindingSkipped
		}
		emit(f)
	}
	return nil
}

// step is one live check; what it returns is what was found.
type step struct {
	name string
	run  func(context.Context) (string, error)
}

func remedyOf(err error) string {
	if remedy := connector.Remedy(err); remedy != "" {
		return remedy
	}
	return "Check that the endpoint is right and can be reached from this machine; without Internet access only private addresses are dialled."
}

func resolveName(ctx context.Context, host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host + " is an address.", nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", fmt.Errorf("the name %s cannot be resolved: %w", host, err)
	}
	return fmt.Sprintf("%s is %s.", host, addrs[0]), nil
}

func (c *checking) connect(ctx context.Context, u *url.URL) (string, error) {
	address := aliyun.HostPort(u)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := c.deps.Dial(ctx, "tcp", address)
	if err != nil {
		return "", c.s.client.classify.classify("connecting to "+address, err)
	}
	return "Connected to " + address + ".", conn.Close()
}

func (c *checking) handshake(ctx context.Context, u *url.URL) (string, error) {
	if u.Scheme == "http" {
		return "The endpoint is plain HTTP: rows and access key signatures travel unencrypted.", nil
	}
	address := aliyun.HostPort(u)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := c.deps.Dial(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("connecting: %w", err)
	}
	conn := tls.Client(raw, &tls.Config{ServerName: u.Hostname(), RootCAs: c.deps.Roots, MinVersion: tls.VersionTLS12})
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return "The certificate is trusted.", nil
}

func (c *checking) table(ctx context.Context) (string, error) {
	var err error
	if c.t, err = c.s.client.loadTable(ctx, c.s.place); err != nil {
		return "", err
	}
	return fmt.Sprintf("The table %s exists with %d columns.", c.s.place.sql(), len(c.t.columns)), nil
}

func (c *checking) columns(context.Context) (string, error) {
	if err := c.s.shape.fits(c.t, c.s.place); err != nil {
		return "", err
	}
	if c.s.shape.json {
		return "The columns can be filled from JSON fields of their names.", nil
	}
	if c.s.shape.format == formatCSV {
		return fmt.Sprintf("Rows need %d CSV fields.", len(c.t.columns)), nil
	}
	return "The columns are as expected.", nil
}

func (c *checking) tunnel(ctx context.Context) (string, error) {
	u, err := c.s.client.tunnelURL(ctx)
	if err != nil {
		return "", err
	}
	detail, err := c.connect(ctx, u)
	if err != nil {
		return "", err
	}
	if _, err := c.handshake(ctx, u); err != nil {
		return "", err
	}
	return detail, nil
}

// write opens an upload session in a partition that exists and never commits it; without
// one nothing is tried, for a session would create it.
func (c *checking) write(ctx context.Context) (string, error) {
	var err error
	if c.pt, err = c.s.client.anyPartition(ctx, c.s.place); err != nil {
		return "", err
	}
	if c.pt == "" {
		return "The table has no partition yet, and the check makes none.", nil
	}
	if _, err := c.s.client.openSession(ctx, c.s.place, c.pt); err != nil {
		return "", err
	}
	return "An upload session can be opened.", nil
}

// anyPartition is the value of a partition that exists, "" when there is none.
func (c *client) anyPartition(ctx context.Context, p place) (string, error) {
	query := url.Values{"partitions": {""}, "expectmarker": {"true"}, "maxitems": {"1"}, "curr_project": {p.project}}
	if p.schema != "" {
		query.Set("curr_schema", p.schema)
	}
	doing := "listing the partitions of " + p.sql()
	a, err := c.do(ctx, call{doing: doing, method: http.MethodGet, path: "/projects/" + url.PathEscape(p.project) + "/tables/" + url.PathEscape(p.table), query: query})
	if err != nil {
		return "", err
	}
	var doc struct {
		Partition []struct {
			Column []struct {
				Name  string `xml:"Name,attr"`
				Value string `xml:"Value,attr"`
			}
		}
	}
	if err := xml.Unmarshal(a.body, &doc); err != nil {
		return "", c.classify.away(fmt.Errorf("%s: the answer is no list: %w", doing, err))
	}
	if len(doc.Partition) == 0 || len(doc.Partition[0].Column) == 0 {
		return "", nil
	}
	return doc.Partition[0].Column[0].Value, nil
}

// lookupTables lists the project's tables.
func lookupTables(ctx context.Context, cfg connector.Config, deps connector.Deps) ([]connector.Option, error) {
	if cfg.Get(keyEndpoint) == "" || cfg.Get(keyProject) == "" || !aliyun.HasCredentials(cfg) {
		return nil, nil
	}
	c, err := newClient(cfg, deps)
	if err != nil {
		return nil, err
	}
	defer c.close()
	query := url.Values{"expectmarker": {"true"}, "maxitems": {"500"}, "curr_project": {c.project}}
	if schema := cfg.Get(keySchema); schema != "" {
		query.Set("curr_schema", schema)
	}
	a, err := c.do(ctx, call{doing: "listing the tables of " + c.project, method: http.MethodGet, path: "/projects/" + url.PathEscape(c.project) + "/tables", query: query})
	if err != nil {
		return nil, err
	}
	var doc struct{ Table []struct{ Name string } }
	if err := xml.Unmarshal(a.body, &doc); err != nil {
		return nil, c.classify.away(fmt.Errorf("listing the tables: the answer is no list: %w", err))
	}
	out := make([]connector.Option, 0, len(doc.Table))
	for _, t := range doc.Table {
		out = append(out, connector.Option{Value: t.Name})
	}
	return out, nil
}
