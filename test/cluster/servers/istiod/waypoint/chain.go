package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	jwt "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	rbachttp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbactcp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Chain is one filter chain.
type Chain struct {
	Name    string   `json:"name"` // as in "inbound-vip|80|http|cart.shop.svc.cluster.local", or "direct-tcp"
	Reached []Reach  `json:"reached"`
	Filters []Filter `json:"filters"` // in the order in which they run, those of HTTP too
}

// Filter is one filter of a chain.
type Filter struct {
	Name string `json:"name"`
	Type string `json:"type"` // that of its configuration; "" where it is discovered
	HTTP bool   `json:"http"`
	// Rules and ShadowRules are those of a filter of type RBAC; ShadowPrefix says what the latter are for.
	Rules        *Rules `json:"rules,omitempty"`
	ShadowRules  *Rules `json:"shadowRules,omitempty"`
	ShadowPrefix string `json:"shadowPrefix,omitempty"`
	// Issuers are those of a filter of type JwtAuthentication.
	Issuers []string `json:"issuers,omitempty"`
}

// Rules are what an RBAC filter compares, each rule by istiod's name for it.
type Rules struct {
	Action   string                     `json:"action"`
	Policies map[string]json.RawMessage `json:"policies"`
}

func chainsOf(l *listener.Listener) ([]Chain, error) {
	reached, err := reaches(l.GetFilterChainMatcher())
	if err != nil {
		return nil, err
	}
	var out []Chain
	for _, c := range l.GetFilterChains() {
		chain := Chain{Name: c.GetName(), Reached: reached[c.GetName()]}
		for _, f := range c.GetFilters() {
			filters, err := networkFilter(f)
			if err != nil {
				return nil, fmt.Errorf("chain %s: filter %s: %w", c.GetName(), f.GetName(), err)
			}
			chain.Filters = append(chain.Filters, filters...)
		}
		out = append(out, chain)
	}
	return out, nil
}

// networkFilter is a filter, followed by those of HTTP inside it.
func networkFilter(f *listener.Filter) ([]Filter, error) {
	out := Filter{Name: f.GetName(), Type: typeOf(f.GetTypedConfig())}
	switch config := f.GetTypedConfig(); out.Type {
	case "envoy.extensions.filters.network.rbac.v3.RBAC":
		var r rbactcp.RBAC
		if err := config.UnmarshalTo(&r); err != nil {
			return nil, err
		}
		err := out.compare(r.GetRules(), r.GetShadowRules(), r.GetShadowRulesStatPrefix())
		return []Filter{out}, err
	case "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager":
		var m hcm.HttpConnectionManager
		if err := config.UnmarshalTo(&m); err != nil {
			return nil, err
		}
		all := []Filter{out}
		for _, h := range m.GetHttpFilters() {
			inner, err := httpFilter(h)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", h.GetName(), err)
			}
			all = append(all, inner)
		}
		return all, nil
	}
	return []Filter{out}, nil
}

func httpFilter(f *hcm.HttpFilter) (Filter, error) {
	out := Filter{Name: f.GetName(), Type: typeOf(f.GetTypedConfig()), HTTP: true}
	switch config := f.GetTypedConfig(); out.Type {
	case "envoy.extensions.filters.http.rbac.v3.RBAC":
		var r rbachttp.RBAC
		if err := config.UnmarshalTo(&r); err != nil {
			return out, err
		}
		return out, out.compare(r.GetRules(), r.GetShadowRules(), r.GetShadowRulesStatPrefix())
	case "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication":
		var j jwt.JwtAuthentication
		if err := config.UnmarshalTo(&j); err != nil {
			return out, err
		}
		for _, p := range j.GetProviders() {
			out.Issuers = append(out.Issuers, p.GetIssuer())
		}
		slices.Sort(out.Issuers)
	}
	return out, nil
}

// typeOf is the type of a configuration without the host that all of them have in front.
func typeOf(config *anypb.Any) string {
	return config.GetTypeUrl()[strings.LastIndexByte(config.GetTypeUrl(), '/')+1:]
}

func (f *Filter) compare(rules, shadow *rbac.RBAC, prefix string) (err error) {
	if f.Rules, err = rulesOf(rules); err != nil {
		return err
	}
	f.ShadowPrefix = prefix
	f.ShadowRules, err = rulesOf(shadow)
	return err
}

func rulesOf(r *rbac.RBAC) (*Rules, error) {
	if r == nil {
		return nil, nil
	}
	out := &Rules{Action: r.GetAction().String(), Policies: map[string]json.RawMessage{}}
	for name, p := range r.GetPolicies() {
		raw, err := jsonOf(p)
		if err != nil {
			return nil, err
		}
		out.Policies[name] = raw
	}
	return out, nil
}

func jsonOf(m proto.Message) (json.RawMessage, error) {
	raw, err := protojson.Marshal(m)
	return raw, err
}
