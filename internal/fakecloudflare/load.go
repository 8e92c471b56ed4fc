package fakecloudflare

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Load reads the entries of all the *.json files at the root of fsys, file by
// file in the order of their names. A file holds a list of entries, or a reply
// of the API with such a list as its result. The entries keep their bytes.
func Load(fsys fs.FS) ([]json.RawMessage, error) {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, fmt.Errorf("fakecloudflare: %w", err)
	}
	var entries []json.RawMessage
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("fakecloudflare: %w", err)
		}
		if jsontext.Value(b).Kind() == '{' {
			b, _ = find(b, "result")
		}
		var list []json.RawMessage
		if err := json.Unmarshal(b, &list); err != nil {
			return nil, fmt.Errorf("fakecloudflare: %s holds no list of entries: %w", name, err)
		}
		entries = append(entries, list...)
	}
	return entries, nil
}

// Shift returns the entries moved in time by whole seconds, all by the same
// amount, so that the newest one happens in the second before newest or at it.
// Nothing but the values that [When] reads changes. An entry without such a time
// stays as it is.
func Shift(newest time.Time, entries []json.RawMessage) []json.RawMessage {
	var last time.Time
	for _, e := range entries {
		if t, ok := When(e); ok && t.After(last) {
			last = t
		}
	}
	// Keeping to whole seconds leaves the fractions as they are, whose digits
	// vary in a way of their own.
	by := newest.Sub(last).Truncate(time.Second)
	if last.Add(by).After(newest) {
		by -= time.Second // Truncate rounds a move into the past up
	}
	moved := make([]json.RawMessage, len(entries))
	for i, e := range entries {
		moved[i] = e
		if t, from, to := findTime(e); from < to {
			text := t.Add(by).UTC().AppendFormat(nil, `"`+time.RFC3339Nano+`"`)
			moved[i] = slices.Concat(e[:from], text, e[to:])
		}
	}
	return moved
}
