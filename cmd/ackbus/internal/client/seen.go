package client

// remembered is how many messages a client knows again.
const remembered = 10_000

// seen remembers the answers to the last messages, by ID.
type seen struct {
	answers map[string]Answer
	order   []string // a ring once it is full
	next    int
}

func newSeen() *seen { return &seen{answers: make(map[string]Answer)} }

func (s *seen) answer(id string) (Answer, bool) {
	a, found := s.answers[id]
	return a, found
}

func (s *seen) remember(id string, a Answer) {
	s.answers[id] = a
	if len(s.order) < remembered {
		s.order = append(s.order, id)
		return
	}
	delete(s.answers, s.order[s.next])
	s.order[s.next] = id
	s.next = (s.next + 1) % remembered
}
