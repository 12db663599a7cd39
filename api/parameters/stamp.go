package parameters

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
)

// StampAnnotation is on each object that istiod makes by parameters and of which an API server may refuse what they ask for: the Deployment, the
// autoscaler and the disruption budget. istiod only logs what it cannot apply, so this is how anybody can tell whether it did. It is on no
// pod: other parameters are no reason to replace one.
const StampAnnotation = "waywarden.dev/parameters"

// Stamped are the keys of the overlays that have it.
var Stamped = []string{Deployment, HorizontalPodAutoscaler, PodDisruptionBudget}

// stamp puts into overlays what they all ask for, as a hash. A patch can have made something of their metadata that has no annotations,
// which Check refuses.
func stamp(overlays map[string]object) error {
	if len(overlays) == 0 {
		return nil
	}
	raw, err := json.Marshal(overlays)
	if err != nil {
		return fmt.Errorf("hash the parameters: %w", err)
	}
	// The letter keeps YAML from taking it for a number.
	hash := fmt.Sprintf("p%x", sha256.Sum256(raw))[:17]
	if overlays[Deployment] == nil {
		overlays[Deployment] = object{}
	}
	for _, key := range Stamped {
		if overlay := overlays[key]; overlay != nil {
			if annotations := within(within(overlay, "metadata"), "annotations"); annotations != nil {
				annotations[StampAnnotation] = hash
			}
		}
	}
	return nil
}

// within is a mapping in another one, made where there is none; nil where something else is there.
func within(o object, key string) object {
	if o == nil {
		return nil
	}
	if _, ok := o[key]; !ok {
		o[key] = object{}
	}
	inner, _ := o[key].(object)
	return inner
}

// StampOf is the stamp in what Render gave; "" where there is none.
func StampOf(data map[string]string) string {
	_, after, _ := strings.Cut(data[Deployment], "\n    "+StampAnnotation+": ")
	value, _, _ := strings.Cut(after, "\n")
	return value
}
