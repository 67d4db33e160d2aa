package program

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

// A process is a started program and this side's ends of its pipes.
type process struct {
	cmd    *exec.Cmd
	group  int        // of processes: the shell's ID, which names nobody once the shell was waited for
	pumps  *run.Group // move what goes through the pipes
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr io.ReadCloser
	alive  *os.File // reads EOF once nobody holds the other end, which every child inherits
	out    output
	log    *slog.Logger
}

// An ending is how a run ended: with a state, or cut short, or with an error of the system.
type ending struct {
	state *os.ProcessState
	err   error
	cut   error // why it was ended from here
}

func start(ctx context.Context, job *Job) (*process, error) {
	p := &process{cmd: command(job), log: job.Log}
	p.out.most = job.MaxOutput
	if p.out.most == 0 {
		p.out.most = MaxOutput
	}
	p.out.full = make(chan struct{})
	held, err := p.openPipes()
	if err != nil {
		p.closePipes()
		return nil, err
	}
	err = p.cmd.Start()
	_ = held.Close() // the child has its own
	if err != nil {
		p.closePipes()
		return nil, err
	}
	p.group = p.cmd.Process.Pid
	p.pumps = run.New(context.WithoutCancel(ctx))
	return p, nil
}

// openPipes makes the pipes, and returns the end of the last one that only the child is to hold.
func (p *process) openPipes() (held *os.File, err error) {
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if p.stderr, err = p.cmd.StderrPipe(); err != nil {
		return nil, err
	}
	if p.alive, held, err = os.Pipe(); err != nil {
		return nil, err
	}
	p.cmd.ExtraFiles = []*os.File{held}
	return held, nil
}

// run moves input and output until the program has ended, and leaves nothing of it behind.
func (p *process) run(ctx context.Context, in []byte) ending {
	p.pumps.Go(func() {
		_, _ = p.stdin.Write(in) // a program need not read its input
		_ = p.stdin.Close()
	})
	p.pumps.Go(func() { p.out.read(p.stdout) })
	p.pumps.Go(func() { logLines(p.stderr, p.log) })
	end := p.await(ctx)
	// What is in the group now was left in the background. The group's number is not given away while it has members, and a free
	// number comes round again only after all the others.
	signalGroup(p.group, hard)
	p.pumps.Stop()
	words := time.NewTimer(lastWords)
	defer words.Stop()
	select {
	case <-p.pumps.Stopped():
	case <-words.C: // a process outside the group holds the pipes
	}
	p.closePipes()
	p.pumps.Wait()
	return end
}

// await returns once the shell has ended, after ending it where ctx or too much output asks for that.
func (p *process) await(ctx context.Context) ending {
	waiting := run.New(context.WithoutCancel(ctx))
	defer waiting.Wait()
	defer waiting.Stop()
	exited := make(chan ending, 1)
	waiting.Go(func() {
		state, err := p.cmd.Process.Wait()
		exited <- ending{state: state, err: err}
	})
	select {
	case end := <-exited:
		return end
	case <-p.out.full:
		p.terminate(exited)
		return ending{}
	case <-ctx.Done():
		p.terminate(exited)
		return ending{cut: context.Cause(ctx)}
	}
}

// terminate asks the group to end, and makes it end when it has not after the grace. A shell may end before its children have tidied up:
// they count as there while they hold the pipe that all of them have inherited.
func (p *process) terminate(exited <-chan ending) {
	limit := time.Now().Add(grace)
	signalGroup(p.group, soft)
	if p.alive.SetReadDeadline(limit) == nil {
		_, _ = io.Copy(io.Discard, p.alive) // it ends by EOF or by the limit
	}
	left := time.NewTimer(time.Until(limit))
	defer left.Stop()
	select {
	case <-exited:
	case <-left.C:
		signalGroup(p.group, hard)
		<-exited
	}
}

func (p *process) closePipes() {
	if p.stdin != nil {
		_ = p.stdin.Close() // nothing more is wanted of any of them
	}
	if p.stdout != nil {
		_ = p.stdout.Close()
	}
	if p.stderr != nil {
		_ = p.stderr.Close()
	}
	if p.alive != nil {
		_ = p.alive.Close()
	}
}
