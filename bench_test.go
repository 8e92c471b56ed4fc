package cloudflareaudit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/packages/pagination"
	"github.com/cloudflare/cloudflare-go/v7/shared"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/burst"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// A corpus is a reply, the same in every run: of 1000 usual entries, or of as many
// large ones as a reply may hold.
const benchEntries, largeEntries = 1000, 400

var benchNow = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// usualPage has the usual mixture of entries, 1.1 kB long on average.
func usualPage() []byte {
	return pageOf(fakecloudflare.Generate(1, benchEntries, benchNow.Add(-time.Hour), benchNow))
}

// largePage has entries of 20 kB that are full of escapes.
func largePage() []byte {
	return pageOf(fakecloudflare.GenerateLarge(1, largeEntries, benchNow.Add(-time.Hour), benchNow))
}

// pageOf is a reply with the entries, which are oldest first, newest first.
func pageOf(entries []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString(`{"result":[`)
	for i := len(entries) - 1; i >= 0; i-- {
		b.Write(entries[i])
		if i > 0 {
			b.WriteByte(',')
		}
	}
	b.WriteString(`],"success":true,"errors":[],"messages":[]}`)
	return b.Bytes()
}

// perEntry runs work, which handles a corpus of n entries, and reports what that
// costs for an entry. The CPU time is that of the process, collection of garbage included,
// and depends less than the time that passes on what else the machine does.
func perEntry(b *testing.B, n int, work func()) {
	b.Helper()
	work() // fills the pools
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := cpuTime()
	for b.Loop() {
		work()
	}
	cpu := cpuTime() - begin
	runtime.ReadMemStats(&after)
	entries := float64(b.N * n)
	b.ReportMetric(float64(cpu.Nanoseconds())/entries, "cpu-ns/entry")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/entries, "allocs/entry")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/entries, "B/entry")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPage is the way from the bytes of a page to event lines, next to
// other ways to go it. These do not grade, and put less into an event.
//
//	work=validate  only looks whether the bytes are JSON
//	work=scan      only finds the entries and their parts
//	work=least     also copies the entries and encodes events made before: what
//	               is left when nothing has to be told of an entry
//	work=connector decodes, normalises, grades with the default rules, keeps the
//	               events as a poll does, and encodes them
//	work=struct    encoding/json with types for an entry and an event
//	work=map       encoding/json with maps
//	work=sdk       the types of Cloudflare's SDK, and encoding/json for events
//	work=python    json.loads and json.dumps, see testdata/yardstick.py
func BenchmarkPage(b *testing.B) {
	for _, corpus := range []struct {
		name string
		n    int
		page func() []byte
	}{{"usual", benchEntries, usualPage}, {"large", largeEntries, largePage}} {
		body, n := corpus.page(), corpus.n
		run := func(name string, bench func(b *testing.B)) {
			b.Run("entries="+corpus.name+"/work="+name, bench)
		}
		run("validate", func(b *testing.B) {
			perEntry(b, n, func() {
				if !jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) {
					b.Fatal("not valid")
				}
			})
		})
		run("scan", func(b *testing.B) {
			var p cloudflare.Page
			perEntry(b, n, func() { load(b, &p, body, n) })
		})
		run("least", func(b *testing.B) {
			events := keptEvents(b, body, n)
			var p cloudflare.Page
			var doc jsondoc.Doc
			var line []byte
			perEntry(b, n, func() {
				load(b, &p, body, n)
				for i := range p.Len() {
					p.Entry(i, &doc)
					events[i].RawEvent = ingest.RawJSON(doc.Source())
					line = events[i].AppendJSON(line[:0])
				}
			})
		})
		run("connector", func(b *testing.B) {
			var line []byte
			perEntry(b, n, func() {
				for _, event := range keptEvents(b, body, n) {
					line = event.AppendJSON(line[:0])
				}
			})
		})
		for _, y := range yardsticks {
			run(y.name, func(b *testing.B) {
				perEntry(b, n, func() {
					if made, err := y.lines(body); err != nil || made != n {
						b.Fatal(made, err)
					}
				})
			})
		}
		run("python", func(b *testing.B) {
			python, err := exec.LookPath("python3")
			if err != nil {
				b.Skip("there is no python3")
			}
			cmd := exec.Command(python, "testdata/yardstick.py", strconv.Itoa(b.N))
			cmd.Stdin = bytes.NewReader(body)
			out, err := cmd.Output()
			require.NoError(b, err)
			cpu, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			require.NoError(b, err)
			b.ReportMetric(cpu, "cpu-ns/entry")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// keptEvents makes the events of a page, as a poll does.
func keptEvents(b *testing.B, body []byte, n int) []ingest.Event {
	p := cloudflare.NewPage()
	defer p.Release()
	var doc jsondoc.Doc
	load(b, p, body, n)
	in := intake{normalizer: benchNormalizer(b), bursts: burst.NewTracker(), work: works.Get().(*work)}
	defer in.work.release()
	for i := range p.Len() {
		var buf [128]byte
		_ = sha256.Sum256(append(buf[:0], p.Key(i)...)) // by which a poll recognises it
		p.Entry(i, &doc)
		in.Entry(feed.Entry{Log: cloudflare.V1, Doc: &doc, Place: benchNow, Following: p.Len() - i})
	}
	return in.events
}

// benchNormalizer drops nothing, so that each entry is an event.
func benchNormalizer(b *testing.B) *Normalizer {
	n, err := NewNormalizer(Config{AccountID: fakecloudflare.DefaultAccountID, DropRoutine: new(bool)})
	require.NoError(b, err)
	return n
}

// load reads a corpus of n entries into a page.
func load(b *testing.B, p *cloudflare.Page, body []byte, n int) {
	if err := p.Load(cloudflare.V1, body); err != nil || p.Len() != n {
		b.Fatal(p.Len(), err)
	}
}

// yardsticks are other ways from a page to event lines. They return how many
// lines they made.
var yardsticks = []struct {
	name  string
	lines func(page []byte) (int, error)
}{
	{"struct", structLines},
	{"map", mapLines},
	{"sdk", sdkLines},
}

// plainEvent is an event of the yardsticks.
type plainEvent struct {
	Source     string          `json:"source"`
	Category   string          `json:"category"`
	ExternalID string          `json:"external_id"`
	Title      string          `json:"title"`
	Severity   string          `json:"severity"`
	Action     string          `json:"action"`
	Actor      string          `json:"actor"`
	SrcIP      string          `json:"src_ip"`
	Hostname   string          `json:"hostname"`
	CreatedAt  time.Time       `json:"created_at"`
	RawEvent   json.RawMessage `json:"raw_event"`
}

func structLines(body []byte) (n int, err error) {
	var reply struct {
		Result []json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return 0, err
	}
	for _, raw := range reply.Result {
		var e struct {
			ID     string `json:"id"`
			Action struct {
				Type   string `json:"type"`
				Info   string `json:"info"`
				Result bool   `json:"result"`
			} `json:"action"`
			Actor struct {
				ID    string `json:"id"`
				Type  string `json:"type"`
				Email string `json:"email"`
				IP    string `json:"ip"`
			} `json:"actor"`
			Interface string          `json:"interface"`
			Metadata  json.RawMessage `json:"metadata"`
			NewValue  json.RawMessage `json:"newValue"`
			OldValue  json.RawMessage `json:"oldValue"`
			NewJSON   json.RawMessage `json:"newValueJson"`
			OldJSON   json.RawMessage `json:"oldValueJson"`
			Owner     struct {
				ID string `json:"id"`
			} `json:"owner"`
			Resource struct {
				ID   string `json:"id"`
				Type string `json:"type"`
			} `json:"resource"`
			When time.Time `json:"when"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return n, err
		}
		if _, err := json.Marshal(plainEvent{
			Source: eventSource, Category: eventCategory, ExternalID: e.ID, Title: e.Action.Type + " " + e.Resource.Type,
			Severity: "info", Action: e.Action.Type, Actor: e.Actor.Email, SrcIP: e.Actor.IP, CreatedAt: e.When, RawEvent: raw,
		}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func mapLines(body []byte) (n int, err error) {
	var reply map[string]any
	if err := json.Unmarshal(body, &reply); err != nil {
		return 0, err
	}
	list, _ := reply["result"].([]any)
	for _, element := range list {
		e, _ := element.(map[string]any)
		action, _ := e["action"].(map[string]any)
		actor, _ := e["actor"].(map[string]any)
		metadata, _ := e["metadata"].(map[string]any)
		if _, err := json.Marshal(map[string]any{
			"source": eventSource, "category": eventCategory, "external_id": e["id"], "title": action["type"],
			"severity": "info", "action": action["type"], "actor": actor["email"], "src_ip": actor["ip"],
			"hostname": metadata["zone_name"], "created_at": e["when"], "raw_event": e,
		}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func sdkLines(body []byte) (n int, err error) {
	var reply pagination.V4PagePaginationArray[shared.AuditLog]
	if err := json.Unmarshal(body, &reply); err != nil {
		return 0, err
	}
	for i := range reply.Result {
		e := &reply.Result[i]
		if _, err := json.Marshal(plainEvent{
			Source: eventSource, Category: eventCategory, ExternalID: e.ID, Title: e.Action.Type + " " + e.Resource.Type,
			Severity: "info", Action: e.Action.Type, Actor: e.Actor.Email, SrcIP: e.Actor.IP, CreatedAt: e.When,
			RawEvent: json.RawMessage(e.JSON.RawJSON()),
		}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// BenchmarkEntry holds the parts of the work on an entry side by side. An
// operation is an entry of the usual mixture.
//
//	go test . -run '^$' -bench Entry -count 6 | benchstat -col /work -
func BenchmarkEntry(b *testing.B) {
	n := benchNormalizer(b)
	entries := fakecloudflare.Generate(1, benchEntries, benchNow.Add(-time.Hour), benchNow)
	for _, part := range []struct {
		name string
		do   func(w *work)
	}{
		{"decode", func(*work) {}},
		{"understand", func(w *work) { w.understand(n) }},
		{"grade", func(w *work) { w.grade(n) }},
		{"event", func(w *work) { w.event(n, w.grade(n), standIn{}, &w.out) }},
	} {
		b.Run("work="+part.name, func(b *testing.B) {
			b.ReportAllocs()
			var w work
			for i := 0; b.Loop(); i = (i + 1) % len(entries) {
				w.decode(string(entries[i]))
				part.do(&w)
			}
		})
	}
}

// BenchmarkBuild_Catalog is the same from the configuration object of an account,
// which is what a fleet has.
func BenchmarkBuild_Catalog(b *testing.B) {
	var catalog ingest.Catalog
	require.NoError(b, Register(&catalog))
	object := map[string]any{"account_id": fakecloudflare.DefaultAccountID, "api_token": fakecloudflare.DefaultToken,
		"rules": `[{"id":"terraform","severity":"info","match":{"actor":"terraform@example.com","action":"dns.*"}}]`}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := catalog.Build(ConnectorID, object); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBuild is what it takes to build a connector with rules of a user that
// the process has built one with before, as a fleet does for each poll.
func BenchmarkBuild(b *testing.B) {
	cfg := Config{AccountID: fakecloudflare.DefaultAccountID, APIToken: NewSecret(fakecloudflare.DefaultToken), Rules: []Rule{
		{ID: "terraform", Severity: ingest.Info, Match: Match{Actor: []string{"terraform@example.com"}, Action: []string{"dns.*"}}},
	}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(cfg); err != nil {
			b.Fatal(err)
		}
	}
}
