package main

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
	targetLatency    = 1.4    // times the floor's median, at 1 in flight
	targetRate64     = 5      // times plain's rate, at 64 in flight
	targetRate1024   = 12     // times plain's rate, at 1024 in flight
	targetDeliveries = 40_000 // confirmed in a second, at 512 in flight
	targetIdle       = 12_000 // bytes a session
)

// figure compares what was measured with the targets. Figures whose systems were left out are left out.
func (r *report) figure() {
	p50 := func(t turn) float64 { return float64(t.P50) }
	r.compare("p50 at 1 in flight, bus : floor", r.find(systemBus, 1), r.find(systemFloor, 1), p50, targetLatency, true)
	r.compare("rate at 64 in flight, bus : plain", r.find(systemBus, 64), r.find(systemPlain, 64), turn.rate, targetRate64, false)
	r.compare("rate at 1024 in flight, bus : plain", r.find(systemBus, 1024), r.find(systemPlain, 1024), turn.rate, targetRate1024, false)
	// What a request costs says more than rates where others use the machine too: they slow both down, not by as much.
	r.compare("CPU a request at 64 in flight, plain : bus", r.find(systemPlain, 64), r.find(systemBus, 64), turn.cost, 0, false)
	r.compare("CPU a request at 1024 in flight, plain : bus", r.find(systemPlain, 1024), r.find(systemBus, 1024), turn.cost, 0, false)
	if confirmed := r.find(systemGateway, 512); confirmed != nil {
		r.judge(figure{Name: "confirmed deliveries at 512 in flight", Unit: "/s", spread: confirmed.spread(turn.rate),
			Target: targetDeliveries})
	}
	if r.Idle != nil && r.Idle.Resident > 0 {
		once := spreadOf([]float64{r.Idle.Resident})
		r.judge(figure{Name: "resident memory of an idle session", Unit: "B", spread: once, Target: targetIdle, AtMost: true})
	}
}

// compare makes the ratio of two results within each round.
func (r *report) compare(name string, ours, theirs *result, of func(t turn) float64, target float64, atMost bool) {
	if ours == nil || theirs == nil {
		return
	}
	var ratios []float64
	for i := range min(len(ours.Rounds), len(theirs.Rounds)) {
		if base := of(theirs.Rounds[i]); base > 0 {
			ratios = append(ratios, of(ours.Rounds[i])/base)
		}
	}
	r.judge(figure{Name: name, Unit: "×", spread: spreadOf(ratios), Target: target, AtMost: atMost})
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
