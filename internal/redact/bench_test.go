package redact

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// BenchmarkEntry is the masking of an entry whose table is known, under the
// policies for settings and for what is not understood.
func BenchmarkEntry(b *testing.B) {
	to := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	from := to.Add(-time.Hour)
	for _, bm := range []struct {
		name    string
		entries []json.RawMessage
	}{
		{"usual", fakecloudflare.Generate(1, 1000, from, to)},
		{"large", fakecloudflare.GenerateLarge(1, 50, from, to)},
		{"v2", fakecloudflare.GenerateV2(1, 1000, from, to)},
	} {
		docs := make([]jsondoc.Doc, len(bm.entries))
		for i, e := range bm.entries {
			if err := docs[i].Parse(string(e)); err != nil {
				b.Fatal(err)
			}
		}
		for name, p := range map[string]Policy{"settings": {}, "unknown": Unknown} {
			b.Run("entries="+bm.name+"/policy="+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for i := range docs {
						Entry(&docs[i], p)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(docs)), "ns/entry")
			})
		}
	}
}
