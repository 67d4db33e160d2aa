package worker

// shares says how many jobs of a taking each line is asked for first.
type shares struct {
	weights [3]int // high, normal, low; zero: strict
	credit  [3]int
}

func newShares(weights [3]int) shares { return shares{weights: weights} }

// split divides n among the lines, smoothly over many takings. The line of jobs that come again is always first.
func (s *shares) split(n int) [4]int {
	if s.weights[0] == 0 {
		return [4]int{n, n, n, n}
	}
	split := [4]int{n}
	total := s.weights[0] + s.weights[1] + s.weights[2]
	for range n {
		best := 0
		for i, w := range s.weights {
			s.credit[i] += w
			if s.credit[i] > s.credit[best] {
				best = i
			}
		}
		s.credit[best] -= total
		split[best+1]++
	}
	return split
}
