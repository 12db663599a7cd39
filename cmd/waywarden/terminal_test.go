//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// openTerminal is a terminal of so many columns: what is written to tty comes out of screen.
func openTerminal(t *testing.T, columns uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open a terminal: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// shown is what came to the screen while do wrote to the terminal.
func shown(t *testing.T, columns uint16, do func(tty *os.File)) string {
	t.Helper()
	screen, tty := openTerminal(t, columns)
	out := make(chan string)
	go func() {
		text, _ := io.ReadAll(screen) // ends with an error when the last writer has closed
		out <- string(text)
	}()
	do(tty)
	tty.Close()
	return <-out
}

func scanOn(stdout io.Writer, environment map[string]string, args ...string) int {
	e := &env{stdin: strings.NewReader(""), stdout: stdout, stderr: io.Discard, getenv: func(k string) string { return environment[k] }, now: time.Now}
	return run(context.Background(), e, append([]string{"waywarden", "scan", "../../examples/ineffective.yaml"}, args...))
}

// TestTerminal holds that colour and width are for a terminal that shows them, and for text alone.
func TestTerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		environment map[string]string
		args        []string
		color, wide bool
	}{
		"text":      {color: true},
		"NO_COLOR":  {environment: map[string]string{"NO_COLOR": "1"}},
		"TERM=dumb": {environment: map[string]string{"TERM": "dumb"}},
		"json":      {args: []string{"-o", "json"}, wide: true},
		"github":    {args: []string{"-o", "github"}, wide: true},
	} {
		t.Run(name, func(t *testing.T) {
			text := shown(t, 60, func(tty *os.File) {
				if status := scanOn(tty, tt.environment, tt.args...); status != 1 {
					t.Errorf("status %d", status)
				}
			})
			if color := strings.Contains(text, "\x1b["); color != tt.color {
				t.Errorf("colour: %v, want %v", color, tt.color)
			}
			wide := false
			for line := range strings.Lines(plain(text)) {
				if strings.Contains(line, "waywarden plan ") || strings.Contains(line, "waywarden explain ") {
					continue // a command stays in one piece, so that it can be copied
				}
				wide = wide || utf8.RuneCountInString(strings.TrimRight(line, "\r\n")) > 60
			}
			if wide != tt.wide {
				t.Errorf("a line wider than the terminal: %v, want %v:\n%s", wide, tt.wide, text)
			}
		})
	}
}

// plain is text without its colours.
func plain(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		b.WriteString(part)
	}
	return b.String()
}

// TestProgress holds that progress is told on a terminal, after a second and not before, and is
// gone at the end; and that nothing is told to a pipe.
func TestProgress(t *testing.T) {
	work := func(stderr io.Writer, d time.Duration) {
		e := &env{stderr: stderr}
		synctest.Test(t, func(*testing.T) {
			p := e.startProgress("reading files")
			p.to("judging")
			p.add(3, 12)
			time.Sleep(d)
			p.end()
		})
	}
	if text := shown(t, 80, func(tty *os.File) { work(tty, 900*time.Millisecond) }); text != "" {
		t.Errorf("something is told of work that takes less than a second: %q", text)
	}
	text := shown(t, 80, func(tty *os.File) { work(tty, 1100*time.Millisecond) })
	if want := "\r\x1b[Kjudging 3 of 12 …"; !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "\r\x1b[K") {
		t.Errorf("told is %q, want %q and nothing left of it", text, want)
	}
	var pipe strings.Builder
	if work(&pipe, 5*time.Second); pipe.Len() > 0 {
		t.Errorf("a pipe is told %q", pipe.String())
	}
}
