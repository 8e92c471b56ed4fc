package cloudflareaudit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

const someAccount = "023e105f4ecef8ad9ca31a8372d0c353"

// faultsOf maps the fields that err complains about to what it says.
func faultsOf(err error) map[string]string {
	out := map[string]string{}
	var walk func(error)
	walk = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
			return
		}
		if f, ok := errors.AsType[*FieldError](err); ok {
			out[f.Field] = f.Error()
		}
	}
	walk(err)
	return out
}

func TestParseConfig_FillsInTheDefaults(t *testing.T) {
	t.Parallel()
	c, err := ParseConfig(map[string]any{"account_id": someAccount, "api_token": "cfat_x", "base_url": "", "overlap": nil})
	require.NoError(t, err)
	c = c.withDefaults()
	assert.Equal(t, DefaultBaseURL, c.BaseURL)
	assert.Equal(t, 300*time.Second, c.PollInterval)
	assert.Equal(t, 100, c.PageSize)
	assert.Equal(t, 1000, c.MaxEvents)
	assert.Equal(t, 10*time.Minute, c.Overlap)
	assert.Equal(t, 24*time.Hour, c.InitialLookback)
	assert.Equal(t, 900, c.RateLimit)
	assert.True(t, *c.DropRoutine)
	assert.False(t, c.HideUserLogs)
	assert.False(t, c.ResolveMembers)
	assert.False(t, c.ResolveScopes)
	assert.False(t, c.ResolveHistory)
}

func TestParseConfig_TakesWhatHostsAndFormsGive(t *testing.T) {
	t.Parallel()
	c, err := ParseConfig(map[string]any{
		"account_id": someAccount, "api_token": "cfat_x",
		"poll_interval_seconds": float64(60), "page_size": "250", "max_events": json.Number("500"),
		"overlap": "5m", "initial_lookback": "7d", "request_timeout": 10,
		"production_zones": "example.com, *.example.org\nexample.net", "verified_workers": []any{"a", " b "},
		"drop_routine": "false", "hide_user_logs": true, "rate_limit": 600,
		"resolve_members": "true", "resolve_scopes": true, "resolve_history": "TRUE",
		"base_url": "http://127.0.0.1:8080/client/v4",
	})
	require.NoError(t, err)
	assert.Equal(t, time.Minute, c.PollInterval)
	assert.Equal(t, 250, c.PageSize)
	assert.Equal(t, 500, c.MaxEvents)
	assert.Equal(t, 5*time.Minute, c.Overlap)
	assert.Equal(t, 7*24*time.Hour, c.InitialLookback)
	assert.Equal(t, 10*time.Second, c.RequestTimeout)
	assert.Equal(t, []string{"example.com", "*.example.org", "example.net"}, c.ProductionZones)
	assert.Equal(t, []string{"a", "b"}, c.VerifiedWorkers)
	assert.False(t, *c.DropRoutine)
	assert.True(t, c.HideUserLogs)
	assert.Equal(t, 600, c.RateLimit)
	assert.True(t, c.ResolveMembers)
	assert.True(t, c.ResolveScopes)
	assert.True(t, c.ResolveHistory)
}

// The form of a host sends 0 for a number and "" for a text that was cleared.
func TestParseConfig_WhatWasClearedIsTheDefault(t *testing.T) {
	t.Parallel()
	base := map[string]any{"account_id": someAccount, "api_token": "cfat_x"}
	want, err := ParseConfig(base)
	require.NoError(t, err)
	want.APIToken = Secret{}
	for _, f := range descriptor().Fields {
		cleared := []any{nil, ""}
		if _, err := ParseDuration(fmt.Sprint(f.Default)); f.Type == ingest.FieldNumber || err == nil {
			cleared = append(cleared, 0, 0.0, int64(0), json.Number("0"))
		}
		for _, v := range cleared {
			if f.Required {
				continue
			}
			object := maps.Clone(base)
			object[f.Name] = v
			got, err := ParseConfig(object)
			require.NoError(t, err, "%s: %v", f.Name, v)
			got.APIToken = Secret{} // two secrets are never equal
			assert.Equal(t, want, got, "%s: %v", f.Name, v)
		}
	}
	// Typed values are not cleared ones, and bounds hold as before.
	for field, v := range map[string]any{"max_events": "0", "page_size": -1, "poll_interval_seconds": 29, "overlap": "0s", "rate_limit": 0.5} {
		object := maps.Clone(base)
		object[field] = v
		_, err := ParseConfig(object)
		assert.ErrorContains(t, err, field+": ")
	}
}

// AiSOC keeps settings of its own in the same object, and passes them on.
func TestParseConfig_IgnoresTheKeysOfTheHostAlone(t *testing.T) {
	t.Parallel()
	object := map[string]any{
		"account_id": someAccount, "api_token": "cfat_x", "poll_interval_seconds": 60.0,
		"checkpoint": map[string]any{"v": 1.0}, "filter_rules": []any{map[string]any{"field": "severity"}},
		"expected_cadence_seconds": 3600.0, "allowed_capabilities": []any{"pull_audit"},
	}
	c, err := ParseConfig(object)
	require.NoError(t, err)
	assert.Equal(t, time.Minute, c.PollInterval)

	object["filter_rule"] = nil
	object["poll_interval_second"] = 60.0
	_, err = ParseConfig(object)
	assert.Contains(t, faultsOf(err)["poll_interval_second"], `did you mean "poll_interval_seconds"?`)
	assert.Contains(t, faultsOf(err)["filter_rule"], "there is no such field")
}

// What is suggested in place of a wrong account id must not be a part of a token.
func TestParseConfig_RepeatsNoPartOfATokenInPlaceOfAnID(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef0123456789abcdef"
	for _, given := range []string{secret + "01234", "cfat_" + secret, "Bearer " + secret + "01234", "x" + secret + "01234", " \"" + secret + "01234\" "} {
		for _, field := range []string{"account_id", "own_token_id"} {
			_, err := ParseConfig(map[string]any{"account_id": someAccount, "api_token": "cfat_x", field: given})
			require.ErrorContains(t, err, field+": looks like ", given)
			assert.NotContains(t, err.Error(), secret[:8], given)
		}
	}
}

func TestParseConfig_ReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ParseConfig(map[string]any{
		"acount_id": someAccount, "api_token": "cfat_x\n", "page_size": 0.5, "max_events": 1001.0,
		"poll_interval_seconds": 29, "overlap": "soon", "initial_lookback": "600d",
		"base_url": "http://api.cloudflare.com", "drop_routine": "perhaps", "rate_limit": "0",
	})
	got := faultsOf(err)
	for field, want := range map[string]string{
		"acount_id":             `did you mean "account_id"?`,
		"account_id":            "is required",
		"api_token":             "line break",
		"page_size":             "whole number",
		"max_events":            `"1001": must be between 1 and 1000`,
		"poll_interval_seconds": `"29": must be between 30 and 86400`,
		"overlap":               `"soon": must be a duration`,
		"initial_lookback":      `"600d": must be between 1m and 548d`,
		"base_url":              "unencrypted",
		"drop_routine":          `"perhaps": must be true or false`,
		"rate_limit":            "at least 1",
	} {
		assert.Contains(t, got[field], want, field)
	}
	assert.Len(t, got, 11)
}

func TestConfig_AccountIDSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		strings.ToUpper(someAccount):                          "must be in lower case: " + someAccount,
		" " + someAccount + "\n":                              "spaces or a line break",
		"https://dash.cloudflare.com/" + someAccount + "/dns": "did you mean " + someAccount,
		someAccount[:31]:                                      "32 lower-case hexadecimal digits",
		"me@example.com":                                      "32 lower-case hexadecimal digits",
		"cfat_0123456789012345678901234567890123456789":       "looks like an API token",
	} {
		err := Config{AccountID: id, APIToken: NewSecret("cfat_x")}.Validate()
		require.ErrorContains(t, err, want, id)
		require.NotContains(t, err.Error(), "cfat_01")
	}
}

func TestConfig_TokenSaysWhatIsWrongWithItAndIsNotRepeated(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"Bearer s3cretvalue":              `begins with "Bearer "`,
		"s3cretvalue\r\n":                 "line break",
		"s3cret value":                    "space",
		`"s3cretvalue"`:                   "quotes",
		"s3cretvaluü":                     "a character that no token has",
		strings.Repeat("s3c2e1", 6):       "",
		strings.Repeat("abc1d", 7) + "ef": "Global API key",
		"cfk_s3cretvalue":                 "Global API key",
	} {
		err := Config{AccountID: someAccount, APIToken: NewSecret(token)}.Validate()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), token)
		require.NotContains(t, err.Error(), "s3c")
	}
}

func TestConfig_BaseURLKeepsTheTokenSafe(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://api.example.com/client/v4": "",
		"http://127.0.0.1:1":                "",
		"http://[::1]:1/client/v4":          "",
		"http://localhost:1":                "",
		"http://localhost.example.com":      "unencrypted",
		"http://192.0.2.1":                  "unencrypted",
		"https://user:pass@example.com":     "credentials",
		"https://example.com/#x":            "fragment",
		"https://example.com/?x=1":          "query",
		"ftp://example.com":                 "https URL",
		"api.cloudflare.com":                "https URL",
	} {
		err := Config{AccountID: someAccount, APIToken: NewSecret("cfat_x"), BaseURL: raw}.Validate()
		if want == "" {
			require.NoError(t, err, raw)
		} else {
			require.ErrorContains(t, err, want, raw)
			require.NotContains(t, err.Error(), "user:pass")
		}
	}
}

func TestConfig_RulesThatCannotBeUsedNameTheRule(t *testing.T) {
	t.Parallel()
	_, err := ParseConfig(map[string]any{
		"account_id": someAccount, "api_token": "cfat_x",
		"rules": `[{"id":"mine","match":{"action":["dns.*"]},"severity":"terrible"}]`,
	})
	require.ErrorContains(t, err, "mine")
	require.ErrorContains(t, err, "terrible")
}

func TestSecret_IsPrintedNowhere(t *testing.T) {
	t.Parallel()
	s := NewSecret("hidden-value")
	nested := struct{ inner struct{ S Secret } }{}
	nested.inner.S = s
	for _, v := range []any{s, &s, []Secret{s}, map[string]Secret{"k": s}, nested, &nested} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "hidden", verb)
		}
	}
	b, err := json.Marshal(struct{ T Secret }{s})
	require.NoError(t, err)
	require.JSONEq(t, `{"T":"[redacted]"}`, string(b))
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", s, "group", slog.GroupValue(slog.Any("t", s)))
	require.NotContains(t, log.String(), "hidden")
	require.Contains(t, log.String(), redacted)
	require.Equal(t, "hidden-value", s.Reveal())

	var back Secret
	require.NoError(t, json.Unmarshal([]byte(`"again"`), &back))
	require.Equal(t, "again", back.Reveal())
	require.Error(t, json.Unmarshal(b[5:len(b)-1], &back), "the redacted form is no secret")
}

func TestRegister_AHostSetsWhatAnObjectCannotHold(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	require.NoError(t, Register(&catalog,
		func(c *Config) { c.PageSize = 7 }, func(c *Config) { c.RequestTimeout = time.Duration(c.PageSize) * time.Second }))
	src, err := catalog.Build(ConnectorID, map[string]any{"account_id": someAccount, "api_token": "cfat_x"})
	require.NoError(t, err)
	require.Equal(t, 7*time.Second, src.(*Connector).cfg.RequestTimeout)

	var strict ingest.Catalog
	require.NoError(t, Register(&strict, func(c *Config) { c.RateLimit = -1 }))
	_, err = strict.Build(ConnectorID, map[string]any{"account_id": "x", "api_token": "cfat_x", "page_size": "many", "nonsense": true})
	for _, field := range []string{"account_id", "page_size", "nonsense", "rate_limit"} {
		require.ErrorContains(t, err, field, "all faults are named, whatever they come from")
	}
}

func TestRegister_PutsTheConnectorIntoTheCatalog(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	require.NoError(t, Register(&catalog))
	require.ErrorContains(t, Register(&catalog), "already registered")
	d := catalog.List()[0]
	require.Equal(t, "cloudflare", d.ConnectorID)
	require.Equal(t, "saas", d.Category)
	require.NoError(t, d.Validate())
	required := []string{}
	for _, f := range d.Fields {
		if f.Required {
			required = append(required, f.Name)
		} else if f.Default == nil {
			require.Contains(t, []ingest.FieldType{ingest.FieldTextarea, ingest.FieldSecret}, f.Type, f.Name)
		}
		require.NotEmpty(t, f.HelpText, f.Name)
		require.Equal(t, f.Name == "api_token" || f.Name == "own_token_id", f.Type == ingest.FieldSecret)
	}
	require.Equal(t, []string{"account_id", "api_token"}, required)

	src, err := catalog.Build("cloudflare", map[string]any{"account_id": someAccount, "api_token": "cfat_x"})
	require.NoError(t, err)
	require.Equal(t, d, src.Descriptor())
	_, err = catalog.Build("cloudflare", map[string]any{"account_id": "x"})
	require.ErrorContains(t, err, "api_token")
	_, err = catalog.Build("clodflare", nil)
	require.Error(t, err)
}

// The default that the catalog shows is the one that applies.
func TestDescriptor_DefaultsAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	object := map[string]any{"account_id": someAccount, "api_token": "cfat_x"}
	for _, f := range descriptor().Fields {
		if f.Default != nil {
			object[f.Name] = f.Default
		}
	}
	c, err := ParseConfig(object)
	require.NoError(t, err)
	def := Config{AccountID: c.AccountID, APIToken: c.APIToken}.withDefaults()
	def.Clock, def.Logger, def.APIToken = nil, nil, Secret{}
	c.APIToken = Secret{}
	require.Equal(t, def, c)
}

func TestValidate_TheIdOfTheTokenIsNotTheToken(t *testing.T) {
	t.Parallel()
	object := map[string]any{"account_id": someAccount, "api_token": "cfat_x"}
	for _, id := range []string{"", ownToken, strings.ToUpper(ownToken)} {
		object["own_token_id"] = id
		c, err := ParseConfig(object)
		require.NoError(t, err)
		assert.Equal(t, id, c.OwnTokenID)
	}
	object["own_token_id"] = "siem"
	_, err := ParseConfig(object)
	assert.Equal(t, `own_token_id: "siem": must be the id of the token: 32 hexadecimal digits`, faultsOf(err)["own_token_id"])
	for _, token := range []string{"cfat_0123456789", strings.Repeat("aB3_", 10)} {
		object["own_token_id"] = token
		_, err = ParseConfig(object)
		assert.Contains(t, faultsOf(err)["own_token_id"], "looks like the token itself")
		assert.NotContains(t, err.Error(), token)
	}
}
