package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A network is a namespace in which one node lives, with a cable to Redis and one to everybody else. What is sent into a cable that is
// unplugged is not acknowledged by anybody, unlike in a link.
type network struct {
	space       string
	toRedis     cable
	toOthers    cable
	guard       *exec.Cmd
	guardsInput io.WriteCloser
}

// A cable is a pair of virtual interfaces; ours is the end outside.
type cable struct{ ours, ourAddr, itsAddr string }

// newNetwork needs the rights to make namespaces and interfaces, and iproute2. Its error says what is missing.
func newNetwork(ctx context.Context) (*network, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root may make network namespaces")
	}
	const tries = 8 // another run may have the same numbers
	var err error
	for i := range tries {
		var n *network
		if n, err = makeNetwork(ctx, (os.Getpid()+i*37)%120); err == nil {
			return n, nil
		}
	}
	return nil, err
}

// makeNetwork takes addresses from 10.213.0.0/16, of which number says which.
func makeNetwork(ctx context.Context, number int) (*network, error) {
	n := &network{space: fmt.Sprint("ackchaos", number)}
	for i, c := range []*cable{&n.toRedis, &n.toOthers} {
		subnet := fmt.Sprintf("10.213.%d.", number*2+i)
		*c = cable{ours: fmt.Sprintf("ackc%d%c", number, "ro"[i]), ourAddr: subnet + "1", itsAddr: subnet + "2"}
	}
	if err := ip(ctx, "netns add "+n.space); err != nil {
		return nil, err
	}
	err := n.watch()
	for _, c := range []cable{n.toRedis, n.toOthers} {
		its := c.ours + "i"
		for _, words := range []string{
			"link add " + c.ours + " type veth peer name " + its + " netns " + n.space,
			"addr add " + c.ourAddr + "/30 dev " + c.ours,
			"link set " + c.ours + " up",
			"-n " + n.space + " addr add " + c.itsAddr + "/30 dev " + its,
			"-n " + n.space + " link set " + its + " up",
		} {
			if err == nil {
				err = ip(ctx, words)
			}
		}
	}
	if err == nil {
		err = ip(ctx, "-n "+n.space+" link set lo up")
	}
	if err != nil {
		n.remove()
		return nil, err
	}
	return n, nil
}

func ip(ctx context.Context, words string) error {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(words)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", words, err, out)
	}
	return nil
}

// watch starts a shell that removes the namespace when this process is gone, however it ended, or lets go. The interfaces go with it.
func (n *network) watch() (err error) {
	n.guard = exec.CommandContext(context.Background(), "/bin/sh", "-c", "read -r line\n"+
		`ip netns del "$1"; ip link del "$2"; ip link del "$3"`, "guard", n.space, n.toRedis.ours, n.toOthers.ours)
	if n.guardsInput, err = n.guard.StdinPipe(); err != nil {
		return err
	}
	return n.guard.Start()
}

func (n *network) remove() {
	if n == nil {
		return
	}
	_ = n.guardsInput.Close() // it may never have started
	_ = n.guard.Wait()        // interfaces that are gone already are no matter
}

// inside puts a command into the namespace.
func (n *network) inside(cmd *exec.Cmd) *exec.Cmd {
	return exec.CommandContext(context.Background(), "ip", append([]string{"netns", "exec", n.space}, cmd.Args...)...)
}

// unpluggedNode is the node that lives in the namespace, where there is one.
const unpluggedNode = 2

// networkKinds are faults of the network itself. Where it can't be had they are left out when their turn comes.
func networkKinds() []kind {
	unplugged := func(name string, which func(*network) cable) kind {
		set := func(state string) func(context.Context, *cluster, int) error {
			return func(ctx context.Context, c *cluster, _ int) error {
				return ip(ctx, "link set "+which(c.network).ours+" "+state)
			}
		}
		return kind{name: name, least: linkLeast, most: linkMost, targets: 1, begin: set("down"), heal: set("up"),
			possible: func(c *cluster) bool { return c.network != nil }}
	}
	redis := unplugged("cable to Redis unplugged", func(n *network) cable { return n.toRedis })
	redis.touches = func(c *cluster, _ int) []string { return []string{c.nodes[unpluggedNode].name} }
	redis.does, redis.grave = history.Silences, silence
	others := unplugged("cable to clients unplugged", func(n *network) cable { return n.toOthers })
	others.touches = func(c *cluster, _ int) []string { return append(clientsOf(c, unpluggedNode), "answers") }
	return []kind{redis, others}
}
