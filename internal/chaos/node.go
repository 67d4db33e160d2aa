package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/client"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/link"
	"github.com/ackbus/ackbus/internal/chaos/publisher"
	"github.com/ackbus/ackbus/internal/pause"
	"github.com/ackbus/ackbus/internal/run"
)

// drainTime is how long a node that drains waits for sockets to which something always is on its way.
const drainTime = 8 * time.Second

// A node is a process of serve, restarted now and then, behind links that stay: clients and publishers know it by them.
type node struct {
	name    string
	proc    *process
	times   int
	redis   *link.Link // to Redis; nil: it connects without one
	url     string     // of Redis, as the node is told
	ws, tcp *link.Link // from clients
	http    *link.Link // from publishers, never disturbed
	network *network   // that it lives in, or nil
	asking  *http.Client
	base    string // where this program asks it, without a link
}

// startNode starts the process, again where Redis was out of its reach, and returns once it is ready for work.
func (c *cluster) startNode(ctx context.Context, n *node) error {
	for began := time.Now(); ; {
		err := c.tryNode(ctx, n)
		if err == nil || !n.proc.excused() || time.Since(began) > startTime {
			return err
		}
	}
}

// withoutRedis is what a node says that gives up before it has begun.
const withoutRedis = "can't reach Redis"

func (c *cluster) tryNode(ctx context.Context, n *node) error {
	n.times++
	clock, err := c.ownClock(n.name)
	if err != nil {
		return err
	}
	if n.proc, err = c.start(n.name, fmt.Sprintf("%s.%d", n.name, n.times), c.serve(n, clock)); err != nil {
		return err
	}
	n.proc.excuse(withoutRedis)
	var said struct {
		Msg  string `json:"msg"`
		HTTP string `json:"http"`
		TCP  string `json:"tcp"`
	}
	err = n.proc.await(ctx, "ready", func(line string) bool {
		return json.Unmarshal([]byte(line), &said) == nil && said.Msg == "ready"
	})
	if err != nil {
		return err
	}
	n.proc.excuse("")
	at, err := url.Parse(said.HTTP)
	if err != nil {
		return err
	}
	n.base = said.HTTP
	n.ws.Target(at.Host)
	n.http.Target(at.Host)
	n.tcp.Target(strings.TrimPrefix(said.TCP, "tcp://"))
	return n.awaitReady(ctx)
}

// serve is the command of a node.
func (c *cluster) serve(n *node, env []string) *exec.Cmd {
	host := "127.0.0.1"
	if n.network != nil {
		host = n.network.toOthers.itsAddr
	}
	cmd := exec.CommandContext(context.Background(), c.opts.Ackbus, "serve", "--redis", n.url, "--name", n.name,
		"--listen", host+":0", "--tcp", host+":0", "--insecure", "--drain", drainTime.String())
	if n.network != nil {
		cmd = n.network.inside(cmd)
	}
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "ACKBUS_") {
			cmd.Env = append(cmd.Env, one)
		}
	}
	cmd.Env = append(append(cmd.Env, "ACKBUS_LOG_FORMAT=json", "GORACE=halt_on_error=0"), env...)
	return cmd
}

// awaitReady returns once the node says that it can work.
func (n *node) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if n.get(ctx, "/readyz") == nil {
			return nil
		}
		if !pause.For(ctx, 20*time.Millisecond) {
			return fmt.Errorf("chaos: %s did not get ready in time", n.name)
		}
	}
}

func (n *node) get(ctx context.Context, path string) error {
	response, err := n.fetch(ctx, path)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func (n *node) fetch(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return n.asking.Do(request)
}

// watch is a watchdog from outside: it writes down when the node does not answer at once. It returns when ctx ends.
func (n *node) watch(ctx context.Context, log *history.Log, base string) {
	const every, worthTelling = 20 * time.Millisecond, 8 * time.Millisecond
	asking := &http.Client{Transport: &http.Transport{}}
	defer asking.CloseIdleConnections()
	for pause.For(ctx, every) {
		sent := log.Now()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/livez", http.NoBody)
		if err != nil {
			return
		}
		response, err := asking.Do(request)
		if err != nil {
			continue // it is being killed, and ctx ends soon
		}
		_ = response.Body.Close()
		if log.Now()-sent > worthTelling.Nanoseconds() {
			log.Append(history.Event{Kind: history.Stalled, Actor: n.name, Since: sent})
		}
	}
}

func (n *node) forClients() client.Node {
	return client.Node{Name: n.name, WebSocket: n.ws.Addr(), TCP: n.tcp.Addr()}
}

func (n *node) forPublishers() publisher.Node {
	return publisher.Node{Name: n.name, Addr: n.http.Addr()}
}

// watched starts a watchdog for the node's process of the moment, which ends with it.
func (c *cluster) watched(n *node) {
	life := run.New(c.children.Context())
	gone, base := n.proc.gone, n.base
	life.Go(func() { n.watch(life.Context(), c.log, base) })
	c.children.Go(func() {
		<-gone
		life.Stop()
		life.Wait()
	})
}
