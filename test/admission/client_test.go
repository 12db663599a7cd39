//go:build cluster

package admission

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/test/cluster"
)

// shown has the API server show a certificate to every webhook.
const shown = `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: KUBECONFIG}
- name: MutatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: KUBECONFIG}
`

const credentials = `
apiVersion: v1
kind: Config
users:
- name: "*"
  user: {client-certificate-data: CERTIFICATE, client-key-data: KEY}
`

// TestClientCertificate: a replica that asks for a certificate answers the API server, which has one, and nobody else.
func TestClientCertificate(t *testing.T) {
	t.Setenv(cluster.KubeconfigEnv, "")
	dir := t.TempDir()
	certificate, key := selfSignedClient(t, "kube-apiserver")
	put := func(name string, raw []byte) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ca := put("ca.crt", certificate)
	encoded := base64.StdEncoding.EncodeToString
	kubeconfig := put("webhooks.kubeconfig", []byte(strings.NewReplacer("CERTIFICATE", encoded(certificate), "KEY", encoded(key)).Replace(credentials)))
	config := put("admission.yaml", []byte(strings.ReplaceAll(shown, "KUBECONFIG", kubeconfig)))

	// inForce waits until the API server was refused the canary: so it was answered.
	w := startIn(t, cluster.Start(t, cluster.WithAPIServerFlag("admission-control-config-file", config)), 1, "--client-ca", ca, "--client-name", "kube-apiserver")
	w.shop()
	w.warnings.take()
	if err := w.create(object(t, in("shop", noOp)), true); err != nil {
		t.Fatal(err)
	}
	w.warned(noOpCheck)

	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Post("https://"+w.replicas[0].Addr+"/validate?timeout=3s", "application/json", bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(said), "shows no certificate") {
		t.Errorf("somebody without a certificate: %s %s, %v", resp.Status, said, err)
	}
}

// selfSignedClient is a certificate of a client, which is its own CA, and its key, as PEM.
func selfSignedClient(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(fmt.Errorf("encode a key: %w", err))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
