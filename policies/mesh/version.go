package mesh

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of Istio. Patch is -1 where only the minor version is known.
type Version struct{ Major, Minor, Patch int }

var defaultVersion = Version{1, 31, -1}

// Versions are those whose differences are known (docs/semantics.md). An older one is judged as the
// first of them, a newer one as the last.
var Versions = []Version{{1, 30, -1}, defaultVersion, {1, 32, -1}}

// ParseVersion reads "1.31", "1.30.3", "v1.31.0-rc.0" or an image tag such as "1.31.1-distroless".
func ParseVersion(s string) (Version, bool) {
	s = strings.TrimPrefix(s, "v")
	s, _, _ = strings.Cut(s, "-")
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return Version{}, false
	}
	v := Version{Patch: -1}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return Version{}, false
		}
		switch i {
		case 0:
			v.Major = n
		case 1:
			v.Minor = n
		case 2:
			v.Patch = n
		}
	}
	return v, true
}

// AtLeast reports whether v is major.minor or newer. A patch counts only where v has one: "1.30"
// stands for the newest 1.30.
func (v Version) AtLeast(major, minor, patch int) bool {
	if c := cmp.Or(cmp.Compare(v.Major, major), cmp.Compare(v.Minor, minor)); c != 0 {
		return c > 0
	}
	return v.Patch < 0 || v.Patch >= patch
}

func (v Version) String() string {
	if v.Patch < 0 {
		return fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}
