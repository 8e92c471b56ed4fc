package audit

import "github.com/aisoc/cloudflareaudit/internal/jsondoc"

// Shape tells from the members of an object whether it is an entry. The zero
// Shape has seen none.
type Shape struct {
	// sections counts the members that entries have, those of Logpush included.
	sections int
	// acts says that one of them tells what was done.
	acts bool
}

// ShapeOf has seen all members of an object.
func ShapeOf(object jsondoc.Value) (s Shape) {
	if object.Kind() == jsondoc.Object {
		for m := range object.All() {
			s.See(m)
		}
	}
	return s
}

// See takes a member of the object into account.
func (s *Shape) See(m jsondoc.Value) {
	switch m.Name() {
	case "id", "when", "ID", "When":
		s.sections++
	case "action":
		if object := opened(m); isSection(object) {
			s.sections++
			s.acts = s.acts || isAction(object)
		}
	case "actor", "resource", "owner", "account", "raw", "zone", "metadata", "newValueJson", "oldValueJson":
		if isSection(opened(m)) {
			s.sections++
		}
	case "ActionType", "ActionResult", "ActionDescription", "ActionTimestamp", "AuditLogID":
		s.sections++
		s.acts = true
	case "ActorEmail", "ActorID", "ActorIP", "ActorType", "Interface", "Metadata", "NewValue", "OldValue", "OwnerID",
		"ActorContext", "ActorIPAddress", "ActorTokenDetails", "ResourceID", "ResourceType", "ResourceProduct",
		"ResourceRequest", "ResourceResponse", "ResourceScope", "ResourceValue":
		s.sections++
	}
}

// IsEntry reports whether the object is an entry for certain.
func (s *Shape) IsEntry() bool { return s.acts && s.sections > 1 }

// MayBeEntry reports whether the object may be an entry, possibly a damaged one.
func (s *Shape) MayBeEntry() bool { return s.sections > 1 }

func isSection(v jsondoc.Value) bool {
	return v.Kind() == jsondoc.Object || v.Kind() == jsondoc.Null
}

// isAction reports whether an object is the action of an entry.
func isAction(object jsondoc.Value) bool {
	for m := range object.All() {
		switch m.Name() {
		case "type", "result", "info", "description", "time":
			return true
		}
	}
	return false
}
