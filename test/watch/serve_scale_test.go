//go:build cluster

package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// serveWhole measures a whole replica, with the zero-trust library, beside the watcher that does nothing else: until it is
// ready, and from then until everything was audited once.
func serveWhole(b *testing.B, c *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(b.Context(), 15*time.Minute)
	defer cancel()
	binary, err := serving.Build(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	balancer, err := serving.Balance()
	if err != nil {
		b.Fatal(err)
	}
	defer balancer.Close()
	if err := serving.Register(ctx, c, balancer.URL()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := serving.Start(binary, c.Kubeconfig, b.TempDir(), "--drain", "0s", "--zero-trust")
		if err != nil {
			b.Fatal(err)
		}
		balancer.Add(r.Addr)
		m, err := watchReplica(ctx, r)
		r.Kill()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(m.ready, "MiB-until-ready")
		b.ReportMetric(m.audited, "MiB-until-audited")
		b.ReportMetric(m.after, "MiB-after")
	}
}

// replicaMemory is the resident memory of a replica, in MiB: at most, but for after, which is a while later.
type replicaMemory struct{ ready, audited, after float64 }

func watchReplica(ctx context.Context, r *serving.Replica) (m replicaMemory, err error) {
	for {
		if m.ready = max(m.ready, replica(ctx, r, "process_resident_memory_bytes")/(1<<20)); r.Ready(ctx) == nil {
			break
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return m, errors.Join(err, r.Ready(ctx))
		}
	}
	for replica(ctx, r, `waywarden_audit_duration_seconds_count{pass="full"}`) < 1 {
		m.audited = max(m.audited, replica(ctx, r, "process_resident_memory_bytes")/(1<<20))
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return m, fmt.Errorf("nothing was audited: %w", err)
		}
	}
	err = pause(ctx, 30*time.Second)
	m.after = replica(ctx, r, "process_resident_memory_bytes") / (1 << 20)
	return m, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// replica is what a replica's metric says; 0 while it says nothing.
func replica(ctx context.Context, r *serving.Replica, metric string) float64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Metrics, nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), metric+" "); ok {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				return v
			}
		}
	}
	return 0
}
