package oss_test

import (
	"errors"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestProbeTellsWhatIsCertain: what every request is answered is certain; what only reading an ACL may be
// refused for is not, because a key that may only put objects must do.
func TestProbeTellsWhatIsCertain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   connector.Cause // "" = nothing is known to be wrong
		field  string
	}{
		{404, "NoSuchBucket", connector.CauseWrong, "oss.bucket"},
		{403, "InvalidAccessKeyId", connector.CauseWrong, "aliyun.access.key.id"},
		{403, "SignatureDoesNotMatch", connector.CauseWrong, "aliyun.access.key.secret"},
		{403, "UserDisable", connector.CauseWrong, "aliyun.access.key.id"},
		{403, "AccessDenied", "", ""},
		{404, "NoSuchKey", "", ""},
		{405, "MethodNotAllowed", "", ""},
		{501, "NotImplemented", "", ""},
		{503, "ServiceUnavailable", connector.CauseAway, ""},
		{403, "RequestTimeTooSkewed", connector.CauseAway, ""}, // once; the next test asks again
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			if errs := b.oss.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, Status: c.status, Code: c.code}); errs != nil {
				t.Fatal(errs)
			}
			err := b.sink().(connector.Prober).Probe(t.Context())
			if c.want == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || connector.CauseOf(err) != c.want {
				t.Fatalf("%v, want the cause %s", err, c.want)
			}
			var wrong *connector.WrongError
			if errors.As(err, &wrong) && (wrong.Field != c.field || wrong.Remedy == "") {
				t.Errorf("field %q, remedy %q", wrong.Field, wrong.Remedy)
			}
		})
	}
}

// TestProbeOfAWrongClock: it may be the network's delay at first; when it stays so it is certain.
func TestProbeOfAWrongClock(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	if errs := b.oss.Faults.Set(sandbox.Fault{Operation: "*", Rate: 1, SkewSeconds: 7200}); errs != nil {
		t.Fatal(errs)
	}
	p := b.sink().(connector.Prober)
	for i := range 20 {
		err := p.Probe(t.Context())
		if err == nil {
			t.Fatal("two hours are no difference")
		}
		if connector.CauseOf(err) == connector.CauseWrong {
			if i == 0 {
				t.Error("wrong at the first answer")
			}
			return
		}
	}
	t.Error("it never becomes certain")
}
