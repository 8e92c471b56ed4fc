package cloudflareaudit

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// call is what an entry of Audit Logs v2 says beyond one of the audit log: the
// request behind it.
type call struct {
	routed
	ingest.Request
	accountID string
	// scope is user, account or zone, or what else the entry calls it.
	scope string
	// whole says that the body is a rule set as it is from now on, and not what
	// changed in it.
	whole bool
}

// isV2 reports whether the one entry of p, scanned with layoutV2, is an entry of
// Audit Logs v2 rather than one of the audit log, by the parts it has.
func (p *page) isV2() bool {
	if len(p.entries) != 1 {
		return false
	}
	for _, at := range []int{atWhen, atMethod, atURI, atProduct, atRequest, atActorContext} {
		if p.entries[0].at[at].end > 0 {
			return true
		}
	}
	return false
}

// entryV2 decodes the i-th entry of Audit Logs v2 into what an entry of the audit
// log would say, as far as that can be known, so that both are graded by the same
// code. Secrets in the bodies and in the query are masked first: nothing behind
// this sees them.
func (p *page) entryV2(i int) *entry {
	s, e, c := &p.entries[i], &p.decoded, new(call)
	*e = entry{raw: string(s.entry.of(p.body)), call: c}
	text := func(at int) string { return e.part(s, at).text() }

	e.decodeID(text(atID))
	c.Method = oneLine(strings.ToUpper(text(atMethod)), maxText)
	path, _, _ := strings.Cut(text(atURI), "?")
	c.routed = findRoute(c.Method, path)
	m := maskingOf(c.naming)
	if !utf8.ValidString(e.raw) {
		e.notes = append(e.notes, noteInvalidUTF8)
	}
	if shown := m.call(e.raw); m.n > 0 {
		e.notes = append(e.notes, maskedNote(m.n))
		one := page{layout: &layoutV2, body: []byte(shown)}
		if e.raw, s = shown, new(scanned); one.scanOne() == nil {
			s = &one.entries[0]
		}
	}

	e.decodeTime(s)
	e.decodeActor(text)
	c.URI = oneLine(text(atURI), maxText)
	c.Description = oneLine(e.actionInfo, maxText)
	c.StatusCode = oneLine(text(atStatusCode), maxText)
	c.UserAgent = oneLine(text(atUserAgent), maxText)
	c.RequestID = oneLine(text(atRay), maxText)
	c.Credential = oneLine(text(atActorContext), maxText)
	e.iface = interfaceOf(c.Credential)
	token := e.part(s, atActorToken)
	c.TokenID = oneLine(or(token.get("id").text(), text(atActorTokenID)), maxText)
	c.TokenName = oneLine(or(token.get("name").text(), text(atActorTokenName)), maxText)

	e.actionType = or(text(atActionType), verbOfMethod(c.Method))
	e.resourceType = c.resourceType(text(atProduct), text(atResourceType))
	c.accountID = or(text(atAccountID), c.account)
	c.scope = c.scopeOf(text(atScope))
	if e.ownerID = c.accountID; c.scope == "user" {
		e.ownerID = e.actorID
	}
	asked, result := first(unwrapped(e.part(s, atRequest))), first(resultOf(unwrapped(e.part(s, atResponse))))
	e.resourceID = or(c.id, or(text(atResourceID), firstText(result, "id", "uuid")))
	e.newValue, e.metadata = c.values(asked, result, or(text(atZoneID), c.zone), text(atZoneName))

	e.decodeOdd(s.odd, c.URI != "")
	return e
}

// interfaceOf is how a request was made, in the words of the audit log.
func interfaceOf(credential string) string {
	switch credential {
	case "":
		return ""
	case "dash":
		return "UI"
	}
	return "API"
}

// verbOfMethod is the type of an action where the entry does not say it.
func verbOfMethod(method string) string {
	for _, c := range collection {
		if c.method == method {
			return c.verb
		}
	}
	return ""
}

// resourceType is the product and the type of a resource. The type is mostly
// missing; then the path says what it would be.
func (c *call) resourceType(product, kind string) string {
	switch {
	case product == "":
		return or(kind, c.words)
	case kind != "":
		return product + "." + kind
	case strings.HasPrefix(c.words, product+"."):
		return c.words
	}
	return product
}

// scopeOf is the scope in the singular: "zones" is that of a zone.
func (c *call) scopeOf(scope string) string {
	switch scope = strings.TrimSuffix(strings.ToLower(scope), "s"); {
	case c.user && (scope == "" || scope == "membership"):
		return "user"
	case scope != "":
		return scope
	case c.zone != "":
		return "zone"
	case c.account != "":
		return "account"
	}
	return ""
}

// plainValues reports whether what an action is about has values that are no
// secrets, such as settings and records. Elsewhere a member called "value" may be
// a new token, or the secret of a Worker.
func plainValues(n *naming) bool {
	switch n.family {
	case familyDNS, familyFirewall:
		return true
	case familyOther:
		return strings.HasPrefix(n.name, "email_routing.")
	case familyGateway:
		return strings.HasPrefix(n.name, "gateway.list.")
	case familyR2:
		return strings.HasPrefix(n.name, "r2.bucket.")
	case familyZone:
		return !strings.HasPrefix(n.name, "zone.certificate.")
	case familyAccount:
		return !strings.HasPrefix(n.name, "account.")
	}
	return false
}

// resultOf is the result in a response, with or without the envelope of the API.
func resultOf(response value) value {
	if response.kind() == '{' {
		if result := response.get("result"); result != "" && response.get("success") != "" {
			return result
		}
	}
	return response
}

// unwrapped is a body, or what it holds where it is JSON within a text.
func unwrapped(body value) value {
	if body.kind() == '"' {
		return valueOf("", body)
	}
	return body
}

// first is a body, or the first element of a list.
func first(body value) value {
	if body.kind() != '[' {
		return body
	}
	var element value
	body.each(func(_ string, v value) bool {
		element = v
		return false
	})
	return element
}

// firstText is the first of the members of an object that has some text.
func firstText(object value, keys ...string) string {
	for _, key := range keys {
		if text := object.get(key).text(); text != "" {
			return text
		}
	}
	return ""
}

// maxCopied bounds a member that is copied into the metadata, in bytes.
const maxCopied = 4096

// values makes the new value of an entry and its metadata. The value is the
// resource as it is from now on: for what is created, and for members, whose
// roles have names only there, that is what the API answered; for other changes
// it is what was asked for, because an answer repeats all that stayed as it was.
// The other body lends the metadata what the value does not say.
func (c *call) values(request, result value, zoneID, zoneName string) (after, metadata value) {
	name := ""
	if c.naming != nil {
		name = c.name
	}
	isRuleset := strings.Contains(c.words, "rulesets")
	part := isRuleset && strings.HasSuffix(c.words, "rules") && c.Method != "GET"
	c.whole = isRuleset && c.Method == "PUT" && !part
	after, other := request, result
	switch {
	case part:
		after, other = describedAs(request, ruleName(result, c.id)), ""
	case c.Method == "POST" && name != "zone.cache.purge", strings.HasPrefix(name, "member."), !hasMembers(request):
		if hasMembers(result) {
			after, other = result, request
		}
	}
	if after.kind() != '{' {
		after = ""
	}

	b := []byte{'{'}
	add := func(key, text string) {
		if text != "" {
			b = appendMember(b, key, quote(text))
		}
	}
	if isRuleset || strings.Contains(c.words, "access_rules") {
		kind := "zone"
		if c.zone == "" {
			kind = "root"
		}
		add("kind", kind)
		add("phase", result.get("phase").text())
	}
	if c.words == "zones" || name == "zone.create" {
		zoneName = or(zoneName, or(result.get("name").text(), request.get("name").text()))
		zoneID = or(zoneID, result.get("id").text())
	}
	for i := 0; i+1 < len(c.more); i += 2 {
		add(c.more[i], c.more[i+1])
	}
	add("zone_id", zoneID)
	add("zone_name", zoneName)
	have := object(nil).read(after, nil)
	for _, m := range object(nil).read(other, nil) {
		if len(m.val) <= maxCopied && !have.has(m.key) {
			b = appendMember(b, m.key, m.val)
		}
	}
	return after, value(append(b, '}'))
}

func appendMember(b []byte, key string, v value) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	b, _ = jsontext.AppendQuote(b, key)
	b = append(b, ':')
	return append(b, v...)
}

// hasMembers reports whether a body is an object that says something.
func hasMembers(body value) bool {
	has := false
	if body.kind() == '{' {
		body.each(func(string, value) bool {
			has = true
			return false
		})
	}
	return has
}

// describedAs is an object with a description, its own if it has one.
func describedAs(object value, description string) value {
	if object.kind() != '{' || description == "" || object.get("description") != "" {
		return object
	}
	b := append(appendMember([]byte{'{'}, "description", quote(description)), ',')
	if !hasMembers(object) {
		b = b[:len(b)-1]
	}
	return value(append(b, object[1:]...))
}

// ruleName is what a rule set calls the rule with an id.
func ruleName(ruleset value, id string) string {
	name := ""
	ruleset.get("rules").each(func(_ string, rule value) bool {
		if id != "" && rule.get("id").text() == id {
			name = firstText(rule, "description", "ref")
		}
		return name == ""
	})
	return name
}

// nameOfCall finds the canonical action of an entry of Audit Logs v2: by its
// method and path, by what the API calls the operation, and else by the product
// and the type of the resource.
func nameOfCall(e *entry) naming {
	if e.call.naming != nil {
		return *e.call.naming
	}
	if n := nameBySubject("", e.actionInfo); n != nil {
		return *n
	}
	// What is below a thing may be what is done to it: ".../outgoing/disable".
	if i := strings.LastIndexByte(e.resourceType, '.'); i > 0 && e.call.Method != "GET" && e.call.Method != "DELETE" {
		switch v := verbOf[e.resourceType[i+1:]]; v.kind {
		case verbEnable, verbDisable, verbRoll, verbReset, verbDelete, verbDeploy:
			below := *e
			below.resourceType, below.actionType = e.resourceType[:i], e.resourceType[i+1:]
			return nameByWords(&below)
		}
	}
	var buf [2*maxName + 1]byte
	if n := byPair[string(squashPair(buf[:0], e.resourceType, e.actionType))]; n != nil {
		return *n
	}
	if e.resourceType == "" && e.actionInfo != "" {
		described := *e
		described.actionType = e.actionInfo
		return nameByWords(&described)
	}
	return nameByWords(e)
}

// nameBySubject is the name that the words of a resource and an action lead to,
// or nil where no subject fits.
func nameBySubject(resourceType, action string) *naming {
	resource, words := words(nil, resourceType), words(nil, action)
	v := findVerb(words)
	if v.kind == "" {
		return nil
	}
	for i := range subjectList {
		if s := &subjectList[i]; s.fits(resource, words) {
			return s.names[v.kind]
		}
	}
	return nil
}

func maskedNote(n int) string {
	if n == 1 {
		return "1 value that is or may be a secret is masked in raw_event"
	}
	return strconv.Itoa(n) + " values that are or may be secrets are masked in raw_event"
}
