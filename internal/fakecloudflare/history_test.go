package fakecloudflare_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// withHistory is a server with changes a minute apart, from the oldest: two of a
// setting, one of another, one more of the first, and two without a URI.
func withHistory() *fakecloudflare.Server {
	s := fakecloudflare.NewServer(fakecloudflare.Options{})
	for i, e := range []string{
		fakecloudflare.Requested("PATCH", "/zones/z/settings/ssl"),
		fakecloudflare.Requested("PUT", "/zones/z/settings/ssl?a=b"),
		fakecloudflare.Requested("PATCH", "/zones/z/settings/waf"),
		fakecloudflare.Requested("PATCH", "/zones/z/settings/ssl"),
		fakecloudflare.Requested("PATCH", "", `"id":"r1"`, `"product":"stream"`),
		fakecloudflare.Requested("PATCH", "", `"id":"r1"`, `"product":"stream"`),
		fakecloudflare.Requested("PATCH", "", `"product":"stream"`),
	} {
		at := fmt.Sprintf("2026-05-12T09:%02d:02Z", i)
		s.AddV2(time.Time{}, json.RawMessage(strings.NewReplacer("0196c3a1-0000-7000-8000-000000000001", fmt.Sprint("e", i),
			"2026-05-12T09:00:02Z", at).Replace(e)))
	}
	return s
}

func TestHistory_HasTheEntriesAboutTheSameResource(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"e3/history?action_time=2026-05-12T09:03:02Z&":                   "200 exact e3 e1 e0",
		"e3/history?action_time=2026-05-12T09:03:02.000Z&direction=asc&": "200 exact e0 e1 e3",
		"e3/history?action_time=2026-05-12T09:03:02Z&limit=2&":           "200 exact e3 e1 more",
		"e5/history?action_time=2026-05-12T09:05:02Z&":                   "200 approximate e5 e4",
		"e6/history?action_time=2026-05-12T09:06:02Z&":                   "200 unavailable",
		"e3/history?action_time=2026-05-12T12:00:00Z&":                   "404",
		"e9/history?action_time=2026-05-12T09:03:02Z&":                   "404",
		"e3/history?":                       "400",
		"e3/history?action_time=yesterday&": "400",
		"e3/history?action_time=2026-05-12T09:03:02Z&cursor=x&": "400",
		"e3/x/history?action_time=2026-05-12T09:03:02Z&":        "400",
	} {
		resp, body := get(t, withHistory(), logsV2+"/"+query+window)
		got := fmt.Sprint(resp.StatusCode)
		if env := decode(t, body); env.Success {
			var info struct {
				Count         int
				Cursor        string
				HistoryStatus string `json:"history_status"`
			}
			var list []struct{ ID string }
			require.NoError(t, json.Unmarshal(env.ResultInfo, &info))
			require.NoError(t, json.Unmarshal(env.Result, &list))
			assert.Len(t, list, info.Count)
			got += " " + info.HistoryStatus
			for _, e := range list {
				got += " " + e.ID
			}
			if info.Cursor != "" {
				got += " more"
			}
		}
		assert.Equal(t, want, got, query)
	}
	resp, _ := get(t, withHistory(), logsV2+"/e3/history?action_time=2026-05-12T09:03:02Z")
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode, "since and before are required")
}

func TestHistory_MayBeDeniedByItself(t *testing.T) {
	t.Parallel()
	s := withHistory()
	s.Deny("logs/audit/history")
	resp, _ := get(t, s, logsV2+"/e3/history?action_time=2026-05-12T09:03:02Z&"+window)
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
	resp, _ = get(t, s, logsV2+"?"+window)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}
