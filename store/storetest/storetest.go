// Package storetest holds the conformance test of [ingest.CursorStore], to be
// called by the test of each store:
//
//	func TestStore(t *testing.T) {
//		storetest.Exercise(t, func() ingest.CursorStore { return new(store.Memory) })
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Exercise tests that the stores returned by open keep the contract of
// [ingest.CursorStore]. Each call of open must return an empty store; open
// registers the release of its resources with t.Cleanup. Exercise does not test
// what survives the end of a process: each store has to do that itself.
func Exercise(t *testing.T, open func() ingest.CursorStore) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, ingest.CursorStore)
	}{
		{"NothingSavedIsNilAndNoError", nothingSaved},
		{"ReturnsTheBytesVerbatim", verbatim},
		{"SaveReplaces", replaces},
		{"KeysAreIndependent", keys},
		{"KeepsNoHoldOfTheCallersBytes", aliasing},
		{"RefusesAnEmptyCursor", emptyCursor},
		{"RefusesAnEmptyKey", emptyKey},
		{"HonoursACancelledContext", cancelled},
		{"ConcurrentUseLosesAndMixesNothing", concurrent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open()) })
	}
}

func save(t *testing.T, s ingest.CursorStore, key string, cursor ingest.Cursor) {
	t.Helper()
	if err := s.Save(t.Context(), key, cursor); err != nil {
		t.Fatalf("Save(%q) = %v", key, err)
	}
}

// expect checks that key holds want, where nil means no cursor at all.
func expect(t *testing.T, s ingest.CursorStore, key string, want ingest.Cursor) {
	t.Helper()
	got, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load(%q) = %v", key, err)
	}
	if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("Load(%q) = %q, want %q", key, got, want)
	}
}

func nothingSaved(t *testing.T, s ingest.CursorStore) {
	expect(t, s, "cloudflare-a", nil)
	save(t, s, "cloudflare-b", ingest.Cursor("b"))
	expect(t, s, "cloudflare-a", nil)
}

func verbatim(t *testing.T, s ingest.CursorStore) {
	all := make(ingest.Cursor, 0, 256)
	for b := range 256 {
		all = append(all, byte(b))
	}
	for i, cursor := range []ingest.Cursor{
		all,
		ingest.Cursor("{\"v\": 1, \"v\" :1.0}\r\n"),
		{0},
		ingest.Cursor("\n"),
		bytes.Repeat(all, 4<<10),
	} {
		key := fmt.Sprintf("cloudflare-%d", i)
		save(t, s, key, cursor)
		expect(t, s, key, cursor)
	}
}

func replaces(t *testing.T, s ingest.CursorStore) {
	for _, cursor := range []ingest.Cursor{
		ingest.Cursor("a long first cursor"),
		ingest.Cursor("short"),
		ingest.Cursor("a longer cursor once more"),
	} {
		save(t, s, "cloudflare-a", cursor)
		expect(t, s, "cloudflare-a", cursor)
	}
}

func keys(t *testing.T, s ingest.CursorStore) {
	names := []string{
		"cloudflare-0123456789abcdef0123456789abcdef",
		"cloudflare-0123456789abcdef0123456789abcdeF",
		"a", "A", "a.cursor", "a.tmp", "a%41", "a/b", "a\\b", "a:b", "a b",
		".", "..", "../a", "/a", ".lock", "~", "con", "é", "e\u0301", "\xff",
		"a\n", "*", "'",
	}
	for _, key := range names {
		save(t, s, key, ingest.Cursor("cursor of "+key))
	}
	for _, key := range names {
		expect(t, s, key, ingest.Cursor("cursor of "+key))
	}
}

func aliasing(t *testing.T, s ingest.CursorStore) {
	cursor := ingest.Cursor("original")
	save(t, s, "cloudflare-a", cursor)
	copy(cursor, "mutated!")
	expect(t, s, "cloudflare-a", ingest.Cursor("original"))

	loaded, err := s.Load(t.Context(), "cloudflare-a")
	if err != nil {
		t.Fatalf("Load = %v", err)
	}
	copy(loaded, "mutated!")
	expect(t, s, "cloudflare-a", ingest.Cursor("original"))
}

func emptyCursor(t *testing.T, s ingest.CursorStore) {
	save(t, s, "cloudflare-a", ingest.Cursor("kept"))
	for _, cursor := range []ingest.Cursor{nil, {}} {
		if err := s.Save(t.Context(), "cloudflare-a", cursor); err == nil {
			t.Fatalf("Save of the empty cursor %#v succeeded", cursor)
		}
	}
	expect(t, s, "cloudflare-a", ingest.Cursor("kept"))
}

func emptyKey(t *testing.T, s ingest.CursorStore) {
	if err := s.Save(t.Context(), "", ingest.Cursor("a")); err == nil {
		t.Error("Save under the empty key succeeded")
	}
	if _, err := s.Load(t.Context(), ""); err == nil {
		t.Error("Load of the empty key succeeded")
	}
}

func cancelled(t *testing.T, s ingest.CursorStore) {
	save(t, s, "cloudflare-a", ingest.Cursor("kept"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ctx, "cloudflare-a", ingest.Cursor("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Save with a cancelled context = %v, want context.Canceled", err)
	}
	if _, err := s.Load(ctx, "cloudflare-a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with a cancelled context = %v, want context.Canceled", err)
	}
	expect(t, s, "cloudflare-a", ingest.Cursor("kept"))
}

func concurrent(t *testing.T, s ingest.CursorStore) {
	const workers, rounds = 4, 8
	value := func(worker, round int) ingest.Cursor {
		// The lengths differ, so that a mixture of two cursors shows.
		return bytes.Repeat(ingest.Cursor(fmt.Sprintf("%d.%d;", worker, round)), 100*(worker+1)+round)
	}
	written := make(map[string]bool)
	for worker := range workers {
		for round := range rounds {
			written[string(value(worker, round))] = true
		}
	}
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			own := fmt.Sprintf("cloudflare-%d", worker)
			for round := range rounds {
				for _, key := range []string{own, "shared"} {
					if err := s.Save(t.Context(), key, value(worker, round)); err != nil {
						t.Errorf("Save(%q) = %v", key, err)
					}
				}
				got, err := s.Load(t.Context(), own)
				if err != nil || !bytes.Equal(got, value(worker, round)) {
					t.Errorf("Load(%q) = %q, %v; want what was saved last", own, got, err)
				}
				got, err = s.Load(t.Context(), "shared")
				if err != nil || !written[string(got)] {
					t.Errorf("Load of a shared key = %q, %v; want one of the saved cursors", got, err)
				}
			}
		})
	}
	wg.Wait()
	for worker := range workers {
		expect(t, s, fmt.Sprintf("cloudflare-%d", worker), value(worker, rounds-1))
	}
}
