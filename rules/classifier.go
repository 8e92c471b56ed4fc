package rules

import (
	"errors"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// Config is what the grade of an entry depends on besides the entry.
type Config struct {
	// ProductionZones are the zones in production: names, ids or patterns of
	// names in which * stands for any text, such as "*.example.com". Without any,
	// every zone is in production.
	ProductionZones []string
	// VerifiedWorkers are the names of the Workers scripts that are verified, as
	// patterns. Without any, none is.
	VerifiedWorkers []string
	// DropRoutine drops the entries matched by rules that drop. Otherwise these
	// are graded info.
	DropRoutine bool
	// Rules are the rules of the user. They come before the default rules, or
	// change the default rule with the same id.
	Rules []Rule
}

// Classifier grades entries. It is safe for concurrent use.
type Classifier struct {
	table       *table
	zones       zoneSet
	workers     []text.Glob
	dropRoutine bool
}

// zoneSet is the zones of a list.
type zoneSet struct {
	names map[string]struct{}
	globs []text.Glob
	ids   map[string]struct{}
}

// NewClassifier builds a classifier for cfg. The error joins an
// [ingest.FieldError] for every fault of it, in the fields production_zones and
// verified_workers and in those that [Book.Check] names.
//
// The book caches compiled rules, so building a classifier often is cheap.
func (b *Book) NewClassifier(cfg Config) (*Classifier, error) {
	c := &Classifier{dropRoutine: cfg.DropRoutine}
	var faults []error
	for _, zone := range cfg.ProductionZones {
		if fault := checkZone(zone); fault != "" {
			faults = append(faults, &ingest.FieldError{Field: "production_zones", Value: zone, Allowed: fault})
			continue
		}
		c.zones.add(zone)
	}
	for _, worker := range cfg.VerifiedWorkers {
		if fault := checkGlob(worker); fault != "" {
			faults = append(faults, &ingest.FieldError{Field: "verified_workers", Value: worker, Allowed: fault})
		}
		c.workers = append(c.workers, text.NewGlob(worker))
	}
	var ruleFaults []error
	c.table, ruleFaults = b.compile(cfg.Rules)
	if faults = append(faults, ruleFaults...); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// Grade grades an entry. It allocates only the title and, if that has {words},
// the words of an action that is not known. It does not retain the facts.
func (c *Classifier) Grade(f *Facts) Verdict {
	v, r := c.grade(f)
	if !v.Drop {
		v.Title = r.title.render(f, c.table.book, hasDetail(v.Severity), r.isLowered(f))
	}
	return v
}

// grade is the verdict without its title, and the rule that decided.
func (c *Classifier) grade(f *Facts) (Verdict, *compiled) {
	r := c.table.first(f, c)
	if r.Drop && c.dropRoutine {
		return Verdict{Rule: r.ID, Severity: ingest.Info, Drop: true}, r
	}
	v := Verdict{Rule: r.ID, Why: r.Why, Severity: r.Severity, Techniques: r.Techniques}
	if r.Drop {
		v.Severity = ingest.Info
	}
	if r.isLowered(f) {
		v.Severity = lowered(v.Severity)
	}
	if f.Direction == Safer && !r.own && !hasDetail(v.Severity) {
		v.Techniques = nil // to protect better is no attack
	}
	return v, r
}

// isLowered reports whether r grades an entry one level lower because the
// attempt failed. A rule that names the outcome already accounts for it.
func (r *compiled) isLowered(f *Facts) bool { return f.Failed && len(r.Match.Outcome) == 0 }

// hasDetail reports whether titles of a severity have their brackets filled in.
func hasDetail(s ingest.Severity) bool { return s != ingest.Low && s != ingest.Info }

// lowered is the severity one level below s.
func lowered(s ingest.Severity) ingest.Severity {
	switch s {
	case ingest.Critical:
		return ingest.High
	case ingest.High:
		return ingest.Medium
	case ingest.Medium:
		return ingest.Low
	}
	return ingest.Info
}

func (s *zoneSet) add(zone string) {
	if text.IsHexID(zone) {
		if s.ids == nil {
			s.ids = make(map[string]struct{})
		}
		s.ids[strings.ToLower(zone)] = struct{}{}
		return
	}
	g := text.NewGlob(text.DNSZone(zone))
	if g.IsWild() {
		s.globs = append(s.globs, g)
		return
	}
	if s.names == nil {
		s.names = make(map[string]struct{})
	}
	s.names[g.String()] = struct{}{}
}

func (s *zoneSet) hasNames() bool { return len(s.names) > 0 || len(s.globs) > 0 }

func (s *zoneSet) hasName(name string) bool {
	name = strings.ToLower(text.ASCIIZone(name))
	if _, listed := s.names[name]; listed {
		return true
	}
	return text.MatchAny(s.globs, name)
}

func (s *zoneSet) hasID(id string) bool {
	_, listed := s.ids[strings.ToLower(id)]
	return listed
}

// isProduction reports whether a zone is in production. Without a list every
// zone is. So is a zone that cannot be determined: an account rule has no zone,
// and some entries have only an id while the list has names.
func (c *Classifier) isProduction(name, id string) bool {
	hasNames, hasIDs := c.zones.hasNames(), len(c.zones.ids) > 0
	switch {
	case !hasNames && !hasIDs:
		return true
	case name != "" && hasNames && c.zones.hasName(name), id != "" && c.zones.hasID(id):
		return true
	}
	return name == "" && hasNames || id == "" && hasIDs
}

// worker is the state of the script of a Workers entry, or "" for other
// entries.
func (c *Classifier) worker(f *Facts) string {
	switch {
	case !f.IsWorker:
		return ""
	case f.NoScript:
		return "none"
	case f.Script != "" && text.MatchAny(c.workers, f.Script):
		return "verified"
	}
	return "unverified"
}
