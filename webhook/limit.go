package webhook

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
)

// margin is how long before the API server gives up an answer has to be there, so that it is read.
const margin = 300 * time.Millisecond

// defaultTimeout is what the API server grants where it does not say: the default of timeoutSeconds.
const defaultTimeout = 10 * time.Second

// maxTimeout is the longest that timeoutSeconds may be.
const maxTimeout = 30 * time.Second

// limit bounds how many requests are judged at a time, and how long each may take. What is beyond that is answered with
// an HTTP error at once, and a panic with one as well: the API server then does what failurePolicy says, which is for
// whoever installed the webhook to decide, and says to the requester why.
type limit struct {
	slots   chan struct{}
	log     logr.Logger
	dropped func(why string)
	next    http.Handler
}

func (l *limit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), budgetOf(r))
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		// Who sends a body byte by byte must not keep a slot. An error is a connection without deadlines, as in a test.
		_ = http.NewResponseController(w).SetReadDeadline(deadline)
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	default:
		if !l.wait(ctx) {
			l.dropped("overload")
			w.Header().Set("Retry-After", "1")
			http.Error(w, fmt.Sprintf("waywarden is overloaded: %d requests are being judged. Try again, or run more replicas.", cap(l.slots)), http.StatusServiceUnavailable)
			return
		}
		defer func() { <-l.slots }()
	}
	defer func() {
		if p := recover(); p != nil {
			l.dropped("panic")
			l.log.Error(fmt.Errorf("panic: %v", p), "a request could not be judged, which is a mistake in waywarden", "stack", string(debug.Stack()))
			http.Error(w, fmt.Sprintf("waywarden could not judge this, which is a mistake in waywarden: %v. Report it, with the object.", p), http.StatusInternalServerError)
		}
	}()
	l.next.ServeHTTP(w, r.WithContext(ctx))
}

func (l *limit) wait(ctx context.Context) bool {
	select {
	case l.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// budgetOf is how long a request may take: as long as the API server waits, which it says in the query (k8s.io/apiserver
// pkg/admission/plugin/webhook/validating/dispatcher.go), less the time for the answer to be read.
func budgetOf(r *http.Request) time.Duration {
	text := r.URL.Query().Get("timeout")
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d <= 0 {
		d = defaultTimeout
	}
	d = min(d, maxTimeout)
	return d - min(margin, d/2)
}
