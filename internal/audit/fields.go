package audit

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// fields are the decoded members of an entry. One pass finds those of both
// logs; their presence then tells which log the entry is from. Of duplicate
// members the last one counts.
type fields struct {
	id jsondoc.Value

	actionType, result                   jsondoc.Value
	actorID, actorType, email            jsondoc.Value
	resourceID, resourceType             jsondoc.Value
	oddV1, oddV2                         string        // a section that is not an object
	when, iface, metadata                jsondoc.Value // only the audit log, up to ownerID
	newValue, oldValue, newJSON, oldJSON jsondoc.Value
	info, ip, ownerID                    jsondoc.Value
	time, description, context, address  jsondoc.Value // only Audit Logs v2
	token, tokenID, tokenName            jsondoc.Value
	ray, method, status, uri, agent      jsondoc.Value
	product, scope, request, response    jsondoc.Value
	accountID, zoneID, zoneName          jsondoc.Value
	value                                jsondoc.Value // only Logpush's audit_logs_v2
	// logpushV2 says that it has a member that only Logpush's audit_logs_v2 has.
	logpushV2 bool
}

// sectionEntry denotes the entry itself when it is not an object.
const sectionEntry = "entry"

// isV2 reports whether the entry is from Audit Logs v2, judged by its members.
func (f *fields) isV2() bool {
	return f.logpushV2 || f.time.Exists() || f.description.Exists() || f.method.Exists() || f.uri.Exists() || f.product.Exists() || f.request.Exists() || f.context.Exists()
}

// read reads the members of an entry. saved says that it may be in a form other
// than that of the API.
func (f *fields) read(entry jsondoc.Value, saved bool) {
	if entry.Kind() != jsondoc.Object {
		f.oddV1, f.oddV2 = sectionEntry, sectionEntry
		return
	}
	for m := range entry.All() {
		switch name := m.Name(); name {
		case "id":
			f.id = m
		case "when":
			f.when = m
		case "interface":
			f.iface = m
		case "metadata":
			f.metadata = m
		case "newValue":
			f.newValue = m
		case "oldValue":
			f.oldValue = m
		case "newValueJson":
			f.newJSON = m
		case "oldValueJson":
			f.oldJSON = m
		case "action", "actor", "resource":
			f.section(name, sectionOf(m, saved), true, true)
		case "owner":
			f.section(name, sectionOf(m, saved), true, false)
		case "account", "raw", "zone":
			f.section(name, sectionOf(m, saved), false, true)
		default:
			if saved {
				f.logpush(m)
			}
		}
	}
}

// sectionOf is a section, which may be JSON in a string in a saved entry.
func sectionOf(m jsondoc.Value, saved bool) jsondoc.Value {
	if saved && m.Kind() == jsondoc.String {
		return opened(m)
	}
	return m
}

// section reads a member that should be an object. inV1 and inV2 say which of
// the logs has it.
func (f *fields) section(name string, section jsondoc.Value, inV1, inV2 bool) {
	if k := section.Kind(); k != jsondoc.Object && k != jsondoc.Null {
		f.bare(name, section)
		if inV1 {
			f.oddV1 = name
		}
		if inV2 {
			f.oddV2 = name
		}
		return
	}
	for m := range section.All() {
		switch name {
		case "action":
			f.action(m)
		case "actor":
			f.actor(m)
		case "resource":
			f.resource(m)
		case "raw":
			f.raw(m)
		case "owner":
			if m.Name() == "id" {
				f.ownerID = m
			}
		case "account":
			if m.Name() == "id" {
				f.accountID = m
			}
		case "zone":
			f.zone(m)
		}
	}
}

// bare reads the action or the actor if it is a text instead of an object. A
// resource may be a secret.
func (f *fields) bare(name string, m jsondoc.Value) {
	if m.Kind() != jsondoc.String {
		return
	}
	switch name {
	case "action":
		f.actionType = m
	case "actor":
		if strings.Contains(m.Text(), "@") {
			f.email = m
		} else {
			f.actorID = m
		}
	}
}

func (f *fields) action(m jsondoc.Value) {
	switch m.Name() {
	case "type":
		f.actionType = m
	case "result":
		f.result = m
	case "info":
		f.info = m
	case "description":
		f.description = m
	case "time":
		f.time = m
	}
}

func (f *fields) actor(m jsondoc.Value) {
	switch m.Name() {
	case "id":
		f.actorID = m
	case "type":
		f.actorType = m
	case "email":
		f.email = m
	case "ip":
		f.ip = m
	case "ip_address":
		f.address = m
	case "context":
		f.context = m
	case "token": // as it is; documented are the next two
		f.token = m
	case "token_id":
		f.tokenID = m
	case "token_name":
		f.tokenName = m
	}
}

func (f *fields) resource(m jsondoc.Value) {
	switch m.Name() {
	case "id":
		f.resourceID = m
	case "type":
		f.resourceType = m
	case "product":
		f.product = m
	case "scope":
		f.scope = m
	case "request":
		f.request = m
	case "response":
		f.response = m
	}
}

func (f *fields) raw(m jsondoc.Value) {
	switch m.Name() {
	case "cf_ray_id":
		f.ray = m
	case "method":
		f.method = m
	case "status_code":
		f.status = m
	case "uri":
		f.uri = m
	case "user_agent":
		f.agent = m
	}
}

func (f *fields) zone(m jsondoc.Value) {
	switch m.Name() {
	case "id":
		f.zoneID = m
	case "name":
		f.zoneName = m
	}
}
