package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// imageRegistry is a registry for images on this machine; with a login, as in "name:password", only for who gives that.
func imageRegistry(login string) *httptest.Server {
	next := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); login != "" && name+":"+password != login {
			w.Header().Set("WWW-Authenticate", `Basic realm="rules"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// startRegistry starts a registry, and sets a variable to its host and port.
func startRegistry(ts *testscript.TestScript, _ bool, args []string) {
	login := ""
	if len(args) > 1 {
		login = args[1]
	}
	s := imageRegistry(login)
	ts.Defer(s.Close)
	ts.Setenv(args[0], strings.TrimPrefix(s.URL, "http://"))
}

// login leaves credentials for a registry where docker login does.
func login(ts *testscript.TestScript, _ bool, args []string) {
	file := filepath.Join(ts.Getenv("HOME"), ".docker", "config.json")
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o700))
	ts.Check(os.WriteFile(file, fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, args[0], base64.StdEncoding.EncodeToString([]byte(args[1]))), 0o600))
}

// capture sets a variable to what the last command printed.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}
