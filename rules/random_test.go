package rules

import (
	"fmt"
	"net/netip"

	"pgregory.net/rapid"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Rules and facts that are drawn share a few texts, so that rules often match and
// often cover one another.
var (
	patternTexts = []string{"dns.record.create", "DNS.*", "*.delete", "*", "zone.*", "zone.delete", "frob.*", "frob.nicate", "*.record.*",
		"example.com", "*.com", "a", "a*", "firewall/*", "firewall/waf", "waf", "x"}
	factTexts = []string{"", "dns.record.create", "dns.record.delete", "zone.delete", "frob.nicate", "spectrum.app.delete", "example.com", "a", "ab", "waf", "x"}
)

// drawRules draws rules whose conditions are valid one by one.
func drawRules(t *rapid.T) []Rule {
	rules := make([]Rule, rapid.IntRange(0, 5).Draw(t, "rules"))
	for i := range rules {
		rules[i] = Rule{ID: fmt.Sprint("mine-", i), Severity: high, Match: drawMatch(t)}
		if rapid.Bool().Draw(t, "drops") {
			rules[i].Severity, rules[i].Drop = "", true
		}
	}
	return rules
}

func drawMatch(t *rapid.T) Match {
	var m Match
	for range rapid.IntRange(1, 3).Draw(t, "conditions") {
		of := rapid.SampledFrom(conditions).Draw(t, "condition")
		switch {
		case of.flag != nil:
			*of.flag(&m) = new(rapid.Bool().Draw(t, of.name))
		case of.prefixes:
			*of.list(&m) = drawTexts(t, "prefixes", []string{"192.0.2.0/24", "192.0.2.7", "192.0.2.0/29", "2001:db8::/32", "::/0", "0.0.0.0/0"})
		case len(of.values) > 0:
			*of.list(&m) = drawTexts(t, of.name, of.values)
		default:
			*of.list(&m) = drawTexts(t, of.name, patternTexts)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "changed") {
		m.Changed = append(m.Changed, Change{
			Field: rapid.SampledFrom(patternTexts).Draw(t, "field"),
			Old:   rapid.SampledFrom(append(patternTexts, "")).Draw(t, "old"),
			New:   rapid.SampledFrom(append(patternTexts, "")).Draw(t, "new"),
		})
	}
	return m
}

func drawTexts(t *rapid.T, name string, from []string) []string {
	return rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, name)
}

func drawFacts(t *rapid.T) *Facts {
	text := func(name string) string { return rapid.SampledFrom(factTexts).Draw(t, name) }
	one := func(name string, of ...string) string { return rapid.SampledFrom(append(of, "")).Draw(t, name) }
	yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
	f := &Facts{
		Action: text("action"), ResourceType: text("resource type"), ActionType: text("action type"),
		Failed: yes("failed"), Method: text("method"), ActorEmail: text("e-mail"), ActorID: text("actor id"),
		ActorKind: one("kind", "user", "system", "staff"), ActorType: text("actor type"), Interface: text("interface"),
		ZoneName: text("zone"), ZoneID: text("zone id"), AccountWide: yes("account"), OwnToken: yes("own"), Target: text("target"),
		IsRecord: yes("record"), RecordType: text("record type"), Setting: text("setting"), SettingPath: one("path", "firewall/waf", "a/b"),
		Direction: one("direction", Weaker, Safer), Role: one("role", RoleSuper, RoleOther, RoleUnknown, RoleUnchanged),
		Scope: one("scope", ScopeBroad, ScopeNarrow, ScopeUnknown), IsWorker: yes("worker"), Script: one("script", "checkout", "x"),
		NoScript: yes("no script"), Decision: text("decision"),
	}
	f.Verb, f.Succeeded = verbOf(f.Action), !f.Failed && yes("succeeded")
	if f.SourceIP = one("address", "192.0.2.7", "192.0.2.200", "2001:db8::1", "198.51.100.1"); f.SourceIP != "" {
		f.Addr = netip.MustParseAddr(f.SourceIP)
	}
	for range rapid.IntRange(0, 2).Draw(t, "changes") {
		f.Changes = append(f.Changes, ingest.FieldChange{Field: text("field"), Old: text("old"), New: text("new")})
	}
	return f
}
