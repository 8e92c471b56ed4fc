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
	// resolveTime bounds the time of one poll for looking things up.
	resolveTime = 10 * time.Second
	// membersFor is how long the list of members stays valid, and the longest
	// wait after a failure.
	membersFor = 15 * time.Minute
	// membersGap is the time between two reads of the list that an unknown id
	// or a change of roles causes, and the first wait after a failure.
	membersGap = time.Minute
	// refusedFor is how long an endpoint is left alone when the API token lacks
	// the permission, which can be granted meanwhile.
	refusedFor = time.Hour
	// memberPage is the page size, the most the API allows.
	memberPage = 50
	// maxMemberPages bounds what is read of the list of members.
	maxMemberPages = 20
	// maxTokens bounds the API tokens looked up in one poll.
	maxTokens = 20
	// maxRemembered bounds the remembered ids of actors that are no members, and
	// those of members that entries were about.
	maxRemembered = 1000
	// persistent is how many failures in a row make a notice.
	persistent = 3
)

// resolver looks up what entries leave out: who an actor is, which role a member
// has and what an API token may do. Look-ups return the current state, not the
// state at the time of the entry. They only add to events: whether there is an
// event, its id and the cursor do not depend on them.
type resolver struct {
	client    *cloudflare.Client
	accountID string
	log       *slog.Logger
	// withMembers and withScopes enable the two kinds of look-ups.
	withMembers, withScopes bool

	// asking is held by the poll that sends requests, and guards the gates,
	// absent and latest. A poll that finds it taken goes on with what is known.
	asking        sync.Mutex
	members       gate
	accountTokens gate
	userTokens    gate
	// absent are the actors that are not in the list of members. They do not
	// cause it to be read again early.
	absent map[string]bool
	// latest is that of the last findings. It is not changed any more.
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
	product.Member
	// asOf is the server's clock when this was read.
	asOf time.Time
}

// gap is an event of the batch whose entry leaves something out.
type gap struct {
	index  int // of the event in the batch
	log    *cloudflare.Log
	source string    // the entry as received
	stated time.Time // the time of the entry, or zero
	when   time.Time // where the entry stands in the log
	owner  string    // the id of the entry's owner

	actor  string // the id of the actor, where the entry has that alone
	member string // the key of the member the entry is about, or ""
	moved  bool   // that member may have got another role
	role   bool   // the entry does not say which
	token  string // the API token whose scopes the entry does not say, or ""
}

// gapOf is what an entry leaves out, if it is anything that r looks up.
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

// memberKey is what the list of members knows the member by whom an entry is
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

// resolved is the event of g with what has been found, if anything has.
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
	w.understand(n)
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
		// Whether there is an event is decided by what the entry says alone.
		v = n.verdictOf(g)
	}
	w.event(n, v, g.when, &event)
	keepChanges(&event)
	return event, true
}

// decodeGap decodes the entry of g again.
func (w *work) decodeGap(g *gap) {
	_ = w.doc.Parse(g.source) // it was read before
	w.decodeDoc(&w.doc, apiOf(g.log))
}

// verdictOf is how the rules grade the entry of g by what it says itself.
func (n *Normalizer) verdictOf(g *gap) Verdict {
	w := works.Get().(*work)
	defer w.release()
	w.decodeGap(g)
	return w.grade(n)
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
	return !g.stated.IsZero() && g.stated.Add(feed.ClockTolerance).Before(m.asOf)
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
			if g := &gaps[i]; g.actor != "" && f.actor(g) == nil {
				r.absent[g.actor] = true
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
		if g.actor != "" && (stale || f.actor(g) == nil && !r.absent[g.actor]) {
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

// readResult is a result of the API, or the missing value.
func readResult(result json.RawMessage) jsondoc.Value {
	var doc jsondoc.Doc
	if doc.Parse(string(result)) != nil {
		return jsondoc.Value{}
	}
	return doc.Root()
}

// put adds m, as long as there are no more than a list of members can have.
func (d *directory) put(key string, m *person) {
	if len(d.persons) < 3*maxMemberPages*memberPage {
		d.persons[key] = m
	}
}

// kept is a text of a reply in memory of its own, bounded.
func kept(s string) string { return strings.Clone(text.OneLine(s, audit.MaxText)) }

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
