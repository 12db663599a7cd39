package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"waywarden": main, "kubectl-waywarden": main, "waywarden-in-december": inDecember})
}

// inDecember is the program as it runs in the morning of the first of December 2026: what becomes of Exemptions depends on
// when one asks.
func inDecember() {
	e := systemEnv()
	e.now = func() time.Time { return time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC) }
	os.Exit(run(context.Background(), e, append([]string{"waywarden"}, os.Args[1:]...)))
}

// TestScripts runs the command line as people do. `status N command…` runs a command that has to
// end with that status; `keypair PRIVATE PUBLIC [ecdsa]` makes keys; `registry VAR [NAME:PASSWORD]`
// starts a registry for images, `login HOST NAME:PASSWORD` does as docker login does, `capture VAR` keeps what a command printed; `bigfile NAME BYTES`, `bomb NAME` and `deep NAME DEPTH` make input that no archive should hold;
// `apiserver KUBECONFIG [CHANGES]` answers as a recorded API server did, but for the changes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update, RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("KUBECONFIG", e.Getenv("WORK")+"/no-kubeconfig")
			e.Setenv("HOME", e.Getenv("WORK"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": wantStatus, "bigfile": bigFile, "bomb": bomb, "deep": deep, "apiserver": apiServer, "keypair": keyPair,
			"registry": startRegistry, "login": login, "capture": capture,
		},
	})
}

func wantStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

func bigFile(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat("# comment\n", n/10)), 0o644))
}

func keyPair(ts *testscript.TestScript, _ bool, args []string) {
	var private, public []byte
	if len(args) == 3 {
		private, public = ecdsaPair(ts)
	} else {
		open, secret, err := ed25519.GenerateKey(rand.Reader)
		ts.Check(err)
		private, public = inPEM(ts, secret, open)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), private, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), public, 0o644))
}

// failer is what a test ends by.
type failer interface {
	Fatalf(format string, args ...any)
}

func ecdsaPair(t failer) (private, public []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return inPEM(t, key, key.Public())
}

func inPEM(t failer, secret, open any) (private, public []byte) {
	one, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatalf("%v", err)
	}
	other, err := x509.MarshalPKIXPublicKey(open)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: one}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other})
}

func deep(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("apiVersion: v1\nkind: Namespace\nmetadata: "+strings.Repeat("[", n)), 0o644))
}

// bomb writes aliases of aliases: a few lines that stand for 10^9 items.
func bomb(ts *testscript.TestScript, _ bool, args []string) {
	var b strings.Builder
	b.WriteString("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: bomb, namespace: shop}\nspec:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}
