package product

import (
	"fmt"
	"strings"
)

// The account and the zone of the entries in the tests.
const (
	exampleAccount = "023e105f4ecef8ad9ca31a8372d0c353"
	exampleZone    = "a379a6f6eeafb9a55e378c118034e275"
)

// logged is an entry of the audit log as JSON: its resource type, its action type,
// and more members of the object, which replace those it would have.
func logged(resourceType, actionType string, more ...string) string {
	defaults := []struct{ key, member string }{
		{"action", fmt.Sprintf(`"action":{"type":%q,"result":true}`, actionType)},
		{"actor", `"actor":{"id":"a1","type":"user","email":"alice@example.com","ip":"192.0.2.10"}`},
		{"resource", fmt.Sprintf(`"resource":{"type":%q,"id":"r1"}`, resourceType)},
	}
	var b strings.Builder
	b.WriteString(`{"id":"11111111-2222-4333-8444-555555555555","when":"2026-05-12T09:00:00Z","interface":"UI","owner":{"id":"o1"}`)
	for _, d := range defaults {
		stated := false
		for _, m := range more {
			stated = stated || strings.HasPrefix(m, `"`+d.key+`":`)
		}
		if !stated {
			b.WriteString("," + d.member)
		}
	}
	for _, m := range more {
		b.WriteString("," + m)
	}
	return b.String() + "}"
}

// requested is an entry of Audit Logs v2 as JSON: its method, its URI, and more
// members of the resource. With a dot before its name, one of them replaces a
// whole section of the entry.
func requested(method, uri string, more ...string) string {
	sections := map[string]string{
		"account":  `{"id":"` + exampleAccount + `","name":"Example"}`,
		"action":   `{"result":"success","time":"2026-05-12T09:00:02Z"}`,
		"actor":    `{"context":"dash","email":"alice@example.com","id":"a1","ip_address":"192.0.2.10","type":"user"}`,
		"raw":      fmt.Sprintf(`{"cf_ray_id":"8f0a","method":%q,"status_code":200,"uri":%q,"user_agent":"curl/8"}`, method, uri),
		"resource": "",
		"zone":     "null",
	}
	if strings.Contains(uri, "/zones/") {
		sections["zone"] = `{"id":"` + exampleZone + `","name":"example.com"}`
	}
	var resource []string
	for _, m := range more {
		if section, ok := strings.CutPrefix(m, "."); ok {
			name, replacement, _ := strings.Cut(section, ":")
			sections[name] = replacement
			continue
		}
		resource = append(resource, m)
	}
	if sections["resource"] == "" {
		sections["resource"] = "{" + strings.Join(resource, ",") + "}"
	}
	var b strings.Builder
	b.WriteString(`{"id":"0196c3a1-0000-7000-8000-000000000001"`)
	for _, name := range []string{"account", "action", "actor", "raw", "resource", "zone"} {
		b.WriteString(`,"` + name + `":` + sections[name])
	}
	return b.String() + "}"
}

// Members of entries that many tests use. Of the zones the first is in production
// and the second is not.
const (
	inZone       = `"metadata":{"zone_name":"example.com","zone_id":"a379a6f6eeafb9a55e378c118034e275"}`
	inProduction = `"metadata":{"zone_name":"example.com"}`
	inStaging    = `"metadata":{"zone_name":"staging.example.net"}`
	bySystem     = `"actor":{"id":"1","type":"system"}`
	byStaff      = `"actor":{"id":"9","type":"admin"}`
	superRole    = `{"id":"33666b9c79b9a5273fc7344ff42f953d","name":"Super Administrator - All Privileges"}`
	readerRole   = `{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}`
)

// oldValue and newValue are the resource before and after the change, and values
// is both.
func oldValue(v string) string     { return `"oldValueJson":` + v }
func newValue(v string) string     { return `"newValueJson":` + v }
func values(was, is string) string { return oldValue(was) + "," + newValue(is) }
func requestBody(v string) string  { return `"request":` + v }
func responseBody(v string) string { return `"response":` + v }
