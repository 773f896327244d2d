package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
)

// The metadata service of ECS: a token first (hardened mode), with which it answers; one
// that has no tokens answers without.
const (
	metadataURL      = "http://100.100.100.200"
	metadataToken    = "/latest/api/token"
	metadataRoles    = "/latest/meta-data/ram/security-credentials/"
	headerTokenTTL   = "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds"
	headerToken      = "X-Aliyun-Ecs-Metadata-Token"
	metadataTokenTTL = "300"              // seconds; one is used for one renewal
	metadataTimeout  = 5 * time.Second    // of one request
	metadataSystem   = "metadata service" // as messages name it
)

// metadata gets the credentials of the role of the ECS instance that this program runs
// on. It alone uses Deps.DialMetadata.
type metadata struct {
	client *http.Client
	now    func() time.Time
}

func newMetadata(deps connector.Deps) (*metadata, error) {
	if !deps.Env.AllowECSRAMRole || deps.DialMetadata == nil {
		return nil, &connector.WrongError{Field: KeyAuth, Err: errors.New("this node may not ask the machine's metadata service for the role's credentials"),
			Remedy: "An administrator can allow it with " + settingECSRole + "=on; or choose another " + KeyAuth + "."}
	}
	return &metadata{now: time.Now, client: &http.Client{
		Timeout:       metadataTimeout,
		Transport:     &http.Transport{DialContext: deps.DialMetadata, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// issue asks for the token, the role's name and its credentials, in this order.
func (m *metadata) issue(ctx context.Context) (issued, error) {
	token, _, err := m.ask(ctx, http.MethodPut, metadataToken, headerTokenTTL, metadataTokenTTL)
	var status metadataAnswer
	switch {
	case errors.As(err, &status) && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed):
		token = "" // an older service, which has no tokens
	case err != nil:
		return issued{}, m.classify("asking for a token", err)
	case strings.TrimSpace(token) == "":
		return issued{}, m.classify("asking for a token", errors.New("the answer is empty"))
	}
	name, _, err := m.ask(ctx, http.MethodGet, metadataRoles, headerToken, strings.TrimSpace(token))
	if err != nil {
		return issued{}, m.classify("asking for the instance's role", err)
	}
	if name = strings.TrimSpace(name); !roleRule.MatchString(name) {
		return issued{}, m.classify("asking for the instance's role", errors.New("the answer is no role's name"))
	}
	doing := "asking for the credentials of the instance's role " + name
	body, theirs, err := m.ask(ctx, http.MethodGet, metadataRoles+url.PathEscape(name), headerToken, strings.TrimSpace(token))
	if err != nil {
		return issued{}, m.classify(doing, err)
	}
	var a struct{ Code, AccessKeyId, AccessKeySecret, SecurityToken, Expiration string }
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return issued{}, m.classify(doing, errors.New("the answer is not what the metadata service writes"))
	}
	if a.Code != "Success" {
		return issued{}, m.classify(doing, fmt.Errorf("it has none: %s", clip(a.Code, 80)))
	}
	got, err := credentialsOf(a.AccessKeyId, a.AccessKeySecret, a.SecurityToken, a.Expiration, theirs, m.now())
	if err != nil {
		return issued{}, m.classify(doing, err)
	}
	return got, nil
}

// metadataAnswer is a status other than 200.
type metadataAnswer int

func (s metadataAnswer) Error() string {
	return fmt.Sprintf("the %s answered %d %s", metadataSystem, int(s), http.StatusText(int(s)))
}

func (m *metadata) ask(ctx context.Context, method, path, header, value string) (string, time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, method, metadataURL+path, nil)
	if err != nil {
		return "", time.Time{}, errors.New("making the request failed")
	}
	if len(value) > 4096 || !headerValue.MatchString(value) {
		return "", time.Time{}, errors.New("the token is malformed")
	}
	if value != "" {
		req.Header.Set(header, value)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return "", time.Time{}, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", time.Time{}, metadataAnswer(resp.StatusCode)
	}
	theirs, _ := http.ParseTime(resp.Header.Get("Date")) // zero where it tells none
	return string(body), theirs, nil
}

var headerValue = regexp.MustCompile(`^[!-~]*$`)

func (m *metadata) classify(doing string, err error) error {
	full := fmt.Errorf("%s: %w", doing, err)
	var barred *egress.Refused
	if errors.As(err, &barred) {
		return &connector.WrongError{Field: KeyAuth, Brief: barred.Error(), Err: full, Remedy: barred.Remedy}
	}
	var status metadataAnswer
	if errors.As(err, &status) && status == http.StatusNotFound {
		return &connector.WrongError{Field: KeyAuth, Brief: "the ECS instance has no RAM role", Err: full,
			Remedy: "Attach a RAM role to the ECS instance that Sluice runs on, or choose another " + KeyAuth + "."}
	}
	return &connector.AwayError{System: metadataSystem, Brief: "the " + metadataSystem + " is away: " + err.Error(), Err: full,
		Remedy: "If it stays so, look whether Sluice runs on an ECS instance that has a RAM role, or choose another " + KeyAuth + "."}
}
