package relay

import "strconv"

// patternLane is the lane of all patterns: one that every node asks the beacon of, whatever the channel.
const patternLane = 0

// laneOf is the lane of a channel. Every node of a cluster must come to the same one, in every release: a publisher asks the
// beacon of the lane on which the others would have subscribed.
func laneOf(ch Channel, lanes int) int {
	if ch.Pattern {
		return patternLane
	}
	const offset, prime = 2166136261, 16777619 // FNV-1a, 32 bits
	h := uint32(offset)
	for i := range len(ch.Name) {
		h = (h ^ uint32(ch.Name[i])) * prime
	}
	return int(h % uint32(lanes))
}

// beaconChannel is held by each node that is not an observer while all its channels of the lane are.
func beaconChannel(prefix string, lane int) string {
	return prefix + "lane:" + strconv.Itoa(lane)
}

// aliveChannel is held by every lane of the node: its count is how many of them Redis has connections of.
func aliveChannel(prefix, nodeID string) string {
	return prefix + "alive:" + nodeID
}

// probeChannel is where a lane publishes to itself, to see that what is published comes back.
func probeChannel(prefix, nodeID string, lane int) string {
	return prefix + "probe:" + nodeID + ":" + strconv.Itoa(lane)
}
