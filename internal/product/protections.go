package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Protections with a switch of their own.
var protections = family{
	prefixes: oneOf{"bot_management.", "page_shield.", "leaked_credential_checks.", "origin_tls_client_auth.", "content_scan.", "fraud_detection.", "precursor."},
	switches: true,
	read:     (*review).readProtection,
	subjects: []subject{
		{"page_shield_polic", "page_shield_polic", "page_shield.policy", "", either, named},
		{"page_shield", "page_shield", "page_shield", "", either, named},
		{"bot_management", "bot_management", "bot_management", "", either, named},
		{"leaked_credential", "leaked_credential", "leaked_credential_checks", "", either, named},
		{"origin_tls_client_auth", "origin_tls_client_auth", "origin_tls_client_auth", "", either, named},
		{"content_upload_scan content_scan", "content_upload_scan content_scan", "content_scan", "", either, named},
		{"fraud_detection", "fraud_detection", "fraud_detection", "", either, named},
	},
	routes: []route{
		{"POST", "/zones/{zone}/leaked-credential-checks", "leaked_credential_checks.update"},
		{"*", "/zones/{zone}/leaked-credential-checks/detections", "leaked_credential_checks.detection"},
		{"PUT", "/zones/{zone}/bot_management", "bot_management.update"},
		{"PUT", "/zones/{zone}/page_shield", "page_shield.update"},
		{"*", "/zones/{zone}/page_shield/policies", "page_shield.policy"},
		{"POST", "/zones/{zone}/content-upload-scan/enable", "content_scan.enable"},
		{"POST", "/zones/{zone}/content-upload-scan/disable", "content_scan.disable"},
		{"PUT", "/zones/{zone}/content-upload-scan/settings", "content_scan.update"},
		{"*", "/zones/{zone}/content-upload-scan/payloads", "content_scan.payload"},
		{"PUT", "/zones/{zone}/fraud_detection/settings", "fraud_detection.update"},
		{"PUT", "/zones/{zone}/precursor", "precursor.update"},
		{"PUT", "/zones/{zone}/origin_tls_client_auth/settings", "origin_tls_client_auth.update"},
		{"PUT", "/zones/{zone}/origin_tls_client_auth/hostnames", "origin_tls_client_auth.update"},
		{"*", "/zones/{zone}/origin_tls_client_auth/hostnames/certificates", "origin_tls_client_auth.certificate"},
		{"POST", "/zones/{zone}/origin_tls_client_auth", "origin_tls_client_auth.certificate.create"},
		{"DELETE", "/zones/{zone}/origin_tls_client_auth/{id}", "origin_tls_client_auth.certificate.delete"},
	},
	rules: []rules.Rule{
		{ID: "protection-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"bot_management.*", "page_shield.*", "leaked_credential_checks.*", "origin_tls_client_auth.*", "content_scan.*", "fraud_detection.*", "precursor.*"},
				Verb: oneOf{"delete", "disable", "roll"}},
			Title: "Protection removed: {words}[: {target}]",
			Why:   "What it kept out comes through, or what relies on it fails."},
		{ID: "protection-weakened", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"bot_management.*", "page_shield.*", "leaked_credential_checks.*", "origin_tls_client_auth.*", "content_scan.*", "precursor.*"}, Direction: oneOf{"weaker"}},
			Title: "Protection weakened: {words}[: {target}]",
			Why:   "A protection was lowered or switched off."},
		{ID: "script-policy-changed", Severity: medium, Techniques: oneOf{"T1562", "T1659"},
			Match: rules.Match{Action: oneOf{"page_shield.policy.*"}, Verb: oneOf{"create", "update"}},
			Title: "Policy for scripts of pages changed: {words}[: {target}]",
			Why:   "It says which scripts the pages of the zone may load. One more may read what visitors type."},
		{ID: "protection-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"bot_management.*", "page_shield.*", "leaked_credential_checks.*", "origin_tls_client_auth.*", "content_scan.*", "fraud_detection.*", "precursor.*"},
				Verb: oneOf{"create", "update", "enable"}},
			Title: "Protection switched on or changed",
			Why:   "Something was switched on or added, or changed without being switched off."},
	},
}

// readProtection determines which way a protection moved. That of the origin may be
// switched for single hostnames, in a list.
func (r *review) readProtection() {
	r.readOther()
	if r.verb != VerbUpdate {
		return
	}
	for host := range r.after.get("config").All() {
		if enabled := host.Get("enabled"); enabled.Exists() && enabled.Text() != "true" {
			r.Direction = rules.Weaker
			r.Target = host.Get("hostname").Text()
			return
		}
	}
}

// Turnstile.
var widgets = family{
	prefixes: oneOf{"turnstile."},
	switches: true,
	subjects: []subject{
		{"turnstile challenges_widget", "turnstile", "turnstile.widget", "", either, named},
	},
	routes: []route{
		{"POST", "/accounts/{account}/challenges/widgets/{id}/rotate_secret", "turnstile.widget.roll"},
		{"*", "/accounts/{account}/challenges/widgets", "turnstile.widget"},
	},
	rules: []rules.Rule{
		{ID: "turnstile-removed", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"turnstile.widget.*"}, Verb: oneOf{"delete", "disable", "roll"}},
			Title: "{words}[: {target}]",
			Why:   "Forms that rely on it let bots through, or nobody; whoever has the new secret sees which answers pass."},
		ordinary("turnstile-changed", "It challenges on other domains, or in another manner.",
			"turnstile.*"),
	},
}
