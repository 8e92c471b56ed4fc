package cloudflareaudit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// decode reads one entry the way the poller does.
func decode(t testing.TB, raw string) *entry {
	t.Helper()
	require.True(t, jsontext.Value(raw).IsValid(readOptions...), "%s", raw)
	e := decodeOne([]byte(raw))
	return &e
}

// logged is an entry as JSON: a resource type, an action type, and what a test
// has to say about the rest as more members of the object.
func logged(resourceType, actionType string, more ...string) string {
	defaults := []struct{ key, member string }{
		{"action", `"action":{"type":%q,"result":true}`},
		{"actor", `"actor":{"id":"a1","type":"user","email":"alice@example.com","ip":"192.0.2.10"}`},
		{"resource", `"resource":{"type":%q,"id":"r1"}`},
	}
	var b strings.Builder
	b.WriteString(`{"id":"11111111-2222-4333-8444-555555555555","when":"2026-05-12T09:00:00Z","interface":"UI","owner":{"id":"o1"}`)
	for _, d := range defaults {
		stated := false
		for _, m := range more {
			stated = stated || strings.HasPrefix(m, `"`+d.key+`":`)
		}
		switch {
		case stated:
		case d.key == "action":
			fmt.Fprintf(&b, ","+d.member, actionType)
		case d.key == "resource":
			fmt.Fprintf(&b, ","+d.member, resourceType)
		default:
			b.WriteString("," + d.member)
		}
	}
	for _, m := range more {
		b.WriteString("," + m)
	}
	return b.String() + "}"
}

// Members of entries that many tests use.
const (
	inZone     = `"metadata":{"zone_name":"example.com","zone_id":"a379a6f6eeafb9a55e378c118034e275"}`
	bySystem   = `"actor":{"id":"1","type":"system"}`
	byStaff    = `"actor":{"id":"9","type":"admin"}`
	superRole  = `{"id":"33666b9c79b9a5273fc7344ff42f953d","name":"Super Administrator - All Privileges"}`
	readerRole = `{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}`
)

func TestNameOf_HasNoRegardForCaseAndSeparators(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ resource, action, want string }{
		{"dns_RECORD", "REC_DEL", "dns.record.delete"},
		{"dns-record", "Delete", "dns.record.delete"},
		{"DNS Record", "rec_del", "dns.record.delete"},
		{"DNS_record", "create", "dns.record.create"},
		{"logpush_job", "JOB_DELETE", "logpush.job.delete"},
		{"r2", "createbucket", "r2.bucket.create"},
		{"user", "api_key_VIEW", "api_key.view"},
	} {
		assert.Equal(t, p.want, nameOf(&entry{resourceType: p.resource, actionType: p.action}).name, "%v", p)
	}
}

func TestNameOf_CanonicalNamesNameThemselves(t *testing.T) {
	t.Parallel()
	for name := range namings {
		if name == actionUnknown {
			continue
		}
		for _, resource := range []string{"", "account", "zone"} {
			assert.Equal(t, name, nameOf(&entry{resourceType: resource, actionType: name}).name)
		}
	}
	// Those the product page and the host's detections are written in.
	for _, name := range []string{
		"member.add", "api_token.create", "account.2fa.disable", "zone.firewall.rule.delete", "dns.record.delete",
		"worker.route.create", "zone.settings.read",
		"zone.transfer_out", "firewall_rule.disable", "waf_rule.disable", "access_policy.create",
	} {
		assert.Contains(t, namings, name)
	}
}

func TestNames_AreDistinctWithoutSeparators(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for name := range namings {
		key := string(squash(nil, name))
		assert.Empty(t, seen[key], "%s and %s would be taken for each other", name, seen[key])
		seen[key] = name
	}
}

func TestNameOf_NamesWhatNobodyHasPublishedByItsWords(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ resource, action, want string }{
		{"member", "add", "member.add"},
		{"account", "member_add", "member.add"},
		{"account", "add_member", "member.add"},
		{"account.member", "created", "member.add"},
		{"account", "invite_member", "member.add"},
		{"invitation", "create", "member.add"},
		{"invitation", "accepted", "member.invitation.accept"},
		{"invitation", "revoked", "member.invitation.cancel"},
		{"member", "removed", "member.remove"},
		{"membership", "delete", "member.remove"},
		{"account", "update_member_role", "member.update"},
		{"role", "changed", "member.update"},
		{"iam.user_group", "create", "user_group.create"},
		{"user_group", "delete", "user_group.delete"},

		{"user", "tfa_removed", "account.2fa.disable"},
		{"user", "two_factor_disabled", "account.2fa.disable"},
		{"user", "webauthn_delete", "account.2fa.disable"},
		{"user", "reset_backup_codes", "account.2fa.disable"},
		{"security_key", "remove", "account.2fa.disable"},
		{"account", "org.disable_two_factor_requirement", "account.2fa.disable"},
		{"user", "totp_enabled", "account.2fa.enable"},
		{"account", "enable_enforce_two_factor", "account.2fa.enforce"},
		{"user", "password_reset", "account.password.change"},
		{"user", "email_changed", "account.email.change"},
		{"", "sso_login", "account.login"},

		{"api_token", "create", "api_token.create"},
		{"account", "tokenCreate", "api_token.create"},
		{"token", "deleted", "api_token.revoke"},
		{"token", "rotated", "api_token.roll"},
		{"", "api_token_created", "api_token.create"},

		{"firewall.rule", "delete", "zone.firewall.rule.delete"},
		{"filter", "deleted", "zone.firewall.rule.delete"},
		{"rate_limit", "remove", "zone.firewall.rule.delete"},
		{"zonelockdown", "delete", "zone.firewall.rule.delete"},
		{"wafrules", "delete", "zone.firewall.rule.delete"},
		{"rulesets.rule", "delete", "zone.firewall.rule.delete"},
		{"zone", "rulesets_delete", "zone.firewall.rule.delete"},
		{"access_rules", "delete", "zone.firewall.rule.delete"},
		{"firewallrules", "disable", "firewall_rule.disable"},
		{"firewallrules", "list_delete", "zone.firewall.rule.delete"},
		{"waf.rule", "disabled", "waf_rule.disable"},

		{"access.policy", "create", "access_policy.create"},
		{"access_policies", "deleted", "access_policy.delete"},
		{"access.identity_provider", "delete", "identity_provider.delete"},
		{"access.group", "update", "access_group.update"},
		{"access.service_token", "create", "access_service_token.create"},

		{"zone", "transfer_out", "zone.transfer_out"},
		{"registrar.domain", "transferred_out", "zone.transfer_out"},
		{"registrar.domain", "unlock", "registrar.domain.unlock"},
		{"zone", "remove_zone_hold", "zone.hold.remove"},
		{"zone.hold", "delete", "zone.hold.remove"},
		{"dnssec", "delete", "zone.dnssec.disable"},
		{"zone", "disable_dnssec", "zone.dnssec.disable"},
		{"zone", "paused", "zone.pause"},
		{"zone.settings", "get", "zone.settings.read"},
		{"zone", "settings_read", "zone.settings.read"},
		{"r2.bucket", "delete", "r2.bucket.delete"},
		{"logpush", "disabled", "logpush.job.disable"},
		{"workers.route", "create", "worker.route.create"},
		{"worker_script", "deploy", "worker.script.deploy"},
		{"compliance_policy", "disabled", "compliance_policy.disable"},
	} {
		assert.Equal(t, p.want, nameOf(&entry{resourceType: p.resource, actionType: p.action}).name, "%v", p)
	}
}

func TestNameOf_TwinsAreToldApart(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ resource, action, not string }{
		{"user", "MFA_enabled", "account.2fa.disable"},
		{"account", "add_enforce_twofactor", "account.2fa.disable"},
		{"account", "add", "member.add"},
		{"zone", "custom_ns_delete", "zone.delete"},
		{"account", "billing_delete", "account.delete"},
		{"ai_gateway.gateway", "delete", "gateway.rule.delete"},
		{"access_rule", "delete", "access_policy.delete"},
		{"email_routing.rule", "delete", "account.email.change"},
		{"zone", "zone_transfer_outgoing_create", "zone.transfer_out"},
		{"zone", "transfer_in", "zone.transfer_out"},
		{"teamnet.tunnel_route", "create", "worker.route.create"},
		{"subscription", "update", "worker.script.update"},
		{"list", "list_create", "list.list"},
	} {
		assert.NotEqual(t, p.not, nameOf(&entry{resourceType: p.resource, actionType: p.action}).name, "%v", p)
	}
}

func TestNameOf_TheUnknownGetsAPredictableName(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ resource, action, info, want, verb string }{
		{"spectrum.app", "created", "", "spectrum.app.create", verbCreate},
		{"waiting room", "event_delete", "", "waiting_room.event_delete", verbDelete},
		{"HealthCheck", "health_check_update", "", "health_check.update", verbUpdate},
		{"vectorize.index", "CreateIndex", "", "vectorize.index.create", verbCreate},
		{"pages..project", "frobnicate", "", "pages.project.frobnicate", ""},
		{"", "waiting_room_disabled", "", "waiting_room.disable", verbDisable},
		{"", "frobnicate", "", "unknown.frobnicate", ""},
		{"stream", "", "", "stream.unknown", ""},
		{"stream", "", "video deleted", "stream.video_deleted", verbDelete},
		{"", "…", "", "unknown", ""},
	} {
		got := nameOf(&entry{resourceType: p.resource, actionType: p.action, actionInfo: p.info})
		assert.Equal(t, p.want, got.name, "%v", p)
		assert.Equal(t, p.verb, got.verb, "%v", p)
		if p.verb != "" {
			assert.Equal(t, familyOther, got.family)
		}
	}
	long := nameOf(&entry{resourceType: strings.Repeat("x", 5000), actionType: strings.Repeat("Y_", 5000)}).name
	assert.Less(t, len(long), 4*maxName)
}

func TestNameOf_NeverMatchesTheHostsRulesForOtherProducts(t *testing.T) {
	t.Parallel()
	taken := []string{"api_token_created", "compliance_policy_disabled", "org.disable_two_factor_requirement"}
	for _, name := range taken {
		assert.NotContains(t, namings, name)
		resource, action, _ := strings.Cut(name, ".")
		for _, e := range []entry{{actionType: name}, {resourceType: name}, {resourceType: resource, actionType: action}, {actionInfo: name}} {
			assert.NotContains(t, taken, nameOf(&e).name)
		}
	}
}

func TestFactsOf_Families(t *testing.T) {
	t.Parallel()
	for name, family := range map[string]string{
		"account.2fa.disable": familyAccount, "member.add": familyAccount, "user_group.update": familyAccount,
		"zone.settings.update": familyZone, "dns.record.delete": familyDNS, "zone.firewall.rule.delete": familyFirewall,
		"waf_rule.disable": familyFirewall, "access_policy.create": familyAccess, "identity_provider.delete": familyAccess,
		"r2.bucket.create": familyR2, "worker.route.create": familyWorkers, "api_token.create": familyToken,
		"api_key.view": familyToken, "logpush.job.delete": familyLogs, "gateway.rule.create": familyGateway, "tunnel.create": familyOther,
	} {
		assert.Equal(t, family, namings[name].family, name)
	}
}

func TestFactsOf_TargetZoneAndDetails(t *testing.T) {
	t.Parallel()
	type want = facts
	for name, tt := range map[string]struct {
		raw  string
		want want
	}{
		"record": {
			logged("dns.record", "create", `"metadata":{"zone_name":"Example.COM."}`, `"newValueJson":{"type":"mx","name":"mail.example.com.","zone_id":"z1"}`),
			want{target: "mail.example.com", zoneName: "example.com", zoneID: "z1", recordType: "MX"},
		},
		"record deleted by the machinery": {
			logged("dns.record", "delete", bySystem, `"newValueJson":{"type":"TXT","name":"_acme-challenge.example.com"}`, `"oldValueJson":{}`),
			want{target: "_acme-challenge.example.com", recordType: "TXT", systemActor: true},
		},
		"record inside the documented text": {
			logged("DNS_record", "rec_del", `"oldValue":"{\"type\":\"A\",\"name\":\"www.example.com\",\"zone_name\":\"example.com\"}"`),
			want{target: "www.example.com", zoneName: "example.com", recordType: "A"},
		},
		"zone": {
			logged("zone", "delete", `"metadata":{"zone_name":"example.org"}`),
			want{target: "example.org", zoneName: "example.org", zoneID: "r1"},
		},
		"member": {
			logged("account", "add", `"metadata":{"account_name":"Example","user_email":"dave@example.org"}`),
			want{naming: naming{name: "member.add"}, target: "dave@example.org", role: roleUnknown},
		},
		"member in the value": {
			logged("member", "update", `"newValueJson":{"user":{"email":"dave@example.org"},"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`),
			want{target: "dave@example.org", role: roleSuper, roleName: "Super Administrator"},
		},
		"token": {
			logged("account", "token_create", `"metadata":{"token_name":"ci","token_tag":"t1"}`),
			want{target: "ci", tokenID: "t1", scope: scopeUnknown},
		},
		"setting": {
			logged("zone", "change_setting", `"metadata":{"name":"SSL","type":"ssl","value":"full","old_value":"strict","zone_name":"example.com"}`),
			want{target: "ssl", setting: "ssl", settingPath: "ssl/ssl", zoneName: "example.com", zoneID: "r1", direction: weaker},
		},
		"route": {
			logged("route", "route_create", `"metadata":{"pattern":"example.com/*","script":"proxy"}`),
			want{target: "example.com/*", script: "proxy"},
		},
		"route without a script": {
			logged("route", "route_create", `"newValueJson":{"pattern":"example.com/*","script":null}`),
			want{target: "example.com/*", noScript: true},
		},
		"route that does not say": {
			logged("route", "route_create", `"metadata":{"pattern":"example.com/*"}`),
			want{target: "example.com/*"},
		},
		"script": {
			logged("script", "script_deploy", `"resource":{"type":"script","id":"checkout"}`),
			want{target: "checkout", script: "checkout"},
		},
		"bucket": {
			logged("r2.bucket", "CreateBucket", `"resource":{"type":"r2.bucket","id":"exports"}`),
			want{target: "exports"},
		},
		"policy": {
			logged("access.policy", "create", `"newValueJson":{"name":"Staff","decision":"Bypass"}`),
			want{target: "Staff", decision: "bypass", direction: weaker},
		},
		"log delivery": {
			logged("logpush job", "job_delete", `"oldValueJson":{"name":"siem","dataset":"audit_logs"}`),
			want{target: "siem (audit_logs)"},
		},
		"staff": {
			logged("account", "cloudflare_login", byStaff, `"metadata":{"actual_user":"support"}`),
			want{target: "support", staffActor: true, actorName: "support"},
		},
		"own second factor": {
			logged("user", "MFA_disabled", `"resource":{"type":"user","id":"a1"}`),
			want{target: "alice@example.com", direction: weaker},
		},
		"account-wide ruleset": {
			logged("ruleset", "rulesets_update", `"metadata":{"kind":"root","phase":"http_request_firewall_custom","name":"all"}`),
			want{target: "all", accountWide: true, ruleset: true},
		},
		"nothing but an id": {
			logged("spectrum.app", "create"),
			want{target: "r1"},
		},
		"the account itself is no target": {
			logged("gateway.config", "gateway_update", `"resource":{"type":"gateway.config","id":"o1"}`),
			want{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := factsOf(decode(t, tt.raw))
			if tt.want.name != "" {
				assert.Equal(t, tt.want.name, got.name)
			}
			got.naming, got.changes, got.changesOmitted = tt.want.naming, nil, 0
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestFactsOf_Roles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ action, more, want string }{
		"by id and name":         {"create", `"newValueJson":{"roles":[` + superRole + `]}`, roleSuper},
		"by id alone":            {"create", `"newValueJson":{"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`, roleSuper},
		"by name alone":          {"create", `"metadata":{"role":"Super Administrator"}`, roleSuper},
		"among others":           {"create", `"metadata":{"role_names":["DNS","super administrator - All"]}`, roleSuper},
		"in a policy":            {"create", `"newValueJson":{"policies":[{"permission_groups":[{"id":"x","name":"Super Administrator"}]}]}`, roleSuper},
		"in the documented text": {"create", `"newValue":"{\"roles\":[\"33666b9c79b9a5273fc7344ff42f953d\"]}"`, roleSuper},
		"a lesser one":           {"create", `"newValueJson":{"roles":[` + readerRole + `]}`, roleOther},
		"opaque policies":        {"create", `"newValueJson":{"policies":[{"permission_groups":[{"id":"x"}]}]}`, roleUnknown},
		"none said":              {"create", `"metadata":{"user_email":"dave@example.org"}`, roleUnknown},
		"granted":                {"update", `"oldValueJson":{"roles":[` + readerRole + `]},"newValueJson":{"roles":[` + readerRole + `,` + superRole + `]}`, roleSuper},
		"granted in metadata":    {"update", `"metadata":{"old_role":"DNS","new_role":"Super Administrator"}`, roleSuper},
		"had it already":         {"update", `"oldValueJson":{"roles":[` + superRole + `]},"newValueJson":{"roles":[` + superRole + `,` + readerRole + `]}`, roleOther},
		"taken away":             {"update", `"oldValueJson":{"roles":[` + superRole + `]},"newValueJson":{"roles":[` + readerRole + `]}`, roleOther},
		"kept":                   {"update", `"oldValueJson":{"roles":[` + superRole + `],"status":"a"},"newValueJson":{"roles":[` + superRole + `],"status":"b"}`, roleUnchanged},
		"something else":         {"update", `"oldValueJson":{"status":"a"},"newValueJson":{"status":"b"}`, roleUnchanged},
		"update that says none":  {"update", `"metadata":{}`, roleUnknown},
		"removed":                {"delete", `"oldValueJson":{"roles":[` + superRole + `]}`, ""},
	} {
		got := factsOf(decode(t, logged("member", tt.action, tt.more)))
		assert.Equal(t, tt.want, got.role, name)
	}
}

func TestFactsOf_TokenScopes(t *testing.T) {
	t.Parallel()
	policy := func(effect, resources, groups string) string {
		return `"newValueJson":{"name":"t","policies":[{"effect":"` + effect + `","resources":{` + resources + `},"permission_groups":[` + groups + `]}]}`
	}
	const (
		oneZone    = `"com.cloudflare.api.account.zone.a379a6f6eeafb9a55e378c118034e275":"*"`
		oneAccount = `"com.cloudflare.api.account.023e105f4ecef8ad9ca31a8372d0c353":"*"`
		allZones   = `"com.cloudflare.api.account.zone.*":"*"`
		read       = `{"id":"p1","name":"DNS Read"}`
		write      = `{"id":"p2","name":"Cache Purge"}`
		dangerous  = `{"id":"p3","name":"API Tokens Write"}`
	)
	for name, tt := range map[string]struct{ more, want string }{
		"not said":                    {`"metadata":{"token_name":"ci"}`, scopeUnknown},
		"one zone":                    {policy("allow", oneZone, write), scopeNarrow},
		"all zones":                   {policy("allow", allZones, read), scopeBroad},
		"all zones of one account":    {policy("allow", `"com.cloudflare.api.account.1":{"com.cloudflare.api.account.zone.*":"*"}`, read), scopeBroad},
		"an account to read from":     {policy("allow", oneAccount, read), scopeNarrow},
		"an account to change":        {policy("allow", oneAccount, write), scopeBroad},
		"what leads to more":          {policy("allow", oneZone, dangerous), scopeBroad},
		"many permissions":            {policy("allow", oneZone, strings.TrimSuffix(strings.Repeat(read+",", manyPermissions), ",")), scopeBroad},
		"denied":                      {policy("deny", allZones, dangerous), scopeUnknown},
		"scopes as the page has them": {`"metadata":{"scopes":["Account.*"]}`, scopeBroad},
		"scopes that are narrow":      {`"metadata":{"scopes":["zone.dns.read"]}`, scopeNarrow},
	} {
		assert.Equal(t, tt.want, factsOf(decode(t, logged("account", "token_create", tt.more))).scope, name)
	}
}

func TestFactsOf_DirectionOfSettings(t *testing.T) {
	t.Parallel()
	setting := func(name, from, to string) string {
		if from != "" {
			from = `"old_value":` + from + `,`
		}
		return logged("zone", "change_setting", `"metadata":{"name":"`+name+`",`+from+`"value":`+to+`,"zone_name":"example.com"}`)
	}
	// Each goes from weak to safe, and back.
	for name, pair := range map[string][2]string{
		"security_level": {`"essentially_off"`, `"low"`}, "ssl": {`"flexible"`, `"full"`}, "min_tls_version": {`"1.0"`, `"1.2"`},
		"always_use_https": {`"off"`, `"on"`}, "browser_check": {`false`, `true`}, "0rtt": {`"on"`, `"off"`},
		"security_header": {`{"strict_transport_security":{"enabled":false}}`, `{"strict_transport_security":{"enabled":true}}`},
		"waf":             {`"off"`, `"on"`}, "tls_client_auth": {`"off"`, `"on"`},
	} {
		up, down := factsOf(decode(t, setting(name, pair[0], pair[1]))), factsOf(decode(t, setting(name, pair[1], pair[0])))
		assert.Equal(t, safer, up.direction, name)
		assert.Equal(t, weaker, down.direction, name)
		same := factsOf(decode(t, setting(name, pair[1], pair[1])))
		assert.Empty(t, same.direction, name)
	}
	for name, tt := range map[string]struct{ raw, want string }{
		"to the bottom from nobody knows where": {setting("security_level", "", `"off"`), weaker},
		"to the top from nobody knows where":    {setting("min_tls_version", "", `"1.3"`), safer},
		"to the middle from nobody knows where": {setting("ssl", "", `"full"`), ""},
		"HSTS forgotten at once": {setting("security_header", `{"strict_transport_security":{"enabled":true,"max_age":31536000}}`,
			`{"strict_transport_security":{"enabled":true,"max_age":0}}`), weaker},
		"a value nobody knows":            {setting("ssl", `"strict"`, `"quantum"`), ""},
		"a setting that protects nothing": {setting("ipv6", `"on"`, `"off"`), ""},
		"values outside the metadata": {logged("zone", "change_setting", `"metadata":{"name":"ssl"}`,
			`"oldValue":"strict"`, `"newValue":"flexible"`), weaker},
		"values as objects": {logged("zone.settings", "update", `"oldValueJson":{"id":"ssl","value":"strict"}`,
			`"newValueJson":{"id":"ssl","value":"flexible"}`), weaker},
	} {
		assert.Equal(t, tt.want, factsOf(decode(t, tt.raw)).direction, name)
	}
	for name, order := range settingOrders {
		assert.GreaterOrEqual(t, len(strings.Fields(order)), 2, name)
		assert.Equal(t, strings.ToLower(name), name)
	}
}

func TestFactsOf_DirectionOfFirewallRules(t *testing.T) {
	t.Parallel()
	const custom, managed = "http_request_firewall_custom", "http_request_firewall_managed"
	ruleset := func(phase, old, now string) string {
		return logged("ruleset", "rulesets_update", `"metadata":{"phase":"`+phase+`","kind":"zone","zone_name":"example.com"}`,
			`"oldValueJson":`+old, `"newValueJson":`+now)
	}
	list := func(rules ...string) string { return `{"modified_rules":[` + strings.Join(rules, ",") + `]}` }
	rule := func(id, enabled, action string) string {
		return `{"id":"` + id + `","enabled":` + enabled + `,"action":"` + action + `","description":"rule ` + id + `"}`
	}
	execute := func(overrides string) string {
		return `{"id":"x","action":"execute","action_parameters":{"id":"m","overrides":` + overrides + `}}`
	}
	single := func(resource, action, old, now string) string {
		return logged(resource, action, inZone, `"oldValueJson":`+old, `"newValueJson":`+now)
	}
	for name, tt := range map[string]struct{ raw, action, direction, target string }{
		"rule switched off": {ruleset(custom, list(rule("1", "true", "block")), list(rule("1", "false", "block"))),
			"firewall_rule.disable", weaker, "rule 1"},
		"managed rule switched off": {ruleset(managed, list(rule("1", "true", "block")), list(rule("1", "false", "block"))),
			"waf_rule.disable", weaker, "rule 1"},
		"rate limit switched off": {ruleset("http_ratelimit", list(rule("1", "true", "block")), list(rule("1", "false", "block"))),
			"firewall_rule.disable", weaker, "rule 1"},
		"two rules switched off": {ruleset(custom, list(rule("1", "true", "block"), rule("2", "true", "log")), list(rule("1", "false", "block"), rule("2", "false", "log"))),
			"firewall_rule.disable", weaker, "rule 1 and 1 more"},
		"rule switched on": {ruleset(custom, list(rule("1", "false", "block")), list(rule("1", "true", "block"))),
			"firewall_rule.enable", safer, "rule 1"},
		"switched off, and another deleted": {ruleset(custom, list(rule("1", "true", "block"), rule("2", "true", "block")), list(rule("1", "false", "block"))),
			"firewall_rule.disable", weaker, "rule 1"},
		"block to log": {ruleset(custom, list(rule("1", "true", "block")), list(rule("1", "true", "log"))),
			"zone.firewall.rule.update", weaker, "rule 1"},
		"block to skip": {ruleset(custom, list(rule("1", "true", "block")), list(rule("1", "true", "skip"))),
			"zone.firewall.rule.update", weaker, "rule 1"},
		"log to block": {ruleset(custom, list(rule("1", "true", "log")), list(rule("1", "true", "managed_challenge"))),
			"zone.firewall.rule.update", safer, "rule 1"},
		"one up, one down": {ruleset(custom, list(rule("1", "true", "log"), rule("2", "true", "block")), list(rule("1", "true", "block"), rule("2", "true", "log"))),
			"zone.firewall.rule.update", weaker, "rule 1 and 1 more"},
		"rule deleted": {ruleset(custom, list(rule("1", "true", "block"), rule("2", "true", "block")), list(rule("2", "true", "block"))),
			"zone.firewall.rule.delete", weaker, "rule 1"},
		"last rule deleted": {ruleset(custom, list(rule("1", "true", "block")), list()),
			"zone.firewall.rule.delete", weaker, "rule 1"},
		"exemption deleted": {ruleset(custom, list(rule("1", "true", "skip")), list()),
			"zone.firewall.rule.delete", safer, "rule 1"},
		"rule listed as deleted": {ruleset(custom, `{}`, `{"deleted_rules":[`+rule("1", "true", "block")+`]}`),
			"zone.firewall.rule.delete", weaker, "rule 1"},
		"rule added": {ruleset(custom, list(), list(rule("1", "true", "block"))),
			"zone.firewall.rule.create", safer, "rule 1"},
		"exemption added": {ruleset(custom, list(), list(rule("1", "true", "skip"))),
			"zone.firewall.rule.create", weaker, "rule 1"},
		"only part of the rules shown": {ruleset(custom, `{"rules":[`+rule("1", "true", "block")+`,`+rule("2", "true", "block")+`]}`, list(rule("1", "true", "block"))),
			"zone.firewall.rule.update", "", "rule 1"},
		"nothing known of before": {ruleset(custom, `{}`, list(rule("1", "false", "block"))),
			"firewall_rule.disable", weaker, "rule 1"},
		"expression changed": {ruleset(custom, list(rule("1", "true", "block"), `{"id":"2","expression":"a"}`, rule("3", "true", "log")),
			list(rule("1", "true", "block"), `{"id":"2","expression":"b","description":"rule 2"}`, rule("3", "true", "log"))),
			"zone.firewall.rule.update", "", "rule 2"},
		"nothing changed": {ruleset(custom, list(rule("1", "true", "block")), list(rule("1", "true", "block"))),
			"zone.firewall.rule.update", "", "r1"},
		"rule deleted from the middle": {ruleset(custom, list(rule("1", "true", "block"), rule("2", "true", "block"), rule("3", "true", "log")), list(rule("1", "true", "block"), rule("3", "true", "log"))),
			"zone.firewall.rule.delete", weaker, "rule 2"},
		"rules in another order": {ruleset(custom, list(rule("1", "true", "block"), rule("2", "true", "log")), list(rule("2", "true", "log"), rule("1", "true", "block"))),
			"zone.firewall.rule.update", "", "rule 2"},
		"not a firewall": {ruleset("http_request_cache_settings", list(rule("1", "true", "set")), list(rule("1", "false", "set"))),
			"zone.ruleset.update", "", "r1"},

		"managed ruleset overridden to log":   {ruleset(managed, list(execute(`{}`)), list(execute(`{"action":"log"}`))), "zone.firewall.rule.update", weaker, "*"},
		"managed ruleset overridden off":      {ruleset(managed, list(execute(`{}`)), list(execute(`{"enabled":false}`))), "waf_rule.disable", weaker, "*"},
		"one managed rule off":                {ruleset(managed, list(execute(`{}`)), list(execute(`{"rules":[{"id":"r9","enabled":false}]}`))), "waf_rule.disable", weaker, "r9"},
		"one managed category off":            {ruleset(managed, list(execute(`{}`)), list(execute(`{"categories":[{"category":"wordpress","enabled":false}]}`))), "waf_rule.disable", weaker, "wordpress"},
		"override taken back":                 {ruleset(managed, list(execute(`{"rules":[{"id":"r9","enabled":false}]}`)), list(execute(`{}`))), "waf_rule.enable", safer, "x"},
		"firewall rule paused":                {single("firewallrules", "update", `{"paused":false,"action":"block","description":"d"}`, `{"paused":true,"action":"block","description":"d"}`), "firewall_rule.disable", weaker, "d"},
		"firewall rule resumed":               {single("firewallrules", "update", `{"paused":true,"description":"d"}`, `{"paused":false,"description":"d"}`), "firewall_rule.enable", safer, "d"},
		"firewall rule weakened":              {single("firewallrules", "update", `{"action":"block","description":"d"}`, `{"action":"allow","description":"d"}`), "zone.firewall.rule.update", weaker, "d"},
		"address allowed":                     {single("access_rule", "create", `{}`, `{"mode":"whitelist","notes":"n"}`), "zone.firewall.rule.create", weaker, "n"},
		"address blocked":                     {single("access_rule", "create", `{}`, `{"mode":"block","notes":"n"}`), "zone.firewall.rule.create", safer, "n"},
		"WAF rule off":                        {single("waf_rule", "update", `{"mode":"on","description":"d"}`, `{"mode":"off","description":"d"}`), "waf_rule.disable", weaker, "d"},
		"rate limit raised":                   {single("ratelimit", "update", `{"threshold":10}`, `{"threshold":100}`), "zone.firewall.rule.update", weaker, "r1"},
		"rate limit lowered":                  {single("ratelimit", "update", `{"threshold":100}`, `{"threshold":10}`), "zone.firewall.rule.update", safer, "r1"},
		"WAF switched off by the old setting": {logged("zone", "change_setting", `"metadata":{"name":"waf","type":"firewall","value":"off","old_value":"on"}`), "waf_rule.disable", weaker, "waf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := factsOf(decode(t, tt.raw))
			assert.Equal(t, tt.action, got.name)
			assert.Equal(t, tt.direction, got.direction)
			assert.Equal(t, tt.target, got.target)
		})
	}
}

func TestFactsOf_DirectionOfOtherProtections(t *testing.T) {
	t.Parallel()
	change := func(resource, action, old, now string) string {
		return logged(resource, action, `"oldValueJson":`+old, `"newValueJson":`+now)
	}
	for name, tt := range map[string]struct{ raw, action, direction string }{
		"unproxied":               {change("dns.record", "update", `{"type":"A","proxied":true}`, `{"type":"A","proxied":false}`), "dns.record.update", weaker},
		"proxied":                 {change("dns.record", "update", `{"type":"A","proxied":false}`, `{"type":"A","proxied":true}`), "dns.record.update", safer},
		"log delivery off":        {change("logpush job", "job_update", `{"enabled":true}`, `{"enabled":false}`), "logpush.job.disable", weaker},
		"log delivery on":         {change("logpush job", "job_update", `{"enabled":false}`, `{"enabled":true}`), "logpush.job.enable", safer},
		"log delivery still off":  {change("logpush job", "job_update", `{"enabled":false,"filter":"a"}`, `{"enabled":false,"filter":"b"}`), "logpush.job.update", ""},
		"DNSSEC off":              {change("dnssec", "update", `{"status":"active"}`, `{"status":"disabled"}`), "zone.dnssec.disable", weaker},
		"DNSSEC on":               {change("dnssec", "update", `{"status":"disabled"}`, `{"status":"active"}`), "zone.dnssec.enable", safer},
		"hold off":                {change("zone.hold", "update", `{"hold":true}`, `{"hold":false}`), "zone.hold.remove", weaker},
		"zone paused":             {change("zone", "update", `{"paused":false}`, `{"paused":true}`), "zone.pause", weaker},
		"bypass granted":          {change("access.policy", "update", `{"decision":"allow"}`, `{"decision":"bypass"}`), "access_policy.update", weaker},
		"bypass that was there":   {change("access.policy", "update", `{"decision":"bypass","name":"a"}`, `{"decision":"bypass","name":"b"}`), "access_policy.update", ""},
		"bucket opened":           {change("r2.bucket", "ChangeBucketVisibility", `{}`, `{"public":true}`), "r2.bucket.visibility.change", weaker},
		"bucket closed":           {change("r2.bucket", "ChangeBucketVisibility", `{}`, `{"visibility":"private"}`), "r2.bucket.visibility.change", safer},
		"enforcement set to off":  {change("account", "add_enforce_twofactor", `{"enforce_twofactor":true}`, `{"enforce_twofactor":false}`), "account.2fa.disable", weaker},
		"enforcement off by text": {logged("account", "update_enforce_twofactor", `"newValue":"false"`), "account.2fa.disable", weaker},
		"enforcement on":          {change("account", "add_enforce_twofactor", `{}`, `{"enforce_twofactor":true}`), "account.2fa.enforce", safer},
		"enforcement off among settings": {change("account", "update", `{"settings":{"enforce_twofactor":true}}`, `{"settings":{"enforce_twofactor":false}}`),
			"account.2fa.disable", weaker},
		"enforcement that was off": {change("account", "update", `{"name":"a","settings":{"enforce_twofactor":false}}`, `{"name":"b","settings":{"enforce_twofactor":false}}`),
			"account.update", ""},
	} {
		got := factsOf(decode(t, tt.raw))
		assert.Equal(t, tt.action, got.name, name)
		assert.Equal(t, tt.direction, got.direction, name)
	}
}

func TestFactsOf_Changes(t *testing.T) {
	t.Parallel()
	type change [3]string // field, old, new
	for name, tt := range map[string]struct {
		raw  string
		want []change
	}{
		"differences alone": {
			logged("dns.record", "update", `"oldValueJson":{"name":"a","ttl":1,"modified_on":"x","proxied":true}`, `"newValueJson":{"name":"a","ttl":60,"modified_on":"y","tags":["t"]}`),
			[]change{{"ttl", "1", "60"}, {"tags", "", "t"}, {"proxied", "true", ""}},
		},
		"deleted by the machinery, which writes it as new": {
			logged("dns.record", "delete", bySystem, `"oldValueJson":{}`, `"newValueJson":{"type":"TXT"}`),
			[]change{{"type", "TXT", ""}},
		},
		"nested": {
			logged("spectrum.app", "update", `"oldValueJson":{"a":{"b":{"c":1,"d":2}}}`, `"newValueJson":{"a":{"b":{"c":3,"d":2}}}`),
			[]change{{"a.b.c", "1", "3"}},
		},
		"null is nothing": {
			logged("spectrum.app", "update", `"oldValueJson":{"a":null,"b":null}`, `"newValueJson":{"a":1,"c":null}`),
			[]change{{"a", "", "1"}},
		},
		"texts": {
			logged("user", "change_email", `"oldValue":"a@example.com"`, `"newValue":"b@example.com"`),
			[]change{{"value", "a@example.com", "b@example.com"}},
		},
		"metadata": {
			logged("account", "token_revoke", `"metadata":{"old_token_status":"active","new_token_status":"deleted","token_name":"ci"}`),
			[]change{{"token_status", "active", "deleted"}},
		},
		"setting": {
			logged("zone", "change_setting", `"metadata":{"name":"ssl","old_value":"full","value":"off"}`, `"newValue":"off"`),
			[]change{{"ssl", "full", "off"}},
		},
		"secrets": {
			logged("access.identity_provider", "update",
				`"oldValueJson":{"config":{"client_secret":"one","client_id":"x"},"api_token":"t","name":"cfat_0123456789","token_name":"n"}`,
				`"newValueJson":{"config":{"client_secret":"two","client_id":"y"},"api_token":"u","name":"m","token_name":"o"}`),
			[]change{{"config.client_secret", masked, masked}, {"config.client_id", "x", "y"}, {"api_token", masked, masked}, {"name", masked, "m"}, {"token_name", "n", "o"}},
		},
		"credentials in a destination": {
			logged("logpush job", "job_update",
				`"oldValueJson":{"destination_conf":"s3://bucket/logs?access-key-id=AK&secret-access-key=SK"}`,
				`"newValueJson":{"destination_conf":"https://user:pw@example.com/in?header_Authorization=Basic%20x"}`),
			[]change{{"destination_conf", "s3://bucket/logs?" + masked, "https://" + masked + "@example.com/in?" + masked}},
		},
		"secrets in lists": {
			logged("script", "patch_settings", `"newValueJson":{"bindings":[{"name":"DB","text":"hunter2"}],"secrets":["hunter2"]}`),
			[]change{{"bindings", "", "DB"}, {"secrets", "", masked}},
		},
		"control characters": {
			logged("spectrum.app", "update", `"newValueJson":{"a":"x\ny\u0000\u001b[31m\u202ez"}`),
			[]change{{"a", "", "x y[31mz"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := factsOf(decode(t, tt.raw))
			var changes []change
			for _, c := range got.changes {
				changes = append(changes, change{c.Field, c.Old, c.New})
			}
			assert.Equal(t, tt.want, changes)
			assert.Zero(t, got.changesOmitted)
		})
	}
}

func TestIsSecretField(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"secret", "client_secret", "api_token", "token", "password", "passwd", "passphrase", "private_key",
		"key", "api_key", "psk", "jwk", "userPwd", "recovery_codes", "SSL_Key", "key_material", "token_hash", "hash", "credentials", "header_Authorization", "config.privateKey"} {
		assert.True(t, isSecretField(field), field)
	}
	for _, field := range []string{"", "name", "content", "token_name", "token_tag", "token_status", "key_id", "secret_count", "description", "ttl", "packets"} {
		assert.False(t, isSecretField(field), field)
	}
}

func TestFactsOf_ChangesAreBounded(t *testing.T) {
	t.Parallel()
	members := make(map[string]any)
	for i := range 40 {
		members[fmt.Sprintf("field%02d", i)] = strings.Repeat("ü", 1000)
	}
	b, err := json.Marshal(members)
	require.NoError(t, err)
	got := factsOf(decode(t, logged("spectrum.app", "create", `"newValueJson":`+string(b))))
	assert.Len(t, got.changes, maxChanges)
	for _, c := range got.changes {
		assert.LessOrEqual(t, len(c.New), maxChangeText+len("…"))
	}
	// The others only exist on one side, but they are counted all the same.
	assert.Equal(t, 40-maxChanges, got.changesOmitted)
}
