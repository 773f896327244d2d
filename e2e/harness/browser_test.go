//go:build e2e

package harness

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowser proves that pages load, that scripts run exactly when they should, and that the colour scheme
// is the wanted one.
func TestBrowser(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<!doctype html><title>t</title><style>
@media (prefers-color-scheme: dark){p{color:rgb(1, 2, 3)}}</style>
<p id=s>plain</p><script>document.getElementById("s").textContent = "scripted"</script>`)
	}))
	t.Cleanup(server.Close)
	tests := []struct {
		name  string
		opts  BrowserOptions
		text  string
		color string
	}{
		{"with scripts", BrowserOptions{}, "scripted", "rgb(0, 0, 0)"},
		{"without scripts", BrowserOptions{NoScript: true}, "plain", "rgb(0, 0, 0)"},
		{"dark", BrowserOptions{Dark: true, NoScript: true}, "plain", "rgb(1, 2, 3)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := Browser(t, tt.opts)
			if err := chromedp.Do(ctx, chromedp.Navigate(server.URL), chromedp.WaitVisible("#s")); err != nil {
				t.Fatal(err)
			}
			text, err := chromedp.Run(ctx, chromedp.TextContent("#s"))
			if err != nil {
				t.Fatal(err)
			}
			color, err := chromedp.Run(ctx, chromedp.Evaluate[string](`getComputedStyle(document.getElementById("s")).color`))
			if err != nil {
				t.Fatal(err)
			}
			if text != tt.text || color != tt.color {
				t.Errorf("text %q in %s, want %q in %s", text, color, tt.text, tt.color)
			}
		})
	}
}

// recorder is a T that keeps failures instead of failing.
type recorder struct {
	*testing.T
	failures chan string
}

func (r recorder) Errorf(format string, args ...any) { r.failures <- fmt.Sprintf(format, args...) }

// TestBrowserReportsErrors proves that a page that throws, logs an error or breaks its content security
// policy does not go unnoticed.
func TestBrowserReportsErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, policy, body, want string }{
		{"exception", "", `<p id=s>x<script>throw new Error("boom")</script>`, "boom"},
		{"logged", "", `<p id=s>x<script>console.error("bad")</script>`, "bad"},
		{"policy", "default-src 'self'", `<p id=s>x<script>1</script>`, "Content Security Policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				if tt.policy != "" {
					w.Header().Set("Content-Security-Policy", tt.policy)
				}
				io.WriteString(w, "<!doctype html><title>t</title>"+tt.body)
			}))
			t.Cleanup(server.Close)
			r := recorder{t, make(chan string, 10)}
			ctx := Browser(r, BrowserOptions{})
			if err := chromedp.Do(ctx, chromedp.Navigate(server.URL), chromedp.WaitVisible("#s")); err != nil {
				t.Fatal(err)
			}
			select {
			case failure := <-r.failures:
				if !strings.Contains(failure, tt.want) {
					t.Errorf("reported %q, want %q", failure, tt.want)
				}
			case <-time.After(10 * time.Second):
				t.Error("nothing was reported")
			}
		})
	}
}
