package cloudflareaudit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// ParseRules reads a JSON list of rules, as in the configuration field "rules".
// Where [Match] has a list, a single text will do. The error joins all the
// faults, each a [FieldError] that begins with the position and the id of its
// rule.
func ParseRules(b []byte) ([]Rule, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		at := ""
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = fmt.Sprintf("line %d: ", 1+bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n")))
		}
		return nil, fmt.Errorf("must be a JSON list of rules: %s%w", at, err)
	}
	var p ruleParser
	rules := make([]Rule, len(list))
	for i, raw := range list {
		v := value(raw)
		p.begin(i, v.get("id").text())
		if v.kind() != '{' {
			p.fault("", literal(v), "must be an object")
			continue
		}
		rules[i] = p.rule(v)
	}
	p.check(rules)
	if len(p.faults) > 0 {
		return nil, errors.Join(p.errors()...)
	}
	return rules, nil
}

// ruleParser collects the faults of rules.
type ruleParser struct {
	// at and place are the rule at hand: its position, and its name in errors.
	at     int
	place  string
	faults []ruleFault
}

// ruleFault is what is wrong with the rule at a position.
type ruleFault struct {
	at  int
	err error
}

func (p *ruleParser) begin(at int, id string) {
	p.at, p.place = at, "rules["+strconv.Itoa(at)+"]"
	if id != "" {
		p.place += " " + strconv.Quote(shorten(id, 80))
	}
}

func (p *ruleParser) fault(field, value, allowed string) {
	if field != "" {
		field = ": " + field
	}
	p.faults = append(p.faults, ruleFault{p.at, &FieldError{Field: p.place + field, Value: value, Allowed: allowed}})
}

// wrong reports whether a field of the rule at hand, or what is in it, has a
// fault: it is there, but could not be read.
func (p *ruleParser) wrong(field string) bool {
	return slices.ContainsFunc(p.faults, func(f ruleFault) bool {
		return f.at == p.at && strings.HasPrefix(f.err.Error(), p.place+": "+field)
	})
}

// errors are the faults in the order of the rules.
func (p *ruleParser) errors() []error {
	slices.SortStableFunc(p.faults, func(a, b ruleFault) int { return a.at - b.at })
	errs := make([]error, len(p.faults))
	for i, f := range p.faults {
		errs[i] = f.err
	}
	return errs
}

// literal is a value as a person wrote it.
func literal(v value) string {
	if v.kind() == '"' {
		return v.text()
	}
	return string(v)
}

// members calls fn for the members of an object, of which each may be there
// once.
func (p *ruleParser) members(prefix string, v value, fn func(key string, val value)) {
	seen := make(map[string]bool)
	v.each(func(key string, val value) bool {
		if seen[key] {
			p.fault(prefix+key, "", "is there twice")
		}
		seen[key] = true
		fn(key, val)
		return true
	})
}

func (p *ruleParser) rule(v value) Rule {
	var r Rule
	p.members("", v, func(key string, val value) {
		switch key {
		case "id":
			r.ID = p.text(key, val)
		case "title":
			r.Title = p.text(key, val)
		case "why":
			r.Why = p.text(key, val)
		case "severity":
			r.Severity = ingest.Severity(p.text(key, val))
		case "drop":
			r.Drop = p.flag(key, val)
		case "disabled":
			r.Disabled = p.flag(key, val)
		case "techniques":
			r.Techniques = p.list(key, val)
		case "match":
			if val.kind() != '{' {
				p.fault(key, literal(val), "must be an object")
				break
			}
			r.Match = p.match(val)
		default:
			p.fault(key, "", "there is no such field"+suggest(key, ruleKeys))
		}
	})
	return r
}

func (p *ruleParser) match(v value) Match {
	var m Match
	p.members("match.", v, func(key string, val value) {
		field := "match." + key
		for _, c := range conditions {
			if c.name != key {
				continue
			}
			list := p.list(field, val)
			if len(list) == 0 && val.kind() == '[' {
				p.fault(field, "[]", "is empty: leave it out, or name something to match")
			}
			*c.list(&m) = list
			return
		}
		for _, f := range flags {
			if f.name == key {
				*f.flag(&m) = new(p.flag(field, val))
				return
			}
		}
		if key == "changed" {
			m.Changed = p.changes(field, val)
			return
		}
		p.fault(field, "", "there is no such condition"+suggest(key, matchKeys))
	})
	return m
}

func (p *ruleParser) text(field string, v value) string {
	if v.kind() != '"' {
		p.fault(field, literal(v), "must be text")
		return ""
	}
	return v.text()
}

// scalar reads a text, or a number or boolean as one: it is what a field may be
// changed to.
func (p *ruleParser) scalar(field string, v value) string {
	switch v.kind() {
	case '0', 't', 'f':
		return v.text()
	}
	return p.text(field, v)
}

func (p *ruleParser) flag(field string, v value) bool {
	if k := v.kind(); k != 't' && k != 'f' {
		p.fault(field, literal(v), "must be true or false")
	}
	return v.kind() == 't'
}

func (p *ruleParser) list(field string, v value) []string {
	list := []string{}
	switch v.kind() {
	case '"':
		list = append(list, v.text())
	case '[':
		v.each(func(_ string, item value) bool {
			list = append(list, p.text(field, item))
			return true
		})
	default:
		p.fault(field, literal(v), "must be text or a list of texts")
	}
	return list
}

func (p *ruleParser) changes(field string, v value) []Change {
	var list []Change
	read := func(_ string, item value) bool {
		if item.kind() != '{' {
			p.fault(field, literal(item), `must be a list of objects such as {"field": "proxied", "new": "false"}`)
			return true
		}
		var c Change
		p.members(field+".", item, func(key string, val value) {
			switch key {
			case "field":
				c.Field = p.text(field+".field", val)
			case "old":
				c.Old = p.scalar(field+".old", val)
			case "new":
				c.New = p.scalar(field+".new", val)
			default:
				p.fault(field+"."+key, "", "there is no such field"+suggest(key, changeKeys))
			}
		})
		list = append(list, c)
		return true
	}
	if v.kind() == '{' {
		read("", v)
	} else {
		v.each(read)
	}
	if len(list) == 0 {
		p.fault(field, "", `must be a list of objects such as {"field": "proxied", "new": "false"}`)
	}
	return list
}

// checkRules finds the faults of a user's rules.
func checkRules(rules []Rule) []error {
	var p ruleParser
	p.check(rules)
	return p.errors()
}

// check finds the faults of rules, except of those that had one already for
// which they could not be read.
func (p *ruleParser) check(rules []Rule) {
	first := make(map[string]int)
	for i := range rules {
		r := &rules[i]
		if slices.ContainsFunc(p.faults, func(f ruleFault) bool { return f.at == i }) && r.isZero() {
			continue
		}
		p.begin(i, r.ID)
		p.checkRule(r)
		if at, taken := first[r.ID]; taken && r.ID != "" {
			p.fault("id", r.ID, fmt.Sprintf("is taken by rules[%d] already", at))
		} else {
			first[r.ID] = i
		}
	}
	p.checkReach(rules)
}

func (r *Rule) isZero() bool {
	return r.ID == "" && r.Match.isZero() && r.Severity == "" && !r.Drop && !r.Disabled
}

func (p *ruleParser) checkRule(r *Rule) {
	isDefault := slices.ContainsFunc(defaultRules, func(d Rule) bool { return d.ID == r.ID })
	hasMatch := !r.Match.isZero()
	switch {
	case r.ID == "":
		p.fault("id", "", "is required")
	case strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(r.ID) > 64:
		p.fault("id", r.ID, "must be at most 64 lower-case letters, digits and hyphens")
	case isDefault && hasMatch:
		p.fault("match", "", "the id is that of a default rule: leave out match to change that rule, or choose another id")
	case !isDefault && !hasMatch && !p.wrong("match"):
		p.fault("match", "", "is required, because no default rule has this id"+suggest(r.ID, ruleIDs()))
	}
	switch {
	case r.Severity != "" && r.Drop:
		p.fault("drop", "", "cannot go together with a severity: leave out one of them")
	case r.Severity != "" && !r.Severity.Valid():
		p.fault("severity", string(r.Severity), "must be critical, high, medium, low or info")
	case r.Severity == "" && !r.Drop && !r.Disabled && !isDefault:
		p.fault("severity", "", "is required, unless the rule drops: critical, high, medium, low or info")
	}
	if r.ID == defaultRules[len(defaultRules)-1].ID && (r.Drop || r.Disabled) {
		p.fault("", "", "the last rule takes all that no other one matches: it may be graded, but not dropped or switched off")
	}
	if _, fault := parseTemplate(r.Title); fault != "" {
		p.fault("title", r.Title, fault)
	} else if r.Title != oneLine(r.Title, maxTitle) {
		p.fault("title", r.Title, "must be one line of at most "+strconv.Itoa(maxTitle)+" bytes")
	}
	for _, t := range r.Techniques {
		if !isTechnique(t) {
			p.fault("techniques", t, "must be an ATT&CK id such as T1098 or T1098.003")
		}
	}
	p.checkMatch(&r.Match)
	if r.Drop && hasMatch && !r.Match.isNarrow() {
		p.fault("drop", "", "the rule would drop too much: name an action, a resource type, an actor, an address or a zone")
	}
}

func (p *ruleParser) checkMatch(m *Match) {
	for _, c := range conditions {
		for _, s := range *c.list(m) {
			fault := ""
			switch values := strings.Fields(c.values); {
			case c.kind == onSourceIP:
				if !parsePrefix(s).IsValid() {
					fault = "must be an address such as 192.0.2.1 or a CIDR prefix such as 192.0.2.0/24"
				}
			case c.kind == onZone:
				fault = checkZone(s)
			case len(values) > 0 && !slices.Contains(values, s):
				fault = "must be one of " + strings.Join(values, ", ")
			default:
				fault = checkGlob(s)
			}
			if fault != "" {
				p.fault("match."+c.name, s, fault)
			}
		}
	}
	for _, c := range m.Changed {
		for _, pattern := range []struct{ name, text string }{{"field", c.Field}, {"old", c.Old}, {"new", c.New}} {
			if pattern.text == "" && pattern.name != "field" {
				continue
			}
			if fault := checkGlob(pattern.text); fault != "" {
				p.fault("match.changed."+pattern.name, pattern.text, fault)
			}
		}
	}
}

// isZero reports whether m has no condition at all.
func (m *Match) isZero() bool {
	for _, c := range conditions {
		if len(*c.list(m)) > 0 {
			return false
		}
	}
	for _, f := range flags {
		if *f.flag(m) != nil {
			return false
		}
	}
	return len(m.Changed) == 0
}

// isNarrow reports whether m leaves out enough for what it matches to be
// dropped.
func (m *Match) isNarrow() bool {
	for _, c := range conditions {
		list := *c.list(m)
		wide := func(s string) bool { return strings.Trim(s, "*.") == "" || s == "0.0.0.0/0" || s == "::/0" }
		if c.narrows && len(list) > 0 && !slices.ContainsFunc(list, wide) {
			return true
		}
	}
	return false
}

func ruleIDs() []string {
	ids := make([]string, len(defaultRules))
	for i, r := range defaultRules {
		ids[i] = r.ID
	}
	return ids
}

// checkGlob says what is wrong with a pattern, or "".
func checkGlob(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.TrimSpace(s) != s || s != oneLine(s, 253):
		return "must be one line of at most 253 bytes without spaces around it"
	case strings.ContainsAny(s, "?[]{}\\^$|"):
		return "is not a pattern: * stands for any text, and there is nothing else"
	}
	return ""
}

// checkZone says what is wrong with the name, the id or the pattern of a zone,
// or "".
func checkZone(s string) string {
	const form = "must be the name or the id of a zone, in which * stands for any text"
	if checkGlob(s) != "" || strings.ContainsAny(s, "/:@ \t,;") {
		return form
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		switch {
		case label == "":
			return form
		case strings.Contains(label, "*") && asciiZone(label) != label:
			return "a part with other letters than a to z must not have a * in it"
		}
	}
	return ""
}

// isTechnique reports whether s has the form T#### or T####.###.
func isTechnique(s string) bool {
	const form = "T0000.000"
	if len(s) != 5 && len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return false
		}
	}
	return true
}

// parsePrefix reads an address or a CIDR prefix. The result is not valid when s
// is neither.
func parsePrefix(s string) netip.Prefix {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}
	}
	if addr := p.Addr(); addr.Is4In6() {
		// The addresses of entries have been unwrapped.
		return netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}
