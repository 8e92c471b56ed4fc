package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/pgtest"
)

var (
	fleetFigures = flag.String("fleet.figures", "", "sizes of the fleets to measure, such as 1000,5000,20000")
	fleetAtOnce  = flag.Int("fleet.concurrency", 64, "how many accounts the worker polls at once")
	fleetWindow  = flag.Duration("fleet.window", 3*time.Minute, "how long each is measured at a steady pace")
)

// What a worker and its database need, for a fleet of quiet accounts that are
// polled every 300 s. The API is simulated, and takes 150 ms for a request. The
// numbers are those of docs/fleet.md.
func TestFleetFigures(t *testing.T) {
	if *fleetFigures == "" {
		t.Skip("-fleet.figures is not given")
	}
	for size := range strings.SplitSeq(*fleetFigures, ",") {
		accounts, err := strconv.Atoi(size)
		require.NoError(t, err)
		t.Run(size, func(t *testing.T) { measureFleet(t, accounts) })
	}
}

func measureFleet(t *testing.T, accounts int) {
	cluster := pgtest.NewCluster(t, "fsync=on", "shared_buffers=256MB",
		"shared_preload_libraries=pg_stat_statements", "autovacuum_naptime=15s")
	t.Cleanup(func() { require.NoError(t, cluster.Remove()) })
	key := command(t, "fleet", "key")
	env := map[string]string{envDatabase: cluster.URL(), envFleetKey: strings.TrimSpace(key.out)}
	do := func(args ...string) {
		got := call{args: append([]string{"fleet"}, args...), env: env}.run(t.Context())
		require.Equal(t, exitOK, got.code, got.err)
	}
	do("migrate")
	pool, err := pgxpool.New(t.Context(), cluster.URL())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), `CREATE EXTENSION pg_stat_statements`)
	require.NoError(t, err)
	number := func(query string) (n float64) {
		require.NoError(t, pool.QueryRow(context.Background(), query).Scan(&n))
		return n
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(150 * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"success":true,"errors":[],"messages":[],"result":[]}`))
	}))
	t.Cleanup(api.Close)

	list := make([]map[string]string, accounts)
	for n := range list {
		list[n] = map[string]string{"account_id": fmt.Sprintf("%032x", 0xacc0000+n),
			"api_token": fmt.Sprintf("cfat_figures%033d", n), "tenant": fmt.Sprintf("tenant-%d", n%50)}
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "accounts.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	began := time.Now()
	do("add", "--allow-loopback", "--from", file, "--base-url", api.URL+fakecloudflare.Prefix)
	t.Logf("%d accounts added in %s", accounts, time.Since(began).Round(100*time.Millisecond))

	logs, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(func() { logs.Close() })
	worker := call{args: []string{"fleet", "work", "--out", os.DevNull, "--listen", "127.0.0.1:0",
		"--concurrency", strconv.Itoa(*fleetAtOnce)}, env: env}.start(t,
		func(cmd *exec.Cmd) { cmd.Stderr = logs })
	pid := worker.Process.Pid
	var url string
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(logs.Name())
		url = regexp.MustCompile(`http://127\.0\.0\.1:[1-9]\d*\n`).FindString(string(b))
		return url != ""
	}, 30*time.Second, 10*time.Millisecond)
	url = strings.TrimSpace(url)
	postmaster, err := cluster.PID()
	require.NoError(t, err)
	unpolled := `SELECT count(*) FROM fleet_state WHERE last_success IS NULL`
	require.Eventually(t, func() bool { return number(unpolled) == 0 }, 10*time.Minute, 100*time.Millisecond)
	// The first polls come within a minute. The second ones would be those at the
	// steady pace, and come after half an interval; this way they begin now.
	_, err = pool.Exec(t.Context(), `UPDATE river_job SET scheduled_at = now() + random() * interval '300 s' WHERE state = 'scheduled' AND kind = 'fleet_poll'`)
	require.NoError(t, err)
	time.Sleep(15 * time.Second)

	metric := func(name string) float64 {
		_, body := fetch(t, url+"/metrics")
		for line := range strings.Lines(body) {
			if v, ok := strings.CutPrefix(line, name+" "); ok {
				f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
				require.NoError(t, err)
				return f
			}
		}
		return 0
	}
	type sample struct{ polls, late, worker, database, statements, commits, wal float64 }
	take := func() sample {
		return sample{
			polls: metric(`cfaudit_fleet_polls_total{result="ok"}`), late: metric("cfaudit_fleet_poll_delay_seconds_sum"),
			worker: cpuOf(t, pid, false), database: cpuBelow(t, postmaster),
			statements: number(`SELECT sum(calls)::float8 FROM pg_stat_statements`),
			commits:    number(`SELECT sum(xact_commit)::float8 FROM pg_stat_database`),
			wal:        number(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8`),
		}
	}
	a, from := take(), time.Now()
	time.Sleep(*fleetWindow)
	b, seconds := take(), time.Since(from).Seconds()
	polls := b.polls - a.polls
	require.Positive(t, polls)
	t.Logf("steady, %d accounts: %.1f polls/s; begun %.1f s after their time on average; failures %v", accounts,
		polls/seconds, (b.late-a.late)/polls, metric(`cfaudit_fleet_polls_total{result="failed"}`))
	t.Logf("  worker: %.2f ms of CPU a poll, %.1f %% of a core; %.1f MB resident", 1000*(b.worker-a.worker)/polls,
		100*(b.worker-a.worker)/seconds, residentMB(t, pid))
	t.Logf("  database: %.2f ms of CPU a poll, %.1f %% of a core; %.1f statements, %.1f transactions and %.1f kB of WAL a poll",
		1000*(b.database-a.database)/polls, 100*(b.database-a.database)/seconds,
		(b.statements-a.statements)/polls, (b.commits-a.commits)/polls, (b.wal-a.wal)/polls/1000)
	t.Logf("  tables: %.1f MB, of which jobs %.1f MB with %.0f rows, %.0f of them done; cursors and state %.1f MB",
		number(`SELECT pg_database_size(current_database())::float8`)/1e6,
		number(`SELECT pg_total_relation_size('river_job')::float8`)/1e6, number(`SELECT count(*)::float8 FROM river_job`),
		number(`SELECT count(*)::float8 FROM river_job WHERE state = 'completed'`),
		number(`SELECT (pg_total_relation_size('ingest_cursor') + pg_total_relation_size('fleet_state') + pg_total_relation_size('fleet_instance'))::float8`)/1e6)

	// All of them at once, as after an outage.
	a, from = take(), time.Now()
	_, err = pool.Exec(t.Context(), `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE kind = 'fleet_poll' AND state = 'scheduled'`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return number(fmt.Sprintf(`SELECT count(*)::float8 FROM fleet_state WHERE last_success < to_timestamp(%f)`, float64(from.UnixMilli())/1000)) == 0
	}, 15*time.Minute, 100*time.Millisecond)
	b, seconds = take(), time.Since(from).Seconds()
	polls = b.polls - a.polls
	t.Logf("all at once: %.0f polls/s, done in %s; worker %.0f %% and database %.0f %% of a core; %.2f and %.2f ms of CPU a poll", polls/seconds,
		time.Since(from).Round(100*time.Millisecond), 100*(b.worker-a.worker)/seconds, 100*(b.database-a.database)/seconds,
		1000*(b.worker-a.worker)/polls, 1000*(b.database-a.database)/polls)
	t.Logf("  %.1f MB resident", residentMB(t, pid))
	require.NoError(t, worker.Process.Signal(syscall.SIGTERM))
	require.NoError(t, worker.Wait())
}

// cpuOf is the CPU time of a process in seconds, with that of its children that
// have ended if asked for.
func cpuOf(t *testing.T, pid int, children bool) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // it has ended meanwhile
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	last := 12
	if children {
		last = 14
	}
	ticks := 0.0
	for _, f := range fields[11 : last+1] {
		n, err := strconv.ParseFloat(f, 64)
		require.NoError(t, err)
		ticks += n
	}
	return ticks / 100
}

// cpuBelow is the CPU time of a process, of its children and of those that have
// ended.
func cpuBelow(t *testing.T, pid int) float64 {
	t.Helper()
	total := cpuOf(t, pid, true)
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	require.NoError(t, err)
	for _, child := range strings.Fields(string(list)) {
		n, err := strconv.Atoi(child)
		require.NoError(t, err)
		total += cpuOf(t, n, false)
	}
	return total
}

// residentMB is the resident memory of a process.
func residentMB(t *testing.T, pid int) float64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 64)
			require.NoError(t, err)
			return kb / 1000
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
