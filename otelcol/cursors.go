package otelcol

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// cursors is an [ingest.CursorStore] in a storage extension: one key for each
// account, whose value is the cursor.
type cursors struct {
	client storage.Client
}

// Load implements [ingest.CursorStore].
func (c cursors) Load(ctx context.Context, key string) (ingest.Cursor, error) {
	if err := checkUse(ctx, key); err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	value, err := c.client.Get(ctx, key)
	switch {
	case err != nil:
		return nil, fmt.Errorf("storage: %s: %w", key, err)
	case value == nil:
		return nil, nil
	case len(value) == 0:
		// To begin anew would repeat or leave out entries without a word.
		return nil, fmt.Errorf("storage: %s: is there but empty: %w", key, ingest.ErrCursor)
	}
	return bytes.Clone(value), nil
}

// Save implements [ingest.CursorStore].
func (c cursors) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	err := checkUse(ctx, key)
	if err == nil && len(cursor) == 0 {
		err = errors.New("the cursor is empty")
	}
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := c.client.Set(ctx, key, bytes.Clone(cursor)); err != nil {
		return fmt.Errorf("storage: %s: %w", key, err)
	}
	return nil
}

// checkUse reports a call that no extension need refuse.
func checkUse(ctx context.Context, key string) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	return ctx.Err()
}

// openStorage opens the storage of the receiver in the extension named id.
func openStorage(ctx context.Context, host component.Host, id, own component.ID) (storage.Client, error) {
	extension, found := host.GetExtensions()[id]
	if !found {
		return nil, fmt.Errorf("storage: %q: there is no such extension: list it under extensions and service::extensions", id)
	}
	keeper, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: %q: is not a storage extension, such as file_storage", id)
	}
	client, err := keeper.GetClient(ctx, component.KindReceiver, own, "")
	if err != nil {
		return nil, fmt.Errorf("storage: %q: %w", id, err)
	}
	return client, nil
}
