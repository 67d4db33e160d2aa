package live_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/gateway"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/rpc"
	"github.com/ackbus/ackbus/worker"
)

// patience is how long a test waits for what must come; machines are busy.
const patience = 60 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A node is what the page shows: a bus with a gateway, methods, queues and the HTTP API.
type node struct {
	bus    *bus.Bus
	jobs   *worker.Jobs
	server *httptest.Server
}

// newNode starts a node, whose page stands at the API's address.
func newNode(t *testing.T, opts api.Options, authenticate func(context.Context, gateway.Credentials) (gateway.Identity, error)) *node {
	t.Helper()
	b, err := bus.New(t.Context(), relay.NewHub(nil).Relay(), &bus.Options{Name: "gw-1", Prefix: redistest.Prefix(t), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	g, err := gateway.New(b, &gateway.Options{Authenticate: authenticate, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := worker.Open(t.Context(), b, redistest.Shared(t).URL(), &worker.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = jobs.Close() })
	calls, err := rpc.NewClient(b, &rpc.ClientOptions{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close() })
	opts.Jobs, opts.Calls, opts.WebSocket, opts.Page, opts.Logger = jobs, calls, g, true, quiet()
	a, err := api.New(b, &opts)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = a
	if opts.Apart {
		if handler, err = a.Admin(); err != nil {
			t.Fatal(err)
		}
	}
	n := &node{bus: b, jobs: jobs, server: httptest.NewServer(handler)}
	t.Cleanup(func() {
		_ = g.Close()
		n.server.Close()
	})
	return n
}

// findBrowser skips the test where there is no Chromium.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("ACKBUS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on the path: scripts/test-tools installs one on Debian, ACKBUS_CHROMIUM names one in another place")
	return ""
}

// A browser is a Chromium that opens a tab for each test.
type browser struct{ ctx context.Context }

// openBrowser starts a browser that ends with the test.
func openBrowser(t *testing.T) browser {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(findBrowser(t)), chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Getuid() == 0 { // as which Chromium refuses its sandbox
		opts = append(opts, chromedp.NoSandbox)
	}
	all, end := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, _ := chromedp.NewContext(all)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error("the browser: ", err)
		}
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("start the browser: ", err)
	}
	return browser{ctx}
}

// A tab shows the page of one node.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex // guards all below
	faults []string   // what the console complained of
}

// open opens the page in a tab of its own. Whatever the console complains of fails the test, but for what may fail.
func open(t *testing.T, b browser, n *node, mayFail ...string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	p := &tab{t: t, ctx: ctx}
	p.do(chromedp.EmulateViewport(1280, 1000))
	console := chromedp.Console(ctx)
	read := make(chan struct{})
	go func() { // ends with the tab
		defer close(read)
		for m, err := range console {
			if err != nil {
				return
			}
			p.complain(string(m.Type), m.Text, mayFail)
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page says:\n%s", p.text("document.body.innerText"))
		}
		closeTab()
		<-read
		if len(p.faults) > 0 {
			t.Errorf("the console complained: %q", p.faults)
		}
	})
	p.do(chromedp.Navigate(n.server.URL + "/"))
	return p
}

func (p *tab) complain(kind, text string, mayFail []string) {
	if kind != string(chromedp.ConsoleError) && kind != string(chromedp.ConsoleException) && kind != string(chromedp.ConsoleWarning) {
		return
	}
	for _, one := range mayFail {
		if strings.Contains(text, one) {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) text(expression string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.t.Error(err)
	}
	return text
}

// await waits until the text of the element holds all of the words.
func (p *tab) await(selector string, words ...string) {
	p.t.Helper()
	condition := fmt.Sprintf("(() => { const e = document.querySelector(%q); return e !== null && %q.split('\\n').every("+
		"word => e.innerText.includes(word)); })()", selector, strings.Join(words, "\n"))
	_, err := chromedp.Run(p.ctx, chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(patience)))
	if err != nil {
		p.t.Fatalf("%s never said %q: %v", selector, words, err)
	}
}

// picture keeps a picture of the page where somebody wants to look at it.
func (p *tab) picture(name string) {
	p.t.Helper()
	dir := os.Getenv("ACKBUS_TEST_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)); err != nil {
		p.t.Error(err)
	}
}
