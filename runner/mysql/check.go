package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// checking is what the live checks find out on their way.
type checking struct {
	s      *Settings
	deps   connector.Deps
	x      *session
	sv     *facts
	tables []listed // that are read
	looked []looked // and what they are made of
}

// found is what a check found.
type found struct {
	detail string
	// skipped with a remedy is a remark: nothing is wrong that would stop the connector.
	skipped bool
	remedy  string
}

// step is one live check. Without a gate it says what it found by itself; after a gate
// that failed nothing can be asked.
type step struct {
	name string
	gate bool
	run  func(context.Context) (found, error)
}

// check runs the live checks, each told as it finishes. Topics are looked at only when
// their prefix is known: it stands in a later step of the wizard than the server.
func check(ctx context.Context, cfg connector.Config, deps connector.Deps, emit func(connector.Finding)) error {
	s, err := Decode(cfg, deps.Env)
	if err != nil {
		return err
	}
	c := &checking{s: &s, deps: deps}
	defer c.close()
	gate := ""
	for _, st := range c.steps() {
		if gate != "" {
			emit(connector.Finding{Name: st.name, Status: connector.FindingSkipped, Detail: "Not tried, because the check “" + gate + "” failed."})
			continue
		}
		began := time.Now()
		got, err := st.run(ctx)
		f := connector.Finding{Name: st.name, Status: connector.FindingOK, Detail: got.detail, Remedy: got.remedy, Millis: time.Since(began).Milliseconds()}
		switch {
		case err != nil:
			f.Status, f.Detail, f.Remedy = connector.FindingFailed, sentence(err), remedyOf(err)
			if st.gate {
				gate = st.name
			}
		case got.skipped:
			f.Status = connector.FindingSkipped
		}
		emit(f)
	}
	return ctx.Err()
}

func (c *checking) steps() []step {
	steps := []step{
		{"Host name", true, c.resolve},
		{"Connection", true, c.dial},
		{"TLS", true, c.secure},
		{"Account", true, c.account},
		{"Server version", true, c.version},
		{"Binary log", false, c.logBin},
		{"binlog_format", false, c.setting("binlog_format", "ROW", "changes are logged as statements, not as rows")},
		{"binlog_row_image", false, c.setting("binlog_row_image", "FULL", "the log holds a part of each row only")},
		{"binlog_row_metadata", false, c.setting("binlog_row_metadata", "FULL", "the log does not name columns, signs and character sets")},
		{"binlog_row_value_options", false, c.setting("binlog_row_value_options", "", "the log holds changed parts of JSON values only")},
		{"Binary log filters", false, c.filters},
		{"Permission to replicate", false, c.replicate},
		{"Server ID", false, c.serverID},
		{"GTID", false, c.gtid},
		{"XA transactions", false, c.xa},
		{"Database", true, c.database},
		{"Tables", true, c.found},
		{"Permission to read", true, c.readable},
		{"Columns", false, c.columns},
		{"Primary keys", false, c.keys},
		{"Foreign keys", false, c.foreignKeys},
		{"Binary log retention", false, c.retention},
	}
	if c.s.Prefix != "" {
		steps = append(steps,
			step{"Topics", false, c.topics},
			step{"Cleanup policy", false, c.cleanup},
			step{"Partitions", false, c.room},
			step{"Message size", false, c.sizes})
	}
	return steps
}

func (c *checking) close() {
	if c.x != nil {
		_ = c.x.Close()
	}
}

// sentence is an error's text as people read it.
func sentence(err error) string {
	text := connector.Brief(err)
	if text == "" {
		return text
	}
	r := []rune(text)
	out := strings.ToUpper(string(r[0])) + string(r[1:])
	if !strings.HasSuffix(out, ".") {
		out += "."
	}
	return out
}

func remedyOf(err error) string {
	var w *connector.WrongError
	if errors.As(err, &w) {
		return w.Remedy
	}
	return "Check that host and port are right, that the server runs, and that it can be reached from this machine (RDS: the whitelist must hold this machine's address); without Internet access only private addresses are dialled."
}

func (c *checking) resolve(ctx context.Context) (found, error) {
	if net.ParseIP(c.s.Host) != nil {
		return found{detail: c.s.Host + " is an address."}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, c.s.Host)
	if err != nil {
		return found{}, &connector.WrongError{Field: keyHost, Err: fmt.Errorf("the name %s cannot be resolved: %w", c.s.Host, err),
			Remedy: "Correct " + keyHost + ". Internal names of RDS are known inside its VPC only; from elsewhere use its public name and Internet access."}
	}
	return found{detail: fmt.Sprintf("%s is %s.", c.s.Host, addrs[0])}, nil
}

func (c *checking) dial(ctx context.Context) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.deps.Dial(ctx, "tcp", c.s.Address())
	if err != nil {
		return found{}, c.s.classify("connecting to "+c.s.Address(), err)
	}
	detail := "Connected to " + c.s.Address() + "."
	if c.s.CEN != "" {
		detail = fmt.Sprintf("Connected to %s in %s, so %s carries the traffic.", c.s.Address(), c.s.Region, c.s.CEN)
	}
	return found{detail: detail}, conn.Close()
}

// secure opens the session that all further checks use. What it is refused for other than
// TLS is told by the next check, which asks the same.
func (c *checking) secure(ctx context.Context) (found, error) {
	x, err := openSession(ctx, c.s, c.deps)
	var w *connector.WrongError
	if errors.As(err, &w) && (w.Field == keyTLS || w.Field == keyCA) {
		return found{}, err
	}
	if err != nil {
		return found{detail: "Not known yet: the server ended the conversation before.", skipped: true}, nil
	}
	c.x = x
	if !x.secured {
		if c.s.TLS == TLSDisabled {
			return found{detail: "Disabled: rows travel unencrypted."}, nil
		}
		return found{detail: "The server does not offer TLS: rows travel unencrypted."}, nil
	}
	version, _ := x.rows("SHOW STATUS LIKE 'Ssl_version'") // for the sentence only
	detail := "Encrypted"
	if len(version) == 1 && version[0][1] != "" {
		detail += " by " + version[0][1]
	}
	switch c.s.TLS {
	case TLSVerifyCA:
		return found{detail: detail + "; the certificate is signed by a trusted authority."}, nil
	case TLSVerifyIdentity:
		return found{detail: detail + "; the certificate is trusted and issued for " + c.s.Host + "."}, nil
	}
	return found{detail: detail + "; the certificate is not verified."}, nil
}

// account signs in and asks for something that every account may: a missing right to
// replicate is answered like a wrong password.
func (c *checking) account(ctx context.Context) (found, error) {
	if c.x == nil {
		x, err := openSession(ctx, c.s, c.deps)
		if err != nil {
			return found{}, err
		}
		c.x = x
	}
	got, err := c.x.rows("SELECT CURRENT_USER()")
	if err != nil {
		return found{}, c.s.classify("asking for the account", err)
	}
	return found{detail: "Signed in as " + got[0][0] + "."}, nil
}

func (c *checking) version(context.Context) (found, error) {
	sv, err := readFacts(c.x)
	if err != nil {
		return found{}, c.s.classify("reading the server's settings", err)
	}
	c.sv = sv
	if err := sv.supported(); err != nil {
		return found{}, err
	}
	return found{detail: sv.name() + "."}, nil
}
