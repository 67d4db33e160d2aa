package publisher

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus" //nolint:depguard // what it publishes must be what the bus takes
	"github.com/ackbus/ackbus/internal/chaos/actor"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func settings(t *testing.T) *Settings {
	t.Helper()
	all := map[string]int{history.Prompt: 5, history.Slow: 1, history.Weary: 1, history.Unkind: 1, history.Mute: 1, history.Fickle: 1}
	return &Settings{Settings: actor.Settings{Dir: t.TempDir(), Name: "http-1.1", Rate: 1000}, Groups: 4, Clients: all}
}

// Whatever is drawn can be asked, and all there is gets drawn.
func TestDraw(t *testing.T) {
	p := &planner{settings: settings(t), chance: rand.New(rand.NewPCG(1, 1))}
	p.heard(&history.Receipt{Deliveries: []history.Delivery{{Outcome: "confirmed", Socket: "00000000-0000-7000-8000-000000000000.1"}}})
	drawn := make(map[string]bool)
	for range 5000 {
		d := p.draw()
		if _, err := bus.ParseAddress(d.to); err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
		if _, err := options(&d); err != nil || d.timeout <= 0 || d.timeout > 10*time.Second || d.times < 1 {
			t.Fatalf("%+v: %v", d, err)
		}
		kind, _, _ := strings.Cut(d.to, "-")
		drawn[kind+d.level+d.require] = true
		if d.publish {
			drawn["publish"] = true
		}
	}
	for _, want := range []string{"user:ok", "user:slow", "user:late", "user:no", "user:mute", "user:quit", "user:nobody", "user:okwritten",
		"user:okclaimed", "group:g0all", "group:g32", "group:mixed", "group:mixedall", "publish"} {
		if !drawn[want] {
			t.Errorf("%s was never drawn", want)
		}
	}
}

// What a node answers is written down as what it is.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		publish bool
		failure string
	}{
		{200, `{"id":"i","outcome":"confirmed"}`, false, ""},
		{404, `{"id":"i","outcome":"no_receiver"}`, false, ""},
		{202, `{"id":"i","receivers":1}`, true, ""},
		{503, `{"error":{"code":"unavailable"}}`, false, history.Unavailable},
		{503, `{"error":{"code":"overloaded"}}`, false, history.Overloaded},
		{504, `{"error":{"code":"unknown"}}`, true, history.Ambiguous},
		{500, `{"error":{"code":"internal"}}`, false, "status 500"},
		{200, `nonsense`, false, "status 200"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		}))
		v := visit(Node{"gw-1", server.Listener.Addr().String()}, func() int64 { return 1 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		end := v.ask(ctx, history.Key{Publisher: "p", Number: 1}, &plan{to: "user:ok-1", timeout: time.Second, publish: c.publish})
		cancel()
		if end.Failure != c.failure || (end.Receipt != nil) != (c.failure == "" && !c.publish) {
			t.Errorf("%d %s: %+v", c.status, c.body, end)
		}
		server.Close()
		if end := v.ask(t.Context(), end.Key, &plan{to: "user:ok-1"}); end.Failure != history.Broken {
			t.Errorf("without a server: %+v", end)
		}
		v.close()
	}
}

// Each call that begins also ends, in the history too, when the publisher is asked to stop.
func TestRun(t *testing.T) {
	s := settings(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop() // one is enough
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	s.Nodes = []Node{{"gw-1", server.Listener.Addr().String()}}
	if err := Run(ctx, s, func() {}); err != nil {
		t.Fatal(err)
	}
	events, err := history.Read(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	begun, ended, gauged := 0, 0, 0
	for _, e := range events {
		switch e.Kind {
		case history.Gauge:
			gauged++
		case history.Asked:
			begun++
		case history.Ended:
			ended++
		}
	}
	if begun == 0 || begun != ended || gauged != 2 {
		t.Errorf("%d calls began, and %d ended; %d gauges", begun, ended, gauged)
	}
}
