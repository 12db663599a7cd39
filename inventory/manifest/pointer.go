package manifest

import (
	"fmt"
	"strconv"
	"strings"
)

// pointer splits an RFC 6901 pointer into its unescaped parts. The empty pointer has none: it is the whole object.
func pointer(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' {
		return nil, fmt.Errorf("the path does not begin with /. Write it as RFC 6901 says, such as /spec/rules/0")
	}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts, nil
}

// itemIndex reads an index below n. RFC 6901 allows neither signs nor leading zeros.
func itemIndex(part string, n int) (int, error) {
	i, err := strconv.Atoi(part)
	if err != nil || strconv.Itoa(i) != part || i < 0 {
		return 0, fmt.Errorf("%q is no index of a sequence. Write a number, or - to add at the end", part)
	}
	if i >= n {
		return 0, fmt.Errorf("there is no item %d. The sequence has %d", i, n)
	}
	return i, nil
}
