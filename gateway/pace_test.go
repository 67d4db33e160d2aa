package gateway

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

func TestPace(t *testing.T) {
	p := newPace(100, 3)
	now := time.Now()
	for i, want := range []int64{0, 0, 0, 10, 20, 30} {
		if wait, ok := p.turn(now, off); !ok || wait.Milliseconds() != want {
			t.Errorf("turn %d: wait %v, %v", i, wait, ok)
		}
	}
	if _, ok := p.turn(now, 39*time.Millisecond); ok {
		t.Error("a turn was taken that is too late")
	}
	if wait, ok := p.turn(now, 40*time.Millisecond); !ok || wait != 40*time.Millisecond {
		t.Errorf("a turn that was not taken is gone: %v, %v", wait, ok)
	}
	later := now.Add(time.Hour)
	for i, want := range []int64{0, 0, 0, 10} {
		if wait, _ := p.turn(later, off); wait.Milliseconds() != want {
			t.Errorf("turn %d an hour later: wait %v", i, wait)
		}
	}
	var none pace
	if wait, ok := none.turn(now, 0); wait != 0 || !ok {
		t.Errorf("without a pace: %v, %v", wait, ok)
	}
}

// An endless listener always has somebody waiting.
type endless struct{ net.Listener }

func (endless) Accept() (net.Conn, error) { return new(net.TCPConn), nil }

func TestListenPaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{opts: Options{AdmitRate: 1}, group: run.New(context.Background())}
		defer g.group.Wait()
		defer g.group.Stop()
		l := g.Listen(endless{}).(*pacedListener)
		n, began, want := 0, time.Now(), int(time.Second/l.pace.every)
		for ; time.Since(began) < time.Second && n < 2*want; n++ {
			if _, err := l.Accept(); err != nil {
				t.Fatal(err)
			}
		}
		if most := want + want/100 + 1; n < want || n > most {
			t.Errorf("%d were accepted in a second, want %d to %d", n, want, most)
		}
		g.opts.AdmitRate = -1
		if _, paced := g.Listen(endless{}).(*pacedListener); paced {
			t.Error("a listener is paced although that is off")
		}
	})
}
