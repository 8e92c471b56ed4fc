package product

import (
	"slices"
	"testing"
)

var protectionsSuite = suite{
	pairs: slices.Concat(
		rows("bot_management/view", "bot_management.view", info, same, same),
		rows("?turnstile.widget/delete; ?turnstile.widget/rotate_secret; ?page_shield/disable; ?content_upload_scan/disable; ?fraud_detection/disable", "", medium, same, same),
		rows("?bot_management/update", "bot_management.update", medium, same, low, values(`{"sbfm_definitely_automated":"block"}`, `{"sbfm_definitely_automated":"allow"}`)),
		rows("?origin_tls_client_auth/update", "", medium, same, low, values(`{"enabled":true}`, `{"enabled":false}`)),
	),
	calls: protectionsCalls(),
	examples: map[string]ruleExample{
		"turnstile-changed":     {called("PUT {a}/challenges/widgets/1", requestBody(`{"name":"login"}`)), called("POST {a}/challenges/widgets/1/rotate_secret")},
		"turnstile-removed":     {called("DELETE {a}/challenges/widgets/1"), called("PUT {a}/challenges/widgets/1", requestBody(`{"name":"login"}`))},
		"protection-removed":    {logged("page_shield", "disable"), logged("page_shield", "enable")},
		"script-policy-changed": {requested("POST", "/zones/"+exampleZone+"/page_shield/policies", requestBody(`{"description":"checkout","action":"allow","value":"script-src 'self'","enabled":true,"expression":"true"}`)), requested("DELETE", "/zones/"+exampleZone+"/page_shield/policies/1")},
		"protection-changed":    {logged("page_shield", "enable"), logged("page_shield", "disable")},
		"protection-weakened":   {logged("bot_management", "update", values(`{"fight_mode":true}`, `{"fight_mode":false}`)), logged("bot_management", "update", values(`{"fight_mode":false}`, `{"fight_mode":true}`))},
	},
}

func protectionsCalls() callList {
	var list callList
	list.add("POST {z}/leaked-credential-checks", "leaked_credential_checks.disable", medium, requestBody(`{"enabled":false}`))
	list.add("POST {z}/leaked-credential-checks", "leaked_credential_checks.update", low, requestBody(`{"enabled":true}`))
	list.collect("{a}/challenges/widgets", "turnstile.widget", low, low, medium)
	list.add("POST {a}/challenges/widgets/1/rotate_secret", "turnstile.widget.roll", medium)
	list.add("POST {z}/leaked-credential-checks/detections", "leaked_credential_checks.detection.create", low)
	list.add("DELETE {z}/leaked-credential-checks/detections/1", "leaked_credential_checks.detection.delete", medium)
	list.add("PUT {z}/bot_management", "bot_management.update", medium, requestBody(`{"sbfm_definitely_automated":"allow"}`))
	list.add("PUT {z}/bot_management", "bot_management.update", low, requestBody(`{"enable_js":true}`))
	list.add("PUT {z}/page_shield", "page_shield.disable", medium, requestBody(`{"enabled":false}`))
	list.add("PUT {z}/page_shield", "page_shield.update", low, requestBody(`{"enabled":true}`))
	list.add("PUT {z}/page_shield/policies/1", "page_shield.policy.update", medium)
	list.add("PUT {z}/page_shield/policies/1", "page_shield.policy.disable", medium, requestBody(`{"enabled":false}`))
	list.add("POST {z}/content-upload-scan/enable", "content_scan.enable", low)
	list.add("POST {z}/content-upload-scan/disable", "content_scan.disable", medium)
	list.add("PUT {z}/content-upload-scan/settings", "content_scan.update", low)
	list.add("POST {z}/content-upload-scan/payloads", "content_scan.payload.create", low)
	list.add("DELETE {z}/content-upload-scan/payloads/1", "content_scan.payload.delete", medium)
	list.add("PUT {z}/fraud_detection/settings", "fraud_detection.update", low)
	list.add("PUT {z}/precursor", "precursor.update", medium, requestBody(`{"default_mode":"off"}`))
	list.add("PUT {z}/precursor", "precursor.update", low, requestBody(`{"default_mode":"max-security"}`))
	list.add("PUT {z}/origin_tls_client_auth/settings", "origin_tls_client_auth.disable", medium, requestBody(`{"enabled":false}`))
	list.add("PUT {z}/origin_tls_client_auth/hostnames", "origin_tls_client_auth.update", medium, requestBody(`{"config":[{"hostname":"a.example.com","enabled":false}]}`))
	list.add("PUT {z}/origin_tls_client_auth/hostnames", "origin_tls_client_auth.update", low, requestBody(`{"config":[{"hostname":"a.example.com","enabled":true,"cert_id":"1"}]}`))
	list.add("POST {z}/origin_tls_client_auth/hostnames/certificates; POST {z}/origin_tls_client_auth", "origin_tls_client_auth.certificate.create", low)
	list.add("DELETE {z}/origin_tls_client_auth/hostnames/certificates/1; DELETE {z}/origin_tls_client_auth/1", "origin_tls_client_auth.certificate.delete", medium)
	return list
}

func TestProtections_EveryEntryIsUnderstoodAndGraded(t *testing.T) { protectionsSuite.check(t) }
