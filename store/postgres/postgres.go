// Package postgres keeps the cursors of sources in a table of a Postgres
// database:
//
//	applied, err := postgres.Migrate(ctx, pool) // once for each release
//	...
//	cursors := postgres.New(pool)
//	cursor, err := cursors.Load(ctx, key) // nil if there is none
//	err = cursors.Save(ctx, key, batch.Cursor)
//
// Every cursor has a version, which each save raises by one. A save names the
// version that it replaces and fails with [ingest.ErrConflict] when that is no
// longer the current one. So when two hosts have polled from one cursor, only
// the first to save moves it, and a cursor never moves backwards.
//
// [Store] is an [ingest.CursorStore] that remembers versions by itself, for a
// host such as [ingest.Runner]. [Load], [Save] and [Delete] work on a pool, a
// connection or a transaction, for hosts that save a cursor together with
// something else.
//
// Only programs that import this package compile pgx.
package postgres

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/pgmigrate"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

var (
	errEmptyKey    = errors.New("the key is empty")
	errEmptyCursor = errors.New("the cursor is empty")
)

// DB is a pool, a connection or a transaction of pgx: [*pgxpool.Pool],
// [*pgx.Conn] or [pgx.Tx].
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

//go:embed migrations
var migrations embed.FS

// line is the name of the migrations of this package.
const line = "store/postgres"

// Migrate creates the table ingest_cursor, or upgrades it, and returns the
// names of the migrations applied: none when the table is up to date. It may
// run while hosts are polling. A table of a newer release is an error.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (applied []string, err error) {
	return pgmigrate.Apply(ctx, pool, line, migrations)
}

// Check returns nil when the table has the version that this release works
// with. Otherwise the error says whether to migrate or that a newer release has
// done so.
func Check(ctx context.Context, pool *pgxpool.Pool) error {
	return pgmigrate.Check(ctx, pool, line, migrations)
}

// Load returns the cursor last saved under key and its version, or nil and zero
// when there is none. An empty key is an error.
func Load(ctx context.Context, db DB, key string) (cursor ingest.Cursor, version int64, err error) {
	if key == "" {
		return nil, 0, prefixed.Errorf("postgres", "cannot load a cursor: %w", errEmptyKey)
	}
	err = db.QueryRow(ctx, `SELECT cursor, version FROM ingest_cursor WHERE key = $1`, []byte(key)).Scan(&cursor, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, prefixed.Errorf("postgres", "cannot load the cursor of %q: %w", key, err)
	}
	return cursor, version, nil
}

// Save replaces the cursor under key, which must still be at version, and
// returns the new version. Version zero means that there is no cursor yet. When
// the stored cursor has another version, the error wraps [ingest.ErrConflict]
// and nothing changes. An empty key and an empty cursor are errors.
func Save(ctx context.Context, db DB, key string, cursor ingest.Cursor, version int64) (int64, error) {
	err := check(key, cursor)
	if err == nil {
		err = swap(ctx, db, key, cursor, version)
	}
	if err != nil {
		return 0, prefixed.Errorf("postgres", "cannot save the cursor of %q: %w", key, err)
	}
	return version + 1, nil
}

func check(key string, cursor ingest.Cursor) error {
	switch {
	case key == "":
		return errEmptyKey
	case len(cursor) == 0:
		return errEmptyCursor
	}
	return nil
}

func swap(ctx context.Context, db DB, key string, cursor ingest.Cursor, version int64) error {
	query := `UPDATE ingest_cursor SET cursor = $2, version = version + 1, saved_at = now() WHERE key = $1 AND version = $3`
	args := []any{[]byte(key), []byte(cursor), version}
	if version == 0 {
		query = `INSERT INTO ingest_cursor (key, cursor, version) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING`
		args = args[:2]
	}
	tag, err := db.Exec(ctx, query, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ingest.ErrConflict
	}
	return err
}

// Delete removes the cursor under key, if there is one.
func Delete(ctx context.Context, db DB, key string) error {
	if _, err := db.Exec(ctx, `DELETE FROM ingest_cursor WHERE key = $1`, []byte(key)); err != nil {
		return prefixed.Errorf("postgres", "cannot delete the cursor of %q: %w", key, err)
	}
	return nil
}

// Store is an [ingest.CursorStore]. It remembers the version of each cursor
// that it loaded or saved last, and replaces only that one. After
// [ingest.ErrConflict] every further save of that key fails until the cursor
// has been loaded again. A save whose outcome is unknown, because the reply was
// lost, may be repeated. Store is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool

	mu       sync.Mutex
	versions map[string]int64
}

var _ ingest.CursorStore = (*Store)(nil)

// New returns a store on pool. [Migrate] must have created the table.
func New(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, versions: make(map[string]int64)}
}

// Load implements [ingest.CursorStore].
func (s *Store) Load(ctx context.Context, key string) (ingest.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cursor, version, err := Load(ctx, s.pool, key)
	if err == nil {
		s.versions[key] = version
	}
	return cursor, err
}

// Save implements [ingest.CursorStore]. A key that this Store has never loaded
// counts as one without a cursor.
func (s *Store) Save(ctx context.Context, key string, cursor ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	version, err := Save(ctx, s.pool, key, cursor, s.versions[key])
	if errors.Is(err, ingest.ErrConflict) {
		// It may be this very save, made before and with its reply lost.
		saved, v, failed := Load(ctx, s.pool, key)
		if failed == nil && v == s.versions[key]+1 && bytes.Equal(saved, cursor) {
			version, err = v, nil
		}
	}
	if err == nil {
		s.versions[key] = version
	}
	return err
}
