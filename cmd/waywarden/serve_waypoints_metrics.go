package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/waywarden/waywarden/waypoints"
)

// scrapeTimeout is how long one proxy may take to say what it counts.
const scrapeTimeout = 5 * time.Second

// scrape reads what the proxy of a pod counts; nil where that is not wanted. Envoy's pilot-agent and ztunnel answer at the same port
// and path.
func (w *waypointFlags) scrape() waypoints.Scrape {
	if w.metrics.value != "pods" {
		return nil
	}
	client, port := &http.Client{Timeout: scrapeTimeout}, uint16(w.scraped)
	return func(ctx context.Context, podIP string) (io.ReadCloser, error) {
		ip, err := netip.ParseAddr(podIP)
		if err != nil {
			return nil, err
		}
		url := "http://" + netip.AddrPortFrom(ip, port).String() + "/stats/prometheus"
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "text/plain;version=0.0.4")
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			resp.Body.Close()
			return nil, fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return resp.Body, nil
	}
}
