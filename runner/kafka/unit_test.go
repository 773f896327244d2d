package kafka

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kversion"
)

// The releases that a client library lists are recognized by their request versions.
func TestDescribeVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version                                              string
		idempotent, transactions, stable, static, identities bool
	}{
		{"0.10.2", false, false, false, false, false},
		{"0.11.0", true, true, false, false, false},
		{"1.0", true, true, false, false, false},
		{"1.1", true, true, false, false, false},
		{"2.0", true, true, false, false, false},
		{"2.1", true, true, false, false, false},
		{"2.2", true, true, false, false, false},
		{"2.3", true, true, false, true, false},
		{"2.4", true, true, false, true, false},
		{"2.5", true, true, true, true, false},
		{"2.6", true, true, true, true, false},
		{"2.7", true, true, true, true, false},
		{"2.8", true, true, true, true, true},
		{"3.0", true, true, true, true, true},
		{"3.1", true, true, true, true, true},
		{"3.2", true, true, true, true, true},
		{"3.3", true, true, true, true, true},
		{"3.4", true, true, true, true, true},
		{"3.5", true, true, true, true, true},
		{"3.6", true, true, true, true, true},
		{"3.7", true, true, true, true, true},
		{"3.8", true, true, true, true, true},
		{"3.9", true, true, true, true, true},
		{"4.0", true, true, true, true, true},
		{"4.1", true, true, true, true, true},
		{"4.2", true, true, true, true, true},
		{"4.3", true, true, true, true, true},
	} {
		vs := kversion.FromString(c.version)
		if vs == nil {
			t.Fatalf("%s is not listed", c.version)
		}
		max := make(map[int16]int16)
		vs.EachMaxKeyVersion(func(k, v int16) { max[k] = v })
		got, err := describe(max)
		want := Info{Version: c.version, Idempotent: c.idempotent, Transactions: c.transactions, RequireStable: c.stable, StaticMembership: c.static, TopicIDs: c.identities}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", c.version, got, err)
		}
		if _, err := parseVersion(c.version); err != nil {
			t.Errorf("%s: %v", c.version, err)
		}
	}
	if _, err := describe(map[int16]int16{0: 2, 1: 3}); err == nil {
		t.Error("brokers without ApiVersions of 0.10.2 were taken")
	}
}

func TestRequestVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version                                                string
		commit, heartbeat, fetch, produce, pid, txn, txnCommit int16
	}{
		{"0.10.2", 2, 0, 3, 2, 0, 0, 0},
		{"0.11.0", 3, 1, 5, 3, 0, 0, 0},
		{"1.0", 3, 1, 6, 5, 0, 0, 0},
		{"1.1", 3, 1, 7, 5, 0, 0, 0},
		{"2.0", 4, 2, 8, 6, 1, 1, 1},
		{"2.1", 6, 2, 10, 7, 1, 1, 2},
		{"2.2", 6, 2, 10, 7, 1, 1, 2},
		{"2.3", 7, 3, 11, 7, 1, 1, 2},
		{"2.4", 7, 4, 11, 8, 2, 1, 2},
		{"2.5", 7, 4, 11, 8, 3, 1, 3},
		{"2.7", 7, 4, 12, 8, 4, 2, 3},
		{"2.8", 7, 4, 12, 8, 4, 3, 3},
		{"4.3", 7, 4, 12, 8, 4, 3, 3},
	} {
		v, err := parseVersion(c.version)
		if err != nil {
			t.Fatal(err)
		}
		got := []int16{commitVersion(v), heartbeatVersion(v), fetchVersion(v), produceVersion(v), initProducerVersion(v), txnVersion(v), txnCommitVersion(v)}
		want := []int16{c.commit, c.heartbeat, c.fetch, c.produce, c.pid, c.txn, c.txnCommit}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", c.version, got, want)
		}
		m := Member{Group: "g", ID: "m", Generation: 4, InstanceID: "i"}
		req := commitRequest(v, m, map[TP]Committed{{Topic: "t"}: {Offset: 3, Metadata: "x"}})
		if static := req.GroupInstanceId != nil; static != (c.commit >= 7) {
			t.Errorf("%s: instance id in the commit: %v", c.version, static)
		}
		if keep := req.RetentionTime == -1; keep != (c.commit < 5) {
			t.Errorf("%s: retention %d", c.version, req.RetentionTime)
		}
		txn := txnCommitRequest(v, m, map[TP]Committed{{Topic: "t"}: {Offset: 3}})
		if fenced := txn.MemberID == "m" && txn.GenerationID == 4 && txn.GroupInstanceID != nil; fenced != (c.txnCommit >= 3) {
			t.Errorf("%s: %+v", c.version, txn)
		}
	}
	if r := commitRequest(sarama.MaxVersion, Member{Group: "g"}, nil); r.ConsumerGroupGeneration != -1 {
		t.Errorf("a tool commits with generation %d", r.ConsumerGroupGeneration)
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"4.3": "4.3.0", "9.9": sarama.MaxVersion.String(), "2.8.1": "2.8.1", "0.10.2": "0.10.2.0", "0.10.2.1": "0.10.2.1", "2.3": "2.3.0"} {
		if v, err := parseVersion(in); err != nil || v.String() != want {
			t.Errorf("%s: %s, %v", in, v, err)
		}
	}
	for _, in := range []string{"", "x", "2.x", "0.8.2.0", "0.10.1.0", "-1.0"} {
		if v, err := parseVersion(in); err == nil {
			t.Errorf("%q is taken for %s", in, v)
		}
	}
}

// The exchange of RFC 7677, section 3.
func TestSCRAMExample(t *testing.T) {
	t.Parallel()
	s := &scram{newHash: sha256.New, user: "user", pass: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO"}
	first, err := s.Step("")
	if err != nil || first != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
		t.Fatalf("%q, %v", first, err)
	}
	final, err := s.Step("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
	want := "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if err != nil || final != want {
		t.Fatalf("%q, %v", final, err)
	}
	other := *s
	if _, err := s.Step("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err != nil || !s.Done() {
		t.Errorf("%v, done %v", err, s.Done())
	}
	if _, err := other.Step("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="); err == nil {
		t.Error("a wrong proof of the broker was taken")
	}
}

func TestSCRAMBadChallenges(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{
		"", "r=n1,s=AAAA", "r=n,s=AAAA,i=4096", "r=other,s=AAAA,i=4096", "r=n1,s=,i=4096", "r=n1,s=!,i=4096",
		"r=n1,s=AAAA,i=0", "r=n1,s=AAAA,i=99999999999", "r=n1,s=AAAA,i=-5", strings.Repeat(",", 100),
	} {
		s := &scram{newHash: sha256.New, nonce: "n"}
		if _, err := s.Step(""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(challenge); err == nil {
			t.Errorf("challenge %q was answered", challenge)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := Cluster{Bootstrap: []string{"a:1"}, Version: "4.3"}
	for name, c := range map[string]struct {
		change func(*Cluster)
		want   string // of the error, "" for none
	}{
		"plain": {func(*Cluster) {}, ""},
		"sasl":  {func(c *Cluster) { c.Protocol, c.Username, c.Password = "SASL_SSL", "u", "p" }, ""},
		"scram": {func(c *Cluster) {
			c.Protocol, c.Mechanism, c.Username, c.Password = "SASL_PLAINTEXT", "SCRAM-SHA-512", "u", "p"
		}, ""},
		"old":           {func(c *Cluster) { c.Version = "0.10.2" }, ""},
		"no version":    {func(c *Cluster) { c.Version = "" }, "probe"},
		"bad version":   {func(c *Cluster) { c.Version = "x" }, `"x"`},
		"no bootstrap":  {func(c *Cluster) { c.Bootstrap = nil }, "bootstrap"},
		"bad protocol":  {func(c *Cluster) { c.Protocol = "TLS" }, `"TLS"`},
		"bad mechanism": {func(c *Cluster) { c.Protocol, c.Mechanism, c.Username, c.Password = "SASL_SSL", "GSSAPI", "u", "p" }, `"GSSAPI"`},
		"no password":   {func(c *Cluster) { c.Protocol, c.Username = "SASL_SSL", "u" }, "password"},
		"bad CA":        {func(c *Cluster) { c.Protocol, c.CAPEM = "SSL", "nonsense" }, "PEM"},
	} {
		cl := good
		c.change(&cl)
		conf, err := cl.Config()
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want something of %s", name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := conf.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if conf.Metadata.AllowAutoTopicCreation || !conf.Net.Proxy.Enable || conf.Metadata.RefreshFrequency > 30*time.Second {
			t.Errorf("%s: %+v", name, conf.Metadata)
		}
	}
}

func TestNewConsumer(t *testing.T) {
	t.Parallel()
	c := Cluster{Bootstrap: []string{"a:1"}, Version: "2.8"}
	for _, o := range []ConsumerOptions{
		{}, {Group: "g"}, {Group: "g", Topics: []string{"t"}, InstanceID: "a b"}, {Group: "g", Topics: []string{"t"}, InstanceID: strings.Repeat("x", 249)},
		{Group: "g", Topics: []string{"t"}, SessionTimeout: time.Millisecond},
	} {
		if _, err := NewConsumer(c, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	cons, err := NewConsumer(c, ConsumerOptions{Group: "g", Topics: []string{"t"}, InstanceID: "i", FetchBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int32{0: 1 << 20, 1: 1 << 20, 6: 4 << 20 / 6, 500: 16 << 10} {
		if got := cons.share(n); got != want {
			t.Errorf("share of %d: %d, want %d", n, got, want)
		}
	}
	for version, instance := range map[string]string{"2.2": "", "2.3": "i"} {
		conf, err := Cluster{Bootstrap: []string{"a:1"}, Version: version}.Config()
		if err != nil {
			t.Fatal(err)
		}
		cons.tune(conf)
		if err := conf.Validate(); err != nil {
			t.Error(err)
		}
		if conf.Consumer.Group.InstanceId != instance || conf.Consumer.Offsets.AutoCommit.Enable || conf.Consumer.IsolationLevel != sarama.ReadCommitted {
			t.Errorf("%s: %+v", version, conf.Consumer.Group)
		}
	}
	if err := cons.Close(true); err != nil {
		t.Error(err)
	}
	if err := cons.RunSession(context.Background(), nil); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ err, want error }{
		{sarama.ErrSASLAuthenticationFailed, ErrAuth},
		{sarama.Wrap(sarama.ErrOutOfBrokers, sarama.ErrSASLAuthenticationFailed), ErrAuth},
		{fmt.Errorf("x: %w", sarama.ErrTopicAuthorizationFailed), ErrDenied},
		{sarama.ErrFencedInstancedId, ErrFenced}, {sarama.ErrProducerFenced, ErrFenced},
		{sarama.ErrIllegalGeneration, ErrRebalance}, {sarama.ErrUnknownMemberId, ErrRebalance}, {sarama.ErrRebalanceInProgress, ErrRebalance},
		{&sarama.TopicError{Err: sarama.ErrUnknownTopicOrPartition}, ErrNoTopic},
		{sarama.ErrOffsetOutOfRange, ErrOutOfRange}, {sarama.ErrMessageSizeTooLarge, ErrMessageTooLarge},
		{PartitionErrors{{Topic: "t"}: classify(sarama.ErrIllegalGeneration)}, ErrRebalance},
	} {
		if got := classify(c.err); !errors.Is(got, c.want) || !errors.Is(got, errors.Unwrap(c.err)) && errors.Unwrap(c.err) != nil {
			t.Errorf("%v becomes %v, want %v", c.err, got, c.want)
		}
		if twice := classify(classify(c.err)); twice.Error() != classify(c.err).Error() {
			t.Errorf("classified twice: %v", twice)
		}
	}
	if classify(nil) != nil || classify(io.EOF) != io.EOF {
		t.Error("an unknown error changed")
	}
}

func TestRemedy(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		ErrAuth, ErrDenied, ErrNoTopic, ErrFenced, ErrMessageTooLarge, ErrGroupInUse, ErrUnstable, ErrUnsupported, sarama.ErrUnsupportedSASLMechanism,
		&net.DNSError{}, syscall.ECONNREFUSED, syscall.EHOSTUNREACH, context.DeadlineExceeded, io.EOF, syscall.ECONNRESET,
	} {
		if s := Remedy(fmt.Errorf("doing: %w", err)); !strings.HasSuffix(s, ".") {
			t.Errorf("%v: %q", err, s)
		}
	}
	if Remedy(nil) != "" || Remedy(errors.New("x")) != "" {
		t.Error("a remedy for nothing")
	}
}

// pageOf reads a field that sarama does not export; a new sarama must still have it.
func TestSaramaKeepsNextOffset(t *testing.T) {
	t.Parallel()
	f, ok := reflect.TypeFor[sarama.FetchResponseBlock]().FieldByName("recordsNextOffset")
	if !ok || f.Type != reflect.TypeFor[*int64]() {
		t.Fatalf("field %v", f)
	}
}

// Aborted, open and control batches, holes and the asked offset in one answer.
func TestPageOf(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1000)
	batch := func(first int64, n int, change func(*sarama.RecordBatch)) *sarama.Records {
		b := &sarama.RecordBatch{FirstOffset: first, LastOffsetDelta: int32(n - 1), FirstTimestamp: at, MaxTimestamp: at.Add(9 * time.Millisecond), ProducerID: -1}
		for i := range n {
			b.Records = append(b.Records, &sarama.Record{OffsetDelta: int64(i), TimestampDelta: time.Duration(i) * time.Millisecond, Value: fmt.Append(nil, first+int64(i))})
		}
		change(b)
		return &sarama.Records{RecordBatch: b}
	}
	txn := func(id int64) func(*sarama.RecordBatch) {
		return func(b *sarama.RecordBatch) { b.ProducerID, b.IsTransactional = id, true }
	}
	marker := func(id int64, kind byte) func(*sarama.RecordBatch) {
		return func(b *sarama.RecordBatch) {
			b.ProducerID, b.IsTransactional, b.Control = id, true, true
			b.Records[0].Key = []byte{0, 0, 0, kind}
		}
	}
	plain := func(*sarama.RecordBatch) {}
	block := &sarama.FetchResponseBlock{
		HighWaterMarkOffset: 40, LastStableOffset: 30, LogStartOffset: 1,
		AbortedTransactions: []*sarama.AbortedTransaction{{ProducerID: 8, FirstOffset: 20}, {ProducerID: 7, FirstOffset: 4}},
		RecordsSet: []*sarama.Records{
			batch(0, 3, plain), batch(4, 2, txn(7)), batch(6, 1, txn(8)), batch(7, 1, marker(7, 0)), batch(8, 1, txn(7)), batch(9, 1, marker(8, 1)),
			batch(15, 2, func(b *sarama.RecordBatch) { b.Records = b.Records[:1]; b.LogAppendTime = true }),
			batch(20, 1, txn(8)), batch(21, 1, marker(8, 0)), batch(30, 1, plain),
		},
	}
	page, err := pageOf(block, TP{"t", 2}, 1, 12)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, r := range page.Records {
		if string(r.Value) != fmt.Sprint(r.Offset) || r.Topic != "t" || r.Partition != 2 {
			t.Errorf("record %+v", r)
		}
		got = append(got, r.Offset)
	}
	if want := []int64{1, 2, 6, 8, 15}; !reflect.DeepEqual(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
	if page.Next != 22 || page.Watermarks != (Watermarks{Start: 1, LSO: 30, End: 40}) {
		t.Errorf("next %d, %+v", page.Next, page.Watermarks)
	}
	if page.Records[1].Timestamp != 1002 || page.Records[4].Timestamp != 1009 {
		t.Errorf("timestamps %d, %d", page.Records[1].Timestamp, page.Records[4].Timestamp)
	}
	cut := &sarama.FetchResponseBlock{HighWaterMarkOffset: 9, LastStableOffset: 9, RecordsSet: []*sarama.Records{
		batch(5, 1, func(b *sarama.RecordBatch) { b.Records, b.PartialTrailingRecord = nil, true })}}
	if page, err := pageOf(cut, TP{"t", 0}, 3, 12); err != nil || page.Next != 5 {
		t.Errorf("cut off behind empty batches: %+v, %v", page, err)
	}
	if _, err := pageOf(cut, TP{"t", 0}, 5, 12); err == nil {
		t.Error("a damaged batch was read")
	}
	empty := &sarama.FetchResponseBlock{HighWaterMarkOffset: 9, LastStableOffset: 9}
	if page, err := pageOf(empty, TP{"t", 0}, 3, 12); err != nil || page.Next != 3 {
		t.Errorf("nothing there: %+v, %v", page, err)
	}
	old := &sarama.FetchResponseBlock{HighWaterMarkOffset: 3, RecordsSet: []*sarama.Records{{MsgSet: &sarama.MessageSet{Messages: []*sarama.MessageBlock{
		{Offset: 0, Msg: &sarama.Message{Version: 1, Value: []byte("a"), Timestamp: at}},
		{Offset: 2, Msg: &sarama.Message{Version: 1, Timestamp: at, Set: &sarama.MessageSet{Messages: []*sarama.MessageBlock{
			{Offset: 0, Msg: &sarama.Message{Version: 1, Value: []byte("b"), Timestamp: at}}, {Offset: 1, Msg: &sarama.Message{Version: 1, Value: []byte("c"), Timestamp: at}}}}}},
	}}}}}
	if page, err := pageOf(old, TP{"t", 0}, 1, 2); err != nil || len(page.Records) != 2 || page.Records[0].Offset != 1 || page.Next != 3 || page.LSO != 3 {
		t.Errorf("message format 1: %+v, %v", page, err)
	}
}

// TestMembersThatStartTogetherJoinSoon: each that meets another's rebalance joins again; sarama's own pause of 2 s
// was what a connector took to start. The time for which it tries stays sarama's.
func TestMembersThatStartTogetherJoinSoon(t *testing.T) {
	t.Parallel()
	cluster := Cluster{Bootstrap: []string{"127.0.0.1:1"}, Version: "4.0.0"}
	c, err := NewConsumer(cluster, ConsumerOptions{Group: "g", Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := cluster.Config()
	if err != nil {
		t.Fatal(err)
	}
	c.tune(conf)
	if err := conf.Validate(); err != nil {
		t.Error(err)
	}
	again := conf.Consumer.Group.Rebalance.Retry
	if again.Backoff > 100*time.Millisecond || time.Duration(again.Max)*again.Backoff < 8*time.Second {
		t.Errorf("joins again after %s, %d times", again.Backoff, again.Max)
	}
}
