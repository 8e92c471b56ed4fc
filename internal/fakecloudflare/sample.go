package fakecloudflare

import (
	"fmt"
	"strings"
)

// ExampleZoneID is the id of the zone example.com in the entries.
const ExampleZoneID = "a379a6f6eeafb9a55e378c118034e275"

// Logged is an entry of the audit log: a resource type, an action type, and what
// a test has to say about the rest as more members of the object. A member
// called action, actor or resource replaces that of the sample; any other one
// comes last, so that it counts even where the sample has one of that name.
func Logged(resourceType, actionType string, more ...string) string {
	defaults := []struct{ key, member string }{
		{"action", fmt.Sprintf(`{"type":%q,"result":true}`, actionType)},
		{"actor", `{"id":"a1","type":"user","email":"alice@example.com","ip":"192.0.2.10"}`},
		{"resource", fmt.Sprintf(`{"type":%q,"id":"r1"}`, resourceType)},
	}
	var b strings.Builder
	b.WriteString(`{"id":"11111111-2222-4333-8444-555555555555","when":"2026-05-12T09:00:00Z","interface":"UI","owner":{"id":"o1"}`)
	for _, d := range defaults {
		key := `"` + d.key + `":`
		stated := false
		for _, m := range more {
			stated = stated || strings.HasPrefix(m, key)
		}
		if !stated {
			b.WriteString("," + key + d.member)
		}
	}
	for _, m := range more {
		b.WriteString("," + m)
	}
	return b.String() + "}"
}

// Requested is an entry of Audit Logs v2: a method, a URI, and what a test has to
// say about the rest. That is members of the section resource or, with a dot
// before its name, a whole section in place of that of the sample.
func Requested(method, uri string, more ...string) string {
	sections := map[string]string{
		"account":  `{"id":"` + DefaultAccountID + `","name":"Example"}`,
		"action":   `{"result":"success","time":"2026-05-12T09:00:02Z"}`,
		"actor":    `{"context":"dash","email":"alice@example.com","id":"a1","ip_address":"192.0.2.10","type":"user"}`,
		"raw":      fmt.Sprintf(`{"cf_ray_id":"8f0a","method":%q,"status_code":200,"uri":%q,"user_agent":"curl/8"}`, method, uri),
		"resource": "",
		"zone":     "null",
	}
	if strings.Contains(uri, "/zones/") {
		sections["zone"] = `{"id":"` + ExampleZoneID + `","name":"example.com"}`
	}
	var members []string
	for _, m := range more {
		if section, ok := strings.CutPrefix(m, "."); ok {
			name, text, _ := strings.Cut(section, ":")
			sections[name] = text
			continue
		}
		members = append(members, m)
	}
	if sections["resource"] == "" {
		sections["resource"] = "{" + strings.Join(members, ",") + "}"
	}
	var b strings.Builder
	b.WriteString(`{"id":"0196c3a1-0000-7000-8000-000000000001"`)
	for _, name := range []string{"account", "action", "actor", "raw", "resource", "zone"} {
		b.WriteString(`,"` + name + `":` + sections[name])
	}
	return b.String() + "}"
}
