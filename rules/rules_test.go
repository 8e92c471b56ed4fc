package rules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const (
	critical = ingest.Critical
	high     = ingest.High
	medium   = ingest.Medium
	low      = ingest.Low
	info     = ingest.Info
)

type oneOf = []string

// standardRules are default rules for tests: one of every kind that the default
// rules of the connector have.
var standardRules = []Rule{
	{ID: "zone-settings-read", Drop: true,
		Match: Match{Action: oneOf{"zone.settings.read"}, Outcome: oneOf{"success", "unknown"}},
		Title: "Zone settings read", Why: "A read changes nothing."},
	{ID: "dns-changed-by-system", Severity: info,
		Match: Match{Action: oneOf{"dns.*"}, ActorType: oneOf{"system"}},
		Title: "DNS record changed by Cloudflare", Why: "Cloudflare keeps records in step with tunnels."},
	{ID: "login-failed", Severity: medium, Techniques: oneOf{"T1110"},
		Match: Match{Action: oneOf{"login"}, Outcome: oneOf{"failure"}},
		Title: "Sign-in failed[: {target}]", Why: "Somebody may be guessing."},
	{ID: "login", Severity: info,
		Match: Match{Action: oneOf{"login"}},
		Title: "Sign-in"},
	{ID: "own-token-changed", Severity: high, Techniques: oneOf{"T1531"},
		Match: Match{Action: oneOf{"api_token.*"}, Verb: oneOf{"update", "delete", "roll"}, OwnToken: new(true)},
		Title: "The connector's own API token changed: {action}[: {target}]"},
	{ID: "token-created-broad", Severity: high, Techniques: oneOf{"T1098.001"},
		Match: Match{Action: oneOf{"api_token.create"}, Scope: oneOf{"broad"}},
		Title: "API token with broad scopes created[: {target}]"},
	{ID: "token-created", Severity: medium, Techniques: oneOf{"T1098.001"},
		Match: Match{Action: oneOf{"api_token.create"}},
		Title: "API token created[: {target}]"},
	{ID: "dns-record-deleted-production", Severity: medium, Techniques: oneOf{"T1485", "T1565.002"},
		Match: Match{Action: oneOf{"dns.record.delete"}, RecordType: oneOf{"MX", "A", "unknown"}, Production: new(true)},
		Title: "DNS record deleted[: {record_type}][ {target}][ in {zone}]", Why: "What it led to is no longer reached."},
	{ID: "dns-record-deleted", Severity: low,
		Match: Match{Action: oneOf{"dns.record.delete"}},
		Title: "DNS record deleted outside production"},
	{ID: "dns-record-unproxied", Severity: medium, Techniques: oneOf{"T1590"},
		Match: Match{Action: oneOf{"dns.record.update"}, Changed: []Change{{Field: "proxied", Old: "true", New: "false"}}},
		Title: "DNS record no longer proxied[: {target}]"},
	{ID: "dns-record-changed", Severity: low,
		Match: Match{Action: oneOf{"dns.record.update"}},
		Title: "DNS record changed"},
	{ID: "dns-record-created", Severity: low,
		Match: Match{Action: oneOf{"dns.record.create"}},
		Title: "DNS record created[: {target}]"},
	{ID: "cache-purged", Severity: low,
		Match: Match{Action: oneOf{"zone.cache.purge"}},
		Title: "Cache purged"},
	{ID: "zone-deleted", Severity: high, Techniques: oneOf{"T1485"},
		Match: Match{Action: oneOf{"zone.delete"}},
		Title: "Zone deleted[: {target}]", Why: "The zone no longer answers."},
	{ID: "routine-read", Drop: true,
		Match: Match{Action: oneOf{"*.view"}, Method: oneOf{"GET", "HEAD"}, Outcome: oneOf{"success", "unknown"}},
		Title: "Cloudflare {action}"},
	{ID: "other-by-staff", Severity: medium, Techniques: oneOf{"T1199"},
		Match: Match{ActorType: oneOf{"staff"}},
		Title: "Cloudflare staff acted in the account: {action}[: {target}]"},
	{ID: "other-read", Severity: info,
		Match: Match{Verb: oneOf{"view", "login", "logout"}},
		Title: "Cloudflare {action}"},
	{ID: "other", Severity: low,
		Title: "Cloudflare {action}", Why: "These rules have nothing to say about this action."},
}

var standardActions = []string{
	"dns.record.create", "dns.record.delete", "dns.record.update", "dns.settings.update", "dns.record.view",
	"zone.cache.purge", "zone.delete", "zone.settings.read", "zone.settings.update", "zone.firewall.rule.delete",
	"api_token.create", "api_token.roll", "api_token.update", "api_key.view", "login", "logout", "member.add", "member.update",
	"worker.route.create", "worker.script.delete", "worker.script.deploy", "access_policy.create", "waf_rule.disable",
	"account.2fa.enable", "spectrum.app.create", "spectrum.app.delete",
}

// verbOf is the kind of the verb of an action.
func verbOf(action string) string {
	switch v := action[strings.LastIndexByte(action, '.')+1:]; v {
	case "add":
		return "create"
	case "purge":
		return "delete"
	case "read":
		return "view"
	case "create", "update", "delete", "enable", "disable", "roll", "view", "login", "logout", "deploy":
		return v
	}
	return ""
}

// newBook is a book of its own for a test.
func newBook(t testing.TB) *Book {
	t.Helper()
	b, err := NewBook(standardRules, Vocabulary{Actions: standardActions, Verb: verbOf})
	require.NoError(t, err)
	return b
}

func newClassifier(t testing.TB, cfg Config) *Classifier {
	t.Helper()
	c, err := newBook(t).NewClassifier(cfg)
	require.NoError(t, err)
	return c
}

// did is what an entry about an action says, with what is set beyond that.
func did(action string, with ...func(*Facts)) *Facts {
	f := &Facts{
		Action: action, Verb: verbOf(action), ResourceType: "thing", ActionType: "frob",
		Succeeded: true, Method: "POST",
		ActorEmail: "alice@example.com", ActorID: "a1", Actor: "alice@example.com", ActorKind: "user", ActorType: "user",
		SourceIP: "192.0.2.10", Addr: netip.MustParseAddr("192.0.2.10"), Interface: "UI",
		ZoneName: "example.com", ZoneID: "a379a6f6eeafb9a55e378c118034e275", Target: "www.example.com",
		IsRecord: strings.HasPrefix(action, "dns."), IsWorker: strings.HasPrefix(action, "worker."),
	}
	for _, set := range with {
		set(f)
	}
	return f
}

func thatFailed(f *Facts) { f.Failed, f.Succeeded = true, false }

func bySystem(f *Facts) {
	f.ActorEmail, f.Actor, f.ActorKind, f.ActorType = "", "Cloudflare system", "system", "system"
}

func recordType(name string) func(*Facts) { return func(f *Facts) { f.RecordType = name } }

func zoneNamed(name string) func(*Facts) { return func(f *Facts) { f.ZoneName, f.ZoneID = name, "" } }

func changes(list ...ingest.FieldChange) func(*Facts) { return func(f *Facts) { f.Changes = list } }
