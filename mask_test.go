package cloudflareaudit

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// sesame is a secret that no part of an event may show.
const sesame = "open-sesame-31415926"

func TestMask_SecretsInBodies(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	const scripts = "/accounts/" + account + "/workers/scripts/checkout"
	for _, raw := range []string{
		// By their names, wherever they are.
		requested("POST", "/accounts/"+account+"/access/identity_providers", body(`{"name":"idp","config":{"client_id":"c","client_secret":"`+sesame+`"}}`)),
		requested("POST", "/v5/unheard/of", body(`{"password":"`+sesame+`"}`)),
		requested("POST", "/v5/unheard/of", body(`{"PrivateKey":"`+sesame+`"}`)),
		requested("POST", "/v5/unheard/of", body(`{"a":[{"b":{"api_key":["x","`+sesame+`"]}}]}`)),
		requested("POST", "/v5/unheard/of", body(`{"key":{"material":"`+sesame+`"}}`)),
		requested("POST", "/zones/"+zone+"/custom_certificates", body(`{"certificate":"-","private_key":"`+sesame+`"}`)),
		requested("PUT", "/zones/"+zone+"/rulesets/phases/http_request_late_transform/entrypoint",
			body(`{"rules":[{"action_parameters":{"headers":{"Authorization":{"operation":"set","value":"`+sesame+`"}}}}]}`)),
		requested("POST", "/accounts/"+account+"/magic/ipsec_tunnels/t1/psk_generate", answer(`{"ipsec_tunnel_id":"t1","psk":"`+sesame+`"}`)),
		requested("POST", "/accounts/"+account+"/stream/keys", answer(`{"id":"k1","jwk":"`+sesame+`"}`)),
		// In a truncated text.
		requested("PATCH", "/zones/"+zone+"/dns_records/r1", body(`"{\"comment\":\"\",\"client_secret\":\"`+sesame+`\",\"tags\":[\""`)),
		requested("POST", "/v5/unheard/of", body(`{"note":"{\"client_secret\":\"`+sesame+`\",\"a\":"}`)),
		strings.Replace(logged("worker.script", "update"), "{", `{"newValue":"{\"client_secret\":\"`+sesame+`\",\"a\":",`, 1),
		strings.Replace(logged("worker.script", "update"), "{", `{"newValueJson":{"config":"{\"client_secret\":\"`+sesame+`\"}","jwt":"eyJ`+sesame+sesame+`"},`, 1),
		// By the purpose of the path.
		requested("PUT", scripts+"/secrets", body(`{"name":"DB","text":"`+sesame+`","type":"secret_text"}`)),
		requested("PUT", scripts, body(`{"bindings":[{"name":"DB","text":"`+sesame+`","type":"secret_text"}]}`)),
		requested("PUT", "/user/tokens/ed17574386854bf78a67040be0a770b0/value", answer(`"`+sesame+`"`)),
		requested("PUT", "/user/tokens/ed17574386854bf78a67040be0a770b0/value", answer(`{"result":"`+sesame+`","success":true}`)),
		requested("POST", "/user/tokens", answer(`{"id":"t1","name":"ci","value":"`+sesame+`"}`)),
		requested("GET", "/accounts/"+account+"/cfd_tunnel/f1/token", answer(`"`+sesame+`"`)),
		requested("POST", "/accounts/"+account+"/logpush/jobs", body(`{"dataset":"x","destination_conf":"s3://logs?secret-access-key=`+sesame+`"}`)),
		// Where the path is unknown.
		requested("POST", "/accounts/"+account+"/secrets_store/stores/s1/secrets", body(`[{"name":"DB","value":"`+sesame+`"}]`)),
		requested("POST", "/v5/unheard/of", body(`"`+sesame+`"`)),
		requested("POST", "/v5/unheard/of", body(`"{\"value\":\"`+sesame+`\"}"`)),
		requested("POST", "/v5/unheard/of", body(`{"value":314159.26}`), answer(`{"result":"`+sesame+`"}`)),
		// By their form.
		requested("PATCH", "/zones/"+zone+"/dns_records/r1", body(`{"comment":"use cfat_`+sesame+`"}`)),
		requested("PATCH", "/zones/"+zone+"/dns_records/r1", body(`{"comment":"Bearer `+sesame+`"}`)),
		requested("PATCH", "/zones/"+zone+"/rulesets/s1/rules/1", body(`{"enabled":false}`), answer(`{"rules":[{"id":"1","description":"use cfat_`+sesame+`"}]}`)),
		// In the query.
		requested("POST", "/zones/"+zone+"/purge_cache?api_token="+sesame),
		requested("POST", "/zones/"+zone+"/purge_cache?a=1&x=cfut_"+sesame+"&b=2"),
		requested("POST", "/zones/"+zone+"/purge_cache?%61pi_key="+sesame+"&c=%zz"),
	} {
		got, _ := n.Normalize([]byte(raw))
		line := string(got.AppendJSON(nil))
		assert.NotContains(t, line, sesame, raw)
		assert.Contains(t, string(got.RawEvent), masked, raw)
		assert.Contains(t, strings.Join(got.Audit.Notes, " "), "masked in raw_event", raw)
		e := n.Explain([]byte(raw))
		all, err := json.Marshal(e.Facts)
		require.NoError(t, err)
		assert.NotContains(t, string(all), sesame, raw)
	}
}

func TestMask_LeavesTheRestAsItIs(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, raw := range []string{
		requested("PATCH", "/zones/"+zone+"/settings/ssl", body(` { "value" : "off" } `), answer(`{"id":"ssl","value":"off"}`)),
		requested("POST", "/zones/"+zone+"/dns_records", body(`{"type":"CAA","name":"a","data":{"flags":0,"tag":"issue","value":"ca.example.net"}}`)),
		requested("POST", "/zones/"+zone+"/firewall/ua_rules", body(`{"mode":"block","configuration":{"target":"ua","value":"BadBot"}}`)),
		requested("PUT", "/zones/"+zone+"/rulesets/s1", body(`{"rules":[{"action_parameters":{"cache_key":{"custom_key":{"query_string":{"include":["*"]}}},"uri":{"path":{"value":"/x"}}}}]}`)),
		requested("PUT", "/user/tokens/t1", body(`{"name":"ci","policies":[{"effect":"allow","permission_groups":[{"id":"p","name":"API Tokens Write"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}],"not_before":null}`)),
		requested("POST", "/accounts/"+account+"/members", body(`{"email":"dave@example.org","roles":["33666b9c79b9a5273fc7344ff42f953d"]}`)),
		requested("DELETE", "/zones/"+zone+"/dns_records/r1?page=1&per_page=20", `"scope":"zones"`),
		requested("POST", "/zones/"+zone+"/firewall/access_rules/rules", body(`{"mode":"block","notes":"Basic protection of the shop"}`)),
		requested("POST", "/zones/"+zone+"/dns_records", body(`{"type":"TXT","name":"a","content":"bearer news","comment":"basic authentication"}`)),
		requested("DELETE", "/zones/"+zone, `.actor:{"context":"api_token","id":"a","token":{"id":"t1","name":"ci"}}`),
		requested("POST", "/zones/"+zone+"/pagerules", body(`{"actions":[{"id":"forwarding_url","value":{"url":"https://example.com/?a=b"}}]}`)),
		requested("POST", "/v5/unheard/of", body(`{"public_key":"x","token_id":"t","value":true,"other":null,"n":1}`)),
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.Equal(t, raw, string(got.RawEvent))
		assert.Empty(t, got.Audit.Notes, raw)
	}
	// Around a secret everything else stays as it is.
	got, _ := n.Normalize([]byte(requested("POST", "/v5/unheard/of?a=b&token=x", body(`{ "a" : 1e2, "secret":"x" ,"b":[ 1 ] }`))))
	assert.Contains(t, string(got.RawEvent), `"request":{ "a" : 1e2, "secret":"[masked]" ,"b":[ 1 ] }`)
	assert.Equal(t, "/v5/unheard/of?a=b&token=[masked]", got.Audit.URI)
	assert.Contains(t, string(got.RawEvent), `"uri":"/v5/unheard/of?a=b&token=[masked]"`)
	assert.Equal(t, []string{"2 values that are or may be secrets are masked in raw_event"}, got.Audit.Notes)
}

// FuzzMask plants a secret and looks for it in the event.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"a":[1,{"b":"x"}],"value":"y"}`, `{"type":"secret_text","text":"z"}`, `"{\"a\":1}"`, `[[[["x"]]]]`,
		`{"rules":[{"id":"1","action":"block"}]}`, `{"a":"\u0000\ud800","a":2}`, `{"destination_conf":"s3://b?x=y"}`,
	} {
		for i, path := range []string{"/user/tokens", "/zones/" + zone + "/settings/ssl", "/zones/" + zone + "/dns_records/batch", "/v5/x"} {
			f.Add("POST", path, seed, i%2 == 0)
		}
	}
	n := normalizer(f, Config{}).Normalizer
	plant := func(v, secret string) string {
		if v[0] == '{' && len(v) > 2 {
			return `{` + secret + `,` + v[1:]
		}
		return `{` + secret + `,"other":` + v + `}`
	}
	f.Fuzz(func(t *testing.T, method, path, text string, response bool) {
		var doc jsondoc.Doc
		if !utf8.ValidString(method+path) || strings.Contains(text, sesame) || doc.Parse(text) != nil || doc.Depth() > 50 {
			return
		}
		v := doc.Root().Source()
		for _, secret := range []string{`"client_secret":"` + sesame + `"`, `"note":"cfut_` + sesame + `"`, `"a":{"password":[["` + sesame + `"]]}`,
			`"j":"{\"private_key\":\"` + sesame + `\"}"`, `"k":{"type":"secret_text","text":"` + sesame + `"}`} {
			member := body(plant(v, secret))
			if response {
				member = answer(plant(v, secret))
			}
			raw := requested("", "", `.raw:{"method":`+jsondoc.Quote(method)+`,"uri":`+jsondoc.Quote(path)+`}`, member)
			got, _ := n.Normalize([]byte(raw))
			line := got.AppendJSON(nil)
			require.True(t, json.Valid(line), "%s", line)
			require.NotContains(t, string(line), sesame, raw)
		}
	})
}

// An entry may have members that are not documented, or the same one twice.
func TestMask_CoversUndocumentedMembers(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, raw := range []string{
		requested("POST", "/v5/x", body(`{"password":"`+sesame+`"}`), body(`{"a":1}`)),
		requested("POST", "/v5/x", `"body":{"password":"`+sesame+`"}`),
		requested("POST", "/v5/x", `.zone:null,"context":{"password":"`+sesame+`"}`),
		requested("POST", "/v5/x", `.resource:"`+sesame+`"`),
		requested("POST", "/v5/x", `.raw:{"method":"POST","uri":"/v5/x","user_agent":"curl/8 cfat_`+sesame+`"}`),
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.NotContains(t, string(got.AppendJSON(nil)), sesame, raw)
	}
}

// A text that cannot be parsed is shown without its secrets, wherever it was cut.
func TestMask_HidesSecretsInTruncatedText(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	whole := requested("POST", "/user/tokens", body(`{"name":"ci","nested":{"client_secret":{"a":["`+sesame+`",{"b":"`+sesame+`"}]},"c":"kept"}}`),
		answer(`{"j":"{\"password\":\"`+sesame+`\"}","note":"cfat_`+sesame+`","value":"`+sesame+`"}`))
	for cut := range len(whole) {
		got, _ := n.Normalizer.Normalize([]byte(whole[:cut]))
		line := string(got.AppendJSON(nil))
		assert.NotContains(t, line, "open-sesame", "%d", cut)
		assert.True(t, json.Valid([]byte(line)), "%d", cut)
	}
	got, _ := n.Normalize([]byte(whole[:len(whole)-1]))
	assert.Contains(t, string(got.RawEvent), `\"c\":\"kept\"`)
	assert.Contains(t, got.Audit.Notes, "5 values that are or may be secrets are masked in raw_event")
	for _, text := range []string{
		`{"password":31415926.5e-3`,
		`{"password":[-31415926],"b":oops`,
		`{"raw":{"uri":"/zones?token=31415926"},"b":oops`,
		`{"a":"https://example.com/hook?31415926","b":oops`,
		`{"a":"https://u:31415926@example.com/","b":oops`,
	} {
		got, _ := n.Normalize([]byte(text))
		assert.NotContains(t, string(got.AppendJSON(nil)), "31415926")
		assert.Contains(t, got.Audit.Notes, "1 value that is or may be a secret is masked in raw_event", text)
	}
	for _, text := range []string{`{"n":31415926,"a":[1,-2],"b":oops`, `{"uri":"/zones?page=2","b":oops`} {
		got, _ := n.Normalize([]byte(text))
		assert.Equal(t, jsondoc.Quote(text), string(got.RawEvent))
	}
	plain := strings.Replace(logged("dns.record", "delete"), "}", "", 1)
	got, _ = n.Normalize([]byte(plain))
	assert.Equal(t, jsondoc.Quote(plain), string(got.RawEvent))
}

func TestMask_SecretsBesideTheValuesOfAnEntry(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, members := range []string{
		`"extra":{"api_token":"` + sesame + `"},`,
		`"metadata":{},"extra":["Bearer ` + sesame + `"],`,
		`"newValueJson":"Bearer ` + sesame + `",`,
		// Of a repeated member the last one counts, but all of them are shown.
		`"newValue":"{\"api_token\":\"` + sesame + `\"}","newValue":"",`,
		`"metadata":{"api_token":"` + sesame + `"},"metadata":{},`,
	} {
		raw := strings.Replace(logged("zone", "update"), "{", "{"+members, 1)
		got, _ := n.Normalize([]byte(raw))
		assert.NotContains(t, string(got.AppendJSON(nil)), sesame, raw)
		assert.Contains(t, string(got.RawEvent), masked, raw)
		assert.Contains(t, strings.Join(got.Audit.Notes, " "), "masked in raw_event", raw)
	}
	for _, raw := range []string{
		`[{"api_token":"` + sesame + `"}]`,
		`"Bearer ` + sesame + `"`,
		`["{\"api_token\":\"` + sesame + `\"}"]`,
	} {
		got, _ := n.Normalize([]byte(raw))
		assert.NotContains(t, string(got.AppendJSON(nil)), sesame, raw)
	}
}
