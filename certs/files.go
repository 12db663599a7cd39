package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// FileSource is a serving certificate that somebody else puts into files: cert-manager, through a mounted Secret.
// Whoever does puts its CA into the webhook configurations, too.
type FileSource struct {
	watcher  *certwatcher.CertWatcher
	certFile string
}

// Files reads a PEM certificate chain and its key. It fails where they cannot be read or do not belong together; later,
// once started, it keeps the last pair that did.
func Files(certFile, keyFile string) (*FileSource, error) {
	w, err := certwatcher.New(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	return &FileSource{w, certFile}, nil
}

// GetCertificate is for tls.Config. It reads memory only.
func (f *FileSource) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.watcher.GetCertificate(hello)
}

// Expiry is when the certificate that is served ends.
func (f *FileSource) Expiry() (time.Time, bool) {
	c, err := f.watcher.GetCertificate(nil)
	if err != nil || c == nil || c.Leaf == nil {
		return time.Time{}, false
	}
	return c.Leaf.NotAfter, true
}

// Ready is nil while the certificate is valid. Whether callers trust its CA is for whoever issued it, and measured by
// the [Canary].
func (f *FileSource) Ready(now time.Time) error {
	c, err := f.watcher.GetCertificate(nil)
	switch {
	case err != nil:
		return err
	case c == nil || c.Leaf == nil:
		return fmt.Errorf("no webhook can be served: %s holds no certificate", f.certFile)
	case !valid(c.Leaf, now):
		return fmt.Errorf("API servers refuse the serving certificate: %s is valid from %s to %s only. Check who renews it", f.certFile, stamp(c.Leaf.NotBefore), stamp(c.Leaf.NotAfter))
	}
	return nil
}

// NeedLeaderElection is false: every replica serves.
func (f *FileSource) NeedLeaderElection() bool { return false }

// Start swaps the certificate whenever the files change, until the context ends.
func (f *FileSource) Start(ctx context.Context) error { return f.watcher.Start(ctx) }
