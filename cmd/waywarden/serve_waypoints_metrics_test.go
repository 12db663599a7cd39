package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestScrape: what a proxy counts is read where it says so, and what is no answer is an error.
func TestScrape(t *testing.T) {
	if (&waypointFlags{metrics: choice{value: "none"}}).scrape() != nil {
		t.Error("what nobody wants read is read")
	}
	for name, c := range map[string]struct {
		ip     string
		status int
		want   string // of the error; "" where there is none
	}{
		"answers":        {"127.0.0.1", http.StatusOK, ""},
		"answers badly":  {"127.0.0.1", http.StatusServiceUnavailable, "503"},
		"has no address": {"", http.StatusOK, "parse"},
		"has a name":     {"localhost", http.StatusOK, "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/stats/prometheus" {
					http.NotFound(w, r)
					return
				}
				w.WriteHeader(c.status)
				io.WriteString(w, "counted 1\n")
			}))
			defer server.Close()
			_, text, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			port, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			body, err := (&waypointFlags{metrics: choice{value: "pods"}, scraped: port}).scrape()(t.Context(), c.ip)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || string(got) != "counted 1\n" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
