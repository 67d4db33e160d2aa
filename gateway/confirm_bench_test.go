package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// BenchmarkConfirmed requests confirmations from 100 clients with 512 requests under way. Clients and publisher are in this
// process, the gateway in another, Redis in a third.
func BenchmarkConfirmed(b *testing.B) {
	const clients, underWay = 100, 512
	for _, subprotocol := range carriers {
		b.Run(carrierName(subprotocol), func(b *testing.B) {
			url := redistest.Start(b).URL()
			gw := serveElsewhere(b, url)
			publisher, err := bus.Open(b.Context(), url, &bus.Options{Name: "publisher", Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			group := run.New(context.Background())
			r := &rig{tb: b, url: "ws://" + gw.web, tcp: gw.tcp, group: group}
			conns := make([]net.Conn, clients)
			for i := range conns {
				c := r.login(subprotocol, fmt.Sprint(i))
				conns[i] = c.conn
				group.Go(func() { c.confirmAll(subprotocol == SubprotocolMsgpack) })
			}
			b.ResetTimer()
			requestAll(b, publisher, clients, underWay)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "confirmed/s")
			for _, conn := range conns {
				check(b, conn.Close())
			}
			group.Stop()
			group.Wait()
			check(b, publisher.Close())
		})
	}
}

func requestAll(b *testing.B, publisher *bus.Bus, clients, underWay int) {
	var next atomic.Int64
	body := bus.JSON(map[string]any{"amount": 100, "text": "0123456789012345678901234567890123456789012345678901234567890123456789"})
	group := run.New(b.Context())
	for range underWay {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if _, err := publisher.Request(b.Context(), bus.User(fmt.Sprint(i%int64(clients))), "payment", body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Stop()
	group.Wait()
}

// confirmAll acknowledges as cheaply as a client can: it finds the ID by its place.
func (c *client) confirmAll(binary bool) {
	kind, mark, ack := websocket.TextMessage, []byte(`"id":"`), []byte(`{"type":"ack","id":"`)
	end := []byte(`"}`)
	if binary {
		kind, mark, ack, end = websocket.BinaryMessage, []byte("\xa2id\xd9\x24"), []byte("\x82\xa4type\xa3ack\xa2id\xd9\x24"), nil
	}
	check(c.tb, c.conn.SetReadDeadline(time.Time{}))
	for {
		p, err := c.raw()
		if err != nil {
			return
		}
		at := bytes.Index(p, mark) + len(mark)
		answer := append(append(append([]byte(nil), ack...), p[at:at+36]...), end...)
		if c.ws != nil {
			err = c.ws.WriteMessage(kind, answer)
		} else {
			_, err = c.conn.Write(append(answer, '\n'))
		}
		if err != nil {
			return
		}
	}
}
