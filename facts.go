package cloudflareaudit

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// facts is what an entry did, in the terms that rules and events are written
// in.
type facts struct {
	// naming is the canonical action, its family and the kind of its verb.
	naming

	// target is the resource as a person would call it.
	target string
	// zoneName, in lower case and without a dot at its end, and zoneID are the
	// zone. Both are empty when the entry names none.
	zoneName, zoneID string
	// accountWide says that a ruleset belongs to the account, and with it to
	// every zone.
	accountWide bool

	recordType  string // of a DNS record, in upper case
	setting     string // the name of a zone setting
	settingPath string // with what Cloudflare files it under: "firewall/waf"
	role        string // one of the role states, or "" when it is not about a member
	roleName    string // the roles given, as text
	scope       string // of an API token, or "" when it is not about one
	tokenID     string // of an API token
	ownToken    bool   // the token is the connector's own; see Normalizer.facts
	decision    string // of an Access policy, in lower case
	script      string // the Worker of a script or route
	noScript    bool   // a route that says it has no script: it switches Workers off

	// direction is weaker, safer or "" for a change that moved no protection.
	direction string

	changes        []ingest.FieldChange
	changesOmitted int

	systemActor bool   // Cloudflare's own machinery
	staffActor  bool   // a person at Cloudflare
	actorName   string // what the entry calls the actor, if anything
}

// The states of the role given to a member.
const (
	roleSuper     = "super_administrator"
	roleOther     = "other"
	roleUnknown   = "unknown"
	roleUnchanged = "unchanged"
)

// The scopes of an API token.
const (
	scopeBroad   = "broad"
	scopeNarrow  = "narrow"
	scopeUnknown = "unknown"
)

// The directions of a change.
const (
	weaker = "weaker"
	safer  = "safer"
)

// settingOrders are the values of the zone settings that protect something,
// from the weakest to the safest.
var settingOrders = map[string]string{
	"security_level":  "off essentially_off low medium high under_attack",
	"ssl":             "off flexible full strict origin_pull",
	"min_tls_version": "1.0 1.1 1.2 1.3",

	"always_use_https":          "off on",
	"advanced_ddos":             "off on",
	"automatic_https_rewrites":  "off on",
	"bot_fight_mode":            "off on",
	"browser_check":             "off on",
	"dnssec":                    "off on",
	"email_obfuscation":         "off on",
	"hotlink_protection":        "off on",
	"hsts":                      "off on",
	"leaked_credential_checks":  "off on",
	"opportunistic_encryption":  "off on",
	"replace_insecure_js":       "off on",
	"security_header":           "off on",
	"server_side_exclude":       "off on",
	"strict_transport_security": "off on",
	"tls_1_2_only":              "off on",
	"tls_1_3":                   "off on",
	"tls_client_auth":           "off on",
	"universal_ssl":             "off on",
	"waf":                       "off on",

	"0rtt":             "on off",
	"development_mode": "on off",
}

// actionStrength orders what a firewall rule does with a request.
var actionStrength = map[string]int{
	"skip": 1, "allow": 1, "bypass": 1, "whitelist": 1, "disable": 1,
	"log": 2, "simulate": 2,
	"challenge": 3, "js_challenge": 3, "managed_challenge": 3, "interactive_challenge": 3,
	"block": 4, "ban": 4, "drop": 4,
}

// factsOf finds out what an entry did. It never fails: what an entry does not
// say stays empty.
func factsOf(e *entry) facts {
	r := reviews.Get().(*review)
	defer reviews.Put(r)
	r.reset(e)
	r.refine()
	f := r.facts
	// What is kept for reuse must not hold on to the entry.
	r.facts, r.e = facts{}, nil
	return f
}

var reviews = sync.Pool{New: func() any { return new(review) }}

// review is the work on one entry.
type review struct {
	facts
	e *entry
	// meta, before and after are the members of the entry's objects.
	meta, before, after object
	changed             [maxChanges]ingest.FieldChange
	n                   int
	// rule is the members of a firewall rule, and was and is are the rules of
	// a list: memory to be used again.
	rule    object
	was, is []value
}

// object is the members of a JSON object in their order.
type object []member

type member struct {
	key string
	val value
}

// maxMembers bounds how many members of an object are looked at.
const maxMembers = 200

// read fills o with the members of v, reusing its memory.
func (o object) read(v value) object {
	o = o[:0]
	if v.kind() == '{' {
		v.each(func(key string, val value) bool {
			o = append(o, member{key, val})
			return len(o) < maxMembers
		})
	}
	return o
}

// get is the value of the first of the keys that o has and that is not null.
func (o object) get(keys ...string) value {
	for _, key := range keys {
		// Of a repeated key the last one counts.
		for i := len(o) - 1; i >= 0; i-- {
			if o[i].key == key && o[i].val.kind() != 'n' {
				return o[i].val
			}
		}
	}
	return ""
}

// has reports whether o has the key, whatever its value.
func (o object) has(key string) bool {
	for i := range o {
		if o[i].key == key {
			return true
		}
	}
	return false
}

// text is the first of the keys that has some text.
func (o object) text(keys ...string) string {
	for _, key := range keys {
		if text := o.get(key).text(); text != "" {
			return text
		}
	}
	return ""
}

func (r *review) reset(e *entry) {
	r.e = e
	r.meta = r.meta.read(e.metadata)
	r.before = r.before.read(e.oldValue)
	r.after = r.after.read(e.newValue)
	r.n = 0
	r.facts = facts{naming: nameOf(e)}
	// What is deleted stands in the old value, except that Cloudflare's own
	// machinery writes it into the new one.
	if r.verb == verbDelete && len(r.before) == 0 && len(r.after) > 0 {
		r.before, r.after = r.after, r.before
	}
	switch {
	case strings.EqualFold(e.actorType, "system"), strings.EqualFold(e.actorType, "cloudflare"):
		r.systemActor = true
	case strings.EqualFold(e.actorType, "admin"), strings.EqualFold(e.actorType, "cloudflare_admin"):
		r.staffActor = true
		r.actorName = r.meta.text("actual_user")
	}
}

// text is the first of the keys that has some text in the resource after or
// before, or else in the metadata.
func (r *review) text(keys ...string) string {
	if text := r.after.text(keys...); text != "" {
		return text
	}
	if text := r.before.text(keys...); text != "" {
		return text
	}
	return r.meta.text(keys...)
}

// refine fills in the facts of the entry's family.
func (r *review) refine() {
	r.zoneName = zoneName(r.meta.text("zone_name"))
	if r.zoneName == "" {
		r.zoneName = zoneName(r.text("zone_name"))
	}
	r.zoneID = r.meta.text("zone_id", "zone_tag")
	if r.zoneID == "" {
		r.zoneID = r.text("zone_id")
	}
	if r.zoneID == "" && strings.EqualFold(r.e.resourceType, "zone") {
		r.zoneID = r.e.resourceID
	}
	switch r.family {
	case familyAccount:
		r.refineAccount()
	case familyZone:
		r.refineZone()
	case familyDNS:
		r.refineDNS()
	case familyFirewall:
		r.refineFirewall()
	case familyAccess:
		r.decision = strings.ToLower(r.text("decision"))
		r.target = r.text("name", "app_name")
		if r.decision == "bypass" && !strings.EqualFold(r.before.text("decision"), "bypass") {
			r.direction = weaker
		}
	case familyWorkers:
		r.refineWorker()
	case familyR2:
		r.target = r.meta.text("bucket", "bucket_name")
		if r.target == "" {
			r.target = r.text("bucket_name", "name")
		}
		if r.name == "r2.bucket.visibility.change" {
			r.refineVisibility()
		}
	case familyToken:
		r.refineToken()
	case familyLogs:
		r.refineLogDelivery()
	case familyGateway:
		r.target = r.text("name", "description")
	default:
		if r.name == "d1.database.update" && strings.EqualFold(r.e.actionInfo, "TimeTravel") {
			r.naming = *namings["d1.database.restore"]
		}
		r.target = r.text("name", "description")
	}
	if r.target == "" && r.e.resourceID != r.e.ownerID {
		r.target = r.e.resourceID
	}
	if strings.HasPrefix(r.name, "access_policy.") {
		// Policies of several applications often have the same name.
		if app := r.text("app_name", "app_id"); app != "" && app != r.target {
			r.target = strings.TrimSpace(r.target + " (" + app + ")")
		}
	}
	r.compare()
	r.changes = append(r.changes, r.changed[:r.n]...)
}

func (r *review) rename(name string) { r.naming = *namings[name] }

func (r *review) refineAccount() {
	r.target = r.meta.text("user_email", "email", "member_email")
	if r.target == "" {
		r.target = r.text("email", "invited_member_email")
	}
	if r.target == "" {
		r.target = r.after.get("user").get("email").text()
	}
	if r.target == "" {
		r.target = r.before.get("user").get("email").text()
	}
	switch r.name {
	case "account.2fa.enforce", "account.2fa.update", "account.2fa.enable", "account.update":
		if r.enforcement() == "false" {
			r.rename("account.2fa.disable")
		}
	case "account.staff_login":
		r.target = r.actorName
	}
	if e := r.e; r.target == "" && r.isAboutOneself() && (e.resourceID == "" || e.resourceID == e.actorID || e.resourceID == e.ownerID) {
		r.target = e.actorEmail
	}
	switch {
	case r.name == "account.2fa.disable":
		r.direction = weaker
	case r.name == "account.2fa.enable", r.name == "account.2fa.enforce":
		r.direction = safer
	case strings.HasPrefix(r.name, "member."), strings.HasPrefix(r.name, "user_group."):
		r.refineRole()
	}
}

// isAboutOneself reports whether users do this to their own access, so that the
// actor is the target where the entry names no other.
func (r *review) isAboutOneself() bool {
	switch r.name {
	case "account.login", "account.logout", "account.password.change", "account.email.change":
		return true
	case "account.2fa.enable", "account.2fa.disable", "account.2fa.update":
		return !r.isEnforcement()
	}
	return false
}

// isEnforcement reports whether the entry is about the demand for a second
// factor from all members.
func (r *review) isEnforcement() bool {
	return strings.Contains(strings.ToLower(r.e.actionType), "enforce")
}

// enforcement is the new value of the account-wide demand for a second factor,
// as text.
func (r *review) enforcement() string {
	if len(r.after) == 0 && r.isEnforcement() {
		return strings.ToLower(r.e.newValue.text())
	}
	now, before := r.after.get("enforce_twofactor"), r.before.get("enforce_twofactor")
	if now == "" {
		now = r.after.get("settings").get("enforce_twofactor")
		before = r.before.get("settings").get("enforce_twofactor")
	}
	if now == before && now != "" && r.name == "account.update" {
		// An update of another setting carries this one along.
		return ""
	}
	return now.text()
}

// superAdministrator is the id of the role Super Administrator, the same in
// every account.
const superAdministrator = "33666b9c79b9a5273fc7344ff42f953d"

// roles is what an object says about the roles it gives.
type roles struct {
	raw    value
	isSet  bool // there are roles
	super  bool // one is Super Administrator
	known  bool // one can be told
	opaque bool // one cannot
	names  string
}

// rolesIn reads the roles of a member wherever an entry may have put them.
func rolesIn(o object, prefix string) roles {
	var found roles
	for i := range o {
		key, ok := strings.CutPrefix(o[i].key, prefix)
		if !ok {
			continue
		}
		switch key {
		case "role", "roles", "role_name", "role_names", "role_id", "role_ids":
			found.raw = o[i].val
			found.read(o[i].val)
		case "policies":
			found.raw = o[i].val
			o[i].val.each(func(_ string, policy value) bool {
				found.opaque = true
				found.read(policy.get("permission_groups"))
				return true
			})
		}
	}
	return found
}

func (r *roles) read(v value) {
	switch v.kind() {
	case '"':
		if text := v.text(); text != "" {
			r.add("", text)
		}
	case '{':
		r.add(v.get("id").text(), v.get("name").text())
	case '[':
		v.each(func(_ string, role value) bool {
			r.read(role)
			return true
		})
	}
}

func (r *roles) add(id, name string) {
	var buf [2*maxName + 1]byte
	r.isSet = true
	switch {
	case id == superAdministrator, strings.Contains(name, superAdministrator):
		r.super = true
		name = "Super Administrator"
	case bytes.Contains(squash(buf[:0], name), []byte("superadmin")):
		r.super = true
	case name == "":
		r.opaque = true
		return
	}
	r.known = true
	if isHexID(name) {
		return
	}
	switch {
	case r.names == "":
		r.names = name
	case len(r.names) < 100:
		r.names += ", " + name
	}
}

// refineRole finds out which role a member is given.
func (r *review) refineRole() {
	if r.verb == verbDelete {
		return
	}
	given, had := rolesIn(r.after, ""), rolesIn(r.before, "")
	if !given.isSet {
		given = rolesIn(r.meta, "")
	}
	if !given.isSet {
		given = rolesIn(r.meta, "new_")
	}
	if !had.isSet {
		had = rolesIn(r.meta, "old_")
	}
	r.roleName = given.names
	switch {
	case given.super && !had.super:
		r.role = roleSuper
	case given.isSet && given.raw == had.raw:
		r.role = roleUnchanged
	case given.super, given.known && !given.opaque:
		r.role = roleOther
	case !given.isSet && r.verb == verbUpdate && len(r.after) > 0:
		r.role = roleUnchanged
	default:
		r.role = roleUnknown
	}
}

func (r *review) refineZone() {
	switch r.name {
	case "zone.create", "account.add":
		// The pair (account, add) is a zone's, unless it names none.
		if r.zoneName == "" && r.zoneID == "" && strings.EqualFold(r.e.resourceType, "account") {
			r.rename("account.add")
			if r.meta.has("user_email") {
				r.rename("member.add")
			}
			r.refineAccount()
			return
		}
	case "zone.settings.update":
		r.refineSetting()
		return
	case "zone.dnssec.update":
		switch strings.ToLower(r.text("status")) {
		case "disabled", "pending-disabled":
			r.rename("zone.dnssec.disable")
		case "active", "pending":
			r.rename("zone.dnssec.enable")
		}
	case "zone.hold.update":
		if r.after.text("hold") == "false" {
			r.rename("zone.hold.remove")
		}
	case "zone.update":
		if r.after.text("paused") == "true" && r.before.text("paused") != "true" {
			r.rename("zone.pause")
		}
	}
	switch r.name {
	case "zone.dnssec.disable", "zone.hold.remove", "zone.pause":
		r.direction = weaker
	case "zone.dnssec.enable", "zone.hold.create", "zone.unpause":
		r.direction = safer
	}
	r.target = r.meta.text("pr_match")
	if r.target == "" && strings.HasPrefix(r.name, "registrar.") {
		r.target = r.text("domain", "name")
	}
	if r.target == "" {
		r.target = r.zoneName
	}
	if r.target == "" {
		r.target = r.text("name")
	}
	if r.zoneName == "" && strings.EqualFold(r.e.resourceType, "zone") {
		r.zoneName = zoneName(r.text("name"))
	}
}

// refineSetting compares the values of a zone setting. They stand in the
// metadata, or in the old and the new value.
func (r *review) refineSetting() {
	r.setting = strings.ToLower(r.meta.text("name", "setting"))
	if r.setting == "" {
		r.setting = strings.ToLower(r.text("id", "name"))
	}
	r.target = r.setting
	now, before := r.meta.get("value", "new_value"), r.meta.get("old_value")
	if now == "" {
		now, before = r.after.get("value"), r.before.get("value")
	}
	if now == "" && len(r.after) == 0 {
		now = r.e.newValue
	}
	if before == "" && len(r.before) == 0 {
		before = r.e.oldValue
	}
	if r.setting == "" {
		return
	}
	if group := r.meta.text("type"); group != "" {
		r.settingPath = strings.ToLower(group) + "/" + r.setting
	}
	r.note(r.setting, before, now)
	r.direction = settingDirection(r.setting, before, now)
	if r.setting == "waf" && r.direction == weaker {
		// The whole of the WAF is every one of its rules.
		r.rename("waf_rule.disable")
	}
}

func settingDirection(setting string, before, now value) string {
	order, ok := settingOrders[setting]
	if !ok {
		return ""
	}
	to, top := settingRank(order, now)
	from, _ := settingRank(order, before)
	switch {
	case to < 0 || to == from:
		return ""
	case from >= 0 && to < from, from < 0 && to == 0:
		return weaker
	case from >= 0, to == top:
		return safer
	}
	return ""
}

// settingRank is where a value stands in the order of its setting, or -1, and
// the rank of the safest value.
func settingRank(order string, v value) (rank, top int) {
	text := v.text()
	switch {
	case v.kind() == '{':
		// HTTP strict transport security is an object.
		if inner := v.get("strict_transport_security"); inner != "" {
			v = inner
		}
		text = v.get("enabled").text()
		if v.get("max_age").text() == "0" {
			text = "false" // browsers forget it at once
		}
		fallthrough
	case text == "true", text == "false":
		text = map[string]string{"true": "on", "false": "off"}[text]
	}
	rank = -1
	for known := range strings.SplitSeq(order, " ") {
		if strings.EqualFold(known, text) {
			rank = top
		}
		top++
	}
	return rank, top - 1
}

func (r *review) refineDNS() {
	r.recordType = strings.ToUpper(r.text("type", "record_type"))
	// A record that becomes one of another type is lost as what it was.
	if lost := strings.ToUpper(r.before.text("type")); slices.Contains(addressRecords, lost) {
		r.recordType = lost
	}
	r.target = strings.TrimSuffix(r.text("name", "record_name"), ".")
	was, is := r.before.text("proxied"), r.after.text("proxied")
	switch {
	case was == "true" && is == "false":
		r.direction = weaker
	case was == "false" && is == "true":
		r.direction = safer
	}
}

func (r *review) refineWorker() {
	switch {
	case strings.HasPrefix(r.name, "worker.route."), strings.HasPrefix(r.name, "worker.domain."):
		r.target = r.meta.text("pattern", "hostname")
		if r.target == "" {
			r.target = r.text("pattern", "hostname")
		}
		for _, o := range []object{r.after, r.meta} {
			for _, key := range []string{"script", "script_name", "service"} {
				if r.script == "" {
					r.script = o.text(key)
				}
				r.noScript = r.noScript || o.has(key)
			}
		}
		r.noScript = r.noScript && r.script == ""
	default:
		r.script = r.e.resourceID
		if r.script == "" {
			r.script = r.text("script", "script_name", "name")
		}
		r.target = r.script
	}
}

// refineVisibility tells a bucket that is opened from one that is closed.
func (r *review) refineVisibility() {
	for _, o := range []object{r.after, r.meta} {
		for _, key := range []string{"public", "enabled", "visibility", "value"} {
			switch strings.ToLower(o.text(key)) {
			case "true", "public":
				r.direction = weaker
			case "false", "private":
				r.direction = safer
			}
		}
	}
}

func (r *review) refineToken() {
	if strings.HasPrefix(r.name, "api_key.") {
		r.target = r.e.actorEmail
		return
	}
	r.target = r.meta.text("token_name")
	if r.target == "" {
		r.target = r.text("name")
	}
	r.tokenID = r.meta.text("token_tag", "token_id")
	if r.tokenID == "" && !strings.EqualFold(r.e.resourceType, "account") && !strings.EqualFold(r.e.resourceType, "user") {
		r.tokenID = r.e.resourceID
	}
	if r.target == "" {
		r.target = r.tokenID
	}
	r.scope = scopeUnknown
	for _, o := range []object{r.after, r.meta} {
		for _, key := range []string{"policies", "scopes", "permissions", "permission_groups"} {
			if v := o.get(key); v != "" && r.scope == scopeUnknown {
				r.scope = scopeOf(v)
			}
		}
	}
}

// broadResources are resources of a token that stand for all there are.
var broadResources = []string{
	"com.cloudflare.api.account.*",
	"com.cloudflare.api.account.zone.*",
	"com.cloudflare.api.user.*",
	"account.*",
	"zone.*",
	"user.*",
	"*",
}

// broadPermissions are permission groups that lead to all the others.
var broadPermissions = []string{
	"account settings write",
	"account api tokens write",
	"account members write",
	"api tokens write",
	"memberships write",
	"workers scripts write",
	"dns write",
}

// manyPermissions is how many permission groups make a token a broad one.
const manyPermissions = 10

// scopeOf tells how much a token may do from its policies, or from a list of
// its permissions.
func scopeOf(v value) string {
	var s tokenScope
	s.read(v, 0)
	switch {
	case s.broad, s.groups >= manyPermissions, s.account && (s.writes || s.groups == 0):
		return scopeBroad
	case s.groups > 0, s.resources > 0:
		return scopeNarrow
	}
	return scopeUnknown
}

// tokenScope is what the policies of a token add up to.
type tokenScope struct {
	broad     bool // all there is of something, or a permission that leads there
	account   bool // an entire account
	writes    bool // something else than reading
	groups    int  // permissions named
	resources int
}

// read reads a policy, a permission, or a list of either.
func (s *tokenScope) read(v value, depth int) {
	switch kind := v.kind(); {
	case depth > maxDepth:
	case kind == '[':
		v.each(func(_ string, item value) bool {
			s.read(item, depth+1)
			return true
		})
	case kind == '"':
		s.permission(v.text())
	case kind == '{':
		o := object(nil).read(v)
		if strings.EqualFold(o.text("effect"), "deny") {
			return
		}
		if name := o.text("name"); name != "" {
			s.permission(name)
		}
		s.read(o.get("permission_groups"), depth+1)
		s.resource(o.get("resources"), depth+1)
	}
}

func (s *tokenScope) permission(name string) {
	name = strings.ToLower(name)
	s.groups++
	s.broad = s.broad || isBroad(name) || slices.Contains(broadPermissions, name)
	s.writes = s.writes || !strings.HasSuffix(name, "read")
}

func (s *tokenScope) resource(v value, depth int) {
	if v.kind() != '{' || depth > 2*maxDepth {
		return
	}
	v.each(func(name string, of value) bool {
		s.resources++
		s.broad = s.broad || isBroad(name)
		if of.text() == "*" && strings.HasPrefix(name, "com.cloudflare.api.account.") &&
			!strings.HasPrefix(name, "com.cloudflare.api.account.zone.") {
			s.account = true
		}
		s.resource(of, depth+1)
		return true
	})
}

func isBroad(resource string) bool {
	for _, broad := range broadResources {
		if strings.EqualFold(resource, broad) {
			return true
		}
	}
	return false
}

func (r *review) refineLogDelivery() {
	dataset, name := r.text("dataset"), r.text("name")
	switch {
	case name != "" && dataset != "":
		r.target = name + " (" + dataset + ")"
	default:
		r.target = name + dataset
	}
	if r.verb != verbUpdate {
		return
	}
	switch was, is := r.before.text("enabled"), r.after.text("enabled"); {
	case is == "false" && was != "false":
		r.rename("logpush.job.disable")
		r.direction = weaker
	case is == "true" && was == "false":
		r.rename("logpush.job.enable")
		r.direction = safer
	}
}

// zoneName is the name of a zone in lower case and without a dot at its end.
func zoneName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// isHexID reports whether s has the form of an id of Cloudflare's: 32
// hexadecimal digits.
func isHexID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// firewallControl is a rule of a ruleset, or an override in one, as far as it
// decides what happens to requests.
type firewallControl struct {
	id, parent string
	name       string
	off        bool
	strength   int // see actionStrength; 0 when it is not known
	action     string
}

// firewallPhases are the phases of rulesets that protect something. Those of
// the managed rules come first.
var (
	managedPhases  = []string{"http_request_firewall_managed", "http_response_firewall_managed", "http_request_sbfm", "ddos_", "magic_transit_managed"}
	firewallPhases = []string{"http_request_firewall_", "http_ratelimit", "http_request_api_gateway", "magic_transit"}
)

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func (r *review) refineFirewall() {
	r.target = r.text("description", "notes", "ref")
	phase, kind := r.meta.text("phase"), r.meta.text("kind")
	if phase == "" {
		phase, kind = r.text("phase"), r.text("kind")
	}
	switch kind {
	case "root", "custom", "managed":
		r.accountWide = true
	}
	managed := hasAnyPrefix(phase, managedPhases) || strings.HasPrefix(r.name, "waf_rule.") ||
		strings.HasPrefix(strings.ToLower(r.e.resourceType), "waf")
	if phase != "" && !managed && !hasAnyPrefix(phase, firewallPhases) {
		switch r.verb {
		case verbCreate, verbDelete:
			r.rename("zone.ruleset." + r.verb)
		default:
			r.rename("zone.ruleset.update")
		}
		if r.target == "" {
			r.target = r.text("name")
		}
		return
	}
	c := r.controls()
	d := c.compare()
	if d.target != "" {
		r.target = d.target
		if d.others > 0 {
			r.target += " and " + strconv.Itoa(d.others) + " more"
		}
	}
	if r.target == "" {
		r.target = r.text("name", "ruleset_name")
	}
	prefix := "firewall_rule."
	if managed {
		prefix = "waf_rule."
	}
	switch {
	case strings.HasSuffix(r.name, "_rule.disable"):
		r.direction = weaker
	case strings.HasSuffix(r.name, "_rule.enable"):
		r.direction = safer
	case r.verb == verbDelete:
		r.direction = d.removal
	case r.verb == verbCreate:
		r.direction = d.addition
	case r.verb != verbUpdate:
	case d.disabled:
		r.rename(prefix + verbDisable)
		r.direction = weaker
	case d.removed:
		r.rename("zone.firewall.rule.delete")
		r.direction = d.removal
	case d.moved == weaker:
		r.direction = weaker
	case d.added:
		r.rename("zone.firewall.rule.create")
		r.direction = d.addition
	case d.enabled:
		r.rename(prefix + verbEnable)
		r.direction = safer
	case d.moved == safer:
		r.direction = safer
	default:
		r.direction = r.limitDirection()
	}
	for _, change := range d.changes {
		r.add(change)
	}
}

// limitDirection tells a rate limit that lets more through from one that lets
// less through.
func (r *review) limitDirection() string {
	for _, key := range []string{"threshold", "requests_per_period"} {
		was, err1 := strconv.ParseFloat(r.before.text(key), 64)
		is, err2 := strconv.ParseFloat(r.after.text(key), 64)
		switch {
		case err1 != nil || err2 != nil:
		case is > was:
			return weaker
		case is < was:
			return safer
		}
	}
	return ""
}

// ruleLists are the members that hold the rules of a ruleset, and deletedLists
// those that hold the rules taken out of it.
var (
	ruleLists    = []string{"modified_rules", "rules", "added_rules", "new_rules"}
	deletedLists = []string{"deleted_rules", "removed_rules"}
)

// controls are the rules of a ruleset before and after.
type controls struct {
	before, after []firewallControl
	// complete says that a rule missing from one side did not exist then;
	// otherwise nothing is known of it.
	complete bool
	// deleted are the rules that the entry lists as deleted.
	deleted []firewallControl
}

// controls collects the rules of the entry. A rule that is not part of a
// ruleset is a list of one.
func (r *review) controls() controls {
	var c controls
	isList := false
	for _, key := range deletedLists {
		// They may stand on either side.
		for _, o := range []object{r.before, r.after} {
			if v := o.get(key); v != "" {
				isList = true
				r.was = appendElements(r.was[:0], v)
				c.deleted = r.appendControls(c.deleted, r.was)
			}
		}
	}
	for _, key := range ruleLists {
		before, after := r.before.get(key), r.after.get(key)
		switch {
		case before == "" && after == "":
			continue
		case before != "" && after != "":
			// The same list on both sides can be compared as it is.
			r.was, r.is = appendElements(r.was[:0], before), appendElements(r.is[:0], after)
			was, is := withoutCommon(r.was, r.is)
			return controls{r.appendControls(nil, was), r.appendControls(nil, is), true, c.deleted}
		}
		isList = true
		r.was, r.is = appendElements(r.was[:0], before), appendElements(r.is[:0], after)
		c.before, c.after = r.appendControls(c.before, r.was), r.appendControls(c.after, r.is)
	}
	if isList {
		return c
	}
	if len(r.before) > 0 {
		c.before = appendControl(nil, r.e.resourceID, r.before)
	}
	if len(r.after) > 0 {
		c.after = appendControl(nil, r.e.resourceID, r.after)
	}
	c.complete = r.verb != verbUpdate
	return c
}

// maxControls bounds how many rules of a ruleset are compared.
const maxControls = 200

func (r *review) appendControls(list []firewallControl, rules []value) []firewallControl {
	for _, rule := range rules {
		if rule.kind() == '{' && len(list) < maxControls {
			r.rule = r.rule.read(rule)
			list = appendControl(list, "", r.rule)
		}
	}
	return list
}

func appendElements(list []value, array value) []value {
	array.each(func(key string, element value) bool {
		list = append(list, element)
		return key == ""
	})
	return list
}

// withoutCommon leaves out what both lists begin or end with: an update of a
// ruleset repeats the rules that stay as they are.
func withoutCommon(was, is []value) (_, _ []value) {
	for len(was) > 0 && len(is) > 0 && was[0] == is[0] {
		was, is = was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	return was, is
}

func appendControl(list []firewallControl, id string, rule object) []firewallControl {
	c := firewallControl{id: id, name: rule.text("description", "notes")}
	if c.id == "" {
		c.id = rule.text("id", "ref")
	}
	c.readState(rule)
	list = append(list, c)
	if c.action != "execute" {
		return list
	}
	// A managed ruleset is weakened by overriding its rules.
	overrides := object(nil).read(rule.get("action_parameters").get("overrides"))
	if len(overrides) == 0 {
		return list
	}
	all := firewallControl{id: "*", parent: c.id, name: c.name}
	all.readState(overrides)
	list = append(list, all)
	for _, key := range []string{"rules", "categories"} {
		overrides.get(key).each(func(_ string, v value) bool {
			override := object(nil).read(v)
			o := firewallControl{id: override.text("id", "category"), parent: c.id, name: c.name}
			o.readState(override)
			list = append(list, o)
			return len(list) < maxControls
		})
	}
	return list
}

// readState reads whether a rule is in force and what it does.
func (c *firewallControl) readState(o object) {
	switch {
	case o.text("enabled") == "false", o.text("paused") == "true", o.text("disabled") == "true":
		c.off = true
	}
	c.action = strings.ToLower(o.text("action", "mode"))
	if c.action == "" {
		c.action = strings.ToLower(o.get("action").get("mode").text())
	}
	switch c.action {
	case "off", "disable", "disabled":
		c.off = true
	}
	c.strength = actionStrength[c.action]
}

// controlsDiff is what happened to the rules of a ruleset.
type controlsDiff struct {
	disabled, enabled bool
	moved             string // the direction in which actions changed
	added, removed    bool
	addition, removal string // the direction of a rule that came or went
	target            string // the rule that matters most
	others            int    // how many matter as much
	changes           []ingest.FieldChange

	weight int // of target
}

// note takes c for the target if nothing of more weight has happened to
// another rule, and keeps the change of field, if there is one.
func (d *controlsDiff) note(weight int, c *firewallControl, field, old, now string) {
	switch {
	case weight > d.weight:
		d.weight, d.target, d.others = weight, or(c.name, c.id), 0
	case weight == d.weight && weight > 1:
		d.others++
	}
	if field != "" && c.id != "" && len(d.changes) < maxChanges {
		d.changes = append(d.changes, ingest.FieldChange{Field: "rules." + c.id + "." + field, Old: old, New: now})
	}
}

// compare compares rules by their ids.
func (c *controls) compare() controlsDiff {
	var d controlsDiff
	for i := range c.after {
		now := &c.after[i]
		switch old := findControl(c.before, now); {
		case old != nil:
			d.changed(old, now)
		case now.parent != "":
			// An override that was not there: rules are on by default.
			d.changed(&firewallControl{action: "default", strength: actionStrength["block"]}, now)
		case c.complete || len(c.before) > 0:
			d.added = true
			if d.addition == "" || now.direction() == weaker {
				d.addition = now.direction()
			}
			d.note(2, now, "action", "", now.action)
		default:
			d.disabled = d.disabled || now.off
			d.note(1, now, "", "", "")
		}
	}
	for i := range c.deleted {
		d.deleted(&c.deleted[i])
	}
	for i := range c.before {
		switch old := &c.before[i]; {
		case !c.complete || findControl(c.after, old) != nil:
		case old.parent != "":
			d.enabled = d.enabled || old.off
		default:
			d.deleted(old)
		}
	}
	return d
}

// deleted notes that a rule is gone.
func (d *controlsDiff) deleted(c *firewallControl) {
	if c.parent != "" {
		return
	}
	d.removed = true
	if removal := reverse(c.direction()); d.removal == "" || removal == weaker {
		d.removal = removal
	}
	d.note(4, c, "action", c.action, "")
}

// changed notes what happened to one rule.
func (d *controlsDiff) changed(old, now *firewallControl) {
	d.note(1, now, "", "", "")
	if old.off != now.off {
		d.disabled = d.disabled || now.off
		d.enabled = d.enabled || old.off
		d.note(5, now, "enabled", strconv.FormatBool(!old.off), strconv.FormatBool(!now.off))
	}
	if old.action == now.action || now.action == "" {
		return
	}
	switch {
	case old.strength == 0 || now.strength == 0:
	case now.strength < old.strength:
		d.moved = weaker
	case now.strength > old.strength && d.moved == "":
		d.moved = safer
	}
	d.note(3, now, "action", old.action, now.action)
}

func findControl(list []firewallControl, like *firewallControl) *firewallControl {
	for i := range list {
		if list[i].id == like.id && list[i].parent == like.parent {
			return &list[i]
		}
	}
	return nil
}

// direction tells what adding the rule does, or "" where that cannot be told.
func (c *firewallControl) direction() string {
	switch {
	case c.off || c.strength == 0 || c.strength == actionStrength["log"]:
		return ""
	case c.strength == actionStrength["skip"]:
		return weaker
	}
	return safer
}

func reverse(direction string) string {
	switch direction {
	case weaker:
		return safer
	case safer:
		return weaker
	}
	return ""
}

const (
	// maxChanges bounds the changed fields of an event.
	maxChanges = 16
	// maxChangeText bounds the text of a value, in bytes.
	maxChangeText = 256
	// maxDepth bounds how deep objects are compared member by member.
	maxDepth = 3
	// masked stands for a secret.
	masked = "[masked]"
)

// uninteresting are members that change along with others or never.
func uninteresting(field string) bool {
	switch field {
	case "id", "zone_id", "zone_name", "account_id", "created_on", "modified_on", "created_at", "updated_at",
		"last_updated", "version", "meta", "ref", "zone_tag", "account_tag", "etag":
		return true
	}
	return false
}

// compare notes the differences between the resource before and after, and the
// pairs "old_x" and "new_x" in the metadata.
func (r *review) compare() {
	r.compareObjects("", r.before, r.after, 1)
	if len(r.before) == 0 && len(r.after) == 0 && r.setting == "" {
		r.note("value", r.e.oldValue, r.e.newValue)
	}
	for i := range r.meta {
		if field, ok := strings.CutPrefix(r.meta[i].key, "new_"); ok {
			r.note(field, r.meta.get("old_"+field), r.meta[i].val)
		}
	}
}

func (r *review) compareObjects(prefix string, before, after object, depth int) {
	for i := range after {
		m := &after[i]
		if i < len(before) && before[i] == *m {
			continue // most members are the same, and stand in the same order
		}
		if old := before.get(m.key); old != m.val {
			r.compareValues(prefix, m.key, old, m.val, depth)
		}
	}
	for i := range before {
		if m := &before[i]; (i >= len(after) || after[i].key != m.key) && !after.has(m.key) {
			r.compareValues(prefix, m.key, m.val, "", depth)
		}
	}
}

func (r *review) compareValues(prefix, field string, before, after value, depth int) {
	switch {
	case depth == 1 && uninteresting(field):
		return
	case r.family == familyFirewall && depth == 1 && isRuleList(field):
		return
	case depth < maxDepth && isObject(before) && isObject(after) && before != after:
		r.compareObjects(prefix+field+".", object(nil).read(before), object(nil).read(after), depth+1)
		return
	case prefix != "":
		field = prefix + field
	}
	r.note(field, before, after)
}

func isRuleList(field string) bool {
	return slices.Contains(ruleLists, field) || slices.Contains(deletedLists, field)
}

// isObject reports whether v is an object or missing.
func isObject(v value) bool {
	k := v.kind()
	return k == '{' || k == 'n' || k == 0
}

// note keeps a change of field, unless there is none to tell.
func (r *review) note(field string, before, after value) {
	if r.n == maxChanges && before != "" && before.kind() != 'n' && after != "" && after.kind() != 'n' {
		// It need not be rendered to be counted.
		r.changesOmitted++
		return
	}
	c := ingest.FieldChange{Field: oneLine(field, maxName), Old: shown(field, before), New: shown(field, after)}
	if c.Old != "" || c.New != "" {
		r.add(c)
	}
}

func (r *review) add(c ingest.FieldChange) {
	if r.n == maxChanges {
		r.changesOmitted++
		return
	}
	r.changed[r.n] = c
	r.n++
}

// shown is a value as text, bounded, without control characters and without
// secrets.
func shown(field string, v value) string {
	switch v.kind() {
	case '"':
		text := v.text()
		if text != "" && (isSecretField(field) || isSecret(text)) {
			return masked
		}
		return oneLine(withoutQuery(field, text), maxChangeText)
	case '0', 't', 'f':
		return string(v)
	case '{', '[':
		if isSecretField(field) {
			return masked
		}
		return oneLine(outline(v), maxChangeText)
	}
	return ""
}

// outline names the elements of an array or the members of an object. It does
// not print them in full, because there is no telling what they hold.
func outline(v value) string {
	var b strings.Builder
	v.each(func(key string, item value) bool {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		switch kind := item.kind(); {
		case kind == '{' && key == "":
			b.WriteString(or(object(nil).read(item).text("name", "description", "id", "email", "type"), "{…}"))
		case kind == '{' || kind == '[':
			b.WriteString(key)
		case key != "":
			b.WriteString(key + "=" + shown(key, item))
		default:
			b.WriteString(shown("", item))
		}
		return b.Len() < maxChangeText
	})
	return b.String()
}

// isSecretField reports whether a field by its name holds a secret, rather than
// the name or the state of one.
func isSecretField(field string) bool {
	secret := false
	for i := range len(field) {
		switch rest := field[i:]; field[i] | 0x20 {
		case 's':
			secret = secret || foldPrefix(rest, "secret")
		case 't':
			secret = secret || foldPrefix(rest, "token")
		case 'p':
			secret = secret || foldPrefix(rest, "passw") || foldPrefix(rest, "private") || foldPrefix(rest, "passphrase")
		case 'k':
			secret = secret || foldPrefix(rest, "key")
		case 'h':
			secret = secret || foldPrefix(rest, "hash")
		case 'c':
			secret = secret || foldPrefix(rest, "credential")
		case 'a':
			secret = secret || foldPrefix(rest, "authorization")
		}
	}
	if !secret {
		return false
	}
	for _, end := range []string{"_name", "_tag", "_id", "_status", "_type", "_on", "_count"} {
		if strings.HasSuffix(field, end) {
			return false
		}
	}
	return true
}

// foldPrefix reports whether s begins with prefix, in any case.
func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// isSecret reports whether a text by its form is a secret.
func isSecret(text string) bool {
	for _, prefix := range []string{"cfat_", "cfut_", "cfk_", "bearer ", "basic "} {
		if foldPrefix(text, prefix) {
			return true
		}
	}
	return strings.Contains(text, "PRIVATE KEY")
}

// withoutQuery masks what follows the question mark of a destination, where log
// delivery keeps its credentials, and the password in a URL.
func withoutQuery(field, text string) string {
	scheme := strings.Index(text, "://")
	if scheme < 0 && field != "destination_conf" {
		return text
	}
	if i := strings.IndexByte(text, '?'); i >= 0 {
		text = text[:i+1] + masked
	}
	if scheme >= 0 {
		host := text[scheme+3:]
		if i := strings.IndexByte(host, '/'); i >= 0 {
			host = host[:i]
		}
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			text = text[:scheme+3] + masked + text[scheme+3+i:]
		}
	}
	return text
}

// oneLine makes s one line of at most n bytes without control characters. Most
// texts are that already.
func oneLine(s string, n int) string {
	plain := len(s) <= n
	for i := 0; plain && i < len(s); i++ {
		plain = ' ' <= s[i] && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return trimLine(s, n)
}

func trimLine(s string, n int) string {
	s = shorten(strings.ToValidUTF8(s, "\uFFFD"), n)
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}
