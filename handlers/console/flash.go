package console

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// flash is a message that the next page shows once. It waits in a cookie that the
// session's secret signs.
type flash struct {
	Tone  components.Tone `json:"o"`
	Title string          `json:"t"`
	Body  string          `json:"b,omitempty"`
	Label string          `json:"l,omitempty"` // of a link to go on with
	Href  string          `json:"h,omitempty"`
}

// done says on the next page that an act was done.
func (q *request) done(title, body string) {
	q.flash(flash{Tone: components.ToneOK, Title: title, Body: body})
}

// flash keeps a message for the next page.
func (q *request) flash(f flash) {
	f.Title, f.Body = clip(f.Title, 300), clip(f.Body, 600)
	q.flashes = append(q.flashes, f)
	if len(q.flashes) > 3 {
		q.flashes = q.flashes[len(q.flashes)-3:]
	}
	body, err := json.Marshal(q.flashes)
	if err != nil || !q.signedIn() {
		return
	}
	value := base64.RawURLEncoding.EncodeToString(body)
	if len(value) > 3500 { // browsers keep 4096 bytes: the newest message alone fits
		q.flashes = q.flashes[len(q.flashes)-1:]
		body, _ = json.Marshal(q.flashes)
		value = base64.RawURLEncoding.EncodeToString(body)
	}
	q.setCookie(flashCookie, value+"."+keyed(q.secret, "flash", value), 60)
}

func (q *request) readFlash() []flash {
	value, mac, ok := strings.Cut(q.cookie(flashCookie), ".")
	if !ok || !hmac.Equal([]byte(mac), []byte(keyed(q.secret, "flash", value))) {
		return nil
	}
	body, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return nil
	}
	var list []flash
	if json.Unmarshal(body, &list) != nil {
		return nil
	}
	return list
}

func (q *request) clearFlash() { q.setCookie(flashCookie, "", -1) }

func (q *request) shownFlashes() []layout.Flash {
	var out []layout.Flash
	for _, f := range q.flashes {
		out = append(out, layout.Flash{Tone: f.Tone, Title: f.Title, Body: f.Body, Action: components.Action{Label: f.Label, Href: f.Href}})
	}
	return out
}
