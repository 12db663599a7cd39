package certs

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mounted is a Secret as a kubelet mounts it: the files are links into a folder that is swapped as a whole.
type mounted string

func (dir mounted) write(t *testing.T, m *material, version string) {
	t.Helper()
	s := written(t, m)
	data := filepath.Join(string(dir), version)
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{keyLeaf, keyLeafKey} {
		if err := os.WriteFile(filepath.Join(data, name), s.Data[name], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(string(dir), name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	next := filepath.Join(string(dir), "..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(string(dir), "..data")); err != nil {
		t.Fatal(err)
	}
}

func (dir mounted) open() (*FileSource, error) {
	return Files(filepath.Join(string(dir), keyLeaf), filepath.Join(string(dir), keyLeafKey))
}

// TestFilesAreReloaded: a renewed certificate is served without a restart, and a broken one is not.
func TestFilesAreReloaded(t *testing.T) {
	dir := mounted(t.TempDir())
	first, second := at(t).stored, at(t).stored
	dir.write(t, first, "..1")
	f, err := dir.open()
	if err != nil {
		t.Fatal(err)
	}
	serves := func() *x509.Certificate {
		c, err := f.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	if !serves().Equal(first.leaf.Leaf) {
		t.Fatal("another certificate is served than the files hold")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Start(ctx) }()
	time.Sleep(100 * time.Millisecond) // a watch that begins after the swap would see nothing of it
	dir.write(t, second, "..2")
	for deadline := time.Now().Add(15 * time.Second); !serves().Equal(second.leaf.Leaf); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the certificate was not swapped")
		}
	}
	if err := os.WriteFile(filepath.Join(string(dir), "..2", keyLeaf), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if !serves().Equal(second.leaf.Leaf) {
		t.Error("a certificate was taken away that can be used")
	}
	if err := f.Ready(start); err != nil {
		t.Error(err)
	}
	if err := f.Ready(start.Add(31 * day)); err == nil || !strings.Contains(err.Error(), "2026-12-25") {
		t.Errorf("%v, want an error that says when it ended", err)
	}
	if end, ok := f.Expiry(); !ok || !end.Equal(start.Add(leafLife)) {
		t.Errorf("expiry %s", end)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	if _, err := mounted(t.TempDir()).open(); err == nil {
		t.Error("files that do not exist are served")
	}
	dir := mounted(t.TempDir())
	dir.write(t, at(t).stored, "..1")
	if err := os.WriteFile(filepath.Join(string(dir), "..1", keyLeafKey), written(t, at(t).stored).Data[keyLeafKey], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.open(); err == nil {
		t.Error("a certificate is served with another's key")
	}
}
