package product

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// collection is what the methods do to the members of a collection.
var collection = []struct{ method, verb string }{
	{"POST", VerbCreate}, {"PUT", VerbUpdate}, {"PATCH", VerbUpdate}, {"DELETE", VerbDelete}, {"GET", verbView},
}

// scopes are the expansions of {scope}.
var scopes = []string{"/accounts/{account}", "/zones/{zone}", "/user"}

// maxPath bounds the number of segments of a path that is looked up.
const maxPath = 16

// indexedRoute is a row of routes with its path in parts.
type indexedRoute struct {
	parts []string
	name  *naming
	// words are those of the paths that fit; see routed.
	words string
}

// routeKey is the key for looking up routes: a method, a number of segments,
// and the first segment that names something of the API.
type routeKey struct {
	method string
	parts  int
	word   string
}

// keyOf is the key of a request or of a row.
func keyOf(method string, parts []string) routeKey {
	key := routeKey{method, len(parts), parts[0]}
	switch {
	case len(parts) > 2 && (parts[0] == "accounts" || parts[0] == "zones"):
		key.word = parts[2]
	case len(parts) > 1 && parts[0] == "user":
		key.word = parts[1]
	}
	return key
}

// addRoutes adds the paths of a row, one for each scope and method.
func (x *index) addRoutes(r route) {
	paths := []string{r.path}
	if below, ok := strings.CutPrefix(r.path, "{scope}"); ok {
		paths = paths[:0]
		for _, scope := range scopes {
			paths = append(paths, scope+below)
		}
	}
	for _, path := range paths {
		for method := range strings.FieldsSeq(r.method) {
			if method != "*" {
				x.addRoute(method, path, r.name)
				continue
			}
			for _, c := range collection {
				x.addRoute(c.method, path, r.name+"."+c.verb)
				if c.verb != VerbCreate {
					x.addRoute(c.method, path+"/{id}", r.name+"."+c.verb)
				}
			}
		}
	}
}

func (x *index) addRoute(method, path, name string) {
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		if part[0] != '{' {
			follows := i+1 < len(parts) && parts[i+1][0] == '{'
			x.words[part] = x.words[part] || follows
		}
	}
	key := keyOf(method, parts)
	x.routes[key] = append(x.routes[key], indexedRoute{parts, x.named(name), wordsOf(parts)})
}

// routed is what can be derived from a method and a path alone.
type routed struct {
	name *naming // nil when no row fits
	// zone, account and id are those in the path, if present.
	zone, account, id string
	// more are the other named segments of the path, with their names.
	more []string
	// user says that the path is one below /user.
	user bool
	// words are the segments of the path that are not ids, joined by dots,
	// without the scope unless there is nothing else.
	words string
}

// findRoute looks a request up. path is without its query.
func findRoute(method, path string) routed {
	var r routed
	if method == "HEAD" {
		method = "GET"
	}
	var buf [maxPath]string
	parts := segments(buf[:0], path)
	r.root(parts)
	for _, row := range known.routes[keyOf(method, parts)] {
		if row.fits(parts) {
			r.name, r.words = row.name, row.words
			for i, part := range row.parts {
				if part[0] == '{' {
					r.put(part[1:len(part)-1], parts[i])
				}
			}
			return r
		}
	}
	r.words = wordsOf(parts)
	return r
}

// trimmed is a path without the prefix of the API and the slashes around it.
func trimmed(path string) string {
	return strings.Trim(strings.TrimPrefix(path, "/client/v4"), "/")
}

// segments appends the segments of a path to parts, maxPath at most.
func segments(parts []string, path string) []string {
	for part := range strings.SplitSeq(trimmed(path), "/") {
		if len(parts) == maxPath {
			break
		}
		if strings.IndexByte(part, '%') >= 0 {
			if plain, err := url.PathUnescape(part); err == nil {
				part = plain
			}
		}
		parts = append(parts, part)
	}
	return parts
}

func (r *indexedRoute) fits(parts []string) bool {
	for i, part := range r.parts {
		if part[0] != '{' && part != parts[i] || parts[i] == "" {
			return false
		}
	}
	return true
}

func (r *routed) put(name, part string) {
	switch name {
	case "zone":
		r.zone = part
	case "account":
		r.account = part
	case "id":
		r.id = part
	default:
		r.more = append(r.more, name, part)
	}
}

// root records the scope of the path, whether a row fits or not.
func (r *routed) root(parts []string) {
	switch parts[0] {
	case "accounts":
		if len(parts) > 1 {
			r.account = parts[1]
		}
	case "zones":
		if len(parts) > 1 {
			r.zone = parts[1]
		}
	case "user", "memberships":
		r.user = true
	}
}

// wordsOf are the segments of a path, or of a row, that are not ids, joined by
// dots.
func wordsOf(parts []string) string {
	root := parts[0]
	switch {
	case (root == "accounts" || root == "zones") && len(parts) > 1:
		parts = parts[2:]
	case root == "user" && len(parts) > 1:
		parts = parts[1:]
	}
	isShown := areWords(parts)
	if words := joinWords(parts, isShown[:]); words != "" {
		return words
	}
	return root
}

// areWords reports which segments of a path are words of the API, see [isWord].
func areWords(parts []string) (isShown [maxPath]bool) {
	mayBeName := false
	for i, part := range parts {
		isShown[i] = isWord(part, mayBeName)
		mayBeName = isShown[i] && mayBeFollowedByName(part)
	}
	return isShown
}

// joinWords joins the shown segments by dots.
func joinWords(parts []string, isShown []bool) string {
	var b []byte
	for i, part := range parts {
		if isShown[i] {
			b = append(append(b, '.'), part...)
		}
	}
	return strings.TrimPrefix(string(b), ".")
}

// isWord reports whether a segment of a path appears to be a word of the API
// rather than an id or a name. mayBeName says that one may stand there.
func isWord(part string, mayBeName bool) bool {
	if part == "" || part[0] == '{' {
		return false
	}
	if _, isKnown := known.words[part]; isKnown {
		return true
	}
	const lower, digits, longest = "abcdefghijklmnopqrstuvwxyz_-", "0123456789", 30
	hasDigits := strings.ContainsAny(part, digits)
	return (!mayBeName || strings.Contains(part, "_") && isDeed(part)) && len(part) <= longest && strings.Trim(part, lower+digits) == "" &&
		(!hasDigits || len(part) <= 3 && strings.Trim(part, digits) != "")
}

// mayBeFollowedByName reports whether an id or a name may follow a word of a path:
// where the API has one, or where the word is a plural that the API does not have.
func mayBeFollowedByName(word string) bool {
	follows, isKnown := known.words[word]
	return follows || !isKnown && strings.HasSuffix(word, "s") && !strings.HasSuffix(word, "ss")
}

// verbOfMethod is the type of an action if the entry does not state it.
func verbOfMethod(method string) string {
	for _, c := range collection {
		if c.method == method {
			return c.verb
		}
	}
	return ""
}

// complete adds the details that are only in the path of the request to an
// entry of Audit Logs v2, so that it has what an entry of the audit log would
// have.
func (r *routed) complete(e *audit.Entry) {
	c := e.Call
	e.ActionType = cmp.Or(e.ActionType, verbOfMethod(c.Method))
	e.ResourceType = r.resourceType(c.Product, e.ResourceType)
	c.AccountID = cmp.Or(c.AccountID, r.account)
	c.Scope = r.scopeOf(c.Scope)
	if e.OwnerID = c.AccountID; c.Scope == "user" {
		e.OwnerID = e.ActorID
	}
}

// resourceType is the product and the type of a resource. The type is usually
// missing and then derived from the path.
func (r *routed) resourceType(product, kind string) string {
	switch {
	case product == "":
		return cmp.Or(kind, r.words)
	case kind != "":
		return product + "." + kind
	case strings.HasPrefix(r.words, product+"."):
		return r.words
	}
	return product
}

// scopeOf is the scope in the singular: "zones" is that of a zone.
func (r *routed) scopeOf(scope string) string {
	switch scope = strings.TrimSuffix(strings.ToLower(scope), "s"); {
	case r.user && (scope == "" || scope == "membership"):
		return "user"
	case scope != "":
		return scope
	case r.zone != "":
		return "zone"
	case r.account != "":
		return "account"
	}
	return ""
}

// maxCopied bounds a member that is copied into the metadata, in bytes.
const maxCopied = 4096

// bodies derives the members of an audit-log entry from the bodies of a request
// and its response: the resource after the change, and the metadata. For
// created resources, and for members, whose roles have names only there, the
// resource is the response; for other changes it is the request, because a
// response repeats all unchanged values. The other body adds to the metadata
// what the resource lacks.
func (r *review) bodies() {
	e, path := r.e, &r.route
	request := firstOf(audit.Unwrapped(e.Call.Request))
	result := firstOf(resultOf(audit.Unwrapped(e.Call.Response)))
	e.ResourceID = cmp.Or(path.id, e.ResourceID, textOf(result, "id", "uuid"))

	isRuleset := path.isRuleset()
	part := path.isRule() && e.Call.Method != "GET"
	r.whole = isRuleset && e.Call.Method == "PUT" && !part
	after, lender := request, result
	described := ""
	switch {
	case part:
		described, lender = ruleName(result, path.id), jsondoc.Value{}
	case e.Call.Method == "POST" && !path.is("zone.cache.purge"), path.begins("member."), !hasMembers(request):
		if hasMembers(result) {
			after, lender = result, request
		}
	}
	if after.Kind() != jsondoc.Object {
		after = jsondoc.Value{}
	}
	e.New = after
	r.after = r.after.read(after)
	if described != "" && after.Exists() && !r.after.has("description") {
		r.after = slices.Insert(r.after, 0, member{"description", e.Doc.Literal(described)})
	}

	r.meta = r.meta[:0]
	if isRuleset || strings.Contains(path.words, "access_rules") {
		kind := "zone"
		if path.zone == "" {
			kind = "root"
		}
		r.addMeta("kind", kind)
		r.addMeta("phase", result.Get("phase").Text())
	}
	zoneID, zoneName := cmp.Or(e.Call.ZoneID, path.zone), e.Call.ZoneName
	if path.words == "zones" || path.is("zone.create") {
		zoneName = cmp.Or(zoneName, result.Get("name").Text(), request.Get("name").Text())
		zoneID = cmp.Or(zoneID, result.Get("id").Text())
	}
	for i := 0; i+1 < len(path.more); i += 2 {
		r.addMeta(path.more[i], path.more[i+1])
	}
	r.addMeta("zone_id", zoneID)
	r.addMeta("zone_name", zoneName)
	for m := range lender.All() {
		if lender.Kind() == jsondoc.Object && m.Len() <= maxCopied && !r.after.has(m.Name()) && len(r.meta) < maxMembers {
			r.meta = append(r.meta, member{m.Name(), m})
		}
	}
}

func (r *review) addMeta(key, text string) {
	if text != "" {
		r.meta = append(r.meta, member{key, r.e.Doc.Literal(text)})
	}
}

// is reports whether the route leads to the canonical action.
func (r *routed) is(action string) bool { return r.name != nil && r.name.name == action }

func (r *routed) begins(prefix string) bool {
	return r.name != nil && strings.HasPrefix(r.name.name, prefix)
}

// isRuleset reports whether the route leads to a rule set or a rule of one, and
// isRule whether it leads to a rule, or to the rules.
func (r *routed) isRuleset() bool { return strings.Contains(r.words, "rulesets") }

func (r *routed) isRule() bool { return r.isRuleset() && strings.HasSuffix(r.words, "rules") }

// resultOf is the result in a response, with or without the envelope of the API.
func resultOf(response jsondoc.Value) jsondoc.Value {
	if result := response.Get("result"); result.Exists() && response.Get("success").Exists() {
		return result
	}
	return response
}

// firstOf is a body, or the first element of a list.
func firstOf(body jsondoc.Value) jsondoc.Value {
	if body.Kind() != jsondoc.Array {
		return body
	}
	return body.First()
}

// textOf is the first non-empty text among members of an object.
func textOf(body jsondoc.Value, keys ...string) string {
	for _, key := range keys {
		if text := body.Get(key).Text(); text != "" {
			return text
		}
	}
	return ""
}

// hasMembers reports whether a body is a non-empty object.
func hasMembers(body jsondoc.Value) bool {
	return body.Kind() == jsondoc.Object && body.First().Exists()
}

// ruleName is the name of the rule with an id in a rule set.
func ruleName(ruleset jsondoc.Value, id string) string {
	return textOf(ruleIn(ruleset, id), "description", "ref")
}
