package cloudflareaudit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// Ids of the fixtures of this file.
const (
	carolUser   = "ca201000000000000000000000000001"
	carolMember = "ca201000000000000000000000000002"
	daveUser    = "da7e0000000000000000000000000001"
	daveMember  = "da7e0000000000000000000000000002"
	nobody      = "0b0d0000000000000000000000000001"
	someToken   = "70ce0000000000000000000000000001"
)

// membersPath is where the fake serves the list of members.
const membersPath = fakecloudflare.Prefix + "/accounts/" + fakecloudflare.DefaultAccountID + "/members"

// aMember is a member as the list has it.
func aMember(id, user, email, first, last, rest string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(
		`{"id":%q,"email":%q,"status":"accepted","user":{"id":%q,"email":%q,"first_name":%q,"last_name":%q}%s}`,
		id, email, user, email, first, last, rest))
}

func carol() json.RawMessage {
	return aMember(carolMember, carolUser, "carol@example.com", "Carol", "Example", `,"roles":[`+readerRole+`]`)
}

// someone is a member whose ids are made of n.
func someone(n int) json.RawMessage {
	return aMember(fmt.Sprintf("%032x", 2*n+1), fmt.Sprintf("%032x", 2*n), fmt.Sprintf("someone-%d@example.com", n),
		"Someone", "", `,"roles":[`+readerRole+`]`)
}

// byID is an entry whose actor is an id alone.
func byID(id, actor string, when time.Time) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"id":%q,"when":%q,"actor":{"id":%q,"type":"user"},`+
		`"action":{"type":"rec_add","result":true},"resource":{"type":"DNS_record","id":"r"},"owner":{"id":%q}}`,
		id, when.UTC().Format(time.RFC3339Nano), actor, fakecloudflare.DefaultAccountID))
}

// about is an entry by alice about something else.
func about(id string, when time.Time, resourceType, actionType, rest string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"id":%q,"when":%q,"actor":{"id":"a11ce000000000000000000000000001","email":"alice@example.com","type":"user"},`+
		`"action":{"type":%q,"result":true},"resource":{"type":%q,"id":%q},"owner":{"id":%q}%s}`,
		id, when.UTC().Format(time.RFC3339Nano), actionType, resourceType, fakecloudflare.DefaultAccountID, fakecloudflare.DefaultAccountID, rest))
}

// asked counts the requests below a path.
func asked(server *fakecloudflare.Server, path string) (n int) {
	for _, r := range server.Requests() {
		if strings.HasPrefix(r.Path, path) {
			n++
		}
	}
	return n
}

// only lets fault befall the requests below path.
func only(server *fakecloudflare.Server, path string, fault func(n int) *fakecloudflare.Fault) {
	n := 0
	server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
		if !strings.HasPrefix(r.URL.Path, path) {
			return nil
		}
		n++
		return fault(n)
	})
}

// resolving is a fixture that looks up members and scopes.
func resolving(opts fakecloudflare.Options) (*fakecloudflare.Server, Config) {
	server, cfg := fixture(opts)
	cfg.ResolveMembers, cfg.ResolveScopes = true, true
	return server, cfg
}

func onlyEvent(t *testing.T, b ingest.Batch) ingest.Event {
	t.Helper()
	require.Equal(t, 1, b.Coverage.Delivered)
	return b.Events[0]
}

func TestResolve_NothingIsAskedUnlessItIsSwitchedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := fixture(fakecloudflare.Options{})
		server.SetMembers(carol())
		now := time.Now()
		server.Add(time.Time{}, byID("a", carolUser, now.Add(-3*time.Second)),
			about("b", now.Add(-2*time.Second), "account", "member_add", `,"metadata":{"user_email":"carol@example.com"}`),
			about("c", now.Add(-time.Second), "account", "token_create", `,"metadata":{"token_tag":"`+someToken+`"}`))
		b := poll1(t, connect(t, cfg), nil)
		require.Len(t, b.Events, 3)
		assert.Len(t, server.Requests(), 1)
		assert.Empty(t, b.Coverage.Notices)
		assert.Equal(t, carolUser, b.Events[2].Actor)
	})
}

func TestResolve_NothingIsAskedWhereNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		now := time.Now()
		fill(server, 10, time.Second)
		server.Add(time.Time{},
			about("a", now.Add(-time.Second), "account", "member_add", `,"newValueJson":{"email":"dave@example.com","roles":[`+readerRole+`]}`),
			about("b", now.Add(-time.Second), "account", "token_create", `,"metadata":{"token_tag":"`+someToken+`","scopes":["zone.dns.read"]}`),
			about("c", now.Add(-time.Second), "account", "token_revoke", `,"metadata":{"token_tag":"`+someToken+`"}`),
			json.RawMessage(`{"id":"d","when":"`+now.Add(-time.Second).UTC().Format(time.RFC3339)+
				`","actor":{"id":"1","type":"system"},"action":{"type":"rec_add"},"resource":{"type":"DNS_record"}}`))
		b := poll1(t, connect(t, cfg), nil)
		require.Len(t, b.Events, 14)
		assert.Len(t, server.Requests(), 1)
	})
}

func TestResolve_AnActorKnownByIDAloneGetsAName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		server.Add(time.Time{}, byID("a", carolUser, time.Now().Add(-time.Second)))
		cfg.Rules = []Rule{{ID: "carol", Severity: ingest.Critical, Title: "By {actor}",
			Match: Match{Actor: []string{"carol@*"}}}}
		b := poll1(t, connect(t, cfg), nil)
		e := onlyEvent(t, b)
		assert.Equal(t, "carol@example.com", e.Actor)
		assert.Equal(t, "carol@example.com", e.Audit.ActorEmail)
		assert.Equal(t, "Carol Example", e.Audit.ActorName)
		assert.Equal(t, carolUser, e.Audit.ActorID)
		assert.Equal(t, []string{
			"the actor's e-mail address is resolved from the list of members",
			"the actor's name is resolved from the list of members",
		}, e.Audit.Notes)
		assert.Equal(t, "carol", e.Audit.Rule, "rules see the address")
		assert.Equal(t, "By carol@example.com", e.Title)
		assert.NotContains(t, string(e.RawEvent), "carol@", "the entry stays as received")

		assert.Equal(t, 2, b.Coverage.Requests, "a look-up counts as a request")
		last := server.Requests()[1]
		assert.Equal(t, membersPath, last.Path)
		assert.Equal(t, []string{"1"}, last.Query["page"])
		assert.Equal(t, []string{"50"}, last.Query["per_page"])
		assert.Equal(t, "Bearer "+cfg.APIToken.Reveal(), last.Header.Get("Authorization"))
	})
}

func TestResolve_AnAddedMemberIsGradedByTheRole(t *testing.T) {
	t.Parallel()
	const broadPolicy, denied, unnamed = `,"policies":[{"access":"allow","permission_groups":[{"id":"1","name":"Super Administrator - All Privileges"}]}]`,
		`,"policies":[{"access":"deny","permission_groups":[{"id":"1","name":"Super Administrator - All Privileges"}]}]`,
		`,"policies":[{"access":"allow","permission_groups":[{"id":"1"}]}]`
	byEmail := `,"metadata":{"user_email":"Dave@example.com"}`
	for name, c := range map[string]struct {
		member string // what follows the user
		action string
		rest   string
		rule   string
		note   string
	}{
		"Super Administrator":              {`,"roles":[` + superRole + `]`, "member_add", byEmail, "super-administrator-added", "Super Administrator"},
		"Super Administrator among others": {`,"roles":[` + readerRole + `,` + superRole + `]`, "member_add", byEmail, "super-administrator-added", "Administrator Read Only, Super Administrator"},
		"by a policy":                      {`,"roles":[]` + broadPolicy, "member_add", byEmail, "super-administrator-added", "Super Administrator - All Privileges"},
		"a lesser role":                    {`,"roles":[` + readerRole + `]`, "member_add", byEmail, "member-added", "Administrator Read Only"},
		"a policy that denies":             {`,"roles":[` + readerRole + `]` + denied, "member_add", byEmail, "member-added", "Administrator Read Only"},
		"a policy without names":           {`,"roles":[` + readerRole + `]` + unnamed, "member_add", byEmail, "member-added-role-unknown", ""},
		"no role":                          {`,"roles":[]`, "member_add", byEmail, "member-added-role-unknown", ""},
		"another member":                   {`,"roles":[` + readerRole + `]`, "member_add", `,"metadata":{"user_email":"erin@example.com"}`, "member-added-role-unknown", ""},
		"by membership":                    {`,"roles":[` + readerRole + `]`, "invite", `,"resource":{"type":"member","id":"` + daveMember + `"}`, "member-added", "Administrator Read Only"},
		"changed":                          {`,"roles":[` + readerRole + `]`, "member_update", byEmail, "member-role-changed", "Administrator Read Only"},
		"changed to Super Administrator":   {`,"roles":[` + superRole + `]`, "member_update", byEmail, "super-administrator-granted", "Super Administrator"},
		"a failed attempt":                 {`,"roles":[` + readerRole + `]`, "member_add", byEmail + `,"action":{"type":"member_add","result":false}`, "member-added-role-unknown", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := resolving(fakecloudflare.Options{})
			server.SetMembers(carol(), aMember(daveMember, daveUser, "dave@example.com", "Dave", "", c.member))
			server.Add(time.Time{}, about("a", time.Now().Add(-time.Second), "account", c.action, c.rest))
			e := onlyEvent(t, poll1(t, connect(t, cfg), nil))
			assert.Equal(t, c.rule, e.Audit.Rule, name)
			if c.note == "" {
				assert.Empty(t, e.Audit.Notes, name)
			} else {
				require.Len(t, e.Audit.Notes, 1, name)
				assert.Equal(t, "the role is that of the time of reading: "+c.note, e.Audit.Notes[0], name)
			}
			if name == "by membership" {
				assert.Equal(t, "dave@example.com", e.Audit.Target)
			}
		})
	}
}

func TestResolve_ARoleReadBeforeItsChangeIsNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		dave := aMember(daveMember, daveUser, "dave@example.com", "Dave", "", `,"roles":[`+readerRole+`]`)
		server.SetMembers(dave, carol())
		now := time.Now()
		change := func(id string, at time.Time) {
			server.Add(at, about(id, at, "account", "member_update", `,"metadata":{"user_email":"dave@example.com"}`))
		}
		change("first", now.Add(-time.Minute))
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Equal(t, "member-role-changed", onlyEvent(t, b).Audit.Rule)

		// Half a minute later the list must not be read again yet.
		change("second", now.Add(10*time.Second))
		time.Sleep(30 * time.Second)
		b = poll1(t, c, b.Cursor)
		require.Equal(t, "member-role-unknown", onlyEvent(t, b).Audit.Rule)
		require.Equal(t, 1, asked(server, membersPath))

		change("third", now.Add(50*time.Second))
		time.Sleep(time.Minute)
		b = poll1(t, c, b.Cursor)
		require.Equal(t, "member-role-changed", onlyEvent(t, b).Audit.Rule)
		require.Equal(t, 2, asked(server, membersPath))

		// An entry older than the list needs no other one.
		late := now.Add(40 * time.Second)
		server.Add(now.Add(91*time.Second), about("late", late, "account", "member_update", `,"metadata":{"user_email":"carol@example.com"}`))
		time.Sleep(30 * time.Second)
		b = poll1(t, c, b.Cursor)
		require.Equal(t, "member-role-changed", onlyEvent(t, b).Audit.Rule)
		require.Equal(t, 2, asked(server, membersPath))
	})
}

func TestResolve_AMemberChangedAgainStaysUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(aMember(daveMember, daveUser, "dave@example.com", "Dave", "", `,"roles":[`+readerRole+`]`))
		now := time.Now()
		server.Add(time.Time{},
			about("added", now.Add(-2*time.Minute), "account", "member_add", `,"metadata":{"user_email":"dave@example.com"}`),
			about("changed", now.Add(-time.Minute), "member", "update",
				`,"resource":{"type":"member","id":"`+daveMember+`"},"newValueJson":{"roles":[`+readerRole+`]},"oldValueJson":{"roles":[`+superRole+`]}`))
		b := poll1(t, connect(t, cfg), nil)
		require.Equal(t, []string{"changed", "added"}, ids(b))
		require.Equal(t, "member-added-role-unknown", b.Events[1].Audit.Rule, "dave may have been Super Administrator for a minute")
		require.Equal(t, ingest.High, b.Events[1].Severity)

		// To accept the invitation changes no role.
		accepted := about("accepted", now.Add(-30*time.Second), "invitation", "accepted", `,"metadata":{"user_email":"carol@example.com"}`)
		server.SetMembers(carol())
		server.Add(time.Time{}, accepted, about("invited", now.Add(-45*time.Second), "account", "member_add", `,"metadata":{"user_email":"carol@example.com"}`))
		b = poll1(t, connect(t, cfg), nil)
		require.Equal(t, "accepted", b.Events[0].ExternalID)
		require.Equal(t, "invitation-accepted", b.Events[0].Audit.Rule)
		require.Equal(t, "invited", b.Events[1].ExternalID)
		require.Equal(t, "member-added", b.Events[1].Audit.Rule)
	})
}

func TestResolve_AMemberChangedAgainInABatchBeforeStaysUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(aMember(daveMember, daveUser, "dave@example.com", "Dave", "", `,"roles":[`+readerRole+`]`))
		now := time.Now()
		server.Add(time.Time{},
			about("added", now.Add(-2*time.Minute), "account", "member_add", `,"metadata":{"user_email":"dave@example.com"}`),
			about("changed", now.Add(-time.Minute), "account", "member_update", `,"metadata":{"user_email":"dave@example.com"},"newValueJson":{"roles":[`+readerRole+`]}`))
		cfg.MaxEvents = 1
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Equal(t, []string{"changed"}, ids(b))
		b = poll1(t, c, b.Cursor)
		require.Equal(t, []string{"added"}, ids(b))
		require.Equal(t, "member-added-role-unknown", onlyEvent(t, b).Audit.Rule)
	})
}

func TestResolve_TheListIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		start := time.Now()
		for i := range 8 {
			at := start.Add(time.Duration(i)*5*time.Minute - time.Second)
			server.Add(at, byID(fmt.Sprint(i), carolUser, at))
		}
		c := connect(t, cfg)
		var cursor ingest.Cursor
		for i, want := range []int{1, 1, 1, 2, 2, 2, 3, 3} {
			b := poll1(t, c, cursor)
			require.Equal(t, "carol@example.com", onlyEvent(t, b).Actor)
			require.Equal(t, want, asked(server, membersPath), "after %d minutes", 5*i)
			cursor = b.Cursor
			time.Sleep(5 * time.Minute)
		}
	})
}

func TestResolve_AnUnknownIDIsReasonToReadTheListAgainOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(someone(1))
		c := connect(t, cfg)
		var cursor ingest.Cursor
		step := func(actor string, want int) ingest.Event {
			t.Helper()
			now := time.Now()
			server.Add(now, byID(fmt.Sprint(now.UnixNano()), actor, now.Add(-time.Second)))
			b := poll1(t, c, cursor)
			cursor = b.Cursor
			require.Equal(t, want, asked(server, membersPath))
			time.Sleep(30 * time.Second)
			return onlyEvent(t, b)
		}
		require.Equal(t, "someone-1@example.com", step(fmt.Sprintf("%032x", 2), 1).Actor)
		server.SetMembers(someone(1), carol())
		require.Equal(t, carolUser, step(carolUser, 1).Actor, "half a minute later it is too early")
		require.Equal(t, "carol@example.com", step(carolUser, 2).Actor)
		require.Equal(t, nobody, step(nobody, 2).Actor)
		require.Equal(t, nobody, step(nobody, 3).Actor)
		// From now on it is known that there is no such member.
		for range 20 {
			step(nobody, 3)
		}
		time.Sleep(5 * time.Minute)
		step(nobody, 4)
	})
}

func TestResolve_AllPagesOfTheListAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members, pages int
		noInfo         bool
		notice         string
	}{
		"a page and a part":      {members: 120, pages: 3},
		"full pages":             {members: 100, pages: 2},
		"without a count":        {members: 120, pages: 3, noInfo: true},
		"full, without a count":  {members: 100, pages: 3, noInfo: true},
		"none":                   {members: 0, pages: 1},
		"as many as are read":    {members: 1000, pages: 20},
		"more than can be asked": {members: 1001, pages: 20, notice: "only the first 1000 members"},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := resolving(fakecloudflare.Options{})
			var list []json.RawMessage
			for i := range c.members {
				list = append(list, someone(i+1))
			}
			server.SetMembers(list...)
			if c.noInfo {
				only(server, membersPath, func(int) *fakecloudflare.Fault { return withoutInfo() })
			}
			last := min(c.members, 1000)
			server.Add(time.Time{}, byID("a", fmt.Sprintf("%032x", 2*last), time.Now().Add(-time.Second)))
			began := time.Now()
			b := poll1(t, connect(t, cfg), nil)
			assert.Equal(t, c.pages, asked(server, membersPath), name)
			assert.Equal(t, 1+c.pages, b.Coverage.Requests, name)
			for i, r := range server.Requests()[1:] {
				assert.Equal(t, []string{fmt.Sprint(i + 1)}, r.Query["page"], name)
			}
			if last > 0 {
				assert.Equal(t, fmt.Sprintf("someone-%d@example.com", last), onlyEvent(t, b).Actor, name)
			}
			if c.notice == "" {
				assert.Empty(t, b.Coverage.Notices, name)
			} else {
				require.Len(t, b.Coverage.Notices, 1, name)
				assert.Contains(t, b.Coverage.Notices[0], c.notice, name)
			}
			assert.Less(t, time.Since(began), resolveTime, name)
		})
	}
}

// withoutInfo answers with a list that does not say how long it is.
func withoutInfo() *fakecloudflare.Fault {
	return fakecloudflare.Custom(func(_ *http.Request, answer func() *http.Response) (*http.Response, error) {
		resp := answer()
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil {
			return nil, err
		}
		before, rest, _ := strings.Cut(body.String(), `,"result_info":`)
		_, after, _ := strings.Cut(rest, "}")
		resp.Body = io.NopCloser(strings.NewReader(before + after))
		resp.ContentLength = int64(len(before) + len(after))
		return resp, nil
	})
}

func TestResolve_WhatCouldBeReadOfAListCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		var list []json.RawMessage
		for i := range 120 {
			list = append(list, someone(i+1))
		}
		server.SetMembers(list...)
		only(server, membersPath, func(n int) *fakecloudflare.Fault {
			if n == 3 {
				return fakecloudflare.Status(http.StatusServiceUnavailable, 0, "", nil)
			}
			return nil
		})
		now := time.Now()
		server.Add(time.Time{}, byID("first", fmt.Sprintf("%032x", 2), now.Add(-time.Second)), byID("last", fmt.Sprintf("%032x", 240), now.Add(-2*time.Second)))
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Equal(t, []string{"first", "last"}, ids(b))
		assert.Equal(t, "someone-1@example.com", b.Events[0].Actor)
		assert.Equal(t, fmt.Sprintf("%032x", 240), b.Events[1].Actor)
		assert.Equal(t, 3, asked(server, membersPath), "it is not insisted on")
		assert.Empty(t, b.Coverage.Notices, "a single failure is no condition")

		at := now.Add(time.Minute)
		server.Add(at, byID("again", fmt.Sprintf("%032x", 240), at))
		time.Sleep(2 * time.Minute)
		b = poll1(t, c, b.Cursor)
		assert.Equal(t, "someone-120@example.com", onlyEvent(t, b).Actor)
		assert.Equal(t, 6, asked(server, membersPath))
	})
}

func TestResolve_WithoutThePermissionItSwitchesItselfOff(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]*fakecloudflare.Fault{
		"403":                    nil,
		"200 without success":    fakecloudflare.NotSuccess(),
		"401, repeats the token": fakecloudflare.Status(http.StatusUnauthorized, 1000, "Invalid token TOKEN", nil),
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := resolving(fakecloudflare.Options{})
			server.SetMembers(carol())
			if refusal == nil {
				server.Deny("members")
			} else {
				only(server, membersPath, func(int) *fakecloudflare.Fault { return refusal })
			}
			var logged bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
			c := connect(t, cfg)
			start := time.Now()
			for i := range 16 {
				at := start.Add(time.Duration(i)*5*time.Minute - time.Second)
				server.Add(at, byID(fmt.Sprint(i), carolUser, at))
			}
			var cursor ingest.Cursor
			var total ingest.Coverage
			step := func() ingest.Event {
				t.Helper()
				b := poll1(t, c, cursor)
				cursor = b.Cursor
				total.Add(b.Coverage)
				time.Sleep(5 * time.Minute)
				return onlyEvent(t, b)
			}
			for range 12 {
				require.Equal(t, carolUser, step().Actor)
				require.Equal(t, 1, asked(server, membersPath), name)
				require.Len(t, total.Notices, 1, name)
			}
			assert.Contains(t, total.Notices[0], "resolve_members: the list of members cannot be read", name)
			assert.Equal(t, 1, strings.Count(logged.String(), "level=WARN"), logged.String())

			// It is granted, and found out within the hour.
			server.Deny()
			server.Fault(nil)
			require.Equal(t, "carol@example.com", step().Actor, name)
			require.Equal(t, 2, asked(server, membersPath), name)
			assert.Empty(t, total.Notices, name)
			require.Equal(t, "carol@example.com", step().Actor)
			assert.Equal(t, 1, strings.Count(logged.String(), "level=WARN"), logged.String())
		})
	}
}

func TestResolve_ANoticeDoesNotShowTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		only(server, membersPath, func(int) *fakecloudflare.Fault {
			return fakecloudflare.Status(http.StatusForbidden, 10000, "not with "+cfg.APIToken.Reveal(), nil)
		})
		var logged bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		server.Add(time.Time{}, byID("a", carolUser, time.Now().Add(-time.Second)))
		b := poll1(t, connect(t, cfg), nil)
		require.Len(t, b.Coverage.Notices, 1)
		assert.NotContains(t, b.Coverage.Notices[0]+logged.String(), cfg.APIToken.Reveal())
		assert.Contains(t, b.Coverage.Notices[0], "not with [redacted]")
	})
}

func TestResolve_OnlyALastingFailureIsACondition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		only(server, membersPath, func(n int) *fakecloudflare.Fault {
			if n > 4 {
				return nil
			}
			return fakecloudflare.HTML(http.StatusBadGateway)
		})
		var logged bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		start := time.Now()
		for i := range 40 {
			at := start.Add(time.Duration(i)*time.Minute - time.Second)
			server.Add(at, byID(fmt.Sprint(i), carolUser, at))
		}
		c := connect(t, cfg)
		var cursor ingest.Cursor
		tried := map[int]int{} // at which minute, with how many notices
		for minute := range 20 {
			before := asked(server, membersPath)
			b := poll1(t, c, cursor)
			cursor = b.Cursor
			if asked(server, membersPath) > before {
				tried[minute] = len(b.Coverage.Notices)
			}
			time.Sleep(time.Minute)
		}
		// The waits double: 1, 2, 4 and 8 minutes.
		assert.Equal(t, map[int]int{0: 0, 1: 0, 3: 1, 7: 1, 15: 0}, tried)
		assert.Equal(t, 1, strings.Count(logged.String(), "level=WARN"), logged.String())
	})
}

func TestResolve_ALookUpHoldsAPollUpForABoundedTime(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*fakecloudflare.Fault{
		"hangs":        fakecloudflare.Hang(),
		"stalls":       fakecloudflare.Stall(10),
		"rate limited": fakecloudflare.Status(http.StatusTooManyRequests, 971, "slow down", http.Header{"Retry-After": {"3"}}),
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := resolving(fakecloudflare.Options{})
			only(server, membersPath, func(int) *fakecloudflare.Fault { return fault })
			server.Add(time.Time{}, byID("a", carolUser, time.Now().Add(-time.Second)),
				about("b", time.Now().Add(-time.Second), "account", "token_create", `,"metadata":{"token_tag":"`+someToken+`"}`))
			began := time.Now()
			b := poll1(t, connect(t, cfg), nil)
			assert.Len(t, b.Events, 2, name)
			assert.Equal(t, 1, asked(server, membersPath), "%s: once", name)
			if name == "rate limited" {
				assert.Zero(t, time.Since(began), "the wait is not waited for")
				assert.Len(t, server.Requests(), 2, "nor is anything else asked meanwhile")
			} else {
				assert.Equal(t, resolveTime, time.Since(began), name)
			}
		})
	}
}

func TestResolve_TheEndOfThePollEndsTheLookUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		only(server, membersPath, func(n int) *fakecloudflare.Fault {
			if n == 1 {
				return fakecloudflare.Hang()
			}
			return nil
		})
		server.Add(time.Time{}, byID("a", carolUser, time.Now().Add(-time.Second)))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		c := connect(t, cfg)
		began := time.Now()
		b, err := c.Poll(ctx, nil)
		require.NoError(t, err, "what was read is delivered")
		require.Equal(t, []string{"a"}, ids(b))
		require.Equal(t, time.Second, time.Since(began))
		// That was no failure of the list: it may be asked for at once.
		b = poll1(t, c, nil)
		require.Equal(t, "carol@example.com", onlyEvent(t, b).Actor)
	})
}

func TestResolve_StrangeMembersDoNoHarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(
			json.RawMessage(`null`), json.RawMessage(`7`), json.RawMessage(`"x"`), json.RawMessage(`[]`), json.RawMessage(`{}`),
			json.RawMessage(`{"id":7,"user":null,"roles":null,"policies":null}`),
			json.RawMessage(`{"id":{},"email":[],"user":"x","roles":{"id":1},"policies":[1,{"permission_groups":"x"}]}`),
			json.RawMessage(`{"id":"`+daveMember+`","email":"dave@example.com","user":null,"roles":[{"id":"1","name":7},"`+strings.Repeat("x", 10_000)+`"]}`),
			json.RawMessage(`{"user":{"id":"`+nobody+`","email":null,"first_name":"`+strings.Repeat("n", 10_000)+`\u0000\n","last_name":{}}}`),
			carol())
		now := time.Now()
		server.Add(time.Time{}, byID("a", carolUser, now.Add(-time.Second)), byID("b", nobody, now.Add(-2*time.Second)),
			about("c", now.Add(-3*time.Second), "account", "member_add", `,"metadata":{"user_email":"dave@example.com"}`))
		b := poll1(t, connect(t, cfg), nil)
		require.Equal(t, []string{"a", "b", "c"}, ids(b))
		assert.Equal(t, "carol@example.com", b.Events[0].Actor)
		assert.Equal(t, nobody, b.Events[1].Actor)
		assert.Less(t, len(b.Events[1].Audit.ActorName), 600)
		assert.NotContains(t, b.Events[1].Audit.ActorName, "\n")
		assert.Equal(t, "member-added", b.Events[2].Audit.Rule)
		assert.Less(t, len(b.Events[2].Audit.Notes[0]), 700)
		assert.Empty(t, b.Coverage.Notices)
	})
}

// aToken is an API token as the API shows it.
func aToken(id, policies string, modified time.Time) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"id":%q,"name":"ci","status":"active","modified_on":%q,"policies":%s}`,
		id, modified.UTC().Format(time.RFC3339), policies))
}

const (
	narrowPolicies = `[{"effect":"allow","permission_groups":[{"id":"1","name":"DNS Read"}],"resources":{"com.cloudflare.api.account.zone.0123":"*"}}]`
	broadPolicies  = `[{"effect":"allow","permission_groups":[{"id":"1","name":"DNS Write"},{"id":"2","name":"Zone Read"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}]`
)

func TestResolve_ATokenIsGradedByItsScopes(t *testing.T) {
	t.Parallel()
	metadata := `,"metadata":{"token_name":"ci","token_tag":"` + someToken + `"}`
	for name, c := range map[string]struct {
		action, rest string
		policies     string
		modified     time.Duration // after the entry
		rule         string
		severity     ingest.Severity
		note         string
	}{
		"created, narrow":          {"token_create", metadata, narrowPolicies, 0, "token-created-narrow", ingest.Medium, "narrow, DNS Read"},
		"created, broad":           {"token_create", metadata, broadPolicies, 0, "token-created-broad", ingest.High, "broad, DNS Write, Zone Read"},
		"changed, narrow":          {"token_update", metadata, narrowPolicies, 0, "token-updated-narrow", ingest.Low, "narrow, DNS Read"},
		"changed, broad":           {"token_update", metadata, broadPolicies, 0, "token-widened", ingest.High, "broad, DNS Write, Zone Read"},
		"rolled, narrow":           {"token_roll", metadata, narrowPolicies, 0, "token-rolled-narrow", ingest.Medium, "narrow, DNS Read"},
		"rolled, broad":            {"token_roll", metadata, broadPolicies, 0, "token-rolled", ingest.High, "broad, DNS Write, Zone Read"},
		"changed after the entry":  {"token_create", metadata, narrowPolicies, 30 * time.Second, "token-created", ingest.High, ""},
		"without policies":         {"token_create", metadata, `[]`, 0, "token-created", ingest.High, ""},
		"with odd policies":        {"token_create", metadata, `{"a":[1]}`, 0, "token-created", ingest.High, ""},
		"another token":            {"token_create", strings.Replace(metadata, "70ce", "70cf", 1), narrowPolicies, 0, "token-created", ingest.High, ""},
		"an id that is none":       {"token_create", strings.Replace(metadata, someToken, "../../user", 1), narrowPolicies, 0, "token-created", ingest.High, ""},
		"a failed attempt":         {"token_update", metadata + `,"action":{"type":"token_update","result":false}`, narrowPolicies, 0, "token-widened", ingest.Medium, ""},
		"scopes that are in there": {"token_create", `,"metadata":{"token_tag":"` + someToken + `","scopes":["zone.*"]}`, narrowPolicies, 0, "token-created-broad", ingest.High, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, cfg := resolving(fakecloudflare.Options{})
			when := time.Now().Add(-time.Minute)
			server.SetTokens(aToken(someToken, c.policies, when.Add(c.modified)))
			server.Add(time.Time{}, about("a", when, "account", c.action, c.rest))
			b := poll1(t, connect(t, cfg), nil)
			e := onlyEvent(t, b)
			assert.Equal(t, c.rule, e.Audit.Rule, name)
			assert.Equal(t, c.severity, e.Severity, name)
			assert.Empty(t, b.Coverage.Notices, name)
			if name == "an id that is none" {
				assert.Len(t, server.Requests(), 1, name)
			}
			if c.note == "" {
				assert.Empty(t, e.Audit.Notes, name)
			} else {
				assert.Equal(t, []string{"the scopes are those of the time of reading: " + c.note}, e.Audit.Notes, name)
				assert.Equal(t, fakecloudflare.Prefix+"/accounts/"+fakecloudflare.DefaultAccountID+"/tokens/"+someToken, server.Requests()[1].Path)
				assert.Len(t, server.Requests(), 2, name)
				assert.Equal(t, 2, b.Coverage.Requests, name)
			}
		})
	}
}

func TestResolve_TheAnswerAboutAnotherTokenIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		when := time.Now().Add(-time.Minute)
		only(server, fakecloudflare.Prefix+"/accounts/"+fakecloudflare.DefaultAccountID+"/tokens/", func(int) *fakecloudflare.Fault {
			return fakecloudflare.Reply(http.StatusOK, nil, `{"success":true,"result":`+string(aToken(nobody, narrowPolicies, when))+`}`)
		})
		server.Add(time.Time{}, about("a", when, "account", "token_create", `,"metadata":{"token_tag":"`+someToken+`"}`))
		assert.Equal(t, "token-created", onlyEvent(t, poll1(t, connect(t, cfg), nil)).Audit.Rule)
		assert.Len(t, server.Requests(), 2)
	})
}

func TestResolve_AListThatMayNoLongerBeReadIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		start := time.Now()
		for i := range 2 {
			at := start.Add(time.Duration(i)*20*time.Minute - time.Second)
			server.Add(at, byID(fmt.Sprint(i), carolUser, at))
		}
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		require.Equal(t, "carol@example.com", onlyEvent(t, b).Actor)
		server.Deny("members")
		time.Sleep(20 * time.Minute)
		b = poll1(t, c, b.Cursor)
		require.Equal(t, carolUser, onlyEvent(t, b).Actor)
		require.Len(t, b.Coverage.Notices, 1)
	})
}

func TestResolve_ATokenOfAUserIsAskedForThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{TokenKind: fakecloudflare.UserToken})
		when := time.Now().Add(-time.Minute)
		server.SetUserTokens(aToken(someToken, narrowPolicies, when))
		entry := about("a", when, "account", "token_create", `,"metadata":{"token_tag":"`+someToken+`"},"owner":{"id":"a11ce000000000000000000000000001"}`)
		server.Add(time.Time{}, entry)
		b := poll1(t, connect(t, cfg), nil)
		assert.Equal(t, "token-created-narrow", onlyEvent(t, b).Audit.Rule)
		require.Len(t, server.Requests(), 2)
		assert.Equal(t, fakecloudflare.Prefix+"/user/tokens/"+someToken, server.Requests()[1].Path)
		assert.Empty(t, b.Coverage.Notices)
	})
}

func TestResolve_ScopesThatMayNotBeReadStayUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// An account-owned token, so tokens of users are out of reach too.
		server, cfg := resolving(fakecloudflare.Options{})
		server.Deny("tokens")
		now := time.Now()
		server.SetTokens(aToken(someToken, narrowPolicies, now))
		metadata := `,"metadata":{"token_tag":"` + someToken + `"},"owner":{"id":"a11ce000000000000000000000000001"}`
		server.Add(time.Time{}, about("a", now.Add(-time.Second), "account", "token_create", metadata))
		c := connect(t, cfg)
		b := poll1(t, c, nil)
		assert.Equal(t, "token-created", onlyEvent(t, b).Audit.Rule)
		require.Len(t, b.Coverage.Notices, 2)
		assert.Contains(t, b.Coverage.Notices[0], "resolve_scopes: the scopes of the account's API tokens cannot be read")
		assert.Contains(t, b.Coverage.Notices[0], "Account > Account API Tokens > Read")
		assert.NotContains(t, b.Coverage.Notices[0], "Account Settings")
		assert.Contains(t, b.Coverage.Notices[1], "User > API Tokens > Read")
		assert.Equal(t, 3, b.Coverage.Requests)

		// Nothing more is asked within the hour, and the notices stay.
		server.Deny()
		at := now.Add(59 * time.Minute)
		server.Add(at, about("b", at, "account", "token_create", metadata))
		time.Sleep(59*time.Minute + 10*time.Second)
		b = poll1(t, c, b.Cursor)
		assert.Equal(t, "token-created", onlyEvent(t, b).Audit.Rule)
		assert.Len(t, b.Coverage.Notices, 2)
		assert.Equal(t, 1, b.Coverage.Requests)

		at = now.Add(61 * time.Minute)
		server.Add(at, about("c", at, "account", "token_create", metadata))
		server.SetTokens(aToken(someToken, narrowPolicies, at))
		time.Sleep(2 * time.Minute)
		b = poll1(t, c, b.Cursor)
		assert.Equal(t, "token-created-narrow", onlyEvent(t, b).Audit.Rule)
		assert.Len(t, b.Coverage.Notices, 1, "tokens of users are still out of reach")
	})
}

func TestResolve_AFewTokensInAPollAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		var list []json.RawMessage
		now := time.Now()
		for i := range 30 {
			id := fmt.Sprintf("70ce%028x", i)
			list = append(list, aToken(id, narrowPolicies, now.Add(-time.Minute)))
			for _, action := range []string{"token_create", "token_roll"} {
				server.Add(time.Time{}, about(action+id, now.Add(-time.Minute), "account", action, `,"metadata":{"token_tag":"`+id+`"}`))
			}
		}
		server.SetTokens(list...)
		b := poll1(t, connect(t, cfg), nil)
		require.Equal(t, 60, b.Coverage.Delivered)
		narrow := 0
		for _, e := range b.Events {
			if strings.HasSuffix(e.Audit.Rule, "-narrow") {
				narrow++
			}
		}
		assert.Equal(t, 2*maxTokens, narrow, "one request serves all entries about a token")
		assert.Equal(t, 2+maxTokens, b.Coverage.Requests, "two of them for the log, because 60 could be the most that the server shows")
	})
}

func TestResolve_ARuleDropsByWhatTheEntrySaysAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		server.Add(time.Time{}, byID("a", carolUser, time.Now().Add(-time.Second)),
			byID("b", daveUser, time.Now().Add(-time.Second)))
		cfg.Rules = []Rule{
			{ID: "carol", Drop: true, Match: Match{Actor: []string{"carol@example.com"}}},
			{ID: "dave", Drop: true, Match: Match{Actor: []string{daveUser}}},
		}
		b := poll1(t, connect(t, cfg), nil)
		e := onlyEvent(t, b)
		assert.Equal(t, "carol@example.com", e.Actor)
		assert.Equal(t, "dns-record-created", e.Audit.Rule)
		assert.Equal(t, "DNS record created", e.Title)
		assert.Equal(t, map[string]int{"dave": 1}, b.Coverage.Dropped)
	})
}

func TestResolve_PollsSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.SetMembers(carol())
		server.Fault(func(int, *http.Request) *fakecloudflare.Fault { return fakecloudflare.Delay(100 * time.Millisecond) })
		now := time.Now()
		server.Add(time.Time{}, byID("a", carolUser, now.Add(-time.Minute)),
			about("b", now.Add(-time.Minute), "account", "member_add", `,"metadata":{"user_email":"carol@example.com"}`))
		c := connect(t, cfg)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				b, err := c.Poll(t.Context(), nil)
				assert.NoError(t, err)
				assert.Len(t, b.Events, 2)
			})
		}
		all.Wait()
		b := poll1(t, c, nil)
		require.Equal(t, []string{"b", "a"}, ids(b))
		assert.Equal(t, "member-added", b.Events[0].Audit.Rule)
		assert.Equal(t, "carol@example.com", b.Events[1].Actor)
		assert.LessOrEqual(t, asked(server, membersPath), 1, "the list is read by one of them")
	})
}

// The world of one run is served twice, with and without look-ups, whose
// requests meet every kind of fault. What is read must be the same each time.
func TestResolve_WhichEventsThereAreDoesNotDependOnIt(t *testing.T) {
	t.Parallel()
	resolved, conditions := 0, 0
	for seed := range uint64(12) {
		var plain []ingest.Batch
		for _, on := range []bool{false, true} {
			var batches []ingest.Batch
			synctest.Test(t, func(t *testing.T) { batches = sameWorld(t, seed, on) })
			if !on {
				plain = batches
				continue
			}
			require.Len(t, batches, len(plain))
			for i := range plain {
				requireSameEvents(t, plain[i], batches[i], "seed %d, poll %d", seed, i)
				conditions += len(batches[i].Coverage.Notices)
				for _, e := range batches[i].Events {
					resolved += min(1, len(e.Audit.Notes))
				}
			}
		}
	}
	// Otherwise there was nothing to compare.
	assert.Greater(t, resolved, 50)
	assert.Greater(t, conditions, 5)
}

func requireSameEvents(t *testing.T, want, got ingest.Batch, place ...any) {
	t.Helper()
	require.Equal(t, ids(want), ids(got), place...)
	require.Equal(t, string(want.Cursor), string(got.Cursor), place...)
	require.Equal(t, want.More, got.More, place...)
	for _, c := range []ingest.Coverage{want.Coverage, got.Coverage} {
		counted := 0
		for _, n := range c.Statuses {
			counted += n
		}
		require.Equal(t, c.Requests, counted, place...)
	}
	for status, n := range want.Coverage.Statuses {
		require.GreaterOrEqual(t, got.Coverage.Statuses[status], n, place...)
	}
	want.Coverage.Statuses = got.Coverage.Statuses
	want.Coverage.Requests, want.Coverage.Notices = got.Coverage.Requests, got.Coverage.Notices
	require.Equal(t, want.Coverage, got.Coverage, place...)
	for i := range want.Events {
		w, g := want.Events[i], got.Events[i]
		require.Equal(t, w.CreatedAt, g.CreatedAt, place...)
		require.Equal(t, w.RawEvent, g.RawEvent, place...)
		require.Equal(t, w.Action, g.Action, place...)
		require.Equal(t, w.Audit.Changes, g.Audit.Changes, place...)
	}
}

// sameWorld polls a random world at fixed times.
func sameWorld(t *testing.T, seed uint64, on bool) (batches []ingest.Batch) {
	server, cfg := fixture(fakecloudflare.Options{})
	cfg.ResolveMembers, cfg.ResolveScopes = on, on
	cfg.PollInterval, cfg.MaxEvents, cfg.PageSize = 30*time.Second, 40, 7
	cfg.Rules = []Rule{
		{ID: "mine", Drop: true, Match: Match{Actor: []string{"someone-1@*", "carol@*"}}},
		{ID: "roles", Drop: true, Match: Match{Action: []string{"member.*"}, Role: []string{"other"}}},
		{ID: "scopes", Drop: true, Match: Match{Action: []string{"api_token.*"}, Scope: []string{"narrow"}}},
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	server.SetMembers(carol(), someone(1), someone(2), json.RawMessage(`{"user":null}`))
	start := time.Now()
	server.SetTokens(aToken(someToken, narrowPolicies, start.Add(-time.Hour)))
	for i := range 150 {
		at := start.Add(time.Duration(rng.IntN(1200)-600) * time.Second).Add(time.Duration(i) * time.Microsecond)
		id := fmt.Sprintf("e%d", i)
		switch rng.IntN(5) {
		case 0:
			server.Add(at, byID(id, pick(rng, []string{carolUser, nobody, fmt.Sprintf("%032x", 2)}), at))
		case 1:
			server.Add(at, about(id, at, "account", pick(rng, []string{"member_add", "member_update"}),
				`,"metadata":{"user_email":"`+pick(rng, []string{"carol@example.com", "dave@example.com"})+`"}`))
		case 2:
			server.Add(at, about(id, at, "account", "token_create", `,"metadata":{"token_tag":"`+someToken+`"}`))
		default:
			server.Add(at, fakecloudflare.Entry(id, at, 6))
		}
	}
	faults := rand.New(rand.NewPCG(seed, 2))
	server.Fault(func(_ int, r *http.Request) *fakecloudflare.Fault {
		if strings.HasSuffix(r.URL.Path, "/audit_logs") {
			return nil
		}
		switch faults.IntN(12) {
		case 0:
			return fakecloudflare.Status(http.StatusServiceUnavailable, 0, "", nil)
		case 1:
			return fakecloudflare.HTML(http.StatusOK)
		case 2:
			return fakecloudflare.Truncate(faults.IntN(300))
		case 3:
			return fakecloudflare.Reset()
		case 4:
			return fakecloudflare.Hang()
		case 5:
			if seed%3 == 0 { // it switches the look-up off for good
				return fakecloudflare.NotSuccess()
			}
		case 6:
			return fakecloudflare.NullResult()
		case 7:
			return fakecloudflare.Garbage()
		case 8:
			return fakecloudflare.Redirect("https://elsewhere.example.com/")
		case 9:
			return fakecloudflare.Delay(time.Duration(faults.IntN(9000)) * time.Millisecond)
		}
		return nil
	})
	c := connect(t, cfg)
	var cursor ingest.Cursor
	for i := range 30 {
		b := poll1(t, c, cursor)
		require.Equal(t, b.Coverage.Read, b.Coverage.Delivered+b.Coverage.DroppedTotal()+b.Coverage.Repeated)
		batches, cursor = append(batches, b), b.Cursor
		time.Sleep(time.Until(start.Add(time.Duration(i+1) * 30 * time.Second)))
	}
	return batches
}

func TestResolve_TheConnectorsOwnTokenStaysItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		cfg.OwnTokenID = someToken
		server.SetMembers(carol())
		server.Add(time.Time{}, json.RawMessage(fmt.Sprintf(`{"id":"own","when":%q,"actor":{"id":%q,"type":"user"},`+
			`"action":{"type":"token_roll","result":true},"resource":{"type":"account"},"metadata":{"token_tag":%q}}`,
			time.Now().Add(-time.Second).UTC().Format(time.RFC3339), carolUser, someToken)))
		e := onlyEvent(t, poll1(t, connect(t, cfg), nil))
		assert.Equal(t, "carol@example.com", e.Actor)
		assert.Equal(t, "own-token-changed", e.Audit.Rule)
	})
}

func TestResolve_ItsRequestsAreCountedByStatusToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, cfg := resolving(fakecloudflare.Options{})
		server.Deny("members")
		at := time.Now().Add(-time.Second)
		server.Add(time.Time{}, byID("1", carolUser, at))
		c := poll1(t, connect(t, cfg), nil).Coverage
		assert.Equal(t, 2, c.Requests)
		assert.Equal(t, map[int]int{200: 1, 403: 1}, c.Statuses)
	})
}
