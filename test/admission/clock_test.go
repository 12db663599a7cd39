//go:build cluster

package admission

import "time"

// tomorrow is when an Exemption of a test ends.
func tomorrow() string { return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339) }
