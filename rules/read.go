package rules

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// The names of the fields of a rule, of a change and of a burst.
var (
	ruleKeys   = []string{"id", "title", "why", "match", "severity", "drop", "disabled", "techniques", "burst"}
	changeKeys = []string{"field", "old", "new"}
	burstKeys  = []string{"count", "within"}
)

// Parse reads a JSON list of a user's rules and checks them. Where [Match] has
// a list, a single string is accepted. The error joins all faults, each an
// [ingest.FieldError] whose Field begins with the position and the id of its
// rule, or it says where the text stops being a JSON list.
func (b *Book) Parse(src []byte) ([]Rule, error) {
	var doc jsondoc.Doc
	if err := doc.Parse(string(src)); err != nil {
		at, reason := "", err.Error()
		if syntax, ok := errors.AsType[*jsondoc.SyntaxError](err); ok {
			at = fmt.Sprintf("line %d: ", 1+bytes.Count(src[:min(syntax.Offset, len(src))], []byte("\n")))
			reason = syntax.Reason
		}
		return nil, fmt.Errorf("must be a JSON list of rules: %s%s", at, reason)
	}
	root := doc.Root()
	if k := root.Kind(); k != jsondoc.Array && k != jsondoc.Null {
		return nil, fmt.Errorf("must be a JSON list of rules, but begins with %s", text.Shorten(root.Source(), 20))
	}
	r := reader{checker{book: b}}
	list := []Rule{}
	for v := range root.All() {
		r.begin(len(list), v.Get("id").Text())
		if v.Kind() == jsondoc.Object {
			list = append(list, r.rule(v))
		} else {
			r.fault("", literal(v), "must be an object")
			list = append(list, Rule{})
		}
	}
	if len(r.faults) > 0 {
		r.check(list)
		return nil, errors.Join(r.errors()...)
	}
	if _, faults := b.compile(list); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return list, nil
}

// reader reads rules from JSON.
type reader struct{ checker }

// literal is a value as written.
func literal(v jsondoc.Value) string {
	if v.Kind() == jsondoc.String {
		return v.Text()
	}
	return v.Source()
}

// members calls fn for the members of an object. prefix precedes their names in
// faults.
func (r *reader) members(prefix string, v jsondoc.Value, fn func(key string, val jsondoc.Value)) {
	seen := make(map[string]bool)
	for member := range v.All() {
		key := member.Name()
		if seen[key] {
			r.fault(prefix+key, "", "duplicate key")
		}
		seen[key] = true
		fn(key, member)
	}
}

func (r *reader) rule(v jsondoc.Value) Rule {
	var out Rule
	r.members("", v, func(key string, val jsondoc.Value) {
		switch key {
		case "id":
			out.ID = r.text(key, val)
		case "title":
			out.Title = r.text(key, val)
		case "why":
			out.Why = r.text(key, val)
		case "severity":
			out.Severity = ingest.Severity(r.text(key, val))
		case "drop":
			out.Drop = r.flag(key, val)
		case "disabled":
			out.Disabled = r.flag(key, val)
		case "techniques":
			out.Techniques = r.list(key, val)
		case "match":
			if val.Kind() == jsondoc.Object {
				out.Match = r.match(val)
			} else {
				r.fault(key, literal(val), "must be an object")
			}
		case "burst":
			out.Burst = r.burst(val)
		default:
			r.fault(key, "", "there is no such field"+text.Suggest(key, ruleKeys))
		}
	})
	return out
}

// burst reads the thresholds of a rule that counts.
func (r *reader) burst(v jsondoc.Value) *Burst {
	if v.Kind() != jsondoc.Object {
		r.fault("burst", literal(v), `must be an object such as {"count": 20, "within": "10m"}`)
		return nil
	}
	b := new(Burst)
	r.members("burst.", v, func(key string, val jsondoc.Value) {
		field := "burst." + key
		var err error
		switch key {
		case "count":
			if b.Count, err = strconv.Atoi(val.Source()); err != nil {
				r.fault(field, literal(val), "must be a whole number")
			}
		case "within":
			if b.Within, err = time.ParseDuration(val.Text()); err != nil || val.Kind() != jsondoc.String {
				r.fault(field, literal(val), burstSpanForm)
			}
		default:
			r.fault(field, "", "there is no such field"+text.Suggest(key, burstKeys))
		}
	})
	return b
}

func (r *reader) match(v jsondoc.Value) Match {
	var m Match
	r.members("match.", v, func(key string, val jsondoc.Value) {
		field := "match." + key
		of := conditionNamed(key)
		switch {
		case key == changedName:
			m.Changed = r.changes(field, val)
		case of == nil:
			r.fault(field, "", "there is no such condition"+text.Suggest(key, conditionNames))
		case of.flag != nil:
			*of.flag(&m) = new(r.flag(field, val))
		default:
			list := r.list(field, val)
			if len(list) == 0 && val.Kind() == jsondoc.Array {
				r.fault(field, "[]", "is empty: leave it out, or name something to match")
			}
			*of.list(&m) = list
		}
	})
	return m
}

// text reads a text. Invalid UTF-8 is refused because it would not survive
// being printed and read again.
func (r *reader) text(field string, v jsondoc.Value) string {
	if v.Kind() != jsondoc.String {
		r.fault(field, literal(v), "must be text")
		return ""
	}
	return strings.ToValidUTF8(v.Text(), "\uFFFD")
}

// scalar reads a text, or a number or boolean as text: the possible values of a
// changed field.
func (r *reader) scalar(field string, v jsondoc.Value) string {
	switch v.Kind() {
	case jsondoc.Number, jsondoc.True, jsondoc.False:
		return v.Text()
	}
	return r.text(field, v)
}

func (r *reader) flag(field string, v jsondoc.Value) bool {
	if k := v.Kind(); k != jsondoc.True && k != jsondoc.False {
		r.fault(field, literal(v), "must be true or false")
	}
	return v.Kind() == jsondoc.True
}

func (r *reader) list(field string, v jsondoc.Value) []string {
	list := []string{}
	switch v.Kind() {
	case jsondoc.String:
		list = append(list, r.text(field, v))
	case jsondoc.Array:
		for item := range v.All() {
			list = append(list, r.text(field, item))
		}
	default:
		r.fault(field, literal(v), "must be text or a list of texts")
	}
	return list
}

// changesForm describes the form of the condition on changed fields.
const changesForm = `must be a list of objects such as {"field": "proxied", "new": "false"}`

func (r *reader) changes(field string, v jsondoc.Value) []Change {
	if v.Kind() == jsondoc.Object {
		return []Change{r.change(field, v)}
	}
	var list []Change
	for item := range v.All() {
		if item.Kind() == jsondoc.Object {
			list = append(list, r.change(field, item))
		} else {
			r.fault(field, literal(item), changesForm)
		}
	}
	if len(list) == 0 {
		r.fault(field, "", changesForm)
	}
	return list
}

func (r *reader) change(field string, v jsondoc.Value) Change {
	var c Change
	r.members(field+".", v, func(key string, val jsondoc.Value) {
		name := field + "." + key
		switch key {
		case "field":
			c.Field = r.text(name, val)
		case "old":
			c.Old = r.scalar(name, val)
		case "new":
			c.New = r.scalar(name, val)
		default:
			r.fault(name, "", "there is no such field"+text.Suggest(key, changeKeys))
		}
	})
	return c
}
