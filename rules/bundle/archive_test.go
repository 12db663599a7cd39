package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tarOf is an archive of entries as they are given; a size that is not that of the content is left as it is.
func tarOf(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	tw := tar.NewWriter(gz)
	for _, h := range entries {
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1} }

func TestUnpack(t *testing.T) {
	got, err := unpack(tarOf(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "of git archive"}},
		tar.Header{Typeflag: tar.TypeDir, Name: "./"}, tar.Header{Typeflag: tar.TypeDir, Name: "acme/"}, file("/acme/x.rego"), file("./acme/y.rego"), file("acme/z.rego"),
		file(strings.Repeat("long/", 60)+"x.rego")), within)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"acme/x.rego", "acme/y.rego", "acme/z.rego", strings.Repeat("long/", 60) + "x.rego"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Error(diff)
	}
}

func TestUnpackRefuses(t *testing.T) {
	small := limits{packed: 100_000, unpacked: 50_000, files: 3}
	good := tarOf(t, file("acme/x.rego"))
	random := make([]byte, 200_000)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	var many []tar.Header
	for i := range 4 {
		many = append(many, file(fmt.Sprintf("%d.rego", i)))
	}
	for _, tc := range []struct {
		name    string
		archive []byte
		want    string
	}{
		{"nothing", nil, "it ends too early"},
		{"no gzip", []byte("no gzip at all, but text"), "it is no gzipped tar"},
		{"no tar", gzipped(t, []byte(strings.Repeat("no tar", 200))), "it is no gzipped tar"},
		{"cut in gzip's header", good[:5], "it ends too early"},
		{"cut in the middle", good[:len(good)/2], "it ends too early"},
		{"cut in the checksum", good[:len(good)-4], "it ends too early"},
		{"a wrong checksum", append(slices.Clone(good[:len(good)-8]), 1, 2, 3, 4, 5, 6, 7, 8), "it is no gzipped tar"},
		{"something behind it", append(slices.Clone(good), "more"...), "cannot be read"},
		{"a large archive", random, "it is larger than 100000 bytes"},
		{"a bomb in one file", tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "x.rego", Size: 10 << 20}), "its files are larger than 50000 bytes"},
		{"a bomb behind the files", gzipped(t, append(unzipped(t, good), make([]byte, 10<<20)...)), "it unpacks to more than 50000 bytes"},
		{"a bomb behind it", append(slices.Clone(good), gzipped(t, make([]byte, 10<<20))...), "it unpacks to more than 50000 bytes"},
		{"a size that is not there", gzipped(t, unzipped(t, tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "x.rego", Size: 40_000}))[:600]), "it ends too early"},
		{"a size of terabytes", gzipped(t, sized(t, 8<<40)), "its files are larger than 50000 bytes"},
		{"a negative size", gzipped(t, sized(t, -1)), "it is no gzipped tar"},
		{"many files", tarOf(t, many...), "it holds more than 3 files"},
		{"a name twice", tarOf(t, file("acme/x.rego"), file("/acme/x.rego")), `it holds "acme/x.rego" twice`},
		{"names that differ in case", tarOf(t, file("acme/x.rego"), file("acme/X.rego")), `"acme/x.rego" and "acme/X.rego", which some file systems take for one`},
		{"a file that is a folder", tarOf(t, file("acme/x.rego"), file("acme")), `"acme" in it is a file and a folder`},
		{"a folder that is a file in another case", tarOf(t, file("ACME"), file("acme/x.rego")), `"ACME" in it is a file and a folder`},
		{"up and out", tarOf(t, file("../x.rego")), `"../x.rego" in it is no path from its root`},
		{"up within", tarOf(t, file("acme/../x.rego")), "is no path from its root"},
		{"up from the root", tarOf(t, file("/../x.rego")), "is no path from its root"},
		{"the root of another", tarOf(t, file("//host/x.rego")), "is no path from its root"},
		{"a drive", tarOf(t, file(`C:\x.rego`)), "is no path from its root"},
		{"back slashes", tarOf(t, file(`..\x.rego`)), "is no path from its root"},
		{"a name without end", tarOf(t, file(strings.Repeat("long/", 2000)+"x.rego")), "is no path from its root"},
		{"a line feed", tarOf(t, file("x\n.rego")), "is no path from its root"},
		{"no UTF-8", tarOf(t, file("x\xff.rego")), "is no path from its root"},
		{"no name", tarOf(t, file("./.")), "is no path from its root"},
		{"a symbolic link", tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "x.rego", Linkname: "/etc/passwd"}), `"x.rego" in it is no plain file`},
		{"a hard link", tarOf(t, file("x.rego"), tar.Header{Typeflag: tar.TypeLink, Name: "y.rego", Linkname: "x.rego"}), `"y.rego" in it is no plain file`},
		{"a device", tarOf(t, tar.Header{Typeflag: tar.TypeChar, Name: "x.rego", Devmajor: 1}), `"x.rego" in it is no plain file`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := unpack(tc.archive, small)
			if err == nil {
				t.Fatalf("it was unpacked: %q", slices.Sorted(maps.Keys(got)))
			}
			if ReasonOf(err) != Malformed || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 2000 {
				t.Errorf("got %s: %v\nwant … %s …", ReasonOf(err), err, tc.want)
			}
		})
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unzipped(t testing.TB, archive []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sized is a tar whose one file claims a size, in the binary form of GNU tar.
func sized(t testing.TB, size int64) []byte {
	t.Helper()
	raw := unzipped(t, tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "x.rego", Format: tar.FormatGNU}))
	field := raw[124:136]
	for i := range field {
		field[len(field)-1-i] = byte(size >> min(8*i, 63))
	}
	field[0] |= 0x80
	sum := 0
	copy(raw[148:156], "        ")
	for _, b := range raw[:512] {
		sum += int(b)
	}
	copy(raw[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return raw
}

// FuzzBundle: whatever an archive is, nothing panics, what is handed on was signed, and OPA would take it too.
func FuzzBundle(f *testing.F) {
	p := ecPair(f, elliptic.P256())
	signer := p.signer(f, "release", "")
	good := build(f, signer)
	files := filesOf(f, good)
	f.Add(unzipped(f, good))
	f.Add(unzipped(f, tarOf(f, file("acme/x.rego"), file("/acme/x.rego"), tar.Header{Typeflag: tar.TypeSymlink, Name: "y", Linkname: "x"})))
	f.Add(sized(f, 8<<40))
	f.Add(sized(f, -1))
	trust := Trust{Keys: []Key{p.key(f, "release")}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Open(gzipped(t, raw), trust)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Errorf("an error without a reason: %v", err)
			}
			return
		}
		for name, text := range b.Files {
			if string(files[name]) != text {
				t.Errorf("%s was never signed: %q", name, text)
			}
		}
		// Only "./" before a name is read otherwise: OPA does not cut it off.
		if _, err := opaReads(gzipped(t, raw), string(p.public), "ES256", ""); err != nil && !bytes.Contains(raw, []byte("./")) {
			t.Errorf("OPA refuses it: %v", err)
		}
	})
}

// FuzzSignature: whatever stands in .signatures.json, it is not believed unless it is the one that was made.
func FuzzSignature(f *testing.F) {
	p := ecPair(f, elliptic.P256())
	files := filesOf(f, build(f, p.signer(f, "release", "")))
	f.Add(files[signatures])
	f.Add([]byte(`{"signatures": ["eyJhbGciOiJub25lIn0.e30."]}`))
	f.Add([]byte(`{"signatures": ["eyJhbGciOiJIUzI1NiJ9.eyJmaWxlcyI6W119.AA"], "plugin": "_default"}`))
	trust := p.trust(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		changed := maps.Clone(files)
		changed[signatures] = raw
		if _, err := trust.verify(changed); err == nil {
			if got, want := said(t, changed), said(t, files); got != want {
				t.Errorf("another signature is believed: %s", raw)
			}
		} else if ReasonOf(err) == "" {
			t.Errorf("an error without a reason: %v", err)
		}
	})
}

// said is what the signature of files is over: all but its last part, of which more than one may be right.
func said(t testing.TB, files map[string][]byte) string {
	t.Helper()
	config, _, err := readSignature(files)
	if err != nil {
		t.Fatal(err)
	}
	return config.Signatures[0][:strings.LastIndex(config.Signatures[0], ".")]
}
