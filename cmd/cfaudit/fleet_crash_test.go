//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

// The test of a fleet under faults is short by default; make fleet-soak is the
// long form.
var (
	fleetAccountsFlag = flag.Int("fleet.accounts", 40, "accounts for the test of a fleet under faults")
	fleetInterval     = flag.Duration("fleet.interval", 30*time.Second, "poll interval for it")
	fleetKills        = flag.Int("fleet.kills", 1, "workers to kill in it")
)

// clinic is a fleet for tests: accounts that an API serves, and a database of
// which the history of every cursor is kept.
type clinic struct {
	t       *testing.T
	cluster *pgtest.Cluster
	pool    *pgxpool.Pool
	api     *fakecloudflare.Accounts
	servers []*fakecloudflare.Server
	env     map[string]string
	folder  string
	outs    atomic.Int64
	// seen counts the ids that the outputs hold as far as they have been read.
	seen map[string]int
	read map[string]int64
}

func newClinic(t *testing.T, accounts int) *clinic {
	t.Helper()
	c := &clinic{t: t, cluster: pgtest.NewCluster(t), api: &fakecloudflare.Accounts{}, folder: t.TempDir(),
		seen: make(map[string]int), read: make(map[string]int64)}
	t.Cleanup(func() { require.NoError(t, c.cluster.Remove()) })
	key := command(t, "fleet", "key")
	require.Equal(t, exitOK, key.code)
	c.env = map[string]string{envDatabase: c.cluster.URL(), envFleetKey: strings.TrimSpace(key.out)}
	var err error
	c.pool, err = pgxpool.New(t.Context(), c.cluster.URL())
	require.NoError(t, err)
	t.Cleanup(c.pool.Close)
	c.ok("migrate")
	for _, statement := range []string{
		`CREATE TABLE history (key bytea, version bigint, cursor bytea, at timestamptz DEFAULT clock_timestamp())`,
		`CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN INSERT INTO history VALUES (NEW.key, NEW.version, NEW.cursor); RETURN NULL; END $$`,
		`CREATE TRIGGER keep AFTER INSERT OR UPDATE ON ingest_cursor FOR EACH ROW EXECUTE FUNCTION keep()`,
		`CREATE TABLE completes (id text, n bigserial, complete timestamptz)`,
		`CREATE FUNCTION keep_complete() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN INSERT INTO completes (id, complete) VALUES (NEW.id, NEW.complete); RETURN NULL; END $$`,
		`CREATE TRIGGER keep AFTER UPDATE ON fleet_state FOR EACH ROW WHEN (NEW.complete IS DISTINCT FROM OLD.complete) EXECUTE FUNCTION keep_complete()`,
	} {
		_, err := c.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	listener := httptest.NewServer(c.api)
	t.Cleanup(listener.Close)
	list := make([]map[string]any, accounts)
	for n := range accounts {
		token := fmt.Sprintf("cfat_fleet%035d", n)
		id := fmt.Sprintf("%032x", 0xacc0000+n)
		s := fakecloudflare.NewServer(fakecloudflare.Options{AccountID: id, Token: token})
		c.api.Add(s)
		c.servers = append(c.servers, s)
		list[n] = map[string]any{"account_id": id, "api_token": token, "tenant": fmt.Sprintf("tenant-%d", n%7)}
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	file := filepath.Join(c.folder, "accounts.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	got := c.ok("add", "--allow-loopback", "--from", file, "--base-url", listener.URL+fakecloudflare.Prefix, "--interval", fleetInterval.String(),
		"--max-events", "20", "--page-size", "20", "--rate-limit", "1200", "--drop-routine=false")
	require.Contains(t, got.err, fmt.Sprintf("%d added, 0 changed, 0 unchanged", accounts))
	return c
}

// call is a command of the fleet.
func (c *clinic) call(args ...string) call {
	return call{args: append([]string{"fleet"}, args...), env: c.env}
}

func (c *clinic) ok(args ...string) result {
	c.t.Helper()
	got := c.call(args...).run(c.t.Context())
	require.Equal(c.t, exitOK, got.code, got.err)
	return got
}

// fill adds n entries of the last hour to each account and returns their ids.
func (c *clinic) fill(seed, n int) (ids []string) {
	now := time.Now()
	for i, s := range c.servers {
		entries := fakecloudflare.Generate(uint64(seed*1_000_000+i), n, now.Add(-5*time.Second), now)
		if seed == 0 {
			entries = fakecloudflare.Generate(uint64(i), n, now.Add(-time.Hour), now.Add(-time.Minute))
		}
		s.Add(time.Time{}, entries...)
		ids = append(ids, idsOf(c.t, entries)...)
	}
	return ids
}

// worker starts a worker with an output of its own.
func (c *clinic) worker(args ...string) *exec.Cmd {
	c.t.Helper()
	out := filepath.Join(c.folder, fmt.Sprintf("events-%d.jsonl", c.outs.Add(1)))
	log, err := os.Create(out + ".log")
	require.NoError(c.t, err)
	defer log.Close()
	cmd := c.call(append([]string{"work", "--out", out}, args...)...).start(c.t, func(cmd *exec.Cmd) { cmd.Stderr = log })
	c.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if c.t.Failed() {
			text, _ := os.ReadFile(out + ".log")
			c.t.Logf("worker %d: %.4000s", cmd.Process.Pid, text)
		}
	})
	return cmd
}

// delivered counts each id in the outputs. It reads on where it was.
func (c *clinic) delivered() map[string]int {
	files, err := filepath.Glob(filepath.Join(c.folder, "events-*.jsonl"))
	require.NoError(c.t, err)
	for _, name := range files {
		file, err := os.Open(name)
		require.NoError(c.t, err)
		text, err := io.ReadAll(io.NewSectionReader(file, c.read[name], math.MaxInt64-c.read[name]))
		require.NoError(c.t, err)
		require.NoError(c.t, file.Close())
		// What a kill has torn was never accepted.
		text = text[:bytes.LastIndexByte(text, '\n')+1]
		c.read[name] += int64(len(text))
		for line := range bytes.Lines(text) {
			var event struct {
				ID string `json:"external_id"`
			}
			require.NoError(c.t, json.Unmarshal(line, &event), "%q", line)
			if !isBurst(event.ID) {
				c.seen[event.ID]++
			}
		}
	}
	return c.seen
}

// number is the result of a query for one number.
func (c *clinic) number(query string, args ...any) (n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(c.t, c.pool.QueryRow(ctx, query, args...).Scan(&n))
	return n
}

// Three workers poll a fleet. Some are killed in mid-poll and replaced, and the
// database is killed and started again. Whatever the moment: every entry of
// every account is delivered, no cursor moves backwards, and what comes twice is
// bounded by what was under way.
func TestFleet_KilledWorkersAndARestartedDatabaseLoseNothing(t *testing.T) {
	t.Parallel()
	const concurrency, batch = 8, 20
	c := newClinic(t, *fleetAccountsFlag)
	c.api.Latency = 100 * time.Millisecond
	long := len(c.servers) > 100
	want := c.fill(0, 80)
	if !long {
		// All at once, in place of one after the other.
		_, err := c.pool.Exec(t.Context(), `UPDATE river_job SET scheduled_at = now()`)
		require.NoError(t, err)
	}
	args := []string{"--concurrency", fmt.Sprint(concurrency), "--poll-timeout", "2s"}
	workers := []*exec.Cmd{c.worker(args...), c.worker(args...), c.worker(args...)}
	polled := func() int { return c.number(`SELECT count(*) FROM history`) }
	require.Eventually(t, func() bool { return polled() > 20 }, 2*time.Minute, 20*time.Millisecond, "no polls")

	leads := func(w *exec.Cmd) bool {
		return c.number(`SELECT count(*) FROM river_leader WHERE leader_id LIKE $1`, fmt.Sprintf("%%-%d-%%", w.Process.Pid)) > 0
	}
	kill := func() {
		// Not the leader, which the others could replace only after 15 s.
		for i, w := range workers {
			if leads(w) {
				continue
			}
			mine := `SELECT count(*) FROM river_job WHERE state = 'running' AND kind = 'fleet_poll' AND attempted_by[array_upper(attempted_by, 1)] LIKE $1`
			require.Eventually(t, func() bool { return c.number(mine, fmt.Sprintf("%%-%d-%%", w.Process.Pid)) > 0 },
				time.Minute+*fleetInterval, time.Millisecond, "the worker has nothing to do")
			require.NoError(t, w.Process.Kill())
			err := w.Wait()
			status, _ := w.ProcessState.Sys().(syscall.WaitStatus)
			require.Equal(t, syscall.SIGKILL, status.Signal(), "%v", err)
			workers[i] = c.worker(args...)
			return
		}
		t.Fatal("all workers are leaders")
	}
	pause := func() {
		if long {
			time.Sleep(15 * time.Second)
		}
	}
	for range (*fleetKills + 1) / 2 {
		kill()
		pause()
	}
	orphans := c.number(`SELECT count(*) FROM river_job WHERE state = 'running'`)
	require.NoError(t, c.cluster.Kill())
	time.Sleep(time.Second)
	if long {
		want = append(want, c.fill(1, 3)...)
	}
	require.NoError(t, c.cluster.Start())
	c.pool.Reset()
	for range *fleetKills / 2 {
		require.Eventually(t, func() bool { return slices.ContainsFunc(workers, leads) }, 30*time.Second, 50*time.Millisecond, "no leader")
		pause()
		kill()
	}
	fault := time.Now()

	if !long {
		// The jobs of dead workers are looked for every 30 s, and when another
		// worker comes to lead, as when the workers are upgraded.
		time.Sleep(4 * time.Second) // beyond what a poll of 2 s has
		require.Eventually(t, func() bool { return slices.ContainsFunc(workers, leads) }, 30*time.Second, 50*time.Millisecond, "no leader")
		i := slices.IndexFunc(workers, leads)
		require.NoError(t, workers[i].Process.Signal(syscall.SIGTERM))
		require.NoError(t, workers[i].Wait())
		workers[i] = c.worker(args...)
	} else {
		require.Eventually(t, func() bool {
			n := c.number(`SELECT count(*) FROM fleet_state WHERE last_success > $1`, fault)
			return n == len(c.servers)
		}, 2**fleetInterval, 200*time.Millisecond, "an account was not polled within two intervals of the fault")
		t.Logf("every account was polled within %s of the fault", time.Since(fault).Round(time.Second))
	}
	require.Eventually(t, func() bool {
		seen := c.delivered()
		for _, id := range want {
			if seen[id] == 0 {
				return false
			}
		}
		return true
	}, 2**fleetInterval, 200*time.Millisecond, "entries are missing")
	for _, w := range workers {
		require.NoError(t, w.Process.Signal(syscall.SIGTERM))
	}
	for _, w := range workers {
		require.NoError(t, w.Wait(), "a worker does not stop cleanly")
	}

	seen := c.delivered()
	assert.Len(t, seen, len(want))
	repeats := 0
	for _, n := range seen {
		repeats += n - 1
	}
	t.Logf("%d accounts, %d entries, %d kills and a restart of the database with %d jobs running: %d repeats, %d saves of cursors, done %s after the fault",
		len(c.servers), len(want), *fleetKills, orphans, repeats, polled(), time.Since(fault).Round(time.Second))
	assert.LessOrEqual(t, repeats, (*fleetKills+len(workers))*concurrency*batch, "more than what was under way")
	assert.Zero(t, c.number(`SELECT count(*) FROM (SELECT version - lag(version, 1, 0::bigint) OVER (PARTITION BY key ORDER BY version) AS step FROM history) s WHERE step <> 1`),
		"a cursor was saved twice from one version")
	assert.Zero(t, c.number(`SELECT count(*) FROM (SELECT cursor, lag(cursor) OVER w AS before, version,
			row_number() OVER (PARTITION BY key, cursor ORDER BY version) AS again FROM history WINDOW w AS (PARTITION BY key ORDER BY version)) h WHERE again > 1`),
		"a cursor is again what it was before")
	assert.Zero(t, c.number(`SELECT count(*) FROM (SELECT complete, lag(complete) OVER (PARTITION BY id ORDER BY n) AS before FROM completes) s WHERE complete < before`),
		"a position moved backwards")
	assert.Equal(t, len(c.servers), c.number(`SELECT count(*) FROM river_job WHERE kind = 'fleet_poll' AND state IN ('available', 'scheduled', 'retryable', 'running')`),
		"each account has one job")
}
