package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/riverqueue/river"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
	"github.com/aisoc/cloudflareaudit/store/postgres"
)

// The bounds of an interval, and what it is by default.
const (
	defaultInterval = 300 * time.Second
	minInterval     = time.Second
	maxInterval     = 24 * time.Hour
)

// Object is a configuration object of a connector. It may hold secrets, so no
// format and no log shows its values.
type Object map[string]any

// Format implements [fmt.Formatter].
func (o Object) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[%d fields]", len(o)) }

// LogValue implements [slog.LogValuer].
func (o Object) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// Spec describes an instance to add or to change.
type Spec struct {
	// ID names the instance permanently: its cursor is kept under it. The default
	// is the connector and the account, as in "cloudflare-" and an account id.
	ID string
	// Connector is the id of a connector in the catalog.
	Connector string
	// Tenant owns the events. It is required.
	Tenant string
	// Account is what is read, for people and to detect that two instances of a
	// tenant read the same account. It is required.
	Account string
	// Feed is the connector instance at the host that the events belong to. The
	// events of instances of one tenant and feed may travel together. The
	// default is the connector.
	Feed string
	// Interval is the time between two polls, in whole seconds from 1 s to
	// 24 h; 300 s by default.
	Interval time.Duration
	// Config is the configuration object, without the secrets that are kept in
	// files. The other secrets, which are the fields of type secret, are stored
	// encrypted.
	Config Object
	// SecretRefs maps fields to the names of files in the folder of secrets.
	SecretRefs map[string]string
	// Cursor is where a new instance resumes: the cursor of another host or fleet.
	// An existing instance keeps its own.
	Cursor ingest.Cursor
}

// Instance is an instance as it is stored. Its configuration holds no secrets.
type Instance struct {
	ID         string            `json:"id"`
	Connector  string            `json:"connector"`
	Tenant     string            `json:"tenant"`
	Account    string            `json:"account"`
	Feed       string            `json:"feed"`
	Interval   time.Duration     `json:"-"` // in JSON it is interval_seconds
	Config     Object            `json:"config"`
	SecretRefs map[string]string `json:"secret_refs,omitempty"`
	Paused     bool              `json:"paused"`
	// Version is raised by every change to the instance.
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`

	secrets []byte
}

// MarshalJSON implements [json.Marshaler].
func (in Instance) MarshalJSON() ([]byte, error) {
	type plain Instance
	return json.Marshal(struct {
		plain
		IntervalSeconds int64 `json:"interval_seconds"`
	}{plain(in), int64(in.Interval / time.Second)})
}

// columns are those that scan reads.
const columns = `i.id, i.connector, i.tenant, i.account, i.feed, i.interval_s, i.config, i.secrets, i.secret_refs,
	i.paused, i.version, i.created_at, i.changed_at`

// fields are where the columns go.
func (in *Instance) fields() []any {
	return []any{&in.ID, &in.Connector, &in.Tenant, &in.Account, &in.Feed, (*wholeSeconds)(&in.Interval), &in.Config,
		&in.secrets, &in.SecretRefs, &in.Paused, &in.Version, &in.CreatedAt, &in.ChangedAt}
}

// wholeSeconds is a duration that is stored in seconds.
type wholeSeconds time.Duration

// ScanInt64 implements [pgtype.Int64Scanner].
func (s *wholeSeconds) ScanInt64(v pgtype.Int8) error {
	*s = wholeSeconds(time.Duration(v.Int64) * time.Second)
	return nil
}

// A Change is what [Fleet.Put] did with an instance.
type Change string

// The changes.
const (
	Added     Change = "added"
	Changed   Change = "changed"
	Unchanged Change = "unchanged"
)

// Validate reports every fault of s, by field, those of the connector's
// configuration included. It reads the secrets that are kept in files, and not
// the database.
func (f *Fleet) Validate(s Spec) error {
	_, err := f.prepare(s)
	return err
}

// prepared is a spec with its secrets apart.
type prepared struct {
	Spec
	secrets map[string]string
}

func (f *Fleet) prepare(s Spec) (prepared, error) {
	s.ID = cmp.Or(s.ID, s.Connector+"-"+s.Account)
	s.Feed = cmp.Or(s.Feed, s.Connector)
	s.Interval = cmp.Or(s.Interval, defaultInterval)
	p := prepared{Spec: s, secrets: make(map[string]string)}
	var faults []error
	name := func(field, value string) {
		switch {
		case value == "":
			faults = append(faults, fmt.Errorf("%s: is required", field))
		case len(value) > 200:
			faults = append(faults, fmt.Errorf("%s: has %d bytes, but at most 200 are allowed", field, len(value)))
		case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
			faults = append(faults, fmt.Errorf("%s: %q: must not have control characters in it", field, value))
		}
	}
	name("connector", s.Connector)
	name("tenant", s.Tenant)
	name("account", s.Account)
	name("id", s.ID)
	name("feed", s.Feed)
	if s.Interval < minInterval || s.Interval > maxInterval || s.Interval%time.Second != 0 {
		faults = append(faults, fmt.Errorf("interval: %s: must be whole seconds from %s to %s", s.Interval, minInterval, maxInterval))
	}
	d, ok := f.descriptor(s.Connector)
	if !ok {
		return p, errors.Join(append(faults, fmt.Errorf("connector: %q: is not in the catalog, which has %q", s.Connector, f.connectors()))...)
	}
	secret := make(map[string]bool)
	for _, field := range d.Fields {
		secret[field.Name] = field.Type == ingest.FieldSecret
	}
	p.Config = make(Object, len(s.Config))
	for field, value := range s.Config {
		if !secret[field] {
			p.Config[field] = value
			continue
		}
		text, ok := value.(string)
		if !ok {
			faults = append(faults, fmt.Errorf("%s: must be a string", field))
			continue
		}
		p.secrets[field] = text
	}
	for field := range s.SecretRefs {
		switch {
		case !secret[field]:
			faults = append(faults, fmt.Errorf("%s_ref: %s has no secret field of that name", field, s.Connector))
		case p.secrets[field] != "":
			faults = append(faults, fmt.Errorf("%s_ref: cannot be given with %s", field, field))
		}
	}
	if len(p.secrets) > 0 && f.vault.recipient == nil {
		faults = append(faults, errNoKey)
	}
	whole, err := f.assemble(p.Config, p.secrets, p.SecretRefs)
	if err == nil {
		_, err = f.catalog.Build(s.Connector, whole)
	}
	return p, errors.Join(append(faults, err)...)
}

func (f *Fleet) descriptor(connector string) (ingest.Descriptor, bool) {
	for _, d := range f.catalog.List() {
		if d.ConnectorID == connector {
			return d, true
		}
	}
	return ingest.Descriptor{}, false
}

// connectors are the ids in the catalog.
func (f *Fleet) connectors() (ids []string) {
	for _, d := range f.catalog.List() {
		ids = append(ids, d.ConnectorID)
	}
	return ids
}

// assemble puts a configuration and its secrets together, for a factory.
func (f *Fleet) assemble(config Object, secrets, refs map[string]string) (map[string]any, error) {
	whole := maps.Clone(map[string]any(config))
	if whole == nil {
		whole = make(map[string]any)
	}
	for field, value := range secrets {
		whole[field] = value
	}
	for field, name := range refs {
		value, err := f.vault.read(name)
		if err != nil {
			return nil, fmt.Errorf("%s_ref: %w", field, err)
		}
		whole[field] = value
	}
	return whole, nil
}

// source builds the source of an instance.
func (f *Fleet) source(in *Instance) (ingest.Source, error) {
	secrets, err := f.vault.open(in.ID, in.secrets)
	if err != nil {
		return nil, err
	}
	whole, err := f.assemble(in.Config, secrets, in.SecretRefs)
	if err != nil {
		return nil, err
	}
	return f.catalog.Build(in.Connector, whole)
}

// Put adds the instances that do not exist and changes those that do, all or
// none, and returns what it did with each, in order. The connector and the
// account of an instance cannot be changed, because its cursor belongs to them.
// What is added or changed is polled within a minute, and a single one at once.
// The error is about the first spec that is wrong. A few hundred specs at a
// time are best.
func (f *Fleet) Put(ctx context.Context, specs ...Spec) ([]Change, error) {
	ready := make([]prepared, len(specs))
	for i, s := range specs {
		var err error
		if ready[i], err = f.prepare(s); err != nil {
			return nil, prefixed.Errorf("fleet", "%s: %w", ready[i].ID, err)
		}
	}
	if err := f.clock(ctx); err != nil {
		return nil, err
	}
	changes := make([]Change, len(specs))
	err := f.inTx(ctx, func(tx pgx.Tx) error {
		var jobs []river.InsertManyParams
		now := time.Now()
		for i, p := range ready {
			change, paused, err := f.put(ctx, tx, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
			changes[i] = change
			if change == Unchanged || paused {
				continue
			}
			if change == Changed {
				if err := f.cancelJob(ctx, tx, p.ID); err != nil {
					return fmt.Errorf("%s: %w", p.ID, err)
				}
			}
			at := soon(p.ID, len(specs), p.Interval, now)
			if err := setNext(ctx, tx, p.ID, at); err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
			jobs = append(jobs, river.InsertManyParams{Args: pollArgs{p.ID}, InsertOpts: jobAt(at)})
		}
		if len(jobs) == 0 {
			return nil
		}
		_, err := f.jobs.InsertManyTx(ctx, tx, jobs)
		return err
	})
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	return changes, nil
}

// put stores one instance.
func (f *Fleet) put(ctx context.Context, tx pgx.Tx, p prepared) (change Change, paused bool, err error) {
	secrets, err := f.vault.seal(p.ID, p.secrets)
	if err != nil {
		return "", false, err
	}
	refs := p.SecretRefs
	if refs == nil {
		refs = map[string]string{}
	}
	seconds := int(p.Interval / time.Second)
	// What is unchanged, mostly all of a list that is given again, is not locked:
	// its poll would wait for the end of the list.
	old, err := f.get(ctx, tx, p.ID, "")
	if err == nil {
		if same, err := f.same(old, p); err != nil || same {
			return Unchanged, old.Paused, err
		}
		old, err = f.get(ctx, tx, p.ID, " FOR UPDATE")
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		return "", false, err
	}
	var other string
	switch err := tx.QueryRow(ctx, `SELECT id FROM fleet_instance WHERE connector = $1 AND tenant = $2 AND account = $3 AND id <> $4`,
		p.Connector, p.Tenant, p.Account, p.ID).Scan(&other); {
	case err == nil:
		return "", false, fmt.Errorf("account: %q: the instance %s of this tenant reads it already", p.Account, other)
	case !errors.Is(err, pgx.ErrNoRows):
		return "", false, err
	}
	if errors.Is(err, ErrUnknown) {
		_, err = tx.Exec(ctx, `INSERT INTO fleet_instance
			(id, connector, tenant, account, feed, config, secrets, secret_refs, interval_s)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			p.ID, p.Connector, p.Tenant, p.Account, p.Feed, p.Config, secrets, refs, seconds)
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO fleet_state (id) VALUES ($1)`, p.ID)
		}
		if err == nil && len(p.Cursor) > 0 {
			_, err = postgres.Save(ctx, tx, p.ID, p.Cursor, 0)
		}
		return Added, false, err
	}
	if old.Connector != p.Connector || old.Account != p.Account {
		return "", false, fmt.Errorf("account: %q: the instance reads %s %q, which cannot be changed; remove it, or choose another id",
			p.Account, old.Connector, old.Account)
	}
	_, err = tx.Exec(ctx, `UPDATE fleet_instance SET tenant = $2, feed = $3, config = $4, secrets = $5, secret_refs = $6,
		interval_s = $7, version = version + 1, changed_at = now() WHERE id = $1`,
		p.ID, p.Tenant, p.Feed, p.Config, secrets, refs, seconds)
	if err == nil {
		// What halted it may have been mended.
		_, err = tx.Exec(ctx, `UPDATE fleet_state SET halted = false WHERE id = $1`, p.ID)
	}
	return Changed, old.Paused, err
}

// same reports whether p is what is stored. Secrets that cannot be opened are
// not the same.
func (f *Fleet) same(old *Instance, p prepared) (bool, error) {
	config, err := canonical(p.Config)
	if err != nil {
		return false, err
	}
	secrets, err := f.vault.open(old.ID, old.secrets)
	return err == nil && old.Connector == p.Connector && old.Account == p.Account &&
		old.Tenant == p.Tenant && old.Feed == p.Feed && old.Interval == p.Interval &&
		maps.Equal(old.SecretRefs, p.SecretRefs) && maps.Equal(secrets, p.secrets) &&
		reflect.DeepEqual(config, map[string]any(old.Config)), nil
}

// canonical is an object as it comes back from the database.
func canonical(o Object) (m map[string]any, err error) {
	text, err := json.Marshal(map[string]any(o))
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(text, &m)
}

// ErrUnknown is wrapped by the errors about an id that no instance has.
var ErrUnknown = errors.New("there is no such instance")

func (f *Fleet) get(ctx context.Context, db postgres.DB, id, lock string) (*Instance, error) {
	var in Instance
	err := db.QueryRow(ctx, `SELECT `+columns+` FROM fleet_instance i WHERE id = $1`+lock, id).Scan(in.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrUnknown
	}
	return &in, err
}

// List returns all instances, ordered by tenant and id.
func (f *Fleet) List(ctx context.Context) ([]Instance, error) {
	rows, err := f.pool.Query(ctx, `SELECT `+columns+` FROM fleet_instance i ORDER BY i.tenant, i.id`)
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (in Instance, err error) {
		return in, row.Scan(in.fields()...)
	})
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%w", err)
	}
	return list, nil
}

// Pause stops polling an instance, after the poll under way if there is one.
// Its cursor stays.
func (f *Fleet) Pause(ctx context.Context, id string) error {
	return f.change(ctx, id, func(tx pgx.Tx, in *Instance) error {
		if _, err := tx.Exec(ctx, `UPDATE fleet_instance SET paused = true, version = version + 1, changed_at = now() WHERE id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE fleet_state SET next_poll = NULL WHERE id = $1`, id); err != nil {
			return err
		}
		return f.cancelJob(ctx, tx, id)
	})
}

// Resume polls an instance again, at once, that was paused or that has halted
// because of its cursor.
func (f *Fleet) Resume(ctx context.Context, id string) error {
	if err := f.clock(ctx); err != nil {
		return err
	}
	return f.change(ctx, id, func(tx pgx.Tx, in *Instance) error {
		if _, err := tx.Exec(ctx, `UPDATE fleet_instance SET paused = false, version = version + 1, changed_at = now() WHERE id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE fleet_state SET halted = false WHERE id = $1`, id); err != nil {
			return err
		}
		if err := f.cancelJob(ctx, tx, id); err != nil {
			return err
		}
		at := soon(id, 1, in.Interval, time.Now())
		if err := setNext(ctx, tx, id, at); err != nil {
			return err
		}
		_, err := f.jobs.InsertTx(ctx, tx, pollArgs{id}, jobAt(at))
		return err
	})
}

// Remove deletes an instance and its cursor. If it is added again, it starts
// over.
func (f *Fleet) Remove(ctx context.Context, id string) error {
	return f.change(ctx, id, func(tx pgx.Tx, in *Instance) error {
		if _, err := tx.Exec(ctx, `DELETE FROM fleet_instance WHERE id = $1`, id); err != nil {
			return err
		}
		if err := postgres.Delete(ctx, tx, id); err != nil {
			return err
		}
		return f.cancelJob(ctx, tx, id)
	})
}

// Cursor returns the cursor of an instance, or nil when it has none yet.
func (f *Fleet) Cursor(ctx context.Context, id string) (ingest.Cursor, error) {
	_, err := f.get(ctx, f.pool, id, "")
	var cursor ingest.Cursor
	if err == nil {
		cursor, _, err = postgres.Load(ctx, f.pool, id)
	}
	if err != nil {
		return nil, prefixed.Errorf("fleet", "%s: %w", id, err)
	}
	return cursor, nil
}

// again are the faults of a transaction that another one has brought about, so
// that it is tried again. River's scheduler locks jobs in an order of its own, so
// that the two may come to wait for each other, which the database notices and
// ends. What is not there yet may be added by two at once. And a database may be
// set to another isolation than read committed.
var again = map[string]bool{
	"40P01": true, // deadlock_detected
	"40001": true, // serialization_failure
	"23505": true, // unique_violation
}

// inTx makes a change in a transaction.
func (f *Fleet) inTx(ctx context.Context, do func(pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, f.pool, do)
		fault, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || !again[fault.Code] || attempt == 5 {
			return err
		}
	}
}

func (f *Fleet) change(ctx context.Context, id string, do func(pgx.Tx, *Instance) error) error {
	err := f.inTx(ctx, func(tx pgx.Tx) error {
		in, err := f.get(ctx, tx, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		return do(tx, in)
	})
	if err != nil {
		return prefixed.Errorf("fleet", "%s: %w", id, err)
	}
	return nil
}

// Reseal encrypts all stored secrets with the first key of the vault, and
// returns how many instances have any. After it has succeeded, the old keys are
// no longer needed.
func (f *Fleet) Reseal(ctx context.Context) (int, error) {
	list, err := f.List(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, in := range list {
		// It is read again, because a change that was made meanwhile may have
		// used an old key.
		stored := false
		err := f.change(ctx, in.ID, func(tx pgx.Tx, in *Instance) error {
			if stored = len(in.secrets) > 0; !stored {
				return nil
			}
			fields, err := f.vault.open(in.ID, in.secrets)
			if err != nil {
				return err
			}
			secrets, err := f.vault.seal(in.ID, fields)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE fleet_instance SET secrets = $2 WHERE id = $1`, in.ID, secrets)
			return err
		})
		switch {
		case errors.Is(err, ErrUnknown):
		case err != nil:
			return n, err
		case stored:
			n++
		}
	}
	return n, nil
}
