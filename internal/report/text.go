package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/aisoc/cloudflareaudit/internal/table"
)

// textWidth is the width of the text form: mail programs quote and break what is
// wider.
const textWidth = 72

// Text writes the report as plain text, for a mail.
func (r *Report) Text(w io.Writer) error {
	t := &writer{}
	v := r.view()
	t.heading("Cloudflare audit report, "+v.Period, "=")
	if len(r.Accounts) > 0 {
		t.paragraph("", "Account "+strings.Join(r.Accounts, ", "))
	}
	t.paragraph("", v.Span)
	t.blank()
	t.paragraph("", strings.Join(r.Headline, " "))
	if r.Nothing == "" {
		t.blank()
		for _, c := range r.Counts {
			t.line(fmt.Sprintf("%6d  %s", c.N, c.Severity))
		}
		t.risky(r)
		t.open(r)
		t.who(r)
		t.groups("By zone", r.Zones)
		t.groups("By product", r.Products)
	}
	t.heading("Coverage", "-")
	for _, f := range v.Facts {
		if len(f.Lines) == 1 {
			t.paragraph("* ", f.Name+": "+f.Lines[0])
			continue
		}
		t.paragraph("* ", f.Name+":")
		for _, line := range f.Lines {
			t.paragraph("  - ", line)
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// writer writes lines of text.
type writer struct{ strings.Builder }

func (t *writer) line(s string) { t.WriteString(strings.TrimRight(s, " ") + "\n") }
func (t *writer) blank()        { t.WriteByte('\n') }

// heading writes a heading, with a blank line before it unless it is the first.
func (t *writer) heading(s, underline string) {
	if t.Len() > 0 {
		t.blank()
	}
	for _, line := range table.Wrap(s, textWidth) {
		t.line(line)
	}
	t.line(strings.Repeat(underline, min(len([]rune(s)), textWidth)))
	t.blank()
}

// paragraph writes text behind a bullet, the further lines indented like the
// first.
func (t *writer) paragraph(bullet, text string) {
	indent := strings.Repeat(" ", len(bullet))
	for _, line := range table.Wrap(table.Clean(text), textWidth-len(bullet)) {
		t.line(bullet + line)
		bullet = indent
	}
}

func (t *writer) risky(r *Report) {
	t.heading("Risky first", "-")
	if len(r.Risky) == 0 {
		t.line("Nothing of medium severity or above.")
	}
	for i, risk := range r.Shown() {
		if i > 0 {
			t.blank()
		}
		times := ""
		if n := len(risk.All); n > 1 {
			times = fmt.Sprintf(" (%d times)", n)
		}
		t.paragraph(fmt.Sprintf("%2d. ", i+1), strings.ToUpper(string(risk.Severity))+"  "+risk.Title+times)
		who := stamp(risk.At) + ", by " + risk.Actor
		if risk.SrcIP != "" {
			who += " from " + risk.SrcIP
		}
		t.paragraph("    ", who+risk.notes())
		if f, ok := tellingField(risk.Change); ok && f.Old != "" && f.New != "" {
			t.paragraph("    ", f.Field+": "+f.Old+" -> "+f.New)
		}
		if risk.Why != "" {
			t.paragraph("    ", risk.Why)
		}
	}
	if n := len(r.Rest()); n > 0 {
		t.blank()
		t.line(fmt.Sprintf("and %d more", n))
	}
}

// notes are what is to be noted about a risk, for the end of a line.
func (r *Risk) notes() string {
	var notes []string
	for _, n := range []struct {
		holds bool
		text  string
	}{
		{r.Still, "STILL IN PLACE"}, {!r.Still && r.Undone != nil, "undone later"}, {r.Failed, "attempt failed"}, {r.NewActor, "new actor"},
		{r.NewAddress, "new address"}, {r.OffHours, "outside working hours"},
	} {
		if n.holds {
			notes = append(notes, n.text)
		}
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, ", ") + ")"
}

func (t *writer) open(r *Report) {
	t.heading("Weakened, and still so at the end", "-")
	if len(r.Open) == 0 {
		t.line("None is known.")
	}
	for _, w := range r.Open {
		t.paragraph("* ", fmt.Sprintf("%s (%s), since %s, by %s", w.Title, w.Severity, stamp(w.At), w.Actor))
	}
}

func (t *writer) who(r *Report) {
	t.heading("Who", "-")
	for _, list := range [][]*Actor{r.People, r.Staff, r.Machinery} {
		for _, a := range list {
			line := fmt.Sprintf("%s: %s (%s)", a.Name, plural(len(a.All), "change", "changes"), counted(a.Counts))
			if a.New {
				line += "; first seen in this period"
			}
			if n := len(a.NewAddresses); n > 0 {
				line += "; from " + plural(n, "new address", "new addresses") + ": " + strings.Join(a.NewAddresses, ", ")
			}
			if n := len(a.OffHours); n > 0 {
				line += fmt.Sprintf("; %d outside working hours", n)
			}
			t.paragraph("* ", line)
		}
	}
}

func (t *writer) groups(title string, list []*Group) {
	if len(list) == 0 {
		return
	}
	t.heading(title, "-")
	for _, g := range list {
		t.paragraph("* ", fmt.Sprintf("%s: %s (%s)", g.Name, plural(len(g.All), "change", "changes"), counted(g.Counts)))
	}
}
