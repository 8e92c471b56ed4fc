package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// Of two hosts that go on from one cursor, the first to save moves it. This needs
// a Postgres server, so go test compiles it only.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://cfaudit@db.example.com/cfaudit?sslmode=verify-full")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if _, err := postgres.Migrate(ctx, pool); err != nil {
		log.Fatal(err)
	}

	first, second := postgres.New(pool), postgres.New(pool)
	for _, host := range []*postgres.Store{first, second} {
		if _, err := host.Load(ctx, "cloudflare-example"); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(first.Save(ctx, "cloudflare-example", ingest.Cursor(`{"of":"first"}`))) // <nil>
	err = second.Save(ctx, "cloudflare-example", ingest.Cursor(`{"of":"second"}`))
	fmt.Println(errors.Is(err, ingest.ErrConflict)) // true: load again, and poll from there
}
