package webhook

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/waywarden/waywarden/policies"
)

// The API server's limits (k8s.io/apiserver pkg/endpoints/filters/warning.go): once all warnings of a request are longer
// than 4,096 characters together, each is cut after 256 and those that do not fit are dropped. Other webhooks warn too,
// so ours stay well below the sum.
const (
	maxWarning  = 256
	maxWarnings = 3000
)

// warnings collects sentences for the requester. Each is a whole one, short enough not to be cut.
type warnings struct {
	lines []string
	size  int
	left  int // how many findings did not fit
}

// add adds what there is to say about one finding, all of it or nothing.
func (w *warnings) add(sentences ...string) {
	var lines []string
	size := 0
	for _, s := range sentences {
		if s = oneLine(s); s != "" {
			s = whole(s, maxWarning)
			lines = append(lines, s)
			size += utf8.RuneCountInString(s)
		}
	}
	if len(lines) == 0 {
		return
	}
	if w.size+size > maxWarnings {
		w.left++
		return
	}
	w.lines, w.size = append(w.lines, lines...), w.size+size
}

// about is what to say about a finding: its message; what to do, and the note of its ruling, in one warning where both fit;
// and at the end, whatever has to be cut, the check.
func about(f *policies.Finding, note string) []string {
	lines, rest, end := []string{f.Message}, strings.TrimSpace(f.Remedy+" "+note), " ["+f.Check+"]"
	if note != "" && utf8.RuneCountInString(rest+end) > maxWarning {
		lines, rest = append(lines, f.Remedy), note
	}
	return append(lines, whole(oneLine(rest), maxWarning-utf8.RuneCountInString(end))+end)
}

// list is all that fits, and how much does not.
func (w *warnings) list() []string {
	if w.left > 0 {
		return append(w.lines, fmt.Sprintf("%d more findings do not fit here: waywarden scan shows all.", w.left))
	}
	return w.lines
}

// oneLine is a text without what a warning cannot hold: one with a control character, of whatever part of Unicode, is
// dropped by the API server (k8s.io/apimachinery pkg/util/net NewWarningHeader).
func oneLine(s string) string {
	if isOneLine(s) {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, separates), " ")
}

func separates(r rune) bool {
	return r == ' ' || r == utf8.RuneError || r == '\u2028' || r == '\u2029' || unicode.IsControl(r)
}

// isOneLine is whether there is one space between words and nothing else, as in almost every text.
func isOneLine(s string) bool {
	between := true
	for _, r := range s {
		if separates(r) && (between || r != ' ') {
			return false
		}
		between = r == ' '
	}
	return !between || s == ""
}

// whole is a text that fits: as it is, else as many of its clauses or words as fit.
func whole(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	cut := string([]rune(s)[:most-2])
	if i := strings.LastIndexAny(cut, " "); i > 0 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, ",;: ") + " …"
}
