package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"
)

const recording = "../../inventory/testdata/cluster.txtar"

const kubeconfig = `apiVersion: v1
kind: Config
current-context: recorded
clusters: [{name: c, cluster: {server: "%s"}}]
contexts: [{name: recorded, context: {cluster: c, user: u, namespace: shop}}]
users: [{name: u, user: {token: t}}]
`

// apiServer answers with the recording: sections are called "200 /path", and what has none is not
// found. A change takes the place of the section with its path.
func apiServer(ts *testscript.TestScript, _ bool, args []string) {
	raw, err := os.ReadFile(recording)
	ts.Check(err)
	sections := txtar.Parse(raw).Files
	if len(args) > 1 {
		sections = append(sections, txtar.Parse([]byte(ts.ReadFile(args[1]))).Files...)
	}
	status, body := map[string]int{}, map[string][]byte{}
	for _, s := range sections {
		var code int
		var path string
		_, err := fmt.Sscan(s.Name, &code, &path)
		ts.Check(err)
		status[path], body[path] = code, s.Data
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if r.Method != http.MethodGet {
			http.Error(w, "read-only", http.StatusMethodNotAllowed)
			return
		}
		if token := r.URL.Query().Get("continue"); token != "" {
			path += "?continue=" + token
		}
		w.Header().Set("Content-Type", "application/json")
		if status[path] == 0 {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"not found"}`)
			return
		}
		w.WriteHeader(status[path])
		_, _ = w.Write(body[path])
	}))
	ts.Defer(server.Close)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(kubeconfig, "%s", server.URL, 1)), 0o600))
}
