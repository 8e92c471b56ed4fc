package cloudflare

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// A page finds in a reply the entries that any JSON reader finds, and hands out
// their bytes as they stand there.
func FuzzPage(f *testing.F) {
	entry := string(fakecloudflare.Entry("a", time.Unix(0, 0), 0))
	for _, seed := range []string{
		``, `{`, `{}`, `[]`, `null`, `{"result":[`, `{"result":[]}x`, `{"result":null,"success":true}`, `{"success":false,"errors":[{"code":1,"message":"no","error_chain":[{"code":2}]}]}`,
		`{"result":[` + entry + `,` + entry + `],"success":true,"errors":[],"messages":[]}`,
		`{"success":true,"result":[` + entry + `,null,7,"x",[],{},{"id":{}},{"action":[],"actor":null,"owner":{"id":1}}]}`,
		`{"result":[{"id":"a","id":"b","action":{"type":"x"},"action":{"type":1e999}}],"result":[{}],"result":7}`,
		"{\"result\":[{\"id\":\"\xff\",\"when\":\"\\ud800\",\"actor\":{\"ip\":\"::ffff:192.0.2.1\"}}]}", ` { "result" : [ { "id" : "a" } ] } `,
		`{"result":[` + strings.Repeat("0,", 1001) + `0]}`, `{"result":[` + strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300) + `]}`,
		`{"success":true,"result":[{"id":"a","action":{"time":oops}}],"result_info":{"cursor":"c"}}`,
		`{"result":[{"id":{},"action":[],"raw":1},{"id":"a","action":{"time":"2026-05-12T09:00:00Z"}}],"result_info":{"count":3,"cursor":"c"}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, v2 bool) {
		log := V1
		if v2 {
			log = V2
		}
		p := &Page{log: log}
		require.NoError(t, p.read(bytes.NewReader(body), maxBody))
		env, err := p.scan()
		require.Equal(t, string(body), string(p.body), "the reply is not written to")
		require.LessOrEqual(t, p.Len(), MaxPageSize+1)
		if err != nil {
			torn := p.Torn()
			require.Contains(t, string(body), torn.Text)
			_, _ = p.FindNext()
		}
		var doc jsondoc.Doc
		for i := range p.Len() {
			require.NotEmpty(t, p.Key(i))
			p.Entry(i, &doc)
			require.Contains(t, doc.Source(), p.Key(i))
		}

		var want map[string]json.RawMessage
		// Nesting has a limit, which is not quite the same.
		if bytes.Count(body, []byte("[")) > 1000 || bytes.Count(body, []byte("{")) > 1000 {
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
		root := p.doc.Root()
		for _, name := range []string{"result", "success"} {
			n := 0
			for m := range root.All() {
				if m.Name() == name {
					n++
				}
			}
			if n > 1 {
				return // the last one counts for one reader, and all for the other
			}
		}
		require.Equal(t, string(want["success"]) == "true", env.success)
		require.Equal(t, bytes.HasPrefix(want["result"], []byte("[")), env.hasList)
		if !env.hasList {
			require.Zero(t, p.Len())
			return
		}
		var list []json.RawMessage
		require.NoError(t, json.Unmarshal(want["result"], &list))
		require.Equal(t, len(list), p.Len())
		for i, raw := range list {
			p.Entry(i, &doc)
			require.Equal(t, string(raw), doc.Source())
		}
	})
}

func TestPage_HoldsNoMoreEntriesThanAPageCanHave(t *testing.T) {
	t.Parallel()
	for _, n := range []int{MaxPageSize + 2, 1 << 18, 1 << 21} {
		p := Page{body: []byte(`{"success":true,"result":[` + strings.Repeat("0,", n) + `0]}`)}
		_, err := p.scan()
		require.ErrorIs(t, err, errTooMany)
		require.LessOrEqual(t, p.Len(), MaxPageSize+1)
	}
}

// Of a reply that cannot be read the entry at fault is known as far as it goes,
// whichever way it is torn.
func TestTorn_IsTheEntryAtWhichReadingStops(t *testing.T) {
	t.Parallel()
	const before = ` {"success":true,"result":[{"id":"first","when":"2026-05-12T09:00:00Z"},`
	when := time.Date(2026, 5, 12, 8, 0, 0, 0, time.UTC)
	for torn, want := range map[string]Torn{
		`{"id":"a","when":"2026-05-12T08:00:00Z","x":oops}`:                {ID: "a", RawID: `"a"`, When: when},
		`{"when":"2026-05-12T08:00:00Z","x":{"y":[1,{"z":"`:                {When: when},
		`{"id":7,"x":{"y":1}oops`:                                          {ID: "7", RawID: "7"},
		`{"id":{"a":1},"when":"2026-05-12T08:00:00Z","x":"` + "\x01" + `"`: {RawID: `{"a":1}`, When: when},
		`{"x":tru`: {},
		`{"id":"a","x":oops},{"id":"b"}],"result_info":`: {ID: "a", RawID: `"a"`},
	} {
		p := Page{log: V1, body: []byte(before + torn)}
		_, err := p.scan()
		require.ErrorIs(t, err, errNotJSON)
		want.Log, want.Text = V1, strings.TrimSuffix(torn, `"result_info":`)
		require.Equal(t, want, p.Torn(), torn)
		require.Equal(t, 1, p.Len(), torn)
		require.Equal(t, "first", p.ID(0))
	}
	// Between two entries no one is at fault.
	for _, rest := range []string{`oops`, `{"id":"a"}oops`, `{"id":"a"} oops`, `7oops`} {
		p := Page{log: V1, body: []byte(before + rest)}
		_, err := p.scan()
		require.ErrorIs(t, err, errNotJSON)
		require.Equal(t, Torn{Log: V1, Text: before + rest}, p.Torn(), rest)
	}
}

func TestTorn_OfATooLargeReply(t *testing.T) {
	t.Parallel()
	var p Page
	require.NoError(t, p.Load(V2, []byte(`{"result":[{"id":"of an earlier page"}]}`)))
	err := p.read(strings.NewReader(`{"result":[{"id":"a","action":{"time":"2026-05-12T08:00:00Z","x":"`+strings.Repeat("y", 1000)), 100)
	require.ErrorIs(t, err, errTooLarge)
	require.True(t, Unreadable(err))
	torn := p.Torn()
	require.Equal(t, "a", torn.ID)
	require.Equal(t, time.Date(2026, 5, 12, 8, 0, 0, 0, time.UTC), torn.When)
	require.Equal(t, 100-len(`{"result":[`), len(torn.Text))
}

// What a torn entry hands out stays as it is when the page is used again.
func TestPage_ReuseChangesNothingHandedOut(t *testing.T) {
	t.Parallel()
	var p Page
	var doc jsondoc.Doc
	require.NoError(t, p.Load(V1, []byte(`{"result":[{"id":"aaaa"}]}`)))
	p.Entry(0, &doc)
	source := doc.Source()
	require.Error(t, p.Load(V1, []byte(`{"result":[{"id":"bbbb",oops`)))
	torn := p.Torn()
	require.NoError(t, p.Load(V2, []byte(`{"result":[{"id":"cccc"}]}`)))
	require.Equal(t, `{"id":"aaaa"}`, source)
	require.Equal(t, "bbbb", torn.ID)
	require.Equal(t, `"bbbb"`, torn.RawID)
}

func TestPage_KnowsAnEntryByItsIDAndElseByItsBytes(t *testing.T) {
	t.Parallel()
	for entry, key := range map[string]string{
		`{"id":"a"}`:          "a",
		`{"id":"a\u0062"}`:    `a\u0062`,
		`{"id":"a","id":"b"}`: "b",
		`{"id":""}`:           `{"id":""}`,
		`{"id":7}`:            `{"id":7}`,
		`{"id":null,"x":1 }`:  `{"id":null,"x":1 }`,
		`7`:                   "7",
		`[{"id":"a"}]`:        `[{"id":"a"}]`,
	} {
		var p Page
		require.NoError(t, p.Load(V1, []byte(`{"result":[ `+entry+` ]}`)))
		require.Equal(t, key, p.Key(0))
	}
}
