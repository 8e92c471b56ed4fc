package table

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func events() []ingest.Event {
	at := time.Date(2026, 5, 12, 10, 58, 56, 0, time.UTC)
	return []ingest.Event{
		{
			ExternalID: "2", Severity: ingest.Critical, CreatedAt: at, Actor: "mallory@example.com", SrcIP: "203.0.113.66",
			Title: "Access policy bypasses authentication: 9c9294a5-d4b5-45fb-8f72-c1c800837075 in the account",
			Audit: ingest.Audit{Target: "Staff only (Intranet)"},
		},
		{
			ExternalID: "1", Severity: ingest.Low, CreatedAt: at.Add(-time.Minute), Actor: "alice.with.a.very.long.address@department.example.com",
			SrcIP: "2001:db8:1234:5678:9abc:def0:1234:5678", Title: "DNS A record created: www.example.com",
			Audit: ingest.Audit{Target: "www.example.com"},
		},
		{ExternalID: "3", Severity: ingest.Info, Title: strings.Repeat("証明書", 40)},
	}
}

func shown(t *testing.T, o Options, list ...ingest.Event) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, New(&b, o).Write(t.Context(), list))
	return b.String()
}

// squeezed is text without spaces and line breaks, in which a wrapped title can
// be found again.
func squeezed(s string) string { return strings.Join(strings.Fields(s), "") }

func TestTable_FitsEveryWidthAndLosesNoTitle(t *testing.T) {
	t.Parallel()
	for width := MinWidth; width <= MaxWidth; width++ {
		for _, e := range events() {
			text := shown(t, Options{Width: width}, e)
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			column := strings.Index(lines[0], "TITLE")
			require.Positive(t, column)
			var title strings.Builder
			for _, line := range lines {
				assert.LessOrEqual(t, cells.StringWidth(line), width, "%d: %s", width, line)
				if len(line) > column && line != lines[0] {
					title.WriteString(line[column:])
				}
			}
			assert.Contains(t, squeezed(title.String()), squeezed(e.Title), width)
			assert.Contains(t, squeezed(title.String()), squeezed(e.Audit.Target), width)
			assert.Contains(t, text, string(e.Severity), width)
		}
	}
}

func TestTable_TheActorIsShownAtEveryWidth(t *testing.T) {
	t.Parallel()
	for _, width := range []int{1, 60, 80, 90, 120, 200, 1000} {
		text := shown(t, Options{Width: width}, events()[0])
		assert.Contains(t, squeezed(text), "mallory@example.com", width)
	}
	assert.Contains(t, shown(t, Options{Width: 200}, events()[0]), "203.0.113.66")
}

func TestTable_TheNewestEventStandsLastAndTheHeadingOnce(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	table := New(&b, Options{})
	require.NoError(t, table.Write(t.Context(), nil))
	assert.Empty(t, b.String())
	require.NoError(t, table.Write(t.Context(), events()[:2]))
	require.NoError(t, table.Write(t.Context(), events()[2:]))
	assert.Equal(t, 1, strings.Count(b.String(), "SEVERITY"))
	assert.Less(t, strings.Index(b.String(), "DNS A record"), strings.Index(b.String(), "Access policy"))
	assert.Contains(t, b.String(), "unknown", "an event without a time")
}

func TestTable_ShowsTimesInTheZoneOfThePerson(t *testing.T) {
	t.Parallel()
	text := shown(t, Options{Location: time.FixedZone("CEST", 7200)}, events()[0])
	assert.Contains(t, text, "2026-05-12 12:58:56")
	assert.True(t, strings.HasPrefix(text, "TIME (CEST)"), text)
	assert.True(t, strings.HasPrefix(shown(t, Options{}, events()...), "TIME (UTC)"))
}

func TestTable_ColoursTheSeverityAloneAndOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	plain := shown(t, Options{}, events()...)
	assert.NotContains(t, plain, "\x1b")
	colour := shown(t, Options{Colour: true}, events()...)
	assert.Contains(t, colour, "\x1b[1;35mcritical\x1b[0m")
	assert.Equal(t, plain, ansi.ReplaceAllString(colour, ""), "colour moves nothing")
}

func TestTable_AHostileTitleCannotControlTheTerminal(t *testing.T) {
	t.Parallel()
	text := shown(t, Options{}, ingest.Event{
		Severity: ingest.High, Title: "a\x1b]0;owned\x07b\x1b[2Jc\r\nd\u202Ee\u009b31mf\xff", Actor: "x\x1b[31m", Audit: ingest.Audit{Target: "y\x08"},
	})
	for _, r := range text {
		assert.False(t, r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e), "%U", r)
	}
	assert.Equal(t, 2, strings.Count(text, "\n"), "its line breaks make no rows")
}

func TestWrap_KeepsEveryWordWithinTheWidth(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("ab  c-漢字é\u0301🇩🇪👩‍👩‍👧")
	for range 3000 {
		runes := make([]rune, random.IntN(60))
		for i := range runes {
			runes[i] = alphabet[random.IntN(len(alphabet))]
		}
		text, width := string(runes), 2+random.IntN(30)
		lines := Wrap(text, width)
		require.Equal(t, squeezed(text), squeezed(strings.Join(lines, "")), "%q at %d", text, width)
		for _, line := range lines {
			require.LessOrEqual(t, cells.StringWidth(line), width, "%q at %d: %q", text, width, lines)
		}
	}
	assert.Equal(t, []string{"one", "two", "three"}, Wrap("one two three", 5))
	assert.Equal(t, []string{""}, Wrap("", 5))
	assert.Equal(t, []string{"漢", "字"}, Wrap("漢字", 1), "what is wider than the column stands alone")
}

func TestCSV_IsReadBackAsItWas(t *testing.T) {
	t.Parallel()
	list := events()
	list[0].Audit.Changes = []ingest.FieldChange{{Field: "decision", Old: "allow", New: "bypass"}, {Field: "x", New: "1"}}
	list[0].Audit.ChangesOmitted = 3
	list[0].Title = "a \"quoted\", title\nof two lines"
	var b bytes.Buffer
	out := NewCSV(&b, false)
	require.NoError(t, out.Write(t.Context(), list[:1]))
	require.NoError(t, out.Write(t.Context(), list[1:]))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, CSVColumns, rows[0])
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[1][i]
	}
	assert.Equal(t, `a "quoted", title of two lines`, row["title"])
	assert.Equal(t, "decision: allow -> bypass; x: (none) -> 1; and 3 more", row["changes"])
	assert.Equal(t, "2026-05-12T10:58:56.000000Z", row["created_at"])
	assert.Equal(t, "2", row["external_id"])
}

func TestCSV_HasItsHeadingOnceAlsoWhenItIsResumed(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, NewCSV(&b, false).Write(t.Context(), nil))
	assert.Equal(t, strings.Join(CSVColumns, ",")+"\r\n", b.String())
	b.Reset()
	require.NoError(t, NewCSV(&b, true).Write(t.Context(), events()[:1]))
	assert.Equal(t, 1, strings.Count(b.String(), "\r\n"))
}

func TestCSV_NoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"=1+1", "+1", "-1", "@sum(a)", "\t=1", "\r=1", "  =cmd|' /C calc'!A0"} {
		got := harmless(cell)
		assert.True(t, strings.HasPrefix(got, "'"), "%q became %q", cell, got)
	}
	assert.Equal(t, "a=1", harmless("a=1"))
	assert.Equal(t, "", harmless(""))
}

// screen is a terminal that keeps what is written to it.
type screen struct {
	bytes.Buffer
	width int
}

func (s *screen) Terminal() (int, bool) { return s.width, s.width > 0 }

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestColours_FollowsTheTerminalAndItsEnvironment(t *testing.T) {
	t.Parallel()
	tty := &screen{width: 80}
	assert.True(t, Colours(tty, env("TERM", "xterm")))
	assert.False(t, Colours(tty, env("NO_COLOR", "1")))
	assert.False(t, Colours(tty, env("TERM", "dumb")))
	assert.False(t, Colours(&bytes.Buffer{}, env()))
	assert.Nil(t, NewLine(&bytes.Buffer{}, env()))
	assert.Nil(t, NewLine(tty, env("TERM", "dumb")))
}

func TestLine_GivesWayToWhatIsWrittenAndComesBack(t *testing.T) {
	t.Parallel()
	tty := &screen{width: 20}
	l := NewLine(tty, env())
	l.Set("waiting for the next poll in 4 minutes")
	out := l.Behind(tty)
	fmt.Fprintln(out, "a row")
	l.Set("")
	assert.Equal(t, "waiting for the ne…\r\x1b[2Ka row\nwaiting for the ne…\r\x1b[2K", tty.String())
	width, ok := Terminal(out)
	assert.True(t, ok)
	assert.Equal(t, 20, width)

	var none *Line
	none.Set("nothing")
	assert.Same(t, tty, none.Behind(tty))
}
