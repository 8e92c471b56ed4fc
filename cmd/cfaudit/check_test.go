package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestCheck_SaysThatAllIsWell(t *testing.T) {
	t.Parallel()
	a := newAccount(t, fakecloudflare.Entry("a", time.Now().Add(-330*time.Second), 6))
	got := a.call("check").run(t.Context())
	assert.Equal(t, exitOK, got.code)
	assert.Empty(t, got.err)
	assert.Regexp(t, `^Account 023e105f4ecef8ad9ca31a8372d0c353
ok       The audit log can be read\.
ok       The newest entry is from \S+, 5 minutes ago\.
ok       The token belongs to the account, is active and does not expire\.
ok       The local clock agrees with Cloudflare's\.
$`, got.out)
	assert.True(t, strings.HasSuffix(a.Requests()[0].Path, "/audit_logs"))
	assert.Equal(t, "per_page=1", a.Requests()[0].Query.Encode())
}

func TestCheck_ExplainsAnEmptyLog(t *testing.T) {
	t.Parallel()
	got := newAccount(t).call("check").run(t.Context())
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, "note     The log has no entry. It holds changes, and hardly any reads or\n"+
		"         logins, so that is no fault.\n         -> To see one, make a change")
}

func TestCheck_SaysWhatIsWrongInTermsOfFlags(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	wrong := a.call("check")
	wrong.env[envToken] = "cfat_another"
	got := wrong.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Equal(t, "cfaudit: account 023e105f4ecef8ad9ca31a8372d0c353 cannot be read as it is configured\n", got.err)
	text := strings.Join(strings.Fields(got.out), " ")
	assert.Contains(t, text, "error The audit log cannot be read: cloudflare answered HTTP 403, code 10000: Authentication error. "+
		"Cloudflare knows the token neither as one of this account nor as one of a user")
	assert.Contains(t, text, "-> CLOUDFLARE_API_TOKEN or --token-file: Create a new one")
	assert.NotContains(t, text, "api_token")
	for line := range strings.Lines(got.out) {
		assert.LessOrEqual(t, len([]rune(line)), 81, line)
	}

	got = a.call("check", "--account-id", strings.Repeat("9", 32)).run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.out, "-> --account-id: There is no such account: copy the Account ID")
	assert.Contains(t, got.out, "can see the account 023e105f4ecef8ad9ca31a8372d0c353")

	got = call{args: []string{"check", "--base-url", "http://127.0.0.1:1"}, env: a.call().env}.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.out, "-> --base-url: Check this URL, the network")

	got = call{args: []string{"check", "--base-url", strings.TrimSuffix(a.url, fakecloudflare.Prefix)}, env: a.call().env}.run(t.Context())
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, strings.Join(strings.Fields(got.out), " "), "is not one, or --base-url lacks /client/v4 at its end")
	other := call{args: []string{"check", "--base-url", a.url}, env: map[string]string{envToken: a.token, envAccountID: strings.Repeat("ab", 16)}}.run(t.Context())
	assert.Equal(t, exitFailed, other.code)
	assert.NotContains(t, other.out, "--base-url", "it ends as it has to")

	a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
		return fakecloudflare.Status(400, 6003, "Invalid request headers", nil)
	})
	got = a.call("check").run(t.Context())
	assert.Contains(t, got.out, "-> CLOUDFLARE_API_TOKEN or --token-file: This is not an API token")
}

func TestCheck_PrintsJSON(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, readable := range []bool{true, false} {
		if !readable {
			a.Fault(func(int, *http.Request) *fakecloudflare.Fault {
				return fakecloudflare.Status(403, 10000, "Authentication error", nil)
			})
		}
		got := a.call("check", "--json").run(t.Context())
		assert.Equal(t, !readable, got.code == exitFailed)
		var r cloudflareaudit.Report
		dec := json.NewDecoder(strings.NewReader(got.out))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&r), got.out)
		assert.Equal(t, readable, r.Readable)
		assert.Equal(t, readable, r.Failure == "")
		assert.NotEmpty(t, r.Findings)
	}
}
