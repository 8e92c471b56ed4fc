package product

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// actionIn is the canonical action of an entry.
func actionIn(t *testing.T, raw string) string {
	t.Helper()
	var doc jsondoc.Doc
	require.NoError(t, doc.Parse(raw), raw)
	var e audit.Entry
	e.Decode(&doc, "")
	var f Facts
	Understand(&e, &f)
	return f.Action
}

var identifiers = []string{
	"2c0fc9fa937b11eaa1b71c4d701ab86e", "abcdefabcdefabcdefabcdefabcdefab", "0b5f4c3e-7b1c-4a5e-8f3d-2c1b0a9e8d7f", "1234567", "7",
	"my-orders-db", "Orders_Db", "orderbook", "cGFzc3dvcmQtcmVzZXQ", "xKqThLmZ", "www.example.com", "alice@example.com", "alice%40example.com",
	"192.0.2.1", "2001:db8::1", "a b", strings.Repeat("x", 60),
}

// Actions group entries, so no id and no name may be part of one.
func TestActions_OfRequestsHaveNoIDs(t *testing.T) {
	t.Parallel()
	operations, err := os.ReadFile("testdata/operations.txt")
	require.NoError(t, err)
	braces := regexp.MustCompile(`\{[^}]*\}`)
	turn := 0
	for line := range strings.Lines(string(operations)) {
		method, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(path, "}/{") {
			continue // which of the two is a word cannot be told
		}
		actions := map[string]bool{}
		for range 4 { // all of them take their turn
			turn++
			id := identifiers[turn%len(identifiers)]
			uri := braces.ReplaceAllLiteralString(path, id)
			actions[actionIn(t, `{"id":"x","raw":{"method":"`+method+`","uri":"`+uri+`"},"action":{"time":"2026-05-12T09:00:00Z"}}`)] = true
		}
		assert.Len(t, actions, 1, "%s: %v", path, actions)
	}
	for path, want := range map[string]string{
		"/accounts/1/rules/lists/abcdefabcdefabcdefabcdefabcdefab/items": "rules_list.item.create",
		"/accounts/1/newthings/orderbook/parts/front":                    "newthings.parts.create",
		"/accounts/1/newproduct/switches":                                "newproduct.switches.create",
	} {
		assert.Equal(t, want, actionIn(t, `{"id":"x","raw":{"method":"POST","uri":"`+path+`"}}`), path)
	}
}

// The words of the API are told from names by a list.
func TestActions_TheListHasTheWordsOfTheAPI(t *testing.T) {
	t.Parallel()
	prepare()
	operations, err := os.ReadFile("testdata/operations.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(operations)) {
		_, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		parts := strings.Split(path[1:], "/")
		if parts[0] == "accounts" || parts[0] == "zones" {
			parts = parts[min(2, len(parts)):]
		}
		for i, part := range parts {
			if part[0] == '{' {
				continue
			}
			follows, isKnown := known.words[part]
			assert.True(t, isKnown || part == "user", "%s: add %s to apiWords", path, part)
			if i+1 < len(parts) && parts[i+1][0] == '{' && part != "user" {
				assert.True(t, follows, "%s: mark %s in apiWords", path, part)
			}
		}
	}
}

func TestActions_OfTheAuditLogHaveNoIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"2c0fc9fa937b11eaa1b71c4d701ab86e", "abcdefabcdefabcdefabcdefabcdefab", "0b5f4c3e-7b1c-4a5e-8f3d-2c1b0a9e8d7f", "1234567",
		"cGFzc3d12mQtcm3VzZXQ", "www.example.com", "alice@example.com", "192.0.2.1", "2001:db8::1", "my-site.pages.dev",
	} {
		for _, form := range []struct{ resource, action, want string }{
			{"frobnicator_" + id, "delete", "frobnicator.delete"},
			{"frobnicator:" + id, "update", "frobnicator.update"},
			{"frobnicator/" + id, "frobnicate", "frobnicator.frobnicate"},
			{"frobnicator." + id, "create", "frobnicator.create"},
			{"frobnicator", "delete_" + id, "frobnicator.delete"},
			{"frobnicator", "frobnicate " + id, "frobnicator.frobnicate"},
			{"dns.record/" + id, "delete", "dns.record.delete"},
			{"zone", "purge:" + id, "zone.cache.purge"},
			{"", "frobnicate_" + id, "unknown.frobnicate"},
		} {
			if strings.HasSuffix(form.resource, "."+id) && strings.Contains(id, ".") {
				continue // where a name begins cannot be told
			}
			raw := `{"id":"x","action":{"type":"` + form.action + `"},"resource":{"type":"` + form.resource + `"}}`
			assert.Equal(t, form.want, actionIn(t, raw), raw)
		}
	}
	// What looks a little like one stays.
	for kind, want := range map[string]string{
		"access.app": "access.app.frobnicate", "tls_1_3": "tls_1_3.frobnicate", "ipv6": "ipv6.frobnicate", "workers.ai": "workers.ai.frobnicate",
		"zero_trust_network_sessions_configuration": "zero_trust_network_sessions_configuration.frobnicate", "oauth2.client": "oauth2.client.frobnicate",
	} {
		assert.Equal(t, want, actionIn(t, `{"id":"x","action":{"type":"frobnicate"},"resource":{"type":"`+kind+`"}}`))
	}
}

// What a thin entry has is in the facts.
func TestThinEntries_KeepTheirVerbAndActor(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"action":{"type":"delete","time":"2026-05-12T09:00:00Z"}}`:                        "unknown.delete",
		`{"raw":{"method":"DELETE"},"actor":{"email":"alice@example.com"}}`:                 "unknown.delete",
		`{"AuditLogID":"a","ActionType":"update"}`:                                          "unknown.update",
		`{"ActionType":"frobnicate"}`:                                                       "unknown.frobnicate",
		`{"action":"delete","actor":"alice@example.com","when":"2026-05-12T09:00:00Z"}`:     "unknown.delete",
		`{"action":{"description":"Frobnicate it"},"account":{"id":"1"}}`:                   "unknown.frobnicate_it",
		`{"action":{"description":"Delete 2c0fc9fa937b11eaa1b71c4d701ab86e"},"raw":{}}`:     "unknown.delete",
		`{"action":{"type":"delete"},"resource":{"id":"2c0fc9fa937b11eaa1b71c4d701ab86e"}}`: "unknown.delete",
	} {
		assert.Equal(t, want, actionIn(t, raw), raw)
	}
}
