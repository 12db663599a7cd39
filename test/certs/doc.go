// Package certs holds the certificates of the admission webhooks to an API server: rotations under load, races at the
// start, what others do to the Secret and the webhook configurations, and what the canary makes of an answer.
package certs
