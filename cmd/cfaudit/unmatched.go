package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// expected are the configured zones and Workers that no event has been about yet.
// A mistyped one would only show in grades that are too low.
type expected struct {
	zones, zoneIDs, workers patterns
}

// patterns are those of one kind that have not matched.
type patterns struct {
	left []pattern
	// seen counts the events that could have matched.
	seen int
}

// pattern is a pattern as configured and as compared.
type pattern struct {
	text string
	glob text.Glob
}

func expectedOf(cfg cloudflareaudit.Config) *expected {
	x := new(expected)
	for _, zone := range cfg.ProductionZones {
		of := &x.zones
		if text.IsHexID(zone) {
			of = &x.zoneIDs
		}
		of.left = append(of.left, pattern{zone, text.NewGlob(text.DNSZone(zone))})
	}
	for _, worker := range cfg.VerifiedWorkers {
		x.workers.left = append(x.workers.left, pattern{worker, text.NewGlob(worker)})
	}
	return x
}

// seeAll takes the events of a batch into account.
func (x *expected) seeAll(b ingest.Batch) {
	for i := range b.Events {
		x.see(&b.Events[i])
	}
}

// see takes an event into account.
func (x *expected) see(e *ingest.Event) {
	x.zones.see(text.DNSZone(e.Audit.ZoneName))
	x.zoneIDs.see(e.Audit.ZoneID)
	if strings.HasPrefix(e.Action, "worker.") {
		// The script of a route is in its changes.
		names := []string{e.Audit.Target}
		for _, c := range e.Audit.Changes {
			names = append(names, c.Old, c.New)
		}
		x.workers.see(names...)
	}
}

// see removes the patterns that match one of the names.
func (p *patterns) see(names ...string) {
	if len(p.left) == 0 || strings.Join(names, "") == "" {
		return
	}
	p.seen++
	p.left = slices.DeleteFunc(p.left, func(of pattern) bool {
		return slices.ContainsFunc(names, func(name string) bool { return name != "" && of.glob.Match(name) })
	})
}

// report lists the patterns that matched nothing in at least enough events that
// could have matched.
func (x *expected) report(to io.Writer, enough int) {
	for _, kind := range []struct {
		of   patterns
		flag string
	}{{x.zones, "--production-zone"}, {x.zoneIDs, "--production-zone"}, {x.workers, "--verified-worker"}} {
		for _, left := range kind.of.left {
			if kind.of.seen >= enough {
				fmt.Fprintf(to, "cfaudit: %s %s matched none of %s that it could match: is it mistyped?\n",
					kind.flag, left.text, count(kind.of.seen, "event", "events"))
			}
		}
	}
}
