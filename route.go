package cloudflareaudit

import (
	"net/url"
	"strings"
)

// route is a path of the API and what a request to it does. Entries of Audit
// Logs v2 are named by it first: the type of their action is only the class of
// the method, so that a POST which deletes is "create".
type route struct {
	// method is one or more HTTP methods, or "*" for those of a collection:
	// POST creates, PUT and PATCH update, DELETE deletes and GET views a member
	// of it. The name of such a row lacks its verb.
	method string
	// path is what follows the prefix of the API, without the query. A part in
	// braces stands for any one part. {zone} and {account} are what they say
	// and {id} is the resource; any other name becomes a member of the metadata.
	// A path that begins with {scope} is one below /accounts/{account},
	// /zones/{zone} and /user.
	path string
	// name is the canonical action.
	name string
}

// routes are tried in their order. They are those of the reference of the API, but
// for a few that are older and some that are derived, which a test lists.
var routes = []route{
	// Users and the account. That two-factor authentication has these paths is
	// derived; others are found by their words.
	{"POST", "/user/two_factor_authentication", "account.2fa.enable"},
	{"DELETE", "/user/two_factor_authentication", "account.2fa.disable"},
	{"PUT PATCH", "/user/two_factor_authentication", "account.2fa.update"},
	{"PUT PATCH", "/user", "user.update"},
	{"GET", "/user", "user.view"},
	{"PUT PATCH", "/accounts/{account}", "account.update"},
	{"POST", "/accounts", "account.create"},
	{"POST", "/accounts/{account}/move", "account.move"},
	{"*", "/accounts/{account}/sso_connectors", "sso_connector"},
	{"DELETE", "/accounts/{account}", "account.delete"},
	{"GET", "/accounts/{account}", "account.view"},
	{"GET", "/accounts", "account.view"},
	{"GET", "/accounts/{account}/audit_logs", "audit_log.view"},
	{"GET", "/accounts/{account}/logs/audit", "audit_log.view"},

	// Members and groups.
	{"POST", "/accounts/{account}/members", "member.add"},
	{"PUT PATCH", "/accounts/{account}/members/{id}", "member.update"},
	{"DELETE", "/accounts/{account}/members/{id}", "member.remove"},
	{"GET", "/accounts/{account}/members", "member.view"},
	{"GET", "/accounts/{account}/members/{id}", "member.view"},
	{"PUT PATCH", "/user/invites/{id}", "member.invitation.accept"},
	{"PUT PATCH", "/memberships/{id}", "member.invitation.accept"},
	{"DELETE", "/memberships/{id}", "member.leave"},
	{"POST PUT", "/accounts/{account}/iam/user_groups/{id}/members", "user_group.update"},
	{"DELETE", "/accounts/{account}/iam/user_groups/{id}/members/{member}", "user_group.update"},
	{"*", "/accounts/{account}/iam/user_groups", "user_group"},
	{"*", "/accounts/{account}/iam/resource_groups", "user_group"},
	// SCIM's paths are derived.
	{"POST", "/accounts/{account}/scim/v2/Users", "member.add"},
	{"PUT PATCH", "/accounts/{account}/scim/v2/Users/{id}", "member.update"},
	{"DELETE", "/accounts/{account}/scim/v2/Users/{id}", "member.remove"},
	{"POST", "/accounts/{account}/scim/v2/Groups", "user_group.create"},
	{"PUT PATCH", "/accounts/{account}/scim/v2/Groups/{id}", "member.update"},
	{"DELETE", "/accounts/{account}/scim/v2/Groups/{id}", "user_group.delete"},

	// Credentials.
	{"PUT", "{scope}/tokens/{id}/value", "api_token.roll"},
	{"GET", "{scope}/tokens/verify", "api_token.verification.view"},
	{"GET", "{scope}/tokens/permission_groups", "api_token.permission_group.view"},
	{"POST", "{scope}/tokens", "api_token.create"},
	{"PUT PATCH", "{scope}/tokens/{id}", "api_token.update"},
	{"DELETE", "{scope}/tokens/{id}", "api_token.revoke"},
	{"GET", "{scope}/tokens", "api_token.view"},
	{"GET", "{scope}/tokens/{id}", "api_token.view"},
	// Those of the Global API key are derived.
	{"GET POST", "/user/api_key", "api_key.view"},
	{"PUT", "/user/api_key", "api_key.rotate"},

	// Zones.
	{"POST", "/zones", "zone.create"},
	{"PATCH", "/zones/{zone}", "zone.update"},
	{"DELETE", "/zones/{zone}", "zone.delete"},
	{"GET", "/zones", "zone.view"},
	{"GET", "/zones/{zone}", "zone.view"},
	{"POST", "/zones/{zone}/purge_cache", "zone.cache.purge"},
	{"PUT PATCH", "/zones/{zone}/settings", "zone.settings.update"},
	{"PUT PATCH", "/zones/{zone}/settings/{setting}", "zone.settings.update"},
	{"GET", "/zones/{zone}/settings", "zone.settings.read"},
	{"GET", "/zones/{zone}/settings/{setting}", "zone.settings.read"},
	{"PUT PATCH", "/zones/{zone}/hostnames/settings/{setting}/{id}", "zone.settings.update"},
	{"PATCH", "/zones/{zone}/ssl/universal/settings", "zone.settings.update"},
	{"PUT PATCH", "/zones/{zone}/dnssec", "zone.dnssec.update"},
	{"DELETE", "/zones/{zone}/dnssec", "zone.dnssec.disable"},
	{"GET", "/zones/{zone}/dnssec", "zone.dnssec.view"},
	{"POST", "/zones/{zone}/hold", "zone.hold.create"},
	{"PATCH", "/zones/{zone}/hold", "zone.hold.update"},
	{"DELETE", "/zones/{zone}/hold", "zone.hold.remove"},
	{"GET", "/zones/{zone}/hold", "zone.hold.view"},
	{"*", "/zones/{zone}/pagerules", "zone.pagerule"},
	{"*", "/zones/{zone}/custom_certificates", "zone.certificate"},
	{"POST", "/zones/{zone}/ssl/certificate_packs/order", "zone.certificate.create"},
	{"*", "/zones/{zone}/ssl/certificate_packs", "zone.certificate"},
	{"PUT", "/zones/{zone}/custom_hostnames/fallback_origin", "zone.fallback_origin.update"},
	{"DELETE", "/zones/{zone}/custom_hostnames/fallback_origin", "zone.fallback_origin.delete"},
	{"*", "/zones/{zone}/custom_hostnames", "zone.certificate"},
	{"PUT PATCH", "/accounts/{account}/registrar/domains/{id}", "registrar.domain.update"},
	// The code that another registrar asks for, and its use, have derived paths.
	{"GET POST", "/accounts/{account}/registrar/domains/{id}/auth_code", "registrar.auth_code.view"},
	{"POST PUT", "/accounts/{account}/registrar/domains/{id}/transfer_out", "zone.transfer_out"},

	// Where traffic goes, and mail.
	{"*", "/zones/{zone}/load_balancers", "load_balancer"},
	{"*", "/accounts/{account}/load_balancers/pools", "load_balancer.pool"},
	{"*", "/accounts/{account}/load_balancers/monitors", "load_balancer.monitor"},
	{"PUT", "/zones/{zone}/cloud_connector/rules", "cloud_connector.rule.update"},
	{"PUT", "/zones/{zone}/email/routing/rules/catch_all", "email_routing.update"},
	{"*", "/zones/{zone}/email/routing/rules", "email_routing"},
	{"*", "/accounts/{account}/email/routing/addresses", "email_routing"},
	{"PUT", "/zones/{zone}/snippets/snippet_rules", "snippet.rule.update"},
	{"PUT", "/zones/{zone}/snippets/{id}", "snippet.update"},
	{"DELETE", "/zones/{zone}/snippets/{id}", "snippet.delete"},
	{"PUT PATCH", "{scope}/dns_settings", "dns_settings.update"},
	{"POST", "/zones/{zone}/leaked-credential-checks", "leaked_credential_checks.update"},
	{"*", "/accounts/{account}/custom_ns", "custom_ns"},
	{"PUT", "/zones/{zone}/custom_ns", "custom_ns.update"},

	// DNS records. What a batch does stands in its body.
	{"POST", "/zones/{zone}/dns_records/batch", "dns.record.create"},
	{"POST", "/zones/{zone}/dns_records/import", "dns.record.create"},
	{"POST", "/zones/{zone}/dns_records/scan", "dns.record.create"},
	{"GET", "/zones/{zone}/dns_records/export", "dns.record.export"},
	{"*", "/zones/{zone}/dns_records", "dns.record"},

	// Firewall. A whole rule set says how it is from now on, not what changed.
	{"PUT", "{scope}/rulesets/phases/{phase}/entrypoint", "zone.firewall.rule.update"},
	{"GET", "{scope}/rulesets/phases/{phase}/entrypoint", "zone.firewall.rule.view"},
	{"POST", "{scope}/rulesets/{ruleset}/rules", "zone.firewall.rule.create"},
	{"PUT PATCH", "{scope}/rulesets/{ruleset}/rules/{id}", "zone.firewall.rule.update"},
	{"DELETE", "{scope}/rulesets/{ruleset}/rules/{id}", "zone.firewall.rule.delete"},
	{"*", "{scope}/rulesets", "zone.firewall.rule"},
	{"*", "/zones/{zone}/firewall/rules", "zone.firewall.rule"},
	{"*", "/zones/{zone}/filters", "zone.firewall.rule"},
	{"*", "{scope}/firewall/access_rules/rules", "zone.firewall.rule"},
	{"*", "/zones/{zone}/firewall/ua_rules", "zone.firewall.rule"},
	{"*", "/zones/{zone}/firewall/lockdowns", "zone.firewall.rule"},
	{"*", "/zones/{zone}/firewall/waf/overrides", "zone.firewall.rule"},
	{"GET", "/zones/{zone}/firewall/waf/packages", "zone.firewall.rule.view"},
	{"PATCH", "/zones/{zone}/firewall/waf/packages/{id}", "zone.firewall.rule.update"},
	{"PATCH", "/zones/{zone}/firewall/waf/packages/{package}/groups/{id}", "zone.firewall.rule.update"},
	{"PATCH", "/zones/{zone}/firewall/waf/packages/{package}/rules/{id}", "zone.firewall.rule.update"},
	{"*", "/zones/{zone}/rate_limits", "zone.firewall.rule"},

	// Workers. A PUT of a script creates it or replaces its code.
	{"*", "/zones/{zone}/workers/routes", "worker.route"},
	{"*", "/zones/{zone}/workers/filters", "worker.route"},
	{"*", "/accounts/{account}/workers/domains", "worker.domain"},
	{"PUT", "/accounts/{account}/workers/scripts/{id}", "worker.script.update"},
	{"PUT", "/accounts/{account}/workers/scripts/{id}/content", "worker.script.update"},
	{"DELETE", "/accounts/{account}/workers/scripts/{id}", "worker.script.delete"},
	{"GET", "/accounts/{account}/workers/scripts", "worker.script.view"},
	{"GET", "/accounts/{account}/workers/scripts/{id}", "worker.script.view"},
	{"PATCH", "/accounts/{account}/workers/scripts/{id}/settings", "worker.script.settings.update"},
	{"PATCH", "/accounts/{account}/workers/scripts/{id}/script-settings", "worker.script.settings.update"},
	{"PUT", "/accounts/{account}/workers/scripts/{id}/secrets", "worker.script.settings.update"},
	{"DELETE", "/accounts/{account}/workers/scripts/{id}/secrets/{name}", "worker.script.settings.update"},
	{"PUT", "/accounts/{account}/workers/scripts/{id}/schedules", "worker.script.schedule"},
	{"POST", "/accounts/{account}/workers/scripts/{id}/subdomain", "worker.script.expose"},
	{"POST", "/accounts/{account}/workers/scripts/{id}/deployments", "worker.script.deploy"},
	{"POST", "/accounts/{account}/workers/scripts/{id}/versions", "worker.script.update"},

	{"PATCH", "/accounts/{account}/workers/scripts/{id}/secrets-bulk", "worker.script.settings.update"},
	{"DELETE", "/accounts/{account}/workers/scripts/{id}/subdomain", "worker.script.subdomain.disable"},
	{"POST", "/accounts/{account}/workers/scripts/{id}/tails", "worker.script.tail.create"},
	{"DELETE", "/accounts/{account}/workers/scripts/{id}/tails/{tail}", "worker.script.tail.delete"},
	{"POST", "/accounts/{account}/workers/scripts/{id}/assets-upload-session", "worker.script.upload.create"},
	{"PUT", "/accounts/{account}/workers/services/{id}/environments/{environment}/content", "worker.script.update"},
	{"PATCH", "/accounts/{account}/workers/services/{id}/environments/{environment}/settings", "worker.script.settings.update"},
	{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}", "worker.script.update"},
	{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/content", "worker.script.update"},
	{"PUT", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}/secrets", "worker.script.settings.update"},
	{"DELETE", "/accounts/{account}/workers/dispatch/namespaces/{namespace}/scripts/{id}", "worker.script.delete"},
	{"*", "/accounts/{account}/workers/workers", "worker.script"},
	{"POST", "/accounts/{account}/workers/workers/{id}/versions", "worker.script.update"},
	{"POST", "/accounts/{account}/pages/projects/{id}/deployments", "pages.deployment.create"},
	{"POST", "/accounts/{account}/pages/projects/{id}/deployments/{deployment}/rollback", "pages.deployment.rollback"},
	{"POST", "/accounts/{account}/pages/projects/{id}/domains", "pages.domain.add"},
	{"DELETE", "/accounts/{account}/pages/projects/{id}/domains/{domain}", "pages.domain.remove"},
	{"*", "/accounts/{account}/pages/projects", "pages.project"},

	// Zero Trust.
	{"*", "{scope}/access/apps/{app_id}/policies", "access_policy"},
	{"POST", "{scope}/access/apps/{app_id}/ca", "access_app.ca.create"},
	{"DELETE", "{scope}/access/apps/{app_id}/ca", "access_app.ca.delete"},
	{"POST", "{scope}/access/apps/{app_id}/revoke_tokens", "access_app.sessions.revoke"},
	{"PUT PATCH", "{scope}/access/organizations", "access_organization.update"},
	{"POST", "{scope}/access/organizations/revoke_user", "access_user.revoke"},
	{"*", "{scope}/access/certificates", "access_certificate"},
	{"*", "{scope}/access/policies", "access_policy"},
	{"*", "{scope}/access/apps", "access_app"},
	{"*", "{scope}/access/groups", "access_group"},
	{"*", "{scope}/access/identity_providers", "identity_provider"},
	{"POST", "{scope}/access/service_tokens/{id}/rotate", "access_service_token.roll"},
	{"POST", "{scope}/access/service_tokens/{id}/refresh", "access_service_token.update"},
	{"*", "{scope}/access/service_tokens", "access_service_token"},
	{"*", "/accounts/{account}/gateway/rules", "gateway.rule"},
	{"*", "/accounts/{account}/gateway/locations", "gateway.location"},
	{"*", "/accounts/{account}/gateway/lists", "gateway.list"},
	{"PUT PATCH", "/accounts/{account}/gateway/configuration", "gateway.config.update"},
	{"GET", "/accounts/{account}/cfd_tunnel/{id}/token", "tunnel.token.view"},
	{"GET", "/accounts/{account}/warp_connector/{id}/token", "tunnel.token.view"},
	{"PUT", "/accounts/{account}/cfd_tunnel/{id}/configurations", "tunnel.config.update"},
	{"DELETE", "/accounts/{account}/cfd_tunnel/{id}/connections", "tunnel.connection.delete"},
	{"POST", "/accounts/{account}/cfd_tunnel/{id}/management", "tunnel.management_token.create"},
	{"*", "/accounts/{account}/cfd_tunnel", "tunnel"},
	{"*", "/accounts/{account}/warp_connector", "tunnel"},
	{"*", "/accounts/{account}/teamnet/routes", "tunnel.route"},
	{"POST", "/accounts/{account}/magic/ipsec_tunnels/{id}/psk_generate", "tunnel.secret.roll"},
	{"GET", "/accounts/{account}/devices/{id}/override_codes", "device.override_code.view"},
	{"GET", "/accounts/{account}/devices/registrations/{id}/override_codes", "device.override_code.view"},
	{"POST", "/accounts/{account}/challenges/widgets/{id}/rotate_secret", "turnstile.widget.roll"},

	// Log delivery and notifications.
	{"*", "{scope}/logpush/jobs", "logpush.job"},
	{"POST", "{scope}/logpush/ownership", "logpush.destination.challenge"},
	{"POST", "{scope}/logpush/ownership/validate", "logpush.destination.validate"},
	{"POST", "{scope}/logpush/validate/destination", "logpush.destination.validate"},
	{"POST", "/zones/{zone}/logs/control/retention/flag", "log_retention.update"},
	{"*", "/accounts/{account}/alerting/v3/policies", "notification"},
	{"*", "/accounts/{account}/alerting/v3/destinations/webhooks", "notification.destination"},
	{"DELETE", "/accounts/{account}/alerting/v3/destinations/pagerduty", "notification.destination.delete"},
	{"*", "/accounts/{account}/alerting/v3/silences", "notification.silence"},

	// Storage, queues and the rest.
	{"PUT", "/accounts/{account}/r2/buckets/{id}/domains/managed", "r2.bucket.visibility.change"},
	{"POST", "/accounts/{account}/r2/buckets/{id}/domains/custom", "r2.bucket.domain.add"},
	{"DELETE", "/accounts/{account}/r2/buckets/{id}/domains/custom/{domain}", "r2.bucket.domain.remove"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/cors", "r2.bucket.cors.update"},
	{"DELETE", "/accounts/{account}/r2/buckets/{id}/cors", "r2.bucket.cors.delete"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/lifecycle", "r2.bucket.lifecycle.update"},
	{"DELETE", "/accounts/{account}/r2/buckets/{id}/lifecycle", "r2.bucket.lifecycle.delete"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/encryption", "r2.bucket.encryption.update"},
	{"DELETE", "/accounts/{account}/r2/buckets/{id}/encryption", "r2.bucket.encryption.delete"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/domains/custom/{domain}", "r2.bucket.domain.update"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/lock", "r2.bucket.lock.update"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/sippy", "r2.bucket.migration.update"},
	{"DELETE", "/accounts/{account}/r2/buckets/{id}/sippy", "r2.bucket.migration.delete"},
	{"PUT", "/accounts/{account}/r2/buckets/{id}/objects/{object}", "r2.object.update"},
	{"DELETE", "/accounts/{account}/r2/buckets/{id}/objects/{object}", "r2.object.delete"},
	{"*", "/accounts/{account}/r2/buckets", "r2.bucket"},
	{"POST", "/accounts/{account}/r2/temp-access-credentials", "r2.credential.create"},
	{"*", "/accounts/{account}/storage/kv/namespaces", "kv.namespace"},
	{"PUT", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.update"},
	{"DELETE", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.delete"},
	{"GET", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.view"},
	{"POST", "/accounts/{account}/d1/database/{id}/query", "d1.database.query"},
	{"POST", "/accounts/{account}/d1/database/{id}/raw", "d1.database.query"},
	{"POST", "/accounts/{account}/d1/database/{id}/export", "d1.database.export"},
	{"POST", "/accounts/{account}/d1/database/{id}/import", "d1.database.import"},
	{"POST", "/accounts/{account}/d1/database/{id}/time_travel/restore", "d1.database.restore"},
	{"*", "/accounts/{account}/d1/database", "d1.database"},
	{"*", "/accounts/{account}/ai-gateway/gateways", "ai_gateway.gateway"},
	{"PUT PATCH", "/accounts/{account}/queues/{id}/consumers/{consumer}", "queue.consumer.update"},
}

// collection is what the methods do to the members of a collection.
var collection = []struct{ method, verb string }{
	{"POST", verbCreate}, {"PUT", verbUpdate}, {"PATCH", verbUpdate}, {"DELETE", verbDelete}, {"GET", verbView},
}

// scopes are what {scope} stands for.
var scopes = []string{"/accounts/{account}", "/zones/{zone}", "/user"}

// maxPath bounds the parts of a path that is looked at.
const maxPath = 16

// indexedRoute is a row of routes with its path in parts.
type indexedRoute struct {
	parts []string
	*naming
}

// routeKey is what routes are looked up by: a method and a number of parts.
type routeKey struct {
	method string
	parts  int
}

var routeIndex = make(map[routeKey][]indexedRoute)

// indexRoutes arranges routes for looking things up.
func indexRoutes() {
	for _, r := range routes {
		paths := []string{r.path}
		if below, ok := strings.CutPrefix(r.path, "{scope}"); ok {
			paths = paths[:0]
			for _, scope := range scopes {
				paths = append(paths, scope+below)
			}
		}
		for _, path := range paths {
			for method := range strings.FieldsSeq(r.method) {
				if method != "*" {
					addRoute(method, path, r.name)
					continue
				}
				for _, c := range collection {
					addRoute(c.method, path, r.name+"."+c.verb)
					if c.verb != verbCreate {
						addRoute(c.method, path+"/{id}", r.name+"."+c.verb)
					}
				}
			}
		}
	}
}

func addRoute(method, path, name string) {
	parts := strings.Split(path[1:], "/")
	key := routeKey{method, len(parts)}
	routeIndex[key] = append(routeIndex[key], indexedRoute{parts, named(name)})
}

// routed is what a method and a path say by themselves.
type routed struct {
	*naming // nil when no row fits
	// zone, account and id are what stands in the path, as far as it is there.
	zone, account, id string
	// more are the other parts of the path that have a name, and their names.
	more []string
	// user says that the path is one of the user's own.
	user bool
	// words are the parts of the path that are no ids, joined by dots. What they
	// are below is left out, unless it is all there is.
	words string
}

// findRoute looks a request up. path is without its query.
func findRoute(method, path string) routed {
	var r routed
	if method == "HEAD" {
		method = "GET"
	}
	path = strings.Trim(strings.TrimPrefix(path, "/client/v4"), "/")
	var buf [maxPath]string
	parts := buf[:0]
	for part := range strings.SplitSeq(path, "/") {
		if len(parts) == maxPath {
			break
		}
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		parts = append(parts, part)
	}
	for _, row := range routeIndex[routeKey{method, len(parts)}] {
		if row.fits(parts) {
			r.naming = row.naming
			for i, part := range row.parts {
				if part[0] == '{' {
					r.put(part[1:len(part)-1], parts[i])
					parts[i] = "" // it is no word
				}
			}
			break
		}
	}
	r.below(parts)
	return r
}

func (r *indexedRoute) fits(parts []string) bool {
	for i, part := range r.parts {
		if part[0] != '{' && part != parts[i] || parts[i] == "" {
			return false
		}
	}
	return true
}

func (r *routed) put(name, part string) {
	switch name {
	case "zone":
		r.zone = part
	case "account":
		r.account = part
	case "id":
		r.id = part
	default:
		r.more = append(r.more, name, part)
	}
}

// below fills in what a path says even where no row fits.
func (r *routed) below(parts []string) {
	root := parts[0]
	switch root {
	case "accounts":
		if len(parts) > 1 {
			r.account, parts = or(r.account, parts[1]), parts[2:]
		}
	case "zones":
		if len(parts) > 1 {
			r.zone, parts = or(r.zone, parts[1]), parts[2:]
		}
	case "user", "memberships":
		r.user = true
		if len(parts) > 1 && parts[0] == "user" {
			parts = parts[1:]
		}
	}
	for _, part := range parts {
		if isWord(part) {
			r.words += "." + part
		}
	}
	r.words = or(strings.TrimPrefix(r.words, "."), root)
}

// isWord reports whether a part of a path names something of the API, as far as
// can be told, rather than something of the account.
func isWord(part string) bool {
	return part != "" && len(part) <= 40 && (len(part) <= 3 || !strings.ContainsAny(part, "0123456789.:%@ "))
}
