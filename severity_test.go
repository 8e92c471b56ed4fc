package cloudflareaudit

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// classify builds a classifier.
func classify(t testing.TB, cfg classifierConfig) *classifier {
	t.Helper()
	c, err := newClassifier(cfg)
	require.NoError(t, err)
	return c
}

// ownToken is the id of the connector's own token.
const ownToken = "ed17574386854bf78a67040be0a770b0"

// grade grades one entry.
func grade(t testing.TB, c *classifier, raw string) (Verdict, facts) {
	t.Helper()
	e := decode(t, raw)
	n := Normalizer{classifier: c, ownTokenID: ownToken}
	f := n.facts(e)
	return c.classify(e, &f), f
}

// The rows of the product page, in its own names and in those entries have.
func TestClassify_TheProductPage(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout"}, DropRoutine: true})
	const broad = `"newValueJson":{"policies":[{"effect":"allow","resources":{"com.cloudflare.api.account.*":"*"},"permission_groups":[{"name":"Account Settings Read"}]}]}`
	for _, row := range []struct {
		action   string
		severity ingest.Severity
		entries  []string
	}{
		{"member.add", high, []string{
			logged("", "member.add", after(`{"roles":[`+superRole+`]}`)),
			logged("member", "member.add", `"metadata":{"role":"Super Administrator"}`),
			logged("member", "create", after(`{"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`)),
			logged("account", "add_member", after(`{"roles":[`+superRole+`]}`)),
		}},
		{"api_token.create", high, []string{
			logged("", "api_token.create", broad),
			logged("account", "token_create", broad),
			logged("account", "token_create", `"metadata":{"token_name":"ci","token_tag":"t"}`),
		}},
		{"account.2fa.disable", high, []string{
			logged("", "account.2fa.disable"),
			logged("account", "account.2fa.disable"),
			logged("user", "MFA_disabled"),
			logged("account", "remove_enforce_twofactor"),
		}},
		{"zone.firewall.rule.delete", medium, []string{
			logged("", "zone.firewall.rule.delete", production),
			logged("firewallrules", "delete", production),
			logged("ratelimit", "delete", production),
			logged("firewallrules", "delete"),
		}},
		{"dns.record.delete", medium, []string{
			logged("", "dns.record.delete", production, before(`{"type":"MX"}`)),
			logged("dns.record", "delete", production, before(`{"type":"A"}`)),
			logged("DNS_record", "rec_del", production, before(`{"type":"MX"}`)),
			logged("DNS_record", "rec_del", production),
		}},
		{"dns.record.update", medium, []string{
			logged("DNS_record", "rec_set", production, before(`{"type":"A","content":"192.0.2.1"}`), after(`{"type":"A","content":"203.0.113.1"}`)),
			logged("dns.record", "update", production, before(`{"type":"A","content":"192.0.2.1"}`), after(`{"type":"TXT","content":"x"}`)),
			logged("dns.record", "update", production, before(`{"type":"TXT","content":"x"}`), after(`{"type":"MX","content":"mx.example.net"}`)),
			logged("dns.record", "update", production, before(`{"type":"A","proxied":true}`), after(`{"type":"A","proxied":false}`)),
		}},
		{"worker.route.create", medium, []string{
			logged("", "worker.route.create", `"metadata":{"pattern":"example.com/*","script":"proxy"}`),
			logged("route", "route_create", `"metadata":{"pattern":"example.com/*","script":"proxy"}`),
		}},
		{"zone.settings.read", info, []string{
			logged("", "zone.settings.read", production),
			logged("zone.settings", "read", production),
		}},
	} {
		for _, raw := range row.entries {
			v, f := grade(t, c, raw)
			assert.Equal(t, row.action, f.name, raw)
			assert.Equal(t, row.severity, v.Severity, "%s by %s", raw, v.Rule)
			assert.Equal(t, row.action == "zone.settings.read", v.Drop, raw)
		}
	}
	// And what each row leaves out.
	for raw, severity := range map[string]ingest.Severity{
		logged("member", "member.add", after(`{"roles":[`+readerRole+`]}`)):                    medium,
		logged("account", "token_create", `"metadata":{"scopes":["zone.dns.read"]}`):           medium,
		logged("account", "account.2fa.enable"):                                                info,
		logged("firewallrules", "delete", staging):                                             low,
		logged("dns.record", "delete", staging, before(`{"type":"MX"}`)):                       low,
		logged("dns.record", "delete", production, before(`{"type":"TXT"}`)):                   low,
		logged("route", "route_create", `"metadata":{"script":"checkout"}`):                    low,
		logged("zone.settings", "read", production, `"action":{"type":"read","result":false}`): info,
	} {
		v, _ := grade(t, c, raw)
		assert.Equal(t, severity, v.Severity, "%s by %s", raw, v.Rule)
		assert.False(t, v.Drop, raw)
	}
}

func TestClassify_WhatTheHostLooksForHasItsName(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{})
	for raw, want := range map[string]struct {
		action, decision string
		severity         ingest.Severity
	}{
		logged("zone", "transfer_out", production):                                                        {"zone.transfer_out", "", high},
		logged("firewallrules", "update", production, after(`{"id":"1","paused":true}`)):                  {"firewall_rule.disable", "", high},
		logged("wafrule", "disable", production):                                                          {"waf_rule.disable", "", high},
		logged("access.policy", "create", after(`{"decision":"bypass"}`)):                                 {"access_policy.create", "bypass", critical},
		logged("", "access_policy.create", `"metadata":{"decision":"bypass"}`):                            {"access_policy.create", "bypass", critical},
		logged("access.policy", "update", before(`{"decision":"allow"}`), after(`{"decision":"bypass"}`)): {"access_policy.update", "bypass", critical},
	} {
		v, f := grade(t, c, raw)
		assert.Equal(t, want.action, f.name, raw)
		assert.Equal(t, want.decision, f.decision, raw)
		assert.Equal(t, want.severity, v.Severity, raw)
	}
}

func TestClassify_AFailedAttemptIsOneLevelLowerAndNeverDropped(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{DropRoutine: true})
	for _, example := range examples {
		ok, _ := grade(t, c, example.yes)
		e := decode(t, example.yes)
		e.outcome = outcomeFailure
		f := factsOf(e)
		failed := c.classify(e, &f)
		assert.False(t, failed.Drop, example.yes)
		assert.NotEmpty(t, failed.Title)
		if failed.Rule == ok.Rule && ok.Rule != "login-failed" {
			assert.Equal(t, lowered(ok.Severity), failed.Severity, example.yes)
			assert.True(t, strings.HasSuffix(failed.Title, " (failed)"), failed.Title)
		}
	}
	assert.Equal(t, []ingest.Severity{high, medium, low, info, info},
		[]ingest.Severity{lowered(critical), lowered(high), lowered(medium), lowered(low), lowered(info)})
}

func TestClassify_WhatHappensToTheConnectorsOwnToken(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{DropRoutine: true})
	tag := func(id string) string { return `"metadata":{"token_name":"siem","token_tag":"` + id + `"}` }
	for _, own := range []string{
		logged("account", "token_roll", tag(ownToken)),
		logged("account", "token_update", tag(ownToken)),
		logged("account", "token_revoke", tag(strings.ToUpper(ownToken))),
		logged("api_token", "delete", before(`{"name":"siem"}`), `"resource":{"type":"api_token","id":"`+ownToken+`"}`),
		logged("api_token", "disabled", `"newValueJson":{"name":"siem"}`, tag(ownToken)),
	} {
		v, f := grade(t, c, own)
		assert.True(t, f.ownToken, own)
		assert.Equal(t, "own-token-changed", v.Rule, own)
		assert.Equal(t, high, v.Severity)
		assert.Contains(t, v.Title, "siem")
	}
	for _, other := range []string{
		logged("account", "token_roll", tag("f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0")),
		logged("account", "token_roll"),
		logged("account", "token_create", tag(ownToken)),
		logged("api_token", "view", tag(ownToken)),
		logged("dns.record", "delete", tag(ownToken)),
	} {
		v, _ := grade(t, c, other)
		assert.NotEqual(t, "own-token-changed", v.Rule, other)
	}
	// Without a configured id nothing is the connector's own, not even a token
	// without one.
	n := Normalizer{classifier: c}
	for _, raw := range []string{logged("account", "token_roll", tag(ownToken)), logged("account", "token_roll"), logged("account", "token_roll", tag(""))} {
		assert.False(t, n.facts(decode(t, raw)).ownToken, raw)
	}
}

func TestClassify_ProductionZones(t *testing.T) {
	t.Parallel()
	const id, other = "a379a6f6eeafb9a55e378c118034e275", "3daab7cff97925bbd07d11df5dc3b0e3"
	for name, tt := range map[string]struct {
		zones    []string
		name, id string
		want     bool
	}{
		"nothing configured":                {nil, "example.net", other, true},
		"by name":                           {[]string{"example.com"}, "example.com", "", true},
		"another name":                      {[]string{"example.com"}, "example.net", "", false},
		"a zone below is another zone":      {[]string{"example.com"}, "shop.example.com", "", false},
		"a longer name is another zone":     {[]string{"example.com"}, "notexample.com", "", false},
		"in any case, with a dot":           {[]string{"Example.COM."}, "example.com", "", true},
		"star":                              {[]string{"*"}, "example.net", "", true},
		"star below":                        {[]string{"*.example.com"}, "shop.example.com", "", true},
		"star below is not the zone itself": {[]string{"*.example.com"}, "example.com", "", false},
		"by id":                             {[]string{id}, "example.com", id, true},
		"by id in upper case":               {[]string{strings.ToUpper(id)}, "", id, true},
		"another id":                        {[]string{id}, "example.net", other, false},
		"one of several":                    {[]string{"example.org", id, "example.com"}, "example.com", other, true},
		"no zone at all":                    {[]string{"example.com"}, "", "", true},
		"an id where there are names":       {[]string{"example.com"}, "", other, true},
		"a name where there are ids":        {[]string{id}, "example.com", "", true},
		"neither of both":                   {[]string{id, "example.com"}, "example.net", other, false},
		"unicode as punycode":               {[]string{"bücher.example"}, "xn--bcher-kva.example", "", true},
		"punycode as unicode":               {[]string{"xn--bcher-kva.example"}, "bücher.example", "", true},
		"unicode in upper case":             {[]string{"BÜCHER.example"}, "bücher.example", "", true},
		"unicode below a star":              {[]string{"*.bücher.example"}, "shop.xn--bcher-kva.example", "", true},
		"other unicode":                     {[]string{"bücher.example"}, "büchen.example", "", false},
	} {
		c := classify(t, classifierConfig{ProductionZones: tt.zones})
		assert.Equal(t, tt.want, c.isProduction(tt.name, tt.id), name)
	}
}

func TestNewClassifier_NamesFaultyZonesAndWorkers(t *testing.T) {
	t.Parallel()
	_, err := newClassifier(classifierConfig{
		ProductionZones: []string{"https://example.com", "example.com", "a..b", "bü*.example", "", "exa mple"},
		VerifiedWorkers: []string{"ok", "checkout?", " x"},
	})
	require.Error(t, err)
	var values []string
	for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
		var field *FieldError
		require.ErrorAs(t, fault, &field)
		values = append(values, field.Field+" "+field.Value)
	}
	assert.Equal(t, []string{"production_zones https://example.com", "production_zones a..b", "production_zones bü*.example", "production_zones ",
		"production_zones exa mple", "verified_workers checkout?", "verified_workers  x"}, values)
}

func TestPunycode(t *testing.T) {
	t.Parallel()
	for unicode, ascii := range map[string]string{
		"bücher":    "bcher-kva",
		"münchen":   "mnchen-3ya",
		"ü":         "tda",
		"例え":        "r8jz45g",
		"почта":     "80a1acny",
		"他们为什么不说中文": "ihqwcrb4cv8a8dqg056pqjye",
		"なぜみんな日本語を話してくれないのか": "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa",
		"😀": "e28h",
	} {
		assert.Equal(t, ascii, punycode([]rune(unicode)), unicode)
	}
	assert.Equal(t, "xn--r8jz45g.example", asciiZone("例え.example"))
	assert.Equal(t, "example.com", asciiZone("example.com"))
}

func TestClassify_SystemNoise(t *testing.T) {
	t.Parallel()
	record := func(kind, name string) string { return after(`{"type":"` + kind + `","name":"` + name + `"}`) }
	noise := []string{
		logged("dns.record", "create", bySystem, production, record("TXT", "_acme-challenge.example.com")),
		logged("dns.record", "delete", bySystem, production, record("TXT", "_acme-challenge.www.example.com")),
		logged("dns.record", "delete", bySystem, production, record("CNAME", "_acme-challenge.example.com"), before(`{}`)),
		logged("zone", "tls_settings_deployed", bySystem, production),
		logged("zone", "tls_settings_deployed", `"actor":{"id":"1","type":"Cloudflare"}`, production),
	}
	dropping, keeping := classify(t, classifierConfig{DropRoutine: true}), classify(t, classifierConfig{})
	for _, raw := range noise {
		v, _ := grade(t, dropping, raw)
		assert.True(t, v.Drop, raw)
		assert.Contains(t, []string{"certificate-renewal", "tls-settings-deployed-by-system"}, v.Rule)
		assert.Empty(t, v.Title)
		v, _ = grade(t, keeping, raw)
		assert.False(t, v.Drop, raw)
		assert.Equal(t, info, v.Severity)
		assert.NotEmpty(t, v.Title)
	}
	// Deleted by the machinery: information. Deleted by a person: as always.
	v, _ := grade(t, dropping, logged("dns.record", "delete", bySystem, production, record("MX", "example.com")))
	assert.Equal(t, info, v.Severity)
	v, _ = grade(t, dropping, logged("dns.record", "delete", production, before(`{"type":"CNAME","name":"_acme-challenge.example.com"}`)))
	assert.Equal(t, medium, v.Severity)
	v, _ = grade(t, dropping, logged("user", "API_key_view", bySystem))
	assert.Equal(t, high, v.Severity)
}

func TestClassify_NothingElseIsDropped(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{DropRoutine: true})
	drops := []string{"zone-settings-read", "tls-settings-deployed-by-system", "certificate-renewal"}
	for _, p := range taxonomy {
		v, _ := grade(t, c, logged(p.resource, p.action, p.more...))
		assert.Equal(t, slices.Contains(drops, v.Rule), v.Drop, "%s %s", p.resource, p.action)
	}
	for _, raw := range []string{`{}`, `[]`, `null`, `"x"`, logged("", ""), logged("user", "API_key_view"), logged("zone", "read"), logged("dns.record", "list")} {
		v, _ := grade(t, c, raw)
		assert.False(t, v.Drop, raw)
	}
	for name, n := range namings {
		f := facts{naming: *n}
		v := c.classify(&entry{actorType: "user"}, &f)
		assert.Equal(t, v.Rule == "zone-settings-read", v.Drop, name)
		assert.True(t, v.Severity.Valid())
		assert.NotEqual(t, "none", v.Rule)
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "A", true}, {"A", "a", true}, {"a", "ab", false},
		{"*", "", true}, {"*", "x.y", true}, {"a*", "a", true}, {"a*", "Abc", true}, {"a*", "ba", false},
		{"*c", "abc", true}, {"*c", "cab", false}, {"a*c", "abcabc", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false},
		{"dns.*", "dns.record.delete", true}, {"dns.*", "dns", false}, {"*.delete", "dns.record.delete", true},
		{"**", "x", true}, {"a**", "a", true}, {"*ab", "aab", true}, {"Ü*", "übel", true}, {"ü*", "ÜBEL", true},
	} {
		assert.Equal(t, tt.want, newGlob(tt.pattern).match(tt.s), "%q %q", tt.pattern, tt.s)
	}
}

// Every condition, with an entry that meets it and one that does not.
func TestRule_Conditions(t *testing.T) {
	t.Parallel()
	const other = `{"id":"z","when":"2026-05-12T09:00:00Z","action":{"type":"frob"},"resource":{"type":"thing"}}`
	for match, raw := range map[string]string{
		`{"action":"dns.record.*"}`:                              logged("dns.record", "create"),
		`{"resource_type":["x","DNS.rec*"]}`:                     logged("dns.record", "create"),
		`{"action_type":"rec_*"}`:                                logged("DNS_record", "REC_DEL"),
		`{"verb":"delete"}`:                                      logged("spectrum.app", "removed"),
		`{"outcome":"failure"}`:                                  logged("x", "create", `"action":{"type":"create","result":false}`),
		`{"outcome":"success"}`:                                  logged("x", "create"),
		`{"actor":"*@example.com"}`:                              logged("x", "create"),
		`{"actor":"A1"}`:                                         logged("x", "create"),
		`{"actor_type":"user"}`:                                  logged("x", "create"),
		`{"actor_type":"staff"}`:                                 logged("x", "create", byStaff),
		`{"actor_type":"adm*"}`:                                  logged("x", "create", byStaff),
		`{"source_ip":["198.51.100.1","192.0.2.0/24"]}`:          logged("x", "create"),
		`{"source_ip":"2001:db8::/32"}`:                          logged("x", "create", `"actor":{"id":"a","ip":"2001:db8::1"}`),
		`{"source_ip":"::ffff:192.0.2.0/120"}`:                   logged("x", "create", `"actor":{"id":"a","ip":"::ffff:192.0.2.1"}`),
		`{"interface":"ui"}`:                                     logged("x", "create"),
		`{"zone":"*.example.com"}`:                               logged("zone", "purge", `"metadata":{"zone_name":"shop.Example.com."}`),
		`{"zone":"a379a6f6eeafb9a55e378c118034e275"}`:            logged("zone", "purge", inZone),
		`{"zone":"bücher.example"}`:                              logged("zone", "purge", `"metadata":{"zone_name":"xn--bcher-kva.example"}`),
		`{"action":"*","production":true}`:                       logged("dns.record", "create", production),
		`{"action":"*","account_wide":true}`:                     ruleset("root", "", `{}`, `{}`),
		`{"own_token":true}`:                                     logged("account", "token_roll", `"metadata":{"token_tag":"`+ownToken+`"}`),
		`{"target":"_dmarc.*"}`:                                  logged("dns.record", "create", after(`{"name":"_dmarc.example.com"}`)),
		`{"record_type":["TXT","unknown"]}`:                      logged("dns.record", "create", after(`{"type":"txt"}`)),
		`{"setting":"ssl"}`:                                      setting("example.com", "ssl", "x", "full", "off"),
		`{"setting":"firewall/*"}`:                               setting("example.com", "whatever", "firewall", "a", "b"),
		`{"direction":"weaker"}`:                                 setting("example.com", "ssl", "ssl", "full", "off"),
		`{"role":"super_administrator"}`:                         logged("member", "add", after(`{"roles":[`+superRole+`]}`)),
		`{"scope":"unknown"}`:                                    logged("account", "token_create"),
		`{"worker":"unverified"}`:                                logged("script", "script_deploy"),
		`{"decision":"BYPASS"}`:                                  logged("access.policy", "create", after(`{"decision":"bypass"}`)),
		`{"changed":{"field":"proxied","old":"true"}}`:           logged("dns.record", "update", before(`{"proxied":true}`), after(`{"proxied":false}`)),
		`{"changed":[{"field":"a"},{"field":"t*","new":"6*"}]}`:  logged("dns.record", "update", before(`{"ttl":1}`), after(`{"ttl":60}`)),
		`{"action":"dns.*","verb":"create","outcome":"success"}`: logged("dns.record", "create"),
	} {
		rules, err := ParseRules([]byte(`[{"id":"mine","severity":"critical","match":` + match + `}]`))
		require.NoError(t, err, match)
		c := classify(t, classifierConfig{Rules: rules, ProductionZones: []string{"example.com", "a379a6f6eeafb9a55e378c118034e275"}})
		v, _ := grade(t, c, raw)
		assert.Equal(t, "mine", v.Rule, "%s on %s", match, raw)
		if strings.Contains(match, `"*"`) {
			continue
		}
		v, _ = grade(t, c, other)
		assert.NotEqual(t, "mine", v.Rule, "%s on %s", match, other)
	}
	// The conditions are ANDed.
	rules, err := ParseRules([]byte(`[{"id":"mine","severity":"critical","match":{"action":"dns.*","actor":"bob@*"}}]`))
	require.NoError(t, err)
	v, _ := grade(t, classify(t, classifierConfig{Rules: rules}), logged("dns.record", "create"))
	assert.Equal(t, "dns-record-created", v.Rule)
}

func TestRules_OfTheUserComeFirstRegradeAndSwitchOff(t *testing.T) {
	t.Parallel()
	rules, err := ParseRules([]byte(`[
		{"id":"pipeline","drop":true,"match":{"action":"dns.record.*","actor":"deploy@example.com"}},
		{"id":"night","severity":"critical","title":"{actor} did {action}[ to {target}]","why":"Nobody works at night.","techniques":["T1078.004"],
		 "match":{"action":"worker.*"}},
		{"id":"dns-record-created","severity":"medium"},
		{"id":"cache-purged","drop":true},
		{"id":"zone-settings-read","severity":"low"},
		{"id":"dns-record-changed","disabled":true},
		{"id":"zone-deleted","title":"Gone[: {target}]","why":"It is gone.","techniques":[]}
	]`))
	require.NoError(t, err)
	c := classify(t, classifierConfig{Rules: rules, DropRoutine: true})

	deploy := `"actor":{"id":"d","type":"user","email":"deploy@example.com"}`
	v, _ := grade(t, c, logged("dns.record", "create", deploy))
	assert.Equal(t, Verdict{Rule: "pipeline", Severity: info, Drop: true}, v)
	v, _ = grade(t, c, logged("dns.record", "create", deploy, `"action":{"type":"create","result":false}`))
	assert.Equal(t, "dns-record-created", v.Rule, "a failure is not routine")

	v, _ = grade(t, c, logged("script", "script_delete", `"resource":{"type":"script","id":"shop"}`))
	assert.Equal(t, Verdict{Rule: "night", Title: "alice@example.com did worker.script.delete to shop", Why: "Nobody works at night.",
		Severity: critical, Techniques: []string{"T1078.004"}}, v)

	v, _ = grade(t, c, logged("dns.record", "create"))
	assert.Equal(t, medium, v.Severity)
	v, _ = grade(t, c, logged("zone", "purge"))
	assert.True(t, v.Drop)
	assert.Equal(t, "cache-purged", v.Rule)
	v, _ = grade(t, c, logged("zone.settings", "read"))
	assert.False(t, v.Drop)
	assert.Equal(t, low, v.Severity)
	v, _ = grade(t, c, logged("dns.record", "update", before(`{"ttl":1}`), after(`{"ttl":2}`)))
	assert.Equal(t, "other", v.Rule)
	v, _ = grade(t, c, logged("zone", "delete", production))
	assert.Equal(t, Verdict{Rule: "zone-deleted", Title: "Gone: example.com", Why: "It is gone.", Severity: high, Techniques: []string{}}, v)

	// With nothing to be dropped, the same rules grade info.
	c = classify(t, classifierConfig{Rules: rules})
	v, _ = grade(t, c, logged("dns.record", "create", deploy))
	assert.Equal(t, "pipeline", v.Rule)
	assert.Equal(t, info, v.Severity)
	assert.False(t, v.Drop)
	assert.Equal(t, "Cloudflare dns.record.create", v.Title)
	assert.Equal(t, DefaultRules(), defaultRules, "the default rules stay as they are")
}

func TestRules_AsJSONReadBackTheSame(t *testing.T) {
	t.Parallel()
	var mine []Rule
	for _, r := range DefaultRules() {
		if !r.Match.isZero() {
			r.ID = "my-" + r.ID
			mine = append(mine, r)
		}
	}
	b, err := json.Marshal(mine)
	require.NoError(t, err)
	read, err := ParseRules(b)
	require.NoError(t, err)
	assert.Equal(t, mine, read)
	var plain []Rule
	require.NoError(t, json.Unmarshal(b, &plain))
	assert.Equal(t, mine, plain)

	for _, none := range []string{`[]`, `null`} {
		read, err = ParseRules([]byte(none))
		require.NoError(t, err)
		assert.Empty(t, read)
	}
}

func TestParseRules_ReportsEveryFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ rules, want string }{
		{`[{"severity":"high","match":{"action":"x"}}]`, `rules[0]: id: is required`},
		{`[{"id":"My Rule","severity":"high","match":{"action":"x"}}]`, `rules[0] "My Rule": id: "My Rule": must be at most 64 lower-case letters`},
		{`[{"id":"a","severity":"high","match":{"action":"x"}},{"id":"a","severity":"low","match":{"action":"y"}}]`, `rules[1] "a": id: "a": is taken by rules[0] already`},
		{`[{"id":"a","match":{"action":"x"}}]`, `rules[0] "a": severity: is required`},
		{`[{"id":"a","severity":"severe","match":{"action":"x"}}]`, `severity: "severe": must be critical, high, medium, low or info`},
		{`[{"id":"a","severity":"high","drop":true,"match":{"action":"x"}}]`, `drop: cannot go together with a severity`},
		{`[{"id":"a","severty":"high","severity":"high","match":{"action":"x"}}]`, `severty: there is no such field; did you mean "severity"?`},
		{`[{"id":"a","severity":"high","match":{"acton":"x","action":"x"}}]`, `match.acton: there is no such condition; did you mean "action"?`},
		{`[{"id":"a","severity":"high","match":{"changed":[{"feild":"x"}]}}]`, `match.changed.feild: there is no such field; did you mean "field"?`},
		{`[{"id":"a","severity":"high","match":{"changed":[{"old":"x"}]}}]`, `match.changed.field: is empty`},
		{`[{"id":"a","severity":"high","match":{"changed":"content"}}]`, `match.changed: must be a list of objects`},
		{`[{"id":"a","severity":"high"}]`, `match: is required, because no default rule has this id`},
		{`[{"id":"dns-record-deletd","severity":"high"}]`, `did you mean "dns-record-deleted"?`},
		{`[{"id":"login","severity":"high","match":{"action":"x"}}]`, `match: the id is that of a default rule`},
		{`[{"id":"a","severity":"high","match":{"source_ip":"10.0.0.0/33"}}]`, `match.source_ip: "10.0.0.0/33": must be an address`},
		{`[{"id":"a","severity":"high","match":{"action":"dns.[ab]"}}]`, `match.action: "dns.[ab]": is not a pattern`},
		{`[{"id":"a","severity":"high","match":{"action":""}}]`, `match.action: is empty`},
		{`[{"id":"a","severity":"high","match":{"action":[]}}]`, `match.action: "[]": is empty`},
		{`[{"id":"a","severity":"high","match":{"action":7}}]`, `match.action: "7": must be text or a list of texts`},
		{`[{"id":"a","severity":"high","match":{"action":["x",7]}}]`, `match.action: "7": must be text`},
		{`[{"id":"a","severity":"high","match":{"zone":"https://example.com"}}]`, `match.zone: "https://example.com": must be the name or the id of a zone`},
		{`[{"id":"a","severity":"high","match":{"outcome":"bad"}}]`, `match.outcome: "bad": must be one of success, failure, unknown`},
		{`[{"id":"a","severity":"high","match":{"production":"yes","action":"x"}}]`, `match.production: "yes": must be true or false`},
		{`[{"id":"a","severity":"high","match":"dns"}]`, `match: "dns": must be an object`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"techniques":["T12"]}]`, `techniques: "T12": must be an ATT&CK id`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"{who}"}]`, `there is no placeholder {who}`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"a [b"}]`, `has a [ without a ]`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"a } b"}]`, `has a } that nothing belongs to`},
		{`[{"id":"a","severity":"high","match":{"action":"x"},"title":"a\nb"}]`, `must be one line`},
		{`[{"id":"a","drop":true,"match":{"action":"*"}}]`, `drop: the rule would drop too much`},
		{`[{"id":"a","drop":true,"match":{"actor_type":"user","production":true}}]`, `drop: the rule would drop too much`},
		{`[{"id":"a","drop":true,"match":{"source_ip":"0.0.0.0/0"}}]`, `drop: the rule would drop too much`},
		{`[{"id":"a","drop":"yes","match":{"action":"x"}}]`, `drop: "yes": must be true or false`},
		{`[{"id":"a","severity":"high","severity":"low","match":{"action":"x"}}]`, `rules[0] "a": severity: is there twice`},
		{`[{"id":"a","severity":"high","match":{"action":"x","action":"y"}}]`, `match.action: is there twice`},
		{`[{"id":"a","severity":"high","match":{"changed":{"field":"x","field":"y"}}}]`, `match.changed.field: is there twice`},
		{`[7]`, `rules[0]: "7": must be an object`},
		{`[{"id":7}]`, `rules[0] "7": id: "7": must be text`},
	} {
		rules, err := ParseRules([]byte(tt.rules))
		if assert.ErrorContains(t, err, tt.want, tt.rules) {
			assert.Nil(t, rules)
			var field *FieldError
			assert.ErrorAs(t, err, &field)
		}
	}
	// A match that cannot be read is not missing as well.
	for _, match := range []string{`"dns"`, `{"acton":"x"}`, `{"action":7}`, `{"action":[]}`, `{"changed":7}`} {
		_, err := ParseRules([]byte(`[{"id":"a","severity":"high","match":` + match + `}]`))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "match: is required", match)
	}
	_, err := ParseRules([]byte(`[{"id":"a","severity":"x","match":{"acton":1}},{"drop":1},{"id":"b","severity":"low","match":{"verb":"del","scope":"x"}}]`))
	require.Error(t, err)
	assert.GreaterOrEqual(t, len(err.(interface{ Unwrap() []error }).Unwrap()), 5, "all faults at once: %v", err)
	for _, notAList := range []string{``, `{}`, `[`, `"x"`} {
		_, err := ParseRules([]byte(notAList))
		assert.ErrorContains(t, err, "must be a JSON list of rules")
	}
	_, err = ParseRules([]byte("[\n{\"id\": \"a\"},\n{\"id\" 1}]"))
	assert.ErrorContains(t, err, "must be a JSON list of rules: line 3: invalid character")
	_, err = ParseRules([]byte(`[{"id":"B"},7,{"id":"a","severity":"x","match":{"acton":1}},{"match":{"target":"x"}}]`))
	require.Error(t, err)
	var places []string
	for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
		place, _, _ := strings.Cut(fault.Error(), ":")
		places = append(places, place)
	}
	assert.Equal(t, []string{`rules[0] "B"`, `rules[1]`, `rules[2] "a"`, `rules[3]`}, slices.Compact(places), "in the order of the rules: %v", err)
	for _, last := range []string{`[{"id":"other","drop":true}]`, `[{"id":"other","disabled":true}]`} {
		_, err := ParseRules([]byte(last))
		assert.ErrorContains(t, err, "the last rule takes all that no other one matches")
	}
	_, err = newClassifier(classifierConfig{Rules: []Rule{{ID: "a", Severity: "bad", Match: Match{Action: []string{"x"}}}}})
	assert.True(t, errors.As(err, new(*FieldError)), "rules given as values are checked too")
}

func TestParseRules_AChangedValueMayBeANumberOrABoolean(t *testing.T) {
	t.Parallel()
	rules, err := ParseRules([]byte(`[{"id":"a","severity":"low","match":{"changed":[{"field":"x","old":1.0,"new":false},{"field":"y","new":"z"}]}}]`))
	require.NoError(t, err)
	assert.Equal(t, []Change{{"x", "1.0", "false"}, {"y", "", "z"}}, rules[0].Match.Changed)
	_, err = ParseRules([]byte(`[{"id":"a","severity":"low","match":{"changed":{"field":1,"new":[2]}}}]`))
	assert.ErrorContains(t, err, `match.changed.field: "1": must be text`)
	assert.ErrorContains(t, err, `match.changed.new: "[2]": must be text`)
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(`[{"id":"a","severity":"high","match":{"action":["dns.*"],"changed":[{"field":"x"}]},"title":"a[ {target}]"}]`))
	f.Add([]byte(`[{"id":"login","drop":true}]`))
	f.Add([]byte(`[{"match":{"source_ip":["::/0"],"zone":"bü*"}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rules, err := ParseRules(b)
		if err != nil {
			return
		}
		c, err := newClassifier(classifierConfig{Rules: rules})
		if err != nil {
			return
		}
		v, _ := grade(t, c, logged("dns.record", "delete"))
		assert.True(t, v.Severity.Valid())
		assert.False(t, v.Drop)
	})
}
