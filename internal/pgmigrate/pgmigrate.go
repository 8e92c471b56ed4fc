// Package pgmigrate brings the tables of a package in Postgres up to date.
//
// Each package that owns tables has a line of migrations: files in its folder
// migrations, named after their version, such as 001_cursor.sql, that are applied
// in order and once.
// They only ever go forward.
package pgmigrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lock keeps two processes from migrating at once. The number means nothing.
const lock = 0x63666175646974

// DB is what migrations need: a pool, a connection or a transaction.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Apply applies the migrations of line that db does not have yet, all of them or
// none, and returns their names. A database that a newer release has migrated is
// an error.
func Apply(ctx context.Context, db DB, line string, files fs.FS) (applied []string, err error) {
	all, err := list(files)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS cfaudit_migration (
			line text NOT NULL, version int NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
			PRIMARY KEY (line, version))`); err != nil {
			return err
		}
		have, err := version(ctx, tx, line)
		if err != nil {
			return err
		}
		if newest := len(all); have > newest {
			return tooNew(line, have, newest)
		}
		for i, name := range all[have:] {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", path.Base(name), err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO cfaudit_migration (line, version) VALUES ($1, $2)`, line, have+i+1); err != nil {
				return err
			}
			applied = append(applied, path.Base(name))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("migrate the tables of %s: %w", line, err)
	}
	return applied, nil
}

// ErrOutdated is in the tree of the error of [Check] about tables that [Apply]
// makes or brings up to date.
var ErrOutdated = errors.New("migrate first")

// Check reports whether db has exactly the migrations of line.
func Check(ctx context.Context, db DB, line string, files fs.FS) error {
	all, err := list(files)
	if err != nil {
		return err
	}
	have, err := version(ctx, db, line)
	if missing, ok := errors.AsType[*pgconn.PgError](err); ok && missing.Code == "42P01" { // undefined_table
		have, err = 0, nil
	}
	switch {
	case err != nil:
		return err
	case have < len(all):
		return fmt.Errorf("the tables of %s are at version %d and this release needs %d: %w", line, have, len(all), ErrOutdated)
	case have > len(all):
		return tooNew(line, have, len(all))
	}
	return nil
}

func tooNew(line string, have, newest int) error {
	return fmt.Errorf("the tables of %s are at version %d and this release knows %d: a newer release has migrated them", line, have, newest)
}

func version(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, line string) (v int, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM cfaudit_migration WHERE line = $1`, line).Scan(&v)
	return v, err
}

// list is the files in order. Their versions have no gap.
func list(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for i, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		if v, err := strconv.Atoi(number); err != nil || v != i+1 {
			return nil, fmt.Errorf("the migration %s should have version %d", name, i+1)
		}
	}
	return names, nil
}
