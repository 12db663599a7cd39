package bundle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// patience is how long a registry has for all that is asked of it, where an Access does not say.
const patience = 30 * time.Second

// Access is how a registry is reached. The zero value asks without credentials. Nothing is tried twice.
type Access struct {
	// Credentials are those for a host; nil for none.
	Credentials func(ctx context.Context, host string) (auth.Credential, error)
	// Plain is whether a registry on this machine is spoken to in plain HTTP. Any other never is.
	Plain bool
	// Timeout bounds all of it; 0 for half a minute.
	Timeout time.Duration
}

// DockerCredentials are those of docker login: of ~/.docker/config.json, or of DOCKER_CONFIG, with the helpers that it names.
func DockerCredentials() (func(context.Context, string) (auth.Credential, error), error) {
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the credentials of docker login: %w", err)
	}
	return credentials.Credential(store), nil
}

// FileCredentials are those of a file as a Secret of type kubernetes.io/dockerconfigjson holds it. It is read whenever it is
// needed, because Secrets are renewed; helpers that it names are not run.
func FileCredentials(file string) func(context.Context, string) (auth.Credential, error) {
	return func(ctx context.Context, host string) (auth.Credential, error) {
		data, err := os.ReadFile(file)
		if err != nil {
			return auth.EmptyCredential, fmt.Errorf("read the credentials: %w", err)
		}
		store, err := credentials.NewMemoryStoreFromDockerConfig(data)
		if err != nil {
			return auth.EmptyCredential, fmt.Errorf("read the credentials in %s: they are no dockerconfigjson", file) // what is wrong with them may hold them
		}
		return credentials.Credential(store)(ctx, host)
	}
}

// within bounds what is asked of a registry.
func (a Access) within(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := a.Timeout
	if timeout == 0 {
		timeout = patience
	}
	return context.WithTimeout(ctx, timeout)
}

// repository is that of a reference.
func (a Access) repository(ref registry.Reference) *remote.Repository {
	plain := a.Plain && local(ref.Registry)
	return &remote.Repository{Reference: ref, PlainHTTP: plain, Client: &auth.Client{
		Client:     &http.Client{Transport: guard{plain}},
		Credential: a.Credentials,
		Cache:      auth.NewCache(),
	}}
}

// guard keeps redirections, and what else a registry sends somewhere, from plain HTTP.
type guard struct{ plain bool }

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !(g.plain && local(r.URL.Host)) {
		if r.Body != nil {
			r.Body.Close() // which a RoundTripper owes, whatever becomes of the request
		}
		return nil, fmt.Errorf("it leads to %s://%s, and only HTTPS is followed", r.URL.Scheme, r.URL.Host)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// local is whether a host, with its port or without, is this machine.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// refused is an error of asking a registry to deliver something, or to take it, as a Refusal.
func refused(verb string, ref registry.Reference, err error) error {
	if ReasonOf(err) != "" {
		return err
	}
	say := func(format string, args ...any) error {
		return refuse(Unavailable, "the registry does not %s %s: "+format, append([]any{verb, ref}, args...)...)
	}
	var response *errcode.ErrorResponse
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return say("%s did not answer in time. See whether it runs, and whether it can be reached from here.", ref.Host())
	case errors.Is(err, errdef.ErrNotFound):
		return say("there is no such repository in it, or nothing of that digest. Correct the reference, or push the bundle.")
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return say("it answers 401 Unauthorized. Give credentials that are allowed to.")
	case errors.As(err, &response) && (response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden):
		return say("it answers %d %s. Give credentials that are allowed to.", response.StatusCode, http.StatusText(response.StatusCode))
	case errors.As(err, &response):
		return say("it answers %d %s. See its log.", response.StatusCode, http.StatusText(response.StatusCode))
	}
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err // without the address, which after a redirection may hold a secret
	}
	return say("%v. See whether it can be reached from here.", err)
}
