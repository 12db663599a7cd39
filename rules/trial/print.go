package trial

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown/print"
)

// printer keeps what a rule prints, with the line that does.
type printer struct{ b strings.Builder }

// Print keeps one line.
func (p *printer) Print(c print.Context, text string) error {
	fmt.Fprintf(&p.b, "%s:%d: %s\n", c.Location.File, c.Location.Row, text)
	return nil
}

func (p *printer) take() string {
	out := p.b.String()
	p.b.Reset()
	return out
}
