package gateway

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/bus"
)

// TestMsgpackBeyondJSON refuses what could not be told to a client of JSON.
func TestMsgpackBeyondJSON(t *testing.T) {
	bad := map[string]string{
		"a reference that is not UTF-8": "\x82\xa3ref\xa1\xff\xa4type\xa4ping",
		"a name that is not UTF-8":      "\x82\xa4user\xa1\xff\xa4type\xa5hello",
	}
	for what, data := range map[string]any{"NaN": math.NaN(), "infinity": math.Inf(-1), "NaN of 32 bits": float32(math.NaN()),
		"NaN below": fields{"a": []any{1.5, math.NaN()}}, "text that is not UTF-8": "\xff"} {
		p, err := msgpack.Marshal(fields{"type": "ack", "id": "1", "data": data})
		if err != nil {
			t.Fatal(err)
		}
		bad[what] = string(p)
	}
	for what, p := range bad {
		if err := decode(bus.FormatMsgpack, []byte(p), new(frame)); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// TestTimeoutAsAnyNumber takes whole numbers however the client's language writes them.
func TestTimeoutAsAnyNumber(t *testing.T) {
	read := func(format bus.Format, value any) (int64, error) {
		f := fields{"type": "call", "ref": 1, "method": "m", "timeout_ms": value}
		p, err := json.Marshal(f)
		if format == bus.FormatMsgpack {
			p, err = msgpack.Marshal(f)
		}
		check(t, err)
		var got frame
		err = decode(format, p, &got)
		return got.Timeout, err
	}
	for _, format := range []bus.Format{bus.FormatJSON, bus.FormatMsgpack} {
		for value, want := range map[any]int64{json.Number("5000.0"): 5000, 5e3: 5000, float32(5000): 5000, 7: 7, 0: 0, nil: 0} {
			if _, text := value.(json.Number); text && format == bus.FormatMsgpack {
				continue
			}
			if got, err := read(format, value); err != nil || got != want {
				t.Errorf("%v %v: %d, %v", format, value, got, err)
			}
		}
		for _, value := range []any{1.5, 600_001, -1, "5", 1e300} {
			if got, err := read(format, value); err == nil {
				t.Errorf("%v %v: %d", format, value, got)
			}
		}
	}
}

// TestUpgradeRefusedInJSON reads the answers of those who get no WebSocket.
func TestUpgradeRefusedInJSON(t *testing.T) {
	r := newRig(t, &Options{HandshakeRate: 0.001, HandshakeBurst: 2})
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	foreign, old := upgrade.Clone(), upgrade.Clone()
	foreign.Set("Origin", "https://elsewhere.example")
	old.Set("Sec-WebSocket-Version", "12")
	for _, c := range []struct {
		header http.Header
		status int
		code   string
	}{
		{http.Header{}, 426, "bad_request"},
		{foreign, 403, "forbidden"},
		{old, 400, "bad_request"},
		{upgrade, 429, "rate_limited"},
		{upgrade, 503, "unavailable"}, // once the gateway is closed
	} {
		if c.status == 503 {
			check(t, r.gateway.Close())
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(r.url, "ws"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header, req.Close = c.header.Clone(), true
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(res.Body)
		check(t, err)
		check(t, res.Body.Close())
		var body struct {
			Error bus.Rejection `json:"error"`
		}
		check(t, json.Unmarshal(p, &body))
		if res.StatusCode != c.status || body.Error.Code != c.code || body.Error.Message == "" {
			t.Errorf("%d %s, want %d %s", res.StatusCode, p, c.status, c.code)
		}
	}
}

// TestDisconnectsBeginAtZero shows the counter before anybody has gone.
func TestDisconnectsBeginAtZero(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := newBuses(t)
	r.open(&Options{Metrics: registry})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "ackbus_disconnects_total" && len(f.GetMetric()) >= 10 {
			return
		}
	}
	t.Error("ackbus_disconnects_total is not there yet")
}
