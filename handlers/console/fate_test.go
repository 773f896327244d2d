package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// TestFateNamesTheObject: the page and REST name the object a delivered message is in,
// also one that was named by an earlier configuration, and lead to it in the sandbox.
func TestFateNamesTheObject(t *testing.T) {
	t.Parallel()
	var prefix atomic.Value // below which the one object lies
	prefix.Store("one/")
	refuse := atomic.Bool{}
	objects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse.Load() {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
			return
		}
		asked, key := r.URL.Query().Get("prefix"), ""
		if strings.HasPrefix(asked, prefix.Load().(string)) {
			key = asked + "00000000000000000000-00000000000000000003.json"
			key = `<Contents><Key>` + url.QueryEscape(key) + `</Key></Contents>`
		}
		fmt.Fprintf(w, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>%s</ListBucketResult>`, key)
	}))
	defer objects.Close()
	s := newSite(t, "orders")
	s.box.oss = objects.URL
	ctx := control.WithActor(t.Context(), control.System())
	cfg := connector.Config{"connector.class": "KAFKA2OSS", "topics": "orders", "oss.bucket": "sandbox-bucket", "oss.endpoint": objects.URL, "aliyun.access.key.id": "id", "aliyun.access.key.secret": secret}
	c, err := s.svc.CreateConnector(ctx, "sandbox", "one", cfg, control.DesiredRunning)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.svc.SendRecord(ctx, "sandbox", "orders", control.NewRecord{Partition: 2, Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	s.partition(c.ID, runner.PartitionStatus{Partition: 2, Status: connector.Status{State: connector.StateRunning}, Position: 1, End: 1})
	b := s.as("otto")
	const to = sandbox + "/topics/orders/records/2/0?connector=one"
	named := func(says string) {
		t.Helper()
		a := b.get(to).want(http.StatusOK).says("Delivered", "Delivered as", "oss://sandbox-bucket/"+says+"orders/dt=", "/orders-2-00000000000000000000-00000000000000000003.json")
		link := a.doc.Find(`#fates a[href^="/sandbox?bucket=sandbox-bucket&key="]`)
		if at, err := url.Parse(link.AttrOr("href", "")); err != nil || "oss://sandbox-bucket/"+at.Query().Get("key") != link.Text() {
			t.Errorf("%q leads to %q", link.Text(), link.AttrOr("href", ""))
		}
		f, err := s.svc.Fate(ctx, "sandbox", "orders", 2, 0, "one")
		if err != nil || f.State != control.FateDelivered || !strings.HasPrefix(f.Where, "oss://sandbox-bucket/"+says+"orders/dt=") || f.Reason != "" {
			t.Errorf("%+v, %v", f, err)
		}
	}
	named("one/")
	next := "later/"
	if _, err := s.svc.PatchConfig(ctx, "sandbox", "one", map[string]*string{"oss.prefix": &next}); err != nil {
		t.Fatal(err)
	}
	named("one/") // delivered before the prefix changed
	prefix.Store("later/")
	named("later/")

	s.box.oss = "http://127.0.0.1:1" // the destination is not the sandbox
	b.get(to).says("Delivered as", "oss://sandbox-bucket/later/").hasNot(`#fates a[href^="/sandbox"]`)
	prefix.Store("elsewhere/")
	b.get(to).want(http.StatusOK).says("Delivered to Bucket Name sandbox-bucket", "moved or deleted since").hasNot("#fates[hx-get]")
	refuse.Store(true)
	b.get(to).want(http.StatusOK).says("Delivered to Bucket Name sandbox-bucket", "Where exactly cannot be told").hidesSecrets()
}
