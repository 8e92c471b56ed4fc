package jsondoc

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// BenchmarkParse is the table of an entry beside looking whether it is JSON.
func BenchmarkParse(b *testing.B) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, entries := range map[string][]string{
		"usual": texts(fakecloudflare.Generate(1, 1000, now.Add(-time.Hour), now)),
		"large": texts(fakecloudflare.GenerateLarge(1, 100, now.Add(-time.Hour), now)),
		"v2":    texts(fakecloudflare.GenerateV2(1, 1000, now.Add(-time.Hour), now)),
	} {
		b.Run("entries="+name+"/work=table", func(b *testing.B) {
			var d Doc
			for b.Loop() {
				for _, e := range entries {
					if err := d.Parse(e); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(entries)), "ns/entry")
		})
		b.Run("entries="+name+"/work=validate", func(b *testing.B) {
			for b.Loop() {
				for _, e := range entries {
					if !jsontext.Value(e).IsValid(oracleOptions...) {
						b.Fatal("not valid")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(entries)), "ns/entry")
		})
	}
}

func texts[T ~[]byte](list []T) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = string(e)
	}
	return out
}
