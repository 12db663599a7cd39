package inventory

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/waywarden/waywarden/policies/mesh"
)

// patience is how often a kind that has never been read may fail to be listed before the others no longer wait for it.
const patience = 3

// fail is told that a resource could not be listed.
//
// "You may not" counts at once, and for what was read before as well: what is no longer shown is not known, and a
// policy that was there an hour ago is not one that is there. "There is no such resource" has no objects, as long as
// rediscovery does not find it in another version. Everything else passes, so what was known stays known; a kind that was
// never read is given up for the time being when the API server has answered so a few times.
//
// It returns whether to ask at once what the cluster serves.
func (m *mirror) fail(s *source, err error) (rediscover bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.stopped {
		return false
	}
	s.trouble = whyNot(err)
	s.failures++
	switch {
	case apierrors.IsNotFound(err):
		s.settled, s.missing = true, true
		m.settle(s.kind)
		return !s.revived
	case apierrors.IsForbidden(err), !s.settled && definite(err) && s.failures >= patience:
		u := s.resource.unread(whyNot(err))
		s.settled, s.unread = true, &u
		m.settle(s.kind, s.clear()...)
	}
	return false
}

// stall is told that no news comes of a resource for now.
func (m *mirror) stall(s *source, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.trouble = why
}

// clear forgets all objects, and says which ones.
func (s *source) clear() []name { return s.replace(nil) }

// definite is whether it is an answer, and not a plea to come again.
func definite(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !apierrors.IsTooManyRequests(err) && !apierrors.IsServiceUnavailable(err) &&
		!apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err)
}

// unread are the kinds that the cluster does not show, in the order of mesh.Kinds.
func (m *mirror) unread() []Unread {
	var out []Unread
	for _, kind := range mesh.Kinds() {
		for _, s := range m.of(kind) {
			if s.unread != nil {
				out = append(out, *s.unread)
			}
		}
	}
	out = append(out, m.silent...)
	sortUnread(out)
	return out
}

// unheard are the kinds of which the first list has not come, where the others are known already: a CRD that was just installed, and
// evidence that rules have just begun to ask for. That there is none of them is not known yet. It is not so much as that they may not be
// read: nothing names what nobody could have stored, so what is known stays whole.
func (m *mirror) unheard() []Unread {
	var out []Unread
	for _, kind := range mesh.Kinds() {
		for _, s := range m.of(kind) {
			if s.unread == nil && (!s.settled || s.revived && !s.missing && !s.again) {
				out = append(out, s.resource.unread("it has not been listed yet"))
			}
		}
	}
	return out
}
