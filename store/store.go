// Package store keeps the cursors of sources: [Dir] in the files of a folder,
// [Memory] for tests and for hosts that keep them elsewhere.
//
//	cursors, err := store.Open("state") // locked until Close
//	...
//	cursor, err := cursors.Load(ctx, key) // nil if there is none
//	err = cursors.Save(ctx, key, batch.Cursor)
//
// Package storetest holds the conformance test that every store must pass.
package store

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/aisoc/cloudflareaudit/ingest"
)

var (
	errEmptyKey    = errors.New("the key is empty")
	errEmptyCursor = errors.New("the cursor is empty")
)

// checkSave reports what no store accepts.
func checkSave(key string, cursor ingest.Cursor) error {
	switch {
	case key == "":
		return errEmptyKey
	case len(cursor) == 0:
		return errEmptyCursor
	}
	return nil
}

// Memory is an [ingest.CursorStore] that loses all cursors when the process
// ends: a source polled with it starts over after each restart. The zero value
// is empty and ready to use; its methods are safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	cursors map[string]ingest.Cursor
}

// Load implements [ingest.CursorStore]. An empty key is an error.
func (m *Memory) Load(ctx context.Context, key string) (ingest.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrapLoad(key, err)
	}
	if key == "" {
		return nil, wrapLoad(key, errEmptyKey)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.cursors[key]), nil
}

// Save implements [ingest.CursorStore], except that nothing is durable. An
// empty key and an empty cursor are errors.
func (m *Memory) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	if err := ctx.Err(); err != nil {
		return wrapSave(key, err)
	}
	if err := checkSave(key, cursor); err != nil {
		return wrapSave(key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cursors == nil {
		m.cursors = make(map[string]ingest.Cursor)
	}
	m.cursors[key] = bytes.Clone(cursor)
	return nil
}
