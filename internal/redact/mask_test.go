package redact

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// sesame is a secret that nothing may show.
const sesame = "open-sesame-31415926"

// Policies for what the entries of these tests are about.
var (
	settings = Policy{}
	webhooks = Policy{Values: true, Addresses: true, Hooks: true}
	tokens   = Policy{Values: true, Addresses: true, BareTexts: true}
)

// stricter are p and all policies that call more a secret than p.
func stricter(p Policy) []Policy {
	var list []Policy
	for _, q := range policies() {
		if (q.Values || !p.Values) && (q.Addresses || !p.Addresses) && (q.Hooks || !p.Hooks) && (q.BareTexts || !p.BareTexts) {
			list = append(list, q)
		}
	}
	return list
}

// masked is an entry without its secrets, and how many there were.
func masked(t testing.TB, entry string, p Policy) (string, int) {
	var doc jsondoc.Doc
	require.NoError(t, doc.Parse(entry), entry)
	n := Entry(&doc, p)
	return string(doc.Root().AppendJSON(nil)), n
}

// called is an entry of Audit Logs v2 with some members in its resource.
func called(uri string, members ...string) string {
	return `{"account":{"id":"a"},"action":{"type":"create"},"raw":{"method":"POST","uri":` + jsondoc.Quote(uri) + `},"resource":{` +
		strings.Join(append([]string{`"product":"x"`}, members...), ",") + `}}`
}

func body(v string) string   { return `"request":` + v }
func answer(v string) string { return `"response":` + v }

// logged is an entry of the audit log with some members.
func logged(members ...string) string {
	return `{"action":{"type":"update"},"id":"1",` + strings.Join(append(members, `"resource":{"type":"x"}`), ",") + `}`
}

func TestEntry_SecretsInBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy Policy
		entry  string
	}{
		// By their names, wherever they are.
		{settings, called("/x", body(`{"name":"idp","config":{"client_id":"c","client_secret":"`+sesame+`"}}`))},
		{settings, called("/x", body(`{"password":"`+sesame+`"}`))},
		{settings, called("/x", body(`{"PrivateKey":"`+sesame+`"}`))},
		{settings, called("/x", body(`{"a":[{"b":{"api_key":["x","`+sesame+`"]}}]}`))},
		{settings, called("/x", body(`{"key":{"material":"`+sesame+`"}}`))},
		{settings, called("/x", body(`{"certificate":"-","private_key":"`+sesame+`"}`))},
		{settings, called("/x", body(`{"rules":[{"action_parameters":{"headers":{"Authorization":{"operation":"set","value":"`+sesame+`"}}}}]}`))},
		{settings, called("/x", answer(`{"ipsec_tunnel_id":"t1","psk":"`+sesame+`"}`))},
		{settings, called("/x", answer(`{"id":"k1","jwk":"`+sesame+`"}`))},
		// In a text that was cut off.
		{settings, called("/x", body(`"{\"comment\":\"\",\"client_secret\":\"`+sesame+`\",\"tags\":[\""`))},
		{settings, called("/x", body(`{"note":"{\"client_secret\":\"`+sesame+`\",\"a\":"}`))},
		{settings, logged(`"newValue":"{\"client_secret\":\"` + sesame + `\",\"a\":"`)},
		{settings, logged(`"newValueJson":{"config":"{\"client_secret\":\"` + sesame + `\"}","jwt":"eyJ` + sesame + sesame + `"}`)},
		// By what the entry is about.
		{settings, called("/x", body(`{"name":"DB","text":"`+sesame+`","type":"secret_text"}`))},
		{settings, called("/x", body(`{"bindings":[{"name":"DB","text":"`+sesame+`","type":"secret_text"}]}`))},
		{Unknown, called("/x", answer(`"`+sesame+`"`))},
		{Unknown, called("/x", answer(`{"result":"`+sesame+`","success":true}`))},
		{Unknown, called("/x", answer(`{"id":"t1","name":"ci","value":"`+sesame+`"}`))},
		{settings, called("/x", body(`{"dataset":"x","destination_conf":"s3://logs?secret-access-key=`+sesame+`"}`))},
		{Unknown, called("/x", body(`[{"name":"DB","value":"`+sesame+`"}]`))},
		{Unknown, called("/x", body(`"`+sesame+`"`))},
		{Unknown, called("/x", body(`"{\"value\":\"`+sesame+`\"}"`))},
		{Unknown, called("/x", body(`{"value":314159.26}`), answer(`{"result":"`+sesame+`"}`))},
		{tokens, logged(`"newValue":"` + sesame + `"`)},
		{tokens, logged(`"newValue":"`+sesame+`"`, `"oldValue":"null"`)},
		// By their form.
		{settings, called("/x", body(`{"comment":"use cfat_`+sesame+`"}`))},
		{settings, called("/x", body(`{"comment":"Bearer `+sesame+`"}`))},
		// In the query.
		{settings, called("/x?api_token=" + sesame)},
		{settings, called("/x?a=1&x=cfut_" + sesame + "&b=2")},
		{settings, called("/x?%61pi_key=" + sesame + "&c=%zz")},
		// In members that are not documented, or there twice.
		{settings, called("/x", body(`{"password":"`+sesame+`"}`), body(`{"a":1}`))},
		{settings, called("/x", `"body":{"password":"`+sesame+`"}`)},
		{settings, `{"context":{"password":"` + sesame + `"}}`},
		{Unknown, `{"resource":"` + sesame + `"}`},
		{settings, `{"raw":{"user_agent":"curl/8 cfat_` + sesame + `"}}`},
		{settings, `{"raw":["cfat_` + sesame + `"]}`},
		{settings, `["cfat_` + sesame + `"]`},
		{settings, logged(`"context":{"password":"` + sesame + `"}`)},
	} {
		for _, p := range stricter(tt.policy) {
			got, n := masked(t, tt.entry, p)
			assert.NotContains(t, got, sesame, "%+v: %s", p, tt.entry)
			assert.NotContains(t, got, "314159", "%+v: %s", p, tt.entry)
			assert.Contains(t, got, Masked, "%+v: %s", p, tt.entry)
			assert.Positive(t, n)
			assert.True(t, json.Valid([]byte(got)), got)
		}
	}
}

// The forms in which Cloudflare's products take and give secrets, in the entries
// of either log.
func TestEntry_SecretsOfEveryProduct(t *testing.T) {
	t.Parallel()
	const s = "sesame31415926sesame31415926"
	pem := "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ" + s
	for _, tt := range []struct {
		policy Policy
		body   string
	}{
		// Webhooks whose path is the secret.
		{settings, `{"name":"x","url":"https://hooks.slack.com/services/T0/B0/` + s + `"}`},
		{settings, `{"name":"x","url":"https://discord.com/api/webhooks/1/` + s + `"}`},
		{settings, `{"name":"x","url":"https://example.webhook.office.com/webhookb2/a@b/IncomingWebhook/` + s + `/c"}`},
		{settings, `{"name":"x","url":"https://prod-1.westus.logic.azure.com:443/workflows/` + s + `/triggers"}`},
		{settings, `{"name":"x","url":"https://alert.victorops.com/integrations/generic/20131114/alert/` + s + `/x"}`},
		{settings, `{"name":"x","url":"https://open.feishu.cn/open-apis/bot/v2/hook/` + s + `"}`},
		{webhooks, `{"name":"x","url":"https://siem.example.com/hooks/` + s + `"}`},
		{settings, `{"name":"x","url":"https://siem.example.com/","secret":"` + s + `"}`},
		{settings, `{"notificationUrl":"https://hooks.zapier.com/hooks/catch/1/` + s + `"}`},
		{settings, `{"comment":"alerts: https://hooks.slack.com/services/T0/B0/` + s + `"}`},
		// Destinations of log delivery.
		{settings, `{"destination_conf":"s3://logs/{DATE}?region=x&access-key-id=A&secret-access-key=` + s + `"}`},
		{settings, `{"destination_conf":"azure://logs/?sv=2021&sig=` + s + `"}`},
		{settings, `{"destination_conf":"splunk://h:8088/services/collector/raw?header_Authorization=Splunk%20` + s + `"}`},
		{settings, `{"destination_conf":"datadog://h/api/v2/logs?header_DD-API-KEY=` + s + `"}`},
		{settings, `{"destination_conf":"https://endpoint1.collection.sumologic.com/receiver/v1/http/` + s + `"}`},
		{webhooks, `{"destination_conf":"https://siem.example.com/in/` + s + `/raw"}`},
		{settings, `{"ownership_challenge":"` + s + `"}`},
		// Bodies that are forms.
		{settings, `"name=a&client_secret=` + s + `&b=c"`},
		{settings, `"password=` + s + `"`},
		{settings, `"email=a%40b.example&api%5Fkey=` + s + `"`},
		// Connection strings.
		{settings, `{"origin":"postgres://user:` + s + `@db.example.com:5432/x"}`},
		{settings, `{"origin":"postgres://user:a/` + s + `@db.example.com/x?ssl=on"}`},
		{settings, `{"origin":"postgres://user:a?` + s + `@db.example.com/x"}`},
		{settings, `{"origin":"a redis://x:1@h and mysql://user:` + s + `@db"}`},
		{settings, `{"origin":"https://a.example/x,https://user:` + s + `@b.example/"}`},
		{settings, `{"a":"https://a.example/?to=https%3A%2F%2Fuser:` + s + `@b.example/"}`},
		{settings, `{"origin":"https://user:a/` + s + `@b.example/x"}`},
		{settings, `{"origin":"Server=db;User Id=x;Password=` + s + `;"}`},
		{settings, `{"actions":[{"id":"forwarding_url","value":{"url":"https://user:` + s + `@example.com/"}}]}`},
		{settings, `{"actions":[{"id":"forwarding_url","value":{"url":"https://example.com/?a=b&access_token=` + s + `"}}]}`},
		// Headers that rules set.
		{settings, `{"action_parameters":{"headers":{"Authorization":{"operation":"set","value":"` + s + `"}}}}`},
		{settings, `{"action_parameters":{"headers":{"X-Origin-Auth":{"operation":"set","value":"` + s + `"}}}}`},
		{settings, `{"action_parameters":{"headers":{"Cookie":{"operation":"set","value":"` + s + `"}}}}`},
		{Unknown, `{"configuration":{"headers":{"x-honeycomb-team":"` + s + `"}}}`},
		// Keys and tokens.
		{settings, `{"id":"k","pem":"` + pem + `"}`},
		{settings, `{"ssl":{"custom_key":"-----BEGIN RSA PRIVATE KEY-----` + s + `"}}`},
		{settings, `{"ssl":{"custom_cert_bundle":[{"custom_key":"` + s + `"}]}}`},
		{settings, `{"keys":[{"name":"x","value":"` + s + `"}]}`},
		{settings, `{"name":"t","secret":"` + s + `"}`},
		{settings, `{"accessKeyId":"A","secretAccessKey":"` + s + `","sessionToken":"` + s + `"}`},
		{settings, `{"auth_code":"` + s + `"}`},
		{settings, `{"disable_for_time":{"1":"` + s + `"}}`},
		{settings, `{"comment":"cloudflared service install eyJ` + s + s + `"}`},
		{settings, `{"comment":"CF_Authorization=eyJ0eXAiOiJKV1Qi.eyJ` + s + `.x"}`},
		{settings, `{"comment":"ghp_` + s + `"}`},
		{settings, `{"comment":"v1.0-` + s + s + `"}`},
		{settings, `{"qr_code":"data:image/png;base64,` + s + `"}`},
		{settings, `{"uri":"otpauth://totp/a?secret=` + s + `"}`},
		{Unknown, `{"codes":["` + s + `"]}`},
		{settings, `{"webRTC":{"url":"https://customer-x.cloudflarestream.com/` + s + `/webRTC/publish"}}`},
		{settings, `{"rtmps":{"url":"rtmps://live.cloudflare.com:443/live/","streamKey":"` + s + `"},"srt":{"passphrase":"` + s + `"}}`},
		// Variables of code that are not marked as secret.
		{Unknown, `{"deployment_configs":{"production":{"env_vars":{"DB":{"type":"plain_text","value":"` + s + `"}}}}}`},
		{Unknown, `{"bindings":[{"name":"DB","type":"json","json":"` + s + `"}]}`},
		{settings, `{"tools":{"t":{"settings":{"accessToken":"` + s + `"}}}}`},
		{Unknown, `{"id":"t1","name":"ci","value":"` + s + `"}`},
		{settings, `{"name":"cfat_` + s + `"}`},
	} {
		text := tt.body
		if text[0] == '{' {
			text = jsondoc.Quote(text)
		}
		for _, entries := range map[string][]string{
			audit.V2: {called("/x", body(tt.body)), called("/x", answer(tt.body)), called("/x", body(tt.body), answer(tt.body)), called("/x", body(text))},
			audit.V1: {logged(`"newValueJson":` + tt.body), logged(`"oldValueJson":`+tt.body, `"newValueJson":{}`), logged(`"metadata":` + tt.body), logged(`"newValue":` + text)},
		} {
			for _, entry := range entries {
				for _, p := range stricter(tt.policy) {
					got, n := masked(t, entry, p)
					assert.NotContains(t, got, s, "%+v: %s", p, entry)
					assert.True(t, json.Valid([]byte(got)), got)
					assert.Positive(t, n, "%+v: %s", p, entry)
				}
			}
		}
	}
}

// What an analyst needs stays: where things lead, what they are called, and what
// everybody may know of a key.
func TestEntry_LeavesTheRestAsItIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy Policy
		body   string
	}{
		{settings, ` { "value" : "off" } `},
		{settings, `{"id":"ssl","value":"off"}`},
		{settings, `{"type":"CAA","name":"a","data":{"flags":0,"tag":"issue","value":"ca.example.net"}}`},
		{settings, `{"mode":"block","configuration":{"target":"ua","value":"BadBot"}}`},
		{settings, `{"rules":[{"action_parameters":{"cache_key":{"custom_key":{"query_string":{"include":["*"]}}},"uri":{"path":{"value":"/x"}}}}]}`},
		{Unknown, `{"name":"ci","policies":[{"effect":"allow","permission_groups":[{"id":"p","name":"API Tokens Write"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}],"not_before":null}`},
		{Unknown, `{"email":"dave@example.org","roles":["33666b9c79b9a5273fc7344ff42f953d"]}`},
		{Unknown, `{"mode":"block","notes":"Basic protection of the shop"}`},
		{Unknown, `{"type":"TXT","name":"a","content":"bearer news","comment":"basic authentication"}`},
		{settings, `{"actions":[{"id":"forwarding_url","value":{"url":"https://example.com/?a=b"}}]}`},
		{Unknown, `{"public_key":"x","token_id":"t","value":true,"other":null,"n":1}`},
		{Unknown, `{"config":{"auth_url":"https://sso.example.com/authorize","token_url":"https://sso.example.com/token","certs_url":"https://sso.example.com/keys","jwks_uri":"https://sso.example.com/jwks","client_id":"c"}}`},
		{Unknown, `{"key_tag":42,"keytag":42,"key_type":"ECDSAP256SHA256","public_key":"oXiGYrSTO+LSCJ3mohc8EP+CzF9KxBj8/ydXJ22pKuZP3VAC3/Md/k7xZfz470CoRyZJ6gV6vml07IC3d8xqhA==","digest":"48E939042E82C22542CB377B580DFDC52A361CEFDC72E7F9107E2B6BD9306A45"}`},
		{Unknown, `{"sitekey":"0x4AAAAAAAAjq6WYeRDKmebM","name":"x"}`},
		{Unknown, `{"key_rotation_interval_days":30,"days_until_next_rotation":1,"last_key_rotation_at":"2026-05-12T09:00:00Z"}`},
		{Unknown, `{"accessKeyId":"A","parentAccessKeyId":"B","bucket":"b"}`},
		{Unknown, `{"destinations":[{"private_ip":"10.0.0.1","private_network":"10.0.0.0/8"}],"domain":"https://app.example.com/a/b"}`},
		{webhooks, `{"url":"https://siem.example.com/cloudflare/v2/webhook"}`},
		{webhooks, `{"destination_conf":"s3://logs-2026-archive/http_requests/{DATE}","dataset":"http_requests"}`},
		{webhooks, `{"destination_conf":"https://siem.example.com/ingest/cloudflare"}`},
		{settings, `{"type":"TXT","name":"a","content":"google-site-verification=abcdefghijklmnopqrstuvwxyz012345"}`},
		{settings, `{"type":"TXT","name":"k._domainkey","content":"v=DKIM1;k=rsa;p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ=="}`},
		{settings, `{"type":"MX","name":"a","content":"mail.example.net","data":{"public_key":"x","key_tag":1,"algorithm":2}}`},
		{settings, `{"expression":"(http.request.uri.path eq \"/a?b=c&d=e\" and http.host eq \"x\")","description":"Author: eve","action_parameters":{"headers":{"X-Frame-Options":{"operation":"set","value":"DENY"}},"cache_key":{"custom_key":{"header":{"include":["x"]}}}}}`},
		{settings, `{"actions":[{"id":"forwarding_url","value":{"url":"https://example.com:8443/@user/x?a=b&c=d"}}]}`},
		{Unknown, `{"include":[{"service_token":{"token_id":"a3d0c8ba"}},{"any_valid_service_token":{}}]}`},
		{settings, `{"actions":[{"type":"forward","value":["mallory@example.net"]}],"matchers":[{"field":"to","value":"ceo@example.com"}]}`},
		{settings, `{"append":[{"value":"203.0.113.66"}]}`},
	} {
		for _, entry := range map[string]string{
			audit.V2: called("/x?page=1&per_page=20", body(tt.body), `"scope":"zones"`),
			audit.V1: logged(`"newValueJson":` + tt.body),
		} {
			got, n := masked(t, entry, tt.policy)
			assert.Equal(t, entry, got)
			assert.Zero(t, n, entry)
		}
	}
	// And around a secret nothing else changes.
	got, n := masked(t, called("/v5/x?a=b&token=x", body(`{ "a" : 1e2, "secret":"x" ,"b":[ 1 ] }`)), Unknown)
	assert.Equal(t, called("/v5/x?a=b&token=[masked]", body(`{ "a" : 1e2, "secret":"[masked]" ,"b":[ 1 ] }`)), got)
	assert.Equal(t, 2, n)
	// The token that somebody used has a name and an id.
	used := `{"actor":{"context":"api_token","token":{"id":"t1","name":"ci"}},"id":"x"}`
	assert.Equal(t, used, first(masked(t, used, Unknown)))
	// Who did what to what is searched like everything else.
	for _, entry := range []string{
		`{"action":{"token":"SECRET"},"actor":{"key":"SECRET"},"id":"SECRET","interface":"SECRET","owner":{"secret":"SECRET"},"resource":{"token":"SECRET"},"when":"SECRET"}`,
		`{"account":{"token":"SECRET"},"action":{"token":"SECRET"},"actor":{"email":"SECRET"},"id":"SECRET","zone":{"key":"SECRET"},` +
			`"resource":{"id":"SECRET","product":"SECRET","scope":"SECRET","type":"SECRET"}}`,
	} {
		got, n := masked(t, strings.ReplaceAll(entry, "SECRET", "cfat_x"), Unknown)
		assert.Equal(t, strings.ReplaceAll(entry, "SECRET", Masked), got)
		assert.Equal(t, strings.Count(entry, "SECRET"), n)
	}
	assert.Equal(t, `["[masked]",{"a":1,"token":"[masked]"}]`, first(masked(t, `["cfat_x",{"a":1,"token":"x"}]`, Unknown)), "an entry that is no object")
}

func first(s string, _ int) string { return s }

// Of an address that is a secret the host stays, and of a form the names.
func TestEntry_KeepsWhereAnAddressLeads(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"url":"https://hooks.slack.com/services/T0/B0/x"}`:                                   `https://hooks.slack.com/` + Masked,
		`{"note":"see https://a.example/x?b=c and\n https://b.example/y"}`:                     `"see https://a.example/x?` + Masked + ` and\n https://b.example/y"`,
		`{"url":"https://siem.example.com/hooks/3f9a8b7c6d5e4f/raw"}`:                          `https://siem.example.com/hooks/` + Masked + `/raw`,
		`{"origin":"postgres://user:pw@db.example.com:5432/x"}`:                                `postgres://` + Masked + `@db.example.com:5432/x`,
		`{"a":"name=a&client_secret=x&b=c"}`:                                                   `name=a&client_secret=` + Masked + `&b=c`,
		`{"url":"https://discord.com/api/webhooks/1/x","at":"https://discord.com/developers"}`: `"at":"https://discord.com/developers"`,
	} {
		got, _ := masked(t, called("/x", body(text)), webhooks)
		assert.Contains(t, got, want)
	}
}

func TestEntry_WhatIsTooDeepIsMasked(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string {
		return `{"metadata":` + strings.Repeat("[", levels) + `"x"` + strings.Repeat("]", levels) + `}`
	}
	got, n := masked(t, nested(maxDepth+1), settings)
	assert.Equal(t, nested(maxDepth+1), got)
	assert.Zero(t, n)
	got, n = masked(t, nested(maxDepth+2), settings)
	assert.Equal(t, strings.Replace(nested(maxDepth+1), "x", Masked, 1), strings.Replace(got, `[["`+Masked, `[["`+Masked, 1))
	assert.Equal(t, 1, n)
}

// What cannot be read is shown as far as it is no secret, whatever is missing of
// it.
// What a text is torn into may begin with a comma, which then stands behind nothing.
func TestText_MayBeginWithAComma(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`{"a":",\"x\" secret`, `{"a":",'x' password`, `{"a":",secret","b`, `,"x" secret`} {
		require.NotPanics(t, func() { Text(s) }, s)
	}
}

func TestText_ThatIsTorn(t *testing.T) {
	t.Parallel()
	whole := called("/user/tokens", body(`{"name":"ci","nested":{"client_secret":{"a":["`+sesame+`",{"b":"`+sesame+`"}]},"c":"kept"}}`),
		answer(`{"j":"{\"password\":\"`+sesame+`\"}","note":"cfat_`+sesame+`","value":"`+sesame+`"}`))
	for cut := range len(whole) {
		shown, _ := Text(whole[:cut])
		assert.NotContains(t, shown, "open-sesame", "%d", cut)
	}
	shown, n := Text(whole[:len(whole)-1])
	assert.Contains(t, shown, `"c":"kept"`)
	assert.Equal(t, 5, n)
	for _, text := range []string{
		`{"password":31415926.5e-3`,
		`{"password":[-31415926],"b":oops`,
		`{"raw":{"uri":"/zones?token=31415926"},"b":oops`,
		`{"a":"https://example.com/hook?31415926","b":oops`,
		`{"a":"https://u:31415926@example.com/","b":oops`,
	} {
		shown, n := Text(text)
		assert.NotContains(t, shown, "31415926")
		assert.Equal(t, 1, n, text)
	}
	for _, text := range []string{`{"n":31415926,"a":[1,-2],"b":oops`, `{"uri":"/zones?page=2","b":oops`, strings.TrimSuffix(logged(`"metadata":{}`), "}")} {
		shown, n := Text(text)
		assert.Equal(t, text, shown)
		assert.Zero(t, n)
	}
}

// FuzzEntry plants a secret and looks for it.
func FuzzEntry(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"a":[1,{"b":"x"}],"value":"y"}`, `{"type":"secret_text","text":"z"}`, `"{\"a\":1}"`, `[[[["x"]]]]`,
		`{"rules":[{"id":"1","action":"block"}]}`, `{"a":"\u0000\ud800","a":2}`, `{"destination_conf":"s3://b?x=y"}`,
	} {
		f.Add(seed)
	}
	plant := func(v jsondoc.Value, secret string) string {
		if v.Kind() == jsondoc.Object && v.First().Exists() {
			return `{` + secret + `,` + v.Source()[1:]
		}
		return `{` + secret + `,"other":` + v.Source() + `}`
	}
	f.Fuzz(func(t *testing.T, text string) {
		var doc jsondoc.Doc
		if strings.Contains(text, sesame) || doc.Parse(text) != nil || doc.Depth() > 50 {
			return
		}
		v := doc.Root()
		for _, secret := range []string{`"client_secret":"` + sesame + `"`, `"note":"cfut_` + sesame + `"`, `"a":{"password":[["` + sesame + `"]]}`,
			`"j":"{\"private_key\":\"` + sesame + `\"}"`, `"k":{"type":"secret_text","text":"` + sesame + `"}`} {
			for _, entry := range map[string]string{
				audit.V1: logged(`"metadata":` + plant(v, secret)),
				audit.V2: called("/x", body(plant(v, secret)), answer(plant(v, secret))),
			} {
				for _, p := range policies() {
					got, _ := masked(t, entry, p)
					require.True(t, jsontext.Value(got).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)), "%s", got)
					require.NotContains(t, got, sesame, "%+v: %s", p, entry)
				}
			}
		}
	})
}

func TestShown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy             Policy
		field, value, want string
	}{
		{settings, "name", `"www"`, "www"},
		{settings, "name", `"a\nb\u0007"`, "a b"},
		{settings, "name", `""`, ""},
		{settings, "name", `null`, ""},
		{settings, "ttl", `300`, "300"},
		{settings, "proxied", `true`, "true"},
		{settings, "name", `"` + strings.Repeat("x", 300) + `"`, strings.Repeat("x", 256) + "…"},
		{settings, "client_secret", `"x"`, Masked},
		{settings, "a.api_token.b", `"x"`, Masked},
		{settings, "api_token", `1`, Masked},
		{settings, "api_token", `{"a":"b"}`, Masked},
		{settings, "api_token", `false`, "false"},
		{settings, "token_id", `"x"`, "x"},
		{settings, "a.token_hash", `"x"`, Masked},
		{settings, "cache_key.custom_key", `{"header":{}}`, "header"},
		{settings, "comment", `"cfat_x"`, Masked},
		{settings, "url", `"https://a.example/?b=c"`, "https://a.example/?b=c"},
		{Unknown, "url", `"https://a.example/?b=c"`, "https://a.example/?b=c"},
		{webhooks, "url", `"https://a.example/?b=c"`, "https://a.example/?" + Masked},
		{Unknown, "url", `"https://a.example/?b=3f9a8b7c6d5e4f"`, "https://a.example/?b=" + Masked},
		{settings, "note", `"{\"secret\":\"x\",\"a\":1}"`, `{"secret":"[masked]","a":1}`},
		{settings, "codes", `["1"]`, "1"},
		{Unknown, "codes", `["1"]`, Masked},
		{Unknown, "config.headers.x-team", `"x"`, Masked},
		{Unknown, "config.headers.accept", `"x"`, "x"},
		{Unknown, "config.headers", `{"x-team":"zebra","Accept":"b","n":1}`, "x-team=[masked], Accept=b, n=1"},
		{settings, "config.headers", `{"x-team":"a"}`, "x-team=a"},
		{settings, "list", `["a",1,true,null,{"name":"n"},{"id":"i"},{},["x"]]`, "a, 1, true, , n, i, {…}, "},
		{settings, "include", `[{"everyone":{}},{"email_domain":{"domain":"example.com"}},{"okta":{"a":"b","c":"d"}},{"any":[1]},{"in":{"deep":{}}}]`,
			"everyone, email_domain=example.com, okta, any, in"},
		{settings, "include", `[{"auth":{"client_secret":"x"}},{"password":"x"},{"note":{"text":"Bearer open-sesame-1"}},{"a":1,"b":true,"c":null,"d":4}]`,
			"auth=[masked], password=[masked], note=[masked], a=1 b=true c= …"},
		{Unknown, "list", `[{"env":{"value":"e"}},{"value":"e"},{"text":"e"}]`, "env=[masked], value=[masked], text=[masked]"},
		{settings, "config", `{"a":"b","secret":"c","d":{},"value":"e"}`, "a=b, secret=[masked], d, value=e"},
		{Unknown, "config", `{"value":"e","text":1}`, "value=[masked], text=1"},
		{settings, "list", `[{"name":"cfat_x"}]`, Masked},
	} {
		var doc jsondoc.Doc
		require.NoError(t, doc.Parse(tt.value))
		assert.Equal(t, tt.want, tt.policy.Shown(tt.field, doc.Root()), "%+v %s %s", tt.policy, tt.field, tt.value)
		assert.Zero(t, doc.Replaced(), "what is shown is not changed")
	}
	assert.Empty(t, Unknown.Shown("a", jsondoc.Value{}))
	var doc jsondoc.Doc
	require.NoError(t, doc.Parse(`["a",1,{}]`))
	var hidden []string
	for v := range doc.Root().All() {
		hidden = append(hidden, settings.Shown("value", Hide(&doc, v)))
	}
	assert.Equal(t, []string{Masked, "1", ""}, hidden)
	assert.True(t, IsValue("value") && IsValue("text") && IsValue("json") && !IsValue("name"))
}

func TestShown_MasksFieldsNamedLikeSecrets(t *testing.T) {
	t.Parallel()
	var doc jsondoc.Doc
	require.NoError(t, doc.Parse(`"x"`))
	for _, field := range []string{"secret", "client_secret", "api_token", "token", "password", "passwd", "passphrase", "private_key",
		"key", "api_key", "psk", "jwk", "userPwd", "recovery_codes", "SSL_Key", "key_material", "token_hash", "hash", "credentials", "header_Authorization", "config.privateKey"} {
		assert.Equal(t, Masked, settings.Shown(field, doc.Root()), field)
	}
	for _, field := range []string{"", "name", "content", "token_name", "token_tag", "token_status", "key_id", "secret_count", "description", "ttl", "packets"} {
		assert.Equal(t, "x", settings.Shown(field, doc.Root()), field)
	}
}

func TestShown_IsBounded(t *testing.T) {
	t.Parallel()
	var doc jsondoc.Doc
	require.NoError(t, doc.Parse(`[`+strings.Repeat(`"xxxxxxxxx",`, 100)+`1]`))
	assert.LessOrEqual(t, len(settings.Shown("a", doc.Root())), maxShown+len("…"))
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"": "", "a=b": "a=b", "token": Masked, "a=b&token=c&d": "a=b&token=" + Masked + "&d", "&&sig=x&": "&&sig=" + Masked + "&",
		"cfat_x=y": Masked, "a=%zz": "a=" + Masked, "%zz=a": Masked, "to=https%3A%2F%2Fu%3Ap%40h": "to=" + Masked, "signature=": Masked,
	} {
		var m masker
		assert.Equal(t, want, m.query(query), query)
		assert.Equal(t, strings.Count(want, Masked), m.n)
	}
}

func TestHoldsSecret(t *testing.T) {
	t.Parallel()
	const long = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for text, want := range map[string]bool{
		"": false, "bearer": false, "Bearer news": false, "BEARER abcdefghijklmnopqrst": true, "basic a1": true, "basic a 1": false,
		"-----BEGIN EC PRIVATE KEY-----": true, "private key": false, "x CFAT_y": true, "eyJ" + long: true, "xeyJ" + long: false, "x eyJ" + long: true,
		"eyJ": false, "v1.0-" + long: false, "v1.0-" + long + long: true, "v1.0- " + long + long: false,
		"LS0tLS1CRUdJTi" + long: true, "LS0tLS1CRUdJTiBDRVJU" + long: false, long: false,
	} {
		assert.Equal(t, want, HoldsSecret(text), text)
	}
}

// TestEntry_CostGrowsWithTheLength has entries for which looking at what has been
// looked at before would take minutes.
func TestEntry_CostGrowsWithTheLength(t *testing.T) {
	t.Parallel()
	for name, metadata := range map[string]string{
		"members of one name": `{"token":1` + strings.Repeat(`,"value":1`, 200_000) + `}`,
		"addresses in a row":  `{"u":"` + strings.Repeat(`ab://.-`, 150_000) + `"}`,
		"texts with JSON":     `{"l":[0` + strings.Repeat(`,"{\"token\":\"x\"}"`, 150_000) + `]}`,
	} {
		start := time.Now()
		masked(t, logged(`"metadata":`+metadata), settings)
		assert.Less(t, time.Since(start), 10*time.Second, name)
	}
}

func TestEntry_AddressesInARow(t *testing.T) {
	t.Parallel()
	got, n := masked(t, logged(`"metadata":{"u":"https://a.example.com/,https://u:`+sesame+`@b.example.com/x,https://c.example.com/?token=`+sesame+`"}`), settings)
	assert.NotContains(t, got, sesame)
	assert.Contains(t, got, "a.example.com/,https://")
	assert.Equal(t, 2, n)
}
