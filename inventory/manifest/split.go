package manifest

import "bytes"

// text is the part of a file that holds one YAML document, or several JSON values one after the other.
type text struct {
	raw    []byte
	offset int // of raw in the file
	line   int // 1-based, of raw's first byte in the file
}

var byteOrderMark = []byte("\uFEFF")

// split cuts a file at its document markers. A line that starts with `---` or `...` in the first column is always a
// marker, in YAML as in JSON, whatever it stands in: text inside a block scalar is indented, and a quoted string may not
// contain one. Texts without content are left out: blank, or only comments.
func split(file []byte) []text {
	s := splitter{file: file, plain: hasOnlyNewlines(file)}
	s.begin(0, 1)
	at, line := 0, 1
	for at < len(file) {
		n := lineLength(file[at:], s.plain)
		s.line(at, line, file[at:at+n])
		at += n
		if s.plain || file[at-1] == '\n' || file[at-1] == '\r' {
			line++
		}
	}
	s.end(len(file))
	return s.texts
}

type splitter struct {
	file  []byte
	plain bool
	texts []text

	start, startLine int
	marked           bool // a `---` was seen
	directives       bool // a %YAML or %TAG was seen: they belong to the `---` that follows
	content          bool // something else was seen
}

func (s *splitter) begin(at, line int) {
	s.start, s.startLine = at, line
	s.marked, s.directives, s.content = false, false, false
}

func (s *splitter) end(at int) {
	if !s.content && (!s.directives || s.marked) {
		return
	}
	s.texts = append(s.texts, text{raw: s.file[s.start:at], offset: s.start, line: s.startLine})
}

func (s *splitter) line(at, number int, line []byte) {
	// Files that were put together with cat carry byte order marks in the middle; YAML allows one before a document.
	end := at
	if marked, ok := bytes.CutPrefix(line, byteOrderMark); ok && (at == 0 || isMarker(marked, "---")) {
		line, at = marked, at+len(byteOrderMark)
		if !s.marked && !s.content && !s.directives {
			s.begin(at, number)
		}
	}
	switch {
	case isMarker(line, "---"):
		if s.marked || s.content || !s.directives {
			s.end(end)
			s.begin(at, number)
		}
		s.marked = true
		s.content = s.content || !isBlankOrComment(line[3:])
	case isMarker(line, "..."):
		next := at + len(line)
		s.end(next)
		s.begin(next, number+1)
	case isBlankOrComment(line):
	case line[0] == '%' && !s.marked && !s.content:
		s.directives = true
	default:
		s.content = true
	}
}

// isMarker reports whether a line is a document marker: the three characters, then white space or nothing.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t' || breakWidth(rest) > 0)
}

func isBlankOrComment(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) == 0 || line[0] == '#' || breakWidth(line) > 0
}
