package product

import (
	"strings"
	"sync"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/audit"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/redact"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// Facts is what an entry did: everything that rules test, and more for events.
type Facts struct {
	rules.Facts
	naming

	// ActorName is the entry's name for the actor, or "".
	ActorName string
	// TokenID is the id of the API token that the entry is about.
	TokenID string
	// RequestID is the id of the request, if it is in the metadata of an entry of
	// the audit log. Audit Logs v2 has the same in the request itself.
	RequestID string
	// ChangesOmitted counts the changes that Changes has no room for.
	ChangesOmitted int

	// shared is the name of the target that both logs have, if that is not
	// Target.
	shared string
	// recordID is the id of the DNS record that represents a batch.
	recordID string
	// ruleset says that it is about a rule set or a rule of one.
	ruleset bool
	// system and staff say that the actor is a Cloudflare system, or a person
	// at Cloudflare.
	system, staff bool
	// changes is the memory of Changes.
	changes [maxChanges]ingest.FieldChange
}

// Understand determines what an entry did and puts it into f. It never fails:
// details that an entry omits stay empty. For an entry of Audit Logs v2 it
// first adds the details in the path of the request and masks the secrets, so
// that no later step sees them.
//
// Strings of f share the memory of the entry, and f.Changes shares that of f:
// copy it to keep it longer.
func Understand(e *audit.Entry, f *Facts) { understand(e, nil, f) }

func understand(e *audit.Entry, earlier []*audit.Entry, f *Facts) (from *audit.Entry) {
	prepare()
	r := reviews.Get().(*review)
	defer reviews.Put(r)
	*f = Facts{}
	r.Facts = f
	r.begin(e, earlier)
	r.look()
	from = r.oldFrom
	r.release()
	return from
}

var reviews = sync.Pool{New: func() any { return new(review) }}

// review is the work on one entry.
type review struct {
	*Facts
	e *audit.Entry
	// route is the content of the request path, for entries of Audit Logs v2.
	route routed
	// whole says that the body is the whole new rule set, and not a change of
	// it.
	whole bool
	// partial says that a member missing after the change may be unchanged.
	partial bool
	// oldFrom is the newest entry that an old value is from, if they are from
	// earlier entries.
	oldFrom *audit.Entry
	// meta, before and after are the members of the entry's objects.
	meta, before, after object
	// zoneIsTarget says that the zone is the target if there is no other.
	zoneIsTarget bool
	// settled says that the texts before and after have been compared.
	settled bool
	// oldRule and rule are the members of a firewall rule, was and is are the rules of a
	// list, and nested are the members of nested objects: memory for reuse.
	oldRule object
	rule    object
	was, is []jsondoc.Value
	nested  [maxDepth][2]object
	// rulesBefore and rulesAfter are the rules of a ruleset: memory for reuse.
	rulesBefore, rulesAfter []firewallControl
}

// object is the members of a JSON object in their order.
type object []member

type member struct {
	key string
	val jsondoc.Value
}

// maxMembers bounds how many members of an object are read.
const maxMembers = 200

// read fills o with the members of v, reusing its memory.
func (o object) read(v jsondoc.Value) object {
	o = o[:0]
	if v.Kind() != jsondoc.Object {
		return o
	}
	for m := range v.All() {
		if len(o) == maxMembers {
			break
		}
		o = append(o, member{m.Name(), m})
	}
	return o
}

// get is the value of the first of the keys that o has and that is not null.
func (o object) get(keys ...string) jsondoc.Value {
	for _, key := range keys {
		// Of a repeated key the last one counts.
		for i := len(o) - 1; i >= 0; i-- {
			if o[i].key == key && o[i].val.Kind() != jsondoc.Null {
				return o[i].val
			}
		}
	}
	return jsondoc.Value{}
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

// text is the first non-empty text among the keys.
func (o object) text(keys ...string) string {
	for _, key := range keys {
		if said := o.get(key).Text(); said != "" {
			return said
		}
	}
	return ""
}

// begin finds the canonical action of e and reads its objects.
func (r *review) begin(e *audit.Entry, earlier []*audit.Entry) {
	r.e, r.route = e, routed{}
	r.whole, r.partial, r.zoneIsTarget, r.settled = false, false, false, false
	r.Changes = r.changes[:0]
	if e.Call != nil {
		r.before = r.before[:0]
		r.beginCall(earlier)
	} else {
		r.naming = *known.namings[ActionUnknown]
		if !e.Undecodable {
			deed := e.ActionType
			if tried, failed := attempted(deed); failed {
				// Its result only says that the attempt was logged.
				deed, e.Outcome = tried, audit.Failure
			}
			r.naming = nameOf(e.ResourceType, deed, e.ActionInfo)
		}
		r.meta, r.after = r.meta.read(e.Metadata), r.after.read(e.New)
		r.before = r.before.read(e.Old)
	}
	// A deleted resource is in the old value, except that Cloudflare's own
	// systems put it into the new one.
	if r.verb == VerbDelete && len(r.before) == 0 && len(r.after) > 0 {
		r.before, r.after = r.after, r.before
	}
	r.beginActor()
}

// beginCall is begin for an entry of Audit Logs v2.
func (r *review) beginCall(earlier []*audit.Entry) {
	e := r.e
	r.route = findRoute(e.Call.Method, e.Call.Path)
	if masked := redact.Entry(e.Doc, policyOf(r.route.name)); masked > 0 {
		e.NoteMasked(masked)
		// An id that lets in is masked in the path, and is no id to show.
		e.RereadIDs()
		r.route = findRoute(e.Call.Method, e.Call.Path)
	}
	r.route.complete(e)
	r.bodies()
	if e.Undecodable {
		r.naming = *known.namings[ActionUnknown]
		return
	}
	r.naming = nameOfCall(e, &r.route)
	if len(earlier) > 0 {
		r.recall(earlier)
	}
}

func (r *review) beginActor() {
	e := r.e
	switch {
	case strings.EqualFold(e.ActorType, "system"), strings.EqualFold(e.ActorType, "cloudflare"):
		r.system = true
	case strings.EqualFold(e.ActorType, "admin"), strings.EqualFold(e.ActorType, "cloudflare_admin"):
		r.staff = true
		r.ActorName = r.meta.text("actual_user")
	}
}

// release drops the entry, so that its memory may be reused.
func (r *review) release() {
	r.e, r.oldFrom, r.Facts, r.route = nil, nil, nil, routed{}
	clear(r.rulesBefore)
	clear(r.rulesAfter)
}

// text is the first non-empty text among the keys in the resource after or
// before, or else in the metadata.
func (r *review) text(keys ...string) string {
	for _, o := range [...]object{r.after, r.before, r.meta} {
		if said := o.text(keys...); said != "" {
			return said
		}
	}
	return ""
}

// rename gives the entry another canonical action because of its content.
func (r *review) rename(name string) { r.naming = *known.namings[name] }

// look finds the facts.
func (r *review) look() {
	r.lookAtZone()
	if r.family.read != nil {
		r.family.read(r)
	} else {
		r.readOther()
	}
	e := r.e
	if r.Target == "" && e.ResourceID != e.OwnerID {
		r.Target = e.ResourceID
	}
	if r.family.finish != nil {
		r.family.finish(r)
	}
	if r.Target == "" && r.zoneIsTarget {
		r.Target = r.ZoneName
	}
	if e.Call == nil && redact.HoldsSecret(r.Target) {
		r.Target = redact.Masked
	}
	r.compare()
	r.say()
}

func (r *review) lookAtZone() {
	r.ZoneName = text.ZoneName(r.meta.text("zone_name"))
	if r.ZoneName == "" {
		r.ZoneName = text.ZoneName(r.text("zone_name"))
	}
	r.ZoneID = r.meta.text("zone_id", "zone_tag")
	if r.ZoneID == "" {
		r.ZoneID = r.text("zone_id")
	}
	if r.ZoneID == "" && strings.EqualFold(r.e.ResourceType, "zone") {
		r.ZoneID = r.e.ResourceID
	}
	if isOfCloudflare(r.ZoneName) {
		r.ZoneName, r.ZoneID = "", ""
	}
}

// zonesOfCloudflare are zones of Cloudflare itself, which entries about buckets and
// scripts may show. They are not among the zones of a customer.
var zonesOfCloudflare = []string{"cloudflarestorage.com", "pages.dev", "r2.dev", "workers.dev"}

func isOfCloudflare(zone string) bool {
	for _, own := range zonesOfCloudflare {
		if above, found := strings.CutSuffix(zone, own); found && (above == "" || strings.HasSuffix(above, ".")) {
			return true
		}
	}
	return false
}

// lookAtRequest finds the id of the request in the metadata.
func (r *review) lookAtRequest() {
	for i := range r.meta {
		if isRay(r.meta[i].key) {
			if said := r.meta[i].val.Text(); said != "" {
				r.RequestID = audit.RayID(text.OneLine(said, audit.MaxText))
			}
		}
	}
}

// isRay reports whether a member is the id of a request: "cf-ray", "rayId", ….
func isRay(name string) bool {
	const shortest, longest = len("cfray"), len("cf-ray-id")
	if len(name) < shortest || len(name) > longest || text.Lower(name[0]) != 'c' && text.Lower(name[0]) != 'r' {
		return false
	}
	var buf [longest]byte
	switch string(squash(buf[:0], name)) {
	case "cfray", "rayid", "cfrayid":
		return true
	}
	return false
}

// readOther reads the entries of families without a function of their own.
func (r *review) readOther() {
	r.Target = r.text("name", "title", "description", "email", "email_domain", "hostname", "network", "prefix", "ns_name")
	r.zoneIsTarget = true
	r.readSwitches()
}

// readNamed is readOther for entries whose thing is called by the first of the keys
// that there is.
func (r *review) readNamed(keys ...string) {
	r.readOther()
	if name := r.text(keys...); name != "" {
		r.Target = name
	}
}

// say fills in the facts that the entry states directly.
func (r *review) say() {
	e, f := r.e, &r.Facts.Facts
	f.Action, f.Verb = r.name, r.verb
	f.ResourceType, f.ActionType = e.ResourceType, e.ActionType
	f.Failed, f.Succeeded = e.Outcome == audit.Failure, e.Outcome == audit.Success
	if e.Call != nil {
		f.Method = e.Call.Method
	} else {
		r.lookAtRequest()
	}
	f.ActorEmail, f.ActorID, f.ActorType = e.ActorEmail, e.ActorID, e.ActorType
	f.ActorKind = r.actorKind(e)
	f.Actor = r.actor(e)
	f.SourceIP, f.Addr = e.SrcIP, e.ActorIP
	f.Interface = e.Interface
}

// actorKind tells people from systems.
func (f *Facts) actorKind(e *audit.Entry) string {
	switch {
	case f.system:
		return "system"
	case f.staff:
		return "staff"
	case e.ActorType == "" && e.ActorEmail == "":
		return "unknown"
	}
	return "user"
}

// actor is the actor as shown in an event: an e-mail address, else a name for
// Cloudflare itself, else an id.
func (f *Facts) actor(e *audit.Entry) string {
	switch {
	case e.ActorEmail != "":
		return text.OneLine(e.ActorEmail, audit.MaxText)
	case f.system:
		return "Cloudflare system"
	case f.staff:
		return "Cloudflare staff"
	}
	return text.OneLine(e.ActorID, audit.MaxText)
}

// Mask masks the secrets of an entry of the audit log that f is about, in its
// document and with a note. Those of Audit Logs v2 are masked already.
func (f *Facts) Mask(e *audit.Entry) {
	if e.Call != nil || e.Raw != "" {
		return
	}
	e.NoteMasked(redact.Entry(e.Doc, policyOf(&f.naming)))
}

// policyOf says which values of an entry may be secrets. No value of an unknown
// action is shown.
func policyOf(n *naming) redact.Policy {
	if n == nil {
		return redact.Unknown
	}
	f := n.family
	return redact.Policy{Values: !f.plainValues, Addresses: !f.plainValues, Hooks: f.hooks, BareTexts: f.credentials}
}
