package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// herdOf makes a process a herd of so many clients, in place of running tests.
const herdOf = "ACCEPTANCE_HERD_OF"

// A place is where the herd connects next.
type place struct{ WS, TCP string }

// A herd is clients in a process of their own: real clients don't share a scheduler with those who measure.
type herd struct {
	here   atomic.Int64 // those that are welcome at the moment
	fallen atomic.Int64 // connections that fell after the welcome
	to     io.Writer
}

// startHerd has the users u0 to un connect to the node, on all carriers.
func startHerd(t *testing.T, n int, at *node) *herd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), herdOf+"="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &herd{to: in}
	life := run.New(context.Background()) // ends with the process
	life.Go(func() { h.listen(out) })
	t.Cleanup(func() {
		in.Close()
		life.Stop()
		life.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the herd: %v", err)
		}
	})
	h.move(t, at)
	return h
}

// listen takes in how many are welcome, which the herd says when it changes.
func (h *herd) listen(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 {
			continue
		}
		here, _ := strconv.ParseInt(fields[0], 10, 64) // both are what tell prints
		fallen, _ := strconv.ParseInt(fields[1], 10, 64)
		h.here.Store(here)
		h.fallen.Store(fallen)
	}
}

// move lets the clients connect to another node, once their connections fall.
func (h *herd) move(t *testing.T, to *node) {
	t.Helper()
	if err := json.NewEncoder(h.to).Encode(place{to.ws, to.tcp}); err != nil {
		t.Fatal(err)
	}
}

// beHerd is the herd's process. It ends with its standard input, and returns the exit code.
func beHerd(n string) int {
	most, err := strconv.Atoi(n)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r := &roamers{react: confirm, life: run.New(context.Background())}
	telling := run.New(context.Background())
	telling.Go(func() { r.tell(telling.Context()) })
	for places := json.NewDecoder(os.Stdin); ; {
		var to place
		if places.Decode(&to) != nil {
			break
		}
		first := r.target.Load() == nil
		r.target.Store(&node{ws: to.WS, tcp: to.TCP})
		for i := 0; first && i < most; i++ {
			r.join(fmt.Sprint("u", i), carriers[i%3])
		}
	}
	telling.Stop()
	telling.Wait()
	r.life.Stop()
	r.life.Wait()
	return 0
}

// tell prints how many are welcome, and how many connections have fallen, when that changes.
func (r *roamers) tell(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last := [2]int64{-1, -1}; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		fallen := r.fallen.Load() // before here: who is back has fallen
		if now := [2]int64{r.here.Load(), fallen}; now != last {
			last = now
			fmt.Println(now[0], now[1])
		}
	}
}
