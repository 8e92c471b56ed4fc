package cloudflareaudit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

const otherAccount = "b1946ac92492d2347c6235b4d2611184"

// onLog is a fault of the requests for the audit log alone.
func onLog(fault *fakecloudflare.Fault) func(int, *http.Request) *fakecloudflare.Fault {
	return func(_ int, r *http.Request) *fakecloudflare.Fault {
		if strings.HasSuffix(r.URL.Path, "/audit_logs") {
			return fault
		}
		return nil
	}
}

// paths are what has been asked for, below the account or above it.
func paths(server *fakecloudflare.Server) (all []string) {
	for _, r := range server.Requests() {
		path := strings.TrimPrefix(r.Path, fakecloudflare.Prefix)
		all = append(all, strings.Replace(path, fakecloudflare.DefaultAccountID, "{id}", 1))
	}
	return all
}

// told is all that the findings say, a line each.
func told(r Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		remedy := f.Remedy
		if f.Field != "" {
			remedy = f.Field + ": " + remedy
		}
		fmt.Fprintf(&b, "%s: %s -> %s\n", f.Level, f.Text, remedy)
	}
	return b.String()
}

func worst(r Report) ingest.Level {
	levels := []ingest.Level{ingest.LevelOK, ingest.LevelNote, ingest.LevelWarning, ingest.LevelError}
	at := 0
	for _, f := range r.Findings {
		for i, l := range levels {
			if f.Level == l {
				at = max(at, i)
			}
		}
	}
	return levels[at]
}

func TestCheck_AHealthyConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		server, cfg := fixture(fakecloudflare.Options{})
		newest := time.Now().Add(-3 * time.Hour).UTC()
		server.Add(time.Time{}, fakecloudflare.Entry("a", newest.Add(-time.Minute), 6), fakecloudflare.Entry("b", newest, 6))
		r, err := connect(t, cfg).Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, Report{
			AccountID:  fakecloudflare.DefaultAccountID,
			Readable:   true,
			Newest:     newest,
			Token:      TokenReport{Owner: OwnerAccount, Status: "active", NotBefore: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Accounts: []string{fakecloudflare.DefaultAccountID}},
			ServerTime: time.Now().UTC(),
			Findings: []ingest.Finding{
				{Level: ingest.LevelOK, Text: "The audit log can be read."},
				{Level: ingest.LevelOK, Text: "The newest entry is from 2025-12-31T21:00:00Z, 3 hours ago."},
				{Level: ingest.LevelOK, Text: "The token belongs to the account, is active and does not expire."},
				{Level: ingest.LevelOK, Text: "The local clock agrees with Cloudflare's."},
			},
		}, r)
		require.Equal(t, []string{"/accounts/{id}/audit_logs", "/accounts/{id}/tokens/verify", "/accounts",
			"/accounts/{id}/tokens/ed17574386854bf78a67040be0a770b0"}, paths(server), "the request that decides comes first")
		require.Equal(t, "per_page=1", server.Requests()[0].Query.Encode())
	})
}

func TestCheck_SaysWhatAPersonShouldKnow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tc := range map[string]struct {
		opts   fakecloudflare.Options
		token  string
		change func(*Config)
		age    time.Duration // of the newest entry; 0 for an empty log
		fault  func(int, *http.Request) *fakecloudflare.Fault
		level  ingest.Level
		want   []string
		not    string
	}{
		"an empty log": {
			level: ingest.LevelNote,
			want:  []string{"ok: The audit log can be read.", "note: The log has no entry. It holds changes", "make a change"},
			not:   "newest",
		},
		"a quiet log": {
			age: 80 * time.Hour, level: ingest.LevelNote,
			want: []string{"3 days ago. The first poll does not reach back that far and finds nothing", "initial_lookback: For older entries, raise this"},
		},
		"a token of a user": {
			opts: fakecloudflare.Options{TokenKind: fakecloudflare.UserToken}, token: "cfut_", age: time.Hour, level: ingest.LevelWarning,
			want: []string{"belongs to a user and stops working when that user leaves", "Manage Account > Account API Tokens"},
		},
		"a token of a user without a form": {
			opts: fakecloudflare.Options{TokenKind: fakecloudflare.UserToken}, token: "old-", age: time.Hour, level: ingest.LevelWarning,
			want: []string{"belongs to a user"},
		},
		"a token of the account without a form": {
			token: "old-", age: time.Hour, level: ingest.LevelOK, want: []string{"The token belongs to the account"},
		},
		"a token that expires soon": {
			opts: fakecloudflare.Options{TokenExpires: now.Add(6*24*time.Hour + time.Hour)}, age: time.Hour, level: ingest.LevelWarning,
			want: []string{"warning: The token expires on " + now.Add(6*24*time.Hour+time.Hour).UTC().Format(time.DateOnly) + ", in 6 days."},
		},
		"a token that expires some day": {
			opts: fakecloudflare.Options{TokenExpires: now.Add(90 * 24 * time.Hour)}, age: time.Hour, level: ingest.LevelOK,
			want: []string{"is active and expires on " + now.Add(90*24*time.Hour).UTC().Format(time.DateOnly)},
		},
		"a disabled token that still works": {
			opts: fakecloudflare.Options{TokenStatus: "disabled"}, age: time.Hour, level: ingest.LevelWarning,
			want: []string{"calls the token disabled, although it still works"},
		},
		"a token that may do more": {
			opts: fakecloudflare.Options{TokenPolicies: `[{"effect":"allow","permission_groups":[{"name":"Account Settings Read"},{"name":"DNS Write"}]},
				{"effect":"deny","permission_groups":[{"name":"Workers Write"}]}]`},
			age: time.Hour, level: ingest.LevelWarning,
			want: []string{"may do more than is needed: DNS Write.", "Account > Account Settings > Read is enough"}, not: "Workers",
		},
		"a token with what is needed": {
			opts: fakecloudflare.Options{TokenPolicies: `[{"effect":"allow","permission_groups":[{"name":"Account Settings Read"}]}]`},
			age:  time.Hour, level: ingest.LevelOK, not: "more than",
		},
		"a token for several accounts": {
			opts: fakecloudflare.Options{SeesAccounts: []string{otherAccount}}, age: time.Hour, level: ingest.LevelWarning,
			want: []string{"can see 2 accounts: " + fakecloudflare.DefaultAccountID + " (Example 1), " + otherAccount + " (Example 2). One is needed."},
		},
		"a clock that is ahead": {
			opts: fakecloudflare.Options{Clock: func() time.Time { return time.Now().Add(-3 * time.Minute) }}, age: time.Hour, level: ingest.LevelWarning,
			want: []string{"The local clock is 3 minutes ahead of Cloudflare's"},
		},
		"a clock that is behind": {
			opts: fakecloudflare.Options{Clock: func() time.Time { return time.Now().Add(30*time.Hour + 30*time.Minute) }}, age: time.Hour, level: ingest.LevelWarning,
			change: func(c *Config) { c.InitialLookback = 72 * time.Hour },
			want:   []string{"The local clock is 30 hours behind Cloudflare's"},
		},
		"no Date": {
			opts: fakecloudflare.Options{NoDate: true}, age: time.Hour, level: ingest.LevelOK, not: "clock",
		},
		"all but the log fails": {
			age: time.Hour, level: ingest.LevelNote,
			fault: func(_ int, r *http.Request) *fakecloudflare.Fault {
				if strings.HasSuffix(r.URL.Path, "/audit_logs") {
					return nil
				}
				return fakecloudflare.Status(403, 9109, "Unauthorized", nil)
			},
			want: []string{"ok: The audit log can be read.", "did not say who the token belongs to"},
		},
		"nonsense beside the log": {
			age: time.Hour, level: ingest.LevelNote,
			fault: func(_ int, r *http.Request) *fakecloudflare.Fault {
				if strings.HasSuffix(r.URL.Path, "/audit_logs") {
					return nil
				}
				return fakecloudflare.Reply(200, nil, `{"success":true,"result":[[7]]}`)
			},
			want: []string{"ok: The audit log can be read."}, not: "can see",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, cfg := fixtureFor(tc.opts, tc.token)
			if tc.change != nil {
				tc.change(&cfg)
			}
			if tc.age > 0 {
				server.Add(time.Time{}, fakecloudflare.Entry("a", now.Add(-tc.age), 6))
			}
			server.Fault(tc.fault)
			r, err := connect(t, cfg).Check(t.Context())
			require.NoError(t, err)
			require.True(t, r.Readable)
			require.Empty(t, r.Failure)
			for _, want := range tc.want {
				require.Contains(t, told(r), want)
			}
			if tc.not != "" {
				require.NotContains(t, told(r), tc.not)
			}
			require.Equal(t, tc.level, worst(r), told(r))
		})
	}
}

// fixtureFor is fixture with a token that begins with prefix.
func fixtureFor(opts fakecloudflare.Options, prefix string) (*fakecloudflare.Server, Config) {
	if prefix == "" {
		return fixture(opts)
	}
	opts.Token = fmt.Sprintf("%sdoctor-%d", prefix, tokens.Add(1))
	server := fakecloudflare.NewServer(opts)
	return server, Config{
		AccountID:  fakecloudflare.DefaultAccountID,
		APIToken:   NewSecret(opts.Token),
		HTTPClient: &http.Client{Transport: server.Transport()},
	}
}

func TestCheck_SaysWhyTheLogCannotBeReadAndWhatToDo(t *testing.T) {
	t.Parallel()
	const (
		verifyAccount = "/accounts/{id}/tokens/verify"
		verifyUser    = "/user/tokens/verify"
		log           = "/accounts/{id}/audit_logs"
	)
	refused := fakecloudflare.Status(403, 10000, "Authentication error", nil)
	for name, tc := range map[string]struct {
		opts   fakecloudflare.Options
		token  string
		change func(*Config)
		fault  func(int, *http.Request) *fakecloudflare.Fault
		kind   Kind
		want   []string
		paths  []string // asked for, or nil when that does not matter
	}{
		"the permission is missing": {
			fault: onLog(refused), kind: KindCredentials,
			want: []string{"HTTP 403, code 10000: Authentication error. The token is active and belongs to this account, so it lacks the permission.",
				"Manage Account > Account API Tokens > the token > Edit: add Account > Account Settings > Read.", "within the last minute"},
		},
		"the permission is missing, in another form": {
			fault: onLog(fakecloudflare.NotSuccess()), kind: KindCredentials,
			want: []string{"HTTP 200, code 10000", "lacks the permission"},
		},
		"a user's token without permission": {
			opts: fakecloudflare.Options{TokenKind: fakecloudflare.UserToken}, token: "cfut_",
			fault: onLog(fakecloudflare.Status(403, 9109, "Unauthorized to access requested resource", nil)), kind: KindCredentials,
			want: []string{"belongs to a user. It lacks the permission, or does not include this account, or its user has left",
				"My Profile > API Tokens > the token > Edit", "Account Resources"},
		},
		"a user's token of another account": {
			opts:  fakecloudflare.Options{TokenKind: fakecloudflare.UserToken, AccountID: otherAccount, OtherAccounts: []string{fakecloudflare.DefaultAccountID}},
			token: "cfut_", kind: KindCredentials,
			want: []string{"note: The token can see the account " + otherAccount + " (Example 1), but not " + fakecloudflare.DefaultAccountID},
		},
		"an unknown token": {
			change: func(c *Config) { c.APIToken = NewSecret("cfat_revoked") }, kind: KindCredentials,
			want: []string{"knows the token neither as one of this account nor as one of a user: it was revoked, mistyped, or belongs to another account",
				"Create a new one under Manage Account > Account API Tokens", "within the last minute"},
			paths: []string{log, verifyAccount, verifyUser},
		},
		"an expired token": {
			opts:  fakecloudflare.Options{TokenStatus: "expired", TokenExpires: time.Now().Add(-time.Hour)},
			fault: onLog(fakecloudflare.Status(401, 1000, "Invalid API Token", nil)), kind: KindCredentials,
			want: []string{"HTTP 401, code 1000: Invalid API Token. The token is expired."},
		},
		"a token about which nothing is said": {
			fault: func(_ int, r *http.Request) *fakecloudflare.Fault {
				if strings.HasSuffix(r.URL.Path, "/audit_logs") {
					return refused
				}
				return fakecloudflare.Reply(404, nil, "gone")
			},
			kind: KindCredentials,
			want: []string{"The API token lacks Account > Account Settings > Read", "owner has left"},
		},
		"a header that cannot be read": {
			fault: onLog(fakecloudflare.Status(400, 6003, "Invalid request headers", nil)), kind: KindCredentials,
			want: []string{"code 6003", "paste the token alone"}, paths: []string{log},
		},
		"no such account": {
			opts: fakecloudflare.Options{AccountID: otherAccount}, kind: KindAccount,
			want: []string{"HTTP 404, code 7003", "perhaps your object identifier is invalid? -> account_id: There is no such account",
				"a zone id looks the same", "can see the account " + otherAccount, "account_id: Enter one of these"},
		},
		"too many requests": {
			fault: onLog(fakecloudflare.Status(429, 971, "Please wait", http.Header{"Retry-After": {"40"}})), kind: KindRateLimited,
			want: []string{"try again in 40s", "1200 requests"}, paths: []string{log},
		},
		"a page for people": {
			fault: onLog(fakecloudflare.HTML(200)), kind: KindMalformed,
			want: []string{"base_url: Something other", "check this URL and any proxy"},
		},
		"an outage": {
			fault: onLog(fakecloudflare.HTML(503)), kind: KindServer,
			want: []string{"HTTP 503", "try again later"}, paths: []string{log, log, log},
		},
		"no connection": {
			fault: onLog(fakecloudflare.Reset()), kind: "",
			want: []string{"connection reset", "base_url: Check this URL, the network, and any firewall", "No proxy is taken from the environment"},
		},
		"no reply": {
			fault: onLog(fakecloudflare.Hang()), kind: "",
			want: []string{"there was no reply in time"},
		},
		"a redirect": {
			fault: onLog(fakecloudflare.Redirect("https://login.example/")), kind: "",
			want: []string{"refused a redirect to another host"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := fixtureFor(tc.opts, tc.token)
				if tc.change != nil {
					tc.change(&cfg)
				}
				server.Fault(tc.fault)
				c := connect(t, cfg)
				r, err := c.Check(t.Context())
				require.Error(t, err)
				require.False(t, r.Readable)
				require.Equal(t, tc.kind, r.Failure)
				require.Equal(t, ingest.LevelError, r.Findings[0].Level)
				require.True(t, strings.HasPrefix(r.Findings[0].Text, "The audit log cannot be read: "), told(r))
				require.NotEmpty(t, r.Findings[0].Remedy)
				for _, want := range tc.want {
					require.Contains(t, told(r), want)
				}
				if tc.paths != nil {
					require.Equal(t, tc.paths, paths(server))
				}
				if tc.kind != KindRateLimited { // which would not be asked again
					require.EqualError(t, c.TestConnection(t.Context()), err.Error())
				}
			})
		})
	}
}

func TestCheck_DoesNotOutlastItsContextOrTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
			if strings.HasSuffix(r.URL.Path, "/audit_logs") {
				return nil
			}
			return fakecloudflare.Hang()
		})
		began := time.Now()
		r, err := connect(t, cfg).Check(t.Context())
		require.NoError(t, err, "what hangs is not what decides")
		require.True(t, r.Readable)
		require.Equal(t, 30*time.Second, time.Since(began))

		server.Fault(onLog(fakecloudflare.Hang()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = connect(t, cfg).Check(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 31*time.Second, time.Since(began))
	})
}

func TestCheck_NeverShowsTheToken(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(token string) *fakecloudflare.Fault{
		"in a status": func(s string) *fakecloudflare.Fault {
			return fakecloudflare.Reply(200, nil, `{"success":true,"result":{"status":"`+s+`"}}`)
		},
		"in a list": func(s string) *fakecloudflare.Fault {
			return fakecloudflare.Reply(200, nil, `{"success":true,"result":[{"id":"`+otherAccount+`","name":"`+s+`"}]}`)
		},
		"in an error":  func(s string) *fakecloudflare.Fault { return fakecloudflare.Status(403, 10000, "no "+s, nil) },
		"in a message": func(s string) *fakecloudflare.Fault { return fakecloudflare.Reply(500, nil, s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, logToo := range []bool{false, true} {
					server, cfg := fixture(fakecloudflare.Options{})
					secret := cfg.APIToken.Reveal()
					server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
						if strings.HasSuffix(r.URL.Path, "/audit_logs") && !logToo {
							return nil
						}
						return reply(secret)
					})
					r, err := connect(t, cfg).Check(t.Context())
					b, jsonErr := json.Marshal(r)
					require.NoError(t, jsonErr)
					require.NotContains(t, string(b)+fmt.Sprintf("%+v %v", r, err), secret[:12])
				}
			})
		})
	}
}

func TestDiagnose_IsCheckForHostsThatDoNotKnowCloudflare(t *testing.T) {
	t.Parallel()
	_, cfg := fixture(fakecloudflare.Options{})
	cfg.APIToken = NewSecret("cfat_diagnose")
	var source ingest.Source = connect(t, cfg)
	d, ok := source.(ingest.Diagnoser)
	require.True(t, ok)
	findings, err := d.Diagnose(t.Context())
	require.NotEmpty(t, findings)
	require.Equal(t, ingest.LevelError, findings[0].Level)
	_, isAPI := errors.AsType[*APIError](err)
	require.True(t, isAPI, "%v", err)
}

// Of two logs, each is looked at, whatever is with the other.
func TestCheck_OfTwoLogsEachIsLookedAt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deny []string
		want []string
		not  []string
	}{
		"both can be read": {
			want: []string{"ok: The audit log can be read.", "ok: Audit Logs v2 can be read."},
		},
		"the second cannot": {
			deny: []string{"logs/audit"},
			want: []string{"error: Audit Logs v2 cannot be read: cloudflare answered HTTP 403", "ok: The audit log can be read.",
				"note: The audit log can be read with the same token and account id. -> audit_log_api: To read that one alone, choose v1."},
			not: []string{"error: The audit log", "cloudflareaudit:"},
		},
		"the first cannot": {
			deny: []string{"audit_logs"},
			want: []string{"error: The audit log cannot be read: cloudflare answered HTTP 403", "ok: Audit Logs v2 can be read.", "audit_log_api: To read that one alone, choose v2"},
			not:  []string{"error: Audit Logs v2"},
		},
		"neither can": {
			deny: []string{"audit_logs", "logs/audit"},
			want: []string{"error: The audit log cannot be read: cloudflare answered HTTP 403", "error: Audit Logs v2 cannot be read for the same reason."},
			not:  []string{"that one alone"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, cfg := bothLogs(fakecloudflare.Options{})
				server.Deny(tc.deny...)
				c := connect(t, cfg)
				r, err := c.Check(t.Context())
				require.Equal(t, err == nil, r.Readable)
				require.Equal(t, tc.deny == nil, r.Readable)
				for _, want := range tc.want {
					require.Contains(t, told(r), want)
				}
				for _, not := range tc.not {
					require.NotContains(t, told(r), not)
				}
				if err != nil {
					require.EqualError(t, c.TestConnection(t.Context()), err.Error())
				}
			})
		})
	}
}
