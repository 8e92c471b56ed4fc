package product

import (
	"slices"
	"testing"
)

var certificatesSuite = suite{
	pairs: slices.Concat(
		rows("ssl.certificate_packs/view", "zone.certificate.view", info, same, same),
		rows("certificate_pack/ordered", "zone.certificate.create", info, same, same, bySystem, inZone),
		rows("certificate_pack/ordered; ?custom_certificate/create", "zone.certificate.create", low, same, same, inZone),
		rows("zone/ct_monitoring_subscription_updated; ?ct_monitoring_subscription/updated", "zone.ct_alert.disable", medium, same, low, inZone, values(`{"enabled":true}`, `{"enabled":false}`)),
		rows("zone/ct_monitoring_subscription_updated", "zone.ct_alert.update", low, same, same, inZone),
		rows("?custom_hostname/created", "zone.custom_hostname.create", low, same, same, newValue(`{"hostname":"shop.example.org"}`)),
		rows("?keyless_certificate/update", "zone.keyless_certificate.update", medium, same, same, newValue(`{"host":"keys.example.com"}`)),
		rows("?client_certificate/create", "zone.client_certificate.create", medium, same, same),
		rows("?mtls_certificate/create", "mtls_certificate.create", medium, same, same),
		rows("?custom_trust_store/create", "zone.trust_store.create", medium, same, same),
		rows("?origin_ca_certificate/create", "origin_ca.certificate.create", medium, same, same),
		rows("?custom_csr/create", "custom_csr.create", low, same, same),
	),
	calls: certificatesCalls(),
	examples: map[string]ruleExample{
		"certificate-analyzed":           {requested("POST", "/zones/"+exampleZone+"/ssl/analyze"), requested("GET", "/zones/"+exampleZone+"/ssl/certificate_packs")},
		"ct-alerts-off":                  {logged("zone", "ct_monitoring_subscription_updated", inProduction, values(`{"enabled":true}`, `{"enabled":false}`)), logged("zone", "ct_monitoring_subscription_updated", inProduction, values(`{"enabled":false}`, `{"enabled":true}`))},
		"ct-alerts-redirected":           {requested("PATCH", "/zones/"+exampleZone+"/ct/alerting", requestBody(`{"enabled":true,"emails":["mallory@example.net"]}`)), requested("PATCH", "/zones/"+exampleZone+"/ct/alerting", requestBody(`{"enabled":true}`))},
		"ct-alerts-changed":              {requested("PATCH", "/zones/"+exampleZone+"/ct/alerting", requestBody(`{"enabled":true}`)), requested("PATCH", "/zones/"+exampleZone+"/ct/alerting", requestBody(`{"enabled":false}`))},
		"origin-certificate-issued":      {requested("POST", "/certificates", requestBody(`{"hostnames":["example.com","*.example.com"],"requested_validity":5475}`)), requested("GET", "/certificates")},
		"authority-trusted":              {requested("POST", "/accounts/"+exampleAccount+"/mtls_certificates", requestBody(`{"ca":true,"name":"partners"}`)), requested("DELETE", "/accounts/"+exampleAccount+"/mtls_certificates/1")},
		"client-certificate-issued":      {requested("POST", "/zones/"+exampleZone+"/client_certificates", requestBody(`{"validity_days":3650}`)), requested("DELETE", "/zones/"+exampleZone+"/client_certificates/1")},
		"keyless-server-changed":         {logged("keyless_certificate", "update", inProduction, values(`{"name":"keys","host":"keys.example.com"}`, `{"name":"keys","host":"keys.example.net"}`)), logged("keyless_certificate", "delete", inProduction)},
		"certificate-deleted":            {requested("DELETE", "/zones/"+exampleZone+"/custom_certificates/1"), requested("PATCH", "/zones/"+exampleZone+"/custom_certificates/1")},
		"custom-hostname-origin-changed": {logged("custom_hostname", "update", inProduction, values(`{"hostname":"shop.example.org","custom_origin_server":"a.example.com"}`, `{"hostname":"shop.example.org","custom_origin_server":"b.example.net"}`)), logged("custom_hostname", "update", inProduction, values(`{"hostname":"shop.example.org","ssl":{"method":"txt"}}`, `{"hostname":"shop.example.org","ssl":{"method":"http"}}`))},
		"custom-hostname-changed":        {logged("custom_hostname", "create", inProduction, newValue(`{"hostname":"shop.example.org"}`)), logged("custom_hostname", "view")},
		"certificate-changed":            {requested("POST", "/zones/"+exampleZone+"/ssl/certificate_packs/order", requestBody(`{"hosts":["example.com"]}`)), requested("DELETE", "/zones/"+exampleZone+"/ssl/certificate_packs/1")},
	},
	moves: map[string]moveCase{
		"key server off":            {logged("keyless_certificate", "update", values(`{"name":"keys","enabled":true}`, `{"name":"keys","enabled":false}`)), "zone.keyless_certificate.disable", "weaker", "keys"},
		"hosts of a certificate":    {requested("POST", "/zones/"+exampleZone+"/ssl/certificate_packs/order", requestBody(`{"hosts":["a.example.com","b.example.com"]}`)), "zone.certificate.create", "", "a.example.com"},
		"hosts of an authority":     {requested("PUT", "/zones/"+exampleZone+"/certificate_authorities/hostname_associations", requestBody(`{"hostnames":["a.example.com"]}`)), "zone.client_authority.update", "", "a.example.com"},
		"hosts that were protected": {logged("certificate_pack", "delete", oldValue(`{"hosts":["a.example.com"]}`)), "zone.certificate.delete", "", "a.example.com"},
	},
}

func certificatesCalls() callList {
	var list callList
	list.add("PATCH {z}/custom_certificates/1; PUT {z}/custom_certificates/prioritize; PATCH {z}/ssl/verification/1; PATCH {z}/ssl/certificate_packs/1", "zone.certificate.update", low)
	list.add("POST {z}/custom_certificates; POST {z}/ssl/certificate_packs/order", "zone.certificate.create", low)
	list.add("DELETE {z}/ssl/certificate_packs/1; DELETE {z}/custom_certificates/1", "zone.certificate.delete", medium)
	list.add("POST {z}/ssl/analyze", "zone.certificate.view", info)
	list.add("GET {z}/custom_certificates", "zone.certificate.view", drop)
	list.add("POST {z}/keyless_certificates", "zone.keyless_certificate.create", medium, requestBody(`{"host":"keys.example.com"}`))
	list.add("PATCH {z}/keyless_certificates/1", "zone.keyless_certificate.update", medium)
	list.add("DELETE {z}/keyless_certificates/1", "zone.keyless_certificate.delete", medium)
	list.add("POST {z}/client_certificates", "zone.client_certificate.create", medium)
	list.add("PATCH {z}/client_certificates/1", "zone.client_certificate.update", medium)
	list.add("DELETE {z}/client_certificates/1", "zone.client_certificate.delete", low)
	list.add("PUT {z}/certificate_authorities/hostname_associations", "zone.client_authority.update", medium)
	list.add("POST {z}/acm/custom_trust_store", "zone.trust_store.create", medium)
	list.add("DELETE {z}/acm/custom_trust_store/1", "zone.trust_store.delete", low)
	list.add("PATCH {z}/ct/alerting", "zone.ct_alert.disable", medium, requestBody(`{"enabled":false}`))
	list.add("PATCH {z}/ct/alerting", "zone.ct_alert.update", low, requestBody(`{"enabled":true}`))
	list.add("POST {z}/custom_hostnames", "zone.custom_hostname.create", low, requestBody(`{"hostname":"shop.example.org","custom_origin_server":"a.example.com"}`))
	list.add("PATCH {z}/custom_hostnames/1", "zone.custom_hostname.update", medium, requestBody(`{"custom_origin_server":"a.example.com"}`))
	list.add("PATCH {z}/custom_hostnames/1; PUT {z}/custom_hostnames/1/certificate_pack/1/certificates/1; DELETE {z}/custom_hostnames/1/certificate_pack/1/certificates/1", "zone.custom_hostname.update", low)
	list.add("DELETE {z}/custom_hostnames/1", "zone.custom_hostname.delete", low)
	list.add("POST {z}/custom_csrs; POST {a}/custom_csrs", "custom_csr.create", low)
	list.add("POST {a}/mtls_certificates", "mtls_certificate.create", medium)
	list.add("DELETE {a}/mtls_certificates/1", "mtls_certificate.delete", low)
	list.add("POST /certificates", "origin_ca.certificate.create", medium)
	list.add("DELETE /certificates/1", "origin_ca.certificate.delete", medium)
	list.add("PUT {z}/custom_hostnames/fallback_origin", "zone.fallback_origin.update", medium, requestBody(`{"origin":"o.example.net"}`))
	list.add("DELETE {z}/custom_hostnames/fallback_origin", "zone.fallback_origin.delete", medium)
	return list
}

func TestCertificates_EveryEntryIsUnderstoodAndGraded(t *testing.T) { certificatesSuite.check(t) }
