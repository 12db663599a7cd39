package manifest

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Kubernetes reads YAML with sigs.k8s.io/yaml: YAML 1.1 through go.yaml.in/yaml/v2 (resolve.go), written as JSON, read
// again. So `yes` is true, 017 is 15, 1e3 is the integer 1000 and a timestamp is a string. The parser used here, v3,
// resolves some of them differently, hence scalars are resolved anew, as v2 does. One difference remains, since the tree
// does not show it: the tag without a name (`! yes`), which v2 takes for text.

// scalar is the value of a scalar as it stands in Content.
func scalar(n *yaml.Node) (any, error) {
	value, err := yamlScalar(n)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case uint64:
		return float64(v), nil
	case float64:
		return jsonNumber(v)
	}
	return value, nil
}

// key is the name under which a mapping entry stands in Content; JSON has only strings.
func key(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("a key must be a string, this one is a %s", kindName(n.Kind))
	}
	value, err := yamlScalar(n)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		switch {
		case math.IsInf(v, 1):
			return ".inf", nil
		case math.IsInf(v, -1):
			return "-.inf", nil
		case math.IsNaN(v):
			return ".nan", nil
		}
		return strconv.FormatFloat(v, 'g', -1, 32), nil
	case nil:
		return "", fmt.Errorf("a key must be a string, this one is empty")
	}
	return "", fmt.Errorf("a key must be a string, %q is a number too large for one", n.Value)
}

// yamlScalar is the value of a scalar before it goes through JSON: nil, bool, int64, uint64, float64 or string.
func yamlScalar(n *yaml.Node) (any, error) {
	if n.Style&yaml.TaggedStyle == 0 {
		const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
		if n.Style&quoted != 0 {
			return n.Value, nil
		}
		return plainScalar(n.Value), nil
	}
	switch tag := n.ShortTag(); tag {
	case "!!binary":
		decoded, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			return nil, fmt.Errorf("a !!binary value must be base64, this one is not")
		}
		// Through runes, because JSON has one U+FFFD for each byte that is not UTF-8.
		return string([]rune(string(decoded))), nil
	case "!!null", "!!bool", "!!int", "!!float", "!!timestamp":
		value := plainScalar(n.Value)
		if !matchesTag(tag, value) {
			return nil, fmt.Errorf("%q is no %s", n.Value, tag)
		}
		return value, nil
	default: // !!str, and every tag that YAML does not know
		return n.Value, nil
	}
}

func matchesTag(tag string, value any) bool {
	switch v := value.(type) {
	case nil:
		return tag == "!!null"
	case bool:
		return tag == "!!bool"
	case int64:
		return tag == "!!int" || tag == "!!float"
	case uint64:
		return tag == "!!int"
	case float64:
		return tag == "!!float"
	case string:
		return tag == "!!timestamp" && isTimestamp(v)
	}
	return false
}

// isTimestamp follows v2's parseTimestamp.
func isTimestamp(s string) bool {
	if len(s) < 5 || s[4] != '-' || strings.Trim(s[:4], "0123456789") != "" {
		return false
	}
	for _, layout := range []string{
		"2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2",
	} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// plainScalar resolves an unquoted scalar without a tag.
func plainScalar(s string) any {
	if s == "" {
		return nil
	}
	switch c := s[0]; {
	case c == '+' || c == '-' || c >= '0' && c <= '9':
		return plainNumber(s)
	case c == '.':
		switch s {
		case ".nan", ".NaN", ".NAN":
			return math.NaN()
		case ".inf", ".Inf", ".INF":
			return math.Inf(1)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	case len(s) <= 5 && strings.IndexByte("yYnNtTfFoO~", c) >= 0:
		return plainWord(s)
	}
	return s
}

func plainWord(s string) any {
	switch s {
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case "~", "null", "Null", "NULL":
		return nil
	}
	return s
}

var yamlFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

func plainNumber(s string) any {
	switch s {
	case "+.inf", "+.Inf", "+.INF":
		return math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1)
	}
	if len(s) > 4 && s[4] == '-' && isTimestamp(s) {
		return s
	}
	digits := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return u
	}
	if yamlFloat.MatchString(digits) {
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			return f
		}
	}
	return s
}

// jsonNumber takes a float through JSON: written without a fraction it comes back as an integer.
func jsonNumber(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v cannot be stored: JSON has no such number", f)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e21 {
		if i, err := strconv.ParseInt(strconv.FormatFloat(f, 'f', -1, 64), 10, 64); err == nil {
			return i, nil
		}
	}
	return f, nil
}

func kindName(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "sequence"
	default:
		return "scalar"
	}
}
