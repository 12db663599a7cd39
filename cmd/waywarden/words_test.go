package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

func TestKindsNamed(t *testing.T) {
	for word, want := range map[string][]mesh.Kind{
		"Service": {mesh.Service}, "services": {mesh.Service}, "SVC": {mesh.Service},
		"gateway": {mesh.Gateway, mesh.IstioGateway}, "gateways.gateway.networking.k8s.io": {mesh.Gateway},
		"gateways.v1.networking.istio.io": {mesh.IstioGateway}, "gw": {mesh.IstioGateway}, "gtw": {mesh.Gateway},
		"ap": {mesh.AuthorizationPolicy}, "authorizationpolicies.security.istio.io": {mesh.AuthorizationPolicy},
		"ServiceEntry": {mesh.ServiceEntry}, "deploy": {mesh.Deployment}, "po": {mesh.Pod}, "ns": {mesh.Namespace},
	} {
		got, err := kindsNamed(word)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q names %v (%v), want %v", word, got, err, want)
		}
	}
	for word, hint := range map[string]string{"servce": "did you mean service", "authorisationpolicy": "authorizationpolicy", "zzz": "", "services.acme.io": ""} {
		if _, err := kindsNamed(word); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v, want a hint at %q", word, err, hint)
		}
	}
}

// TestShortNames holds that no short name hides a kind or another's plural.
func TestShortNames(t *testing.T) {
	for short := range shortNames {
		for _, k := range mesh.Kinds() {
			if short == strings.ToLower(k.String()) && shortNames[short] != k {
				t.Errorf("%s is a kind of its own", short)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"crat": "cart", "carts": "cart", "car": "cart", "catalgo": "catalog", "orders": "", "": "", "xy": "",
	} {
		got := strings.Join(nearest(name, []string{"cart", "catalog"}), " ")
		if got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestProgramName(t *testing.T) {
	for arg0, want := range map[string]string{
		"waywarden": "waywarden", "/usr/bin/waywarden": "waywarden", "kubectl-waywarden": "kubectl waywarden",
		"/opt/krew/bin/kubectl-waywarden.exe": "kubectl waywarden", "./renamed": "waywarden",
	} {
		if got := programName(arg0); got != want {
			t.Errorf("%s is called as %q, want %q", arg0, got, want)
		}
	}
}
