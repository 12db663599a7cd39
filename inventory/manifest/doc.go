// Package manifest reads Kubernetes objects from files, remembers where every field is written, and edits the files in
// place.
//
// Reading is one line from bytes to objects, and nothing on it stops at the first fault: what cannot be read becomes a
// [Problem] with file and line, everything else is still returned.
//
//	paths ─► find   files, directories, "-"; charts and kustomizations are recognised here
//	        read    bounded by Options.MaxBytes
//	        split   one text per YAML document: `---`, `...`, CRLF, byte order marks
//	        decode  JSON by encoding/json, YAML by go.yaml.in/yaml/v3 with the scalars of sigs.k8s.io/yaml
//	        expand  every item of a List is a Document of its own
//
// Texts are decoded in parallel and returned in the order of the paths. A [Document] keeps its text, not its syntax
// tree; the tree is built on the first call of [Document.Position].
//
// Writing is [Edit]: RFC 6902 operations become the smallest change of the text. Comments, key order, indentation and
// line ends of everything else stay as they are, byte for byte. No edit is trusted: the new text is decoded and compared
// with what github.com/evanphx/json-patch makes of the old content, and only then returned.
package manifest
