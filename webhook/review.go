package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// maxBody is the largest AdmissionReview that is read: two objects of the 3 MiB that an API server takes at most
// (k8s.io/apiserver pkg/server/config.go MaxRequestBodyBytes), and what is said about them.
const maxBody = 7 << 20

// expectedBody is for how much room is made because a request says that it will send as much.
const expectedBody = 64 << 10

// notReview is why a body is no AdmissionReview, and the HTTP status that says so.
type notReview struct {
	status int
	why    string
}

// readReview is what an API server asks. What no API server sends is answered with an HTTP error: an answer to it would
// be an AdmissionReview that belongs to no request. body is room to read into, of which nothing is kept.
func readReview(w http.ResponseWriter, r *http.Request, body *bytes.Buffer) (*ctrladmission.Request, *notReview) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &notReview{http.StatusMethodNotAllowed, "the method is " + r.Method + ". Use POST"}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &notReview{http.StatusUnsupportedMediaType, fmt.Sprintf("the Content-Type is %q. Send application/json", r.Header.Get("Content-Type"))}
	}
	body.Reset()
	body.Grow(bytes.MinRead + int(min(max(0, r.ContentLength), expectedBody)))
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &notReview{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes. Send less", maxBody)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &notReview{http.StatusRequestTimeout, "the body did not come in time. Send it at once"}
	case err != nil:
		return nil, &notReview{http.StatusBadRequest, "the body broke off: " + err.Error() + ". Send all of it"}
	}
	return parseReview(body.Bytes())
}

// parseReview reads the body of a request.
func parseReview(body []byte) (*ctrladmission.Request, *notReview) {
	bad := func(why string) (*ctrladmission.Request, *notReview) {
		return nil, &notReview{http.StatusBadRequest, why}
	}
	var review admissionv1.AdmissionReview
	switch err := jsonv2.Unmarshal(body, &review, lastWins); {
	case err == nil:
	case !utf8.Valid(body):
		return bad("the body is not UTF-8. Send JSON as an API server does")
	default:
		return bad("the body cannot be read: " + err.Error() + ". Send JSON as an API server does")
	}
	switch {
	case review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String():
		return bad(fmt.Sprintf("the body is a %.100q of %.100q. Send an AdmissionReview of %s", review.Kind, review.APIVersion, admissionv1.SchemeGroupVersion))
	case review.Request == nil:
		return bad("the AdmissionReview holds no request. Send one as an API server does")
	case review.Request.UID == "":
		return bad("the AdmissionReview has no request.uid, so that no answer to it could be told from others. Send one as an API server does")
	}
	return &ctrladmission.Request{AdmissionRequest: *review.Request}, nil
}

// writeReview sends an answer.
func writeReview(w http.ResponseWriter, response *ctrladmission.Response) error {
	review := admissionv1.AdmissionReview{Response: &response.AdmissionResponse}
	review.APIVersion, review.Kind = admissionv1.SchemeGroupVersion.String(), "AdmissionReview"
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(review)
}
