package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus/relay"
)

// An Endpoint is a party that messages are delivered to without a queue of the bus in between: a gateway's session. Go handlers
// attach through Subscribe instead.
type Endpoint interface {
	// Deliver takes a message. It must not block: it runs on the goroutine that reads from Redis, in the order of arrival.
	// It may call the ticket.
	Deliver(m *Message, t Ticket)
	// Forget says that the ticket of a message is over without the endpoint's doing: its time is over. An
	// acknowledgement that comes now is unknown. A later delivery under the same ID may be open: see Ticket.Over.
	Forget(id uuid.UUID)
}

// A Profile is how an endpoint shows in receipts.
type Profile struct {
	Socket  string // from Bus.NewSocket; empty: it can't be addressed as a socket
	User    string
	Carrier string // CarrierWebSocket or CarrierTCP
}

// An Attachment is an endpoint's place on the bus.
type Attachment struct {
	bus      *Bus
	endpoint Endpoint
	who      Profile
	entry    endpointEntry // how claims tell of it

	mu       sync.Mutex
	detached bool
	held     []holding
}

// holding is an address that an endpoint is at. An idle session has a few: a slice costs less than a map.
type holding struct {
	key     string
	release func()        // of the subscription; nil: the address needs none of its own, or it is being joined
	joining chan struct{} // closed when Redis has confirmed or refused it; nil: it stands
}

// Attach attaches an endpoint to the addresses, and to the address of its own socket. It returns once Redis has confirmed all of
// them; ctx bounds the call. The endpoint receives until Detach, and may receive before Attach returns.
func (b *Bus) Attach(ctx context.Context, e Endpoint, who Profile, to ...Address) (*Attachment, error) {
	a := b.attachment(e, who, len(to)+1)
	if who.Socket != "" {
		socket := Socket(who.Socket)
		if node, err := socketNode(who.Socket); err != nil || node != b.id {
			return nil, fmt.Errorf("%w: socket %q is not of this node", ErrAddress, clip(who.Socket))
		}
		b.directory.add(socket.String(), socket, a)
		a.held = append(a.held, holding{key: socket.String()})
		b.sockets.Add(1)
	}
	if err := a.joinAll(ctx, to); err != nil {
		a.Detach()
		return nil, err
	}
	return a, nil
}

// joinAll joins all addresses at once: they share a round trip.
func (a *Attachment) joinAll(ctx context.Context, to []Address) (err error) {
	joined := make(chan error, len(to))
	for i, address := range to {
		if i == len(to)-1 {
			joined <- a.Join(ctx, address)
		} else if !a.bus.group.Go(func() { joined <- a.Join(ctx, address) }) {
			joined <- ErrBusClosed
		}
	}
	for range to {
		err = cmp.Or(err, <-joined)
	}
	return err
}

// NewSocket makes the ID of a new socket of this node.
func (b *Bus) NewSocket() string { return socketID(b.idText, b.lastSocket.Add(1)) }

// Join adds an address and returns once Redis has confirmed it. Joining twice is joining once.
func (a *Attachment) Join(ctx context.Context, to Address) error {
	if err := to.check(); err != nil {
		return err
	}
	if to.kind == "socket" || !a.bus.mayHold(to) {
		return fmt.Errorf("%w: %q is not of this node", ErrAddress, clip(to.String()))
	}
	return a.join(ctx, to.String(), to, relay.Channel{Name: addressChannel(a.bus.prefix, to)})
}

// mayHold reports whether the address can be at this node.
func (b *Bus) mayHold(to Address) bool {
	if to.kind == "node" {
		return to.name == b.name || to.name == b.idText
	}
	node := to.boundTo()
	return node == "" || node == b.idText
}

// join puts the endpoint at the key before the channel is subscribed, so that what arrives finds it.
func (a *Attachment) join(ctx context.Context, key string, to Address, channel relay.Channel) error {
	a.mu.Lock()
	for i := a.findLocked(key); i >= 0; i = a.findLocked(key) {
		joining := a.held[i].joining
		a.mu.Unlock()
		if joining == nil {
			return nil
		}
		select {
		case <-joining:
		case <-ctx.Done():
			return fmt.Errorf("bus: attach to %s: %w", key, context.Cause(ctx))
		}
		a.mu.Lock()
	}
	if a.detached {
		a.mu.Unlock()
		return fmt.Errorf("bus: attach to %s: %w", key, errDetached)
	}
	joining := make(chan struct{})
	defer close(joining)
	a.held = append(a.held, holding{key: key, joining: joining})
	a.bus.directory.add(key, to, a)
	a.mu.Unlock()
	release, err := a.bus.relay.Subscribe(ctx, channel)
	if err != nil {
		a.leave(key, joining)
		return fmt.Errorf("bus: attach to %s: %w", key, unavailable(err))
	}
	a.mu.Lock()
	if i := a.findLocked(key); i >= 0 && a.held[i].joining == joining {
		a.held[i] = holding{key: key, release: release}
		a.mu.Unlock()
		return nil
	}
	a.mu.Unlock()
	release()
	return fmt.Errorf("bus: attach to %s: %w", key, errDetached)
}

func (a *Attachment) findLocked(key string) int {
	return slices.IndexFunc(a.held, func(h holding) bool { return h.key == key })
}

// Leave gives an address up, also one that is being joined. Deliveries under way go on.
func (a *Attachment) Leave(to Address) { a.leave(to.String(), nil) }

// leave gives an address up; with a joining only if it is still that one.
func (a *Attachment) leave(key string, joining chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.findLocked(key)
	if i < 0 || joining != nil && a.held[i].joining != joining {
		return
	}
	left := a.held[i]
	a.held = slices.Delete(a.held, i, i+1)
	a.give(left)
}

// errDetached says that an endpoint left while it was being attached, or had left before.
var errDetached = errors.New("detached meanwhile")

// give gives an address back.
func (a *Attachment) give(h holding) {
	a.bus.directory.remove(h.key, a)
	if h.release != nil {
		h.release()
	}
}

// Detach gives every address up. The tickets that are still open are the endpoint's to close. It is idempotent.
func (a *Attachment) Detach() {
	a.mu.Lock()
	held, first := a.held, !a.detached
	a.held, a.detached = nil, true
	for _, h := range held {
		a.give(h)
	}
	a.mu.Unlock()
	if first && a.who.Socket != "" {
		a.bus.sockets.Add(-1)
	}
}

func (b *Bus) attachment(e Endpoint, who Profile, addresses int) *Attachment {
	return &Attachment{bus: b, endpoint: e, who: who, held: make([]holding, 0, addresses), entry: endpointEntry{
		socket: []byte(socketSuffix(who.Socket)), user: []byte(who.User), carrier: carrierCode(who.Carrier)}}
}
