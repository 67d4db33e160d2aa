package relay

import "bufio"

// Bounds of one pipeline.
const (
	pipelineBytes    = 1 << 20 // at most
	pipelineLeast    = 64 << 10
	pipelineCommands = 1024
	framing          = 64 // about what a command takes on the wire besides channel and payload
	guardCommands    = 4
)

// A batch is what goes out in one pipeline. While it is being collected, packets for the same channel share a command.
type batch struct {
	commands []*command // the first used ones are in order; the rest wait to be used again
	used     int
	size     int // Redis commands
	bytes    int // about what they take on the wire
	packets  int
	payload  int                 // bytes of payloads alone
	open     map[string]*command // by channel, the command that takes further packets
	born     int64               // when the first packet came, on the relay's clock
}

func newBatch() *batch { return &batch{open: make(map[string]*command)} }

// fits reports whether the packet can go out with this batch.
func (b *batch) fits(p *Packet, most int) bool {
	if b.packets == 0 {
		return true
	}
	return b.size+guardCommands <= pipelineCommands && b.bytes+len(p.Payload)+len(p.Channel)+framing <= most
}

// add copies the packet behind what is there already. beacons is asked only for a guarded packet.
func (b *batch) add(p *Packet, deadline int64, beacons func(channel string) []string) {
	c := b.open[p.Channel]
	if c == nil || p.Guard || len(c.payload)+len(p.Payload) > MaxPayload {
		c = b.next(p)
		if p.Guard {
			c.beacons = beacons(p.Channel)
			delete(b.open, p.Channel) // later packets must not overtake it by joining an earlier command
		} else {
			b.open[p.Channel] = c
		}
	}
	c.payload = append(c.payload, p.Payload...)
	c.tickets = append(c.tickets, ticket{token: p.Token, deadline: deadline, end: len(c.payload)})
	b.bytes += len(p.Payload)
	b.payload += len(p.Payload)
	b.packets++
}

func (b *batch) next(p *Packet) *command {
	if b.used == len(b.commands) {
		b.commands = append(b.commands, new(command))
	}
	c := b.commands[b.used]
	b.used++
	b.bytes += len(p.Channel) + framing
	b.size++
	if p.Guard {
		b.size += guardCommands - 1
	}
	c.channel = p.Channel
	return c
}

// writeTo writes the pipeline. Commands that have lost all their packets are left out.
func (b *batch) writeTo(w *bufio.Writer) {
	for _, c := range b.commands[:b.used] {
		if len(c.tickets) > 0 {
			c.writeTo(w)
		}
	}
}

// readFrom reads the replies. absence is an error reply that says that this server can't serve now.
func (b *batch) readFrom(in *replyReader) (absence, err error) {
	for _, c := range b.commands[:b.used] {
		if len(c.tickets) == 0 {
			continue
		}
		if err := c.readFrom(in); err != nil {
			return nil, err
		}
		if absence == nil && isAbsence(c.outcome.Err) {
			absence = c.outcome.Err
		}
	}
	return absence, nil
}

// appendResults adds the results of the packets that asked for one, once the pipeline has ended. transport is the error
// of what was not answered.
func (b *batch) appendResults(results []Result, transport error) []Result {
	for _, c := range b.commands[:b.used] {
		r := c.outcome
		if !c.replied {
			r = Result{Err: transport}
		}
		for i := range c.tickets {
			if r.Token = c.tickets[i].token; r.Token != 0 {
				results = append(results, r)
			}
		}
	}
	return results
}

// drop takes packets out; see command.drop.
func (b *batch) drop(which func(t *ticket) bool, cause error, results *[]Result) (packets, bytes int) {
	for _, c := range b.commands[:b.used] {
		p, n := c.drop(which, cause, results)
		packets, bytes = packets+p, bytes+n
	}
	b.packets -= packets
	b.bytes -= bytes
	b.payload -= bytes
	return packets, bytes
}

// Buffers that a command keeps between uses: small ones always, large ones at the front of a batch, where busy channels
// land. A batch so keeps about 4 MiB at most.
const (
	keptSmall = 2 << 10
	keptLarge = 2 * MaxPayload
	keptFront = 4
)

// reset makes the batch ready to be used again.
func (b *batch) reset() {
	for i, c := range b.commands[:b.used] {
		delete(b.open, c.channel)
		c.channel, c.beacons, c.outcome, c.replied = "", nil, Result{}, false
		c.tickets = c.tickets[:0]
		if n := cap(c.payload); n > keptLarge || n > keptSmall && i >= keptFront {
			c.payload, c.tickets = nil, nil
		}
		c.payload = c.payload[:0]
	}
	b.used, b.size, b.bytes, b.packets, b.payload = 0, 0, 0, 0, 0
}
