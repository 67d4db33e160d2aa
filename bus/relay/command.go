package relay

import (
	"bufio"
	"fmt"
)

// A ticket is a packet's share of a command: where its envelope ends in the payload, whom the result is for, and
// how long it may wait.
type ticket struct {
	token    uint64
	deadline int64 // on the relay's clock; 0: only while a connection is being made
	end      int
}

// A command is one PUBLISH and the packets in it, in order. It is used again and again.
type command struct {
	channel string
	payload []byte
	tickets []ticket
	beacons []string // of a guarded packet: counted in one transaction with the PUBLISH
	outcome Result   // without a token; valid once answered
	replied bool
}

// writeTo writes what Redis has to do.
func (c *command) writeTo(w *bufio.Writer) {
	if c.beacons == nil {
		writePublish(w, c.channel, c.payload)
		return
	}
	writeCommand(w, "MULTI")
	writeCommand(w, append([]string{"PUBSUB", "NUMSUB"}, c.beacons...)...)
	writePublish(w, c.channel, c.payload)
	writeCommand(w, "EXEC")
}

// readFrom reads what Redis answers.
func (c *command) readFrom(in *replyReader) (err error) {
	if c.beacons != nil {
		c.outcome, err = readGuarded(in)
	} else {
		var v reply
		if v, err = in.next(); err == nil {
			c.outcome, err = published(&v)
		}
	}
	c.replied = err == nil
	return err
}

// published reads the reply to a PUBLISH.
func published(v *reply) (Result, error) {
	switch v.kind {
	case ':':
		return Result{Count: int(v.number)}, nil
	case '-':
		return Result{Err: publishError(v.err())}, nil
	default:
		return Result{}, fmt.Errorf("%w: %q for PUBLISH", errOddReply, v.kind)
	}
}

// readGuarded reads the replies to MULTI, PUBSUB NUMSUB, PUBLISH and EXEC.
func readGuarded(in *replyReader) (Result, error) {
	var refused error
	for range guardCommands - 1 {
		v, err := in.next()
		if err != nil {
			return Result{}, err
		}
		if v.kind == ':' { // MULTI was refused, and this is PUBLISH: it happened, and proves nothing
			_, err = in.next()
			return Result{Count: int(v.number)}, err
		}
		if refused == nil {
			refused = v.err()
		}
	}
	exec, err := in.next()
	if err != nil {
		return Result{}, err
	}
	if refused == nil {
		refused = exec.err()
	}
	switch {
	case refused != nil: // EXECABORT says less than the reply to the command that was refused
		return Result{Err: publishError(refused)}, nil
	case len(exec.parts) != 2:
		return Result{}, fmt.Errorf("%w: EXEC answered %d parts", errOddReply, len(exec.parts))
	}
	r, err := published(&exec.parts[1])
	r.Beacon = leastCount(exec.parts[0].parts)
	return r, err
}

// leastCount reads the reply of PUBSUB NUMSUB: names and counts in turn.
func leastCount(pairs []reply) int {
	least := int64(-1)
	for i := 1; i < len(pairs); i += 2 {
		if n := pairs[i].number; least < 0 || n < least {
			least = n
		}
	}
	return int(max(least, 0))
}

// publishError turns an error reply into the contract's error.
func publishError(err error) error {
	if isAbsence(err) {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// drop takes packets out and appends a result for each that asked for one. It returns
// how many packets went and how many bytes.
func (c *command) drop(which func(t *ticket) bool, cause error, results *[]Result) (packets, bytes int) {
	kept, payload, start := c.tickets[:0], c.payload[:0], 0
	for i := range c.tickets {
		t := c.tickets[i]
		envelope := c.payload[start:t.end]
		start = t.end
		if which(&t) {
			packets, bytes = packets+1, bytes+len(envelope)
			if t.token != 0 {
				*results = append(*results, Result{Token: t.token, Err: cause})
			}
			continue
		}
		payload = append(payload, envelope...)
		t.end = len(payload)
		kept = append(kept, t)
	}
	c.tickets, c.payload = kept, payload
	return packets, bytes
}
