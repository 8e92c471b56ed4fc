package cloudflareaudit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// The forms in which Cloudflare's products take and give secrets, in the entries
// of either log.
func TestMask_SecretsOfEveryProduct(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	const (
		a       = "/accounts/" + account
		z       = "/zones/" + zone
		id      = "/372e67954025e0ba6aaa6d586b9e0b59"
		s       = "sesame31415926sesame31415926"
		dests   = a + "/alerting/v3/destinations/webhooks"
		pushes  = a + "/logpush/jobs"
		cfgRule = z + "/rulesets" + id + "/rules"
	)
	pem := "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ" + s
	for _, tt := range []struct{ path, resource, action, body string }{
		// Webhooks whose path is the secret.
		{dests, "notification", "update", `{"name":"x","url":"https://hooks.slack.com/services/T0/B0/` + s + `"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://discord.com/api/webhooks/1/` + s + `"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://example.webhook.office.com/webhookb2/a@b/IncomingWebhook/` + s + `/c"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://prod-1.westus.logic.azure.com:443/workflows/` + s + `/triggers"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://alert.victorops.com/integrations/generic/20131114/alert/` + s + `/x"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://open.feishu.cn/open-apis/bot/v2/hook/` + s + `"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://siem.example.com/hooks/` + s + `"}`},
		{dests, "notification", "update", `{"name":"x","url":"https://siem.example.com/","secret":"` + s + `"}`},
		{a + "/stream/webhook", "stream.webhook", "update", `{"notificationUrl":"https://hooks.zapier.com/hooks/catch/1/` + s + `"}`},
		{z + "/dns_records" + id, "dns.record", "update", `{"comment":"alerts: https://hooks.slack.com/services/T0/B0/` + s + `"}`},
		// Destinations of log delivery.
		{pushes, "logpush job", "job_update", `{"destination_conf":"s3://logs/{DATE}?region=x&access-key-id=A&secret-access-key=` + s + `"}`},
		{pushes, "logpush job", "job_update", `{"destination_conf":"azure://logs/?sv=2021&sig=` + s + `"}`},
		{pushes, "logpush job", "job_update", `{"destination_conf":"splunk://h:8088/services/collector/raw?header_Authorization=Splunk%20` + s + `"}`},
		{pushes, "logpush job", "job_update", `{"destination_conf":"datadog://h/api/v2/logs?header_DD-API-KEY=` + s + `"}`},
		{pushes, "logpush job", "job_update", `{"destination_conf":"https://endpoint1.collection.sumologic.com/receiver/v1/http/` + s + `"}`},
		{pushes, "logpush job", "job_update", `{"destination_conf":"https://siem.example.com/in/` + s + `/raw"}`},
		{pushes, "logpush job", "job_update", `{"ownership_challenge":"` + s + `"}`},
		// Bodies that are forms.
		{z + "/dns_records" + id, "", "", `"name=a&client_secret=` + s + `&b=c"`},
		{z + "/firewall/rules", "", "", `"password=` + s + `"`},
		{a + "/members", "", "", `"email=a%40b.example&api%5Fkey=` + s + `"`},
		// Connection strings.
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"postgres://user:` + s + `@db.example.com:5432/x"}`},
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"postgres://user:a/` + s + `@db.example.com/x?ssl=on"}`},
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"postgres://user:a?` + s + `@db.example.com/x"}`},
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"a redis://x:1@h and mysql://user:` + s + `@db"}`},
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"https://a.example/x,https://user:` + s + `@b.example/"}`},
		{z + "/pagerules", "pagerule", "update", `{"a":"https://a.example/?to=https%3A%2F%2Fuser:` + s + `@b.example/"}`},
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"https://user:a/` + s + `@b.example/x"}`},
		{a + "/hyperdrive/configs", "hyperdrive.config", "create", `{"origin":"Server=db;User Id=x;Password=` + s + `;"}`},
		{z + "/pagerules", "pagerule", "update", `{"actions":[{"id":"forwarding_url","value":{"url":"https://user:` + s + `@example.com/"}}]}`},
		{z + "/pagerules", "pagerule", "update", `{"actions":[{"id":"forwarding_url","value":{"url":"https://example.com/?a=b&access_token=` + s + `"}}]}`},
		// Headers that rules set.
		{cfgRule, "ruleset", "rulesets_update", `{"action_parameters":{"headers":{"Authorization":{"operation":"set","value":"` + s + `"}}}}`},
		{cfgRule, "ruleset", "rulesets_update", `{"action_parameters":{"headers":{"X-Origin-Auth":{"operation":"set","value":"` + s + `"}}}}`},
		{cfgRule, "ruleset", "rulesets_update", `{"action_parameters":{"headers":{"Cookie":{"operation":"set","value":"` + s + `"}}}}`},
		{a + "/workers/observability/destinations", "workers.observability.destination", "create", `{"configuration":{"headers":{"x-honeycomb-team":"` + s + `"}}}`},
		// Keys and tokens.
		{a + "/stream/keys", "stream.key", "create", `{"id":"k","pem":"` + pem + `"}`},
		{z + "/custom_hostnames", "custom_hostname", "create", `{"ssl":{"custom_key":"-----BEGIN RSA PRIVATE KEY-----` + s + `"}}`},
		{z + "/custom_hostnames", "custom_hostname", "create", `{"ssl":{"custom_cert_bundle":[{"custom_key":"` + s + `"}]}}`},
		{a + "/images/v1/keys/x", "images.key", "update", `{"keys":[{"name":"x","value":"` + s + `"}]}`},
		{a + "/secondary_dns/tsigs", "tsig", "create", `{"name":"t","secret":"` + s + `"}`},
		{a + "/r2/temp-access-credentials", "r2.credentials", "create", `{"accessKeyId":"A","secretAccessKey":"` + s + `","sessionToken":"` + s + `"}`},
		{a + "/registrar/domains/example.com/auth_code", "registrar.domain", "update", `{"auth_code":"` + s + `"}`},
		{a + "/devices" + id + "/override_codes", "devices", "update", `{"disable_for_time":{"1":"` + s + `"}}`},
		{z + "/dns_records" + id, "dns.record", "update", `{"comment":"cloudflared service install eyJ` + s + s + `"}`},
		{z + "/dns_records" + id, "dns.record", "update", `{"comment":"CF_Authorization=eyJ0eXAiOiJKV1Qi.eyJ` + s + `.x"}`},
		{z + "/dns_records" + id, "dns.record", "update", `{"comment":"ghp_` + s + `"}`},
		{z + "/dns_records" + id, "dns.record", "update", `{"comment":"v1.0-` + s + s + `"}`},
		{"/user/two_factor_authentication", "user", "MFA_enabled", `{"qr_code":"data:image/png;base64,` + s + `"}`},
		{"/user/two_factor_authentication", "user", "MFA_enabled", `{"uri":"otpauth://totp/a?secret=` + s + `"}`},
		{"/user/two_factor_authentication", "user", "MFA_enabled", `{"codes":["` + s + `"]}`},
		{a + "/stream/live_inputs", "stream.live_input", "create", `{"webRTC":{"url":"https://customer-x.cloudflarestream.com/` + s + `/webRTC/publish"}}`},
		{a + "/stream/live_inputs", "stream.live_input", "create", `{"rtmps":{"url":"rtmps://live.cloudflare.com:443/live/","streamKey":"` + s + `"},"srt":{"passphrase":"` + s + `"}}`},
		// Variables of code that are not marked as secret.
		{a + "/pages/projects/x", "pages.project", "update", `{"deployment_configs":{"production":{"env_vars":{"DB":{"type":"plain_text","value":"` + s + `"}}}}}`},
		{a + "/workers/scripts/x/settings", "script", "patch_settings", `{"bindings":[{"name":"DB","type":"json","json":"` + s + `"}]}`},
		{a + "/zaraz/config", "zaraz", "update", `{"tools":{"t":{"settings":{"accessToken":"` + s + `"}}}}`},
		// The audit log holds the same values of a token as the API.
		{"/user/tokens", "account", "token_create", `{"id":"t1","name":"ci","value":"` + s + `"}`},
		{"/user/tokens", "account", "token_roll", `{"name":"cfat_` + s + `"}`},
	} {
		entries := []string{requested("POST", tt.path, body(tt.body)), requested("PATCH", tt.path, answer(tt.body)), requested("PUT", tt.path, body(tt.body), answer(tt.body))}
		if tt.action != "" {
			entries = append(entries, logged(tt.resource, tt.action, after(tt.body)), logged(tt.resource, tt.action, before(tt.body), after(`{}`)), logged(tt.resource, tt.action, `"metadata":`+tt.body),
				logged(tt.resource, tt.action, `"newValue":`+jsondoc.Quote(tt.body)), requested("PUT", tt.path, body(jsondoc.Quote(tt.body))))
		}
		for _, raw := range entries {
			got, _ := n.Normalize([]byte(raw))
			line := string(got.AppendJSON(nil))
			assert.True(t, json.Valid([]byte(line)), raw)
			assert.NotContains(t, line, s, raw)
			assert.Contains(t, strings.Join(got.Audit.Notes, " "), "masked in raw_event", raw)
			all, err := json.Marshal(n.Explain([]byte(raw)).Facts)
			require.NoError(t, err)
			assert.NotContains(t, string(all), s, raw)
		}
	}
}

// Targets, names and the public parts of keys stay, because analysts need them.
func TestMask_LeavesWhatAnAnalystNeeds(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, tt := range []struct{ path, resource, action, body string }{
		{"/accounts/" + account + "/access/identity_providers", "access.identity_provider", "update",
			`{"config":{"auth_url":"https://sso.example.com/authorize","token_url":"https://sso.example.com/token","certs_url":"https://sso.example.com/keys","jwks_uri":"https://sso.example.com/jwks","client_id":"c"}}`},
		{"/zones/" + zone + "/dnssec", "dnssec", "update",
			`{"key_tag":42,"keytag":42,"key_type":"ECDSAP256SHA256","public_key":"oXiGYrSTO+LSCJ3mohc8EP+CzF9KxBj8/ydXJ22pKuZP3VAC3/Md/k7xZfz470CoRyZJ6gV6vml07IC3d8xqhA==","digest":"48E939042E82C22542CB377B580DFDC52A361CEFDC72E7F9107E2B6BD9306A45"}`},
		{"/accounts/" + account + "/challenges/widgets", "turnstile", "update", `{"sitekey":"0x4AAAAAAAAjq6WYeRDKmebM","name":"x"}`},
		{"/accounts/" + account + "/access/keys", "access.keys", "update", `{"key_rotation_interval_days":30,"days_until_next_rotation":1,"last_key_rotation_at":"2026-05-12T09:00:00Z"}`},
		{"/accounts/" + account + "/r2/temp-access-credentials", "r2.credentials", "create", `{"accessKeyId":"A","parentAccessKeyId":"B","bucket":"b"}`},
		{"/accounts/" + account + "/access/apps", "access.app", "update", `{"destinations":[{"private_ip":"10.0.0.1","private_network":"10.0.0.0/8"}],"domain":"https://app.example.com/a/b"}`},
		{"/accounts/" + account + "/alerting/v3/destinations/webhooks", "notification", "update", `{"url":"https://siem.example.com/cloudflare/v2/webhook"}`},
		{"/accounts/" + account + "/logpush/jobs", "logpush job", "job_update", `{"destination_conf":"s3://logs-2026-archive/http_requests/{DATE}","dataset":"http_requests"}`},
		{"/accounts/" + account + "/logpush/jobs", "logpush job", "job_update", `{"destination_conf":"https://siem.example.com/ingest/cloudflare"}`},
		{"/zones/" + zone + "/dns_records", "dns.record", "create", `{"type":"TXT","name":"a","content":"google-site-verification=abcdefghijklmnopqrstuvwxyz012345"}`},
		{"/zones/" + zone + "/dns_records", "dns.record", "create", `{"type":"TXT","name":"k._domainkey","content":"v=DKIM1;k=rsa;p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ=="}`},
		{"/zones/" + zone + "/dns_records", "dns.record", "create", `{"type":"MX","name":"a","content":"mail.example.net","data":{"public_key":"x","key_tag":1,"algorithm":2}}`},
		{"/zones/" + zone + "/rulesets/s1/rules/r1", "ruleset", "rulesets_update", `{"expression":"(http.request.uri.path eq \"/a?b=c&d=e\" and http.host eq \"x\")","description":"Author: eve","action_parameters":{"headers":{"X-Frame-Options":{"operation":"set","value":"DENY"}},"cache_key":{"custom_key":{"header":{"include":["x"]}}}}}`},
		{"/zones/" + zone + "/pagerules", "pagerule", "update", `{"actions":[{"id":"forwarding_url","value":{"url":"https://example.com:8443/@user/x?a=b&c=d"}}]}`},
		{"/accounts/" + account + "/access/policies/p1", "access.policy", "update", `{"include":[{"service_token":{"token_id":"a3d0c8ba"}},{"any_valid_service_token":{}}]}`},
		{"/zones/" + zone + "/email/routing/rules/r1", "email_routing.rule", "update", `{"actions":[{"type":"forward","value":["mallory@example.net"]}],"matchers":[{"field":"to","value":"ceo@example.com"}]}`},
		{"/accounts/" + account + "/gateway/lists/l1", "gateway.list", "update", `{"append":[{"value":"203.0.113.66"}]}`},
		{"/zones/" + zone + "/settings/ssl", "zone", "change_setting", `{"id":"ssl","value":"off"}`},
	} {
		entries := []string{requested("PATCH", tt.path, body(tt.body))}
		if tt.action != "" {
			entries = append(entries, logged(tt.resource, tt.action, after(tt.body)))
		}
		for _, raw := range entries {
			got, _ := n.Normalize([]byte(raw))
			assert.Equal(t, raw, string(got.RawEvent))
			assert.Empty(t, got.Audit.Notes, raw)
			assert.NotContains(t, string(got.AppendJSON(nil)), masked, raw)
		}
	}
	for _, entry := range []string{
		logged("account", "token_create", `"newValue":"`+sesame+`"`), logged("api_key", "API_key_created", `"newValue":"`+sesame+`"`, `"oldValue":"null"`),
	} {
		got, _ := n.Normalize([]byte(entry))
		assert.NotContains(t, string(got.AppendJSON(nil)), sesame, entry)
		assert.Equal(t, []string{"1 value that is or may be a secret is masked in raw_event"}, got.Audit.Notes)
	}
	// The host of a secret address stays, and so do the names of a form.
	for text, want := range map[string]string{
		`{"url":"https://hooks.slack.com/services/T0/B0/x"}`:                                   `https://hooks.slack.com/` + masked,
		`{"note":"see https://a.example/x?b=c and\n https://b.example/y"}`:                     `"see https://a.example/x?` + masked + ` and\n https://b.example/y"`,
		`{"url":"https://siem.example.com/hooks/3f9a8b7c6d5e4f/raw"}`:                          `https://siem.example.com/hooks/` + masked + `/raw`,
		`{"origin":"postgres://user:pw@db.example.com:5432/x"}`:                                `postgres://` + masked + `@db.example.com:5432/x`,
		`"name=a&client_secret=x&b=c"`:                                                         `name=a&client_secret=` + masked + `&b=c`,
		`{"url":"https://discord.com/api/webhooks/1/x","at":"https://discord.com/developers"}`: `"at":"https://discord.com/developers"`,
	} {
		path := "/accounts/" + account + "/alerting/v3/destinations/webhooks"
		if text[0] == '"' {
			path = "/zones/" + zone + "/dns_records"
		}
		got, _ := n.Normalize([]byte(requested("POST", path, body(text))))
		assert.Contains(t, string(got.RawEvent), want)
	}
}
