package product

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/redact"
)

func TestCompare_ReportsWhatChanged(t *testing.T) {
	t.Parallel()
	type difference [3]string // field, old, new
	for name, tt := range map[string]struct {
		raw  string
		want []difference
	}{
		"differences alone": {
			logged("dns.record", "update", `"oldValueJson":{"name":"a","ttl":1,"modified_on":"x","proxied":true}`, `"newValueJson":{"name":"a","ttl":60,"modified_on":"y","tags":["t"]}`),
			[]difference{{"ttl", "1", "60"}, {"tags", "", "t"}, {"proxied", "true", ""}},
		},
		"deleted by Cloudflare, which writes it as new": {
			logged("dns.record", "delete", bySystem, `"oldValueJson":{}`, `"newValueJson":{"type":"TXT"}`),
			[]difference{{"type", "TXT", ""}},
		},
		"nested": {
			logged("spectrum.app", "update", `"oldValueJson":{"a":{"b":{"c":1,"d":2}}}`, `"newValueJson":{"a":{"b":{"c":3,"d":2}}}`),
			[]difference{{"a.b.c", "1", "3"}},
		},
		"null is nothing": {
			logged("spectrum.app", "update", `"oldValueJson":{"a":null,"b":null}`, `"newValueJson":{"a":1,"c":null}`),
			[]difference{{"a", "", "1"}},
		},
		"texts": {
			logged("user", "change_email", `"oldValue":"a@example.com"`, `"newValue":"b@example.com"`),
			[]difference{{"value", "a@example.com", "b@example.com"}},
		},
		"metadata": {
			logged("account", "token_revoke", `"metadata":{"old_token_status":"active","new_token_status":"deleted","token_name":"ci"}`),
			[]difference{{"token_status", "active", "deleted"}},
		},
		"setting": {
			logged("zone", "change_setting", `"metadata":{"name":"ssl","old_value":"full","value":"off"}`, `"newValue":"off"`),
			[]difference{{"ssl", "full", "off"}},
		},
		"secrets": {
			logged("access.identity_provider", "update",
				`"oldValueJson":{"config":{"client_secret":"one","client_id":"x"},"api_token":"t","name":"cfat_0123456789","token_name":"n"}`,
				`"newValueJson":{"config":{"client_secret":"two","client_id":"y"},"api_token":"u","name":"m","token_name":"o"}`),
			[]difference{{"config.client_secret", redact.Masked, redact.Masked}, {"config.client_id", "x", "y"}, {"api_token", redact.Masked, redact.Masked}, {"name", redact.Masked, "m"}, {"token_name", "n", "o"}},
		},
		"credentials in a destination": {
			logged("logpush job", "job_update",
				`"oldValueJson":{"destination_conf":"s3://bucket/logs?access-key-id=AK&secret-access-key=SK"}`,
				`"newValueJson":{"destination_conf":"https://user:pw@example.com/in?header_Authorization=Basic%20x"}`),
			[]difference{{"destination_conf", "s3://bucket/logs?" + redact.Masked, "https://" + redact.Masked + "@example.com/in?" + redact.Masked}},
		},
		"secrets in lists": {
			logged("script", "patch_settings", `"newValueJson":{"bindings":[{"name":"DB","text":"hunter2"}],"secrets":["hunter2"]}`),
			[]difference{{"bindings", "", "DB"}, {"secrets", "", redact.Masked}},
		},
		"control characters": {
			logged("spectrum.app", "update", `"newValueJson":{"a":"x\ny\u0000\u001b[31m\u202ez"}`),
			[]difference{{"a", "", "x y[31mz"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := understood(t, tt.raw)
			var differences []difference
			for _, c := range got.Changes {
				differences = append(differences, difference{c.Field, c.Old, c.New})
			}
			assert.Equal(t, tt.want, differences)
			assert.Zero(t, got.ChangesOmitted)
		})
	}
}

func TestCompare_BoundsTheChanges(t *testing.T) {
	t.Parallel()
	fields := make(map[string]any)
	for i := range 40 {
		fields[fmt.Sprintf("field%02d", i)] = strings.Repeat("ü", 1000)
	}
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	got := understood(t, logged("spectrum.app", "create", `"newValueJson":`+string(b)))
	assert.Len(t, got.Changes, maxChanges)
	for _, c := range got.Changes {
		assert.LessOrEqual(t, len(c.New), 256+len("…"))
	}
	// The rest exists on one side only, and is counted all the same.
	assert.Equal(t, 40-maxChanges, got.ChangesOmitted)
}
