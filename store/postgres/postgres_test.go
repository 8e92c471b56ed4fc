package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
	"github.com/aisoc/cloudflareaudit/store/postgres"
	"github.com/aisoc/cloudflareaudit/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Main{M: m, Essential: true})
}

// migrated is a database with the table in it.
func migrated(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t)
	_, err := postgres.Migrate(t.Context(), pool)
	require.NoError(t, err)
	return pool
}

func TestStore_KeepsTheContract(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	storetest.Exercise(t, func() ingest.CursorStore {
		_, err := pool.Exec(t.Context(), `TRUNCATE ingest_cursor`)
		require.NoError(t, err)
		return postgres.New(pool)
	})
}

func TestStore_OnlyTheFirstOfTwoHostsMovesACursor(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	a, b := postgres.New(pool), postgres.New(pool)
	require.NoError(t, a.Save(ctx, "k", ingest.Cursor("1")))
	_, err := b.Load(ctx, "k")
	require.NoError(t, err)
	require.NoError(t, b.Save(ctx, "k", ingest.Cursor("2 of b")))

	for range 2 {
		require.ErrorIs(t, a.Save(ctx, "k", ingest.Cursor("2 of a")), ingest.ErrConflict)
	}
	got, err := a.Load(ctx, "k")
	require.NoError(t, err)
	assert.Equal(t, ingest.Cursor("2 of b"), got)
	require.NoError(t, a.Save(ctx, "k", ingest.Cursor("3")), "after a load it goes on")
}

func TestStore_TwoHostsCannotBothBegin(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	a, b := postgres.New(pool), postgres.New(pool)
	require.NoError(t, a.Save(ctx, "k", ingest.Cursor("a")))
	require.ErrorIs(t, b.Save(ctx, "k", ingest.Cursor("b")), ingest.ErrConflict)
}

func TestSave_OfManyAtOnceExactlyOneWins(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	version := int64(0)
	for round := range 20 {
		var mu sync.Mutex
		var won []string
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				mine := fmt.Sprintf("%d.%d", round, worker)
				_, err := postgres.Save(ctx, pool, "k", ingest.Cursor(mine), version)
				if err == nil {
					mu.Lock()
					won = append(won, mine)
					mu.Unlock()
				} else {
					assert.ErrorIs(t, err, ingest.ErrConflict)
				}
			})
		}
		wg.Wait()
		require.Len(t, won, 1)
		var got ingest.Cursor
		var err error
		got, version, err = postgres.Load(ctx, pool, "k")
		require.NoError(t, err)
		require.Equal(t, won[0], string(got))
		require.EqualValues(t, round+1, version)
	}
}

func TestSave_IsUndoneWithItsTransaction(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	_, err = postgres.Save(ctx, tx, "k", ingest.Cursor("lost"), 0)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx))
	got, version, err := postgres.Load(ctx, pool, "k")
	require.NoError(t, err)
	assert.Nil(t, got)
	assert.Zero(t, version)
}

func TestDelete_StartsAnew(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), migrated(t)
	require.NoError(t, postgres.Delete(ctx, pool, "k"), "there is none")
	_, err := postgres.Save(ctx, pool, "k", ingest.Cursor("old"), 0)
	require.NoError(t, err)
	require.NoError(t, postgres.Delete(ctx, pool, "k"))
	_, err = postgres.Save(ctx, pool, "k", ingest.Cursor("late"), 1)
	require.ErrorIs(t, err, ingest.ErrConflict, "a poll of the old cursor does not bring it back")
	_, err = postgres.Save(ctx, pool, "k", ingest.Cursor("new"), 0)
	require.NoError(t, err)
}

func TestMigrate_IsAppliedOnce(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), pgtest.Pool(t)
	require.ErrorContains(t, postgres.Check(ctx, pool), "migrate first")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var applied []string
	for range 4 {
		wg.Go(func() {
			names, err := postgres.Migrate(ctx, pool)
			assert.NoError(t, err)
			mu.Lock()
			applied = append(applied, names...)
			mu.Unlock()
		})
	}
	wg.Wait()
	assert.Equal(t, []string{"001_cursor.sql"}, applied)
	require.NoError(t, postgres.Check(ctx, pool))

	_, err := pool.Exec(ctx, `INSERT INTO cfaudit_migration (line, version) VALUES ('store/postgres', 99)`)
	require.NoError(t, err)
	require.ErrorContains(t, postgres.Check(ctx, pool), "newer release")
	_, err = postgres.Migrate(ctx, pool)
	require.ErrorContains(t, err, "newer release")
}

// A host that saves again what is saved already, because it never heard of it,
// would else be refused for ever.
func TestStore_ASaveWhoseReplyIsLostCountsWhenRepeated(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.Database(t)
	_, err := postgres.Migrate(ctx, pgtest.PoolOf(t, url))
	require.NoError(t, err)
	const execute = "E\x00\x00\x00\x09\x00\x00\x00\x00\x00" // of the wire protocol
	for _, before := range []string{"", "1"} {
		faults := new(pgtest.Faults)
		s, key := postgres.New(faults.Pool(t, url)), "after "+before
		if before != "" {
			require.NoError(t, s.Save(ctx, key, ingest.Cursor(before)))
		}
		faults.LoseReply("ingest_cursor", execute)
		require.Error(t, s.Save(ctx, key, ingest.Cursor("2")))
		require.NoError(t, s.Save(ctx, key, ingest.Cursor("2")))
		require.NoError(t, s.Save(ctx, key, ingest.Cursor("3")))
	}
}
