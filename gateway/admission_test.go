package gateway

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/internal/run"
)

// places is how many places of the hub are taken.
func (r *rig) places() int {
	r.gateway.hub.mu.Lock()
	defer r.gateway.hub.mu.Unlock()
	return r.gateway.hub.reserved
}

// A herd comes one after another, on both carriers, and everybody is welcome.
func TestAdmissionPaces(t *testing.T) {
	const herd, every = 8, 25 * time.Millisecond
	r := newRig(t, &Options{AdmitRate: float64(time.Second / every), AdmitBurst: 1})
	group := run.New(t.Context())
	began := time.Now()
	for i := range herd {
		group.Go(func() { r.login([]string{SubprotocolJSON, ""}[i%2], "u") })
	}
	group.Stop()
	group.Wait()
	if took := time.Since(began); took < (herd-1)*every {
		t.Errorf("%d clients were welcome after %v", herd, took)
	}
	if n := r.gateway.admission.waiting.Load(); n != 0 || r.places() != herd {
		t.Errorf("%d wait still, and %d have a place", n, r.places())
	}
}

// Whoever would wait too long is told so, and leaves nothing behind.
func TestAdmissionRefuses(t *testing.T) {
	r := newRig(t, &Options{AdmitRate: 0.001, AdmitBurst: 1, AdmitWait: -1})
	r.login(SubprotocolJSON, "1")
	if status, header := r.upgrade(nil, ""); status != http.StatusServiceUnavailable || header.Get("Retry-After") != "1" {
		t.Errorf("a WebSocket too many: %d, retry after %q", status, header.Get("Retry-After"))
	}
	if last := r.connect("", "").expectClose(0); last["code"] != "overloaded" || last["message"] != errTooMany.Error() {
		t.Errorf("last frame = %v", last)
	}
	eventually(t, "one place is taken", func() bool { return r.places() == 1 })
	if n := r.gateway.admission.refused.Load(); n != 2 {
		t.Errorf("%d were counted as refused", n)
	}
}

// Who waits is sent away at once when the gateway drains.
func TestAdmissionEndsWithTheGateway(t *testing.T) {
	r := newRig(t, &Options{AdmitRate: 1 / patience.Seconds(), AdmitBurst: 1, AdmitWait: time.Hour})
	r.login("", "1")
	began, status := time.Now(), make(chan int, 1)
	group := run.New(t.Context())
	group.Go(func() {
		got, _ := r.upgrade(nil, "user=2")
		status <- got
	})
	group.Stop()
	line := r.connect("", "")
	eventually(t, "both wait", func() bool { return r.gateway.admission.waiting.Load() == 2 })
	check(t, r.gateway.Drain(r.ctx()))
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Errorf("the upgrade was answered %d", got)
	}
	if last := line.expectClose(0); last["code"] != "overloaded" {
		t.Errorf("last frame = %v", last)
	}
	group.Wait()
	if took := time.Since(began); took >= patience {
		t.Errorf("they were sent away after %v, when it was their turn", took)
	}
}

// Who hangs up while waiting keeps no place.
func TestAdmissionLetsGo(t *testing.T) {
	r := newRig(t, &Options{AdmitRate: 0.001, AdmitBurst: 1, AdmitWait: time.Hour})
	r.login("", "1")
	dialled := make(chan net.Conn, 1)
	dialer := websocket.Dialer{NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		dialled <- conn
		return conn, err
	}}
	group := run.New(t.Context())
	group.Go(func() {
		if ws, response, err := dialer.Dial(r.url, nil); err == nil {
			t.Error("the client was taken")
			check(t, response.Body.Close())
			ws.Close()
		}
	})
	group.Stop()
	conn := <-dialled
	eventually(t, "the client waits", func() bool { return r.gateway.admission.waiting.Load() == 1 })
	check(t, conn.Close())
	group.Wait()
	eventually(t, "one place is taken", func() bool { return r.places() == 1 && r.gateway.admission.waiting.Load() == 0 })
}

func TestAdmissionBounds(t *testing.T) {
	var a admission
	a.start(&Options{AdmitRate: 1, AdmitBurst: 1, AdmitWait: 5 * time.Second})
	now := time.Now()
	a.turn(now)
	if wait, ok := a.turn(now); !ok || wait != time.Second {
		t.Errorf("the second waits %v, %v", wait, ok)
	}
	a.waiting.Store(maxWaiting)
	if _, ok := a.turn(now); ok {
		t.Error("one more may wait than there is room for")
	}
	if _, ok := a.turn(now.Add(time.Hour)); !ok {
		t.Error("nobody is taken, though it is his turn")
	}
	seen := make(map[int]bool)
	for range 1000 {
		seen[a.retryAfter()] = true
	}
	for s := range seen {
		if s < 1 || s > 5 {
			t.Errorf("come again in %d s", s)
		}
	}
	if len(seen) != 5 {
		t.Errorf("chance spreads them over %d of 5 seconds", len(seen))
	}
	var off admission
	off.start(&Options{AdmitRate: -1})
	for range 10_000 {
		if wait, ok := off.turn(now); wait != 0 || !ok {
			t.Fatal("one waits, although nobody should")
		}
	}
}

// A page that may not connect takes nobody's turn, however often it tries.
func TestForeignOriginsTakeNoTurn(t *testing.T) {
	r := newRig(t, &Options{AdmitRate: 0.001, AdmitBurst: 1, AdmitWait: -1})
	for range 3 {
		if status, _ := r.upgrade(http.Header{"Origin": {"https://evil.example"}}, ""); status != http.StatusForbidden {
			t.Fatalf("a foreign origin was answered %d", status)
		}
	}
	r.login(SubprotocolJSON, "1")
}
