package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// Kind is the kind of an actor.
type Kind string

// The kinds of actors.
const (
	Person    Kind = "person"
	Service   Kind = "token or service"
	Staff     Kind = "Cloudflare staff"
	Machinery Kind = "Cloudflare machinery"
)

// kindOf is the kind of the actor of a change.
func kindOf(e *ingest.Event) Kind {
	switch t := strings.ToLower(e.Audit.ActorType); {
	case e.Audit.ActorEmail != "":
		return Person
	case t == "admin", t == "cloudflare_admin", e.Actor == "Cloudflare staff":
		return Staff
	case t == "system", t == "cloudflare", e.Actor == "Cloudflare system":
		return Machinery
	case strings.Contains(t, "token"), strings.Contains(t, "service"):
		return Service
	}
	return Person
}

// Actor is an actor with all its changes.
type Actor struct {
	Name   string
	Kind   Kind
	Worst  ingest.Severity
	Counts []Count
	All    []*Change
	// New says that the actor or token was not seen before the span, and NewAddresses are
	// those of the Addresses that were not.
	New                     bool
	Addresses, NewAddresses []string
	// OffHours are the changes made outside working hours.
	OffHours []*Change
	// Owners are the actors that used a token.
	Owners []string
}

// who are the actors, the riskiest first, and the tokens that were used.
func (r *Report) who() (people, tokens, staff, machinery []*Actor) {
	byName, byToken := make(map[string]*Actor), make(map[string]*Actor)
	for _, c := range r.Changes {
		a := byName[string(c.Kind)+"\x00"+c.Actor]
		if a == nil {
			a = &Actor{Name: c.Actor, Kind: c.Kind}
			byName[string(c.Kind)+"\x00"+c.Actor] = a
		}
		a.add(c)
		a.New = a.New || c.NewActor
		if c.Token == "" {
			continue
		}
		if a = byToken[c.Token]; a == nil {
			a = &Actor{Name: c.Token, Kind: Service}
			byToken[c.Token] = a
		}
		a.add(c)
		a.New = a.New || c.NewToken
		if !slices.Contains(a.Owners, c.Actor) {
			a.Owners = append(a.Owners, c.Actor)
		}
	}
	for _, a := range byName {
		a.Counts = countBySeverity(a.All)
		switch a.Kind {
		case Staff:
			staff = append(staff, a)
		case Machinery:
			machinery = append(machinery, a)
		default:
			people = append(people, a)
			if a.New {
				r.NewActors++
			}
			r.NewAddresses += len(a.NewAddresses)
		}
	}
	for _, a := range byToken {
		a.Counts = countBySeverity(a.All)
		tokens = append(tokens, a)
	}
	for _, list := range [][]*Actor{people, tokens, staff, machinery} {
		slices.SortFunc(list, func(a, b *Actor) int {
			return cmp.Or(severityRank(a.Worst)-severityRank(b.Worst), len(b.All)-len(a.All), cmp.Compare(a.Name, b.Name))
		})
	}
	return people, tokens, staff, machinery
}

func (a *Actor) add(c *Change) {
	a.All = append(a.All, c)
	if a.Worst == "" || severityRank(c.Severity) < severityRank(a.Worst) {
		a.Worst = c.Severity
	}
	if c.OffHours {
		a.OffHours = append(a.OffHours, c)
	}
	if c.SrcIP != "" && !slices.Contains(a.Addresses, c.SrcIP) {
		a.Addresses = append(a.Addresses, c.SrcIP)
		if c.NewAddress {
			a.NewAddresses = append(a.NewAddresses, c.SrcIP)
		}
	}
}

// Hours are the working hours.
type Hours struct {
	// From and To are hours of the day, 0 to 24. To does not belong to them.
	From, To int
	// Days has a bit for each day of the week, that of Sunday being the lowest.
	Days uint8
}

const workdays = 0b0111110

// Contain reports whether t, in its own time zone, is within the hours.
func (h Hours) Contain(t time.Time) bool {
	return h.Days&(1<<uint(t.Weekday())) != 0 && t.Hour() >= h.From && t.Hour() < h.To
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads working hours such as "mon-fri 8-18", "mon,wed 9-17" or
// "8-18", which is Monday to Friday. The error says what is allowed.
func ParseHours(s string) (Hours, error) {
	bad := fmt.Errorf("%q: must be days and hours, such as mon-fri 8-18", s)
	parts := strings.Fields(strings.ToLower(s))
	h := Hours{Days: workdays}
	switch len(parts) {
	case 1:
	case 2:
		days, ok := parseDays(parts[0])
		if !ok {
			return Hours{}, bad
		}
		h.Days = days
	default:
		return Hours{}, bad
	}
	from, to, ok := strings.Cut(parts[len(parts)-1], "-")
	var err1, err2 error
	h.From, err1 = strconv.Atoi(from)
	h.To, err2 = strconv.Atoi(to)
	if !ok || err1 != nil || err2 != nil || h.From < 0 || h.To > 24 || h.From >= h.To {
		return Hours{}, bad
	}
	return h, nil
}

func parseDays(s string) (days uint8, ok bool) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if from < 0 || to < 0 {
			return 0, false
		}
		for day := from; ; day = (day + 1) % 7 {
			days |= 1 << uint(day)
			if day == to {
				break
			}
		}
	}
	return days, true
}

// String is the hours as [ParseHours] takes them.
func (h Hours) String() string {
	var days []string
	for i := range 7 {
		day := (i + 1) % 7 // from Monday on
		if h.Days&(1<<uint(day)) != 0 {
			days = append(days, weekdays[day])
		}
	}
	list := strings.Join(days, ",")
	if h.Days == workdays {
		list = "mon-fri"
	}
	return fmt.Sprintf("%s %d-%d", list, h.From, h.To)
}

// products are the parts of Cloudflare by the beginnings of actions. Of several
// that fit, the longest counts.
var products = []struct{ prefix, name string }{
	{"access_", "Access"},
	{"account.", "Account and sign-in"},
	{"ai_gateway.", "AI Gateway"},
	{"api_key.", "API tokens and keys"},
	{"api_token.", "API tokens and keys"},
	{"d1.", "Storage and databases"},
	{"device.", "Gateway and devices"},
	{"dns.", "DNS"},
	{"firewall_rule.", "Firewall and WAF"},
	{"gateway.", "Gateway and devices"},
	{"identity_provider.", "Access"},
	{"kv.", "Storage and databases"},
	{"log_retention.", "Logs"},
	{"logpush.", "Logs"},
	{"member.", "Members and roles"},
	{"queue.", "Workers"},
	{"r2.", "Storage and databases"},
	{"registrar.", "Domains"},
	{"scim.", "Members and roles"},
	{"secrets_store.", "Workers"},
	{"sso_connector.", "Account and sign-in"},
	{"user.", "Account and sign-in"},
	{"user_group.", "Members and roles"},
	{"waf_rule.", "Firewall and WAF"},
	{"worker.", "Workers"},
	{"zone.", "Zones"},
	{"zone.cache.", "Cache"},
	{"zone.certificate.", "TLS and certificates"},
	{"zone.dnssec.", "DNS"},
	{"zone.firewall.", "Firewall and WAF"},
	{"zone.pagerule.", "Rules and redirects"},
	{"zone.ruleset.", "Rules and redirects"},
	{"zone.settings.", "Zone settings"},
	{"zone.tls_settings.", "TLS and certificates"},
}

// product is the part of Cloudflare that an action belongs to.
func product(action string) (name string) {
	longest := 0
	for _, p := range products {
		if strings.HasPrefix(action, p.prefix) && len(p.prefix) > longest {
			name, longest = p.name, len(p.prefix)
		}
	}
	if name != "" {
		return name
	}
	first, _, _ := strings.Cut(action, ".")
	return strings.ReplaceAll(cmp.Or(first, "unknown"), "_", " ")
}
