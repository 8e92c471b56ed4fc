package cloudflareaudit

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// routeCase is a request, with what it has to be called and how it is graded in a
// zone in production.
type routeCase struct {
	method, path string
	want         string
	severity     ingest.Severity
	more         []string
}

// calls makes cases of a list such as "POST /a; PUT /a/1". {a} and {z} stand for
// the account and the zone, and 1 for an id.
func calls(list, want string, severity ingest.Severity, more ...string) []routeCase {
	var cases []routeCase
	for request := range strings.SplitSeq(list, "; ") {
		method, path, _ := strings.Cut(request, " ")
		path = strings.NewReplacer("{a}", "/accounts/"+account, "{z}", "/zones/"+zone, "/1", "/372e67954025e0ba6aaa6d586b9e0b59").Replace(path)
		cases = append(cases, routeCase{method, path, want, severity, more})
	}
	return cases
}

var routeCases = func() []routeCase {
	var all []routeCase
	add := func(list, want string, severity ingest.Severity, more ...string) {
		all = append(all, calls(list, want, severity, more...)...)
	}
	broad := body(`{"name":"ci","policies":[{"effect":"allow","resources":{"com.cloudflare.api.account.*":"*"},"permission_groups":[{"id":"p"}]}]}`)
	narrow := body(`{"name":"ci","policies":[{"effect":"allow","resources":{"com.cloudflare.api.account.zone.` + zone + `":"*"},"permission_groups":[{"id":"p","name":"DNS Read"}]}]}`)

	// Users and the account.
	add("POST /user/two_factor_authentication", "account.2fa.enable", info)
	add("DELETE /user/two_factor_authentication; DELETE /user/mfa/1; DELETE /user/webauthn/1; DELETE /user/2fa; DELETE /user/security_keys/1", "account.2fa.disable", high)
	add("PUT /user/two_factor_authentication; PATCH /user/two_factor_authentication", "account.2fa.update", medium)
	add("PATCH /user; PUT /user", "user.update", medium)
	add("PATCH /user", "account.email.change", high, body(`{"email":"mallory@example.net"}`))
	add("PUT {a}; PATCH {a}", "account.update", low, body(`{"name":"x"}`))
	add("PUT {a}", "account.2fa.disable", high, body(`{"name":"x","settings":{"enforce_twofactor":false}}`))
	add("PUT {a}", "account.2fa.enforce", medium, body(`{"name":"x","settings":{"enforce_twofactor":true}}`))
	add("POST /accounts", "account.create", low)
	add("DELETE {a}", "account.delete", high)
	add("GET /accounts; GET {a}", "account.view", drop)
	add("GET /user", "user.view", drop)
	add("GET /user/two_factor_authentication", "account.2fa.view", drop)
	add("HEAD {z}", "zone.view", drop)
	add("GET {a}/audit_logs; GET {a}/logs/audit?since=2026-05-12", "audit_log.view", drop)

	// Members and groups.
	add("POST {a}/members", "member.add", high, body(`{"email":"dave@example.org","roles":["33666b9c79b9a5273fc7344ff42f953d"]}`))
	add("POST {a}/members", "member.add", medium, body(`{"email":"dave@example.org","roles":["6dd5d1a549b2b620dc4d9ff97375077b"]}`),
		answer(`{"user":{"email":"dave@example.org"},"roles":[{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}]}`))
	add("POST {a}/members; POST {a}/scim/v2/Users", "member.add", high)
	add("PUT {a}/members/1; PATCH {a}/members/1", "member.update", high, body(`{"roles":[`+superRole+`]}`))
	add("PUT {a}/members/1", "member.update", medium, body(`{"roles":[`+readerRole+`]}`))
	add("PUT {a}/scim/v2/Users/1; PATCH {a}/scim/v2/Users/1; PUT {a}/scim/v2/Groups/1; PATCH {a}/scim/v2/Groups/1", "member.update", high)
	add("PATCH {a}/scim/v2/Groups/1", "member.update", high, body(`{"Operations":[{"op":"add","path":"members","value":[{"value":"x"}]}]}`))
	add("PUT {a}/scim/v2/Groups/1", "member.update", high, body(`{"displayName":"operators","members":[{"value":"x"}]}`))
	add("DELETE {a}/members/1; DELETE {a}/scim/v2/Users/1", "member.remove", medium)
	add("GET {a}/members; GET {a}/members/1", "member.view", drop)
	add("PATCH /user/invites/1; PUT /user/invites/1; PUT /memberships/1; PATCH /memberships/1", "member.invitation.accept", low)
	add("DELETE /memberships/1", "member.leave", low)
	add("POST {a}/iam/user_groups; POST {a}/iam/resource_groups; POST {a}/scim/v2/Groups", "user_group.create", medium)
	add("PUT {a}/iam/user_groups/1; PATCH {a}/iam/resource_groups/1; POST {a}/iam/user_groups/1/members; PUT {a}/iam/user_groups/1/members; "+
		"DELETE {a}/iam/user_groups/1/members/1", "user_group.update", medium)
	add("DELETE {a}/iam/user_groups/1; DELETE {a}/iam/resource_groups/1; DELETE {a}/scim/v2/Groups/1", "user_group.delete", medium)

	// Credentials.
	for _, of := range []string{"/user", "{a}"} {
		add("POST "+of+"/tokens", "api_token.create", high)
		add("POST "+of+"/tokens", "api_token.create", high, broad)
		add("POST "+of+"/tokens", "api_token.create", medium, narrow)
		add("PUT "+of+"/tokens/1; PATCH "+of+"/tokens/1", "api_token.update", high, broad)
		add("PUT "+of+"/tokens/1", "api_token.update", low, narrow)
		add("PUT "+of+"/tokens/1/value", "api_token.roll", high)
		add("DELETE "+of+"/tokens/1", "api_token.revoke", low)
		add("GET "+of+"/tokens; GET "+of+"/tokens/1", "api_token.view", low)
		add("GET "+of+"/tokens/verify", "api_token.verification.view", drop)
		add("GET "+of+"/tokens/permission_groups", "api_token.permission_group.view", drop)
	}
	add("GET /user/api_key; POST /user/api_key", "api_key.view", high)
	add("PUT /user/api_key", "api_key.rotate", high)

	// Zones.
	add("POST /zones", "zone.create", low, body(`{"name":"example.com"}`))
	add("PATCH {z}", "zone.update", low)
	add("PATCH {z}", "zone.pause", medium, body(`{"paused":true}`))
	add("DELETE {z}; DELETE {z}/?force=1", "zone.delete", high)
	add("GET /zones; GET {z}", "zone.view", drop)
	add("POST {z}/purge_cache", "zone.cache.purge", low)
	add("PATCH {z}/settings/ssl; PUT {z}/settings/ssl", "zone.settings.update", medium, body(`{"value":"off"}`))
	add("PATCH {z}/settings/brotli", "zone.settings.update", low, body(`{"value":"off"}`))
	add("PATCH {z}/settings/waf", "waf_rule.disable", high, body(`{"value":"off"}`))
	add("PATCH {z}/settings; PUT {z}/settings", "zone.settings.update", medium, body(`{"items":[{"id":"ipv6","value":"on"},{"id":"ssl","value":"off"}]}`))
	add("GET {z}/settings; GET {z}/settings/ssl", "zone.settings.read", drop)
	add("PATCH {z}/custom_certificates/1; PATCH {z}/custom_hostnames/1", "zone.certificate.update", low)
	add("POST {z}/custom_certificates; POST {z}/ssl/certificate_packs/order", "zone.certificate.create", low)
	add("DELETE {z}/ssl/certificate_packs/1", "zone.certificate.delete", low)
	add("PATCH {z}/dnssec", "zone.dnssec.disable", medium, body(`{"status":"disabled"}`))
	add("PATCH {z}/dnssec; PUT {z}/dnssec", "zone.dnssec.enable", low, body(`{"status":"active"}`))
	add("DELETE {z}/dnssec", "zone.dnssec.disable", medium)
	add("GET {z}/dnssec", "zone.dnssec.view", drop)
	add("POST {z}/hold", "zone.hold.create", low)
	add("PATCH {z}/hold", "zone.hold.update", low)
	add("DELETE {z}/hold", "zone.hold.remove", medium)
	add("GET {z}/hold", "zone.hold.view", drop)
	add("POST {z}/pagerules", "zone.pagerule.create", medium, body(`{"actions":[{"id":"forwarding_url"}],"targets":[{"constraint":{"value":"example.com/*"}}]}`))
	add("PUT {z}/pagerules/1; PATCH {z}/pagerules/1", "zone.pagerule.update", low)
	add("DELETE {z}/pagerules/1", "zone.pagerule.delete", low)
	add("PUT {a}/registrar/domains/example.com", "registrar.domain.update", medium)
	add("PATCH {a}/registrar/domains/example.com", "registrar.domain.unlock", high, body(`{"locked":false}`))

	// DNS records.
	add("POST {z}/dns_records; POST {z}/dns_records/import; POST {z}/dns_records/scan", "dns.record.create", low)
	add("PUT {z}/dns_records/1; PATCH {z}/dns_records/1", "dns.record.update", medium, body(`{"content":"203.0.113.66"}`))
	add("PATCH {z}/dns_records/1", "dns.record.update", medium, body(`{"type":"A","content":"203.0.113.66"}`))
	add("PATCH {z}/dns_records/1", "dns.record.update", low, body(`{"ttl":60}`))
	add("DELETE {z}/dns_records/1; DELETE /client/v4{z}/dns_records/1?_=1", "dns.record.delete", medium)
	add("POST {z}/dns_records/batch", "dns.record.delete", medium, body(`{"deletes":[{"id":"1"}]}`))
	add("POST {z}/dns_records/batch", "dns.record.create", low, body(`{"posts":[{"type":"A"}]}`))
	add("GET {z}/dns_records; GET {z}/dns_records/1", "dns.record.view", drop)
	add("GET {z}/dns_records/export", "dns.record.export", low)

	// Firewall.
	for _, of := range []string{"{z}/firewall/rules", "{z}/filters", "{z}/firewall/access_rules/rules",
		"{z}/firewall/ua_rules", "{z}/firewall/lockdowns", "{z}/firewall/waf/overrides", "{z}/rate_limits"} {
		add("POST "+of, "zone.firewall.rule.create", medium)
		add("PUT "+of+"/1; PATCH "+of+"/1", "zone.firewall.rule.update", medium)
		add("DELETE "+of+"/1; DELETE "+of, "zone.firewall.rule.delete", medium)
		add("GET "+of, "zone.firewall.rule.view", drop)
	}
	add("PATCH {z}/firewall/waf/packages/1/groups/1; PATCH {z}/firewall/waf/packages/1/rules/1; PATCH {z}/firewall/waf/packages/1", "waf_rule.disable", high, body(`{"mode":"off"}`))
	add("GET {z}/firewall/waf/packages", "zone.firewall.rule.view", drop)
	add("PUT {z}/rulesets/phases/http_request_firewall_custom/entrypoint; PUT {z}/rulesets/phases/http_ratelimit/entrypoint; PUT {z}/rulesets/phases/ddos_l7/entrypoint; "+
		"PUT {z}/rulesets/phases/http_request_firewall_managed/entrypoint; PUT {z}/rulesets/1", "zone.firewall.rule.update", medium, body(`{"rules":[]}`))
	add("PUT {a}/rulesets/phases/http_request_firewall_custom/entrypoint", "zone.firewall.rule.update", medium, body(`{"rules":[]}`))
	add("PUT {z}/rulesets/phases/http_request_transform/entrypoint", "zone.ruleset.update", low, body(`{"rules":[]}`))
	add("GET {z}/rulesets/phases/http_ratelimit/entrypoint; GET {a}/rulesets", "zone.firewall.rule.view", drop)
	add("POST {z}/rulesets/1/rules", "zone.firewall.rule.create", low, body(`{"action":"block"}`))
	add("POST {z}/rulesets/1/rules", "zone.firewall.rule.create", medium, body(`{"action":"skip"}`))
	add("POST {a}/rulesets/1/rules", "zone.firewall.rule.create", high, body(`{"action":"skip"}`))
	add("PATCH {z}/rulesets/1/rules/1; PUT {z}/rulesets/1/rules/1", "firewall_rule.disable", high, body(`{"enabled":false}`))
	add("DELETE {z}/rulesets/1/rules/1; DELETE {z}/rulesets/1", "zone.firewall.rule.delete", medium)
	add("DELETE {a}/rulesets/1/rules/1; DELETE {a}/rulesets/1; DELETE {a}/firewall/access_rules/rules/1; DELETE /user/firewall/access_rules/rules/1", "zone.firewall.rule.delete", high)

	// Workers.
	for _, of := range []string{"{z}/workers/routes", "{z}/workers/filters"} {
		add("POST "+of, "worker.route.create", medium, body(`{"pattern":"example.com/*","script":"proxy"}`))
		add("POST "+of, "worker.route.create", low, body(`{"pattern":"example.com/*","script":"checkout"}`))
		add("PUT "+of+"/1", "worker.route.update", medium, body(`{"pattern":"example.com/*","script":"proxy"}`))
		add("DELETE "+of+"/1", "worker.route.delete", low)
	}
	add("PUT {a}/workers/domains", "worker.domain.update", medium, body(`{"hostname":"example.com","service":"proxy"}`))
	add("DELETE {a}/workers/domains/1", "worker.domain.delete", low)
	add("PUT {a}/workers/scripts/proxy; PUT {a}/workers/scripts/proxy/content; POST {a}/workers/scripts/proxy/versions", "worker.script.update", medium)
	add("POST {a}/workers/scripts/proxy/deployments", "worker.script.deploy", medium)
	add("DELETE {a}/workers/scripts/proxy", "worker.script.delete", low)
	add("GET {a}/workers/scripts; GET {a}/workers/scripts/proxy", "worker.script.view", drop)
	add("PATCH {a}/workers/scripts/proxy/settings; PATCH {a}/workers/scripts/proxy/script-settings; PUT {a}/workers/scripts/proxy/secrets; "+
		"DELETE {a}/workers/scripts/proxy/secrets/DB", "worker.script.settings.update", low)
	add("PUT {a}/workers/scripts/proxy/schedules", "worker.script.schedule", low)
	add("POST {a}/workers/scripts/proxy/subdomain", "worker.script.expose", medium)

	// Zero Trust.
	for _, of := range []string{"{a}/access", "{z}/access"} {
		add("POST "+of+"/apps/1/policies; POST "+of+"/policies", "access_policy.create", critical, body(`{"name":"all","decision":"bypass"}`))
		add("PUT "+of+"/apps/1/policies/1", "access_policy.update", critical, body(`{"name":"all","decision":"bypass"}`))
		add("DELETE "+of+"/policies/1", "access_policy.delete", high)
		add("POST "+of+"/apps", "access_app.create", low)
		add("DELETE "+of+"/apps/1", "access_app.delete", high)
		add("PUT "+of+"/groups/1", "access_group.update", medium)
		add("POST "+of+"/identity_providers", "identity_provider.create", high)
		add("DELETE "+of+"/identity_providers/1", "identity_provider.delete", high)
		add("POST "+of+"/service_tokens", "access_service_token.create", medium)
		add("POST "+of+"/service_tokens/1/rotate", "access_service_token.roll", medium)
		add("POST "+of+"/service_tokens/1/refresh", "access_service_token.update", medium)
		add("GET "+of+"/service_tokens", "access_service_token.view", low)
	}
	add("POST {a}/gateway/rules", "gateway.rule.create", medium)
	add("POST {a}/gateway/locations", "gateway.location.create", low)
	add("PUT {a}/gateway/configuration; PATCH {a}/gateway/configuration", "gateway.config.update", medium)
	add("POST {a}/cfd_tunnel", "tunnel.create", medium, body(`{"name":"office"}`))
	add("GET {a}/cfd_tunnel/1/token", "tunnel.token.view", medium)
	add("GET {a}/cfd_tunnel/1", "tunnel.view", drop)

	// Log delivery, notifications, storage and the rest.
	add("POST {a}/logpush/jobs", "logpush.job.create", medium)
	add("PUT {z}/logpush/jobs/1", "logpush.job.disable", high, body(`{"enabled":false}`))
	add("PUT {a}/logpush/jobs/1", "logpush.job.update", high, body(`{"destination_conf":"s3://logs.example.net"}`))
	add("DELETE {a}/logpush/jobs/1; DELETE {z}/logpush/jobs/1", "logpush.job.delete", high)
	add("DELETE {a}/alerting/v3/policies/1", "notification.delete", medium)
	add("DELETE {a}/alerting/v3/destinations/webhooks/1; DELETE {a}/alerting/v3/destinations/pagerduty", "notification.destination.delete", medium)
	add("POST {a}/alerting/v3/silences", "notification.silence.create", medium, body(`[{"policy_id":"1"}]`))
	add("PUT {a}/alerting/v3/destinations/webhooks/1", "notification.destination.update", medium, body(`{"name":"pager","url":"https://siem.example.com/x"}`))
	add("POST {a}/alerting/v3/destinations/webhooks", "notification.destination.create", low, body(`{"name":"pager","url":"https://siem.example.com/x"}`))
	add("PUT {a}/r2/buckets/exports/domains/managed", "r2.bucket.visibility.change", high, body(`{"enabled":true}`))
	add("PUT {a}/r2/buckets/exports/domains/managed", "r2.bucket.visibility.change", low, body(`{"enabled":false}`))
	add("POST {a}/r2/buckets/exports/domains/custom", "r2.bucket.domain.add", medium)
	add("DELETE {a}/r2/buckets/exports/domains/custom/files.example.com", "r2.bucket.domain.remove", medium)
	add("PUT {a}/r2/buckets/exports/cors", "r2.bucket.cors.update", medium)
	add("DELETE {a}/r2/buckets/exports/cors", "r2.bucket.cors.delete", medium)
	add("PUT {a}/r2/buckets/exports/lifecycle", "r2.bucket.lifecycle.update", medium)
	add("DELETE {a}/r2/buckets/exports/lifecycle", "r2.bucket.lifecycle.delete", medium)
	add("PUT {a}/r2/buckets/exports/encryption", "r2.bucket.encryption.update", medium)
	add("DELETE {a}/r2/buckets/exports/encryption", "r2.bucket.encryption.delete", medium)
	add("POST {a}/r2/buckets", "r2.bucket.create", medium, body(`{"name":"exports"}`))
	add("DELETE {a}/r2/buckets/exports", "r2.bucket.delete", medium)
	add("POST {a}/d1/database", "d1.database.create", low)
	add("POST {a}/d1/database/1/time_travel/restore", "d1.database.restore", medium)
	add("DELETE {a}/d1/database/1", "d1.database.delete", medium)
	add("POST {a}/ai-gateway/gateways", "ai_gateway.gateway.create", low)
	add("PUT {a}/queues/1/consumers/1; PATCH {a}/queues/1/consumers/1", "queue.consumer.update", low)

	// What somebody does who takes an account over, stays in it, hides in it or
	// destroys it.
	add("POST {a}/move", "account.move", high)
	add("POST {a}/sso_connectors", "sso_connector.create", high, body(`{"email_domain":"example.com"}`))
	add("PATCH {a}/sso_connectors/1", "sso_connector.disable", high, body(`{"enabled":false}`))
	add("POST {a}/access/apps", "access_app.create", critical, body(`{"name":"x","policies":[{"decision":"bypass"}]}`))
	add("PUT {a}/access/apps/1", "access_app.update", medium, body(`{"name":"x","policies":[{"decision":"bypass"}]}`))
	add("POST {a}/access/policies", "access_policy.create", medium, body(`{"name":"all","decision":"allow","include":[{"everyone":{}}]}`))
	add("POST {a}/access/policies", "access_policy.create", low, body(`{"name":"all","decision":"allow","include":[{"email":{"email":"carol@example.com"}}]}`))
	add("PUT {a}/access/organizations; PATCH {z}/access/organizations", "access_organization.update", medium)
	add("POST {a}/access/organizations/revoke_user", "access_user.revoke", low)
	add("POST {a}/access/certificates", "access_certificate.create", medium)
	add("POST {a}/access/apps/1/ca", "access_app.ca.create", low)
	add("DELETE {a}/access/apps/1/ca", "access_app.ca.delete", low)
	add("POST {a}/access/apps/1/revoke_tokens", "access_app.sessions.revoke", low)
	add("POST {a}/access/keys/rotate", "access.keys.rotate", low)
	add("PUT {z}/hostnames/settings/min_tls_version/a.example.com; PATCH {z}/hostnames/settings/min_tls_version/a.example.com", "zone.settings.update", medium, body(`{"value":"1.0"}`))
	add("PATCH {z}/ssl/universal/settings", "zone.settings.update", medium, body(`{"enabled":false}`))
	add("PATCH {z}/settings/security_level", "zone.settings.update", medium, body(`{"value":"essentially_off"}`))
	add("PATCH {z}/settings/ssl; PATCH {z}/settings/ssl", "zone.settings.update", low, body(`{"value":"strict"}`))
	add("PATCH {z}/settings/ciphers", "zone.settings.update", medium, body(`{"value":["AES128-SHA"]}`))
	add("PATCH {z}", "zone.unpause", low, body(`{"paused":false}`))
	add("PATCH {z}", "zone.update", medium, body(`{"vanity_name_servers":["ns1.example.net"]}`))
	add("PATCH {z}/hold", "zone.hold.remove", medium, body(`{"hold_after":"2027-01-31T15:56:36Z"}`))
	add("PUT {z}/custom_hostnames/fallback_origin", "zone.fallback_origin.update", medium, body(`{"origin":"o.example.net"}`))
	add("DELETE {z}/custom_hostnames/fallback_origin", "zone.fallback_origin.delete", medium)
	add("GET {a}/registrar/domains/example.com/auth_code; POST {a}/registrar/domains/example.com/auth_code", "registrar.auth_code.view", high)
	add("POST {a}/registrar/domains/example.com/transfer_out; PUT {a}/registrar/domains/example.com/transfer_out", "zone.transfer_out", high)
	add("PUT {z}/load_balancers/1", "load_balancer.update", medium)
	add("DELETE {z}/load_balancers/1", "load_balancer.delete", medium)
	add("PATCH {a}/load_balancers/pools/1", "load_balancer.pool.update", medium, body(`{"origins":[{"address":"203.0.113.66"}]}`))
	add("POST {a}/load_balancers/monitors", "load_balancer.monitor.create", low)
	add("PUT {z}/cloud_connector/rules", "cloud_connector.rule.update", medium)
	add("PUT {z}/email/routing/rules/catch_all; PUT {z}/email/routing/rules/1", "email_routing.update", medium, body(`{"enabled":true}`))
	add("POST {z}/email/routing/rules; POST {a}/email/routing/addresses", "email_routing.create", medium)
	add("PATCH {a}/gateway/lists/1", "gateway.list.update", low)
	add("POST {z}/email/routing/disable", "email_routing.disable", medium)
	add("PUT {z}/snippets/snippet_rules", "snippet.rule.update", medium)
	add("PUT {z}/snippets/a", "snippet.update", medium)
	add("DELETE {z}/snippets/a", "snippet.delete", low)
	add("PUT {z}/dns_settings; PATCH {a}/dns_settings", "dns_settings.update", medium)
	add("POST {z}/leaked-credential-checks", "leaked_credential_checks.disable", medium, body(`{"enabled":false}`))
	add("POST {z}/leaked-credential-checks", "leaked_credential_checks.update", low, body(`{"enabled":true}`))
	add("POST {a}/custom_ns", "custom_ns.create", medium)
	add("PUT {z}/custom_ns", "custom_ns.update", medium)
	add("POST {z}/secondary_dns/outgoing/enable", "secondary_dns.enable", medium)
	add("POST {z}/secondary_dns/outgoing/disable", "secondary_dns.disable", medium)
	add("PUT {z}/rulesets/phases/http_request_dynamic_redirect/entrypoint", "zone.ruleset.redirect.update", medium, body(`{"rules":[]}`))
	add("PUT {z}/rulesets/phases/http_config_settings/entrypoint", "zone.ruleset.config.update", medium, body(`{"rules":[{"action_parameters":{"security_level":"off"}}]}`))
	add("PUT {z}/rulesets/phases/http_config_settings/entrypoint", "zone.ruleset.config.update", low, body(`{"rules":[{"action_parameters":{"polish":"off"}}]}`))
	add("PATCH {a}/workers/scripts/proxy/secrets-bulk", "worker.script.settings.update", low)
	add("DELETE {a}/workers/scripts/proxy/subdomain", "worker.script.subdomain.disable", low)
	add("POST {a}/workers/scripts/proxy/subdomain", "worker.script.subdomain.disable", low, body(`{"enabled":false}`))
	add("POST {a}/workers/scripts/proxy/tails", "worker.script.tail.create", low)
	add("DELETE {a}/workers/scripts/proxy/tails/1", "worker.script.tail.delete", low)
	add("POST {a}/workers/scripts/proxy/assets-upload-session", "worker.script.upload.create", low)
	for _, of := range []string{"{a}/workers/services/proxy/environments/production", "{a}/workers/dispatch/namespaces/n/scripts/proxy"} {
		add("PUT "+of+"/content", "worker.script.update", medium)
	}
	add("PATCH {a}/workers/services/proxy/environments/production/settings; PUT {a}/workers/dispatch/namespaces/n/scripts/proxy/secrets", "worker.script.settings.update", low)
	add("PUT {a}/workers/dispatch/namespaces/n/scripts/proxy; POST {a}/workers/workers/1/versions", "worker.script.update", medium)
	add("DELETE {a}/workers/dispatch/namespaces/n/scripts/proxy; DELETE {a}/workers/workers/1", "worker.script.delete", low)
	add("POST {a}/pages/projects/site/deployments", "pages.deployment.create", medium)
	add("POST {a}/pages/projects/site/deployments/1/rollback", "pages.deployment.rollback", medium)
	add("POST {a}/pages/projects/site/domains", "pages.domain.add", medium)
	add("DELETE {a}/pages/projects/site/domains/login.example.com", "pages.domain.remove", low)
	add("DELETE {a}/pages/projects/site", "pages.project.delete", medium)
	add("GET {a}/warp_connector/1/token", "tunnel.token.view", medium)
	add("POST {a}/warp_connector", "tunnel.create", medium)
	add("PUT {a}/cfd_tunnel/1/configurations", "tunnel.config.update", medium)
	add("DELETE {a}/cfd_tunnel/1/connections", "tunnel.connection.delete", low)
	add("POST {a}/cfd_tunnel/1/management", "tunnel.management_token.create", low)
	add("DELETE {a}/cfd_tunnel/1", "tunnel.delete", medium)
	add("POST {a}/teamnet/routes", "tunnel.route.create", medium, body(`{"network":"10.0.0.0/8"}`))
	add("POST {a}/magic/ipsec_tunnels/1/psk_generate", "tunnel.secret.roll", medium)
	add("GET {a}/devices/1/override_codes; GET {a}/devices/registrations/1/override_codes", "device.override_code.view", medium)
	add("PATCH {a}/devices/policy; PUT {a}/devices/policy/exclude", "device.policy.update", medium)
	add("POST {a}/devices/revoke", "devices.revoke", low)
	add("POST {a}/challenges/widgets/1/rotate_secret", "turnstile.widget.roll", medium)
	add("POST {a}/logpush/ownership", "logpush.destination.challenge", low)
	add("POST {a}/logpush/ownership/validate; POST {z}/logpush/validate/destination", "logpush.destination.validate", low)
	add("POST {z}/logs/control/retention/flag", "log_retention.update", high, body(`{"flag":false}`))
	add("PUT {a}/alerting/v3/policies/1", "notification.disable", medium, body(`{"enabled":false}`))
	add("PUT {a}/r2/buckets/exports/domains/custom/files.example.com", "r2.bucket.domain.update", medium)
	add("PUT {a}/r2/buckets/exports/lock", "r2.bucket.lock.update", medium)
	add("PUT {a}/r2/buckets/exports/sippy", "r2.bucket.migration.update", medium)
	add("DELETE {a}/r2/buckets/exports/sippy", "r2.bucket.migration.delete", medium)
	add("PUT {a}/r2/buckets/exports/objects/x", "r2.object.update", low)
	add("DELETE {a}/r2/buckets/exports/objects/x", "r2.object.delete", low)
	add("POST {a}/r2/temp-access-credentials", "r2.credential.create", medium)
	add("DELETE {a}/storage/kv/namespaces/1", "kv.namespace.delete", medium)
	add("PUT {a}/storage/kv/namespaces/1/values/x", "kv.value.update", low)
	add("DELETE {a}/storage/kv/namespaces/1/values/x", "kv.value.delete", low)
	add("GET {a}/storage/kv/namespaces/1/values/x", "kv.value.view", drop)
	add("POST {a}/d1/database/1/query; POST {a}/d1/database/1/raw", "d1.database.query", low)
	add("POST {a}/d1/database/1/export", "d1.database.export", medium)
	add("POST {a}/d1/database/1/import", "d1.database.import", low)
	add("PUT {z}/token_validation/config/1/credentials", "api_shield.update", low)
	add("PATCH {a}/addressing/prefixes/1/bgp/status", "address_prefix.update", medium, body(`{"advertised":false}`))
	return all
}()

// Each request is called and graded right, with and without the prefix of the
// API, and as an attempt that failed.
func TestRoutes_EveryRequestIsNamedAndGraded(t *testing.T) {
	t.Parallel()
	n := normalizer(t, classifierConfig{ProductionZones: []string{"example.com"}, VerifiedWorkers: []string{"checkout"}, DropRoutine: true})
	check := func(raw, want string, severity ingest.Severity) ingest.Event {
		t.Helper()
		got, v := n.Normalize([]byte(raw))
		assert.Equal(t, want, got.Action, raw)
		is := v.Severity
		if v.Drop {
			is = drop
		}
		assert.Equal(t, severity, is, "%s by rule %s", raw, v.Rule)
		return got
	}
	for _, c := range routeCases {
		raw := requested(c.method, c.path, c.more...)
		got := check(raw, c.want, c.severity)
		if strings.Contains(c.path, "/zones/") {
			assert.Equal(t, zone, got.Audit.ZoneID)
		}
		check(requested(strings.ToLower(c.method), "/client/v4"+strings.TrimPrefix(c.path, "/client/v4"), c.more...), c.want, c.severity)
		failed := lowered(c.severity)
		if c.severity == drop {
			failed = info
		}
		check(strings.Replace(raw, `"success"`, `"failure"`, 1), c.want+failedSuffix, failed)
	}
}

// Every row of the table decides a case.
func TestRoutes_EveryRowIsTried(t *testing.T) {
	t.Parallel()
	tried := make(map[string]bool)
	for _, c := range routeCases {
		path, _, _ := strings.Cut(c.path, "?")
		parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/client/v4"), "/"), "/")
		for _, row := range routeIndex[routeKey{c.method, len(parts)}] {
			if row.fits(parts) {
				tried[c.method+" /"+strings.Join(row.parts, "/")] = true
				break
			}
		}
	}
	for _, r := range routes {
		var paths []string
		for _, scope := range scopes {
			paths = append(paths, strings.Replace(r.path, "{scope}", scope, 1))
		}
		decided := func(method string) bool {
			return slices.ContainsFunc(paths, func(path string) bool {
				// Of a collection one method is enough: the others are made alike.
				return tried[method+" "+path] || r.method == "*" && tried[method+" "+path+"/{id}"]
			})
		}
		if r.method == "*" {
			assert.True(t, slices.ContainsFunc(collection, func(c struct{ method, verb string }) bool { return decided(c.method) }), "the collection %s has no case", r.path)
			continue
		}
		for method := range strings.FieldsSeq(r.method) {
			assert.True(t, decided(method), "%s %s has no case", method, r.path)
		}
	}
}

func TestFindRoute_ReadsThePath(t *testing.T) {
	t.Parallel()
	r := findRoute("PATCH", "/zones/"+zone+"/settings/security_level/")
	assert.Equal(t, zone, r.zone)
	assert.Equal(t, []string{"setting", "security_level"}, r.more)
	assert.Equal(t, "settings", r.words)

	r = findRoute("DELETE", "/accounts/"+account+"/workers/scripts/a%2Fb")
	assert.Equal(t, "a/b", r.id)
	assert.Equal(t, account, r.account)

	for _, path := range []string{"", "/", "//", "/zones", "/zones/", "/zones//dns_records/1", strings.Repeat("/x", 100), "/%zz", "/accounts"} {
		r := findRoute("DELETE", path)
		assert.Nil(t, r.naming, path)
	}
	r = findRoute("DELETE", "/accounts/"+account+"/thing/"+strings.Repeat("1f", 16)+"/part")
	assert.Equal(t, "thing.part", r.words)
}

// requestInSDK finds the path and the method of a request in the source of
// Cloudflare's SDK, which is made from the reference of the API.
var requestInSDK = regexp.MustCompile(`path := (?:fmt\.Sprintf\()?"([^"]+)"(?s:.*?)http\.Method(\w+)`)

// beyondReference are the routes that the reference does not have.
var beyondReference = []string{
	// Derived from how the paths of their neighbours are made.
	"POST /user/two_factor_authentication", "DELETE /user/two_factor_authentication", "PUT PATCH /user/two_factor_authentication",
	"POST /accounts/{account}/scim/v2/Users", "PUT PATCH /accounts/{account}/scim/v2/Users/{id}", "DELETE /accounts/{account}/scim/v2/Users/{id}",
	"POST /accounts/{account}/scim/v2/Groups", "PUT PATCH /accounts/{account}/scim/v2/Groups/{id}", "DELETE /accounts/{account}/scim/v2/Groups/{id}",
	"GET POST /user/api_key", "PUT /user/api_key",
	"GET POST /accounts/{account}/registrar/domains/{id}/auth_code", "POST PUT /accounts/{account}/registrar/domains/{id}/transfer_out",
	"DELETE /accounts/{account}/r2/buckets/{id}/lifecycle",
	"PUT /accounts/{account}/r2/buckets/{id}/encryption", "DELETE /accounts/{account}/r2/buckets/{id}/encryption",
	// Those that newer ones have replaced.
	"PUT PATCH /zones/{zone}/settings", "GET /zones/{zone}/settings",
	"PATCH /zones/{zone}/firewall/waf/packages/{id}",
	"* /zones/{zone}/workers/filters",
	"PUT /accounts/{account}/workers/services/{id}/environments/{environment}/content",
	"PATCH /accounts/{account}/workers/services/{id}/environments/{environment}/settings",
}

func TestRoutes_AreInTheReference(t *testing.T) {
	t.Parallel()
	sdk := os.DirFS(strings.TrimSpace(runGo(t, "list", "-m", "-f", "{{.Dir}}", "github.com/cloudflare/cloudflare-go/v7")))
	known := make(map[string][][]string) // paths by method
	require.NoError(t, fs.WalkDir(sdk, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(sdk, name)
		for _, m := range requestInSDK.FindAllSubmatch(source, -1) {
			method := strings.ToUpper(string(m[2]))
			known[method] = append(known[method], strings.Split(strings.Trim(string(m[1]), "/"), "/"))
		}
		return err
	}))
	require.Greater(t, len(known["GET"]), 500)

	isKnown := func(method, path string) bool {
		paths := []string{path}
		if below, ok := strings.CutPrefix(path, "{scope}"); ok {
			paths = []string{"/accounts/{account}" + below, "/zones/{zone}" + below, "/user" + below}
		}
		return slices.ContainsFunc(paths, func(path string) bool {
			parts := strings.Split(path[1:], "/")
			return slices.ContainsFunc(known[method], func(want []string) bool {
				if len(want) > 2 && want[0] == "%s" && want[1] == "%s" && len(parts) > 2 {
					// That of accounts and of zones.
					want = append(slices.Clone(parts[:2]), want[2:]...)
				}
				return slices.EqualFunc(parts, want, func(part, want string) bool {
					return part == want || strings.HasPrefix(part, "{") && strings.HasPrefix(want, "%")
				})
			})
		})
	}
	var missing []string
	for _, r := range routes {
		methods, paths := strings.Fields(r.method), []string{r.path}
		if r.method == "*" {
			methods, paths = []string{"POST", "PUT", "PATCH", "DELETE", "GET"}, append(paths, r.path+"/{id}")
		}
		if !slices.ContainsFunc(methods, func(method string) bool {
			return slices.ContainsFunc(paths, func(path string) bool { return isKnown(method, path) })
		}) {
			missing = append(missing, r.method+" "+r.path)
		}
	}
	assert.ElementsMatch(t, beyondReference, missing)
}
