package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
)

// refusal is an error of the API server as kubectl prints it (k8s.io/kubectl pkg/cmd/util/helpers.go, checkErr): a single
// refused object with its causes, several each in one line. ok is false for an error that is no answer of the API server.
func refusal(err error) (text string, ok bool) {
	if several, is := err.(utilerrors.Aggregate); is {
		var lines []string
		for _, e := range several.Errors() {
			var status apierrors.APIStatus
			if !errors.As(e, &status) {
				return "", false
			}
			lines = append(lines, fmt.Sprintf("Error from server (%s): %s", status.Status().Reason, e))
		}
		return strings.Join(lines, "\n"), true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "", false
	}
	s := status.Status()
	if !apierrors.IsInvalid(err) || s.Details == nil || len(s.Details.Causes) == 0 {
		return fmt.Sprintf("Error from server (%s): %s", s.Reason, err), true
	}
	var causes []string
	for _, c := range s.Details.Causes {
		if line := c.Field + ": " + c.Message; !slices.Contains(causes, line) {
			causes = append(causes, line)
		}
	}
	prefix := fmt.Sprintf("The %s %q is invalid: ", s.Details.Kind, s.Details.Name)
	if len(causes) == 1 {
		return prefix + causes[0], true
	}
	return prefix + "\n* " + strings.Join(causes, "\n* "), true
}
