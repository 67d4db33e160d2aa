package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/ackbus/ackbus/cmd/ackbus/internal/client"
	chaoslink "github.com/ackbus/ackbus/internal/chaos/link"
	"github.com/ackbus/ackbus/internal/redistest"
)

// --count ends the client once it has acknowledged so many, the delayed ones too; an ID that comes again is acknowledged again
// and neither printed nor counted.
func TestConnectCount(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis)
	for _, url := range []string{gw.websocket, gw.tcp} {
		c := connected(t, url, "--user", "42", "--count", "2", "--delay", "50ms")
		for _, event := range []string{"first", "second"} {
			if got := runCommand(t, "request", "--redis", redis, "user:42", event); got.code != exitDone {
				t.Errorf("%s: %d %s%s", event, got.code, got.out, got.err)
			}
		}
		if code := c.wait(); code != exitDone || strings.Count(c.out.String(), "\n") != 2 {
			t.Errorf("%s: exit code %d, printed %s", url, code, c.out)
		}
		m := parse[client.Message](t, strings.Split(c.out.String(), "\n")[1])
		if m.Event != "second" || m.To != "user:42" || !m.Ack || string(m.Data) != "null" {
			t.Errorf("%s: got %+v", url, m)
		}
	}
}

// A client whose server goes away connects again by itself when there is one.
func TestConnectAgain(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis)
	line, err := chaoslink.New(t.Context()) // which stays, whoever takes the port of the one that goes
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	line.Target(strings.TrimPrefix(gw.http, "http://"))
	c := connected(t, "ws://"+line.Addr()+"/ws", "--user", "42")
	gw.signal(syscall.SIGKILL)
	gw.wait()
	c.logged("not connected")
	again := serveReady(t, "--redis", redis, "--name", "again")
	line.Target(strings.TrimPrefix(again.http, "http://"))
	c.err.await(t, `"node":"again"`, c.done)
	if got := runCommand(t, "request", "--redis", redis, "user:42", "e"); got.code != exitDone {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	c.signal(syscall.SIGINT)
	if code := c.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestConnectPrintsForPeople(t *testing.T) {
	redis := redistest.Shared(t).URL()
	gw := serveReady(t, "--redis", redis)
	c := start(t, "connect", "--url", gw.tcp, "--user", "42", "--count", "1")
	c.logged("connected")
	got := runCommand(t, "publish", "--redis", redis, "user:42", "news", `{"a":1}`)
	if got.code != exitDone || !strings.Contains(got.out, "user:42") {
		t.Errorf("%d %s%s", got.code, got.out, got.err)
	}
	if code := c.wait(); code != exitDone || !strings.Contains(c.out.String(), `news to user:42  {"a":1}`) {
		t.Errorf("exit code %d, printed %s", code, c.out)
	}
}

func TestConnectWithoutAServer(t *testing.T) {
	for _, url := range []string{"ws://127.0.0.1:1/ws", "tcp://127.0.0.1:1"} {
		if got := runCommand(t, "connect", "--url", url, "--user", "42", "--no-reconnect"); got.code != exitFailed {
			t.Errorf("%s: %d %s", url, got.code, got.err)
		}
	}
}
