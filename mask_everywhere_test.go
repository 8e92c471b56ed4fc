package cloudflareaudit

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/testdata"
)

// places are copies of v, each with the value that plant makes put into one place: as a
// further member of each object, as a further element of each list, and instead of each
// text.
func places(v any, member string, value any) []any {
	var all []any
	switch v := v.(type) {
	case map[string]any:
		for name, below := range v {
			for _, changed := range places(below, member, value) {
				all = append(all, with(v, name, changed))
			}
		}
		all = append(all, with(v, member, value))
	case []any:
		for i := range v {
			for _, changed := range places(v[i], member, value) {
				list := append([]any(nil), v...)
				list[i] = changed
				all = append(all, list)
			}
		}
	}
	return all
}

func with(object map[string]any, name string, value any) map[string]any {
	changed := map[string]any{name: value}
	for k, v := range object {
		if k != name {
			changed[k] = v
		}
	}
	return changed
}

// everyFixture are the entries in testdata, odd ones and wrapped ones included.
func everyFixture(t *testing.T) []any {
	var files [][]byte
	for _, folder := range []fs.FS{testdata.Entries(), testdata.EntriesV2()} {
		names, err := fs.Glob(folder, "*.json")
		require.NoError(t, err)
		for _, name := range names {
			b, err := fs.ReadFile(folder, name)
			require.NoError(t, err)
			files = append(files, b)
		}
	}
	for _, name := range []string{"entries/odd.json", "entries_v2/odd.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		files = append(files, b)
	}
	var all []any
	for _, b := range files {
		var entries []any
		require.NoError(t, json.Unmarshal(b, &entries))
		for i, e := range entries {
			switch i % 4 {
			case 1:
				e = map[string]any{"event": e}
			case 2:
				e = map[string]any{"data": map[string]any{"result": []any{e, "x"}}}
			}
			all = append(all, e)
		}
	}
	return all
}

// Whatever is planted anywhere in an entry, secrets do not show and what is harmless
// stays.
func TestMask_EveryPlaceOfEveryFixture(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	const secret = "q7Z0pen5esame31415926Xk"
	planted := 0
	for i, entry := range everyFixture(t) {
		kinds := []struct {
			member string
			value  any
		}{
			{"client_secret", secret}, {"note", "use ghp_" + secret}, {"blob", `{"password":"` + secret + `"}`}, {"link", "https://u:" + secret + "@example.com/"},
			{"x", []any{"Bearer " + secret}}, {"y", map[string]any{"deep": []any{map[string]any{"apiKey": secret}}}}, {"text9", "token: " + secret},
		}
		kind := kinds[i%len(kinds)]
		for _, changed := range places(entry, kind.member, kind.value) {
			raw, err := json.Marshal(changed)
			require.NoError(t, err)
			planted++
			got, _ := n.Normalize(raw)
			require.NotContains(t, string(got.AppendJSON(nil)), secret, "%s", raw)
		}
		harmless := map[string]any{"token_lifetime": "15m", "key_id": "kid-" + strconv.Itoa(i), "public_key": "MFkwEwYH", "endpoint": "https://example.com/a"}
		want, err := json.Marshal(harmless)
		require.NoError(t, err)
		for _, changed := range places(entry, "neighbours", harmless) {
			raw, err := json.Marshal(changed)
			require.NoError(t, err)
			got, _ := n.Normalize(raw)
			require.Contains(t, string(got.RawEvent), string(want), "%s", raw)
		}
	}
	assert.Greater(t, planted, 1000)
}
