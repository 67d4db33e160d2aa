//go:build race

package relaytest

const raceDetector = true // which makes schedules ten times slower
