package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lastWins reads JSON as the API server does: of two fields with one name the last one counts.
var lastWins = json.JoinOptions(jsontext.AllowDuplicateNames(true))

// decoders are at rest. What one read last goes when it is used again, or with the next collection of garbage.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// contentOf is an object as maps, lists, strings, bools and numbers, a whole one of which is an int64, as in what the API
// server's own decoder makes of it (sigs.k8s.io/json). It goes through the bytes once.
func contentOf(raw []byte) (map[string]any, error) {
	d := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(d)
	d.Reset(bytes.NewBuffer(raw), lastWins)
	value, err := next(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	content, ok := value.(map[string]any)
	if !ok && value != nil {
		return nil, fmt.Errorf("it is a %T and no object", value)
	}
	return content, nil
}

// next is the next value. The decoder bounds how deep it can be.
func next(d *jsontext.Decoder) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		fields := map[string]any{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // the token does not outlive the next one
			if fields[key], err = next(d); err != nil {
				return nil, err
			}
		}
		_, err = d.ReadToken()
		return fields, err
	case '[':
		items := []any{}
		for d.PeekKind() != ']' {
			item, err := next(d)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		_, err = d.ReadToken()
		return items, err
	case '"':
		return token.String(), nil
	case '0':
		return number(token)
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

// number is an int64 where it is a whole one that fits.
func number(token jsontext.Token) (any, error) {
	if i, err := strconv.ParseInt(token.String(), 10, 64); err == nil {
		return i, nil
	}
	return token.Float()
}
