package audit

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// logpush reads a member of a record of the Logpush datasets audit_logs and
// audit_logs_v2, which have the members of an entry flattened and renamed. A job
// sends only the fields it was set up with, so each one may be missing.
func (f *fields) logpush(m jsondoc.Value) {
	switch m.Name() {
	// In both datasets.
	case "ActionResult":
		f.result = m
	case "ActionType":
		f.actionType = m
	case "ActorEmail":
		f.email = m
	case "ActorID":
		f.actorID = m
	case "ActorType":
		f.actorType = m
	case "ResourceID":
		f.resourceID = m
	case "ResourceType":
		f.resourceType = m
	default:
		if !f.logpushV1(m) {
			f.logpushV2 = f.readLogpushV2(m) || f.logpushV2
		}
	}
}

// logpushV1 reads a member that only audit_logs has, and reports whether m is
// one.
func (f *fields) logpushV1(m jsondoc.Value) bool {
	switch m.Name() {
	case "ID":
		f.id = m
	case "When":
		f.when = m
	case "ActorIP":
		f.ip = m
	case "Interface":
		f.iface = m
	case "OwnerID":
		f.ownerID = m
	case "Metadata":
		f.metadata = m
	// An empty object counts as no value, as it does in newValueJson.
	case "NewValue":
		f.newJSON, f.newValue = objectOrText(m)
	case "OldValue":
		f.oldJSON, f.oldValue = objectOrText(m)
	default:
		return false
	}
	return true
}

func objectOrText(m jsondoc.Value) (object, text jsondoc.Value) {
	if m = opened(m); m.Kind() == jsondoc.Object || m.Kind() == jsondoc.Array {
		return m, jsondoc.Value{}
	}
	return jsondoc.Value{}, m
}

// readLogpushV2 reads a member that only audit_logs_v2 has, and reports whether
// m is one.
func (f *fields) readLogpushV2(m jsondoc.Value) bool {
	switch m.Name() {
	case "AuditLogID":
		f.id = m
	case "AccountID":
		f.accountID = m
	case "AccountName":
	case "ActionDescription":
		f.description = m
	case "ActionTimestamp":
		f.time = m
	case "ActorContext":
		f.context = m
	case "ActorIPAddress":
		f.address = m
	case "ActorTokenDetails":
		f.eachSpelled(m, f.tokenDetail)
	case "Raw":
		f.eachSpelled(m, f.rawDetail)
	case "ResourceProduct":
		f.product = m
	case "ResourceScope":
		f.scope = m
	case "ResourceRequest":
		f.request = m
	case "ResourceResponse":
		f.response = m
	case "ResourceValue":
		f.value = m
	case "ZoneID":
		f.zoneID = m
	case "ZoneName":
		f.zoneName = m
	default:
		return false
	}
	return true
}

// eachSpelled calls read for the members of a section with their names in lower
// case and without separators, because how records spell the names within a
// section is not documented.
func (f *fields) eachSpelled(section jsondoc.Value, read func(name string, m jsondoc.Value)) {
	for m := range opened(section).All() {
		read(squashed.Replace(strings.ToLower(m.Name())), m)
	}
}

var squashed = strings.NewReplacer("_", "", "-", "", " ", "")

func (f *fields) tokenDetail(name string, m jsondoc.Value) {
	switch name {
	case "id", "tokenid":
		f.tokenID = m
	case "name", "tokenname":
		f.tokenName = m
	}
}

func (f *fields) rawDetail(name string, m jsondoc.Value) {
	switch name {
	case "cfrayid", "cfray", "rayid":
		f.ray = m
	case "method":
		f.method = m
	case "statuscode", "status":
		f.status = m
	case "uri", "url", "path":
		f.uri = m
	case "useragent":
		f.agent = m
	}
}

// opened is v, or the JSON object or array inside it if v is a string that
// holds one.
func opened(v jsondoc.Value) jsondoc.Value {
	if inner := v.Inner(); inner.Exists() {
		return inner
	}
	return v
}
