package harness

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// BrowserOptions shapes a window.
type BrowserOptions struct {
	NoScript      bool          // the page's scripts do not run
	Dark          bool          // prefers-color-scheme: dark
	Width, Height int           // CSS pixels; 1280 by 800 when 0
	Limit         time.Duration // how long everything in it may take; 2 minutes when 0
}

// Browser opens a headless Chromium window and returns its context for chromedp. An exception or an error
// on a page's console, a refusal by the content security policy among them, fails the test. It is closed when the test ends.
func Browser(t T, opts BrowserOptions) context.Context {
	t.Helper()
	path, err := Setting("SLUICE_CHROMIUM")
	if err != nil {
		t.Fatalf("finding Chromium: %v", err)
	}
	if opts.Width == 0 || opts.Height == 0 {
		opts.Width, opts.Height = 1280, 800
	}
	if opts.Limit == 0 {
		opts.Limit = 2 * time.Minute
	}
	allocator, closeBrowser := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(opts.Width, opts.Height),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(60*time.Second))...)
	t.Cleanup(closeBrowser)
	window, closeWindow := chromedp.NewContext(allocator)
	t.Cleanup(closeWindow)
	ctx, cancel := context.WithTimeout(window, opts.Limit)
	_, err = chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: opts.NoScript})
	if err == nil && opts.Dark {
		_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
	}
	if err != nil {
		cancel()
		t.Fatalf("opening Chromium: %v", err)
	}
	var listener sync.WaitGroup
	messages := chromedp.Console(ctx) // subscribed from here on
	listener.Go(func() { listen(messages, t) })
	t.Cleanup(func() {
		cancel()
		listener.Wait()
	})
	return ctx
}

// listen fails the test for what a page's console shows as an error until the window is closed. A refused
// form is no error of the page, although the browser notes the answer's status.
func listen(messages iter.Seq2[chromedp.ConsoleMessage, error], t T) {
	for m, err := range messages {
		if err != nil {
			return // the window is closed
		}
		bad := m.IsException() || m.Type == chromedp.ConsoleError
		if bad && !strings.HasPrefix(m.Text, "Failed to load resource") {
			t.Errorf("the page's console shows an error: %s", m)
		}
	}
}

// Screenshot saves a picture of the whole page as SLUICE_SCREENSHOTS/<name>.png; without that variable it
// does nothing.
func Screenshot(t T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("SLUICE_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("taking picture %s: %v", name, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("saving picture %s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		t.Fatalf("saving picture %s: %v", name, err)
	}
}
