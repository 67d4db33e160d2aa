package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

// A playEvent is what a step of a play brings about.
type playEvent string

const (
	playFall      playEvent = "loses a lane"
	playDeaf      playEvent = "goes deaf"
	playStop      playEvent = "is stopped"
	playContinue  playEvent = "is continued"
	playCut       playEvent = "is cut off"
	playMend      playEvent = "is mended"
	playAway      playEvent = "Redis is away"
	playKill      playEvent = "is killed"
	playPass      playEvent = "time passes"
	playHold      playEvent = "holds"
	playRelease   playEvent = "releases"
	playPublish   playEvent = "publishes"
	playPublishes playEvent = "publishes with a guard"
)

// A playStep is one of them. Zero fields are what the event does not need.
type playStep struct {
	Who     int           `json:"who"`
	What    playEvent     `json:"what"`
	Lasting time.Duration `json:"lasting,omitempty"` // for a packet, its patience
	Channel string        `json:"channel,omitempty"`
	Lane    int           `json:"lane,omitempty"`
}

func (s playStep) String() string {
	return fmt.Sprintf("%d %s %s%v, lane %d", s.Who, s.What, s.Channel, s.Lasting, s.Lane)
}

// playEvents are in the proportions in which they are drawn.
var playEvents = slices.Concat([]playEvent{playFall, playDeaf, playStop, playCut, playAway, playRelease},
	slices.Repeat([]playEvent{playContinue, playMend, playPass}, 2), slices.Repeat([]playEvent{playHold}, 3),
	slices.Repeat([]playEvent{playPublishes}, 6), slices.Repeat([]playEvent{playPublish}, 18))

// drawPlay makes the steps of a play.
func drawPlay(seed uint64) []playStep {
	chance := rand.New(rand.NewPCG(seed, 2))
	steps := make([]playStep, 1+chance.IntN(300))
	for i := range steps {
		short := time.Duration(chance.IntN(2000)) * time.Millisecond
		what := playEvents[chance.IntN(len(playEvents))]
		if chance.IntN(400) == 0 {
			what = playKill
		}
		s := playStep{Who: chance.IntN(playedNodes), What: what}
		if what == playFall {
			s.Lane = chance.IntN(2) - 1
		}
		if lasting := what.lasting(short); len(lasting) > 0 {
			s.Lasting = lasting[chance.IntN(len(lasting))]
		}
		if slices.Contains([]playEvent{playHold, playRelease, playPublish, playPublishes}, what) {
			s.Channel = playedChannels[chance.IntN(len(playedChannels))]
		}
		steps[i] = s
	}
	return steps
}

// lasting is how long it may last, where it lasts.
func (e playEvent) lasting(short time.Duration) []time.Duration {
	patience := []time.Duration{0, short, 2 * short}
	return map[playEvent][]time.Duration{playFall: {short}, playAway: {short}, playPass: {2 * short, short / 500, short / 500},
		playPublish: patience, playPublishes: patience}[e]
}

// run plays the steps, lets everything heal, and returns all that the nodes saw, and what was wrong.
func (p *play) run(steps []playStep) (log []string, wrong string) {
	for _, s := range steps {
		p.step(p.actors[s.Who], s)
	}
	p.heal()
	p.checkHealed()
	p.close()
	return p.log, p.wrong
}

func (p *play) step(a *actor, s playStep) {
	switch s.What {
	case playFall:
		p.hub.Fall(a.id, s.Lane, s.Lasting)
	case playDeaf:
		p.hub.Deafen(a.id, relay.AllLanes)
	case playStop:
		p.hub.Stop(a.id)
	case playContinue:
		p.hub.Continue(a.id)
	case playCut:
		p.hub.Cut(a.id)
	case playMend:
		p.hub.Mend(a.id)
	case playAway:
		p.hub.Away(s.Lasting)
	case playKill:
		a.gone = p.hub.Kill(a.id) || a.gone
	case playPass:
		p.advance(s.Lasting)
	case playHold:
		a.hold(s.Channel)
	case playRelease:
		a.release(s.Channel)
	case playPublish, playPublishes:
		a.publish(s.Channel, s.What == playPublishes, s.Lasting)
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
			p.failf("%d hold %s, want %d", got, channel, want)
		}
	}
	for _, a := range p.actors {
		for lane, up := range a.up {
			if !up && !a.gone {
				p.failf("lane %d of %s is down", lane, a.id)
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
				p.failf("%+v once all is well, want a beacon of %d", r, want)
			}
			return
		}
	}
	p.failf("no count comes back to %s", a.id)
}

// close closes all, and wants one result for each packet, and nothing received that is said not to have been sent.
func (p *play) close() {
	for _, a := range p.actors {
		if err := a.Close(); err != nil {
			p.failf("close: %v", err)
		}
	}
	p.advance(time.Minute)
	unsent := 0
	for _, a := range p.actors {
		if len(a.results) != int(a.tokens) {
			p.failf("%s was told %d results of %d", a.id, len(a.results), a.tokens)
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
			p.failf("%s received %q, which was not sent", a.id, payload)
		}
	}
}
