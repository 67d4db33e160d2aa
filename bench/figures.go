package main

import "fmt"

// A figure is what a reader looks for first: one that the project has a target for, or one that explains it.
type figure struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	spread

	Target  float64 `json:"target,omitempty"`  // 0: none
	AtMost  bool    `json:"at_most,omitempty"` // the target is a limit; otherwise it is to be reached
	Verdict string  `json:"verdict,omitempty"` // whether the median meets the target
}

const (
	verdictMet    = "met"
	verdictNotMet = "not met"
)

// The targets.
const (
	targetLatency     = 1.4    // times the floor's median, at 1 in flight
	targetRate64      = 5      // times plain's rate, at 64 in flight
	targetRate1024    = 12     // times plain's rate, at 1024 in flight
	targetCall        = 1.3    // times the floor's median, of a typed call at 1 in flight
	targetCalls64     = 1.5    // times the rate of NATS, at 64 in flight
	targetCalls1024   = 2.2    // times the rate of NATS, at 1024 in flight
	targetDeliveries  = 40_000 // confirmed in a second, at 512 in flight
	targetIdle        = 12_000 // bytes a session
	targetEnqueue     = 150_000
	targetDrain       = 60_000
	targetDrainAsynq  = 6     // times asynq's
	targetDrainBullMQ = 3     // times BullMQ's
	targetStart50     = 500   // microseconds from enqueueing to the start, in an idle pool
	targetStart99     = 2_000 // likewise
	targetMemory      = 1     // times asynq's bytes of Redis a waiting job
)

// figure compares what was measured with the targets. Figures whose systems were left out are left out.
func (r *report) figure() {
	r.figureBus()
	r.figureCalls()
	r.figureJobs()
	if confirmed := r.find(systemGateway, 512); confirmed != nil {
		r.judge(figure{Name: "confirmed deliveries at 512 in flight", Unit: "/s", spread: confirmed.spread(turn.rate),
			Target: targetDeliveries})
	}
	if r.Idle != nil && r.Idle.Resident > 0 {
		once := spreadOf([]float64{r.Idle.Resident})
		r.judge(figure{Name: "resident memory of an idle session", Unit: "B", spread: once, Target: targetIdle, AtMost: true})
	}
}

func (r *report) figureBus() {
	r.compare("p50 at 1 in flight, bus : floor", r.find(systemBus, 1), r.find(systemFloor, 1), turn.p50, targetLatency, true)
	r.compare("rate at 64 in flight, bus : plain", r.find(systemBus, 64), r.find(systemPlain, 64), turn.rate, targetRate64, false)
	r.compare("rate at 1024 in flight, bus : plain", r.find(systemBus, 1024), r.find(systemPlain, 1024), turn.rate, targetRate1024, false)
	// What a request costs says more than rates where others use the machine too: they slow both down, not by as much.
	r.compare("CPU a request at 64 in flight, plain : bus", r.find(systemPlain, 64), r.find(systemBus, 64), turn.cost, 0, false)
	r.compare("CPU a request at 1024 in flight, plain : bus", r.find(systemPlain, 1024), r.find(systemBus, 1024), turn.cost, 0, false)
}

func (r *report) figureCalls() {
	r.compare("p50 at 1 in flight, rpc : floor", r.find(systemRPC, 1), r.find(systemFloor, 1), turn.p50, targetCall, true)
	// NATS carries bytes, and leaves encoding them to others; typed calls encode and decode twice.
	for _, n := range []int{64, 1024} {
		target := map[int]float64{64: targetCalls64, 1024: targetCalls1024}[n]
		raw, typed, nats := r.find(systemRaw, n), r.find(systemRPC, n), r.find(systemNATS, n)
		r.compare(fmt.Sprintf("rate at %d in flight, rpc-raw : nats", n), raw, nats, turn.rate, target, false)
		r.compare(fmt.Sprintf("CPU a request at %d in flight, nats : rpc-raw", n), nats, raw, turn.cost, 0, false)
		r.compare(fmt.Sprintf("rate at %d in flight, rpc : nats", n), typed, nats, turn.rate, 0, false)
	}
}

// compare makes the ratio of two results within each round.
func (r *report) compare(name string, ours, theirs *result, of func(t turn) float64, target float64, atMost bool) {
	if ours == nil || theirs == nil {
		return
	}
	r.judge(figure{Name: name, Unit: "×", spread: ratios(ours.Rounds, theirs.Rounds, of), Target: target, AtMost: atMost})
}

// ratios leaves out rounds in which theirs did nothing.
func ratios[T any](ours, theirs []T, of func(T) float64) spread {
	var all []float64
	for i := range min(len(ours), len(theirs)) {
		if base := of(theirs[i]); base > 0 {
			all = append(all, of(ours[i])/base)
		}
	}
	return spreadOf(all)
}

func (r *report) judge(f figure) {
	met := f.Median >= f.Target
	if f.AtMost {
		met = f.Median > 0 && f.Median <= f.Target
	}
	switch {
	case f.Target == 0:
	case met:
		f.Verdict = verdictMet
	default:
		f.Verdict = verdictNotMet
	}
	r.Figures = append(r.Figures, f)
}
