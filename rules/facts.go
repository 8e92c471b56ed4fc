package rules

import (
	"net/netip"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Facts is the content of an entry, in the terms that rules are written in.
// Fields that the entry does not state are empty. A [Classifier] neither
// modifies nor retains Facts, so their memory may be reused for the next entry.
type Facts struct {
	// Action is the canonical action, such as "dns.record.delete", and Verb the
	// kind of its verb, such as "delete".
	Action, Verb string
	// ResourceType and ActionType are Cloudflare's own names.
	ResourceType, ActionType string
	// Failed says that the attempt failed, and Succeeded that it did not.
	// Neither is set when the entry does not say.
	Failed, Succeeded bool
	// Method is the HTTP method, of entries of Audit Logs v2.
	Method string

	// ActorEmail and ActorID name the actor, and Actor is the name that an event
	// shows.
	ActorEmail, ActorID, Actor string
	// ActorKind is user, system, staff or unknown, and ActorType Cloudflare's own
	// name for it.
	ActorKind, ActorType string
	// SourceIP is the address as text, and Addr the same address.
	SourceIP string
	Addr     netip.Addr
	// Interface is how the action was performed, such as "UI".
	Interface string

	// ZoneName, in lower case and without a dot at its end, and ZoneID are the
	// zone.
	ZoneName, ZoneID string
	// AccountWide says that a ruleset belongs to the account, and with it to
	// every zone.
	AccountWide bool
	// OwnToken says that the entry is about the connector's own API token.
	OwnToken bool
	// Target is the name of the resource acted upon.
	Target string

	// IsRecord says that the entry is about a DNS record, and RecordType is the
	// record type, in upper case.
	IsRecord   bool
	RecordType string
	// Setting is the name of a zone setting, and SettingPath the same with the
	// group that Cloudflare puts it in: "firewall/waf".
	Setting, SettingPath string
	// Direction is [Weaker], [Safer], or "" for a change that moved no
	// protection or whose direction is unknown.
	Direction string
	// Role is super_administrator, other, unknown or unchanged, or "" when the
	// entry is not about a member. RoleName names the roles given, as text.
	Role, RoleName string
	// Scope is broad, narrow or unknown, or "" when the entry is not about a
	// token.
	Scope string
	// IsWorker says that the entry is about Workers. Script is the script;
	// NoScript says that a route has none and so disables Workers.
	IsWorker bool
	Script   string
	NoScript bool
	// Decision is what an Access policy decides, in lower case.
	Decision string

	// Changes are the fields that changed, secrets masked.
	Changes []ingest.FieldChange
}

// The directions of a change that moved a protection, in [Facts] and [Match].
const (
	Weaker = "weaker"
	Safer  = "safer"
)

// What is known of the role given to a member, in [Facts] and [Match].
const (
	RoleSuper     = "super_administrator"
	RoleOther     = "other"
	RoleUnknown   = "unknown"
	RoleUnchanged = "unchanged"
)

// How much an API token may do, in [Facts] and [Match].
const (
	ScopeBroad   = "broad"
	ScopeNarrow  = "narrow"
	ScopeUnknown = "unknown"
)
