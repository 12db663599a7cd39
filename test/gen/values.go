package main

import (
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// valuesTable is one row for each value of the chart, in the order of values.yaml and with its comments there.
func valuesTable() (string, error) {
	raw, err := os.ReadFile("charts/waywarden/values.yaml")
	if err != nil {
		return "", err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| value | default | |\n|---|---|---|\n")
	err = rows(&b, "", document.Content[0])
	return b.String(), err
}

func rows(b *strings.Builder, path string, mapping *yaml.Node) error {
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 {
			if words := comment(key); words != "" {
				fmt.Fprintf(b, "| `%s%s` | | %s |\n", path, key.Value, words)
			}
			if err := rows(b, path+key.Value+".", value); err != nil {
				return err
			}
			continue
		}
		bare := *value
		bare.HeadComment, bare.LineComment, bare.FootComment = "", "", ""
		text, err := yaml.Marshal(&bare)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "| `%s%s` | `%s` | %s |\n", path, key.Value, strings.TrimSpace(string(text)), comment(key))
	}
	return nil
}

// comment is what stands above a key. Indented lines list choices, one a line.
func comment(key *yaml.Node) string {
	var b strings.Builder
	for line := range strings.Lines(key.HeadComment) {
		line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "), "\n")
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "  "), "  "); ok && strings.HasPrefix(line, "  ") {
			line = "<br>`" + name + "`: " + strings.TrimSpace(rest)
		} else if name, rest, ok := strings.Cut(line, "   "); ok {
			line = "<br>`" + name + "`: " + strings.TrimSpace(rest)
		}
		b.WriteString(line + " ")
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(b.String(), "<br>")), "|", `\|`), " <br>", "<br>")
}
