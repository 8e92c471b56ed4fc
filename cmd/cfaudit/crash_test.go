//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// crashKills is how often the crash test kills the command.
var crashKills = flag.Int("crash.kills", 20, "kills for the crash test of the command")

// crashSeed repeats the choices of one crash test, though not the timing of the
// machine.
var crashSeed = flag.Uint64("crash.seed", 0, "the seed of the crash test, 0 for a random one")

// The crash test kills the built command with SIGKILL, again and again, while
// it works off a backlog, and then lets it come to its end. Whatever the moment,
// no entry may be lost and no line torn, and a kill may cost no more than one
// batch a second time.
func TestCrash_KilledAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	const batch = 50
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	defer func() {
		if t.Failed() {
			t.Logf("repeat with -crash.kills=%d -crash.seed=%d", *crashKills, seed)
		}
	}()
	// Some batches for every kill, so that the backlog lasts.
	entries := recent(max(4000, 70**crashKills))
	a := newAccount(t, entries...)
	asked := make(chan struct{}, 1)
	a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		select {
		case asked <- struct{}{}:
		default:
		}
		return nil
	})
	state, out := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "events.jsonl")
	args := []string{
		"poll", "--state", state, "--out", out, "--drop-routine=false", "--rate-limit", "1200",
		"--page-size", "50", "--max-events", fmt.Sprint(batch),
	}

	killed, ended, torn, repaired := 0, 0, 0, 0
	for runs := 0; killed < *crashKills; runs++ {
		require.Less(t, runs, 2**crashKills+10, "the command ends before it can be killed")
		var errs strings.Builder
		select {
		case <-asked: // by the process before
		default:
		}
		cmd := a.call(args...).start(t, func(cmd *exec.Cmd) { cmd.Stderr = &errs })
		// The moment counts from one of the first requests on, so that it does
		// not depend on how fast the machine starts a process. In each tenth
		// run it counts from the start, which the process may not survive to
		// its first request.
		if runs%10 != 0 {
			for range 1 + rng.IntN(3) {
				select {
				case <-asked:
				case <-time.After(10 * time.Second):
					t.Fatalf("no request in 10 s: %s", &errs)
				}
			}
		}
		time.Sleep(time.Duration(rng.Int64N(int64(10 * time.Millisecond))))
		require.NoError(t, cmd.Process.Kill())
		err := cmd.Wait()
		if strings.Contains(errs.String(), "removed a torn last line") {
			repaired++
		}
		if err == nil {
			// It was done already. More happens, for the next one.
			ended++
			now := time.Now()
			more := fakecloudflare.Generate(uint64(runs+2), 1000, now.Add(-5*time.Second), now)
			entries = append(entries, more...)
			a.Add(time.Time{}, more...)
			continue
		}
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.Equal(t, syscall.SIGKILL, status.Signal(), "%s: %s", err, &errs)
		killed++
		if b, err := os.ReadFile(out); err == nil && len(b) > 0 && b[len(b)-1] != '\n' {
			torn++
		}
	}
	before := strings.Count(read(t, out), "\n")

	// The rest comes in large batches, so that the test is quick.
	rest := append(args[:len(args):len(args)], "--page-size", "1000", "--max-events", "1000")
	got := a.call(rest...).run(t.Context())
	require.Equal(t, exitOK, got.code, got.err)
	lines := ids(t, read(t, out))
	written := set(lines)
	repeats := len(lines) - len(written)
	t.Logf("seed %d: %d kills at work, %d polls done before; %d torn lines left, %d repaired while being killed",
		seed, killed, ended, torn, repaired)
	t.Logf("%d entries, %d lines, %d of them before the last poll, %d repeats", len(entries), len(lines), before, repeats)
	assert.Len(t, written, len(entries))
	for _, id := range idsOf(t, entries) {
		require.True(t, written[id], "the entry %s is lost", id)
	}
	saved, err := json.Marshal(entries)
	require.NoError(t, err)
	clean := command(t, "normalize", "--account-id", fakecloudflare.DefaultAccountID, write(t, string(saved)))
	require.Equal(t, exitOK, clean.code, clean.err)
	bursts := burstIDs(t, clean.out)
	assert.NotEmpty(t, bursts)
	assert.Equal(t, bursts, burstIDs(t, read(t, out)), "kills change which bursts there are")
	assert.LessOrEqual(t, repeats, killed*batch, "a kill costs more than a batch")

	again := a.call(rest...).run(t.Context())
	require.Equal(t, exitOK, again.code, again.err)
	assert.Contains(t, again.err, " 0 events, ")
	assert.Len(t, ids(t, read(t, out)), len(lines), "a further poll writes something")
	assert.Equal(t, []string{".lock", cursorName}, names(t, state))
}
