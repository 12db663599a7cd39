package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// errTooLarge ends the reading of what has more bytes than Options.MaxBytes.
var errTooLarge = errors.New("too large")

// read reads an input. A file that says how large it is is refused before its first byte is read.
func (l *loader) read(in input) ([]byte, *Problem) {
	problem := func(format string, args ...any) ([]byte, *Problem) {
		return nil, &Problem{File: in.path, Message: "not evaluated: " + fmt.Sprintf(format, args...)}
	}
	var from io.Reader
	size := int64(0)
	if in.path == stdinName {
		if from = l.options.Stdin; from == nil {
			from = bytes.NewReader(nil)
		}
	} else {
		file, err := os.Open(in.path)
		if err != nil {
			return problem("it cannot be opened (%v). Allow it to be read.", err)
		}
		defer file.Close()
		if stat, err := file.Stat(); err == nil && stat.Mode().IsRegular() {
			size = stat.Size()
		}
		if size > l.options.MaxBytes {
			return problem("it has %d bytes, more than the %d allowed. Split it, or raise the bound.", size, l.options.MaxBytes)
		}
		from = file
	}
	raw, err := readBounded(from, size, l.options.MaxBytes)
	switch {
	case errors.Is(err, errTooLarge):
		return problem("it has more than the %d bytes allowed. Split it, or raise the bound.", l.options.MaxBytes)
	case err != nil:
		return problem("reading it broke off (%v). Try again.", err)
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}), bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		return problem("it is encoded in UTF-16, Kubernetes reads UTF-8. Save it as UTF-8.")
	}
	return raw, nil
}

// readBounded reads all there is, up to maxBytes. size is what is expected; 0 when that is not known.
func readBounded(from io.Reader, size, maxBytes int64) ([]byte, error) {
	limited := io.LimitReader(from, maxBytes+1)
	var raw []byte
	var err error
	if size > 0 {
		b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
		_, err = b.ReadFrom(limited)
		raw = b.Bytes()
	} else {
		raw, err = io.ReadAll(limited)
	}
	if err == nil && int64(len(raw)) > maxBytes {
		return nil, errTooLarge
	}
	return raw, err
}
