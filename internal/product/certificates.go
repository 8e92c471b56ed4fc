package product

import (
	"cmp"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Certificates of zones, the authorities they trust, and custom hostnames.
var certificates = family{
	prefixes: oneOf{"zone.certificate.", "zone.keyless_certificate.", "zone.client_certificate.", "zone.client_authority.", "zone.trust_store.",
		"zone.custom_hostname.", "zone.fallback_origin.", "zone.ct_alert.", "origin_ca.", "mtls_certificate.", "custom_csr."},
	read:     (*review).readCertificate,
	switches: true,
	subjects: []subject{
		{"custom_hostname", "custom_hostname", "zone.custom_hostname", "", either, named},
		{"keyless", "keyless", "zone.keyless_certificate", "", either, named},
		{"client_certificate", "client_certificate", "zone.client_certificate", "", either, named},
		{"custom_trust_store", "custom_trust_store", "zone.trust_store", "", either, named},
		{"^mtls_certificate", "^mtls_certificate", "mtls_certificate", "", either, named},
		{"custom_csr", "custom_csr", "custom_csr", "", either, named},
		{"origin_ca_certificate origin_certificate", "origin_ca_certificate origin_certificate", "origin_ca.certificate", "", either, named},
		{"ct_monitoring ct_alert certificate_transparency", "ct_monitoring ct_alert certificate_transparency", "zone.ct_alert", "", either, named},
		{"certificate universal_ssl ^ssl ^tls", "certificate", "zone.certificate", "", either, common},
	},
	routes: []route{
		{"PUT", "/zones/{zone}/custom_certificates/prioritize", "zone.certificate.update"},
		{"*", "/zones/{zone}/custom_certificates", "zone.certificate"},
		{"POST", "/zones/{zone}/ssl/certificate_packs/order", "zone.certificate.create"},
		{"*", "/zones/{zone}/ssl/certificate_packs", "zone.certificate"},
		{"PATCH", "/zones/{zone}/ssl/verification/{id}", "zone.certificate.update"},
		{"POST", "/zones/{zone}/ssl/analyze", "zone.certificate.view"},
		{"*", "/zones/{zone}/keyless_certificates", "zone.keyless_certificate"},
		{"*", "/zones/{zone}/client_certificates", "zone.client_certificate"},
		{"PUT", "/zones/{zone}/certificate_authorities/hostname_associations", "zone.client_authority.update"},
		{"*", "/zones/{zone}/acm/custom_trust_store", "zone.trust_store"},
		{"PATCH", "/zones/{zone}/ct/alerting", "zone.ct_alert.update"},
		{"PUT", "/zones/{zone}/custom_hostnames/fallback_origin", "zone.fallback_origin.update"},
		{"DELETE", "/zones/{zone}/custom_hostnames/fallback_origin", "zone.fallback_origin.delete"},
		{"*", "/zones/{zone}/custom_hostnames", "zone.custom_hostname"},
		{"PUT", "/zones/{zone}/custom_hostnames/{id}/certificate_pack/{pack}/certificates/{certificate}", "zone.custom_hostname.update"},
		{"DELETE", "/zones/{zone}/custom_hostnames/{id}/certificate_pack/{pack}/certificates/{certificate}", "zone.custom_hostname.update"},
		{"*", "{scope}/custom_csrs", "custom_csr"},
		{"*", "/accounts/{account}/mtls_certificates", "mtls_certificate"},
		{"*", "/certificates", "origin_ca.certificate"},
	},
	reads: []rules.Rule{
		{ID: "certificate-analyzed", Severity: info,
			Match: rules.Match{Action: oneOf{"zone.certificate.view"}, Method: oneOf{"POST"}},
			Title: "Certificate analyzed",
			Why:   "Somebody had a certificate looked at. Nothing was changed."},
	},
	rules: []rules.Rule{
		{ID: "ct-alerts-off", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"zone.ct_alert.disable", "zone.ct_alert.delete"}},
			Title: "Alerts about new certificates switched off[: {target}]",
			Why:   "Nobody is told when an authority issues a certificate for the zone, such as one for a copy of it. It is one kind of alert, so no more than medium."},
		{ID: "ct-alerts-redirected", Severity: medium, Techniques: oneOf{"T1562"},
			Match: rules.Match{Action: oneOf{"zone.ct_alert.update"}, Changed: []rules.Change{{Field: "emails"}}},
			Title: "Alerts about new certificates go to other addresses[: {target}]",
			Why:   "Whoever used to read them may not be told any more."},
		{ID: "ct-alerts-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.ct_alert.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Alerts about new certificates changed",
			Why:   "They tell when an authority issues a certificate for the zone."},
		{ID: "origin-certificate-issued", Severity: medium, Techniques: oneOf{"T1649"},
			Match: rules.Match{Action: oneOf{"origin_ca.certificate.create"}},
			Title: "Origin certificate issued[: {target}]",
			Why:   "Cloudflare takes whoever has its key for the origin of these hostnames, for up to 15 years."},
		{ID: "authority-trusted", Severity: medium, Techniques: oneOf{"T1553.004"},
			Match: rules.Match{Action: oneOf{"mtls_certificate.create", "zone.client_authority.update", "zone.trust_store.create"}},
			Title: "Certificate authority trusted: {words}[: {target}]",
			Why:   "Whoever has its key makes certificates that pass for those of clients, or of the origin."},
		{ID: "client-certificate-issued", Severity: medium, Techniques: oneOf{"T1649"},
			Match: rules.Match{Action: oneOf{"zone.client_certificate.create", "zone.client_certificate.update"}},
			Title: "Client certificate issued or made valid again[: {target}]",
			Why:   "It opens what is closed to clients without a certificate."},
		{ID: "keyless-server-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"zone.keyless_certificate.create", "zone.keyless_certificate.update"}},
			Title: "Key server of zone changed[: {target}]",
			Why:   "Cloudflare asks another server to sign for the zone, which learns who visits and can refuse them."},
		{ID: "certificate-deleted", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"zone.certificate.delete", "zone.keyless_certificate.delete", "zone.keyless_certificate.disable", "origin_ca.certificate.delete"}},
			Title: "Certificate deleted or revoked: {words}[: {target}]",
			Why:   "Where nothing takes its place, visitors get an error, or Cloudflare no longer trusts the origin."},
		{ID: "custom-hostname-origin-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"zone.custom_hostname.update"}, Changed: []rules.Change{{Field: "custom_origin_server"}, {Field: "custom_origin_sni"}}},
			Title: "Origin of custom hostname changed[: {target}]",
			Why:   "Another server sees the requests for the hostname of a customer, and answers them."},
		{ID: "custom-hostname-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.custom_hostname.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "Custom hostname changed",
			Why:   "Everyday work of those who serve the hostnames of their customers."},
		{ID: "certificate-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"zone.certificate.*", "custom_csr.*", "zone.client_certificate.delete", "mtls_certificate.delete", "zone.trust_store.delete"},
				Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset", "roll"}},
			Title: "Certificate changed",
			Why:   "A certificate was ordered, uploaded or renewed, or one that let somebody in no longer does."},
	},
}

// readCertificate determines which certificate or hostname an entry is about.
func (r *review) readCertificate() {
	r.readSwitches()
	r.Target = cmp.Or(r.text("hostname", "name"), firstOf(r.after.get("hosts", "hostnames")).Text(),
		firstOf(r.before.get("hosts", "hostnames")).Text(), r.text("host", "common_name"))
	r.zoneIsTarget = true
}
