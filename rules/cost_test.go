//go:build !race

package rules

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With the race detector, counts of allocations are higher.

func TestCost_GradingAllocatesTheTitleAlone(t *testing.T) {
	// Not in parallel, because it measures the process.
	b := newBook(t)
	own := []Rule{{ID: "mine", Severity: high, Match: Match{Action: oneOf{"worker.*"}, Zone: oneOf{"*.example.net"}}}}
	for _, user := range [][]Rule{nil, own} {
		c, err := b.NewClassifier(Config{ProductionZones: oneOf{"example.com", "*.example.org"}, DropRoutine: true, Rules: user})
		require.NoError(t, err)
		for action, want := range map[string]float64{
			"zone.settings.read": 0, // dropped
			"dns.record.update":  0, // a title without placeholders
			"dns.record.delete":  1,
			"zone.delete":        1,
			"spectrum.app.frob":  1,
		} {
			f := did(action, recordType("MX"))
			assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { c.Grade(f) }), want, action)
			thatFailed(f)
			assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { c.Grade(f) }), 1.0, action)
		}
	}
}

// A host builds a connector for every poll.
func TestCost_AClassifierForKnownRulesTakesNextToNothing(t *testing.T) {
	b := newBook(t)
	cfg := Config{DropRoutine: true, Rules: manyRules(200)}
	build := func() {
		_, err := b.NewClassifier(cfg)
		require.NoError(t, err)
	}
	build()
	assert.LessOrEqual(t, testing.AllocsPerRun(100, build), 3.0)
}

// manyRules are rules of which no one is in the way of another.
func manyRules(n int) []Rule {
	list := make([]Rule, n)
	for i := range list {
		list[i] = Rule{ID: fmt.Sprint("mine-", i), Severity: high, Title: "Something in {zone}[: {target}]", Why: "It matters to us, and this is a sentence.",
			Match: Match{Action: oneOf{"dns.*", "zone.settings.update"}, Actor: oneOf{fmt.Sprint("user", i, "@example.com")},
				Zone: oneOf{"example.com", "*.example.net"}, SourceIP: oneOf{"192.0.2.0/24"}}}
	}
	return list
}

func BenchmarkNewClassifier(b *testing.B) {
	book := newBook(b)
	for _, n := range []int{1, 20, 200} {
		cfg := Config{ProductionZones: oneOf{"example.com", "*.example.org"}, Rules: manyRules(n)}
		b.Run(fmt.Sprint("known/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := book.NewClassifier(cfg); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("new/", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				cfg.Rules[0].Why = fmt.Sprint(i)
				if _, err := book.NewClassifier(cfg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGrade(b *testing.B) {
	book := newBook(b)
	for _, n := range []int{0, 20, 8000} {
		c, err := book.NewClassifier(Config{ProductionZones: oneOf{"example.com"}, DropRoutine: true, Rules: manyRules(n)})
		require.NoError(b, err)
		for _, action := range []string{"dns.record.delete", "dns.record.update", "zone.settings.read", "spectrum.app.frob"} {
			f := did(action, recordType("MX"))
			b.Run(fmt.Sprint(n, "/", action), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.Grade(f)
				}
			})
		}
	}
}
