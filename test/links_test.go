package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks holds that what the documentation refers to is there, down to the heading.
func TestLinks(t *testing.T) {
	var pages []string
	for _, glob := range []string{"*.md", "docs/*.md", "examples/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", glob))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 5 {
		t.Fatalf("only %d pages were found", len(pages))
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			there, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
				continue
			}
			if heading != "" && !strings.Contains(anchors(string(there)), " "+heading+" ") {
				t.Errorf("%s: %s has no heading #%s", page, target, heading)
			}
		}
	}
}

// anchors are the headings of a page as links spell them.
func anchors(page string) string {
	var b strings.Builder
	b.WriteString(" ")
	for line := range strings.Lines(page) {
		if text := strings.TrimLeft(line, "#"); text != line {
			text = strings.ToLower(strings.TrimSpace(text))
			b.WriteString(strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(text, ""), " ", "-") + " ")
		}
	}
	return b.String()
}
