package relay_test

import (
	"context"
	"errors"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// run plays so many steps, lets everything heal, and returns all that the nodes saw.
func (p *play) run(steps int) []string {
	for range steps {
		p.step(p.actors[p.random.IntN(len(p.actors))])
	}
	p.heal()
	p.checkHealed()
	p.close()
	return p.log
}

func (p *play) step(a *actor) {
	channel := playedChannels[p.random.IntN(len(playedChannels))]
	short := time.Duration(p.random.IntN(2000)) * time.Millisecond
	switch p.random.IntN(40) {
	case 0:
		p.hub.Fall(a.id, p.random.IntN(2)-1, short)
	case 1:
		p.hub.Deafen(a.id, relay.AllLanes)
	case 2:
		p.hub.Stop(a.id)
	case 3, 4:
		p.hub.Continue(a.id)
	case 5:
		p.hub.Cut(a.id)
	case 6, 7:
		p.hub.Mend(a.id)
	case 8:
		p.hub.Away(short)
	case 9:
		if p.random.IntN(10) == 0 {
			a.gone = p.hub.Kill(a.id) || a.gone
		}
	case 10, 11:
		p.advance(2 * short)
	case 12, 13, 14:
		a.hold(channel)
	case 15:
		a.release(channel)
	case 16, 17, 18, 19:
		p.advance(short / 500)
	default:
		a.publish(channel, p.random.IntN(4) == 0, time.Duration(p.random.IntN(3))*short)
	}
}

// hold holds a channel. With a clock of the test's own it may fail; in a bubble it must not be kept waiting.
func (a *actor) hold(channel string) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if release, err := a.Subscribe(ctx, relay.Channel{Name: channel}); err == nil {
		a.held[channel] = append(a.held[channel], release)
	}
}

func (a *actor) release(channel string) {
	if all := a.held[channel]; len(all) > 0 {
		all[0]()
		a.held[channel] = all[1:]
	}
}

// heal ends all that is wrong, and lets the time pass that it takes to see it.
func (p *play) heal() {
	for _, a := range p.actors {
		p.hub.Continue(a.id)
		p.hub.Mend(a.id)
	}
	p.advance(30 * time.Second)
}

// checkHealed wants that all lanes stand, with all that is held and nothing else.
func (p *play) checkHealed() {
	living := 0
	for _, a := range p.actors {
		if !a.gone {
			living++
		}
	}
	for _, channel := range playedChannels {
		want := 0
		for _, a := range p.actors {
			if !a.gone && len(a.held[channel]) > 0 {
				want++
			}
		}
		if got := p.hub.Count(channel); got != want {
			p.t.Errorf("%d hold %s, want %d", got, channel, want)
		}
	}
	for _, a := range p.actors {
		for lane, up := range a.up {
			if !up && !a.gone {
				p.t.Errorf("lane %d of %s is down", lane, a.id)
			}
		}
		if !a.gone {
			p.checkBeacon(a, living)
		}
	}
}

// checkBeacon publishes until a count was not lost.
func (p *play) checkBeacon(a *actor, want int) {
	for range 100 {
		a.publish("nobody", true, 0)
		p.advance(time.Second)
		if r := a.results[a.tokens]; r.Err == nil {
			if r.Beacon != want || r.Count != 0 {
				p.t.Errorf("%+v once all is well, want a beacon of %d", r, want)
			}
			return
		}
	}
	p.t.Errorf("no count comes back to %s", a.id)
}

// close closes all, and wants one result for each packet, and nothing received that is said not to have been sent.
func (p *play) close() {
	for _, a := range p.actors {
		if err := a.Close(); err != nil {
			p.t.Errorf("close: %v", err)
		}
	}
	p.advance(time.Minute)
	unsent := 0
	for _, a := range p.actors {
		if len(a.results) != int(a.tokens) {
			p.t.Errorf("%s was told %d results of %d", a.id, len(a.results), a.tokens)
		}
		for token, r := range a.results {
			if errors.Is(r.Err, relay.ErrNotSent) {
				unsent++
				p.checkUnseen(a.sent[token])
			}
		}
	}
	p.notef("%d not sent", unsent)
}

func (p *play) checkUnseen(payload string) {
	for _, a := range p.actors {
		if a.copies[payload] > 0 {
			p.t.Errorf("%s received %q, which was not sent", a.id, payload)
		}
	}
}
