package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// checker collects the faults of rules.
type checker struct {
	// book has the default rules, or is nil while these themselves are checked.
	book *Book
	// at and place are the position of the current rule and its name in errors.
	at     int
	place  string
	faults []ruleFault
}

// ruleFault is one fault of the rule at a position.
type ruleFault struct {
	at  int
	err *ingest.FieldError
}

// checkDefaults finds the faults of default rules.
func checkDefaults(rules []Rule) []error {
	if len(rules) == 0 {
		return []error{errors.New("there are none")}
	}
	var c checker
	c.checkEach(rules)
	last := &rules[len(rules)-1]
	c.begin(len(rules)-1, last.ID)
	if !last.Match.isZero() || last.Drop || last.Disabled || last.Burst != nil {
		c.fault("", "", "the last rule must grade all that no other one matches: it must have no match, and not be dropped or disabled")
	}
	return c.errors()
}

// begin makes the rule at a position the current one.
func (c *checker) begin(at int, id string) {
	c.at, c.place = at, "rules["+strconv.Itoa(at)+"]"
	if id != "" {
		c.place += " " + strconv.Quote(text.Shorten(id, 80))
	}
}

func (c *checker) fault(field, value, allowed string) {
	if field != "" {
		field = ": " + field
	}
	c.faults = append(c.faults, ruleFault{c.at, &ingest.FieldError{Field: c.place + field, Value: value, Allowed: allowed}})
}

// isFaulty reports whether the rule at a position has a fault.
func (c *checker) isFaulty(at int) bool {
	return slices.ContainsFunc(c.faults, func(f ruleFault) bool { return f.at == at })
}

// wrong reports whether a field of the current rule, or a field in it, has a
// fault: it is present but could not be read.
func (c *checker) wrong(field string) bool {
	return slices.ContainsFunc(c.faults, func(f ruleFault) bool {
		return f.at == c.at && strings.HasPrefix(f.err.Field, c.place+": "+field)
	})
}

// errors are the faults in the order of the rules.
func (c *checker) errors() []error {
	slices.SortStableFunc(c.faults, func(a, b ruleFault) int { return a.at - b.at })
	errs := make([]error, len(c.faults))
	for i, f := range c.faults {
		errs[i] = f.err
	}
	return errs
}

// check finds the faults of a user's rules, except for rules that could not be
// read. It returns the user's own rules, compiled.
func (c *checker) check(rules []Rule) []*compiled {
	c.checkEach(rules)
	return c.checkReach(rules)
}

// checkEach finds the faults of each rule by itself, and duplicate ids.
func (c *checker) checkEach(rules []Rule) {
	positions := make(map[string]int)
	for i := range rules {
		r := &rules[i]
		if r.isUnread() && c.isFaulty(i) {
			continue
		}
		c.begin(i, r.ID)
		c.checkRule(r)
		if at, taken := positions[r.ID]; taken && r.ID != "" {
			c.fault("id", r.ID, fmt.Sprintf("duplicate id, used by rules[%d]", at))
		} else {
			positions[r.ID] = i
		}
	}
}

// isUnread reports whether no field of r could be read.
func (r *Rule) isUnread() bool {
	return r.ID == "" && r.Match.isZero() && r.Severity == "" && !r.Drop && !r.Disabled && r.Burst == nil
}

// standard is the default rule with an id, or nil.
func (c *checker) standard(id string) *Rule {
	if c.book == nil {
		return nil
	}
	if i, found := c.book.byID[id]; found {
		return &c.book.defaults[i]
	}
	return nil
}

func (c *checker) checkRule(r *Rule) {
	standard := c.standard(r.ID)
	if r.ID == "" {
		c.fault("id", "", "is required")
	} else if strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(r.ID) > 64 {
		c.fault("id", r.ID, "must be at most 64 lower-case letters, digits and hyphens")
	} else if c.book != nil {
		c.checkIdentity(r, standard)
	}
	switch {
	case r.Severity != "" && r.Drop:
		c.fault("drop", "", "cannot be combined with a severity: remove one of them")
	case r.Severity != "" && !r.Severity.Valid():
		c.fault("severity", string(r.Severity), "must be critical, high, medium, low or info")
	case r.Severity == "" && !r.Drop && !r.Disabled && standard == nil:
		c.fault("severity", "", "is required, unless the rule drops: critical, high, medium, low or info")
	}
	if c.book != nil && r.ID == c.book.ids[len(c.book.ids)-1] && (r.Drop || r.Disabled) {
		c.fault("", "", "the last rule takes all that no other one matches: it may be graded, but not dropped or switched off")
	}
	c.checkTitle(r, r.Burst != nil || standard != nil && standard.Burst != nil)
	c.checkBurst(r, standard)
	for _, t := range r.Techniques {
		if !isTechnique(t) {
			c.fault("techniques", t, "must be an ATT&CK id such as T1098 or T1098.003")
		}
	}
	if standard != nil {
		// Its match, if it states one, is that of the default rule.
		return
	}
	c.checkMatch(&r.Match)
	if r.Drop && !r.Match.isZero() && !r.Match.isNarrow() {
		c.fault("drop", "", "the rule would drop too much: name an action, a resource type, an actor, an address or a zone")
	}
}

// checkIdentity finds a user's rule that neither is one of its own nor changes a
// default rule.
func (c *checker) checkIdentity(r, standard *Rule) {
	stated := !r.Match.isZero()
	switch {
	case standard != nil && stated && !r.Match.equal(&standard.Match):
		c.fault("match", "", "the id is that of a default rule with a different match: "+
			"leave out match to change that rule, or choose another id")
	case standard == nil && !stated && !c.wrong("match"):
		c.fault("match", "", "is required, because no default rule has this id"+text.Suggest(r.ID, c.book.ids))
	}
}

func (c *checker) checkMatch(m *Match) {
	for _, of := range conditions {
		if of.list == nil {
			continue
		}
		for _, s := range *of.list(m) {
			if fault := of.fault(s); fault != "" {
				c.fault("match."+of.name, s, fault)
			}
		}
	}
	for _, change := range m.Changed {
		for _, pattern := range []struct{ name, text string }{{"field", change.Field}, {"old", change.Old}, {"new", change.New}} {
			if pattern.text == "" && pattern.name != "field" {
				continue
			}
			if fault := checkGlob(pattern.text); fault != "" {
				c.fault("match.changed."+pattern.name, pattern.text, fault)
			}
		}
	}
}

// fault is the fault of an element in the list of a condition, or "".
func (of *condition) fault(s string) string {
	switch {
	case of.check != nil:
		return of.check(s)
	case len(of.values) == 0:
		return checkGlob(s)
	case !slices.Contains(of.values, s):
		return "must be one of " + strings.Join(of.values, ", ")
	}
	return ""
}

// checkGlob returns the fault of a pattern, or "".
func checkGlob(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.TrimSpace(s) != s || s != text.OneLine(s, 253):
		return "must be one line of at most 253 bytes without spaces around it"
	case strings.ContainsAny(s, "?[]{}\\^$|"):
		return "is not a pattern: the only wildcard is *, which stands for any text"
	}
	return ""
}

// checkAction returns the fault of an action, or "". Events name failed attempts
// with an ending that the actions in rules do not have.
func checkAction(s string) string {
	if fault := checkGlob(s); fault != "" {
		return fault
	}
	end := strings.ToLower(strings.TrimRight(s, "*"))
	if strings.HasSuffix(end, ".failed") || strings.HasSuffix(end, "*failed") {
		return `never matches, because the action of a failed attempt has no ".failed" here: leave that out and add outcome: failure`
	}
	return ""
}

// checkZone returns the fault of a zone name, id or pattern, or "".
func checkZone(s string) string {
	const form = "must be the name or the id of a zone, in which * stands for any text"
	if checkGlob(s) != "" || strings.ContainsAny(s, "/:@ \t,;") {
		return form
	}
	for label := range strings.SplitSeq(text.ZoneName(s), ".") {
		switch {
		case label == "":
			return form
		case strings.Contains(label, "*") && !text.IsASCII(label):
			return "a label with letters other than a to z must not have a * in it"
		}
	}
	return ""
}

// checkPrefix returns the fault of an address or a CIDR prefix, or "".
func checkPrefix(s string) string {
	if !parsePrefix(s).IsValid() {
		return "must be an address such as 192.0.2.1 or a CIDR prefix such as 192.0.2.0/24"
	}
	return ""
}
