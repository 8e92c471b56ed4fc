package audit

import "github.com/aisoc/cloudflareaudit/internal/jsondoc"

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
}

// sectionEntry denotes the entry itself when it is not an object.
const sectionEntry = "entry"

// isV2 reports whether the entry is from Audit Logs v2, judged by its members.
func (f *fields) isV2() bool {
	return f.time.Exists() || f.method.Exists() || f.uri.Exists() || f.product.Exists() || f.request.Exists() || f.context.Exists()
}

func (f *fields) read(entry jsondoc.Value) {
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
			f.section(name, m, true, true)
		case "owner":
			f.section(name, m, true, false)
		case "account", "raw", "zone":
			f.section(name, m, false, true)
		}
	}
}

// section reads a member that should be an object. inV1 and inV2 say which of
// the logs has it.
func (f *fields) section(name string, section jsondoc.Value, inV1, inV2 bool) {
	if k := section.Kind(); k != jsondoc.Object && k != jsondoc.Null {
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
