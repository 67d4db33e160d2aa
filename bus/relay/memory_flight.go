package relay

// flushLocked sends the next pipeline, if none is in flight and one could leave.
func (o *memoryOutbox) flushLocked() {
	n, h := o.node, o.node.hub
	if o.flight != nil || n.stopped || n.dead || n.closed || !o.linkLocked() {
		return
	}
	f := o.gatherLocked()
	if f == nil {
		return
	}
	o.flight = f
	d := h.delay()
	for _, p := range f.packets {
		fault := h.fault(n.crossingLocked(HopOut, p))
		p.fate = fault.Err
		d += fault.Delay
	}
	h.after(d, func() { o.arrive(f) })
}

// gatherLocked takes a pipeline from the queue, or nil.
func (o *memoryOutbox) gatherLocked() *memoryFlight {
	f, taken, bytes := &memoryFlight{}, 0, 0
	for _, p := range o.queue {
		full := len(f.packets) == hubPipelinePackets || bytes+len(p.Payload) > hubPipelineBytes
		if p.queued && len(f.packets) > 0 && full {
			break
		}
		taken++
		if p.queued {
			p.queued = false
			f.packets = append(f.packets, p)
			bytes += len(p.Payload)
		}
	}
	clear(o.queue[:taken])
	o.queue = o.queue[taken:]
	if len(f.packets) == 0 {
		return nil
	}
	return f
}

// arrive is the pipeline at Redis.
func (o *memoryOutbox) arrive(f *memoryFlight) {
	n, h := o.node, o.node.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.void {
		return
	}
	if n.cut {
		f.parked = true
		return
	}
	f.results = h.executeLocked(f.packets)
	d := h.delay()
	for i, p := range f.packets {
		if p.fate != nil {
			continue
		}
		fault := h.fault(n.crossingLocked(HopCount, p))
		d += fault.Delay
		if fault.Err != nil {
			f.results[i] = Result{Token: p.Token, Err: fault.Err}
		}
	}
	h.after(d, func() { o.back(f) })
}

// back is the counts at the publisher.
func (o *memoryOutbox) back(f *memoryFlight) {
	n, h := o.node, o.node.hub
	h.mu.Lock()
	if f.told || n.dead {
		h.mu.Unlock()
		return
	}
	if n.cut || n.stopped {
		f.parked = true
		h.mu.Unlock()
		return
	}
	o.flight = nil
	f.told = true
	o.scheduled = true // by the call below
	for i, p := range f.packets {
		o.settleLocked(p, f.results[i])
	}
	o.flushLocked()
	h.mu.Unlock()
	o.tell()
}

// resumeLocked goes on with what a stopped process, a cut link or an absent Redis had held up.
func (o *memoryOutbox) resumeLocked() {
	h := o.node.hub
	if f := o.flight; f != nil && f.parked {
		f.parked = false
		if f.results == nil {
			h.after(h.delay(), func() { o.arrive(f) })
		} else {
			h.after(h.delay(), func() { o.back(f) })
		}
	}
	if len(o.due) > 0 {
		o.tellSoonLocked()
	}
	o.flushLocked()
}
