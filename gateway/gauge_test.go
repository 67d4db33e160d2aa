package gateway

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func nan() float64 { return math.NaN() }

// counterOf reads a counter or a gauge.
func counterOf(c prometheus.Collector) float64 { return testutil.ToFloat64(c) }
