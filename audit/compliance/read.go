package compliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Read reads a report that was saved as JSON.
func Read(data []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		var syntax *json.SyntaxError
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &syntax) && syntax.Offset >= int64(len(data)) {
			return nil, fmt.Errorf("it ends in the middle, after %d bytes: it was not written to the end. Write it again", len(data))
		}
		return nil, fmt.Errorf("read it as JSON: %w", err)
	}
	switch {
	case r.Kind != Kind:
		return nil, fmt.Errorf("it is of kind %q and no %s; write one with waywarden report -o json", r.Kind, Kind)
	case r.APIVersion != APIVersion && strings.HasPrefix(r.APIVersion, "output.waywarden.dev/"):
		return nil, fmt.Errorf("it is of version %s, and this program reads %s: another version of waywarden wrote it. Use that one", r.APIVersion, APIVersion)
	case r.APIVersion != APIVersion:
		return nil, fmt.Errorf("its apiVersion is %q and not %s", r.APIVersion, APIVersion)
	}
	return &r, nil
}
