package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/waywarden/waywarden/test/bench/reviews"
	"github.com/waywarden/waywarden/webhook"
)

// side is one of the two webhooks, and what was measured of it.
type side struct {
	name  string
	addr  string
	cmd   *exec.Cmd
	times map[int][]time.Duration // by number of connections
	rates map[int][]float64       // requests a second, one a round
	cpu   map[int]time.Duration   // what the process took of the processors
}

var connections = []int{1, 8}

// measure asks both sides in turns, and prints what came of it.
func (o options) measure(ctx context.Context) error {
	bodies, err := reviews.Bodies(o.mesh())
	if err != nil {
		return err
	}
	sides := []*side{{name: "noop"}, {name: "waywarden"}}
	for _, s := range sides {
		if err := o.start(ctx, s); err != nil {
			return err
		}
		defer s.stop()
	}
	for _, n := range connections {
		for round := range o.rounds + 1 {
			for _, s := range sides {
				if err := s.ask(ctx, bodies, n, o.duration, round == 0); err != nil { // the first round only warms up
					return err
				}
			}
		}
	}
	o.print(sides)
	return nil
}

func (o options) start(ctx context.Context, s *side) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	l.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.times, s.rates, s.cpu = map[int][]time.Duration{}, map[int][]float64{}, map[int]time.Duration{}
	s.cmd = exec.CommandContext(ctx, self, "-serve", s.name, "-addr", s.addr, "-services", fmt.Sprint(o.services), "-pods", fmt.Sprint(o.pods),
		"-policies", fmt.Sprint(o.policies), "-seed", fmt.Sprint(o.seed), fmt.Sprintf("-library=%t", o.library))
	s.cmd.Stdout, s.cmd.Stderr = os.Stderr, os.Stderr
	if s.name == "waywarden" {
		s.cmd.Env = append(os.Environ(), "GOGC="+o.garbage, "GOMEMLIMIT=921MiB") // as of the chart
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if resp, err := client(1).Get("https://" + s.addr + "/ready"); err == nil {
			resp.Body.Close()
			return nil
		}
	}
	return fmt.Errorf("%s does not answer", s.name)
}

func (s *side) stop() {
	_ = s.cmd.Process.Kill() // it may have ended by itself, and Wait says so
	_ = s.cmd.Wait()
}

func client(connections int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, ForceAttemptHTTP2: false,
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}, // an API server speaks HTTP/1.1 to webhooks
	}}
}

// ask sends the requests one after another over each of n connections.
func (s *side) ask(ctx context.Context, bodies [][]byte, n int, d time.Duration, warm bool) error {
	if warm {
		d = min(d, time.Second)
	}
	c := client(n)
	defer c.CloseIdleConnections()
	times := make([][]time.Duration, n)
	errs := make([]error, n)
	var group sync.WaitGroup
	before := s.processor()
	start := time.Now()
	for i := range n {
		group.Go(func() {
			for k := i * len(bodies) / n; time.Since(start) < d && ctx.Err() == nil; k++ {
				from := time.Now()
				if errs[i] = one(c, s.addr, bodies[k%len(bodies)]); errs[i] != nil {
					return
				}
				times[i] = append(times[i], time.Since(from))
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil || warm {
		return err
	}
	all := slices.Concat(times...)
	s.times[n] = append(s.times[n], all...)
	s.cpu[n] += s.processor() - before
	s.rates[n] = append(s.rates[n], float64(len(all))/time.Since(start).Seconds())
	return ctx.Err()
}

func one(c *http.Client, addr string, body []byte) error {
	resp, err := c.Post("https://"+addr+webhook.ValidatePath+"?timeout=3s", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"uid":"request-`)) {
		return fmt.Errorf("answered %s: %.200s", resp.Status, answer)
	}
	return nil
}

func (o options) print(sides []*side) {
	fmt.Printf("mesh: %d Services, %d Pods, %d AuthorizationPolicies, seed %d; library %t; %d rounds of %s for each, in turns\n",
		o.services, o.services*o.pods, o.services*o.policies, o.seed, o.library, o.rounds, o.duration)
	fmt.Printf("%-11s %5s %9s %9s %9s %9s %9s %9s\n", "webhook", "conns", "p50", "p90", "p99", "req/s", "CPU/req", "MiB")
	for _, n := range connections {
		for _, s := range sides {
			fmt.Printf("%-11s %5d %9s %9s %9s %9.0f %9s %9s\n", s.name, n, s.at(n, 50), s.at(n, 90), s.at(n, 99), mean(s.rates[n]), s.each(n), s.resident())
		}
		noop, ours := sides[0], sides[1]
		fmt.Printf("%-11s %5d %8.2fx %8.2fx %8.2fx %8.2fx %8.2fx\n", "ratio", n, ratio(ours.at(n, 50), noop.at(n, 50)), ratio(ours.at(n, 90), noop.at(n, 90)),
			ratio(ours.at(n, 99), noop.at(n, 99)), mean(ours.rates[n])/mean(noop.rates[n]), ratio(ours.each(n), noop.each(n)))
	}
}

func (s *side) at(n, percentile int) time.Duration {
	t := s.times[n]
	if len(t) == 0 {
		return 0
	}
	slices.Sort(t)
	return t[min(len(t)-1, len(t)*percentile/100)].Round(time.Microsecond)
}

// each is what one request took of the processors, which repeats even where others keep them busy.
func (s *side) each(n int) time.Duration {
	return (s.cpu[n] / time.Duration(max(1, len(s.times[n])))).Round(time.Microsecond)
}

// tick is the unit of /proc/PID/stat on Linux (USER_HZ).
const tick = 10 * time.Millisecond

// processor is what the process has taken of the processors so far.
func (s *side) processor() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11]) // what is no number counts as nothing
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// resident is what the process holds of memory, as Linux counts it.
func (s *side) resident() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib int
			if _, err := fmt.Sscanf(text, "%d kB", &kib); err == nil {
				return fmt.Sprint(kib / 1024)
			}
		}
	}
	return "?"
}
