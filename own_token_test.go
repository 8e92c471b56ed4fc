package cloudflareaudit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// The token that the connector reads with is masked wherever an entry has it, and
// in no form of the normalizer.
func TestMask_TheConnectorsOwnToken(t *testing.T) {
	t.Parallel()
	// It has no form to be recognised by.
	const own = "correct-horse-battery-staple-token"
	n, err := NewNormalizer(Config{APIToken: NewSecret(own), AccountID: account})
	require.NoError(t, err)
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(form, n), own)
		assert.NotContains(t, fmt.Sprintf(form, *n), own)
	}
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, text := range []string{own, "Bearer " + own, "it is " + own + ".", `{"a":"` + own + `"}`, encoded(own), encoded("x" + own), encoded("xy" + own), "Basic " + encoded("a:"+own), base64.RawURLEncoding.EncodeToString([]byte("??>" + own)),
		inEscapes(own, "%%%02x"), "https://x.example.com/?t=" + inEscapes(own, "%%%02X") + "&a=b", inEscapes(own, `\u%04x`),
		`{"a":"` + inEscapes(own, `\u%04X`) + `"}`, `{"headers":{"Authorization":["Bearer ` + inEscapes(own, `\u%04x`) + `"]}}`, jsondoc.Quote(`{"a":"` + inEscapes(own, `\u%04x`) + `"}`),
	} {
		quoted := jsondoc.Quote(text)
		for _, raw := range []string{
			requested("POST", "/zones/"+zone+"/dns_records", body(`{"comment":`+quoted+`}`)),
			requested("POST", "/zones/"+zone+"/dns_records", body(`{"name":`+quoted+`,"type":"A"}`)),
			requested("POST", "/zones/"+zone+"/dns_records", answer(`{"list":[`+quoted+`]}`)),
			requested("PUT", "/v5/x", body(`{"headers":{"X-A":[`+quoted+`],"X-B":{"operation":"set","value":`+quoted+`}}}`)),
			requested("POST", "/v5/x", `.raw:{"method":"POST","uri":"/v5/x","user_agent":`+quoted+`}`),
			requested("POST", "/v5/x", `.actor:{"id":`+quoted+`,"email":`+quoted+`}`),
			logged("dns.record", "add", after(`{"name":`+quoted+`}`)), logged("dns.record", "add", `"metadata":{`+quoted+`:1}`),
			`{"event":{"x":` + quoted + `}}`, `[` + quoted + `]`, quoted, `{"id":` + quoted + `}`, `{"torn":` + quoted,
		} {
			x := n.Explain([]byte(raw))
			line := string(x.Event.AppendJSON(nil))
			facts, err := json.Marshal(x.Facts)
			require.NoError(t, err)
			for _, hidden := range []string{own, encoded(own)[:40], text, jsondoc.Quote(text)} {
				assert.NotContains(t, line, hidden, raw)
				assert.NotContains(t, string(facts), hidden, raw)
			}
			assert.Contains(t, line, masked, raw)
			assert.True(t, json.Valid([]byte(line)), raw)
		}
	}
	// Another text is left as it is, and a token too short to be one is not looked for.
	raw := requested("POST", "/zones/"+zone+"/dns_records", body(`{"comment":"correct horse battery staple"}`))
	got, _ := n.Normalize([]byte(raw))
	assert.Equal(t, raw, string(got.RawEvent))
	short, err := NewNormalizer(Config{APIToken: NewSecret("comment")})
	require.NoError(t, err)
	got, _ = short.Normalize([]byte(raw))
	assert.Equal(t, raw, string(got.RawEvent))
}

// inEscapes writes every byte of s in a form.
func inEscapes(s, form string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, form, c)
	}
	return b.String()
}

// What an event says of an entry is masked like the entry, whichever was read first.
func TestMask_TextsOfTheEvent(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	for _, secret := range []string{"ghp_" + sesame, "postgres://u:" + sesame + "@db.example.com/x", "token: " + sesame} {
		quoted := jsondoc.Quote(secret)
		for _, raw := range []string{
			logged("hyperdrive.config", "create", after(`{"name":`+quoted+`}`)),
			requested("POST", "/accounts/"+account+"/hyperdrive/configs", body(`{"name":`+quoted+`}`)),
			requested("POST", "/v5/x", `.actor:{"id":`+quoted+`,"email":`+quoted+`}`),
			requested("POST", "/v5/x", `.action:{"description":`+quoted+`,"type":"create"}`),
		} {
			x := n.Explain([]byte(raw))
			assert.NotContains(t, string(x.Event.AppendJSON(nil)), sesame, raw)
			facts, err := json.Marshal(x.Facts)
			require.NoError(t, err)
			assert.NotContains(t, string(facts), sesame, raw)
		}
	}
}
