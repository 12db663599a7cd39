package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	matcher "github.com/cncf/xds/go/xds/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Reach is one way that leads to a chain.
type Reach struct {
	Address string `json:"address"` // a CIDR
	Port    string `json:"port"`    // "" is any
	HTTP    bool   `json:"http"`    // only where the call turns out to be HTTP
	Other   bool   `json:"other"`   // only where it does not
}

// reaches are the ways to each chain, by its name.
func reaches(m *matcher.Matcher) (map[string][]Reach, error) {
	out := map[string][]Reach{}
	if m == nil {
		return out, nil
	}
	return out, walk(m, Reach{}, out)
}

// walk follows a matcher to all of its ends.
func walk(m *matcher.Matcher, at Reach, out map[string][]Reach) error {
	tree := m.GetMatcherTree()
	if tree == nil {
		return fmt.Errorf("a matcher of a kind that is not known here: %v", m)
	}
	input := tree.GetInput().GetName()
	if custom := tree.GetCustomMatch(); custom != nil {
		if err := walkAddresses(tree, at, out); err != nil {
			return err
		}
	}
	entries := tree.GetExactMatchMap().GetMap()
	for _, value := range slices.Sorted(maps.Keys(entries)) {
		next := at
		switch input {
		case "port":
			next.Port = value
		case "application-protocol":
			next.HTTP = true
		default:
			return fmt.Errorf("a matcher on %q, which is not known here", input)
		}
		if err := follow(entries[value], next, out); err != nil {
			return err
		}
	}
	if m.GetOnNoMatch() == nil {
		return nil
	}
	at.Other = input == "application-protocol"
	return follow(m.GetOnNoMatch(), at, out)
}

func walkAddresses(tree *matcher.Matcher_MatcherTree, at Reach, out map[string][]Reach) error {
	var ips matcher.IPMatcher
	if err := tree.GetCustomMatch().GetTypedConfig().UnmarshalTo(&ips); err != nil {
		return err
	}
	for _, r := range ips.GetRangeMatchers() {
		for _, cidr := range r.GetRanges() {
			next := at
			next.Address = cidr.GetAddressPrefix() + "/" + strconv.Itoa(int(cidr.GetPrefixLen().GetValue()))
			if err := follow(r.GetOnMatch(), next, out); err != nil {
				return err
			}
		}
	}
	return nil
}

func follow(on *matcher.Matcher_OnMatch, at Reach, out map[string][]Reach) error {
	if inner := on.GetMatcher(); inner != nil {
		return walk(inner, at, out)
	}
	var name wrapperspb.StringValue
	if err := on.GetAction().GetTypedConfig().UnmarshalTo(&name); err != nil {
		return err
	}
	if !slices.Contains(out[name.GetValue()], at) { // h2c and http/1.1 lead to the same chain
		out[name.GetValue()] = append(out[name.GetValue()], at)
	}
	return nil
}
