package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
)

// limits bound an archive: its bytes, what they unpack to (with what tar writes between the files), and the files.
type limits struct {
	packed, unpacked int64
	files            int
}

// within is what a bundle may be. The rules in it are bounded again when they are loaded, by rules.DefaultMaxBytes.
var within = limits{packed: 8 << 20, unpacked: 16 << 20, files: 4096}

// maxName is how long the path of a file may be.
const maxName = 512

const smaller = "Take out what is no rule, or make several bundles."

// unpack reads the files of an archive, by their path. A name may begin with "/", as OPA writes it, or "./", as tar does: both
// are the root of the bundle.
func unpack(archive []byte, l limits) (map[string][]byte, error) {
	if int64(len(archive)) > l.packed {
		return nil, tooLarge("it is larger than %d bytes", l.packed)
	}
	packed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, broken(err)
	}
	stream := &bounded{r: packed, left: l.unpacked, limit: l.unpacked}
	u := &unpacking{limits: l, files: map[string][]byte{}, folded: map[string]string{}}
	for tr := tar.NewReader(stream); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = u.entry(h, tr)
		}
		if err != nil {
			return nil, broken(err)
		}
	}
	if _, err := io.Copy(io.Discard, stream); err != nil { // the checksum stands at the end, behind what tar looks at
		return nil, broken(err)
	}
	return u.files, u.filesAreNoFolders()
}

func tooLarge(format string, limit int64) error {
	return refuse(Malformed, "the bundle is not unpacked: "+format+". %s", limit, smaller)
}

// broken is an error of reading an archive; one that says more is left as it is.
func broken(err error) error {
	if ReasonOf(err) != "" {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refuse(Malformed, "the bundle cannot be read: it ends too early. Fetch or build it again.")
	}
	return refuse(Malformed, "the bundle cannot be read: it is no gzipped tar (%v). Build it with waywarden rules bundle, or with tar -czf.", err)
}

// bounded reads so many bytes and no more: what is small when it is packed need not stay so.
type bounded struct {
	r           io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge("it unpacks to more than %d bytes", b.limit)
	}
	return n, err
}

type unpacking struct {
	limits
	files  map[string][]byte
	folded map[string]string // by the name as file systems see it that do not tell case
	total  int64
}

// entry takes one entry of an archive.
func (u *unpacking) entry(h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader: // as git archive writes it; it holds no file
		return nil
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
	default:
		return refuse(Malformed, "the bundle is not used: %q in it is no plain file, but a link or a device. Put in files themselves.", h.Name)
	}
	name, err := inside(h.Name)
	if err != nil {
		return err
	}
	if len(u.files) == u.limits.files {
		return tooLarge("it holds more than %d files", int64(u.limits.files))
	}
	if u.total += h.Size; u.total > u.unpacked { // a sparse file is longer than what is stored of it
		return tooLarge("its files are larger than %d bytes", u.unpacked)
	}
	if other, twice := u.folded[strings.ToLower(name)]; twice {
		if other == name {
			return refuse(Malformed, "the bundle is not used: it holds %q twice, and each reader may see another. Build it again.", name)
		}
		return refuse(Malformed, "the bundle is not used: it holds %q and %q, which some file systems take for one. Rename one of them.", other, name)
	}
	u.folded[strings.ToLower(name)] = name
	u.files[name], err = io.ReadAll(content)
	return err
}

// inside is the path of a file from the root of the bundle.
func inside(name string) (string, error) {
	out := strings.TrimPrefix(name, "/")
	if out == name {
		out = strings.TrimPrefix(name, "./")
	}
	odd := func(r rune) bool { return r == '\\' || !unicode.IsPrint(r) }
	if !fs.ValidPath(out) || out == "." || len(out) > maxName || strings.ContainsFunc(out, odd) {
		return "", refuse(Malformed, "the bundle is not used: %q in it is no path from its root of at most %d bytes, with / between names and without . and .. among them. Build it again.", name, maxName)
	}
	return out, nil
}

// filesAreNoFolders refuses a file below what is a file itself.
func (u *unpacking) filesAreNoFolders() error {
	var wrong []string
	for name := range u.files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if other, is := u.folded[strings.ToLower(dir)]; is {
				wrong = append(wrong, other)
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return refuse(Malformed, "the bundle is not used: %q in it is a file and a folder. Rename one of them.", slices.Min(wrong))
}
