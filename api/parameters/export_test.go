package parameters

import "github.com/waywarden/waywarden/api/v1alpha1"

// Deployed is the Deployment that a default installation of Istio makes for a waypoint by a profile, whether an API server takes it or not.
func Deployed(spec *v1alpha1.WaypointProfileSpec) (map[string]any, error) {
	data, err := Render(spec)
	if err != nil {
		return nil, err
	}
	return merge(rendered()[Deployment], data[Deployment], Deployment)
}
