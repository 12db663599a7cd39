package plan

import "fmt"

// Whoever looks at a waypoint that does not go on is told why.

// watched are tables of which each stage that holds a waypoint up has to say why, or has to take a step.
func (m *model) watched(order tables) *tables {
	for _, stages := range [][]stage{order.making, order.removing} {
		for i, s := range stages {
			stages[i].do = func(c *course) outcome {
				out := s.do(c)
				if out != settled && untold(c.out) {
					m.lets = fmt.Sprintf("%s is held up by %q, and nothing says why", c.ref, s.name)
				}
				return out
			}
		}
	}
	return &order
}

func untold(c Course) bool { return c.Step == nil && len(c.Waiting)+len(c.Stopped) == 0 }

// listen complains of a waypoint that is being removed and does not go on, of which nothing is said.
func (m *model) listen(p Progress) {
	for _, c := range p {
		if c.Removing && untold(c) {
			m.lets = fmt.Sprintf("%s is being removed, and nothing says what for it waits", c.Waypoint)
		}
	}
}
