package cloudflareaudit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aisoc/cloudflareaudit/apierror"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

const (
	// resolveTime bounds the time of one poll for looking things up.
	resolveTime = 10 * time.Second
	// membersFor is how long the list of members is good for, and the longest
	// wait after a failure.
	membersFor = 15 * time.Minute
	// membersGap is the time between two reads of the list that an unknown id
	// or a change of roles causes, and the first wait after a failure.
	membersGap = time.Minute
	// refusedFor is how long an endpoint is left alone for which the API token
	// lacks the permission, which can be granted.
	refusedFor = time.Hour
	// memberPage is the page size, the most the API allows.
	memberPage = 50
	// maxMemberPages bounds what is read of the list of members.
	maxMemberPages = 20
	// maxTokens bounds the API tokens looked up in one poll.
	maxTokens = 20
	// maxRemembered bounds the ids remembered as those of no member, and those of
	// members that entries were about.
	maxRemembered = 1000
	// persistent is how many failures in a row a person should know about.
	persistent = 3
)

// resolver looks up what entries leave out: who an actor is, which role a
// member has and what an API token may do. What it finds is of now, not of the
// time of the entry, and it only adds to events: whether there is one, its id
// and the cursor do not depend on it.
type resolver struct {
	client    *cloudflare.Client
	accountID string
	log       *slog.Logger
	// withMembers and withScopes say what is to be looked up.
	withMembers, withScopes bool

	// asking is held by the poll that sends requests, and guards the gates,
	// absent and latest. A poll that finds it taken goes on with what is known.
	asking        sync.Mutex
	members       gate
	accountTokens gate
	userTokens    gate
	// absent are the actors that are not in the list of members. They are no
	// reason to read it again before its time.
	absent map[string]bool
	// latest is that of the last findings, which is not changed any more.
	latest map[string]time.Time

	people atomic.Pointer[directory]
	said   atomic.Pointer[[]string]
}

// newResolver is the resolver that cfg asks for, or nil.
func newResolver(cfg Config, c *cloudflare.Client) *resolver {
	if !cfg.ResolveMembers && !cfg.ResolveScopes {
		return nil
	}
	r := &resolver{
		client: c, accountID: cfg.AccountID, log: cfg.Logger,
		withMembers: cfg.ResolveMembers, withScopes: cfg.ResolveScopes,
		members:       gate{feature: "resolve_members", what: "the list of members"},
		accountTokens: gate{feature: "resolve_scopes", what: "the scopes of the account's API tokens", remedy: remedyAccountTokens},
		userTokens:    gate{feature: "resolve_scopes", what: "the scopes of users' API tokens", remedy: remedyUserTokens},
	}
	r.people.Store(new(directory))
	return r
}

// The remedies of a missing permission to read API tokens.
const (
	remedyAccountTokens = "add Account > Account API Tokens > Read to the API token"
	remedyUserTokens    = "they need User > API Tokens > Read, which only a token of the user has; " +
		"without it their scopes stay unknown"
)

// gate says when an endpoint may be asked, and what a person should know of it.
type gate struct {
	feature string // the configuration field
	what    string // is read there
	remedy  string // of a missing permission, or "" for the one of the error

	closed   time.Time // until then
	failures int       // in a row
	notice   string
}

func (g *gate) open() bool { return !time.Now().Before(g.closed) }

// passed notes that the endpoint answered, and that it may be asked again after
// gap.
func (g *gate) passed(gap time.Duration) {
	g.closed, g.failures, g.notice = time.Now().Add(gap), 0, ""
}

// failed notes that the endpoint did not answer, or refused to.
func (g *gate) failed(err error, log *slog.Logger) {
	before := g.notice
	if isRefusal(err) {
		api, _ := errors.AsType[*APIError](err)
		refusal := *api
		refusal.Remedy = cmp.Or(g.remedy, api.Remedy)
		g.closed, g.failures = time.Now().Add(refusedFor), 0
		g.notice = fmt.Sprintf("%s: %s cannot be read, which is tried again every hour: %s", g.feature, g.what, refusal.Error())
	} else {
		g.closed = time.Now().Add(min(membersGap<<min(g.failures, 10), membersFor))
		if g.failures++; g.failures == persistent {
			g.notice = fmt.Sprintf("%s: %s could not be read several times in a row: %s", g.feature, g.what, cloudflare.Reason(err))
		}
	}
	if before == "" && g.notice != "" {
		log.Warn("an optional feature does not work; events go on without it", "notice", g.notice)
	}
}

// directory is the members of the account as they were read. It is not changed
// once it is in use.
type directory struct {
	// persons are the members by user id, membership id and e-mail address in
	// lower case.
	persons map[string]*person
	// readAt is when it was last read to its end, by the local clock.
	readAt time.Time
	// whole says that the list was read to its end.
	whole bool
}

// person is a member of the account.
type person struct {
	keys        [3]string // the ids and the address; they may be empty
	email, name string
	role        string // roleSuper, roleOther or roleUnknown
	roleName    string
	// asOf is the server's clock when this was read.
	asOf time.Time
}

// gap is an event of the batch whose entry leaves something out.
type gap struct {
	index int // of the event in the batch
	entry entry
	when  time.Time // where the entry stands in the log

	actor  bool   // the actor has an id alone
	member string // the key of the member the entry is about, or ""
	moved  bool   // that member may have got another role
	role   bool   // the entry does not say which
	token  string // the API token whose scopes the entry does not say, or ""
}

// memberKey is what the list of members knows the member by whom an entry is
// about: an e-mail address, or else an id that is not the actor's.
func memberKey(e *entry, f *facts) string {
	if strings.Contains(f.target, "@") {
		return strings.ToLower(f.target)
	}
	if e.resourceID != e.actorID && e.resourceID != e.ownerID && isHexID(e.resourceID) {
		return e.resourceID
	}
	return ""
}

// resolved is the event of g with what has been found, if anything has.
func (n *Normalizer) resolved(g *gap, found *findings) (event ingest.Event, ok bool) {
	e := g.entry
	e.notes = slices.Clip(e.notes)
	actor := found.actor(g)
	if actor != nil && actor.email != "" {
		e.actorEmail = actor.email
		e.notes = append(e.notes, "the actor's e-mail address is resolved from the list of members")
	}
	f := n.facts(&e)
	if actor != nil && actor.name != "" && f.actorName == "" {
		f.actorName = actor.name
		e.notes = append(e.notes, "the actor's name is resolved from the list of members")
	}
	if m := found.member(g); m != nil && m.role != roleUnknown {
		f.role, f.roleName = m.role, m.roleName
		e.notes = append(e.notes, "the role is that of the time of reading: "+cmp.Or(m.roleName, m.role))
		if f.target == g.member && !strings.Contains(f.target, "@") && m.email != "" {
			f.target = m.email
		}
	}
	if t := found.token(g); t.scope != "" {
		f.scope = t.scope
		e.notes = append(e.notes, "the scopes are those of the time of reading: "+t.scope+", "+t.names)
	}
	if len(e.notes) == len(g.entry.notes) {
		return ingest.Event{}, false
	}
	v := n.classifier.classify(&e, &f)
	if v.Drop {
		// Whether there is an event is decided by what the entry says alone.
		said := n.facts(&g.entry)
		v = n.classifier.classify(&g.entry, &said)
	}
	return n.eventOf(&e, &f, v, g.when), true
}

// findings are what a look-up found.
type findings struct {
	people *directory
	// since is the server's clock when this poll began to read the list of
	// members, or zero when it did not.
	since time.Time
	// latest are the times of the newest entries that may have given members
	// another role, by the members' keys.
	latest map[string]time.Time
	tokens map[string]apiToken
	// coverage is where the requests are counted.
	coverage *ingest.Coverage
}

// apiToken is what an API token may do.
type apiToken struct {
	scope    string    // scopeBroad or scopeNarrow
	names    string    // of its permissions
	modified time.Time // when it was last changed, or zero
}

func (f *findings) actor(g *gap) *person {
	if !g.actor {
		return nil
	}
	return f.people.persons[g.entry.actorID]
}

// member is the member whose role g leaves out, if that role is known and was
// not changed again by a later entry.
func (f *findings) member(g *gap) *person {
	if !g.role {
		return nil
	}
	m := f.people.persons[g.member]
	if m == nil || !f.covers(m, g) {
		return nil
	}
	for _, key := range m.keys {
		if g.when.Before(f.latest[key]) {
			return nil
		}
	}
	return m
}

// noteMove notes that an entry from then may have given a member another role.
func (f *findings) noteMove(key string, when time.Time) {
	if when.After(f.latest[key]) {
		f.latest[key] = when
	}
}

// covers reports whether m was read after the entry of g was made.
func (f *findings) covers(m *person, g *gap) bool {
	if !f.since.IsZero() && !m.asOf.Before(f.since) {
		return true
	}
	return !g.entry.when.IsZero() && g.entry.when.Add(feed.ClockTolerance).Before(m.asOf)
}

// token is the API token whose scopes g leaves out, unless it has been changed
// since.
func (f *findings) token(g *gap) apiToken {
	t := f.tokens[g.token]
	if t.modified.After(g.when.Add(feed.ClockTolerance)) {
		return apiToken{}
	}
	return t
}

// lookUp finds what gaps leave out, as far as that is known or can be asked for
// now. It counts its requests in coverage.
func (r *resolver) lookUp(ctx context.Context, gaps []gap, coverage *ingest.Coverage) findings {
	f := findings{people: r.people.Load(), latest: make(map[string]time.Time), coverage: coverage}
	for i := range gaps {
		if g := &gaps[i]; g.moved {
			f.noteMove(g.member, g.when)
		}
	}
	if r.asking.TryLock() {
		defer r.asking.Unlock()
		parent := ctx
		ctx, cancel := context.WithTimeout(ctx, resolveTime)
		defer cancel()
		if parent.Err() == nil {
			r.askMembers(ctx, gaps, &f)
			r.askTokens(ctx, gaps, &f)
		}
		r.said.Store(r.notices())
		// Older entries may follow in another batch.
		for key, when := range r.latest {
			f.noteMove(key, when)
		}
		r.latest = nil
		if len(f.latest) <= maxRemembered {
			r.latest = f.latest
		}
	}
	return f
}

func (r *resolver) notices() *[]string {
	var list []string
	for _, g := range []*gate{&r.members, &r.accountTokens, &r.userTokens} {
		if g.notice != "" {
			list = append(list, g.notice)
		}
	}
	return &list
}

// askMembers reads the list of members, if gaps need it and it is time to.
func (r *resolver) askMembers(ctx context.Context, gaps []gap, f *findings) {
	if !r.withMembers || !r.members.open() || !r.needsMembers(gaps, f) {
		return
	}
	old := f.people
	err := r.readMembers(ctx, f)
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		r.members.failed(err, r.log)
		if isRefusal(err) {
			f.people = new(directory)
		}
	default:
		r.members.passed(membersGap)
		if !f.people.whole {
			r.members.notice = fmt.Sprintf("resolve_members: only the first %d members of the account are resolved",
				maxMemberPages*memberPage)
		}
		if time.Since(old.readAt) >= membersFor || len(r.absent) > maxRemembered {
			r.absent = make(map[string]bool)
		}
		for i := range gaps {
			if g := &gaps[i]; g.actor && f.actor(g) == nil {
				r.absent[g.entry.actorID] = true
			}
		}
	}
	r.people.Store(f.people)
}

// needsMembers reports whether gaps are a reason to read the list of members:
// it is too old, or an actor or a member is not in it, or a role may have
// changed since.
func (r *resolver) needsMembers(gaps []gap, f *findings) bool {
	stale := time.Since(f.people.readAt) >= membersFor
	for i := range gaps {
		g := &gaps[i]
		if g.actor && (stale || f.actor(g) == nil && !r.absent[g.entry.actorID]) {
			return true
		}
		if m := f.people.persons[g.member]; g.role && (m == nil || !f.covers(m, g)) {
			return true
		}
	}
	return false
}

// readMembers reads the list of members into f. When it fails half-way what
// could be read counts, and of the rest what was known before.
func (r *resolver) readMembers(ctx context.Context, f *findings) error {
	old := f.people
	d := &directory{persons: make(map[string]*person), readAt: time.Now()}
	f.people = d
	for number := 1; number <= maxMemberPages && !d.whole; number++ {
		got, reply, err := r.client.Glance(ctx, "/accounts/"+r.accountID+"/members", url.Values{
			"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(memberPage)},
		})
		reply.Count(f.coverage)
		list := value(got.Result)
		if err == nil && list.kind() != '[' {
			err = apierror.Malformed(http.StatusOK, "the reply has no list of members")
		}
		if err != nil {
			d.readAt, d.whole = old.readAt, old.whole
			for key, m := range old.persons {
				if d.persons[key] == nil {
					d.put(key, m)
				}
			}
			return err
		}
		asOf := reply.Date
		if asOf.IsZero() {
			asOf = time.Now().UTC()
		}
		if number == 1 {
			f.since = asOf
		}
		n := d.read(list, asOf)
		if got.TotalPages > 0 {
			d.whole = number >= got.TotalPages || n == 0
		} else {
			d.whole = n < memberPage
		}
	}
	return nil
}

// read adds the members of a page and returns how many there are.
func (d *directory) read(list value, asOf time.Time) (n int) {
	list.each(func(_ string, member value) bool {
		n++
		user := member.get("user")
		m := &person{asOf: asOf}
		m.email = kept(cmp.Or(user.get("email").text(), member.get("email").text()))
		m.name = kept(strings.TrimSpace(user.get("first_name").text() + " " + user.get("last_name").text()))
		m.role, m.roleName = roleOf(member)
		m.keys = [...]string{kept(user.get("id").text()), kept(member.get("id").text()), strings.ToLower(m.email)}
		for _, key := range m.keys {
			if key != "" {
				d.put(key, m)
			}
		}
		return true
	})
	return n
}

// put adds m, as long as there are no more than a list of members can have.
func (d *directory) put(key string, m *person) {
	if len(d.persons) < 3*maxMemberPages*memberPage {
		d.persons[key] = m
	}
}

// kept is a text of a reply in memory of its own, bounded.
func kept(s string) string { return strings.Clone(text.OneLine(s, maxText)) }

// roleOf is the role of a member in the list, and the names of the roles. A
// policy gives what its permission groups are called.
func roleOf(member value) (role, names string) {
	var given roles
	given.read(member.get("roles"))
	member.get("policies").each(func(_ string, policy value) bool {
		if !strings.EqualFold(policy.get("access").text(), "deny") {
			given.read(policy.get("permission_groups"))
		}
		return true
	})
	switch {
	case given.super:
		role = roleSuper
	case given.known && !given.opaque:
		role = roleOther
	default:
		return roleUnknown, ""
	}
	return role, kept(given.names)
}

// askTokens asks what the API tokens in gaps may do.
func (r *resolver) askTokens(ctx context.Context, gaps []gap, f *findings) {
	f.tokens = make(map[string]apiToken)
	for i := range gaps {
		g := &gaps[i]
		if _, asked := f.tokens[g.token]; g.token == "" || asked {
			continue
		}
		if len(f.tokens) == maxTokens || ctx.Err() != nil {
			return
		}
		f.tokens[g.token] = r.askToken(ctx, g, f)
	}
}

// askToken asks for one API token. The owner of the entry tells whose it is: an
// API token of the account, or one of a user, mostly.
func (r *resolver) askToken(ctx context.Context, g *gap, f *findings) apiToken {
	type place struct {
		*gate
		path string
	}
	places := []place{{&r.accountTokens, "/accounts/" + r.accountID + "/tokens/"}}
	if owner := g.entry.ownerID; owner != r.accountID {
		places = slices.Insert(places, 0, place{&r.userTokens, "/user/tokens/"})
	}
	for _, p := range places {
		if !p.open() {
			continue
		}
		got, reply, err := r.client.Glance(ctx, p.path+g.token, nil)
		reply.Count(f.coverage)
		switch {
		case errors.Is(err, context.Canceled):
			return apiToken{}
		case err == nil:
			p.passed(0)
			return tokenOf(value(got.Result), g.token)
		case isElsewhere(err):
			p.passed(0)
		default:
			p.failed(err, r.log)
		}
	}
	return apiToken{}
}

// tokenOf reads the reply about the API token id.
func tokenOf(v value, id string) apiToken {
	policies := v.get("policies")
	t := apiToken{scope: scopeOf(policies), modified: parseTime(v.get("modified_on").text())}
	if t.scope == scopeUnknown || !strings.EqualFold(v.get("id").text(), id) {
		return apiToken{}
	}
	var names []string
	var m masking
	policies.each(func(_ string, policy value) bool {
		if !strings.EqualFold(policy.get("effect").text(), "deny") {
			names = append(names, m.outline(policy.get("permission_groups")))
		}
		return len(names) < manyPermissions
	})
	t.names = text.OneLine(strings.Join(names, ", "), maxChangeText)
	return t
}

// isRefusal reports whether the API token may not ask what it asked.
func isRefusal(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Kind == KindCredentials
}

// isElsewhere reports whether err says that there is no such thing here.
func isElsewhere(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && (api.Kind == KindAccount || api.Kind == KindRequest)
}
