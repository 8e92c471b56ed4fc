package cloudflareaudit

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventschema"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/testdata"
)

var update = flag.Bool("update", false, "write what is made from the code in docs")

// The severities, by short names.
const (
	critical = ingest.Critical
	high     = ingest.High
	medium   = ingest.Medium
	low      = ingest.Low
	info     = ingest.Info
)

// Ids in the entries.
const (
	account = fakecloudflare.DefaultAccountID
	// zone is the id of the zone example.com.
	zone = fakecloudflare.ExampleZoneID
	// ownToken is the id of the API token that the connector reads with.
	ownToken = "ed17574386854bf78a67040be0a770b0"
)

// Members of entries of the audit log, for logged.
const (
	// production names a zone that tests declare to be in production, and
	// staging one that they do not.
	production = `"metadata":{"zone_name":"example.com"}`
	staging    = `"metadata":{"zone_name":"staging.example.net"}`
	// inZone is production with the id of the zone.
	inZone = `"metadata":{"zone_name":"example.com","zone_id":"` + zone + `"}`
	// bySystem and byStaff say that Cloudflare itself acted.
	bySystem = `"actor":{"id":"1","type":"system"}`
	byStaff  = `"actor":{"id":"9","type":"admin"}`
)

// Roles of members, as elements of a list.
const (
	superRole  = `{"id":"33666b9c79b9a5273fc7344ff42f953d","name":"Super Administrator - All Privileges"}`
	readerRole = `{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}`
)

// logged and requested are entries of the two logs, with what a test has to say.
var (
	logged    = fakecloudflare.Logged
	requested = fakecloudflare.Requested
)

// before and after are members for logged: the value before and after a change.
func before(object string) string { return `"oldValueJson":` + object }
func after(object string) string  { return `"newValueJson":` + object }

// setting is an entry of the audit log for a zone setting that changed.
func setting(zone, name, group, from, to string) string {
	return logged("zone", "change_setting", `"metadata":{"zone_name":"`+zone+`","name":"`+name+`","type":"`+group+`","old_value":"`+from+`","value":"`+to+`"}`)
}

// body and answer are members for requested: the bodies of the request and of the
// response.
func body(v string) string   { return `"request":` + v }
func answer(v string) string { return `"response":` + v }

// examples are the entries that docs/severity.md shows, by the id of the rule that
// decides each of them.
var examples = sync.OnceValue(func() map[string]string {
	page, err := os.ReadFile("docs/severity.md")
	if err != nil {
		panic(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## Rules\n")
	byRule := make(map[string]string)
	for _, m := range regexp.MustCompile("(?s)\n### ([a-z0-9-]+)\n.*?\n```json\n(.*?)\n```\n").FindAllStringSubmatch(text, -1) {
		byRule[m[1]] = m[2]
	}
	if len(byRule) != len(DefaultRules()) {
		panic(fmt.Sprintf("docs/severity.md has %d examples", len(byRule)))
	}
	return byRule
})

// fixtures are the saved entries of both logs, odd ones included.
func fixtures(t testing.TB) (all []string) {
	t.Helper()
	for _, folder := range []fs.FS{testdata.Entries(), testdata.EntriesV2()} {
		list, err := fakecloudflare.Load(folder)
		require.NoError(t, err)
		for _, e := range list {
			all = append(all, string(e))
		}
	}
	for _, name := range []string{"testdata/entries/odd.json", "testdata/entries_v2/odd.json"} {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		var list []json.RawMessage
		require.NoError(t, json.Unmarshal(b, &list))
		for _, e := range list {
			all = append(all, string(e))
		}
	}
	return all
}

// failing is an entry as it is logged when the attempt fails.
func failing(raw string) string {
	for _, result := range []struct{ succeeded, failed string }{
		{`"result":true`, `"result":false`}, {`"result":"success"`, `"result":"failure"`}, {`{"id":"x"}`, `{"id":"x","action":{"result":false}}`},
	} {
		if strings.Contains(raw, result.succeeded) {
			return strings.Replace(raw, result.succeeded, result.failed, 1)
		}
	}
	return raw
}

// savedEntries are the examples of the rules and the fixtures, and what is no
// entry.
func savedEntries(t testing.TB) (all []string) {
	t.Helper()
	for _, id := range slices.Sorted(maps.Keys(examples())) {
		all = append(all, examples()[id])
	}
	all = append(all, fixtures(t)...)
	return append(all, ``, `{`, `{}`, `null`, `17`, "\xff\x00", `[]`, `not JSON`)
}

// allEntries are savedEntries and generated ones, as attempts that failed too.
func allEntries(t testing.TB) []string {
	t.Helper()
	all := savedEntries(t)
	now := time.Now()
	for _, e := range slices.Concat(fakecloudflare.Generate(1, 300, now.Add(-time.Hour), now), fakecloudflare.GenerateV2(1, 100, now.Add(-time.Hour), now)) {
		all = append(all, string(e))
	}
	for _, raw := range slices.Clone(all) {
		if failed := failing(raw); failed != raw {
			all = append(all, failed)
		}
	}
	return all
}

// masked stands for a secret in an event.
const masked = "[masked]"

// normalizer makes a Normalizer for an account. Unless cfg says otherwise, it
// keeps routine entries.
func normalizer(t testing.TB, cfg Config) checkedNormalizer {
	t.Helper()
	if cfg.AccountID == "" {
		cfg.AccountID = account
	}
	if cfg.DropRoutine == nil {
		cfg.DropRoutine = new(false)
	}
	if cfg.Clock == nil {
		cfg.Clock = func() time.Time { return time.Date(2026, 5, 13, 0, 0, 0, 0, time.UTC) }
	}
	n, err := NewNormalizer(cfg)
	require.NoError(t, err)
	return checkedNormalizer{n, t}
}

// checkedNormalizer is a Normalizer all events of which have to be sound.
type checkedNormalizer struct {
	*Normalizer
	t testing.TB
}

func (n checkedNormalizer) Normalize(raw []byte) (ingest.Event, Verdict) {
	n.t.Helper()
	event, v := n.Normalizer.Normalize(raw)
	if !v.Drop { // a dropped one has no title
		sound(n.t, event)
	}
	return event, v
}

// grade is what the rules say to an entry, and what they were tested against.
func (n checkedNormalizer) grade(raw string) (Verdict, facts) {
	n.t.Helper()
	x := n.Explain([]byte(raw))
	f := make(facts)
	for _, fact := range x.Facts {
		f[fact.Name] = fact.Values
	}
	return x.Verdict, f
}

// facts are what an entry says about each condition, by its name.
type facts map[string][]string

// first is the first thing that an entry says about a condition, or "".
func (f facts) first(condition string) string {
	if said := f[condition]; len(said) > 0 {
		return said[0]
	}
	return ""
}

// conditions are the conditions of a rule, in the order in which they are
// explained.
var conditions = []string{
	"action", "resource_type", "action_type", "verb", "outcome", "method", "actor", "actor_type", "source_ip", "interface", "zone",
	"target", "record_type", "setting", "direction", "role", "scope", "worker", "decision", "production", "account_wide", "own_token",
	"changed",
}

// sound checks events against the published schema.
func sound(t testing.TB, events ...ingest.Event) {
	t.Helper()
	for i := range events {
		require.NoError(t, eventschema.Check(events[i].AppendJSON(nil)))
	}
}
