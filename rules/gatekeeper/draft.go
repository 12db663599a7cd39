package gatekeeper

import (
	"errors"
	"path"
	"testing/fstest"

	"github.com/waywarden/waywarden/rules"
)

// draft is a rule of which it is not known yet whether it can be loaded.
type draft struct {
	template   *template
	constraint *constraint
	kinds      []string
	action     string
	code       translated
	shared     map[string][]byte // the libs of the template, by the files that they become
}

// written is the file of the rule. It is asked at admission alone where it looks at what is there only then, be it of the request or of the
// object. What cannot be loaded even so is not written, and wrong says why.
func (d *draft) written(file string) (text []byte, wrong []string) {
	if !d.code.admission {
		text = d.text(false)
		if wrong = d.refusals(file, text); len(wrong) == 0 {
			return text, nil
		}
	}
	text = d.text(true)
	if still := d.refusals(file, text); len(still) > 0 {
		return nil, still
	}
	return text, nil
}

func (d *draft) text(admission bool) []byte {
	labels, code := `object.get(input.object.metadata, "labels", {})`, d.code.text
	if d.code.pods {
		labels, code = `object.get(pod_metadata, "labels", {})`, code+ofPods
	}
	return rules.Format([]byte(d.metadata(admission) + code + d.constraint.Spec.Match.skips(labels)))
}

// refusals are why the rule would not be loaded, but for its scenarios, which somebody has to write.
func (d *draft) refusals(file string, text []byte) (out []string) {
	fsys := fstest.MapFS{file: {Data: text}}
	for name, lib := range d.shared {
		fsys[name] = &fstest.MapFile{Data: lib}
	}
	_, err := rules.Load(fsys, rules.Options{})
	var refusals rules.Refusals
	switch {
	case err == nil:
	case !errors.As(err, &refusals):
		out = append(out, err.Error())
	}
	for _, r := range refusals {
		if path.Ext(r.File) != ".txtar" {
			out = append(out, r.Message)
		}
	}
	return out
}
