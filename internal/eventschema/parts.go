package eventschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
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
	return event.takes(bytes.Trim(line, space))
}

// space is what may stand around values.
const space = " \t\r\n"

// takes reports whether the text is such an object, with each member once. It looks
// for where values end as if all was valid JSON, and what is between two ends is only
// good if it was read as a value.
func (o *object) takes(text []byte) bool {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return false
	}
	text = text[1 : len(text)-1]
	seen := make([]*member, 0, 64)
	required := 0
	for {
		text = skip(text)
		if len(text) == 0 || text[0] != '"' {
			return false // which an object without members is as well, since some are required
		}
		end := stringEnd(text)
		if end < 2 {
			return false
		}
		m := o.members[string(text[1:end-1])]
		if m == nil || slices.Contains(seen, m) {
			return false
		}
		seen = append(seen, m)
		if m.required {
			required++
		}
		text = skip(text[end:])
		if len(text) == 0 || text[0] != ':' {
			return false
		}
		text = skip(text[1:])
		end = valueEnd(text)
		if !m.takes(text[:end]) {
			return false
		}
		text = skip(text[end:])
		if len(text) == 0 {
			return required == o.required
		}
		if text[0] != ',' {
			return false
		}
		text = text[1:]
	}
}

func (m *member) takes(value []byte) bool {
	switch {
	case m.object != nil:
		return m.object.takes(value)
	case m.schema == nil:
		return jsontext.Value(value).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
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
	if len(m.good) < 10_000 && len(value) < 300 {
		m.good[string(value)] = struct{}{}
	}
	return true
}

// skip leaves out the space at the beginning.
func skip(text []byte) []byte {
	for i, c := range text {
		if c > ' ' || strings.IndexByte(space, c) < 0 {
			return text[i:]
		}
	}
	return nil
}

// valueEnd is where the value at the beginning ends, if it is valid JSON.
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
		default:
			if depth > 0 {
				continue // a part of an object or a list that is no string
			}
			if end := bytes.IndexAny(text[i:], space+",]}"); end > 0 {
				return i + end
			}
			return len(text)
		}
		if depth <= 0 {
			return min(i+1, len(text))
		}
	}
	return len(text)
}

// stringEnd is where the string at the beginning ends, if it is valid JSON.
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
