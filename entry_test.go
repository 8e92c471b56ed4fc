package cloudflareaudit

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// Every entry that a page finds can be decoded, with the time by which the page
// knows it.
func FuzzEntry_DecodesWhatAPageFinds(f *testing.F) {
	usual := string(fakecloudflare.Entry("a", time.Unix(0, 0), 0))
	for _, seed := range []string{
		usual + `,` + usual, usual + `,null,7,"x",[],{},{"id":{}},{"action":[],"actor":null,"owner":{"id":1}}`,
		`{"id":"a","when":1778577267},{"When":"2026-05-12T09:00:00Z","action":"{\"time\":1778577267000}"},{"action":{"time":"1778577267.5"}}`,
		`{"id":"a","id":"b","action":{"type":"x"},"action":{"type":1e999}}`,
		"{\"id\":\"\xff\",\"when\":\"\\ud800\",\"actor\":{\"ip\":\"::ffff:192.0.2.1\"}}",
		requested("POST", "/user/tokens", body(`{"name":"ci"}`), answer(`{"value":"x"}`)) + `,null,7,"x",[],{},` +
			`{"id":{},"action":[],"actor":null,"raw":1,"resource":"x"},{"id":"a","action":{"time":"2026-05-12T09:00:00Z"},"raw":{"uri":"?"}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, entries []byte, v2 bool) {
		log := cloudflare.V1
		if v2 {
			log = cloudflare.V2
		}
		body := []byte(`{"success":true,"result":[` + string(entries) + `]}`)
		var p cloudflare.Page
		_ = p.Load(log, bytes.Clone(body))
		var w work
		var doc jsondoc.Doc
		for i := range p.Len() {
			key := p.Key(i)
			require.NotEmpty(t, key)
			p.Entry(i, &doc)
			w.entry.Decode(&doc, log.Name)
			require.NotEmpty(t, w.entry.ID)
			require.LessOrEqual(t, len(w.entry.JSON()), len(body))
			require.True(t, p.When(i).Equal(w.entry.When), "%s is not %s", p.When(i), w.entry.When)
		}
	})
}
