package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/waywarden/waywarden/audit/report"
)

// env is what a command may touch of the world outside.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	// program is what the user calls: "waywarden", or "kubectl waywarden".
	program string
}

func systemEnv() *env {
	return &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: time.Now}
}

// programName is how the command was called: as kubectl's plugin it is a subcommand of kubectl.
func programName(arg0 string) string {
	name := strings.TrimSuffix(filepath.Base(arg0), ".exe")
	if strings.HasPrefix(name, "kubectl-") {
		return "kubectl " + strings.ReplaceAll(strings.TrimPrefix(name, "kubectl-"), "_", "-")
	}
	return "waywarden"
}

// terminal is the file behind a stream if that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}

// style is how text on a stream is laid out: plain, unless somebody looks at it. https://no-color.org
func (e *env) style(stream io.Writer) report.Style {
	s := report.Style{Program: e.program}
	fd, ok := terminal(stream)
	if !ok {
		return s
	}
	s.Color = e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(fd); err == nil {
		s.Width = width
	}
	return s
}
