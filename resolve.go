package cloudflareaudit

import (
	"cmp"
	"context"
	"encoding/json"
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
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/product"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

const (
	// resolveTime bounds the time that one poll spends on look-ups.
	resolveTime = 10 * time.Second
	// membersFor is how long the list of members stays valid, and the longest
	// wait after a failure.
	membersFor = 15 * time.Minute
	// membersGap is the least time between two reads of the list triggered by
	// an unknown id or a role change, and the first wait after a failure.
	membersGap = time.Minute
	// refusedFor is how long an endpoint is not asked after it refused the API
	// token. The permission may be granted meanwhile.
	refusedFor = time.Hour
	// memberPage is the page size, the most the API allows.
	memberPage = 50
	// maxMemberPages bounds the pages read of the list of members.
	maxMemberPages = 20
	// maxTokens bounds the API tokens looked up in one poll.
	maxTokens = 20
	// maxRemembered bounds the remembered ids of actors that are not members,
	// and of members that entries were about.
	maxRemembered = 1000
	// persistent is how many consecutive failures produce a notice.
	persistent = 3
)

// resolver looks up details that entries omit: who an actor is, which role a
// member has, what an API token may do and what a changed resource was before.
// Look-ups of the first three return the current state, not the state at the
// time of the entry. They only add to events: neither the set of events nor
// their ids nor the cursor depends on them.
type resolver struct {
	client    *cloudflare.Client
	accountID string
	log       *slog.Logger
	clock     func() time.Time
	// withMembers, withScopes and withHistory enable the kinds of look-ups.
	withMembers, withScopes, withHistory bool

	// asking is held by the poll that sends requests, and guards the gates,
	// absent, latest and histories. A poll that finds it taken uses the findings so far.
	asking        sync.Mutex
	members       gate
	accountTokens gate
	userTokens    gate
	history       gate
	histories     historyCache
	// absent are the actors that are not in the list of members. They do not
	// cause it to be read again early.
	absent map[string]bool
	// latest is that of the last findings. It is never modified.
	latest map[string]time.Time

	people atomic.Pointer[directory]
	said   atomic.Pointer[[]string]
}

// newResolver returns the resolver that cfg asks for, or nil.
func newResolver(cfg Config, c *cloudflare.Client) *resolver {
	withHistory := cfg.ResolveHistory && cfg.AuditLogAPI != AuditLogV1
	if !cfg.ResolveMembers && !cfg.ResolveScopes && !withHistory {
		return nil
	}
	r := &resolver{
		client: c, accountID: cfg.AccountID, log: cfg.Logger, clock: cfg.Clock,
		withMembers: cfg.ResolveMembers, withScopes: cfg.ResolveScopes, withHistory: withHistory,
		members:       gate{feature: "resolve_members", what: "the list of members"},
		accountTokens: gate{feature: "resolve_scopes", what: "the scopes of the account's API tokens", remedy: remedyAccountTokens},
		userTokens:    gate{feature: "resolve_scopes", what: "the scopes of users' API tokens", remedy: remedyUserTokens},
		history:       gate{feature: "resolve_history", what: "the history of resources"},
	}
	r.people.Store(new(directory))
	return r
}

// The remedies for a missing permission to read API tokens.
const (
	remedyAccountTokens = "add Account > Account API Tokens > Read to the API token"
	remedyUserTokens    = "they need User > API Tokens > Read, which only a token of the user has; " +
		"without it their scopes stay unknown"
)

// gate says when an endpoint may be requested, and holds the notice about it.
type gate struct {
	feature string // the configuration field
	what    string // is read there
	remedy  string // of a missing permission, or "" for the one of the error

	closed   time.Time // until then
	failures int       // in a row
	notice   string
}

func (g *gate) open() bool { return !time.Now().Before(g.closed) }

// passed notes that the endpoint answered, and may be requested again after pause.
func (g *gate) passed(pause time.Duration) {
	g.closed, g.failures, g.notice = time.Now().Add(pause), 0, ""
}

// missing notes that the API has no such endpoint for this account.
func (g *gate) missing(err error, log *slog.Logger) {
	before := g.notice
	api, _ := errors.AsType[*APIError](err)
	bare := *api
	bare.Remedy = "" // the account is not at fault
	g.closed, g.failures = time.Now().Add(refusedFor), 0
	g.notice = fmt.Sprintf("%s: Cloudflare does not offer %s, which is tried again every hour: %s", g.feature, g.what, bare.Error())
	g.warn(before, log)
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
	g.warn(before, log)
}

// warn logs the notice, unless there was one before.
func (g *gate) warn(before string, log *slog.Logger) {
	if before == "" && g.notice != "" {
		log.Warn("an optional feature does not work; events are delivered without it", "notice", g.notice)
	}
}

// directory holds the members of the account as read. It is immutable once in
// use.
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
	product.Member
	// asOf is the server's clock when this was read.
	asOf time.Time
}

// gap is an event of the batch whose entry omits a detail.
type gap struct {
	index  int // of the event in the batch
	log    *cloudflare.Log
	source string    // the entry as received
	stated time.Time // the time of the entry, or zero
	when   time.Time // where the entry stands in the log
	owner  string    // the id of the entry's owner

	actor  string // the id of the actor, where the entry has that alone
	member string // the key of the member the entry is about, or ""
	moved  bool   // the member's role may have changed
	role   bool   // the entry does not say which
	token  string // the API token whose scopes the entry does not say, or ""

	changed string // the id of the entry, if it has no old values, or ""
	grave   bool   // it is graded medium or higher without them
}

// gapOf returns the details that an entry omits and r can look up.
func (r *resolver) gapOf(e *audit.Entry, f *product.Facts, when time.Time) (left gap, found bool) {
	left = gap{stated: e.When, when: when, owner: strings.Clone(e.OwnerID)}
	// A failed attempt changed nothing, so there is nothing to look up.
	if r.withMembers {
		if e.ActorEmail == "" && f.ActorKind != "system" && f.ActorKind != "staff" {
			left.actor = strings.Clone(e.ActorID)
		}
		if strings.HasPrefix(f.Action, "member.") && !f.Failed {
			left.member = strings.Clone(memberKey(e, f))
			left.moved = left.member != "" && f.Verb != product.VerbAccept && f.Role != rules.RoleUnchanged
			left.role = left.member != "" && f.Role == rules.RoleUnknown
		}
	}
	if r.withScopes && f.Scope == rules.ScopeUnknown && text.IsHexID(f.TokenID) && !f.Failed {
		switch f.Verb {
		case product.VerbCreate, product.VerbUpdate, product.VerbEnable, product.VerbRoll:
			left.token = strings.ToLower(strings.Clone(f.TokenID))
		}
	}
	return left, left.actor != "" || left.member != "" || left.token != ""
}

// memberKey identifies, in the list of members, the member that an entry is
// about: an e-mail address, or else an id that is not the actor's.
func memberKey(e *audit.Entry, f *product.Facts) string {
	if strings.Contains(f.Target, "@") {
		return strings.ToLower(f.Target)
	}
	if e.ResourceID != e.ActorID && e.ResourceID != e.OwnerID && text.IsHexID(e.ResourceID) {
		return e.ResourceID
	}
	return ""
}

// resolved is the event of g completed with the findings, if there are any.
func (n *Normalizer) resolved(g *gap, found *findings) (event ingest.Event, ok bool) {
	w := works.Get().(*work)
	defer w.release()
	w.decodeGap(g)
	e, f := &w.entry, &w.facts
	notes := len(e.Notes)
	actor := found.actor(g)
	if actor != nil && actor.email != "" {
		e.ActorEmail = actor.email
		e.Notes = append(e.Notes, "the actor's e-mail address is resolved from the list of members")
	}
	past := found.histories[g.changed]
	if from := w.understandAfter(n, past.entries()); from != nil {
		e.Notes = append(e.Notes, past.note(from))
	}
	if actor != nil && actor.name != "" && f.ActorName == "" {
		f.ActorName = actor.name
		e.Notes = append(e.Notes, "the actor's name is resolved from the list of members")
	}
	if m := found.member(g); m != nil && m.Role != rules.RoleUnknown {
		f.Role, f.RoleName = m.Role, m.RoleName
		e.Notes = append(e.Notes, "the role is that of the time of reading: "+cmp.Or(m.RoleName, m.Role))
		if f.Target == g.member && !strings.Contains(f.Target, "@") && m.email != "" {
			f.Target = m.email
		}
	}
	if t := found.token(g); t.scope != "" {
		f.Scope = t.scope
		e.Notes = append(e.Notes, "the scopes are those of the time of reading: "+t.scope+", "+t.names)
	}
	if len(e.Notes) == notes {
		return ingest.Event{}, false
	}
	v := w.verdict(n)
	if v.Drop {
		// The entry alone decides whether there is an event.
		v = n.verdictOf(g)
	}
	w.event(n, v, inPlace(g.when), &event)
	keepChanges(&event)
	return event, true
}

// decodeGap decodes the entry of g again.
func (w *work) decodeGap(g *gap) {
	_ = w.doc.Parse(g.source) // it was read before
	w.entry.Decode(&w.doc, g.log.Name)
}

// verdictOf is how the rules grade the entry of g without look-ups.
func (n *Normalizer) verdictOf(g *gap) Verdict {
	w := works.Get().(*work)
	defer w.release()
	w.decodeGap(g)
	return w.grade(n)
}

// findings are the results of look-ups.
type findings struct {
	people *directory
	// since is the server's time when this poll began to read the list of
	// members, or zero when it did not read it.
	since time.Time
	// latest are the times of the newest entries that may have changed the role
	// of a member, by member key.
	latest map[string]time.Time
	tokens map[string]apiToken
	// histories are the earlier entries about a resource, by the id of the entry
	// that changed it.
	histories map[string]*pastEntries
	// coverage counts the requests.
	coverage *ingest.Coverage
}

// apiToken is the scope of an API token.
type apiToken struct {
	scope    string    // rules.ScopeBroad or ScopeNarrow
	names    string    // of its permissions
	modified time.Time // when it was last changed, or zero
}

func (f *findings) actor(g *gap) *person {
	if g.actor == "" {
		return nil
	}
	return f.people.persons[g.actor]
}

// member is the member whose role g omits, if the role is known and no later
// entry changed it again.
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

// noteMove records that an entry may have changed the role of a member at that
// time.
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
	return !g.stated.IsZero() && g.stated.Add(feed.ClockTolerance).Before(m.asOf)
}

// token is the API token whose scopes g omits, unless the token was changed
// later.
func (f *findings) token(g *gap) apiToken {
	t := f.tokens[g.token]
	if t.modified.After(g.when.Add(feed.ClockTolerance)) {
		return apiToken{}
	}
	return t
}

// lookUp finds the details missing from gaps, from memory or by requests that
// are due. It counts its requests in coverage.
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
			r.askHistories(ctx, gaps, &f)
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
	for _, g := range []*gate{&r.members, &r.accountTokens, &r.userTokens, &r.history} {
		if g.notice != "" {
			list = append(list, g.notice)
		}
	}
	return &list
}

// askMembers reads the list of members, if gaps need it and a read is due.
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
			if g := &gaps[i]; g.actor != "" && f.actor(g) == nil {
				r.absent[g.actor] = true
			}
		}
	}
	r.people.Store(f.people)
}

// needsMembers reports whether gaps require reading the list of members: it is
// too old, it lacks an actor or a member, or a role may have changed since.
func (r *resolver) needsMembers(gaps []gap, f *findings) bool {
	stale := time.Since(f.people.readAt) >= membersFor
	for i := range gaps {
		g := &gaps[i]
		if g.actor != "" && (stale || f.actor(g) == nil && !r.absent[g.actor]) {
			return true
		}
		if m := f.people.persons[g.member]; g.role && (m == nil || !f.covers(m, g)) {
			return true
		}
	}
	return false
}

// readMembers reads the list of members into f. After a failure half-way, the
// pages read are used, and for the rest the previous list.
func (r *resolver) readMembers(ctx context.Context, f *findings) error {
	old := f.people
	d := &directory{persons: make(map[string]*person), readAt: time.Now()}
	f.people = d
	for number := 1; number <= maxMemberPages && !d.whole; number++ {
		got, reply, err := r.client.Glance(ctx, "/accounts/"+r.accountID+"/members", url.Values{
			"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(memberPage)},
		})
		reply.Count(f.coverage)
		result := readResult(got.Result)
		if err == nil && result.Kind() != jsondoc.Array {
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
		n := d.read(result, asOf)
		if got.TotalPages > 0 {
			d.whole = number >= got.TotalPages || n == 0
		} else {
			d.whole = n < memberPage
		}
	}
	return nil
}

// read adds the members of a page and returns how many there are.
func (d *directory) read(list jsondoc.Value, asOf time.Time) (n int) {
	for member := range list.All() {
		n++
		user := member.Get("user")
		m := &person{asOf: asOf, Member: product.MemberOf(member)}
		m.RoleName = kept(m.RoleName)
		m.email = kept(cmp.Or(user.Get("email").Text(), member.Get("email").Text()))
		m.name = kept(strings.TrimSpace(user.Get("first_name").Text() + " " + user.Get("last_name").Text()))
		m.keys = [...]string{kept(user.Get("id").Text()), kept(member.Get("id").Text()), strings.ToLower(m.email)}
		for _, key := range m.keys {
			if key != "" {
				d.put(key, m)
			}
		}
	}
	return n
}

// readResult parses an API result, or returns the missing value.
func readResult(result json.RawMessage) jsondoc.Value {
	var doc jsondoc.Doc
	if doc.Parse(string(result)) != nil {
		return jsondoc.Value{}
	}
	return doc.Root()
}

// put adds m, unless the list is full.
func (d *directory) put(key string, m *person) {
	if len(d.persons) < 3*maxMemberPages*memberPage {
		d.persons[key] = m
	}
}

// kept is a bounded copy of a text in a reply.
func kept(s string) string { return strings.Clone(text.OneLine(s, audit.MaxText)) }

// askTokens looks up the API tokens in gaps.
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

// askToken looks up one API token. The owner of the entry tells, in most cases,
// whether it is an account or a user token.
func (r *resolver) askToken(ctx context.Context, g *gap, f *findings) apiToken {
	type place struct {
		*gate
		path string
	}
	places := []place{{&r.accountTokens, "/accounts/" + r.accountID + "/tokens/"}}
	if g.owner != r.accountID {
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
			return tokenOf(readResult(got.Result), g.token)
		case isElsewhere(err):
			p.passed(0)
		default:
			p.failed(err, r.log)
		}
	}
	return apiToken{}
}

// tokenOf reads the reply about the API token id.
func tokenOf(v jsondoc.Value, id string) apiToken {
	policies := v.Get("policies")
	t := apiToken{scope: product.ScopeOf(policies), modified: audit.ParseTime(v.Get("modified_on").Text())}
	if t.scope == rules.ScopeUnknown || !strings.EqualFold(v.Get("id").Text(), id) {
		return apiToken{}
	}
	t.names = strings.Clone(product.PermissionsIn(policies))
	return t
}

// isRefusal reports whether the API token lacks the permission for the request.
func isRefusal(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Kind == KindCredentials
}

// isElsewhere reports whether err says that the resource does not exist here.
func isElsewhere(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && (api.Kind == KindAccount || api.Kind == KindRequest)
}
