package apierror_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/apierror"
)

func TestNew_ClassifiesByStatusAndThenByCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status    int
		code      int
		kind      apierror.Kind
		temporary bool
		remedy    string // a part of it
	}{
		{http.StatusTooManyRequests, 10000, apierror.KindRateLimited, true, "rate_limit"},
		{http.StatusOK, 971, apierror.KindRateLimited, true, "rate_limit"},
		{http.StatusBadGateway, 10000, apierror.KindServer, true, ""},
		{http.StatusRequestTimeout, 0, apierror.KindServer, true, ""},
		{http.StatusNotFound, 7003, apierror.KindAccount, false, "account_id"},
		{http.StatusBadRequest, 7000, apierror.KindAccount, false, "account_id"},
		{http.StatusBadRequest, 6003, apierror.KindCredentials, false, "not an API token"},
		{http.StatusUnauthorized, 0, apierror.KindCredentials, false, "unknown, expired or revoked"},
		{http.StatusForbidden, 10000, apierror.KindCredentials, false, "lacks"},
		{http.StatusOK, 10000, apierror.KindCredentials, false, "lacks"},
		{http.StatusOK, 0, apierror.KindMalformed, true, "base_url"},
		{http.StatusFound, 5, apierror.KindMalformed, true, "base_url"},
		{http.StatusBadRequest, 1004, apierror.KindRequest, false, ""},
	} {
		var messages []apierror.Message
		if tc.code != 0 {
			messages = []apierror.Message{{Code: tc.code, Message: "no"}}
		}
		e := apierror.New(tc.status, messages, time.Minute)
		assert.Equal(t, tc.kind, e.Kind, "%d, code %d", tc.status, tc.code)
		assert.Equal(t, tc.temporary, e.Temporary(), "%d, code %d", tc.status, tc.code)
		assert.Contains(t, e.Field+": "+e.Remedy, tc.remedy)
		assert.Equal(t, tc.remedy == "", e.Remedy == "")
		assert.Equal(t, time.Minute, e.RetryAfter())
	}
	causes := []apierror.Message{{Code: 1, Chain: []int{5, 6111}}}
	require.Equal(t, apierror.KindCredentials, apierror.New(http.StatusBadRequest, causes, 0).Kind, "the code of a cause counts")
}

func TestError_IsOneBoundedLine(t *testing.T) {
	t.Parallel()
	e := apierror.New(http.StatusBadRequest, []apierror.Message{{Code: 7, Message: "a\nb\x00" + strings.Repeat("ü", 300) + "\xff"}}, 90*time.Second)
	text := e.Error()
	require.True(t, strings.HasPrefix(text, "cloudflare answered HTTP 400, code 7: a b üü"), text)
	require.True(t, strings.HasSuffix(text, "…; try again in 1m30s"), text)
	require.NotContains(t, text, "\n")
	require.True(t, utf8.ValidString(text))
	require.Equal(t, 201, utf8.RuneCountInString(e.Message))
	wait := &apierror.WaitError{Wait: 2 * time.Second}
	require.EqualError(t, wait, "the request budget of the API token is used up; try again in 2s")
	require.Equal(t, 2*time.Second, wait.RetryAfter())
	require.True(t, wait.HeldBack())
	wait.Asked = true
	require.EqualError(t, wait, "Cloudflare has asked to wait before the next request; try again in 2s")
}
