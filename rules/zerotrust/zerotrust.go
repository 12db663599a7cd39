// Package zerotrust holds the library of rules that come with Waywarden: one .rego file with the rule and one .txtar file with
// its scenarios each, in a folder for each category. To add one, write the two files; nothing else needs an edit. How is in
// the documentation of package rules.
package zerotrust

import (
	"embed"
	"sync"

	"github.com/waywarden/waywarden/rules"
)

// Files are the rules and their scenarios, below the folder of this package.
//
//go:embed */*.rego */*.txtar
var Files embed.FS

// Root is the name of the folder, with which the packages of the rules begin, and Prefix that of their IDs.
const (
	Root   = "zerotrust"
	Prefix = "zero-trust/"
)

// Pack is the library, compiled once. It panics where a rule is refused, which is a mistake in the program.
var Pack = sync.OnceValue(func() *rules.Pack {
	p, err := rules.Load(Files, rules.Options{Root: Root, Library: true, Trusted: true})
	if err != nil {
		panic("zerotrust: the library is refused:\n" + err.Error())
	}
	return p
})
