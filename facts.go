package cloudflareaudit

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// facts is what an entry did, in the terms that rules and events are written
// in.
type facts struct {
	// naming is the canonical action, its family and the kind of its verb.
	naming

	// target is the resource as a person would call it.
	target string
	// shared is what Audit Logs v2 and the audit log both call it, where that is
	// not the target.
	shared string
	// recordID is the id of the DNS record that stands for a batch.
	recordID string
	// ruleset says that it is about a rule set or about a rule of one.
	ruleset bool
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
// from the weakest to the safest. Those in front of the first bar are weak and
// those behind the last are safe whatever was before; without bars these are the
// first and the last.
var settingOrders = map[string]string{
	"security_level":  "off essentially_off | low medium high | under_attack",
	"ssl":             "off flexible | full | strict origin_pull",
	"min_tls_version": "1.0 1.1 | 1.2 | 1.3",

	"always_use_https":          "off on",
	"advanced_ddos":             "off on",
	"automatic_https_rewrites":  "off on",
	"bic":                       "off on", // the browser check of a configuration rule
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

	"0rtt": "on off",
}

// factsOf finds out what an entry did. It never fails: what an entry does not
// say stays empty.
func factsOf(e *entry) facts {
	r := reviews.Get().(*review)
	defer reviews.Put(r)
	r.reset(e)
	r.refine()
	r.e = nil
	return r.facts
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
	text string // as it stands in the object
	key  string
	val  value
}

// maxMembers bounds how many members of an object are looked at.
const maxMembers = 200

// read fills o with the members of v, reusing its memory. Members that another
// object has too, at the same place, are not taken apart again.
func (o object) read(v value, like object) object {
	o = o[:0]
	if v.kind() != '{' {
		return o
	}
	s := string(v)
	for i := skipSpace(s, 1); len(o) < maxMembers; {
		if n := len(o); n < len(like) {
			if rest, same := strings.CutPrefix(s[i:], like[n].text); same && (rest[0] == ',' || rest[0] == '}') {
				o = append(o, like[n])
				i = behind(s, len(s)-len(rest))
				continue
			}
		}
		key, val, end := memberAt(s, i, true)
		if val == "" {
			break
		}
		o = append(o, member{s[i:end], key, val})
		i = behind(s, end)
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
	r.meta = r.meta.read(e.metadata, nil)
	r.before = r.before.read(e.oldValue, nil)
	r.after = r.after.read(e.newValue, r.before)
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
		r.refineAccess()
	case familyWorkers:
		r.refineWorker()
	case familyR2:
		r.target = r.meta.text("bucket", "bucket_name")
		if r.target == "" {
			r.target = r.text("bucket_name", "bucket", "name")
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
		r.target = r.text("name", "title", "description", "email", "email_domain", "hostname", "network", "prefix", "ns_name")
		r.refineProtection()
	}
	if r.target == "" && r.e.resourceID != r.e.ownerID {
		r.target = r.e.resourceID
	}
	if strings.HasPrefix(r.name, "access_policy.") {
		// Policies of several applications often have the same name.
		name := r.target
		if app := r.text("app_name", "app_id"); app != "" && app != r.target {
			r.target = strings.TrimSpace(r.target + " (" + app + ")")
		}
		if id := r.text("app_id"); id != "" {
			r.shared = strings.TrimSpace(name + " (" + id + ")")
		}
	}
	if r.target == "" && r.family == familyOther {
		r.target = r.zoneName
	}
	if e := r.e; e.call == nil && holdsSecret(r.target) {
		r.target = masked
	}
	r.compare()
	r.changes = append(r.changes, r.changed[:r.n]...)
}

// refineAccess finds out whom a policy lets in without asking who it is.
func (r *review) refineAccess() {
	r.target = r.text("name", "app_name")
	r.decision = strings.ToLower(r.text("decision"))
	was := strings.ToLower(r.before.text("decision"))
	if strings.HasPrefix(r.name, "access_app.") && (r.verb == verbCreate || len(r.before) > 0) {
		// An application may bring its policies along.
		r.decision, was = bypassIn(r.after.get("policies")), bypassIn(r.before.get("policies"))
	}
	switch {
	case r.verb == verbDelete:
		if was == "bypass" {
			r.direction = safer
		}
	case r.decision == "bypass" && was != "bypass":
		r.direction = weaker
	case r.decision != "" && r.decision != "bypass" && was == "bypass":
		r.direction = safer
	case r.verb == verbCreate && (r.decision == "non_identity" || r.decision == "allow" && hasEveryone(r.after.get("include"))):
		r.direction = weaker
	}
}

// bypassIn is "bypass" where one of the policies decides that.
func bypassIn(policies value) (decision string) {
	policies.each(func(_ string, policy value) bool {
		if text := policy.get("decision").text(); strings.EqualFold(text, "bypass") {
			decision = "bypass"
		}
		return decision == ""
	})
	return decision
}

// hasEveryone reports whether one of the rules of a policy is met by everyone.
func hasEveryone(rules value) bool {
	everyone := false
	rules.each(func(_ string, rule value) bool {
		everyone = rule.get("everyone") != ""
		return !everyone
	})
	return everyone
}

func (r *review) rename(name string) { r.naming = *namings[name] }

func (r *review) refineAccount() {
	r.target = r.meta.text("user_email", "email", "member_email")
	if r.target == "" {
		r.target = r.text("email", "invited_member_email", "userName")
	}
	if r.target == "" {
		r.target = r.after.get("user").get("email").text()
	}
	if r.target == "" {
		r.target = r.before.get("user").get("email").text()
	}
	if r.target == "" {
		r.target = r.meta.get("user").get("email").text()
	}
	if r.isEnforcement() {
		r.setting = enforcementSetting
	}
	switch r.name {
	case "account.2fa.enforce", "account.2fa.update", "account.2fa.enable", "account.update":
		switch now := r.enforcement(); {
		case now == "false":
			r.rename("account.2fa.disable")
			r.setting = enforcementSetting
		case now == "true" && r.e.call != nil:
			// Without the old value it may be that this was so before.
			r.rename("account.2fa.enforce")
			r.setting = enforcementSetting
		}
	case "user.update":
		if now := r.after.text("email"); now != "" && !strings.EqualFold(now, r.before.text("email")) {
			r.rename("account.email.change")
		}
	case "account.staff_login":
		r.target = r.actorName
	case "account.move":
		r.target = r.text("destination_organization_id")
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
	case "account.login", "account.logout", "account.password.change", "account.email.change", "user.update":
		return true
	case "account.2fa.enable", "account.2fa.disable", "account.2fa.update":
		return !r.isEnforcement()
	}
	return false
}

// enforcementSetting is the demand for a second factor from all members.
const enforcementSetting = "enforce_twofactor"

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
	now, before := r.after.get(enforcementSetting), r.before.get(enforcementSetting)
	if now == "" {
		now = r.after.get("settings").get(enforcementSetting)
		before = r.before.get("settings").get(enforcementSetting)
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
	case r.after.has("Operations"), r.after.has("members"):
		// SCIM puts members into a group, with the roles it has.
		r.role = roleUnknown
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
		// Until the time that hold_after is there is no hold.
		if r.after.text("hold") == "false" || r.after.text("hold_after") != "" && r.after.text("hold_after") != r.before.text("hold_after") {
			r.rename("zone.hold.remove")
		}
	case "zone.update":
		switch was, is := r.before.text("paused"), r.after.text("paused"); {
		case is == "true" && was != "true":
			r.rename("zone.pause")
		case is == "false" && (was == "true" || r.e.call != nil):
			r.rename("zone.unpause")
		}
	case "registrar.domain.update":
		switch was, is := r.before.text("locked"), r.after.text("locked"); {
		case is == "false" && (was == "true" || r.e.call != nil):
			r.rename("registrar.domain.unlock")
		case is == "true" && was == "false":
			r.rename("registrar.domain.lock")
		}
	case "zone.pagerule.create", "zone.pagerule.update":
		r.refinePageRule()
	}
	switch r.name {
	case "zone.dnssec.disable", "zone.hold.remove", "zone.pause", "registrar.domain.unlock":
		r.direction = weaker
	case "zone.dnssec.enable", "zone.hold.create", "zone.unpause", "registrar.domain.lock":
		r.direction = safer
	}
	r.target = r.meta.text("pr_match")
	if r.target == "" && strings.HasPrefix(r.name, "zone.pagerule.") {
		r.target = pageRuleMatch(r.after.get("targets"), r.meta.get("targets"), r.before.get("targets"))
	}
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

// refinePageRule tells whether a page rule switches a protection off where it was
// not off before.
func (r *review) refinePageRule() {
	was := r.before.get("actions")
	r.after.get("actions").each(func(_ string, action value) bool {
		if !strings.Contains(string(was), string(action)) && weakens(action) {
			r.direction = weaker
		}
		return r.direction == ""
	})
}

// weakens reports whether an action of a page rule switches a protection off.
func weakens(action value) bool {
	switch id := action.get("id").text(); id {
	case "disable_security", "disable_waf", "disable_firewall":
		return true
	default:
		return settingDirection(id, "", action.get("value")) == weaker
	}
}

// pageRuleMatch is the address in the first of the targets of a page rule.
func pageRuleMatch(lists ...value) string {
	for _, list := range lists {
		if text := first(list).get("constraint", "value").text(); text != "" {
			return text
		}
	}
	return ""
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
	if e := r.e; e.call != nil && bodySettings[e.call.words] != "" {
		r.setting, now = bodySettings[e.call.words], r.after.get("enabled")
		r.target = r.setting
	}
	if now == "" {
		now, before = r.after.get("value"), r.before.get("value")
	}
	if items := r.after.get("items"); now == "" && items.kind() == '[' {
		r.setting, now = gravestSetting(items)
		r.target = r.setting
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

// gravestSetting is one of several settings that are changed at once: the first
// that is weakened, or else the first that protects something, or else the first.
func gravestSetting(items value) (name string, now value) {
	gravity := -1
	items.each(func(_ string, item value) bool {
		id, v := strings.ToLower(item.get("id").text()), item.get("value")
		g := 0
		switch {
		case settingDirection(id, "", v) == weaker:
			g = 2
		case settingOrders[id] != "":
			g = 1
		}
		if id != "" && g > gravity {
			name, now, gravity = id, v, g
		}
		return true
	})
	return name, now
}

func settingDirection(setting string, before, now value) string {
	return directionIn(settingOrders[setting], before, now)
}

// directionIn tells in which direction a value has moved in an order, or "" where
// there is none.
func directionIn(order string, before, now value) string {
	if order == "" {
		return ""
	}
	to, part, last := settingRank(order, now)
	from, _, _ := settingRank(order, before)
	switch {
	case to < 0 || to == from:
		return ""
	case from >= 0 && to < from, from < 0 && part == 0:
		return weaker
	case from >= 0, part == last:
		return safer
	}
	return ""
}

// settingRank is where a value stands in the order of its setting, or -1, and in
// which of its parts, of which the last is the safest.
func settingRank(order string, v value) (rank, part, last int) {
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
	i, bars := 0, strings.IndexByte(order, '|') >= 0
	for known := range strings.SplitSeq(order, " ") {
		switch {
		case known == "|":
			last++
			continue
		case !bars:
			last = i
		}
		if strings.EqualFold(known, text) {
			rank, part = i, last
		}
		i++
	}
	return rank, part, last
}

// bodySettings are the paths of settings that stand in a body without a name of
// theirs, and their names.
var bodySettings = map[string]string{
	"ssl.universal.settings": "universal_ssl",
}

// protections are the beginnings of the names of what protects and is switched
// by a member of its own, and switches are those members and their values from
// the weakest to the safest.
var (
	protections = []string{"bot_management.", "page_shield.", "api_shield.", "leaked_credential_checks.", "origin_tls_client_auth.",
		"log_retention.", "notification.", "sso_connector.", "device.policy.", "address_prefix."}
	switches = map[string]string{
		"advertised":                           false2true,
		"ai_bots_protection":                   "disabled | only_on_ad_pages | block",
		"enabled":                              false2true,
		"fight_mode":                           false2true,
		"flag":                                 false2true,
		"gateway_proxy_enabled":                false2true,
		"gateway_udp_proxy_enabled":            false2true,
		"sbfm_definitely_automated":            "allow | managed_challenge | block",
		"sbfm_likely_automated":                "allow | managed_challenge | block",
		"sbfm_verified_bots":                   "allow | block",
		"switch_locked":                        false2true,
		"validation_default_mitigation_action": "none log | block",
	}
)

const false2true = "off on"

// refineProtection tells what is switched off from what is switched on.
func (r *review) refineProtection() {
	if r.verb != verbUpdate || !hasAnyPrefix(r.name, protections) {
		return
	}
	for i := range r.after {
		m := &r.after[i]
		switch directionIn(switches[m.key], r.before.get(m.key), m.val) {
		case weaker:
			r.direction = weaker
			if name := strings.TrimSuffix(r.name, r.verb) + verbDisable; m.key == "enabled" && namings[name] != nil {
				r.rename(name)
			}
			return
		case safer:
			r.direction = safer
		}
	}
}

func (r *review) refineDNS() {
	others := 0
	if !r.after.has("type") {
		others = r.refineBatch()
	}
	r.recordType = strings.ToUpper(r.text("type", "record_type"))
	// A record that becomes one of another type is lost as what it was.
	if lost := strings.ToUpper(r.before.text("type")); slices.Contains(addressRecords, lost) {
		r.recordType = lost
	}
	r.target = strings.TrimSuffix(r.text("name", "record_name"), ".")
	if r.e.call != nil {
		r.target = qualified(r.target, r.zoneName)
	}
	if others > 0 && r.target != "" {
		r.shared = r.target
		r.target += " and " + strconv.Itoa(others) + " more"
	}
	was, is := r.before.text("proxied"), r.after.text("proxied")
	switch {
	case was == "true" && is == "false":
		r.direction = weaker
	case was == "false" && is == "true":
		r.direction = safer
	}
}

// qualified is the name of a record in full. Requests may name it within its
// zone, which "@" then stands for.
func qualified(name, zone string) string {
	switch lower := strings.ToLower(name); {
	case name == "" || zone == "" || lower == zone || strings.HasSuffix(lower, "."+zone):
		return name
	case name == "@":
		return zone
	}
	return name + "." + zone
}

// batches are the members of a batch of DNS records, the gravest change first.
var batches = []struct{ key, name string }{
	{"deletes", "dns.record.delete"},
	{"puts", "dns.record.update"},
	{"patches", "dns.record.update"},
	{"posts", "dns.record.create"},
}

// refineBatch takes a batch for its gravest change: the first one of a record
// that led traffic or mail, or else the first. It returns how many more records
// the batch treats like that one.
func (r *review) refineBatch() (others int) {
	var gravest value
	led := false
	for i := 0; i < len(batches) && !led; i++ {
		r.is = appendElements(r.is[:0], r.after.get(batches[i].key))
		for j := 0; j < len(r.is) && !led; j++ {
			recordType := strings.ToUpper(r.is[j].get("type").text())
			led = batches[i].key != "posts" && slices.Contains(addressRecords, or(recordType, "unknown"))
			if led || gravest == "" {
				gravest, others = r.is[j], len(r.is)-1
				r.rename(batches[i].name)
			}
		}
	}
	switch {
	case gravest == "":
		return others
	case r.verb == verbDelete:
		r.before, r.after = r.before.read(gravest, nil), r.after[:0]
	default:
		r.after = r.after.read(gravest, nil)
	}
	r.recordID = gravest.get("id").text()
	return others
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
		if r.name == "worker.script.expose" && r.after.text("enabled") == "false" {
			r.rename("worker.script.subdomain.disable")
			r.direction = safer
		}
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
		o := object(nil).read(v, nil)
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
