package cloudflareaudit

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// The rows of the product page, in its own words and in those of entries.
func TestGrade_FollowsTheProductPage(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout"}, DropRoutine: new(true)})
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
			v, f := n.grade(raw)
			assert.Equal(t, row.action, f.first("action"), raw)
			assert.Equal(t, row.severity, v.Severity, "%s by %s", raw, v.Rule)
			assert.Equal(t, row.action == "zone.settings.read", v.Drop, raw)
		}
	}
	// Entries that a row does not cover.
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
		v, _ := n.grade(raw)
		assert.Equal(t, severity, v.Severity, "%s by %s", raw, v.Rule)
		assert.False(t, v.Drop, raw)
	}
}

func TestGrade_WhatDetectionsLookForHasTheExpectedName(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
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
		v, f := n.grade(raw)
		assert.Equal(t, want.action, f.first("action"), raw)
		assert.Equal(t, want.decision, f.first("decision"), raw)
		assert.Equal(t, want.severity, v.Severity, raw)
	}
}

// lowered is one level below a severity. Info has none below it.
func lowered(s ingest.Severity) ingest.Severity {
	levels := []ingest.Severity{critical, high, medium, low, info, info}
	return levels[slices.Index(levels, s)+1]
}

func TestGrade_AFailedAttemptIsOneLevelLowerAndNeverDropped(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{DropRoutine: new(true)})
	for _, example := range examples() {
		ok, _ := n.grade(example)
		raw := failing(example)
		failed, f := n.grade(raw)
		require.Equal(t, "failure", f.first("outcome"), raw)
		assert.False(t, failed.Drop, raw)
		assert.NotEmpty(t, failed.Title)
		if failed.Rule == ok.Rule && ok.Rule != "login-failed" {
			assert.Equal(t, lowered(ok.Severity), failed.Severity, raw)
			assert.True(t, strings.HasSuffix(failed.Title, " (failed)"), failed.Title)
		}
	}
}

func TestGrade_ChangesOfTheConnectorsOwnTokenAreReported(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{OwnTokenID: ownToken, DropRoutine: new(true)})
	tag := func(id string) string { return `"metadata":{"token_name":"siem","token_tag":"` + id + `"}` }
	for _, own := range []string{
		logged("account", "token_roll", tag(ownToken)),
		logged("account", "token_update", tag(ownToken)),
		logged("account", "token_revoke", tag(strings.ToUpper(ownToken))),
		logged("api_token", "delete", before(`{"name":"siem"}`), `"resource":{"type":"api_token","id":"`+ownToken+`"}`),
		logged("api_token", "disabled", `"newValueJson":{"name":"siem"}`, tag(ownToken)),
	} {
		v, f := n.grade(own)
		assert.Equal(t, "true", f.first("own_token"), own)
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
		v, _ := n.grade(other)
		assert.NotEqual(t, "own-token-changed", v.Rule, other)
	}
	// Without a configured id no token is the connector's own, not even one
	// without an id.
	n = normalizer(t, Config{DropRoutine: new(true)})
	for _, raw := range []string{logged("account", "token_roll", tag(ownToken)), logged("account", "token_roll"), logged("account", "token_roll", tag(""))} {
		_, f := n.grade(raw)
		assert.Equal(t, "false", f.first("own_token"), raw)
	}
}

func TestNewNormalizer_NamesFaultyZonesAndWorkers(t *testing.T) {
	t.Parallel()
	_, err := NewNormalizer(Config{
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

func TestGrade_RoutineOfCloudflareItselfIsDropped(t *testing.T) {
	t.Parallel()
	record := func(kind, name string) string { return after(`{"type":"` + kind + `","name":"` + name + `"}`) }
	noise := []string{
		logged("dns.record", "create", bySystem, production, record("TXT", "_acme-challenge.example.com")),
		logged("dns.record", "delete", bySystem, production, record("TXT", "_acme-challenge.www.example.com")),
		logged("dns.record", "delete", bySystem, production, record("CNAME", "_acme-challenge.example.com"), before(`{}`)),
		logged("zone", "tls_settings_deployed", bySystem, production),
		logged("zone", "tls_settings_deployed", `"actor":{"id":"1","type":"Cloudflare"}`, production),
	}
	dropping, keeping := normalizer(t, Config{DropRoutine: new(true)}), normalizer(t, Config{})
	for _, raw := range noise {
		v, _ := dropping.grade(raw)
		assert.True(t, v.Drop, raw)
		assert.Contains(t, []string{"certificate-renewal", "tls-settings-deployed-by-system"}, v.Rule)
		assert.Empty(t, v.Title)
		v, _ = keeping.grade(raw)
		assert.False(t, v.Drop, raw)
		assert.Equal(t, info, v.Severity)
		assert.NotEmpty(t, v.Title)
	}
	// Other records that Cloudflare deletes are for information. What a person
	// deletes is graded as always.
	v, _ := dropping.grade(logged("dns.record", "delete", bySystem, production, record("MX", "example.com")))
	assert.Equal(t, info, v.Severity)
	v, _ = dropping.grade(logged("dns.record", "delete", production, before(`{"type":"CNAME","name":"_acme-challenge.example.com"}`)))
	assert.Equal(t, medium, v.Severity)
	v, _ = dropping.grade(logged("user", "API_key_view", bySystem))
	assert.Equal(t, high, v.Severity)
}

func TestGrade_NothingElseIsDropped(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{DropRoutine: new(true)})
	drops := []string{"zone-settings-read", "tls-settings-deployed-by-system", "certificate-renewal"}
	for _, raw := range fixtures(t) {
		v, f := n.grade(raw)
		isRead := v.Rule == "routine-read" && f.first("method") == "GET"
		assert.Equal(t, slices.Contains(drops, v.Rule) || isRead, v.Drop, raw)
	}
	for _, raw := range []string{`{}`, `[]`, `null`, `"x"`, logged("", ""), logged("user", "API_key_view"), logged("zone", "read"), logged("dns.record", "list")} {
		v, _ := n.grade(raw)
		assert.False(t, v.Drop, raw)
	}
}

// Every condition, with an entry that meets it and one that does not.
func TestRules_EveryConditionIsReadFromTheEntry(t *testing.T) {
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
		`{"action":"*","account_wide":true}`:                     logged("ruleset", "rulesets_update", `"metadata":{"phase":"http_request_firewall_custom","kind":"root"}`, before(`{}`), after(`{}`)),
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
		n := normalizer(t, Config{Rules: rules, OwnTokenID: ownToken, ProductionZones: []string{"example.com", "a379a6f6eeafb9a55e378c118034e275"}})
		v, _ := n.grade(raw)
		assert.Equal(t, "mine", v.Rule, "%s on %s", match, raw)
		if strings.Contains(match, `"*"`) {
			continue
		}
		v, _ = n.grade(other)
		assert.NotEqual(t, "mine", v.Rule, "%s on %s", match, other)
	}
	// All conditions must hold.
	rules, err := ParseRules([]byte(`[{"id":"mine","severity":"critical","match":{"action":"dns.*","actor":"bob@*"}}]`))
	require.NoError(t, err)
	v, _ := normalizer(t, Config{Rules: rules}).grade(logged("dns.record", "create"))
	assert.Equal(t, "dns-record-created", v.Rule)
}

func TestRules_OfTheUserComeFirstRegradeAndSwitchOff(t *testing.T) {
	t.Parallel()
	defaults := DefaultRules()
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
	n := normalizer(t, Config{Rules: rules, DropRoutine: new(true)})

	deploy := `"actor":{"id":"d","type":"user","email":"deploy@example.com"}`
	v, _ := n.grade(logged("dns.record", "create", deploy))
	assert.Equal(t, Verdict{Rule: "pipeline", Severity: info, Drop: true}, v)
	v, _ = n.grade(logged("dns.record", "create", deploy, `"action":{"type":"create","result":false}`))
	assert.Equal(t, "dns-record-created", v.Rule, "a failure is not routine")

	v, _ = n.grade(logged("script", "script_delete", `"resource":{"type":"script","id":"shop"}`))
	assert.Equal(t, Verdict{Rule: "night", Title: "alice@example.com did worker.script.delete to shop", Why: "Nobody works at night.",
		Severity: critical, Techniques: []string{"T1078.004"}}, v)

	v, _ = n.grade(logged("dns.record", "create"))
	assert.Equal(t, medium, v.Severity)
	v, _ = n.grade(logged("zone", "purge"))
	assert.True(t, v.Drop)
	assert.Equal(t, "cache-purged", v.Rule)
	v, _ = n.grade(logged("zone.settings", "read"))
	assert.False(t, v.Drop)
	assert.Equal(t, low, v.Severity)
	v, _ = n.grade(logged("dns.record", "update", before(`{"ttl":1}`), after(`{"ttl":2}`)))
	assert.Equal(t, "other", v.Rule)
	v, _ = n.grade(logged("zone", "delete", production))
	assert.Equal(t, Verdict{Rule: "zone-deleted", Title: "Gone: example.com", Why: "It is gone.", Severity: high, Techniques: []string{}}, v)

	// With nothing to be dropped, the same rules grade info.
	n = normalizer(t, Config{Rules: rules})
	v, _ = n.grade(logged("dns.record", "create", deploy))
	assert.Equal(t, "pipeline", v.Rule)
	assert.Equal(t, info, v.Severity)
	assert.False(t, v.Drop)
	assert.Equal(t, "DNS record created", v.Title)
	assert.Equal(t, defaults, DefaultRules(), "the default rules stay as they are")
}

func TestRules_SurviveAJSONRoundTrip(t *testing.T) {
	t.Parallel()
	var mine []Rule
	for _, r := range DefaultRules() {
		if !reflect.ValueOf(r.Match).IsZero() {
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
