package audit

// panicked tells of the questions about objects that were judged that could not be answered because the program is wrong.
func (c *Continuous) panicked(judged []Replaced) {
	if c.Panicked == nil {
		return
	}
	for _, r := range judged {
		if r.Is == nil {
			continue
		}
		for _, p := range r.Is.Panics {
			c.Panicked(p, r.Is.Object.Ref())
		}
	}
}
