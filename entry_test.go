package cloudflareaudit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// A page finds in a reply the entries that any JSON reader finds, and holds on
// to nothing but the bytes of the reply.
func FuzzScan(f *testing.F) {
	entry := string(fakecloudflare.Entry("a", time.Unix(0, 0), 0))
	for _, seed := range []string{
		``, `{`, `{}`, `[]`, `null`, `{"result":[`, `{"result":[]}x`, `{"result":null,"success":true}`, `{"success":false,"errors":[{"code":1,"message":"no","error_chain":[{"code":2}]}]}`,
		`{"result":[` + entry + `,` + entry + `],"success":true,"errors":[],"messages":[]}`,
		`{"success":true,"result":[` + entry + `,null,7,"x",[],{},{"id":{}},{"action":[],"actor":null,"owner":{"id":1}}]}`,
		`{"result":[{"id":"a","id":"b","action":{"type":"x"},"action":{"type":1e999}}],"result":[{}],"result":7}`,
		"{\"result\":[{\"id\":\"\xff\",\"when\":\"\\ud800\",\"actor\":{\"ip\":\"::ffff:192.0.2.1\"}}]}", ` { "result" : [ { "id" : "a" } ] } `,
		`{"result":[` + strings.Repeat("0,", 1001) + `0]}`, `{"result":[` + strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300) + `]}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Add([]byte(`{"result":[`+requested("POST", "/user/tokens", body(`{"name":"ci"}`), answer(`{"value":"x"}`))+`,null,7,"x",[],{},`+
		`{"id":{},"action":[],"actor":null,"raw":1,"resource":"x"},{"id":"a","action":{"time":"2026-05-12T09:00:00Z"},"raw":{"uri":"?"}}],"result_info":{"count":3,"cursor":"c"}}`), true)
	f.Fuzz(func(t *testing.T, body []byte, v2 bool) {
		input := bytes.Clone(body)
		layout := &layoutV1
		if v2 {
			layout = &layoutV2
		}
		p := &page{body: body, layout: layout}
		env, err := p.scan()
		require.Equal(t, input, body, "the reply is not written to")
		require.LessOrEqual(t, len(p.entries), maxPageSize+1)
		var keys []string
		for i := range p.entries {
			key, when := p.key(i), p.entries[i].when
			e := p.entry(i)
			require.NotEmpty(t, e.id)
			require.NotEmpty(t, key)
			if !v2 { // where a mask may be longer than the secret
				require.LessOrEqual(t, len(e.raw), len(body))
			}
			require.True(t, when.Equal(e.when), "%s is not %s", when, e.when)
			keys = append(keys, string(key))
		}
		again := &page{body: body, layout: layout}
		_, _ = again.scan()
		for i := range again.entries {
			require.Equal(t, keys[i], string(again.key(i)))
		}

		var want map[string]json.RawMessage
		// Nesting has a limit, which is not quite the same, and one spelling of
		// each name is known.
		if bytes.Count(body, []byte("[")) > 1000 || bytes.Count(body, []byte("{")) > 1000 || bytes.Contains(body, []byte(`\u`)) {
			return
		}
		if !json.Valid(body) || json.Unmarshal(body, &want) != nil || want == nil {
			require.Error(t, err)
			return
		}
		if err != nil {
			require.ErrorIs(t, err, errTooMany)
			return
		}
		var list []json.RawMessage
		if bytes.Count(body, []byte(`"result"`)) > 1 || bytes.Count(body, []byte(`"success"`)) > 1 {
			return // the last one counts for one reader, and all for the other
		}
		require.Equal(t, string(want["success"]) == "true", env.success)
		require.Equal(t, bytes.HasPrefix(want["result"], []byte("[")), env.hasResult)
		if !env.hasResult {
			require.Empty(t, p.entries)
			return
		}
		require.NoError(t, json.Unmarshal(want["result"], &list))
		require.Len(t, p.entries, len(list))
		for i, raw := range list {
			require.Equal(t, string(raw), string(p.entries[i].entry.of(body)))
		}
	})
}
