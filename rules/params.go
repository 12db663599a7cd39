package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// checkParams says what is wrong with a schema of parameters, and whether it can be used all the same.
func checkParams(schema map[string]any) (out []string, usable bool) {
	if schema["type"] != "object" || schema["additionalProperties"] != false {
		out = append(out, "a misspelt parameter would go unseen: params is not closed. Say type: object and additionalProperties: false.")
	}
	if _, err := compileParams(schema); err != nil {
		return append(out, fmt.Sprintf("the parameters cannot be checked: %s. Write a JSON schema.", strings.Join(complaints(err), "; "))), false
	}
	if wrong := wrongParams(schema, defaults(schema)); len(wrong) > 0 {
		out = append(out, fmt.Sprintf("the rule cannot be asked as it is: of the defaults, %s. Give each parameter a default that its schema allows, or do not require it.", strings.Join(wrong, "; ")))
	}
	return out, true
}

func compileParams(schema map[string]any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	const here = "urn:params"
	if err := c.AddResource(here, plain(schema)); err != nil {
		return nil, err
	}
	return c.Compile(here)
}

// noLoader fetches nothing.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not fetched: a schema stands for itself", url)
}

// wrongParams says which parameters a schema does not allow; the schema compiles.
func wrongParams(schema, given map[string]any) []string {
	s, err := compileParams(schema)
	if err == nil {
		err = s.Validate(plain(given))
	}
	return complaints(err)
}

// complaints are what a schema, or the schema of schemas, says of a value; none where it says nothing.
func complaints(err error) []string {
	if err == nil {
		return nil
	}
	var s *jsonschema.SchemaValidationError
	if errors.As(err, &s) {
		err = s.Err
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return []string{OneLine(err.Error())}
	}
	var out []string
	leaves(v, func(e *jsonschema.ValidationError) {
		at := strings.Join(append([]string{"params"}, e.InstanceLocation...), ".")
		out = append(out, at+": "+e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	})
	slices.Sort(out)
	return slices.Compact(out)
}

func leaves(e *jsonschema.ValidationError, do func(*jsonschema.ValidationError)) {
	if len(e.Causes) == 0 {
		do(e)
	}
	for _, c := range e.Causes {
		leaves(c, do)
	}
}

// defaults are those of the parameters of a schema.
func defaults(schema map[string]any) map[string]any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for name, one := range properties {
		if p, ok := one.(map[string]any); ok {
			if v, has := p["default"]; has {
				out[name] = v
			}
		}
	}
	return out
}

// withDefaults are parameters as a rule sees them: those that are given, and the defaults of the others.
func (m *Metadata) withDefaults(given map[string]any) map[string]any {
	out := defaults(m.Params)
	maps.Copy(out, given)
	return out
}

// plain is a value as JSON decodes it, whatever decoded it: YAML knows integers.
func plain(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("rules: parameters that came from YAML or JSON cannot be written: " + err.Error())
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		panic("rules: what was just written cannot be read: " + err.Error())
	}
	return out
}
