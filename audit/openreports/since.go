package openreports

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/waywarden/waywarden/audit/ledger"
)

// What is left out of an object says in a few bytes each since when it is there:
//
//	base64( version, for each kind and way to count: both words, how many moments,
//	          for each moment: seconds since the one before, how many keys, each less the one before )
//
// All numbers are varints. Of findings that were first seen together a key takes five bytes, of others about ten.
const sinceVersion = 1

// keyBytes is a ledger.Key in bytes.
const keyBytes = 6

// unlisted is as much of a Record as is kept of one that is left out.
func unlisted(r *ledger.Record) ledger.Unlisted {
	return ledger.Unlisted{Key: ledger.Key(r.Fingerprint), Kind: r.Object.Kind, As: string(resultOf(r)), FirstSeen: r.FirstSeen}
}

// encodeSince is that text; "" of none. What has a key that is none of ours is left out.
func encodeSince(records []ledger.Unlisted) string {
	type group struct{ kind, as string }
	groups := map[group]map[int64][]uint64{}
	for _, r := range records {
		key, err := hex.DecodeString(r.Key)
		if err != nil || len(key) != keyBytes {
			continue
		}
		g := group{r.Kind, r.As}
		if groups[g] == nil {
			groups[g] = map[int64][]uint64{}
		}
		at := r.FirstSeen.Unix()
		groups[g][at] = append(groups[g][at], binary.BigEndian.Uint64(append([]byte{0, 0}, key...)))
	}
	if len(groups) == 0 {
		return ""
	}
	out := []byte{sinceVersion}
	word := func(text string) { out = append(binary.AppendUvarint(out, uint64(len(text))), text...) }
	for _, g := range slices.SortedFunc(maps.Keys(groups), func(a, b group) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.as, b.as)) }) {
		word(g.kind)
		word(g.as)
		out = binary.AppendUvarint(out, uint64(len(groups[g])))
		last := int64(0)
		for _, at := range slices.Sorted(maps.Keys(groups[g])) {
			out = binary.AppendVarint(out, at-last)
			last = at
			keys := groups[g][at]
			slices.Sort(keys)
			out = binary.AppendUvarint(out, uint64(len(keys)))
			before := uint64(0)
			for _, k := range keys {
				out = binary.AppendUvarint(out, k-before)
				before = k
			}
		}
	}
	return base64.RawStdEncoding.EncodeToString(out)
}

var errSince = errors.New("it does not say since when findings are there that it does not list: annotation " + sinceOf + " is not as it was written. After this start they count as new")

// decodeSince reads what encodeSince has written, up to where somebody has changed it.
func decodeSince(text string) (out []ledger.Unlisted, err error) {
	if text == "" {
		return nil, nil
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 || data[0] != sinceVersion {
		return nil, errSince
	}
	r := sinceReader{rest: data[1:]}
	for len(r.rest) > 0 && !r.wrong {
		kind, as := r.word(), r.word()
		at := int64(0)
		for range r.count() {
			at += r.varint()
			key := uint64(0)
			for range r.count() {
				if key += r.uvarint(); r.wrong || key>>(8*keyBytes) != 0 {
					return out, errSince
				}
				out = append(out, ledger.Unlisted{Key: hex.EncodeToString(binary.BigEndian.AppendUint64(nil, key)[8-keyBytes:]), Kind: kind, As: as, FirstSeen: time.Unix(at, 0).UTC()})
			}
		}
	}
	if r.wrong {
		return out, errSince
	}
	return out, nil
}

// sinceReader takes numbers and words off the front of bytes, until one is wrong.
type sinceReader struct {
	rest  []byte
	wrong bool
}

func (r *sinceReader) take(n int) []byte {
	if r.wrong || n < 0 || n > len(r.rest) {
		r.wrong = true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *sinceReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n == 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *sinceReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n == 0 {
		n = -1
	}
	r.take(n)
	return v
}

// count is how many things follow; each takes a byte at least, so that it cannot be more than there are bytes.
func (r *sinceReader) count() int {
	n := r.uvarint()
	if r.wrong || n > uint64(len(r.rest)) {
		r.wrong = true
		return 0
	}
	return int(n)
}

func (r *sinceReader) word() string {
	return string(r.take(r.count()))
}

// maxSince is how many bytes of those that there are for findings may say since when others are there: of 256 KiB enough for
// 24,000 that were first seen at a few moments, and for 14,000 that were each seen at another one. The API server takes no more
// than 256 KiB of annotations.
func maxSince(room int) int { return min(room*3/4, 192<<10) }

// fitSince says of as many findings as fit since when they are there, the first of them, and of how many it does not.
func fitSince(records []ledger.Unlisted, most int) (text string, lost int) {
	n := len(records)
	for {
		text = encodeSince(records[:n])
		if len(text) <= most || n == 0 {
			return text, len(records) - n
		}
		n = min(n-1, n*most/len(text))
	}
}
