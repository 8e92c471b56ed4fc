package product

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/audit"
)

// The kinds of verbs. A canonical action ends in a verb of its own, such as
// "add" or "roll"; its kind is what generic rules match.
const (
	VerbCreate  = "create"
	VerbUpdate  = "update"
	VerbDelete  = "delete"
	VerbEnable  = "enable"
	verbDisable = "disable"
	verbReset   = "reset"
	VerbRoll    = "roll"
	verbView    = "view"
	verbLogin   = "login"
	verbLogout  = "logout"
	VerbAccept  = "accept"
	verbDeploy  = "deploy"
)

// verbs are the words for actions, by kind; the first word of a row is its
// plain form. Weak words can also be nouns or particles, so they count only
// where there is no other verb: "list_create" creates.
var verbs = []struct {
	kind  string
	weak  bool
	words string
}{
	{VerbCreate, false, "create created creates creating insert inserted import imported"},
	{VerbCreate, false, "add added adds attach attached"},
	{VerbCreate, true, "invite invited"},
	{VerbCreate, true, "new issue issued order ordered scan"},
	{VerbUpdate, false, "update updated updates updating edit edited modify modified patch patched replace overwrite rename renamed"},
	{VerbUpdate, false, "change changed"},
	{VerbUpdate, true, "set put save"},
	{VerbDelete, false, "delete deleted deletes deleting del destroy destroyed"},
	{VerbDelete, false, "remove removed removes detach detached unset"},
	{VerbDelete, false, "revoke revoked"},
	{VerbDelete, false, "leave"},
	{VerbDelete, false, "cancel cancelled canceled"},
	{VerbDelete, false, "decline declined reject rejected"},
	{VerbDelete, false, "purge purged"},
	{VerbEnable, false, "enable enabled activate activated enroll enrolled enrol"},
	{VerbEnable, false, "enforce enforced"},
	{VerbEnable, false, "expose exposed"},
	{VerbEnable, false, "unpause unpaused resume resumed"},
	{VerbEnable, true, "on start"},
	{verbDisable, false, "disable disabled"},
	{verbDisable, false, "deactivate deactivated suspend suspended unenroll unenrolled unenrol"},
	{verbDisable, false, "pause paused"},
	{verbDisable, true, "off stop"},
	{verbReset, false, "reset"},
	{VerbRoll, false, "roll rolled"},
	{VerbRoll, false, "rotate rotated regenerate regenerated"},
	{verbView, false, "view viewed reveal revealed"},
	{verbView, true, "read get"},
	{verbView, true, "list show describe"},
	{verbView, true, "export exported"},
	{verbView, true, "download downloaded"},
	{verbView, true, "search searched"},
	{verbView, true, "preview previewed"},
	{verbView, true, "peek"},
	{verbView, true, "check"},
	{verbView, true, "precheck"},
	{verbView, true, "validate validated"},
	{verbView, true, "verify verified"},
	{verbView, true, "analyze analyzed"},
	{verbView, true, "evaluate evaluated"},
	{verbView, true, "test tested"},
	{verbLogin, false, "login signin"},
	{verbLogout, false, "logout signout"},
	{VerbAccept, false, "accept accepted"},
	{verbDeploy, false, "deploy deployed publish published"},
}

// ActionUnknown is the action of an entry that could not be understood.
const ActionUnknown = "unknown"

// naming is a canonical action with its properties.
type naming struct {
	name string
	// verb is the kind of its verb, or "" when it has none.
	verb   string
	family *family
}

// index has the data of the families, arranged for look-ups.
type index struct {
	verbs    map[string]verb    // by word
	families map[string]*family // by prefix
	namings  map[string]*naming // by canonical name
	pairs    map[string]*naming // by squashed "resource/action"
	subjects []indexedSubject
	routes   map[routeKey][]indexedRoute
	patterns []jointPattern
	joints   map[string][]*joint // by canonical name
	// spelled are words by their lower case, and participles by verb.
	spelled, participles map[string]string
	// words are those in the paths of the API, and whether an id or a name may
	// follow.
	words map[string]bool
}

// known is filled in once and then read-only. The maps that become large begin with
// room for what there is, because to grow them is half of the work.
var known = index{
	verbs:    make(map[string]verb),
	families: make(map[string]*family),
	namings:  make(map[string]*naming, 3000),
	pairs:    make(map[string]*naming, 3000),
	routes:   make(map[routeKey][]indexedRoute, 1500),
	joints:   make(map[string][]*joint),

	spelled:     make(map[string]string),
	participles: make(map[string]string),
	words:       make(map[string]bool, 800),
}

type verb struct {
	kind, name string
	weak       bool
}

// indexedSubject is a subject with its words as search patterns and its names
// by kind of verb.
type indexedSubject struct {
	name             string
	resource, action [][]byte
	names            map[string]*naming
	how              fit
	rank             rank
}

func (x *index) fill(list []*family) {
	for _, f := range list {
		for _, prefix := range f.prefixes {
			x.families[prefix] = f
		}
	}
	for _, row := range verbs {
		forms := strings.Fields(row.words)
		for _, word := range forms {
			x.verbs[word] = verb{row.kind, forms[0], row.weak}
		}
	}
	x.addWords()
	x.patterns = jointPatterns(list)
	for word := range strings.FieldsSeq(apiWords) {
		word, follows := strings.CutSuffix(word, "/")
		x.words[word] = follows
	}
	x.named(ActionUnknown)
	for _, f := range list {
		for _, s := range f.subjects {
			x.addSubject(s)
		}
		for _, name := range f.names {
			x.named(name)
		}
		for _, r := range f.routes {
			x.addRoutes(r)
		}
		for _, p := range f.pairs {
			x.pairs[string(squashPair(nil, strings.TrimPrefix(p.resource, "*"), p.action))] = x.named(p.name)
		}
	}
	slices.SortStableFunc(x.subjects, func(a, b indexedSubject) int { return cmp.Compare(a.rank, b.rank) })
	names := slices.Sorted(maps.Keys(x.namings))
	x.addJoints(names)
	for _, name := range names {
		// An entry may come with a canonical name for its action type.
		key := string(squashPair(nil, "", name))
		if x.pairs[key] == nil {
			x.pairs[key] = x.namings[name]
		}
	}
}

func (x *index) addSubject(s subject) {
	indexed := indexedSubject{s.name, patterns(s.resource), patterns(s.action), make(map[string]*naming), s.how, s.rank}
	for exception := range strings.FieldsSeq(s.verbs) {
		kind, name, _ := strings.Cut(exception, "=")
		indexed.names[kind] = x.named(name)
	}
	for _, row := range verbs {
		if indexed.names[row.kind] == nil {
			indexed.names[row.kind] = x.named(s.name + "." + row.kind)
		}
	}
	x.subjects = append(x.subjects, indexed)
}

// named is the naming of a canonical name, added if it is new.
func (x *index) named(name string) *naming {
	if n := x.namings[name]; n != nil {
		return n
	}
	n := newNaming(name)
	x.namings[name] = &n
	return &n
}

// newNaming is the naming of a canonical name, whether it is known or not.
func newNaming(name string) naming {
	return naming{name, verbOf(name), familyOf(name)}
}

// verbOf is the kind of the verb of a canonical name.
func verbOf(name string) string {
	return findVerb([]byte(name[strings.LastIndexByte(name, '.')+1:])).kind
}

// familyOf is the family of a canonical name: that with the longest prefix it
// begins with, or else other. Prefixes end where a word does.
func familyOf(name string) *family {
	for end := len(name); end > 0; end-- {
		if c := name[end-1]; c != '.' && c != '_' {
			continue
		}
		if f := known.families[name[:end]]; f != nil {
			return f
		}
	}
	return &other
}

// patterns turns "^a b c$" into the patterns to search for in a name that words
// has prepared: "__a", "_b" and "_c__".
func patterns(list string) [][]byte {
	var out [][]byte
	for p := range strings.FieldsSeq(list) {
		if cut, ok := strings.CutPrefix(p, "^"); ok {
			p = "_" + cut
		}
		if cut, ok := strings.CutSuffix(p, "$"); ok {
			p = cut + "__"
		}
		out = append(out, []byte("_"+p))
	}
	return out
}

// maxName bounds the part of a resource or action type that is examined.
const maxName = 80

// squashPair appends the letters and digits of a pair, in lower case, with a
// slash in between.
func squashPair(b []byte, resource, action string) []byte {
	b = squash(b, resource)
	b = append(b, '/')
	return squash(b, action)
}

func squash(b []byte, s string) []byte {
	for i := range min(len(s), maxName) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b = append(b, c)
		}
	}
	return b
}

// words appends s in lower case with one underscore between its words and two
// at either end: "DNS record" and "dnsRecord" become "__dns_record__".
func words(b []byte, s string) []byte {
	const lower, upper, digit, mark = 0, 1, 2, 3
	kind := func(i int) int {
		switch {
		case i >= len(s):
			return mark
		case 'A' <= s[i] && s[i] <= 'Z':
			return upper
		case 'a' <= s[i] && s[i] <= 'z':
			return lower
		case '0' <= s[i] && s[i] <= '9':
			return digit
		}
		return mark
	}
	b = append(b, '_', '_')
	start, pending := len(b), false
	for i := range min(len(s), maxName) {
		c, k := s[i], kind(i)
		if k == mark {
			pending = true
			continue
		}
		// A word begins at the B of aB, of ABc and of 1Bc, but not of 1B.
		if k == upper {
			pending = pending || i > 0 && (kind(i-1) == lower || kind(i-1) != mark && kind(i+1) == lower)
			c += 'a' - 'A'
		}
		if pending && len(b) > start {
			b = append(b, '_')
		}
		pending = false
		b = append(b, c)
	}
	return append(b, '_', '_')
}

// attempted is what was tried in vain, for an action type that says so, such as
// "login_failed" or "FailedLogin".
func attempted(actionType string) (tried string, failed bool) {
	if !strings.Contains(actionType, "ail") && !strings.Contains(actionType, "AIL") {
		return "", false
	}
	all := strings.Trim(string(words(nil, actionType)), "_")
	for _, end := range []string{"_failed", "_failure"} {
		if tried, failed = strings.CutSuffix(all, end); failed {
			return tried, true
		}
	}
	if tried, failed = strings.CutPrefix(all, "failed_"); failed {
		return tried, true
	}
	return "", false
}

// nameOf finds the canonical action of an entry of the audit log: by its pair,
// by its action type alone, by the words in either, or else by joining the two.
func nameOf(resourceType, actionType, actionInfo string) naming {
	if n, found := nameOfOperationType(resourceType, actionType, actionInfo); found {
		return n
	}
	var buf [2*maxName + 1]byte
	key := squashPair(buf[:0], resourceType, actionType)
	if n := known.pairs[string(key)]; n != nil {
		return *n
	}
	if n := known.pairs[string(key[bytes.IndexByte(key, '/'):])]; n != nil {
		return *n
	}
	if r, a := withoutIDs(resourceType), withoutIDs(actionType); r != resourceType || a != actionType {
		return nameOf(r, a, actionInfo)
	}
	return nameByWords(resourceType, actionType, actionInfo)
}

var (
	roleWords     = patterns("member_role")
	transferWords = patterns("transfer_out_ transferred_out transfer_away transferred_away move_out_ moved_out moved_away ^transfer$ ^transferred$ ^zone_transferred$ ^domain_transferred$")
	unlockWords   = patterns("unlock")
	domainWords   = patterns("zone domain registrar")
)

// nameByWords names what no published pair names.
func nameByWords(resourceType, actionType, actionInfo string) naming {
	resource, action := words(nil, resourceType), words(nil, cmp.Or(actionType, actionInfo))
	if containsAny(resource, domainWords) || containsAny(action, domainWords) {
		switch {
		case containsAny(action, transferWords):
			return *known.namings["zone.transfer_out"]
		case containsAny(action, unlockWords):
			return *known.namings["registrar.domain.unlock"]
		}
	}
	v := findVerb(action)
	if v.kind == "" {
		v = findVerb(words(nil, actionInfo))
	}
	if v.kind == "" && containsAny(action, roleWords) {
		v.kind = VerbUpdate
	}
	if v.kind != "" {
		for i := range known.subjects {
			if s := &known.subjects[i]; s.fits(resource, action, 0) {
				return *s.names[v.kind]
			}
		}
	}
	return newNaming(joinName(resourceType, resource, action))
}

// fits reports whether s is about a resource and an action. The words for the
// resource must reach beyond the first from bytes of it.
func (s *indexedSubject) fits(resource, action []byte, from int) bool {
	switch s.how {
	case both:
		return reachesAny(resource, s.resource, from) && containsAny(action, s.action)
	case bare:
		_, alone := known.verbs[string(bytes.Trim(action, "_"))]
		return alone && reachesAny(resource, s.resource, from)
	}
	return reachesAny(resource, s.resource, from) || containsAny(action, s.action)
}

func containsAny(name []byte, of [][]byte) bool { return reachesAny(name, of, 0) }

// reachesAny reports whether a name has one of the patterns, which ends after the
// first from bytes.
func reachesAny(name []byte, of [][]byte, from int) bool {
	for _, p := range of {
		if i := bytes.LastIndex(name, p); i >= 0 && i+len(p) > from {
			return true
		}
	}
	return false
}

// findVerb is the first verb in a name, and the first weak one only where there
// is no other.
func findVerb(name []byte) verb {
	var found verb
	for word := range bytes.SplitSeq(name, []byte("_")) {
		v, ok := known.verbs[string(word)]
		if ok && !v.weak {
			return v
		}
		if ok && found.kind == "" {
			found = v
		}
	}
	return found
}

// joinName makes a predictable name of an unknown pair: "resource.action",
// without the words of the resource that the action repeats, and with a lone
// verb in its plain form.
func joinName(resourceType string, resource, action []byte) string {
	res, act := string(bytes.Trim(resource, "_")), string(bytes.Trim(action, "_"))
	// The dots between the parts of a resource type are kept.
	if parts := strings.Split(resourceType, "."); len(parts) > 1 && len(resourceType) <= maxName {
		res = ""
		for _, part := range parts {
			if part := string(bytes.Trim(words(nil, part), "_")); part != "" {
				res += "." + part
			}
		}
		res = strings.TrimPrefix(res, ".")
	}
	for part := range strings.SplitSeq(res, ".") {
		if rest := strings.TrimPrefix(act, part+"_"); rest != "" {
			act = rest
		}
		if rest := strings.TrimSuffix(act, "_"+part); rest != "" {
			act = rest
		}
	}
	if i := strings.LastIndexByte(act, '_'); res == "" && i > 0 && known.verbs[act[i+1:]].kind != "" {
		res, act = act[:i], act[i+1:]
	}
	if v, ok := known.verbs[act]; ok {
		act = v.name
	}
	switch {
	case act == "" && res == "":
		return ActionUnknown
	case act == "":
		act = ActionUnknown
	case res == "":
		res = ActionUnknown
	}
	return res + "." + act
}

// nameOfOperationType names an entry by an operation such as "DeleteBucketCors",
// which says more than the bare verb beside it: it does not delete the bucket. Such
// an operation is the action type, or the further information about it.
func nameOfOperationType(resourceType, actionType, actionInfo string) (n naming, found bool) {
	operation := actionType
	if isOperation(actionInfo) && known.verbs[strings.ToLower(actionType)].kind != "" {
		operation = actionInfo
	} else if !isOperation(actionType) {
		return naming{}, false
	}
	var buf [2*maxName + 1]byte
	if n := known.pairs[string(squashPair(buf[:0], "", operation))]; n != nil {
		return *n, true
	}
	did, thing, _ := strings.Cut(string(bytes.Trim(words(nil, operation), "_")), "_")
	v, isVerb := known.verbs[did]
	last := string(bytes.Trim(words(nil, resourceType[strings.LastIndexByte(resourceType, '.')+1:]), "_"))
	if !isVerb || thing == "" || last == "" {
		return naming{}, false
	}
	part, isPart := strings.CutPrefix(thing, last+"_")
	switch {
	case isPart:
	case thing == last && operation == actionInfo && !strings.EqualFold(did, actionType):
		return nameOf(resourceType, did, ""), true
	default:
		return naming{}, false
	}
	// The whole is named as its change is, and the part goes by its own words.
	whole := strings.TrimSuffix(nameOf(resourceType, VerbUpdate, "").name, "."+VerbUpdate)
	return newNaming(whole + "." + part + "." + v.kind), true
}

// isOperation reports whether a name is several words run together, as those of
// operations are: "PutBucketCors".
func isOperation(name string) bool {
	if len(name) < 2 || len(name) > maxName || strings.ContainsAny(name, " ._-/:") {
		return false
	}
	upper, lower := 0, 0
	for i := 1; i < len(name); i++ {
		switch {
		case 'A' <= name[i] && name[i] <= 'Z':
			upper++
		case 'a' <= name[i] && name[i] <= 'z':
			lower++
		}
	}
	return upper > 0 && lower > 0
}

// nameOfCall finds the canonical action of an entry of Audit Logs v2: by its
// method and path, by the API's name of the operation, or else by the product
// and the type of the resource.
func nameOfCall(e *audit.Entry, r *routed) naming {
	if r.name != nil {
		return *r.name
	}
	if n := nameOfOperation(e.ActionInfo); n != nil {
		return *n
	}
	if n, found := nameOfPath(e, r); found {
		return n
	}
	var buf [2*maxName + 1]byte
	if n := known.pairs[string(squashPair(buf[:0], e.ResourceType, e.ActionType))]; n != nil {
		return *n
	}
	resourceType, actionType := withoutIDs(e.ResourceType), e.ActionType
	if resourceType == "" && e.ActionInfo != "" {
		actionType = withoutIDs(e.ActionInfo)
	}
	return nameByWords(resourceType, actionType, e.ActionInfo)
}

// nameOfPath names a request by the parts of its path that say more than the words
// of it in their order: what is below a member of a collection is not the member,
// so that to delete a deployment of a project does not delete the project, and the
// last segment may be what is done: ".../outgoing/disable".
func nameOfPath(e *audit.Entry, r *routed) (n naming, found bool) {
	whole, below := e.ResourceType, ""
	if e.ResourceType == r.words {
		whole, below = splitMember(e.Call.Path)
	}
	deed := ""
	if e.Call.Method != "GET" && e.Call.Method != "DELETE" {
		if below == "" {
			whole, deed = cutDeed(whole)
		} else {
			below, deed = cutDeed(below)
		}
	}
	if whole == "" || below == "" && deed == "" {
		return naming{}, false
	}
	resource, from := words(nil, whole), 0
	if below != "" {
		from, resource = len(resource)-1, words(nil, whole+"."+below)
	}
	action := words(nil, cmp.Or(deed, e.ActionType))
	v := findVerb(action)
	for i := range known.subjects {
		s := &known.subjects[i]
		if v.kind == "" && deed == "" || !s.fits(resource, action, 0) {
			continue
		}
		ofWhole := s.fits(resource, action, from) && (v.name == v.kind || isSwitch(v.kind))
		if v.kind == VerbUpdate || ofWhole && v.kind != "" { // a change of a part is one of the whole
			return *s.names[v.kind], true
		}
		name := joinName(below, words(nil, below), action)
		return newNaming(s.name + "." + strings.TrimPrefix(name, ActionUnknown+".")), true
	}
	if below != "" {
		whole += "." + below
	}
	return newNaming(joinName(whole, words(nil, whole), action)), true
}

// isSwitch reports whether verbs of a kind all come to the same.
func isSwitch(kind string) bool { return kind == VerbEnable || kind == verbDisable || kind == VerbRoll }

// splitMember splits the words of a path after the last member of a collection that
// has something below it.
func splitMember(path string) (whole, below string) {
	var buf [maxPath]string
	parts := segments(buf[:0], path)
	last, begin := len(parts), 2
	if parts[0] == "accounts" || parts[0] == "zones" {
		begin = 3
	}
	isShown := areWords(parts)
	for i := last - 1; i >= begin; i-- {
		switch {
		case isShown[i]:
		case i == last-1:
			last = i // the request is about the member itself
		default:
			return wordsOf(parts[:i]), joinWords(parts[i+1:last], isShown[i+1:])
		}
	}
	return wordsOf(parts), ""
}

// cutDeed cuts the last segment off the words of a path if it is a deed.
func cutDeed(path string) (rest, deed string) {
	i := strings.LastIndexByte(path, '.')
	if !isDeed(path[i+1:]) {
		return path, ""
	}
	return path[:max(i, 0)], path[i+1:]
}

// pathDeeds are the verbs that the last segment of a path may be, apart from those
// of the canonical actions that cannot be nouns.
const pathDeeds = " abort ack analyze apply approve archive cancel check clear discover disconnect dismiss download evaluate export generate get ignore kick " +
	"new peek precheck preview pull push query refresh renew restart restore retry revert rollback search send start stop submit sync trigger tune " +
	"unarchive unignore unrevoke upsert validate verify "

// isDeed reports whether the last segment of a path is what is done to the rest of
// it: "disable", "purge_build_cache", "batch-delete".
func isDeed(segment string) bool {
	var buf [maxName + 8]byte
	name := bytes.Trim(words(buf[:0], segment), "_")
	first, last := name, name
	if i := bytes.IndexByte(name, '_'); i > 0 {
		first, last = name[:i], name[bytes.LastIndexByte(name, '_')+1:]
	}
	if several := string(first); several == "batch" || several == "bulk" {
		first = last
	}
	return isStrong(first) || len(first) > 0 && strings.Contains(pathDeeds, " "+string(first)+" ")
}

func isStrong(word []byte) bool {
	v, ok := known.verbs[string(word)]
	return ok && !v.weak
}

// nameOfOperation is the name derived from the words of an operation, or nil if
// no subject fits.
func nameOfOperation(operation string) *naming {
	resource, action := words(nil, ""), words(nil, operation)
	v := findVerb(action)
	if v.kind == "" {
		return nil
	}
	for i := range known.subjects {
		if s := &known.subjects[i]; s.fits(resource, action, 0) {
			return s.names[v.kind]
		}
	}
	return nil
}
