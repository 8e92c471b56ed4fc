package cloudflareaudit

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cfapi"
)

// modelRuns is how many random worlds the model test tries.
var modelRuns = flag.Int("model.runs", 300, "random worlds for the model test")

// modelSeed repeats one of them.
var modelSeed = flag.Uint64("model.seed", 0, "the one random world to try")

// The model test drives Poll as a host does, against a server with a random
// history and through random faults, and compares what was delivered with what
// the server came to show. It runs on the fake time of a synctest bubble.
func TestPoll_DeliversEveryEntryOnceUnderEveryFault(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(*modelRuns)
	if *modelSeed != 0 {
		first, last = *modelSeed, *modelSeed
	}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("repeat with -model.seed=%d", seed)
				}
			}()
			newModel(t, seed).run()
		})
	}
}

// model is one random world: a server, its history, and a host that polls it.
type model struct {
	*testing.T
	rng     *rand.Rand
	seed    uint64
	server  *cfapi.Server
	cfg     Config
	skew    time.Duration // of the local clock
	faults  bool
	entries map[string]modelEntry
	began   time.Time

	saved     ingest.Cursor
	maxSeen   int
	start     time.Time // where the feed must begin at the latest
	delivered map[string]int
	crashes   int
	redone    int // events delivered in batches whose cursor was lost
}

type modelEntry struct {
	stamp, visible time.Time
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		T: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), entries: map[string]modelEntry{}, delivered: map[string]int{},
		began: time.Now(),
	}
	m.faults = m.chance(1, 2)
	m.skew = time.Duration(pick(m.rng, []int{0, 0, 2, -3, 600, -600, 90000})) * time.Second
	opts := cfapi.Options{
		BeforeExclusive: m.chance(1, 2),
		SinceExclusive:  m.chance(1, 2),
		PastEnd400:      m.chance(1, 2),
	}
	// The limiter of a token lives as long as the process.
	opts.Token = "model" + strconv.FormatUint(seed, 10)
	m.server = cfapi.NewServer(opts)
	m.server.Fault(func(_ int, r *http.Request) *cfapi.Fault { return m.fault() })
	m.cfg = Config{
		AccountID: cfapi.DefaultAccountID,
		APIToken:  NewSecret(opts.Token),
		PageSize:  pick(m.rng, []int{1, 2, 3, 7, 100, 1000}),
		MaxEvents: pick(m.rng, []int{1, 3, 10, 50, 1000}),
		Overlap:   time.Duration(m.between(10, 600)) * time.Second,
		PollInterval: time.Duration(
			m.between(30, 600)) * time.Second,
		InitialLookback: time.Duration(m.between(1, 120)) * time.Minute,
		HTTPClient:      &http.Client{Transport: m.server.Transport()},
		Clock:           func() time.Time { return time.Now().Add(m.skew).Round(0) },
		RateLimit:       1200,
	}
	if seed%3 == 0 {
		m.cfg.ResolveMembers, m.cfg.ResolveScopes = true, true
		m.server.SetMembers(carol())
	}
	m.maxSeen = pick(m.rng, []int{maxSeen, maxSeen, 400})
	m.addHistory()
	return m
}

// between is a random number from low to high, both included.
func (m *model) between(low, high int) int { return low + m.rng.IntN(high-low+1) }

// chance is true n times in of.
func (m *model) chance(n, of int) bool { return m.rng.IntN(of) < n }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// addHistory fills the server with clusters of entries, some of them crowded
// into one second, some late.
func (m *model) addHistory() {
	span := 2 * time.Hour
	for c := range m.between(1, 12) {
		at := m.began.Add(-span/2 + time.Duration(m.between(0, int(span.Seconds())))*time.Second)
		width := pick(m.rng, []int{1, 1000, 60_000, 900_000})
		late := m.between(0, 3)
		for i := range m.between(1, 60) {
			digits := m.between(0, 6)
			when := at.Add(time.Duration(m.between(0, width-1)) * time.Millisecond)
			unit := time.Second
			for range digits {
				unit /= 10
			}
			when = when.Truncate(unit)
			visible := when
			if m.between(0, 9) < late {
				visible = when.Add(time.Duration(m.rng.Int64N(int64(m.cfg.Overlap) + 1)))
			} else if visible.Before(at) {
				visible = at
			}
			id := fmt.Sprintf("%d-%d", c, i)
			m.entries[id] = modelEntry{when, visible}
			m.server.Add(visible, json.RawMessage(fmt.Sprintf(
				`{"id":%q,"when":%q,"action":{"type":"rec_add","result":true},"actor":{"id":%q},"resource":{"type":"DNS_record"}}`,
				id, when.UTC().Format("2006-01-02T15:04:05.999999Z"), []string{carolUser, nobody}[i%2])))
		}
	}
}

// fault is what befalls a request: nothing, most of the time.
func (m *model) fault() *cfapi.Fault {
	delay := time.Duration(m.between(0, 1500)) * time.Millisecond
	if !m.faults || !m.chance(1, 6) {
		return cfapi.Delay(delay)
	}
	switch m.between(0, 10) {
	case 0:
		return cfapi.Status(429, 971, "slow down", http.Header{"Retry-After": {"2"}})
	case 1:
		return cfapi.Status(429, 10429, "slow down", http.Header{"Retry-After": {"70"}})
	case 2:
		return cfapi.Status(429, 0, "", nil)
	case 3:
		return cfapi.Status(503, 0, "", nil)
	case 4:
		return cfapi.HTML(200)
	case 5:
		return cfapi.Truncate(m.between(0, 300))
	case 6:
		return cfapi.Reset()
	case 7:
		return cfapi.Hang()
	case 8:
		return cfapi.NotSuccess()
	case 9:
		return cfapi.NullResult()
	default:
		return cfapi.Garbage()
	}
}

func (m *model) run() {
	end := m.began
	for _, e := range m.entries {
		end = later(end, e.visible)
	}
	for steps := 0; time.Now().Before(end); steps++ {
		require.Less(m, steps, 20000, "no end in sight")
		m.step()
		if m.chance(1, 20) {
			m.skew += time.Duration(m.between(-4000, 4000)) * time.Second
		}
	}
	m.faults = false
	for range 2 {
		time.Sleep(m.cfg.PollInterval + time.Minute)
		for n := 0; m.step(); n++ {
			require.Less(m, n, 5000, "the backlog does not end")
		}
	}
	m.check()
}

// step is one poll of the host, and the wait after it.
func (m *model) step() (more bool) {
	// A new connector for every poll: nothing may depend on what an instance
	// remembers.
	cfg := m.cfg
	if m.faults && m.chance(1, 10) {
		cfg.PageSize = m.between(1, 150)
		cfg.MaxEvents = m.between(1, 150)
	}
	conn, err := New(cfg)
	require.NoError(m, err)
	conn.maxSeen = m.maxSeen
	batch, err := conn.Poll(context.Background(), m.saved)
	if err != nil {
		wait := time.Second
		if r, ok := err.(ingest.RetryAfterer); ok {
			wait += r.RetryAfter()
		}
		time.Sleep(max(wait, retryAfter(err)))
		return true
	}
	m.checkBatch(batch, cfg)
	if m.faults && m.chance(1, 15) {
		// Before the delivery, or between it and the save.
		if m.crashes++; m.chance(1, 2) {
			m.deliver(batch)
			m.redone += len(batch.Events)
		}
		return true
	}
	m.deliver(batch)
	ahead := m.skew > clockTolerance
	if m.saved == nil && !ahead || m.start.IsZero() && !batch.Coverage.Complete.IsZero() {
		// A clock that is ahead is noticed when the server shows its own. The local clock may be wrong by as much as goes unnoticed.
		m.start = time.Now().Add(clockTolerance - m.cfg.InitialLookback)
	}
	m.saved = batch.Cursor
	if !batch.More {
		time.Sleep(m.cfg.PollInterval)
	}
	return batch.More
}

func (m *model) deliver(batch ingest.Batch) {
	for _, e := range batch.Events {
		m.delivered[e.ExternalID]++
	}
}

func (m *model) checkBatch(b ingest.Batch, cfg Config) {
	c := b.Coverage
	require.NotEmpty(m, b.Cursor)
	require.LessOrEqual(m, len(b.Events), cfg.MaxEvents)
	require.Equal(m, c.Read, c.Delivered+c.DroppedTotal()+c.Repeated)
	require.Equal(m, len(b.Events), c.Delivered)
	require.LessOrEqual(m, c.Backlog, maxWindows)
	require.False(m, c.Complete.After(time.Now()), "complete up to a time still to come")
	for _, e := range b.Events {
		known, ok := m.entries[e.ExternalID]
		require.True(m, ok)
		require.False(m, known.visible.After(time.Now()))
	}
}

func (m *model) check() {
	repeats := 0
	var missing []string
	for id, e := range m.entries {
		n := m.delivered[id]
		if n == 0 && e.stamp.After(m.start) {
			missing = append(missing, fmt.Sprintf("%s at %s seen %s", id, e.stamp.Sub(m.began), e.visible.Sub(m.began)))
		}
		if n > 1 {
			repeats += n - 1
		}
	}
	slices.Sort(missing)
	require.Empty(m, missing, "lost; cursor %s", m.saved)
	require.LessOrEqual(m, repeats, m.redone, "delivered twice without a crash in between")

	// A quiet account costs one request for each poll.
	time.Sleep(m.cfg.Overlap + 2*time.Minute)
	m.step()
	time.Sleep(m.cfg.PollInterval)
	before := len(m.server.Requests())
	require.False(m, m.step())
	most := 1
	if m.skew.Abs() >= clockTolerance-2*time.Second {
		most = 2 // a new connector may have to learn the clock first
	}
	require.LessOrEqual(m, len(m.server.Requests())-before, most)
}
