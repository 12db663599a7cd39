package rules

import (
	"runtime"
	"testing"
	"time"
	"weak"
)

// TestRememberedForgets: a term lives as long as its object, and is made once.
func TestRememberedForgets(t *testing.T) {
	r := &remembered{}
	o := objectsOf(t, denyPolicy)[0]
	if first := r.term(o); first != r.term(o) {
		t.Error("the term is made twice")
	}
	count := func() (n int) {
		r.terms.Range(func(any, any) bool { n++; return true })
		return n
	}
	if count() != 1 {
		t.Fatalf("%d terms", count())
	}
	runtime.KeepAlive(o)
	o = nil
	for end := time.Now().Add(10 * time.Second); count() > 0; time.Sleep(time.Millisecond) {
		runtime.GC()
		if time.Now().After(end) {
			t.Fatal("the term outlives its object")
		}
	}
}

// TestRememberedIsForgotten: what a Pack remembers goes with the Pack, however long the objects live.
func TestRememberedIsForgotten(t *testing.T) {
	o := objectsOf(t, denyPolicy)[0]
	r := &remembered{}
	r.term(o)
	left := weak.Make(r)
	runtime.KeepAlive(r)
	r = nil
	for end := time.Now().Add(10 * time.Second); left.Value() != nil; time.Sleep(time.Millisecond) {
		runtime.GC()
		if time.Now().After(end) {
			t.Fatal("the terms outlive their Pack")
		}
	}
	runtime.KeepAlive(o)
}
