package serving

import (
	"os"
	"path/filepath"
	"sync"
)

// Built is the binary, built once for all tests of a package whose TestMain calls Main.
var Built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "waywarden-binary-")
	if err != nil {
		return "", err
	}
	return Build(dir)
})

// Main runs the tests of a package, a *testing.M, removes what was built for them, and exits with their status.
func Main(tests interface{ Run() int }) {
	status := tests.Run()
	if file, err := Built(); err == nil {
		os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(status)
}
