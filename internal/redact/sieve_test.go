package redact

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// policies are all there are.
func policies() []Policy {
	list := make([]Policy, 16)
	for i := range list {
		list[i] = Policy{Values: i&1 != 0, Addresses: i&2 != 0, Hooks: i&4 != 0, BareTexts: i&8 != 0}
	}
	return list
}

// FuzzSieve masks entries with the sieve and without it. What the sieve holds
// back must have nothing to mask or to count. As a test it tries the seeds, in
// which all is that the sieve looks for.
func FuzzSieve(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) { sameWithoutSieve(t, entry) })
}

// sameWithoutSieve compares the sieve, with and without JSON in texts that has been
// parsed before, with masking that looks at everything.
func sameWithoutSieve(t *testing.T, entry string) {
	var sifted, parsed, all jsondoc.Doc
	for _, p := range policies() {
		if all.Parse(entry) != nil {
			return
		}
		require.NoError(t, sifted.Parse(entry))
		require.NoError(t, parsed.Parse(entry))
		parseInner(parsed.Root())
		thorough := masker{Policy: p, doc: &all, top: &all, thorough: true}
		thorough.entry()
		shown := string(all.Root().AppendJSON(nil))
		for _, doc := range []*jsondoc.Doc{&sifted, &parsed} {
			require.Equal(t, thorough.n, Entry(doc, p), "%+v: %q", p, entry)
			require.Equal(t, shown, string(doc.Root().AppendJSON(nil)), "%+v: %q", p, entry)
		}
	}
}

func parseInner(v jsondoc.Value) {
	v.Inner()
	for item := range v.All() {
		parseInner(item)
	}
}

// seeds are entries in which every row of every list stands, where it is a
// secret and where it looks like one, quoted up to three times.
func seeds() []string {
	var values []string
	for _, list := range lists {
		for _, r := range list.rows {
			values = append(values, `{`+jsondoc.Quote(r.example)+`:"open-sesame"}`, `{"a":`+jsondoc.Quote(r.example)+`}`, `{"a":`+jsondoc.Quote(r.text)+`}`)
		}
	}
	for i := range tokenForms {
		values = append(values, `{"a":`+jsondoc.Quote(tokenForms[i].example)+`}`, `{`+jsondoc.Quote(tokenForms[i].example)+`:1}`)
	}
	values = append(values,
		`{"expression":"http.request.headers[\"x-api-key\"][0] ne \"open-sesame\" and http.request.headers[\"x-origin-verify\"][0] in {\"a1b2\" \"c3\"}"}`,
		`{"expression":"is_timed_hmac_valid_v0(\"open\", http.request.uri, 1, 2, 8)"}`, `{"expression":"http.cookie contains \"session=1\""}`,
		`{"a":"h.set('Authorization', 'Bearer 0pen5esame0pen5esame')"}`, `{"a":"use bearer 0pen5esame0pen5esame"}`, `{"public_key":"0pen5esame0pen5esame0pen5esa="}`,
		`{"args":["--password","open","--token","--x","open"]}`, `{"a":"run --token 0pen5esame --x"}`, `{"a":"machine x login y password 0pen5esame"}`, `{"a":"<Password>open</Password>"}`,
		`{"a":"PASS = 'open'"}`, `{"expression":"http.request.uri.query contains \"api_key=open\""}`, `{"password":"url_decode(http.request.body.form[\"password\"][0])"}`, `{"a":"/x?filter=%7B%22token%22%3A%22open%22%7D"}`, `{"hash":"open","size":3}`, `{"manifest":{"/a":{"hash":"open","size":3}}}`,
		`{"enroll_code":"0pen5esame","country_code":"123456","enrollCode":123456}`,
		`{"type":"plain_text","text":"open"}`, `{"is_secret":false,"value":"0pen5esame0pen5esame"}`, `{"request":"a=1&value=open&text=x&b=0pen5esame0pen5esame"}`,
		// In other encodings, and beside what says that they are secrets or not.
		`{"a":"`+base64.StdEncoding.EncodeToString([]byte(`{"token":"open-sesame"}`))+`"}`, `{"a":"data:text/plain;base64,`+base64.StdEncoding.EncodeToString([]byte("password: open-sesame-1"))+`"}`,
		`{"a":"`+strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("???? token: open-sesame-1 ????")), "/", `\/`)+`"}`,
		`{"a":"`+strings.Repeat("0a", 18)+`1"}`, `{"a":"x `+strings.Repeat("aB1-", 10)+` y"}`, `{"a":"`+strings.Repeat("/aB1", 20)+`"}`,
		`{"ResourceValue":{"result":"3f9a8b7c6d5e4f3a2b"},"ResourceResponse":"{\"result\":\"3f9a8b7c6d5e4f3a2b\"}","Raw":"{\"uri\":\"/x?token=c\"}","OldValue":"open-sesame-31415926"}`,
		`{"a":"token: open-sesame-1"}`, `{"a":"x API key = 'open'"}`, `{"a":"curl -u a:open https://example.com"}`, `{"a":"Password=open;Server=x"}`,
		`{"kty":"EC","d":"x","x":"y"}`, `{"sql":"UPDATE t SET token='open'","params":["open"]}`, `{"name":"API_KEY","value":"x"}`, `{"key":"a","value":"b"}`, `{"key":"a","tunnel_type":"masque"}`,
		`{"code":"123456"}`, `{"code":"123456","message":"x"}`, `{"cookies":[{"name":"a","value":"b"}]}`, `{"cookie":{"include":["a"]}}`, `{"cache_key":{"custom_key":{"cookie":{"include":["token"]}}}}`,
		`{"headers":{"X-A":{"operation":"set","value":"3f9a8b7c6d5e4f3a2b"}}}`, `{"header":{"X-A":["3f9a8b7c6d5e4f3a2b"]}}`, `{"expression":"x eq \"ghp_0pen5esame0pen5esame\""}`,
		`{"request":"open-sesame-31415926","response":{"result":"open-sesame-31415926"}}`, `{"event":{"newValue":"3f9a8b7c6d5e4f3a2b","raw":{"uri":"/user/invites/3f9a8b7c6d5e4f3a2b"}}}`,
		`{"a":"--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nopen\r\n--b--"}`, `{"a":"rtmp://example.com/app/open"}`, `{"a":"https://example.com/hooks/3f9a8b7c6d5e4f"}`,
		`{"value":"open-sesame","text":"x","json":"x","codes":["x"],"result":"x"}`, `{"type":"secret_text","text":"x"}`, `{"type":"\u0073ecret","value":1}`,
		`{"text":"x"}`, `{"header":{"x":"y"}}`, `{"a":"bearer 0123"}`, `{"a":"eyJ`+strings.Repeat("0", minLength-3)+`"}`,
		`{"headers":{"X-Team":"x","accept":"x"},"header":{"a":{"b":"c"}}}`, `{"custom_key":"x","b":{"custom_key":{"c":"d"}}}`,
		`{"a":"v1.0-`+strings.Repeat("0", 40)+`"}`, `{"a":"LS0tLS1CRUdJTi`+strings.Repeat("A", 20)+`"}`, `{"a":"x eyJ`+strings.Repeat("A", 40)+`"}`,
		`{"a":"-----BEGIN PRIVATE KEY-----"}`, `{"a":"bearer\u00201234"}`, `{"a":"cfu\u0074\u005fx"}`, `{"a":"cfut\u005fx"}`, `{"a":"\u0062earer 1234"}`, `{"\u0074oken":"x"}`, `{"a":"cf\u0000ut_x"}`,
		`{"coo`+"\u212a"+`ie":"x"}`, `{"x-ver`+"\u0130"+`fy":"x"}`, `{"`+"\u212a"+`ey":"x"}`, `{"coo\u212aie":"x"}`, `{"x-ver\u0130fy":"x"}`,
		`{"a":"https:\/\/u:p@e.example"}`, `{"a":"https:/\/u:p@e.example"}`, `{"a":"https:\//u:p@e.example"}`, `{"a":"{\"b\":\"https:\\/\\/u:p@e.example\"}"}`,
		`{"a":"{\\\"abc\\\"def"}`, `{"a":"[\\\"abc\\\"def"}`,
		`{"a":"{\"b\":\"c"}`, `{"a":"{\"b\":\"c\\\"d"}`, `{"a":"{\"b\":\"{\\\"c\\\":\\\"d\\\\\\\"e\"}"}`, `{"a":"[\"\\\\\",\"b\\\\\\\"c\"]"}`, `{"a":" [1,{\"key\":2}] "}`,
		`{"a":"`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`"}`, `{"a":`+strings.Repeat("[", 66)+`"x"`+strings.Repeat("]", 66)+`}`,
		`{"a":"{\"b\":\"`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`\"}"}`, `{"a":"`+"\u00a0"+`{\"key\":\"x\"}"}`, `{"a":"\n{\"key\":\"x\"}"}`,
		`{"a":"{\"text\":1"}`, `{"a":"{\"b\":{\"value\":\"c\"}}"}`, "{\"a\":\"\xff{\\\"token\\\":\\\"\xff\\\"\"}",
	)
	var all []string
	for _, v := range values {
		for range 3 {
			all = append(all, `{"metadata":`+v+`,"newValue":`+v+`,"raw":{"uri":`+v+`},"resource":{"request":`+v+`,"response":{"result":`+v+`}}}`)
			v = jsondoc.Quote(v)
		}
	}
	to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, e := range fakecloudflare.Generate(1, 50, to.Add(-time.Hour), to) {
		all = append(all, string(e))
	}
	for _, e := range fakecloudflare.GenerateV2(1, 50, to.Add(-time.Hour), to) {
		all = append(all, string(e))
	}
	return append(all, string(fakecloudflare.GenerateLarge(1, 1, to, to)[0]), `{}`, `[]`, `"x"`, `{"newValue":"open-sesame"}`,
		`{"raw":{"uri":"/x?a=b&token=c"}}`, `{"raw":{"uri":"/x?token"}}`, `{"raw":{"uri":"/x\u003ftoken=c"}}`, `{"resource":"x"}`)
}

// Most entries have no secret, and must cost no memory and no walk.
func TestSieve_HoldsBackUsualEntries(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	entries := fakecloudflare.Generate(1, 1000, to.Add(-time.Hour), to)
	clean, sections := 0, 0
	for _, e := range entries {
		var doc jsondoc.Doc
		require.NoError(t, doc.Parse(string(e)))
		m := masker{doc: &doc}
		for _, name := range []string{"metadata", "oldValueJson", "newValueJson"} {
			sections++
			if !m.mayHoldSecrets(doc.Root().Get(name)) {
				clean++
			}
		}
	}
	assert.Greater(t, float64(clean)/float64(sections), 0.9, "the sieve lets too much through")
}

func TestEntry_AllocatesNothingWithoutSecrets(t *testing.T) {
	to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	large := string(fakecloudflare.GenerateLarge(1, 1, to, to)[0])
	for api, entries := range map[string][]string{
		audit.V1: {string(fakecloudflare.Entry("a", to, 6)), large},
		audit.V2: {string(fakecloudflare.EntryV2("a", to, 6))},
	} {
		for _, e := range entries {
			for _, p := range policies() {
				if p.BareTexts {
					continue // which looks into the text
				}
				var doc jsondoc.Doc
				require.NoError(t, doc.Parse(e))
				assert.Zero(t, testing.AllocsPerRun(10, func() { Entry(&doc, p) }), "%s %+v: %s", api, p, e)
				assert.Zero(t, doc.Replaced())
			}
		}
	}
}

func TestSieve_PlainFormsAreNoIDs(t *testing.T) {
	t.Parallel()
	for i := range tokenForms {
		f := &tokenForms[i]
		assert.True(t, classOf(f.text) != 0 || strings.ContainsAny(f.text, ".~") || len(f.text)+f.least > minLength, f.text)
	}
}

func TestWords_FindsEachWordAtEachPlace(t *testing.T) {
	t.Parallel()
	for _, set := range [][]string{signsInJSON, prefixTexts(), texts(secretStems)} {
		w := newWords(set)
		for _, word := range set {
			require.GreaterOrEqual(t, len(word), minWord)
			for _, word := range []string{word, strings.ToUpper(word)} {
				for before := range 20 {
					for after := range 20 {
						s := strings.Repeat(".", before) + word + strings.Repeat(".", after)
						require.True(t, w.in(s), "%q", s)
					}
				}
			}
		}
	}
	assert.False(t, newWords([]string{"secret"}).in("secre secre_t ecret sec-ret"))
}

func FuzzWords(f *testing.F) {
	f.Add("a secret", "a public key")
	w := newWords(signsInJSON)
	f.Fuzz(func(t *testing.T, a, b string) {
		s := a + b
		found := false
		for _, word := range signsInJSON {
			found = found || strings.Contains(asciiLower(s), word)
		}
		require.Equal(t, found, w.in(s), "%q", s)
	})
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
