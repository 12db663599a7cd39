package waypoints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Istiods say how to ask istiod what its proxies run with. The zero value asks nobody.
type Istiods struct {
	// URLs are where each istiod answers below /debug, as in "http://10.0.0.7:8080"; they are asked each time. None means that
	// istiod is not asked.
	URLs func() []string
	// TokenFile holds a token for the audience istio-ca, sent with each request; "" sends none. istiod takes requests
	// without one from its own host only, and with one from accounts of its own namespace or of those that
	// DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES names (pilot/pkg/xds/debug.go allowAuthenticatedOrLocalhost).
	TokenFile string
}

const (
	synczTimeout = 3 * time.Second
	synczLimit   = 64 << 20
	// skew is how far istiod's clock may be from ours.
	skew = time.Second
)

// proxy is one line of /debug/syncz (pilot/pkg/xds/debug.go SyncStatus).
type proxy struct {
	ID        string              `json:"proxy"` // as in "waypoint-5d8f-x2.shop"
	Type      string              `json:"proxy_type"`
	Resources map[string]resource `json:"resources"` // by type URL
}

// resource is how far a proxy is with one type of its configuration: nonces, when the last one was sent, and what the
// proxy has said against one.
type resource struct {
	Sent      string    `json:"sent"`
	Acked     string    `json:"acked"`
	SentTime  time.Time `json:"sentTime"`
	LastError string    `json:"lastError"`
}

const ztunnelType = "ztunnel"

// deciding are the types that decide what steps write: of a ztunnel, bindings and policies; of a waypoint, what it serves
// and which policies are on it. A push of endpoints, of which there is always one, says nothing about them.
func deciding(proxyType string) []string {
	if proxyType == ztunnelType {
		return []string{"type.googleapis.com/istio.workload.Address", "type.googleapis.com/istio.security.Authorization"}
	}
	return []string{"type.googleapis.com/envoy.config.cluster.v3.Cluster", "type.googleapis.com/envoy.config.listener.v3.Listener"}
}

// read asks every istiod. The error is for one that does not answer, and for there being none to ask.
func (i Istiods) read(ctx context.Context) ([]proxy, error) {
	var urls []string
	if i.URLs != nil {
		urls = i.URLs()
	}
	if len(urls) == 0 {
		return nil, errors.New("no istiod is asked")
	}
	token := ""
	if i.TokenFile != "" {
		raw, err := os.ReadFile(i.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read the token for istiod: %w", err)
		}
		token = strings.TrimSpace(string(raw))
	}
	answers, errs := make([][]proxy, len(urls)), make([]error, len(urls))
	var group sync.WaitGroup
	for n, url := range urls { // all at a time, so that those who do not answer are waited for together
		group.Go(func() { answers[n], errs[n] = ask(ctx, strings.TrimSuffix(url, "/")+"/debug/syncz", token) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("ask istiod what its proxies run with: %w", err)
		}
	}
	return slices.Concat(answers...), nil
}

func ask(ctx context.Context, url, token string) ([]proxy, error) {
	ctx, cancel := context.WithTimeout(ctx, synczTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	var out []proxy
	if err := json.NewDecoder(io.LimitReader(resp.Body, synczLimit)).Decode(&out); err != nil {
		return nil, fmt.Errorf("%s does not answer what it should: %w", url, err)
	}
	return out, nil
}

// away is a proxy that has to be connected and is not. It may run all the same, with what it was sent last.
type away string

func (id away) Error() string { return string(id) + " is not connected to any istiod that was asked" }

// acknowledged is up to when the proxies run with all that was stored: each of the expected ones, which are named as
// istiod names them, is connected, and has taken the last of what it was sent. settle is how long istiod may take to send
// what is stored; a push that was sent later than that counts at once.
//
// The error says which proxy is behind. Then nothing is known to be acknowledged that was not before.
func acknowledged(proxies []proxy, expected []string, now time.Time, settle time.Duration) (time.Time, error) {
	connected := map[string]bool{}
	var pushed time.Time // the oldest of the last pushes
	for _, p := range proxies {
		connected[p.ID] = true
		for _, url := range slices.Sorted(maps.Keys(p.Resources)) {
			switch r := p.Resources[url]; {
			case r.LastError != "":
				return time.Time{}, fmt.Errorf("%s refuses its configuration: %s", p.ID, r.LastError)
			case r.Sent != r.Acked:
				return time.Time{}, fmt.Errorf("%s has not yet taken what istiod sent at %s", p.ID, r.SentTime.UTC().Format(time.TimeOnly))
			}
		}
		for _, url := range deciding(p.Type) {
			if sent := p.Resources[url].SentTime; pushed.IsZero() || sent.Before(pushed) {
				pushed = sent
			}
		}
	}
	for _, id := range expected {
		if !connected[id] {
			return time.Time{}, away(id)
		}
	}
	out := now.Add(-settle)
	if pushed = pushed.Add(-skew); pushed.After(out) && pushed.Before(now) {
		out = pushed
	}
	return out, nil
}
