package main

import (
	"cmp"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
)

func (s step) rate() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Requests) / s.Elapsed.Seconds()
}

func (s step) withoutRate() step {
	s.Requests = 0
	return s
}

func (s step) withoutLatency() step {
	s.P50, s.P99 = 0, 0
	return s
}

// What figures are made of.
func enqueueRate(t jobTurn) float64 { return t.Enqueue.rate() }
func batchRate(t jobTurn) float64   { return t.Batch.rate() }
func batched(t jobTurn) float64     { return float64(t.Batch.Jobs) }
func drainRate(t jobTurn) float64   { return t.Drain.rate() }
func start50(t jobTurn) float64     { return micros(t.Idle.P50) }
func start99(t jobTurn) float64     { return micros(t.Idle.P99) }
func memory(t jobTurn) float64      { return t.Memory }
func enqueueCost(t jobTurn) float64 { return t.Enqueue.Cost }
func drainCost(t jobTurn) float64   { return t.Drain.Cost }

func (res *jobResult) spread(of func(jobTurn) float64) spread {
	values := make([]float64, len(res.Rounds))
	for i, t := range res.Rounds {
		values[i] = of(t)
	}
	return spreadOf(values)
}

// jobsOf returns nil where the system was not measured.
func (r *report) jobsOf(system string) *jobResult {
	for _, each := range r.Jobs {
		if each.System == system {
			return each
		}
	}
	return nil
}

func (r *report) figureJobs() {
	ours := r.jobsOf(systemWorker)
	if ours == nil {
		return
	}
	judge := func(name, unit string, of func(jobTurn) float64, target float64, atMost bool) {
		r.judge(figure{Name: name, Unit: unit, spread: ours.spread(of), Target: target, AtMost: atMost})
	}
	judge("jobs enqueued by 16 producers", "/s", enqueueRate, targetEnqueue, false)
	if ours.spread(batched).Most > 0 {
		judge("jobs enqueued by 16 producers, 100 a batch", "/s", batchRate, 0, false)
	}
	judge("jobs drained at 50 in flight", "/s", drainRate, targetDrain, false)
	judge("p50 from enqueueing to the start, idle pool", "µs", start50, targetStart50, true)
	judge("p99 from enqueueing to the start, idle pool", "µs", start99, targetStart99, true)
	if theirs := r.jobsOf(systemAsynq); theirs != nil {
		r.compareJobs(ours, theirs, targetDrainAsynq, targetMemory)
	}
	if theirs := r.jobsOf(systemBullMQ); theirs != nil {
		r.compareJobs(ours, theirs, targetDrainBullMQ, 0)
	}
}

// compareJobs compares ours with a peer. A target of 0 is none.
func (r *report) compareJobs(ours, theirs *jobResult, drained, held float64) {
	compare := func(name string, above, below *jobResult, of func(jobTurn) float64, target float64, atMost bool) {
		r.judge(figure{Name: name, Unit: "×", spread: ratios(above.Rounds, below.Rounds, of), Target: target, AtMost: atMost})
	}
	peer := theirs.System
	compare("jobs enqueued, worker : "+peer, ours, theirs, enqueueRate, 0, false)
	compare("jobs drained, worker : "+peer, ours, theirs, drainRate, drained, false)
	compare("memory of Redis a waiting job, worker : "+peer, ours, theirs, memory, held, held > 0)
	compare("CPU to enqueue a job, "+peer+" : worker", theirs, ours, enqueueCost, 0, false)
	compare("CPU to run a job, "+peer+" : worker", theirs, ours, drainCost, 0, false)
}

// jobTable shows of each step what it tells: a backlog has no latency, and jobs that come one by one no rate.
func (r *report) jobTable() string {
	if len(r.Jobs) == 0 {
		return ""
	}
	t := newTable("jobs of", "step", "rate /s", "p50 µs", "p99 µs", "CPU µs a job", "Redis B a waiting job", "failures")
	for i, res := range r.Jobs {
		if i > 0 {
			t.AppendSeparator()
		}
		t.AppendRow(res.row("enqueued by 16", func(t jobTurn) step { return t.Enqueue }, res.spread(memory).whole()))
		if res.spread(batched).Most > 0 {
			t.AppendRow(res.row("enqueued by 16, 100 a batch", func(t jobTurn) step { return t.Batch }, ""))
		}
		t.AppendRow(res.row("drained, 50 in flight", func(t jobTurn) step { return t.Drain.withoutLatency() }, ""))
		t.AppendRow(res.row("to an idle pool", func(t jobTurn) step { return t.Idle.withoutRate() }, ""))
		if res.spread(func(t jobTurn) float64 { return t.Call.rate() }).Most > 0 {
			t.AppendRow(res.row("with results, 50 in flight", func(t jobTurn) step { return t.Call }, ""))
		}
	}
	return t.Render()
}

// row leaves out what is 0 throughout.
func (res *jobResult) row(name string, of func(jobTurn) step, more string) table.Row {
	shown := func(number func(step) float64, format func(spread) string) string {
		s := res.spread(func(t jobTurn) float64 { return number(of(t)) })
		if s.Most == 0 {
			return ""
		}
		return format(s)
	}
	var failed int64
	first := ""
	for _, t := range res.Rounds {
		failed, first = failed+of(t).Failures, cmp.Or(first, of(t).Failure)
	}
	failures := "0"
	if failed > 0 {
		failures = fmt.Sprintf("%d: %.60s", failed, first)
	}
	return table.Row{
		res.System, name, shown(step.rate, spread.whole),
		shown(func(s step) float64 { return micros(s.P50) }, spread.whole),
		shown(func(s step) float64 { return micros(s.P99) }, spread.whole),
		shown(func(s step) float64 { return s.Cost }, spread.tenths),
		more, failures,
	}
}
