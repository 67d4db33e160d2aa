package client

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/gateway"
)

// Both codecs against a real gateway: data and reply arrive as they were sent.
func TestWebSocket(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	b, err := bus.New(t.Context(), relay.NewHub(nil).Relay(), &bus.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	g, err := gateway.New(b, &gateway.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	url := "ws" + strings.TrimPrefix(server.URL, "http")
	for name, o := range map[string]Options{
		"json":       {URL: url, User: "json", Groups: []string{"g"}},
		"msgpack":    {URL: url, User: "msgpack", Groups: []string{"g"}, Msgpack: true},
		"by the URL": {URL: url + "?user=by+the+URL&group=g"},
	} {
		welcomed := make(chan Welcome, 1)
		o.Welcomed = func(w Welcome) { welcomed <- w }
		o.Handle = func(m Message) Answer { return Answer{Data: m.Data} }
		o.Count = 1
		r := runClient(t, o)
		var w Welcome
		select {
		case w = <-welcomed:
		case <-time.After(patienceOfTests):
			t.Fatalf("%s: not welcomed: %v", name, r.wait())
		}
		if w.User != name || len(w.Groups) != 1 || w.Socket == "" || w.Ping == 0 {
			t.Errorf("%s: welcomed as %+v", name, w)
		}
		receipt, err := b.Request(t.Context(), bus.User(name), "e", bus.JSON(map[string]any{"n": 1, "text": "é"}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		reply, err := receipt.Deliveries[0].Reply.AsJSON()
		if err != nil || !strings.Contains(string(reply), `"n":1`) || !strings.Contains(string(reply), `"text":"é"`) {
			t.Errorf("%s: got %s, %v", name, reply, err)
		}
		if err := r.wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWebSocketRefused(t *testing.T) {
	server := httptest.NewServer(nil) // answers 404
	t.Cleanup(server.Close)
	err := Run(t.Context(), Options{URL: "ws" + strings.TrimPrefix(server.URL, "http") + "/nothing", Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

func TestMessageJSON(t *testing.T) {
	p, err := json.Marshal(Message{ID: "a", Event: "e", To: "all", Data: json.RawMessage(`1`)})
	if err != nil || string(p) != `{"id":"a","event":"e","to":"all","data":1,"ack":false}` {
		t.Errorf("got %s, %v", p, err)
	}
}
