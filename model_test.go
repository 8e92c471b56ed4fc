package cloudflareaudit

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
)

// modelRuns is how many random worlds the model test tries.
var modelRuns = flag.Int("model.runs", 40, "random worlds for the model test")

// modelSeed is the first of them: the others follow.
var modelSeed = flag.Uint64("model.seed", 1, "the seed of the first random world")

// The model test lets a host, an ingest.Runner, poll a server with a random
// history, through random faults of the server, the sink and the store, and
// through crashes between any two steps. It compares what was delivered with
// what the server came to show. It runs on the fake time of a synctest bubble.
func TestPoll_DeliversEveryEntryOnceUnderEveryFault(t *testing.T) {
	t.Parallel()
	first := *modelSeed
	last := first + uint64(*modelRuns) - 1
	var total tally
	var seeds atomic.Uint64
	seeds.Store(first - 1)
	t.Run("worlds", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := seeds.Add(1); seed <= last && !t.Failed(); seed = seeds.Add(1) {
					synctest.Test(t, func(t *testing.T) {
						var w *world
						defer func() {
							if t.Failed() {
								t.Logf("repeat with -model.seed=%d -model.runs=1", seed)
							}
						}()
						w = newWorld(t, seed)
						w.run()
						total.add(w)
					})
				}
			})
		}
	})
	t.Log(&total)
}

// tally adds up what happened in all worlds.
type tally struct {
	mu sync.Mutex
	tallied
}

type tallied struct {
	worlds, entries, polls, requests, read, late, crashes, failures, repeats, mostRepeats, bursts int
}

func (t *tally) add(w *world) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.worlds++
	t.entries += len(w.entries)
	t.polls += w.polls
	t.requests += len(w.server.Requests())
	t.read += w.coverage.Read
	t.late += w.coverage.Late
	t.crashes += w.crashes
	t.failures += w.failures
	t.repeats += w.repeats
	t.bursts += w.bursts
	t.mostRepeats = max(t.mostRepeats, w.mostRepeats)
}

func (t *tally) String() string {
	return fmt.Sprintf("%d worlds, %d entries: %d polls, %d requests, %d crashes, %d failures of sinks and stores; "+
		"%d entries read, %d of them rescued by the overlap; none lost; %d bursts; %d delivered again, at most %d after one crash or failure",
		t.worlds, t.entries, t.polls, t.requests, t.crashes, t.failures, t.read, t.late, t.bursts, t.repeats, t.mostRepeats)
}

// worlds counts the worlds of this process.
var worlds atomic.Uint64

// world is one random world: a server, its history, and hosts that poll it.
type world struct {
	*testing.T
	server *fakecloudflare.Server
	opts   fakecloudflare.Options
	cfg    Config
	// maxSeen bounds the ids in a cursor; 0 is the usual bound.
	maxSeen int
	// hosts is how many hosts poll from the one store, which is one too many
	// when it is two.
	hosts int
	// forgetful says that every poll has a new connector: nothing may depend
	// on what an instance remembers.
	forgetful bool
	// unreadable says that some entries are no JSON.
	unreadable bool
	// lag is how far behind at most a reply may be.
	lag     time.Duration
	began   time.Time
	end     time.Time // when the last entry appears
	entries map[string]worldEntry

	mu       sync.Mutex
	rng      *rand.Rand
	faults   bool
	outage   *fakecloudflare.Fault // what befalls the requests to come
	outages  int                   // how many of them
	intact   int                   // the request from which on a reply may be damaged inside
	skew     time.Duration         // of the local clock
	ahead    bool                  // the local clock has been ahead
	saved    ingest.Cursor
	starts   map[*cloudflare.Log]time.Time // where a feed begins at the latest, once that is settled
	got      map[string]int                // deliveries of each entry
	excused  map[string]int                // those of them that a crash or a failure allows to be made again
	dropped  map[string]int
	coverage ingest.Coverage // of the batches that were settled
	idle     time.Time       // when a poll last found that no backlog remains
	broken   string          // what went wrong first

	polls, processes, crashes, failures, repeats, mostRepeats, bursts int
}

// worldEntry is one entry of the history.
type worldEntry struct {
	// log is the one that shows it.
	log            *cloudflare.Log
	stamp, visible time.Time
	// routine says that a rule drops it.
	routine bool
	// timeless says that it does not tell its time.
	timeless bool
	raw      string
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		T: t, rng: rand.New(rand.NewPCG(seed, 0)), began: time.Now(), hosts: 1,
		starts: map[*cloudflare.Log]time.Time{}, entries: map[string]worldEntry{}, got: map[string]int{}, excused: map[string]int{}, dropped: map[string]int{},
	}
	w.faults = w.chance(1, 2)
	w.lag = time.Duration(pick(w.rng, []int{0, 0, 2, 9})) * time.Second
	w.forgetful = w.chance(1, 2)
	w.skew = time.Duration(pick(w.rng, []int{0, 0, 2, -3, 600, -600, 90000})) * time.Second
	crowd := 60
	if w.chance(1, 6) {
		crowd = 4000
	}
	opts := fakecloudflare.Options{
		BeforeExclusive: w.chance(1, 2),
		SinceExclusive:  w.chance(1, 2),
		PastEnd400:      w.chance(1, 2),
		ErrorsNull:      w.chance(1, 2),
		MostPerPage:     pick(w.rng, []int{0, 0, 0, 0, 100, 250, 999}),
		// Deeper than the entries of any two seconds.
		MostDepth: pick(w.rng, []int{0, 0, 0, 3*crowd + w.between(0, 200), 3*crowd + w.between(0, 60), 5000 + 2*crowd}),
		Lag:       func() time.Duration { return w.span(w.lag) },
		// Without the server's clock, only a local one that is right will do.
		NoDate: w.skew == 0 && w.chance(1, 5),
		// The limiter of a token lives as long as the process.
		Token: "model" + strconv.FormatUint(worlds.Add(1), 10),
	}
	// What Audit Logs v2 is like.
	opts.MostLimit = pick(w.rng, []int{0, 0, 100, 250})
	opts.OverLimit400, opts.EmptyLastPage = w.chance(1, 3), w.chance(1, 3)
	opts.Disorder = pick(w.rng, []time.Duration{0, 48 * time.Millisecond})
	opts.CursorLife = pick(w.rng, []int{0, 0, 0, 150})
	if opts.MostPerPage > 0 {
		// The page that would tell must not be refused for another reason.
		opts.MostDepth = 0
	}
	w.opts = opts
	w.server = fakecloudflare.NewServer(opts)
	w.server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return w.fault() })
	w.cfg = Config{
		AccountID:       fakecloudflare.DefaultAccountID,
		APIToken:        NewSecret(opts.Token),
		PageSize:        pick(w.rng, []int{1, 2, 3, 7, 100, 100, 1000}),
		MaxEvents:       pick(w.rng, []int{1, 3, 10, 50, 1000, 1000}),
		Overlap:         time.Duration(w.between(10, 600)) * time.Second,
		AuditLogAPI:     []string{AuditLogV1, AuditLogV2, AuditLogV1, AuditLogBoth}[seed%4],
		OverlapV2:       time.Duration(w.between(10, 900)) * time.Second,
		PollInterval:    time.Duration(w.between(30, 600)) * time.Second,
		InitialLookback: time.Duration(w.between(1, 120)) * time.Minute,
		HTTPClient:      &http.Client{Transport: w.server.Transport()},
		Clock:           w.now,
		RateLimit:       1200,
	}
	if seed%3 == 0 {
		w.cfg.ResolveMembers, w.cfg.ResolveScopes, w.cfg.ResolveHistory = true, true, true
		w.server.SetMembers(carol())
	}
	if opts.MostDepth > 0 && opts.MostDepth < 5000 && crowd == 60 {
		// So that what is settled has more than one page.
		w.cfg.PageSize, w.cfg.MaxEvents = pick(w.rng, []int{3, 7, 100}), pick(w.rng, []int{10, 50, 100})
	}
	w.maxSeen = pick(w.rng, []int{0, 0, 0, 400})
	if crowd > 60 && w.cfg.AuditLogAPI != AuditLogV1 {
		// A crowd has to be remembered where pages have no numbers.
		w.maxSeen = 0
	}
	if crowd > 60 {
		w.cfg.PageSize, w.cfg.MaxEvents = max(w.cfg.PageSize, 100), max(w.cfg.MaxEvents, 50)
	}
	w.unreadable = w.chance(1, 4)
	w.addHistory(crowd)
	if opts.NoDate == false && w.chance(1, 20) {
		w.hosts = 2
	}
	return w
}

// between is a random number from low to high, both included.
func (w *world) between(low, high int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return low + w.rng.IntN(high-low+1)
}

// chance is true n times in of.
func (w *world) chance(n, of int) bool { return w.between(1, of) <= n }

// span is a random duration up to most.
func (w *world) span(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rng.Int64N(int64(most) + 1))
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// now is the local clock.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.skew).Round(0)
}

// faulty reports whether things go wrong, n times in of.
func (w *world) faulty(n, of int) bool {
	w.mu.Lock()
	faults := w.faults
	w.mu.Unlock()
	return faults && w.chance(n, of)
}

// addHistory fills the server with clusters of up to crowd entries, some of
// them within one second, some late, some odd.
func (w *world) addHistory(crowd int) {
	const span = 2 * time.Hour
	for c := range w.between(1, 12) {
		at := w.began.Add(w.span(span) - span/2)
		width := pick(w.rng, []int{1, 1000, 60_000, 900_000})
		late := w.between(0, 3)
		n := w.between(1, 60)
		if crowd > 60 && w.chance(1, 3) {
			n = w.between(60, crowd)
		}
		for i := range n {
			unit := time.Second
			for range w.between(0, 6) {
				unit /= 10
			}
			when := at.Add(time.Duration(w.between(0, width-1)) * time.Millisecond).Truncate(unit)
			logs := w.cfg.logs()
			log := logs[w.between(0, len(logs)-1)]
			visible := when
			switch {
			case w.between(0, 9) < late:
				visible = when.Add(w.span(w.overlapOf(log) - w.lag))
			case visible.Before(at):
				visible = at
			}
			w.addEntry(log, fmt.Sprintf("%d-%d", c, i), when, visible)
		}
	}
	w.end = w.began
	for _, e := range w.entries {
		if e.visible.After(w.end) {
			w.end = e.visible
		}
	}
}

func (w *world) addEntry(log *cloudflare.Log, id string, when, visible time.Time) {
	form, add := formV1, w.server.Add
	if !log.Numbered {
		form, add = formV2, w.server.AddV2
	}
	stated := when.UTC().Format("2006-01-02T15:04:05.999999Z")
	raw := fmt.Sprintf(form.usual, id, stated, []string{carolUser, nobody}[w.between(0, 1)])
	e := worldEntry{log: log, stamp: when, visible: visible}
	switch odd := w.between(0, 199); {
	case odd < 4:
		raw = fmt.Sprintf(form.routine, id, stated)
		e.routine = true
	case odd < 6:
		// No id: the bytes stand for it.
		raw = fmt.Sprintf(form.nameless, stated, id)
		id = audit.DerivedID(raw)
	case odd < 8:
		// No time of its own: the server files it beside its neighbour.
		neighbour := fmt.Sprintf(form.neighbour, id, stated)
		w.entries[id+"-neighbour"] = e
		e.timeless = true
		w.entries[id] = e
		add(visible, json.RawMessage(neighbour), json.RawMessage(
			fmt.Sprintf(form.timeless, id, pick(w.rng, []string{`""`, "null", `"yesterday"`, "1"}))))
		return
	case odd < 9:
		// No time and nothing beside it: the server files it when it comes in.
		e.timeless, e.stamp = true, visible
		raw = fmt.Sprintf(form.alone, id)
	case odd < 13 && w.unreadable:
		raw = fmt.Sprintf(form.broken, id, stated)
	}
	e.raw = raw
	w.entries[id] = e
	add(visible, json.RawMessage(raw))
}

// form is how the entries of an endpoint are written.
type form struct{ usual, routine, nameless, neighbour, timeless, alone, broken string }

var formV1 = form{
	usual:     `{"id":%q,"when":%q,"action":{"type":"rec_add","result":true},"actor":{"id":%q},"resource":{"type":"DNS_record"}}`,
	routine:   `{"id":%q,"when":%q,"action":{"type":"tls_settings_deployed"},"actor":{"type":"system","id":"1"},"resource":{"type":"zone"}}`,
	nameless:  `{"when":%q,"action":{"type":"create"},"resource":{"type":"d1.database","id":%q}}`,
	neighbour: `{"id":"%s-neighbour","when":%q,"action":null,"actor":[],"metadata":7}`,
	timeless:  `{"id":%q,"when":%s,"action":{"type":"rec_add"}}`,
	alone:     `{"id":%q,"action":{"type":"rec_add"}}`,
	broken:    `{"id":%q,"when":%q,"action":{"type":rec_add}}`,
}

var formV2 = form{
	usual:     `{"id":%q,"action":{"time":%q,"type":"create","result":"success"},"actor":{"id":%q},"resource":{"product":"dns_records"}}`,
	routine:   `{"id":%q,"action":{"time":%q,"type":"tls_settings_deployed"},"actor":{"type":"system","id":"1"},"resource":{"type":"zone"}}`,
	nameless:  `{"action":{"time":%q,"type":"create"},"resource":{"product":"d1","type":"database","id":%q}}`,
	neighbour: `{"id":"%s-neighbour","action":{"time":%q},"actor":[],"resource":7}`,
	timeless:  `{"id":%q,"action":{"time":%s,"type":"create"}}`,
	alone:     `{"id":%q,"action":{"type":"create"}}`,
	broken:    `{"id":%q,"action":{"time":%q,"type":rec_add}}`,
}

// fault is what befalls a request: nothing, most of the time. Some faults last
// for a while.
func (w *world) fault() *fakecloudflare.Fault {
	delay := fakecloudflare.Delay(w.span(1500 * time.Millisecond))
	w.mu.Lock()
	lasting := w.outage
	if w.outages--; w.outages <= 0 || !w.faults {
		w.outage = nil
	}
	w.mu.Unlock()
	if lasting != nil {
		return lasting
	}
	if !w.faulty(1, 6) {
		return delay
	}
	fault := w.anyFault()
	if w.chance(1, 10) {
		n := w.between(1, 30)
		w.mu.Lock()
		w.outage, w.outages = fault, n
		w.mu.Unlock()
	}
	return fault
}

func (w *world) anyFault() *fakecloudflare.Fault {
	switch w.between(0, 12) {
	case 0:
		return fakecloudflare.Status(429, 971, "slow down", http.Header{"Retry-After": {"2"}})
	case 1:
		return fakecloudflare.Status(429, 10429, "slow down", http.Header{"Retry-After": {"70"}})
	case 2:
		return fakecloudflare.Status(429, 0, "", nil)
	case 3:
		return fakecloudflare.Status(503, 0, "", nil)
	case 4:
		return fakecloudflare.HTML(200)
	case 5:
		return fakecloudflare.Truncate(w.between(0, 300))
	case 6:
		return fakecloudflare.Reset()
	case 7:
		return fakecloudflare.Hang()
	case 8:
		return fakecloudflare.NotSuccess()
	case 9:
		return fakecloudflare.NullResult()
	case 10:
		return fakecloudflare.Stall(w.between(0, 300))
	case 11:
		// It looks as if it had arrived in full. Again and again, with sound
		// replies in between, or beside entries that cannot be read, nobody could
		// tell it from one of these.
		n := len(w.server.Requests())
		if n < w.intact || w.unreadable {
			return fakecloudflare.Garbage()
		}
		w.intact = n + 60
		return fakecloudflare.Reply(200, nil, `{"success":true,"result":[{"id":oops}]}`)
	default:
		return fakecloudflare.Garbage()
	}
}

func (w *world) run() {
	ctx, stop := context.WithCancel(w.Context())
	var hosts sync.WaitGroup
	for range w.hosts {
		hosts.Go(func() { w.host(ctx) })
	}
	for time.Now().Before(w.end) && !w.failed() {
		time.Sleep(w.span(20 * time.Minute))
		if w.skew != 0 && w.chance(1, 2) {
			w.mu.Lock()
			w.skew += time.Duration(w.rng.IntN(8001)-4000) * time.Second
			w.mu.Unlock()
		}
	}
	w.mu.Lock()
	w.faults = false
	w.mu.Unlock()
	// Two polls from here on to the end show what there is, and everything is
	// settled an overlap later.
	settled := time.Now().Add(w.overlap() + 2*w.cfg.PollInterval)
	for n := 0; w.idleSince().Before(settled) && !w.failed(); n++ {
		if n > 100 { // at most 10 in a thousand worlds
			w.violate("the backlog does not end")
		}
		time.Sleep(w.cfg.PollInterval + time.Minute)
	}
	if !w.failed() && w.hosts == 1 {
		w.checkQuiet()
	}
	stop()
	hosts.Wait()
	require.Empty(w, w.broken)
	w.check()
}

// overlapOf is how late an entry of a log may appear.
func (w *world) overlapOf(log *cloudflare.Log) time.Duration {
	if log == cloudflare.V2 {
		return w.cfg.OverlapV2
	}
	return w.cfg.Overlap
}

// overlap is the longest of the logs that are read.
func (w *world) overlap() (longest time.Duration) {
	for _, log := range w.cfg.logs() {
		longest = max(longest, w.overlapOf(log))
	}
	return longest
}

func (w *world) idleSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.idle
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken != ""
}

// violate notes that a promise is broken.
func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// host runs one process after the other. Each ends by a crash, or because it is
// asked to stop.
func (w *world) host(ctx context.Context) {
	for ctx.Err() == nil && !w.failed() {
		life, end := context.WithCancel(ctx)
		p := &process{world: w, kill: end}
		w.mu.Lock()
		w.processes++
		w.mu.Unlock()
		var stopping *time.Timer
		if w.faulty(1, 2) {
			stopping = time.AfterFunc(w.span(time.Hour), end)
		}
		runner := &ingest.Runner{Source: p, Sink: p, Store: p, Key: "key", Interval: w.cfg.PollInterval}
		if err := runner.Run(life); err != nil {
			w.violate("the runner gave up: %v", err)
		}
		if stopping != nil {
			stopping.Stop()
		}
		end()
		p.exit()
		time.Sleep(w.span(time.Minute))
	}
}

// process is one process of a host: a source, a sink and a store that work until
// it dies.
type process struct {
	*world
	kill context.CancelFunc
	conn *Connector
	// events are those of the batch polled last, and unsaved is what has been
	// delivered since a cursor was last saved.
	events  []ingest.Event
	unsaved []string
	dead    bool
}

var errDead = errors.New("the process is dead")

// dies reports whether the process has crashed before, or does so now.
func (p *process) dies() bool {
	crash := p.faulty(1, 60)
	p.mu.Lock()
	defer p.mu.Unlock()
	if crash && !p.dead {
		p.crashes++
		p.dead = true
		p.kill()
	}
	return p.dead
}

// exit allows what has been delivered without its cursor being saved to come
// again.
func (p *process) exit() {
	p.excuse(p.unsaved)
	p.unsaved = nil
}

func (w *world) excuse(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.excused[id]++
	}
	w.mostRepeats = max(w.mostRepeats, len(ids))
}

func (p *process) Descriptor() ingest.Descriptor { return descriptor() }

func (p *process) TestConnection(context.Context) error { return nil }

func (p *process) Poll(ctx context.Context, cursor ingest.Cursor) (ingest.Batch, error) {
	if p.dies() {
		return ingest.Batch{}, errDead
	}
	cfg := p.cfg
	vary := p.faulty(1, 10)
	if vary {
		cfg.PageSize, cfg.MaxEvents = p.between(1, 150), p.between(1, 150)
	}
	conn := p.conn
	if conn == nil || p.forgetful || vary {
		var err error
		conn, err = tuned(cfg, func(_ *cloudflare.Options, o *feed.Options) { o.MaxIDs = p.maxSeen })
		if err != nil {
			p.violate("%v", err)
			return ingest.Batch{}, err
		}
	}
	if !vary {
		p.conn = conn
	}
	calm := !p.faulty(1, 1)
	batch, err := conn.Poll(ctx, cursor)
	p.mu.Lock()
	p.polls++
	p.ahead = p.ahead || p.skew > feed.ClockTolerance
	p.mu.Unlock()
	if err == nil {
		p.checkBatch(batch, cfg, calm)
		p.events = batch.Events
	}
	if p.dies() {
		return ingest.Batch{}, errDead
	}
	return batch, err
}

// Write is a sink that fails in every way.
func (p *process) Write(ctx context.Context, events []ingest.Event) error {
	if p.dies() {
		return errDead
	}
	accept := len(events)
	var err error
	if p.faulty(1, 12) {
		err = errors.New("the sink fails")
		switch p.between(0, 3) {
		case 0: // before it has done anything
			accept = 0
		case 1: // in the middle
			accept = p.between(0, len(events))
		case 2: // it has done all, but its answer is lost
		case 3: // it takes so long that the host has given up
			select {
			case <-time.After(p.span(30 * time.Second)):
				err = nil
			case <-ctx.Done():
				err = ctx.Err()
				accept = len(events) * p.between(0, 1)
			}
		}
	}
	var ids []string
	p.mu.Lock()
	for _, e := range events[:accept] {
		p.got[e.ExternalID]++
		ids = append(ids, e.ExternalID)
	}
	if err != nil {
		p.failures++
	}
	p.mu.Unlock()
	if err != nil {
		p.excuse(ids)
		return err
	}
	p.unsaved = append(p.unsaved, ids...)
	if p.dies() {
		return errDead
	}
	return nil
}

// Load is a store that fails now and then.
func (p *process) Load(context.Context, string) (ingest.Cursor, error) {
	if p.faulty(1, 20) {
		return nil, errors.New("the store fails")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.saved, nil
}

// Save is a store that fails now and then, before or after it has saved.
func (p *process) Save(_ context.Context, _ string, cursor ingest.Cursor) error {
	if p.dies() {
		return errDead
	}
	fails, failsLate := p.faulty(1, 30), p.faulty(1, 30)
	if fails {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failures++
		return errors.New("the store fails")
	}
	p.mu.Lock()
	before := p.saved
	p.saved = cursor
	p.unsaved = nil
	p.mu.Unlock()
	p.checkCursor(before, cursor)
	switch {
	case p.dies():
		return errDead
	case failsLate:
		return errors.New("the store fails")
	}
	return nil
}

// checkBatch checks what holds for every batch, whatever has happened.
func (p *process) checkBatch(b ingest.Batch, cfg Config, calm bool) {
	c := b.Coverage
	now := time.Now()
	ensure := func(ok bool, what string) {
		if !ok {
			p.violate("%s: %+v", what, c)
		}
	}
	ensure(len(b.Cursor) > 0, "there is no cursor")
	ensure(len(b.Events) <= cfg.MaxEvents, "the batch is too large")
	ensure(c.Read == c.Delivered+c.DroppedTotal()+c.Repeated, "not every entry is accounted for")
	ensure(c.Delivered+c.Raised == len(b.Events), "not every event is counted")
	ensure(c.Backlog <= len(cfg.logs())*(feed.MaxBacklog+1), "there are too many windows")
	ensure(!c.Complete.After(now), "complete up to a time still to come")
	// Nine requests more find out about the end, a limit and the clock, and
	// two more for each halving, an entry that cannot be read.
	ensure(c.Requests <= feed.MaxRequests+20*cloudflare.MaxAttempts*(c.Undecodable+1), "there are too many requests")
	if calm && !p.unreadable {
		ensure(c.Requests <= c.Read+6+3*len(c.Windows), "there are more requests than entries")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range b.Events {
		if strings.HasPrefix(e.Action, burstAction) {
			continue // the end shows which ones there are
		}
		known, ok := p.entries[e.ExternalID]
		if p.broken == "" && (!ok || known.routine || known.visible.After(now)) {
			p.broken = fmt.Sprintf("there is no such entry to deliver: %s", e.AppendJSON(nil))
		}
	}
	p.coverage.Add(c)
	if !b.More {
		p.idle = now
	}
}

// checkCursor checks that a cursor that was saved in place of another has not
// moved past anything that was not delivered, and not back.
func (w *world) checkCursor(before, cursor ingest.Cursor) {
	pos, err := feeds(cursor)
	if err != nil {
		w.violate("%v", err)
		return
	}
	was, err := feeds(before)
	if err != nil {
		w.violate("%v", err)
		return
	}
	for _, log := range w.cfg.logs() {
		if f := pos[log]; f != nil {
			w.checkFeed(log, was[log], f, cursor)
		} else {
			w.violate("the cursor has lost %s: %s", log.Title, cursor)
		}
	}
}

func (w *world) checkFeed(log *cloudflare.Log, was, f *cursorFeed, cursor ingest.Cursor) {
	if w.hosts == 1 && was != nil && (f.Complete.Before(was.Complete) || f.Settled.Before(was.Settled)) {
		w.violate("the cursor has moved back in %s: %s", log.Title, cursor)
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.starts[log].IsZero() && (!w.ahead || !f.Settled.IsZero()) {
		// A clock that is ahead is noticed when the server shows its own. The
		// local clock may be wrong by as much as goes unnoticed.
		w.starts[log] = now.Add(feed.ClockTolerance - w.cfg.InitialLookback)
	}
	start := w.starts[log]
	if w.broken != "" || start.IsZero() {
		return
	}
	for id, e := range w.entries {
		if e.log != log || w.got[id] > 0 || e.routine || e.visible.Add(w.lag).After(now) || !e.stamp.After(start) {
			continue
		}
		unread := slices.ContainsFunc(f.Backlog, func(o cursorWindow) bool {
			return !e.stamp.Before(o.Since) && !e.stamp.After(o.reached().Add(w.opts.Disorder))
		})
		if e.stamp.Before(f.Settled) && !unread {
			w.broken = fmt.Sprintf("the cursor has moved past %s at %s, seen %s: %s\n%s", id, e.stamp, e.visible, e.raw, cursor)
			return
		}
		// Late entries aside, and those that a page after a reply of another
		// replica leaves out: nobody can tell that there are none.
		late := w.lag > 0 || e.visible.Sub(e.stamp) > time.Second
		if !late && e.stamp.Before(f.Complete) && e.stamp.Before(f.ReadAt.Add(-3*time.Second)) {
			w.broken = fmt.Sprintf("%s at %s, seen %s, is counted as complete: %s", id, e.stamp, e.visible, cursor)
			return
		}
	}
}

// checkQuiet checks that a quiet account costs one request for each poll. A new
// connector may have to learn the clock first.
func (w *world) checkQuiet() {
	time.Sleep(w.overlap() + 2*w.cfg.PollInterval)
	w.mu.Lock()
	polls, requests, processes := w.polls, len(w.server.Requests()), w.processes
	most := len(w.cfg.logs())
	if w.forgetful && w.skew.Abs() >= feed.ClockTolerance-2*time.Second {
		most *= 2
	}
	if w.opts.OverLimit400 && w.opts.MostLimit > 0 && w.cfg.PageSize > w.opts.MostLimit {
		// Each poll is told that it asks for too much.
		most *= 2
	}
	w.mu.Unlock()
	time.Sleep(5 * w.cfg.PollInterval)
	w.mu.Lock()
	polls = w.polls - polls
	requests = len(w.server.Requests()) - requests
	// A poll may be under way, and a process that is new has to learn the clock.
	spare := 1 + w.processes - processes
	w.mu.Unlock()
	if polls == 0 || requests > most*(polls+spare) {
		w.violate("%d polls of a quiet account made %d requests", polls, requests)
	}
}

// check compares what was delivered with what the server has shown.
func (w *world) check() {
	var missing []string
	for id, e := range w.entries {
		n := w.got[id]
		switch {
		case e.routine:
			require.Zero(w, n, "a routine entry was delivered")
		case n == 0 && e.stamp.After(w.starts[e.log]):
			missing = append(missing, fmt.Sprintf("%s at %s seen %s", id, e.stamp.Sub(w.began), e.visible.Sub(w.began)))
		}
		once := 1
		if w.hosts > 1 {
			// Each process goes on from a cursor of its own.
			once = w.processes
		}
		if e.timeless {
			// At the edge of two windows it may belong to either, and by its own
			// time it may be far from where it is remembered to be.
			once *= 2
		}
		require.LessOrEqual(w, n, once+w.excused[id], "%s at %s seen %s was delivered again without a crash or a failure",
			id, e.stamp.Sub(w.began), e.visible.Sub(w.began))
		w.repeats += max(0, n-1)
	}
	slices.Sort(missing)
	require.Empty(w, missing, "lost; cursor %s", w.saved)
	w.checkBursts()
	require.LessOrEqual(w, w.mostRepeats, ingest.MaxEvents)
}

// checkBursts compares the bursts that were delivered with those that a stream of
// the entries has.
func (w *world) checkBursts() {
	once := 1
	if w.hosts > 1 {
		once = w.processes
	}
	possible := w.burstsOf(func(worldEntry) bool { return true })
	for id, n := range w.got {
		if _, isEntry := w.entries[id]; isEntry {
			continue
		}
		require.Contains(w, possible, id, "there is no such burst")
		require.LessOrEqual(w, n, once+w.excused[id], "the burst %s was delivered again without a crash or a failure", id)
		w.bursts++
	}
	// A first poll that was never saved may have read entries from before the
	// time at which the feed begins.
	for id := range w.burstsOf(func(e worldEntry) bool { return e.stamp.After(w.starts[e.log]) }) {
		require.NotZero(w, w.got[id], "the burst %s was not delivered", id)
	}
}

// burstsOf are the ids of the bursts of some of the entries.
func (w *world) burstsOf(some func(worldEntry) bool) map[string]bool {
	var text strings.Builder
	for _, e := range w.entries {
		if some(e) {
			text.WriteString(e.raw + "\n")
		}
	}
	n, err := NewNormalizer(w.cfg)
	require.NoError(w, err)
	bursts := make(map[string]bool)
	_, err = n.NormalizeStream(strings.NewReader(text.String()), func(e *ingest.Event, v Verdict) error {
		if v.Burst {
			bursts[e.ExternalID] = true
		}
		return nil
	})
	require.NoError(w, err)
	return bursts
}
