package entries

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// entryOf is a small entry.
func entryOf(id string) string {
	return `{"id":"` + id + `","when":"2026-05-12T09:00:00Z","action":{"type":"purge"},"resource":{"type":"zone"}}`
}

// quoted is a text as JSON.
func quoted(s string) string { return jsondoc.Quote(s) }

func TestWrapper_IsOpened(t *testing.T) {
	t.Parallel()
	a, b := entryOf("a"), entryOf("b")
	logpush := `{"AuditLogID":"l","ActionType":"delete","Raw":{"method":"DELETE"}}`
	event := `{"source":"cloudflare","external_id":"a","action":"zone.cache.purge","actor":"x","audit":{"actor_id":"x"},"raw_event":` + a + `,"raw_truncated":false}`
	for name, tt := range map[string]struct {
		in   string
		want []string
	}{
		"HEC":                      {`{"time":1,"host":"h","event":` + a + `}{"event":` + b + `}`, []string{a, b}},
		"HEC, as text":             {`{"event":` + quoted(a) + `,"time":1}`, []string{a}},
		"Wazuh":                    {`{"cloudflare":` + a + `}`, []string{a}},
		"Wazuh alert":              {`{"timestamp":"x","rule":{"id":"1"},"data":{"cloudflare":` + a + `}}`, []string{a}},
		"Wazuh alert, as received": {`{"id":"1.2","data":{"cloudflare":{"id":"a","action":{"type":"purge","x":"as text"}}},"full_log":` + quoted(`{"cloudflare":`+a+`}`) + `}`, []string{a}},
		"reply in data":            {`{"data":{"result":[` + a + `,` + b + `],"success":true}}`, []string{a, b}},
		"list in data":             {`{"data":[` + a + `,` + b + `]}`, []string{a, b}},
		"reply with one":           {`{"success":true,"result":` + a + `}`, []string{a}},
		"Splunk export":            {`{"preview":false,"offset":0,"result":{"_raw":` + quoted(a) + `,"_time":"x"}}`, []string{a}},
		"Splunk export, one first": {`{"result":{"_raw":` + quoted(a) + `},"preview":false}`, []string{a}},
		"Splunk results":           {`{"preview":false,"results":[{"_raw":` + quoted(a) + `},{"_raw":` + quoted(b) + `}]}`, []string{a, b}},
		"Elastic":                  {`{"_index":"i","_source":` + a + `}`, []string{a}},
		"Elastic, original":        {`{"_source":{"cloudflare":{"audit":{"actor":{},"resource":{}}},"event":{"action":"purge","original":` + quoted(a) + `}}}`, []string{a}},
		"Elastic, message":         {`{"@timestamp":"x","message":` + quoted(a) + `}`, []string{a}},
		"Elastic, search":          {`{"took":1,"hits":{"total":{"value":2},"hits":[{"_source":` + a + `},{"_source":` + b + `}]}}`, []string{a, b}},
		"CloudWatch":               {`{"logEvents":[{"timestamp":1,"message":` + quoted(a) + `}]}`, []string{a}},
		"Loki":                     {`{"streams":[{"stream":{"job":"x"},"values":[["1","` + strings.ReplaceAll(a, `"`, `\"`) + `"]]}]}`, []string{a}},
		"a list of texts":          {`[` + quoted(a) + `,` + quoted(b) + `]`, []string{a, b}},
		"a text alone":             {quoted(a) + "\n" + b, []string{a, b}},
		"Logpush":                  {`{"event":` + logpush + `}`, []string{logpush}},
		"an event of our own":      {event, []string{a}},
		"an event of our own, HEC": {`{"sourcetype":"x","event":` + event + `}`, []string{a}},
		"text in an event":         {`{"external_id":"x","raw_event":"no JSON","raw_truncated":true}`, []string{"!no JSON…"}},
		"number in an event":       {`{"external_id":"x","raw_event":17}`, []string{"17"}},
		"JSON text in an event":    {`{"external_id":"x","raw_event":` + quoted(a) + `}`, []string{a}},
		"what stands beside":       {`{"data":[` + a + `,{"x":1},"lost?",7,null]}`, []string{a, `{"x":1}`, `"lost?"`, "null"}},
		"the same in two members":  {`{"json":` + a + `,"text":` + quoted(a) + `}`, []string{a}},
		"others in two members":    {`{"json":` + a + `,"text":` + quoted(b) + `}`, []string{a, b}},
		"reply in a wrapper":       {`{"body":` + quoted(`{"result":[`+a+`],"success":true}`) + `}`, []string{a}},
	} {
		got, in, err := split(strings.NewReader(tt.in))
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got, name)
		assert.Zero(t, in.Empty, name)
	}
}

// What may be an entry is one, whatever its members are called.
func TestWrapper_AnEntryIsNotOpened(t *testing.T) {
	t.Parallel()
	inner := entryOf("inner")
	for _, entry := range []string{
		`{"id":"a","action":{"type":"purge"},"event":` + inner + `}`,
		`{"event":` + inner + `,"id":"a","when":"2026-05-12T09:00:00Z","action":null}`,
		`{"id":"a","action":"purge","resource":{"type":"zone"},"data":` + inner + `}`,
		`{"id":"a","actor":{"id":"x"},"metadata":{"event":` + inner + `}}`,
		`{"action":{"type":"purge"},"resource":{"type":"zone"},"newValueJson":{"message":` + quoted(inner) + `}}`,
		`{"ActionType":"purge","ResourceType":"zone","Metadata":` + inner + `,"message":` + quoted(inner) + `}`,
		`{"AuditLogID":"a","Raw":` + inner + `,"ResourceRequest":` + quoted(inner) + `}`,
		`{"id":"a"}`, `{}`, `{"event":{"action":"purge"}}`, `{"event":{"action":{"type":"x"}}}`, `{"message":"hello"}`, `{"message":"{\"id\":"}`,
		`{"action":"dns.record.delete","actor":"alice@example.com","resource":"x"}`, `{"raw_event":1}`,
	} {
		for in, want := range map[string][]string{entry: {entry}, "[" + entry + "]": {entry}} {
			got, _, err := split(strings.NewReader(in))
			require.NoError(t, err)
			assert.Equal(t, want, got, in)
		}
	}
	got, in, err := split(strings.NewReader(`{"result":{"id":"a"},"success":true}`))
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Equal(t, 1, in.Empty, "a reply without entries is one of another request")
}

// A wrapper may have more than fits into memory.
func TestWrapper_IsReadInParts(t *testing.T) {
	t.Parallel()
	const n = 2000
	list := strings.Repeat(entryOf("a")+",", n-1) + entryOf("a")
	for _, text := range []string{
		`{"data":{"result":[` + list + `],"success":true}}`,
		`{"data":[` + list + `]}`,
		`{"took":1,"hits":{"total":{"value":9},"hits":[` + list + `]},"x":1}`,
		`{"preview":false,"results":[` + list + `]}`,
	} {
		found := 0
		in := Reader{Longest: 10_000,
			Each:   func(doc *jsondoc.Doc) error { found++; assert.Equal(t, entryOf("a"), doc.Root().Source()); return nil },
			Broken: func(b []byte, _ bool) error { t.Errorf("%.200s", b); return nil },
		}
		require.NoError(t, in.Read(strings.NewReader(text)))
		assert.Equal(t, n, found, "%.50s", text)
		assert.False(t, in.Unfinished)
		in.Broken = func([]byte, bool) error { return nil }
		require.NoError(t, in.Read(strings.NewReader(text[:len(text)-10])))
		assert.True(t, in.Unfinished, "%.50s", text)
	}
	// What is no wrapper is not taken apart.
	text := `{"id":"a","newValueJson":{"data":[` + list + `]}}` + "\n" + entryOf("b")
	var got []string
	in := Reader{Longest: 10_000,
		Each:   func(doc *jsondoc.Doc) error { got = append(got, doc.Root().Source()); return nil },
		Broken: func([]byte, bool) error { got = append(got, "!"); return nil },
	}
	require.NoError(t, in.Read(strings.NewReader(text)))
	assert.Equal(t, []string{"!", entryOf("b")}, got)
	deep := strings.Repeat(`{"data":`, 300_000)
	in = Reader{Longest: 10_000, Each: in.Each, Broken: in.Broken}
	require.NoError(t, in.Read(strings.NewReader(deep)), "it takes no room on the stack")
}

// Whatever an entry is wrapped in, it comes out as it went in.
func TestWrapper_GivesTheEntryBack(t *testing.T) {
	t.Parallel()
	pool := recent(30)
	rapid.Check(t, func(t *rapid.T) {
		entry := string(rapid.SampledFrom(pool).Draw(t, "entry"))
		text := entry
		for range rapid.IntRange(0, 4).Draw(t, "wrappers") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				name := rapid.SampledFrom([]string{"event", "cloudflare", "data", "_source", "message", "body", "x"}).Draw(t, "name")
				text = `{"time":1,"` + name + `":` + text + `,"host":"h"}`
			case 1:
				text = `{"message":` + quoted(text) + `}`
			case 2:
				text = `[` + text + `]`
			case 3:
				text = `{"success":true,"result":[` + text + `]}`
			}
		}
		got, _, err := split(strings.NewReader(text))
		if err != nil || len(got) != 1 || got[0] != entry {
			t.Fatalf("%v: %s\nbecame %q", err, text, got)
		}
		if !json.Valid([]byte(text)) {
			t.Fatal("the test is wrong")
		}
	})
}
