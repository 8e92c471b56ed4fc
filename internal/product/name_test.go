package product

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNameOf_IgnoresCaseAndSeparators(t *testing.T) {
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
		assert.Equal(t, p.want, nameOf(p.resource, p.action, "").name, "%v", p)
	}
}

func TestNameOf_ACanonicalNameNamesItself(t *testing.T) {
	t.Parallel()
	for name := range known.namings {
		if name == ActionUnknown {
			continue
		}
		for _, resource := range []string{"", "account", "zone"} {
			assert.Equal(t, name, nameOf(resource, name, "").name)
		}
	}
	// The names that the product page and the detections of hosts use.
	for _, name := range []string{
		"member.add", "api_token.create", "account.2fa.disable", "zone.firewall.rule.delete", "dns.record.delete",
		"worker.route.create", "zone.settings.read",
		"zone.transfer_out", "firewall_rule.disable", "waf_rule.disable", "access_policy.create",
	} {
		assert.Contains(t, known.namings, name)
	}
}

func TestNames_DifferInMoreThanSeparators(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for name := range known.namings {
		key := string(squash(nil, name))
		assert.Empty(t, seen[key], "%s and %s would be mistaken for each other", name, seen[key])
		seen[key] = name
	}
}

func TestNameOf_NamesAnUnpublishedPairByItsWords(t *testing.T) {
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
		assert.Equal(t, p.want, nameOf(p.resource, p.action, "").name, "%v", p)
	}
}

func TestNameOf_TellsSimilarPairsApart(t *testing.T) {
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
		assert.NotEqual(t, p.not, nameOf(p.resource, p.action, "").name, "%v", p)
	}
}

func TestNameOf_AnUnknownPairGetsAPredictableName(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ resource, action, info, want, verb string }{
		{"hologram.app", "created", "", "hologram.app.create", VerbCreate},
		{"holo room", "event_delete", "", "holo_room.event_delete", VerbDelete},
		{"HoloCheck", "holo_check_update", "", "holo_check.update", VerbUpdate},
		{"radar.dataset", "CreateDataset", "", "radar.dataset.create", VerbCreate},
		{"pages..project", "frobnicate", "", "pages.project.frobnicate", ""},
		{"", "holo_room_disabled", "", "holo_room.disable", verbDisable},
		{"", "frobnicate", "", "unknown.frobnicate", ""},
		{"radar", "", "", "radar.unknown", ""},
		{"radar", "", "report deleted", "radar.report_deleted", VerbDelete},
		{"", "…", "", "unknown", ""},
	} {
		got := nameOf(p.resource, p.action, p.info)
		assert.Equal(t, p.want, got.name, "%v", p)
		assert.Equal(t, p.verb, got.verb, "%v", p)
		if p.verb != "" {
			assert.Same(t, &other, got.family)
		}
	}
	long := nameOf(strings.Repeat("x", 5000), strings.Repeat("Y_", 5000), "").name
	assert.Less(t, len(long), 4*maxName)
}

func TestNameOf_NeverMatchesDetectionsForOtherProducts(t *testing.T) {
	t.Parallel()
	taken := []string{"api_token_created", "compliance_policy_disabled", "org.disable_two_factor_requirement"}
	for _, name := range taken {
		assert.NotContains(t, known.namings, name)
		resource, action, _ := strings.Cut(name, ".")
		for _, e := range []struct{ resource, action, info string }{{action: name}, {resource: name}, {resource: resource, action: action}, {info: name}} {
			assert.NotContains(t, taken, nameOf(e.resource, e.action, e.info).name)
		}
	}
}

func TestFamilyOf_FindsTheFamilyOfEachAction(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]*family{
		"account.2fa.disable": &account, "member.add": &members, "user_group.update": &members,
		"zone.settings.update": &settings, "dns.record.delete": &records, "zone.firewall.rule.delete": &firewall,
		"waf_rule.disable": &firewall, "access_policy.create": &access, "identity_provider.delete": &access,
		"r2.bucket.create": &buckets, "worker.route.create": &workers, "api_token.create": &tokens,
		"api_key.view": &tokens, "logpush.job.delete": &logs, "gateway.rule.create": &gateway, "tunnel.create": &tunnels,
		"gateway.list.create": &gatewayLists, "r2.object.delete": &objects, "zone.ruleset.update": &rulesets, "zone.certificate.create": &certificates,
	} {
		assert.Same(t, want, known.namings[name].family, name)
	}
}

func TestFamilyOf_AnActionThatNoFamilyIsAbout(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"hologram.app.create", "zone", "dns", "unknown", ""} {
		assert.Same(t, &other, familyOf(name), name)
	}
}

// What stands below a member of a collection is not the member.
func TestNameOfPath_APartIsNotTheWhole(t *testing.T) {
	t.Parallel()
	const id = "/372e67954025e0ba6aaa6d586b9e0b59"
	for request, want := range map[string]string{
		// A part that no row knows has a name of its own, in the family of the whole.
		"DELETE {a}/load_balancers/pools" + id + "/origins" + id:    "load_balancer.pool.origins.delete",
		"POST {a}/cfd_tunnel" + id + "/annotations":                 "tunnel.annotations.create",
		"DELETE {a}/alerting/v3/policies" + id + "/recipients" + id: "notification.recipients.delete",
		"DELETE {a}/hyperdrive/configs" + id + "/caches":            "hyperdrive.config.caches.delete",
		"PUT {a}/load_balancers/pools" + id + "/notes":              "load_balancer.pool.update",
		"DELETE {a}/load_balancers/pools" + id:                      "load_balancer.pool.delete",
		"POST {a}/things" + id + "/parts" + id + "/pieces":          "things.parts.pieces.create",
		"POST {a}/access/identity_providers" + id + "/anything":     "identity_provider.anything.create",
		// The last segment says what is done.
		"POST {a}/load_balancers/pools" + id + "/preview": "load_balancer.pool.view",
		"POST {a}/load_balancers/pools" + id + "/disable": "load_balancer.pool.disable",
		"POST {a}/things" + id + "/parts/bulk_delete":     "things.parts.bulk_delete",
		"PUT {a}/things" + id + "/retry":                  "things.retry",
		"POST {a}/things/validate_name":                   "things.validate_name",
		"POST {a}/things" + id + "/stop":                  "things.off",
		"DELETE {a}/things" + id + "/preview":             "things.preview.delete",
		"POST {a}/gadget/feature_enable":                  "gadget.feature_enable.create",
	} {
		method, path, _ := strings.Cut(request, " ")
		got := understood(t, requested(method, strings.Replace(path, "{a}", "/accounts/"+exampleAccount, 1))).Action
		assert.Equal(t, want, got, request)
	}
	for request, want := range map[string]string{
		"POST {a}/things/search": verbView, "POST {a}/things" + id + "/export": verbView, "POST {a}/things/bulk_get": verbView,
		"POST {a}/things/bulk/delete": VerbDelete, "POST {a}/things": VerbCreate, "POST {a}/things/searches": VerbCreate,
	} {
		method, path, _ := strings.Cut(request, " ")
		got := understood(t, requested(method, strings.Replace(path, "{a}", "/accounts/"+exampleAccount, 1))).Verb
		assert.Equal(t, want, got, request)
	}
}

func TestAttempted_AnActionTypeThatSaysItFailed(t *testing.T) {
	t.Parallel()
	for actionType, want := range map[string]string{
		"login_failed": "login", "LoginFailed": "login", "FAILED_LOGIN": "login", "failed login": "login", "certificate.issue.failure": "certificate_issue",
		"failover": "", "failed": "", "email_failed_over": "", "failure_domain_create": "", "mail_failover_enable": "", "fail_open": "", "": "",
	} {
		tried, failed := attempted(actionType)
		assert.Equal(t, want, tried, actionType)
		assert.Equal(t, want != "", failed, actionType)
	}
}
