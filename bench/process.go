package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
)

const (
	// answerTime is how long a process may take for an order, beyond what the order itself takes.
	answerTime = time.Minute
	// endTime is how long a process may take to end.
	endTime = 10 * time.Second
)

// A process is one of the benchmark's own: a program in a role, this one unless the role is a peer's. It ends when its input
// does: so it never outlives who started it.
type process struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	orders *json.Encoder
	answer *json.Decoder
	at     string // where it listens, if it does
}

// startProcess returns once the role stands. The process is killed when ctx ends.
func startProcess(ctx context.Context, program, name string, b role.Brief) (*process, error) {
	cmd := exec.CommandContext(ctx, program, role.Argument, b.Role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.Profiles = b.Profiles.Of(name)
	p := &process{name: name, cmd: cmd, in: in, orders: json.NewEncoder(in), answer: json.NewDecoder(out)}
	a, err := p.ask(ctx, b, answerTime)
	if err != nil {
		p.kill()
		return nil, err
	}
	p.at = a.Address
	return p, nil
}

// order has the process do something.
func (p *process) order(ctx context.Context, o role.Order) (role.Answer, error) {
	return p.ask(ctx, o, o.Warmup+o.Measured+answerTime)
}

func (p *process) ask(ctx context.Context, what any, limit time.Duration) (role.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() }) // ends the wait for an answer
	defer stop()
	var a role.Answer
	if err := p.orders.Encode(what); err != nil {
		return a, fmt.Errorf("%s: %w", p.name, err)
	}
	if err := p.answer.Decode(&a); err != nil {
		return a, fmt.Errorf("%s ended instead of answering: %w", p.name, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", p.name, a.Error)
	}
	return a, nil
}

// end lets the process finish, which is when it writes its profiles, and kills it if it does not.
func (p *process) end() error {
	kill := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.in.Close() // it may have ended already, which Wait tells
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
