package eventschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/aisoc/cloudflareaudit/docs"
)

// The tests check many thousand events, most of which have the same values in most
// places. Their two objects are checked member by member, and what was found good in
// a place is remembered. That is exact as long as no rule of the schema is about two
// members at once, which newEvent sees to.

// object is one of the two objects of an event.
type object struct {
	members  map[string]*member
	required int
}

// member is a place in an object.
type member struct {
	required bool
	schema   *jsonschema.Schema // nil where any value is good
	object   *object            // of the audit object

	mu   sync.Mutex
	good map[string]struct{}
}

var pieces = sync.OnceValues(newEvent)

func newEvent() (*object, error) {
	if err := noRuleOfTwoMembers(); err != nil {
		return nil, err
	}
	event, err := newObject("/")
	if err != nil {
		return nil, err
	}
	event.members["audit"].object, err = newObject("/$defs/audit/")
	return event, err
}

// newObject takes the object at the place in the schema to pieces.
func newObject(place string) (*object, error) {
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.EventSchema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(name, parsed); err != nil {
		return nil, err
	}
	rules := parsed.(map[string]any)
	if place != "/" {
		rules = rules["$defs"].(map[string]any)["audit"].(map[string]any)
	}
	o := &object{members: map[string]*member{}}
	for key, of := range rules["properties"].(map[string]any) {
		m := &member{good: map[string]struct{}{}}
		if !takesAll(of.(map[string]any)) {
			if m.schema, err = compiler.Compile(name + "#" + place + "properties/" + key); err != nil {
				return nil, err
			}
		}
		o.members[key] = m
	}
	for _, key := range rules["required"].([]any) {
		o.members[key.(string)].required = true
		o.required++
	}
	return o, nil
}

// noRuleOfTwoMembers fails when the objects have rules besides those of their members
// and of which members there are.
func noRuleOfTwoMembers() error {
	var event map[string]json.RawMessage
	if err := json.Unmarshal([]byte(docs.EventSchema), &event); err != nil {
		return err
	}
	var defs, audit map[string]json.RawMessage
	if err := json.Unmarshal(event["$defs"], &defs); err != nil {
		return err
	}
	if err := json.Unmarshal(defs["audit"], &audit); err != nil {
		return err
	}
	known := []string{"$schema", "$id", "$defs", "title", "description", "type", "additionalProperties", "required", "properties"}
	for _, o := range []map[string]json.RawMessage{event, audit} {
		if string(o["additionalProperties"]) != "false" {
			return fmt.Errorf("additionalProperties is %s, not false", o["additionalProperties"])
		}
		for keyword := range o {
			if !slices.Contains(known, keyword) {
				return fmt.Errorf("the schema has %s, which may be about two members at once", keyword)
			}
		}
	}
	return nil
}

// takesAll reports whether a member has no rule but is only described.
func takesAll(rules map[string]any) bool {
	return len(rules) == 1 && rules["description"] != nil
}

// knownGood reports whether every member of the event is good. One that is not is
// for check to explain.
func knownGood(line []byte) bool {
	event, err := pieces()
	if err != nil {
		panic(err) // the schema has changed, and this has to change with it
	}
	return json.Valid(line) && event.takes(line)
}

// takes reports whether the valid JSON is such an object, with each member once.
func (o *object) takes(text []byte) bool {
	text = bytes.TrimSpace(text)
	if text[0] != '{' {
		return false
	}
	seen := make([]*member, 0, 64)
	required := 0
	for text = skip(text[1:]); text[0] != '}'; text = skip(text) {
		end := valueEnd(text)
		m := o.members[string(text[1:end-1])]
		if m == nil || slices.Contains(seen, m) {
			return false
		}
		seen = append(seen, m)
		if m.required {
			required++
		}
		text = skip(text[end:])
		end = valueEnd(text)
		if !m.takes(text[:end]) {
			return false
		}
		text = text[end:]
	}
	return required == o.required
}

func (m *member) takes(value []byte) bool {
	switch {
	case m.object != nil:
		return m.object.takes(value)
	case m.schema == nil:
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.good[string(value)]; found {
		return true
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil || m.schema.Validate(parsed) != nil {
		return false
	}
	if len(m.good) < 10_000 && len(value) < 100 {
		m.good[string(value)] = struct{}{}
	}
	return true
}

// skip leaves out what stands between keys and values.
func skip(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n:,") }

// valueEnd is where the value at the beginning of valid JSON ends.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ' ', '\t', '\r', '\n', ':', ',':
			continue
		default:
			for i+1 < len(text) && !bytes.ContainsRune([]byte(" \t\r\n:,]}"), rune(text[i+1])) {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// stringEnd is where the string at the beginning ends.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
