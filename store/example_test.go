package store_test

import (
	"context"
	"fmt"
	"os"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store"
)

// A folder keeps a cursor for each key. It is locked until it is closed.
func ExampleDir() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()

	cursors, err := store.Open(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cursors.Close()
	none, err := cursors.Load(ctx, "cloudflare-example")
	fmt.Println(none == nil, err)
	fmt.Println(cursors.Save(ctx, "cloudflare-example", ingest.Cursor(`{"version":1}`)))
	cursor, err := cursors.Load(ctx, "cloudflare-example")
	fmt.Println(string(cursor), err)
	// Output:
	// true <nil>
	// <nil>
	// {"version":1} <nil>
}
