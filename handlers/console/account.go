package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// loginShow is the sign-in page; who is signed in already goes on.
func (c *Console) loginShow(q *request) error {
	on := localPath(q.Query("return"))
	if q.signedIn() {
		return q.redirect(on)
	}
	return c.showLogin(q, http.StatusOK, "", on, "")
}

func (c *Console) showLogin(q *request, status int, user, on, refusal string) error {
	q.loginToken()
	ctx := q.Request.Context()
	page := layout.Page{Title: text.T(ctx, "login.title"), Theme: q.theme(), Language: q.language(), Version: c.version}
	return q.render(status, views.Login(views.LoginPage{Page: page, User: user, Error: refusal, Return: on}))
}

// loginSubmit signs in. What is said does not depend on whether the user exists.
func (c *Console) loginSubmit(q *request) error {
	ctx := q.Request.Context()
	name, on := strings.TrimSpace(q.value("user")), q.back()
	if !q.loginTokenHolds() {
		return c.showLogin(q, http.StatusForbidden, clip(name, 64), on, text.T(ctx, "login_page.expired"))
	}
	user, err := c.store.Authenticate(ctx, name, q.value("password"), q.address())
	var throttled *models.ThrottledError
	switch {
	case errors.As(err, &throttled):
		web.SetRetryAfter(q.Writer.Header(), throttled.RetryAfter)
		return c.showLogin(q, http.StatusTooManyRequests, clip(name, 64), on, text.T(ctx, "login_page.throttled", web.RetrySeconds(throttled.RetryAfter)))
	case errors.Is(err, models.ErrWrongCredentials):
		c.auditFailedLogin(q, name)
		return c.showLogin(q, http.StatusUnprocessableEntity, clip(name, 64), on, text.T(ctx, "login_page.wrong"))
	case err != nil:
		return err
	}
	secret, err := c.store.NewSession(ctx, user.ID, q.address(), q.GetHeader("User-Agent"))
	if err != nil {
		return err
	}
	if q.signedIn() { // the browser's former session is of no use to anybody
		if err := c.store.RevokeSession(ctx, q.session.ID); err != nil {
			c.log.Warn("ending the former session", "err", err)
		}
	}
	q.setCookie(sessionCookie, secret, 0)
	q.setCookie(formCookie, "", -1)
	q.audit(user.Name, "user.login", user.Name, nil)
	return q.redirect(on)
}

// auditFailedLogin names the user only when there is one: people type their password
// into the wrong field.
func (c *Console) auditFailedLogin(q *request, name string) {
	object := "unknown user"
	if user, err := c.store.UserByName(q.Request.Context(), name); err == nil {
		object = user.Name
	}
	q.audit("", "user.login.failed", object, nil)
}

// logout ends the session, here and in the model.
func (c *Console) logout(q *request) error {
	if err := c.store.RevokeSession(q.Request.Context(), q.session.ID); err != nil && !errors.Is(err, control.ErrNotFound) {
		return err
	}
	q.audit(q.user.Name, "user.logout", q.user.Name, nil)
	q.setCookie(sessionCookie, "", -1)
	q.clearFlash()
	return q.redirect("/login")
}

// accountTheme keeps the look for a year, readable for the script that also sets it.
func (c *Console) accountTheme(q *request) error {
	theme := q.value("theme")
	if theme != "light" && theme != "dark" {
		theme = "auto"
	}
	http.SetCookie(q.Writer, &http.Cookie{Name: themeCookie, Value: theme, Path: "/", MaxAge: 365 * 24 * 3600, Secure: c.secure, SameSite: http.SameSiteLaxMode})
	return q.redirect(q.back())
}

// accountLanguage keeps the language for a year.
func (c *Console) accountLanguage(q *request) error {
	ctx := q.Request.Context()
	language := q.value("language")
	if text.Language(text.WithLanguage(ctx, language)) != language {
		return &pageError{http.StatusUnprocessableEntity, text.T(ctx, "fail.invalid"), text.T(ctx, "fail.language"), ""}
	}
	q.setCookie(languageCookie, language, 365*24*3600)
	return q.redirect(q.back())
}
