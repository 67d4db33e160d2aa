package gateway

import "time"

// hearOut gives a client that has ended its side of the connection, and may still read, the answers to what it asked, for up to
// CloseTimeout. One that has gone for good looks just the same, so that with nothing to answer it returns at once.
func (s *session) hearOut() {
	answered := make(chan struct{})
	s.mu.Lock()
	s.answered = answered
	s.mu.Unlock()
	s.heardOut.Store(true)
	s.tellAnswered() // it may be so already
	limit := time.NewTimer(s.gw.opts.CloseTimeout)
	defer limit.Stop()
	select {
	case <-answered:
	case <-limit.C:
	case <-s.gw.group.Context().Done():
	}
}

// tellAnswered lets hearOut go on once nothing is to be answered or to be written any more.
func (s *session) tellAnswered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answered != nil && (s.phase == greeting || s.broken || s.queue.count == 0 && s.ops.count == 0) {
		close(s.answered)
		s.answered = nil
	}
}

// crowded ends a session because all together receive too much.
func (s *session) crowded() {
	s.fail(nil, codeOverloaded, errCrowded.Error())
	s.shut(endCrowded)
}
