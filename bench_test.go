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
