package fleet_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink"
)

// A worker of a fleet. It needs a Postgres server, so go test compiles it only.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://cfaudit@db.example.com/cfaudit?sslmode=verify-full")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if _, err := fleet.Migrate(ctx, pool); err != nil {
		log.Fatal(err)
	}

	var catalog ingest.Catalog
	if err := cloudflareaudit.Register(&catalog); err != nil {
		log.Fatal(err)
	}
	key, err := fleet.NewKey() // kept, and the same for all workers
	if err != nil {
		log.Fatal(err)
	}
	vault, err := fleet.NewVault(key, "")
	if err != nil {
		log.Fatal(err)
	}
	accounts, err := fleet.New(pool, &catalog, vault)
	if err != nil {
		log.Fatal(err)
	}

	changes, err := accounts.Put(ctx, fleet.Spec{
		Connector: cloudflareaudit.ConnectorID,
		Tenant:    "0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001",
		Account:   "023e105f4ecef8ad9ca31a8372d0c353",
		Config:    fleet.Object{"account_id": "023e105f4ecef8ad9ca31a8372d0c353", "api_token": os.Getenv("CLOUDFLARE_API_TOKEN")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(changes)

	lines := sink.NewWriter(os.Stdout)
	err = accounts.Work(ctx, fleet.WorkOptions{
		Sink: func(fleet.Instance) (ingest.Sink, error) { return lines, nil },
	})
	if err != nil {
		log.Fatal(err)
	}
}
