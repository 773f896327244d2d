package oss

import (
	"errors"
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-io/sluice/runner/aliyun"
	"github.com/sluice-io/sluice/runner/connector"
)

// TestTokensAreRefusedForAMinute: after that the set-up is the cause, until a request
// goes well.
func TestTokensAreRefusedForAMinute(t *testing.T) {
	t.Parallel()
	k := &classifier{endpoint: "oss", identity: aliyun.IdentityOf(connector.Config{aliyun.KeyAuth: aliyun.AuthECSRole})}
	for code := range tokenCodes {
		refusal := sdk.ServiceError{Code: code, StatusCode: 403}
		if err := k.classify("writing", refusal); connector.CauseOf(err) != connector.CauseAway {
			t.Errorf("%s at first: %v", code, err)
		}
		k.refused.Store(time.Now().Add(-tokenPatience - time.Second).UnixNano())
		var wrong *connector.WrongError
		if err := k.classify("writing", refusal); !errors.As(err, &wrong) || wrong.Field != aliyun.KeyAuth || !strings.Contains(wrong.Remedy, "role of the ECS instance") {
			t.Errorf("%s after a minute: %v", code, err)
		}
		k.succeeded()
		if err := k.classify("writing", refusal); connector.CauseOf(err) != connector.CauseAway {
			t.Errorf("%s after a success: %v", code, err)
		}
		k.succeeded()
	}
}
