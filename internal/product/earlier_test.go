package product

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/redact"
	"github.com/aisoc/cloudflareaudit/rules"
)

// exampleID is an id in the path of a request.
const exampleID = "372e67954025e0ba6aaa6d586b9e0b59"

// at is an entry of Audit Logs v2 that was made so many minutes before the
// sample, with an id of its own.
func at(minutes int, request string, more ...string) string {
	method, path, _ := strings.Cut(strings.NewReplacer("{a}", "/accounts/"+exampleAccount, "{z}", "/zones/"+exampleZone, "/1", "/"+exampleID).Replace(request), " ")
	when := time.Date(2026, 5, 12, 9, 0, 2, 0, time.UTC).Add(-time.Duration(minutes) * time.Minute)
	return strings.NewReplacer("0196c3a1-0000-7000-8000-000000000001", fmt.Sprintf("0196c3a1-0000-7000-8000-%012d", minutes),
		"2026-05-12T09:00:02Z", when.Format(time.RFC3339)).Replace(requested(method, path, more...))
}

// after is what an entry did, with old values from the earlier ones.
func after(t testing.TB, raw string, earlier ...string) (*Facts, *audit.Entry) {
	t.Helper()
	var list []*audit.Entry
	for _, e := range earlier {
		list = append(list, decode(t, e))
	}
	f := new(Facts)
	return f, UnderstandAfter(decode(t, raw), list, f)
}

// recalled is a change in the audit log, and the same change in Audit Logs v2
// with entries that came before.
type recalled struct {
	v1      string
	v2      string
	earlier []string
	// rule is that which both must get, and alone the one without the earlier
	// entries.
	rule, alone string
	// changed is a change that both must have.
	changed ingest.FieldChange
}

func recalledChanges() map[string]recalled {
	settings := func(name, old, now string) string {
		return logged("zone", "change_setting", `"resource":{"type":"zone","id":"`+exampleZone+`"}`,
			`"metadata":{"zone_name":"example.com","zone_id":"`+exampleZone+`","name":"`+name+`","old_value":"`+old+`","value":"`+now+`"}`)
	}
	record := func(old, now string) string {
		return logged("dns.record", "update", inZone, values(old, now))
	}
	const (
		phase   = `"metadata":{"zone_name":"example.com","zone_id":"` + exampleZone + `","phase":"http_request_firewall_custom","kind":"zone"}`
		answer  = `"id":"set","phase":"http_request_firewall_custom","kind":"zone","rules":`
		website = `{"id":"` + exampleID + `","type":"A","name":"www.example.com","content":"192.0.2.1","proxied":true,"ttl":1}`
		direct  = `{"id":"` + exampleID + `","type":"A","name":"www.example.com","content":"192.0.2.1","proxied":false,"ttl":1}`
		moved   = `{"id":"` + exampleID + `","type":"A","name":"www.example.com","content":"192.0.2.9","proxied":true,"ttl":1}`
		brief   = `{"id":"` + exampleID + `","type":"A","name":"www.example.com","content":"192.0.2.1","proxied":true,"ttl":60}`
		super   = `{"id":"` + exampleID + `","email":"bob@example.com","roles":[` + superRole + `]}`
		jobOld  = `{"dataset":"audit_logs","destination_conf":"s3://logs/a","enabled":true,"name":"soc"}`
		jobNew  = `{"dataset":"audit_logs","destination_conf":"s3://other/a","enabled":true,"name":"soc"}`
	)
	rule := func(state string) string { return `{"id":"` + exampleID + `","description":"scanners",` + state + `}` }
	set := func(rules string) string { return "{" + answer + "[" + rules + "]}" }
	const other = `{"id":"other","description":"bots","action":"block","enabled":true}`
	patch := "PATCH {z}/rulesets/0a/rules/1"
	return map[string]recalled{
		"a setting is lowered to a middle value": {
			settings("security_level", "high", "medium"),
			at(0, "PATCH {z}/settings/security_level", requestBody(`{"value":"medium"}`)),
			[]string{at(5, "PATCH {z}/settings/security_level", requestBody(`{"value":"high"}`))},
			"setting-weakened-production", "setting-protective", ingest.FieldChange{Field: "security_level", Old: "high", New: "medium"}},
		"a setting is raised": {
			settings("min_tls_version", "1.0", "1.2"),
			at(0, "PATCH {z}/settings/min_tls_version", requestBody(`{"value":"1.2"}`)),
			[]string{at(5, "PATCH {z}/settings/min_tls_version", requestBody(`{"value":"1.0"}`))},
			"setting-strengthened", "setting-protective", ingest.FieldChange{Field: "min_tls_version", Old: "1.0", New: "1.2"}},
		"a setting is known from the answer alone": {
			settings("ssl", "strict", "full"),
			at(0, "PATCH {z}/settings/ssl", requestBody(`{"value":"full"}`), responseBody(`{"id":"ssl","value":"full"}`)),
			[]string{at(5, "PUT {z}/settings/ssl", responseBody(`{"success":true,"result":{"id":"ssl","value":"strict"}}`))},
			"setting-weakened-production", "setting-protective", ingest.FieldChange{Field: "ssl", Old: "strict", New: "full"}},
		"several settings at once": {
			settings("ssl", "strict", "full"),
			at(0, "PATCH {z}/settings", requestBody(`{"items":[{"id":"brotli","value":"on"},{"id":"security_level","value":"medium"},{"id":"ssl","value":"full"}]}`)),
			[]string{at(5, "PATCH {z}/settings", requestBody(`{"items":[{"id":"ssl","value":"strict"},{"id":"security_level","value":"low"}]}`))},
			"setting-weakened-production", "setting-protective", ingest.FieldChange{Field: "ssl", Old: "strict", New: "full"}},
		"a record is no longer proxied": {
			record(website, direct),
			at(0, "PATCH {z}/dns_records/1", requestBody(`{"proxied":false}`), responseBody(direct)),
			[]string{at(5, "PUT {z}/dns_records/1", requestBody(`{"type":"A","name":"www","content":"192.0.2.1","proxied":true}`))},
			"dns-record-unproxied", "dns-record-changed", ingest.FieldChange{Field: "proxied", Old: "true", New: "false"}},
		"a record is known from its creation": {
			record(website, direct),
			at(0, "PATCH {z}/dns_records/1", requestBody(`{"proxied":false}`), responseBody(direct)),
			[]string{at(5, "POST {z}/dns_records", requestBody(`{"type":"A","name":"www","content":"192.0.2.1","proxied":true}`), responseBody(website))},
			"dns-record-unproxied", "dns-record-changed", ingest.FieldChange{Field: "proxied", Old: "true", New: "false"}},
		"a record loses its proxy because it is left out": {
			record(website, direct),
			at(0, "PUT {z}/dns_records/1", requestBody(`{"type":"A","name":"www.example.com","content":"192.0.2.1","ttl":1}`), responseBody(direct)),
			[]string{at(5, "PUT {z}/dns_records/1", requestBody(`{"type":"A","name":"www.example.com","content":"192.0.2.1","ttl":1,"proxied":true}`), responseBody(website))},
			"dns-record-unproxied", "dns-record-redirected", ingest.FieldChange{Field: "proxied", Old: "true", New: "false"}},
		"a record leads elsewhere": {
			record(website, moved),
			at(0, "PATCH {z}/dns_records/1", requestBody(`{"content":"192.0.2.9"}`), responseBody(moved)),
			[]string{at(5, "PATCH {z}/dns_records/1", requestBody(`{"ttl":1}`), responseBody(website))},
			"dns-record-redirected", "dns-record-redirected", ingest.FieldChange{Field: "content", Old: "192.0.2.1", New: "192.0.2.9"}},
		"a record is sent again, and lives shorter": {
			record(website, brief),
			at(0, "PUT {z}/dns_records/1", requestBody(`{"type":"A","name":"www","content":"192.0.2.1","proxied":true,"ttl":60}`), responseBody(brief)),
			[]string{at(5, "PATCH {z}/dns_records/1", requestBody(`{"ttl":1}`), responseBody(website))},
			"dns-record-changed", "dns-record-redirected", ingest.FieldChange{Field: "ttl", Old: "1", New: "60"}},
		"a rule lets through what it blocked": {
			logged("firewallrules", "update", inZone, values(rule(`"action":"block"`), rule(`"action":"allow"`))),
			at(0, "PUT {z}/firewall/rules/1", requestBody(rule(`"action":"allow"`))),
			[]string{at(5, "PUT {z}/firewall/rules/1", requestBody(rule(`"action":"block"`)))},
			"firewall-weakened", "firewall-changed-production", ingest.FieldChange{Field: "action", Old: "block", New: "allow"}},
		"a rule of a rule set blocks what it logged": {
			logged("ruleset", "rulesets_update", phase, values(`{"rules":[`+rule(`"action":"log","enabled":true`)+`]}`, `{"rules":[`+rule(`"action":"block","enabled":true`)+`]}`)),
			at(0, patch, requestBody(`{"action":"block"}`), responseBody(set(rule(`"action":"block","enabled":true`)))),
			[]string{at(5, patch, requestBody(`{"enabled":true}`), responseBody(set(other+","+rule(`"action":"log","enabled":true`))))},
			"firewall-strengthened", "firewall-changed-production", ingest.FieldChange{Field: "rules." + exampleID + ".action", Old: "log", New: "block"}},
		"a whole rule set has a weaker rule": {
			logged("ruleset", "rulesets_update", phase, values(`{"rules":[`+other+","+rule(`"action":"block"`)+`]}`, `{"rules":[`+other+","+rule(`"action":"log"`)+`]}`)),
			at(0, "PUT {z}/rulesets/phases/http_request_firewall_custom/entrypoint",
				requestBody(`{"rules":[{"description":"bots","action":"block"},{"description":"scanners","action":"log"}]}`), responseBody(set(other+","+rule(`"action":"log"`)))),
			[]string{at(5, "PUT {z}/rulesets/phases/http_request_firewall_custom/entrypoint",
				requestBody(`{"rules":[{"action":"block"}]}`), responseBody(set(other+","+rule(`"action":"block"`))))},
			"firewall-weakened", "firewall-changed-production", ingest.FieldChange{Field: "rules." + exampleID + ".action", Old: "block", New: "log"}},
		"a whole rule set, known from requests with ids, has a rule less": {
			logged("ruleset", "rulesets_update", phase, values(`{"rules":[`+other+","+rule(`"action":"block"`)+`]}`, `{"rules":[`+other+`]}`)),
			at(0, "PUT {z}/rulesets/phases/http_request_firewall_custom/entrypoint", requestBody(`{"rules":[`+other+`]}`), responseBody(`{"phase":"http_request_firewall_custom"}`)),
			[]string{at(5, "PUT {z}/rulesets/phases/http_request_firewall_custom/entrypoint", requestBody(`{"rules":[`+other+","+rule(`"action":"block"`)+`]}`))},
			"firewall-rule-deleted-production", "firewall-changed-production", ingest.FieldChange{Field: "rules." + exampleID + ".action", Old: "block"}},
		"a rate limit is raised": {
			logged("ratelimit", "update", inZone, values(`{"description":"login","threshold":10,"period":60}`, `{"description":"login","threshold":900,"period":60}`)),
			at(0, "PUT {z}/rate_limits/1", requestBody(`{"description":"login","threshold":900,"period":60}`)),
			[]string{at(5, "PUT {z}/rate_limits/1", requestBody(`{"description":"login","threshold":10,"period":60}`))},
			"firewall-weakened", "firewall-changed-production", ingest.FieldChange{Field: "threshold", Old: "10", New: "900"}},
		"an Access policy is no bypass any more": {
			logged("access_policy", "update", values(`{"name":"staff","decision":"bypass","app_id":"ap1"}`, `{"name":"staff","decision":"allow","app_id":"ap1"}`)),
			at(0, "PUT {a}/access/apps/ap1/policies/1", requestBody(`{"name":"staff","decision":"allow"}`)),
			[]string{at(5, "PUT {a}/access/apps/ap1/policies/1", requestBody(`{"name":"staff","decision":"bypass"}`))},
			"access-bypass-removed", "access-policy-updated", ingest.FieldChange{Field: "decision", Old: "bypass", New: "allow"}},
		"an Access policy was a bypass before": {
			logged("access_policy", "update", values(`{"name":"staff","decision":"bypass","app_id":"ap1"}`, `{"name":"all staff","decision":"bypass","app_id":"ap1"}`)),
			at(0, "PUT {a}/access/apps/ap1/policies/1", requestBody(`{"name":"all staff","decision":"bypass"}`)),
			[]string{at(5, "PUT {a}/access/apps/ap1/policies/1", requestBody(`{"name":"staff","decision":"bypass"}`))},
			"access-policy-updated", "access-bypass", ingest.FieldChange{Field: "name", Old: "staff", New: "all staff"}},
		"logs go elsewhere": {
			logged("logpush.job", "update", values(jobOld, jobNew)),
			at(0, "PUT {z}/logpush/jobs/1", requestBody(`{"destination_conf":"s3://other/a","enabled":true}`), responseBody(jobNew)),
			[]string{at(5, "POST {z}/logpush/jobs", requestBody(jobOld), responseBody(`{"id":"`+exampleID+`",`+jobOld[1:]))},
			"log-delivery-redirected", "log-delivery-redirected", ingest.FieldChange{Field: "destination_conf", Old: "s3://logs/a", New: "s3://other/a"}},
		"logs go where they went": {
			logged("logpush.job", "update", values(jobOld, strings.Replace(jobOld, `"soc"`, `"siem"`, 1))),
			at(0, "PUT {z}/logpush/jobs/1", requestBody(strings.Replace(jobOld, `"soc"`, `"siem"`, 1))),
			[]string{at(5, "PUT {z}/logpush/jobs/1", requestBody(jobOld))},
			"log-delivery-changed", "log-delivery-redirected", ingest.FieldChange{Field: "name", Old: "soc", New: "siem"}},
		"log delivery was disabled before": {
			logged("logpush.job", "update", values(`{"name":"soc","enabled":false,"filter":"a"}`, `{"name":"soc","enabled":false,"filter":"b"}`)),
			at(0, "PUT {z}/logpush/jobs/1", requestBody(`{"name":"soc","enabled":false,"filter":"b"}`)),
			[]string{at(5, "PUT {z}/logpush/jobs/1", requestBody(`{"name":"soc","enabled":false,"filter":"a"}`))},
			"log-delivery-changed", "log-delivery-disabled", ingest.FieldChange{Field: "filter", Old: "a", New: "b"}},
		"a member was Super Administrator before": {
			logged("member", "update", `"metadata":{"user_email":"bob@example.com"}`, values(super, strings.Replace(super, `"roles"`, `"status":"accepted","roles"`, 1))),
			at(0, "PUT {a}/members/1", requestBody(`{"roles":[`+superRole+`],"status":"accepted"}`), responseBody(strings.Replace(super, `"roles"`, `"status":"accepted","roles"`, 1))),
			[]string{at(5, "PUT {a}/members/1", requestBody(`{"roles":[`+superRole+`]}`), responseBody(super))},
			"member-changed", "super-administrator-granted", ingest.FieldChange{Field: "status", New: "accepted"}},
		"a rule of a rule set is known from its creation": {
			logged("ruleset", "rulesets_update", phase, values(`{"rules":[`+rule(`"action":"block","enabled":true`)+`]}`, `{"rules":[`+rule(`"action":"block","enabled":false`)+`]}`)),
			at(0, patch, requestBody(`{"enabled":false}`), responseBody(set(rule(`"action":"block","enabled":false`)))),
			[]string{at(5, "POST {z}/rulesets/0a/rules", requestBody(`{"action":"block"}`), responseBody(set(other+","+rule(`"action":"block","enabled":true`))))},
			"firewall-disabled-production", "firewall-disabled-production", ingest.FieldChange{Field: "rules." + exampleID + ".enabled", Old: "true", New: "false"}},
		"a rule of a rule set was disabled before": {
			logged("ruleset", "rulesets_update", phase, values(`{"rules":[`+rule(`"action":"block","enabled":false`)+`]}`, `{"rules":[`+rule(`"action":"log","enabled":false`)+`]}`)),
			at(0, patch, requestBody(`{"action":"log","enabled":false}`), responseBody(set(rule(`"action":"log","enabled":false`)))),
			[]string{at(5, patch, requestBody(`{"enabled":false}`), responseBody(set(rule(`"action":"block","enabled":false`))))},
			"firewall-weakened", "firewall-disabled-production", ingest.FieldChange{Field: "rules." + exampleID + ".action", Old: "block", New: "log"}},
		"a domain was unlocked before": {
			logged("registrar", "update", values(`{"name":"example.com","locked":false,"auto_renew":true}`, `{"name":"example.com","locked":false,"auto_renew":false}`)),
			at(0, "PUT {a}/registrar/domains/example.com", requestBody(`{"name":"example.com","locked":false,"auto_renew":false}`)),
			[]string{at(5, "PUT {a}/registrar/domains/example.com", requestBody(`{"locked":false,"auto_renew":true}`))},
			"domain-changed", "domain-unlocked", ingest.FieldChange{Field: "auto_renew", Old: "true", New: "false"}},
		"a zone was paused before": {
			logged("zone", "update", inZone, values(`{"paused":true,"plan":"a"}`, `{"paused":true,"plan":"b"}`)),
			at(0, "PATCH {z}", requestBody(`{"paused":true,"plan":"b"}`)),
			[]string{at(5, "PATCH {z}", requestBody(`{"paused":true,"plan":"a"}`))},
			"zone-changed", "zone-paused-production", ingest.FieldChange{Field: "plan", Old: "a", New: "b"}},
		"the name servers are the same": {
			logged("zone", "update", inZone, values(`{"vanity_name_servers":["ns1.example.com"],"plan":"a"}`, `{"vanity_name_servers":["ns1.example.com"],"plan":"b"}`)),
			at(0, "PATCH {z}", requestBody(`{"vanity_name_servers":["ns1.example.com"],"plan":"b"}`)),
			[]string{at(5, "PATCH {z}", requestBody(`{"vanity_name_servers":["ns1.example.com"],"plan":"a"}`))},
			"zone-changed", "name-servers-changed", ingest.FieldChange{Field: "plan", Old: "a", New: "b"}},
		"a hold ends when it did": {
			logged("zone_hold", "update", inZone, values(`{"hold_after":"2026-06-01","include_subdomains":false}`, `{"hold_after":"2026-06-01","include_subdomains":true}`)),
			at(0, "PATCH {z}/hold", requestBody(`{"hold_after":"2026-06-01","include_subdomains":true}`)),
			[]string{at(5, "PATCH {z}/hold", requestBody(`{"hold_after":"2026-06-01","include_subdomains":false}`))},
			"zone-hold-set", "zone-hold-removed", ingest.FieldChange{Field: "include_subdomains", Old: "false", New: "true"}},
		"a second factor was required before": {
			logged("account", "update", values(`{"name":"a","settings":{"enforce_twofactor":true}}`, `{"name":"b","settings":{"enforce_twofactor":true}}`)),
			at(0, "PUT {a}", requestBody(`{"name":"b","settings":{"enforce_twofactor":true}}`)),
			[]string{at(5, "PUT {a}", requestBody(`{"name":"a","settings":{"enforce_twofactor":true}}`))},
			"account-administered", "2fa-enforced", ingest.FieldChange{Field: "name", Old: "a", New: "b"}},
		"bots are challenged rather than blocked": {
			logged("bot_management", "update", `"resource":{"type":"bot_management"}`, inZone, values(`{"sbfm_definitely_automated":"block","fight_mode":true}`, `{"sbfm_definitely_automated":"managed_challenge","fight_mode":true}`)),
			at(0, "PUT {z}/bot_management", requestBody(`{"sbfm_definitely_automated":"managed_challenge"}`)),
			[]string{at(5, "PUT {z}/bot_management", requestBody(`{"sbfm_definitely_automated":"block","fight_mode":true}`))},
			"protection-weakened", "protection-changed", ingest.FieldChange{Field: "sbfm_definitely_automated", Old: "block", New: "managed_challenge"}},
		"an address is the same": {
			logged("user", "update", values(`{"email":"alice@example.com","country":"DE"}`, `{"email":"alice@example.com","country":"FR"}`)),
			at(0, "PATCH /user", requestBody(`{"email":"alice@example.com","country":"FR"}`)),
			[]string{at(5, "PATCH /user", requestBody(`{"email":"alice@example.com","country":"DE"}`))},
			"user-changed", "email-changed", ingest.FieldChange{Field: "country", Old: "DE", New: "FR"}},
		"a page rule switches a protection off": {
			logged("pagerule", "update", `"metadata":{"zone_name":"example.com","pr_match":"example.com/*"}`,
				values(`{"actions":[{"id":"ssl","value":"flexible"}]}`, `{"actions":[{"id":"ssl","value":"flexible"},{"id":"cache_level","value":"bypass"}]}`)),
			at(0, "PATCH {z}/pagerules/1", requestBody(`{"actions":[{"id":"ssl","value":"flexible"},{"id":"cache_level","value":"bypass"}]}`)),
			[]string{at(5, "PATCH {z}/pagerules/1", requestBody(`{"actions":[{"id":"ssl","value":"flexible"}]}`))},
			"page-rule-changed", "page-rule-weakens", ingest.FieldChange{}},
	}
}

// An entry of Audit Logs v2 with its history gets what the entry of the audit log
// gets, which has both values.
func TestUnderstandAfter_IsLikeTheAuditLog(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout")
	for name, tt := range recalledChanges() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, first := grade(t, c, tt.v1)
			got, from := after(t, tt.v2, tt.earlier...)
			require.NotNil(t, from)
			v := c.Grade(&got.Facts)
			assert.Equal(t, tt.rule, v.Rule)
			assert.Equal(t, want.Rule, v.Rule)
			assert.Equal(t, want.Severity, v.Severity)
			assert.Equal(t, want.Title, v.Title)
			assert.Equal(t, first.Direction, got.Direction)
			assert.Equal(t, first.Action, got.Action)
			if tt.changed != (ingest.FieldChange{}) {
				assert.Contains(t, got.Changes, tt.changed)
				if !strings.Contains(tt.changed.Field, "rules.") {
					assert.Contains(t, first.Changes, tt.changed)
				}
			}
			for _, change := range got.Changes {
				assert.NotEqual(t, change.Old, change.New, change.Field)
			}
			alone, _ := grade(t, c, tt.v2)
			assert.Equal(t, tt.alone, alone.Rule)
		})
	}
}

// For each member the newest entry that has it counts, of those before the change
// that succeeded and were about the same resource since it was created.
func TestUnderstandAfter_TheNewestValueBeforeTheChangeCounts(t *testing.T) {
	t.Parallel()
	const path = "{z}/settings/security_level"
	level := func(minutes int, value string) string {
		return at(minutes, "PATCH "+path, requestBody(`{"value":"`+value+`"}`))
	}
	failed := func(raw string) string { return strings.Replace(raw, `"result":"success"`, `"result":"failure"`, 1) }
	now := level(0, "medium")
	for name, tt := range map[string]struct {
		earlier []string
		old     string
	}{
		"none":                              {nil, ""},
		"in any order":                      {[]string{level(9, "low"), level(2, "high"), level(5, "low")}, "high"},
		"itself":                            {[]string{now}, ""},
		"one at the same time":              {[]string{strings.Replace(level(0, "high"), "000000000000", "000000000077", 1)}, ""},
		"a later one":                       {[]string{level(-1, "high")}, ""},
		"one that failed":                   {[]string{failed(level(2, "high")), level(5, "low")}, "low"},
		"one without an outcome":            {[]string{strings.Replace(level(2, "high"), `"result":"success",`, "", 1)}, ""},
		"one without a time":                {[]string{strings.Replace(level(2, "high"), `"time":`, `"tide":`, 1)}, ""},
		"one that read it":                  {[]string{at(2, "GET "+path, responseBody(`{"value":"high"}`)), level(5, "low")}, "low"},
		"one about another setting":         {[]string{at(2, "PATCH {z}/settings/ssl", requestBody(`{"value":"high"}`))}, ""},
		"one about another zone":            {[]string{strings.ReplaceAll(level(2, "high"), exampleZone, exampleID)}, ""},
		"one below it":                      {[]string{at(2, "PATCH "+path+"/x", requestBody(`{"value":"high"}`))}, ""},
		"one above it":                      {[]string{at(2, "PATCH {z}/settings", requestBody(`{"value":"high"}`))}, ""},
		"one with the prefix of the API":    {[]string{at(2, "PATCH /client/v4{z}/settings/security_level/?x=1", requestBody(`{"value":"high"}`))}, "high"},
		"one of the audit log":              {[]string{logged("zone", "change_setting", `"metadata":{"value":"high"}`)}, ""},
		"one before it was deleted":         {[]string{level(9, "high"), at(2, "DELETE "+path)}, ""},
		"one before that failed":            {[]string{level(9, "high"), failed(at(2, "DELETE "+path))}, "high"},
		"one after it was deleted":          {[]string{level(1, "high"), at(2, "DELETE "+path)}, "high"},
		"a body that is no object":          {[]string{at(2, "PATCH "+path, requestBody(`"high"`), responseBody(`[{"value":"high"}]`)), level(5, "low")}, "low"},
		"an object in a string":             {[]string{at(2, "PATCH "+path, requestBody(`"{\"value\":\"high\"}"`))}, "high"},
		"no entry":                          {[]string{`{}`, `null`, `7`, `{"raw":[],"action":7,"resource":"x"}`}, ""},
		"the answer, where nothing is sent": {[]string{at(2, "PATCH "+path, responseBody(`{"value":"high"}`))}, "high"},
	} {
		got, from := after(t, now, tt.earlier...)
		require.NotEmpty(t, got.Changes, name)
		assert.Equal(t, ingest.FieldChange{Field: "security_level", Old: tt.old, New: "medium"}, got.Changes[0], name)
		assert.Equal(t, tt.old != "", from != nil, name)
	}
}

// A change that sends some members is compared in these.
func TestUnderstandAfter_MembersThatAreNotSentAreUnchanged(t *testing.T) {
	t.Parallel()
	const path = "{a}/access/apps/1"
	earlier := []string{
		at(9, "POST {a}/access/apps", requestBody(`{"name":"Intranet","domain":"a.example.com","session_duration":"8h","saml":{"on":true,"url":"u"}}`),
			responseBody(`{"id":"`+exampleID+`","name":"Intranet","domain":"a.example.com","session_duration":"8h","saml":{"on":true,"url":"u"},"aud":"x"}`)),
		at(5, "PATCH "+path, requestBody(`{"name":"Wiki"}`)),
	}
	got, from := after(t, at(0, "PATCH "+path, requestBody(`{"name":"Wiki","domain":"b.example.com","saml":{"on":false},"tags":["a"]}`)), earlier...)
	assert.Equal(t, []ingest.FieldChange{
		{Field: "domain", Old: "a.example.com", New: "b.example.com"},
		{Field: "saml.on", Old: "true", New: "false"},
		{Field: "tags", New: "a"},
	}, got.Changes)
	require.NotNil(t, from)
	assert.Equal(t, "0196c3a1-0000-7000-8000-000000000005", from.ID, "the newest that a value is from")
	// What a PUT leaves out counts when the answer says what became of it.
	for answer, want := range map[string][]ingest.FieldChange{
		`{"name":"Wiki","domain":"a.example.com","session_duration":"24h","aud":"y"}`: {{Field: "session_duration", Old: "8h", New: "24h"}},
		`{"name":"Wiki","domain":"a.example.com","session_duration":"8h"}`:            {},
		`{"name":"Wiki"}`: {},
	} {
		got, _ = after(t, at(0, "PUT "+path, requestBody(`{"name":"Wiki","domain":"a.example.com"}`), responseBody(answer)), earlier...)
		assert.ElementsMatch(t, want, got.Changes, answer)
	}
}

// Where an entry has no address, the product and the id tell the resource.
func TestUnderstandAfter_AResourceWithoutAnAddress(t *testing.T) {
	t.Parallel()
	entry := func(minutes int, id, product, value string) string {
		return strings.Replace(at(minutes, "PATCH ", `"id":"`+id+`","product":"`+product+`"`, requestBody(`{"value":"`+value+`"}`)), `"uri":""`, `"uri":null`, 1)
	}
	now := entry(0, "r1", "stream", "b")
	for earlier, found := range map[string]bool{
		entry(2, "r1", "stream", "a"): true,
		entry(2, "r2", "stream", "a"): false,
		entry(2, "r1", "images", "a"): false,
		at(2, "PATCH {a}/stream/r1", `"id":"r1","product":"stream"`, requestBody(`{"value":"a"}`)): true,
	} {
		_, from := after(t, now, earlier)
		assert.Equal(t, found, from != nil, earlier)
	}
	_, from := after(t, entry(0, "", "stream", "b"), entry(2, "", "stream", "a"))
	assert.Nil(t, from)
}

// Old values are masked as those of any entry.
func TestUnderstandAfter_MasksOldValues(t *testing.T) {
	t.Parallel()
	const secret = "cfut_11111111111111111111111111111111example"
	for request, member := range map[string]string{
		"PUT {a}/access/identity_providers/1":         `"config":{"client_secret":"hidden-word-1","client_id":"c"}`,
		"PUT {a}/hyperdrive/configs/1":                `"origin":{"password":"hidden-word-1","host":"db.example.com"}`,
		"PATCH {z}/dns_records/1":                     `"content":"` + secret + `"`,
		"PUT {a}/workers/scripts/1/secrets":           `"text":"hidden-word-1","name":"KEY"`,
		"PUT {a}/logpush/jobs/1":                      `"destination_conf":"https://logs.example.com/in?header_Authorization=Bearer%20hidden-word-1"`,
		"PUT {a}/alerting/v3/destinations/webhooks/1": `"url":"https://hooks.example.com/hidden-word-1","secret":"hidden-word-1"`,
	} {
		old := at(2, request, requestBody("{"+member+"}"), responseBody("{"+member+"}"))
		now := at(0, request, requestBody("{"+strings.NewReplacer("hidden-word-1", "hidden-word-2", "1111", "2222").Replace(member)+"}"))
		got, from := after(t, now, old)
		require.NotNil(t, from, request)
		text := fmt.Sprint(got.Changes, got.Target)
		assert.NotContains(t, text, "hidden-word", request)
		assert.NotContains(t, text, secret, request)
		assert.NotContains(t, string(from.JSON()), "hidden-word", request)
	}
}

// Whatever is sent a second time has changed nothing.
func TestUnderstandAfter_TheSameAgainIsNoChange(t *testing.T) {
	t.Parallel()
	known := 0
	older := strings.NewReplacer("0196c3a1-0000-7000-8000-000000000001", "older", "2026-05-12T09:00:02Z", "2026-05-12T08:00:02Z")
	eachSuite(func(_ string, s *suite) {
		for _, raw := range s.entries() {
			e := decode(t, raw)
			f := new(Facts)
			Understand(e, f)
			if !f.Comparable(e) {
				continue
			}
			got, from := after(t, raw, older.Replace(raw))
			if from == nil {
				continue // a rule set whose rules have no ids
			}
			known++
			for _, change := range got.Changes {
				assert.Equal(t, change.Old, change.New, raw)
			}
		}
	})
	assert.Greater(t, known, 70)
}

// Answers hide secrets, so that equal answers do not say that these are equal.
func TestUnderstandAfter_AnswersDoNotShowSecrets(t *testing.T) {
	t.Parallel()
	const request = "PUT {a}/access/identity_providers/1"
	idp := func(minutes int, secret, name string) string {
		return at(minutes, request, requestBody(`{"name":"`+name+`","client_secret":"`+secret+`","config":{"client_secret":"`+secret+`"}}`),
			responseBody(`{"name":"SSO","client_secret":"***","config":{"client_secret":"***"}}`))
	}
	got, _ := after(t, idp(0, "new", "SSO"), idp(2, "old", "sso"))
	assert.Equal(t, []ingest.FieldChange{
		{Field: "client_secret", Old: redact.Masked, New: redact.Masked},
		{Field: "config.client_secret", Old: redact.Masked, New: redact.Masked},
	}, got.Changes)
}

func TestComparable_ChangesOfWhatThereIs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		at(0, "PATCH {z}/settings/ssl", requestBody(`{"value":"full"}`)):                                               true,
		at(0, "PUT {z}/dns_records/1", requestBody(`{"type":"A"}`)):                                                    true,
		at(0, "POST {z}/logs/control/retention/flag", requestBody(`{"flag":false}`)):                                   true,
		at(0, "PATCH {z}/hold", requestBody(`{"hold_after":"2026-06-01T00:00:00Z"}`)):                                  true,
		at(0, "PATCH {a}/registrar/domains/example.com", requestBody(`{"locked":false}`)):                              true,
		at(0, "PATCH {z}/settings/ssl", requestBody(`"{\"value\":\"full\"}"`)):                                         true,
		at(0, "PATCH {z}/settings/ssl"):                                                                                false,
		at(0, "PATCH {z}/settings/ssl", requestBody(`{}`)):                                                             false,
		at(0, "PUT {z}/firewall/rules", requestBody(`[{"id":"a"}]`)):                                                   false,
		at(0, "POST {z}/dns_records", requestBody(`{"type":"A"}`)):                                                     false,
		at(0, "DELETE {z}/dns_records/1", requestBody(`{"type":"A"}`)):                                                 false,
		at(0, "GET {z}/dns_records/1", requestBody(`{"type":"A"}`)):                                                    false,
		at(0, "PUT {a}/tokens/1/value", requestBody(`{"a":1}`)):                                                        false,
		at(0, "PATCH /user/invites/1", requestBody(`{"status":"accepted"}`)):                                           false,
		strings.Replace(at(0, "PATCH {z}/settings/ssl", requestBody(`{"value":"full"}`)), `"success"`, `"failure"`, 1): false,
		strings.Replace(at(0, "PATCH {z}/settings/ssl", requestBody(`{"value":"full"}`)), `"time"`, `"tide"`, 1):       false,
		logged("zone", "change_setting", `"metadata":{"name":"ssl","value":"full"}`):                                   false,
		`{}`: false,
	} {
		e := decode(t, raw)
		f := new(Facts)
		Understand(e, f)
		assert.Equal(t, want, f.Comparable(e), raw)
	}
}

// What an earlier entry says cannot be used by the next one.
func TestUnderstandAfter_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	now := at(0, "PATCH {z}/settings/security_level", requestBody(`{"value":"medium"}`))
	for range 50 {
		got, _ := after(t, now, at(2, "PATCH {z}/settings/security_level", requestBody(`{"value":"high"}`)))
		require.Equal(t, rules.Weaker, got.Direction)
		alone := understood(t, now)
		require.Empty(t, alone.Direction)
		require.Empty(t, alone.Changes[0].Old)
	}
}
