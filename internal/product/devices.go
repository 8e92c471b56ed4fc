package product

import (
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Devices that run the client.
var devices = family{
	prefixes: oneOf{"device."},
	read:     (*review).readDevice,
	subjects: []subject{
		{"device_registration devices_registration", "", "device.registration", "", either, named},
	},
	routes: []route{
		{"GET", "/accounts/{account}/devices/{id}/override_codes", "device.override_code.view"},
		{"GET", "/accounts/{account}/devices/registrations/{id}/override_codes", "device.override_code.view"},
		{"POST", "/accounts/{account}/devices/revoke", "device.revoke"},
		{"POST", "/accounts/{account}/devices/unrevoke", "device.unrevoke"},
		{"POST", "/accounts/{account}/devices/physical-devices/{id}/revoke", "device.revoke"},
		{"DELETE", "/accounts/{account}/devices/physical-devices/{id}", "device.delete"},
		{"POST", "/accounts/{account}/devices/registrations/revoke", "device.registration.revoke"},
		{"POST", "/accounts/{account}/devices/registrations/unrevoke", "device.registration.unrevoke"},
		{"*", "/accounts/{account}/devices/registrations", "device.registration"},
		{"POST", "/accounts/{account}/devices/resilience/disconnect", "device.fleet.disconnect"},
		{"*", "/accounts/{account}/devices/ip-profiles", "device.ip_profile"},
		{"*", "/accounts/{account}/devices/deployment-groups", "device.deployment_group"},
	},
	names: oneOf{"device.fleet.reconnect"},
	reads: []rules.Rule{
		{ID: "override-code-viewed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"device.override_code.view"}},
			Title: "Override code of device displayed[: {target}]",
			Why:   "Whoever has the code can switch the client of the device off."},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "devices-disconnected", Severity: high, Techniques: oneOf{"T1562.001"},
			Match: rules.Match{Action: oneOf{"device.fleet.disconnect"}},
			Title: "All devices disconnected from Cloudflare[: {target}]",
			Why:   "The clients of the whole account stop at once, and with them all that Gateway blocks and logs."},
		{ID: "device-readmitted", Severity: medium, Techniques: oneOf{"T1098.005"},
			Match: rules.Match{Action: oneOf{"device.unrevoke", "device.registration.unrevoke"}},
			Title: "Revoked device admitted again[: {target}]",
			Why:   "A device that was shut out, perhaps because it was lost or infected, is back in the network."},
		{ID: "device-removed", Severity: low, Techniques: oneOf{"T1531"},
			Match: rules.Match{Action: oneOf{"device.delete", "device.revoke", "device.registration.*"}, Verb: oneOf{"delete"}},
			Title: "Device or its registration revoked or deleted",
			Why:   "Good hygiene one at a time; many at once cut off your users."},
	},
}

// Settings of the client.
var devicePolicies = family{
	prefixes: oneOf{"device.policy.", "device.posture.", "device.settings.", "device.network."},
	switches: true,
	subjects: []subject{
		{"device_posture devices_posture", "", "device.posture", "", either, named},
		{"device_network devices_network", "", "device.network", "", either, named},
		{"device_setting devices_setting", "", "device.settings", "", either, named},
		{"device_polic devices_polic", "", "device.policy", "", either, named},
	},
	routes: []route{
		{"PATCH", "/zones/{zone}/devices/policy/certificates", "device.policy.certificate.update"},
		{"PUT", "/accounts/{account}/devices/policy/exclude", "device.policy.exclusion.update"},
		{"PUT", "/accounts/{account}/devices/policy/include", "device.policy.inclusion.update"},
		{"PUT", "/accounts/{account}/devices/policy/fallback_domains", "device.policy.fallback_domain.update"},
		{"PUT", "/accounts/{account}/devices/policy/{id}/exclude", "device.policy.exclusion.update"},
		{"PUT", "/accounts/{account}/devices/policy/{id}/include", "device.policy.inclusion.update"},
		{"PUT", "/accounts/{account}/devices/policy/{id}/fallback_domains", "device.policy.fallback_domain.update"},
		{"*", "/accounts/{account}/devices/policy", "device.policy"},
		{"*", "/accounts/{account}/devices/posture/integration", "device.posture.integration"},
		{"*", "/accounts/{account}/devices/posture", "device.posture"},
		{"*", "/accounts/{account}/devices/networks", "device.network"},
		{"*", "/accounts/{account}/devices/settings", "device.settings"},
	},
	raises: true,
	rules: []rules.Rule{
		{ID: "device-policy-weakened", Severity: medium, Techniques: oneOf{"T1562.001"},
			Match: rules.Match{Action: oneOf{"device.policy.*", "device.settings.*"}, Direction: oneOf{"weaker"}},
			Title: "Device policy weakened: {words}[: {target}]",
			Why:   "Users may leave the client, or traffic of devices passes Gateway by."},
		{ID: "device-policy-changed", Severity: medium, Techniques: oneOf{"T1562.001"},
			Match: rules.Match{Action: oneOf{"device.policy.*", "device.settings.*", "device.posture.*", "device.network.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "{words}[: {target}]",
			Why:   "It decides which traffic of devices Gateway sees, and which devices count as healthy or as in the office."},
	},
}

// Tests of the experience of devices, and commands to them.
var experience = family{
	prefixes: oneOf{"dex."},
	subjects: []subject{
		{"^dex", "", "dex.test", "", either, named},
	},
	read: (*review).readExperience,
	routes: []route{
		{"POST", "/accounts/{account}/dex/commands", "dex.command.create"},
		{"*", "/accounts/{account}/dex/devices/dex_tests", "dex.test"},
		{"*", "/accounts/{account}/dex/rules", "dex.rule"},
	},
	rules: []rules.Rule{
		{ID: "device-command-sent", Severity: medium, Techniques: oneOf{"T1040", "T1005"},
			Match: rules.Match{Action: oneOf{"dex.command.create"}},
			Title: "Command sent to a device of a user[: {target}]",
			Why:   "The device records its packets or collects its logs, and uploads them for the sender to download."},
		ordinary("device-administered", "It decides which address and version a device gets and what it measures, not what it may do.",
			"device.ip_profile.*", "device.deployment_group.*", "device.registration.*", "dex.*"),
	},
}

// How risky the behavior of users is.
var riskScores = family{
	prefixes: oneOf{"risk_score."},
	read:     (*review).readRiskScore,
	subjects: []subject{
		{"risk_scor", "", "risk_score", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/zt_risk_scoring/{id}/reset", "risk_score.reset"},
		{"PUT", "/accounts/{account}/zt_risk_scoring/behaviors", "risk_score.behavior.update"},
		{"*", "/accounts/{account}/zt_risk_scoring/integrations", "risk_score.integration"},
	},
	rules: []rules.Rule{
		{ID: "risk-score-reset", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"risk_score.reset"}},
			Title: "Risk score of a user reset[: {target}]",
			Why:   "A user whose behavior was risky passes again the policies that look at the score."},
		{ID: "risk-scoring-changed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"risk_score.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable"}},
			Title: "{words}[: {target}]",
			Why:   "Behavior that is no longer scored raises no alarm and bars nobody."},
	},
}

// readDevice names the devices in a list of ids, and tells an order to all of them
// to disconnect from its end.
func (r *review) readDevice() {
	r.readNamed("name")
	if r.e.Call != nil && r.Target == "" {
		request := audit.Unwrapped(r.e.Call.Request)
		if first := request.First(); request.Kind() == jsondoc.Array {
			r.Target = first.Text()
		}
	}
	if r.name != "device.fleet.disconnect" {
		return
	}
	r.Direction = rules.Weaker
	r.Target = r.text("justification")
	if r.after.text("disconnect") == "false" {
		r.rename("device.fleet.reconnect")
		r.Direction = rules.Safer
	}
}

// readExperience names the command and the device of the first of a list.
func (r *review) readExperience() {
	r.readNamed("name")
	for _, o := range [...]object{r.after, r.meta} {
		first := o.get("commands").First()
		if kind := textOf(first, "type"); kind != "" {
			r.Target = kind + " (" + textOf(first, "user_email", "device_id") + ")"
			return
		}
	}
}

// readRiskScore determines whether a behavior is no longer scored.
func (r *review) readRiskScore() {
	r.readNamed("tenant_url", "name")
	if r.name != "risk_score.behavior.update" {
		return
	}
	was := r.before.get("behaviors")
	for of := range r.after.get("behaviors").All() {
		if of.Get("enabled").Text() != "false" {
			continue
		}
		r.Target = of.Name()
		if directionIn("| "+offOn+" |", was.Get(r.Target, "enabled"), of.Get("enabled")) == rules.Weaker {
			r.Direction = rules.Weaker
			return
		}
	}
}
