package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/control"
)

// badField is a value that a step of the wizard must refuse at its field.
type badField struct{ step, key, value string }

func badFields() []badField {
	long := func(n int) string { return strings.Repeat("x", n) }
	var out []badField
	add := func(step, key string, values ...string) {
		for _, v := range values {
			out = append(out, badField{step, key, v})
		}
	}
	add("basic", "name", "", "new", "-a", "A", "a b", "a/b", "../etc", "a\tb", "ä", "a.b", "a_b", "<b>", long(49), "a\u202eb", "%2e%2e", "'; drop table connectors --")
	add("basic", "description", long(257), "a\x01b", "a\x7fb")
	add("basic", "internet.access", "maybe", "1")
	add("basic", "group.id", "a b", "..", long(250), "gruppe/1", "<script>")
	add("basic", "status.storage.topic", ".", "a,b", "ü")
	add("basic", "resources.mode", "sometimes")
	add("basic", "connector.class", "KAFKA2MARS", "<svg onload=x>")
	add("source", "topics", "", "a b", "..", "orders,orders", "or/ders", "nowhere", "<b>x</b>", long(250))
	add("source", "consumer.override.auto.offset.reset", "first", "LATEST ")
	add("source", "tasks.max", "0", "65", "-1", "six", "1.5", "9223372036854775808")
	add("destination", "oss.endpoint", "http://", "ftp://example.com", "http://user:pw@example.com", "https://example.com/path", "http://169.254.169.254", "http://100.100.100.200", "http://[fe80::1]", "http://8.8.8.8",
		"http://[::ffff:169.254.169.254]", "http://0.0.0.0", "http://2852039166", "http://0xa9.0xfe.0xa9.0xfe", "example.com:99999", "a b", "javascript:alert(1)", "file:///etc/passwd")
	add("destination", "oss.bucket", "", "a", "UPPER", "-a-", "a/b", "../x", long(64), "<b>")
	add("destination", "oss.prefix", "../", "/abs", "a//b", long(513), "a\x00b", "a\nb")
	add("destination", "oss.path", "{nope}", "{topic", "}", "../{topic}", long(513))
	add("destination", "oss.timezone", "GMT+99:00", "Mars/Olympus", "../../etc/passwd")
	add("destination", "oss.format", "xml")
	add("destination", "oss.compression", "rar")
	add("destination", "flush.size", "0", "1000001", "many")
	add("destination", "flush.bytes", "1", "2GiB", "-5", "64 QiB")
	add("destination", "flush.interval.ms", "99", "3600001", "1m")
	add("destination", "errors.retry.limit", "-1", "101", "1e2")
	add("destination", "errors.tolerance", "ignore")
	add("destination", "aliyun.access.key.id", "", long(129), "a\x01")
	add("destination", "aliyun.access.key.secret", long(257))
	add("destination", "oss.region", "cn hangzhou", "<b>", long(65), "cn-hangzou")
	return out
}

// TestBadForms sends every bad value by the wizard's form, and each is a clear refusal at
// its field: no 5xx, the value shown again as text, never as markup.
func TestBadForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	b := s.as("otto")
	steps := map[string]answer{}
	for _, step := range []string{"basic", "source", "destination"} {
		steps[step] = b.wizardAt("bad-forms", step)
	}
	good := []string{"oss.endpoint", "http://127.0.0.1:1", "oss.bucket", "data-lake", "aliyun.access.key.id", "LTAI", "aliyun.access.key.secret", secret}
	list := badFields()
	if len(list) < 100 {
		t.Fatalf("only %d cases", len(list))
	}
	for _, c := range list {
		t.Run(fmt.Sprintf("%s %s=%.40q", c.step, c.key, c.value), func(t *testing.T) {
			pairs := []string{"_go", "next"}
			switch c.step {
			case "basic":
				pairs = append(pairs, "name", "bad-forms")
			case "destination":
				pairs = append(pairs, good...)
			}
			for i := 2; i+1 < len(pairs); i += 2 {
				if pairs[i] == c.key {
					pairs[i+1] = c.value
				}
			}
			if c.key == "topics" {
				pairs = append(pairs, "topics", c.value)
			} else if !contains(pairs, c.key) {
				pairs = append(pairs, c.key, c.value)
			}
			a := b.fill(steps[c.step], "#wizard-form", pairs...)
			a.t = t
			if a.status < 400 || a.status > 499 {
				t.Fatalf("status %d, location %q", a.status, a.header.Get("Location"))
			}
			if c.value == "" && c.key == "aliyun.access.key.secret" {
				return
			}
			label := fmt.Sprintf("#field-f-%s", strings.NewReplacer(".", "-").Replace(c.key))
			if a.doc == nil || a.doc.Find(label+" [aria-invalid=true], "+label+" .field-error").Length() == 0 && !strings.Contains(a.text(), c.key) {
				t.Fatalf("the field %s is not named: %.1200s", c.key, a.text())
			}
			if a.doc.Find("main script, main b, main svg[onload], main img").Length() > 0 {
				t.Error("the value became markup")
			}
			a.hidesSecrets()
		})
	}
}

func contains(list []string, s string) bool {
	for i := 0; i < len(list); i += 2 {
		if list[i] == s {
			return true
		}
	}
	return false
}

// TestBadActs sends bad forms to the other pages.
func TestBadActs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.connector("one", control.DesiredStopped)
	b := s.as("otto")
	b.get("/")
	long := strings.Repeat("y", 300)
	for _, c := range []struct {
		path  string
		pairs []string
		names string // what the answer must name
	}{
		{sandbox + "/create-topic", []string{"name", "", "partitions", "1"}, "Topic"},
		{sandbox + "/create-topic", []string{"name", "a b", "partitions", "1"}, "Topic"},
		{sandbox + "/create-topic", []string{"name", "../x", "partitions", "1"}, "Topic"},
		{sandbox + "/create-topic", []string{"name", long, "partitions", "1"}, "Topic"},
		{sandbox + "/create-topic", []string{"name", "<script>", "partitions", "1"}, "Topic"},
		{sandbox + "/create-topic", []string{"name", "ok", "partitions", "0"}, "Partitions"},
		{sandbox + "/create-topic", []string{"name", "ok", "partitions", "1001"}, "Partitions"},
		{sandbox + "/create-topic", []string{"name", "ok", "partitions", "six"}, "Partitions"},
		{sandbox + "/create-topic", []string{"name", "ok"}, "Partitions"},
		{sandbox + "/create-topic", []string{"name", "ok", "partitions", "1", "replicas", "101"}, "Replicas"},
		{sandbox + "/create-topic", []string{"name", "ok", "partitions", "1", "retention", "-1"}, "Retention"},
		{sandbox + "/create-topic", []string{"name", "ok", "partitions", "1", "cleanup", "burn"}, "Cleanup"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "partition", "3"}, "Partition"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "partition", "-1"}, "Partition"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "partition", "99999999999"}, "Partition"},
		{sandbox + "/topics/orders/records", []string{"value", "***", "encoding", "base64"}, "Value"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "key", "*", "encoding", "base64"}, "Key"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "encoding", "rot13"}, "Written as"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "headers", "no colon"}, "Headers"},
		{sandbox + "/topics/orders/records", []string{"value", "x", "headers", ": no name"}, "Headers"},
		{one + "/position", []string{"offset.orders/0", "-7"}, "orders-0"},
		{one + "/position", []string{"offset.orders/x", "7"}, "orders/x"},
		{one + "/position", []string{"offset.<script>/0", "7"}, "<script>/0"},
		{one + "/delete", []string{"confirm", "two"}, "Type one"},
		{one + "/modify", []string{"oss.format", "xml", "_version", "1"}, "Data format"},
		{one + "/modify", []string{"oss.endpoint", "http://169.254.169.254", "_version", "1"}, "Endpoint"},
		{one + "/modify", []string{"oss.endpoint", "http://8.8.4.4", "_version", "1"}, "Endpoint"},
		{one + "/modify", []string{"description", long, "_version", "1"}, "Description"},
		{one + "/modify", []string{"tasks.max", "-1", "_version", "1"}, "Consumer Thread Concurrency"},
		{one + "/modify", []string{"_sealed", "AAAA", "_version", "1"}, "Enter them again"},
		{one + "/modify", []string{"_sealed", "***", "_version", "1"}, "Enter them again"},
		{one + "/internet", []string{"enable", "yes"}, "enable"},
		{wizardPath, []string{"connector.class", ""}, "Dump path"},
	} {
		a := b.post(c.path, c.pairs...)
		if a.status < 400 || a.status > 499 {
			t.Errorf("%s %q: status %d to %q", c.path, c.pairs, a.status, a.header.Get("Location"))
			continue
		}
		if !strings.Contains(a.text(), c.names) || a.doc.Find("main script").Length() > 0 {
			t.Errorf("%s %q: %q is not named, or it became markup: %.600s", c.path, c.pairs, c.names, a.text())
		}
	}
	for name, body := range map[string]string{"not UTF-8": "name=%ff%fe", "a zero byte": "name=%00", "broken": "name=%zz", "too large": "name=" + strings.Repeat("z", 1<<20)} {
		if a := b.do(http.MethodPost, sandbox+"/create-topic", body+"&_csrf="+url.QueryEscape(b.token), "Content-Type", "application/x-www-form-urlencoded"); a.status < 400 || a.status > 499 {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
	b.post(one + "/tasks/x/restart").want(http.StatusNotFound)
	b.post(one + "/tasks/-1/restart").want(http.StatusNotFound)
}
