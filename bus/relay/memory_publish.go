package relay

// executeLocked is one pipeline as Redis runs it: for each packet a result.
func (h *Hub) executeLocked(packets []*memoryPacket) []Result {
	results := make([]Result, len(packets))
	done := make([]bool, len(packets))
	for i, p := range packets {
		results[i].Token = p.Token
		if p.fate != nil {
			results[i].Err, done[i] = p.fate, true
		}
	}
	for i, p := range packets {
		if done[i] {
			continue
		}
		if p.Guard {
			results[i].Beacon = h.beaconLocked(p.Channel)
			results[i].Count = h.publishLocked(p.Channel, p.Payload)
			continue
		}
		group, payload := h.mergeLocked(packets, done, i)
		count := h.publishLocked(p.Channel, payload)
		for _, k := range group {
			results[k].Count, done[k] = count, true
		}
	}
	return results
}

// mergeLocked gathers the packets from the first on that can share its PUBLISH without overtaking one of their channel.
func (h *Hub) mergeLocked(packets []*memoryPacket, done []bool, first int) (group []int, payload []byte) {
	group, payload = []int{first}, packets[first].Payload
	if !h.opts.Merge {
		return group, payload
	}
	payload = append([]byte(nil), payload...)
	for k := first + 1; k < len(packets); k++ {
		p := packets[k]
		if done[k] || p.Channel != packets[first].Channel {
			continue
		}
		if p.Guard || len(payload)+len(p.Payload) > MaxPayload {
			break
		}
		group, payload = append(group, k), append(payload, p.Payload...)
	}
	return group, payload
}

func (h *Hub) beaconLocked(channel string) int {
	own := laneOf(Channel{Name: channel}, h.opts.Lanes)
	return min(h.redis.count(beaconChannel(hubPrefix, own)), h.redis.count(beaconChannel(hubPrefix, patternLane)))
}

// publishLocked is PUBLISH: it starts a copy to each connection and returns how many those are.
func (h *Hub) publishLocked(channel string, payload []byte) int {
	copies := h.redis.receivers(channel)
	for _, c := range copies {
		if c.conn.halfOpen || c.conn.expired {
			continue // counted, and never read
		}
		l := c.conn.lane
		f := h.fault(Crossing{
			Hop: HopIn, Node: l.node.self.ID, Lane: l.index,
			Channel: channel, Pattern: c.pattern, Payload: payload,
		})
		if f.Err != nil {
			continue
		}
		for range 1 + max(f.Copies, 0) {
			m := Message{Channel: channel, Pattern: c.pattern, Payload: append([]byte(nil), payload...)}
			l.pushLocked(memoryArrival{message: m}, h.delay()+f.Delay)
		}
	}
	return len(copies)
}
