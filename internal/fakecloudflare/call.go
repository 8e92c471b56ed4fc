package fakecloudflare

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// call is a call of the API, which is what v2 records. It has the terms of a
// draft, and a few more. What is empty has the value that most calls have
// there.
type call struct {
	what   string // the method and the path, with its query where there is one
	text   string // what the API calls it
	action string // by default it follows from the method
	actor  string // JSON
	body   string // JSON
	reply  string // JSON, without the envelope
}

// actions are the types of action by method. A method says how the call was
// made and not what it did: a POST can delete.
var actions = map[string]string{
	"GET": "view", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete",
}

// entry writes the entry of a call in which everything but the id and the time
// has been chosen, in the shape that is sent rather than the one documented: the
// token is an object in the actor, the scope a text, the type of the resource
// mostly missing, and its id missing when it is created. The path lacks the
// prefix of the API.
func (g generator) entry(c call, s scene) string {
	method, uri, _ := strings.Cut(c.what, " ")
	path, _, hasQuery := strings.Cut(uri, "?")
	if !hasQuery && g.IntN(6) == 0 {
		uri += "?_=$n"
	}
	result, status, reply := "success", 200, c.reply
	switch {
	case s.result == "false":
		result, status, reply = "failure", 500, ""
	case reply != "" && g.IntN(5) == 0:
		reply = `{"errors":[],"messages":[],"result":` + reply + `,"success":true}`
	}
	r := resourceOf(path)
	resource := `"product":"` + r.product + `",`
	if r.id != "" && method != "POST" {
		resource = `"id":"` + r.id + `",` + resource
	}
	if c.body != "" {
		resource += `"request":` + c.body + `,`
	}
	if reply != "" {
		resource += `"response":` + reply + `,`
	}
	resource += `"scope":"` + r.scope + `"`
	if r.kind != "" && g.IntN(4) == 0 {
		resource += `,"type":"` + r.kind + `"`
	}
	zone := ""
	if r.scope == "zones" {
		zone = `,"zone":{"id":"$zoneid","name":"$zone"}`
	}
	actor, agent := g.actor(s)
	return `{"account":{"id":"$account","name":"Example"},"action":{"description":"` + c.text +
		`","result":"` + result + `","time":"$when","type":"` + cmp.Or(c.action, actions[method]) +
		`"},"actor":` + cmp.Or(c.actor, actor) + `,"id":"$uuid","raw":{"cf_ray_id":"` + g.hex(16) + `-FRA","method":"` + method +
		`","status_code":` + fmt.Sprint(status) + `,"uri":"` + uri + `","user_agent":"` + agent +
		`"},"resource":{` + resource + `}` + zone + `}`
}

// actor is who makes a call, and with what.
func (g generator) actor(s scene) (actor, agent string) {
	address := ""
	if s.ip != "" {
		address = `"ip_address":"` + s.ip + `",`
	}
	context, token := "dash", ""
	agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	if s.iface == "API" {
		agent = g.one("terraform-provider-cloudflare/5.8.0", "curl/8.9.1", "cloudflare-go/7.9.0")
		context = "api_key"
		if g.IntN(5) > 0 {
			context, token = "api_token", `"token":{"id":"`+hexID("token of "+s.email)+`","name":"automation"},`
		}
	}
	return `{"context":"` + context + `","email":"$email","id":"$actor",` + address + token + `"type":"user"}`, agent
}

// resource is what a path leads to.
type resource struct {
	scope   string // accounts, zones or user
	product string
	kind    string // the rest of the path, joined by dots
	id      string
}

// resourceOf takes a path apart. The parts of it that hold a term are ids.
func resourceOf(path string) (r resource) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	r.scope, parts = parts[0], parts[1:]
	var names []string
	for i, part := range parts {
		switch {
		case !strings.Contains(part, "$"):
			names = append(names, part)
		case i > 0 || len(parts) == 1:
			r.id = part
		}
	}
	if len(names) == 0 {
		r.product = r.scope
		return r
	}
	r.product, r.kind = names[0], strings.Join(names[1:], ".")
	return r
}

// uuid7 is the id of an entry of v2, which begins with a time.
func (g generator) uuid7(t time.Time) string {
	ms := fmt.Sprintf("%012x", t.UnixMilli())
	h := g.hex(18)
	return ms[:8] + "-" + ms[8:] + "-7" + h[:3] + "-" + g.one("8", "9", "a", "b") + h[3:6] + "-" + h[6:18]
}

// madeUp is a secret that nobody has: its form is that of an API token, and its
// text says what it is.
func madeUp(prefix string) string {
	return prefix + strings.Repeat("1", 33) + "example"
}
