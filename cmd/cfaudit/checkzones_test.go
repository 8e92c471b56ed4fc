package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

func TestCheck_SaysWhichConfiguredZonesTheAccountDoesNotHave(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	pages := map[string]string{
		"1": `{"id":"372e67954025e0ba6aaa6d586b9e0b59","name":"shop.example.com"}`,
		"2": `{"id":"023e105f4ecef8ad9ca31a8372d0c353","name":"xn--bcher-kva.example"}`,
	}
	a.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
		if !strings.HasSuffix(r.URL.Path, "/zones") {
			return nil
		}
		assert.Equal(t, "023e105f4ecef8ad9ca31a8372d0c353", r.URL.Query().Get("account.id"))
		return fakecloudflare.Reply(http.StatusOK, nil, `{"success":true,"errors":[],"messages":[],"result":[`+pages[r.URL.Query().Get("page")]+`],"result_info":{"page":1,"per_page":50,"total_pages":2,"count":1,"total_count":2}}`)
	})
	all := strings.Fields("check --production-zone shop.example.com --production-zone *.example.com --production-zone Bücher.example --production-zone 372e67954025e0ba6aaa6d586b9e0b59")
	got := a.call(all...).run(t.Context())
	assert.Equal(t, exitOK, got.code)
	assert.NotContains(t, got.out, "zone")

	got = a.call(append(all, "--production-zone", "shop.exmaple.com", "--production-zone", strings.Repeat("9", 32))...).run(t.Context())
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, strings.Join(strings.Fields(got.out), " "), "warning The production zone shop.exmaple.com matches none of the zones that the token can list, 2 zones. -> --production-zone: Compare the spelling")
	assert.Equal(t, 2, strings.Count(got.out, "warning"))
}

func TestCheck_SaysThatItCannotTellWhichZonesThereAre(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
		if !strings.HasSuffix(r.URL.Path, "/zones") {
			return nil
		}
		return fakecloudflare.Status(http.StatusForbidden, 9109, "Unauthorized to access requested resource", nil)
	})
	got := a.call("check", "--production-zone", "shop.example.com").run(t.Context())
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, strings.Join(strings.Fields(got.out), " "), "note It is not known whether the configured zones exist: the token may not list zones")
	assert.NotContains(t, got.out, "warning")

	got = a.call("check").run(t.Context())
	assert.NotContains(t, got.out, "zones")
}
