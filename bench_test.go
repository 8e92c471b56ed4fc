package cloudflareaudit

import (
	"bytes"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/internal/cfapi"
)

// benchPage is a reply of 1000 entries of the usual mixture.
func benchPage() []byte {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	b.WriteString(`{"result":[`)
	for i, raw := range cfapi.Generate(1, 1000, now.Add(-time.Hour), now) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(raw)
	}
	b.WriteString(`],"success":true,"errors":[],"messages":[]}`)
	return b.Bytes()
}

// BenchmarkValidate is the yardstick: reading the same bytes and keeping
// nothing.
func BenchmarkValidate(b *testing.B) {
	body := benchPage()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !jsontext.Value(body).IsValid(readOptions...) {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkScan(b *testing.B) {
	p := page{body: benchPage()}
	b.SetBytes(int64(len(p.body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.scan(); err != nil || len(p.entries) != 1000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkPage is the whole path of a page of 1000 entries: from its bytes to
// lines of JSON.
func BenchmarkPage(b *testing.B) {
	n, err := NewNormalizer(Config{AccountID: cfapi.DefaultAccountID})
	if err != nil {
		b.Fatal(err)
	}
	p := page{body: benchPage()}
	b.SetBytes(int64(len(p.body)))
	b.ReportAllocs()
	var line []byte
	for b.Loop() {
		if _, err := p.scan(); err != nil {
			b.Fatal(err)
		}
		for i := range p.entries {
			_ = fingerprintOf(p.entries[i].entry.of(p.body)[:36])
			e := p.entry(i)
			event, _ := n.event(&e, time.Time{})
			line = event.AppendJSON(line[:0])
		}
	}
}

// BenchmarkEntry holds the two halves of the work on an entry side by side:
// grading it has to cost less than decoding it. An operation is an entry of the
// usual mixture, which is 1.1 kB long on average.
//
//	go test . -run '^$' -bench Entry -count 6 | benchstat -col /work -
func BenchmarkEntry(b *testing.B) {
	n, err := NewNormalizer(Config{AccountID: cfapi.DefaultAccountID, ProductionZones: []string{"example.com"}})
	if err != nil {
		b.Fatal(err)
	}
	p := page{body: benchPage()}
	if _, err := p.scan(); err != nil {
		b.Fatal(err)
	}
	entries := make([]entry, len(p.entries))
	for i := range entries {
		entries[i] = p.entry(i)
	}
	b.Run("work=decode", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n = (n + 1) % len(entries) {
			if n == 0 {
				if _, err := p.scan(); err != nil {
					b.Fatal(err)
				}
			}
			_ = p.entry(n)
		}
	})
	b.Run("work=grade", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i = (i + 1) % len(entries) {
			f := n.facts(&entries[i])
			_ = n.classifier.classify(&entries[i], &f)
		}
	})
}

// corpus is one decoded entry of every pair of the taxonomy.
func corpus(b *testing.B) (raws [][]byte, entries []entry) {
	for _, p := range taxonomy {
		raw := logged(p.resource, p.action, p.more...)
		raws = append(raws, []byte(raw))
		entries = append(entries, *decode(b, raw))
	}
	return raws, entries
}
