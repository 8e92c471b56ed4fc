package cloudflareaudit

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cfapi"
)

var pairsFrom = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func TestPairs_Measure(t *testing.T) {
	for _, paired := range []bool{false, true} {
		n := normalizer(t, classifierConfig{DropRoutine: true, Paired: paired})
		pairs := cfapi.GeneratePairs(1, 20000, pairsFrom, pairsFrom.AddDate(0, 1, 0))
		bad := map[string]int{}
		samples := map[string]string{}
		var counts = map[string]int{}
		for _, p := range pairs {
			a, _ := n.Normalizer.Normalize(p.V1)
			b, _ := n.Normalizer.Normalize(p.V2)
			check := func(what string, x, y any) {
				counts[what]++
				if fmt.Sprint(x) != fmt.Sprint(y) {
					k := what + " " + p.Action
					if p.Failed {
						k += " (failed)"
					}
					bad[k]++
					bad["TOTAL "+what]++
					if samples[k] == "" {
						samples[k] = fmt.Sprintf("%v | %v", x, y)
						if os.Getenv("RAW") != "" {
							samples[k] += "\n" + string(p.V1) + "\n" + string(p.V2)
						}
					}
				}
			}
			check("action", a.Action, b.Action)
			check("correlation", a.Audit.CorrelationID, b.Audit.CorrelationID)
			check("title", a.Title, b.Title)
			check("techniques", a.MITRETechniques, b.MITRETechniques)
			check("identity", []any{a.Title, a.SrcIP, a.Hostname, a.Actor, a.MITRETechniques}, []any{b.Title, b.SrcIP, b.Hostname, b.Actor, b.MITRETechniques})
			check("severity", a.Severity, b.Severity)
			check("scope", a.Audit.Scope == "user", b.Audit.Scope == "user")
			check("hostname", a.Hostname, b.Hostname)
		}
		var keys []string
		for k := range bad {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			if !strings.HasPrefix(k, "identity ") {
				t.Logf("paired=%v %6d %s: %s", paired, bad[k], k, samples[k])
			}
		}
	}
	_ = ingest.Info
	assert.True(t, true)
}
