package manifest

import (
	"bytes"
	"unicode/utf8"
)

// YAML 1.1 breaks lines at LF, CR, CRLF and at three Unicode characters that no editor breaks at. Positions in a syntax
// tree count all of them; positions that people read count only the first three.

// unicodeBreaks are next line, line separator and paragraph separator.
var unicodeBreaks = [...][]byte{[]byte("\u0085"), []byte("\u2028"), []byte("\u2029")}

// breakWidth is the number of bytes of the line break that b starts with, as YAML sees it; 0 when it starts with none.
func breakWidth(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '\n':
		return 1
	case '\r':
		if len(b) > 1 && b[1] == '\n' {
			return 2
		}
		return 1
	case 0xC2, 0xE2:
		for _, u := range unicodeBreaks {
			if bytes.HasPrefix(b, u) {
				return len(u)
			}
		}
	}
	return 0
}

// hasUnicodeBreaks reports whether YAML and an editor may disagree about the lines of b.
func hasUnicodeBreaks(b []byte) bool {
	for _, u := range unicodeBreaks {
		if bytes.Contains(b, u) {
			return true
		}
	}
	return false
}

// hasOnlyNewlines reports whether every line break of b is LF or CRLF, which is so for nearly every file and lets lines
// be found with bytes.IndexByte.
func hasOnlyNewlines(b []byte) bool {
	for rest := b; ; {
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			return !hasUnicodeBreaks(b)
		}
		if i+1 == len(rest) || rest[i+1] != '\n' {
			return false
		}
		rest = rest[i+2:]
	}
}

// lineLength is the number of bytes of the first line of b including its break. plain is hasOnlyNewlines of the file.
func lineLength(b []byte, plain bool) int {
	if plain {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return i + 1
		}
		return len(b)
	}
	for i := 0; i < len(b); i++ {
		if w := breakWidth(b[i:]); w > 0 {
			return i + w
		}
	}
	return len(b)
}

// editorLines counts the line breaks of b as an editor does.
func editorLines(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	for i, c := range b {
		if c == '\r' && (i+1 == len(b) || b[i+1] != '\n') {
			n++
		}
	}
	return n
}

// place is a 1-based line and column as an editor counts them.
type place struct{ line, column int }

// over is the place after text that begins at p.
func (p place) over(text []byte) place {
	if start := bytes.LastIndexAny(text, "\r\n") + 1; start > 0 {
		p.line += editorLines(text[:start])
		p.column = 1
		text = text[start:]
	}
	p.column += utf8.RuneCount(text)
	return p
}

// editorPlaces are the places where the lines of a syntax tree begin.
func editorPlaces(text []byte) []place {
	lines := newLineIndex(text)
	places := make([]place, len(lines.starts))
	at := place{1, 1}
	for i, start := range lines.starts {
		if i > 0 {
			at = at.over(text[lines.starts[i-1]:start])
		}
		places[i] = at
	}
	return places
}

// lineIndex turns the lines and columns of a syntax tree into byte offsets.
type lineIndex struct {
	text   []byte
	starts []int
	// ascii tells the lines without a multi-byte character. There a column is an offset, so that finding places in one
	// very long line, as of minified JSON, is not quadratic.
	ascii []bool
}

func newLineIndex(text []byte) *lineIndex {
	x := &lineIndex{text: text}
	plain := hasOnlyNewlines(text)
	for at := 0; ; {
		n := lineLength(text[at:], plain)
		x.starts = append(x.starts, at)
		x.ascii = append(x.ascii, isASCII(text[at:at+n]))
		at += n
		if n == 0 || at == len(text) {
			return x
		}
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// offset is where the 1-based line and column of a syntax tree are in the text.
func (x *lineIndex) offset(line, column int) int {
	if line > len(x.starts) {
		return len(x.text)
	}
	at := x.starts[line-1]
	if x.ascii[line-1] {
		return min(at+column-1, len(x.text))
	}
	for range column - 1 {
		if at >= len(x.text) {
			break
		}
		_, w := utf8.DecodeRune(x.text[at:])
		at += w
	}
	return at
}
