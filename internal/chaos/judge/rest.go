package judge

import (
	"maps"
	"slices"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// The measures of a gauge that may differ a little without anything being held; of all others there may be no more than at the start.
var slack = map[string]float64{
	"goroutines":  4, // of the runtime, and of the request that asks
	"descriptors": 4, // likewise
	"heap_bytes":  48 << 20,
}

// judgeRest looks at how processes ended, and at what is held at the end.
func judgeRest(w *world, v *Verdict) {
	for _, e := range w.left {
		v.examine(Process)
		if !e.Wanted {
			v.violatef(Process, []history.Event{e}, "%s ended: %s", e.Actor, e.Text)
		}
	}
	for actor, start := range w.gauges["start"] {
		end, measured := w.gauges["end"][actor]
		if !measured {
			v.violatef(Left, []history.Event{start}, "%s was not measured at the end", actor)
			continue
		}
		for _, measure := range slices.Sorted(maps.Keys(start.Values)) {
			v.examine(Left)
			held, before := end.Values[measure], start.Values[measure]
			if held > before+slack[measure] {
				v.violatef(Left, []history.Event{start, end}, "%s holds %.0f %s, and %.0f at the start", actor, held, measure, before)
			}
		}
	}
}
