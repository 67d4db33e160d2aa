package bus

import (
	"runtime"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
)

const choreEvery = time.Second

// keepTime lets time pass for the machines: a tick at a time while something is under way, otherwise a second at a time.
func (b *Bus) keepTime() {
	timer := time.NewTimer(tick)
	defer timer.Stop()
	chores := b.now()
	for {
		select {
		case <-b.group.Context().Done():
			return
		case <-b.woken:
		case <-timer.C:
		}
		now := b.now()
		if now-chores >= choreEvery {
			chores = now
			b.chores()
		}
		idle := b.advance()
		b.asleep.Store(idle)
		if idle && !b.idle() {
			idle = false // something began in between
		}
		if idle {
			timer.Reset(choreEvery - min(now-chores, choreEvery-tick))
		} else {
			timer.Reset(tick)
		}
	}
}

// rouse wakes the clock if it sleeps.
func (b *Bus) rouse() {
	if b.asleep.Load() && b.asleep.CompareAndSwap(true, false) {
		select {
		case b.woken <- struct{}{}:
		default:
		}
	}
}

// advance lets time pass for requests and claims, and reports whether neither has anything under way.
func (b *Bus) advance() bool {
	b.requestsMu.Lock()
	b.requests.advance(b.now())
	idle := b.requests.idle()
	fx := b.requests.take()
	b.requestsMu.Unlock()
	b.perform(fx)

	b.claimsMu.Lock()
	b.claims.advance(b.now())
	idle = idle && b.claims.idle()
	cfx := b.claims.take()
	b.claimsMu.Unlock()
	b.performClaims(cfx)
	return idle
}

func (b *Bus) idle() bool {
	b.requestsMu.Lock()
	idle := b.requests.idle()
	b.requestsMu.Unlock()
	b.claimsMu.Lock()
	defer b.claimsMu.Unlock()
	return idle && b.claims.idle()
}

// chores is what is done once a second.
func (b *Bus) chores() {
	b.claimsMu.Lock()
	b.claims.sweep(b.now())
	fx := b.claims.take()
	b.claimsMu.Unlock()
	b.performClaims(fx)

	b.withMembers(func(now time.Duration) { b.members.advance(now) })
}

// withMembers changes the membership, sends what that asks for, and tells the requests.
func (b *Bus) withMembers(change func(now time.Duration)) {
	b.membersMu.Lock()
	b.members.me.sockets = int(b.sockets.Load())
	change(b.now())
	b.membership.Store(b.members.changes)
	packets := b.members.packets
	b.members.packets = nil
	b.membersMu.Unlock()
	b.post(packets)
	b.membersChanged()
}

// membersChanged tells the requests how many members' subscriptions must stand.
func (b *Bus) membersChanged() {
	b.membersMu.Lock()
	holders, settled := b.members.holders(), b.members.settled
	b.membersMu.Unlock()
	b.requestsMu.Lock()
	b.requests.membership(b.now(), holders, settled)
	fx := b.requests.take()
	b.requestsMu.Unlock()
	b.perform(fx)
}

// sendReports seals batches of reports and sends them. Before each it lets handlers run that have just been started: an
// answer that comes before the claim has left travels with it.
func (b *Bus) sendReports() {
	for {
		select {
		case <-b.group.Context().Done():
			return
		case <-b.reports:
		}
		runtime.Gosched()
		b.sealReports()
	}
}

func (b *Bus) sealReports() {
	b.claimsMu.Lock()
	b.claims.seal(b.now())
	fx := b.claims.take()
	b.claimsMu.Unlock()
	for _, packet := range fx.packets {
		if err := b.relay.Publish(b.group.Context(), packet); err != nil && packet.Token != 0 {
			b.unsent(packet.Token, err)
		}
	}
	fx.packets = nil
	b.performClaims(fx)
}

// perform does what the requests machine wants done.
func (b *Bus) perform(fx effects) {
	if fx.first != nil {
		fx.first.wakeUp()
	}
	for _, p := range fx.woken {
		p.wakeUp()
	}
	b.post(fx.packets)
}

// performClaims does what the claims machine wants done.
func (b *Bus) performClaims(fx claimEffects) {
	if fx.report {
		b.report()
	}
	for _, h := range fx.ended {
		h.Stop(ErrGivenUp)
	}
	for _, f := range fx.forgotten {
		f.to.endpoint.Forget(f.id)
	}
	for _, h := range fx.held {
		b.hold(h)
	}
	for _, key := range fx.released {
		b.release(key)
	}
	b.post(fx.packets)
}

// report has the batches that are due sealed and sent.
func (b *Bus) report() {
	select {
	case b.reports <- struct{}{}:
	default:
	}
}

// post hands packets over without waiting. One for which there is no room is as good as lost, and is sent again like one.
func (b *Bus) post(packets []relay.Packet) {
	for _, packet := range packets {
		packet.Wait = false
		if err := b.relay.Publish(b.group.Context(), packet); err != nil && packet.Token != 0 {
			b.unsent(packet.Token, err)
		}
	}
}
