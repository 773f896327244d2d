package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// Cookies. The theme's name is known to the script too.
const (
	sessionCookie  = "sluice_session"
	formCookie     = "sluice_form"  // what the form token of the sign-in page is made of
	flashCookie    = "sluice_flash" // what the last act led to
	themeCookie    = "sluice_theme"
	languageCookie = "sluice_language"
)

// cookieName adds the prefix that binds a cookie to this host and to TLS.
func (c *Console) cookieName(name string) string {
	if c.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets one that scripts cannot read. maxAge is in seconds: 0 ends with the
// browser, negative removes it.
func (q *request) setCookie(name, value string, maxAge int) {
	http.SetCookie(q.Writer, &http.Cookie{Name: q.c.cookieName(name), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: q.c.secure, SameSite: http.SameSiteLaxMode})
}

func (q *request) cookie(name string) string {
	found, err := q.Request.Cookie(q.c.cookieName(name))
	if err != nil || len(found.Value) > 4096 {
		return ""
	}
	return found.Value
}

// readSession finds who is signed in, and the form token.
func (q *request) readSession() error {
	secret := q.cookie(sessionCookie)
	if secret == "" {
		return nil
	}
	session, user, err := q.c.store.SessionBySecret(q.Request.Context(), secret)
	if errors.Is(err, control.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	q.secret, q.session, q.user = secret, session, user
	q.actor = control.Actor{UserID: user.ID, Name: user.Name, Role: control.Role(user.Role), Address: q.address()}
	q.token = keyed(secret, "form token", "")
	q.flashes = q.readFlash()
	return nil
}

// keyed is a MAC by a session's secret: of the form token, which it binds to the
// session, and of the flash cookie.
func keyed(secret, purpose, value string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(purpose + "\x00" + value))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// checkToken refuses a form that this session's pages did not make.
func (q *request) checkToken() error {
	token := q.value(components.CSRFName)
	if token == "" {
		token = q.GetHeader("X-CSRF-Token")
	}
	if q.c.cross.Check(q.Request) != nil || q.token == "" || !hmac.Equal([]byte(token), []byte(q.token)) {
		return q.tokenError()
	}
	return nil
}

// loginToken makes the form token of the sign-in page, and the cookie it belongs to.
func (q *request) loginToken() {
	value := q.cookie(formCookie)
	if len(value) != 43 {
		b := make([]byte, 32)
		_, _ = rand.Read(b) // never fails (crypto/rand)
		value = base64.RawURLEncoding.EncodeToString(b)
		q.setCookie(formCookie, value, 0)
	}
	q.token = keyed(value, "form token", "")
	q.enter()
}

// loginTokenHolds tells whether the sign-in form is this browser's own.
func (q *request) loginTokenHolds() bool {
	value := q.cookie(formCookie)
	return len(value) == 43 && q.c.cross.Check(q.Request) == nil && hmac.Equal([]byte(q.value(components.CSRFName)), []byte(keyed(value, "form token", "")))
}

// toLogin leads to the sign-in page and back; a script is told by 401, upon which it
// loads the page again.
func (q *request) toLogin() error {
	q.Abort()
	if q.fragment() {
		q.Status(http.StatusUnauthorized)
		q.Writer.WriteHeaderNow()
		return nil
	}
	path := "/login"
	if own := q.own(); own != "/" {
		path += "?return=" + url.QueryEscape(own)
	}
	return q.redirect(path)
}

// audit writes down what concerns sessions; a failure is logged and refuses nothing.
func (q *request) audit(actor, act, object string, detail map[string]string) {
	e := models.AuditEntry{Actor: actor, Act: act, Object: object, Detail: detail, Address: q.address()}
	if err := q.c.store.Audit(q.Request.Context(), e); err != nil {
		q.c.log.Error("writing the audit log", "act", act, "err", err)
	}
}

// auditRefused writes down that a role did not suffice for an act; looking is not an act.
func (q *request) auditRefused() {
	if q.Request.Method == http.MethodPost {
		q.audit(q.user.Name, "access.refused", clip(q.Request.URL.Path, 200), map[string]string{"role": string(q.user.Role)})
	}
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// language is the user's choice, as far as the catalogue has it.
func (q *request) language() string {
	if chosen := q.cookie(languageCookie); chosen != "" {
		return text.Language(text.WithLanguage(q.Request.Context(), chosen))
	}
	return text.Default
}
