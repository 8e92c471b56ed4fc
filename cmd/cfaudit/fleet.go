package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

func newFleet(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "fleet",
		DisableFlagsInUseLine: true,
		Short:                 "Read thousands of accounts, from several machines",
		Long: `Fleet reads many accounts with any number of workers. The accounts, their
cursors and the job queue are in a Postgres database; docs/fleet.md says when that
is worthwhile.

  cfaudit fleet migrate     creates or updates the tables
  cfaudit fleet key         creates a key that encrypts the tokens
  cfaudit fleet add         adds or changes accounts
  cfaudit fleet work        runs a worker
  cfaudit fleet status      shows the state of each account

Environment:
  CFAUDIT_DATABASE_URL    the database, such as postgres://cfaudit:…@db.example.com/cfaudit?sslmode=verify-full;
                          settings it omits come from the libpq variables, such as PGPASSWORD
  CFAUDIT_FLEET_KEY       the key that encrypts the tokens in the database,
                          unless --key-file is given`,
		Args: noSubcommand,
		// Without it, an unknown command would print the help and no error.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFleetMigrate(w), newFleetKey(w), newFleetAdd(w), newFleetList(w),
		newFleetPause(w), newFleetResume(w), newFleetRemove(w), newFleetCursor(w), newFleetReseal(w), newFleetWork(w), newFleetStatus(w))
	return cmd
}

// station gives a command access to the database and the secrets.
type station struct {
	world
	flags                  *pflag.FlagSet
	database, key, secrets string
	budget                 int
	// maxConns is the most connections that the command needs, or 0.
	maxConns int32
	// rules are for accounts that have none of their own, or nil.
	rules func() []cloudflareaudit.Rule
	// patient says that the command waits while the database is unreachable or
	// read-only.
	patient bool
}

// addStation adds the database flags to flags, and the secrets flags for a
// command that opens secrets.
func addStation(w world, flags *pflag.FlagSet, secrets bool) *station {
	s := &station{world: w, flags: flags, budget: 900}
	flags.SortFlags = false
	flags.StringVar(&s.database, "database", "", "`URL` of the database, without a password (environment: "+envDatabase+")")
	if secrets {
		flags.StringVar(&s.key, "key-file", "", "`FILE` with the key of the tokens (environment: "+envFleetKey+")")
		flags.StringVar(&s.secrets, "secrets", "", "`FOLDER` of the files that api_token_ref names, one secret each")
	}
	return s
}

// idleTimeout is how long the server waits for the next statement of a
// transaction. The locks of a machine that died would otherwise keep the others
// from taking over its polls.
const idleTimeout = "idle_in_transaction_session_timeout"

// pool connects to the database.
func (s *station) pool(ctx context.Context, log *slog.Logger) (*pgxpool.Pool, error) {
	text, from := s.getenv(envDatabase), envDatabase
	if s.flags.Changed("database") {
		text, from = s.database, "--database"
		if u, err := url.Parse(text); err == nil && u.User != nil {
			if _, with := u.User.Password(); with {
				return nil, faults{"--database: has a password in it, which other users of this machine can see; give it in " + envDatabase}
			}
		}
	}
	if text == "" {
		return nil, faults{envDatabase + " or --database: is required: the URL of the database"}
	}
	// Errors of the parser can repeat parts of the URL.
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, faults{from + ": must be a URL such as postgres://cfaudit@db.example.com/cfaudit?sslmode=verify-full"}
	}
	if wrong := exposedFiles(from, text); len(wrong) > 0 {
		return nil, wrong
	}
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, faults{from + ": cannot be read as the URL of a database; is a character in the password not escaped, or a file of the settings missing?"}
	}
	if s.maxConns > 0 && !strings.Contains(text, "pool_max_conns") {
		cfg.MaxConns = s.maxConns
	}
	if s.patient && cfg.ConnConfig.ValidateConnect == nil {
		// A read-only connection is useless to a worker, and would stay in the
		// pool after the server, or another one, becomes writable.
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "cfaudit"
	}
	if cfg.ConnConfig.RuntimeParams[idleTimeout] == "" {
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `SET `+idleTimeout+` = '30s'`)
			return err
		}
	}
	if server := cfg.ConnConfig.Host; !local(server) && (cfg.ConnConfig.TLSConfig == nil || len(cfg.ConnConfig.Fallbacks) > 0) {
		log.Warn("the connection to the database may be unencrypted: add sslmode=verify-full to its URL", "host", server)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the database: %w", err)
	}
	err = s.persist(ctx, log, "cannot connect to the database, trying again until it is there",
		func(err error) bool { return !refused(err) }, func() error { return pool.Ping(ctx) })
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("cannot connect to the database: %w", err)
	}
	return pool, nil
}

// exposedFiles are the files of secrets that the URL of a database names and other
// users can read.
func exposedFiles(from, text string) (wrong faults) {
	u, err := url.Parse(text)
	if err != nil {
		return nil // which the parser of the database tells
	}
	for _, name := range []string{"passfile", "sslkey"} {
		if err := files.CheckPrivateFile(u.Query().Get(name)); err != nil {
			wrong = append(wrong, from+": "+name+": "+err.Error())
		}
	}
	return wrong
}

// persist retries try after temporary errors when the command is patient, and
// logs the first of them.
func (s *station) persist(ctx context.Context, log *slog.Logger, told string, passes func(error) bool, try func() error) error {
	for first := true; ; first = false {
		err := try()
		if err == nil || !s.patient || !passes(err) || ctx.Err() != nil {
			return err
		}
		if first {
			log.Warn(told, "error", err)
		}
		_ = httpx.Sleep(ctx, time.Second) // the next attempt tells whether ctx has ended
	}
}

// newFleetLogger is a log on standard error. Remedies in errors name
// configuration fields, as in a list of accounts.
func newFleetLogger(w world) *slog.Logger {
	return loggerOf(w, func(err error) string { return tell(err, asGiven) })
}

// refused reports whether the database permanently refuses the connection:
// because of the user or the password, or because there is no such database.
func refused(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(answer.Code, "28") || strings.HasPrefix(answer.Code, "3D"))
}

// gone reports whether the connection to the database broke, or the server is
// stopping or starting.
func gone(err error) bool {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(answer.Code, "57P")
	}
	_, unreachable := errors.AsType[*pgconn.ConnectError](err)
	return unreachable || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// local reports whether a libpq host is this machine: a socket directory or a
// loopback address.
func local(name string) bool {
	addr, err := netip.ParseAddr(name)
	return strings.HasPrefix(name, "/") || name == "localhost" || err == nil && addr.IsLoopback()
}

// vault opens the secrets.
func (s *station) vault() (*fleet.Vault, error) {
	keys, from := s.getenv(envFleetKey), envFleetKey
	if s.flags.Changed("key-file") {
		text, err := readSecret(s.key)
		if err != nil {
			return nil, faults{"--key-file: " + withoutName(err).Error()}
		}
		keys, from = string(text), "--key-file"
	}
	v, err := fleet.NewVault(keys, s.secrets)
	if err != nil {
		return nil, faults{from + ": " + prefixed.Bare(err)}
	}
	return v, nil
}

// with calls do with the fleet in the database, and closes the fleet
// afterwards.
func (s *station) with(ctx context.Context, do func(context.Context, *fleet.Fleet) error) error {
	log := newFleetLogger(s.world)
	vault, err := s.vault()
	if err != nil {
		return err
	}
	pool, err := s.pool(ctx, log)
	if err != nil {
		return err
	}
	defer pool.Close()
	catalog, err := s.catalog(pool, log)
	if err != nil {
		return err
	}
	f, err := fleet.New(pool, catalog, vault)
	if err != nil {
		return err
	}
	return s.persist(ctx, log, "the database went away, trying again until it is there", gone, func() error {
		err := f.Check(ctx)
		if errors.Is(err, fleet.ErrOutdated) {
			return &remarked{err, ": run 'cfaudit fleet migrate'"}
		}
		if err != nil {
			return err
		}
		return do(ctx, f)
	})
}

// catalog has the connector. Its requests share the budgets of the fleet.
func (s *station) catalog(pool *pgxpool.Pool, log *slog.Logger) (*ingest.Catalog, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 64
	budget, err := fleet.NewBudget(pool, s.budget, transport)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: budget}
	var catalog ingest.Catalog
	return &catalog, cloudflareaudit.Register(&catalog, s.adjust(client, log))
}

// adjust adds what the configuration of an account does not hold.
func (s *station) adjust(client *http.Client, log *slog.Logger) func(*cloudflareaudit.Config) {
	return func(cfg *cloudflareaudit.Config) {
		cfg.HTTPClient, cfg.Logger = client, log
		if s.rules != nil && len(cfg.Rules) == 0 {
			cfg.Rules = s.rules()
		}
	}
}

func newFleetMigrate(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create or update the tables",
		Long: `Migrate creates the tables of the fleet and of its job queue in the database, or
updates them after an upgrade. Tables that are up to date are left unchanged.`,
		Args: noArgs,
	}
	s := addStation(w, cmd.Flags(), false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		pool, err := s.pool(cmd.Context(), newFleetLogger(w))
		if err != nil {
			return err
		}
		defer pool.Close()
		applied, err := fleet.Migrate(cmd.Context(), pool)
		for _, name := range applied {
			fmt.Fprintf(w.stderr, "applied %s\n", name)
		}
		if err == nil && len(applied) == 0 {
			fmt.Fprintln(w.stderr, "the tables are up to date")
		}
		return err
	}
	return cmd
}

func newFleetKey(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Create a key that encrypts the tokens",
		Long: `Key prints a new key, an age identity. All workers and 'fleet add' need the same
one. Keep a copy apart from the database: without the key the tokens are lost and
must be added again.`,
		Example: `  (umask 077 && cfaudit fleet key > fleet.key)`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			key, err := fleet.NewKey()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(w.stdout, key)
			return err
		},
	}
}

func newFleetReseal(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reseal",
		Short: "Encrypt the tokens with a new key",
		Long: `Reseal re-encrypts all tokens in the database with the first of several keys. To
replace a key, put the new one before the old one, on a separate line, wherever
the key is read; then reseal; then remove the old one.`,
		Args: noArgs,
	}
	s := addStation(w, cmd.Flags(), true)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.with(cmd.Context(), func(ctx context.Context, f *fleet.Fleet) error {
			n, err := f.Reseal(ctx)
			fmt.Fprintf(w.stderr, "encrypted the tokens of %s\n", count(n, "account", "accounts"))
			return err
		})
	}
	return cmd
}

func newFleetCursor(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cursor ID",
		Short: "Print the cursor of an account",
		Long: `Cursor prints the cursor of an account, so that another fleet, or 'cfaudit run',
can resume from there. Pause the account first.`,
		Example: `  cfaudit fleet cursor cloudflare-023e105f4ecef8ad9ca31a8372d0c353 > cursor`,
		Args:    namedAccounts(1),
	}
	s := addStation(w, cmd.Flags(), false)
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		return s.with(cmd.Context(), func(ctx context.Context, f *fleet.Fleet) error {
			cursor, err := f.Cursor(ctx, ids[0])
			if err != nil {
				return err
			}
			if cursor == nil {
				return fmt.Errorf("%s has no cursor yet: it was never read", ids[0])
			}
			_, err = w.stdout.Write(cursor)
			return err
		})
	}
	return cmd
}

// namedAccounts requires account ids, at most the given number.
func namedAccounts(most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 || len(args) > most {
			return errors.New("name the account by its id, as 'cfaudit fleet list' shows it")
		}
		// The error about an unknown account would repeat it.
		if slices.ContainsFunc(args, startsLikeAToken.MatchString) {
			return errors.New("an argument looks like an API token: name the account by its id, as 'cfaudit fleet list' shows it")
		}
		return nil
	}
}

// newFleetChange is a command that changes the named accounts.
func newFleetChange(w world, name, headline, long, past string, do func(context.Context, *fleet.Fleet, string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name + " ID...",
		Short:   headline,
		Long:    long,
		Example: "  cfaudit fleet " + name + " cloudflare-023e105f4ecef8ad9ca31a8372d0c353",
		Args:    namedAccounts(math.MaxInt),
	}
	s := addStation(w, cmd.Flags(), false)
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		return s.with(cmd.Context(), func(ctx context.Context, f *fleet.Fleet) error {
			for _, id := range ids {
				if err := do(ctx, f, id); err != nil {
					return err
				}
				fmt.Fprintf(w.stderr, "%s %s\n", past, id)
			}
			return nil
		})
	}
	return cmd
}

func newFleetPause(w world) *cobra.Command {
	return newFleetChange(w, "pause", "Stop polling accounts for now",
		`Pause stops the polling of accounts, at the latest after the current poll. Entries
that appear meanwhile are read when the accounts are resumed.`, "paused",
		func(ctx context.Context, f *fleet.Fleet, id string) error { return f.Pause(ctx, id) })
}

func newFleetResume(w world) *cobra.Command {
	return newFleetChange(w, "resume", "Resume polling of paused or halted accounts",
		`Resume restarts, within a minute, the polling of accounts that were paused or that
halted because their cursor is unusable.`, "resumed",
		func(ctx context.Context, f *fleet.Fleet, id string) error { return f.Resume(ctx, id) })
}

func newFleetRemove(w world) *cobra.Command {
	return newFleetChange(w, "remove", "Delete accounts and their cursors",
		`Remove deletes accounts with their tokens and cursors. An account that is added
again starts with its initial lookback.`, "removed",
		func(ctx context.Context, f *fleet.Fleet, id string) error { return f.Remove(ctx, id) })
}
