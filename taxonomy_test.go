package cloudflareaudit

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// pair is a resource type and an action type, with what an entry of it says and
// how it has to be named and graded.
type pair struct {
	resource, action string
	// derived says that nobody has published the pair: it follows from how its
	// neighbours are named, or from the paths of the API.
	derived bool
	want    string
	// severity is the grade in a zone in production, elsewhere the one in
	// another zone, and swapped the one of the same change the other way round.
	// A dash stands for "the same" and for "has no other way round".
	severity, elsewhere, swapped ingest.Severity
	more                         []string
}

const (
	dash ingest.Severity = ""
	// drop stands for an entry that makes no event.
	drop ingest.Severity = "drop"
)

// rows makes pairs of a list such as "DNS_record/rec_add; ?dns_records/create",
// where a question mark stands before those that are derived.
func rows(list, want string, severity, elsewhere, swapped ingest.Severity, more ...string) []pair {
	var pairs []pair
	for name := range strings.SplitSeq(list, "; ") {
		name, derived := strings.CutPrefix(name, "?")
		resource, action, _ := strings.Cut(name, "/")
		pairs = append(pairs, pair{resource, action, derived, want, severity, elsewhere, swapped, more})
	}
	return pairs
}

// change is an entry's old and new value.
func change(old, now string) string { return before(old) + "," + after(now) }

func record(kind, content string) string {
	return `{"type":"` + kind + `","name":"www.example.com","content":"` + content + `","proxied":true}`
}

// policy is the value of a token that may do something to some resources.
func policy(resource, permission string) string {
	return `{"name":"ci","policies":[{"effect":"allow","resources":{"` + resource + `":"*"},"permission_groups":[{"id":"p1","name":"` + permission + `"}]}]}`
}

// Names that a change has had in the course of time, and that neighbours of it
// lead one to expect.
const (
	memberAdded = "members/create; ?member/add; ?member/added; ?member/invite; ?account/member_add; ?account/member_create; ?account/member_invite; " +
		"?account/add_member; ?account/create_member; ?account/invite_member; ?account/add_invitation; ?account/create_invitation; ?invite/create; ?invitation/create; " +
		"?scim_user/create; /Create SCIM User"
	memberUpdated = "?members/update; ?member/update; ?membership/update; ?role/update; ?account/member_update; ?account/member_role; ?account/member_role_update; " +
		"?account/update_member_role; ?account/invite_update; ?scim_user/update; /Update SCIM User; /Replace SCIM User; /Update SCIM Group"
	memberRemoved = "?members/delete; ?member/remove; ?account/member_removed; ?account/member_delete; ?scim_user/delete; /Delete SCIM User"

	tokenCreated = "account/token_create; ?tokens/create; ?api_token/create"
	tokenUpdated = "?account/token_update; ?tokens/update"
	tokenRolled  = "account/token_roll; ?tokens.value/update"

	dnsCreated = "DNS_record/rec_add; dns.record/create; dns_records/create"
	dnsUpdated = "DNS_record/rec_set; dns.record/update; ?dns_records/update"
	dnsDeleted = "DNS_record/rec_del; dns.record/delete; dns_records/delete"

	rulesetUpdated = "?ruleset/rulesets_update; ?rulesets/update; ?rulesets.rules/update; ?rulesets.phases.http_request_firewall_custom.entrypoint/update"

	routeCreated = "route/route_create; ?zone/route_create; ?route/create; ?workers.routes/create; ?workers.filters/create"
	routeUpdated = "?route/route_update; ?workers.routes/update; ?workers.filters/update"
)

// Values of entries.
const (
	inAccount   = `"metadata":{"kind":"root","phase":"http_request_firewall_custom"}`
	inFirewall  = `"metadata":{"kind":"zone","phase":"http_request_firewall_custom","zone_name":"example.com"}`
	inManaged   = `"metadata":{"kind":"zone","phase":"http_request_firewall_managed","zone_name":"example.com"}`
	superPolicy = `{"policies":[{"permission_groups":[{"id":"p1","name":"Super Administrator"}]}]}`
	oneZone     = "com.cloudflare.api.account.zone.a379a6f6eeafb9a55e378c118034e275"
	ofSystemAs  = `"newValueJson":{"type":"TXT","name":"_acme-challenge.example.com"}`
)

// taxonomy is every pair that is known, and what follows for those nearby. The
// zone example.com is in production, and the Worker checkout is verified.
var taxonomy = slices.Concat(
	// The product page and detections of hosts, in their own words.
	rows("/member.add; /memberAdd", "member.add", high, dash, dash, after(`{"roles":[`+superRole+`]}`)),
	rows("/api_token.create; /tokenCreate", "api_token.create", high, dash, dash, `"metadata":{"scopes":["Account.*"]}`),
	rows("/account.2fa.disable", "account.2fa.disable", high, dash, dash),
	rows("/zone.firewall.rule.delete", "zone.firewall.rule.delete", medium, low, dash, inZone),
	rows("/dns.record.delete; /dnsRecordDelete", "dns.record.delete", medium, low, dash, inZone, before(record("MX", "mx.example.net"))),
	rows("/worker.route.create", "worker.route.create", medium, dash, dash, inZone, after(`{"pattern":"example.com/*","script":"proxy"}`)),
	rows("/zone.settings.read", "zone.settings.read", drop, dash, dash, inZone),
	rows("/firewall_rule.disable", "firewall_rule.disable", high, medium, dash, inZone),
	rows("/waf_rule.disable", "waf_rule.disable", high, medium, dash, inZone),
	rows("/access_policy.create", "access_policy.create", critical, dash, dash, after(`{"decision":"bypass"}`)),
	rows("/zone.transfer_out", "zone.transfer_out", high, dash, dash, inZone),

	// Signing in.
	rows("account/login; /LOGIN; /SSO_LOGIN", "account.login", info, dash, dash),
	rows("/logout", "account.logout", info, dash, dash),
	rows("/cloudflare_login", "account.staff_login", medium, dash, dash, byStaff, `"metadata":{"actual_user":"support"}`),
	rows("/MFA_enabled", "account.2fa.enable", info, dash, dash),
	rows("?/MFA_disabled; ?user/TFA_disabled; ?user/two_factor_removed; ?user.two_factor_authentication/delete; ?user.2fa/delete; ?user.mfa/delete; "+
		"?user.webauthn/delete; ?user.security_keys/delete; ?user/totp_revoked; ?user/backup_codes_reset", "account.2fa.disable", high, dash, dash),
	rows("?user.mfa/update", "account.2fa.update", medium, dash, dash),
	rows("account/add_enforce_twofactor", "account.2fa.enforce", medium, dash, dash),
	rows("account/add_enforce_twofactor", "account.2fa.disable", high, dash, dash, after(`{"enforce_twofactor":false}`)),
	rows("account/add_enforce_twofactor", "account.2fa.disable", high, dash, dash, `"newValue":"false"`),
	rows("?account/remove_enforce_twofactor; ?account/delete_enforce_twofactor; ?account/disable_enforce_twofactor", "account.2fa.disable", high, dash, dash),
	rows("?accounts/update", "account.2fa.disable", high, dash, low, change(`{"settings":{"enforce_twofactor":true}}`, `{"settings":{"enforce_twofactor":false}}`)),
	rows("?accounts/update", "account.update", low, dash, low, change(`{"name":"a","settings":{"enforce_twofactor":false}}`, `{"name":"b","settings":{"enforce_twofactor":false}}`)),
	rows("/change_password", "account.password.change", medium, dash, dash),
	rows("?/change_email; ?user/email_changed; ?user/update_email", "account.email.change", high, dash, dash),
	rows("?user/update", "user.update", medium, dash, dash),
	rows("?user/update", "account.email.change", high, dash, dash, change(`{"email":"alice@example.com"}`, `{"email":"mallory@example.net"}`)),

	// Credentials. The log says nothing of the scopes of most tokens.
	rows(tokenCreated, "api_token.create", high, dash, dash, `"metadata":{"token_name":"ci","token_tag":"t1"}`),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy("com.cloudflare.api.account.*", "Analytics Read"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy("com.cloudflare.api.account.zone.*", "Zone Read"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy("com.cloudflare.api.user.*", "User Details Read"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy("com.cloudflare.api.account.023e105f4ecef8ad9ca31a8372d0c353", "Account Rulesets Write"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy(oneZone, "Account Settings Write"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy(oneZone, "API Tokens Write"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy(oneZone, "Workers Scripts Write"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy(oneZone, "DNS Write"))),
	rows(tokenCreated, "api_token.create", high, dash, dash, after(policy(oneZone, "Account Members Write"))),
	rows(tokenCreated, "api_token.create", medium, dash, dash, after(policy(oneZone, "DNS Read"))),
	rows(tokenUpdated, "api_token.update", high, dash, dash),
	rows(tokenUpdated, "api_token.update", high, dash, low, change(policy(oneZone, "DNS Read"), policy("com.cloudflare.api.account.zone.*", "DNS Read"))),
	rows(tokenUpdated, "api_token.update", low, dash, low, change(policy(oneZone, "DNS Read"), policy(oneZone, "Cache Purge"))),
	rows(tokenRolled, "api_token.roll", high, dash, dash, `"metadata":{"token_name":"ci","old_token_hash":"a","new_token_hash":"b"}`),
	rows(tokenRolled, "api_token.roll", medium, dash, dash, after(policy(oneZone, "DNS Read"))),
	rows("account/token_revoke; ?tokens/delete", "api_token.revoke", low, dash, dash, `"metadata":{"old_token_status":"active","new_token_status":"deleted"}`),
	rows("account/token_revoke; ?tokens/delete", "api_token.revoke", high, dash, dash, `"metadata":{"token_name":"siem","token_tag":"`+ownToken+`"}`),
	rows("user/API_key_view", "api_key.view", high, dash, dash),
	rows("account/rotate_API_key", "api_key.rotate", high, dash, dash, `"action":{"type":"rotate_API_key","result":true,"info":"key digest: 0a1b"}`),
	rows("api_key/API_key_created", "api_key.create", high, dash, dash),
	rows("api_key/API_key_deactivated", "api_key.deactivate", low, dash, dash),

	// Members. A role that the entry leaves out may be any.
	rows(memberAdded, "member.add", high, dash, dash, after(`{"roles":[`+superRole+`]}`)),
	rows(memberAdded, "member.add", high, dash, dash, after(`{"roles":["33666b9c79b9a5273fc7344ff42f953d"]}`)),
	rows(memberAdded, "member.add", high, dash, dash, `"metadata":{"user_email":"dave@example.org","role":"super administrator - all privileges"}`),
	rows(memberAdded, "member.add", high, dash, dash, after(superPolicy)),
	rows(memberAdded, "member.add", high, dash, dash, `"metadata":{"account_name":"Example","user_email":"dave@example.org"}`),
	rows(memberAdded, "member.add", medium, dash, dash, after(`{"roles":[`+readerRole+`]}`)),
	rows("?account/add", "member.add", high, dash, dash, `"metadata":{"account_name":"Example","user_email":"dave@example.org"}`),
	rows(memberUpdated, "member.update", high, dash, dash),
	rows(memberUpdated, "member.update", high, dash, dash, change(`{"roles":[`+readerRole+`]}`, `{"roles":[`+superRole+`]}`)),
	rows(memberUpdated, "member.update", medium, dash, dash, change(`{"roles":[`+superRole+`]}`, `{"roles":[`+readerRole+`]}`)),
	rows(memberUpdated, "member.update", low, dash, low, change(`{"status":"pending"}`, `{"status":"accepted"}`)),
	rows(memberRemoved, "member.remove", medium, dash, dash),
	rows("?account/member_accept", "member.accept", low, dash, dash),
	rows("?invitation/accepted; ?invites/update; ?memberships/update", "member.invitation.accept", low, dash, dash),
	rows("?memberships/delete", "member.leave", low, dash, dash),
	rows("?iam.user_groups/create; ?iam.resource_groups/create; ?account/user_group_create; ?account/usergroup_add; /Create SCIM Group; ?scim_group/create",
		"user_group.create", medium, dash, dash),
	rows("?iam.user_groups/create", "user_group.create", high, dash, dash, after(superPolicy)),
	rows("?iam.user_groups/update; ?iam.resource_groups/update; ?account/user_group_update", "user_group.update", medium, dash, dash),
	rows("?iam.user_groups/update", "user_group.update", high, dash, dash, after(superPolicy)),
	rows("?iam.user_groups/delete; /Delete SCIM Group", "user_group.delete", medium, dash, dash),

	// Zones. The account is the resource when a zone is added to it.
	rows("account/add", "zone.create", low, dash, dash, inZone),
	rows("account/pending", "zone.pending", info, dash, dash, inZone),
	rows("zone/delete; ?zones/delete", "zone.delete", high, dash, dash, inZone),
	rows("?zone/transfer_out; ?registrar.domain/transferred_out", "zone.transfer_out", high, dash, dash, inZone),
	rows("zone/purge; ?purge_cache/create", "zone.cache.purge", low, dash, dash, inZone),
	rows("?hold/delete; ?zone.hold/delete", "zone.hold.remove", medium, dash, dash, inZone),
	rows("?dnssec/delete", "zone.dnssec.disable", medium, dash, dash, inZone),
	rows("?dnssec/update", "zone.dnssec.disable", medium, dash, low, inZone, change(`{"status":"active"}`, `{"status":"disabled"}`)),
	rows("?dnssec/update", "zone.dnssec.update", medium, dash, dash, inZone),
	rows("pagerule/update", "zone.pagerule.update", low, dash, dash, `"metadata":{"pr_match":"example.com/*"}`),
	rows("?pagerule/create", "zone.pagerule.create", low, dash, dash, `"metadata":{"pr_match":"example.com/*"}`),
	rows("?pagerule/delete", "zone.pagerule.delete", low, dash, dash, `"metadata":{"pr_match":"example.com/*"}`),
	rows("pagerule/update", "zone.pagerule.update", medium, dash, low, change(`{"actions":[{"id":"cache_level"}]}`, `{"actions":[{"id":"forwarding_url"}]}`)),
	rows("?pagerule/create", "zone.pagerule.create", medium, dash, dash, after(`{"actions":[{"id":"forwarding_url"}]}`)),
	rows("zone/tls_settings_deployed", "zone.tls_settings.deploy", drop, dash, dash, bySystem, inZone),
	rows("zone/tls_settings_deployed", "zone.tls_settings.deploy", info, dash, dash, inZone),

	// Zone settings. Those that protect count by the direction of the change.
	rows("zone/change_setting", "zone.settings.update", low, dash, low, `"metadata":{"name":"ipv6","type":"network","old_value":"on","value":"off","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, dash, `"metadata":{"name":"security_level","type":"firewall","value":"medium","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, dash, `"metadata":{"name":"ciphers","type":"ssl","value":"x","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_level","type":"firewall","old_value":"high","value":"low","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_level","type":"firewall","old_value":"medium","value":"essentially_off","zone_name":"example.com"}`),
	// Development mode is about the cache alone.
	rows("zone/change_setting", "zone.settings.update", low, dash, low, `"metadata":{"name":"development_mode","type":"cache","old_value":"off","value":"on","zone_name":"example.com"}`),
	rows("zone/change_setting", "waf_rule.disable", high, medium, low, `"metadata":{"name":"waf","type":"firewall","old_value":"on","value":"off","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"ssl","type":"ssl","old_value":"strict","value":"flexible","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"min_tls_version","type":"ssl","old_value":"1.2","value":"1.0","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"always_use_https","type":"ssl","old_value":"on","value":"off","zone_name":"example.com"}`),
	rows("zone/change_setting", "zone.settings.update", medium, low, low, `"metadata":{"name":"security_header","type":"ssl","zone_name":"example.com","old_value":{"strict_transport_security":{"enabled":true,"max_age":31536000}},"value":{"strict_transport_security":{"enabled":false,"max_age":0}}}`),
	rows("?settings/update; ?zone.settings/update; ?settings.ssl/update", "zone.settings.update", medium, low, low, inZone, change(`{"id":"ssl","value":"strict"}`, `{"id":"ssl","value":"off"}`)),
	rows("?settings/update", "zone.settings.update", medium, low, low, inZone, change(`{"id":"security_level","value":"high"}`, `{"id":"security_level","value":"off"}`)),
	rows("?settings/update", "waf_rule.disable", high, medium, low, inZone, change(`{"id":"waf","value":"on"}`, `{"id":"waf","value":"off"}`)),
	rows("?settings/update", "zone.settings.update", medium, low, low, inZone, change(`{"id":"always_use_https","value":"on"}`, `{"id":"always_use_https","value":"off"}`)),
	rows("?settings/update", "zone.settings.update", medium, low, low, inZone, change(`{"id":"min_tls_version","value":"1.3"}`, `{"id":"min_tls_version","value":"1.1"}`)),
	rows("?settings/update", "zone.settings.update", low, dash, low, inZone, change(`{"id":"ipv6","value":"on"}`, `{"id":"ipv6","value":"off"}`)),
	rows("?zone/patch_settings", "zone.settings.update", low, dash, dash, inZone),

	// DNS records, in all generations of their names.
	rows(dnsCreated, "dns.record.create", low, dash, dash, inZone, after(record("MX", "mx.example.net"))),
	rows(dnsCreated, "dns.record.create", low, dash, dash, inZone, after(record("A", "192.0.2.1"))),
	rows(dnsUpdated, "dns.record.update", low, dash, low, inZone, change(`{"type":"A","name":"www.example.com","ttl":1}`, `{"type":"A","name":"www.example.com","ttl":60}`)),
	rows(dnsUpdated, "dns.record.update", low, dash, low, inZone, change(record("TXT", "a"), record("TXT", "b"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("MX", "mx.example.net"), record("MX", "mx.example.org"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("NS", "ns.example.net"), record("NS", "ns.example.org"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("A", "192.0.2.1"), record("A", "192.0.2.2"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("AAAA", "2001:db8::1"), record("AAAA", "2001:db8::2"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("CNAME", "a.example.net"), record("CNAME", "b.example.net"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("A", "192.0.2.1"), record("CNAME", "b.example.net"))),
	rows(dnsUpdated, "dns.record.update", medium, low, dash, inZone, change(record("MX", "mx.example.net"), record("TXT", "x"))),
	rows(dnsUpdated, "dns.record.update", medium, low, low, inZone, change(`{"type":"A","proxied":true}`, `{"type":"A","proxied":false}`)),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, before(record("MX", "mx.example.net")), `"newValue":"null"`),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, before(record("A", "192.0.2.1"))),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, before(record("AAAA", "2001:db8::1"))),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, before(record("CNAME", "b.example.net"))),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, before(record("NS", "ns.example.net"))),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, `"oldValue":"{\"type\":\"MX\",\"name\":\"example.com\"}"`),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, after(record("MX", "mx.example.net"))),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, `"metadata":{"zone_name":"example.com","type":"MX"}`),
	rows(dnsDeleted, "dns.record.delete", medium, low, dash, inZone, `"oldValue":"null"`, `"newValue":"null"`),
	rows(dnsDeleted, "dns.record.delete", low, dash, dash, inZone, before(record("TXT", "x"))),
	rows(dnsDeleted, "dns.record.delete", low, dash, dash, inZone, before(record("CAA", "x"))),
	rows(dnsDeleted, "dns.record.delete", low, dash, dash, inZone, before(`{"type":"TXT","name":"_acme-challenge.example.com"}`)),
	rows(dnsDeleted, "dns.record.delete", info, dash, dash, bySystem, inZone, after(record("MX", "mx.example.net"))),
	rows(dnsDeleted, "dns.record.delete", drop, dash, dash, bySystem, inZone, ofSystemAs),
	rows(dnsCreated, "dns.record.create", drop, dash, dash, bySystem, inZone, ofSystemAs),
	rows("dns_records.batch/create", "dns.record.delete", medium, low, dash, inZone, after(`{"deletes":[`+record("TXT", "x")+`,`+record("MX", "mx.example.net")+`]}`)),
	rows("dns_records.batch/create", "dns.record.delete", low, dash, dash, inZone, after(`{"deletes":[`+record("TXT", "x")+`],"posts":[`+record("MX", "mx.example.net")+`]}`)),
	rows("dns_records.batch/create", "dns.record.delete", medium, low, dash, inZone, after(`{"deletes":[{"id":"372e67954025e0ba6aaa6d586b9e0b59"}]}`)),
	rows("dns_records.batch/create", "dns.record.create", low, dash, dash, inZone, after(`{"deletes":[],"posts":[`+record("MX", "mx.example.net")+`]}`)),
	rows("?dns_records.import/create; ?dns_records.scan/create", "dns.record.create", low, dash, dash, inZone),

	// Firewall.
	rows("?firewallrules/create; ?uarules/create; ?ratelimit/create", "zone.firewall.rule.create", medium, low, dash, inZone, after(`{"description":"d"}`)),
	rows("?firewallrules/update; ?uarules/update; ?ratelimit/update; ?firewall.waf.packages/update; "+rulesetUpdated, "zone.firewall.rule.update", medium, low, dash, inZone),
	rows("?firewallrules/delete; ?uarules/delete; ?ratelimit/delete; ?firewall.rules/delete; ?filters/delete; ?firewall.access_rules.rules/delete; "+
		"?firewall.ua_rules/delete; ?firewall.lockdowns/delete; ?firewall.waf.overrides/delete; ?rulesets.rules/delete; ?rulesets/delete; ?rate_limits/delete",
		"zone.firewall.rule.delete", medium, low, dash, inZone, before(`{"description":"d"}`)),
	rows("?rulesets.rules/delete; ?rulesets/delete", "zone.firewall.rule.delete", high, dash, dash, inAccount),
	rows("?firewallrules/update; ?uarules/update; ?ratelimit/update", "firewall_rule.disable", high, medium, low, inZone, change(`{"paused":false,"description":"d"}`, `{"paused":true,"description":"d"}`)),
	rows("?firewallrules/update; ?rulesets.rules/update", "firewall_rule.disable", high, medium, low, inZone, change(`{"id":"1","action":"block","enabled":true}`, `{"id":"1","action":"block","enabled":false}`)),
	rows(rulesetUpdated, "firewall_rule.disable", high, medium, low, inFirewall, change(`{"rules":[{"id":"1","action":"block","enabled":true}]}`, `{"rules":[{"id":"1","action":"block","enabled":false}]}`)),
	rows(rulesetUpdated, "waf_rule.disable", high, medium, low, inManaged, change(`{"rules":[{"id":"1","action":"block","enabled":true}]}`, `{"rules":[{"id":"1","action":"block","enabled":false}]}`)),
	rows("?firewall.waf.packages/update; ?waf_rule/update", "waf_rule.disable", high, medium, low, inZone, change(`{"id":"1","mode":"on"}`, `{"id":"1","mode":"off"}`)),
	rows(rulesetUpdated, "zone.firewall.rule.update", medium, low, low, inFirewall, change(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"log"}]}`)),
	rows(rulesetUpdated, "zone.firewall.rule.update", medium, low, low, inFirewall, change(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"skip"}]}`)),
	rows("?firewallrules/update; ?rulesets.rules/update", "zone.firewall.rule.update", medium, low, low, inZone, change(`{"id":"1","action":"block"}`, `{"id":"1","action":"log"}`)),
	rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, low, inFirewall, change(`{"rules":[{"id":"1","action":"block"},{"id":"2","action":"log"}]}`, `{"rules":[{"id":"2","action":"log"}]}`)),
	rows(rulesetUpdated, "zone.firewall.rule.delete", high, dash, low, inAccount, change(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[]}`)),
	rows(rulesetUpdated, "firewall_rule.disable", high, dash, low, inAccount, change(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"block","enabled":false}]}`)),
	rows(rulesetUpdated, "zone.firewall.rule.update", high, dash, low, inAccount, change(`{"rules":[{"id":"1","action":"block"}]}`, `{"rules":[{"id":"1","action":"log"}]}`)),
	rows("?ratelimit/update; ?rate_limits/update", "zone.firewall.rule.update", medium, low, low, inZone, change(`{"threshold":10}`, `{"threshold":1000}`)),
	rows("?firewall.access_rules.rules/create; ?access_rule/create", "zone.firewall.rule.create", medium, low, dash, inZone, after(`{"mode":"whitelist"}`)),
	rows("?firewall.access_rules.rules/create; ?access_rule/create", "zone.firewall.rule.create", low, dash, dash, inZone, after(`{"mode":"block"}`)),

	// Workers.
	rows("script/script_create; ?workers.scripts/create; ?workers.scripts.deployments/create; ?workers.scripts.versions/create", "worker.script.create", medium, dash, dash),
	rows("script/script_update; ?workers.scripts/update; ?workers.scripts.content/update; ?workers.scripts.settings/update; ?workers.scripts.schedules/update",
		"worker.script.update", medium, dash, dash),
	rows("script/script_deploy", "worker.script.deploy", medium, dash, dash),
	rows("script/script_on_subdomain; ?workers.scripts.subdomain/create", "worker.script.expose", medium, dash, dash),
	rows("script/script_on_subdomain", "worker.script.expose", low, dash, dash, `"resource":{"type":"script","id":"checkout"}`),
	rows("script/script_schedules", "worker.script.schedule", low, dash, dash),
	rows("/patch_settings; script/patch_settings", "worker.script.settings.update", low, dash, dash),
	rows("?script/script_delete; ?workers.scripts/delete", "worker.script.delete", low, dash, dash),
	rows(routeCreated, "worker.route.create", medium, dash, dash, `"metadata":{"pattern":"example.com/*"}`),
	rows(routeCreated, "worker.route.create", medium, dash, dash, `"metadata":{"pattern":"example.com/*","script":"proxy"}`),
	rows(routeCreated, "worker.route.create", low, dash, dash, `"metadata":{"pattern":"example.com/*","script":"checkout"}`),
	rows(routeCreated, "worker.route.create", low, dash, dash, after(`{"pattern":"example.com/*","script":null}`)),
	rows(routeUpdated, "worker.route.update", medium, dash, low, change(`{"pattern":"example.com/*","script":"checkout"}`, `{"pattern":"example.com/*","script":"proxy"}`)),
	rows("?workers.domains/update", "worker.domain.update", medium, dash, low, change(`{"hostname":"example.com","service":"checkout"}`, `{"hostname":"example.com","service":"proxy"}`)),
	rows("route/route_delete; ?workers.routes/delete", "worker.route.delete", low, dash, dash, `"metadata":{"pattern":"example.com/*"}`),

	// Zero Trust.
	rows("gateway.rule/gateway_create", "gateway.rule.create", medium, dash, dash),
	rows("?gateway.rule/gateway_update", "gateway.rule.update", medium, dash, dash),
	rows("?gateway.rule/gateway_delete", "gateway.rule.delete", medium, dash, dash),
	rows("gateway.location/gateway_create_location", "gateway.location.create", low, dash, dash),
	rows("gateway.config/gateway_update", "gateway.config.update", medium, dash, dash, `"action":{"type":"gateway_update"}`),
	rows("?access.policy/create; ?access_policy/create", "access_policy.create", critical, dash, dash, after(`{"decision":"bypass"}`)),
	rows("?access.policy/update", "access_policy.update", critical, dash, low, change(`{"decision":"allow"}`, `{"decision":"bypass"}`)),
	rows("?access.policy/delete; ?access_policies/deleted", "access_policy.delete", high, dash, dash),
	rows("?access.identity_provider/delete; ?identity_provider/removed", "identity_provider.delete", high, dash, dash),

	// Log delivery.
	rows("logpush job/job_create; ?logpush.jobs/create", "logpush.job.create", medium, dash, dash, after(`{"dataset":"http_requests","enabled":true}`)),
	rows("logpush job/job_update; ?logpush.jobs/update", "logpush.job.update", medium, dash, dash),
	rows("logpush job/job_update; ?logpush.jobs/update", "logpush.job.disable", high, dash, low, change(`{"dataset":"audit_logs","enabled":true}`, `{"dataset":"audit_logs","enabled":false}`)),
	rows("logpush job/job_update; ?logpush.jobs/update", "logpush.job.update", high, dash, dash, change(`{"destination_conf":"s3://logs.example.com"}`, `{"destination_conf":"s3://logs.example.net"}`)),
	rows("?logpush job/job_delete; ?logpush.jobs/delete", "logpush.job.delete", high, dash, dash),

	// Storage, queues and the rest.
	rows("/CreateBucket; r2.bucket/CreateBucket", "r2.bucket.create", medium, dash, dash),
	rows("/DeleteBucket", "r2.bucket.delete", medium, dash, dash),
	rows("/AddCustomDomain", "r2.bucket.domain.add", medium, dash, dash),
	rows("/RemoveCustomDomain", "r2.bucket.domain.remove", medium, dash, dash),
	rows("/PutBucketCors", "r2.bucket.cors.update", medium, dash, dash),
	rows("/DeleteBucketCors", "r2.bucket.cors.delete", medium, dash, dash),
	rows("/PutBucketEncryption", "r2.bucket.encryption.update", medium, dash, dash),
	rows("/DeleteBucketEncryption", "r2.bucket.encryption.delete", medium, dash, dash),
	rows("/PutBucketLifecycleConfiguration", "r2.bucket.lifecycle.update", medium, dash, dash),
	rows("/DeleteBucketLifecycleConfiguration", "r2.bucket.lifecycle.delete", medium, dash, dash),
	rows("/ChangeBucketVisibility", "r2.bucket.visibility.change", high, dash, dash),
	rows("/ChangeBucketVisibility", "r2.bucket.visibility.change", high, dash, low, change(`{"public":false}`, `{"public":true}`)),
	rows("d1.database/create", "d1.database.create", low, dash, dash, `"action":{"type":"create","result":true,"info":"CreateDatabase"}`),
	rows("?d1.database/update", "d1.database.update", low, dash, dash),
	rows("d1.database/update", "d1.database.restore", medium, dash, dash, `"action":{"type":"update","result":true,"info":"TimeTravel"}`),
	rows("d1.database/delete", "d1.database.delete", medium, dash, dash, `"action":{"type":"delete","result":true,"info":"DeleteDatabase"}`),
	rows("ai_gateway.gateway/create", "ai_gateway.gateway.create", low, dash, dash, `"action":{"type":"create","result":true,"info":"gateway created"}`),
	rows("ai_gateway.gateway/update", "ai_gateway.gateway.update", low, dash, dash),
	rows("ai_gateway.gateway/delete", "ai_gateway.gateway.delete", low, dash, dash),
	rows("/update_consumer_settings", "queue.consumer.update", low, dash, dash),

	// Reads. Only those of zone settings are dropped.
	rows("settings/view; settings.origin_max_http_version/view; settings.speed_brain/view; settings.rum/view; ?zone.settings/read; ?zone.setting/viewed; ?zone/settings_read",
		"zone.settings.read", drop, dash, dash, inZone),
	rows("zones/view", "zone.view", info, dash, dash),
	rows("dns_records/view", "dns.record.view", info, dash, dash, inZone),
	rows("dns_settings/view", "dns_settings.view", info, dash, dash),
	rows("ssl.certificate_packs/view", "zone.certificate.view", info, dash, dash),
	rows("hold/view", "zone.hold.view", info, dash, dash),
	rows("bot_management/view", "bot_management.view", info, dash, dash),
	rows("acm.total_tls/view", "acm.total_tls.view", info, dash, dash),
	rows("spectrum.apps/view", "spectrum.apps.view", info, dash, dash),
	rows("load_balancers/view", "load_balancer.view", info, dash, dash),
	rows("dnssec/view", "zone.dnssec.view", info, dash, dash),
	rows("custom_ns/view", "custom_ns.view", info, dash, dash),
	rows("subscription/view", "subscription.view", info, dash, dash),
	rows("firewall.waf.packages/view", "zone.firewall.rule.view", info, dash, dash),

	// What somebody does who takes an account over, stays in it, hides in it or
	// destroys it. The names are derived.
	rows("?sso_connector/create; ?sso_connectors/update; ?sso_connector/delete; ?account/sso_disabled; ?account/saml_update", "", high, dash, dash),
	rows("?access.identity_provider/saml_update; ?access.identity_provider/oauth_update", "identity_provider.update", medium, dash, dash),
	rows("?user/oauth_create", "oauth_grant.create", medium, dash, dash),
	rows("?access.app/create", "access_app.create", critical, dash, dash, after(`{"policies":[{"decision":"allow"},{"decision":"bypass"}]}`)),
	rows("?access.app/update", "access_app.update", critical, dash, dash, change(`{"policies":[{"decision":"allow"}]}`, `{"policies":[{"decision":"bypass"}]}`)),
	rows("?access.policy/create", "access_policy.create", medium, dash, dash, after(`{"decision":"allow","include":[{"everyone":{}}]}`)),
	rows("?access.policy/create", "access_policy.create", medium, dash, dash, after(`{"decision":"non_identity"}`)),
	rows("?access.policy/delete", "access_policy.delete", low, dash, dash, before(`{"decision":"bypass"}`)),
	rows("?access.policy/delete", "access_policy.delete", high, dash, dash, before(`{"decision":"deny"}`)),
	rows("?access.organization/update", "access_organization.update", medium, dash, dash),
	rows("?access.certificate/create", "access_certificate.create", medium, dash, dash),
	rows("?registrar.domain/update", "registrar.domain.unlock", high, dash, low, change(`{"locked":true}`, `{"locked":false}`)),
	rows("?registrar.domain/update", "registrar.domain.update", medium, dash, dash, change(`{"locked":false,"auto_renew":true}`, `{"locked":false,"auto_renew":false}`)),
	rows("?registrar.domain/auth_code_view", "registrar.auth_code.view", high, dash, dash),
	rows("?zone/update", "zone.pause", medium, dash, low, inZone, change(`{"paused":false}`, `{"paused":true}`)),
	rows("?zone/update", "zone.update", medium, dash, dash, inZone, change(`{"type":"full"}`, `{"type":"secondary"}`)),
	rows("?hold/update", "zone.hold.remove", medium, dash, dash, inZone, after(`{"hold_after":"2027-01-31T15:56:36Z"}`)),
	rows("?secondary_dns.outgoing/create; ?secondary_dns.tsig/create; ?secondary_dns.outgoing/enable", "", medium, dash, dash),
	rows("pagerule/update", "zone.pagerule.update", medium, dash, low, change(`{"actions":[{"id":"waf","value":"on"}]}`, `{"actions":[{"id":"waf","value":"off"}]}`)),
	rows("pagerule/update", "zone.pagerule.update", medium, dash, low, change(`{"actions":[{"id":"cache_level"}]}`, `{"actions":[{"id":"host_header_override","value":"a.example"}]}`)),
	rows(rulesetUpdated, "zone.ruleset.redirect.update", medium, dash, dash, `"metadata":{"kind":"zone","phase":"http_request_dynamic_redirect","zone_name":"example.com"}`),
	rows(rulesetUpdated, "zone.ruleset.origin.update", medium, dash, dash, `"metadata":{"kind":"zone","phase":"http_request_origin","zone_name":"example.com"}`),
	rows(rulesetUpdated, "zone.ruleset.config.update", medium, dash, low, `"metadata":{"kind":"zone","phase":"http_config_settings","zone_name":"example.com"}`,
		change(`{"rules":[{"id":"1","action_parameters":{"bic":true}}]}`, `{"rules":[{"id":"1","action_parameters":{"bic":false}}]}`)),
	// A rule that lets through is gone; but not where another one is, or changed.
	rows("?firewallrules/delete", "zone.firewall.rule.delete", low, dash, dash, inZone, before(`{"action":"allow"}`)),
	rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, dash, inFirewall, change(`{"rules":[{"id":"1","action":"skip"},{"id":"2","action":"x"}]}`, `{"rules":[]}`)),
	rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, dash, inFirewall, change(`{"rules":[{"id":"2","action":"x"},{"id":"1","action":"skip"}]}`, `{"rules":[]}`)),
	rows(rulesetUpdated, "zone.firewall.rule.delete", medium, low, dash, inFirewall, change(`{"rules":[{"id":"1","action":"skip"},{"id":"2","action":"block"}]}`, `{"rules":[{"id":"2","action":"log"}]}`)),
	rows("?script/secret_put; ?script/secret_create; ?script/delete_secret", "worker.script.settings.update", low, dash, dash),
	rows("?snippet/update; ?zaraz/update; ?pages.deployment/create; ?pages.domain/create", "", medium, dash, dash),
	rows("?d1.database/export", "d1.database.export", medium, dash, dash),
	rows("?kv.namespace/delete; ?secrets_store/delete; ?pages.project/delete", "", medium, dash, dash),
	rows("?cfd_tunnel/token_view", "tunnel.token.view", medium, dash, dash),
	rows("?tunnel/update_configuration; ?tunnel/delete; ?teamnet.route/create", "", medium, dash, dash),
	rows("?log_retention/update", "", high, dash, low, change(`{"flag":true}`, `{"flag":false}`)),
	rows("?notification.policy/update", "notification.disable", medium, dash, low, change(`{"name":"n","enabled":true}`, `{"name":"n","enabled":false}`)),
	rows("?email_routing.rule/create; ?email.routing.rule/update; ?email_routing/disable; ?email_security.allow_policy/create", "", medium, dash, dash),
	rows("?load_balancer.pool/update; ?load_balancer/delete", "", medium, dash, dash),
	rows("?turnstile.widget/delete; ?turnstile.widget/rotate_secret; ?page_shield/disable; ?api_shield/disable; ?api_gateway.schema/delete; ?subscription/delete", "", medium, dash, dash),
	rows("?bot_management/update", "bot_management.update", medium, dash, low, change(`{"sbfm_definitely_automated":"block"}`, `{"sbfm_definitely_automated":"allow"}`)),
	rows("?origin_tls_client_auth/update", "", medium, dash, low, change(`{"enabled":true}`, `{"enabled":false}`)),
	rows("?gateway.logging/update; ?device.policy/update; ?devices.posture_rule/delete; ?dlp.profile/delete", "", medium, dash, dash),
	rows("?magic.route/delete; ?bgp_prefix/update; ?pcap/create", "", medium, dash, dash),

	// What no rule knows goes by its verb.
	rows("?spectrum.app/created", "spectrum.app.create", low, dash, dash),
	rows("?spectrum.app/deleted", "spectrum.app.delete", low, dash, dash),
	rows("?spectrum.app/disabled", "spectrum.app.disable", medium, dash, dash),
	rows("?spectrum.app/frobnicated", "spectrum.app.frobnicated", low, dash, dash),
)

// Each pair is graded right in any case, outside production, as an attempt that
// failed, and the other way round.
func TestTaxonomy_EveryPairIsNamedAndGraded(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout"}, DropRoutine: true})
	check := func(raw, name string, want ingest.Severity) {
		t.Helper()
		v, f := grade(t, c, raw)
		if name != "" {
			assert.Equal(t, name, f.name, "%s", raw)
		}
		got := v.Severity
		if v.Drop {
			got = drop
		}
		assert.Equal(t, want, got, "%s by rule %s", raw, v.Rule)
		assert.NotContains(t, []string{"unreadable", "none"}, v.Rule)
	}
	swapValues := strings.NewReplacer(`"oldValueJson":`, `"newValueJson":`, `"newValueJson":`, `"oldValueJson":`)
	swapSetting := strings.NewReplacer(`"old_value":`, `"value":`, `"value":`, `"old_value":`)
	for _, p := range taxonomy {
		for _, spell := range []func(string) string{strings.Clone, strings.ToUpper, strings.ToLower} {
			check(logged(spell(p.resource), spell(p.action), p.more...), p.want, p.severity)
		}
		raw := logged(p.resource, p.action, p.more...)
		staging := strings.ReplaceAll(raw, "example.com", "staging.example.net")
		check(staging, p.want, ingest.Severity(or(string(p.elsewhere), string(p.severity))))
		if failed := strings.Replace(raw, `"result":true`, `"result":false`, 1); failed != raw && p.want != "account.login" {
			check(failed, p.want, lowered(p.severity))
		}
		if p.swapped != dash {
			assert.Contains(t, []ingest.Severity{low, info}, p.swapped)
			swapped := swapValues.Replace(raw)
			if swapped == raw {
				swapped = swapSetting.Replace(raw)
			}
			assert.NotEqual(t, raw, swapped)
			check(swapped, "", p.swapped)
		}
	}
}

// Every pair that the code knows by name is in the table.
func TestTaxonomy_IsComplete(t *testing.T) {
	t.Parallel()
	inTable := make(map[string]bool)
	for _, p := range taxonomy {
		inTable[string(squashPair(nil, p.resource, p.action))] = true
		inTable[string(squashPair(nil, "", p.action))] = true
	}
	for _, p := range pairs {
		key := squashPair(nil, strings.TrimPrefix(p.resource, "*"), p.action)
		assert.True(t, inTable[string(key)], "the pair %s %s has no test", p.resource, p.action)
	}
}

// What nobody has published may be spelled in many ways.
func TestTaxonomy_EverySpellingOfAWeakening(t *testing.T) {
	t.Parallel()
	c := classify(t, classifierConfig{ProductionZones: []string{"example.com"}})
	check := func(resource, action, want string, severity ingest.Severity) {
		t.Helper()
		raw := logged(resource, action, inZone)
		v, f := grade(t, c, raw)
		assert.Equal(t, want, f.name, raw)
		assert.Equal(t, severity, v.Severity, raw)
	}
	for _, factor := range strings.Fields("mfa MFA tfa 2fa two_factor twofactor totp webauthn security_key securitykey backup_code backup_codes") {
		for _, off := range strings.Fields("disable disabled remove removed delete deleted revoke revoked off unenroll unenrolled reset") {
			check("user", factor+"_"+off, "account.2fa.disable", high)
			check("user", off+"_"+factor, "account.2fa.disable", high)
			check("user."+factor, off, "account.2fa.disable", high)
		}
		for _, on := range strings.Fields("enable enabled add added create") {
			check("user", factor+"_"+on, "account.2fa.enable", info)
		}
	}
	for _, resource := range strings.Fields("firewallrules firewallrule firewall.rule filter filters ratelimit uarules zonelockdown wafrule wafrules ruleset rulesets rulesets.rule access_rule access_rules") {
		for _, verb := range strings.Fields("del delete deleted remove removed") {
			check(resource, verb, "zone.firewall.rule.delete", medium)
		}
	}
}
