package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/memory"
	"github.com/waywarden/waywarden/test/bench/filemesh"
	"github.com/waywarden/waywarden/test/bench/reviews"
	"github.com/waywarden/waywarden/webhook"
)

// answer serves one of the two webhooks until ctx ends.
func (o options) answer(ctx context.Context) error {
	ctrllog.SetLogger(logr.Discard())
	host, port, err := net.SplitHostPort(o.addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{Host: host, Port: number, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	}}})
	handler := http.Handler(&admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return admission.Allowed("") })})
	if o.serve == "waywarden" {
		limits := memory.Limit(slog.New(slog.DiscardHandler), os.Getenv)
		defer limits.Stop()
		a, err := reviews.Admission(o.mesh(), reviews.Checks(o.library))
		if err != nil {
			return err
		}
		handler = a.Validating()
		limits.Serve()
	}
	server.Register(webhook.ValidatePath, handler)
	server.Register("/ready", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	return server.Start(ctx)
}

func (o options) mesh() filemesh.Options {
	return filemesh.Options{Policies: o.services * o.policies, PerNamespace: filemesh.ServicesPerNamespace * o.policies, Pods: o.pods, Seed: o.seed}
}

func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "load"}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
