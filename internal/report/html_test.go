package report

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// document is a page, parsed as a browser does.
func document(t *testing.T, r *Report) *html.Node {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.HTML(&b))
	root, err := html.Parse(strings.NewReader(b.String()))
	require.NoError(t, err)
	return root
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// elements are the elements of a page.
func elements(root *html.Node) (list []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			list = append(list, n)
		}
	}
	return list
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// Whatever stands in an event, the page has the elements and attributes of the
// template and no others, and nothing in it can run or be loaded.
func TestHTML_HostileValuesAreTextAndNothingElse(t *testing.T) {
	t.Parallel()
	allowed := strings.Fields("html head meta title style body a div header p h1 h2 h3 h4 nav ul ol li main section article span strong wbr " +
		"table caption thead tbody tr th td details summary figure figcaption svg g line text rect dl dt dd code footer")
	attributes := strings.Fields("lang charset http-equiv content name class href id aria-label aria-labelledby role tabindex scope colspan " +
		"data-label viewBox x y x1 x2 y1 y2 width height text-anchor")
	for _, report := range []*Report{hostile(t), sample(t)} {
		for _, n := range elements(document(t, report)) {
			assert.Contains(t, allowed, n.Data)
			for _, a := range n.Attr {
				assert.Contains(t, attributes, a.Key, "in %s", n.Data)
				if a.Key == "href" {
					assert.Regexp(t, `^#[a-z0-9-]+$`, a.Val)
				}
			}
		}
	}
	shown := textOf(document(t, hostile(t)))
	for _, v := range evil[:6] {
		assert.Contains(t, shown, v, "it is shown as it is")
	}
	for _, r := range shown {
		assert.False(t, r < ' ' && r != '\n' || r == '\u202e', "%U", r)
	}
}

func TestHTML_ThePolicyAllowsItsOwnStyleAlone(t *testing.T) {
	t.Parallel()
	var found, styles int
	for _, n := range elements(document(t, sample(t))) {
		switch {
		case n.Data == "style":
			styles++
			sum := sha256.Sum256([]byte(textOf(n)))
			assert.Contains(t, policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		case attribute(n, "http-equiv") == "Content-Security-Policy":
			found++
			assert.Equal(t, policy, attribute(n, "content"))
			assert.True(t, strings.HasPrefix(policy, "default-src 'none'; "))
			assert.NotContains(t, policy, "unsafe")
		}
	}
	assert.Equal(t, 1, found)
	assert.Equal(t, 1, styles)
	assert.NotRegexp(t, `url\(|@import|https?:`, css, "the style loads nothing")
}

func TestHTML_EveryClaimLeadsToItsEvents(t *testing.T) {
	t.Parallel()
	root := document(t, sample(t))
	ids := map[string]int{}
	for _, n := range elements(root) {
		if id := attribute(n, "id"); id != "" {
			ids[id]++
		}
	}
	for id, n := range ids {
		assert.Equal(t, 1, n, "the id %s is there %d times", id, n)
	}
	links := 0
	for _, n := range elements(root) {
		if href := attribute(n, "href"); href != "" {
			assert.Positive(t, ids[href[1:]], "%s leads nowhere", href)
			links++
		}
		// Each row about an actor, a zone, a product, a rule or a weakening, and
		// each risk, has a link to an event.
		if n.Data == "tr" && n.Parent.Data == "tbody" && strings.Contains(attribute(n.Parent.Parent, "class"), "wide") ||
			strings.HasPrefix(attribute(n, "class"), "risk card") {
			assert.Regexp(t, `^#e\d+$`, firstLink(n), textOf(n))
		}
	}
	assert.Greater(t, links, 300)
}

func firstLink(n *html.Node) string {
	for _, e := range elements(n) {
		if href := attribute(e, "href"); href != "" {
			return href
		}
	}
	return ""
}

func TestHTML_HeadingsDescendByOneAndTablesAreNamed(t *testing.T) {
	t.Parallel()
	level := 0
	for _, n := range elements(document(t, sample(t))) {
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			now := int(n.Data[1] - '0')
			if now == 4 && level == 2 {
				now = 3 // the parts of a section are small
			}
			assert.LessOrEqual(t, now, level+1, textOf(n))
			level = now
		}
		if n.Data == "table" {
			require.NotNil(t, n.FirstChild)
			assert.Equal(t, "caption", n.FirstChild.Data)
			assert.NotEmpty(t, strings.TrimSpace(textOf(n.FirstChild)))
		}
		if n.Data == "th" {
			assert.Contains(t, []string{"row", "col"}, attribute(n, "scope"))
		}
	}
}

var variable = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6})`)

// luminance is the relative luminance of a colour, by WCAG 2.2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	part := func(from int) float64 {
		n, err := strconv.ParseUint(colour[from:from+2], 16, 8)
		require.NoError(t, err)
		if v := float64(n) / 255; v > 0.04045 {
			return math.Pow((v+0.055)/1.055, 2.4)
		}
		return float64(n) / 255 / 12.92
	}
	return 0.2126*part(1) + 0.7152*part(3) + 0.0722*part(5)
}

func TestCSS_ColoursHaveTheContrastOfLevelAAInEveryTheme(t *testing.T) {
	t.Parallel()
	themes := strings.Split(css, ":root {")[1:]
	require.Len(t, themes, 3, "light, dark and paper")
	for i, theme := range themes {
		theme, _, _ = strings.Cut(theme, "}")
		colours := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(theme, -1) {
			colours[m[1]] = m[2]
		}
		ratio := func(a, b string) float64 {
			require.Contains(t, colours, a)
			require.Contains(t, colours, b)
			x, y := luminance(t, colours[a]), luminance(t, colours[b])
			return (max(x, y) + 0.05) / (min(x, y) + 0.05)
		}
		pairs := [][2]string{
			{"text", "bg"}, {"text", "card"}, {"text", "soft"}, {"text", "target"}, {"muted", "bg"}, {"muted", "card"}, {"muted", "soft"},
			{"muted", "target"}, {"link", "bg"}, {"link", "card"}, {"link", "target"}, {"removed", "soft"}, {"added", "soft"},
			{"warn-fg", "warn-bg"}, {"good-fg", "good-bg"},
		}
		for _, s := range ingest.Severities() {
			pairs = append(pairs, [2]string{string(s) + "-fg", string(s) + "-bg"})
			assert.GreaterOrEqual(t, ratio(string(s), "card"), 3.0, "theme %d: a bar of %s", i, s)
		}
		for _, p := range pairs {
			assert.GreaterOrEqual(t, ratio(p[0], p[1]), 4.5, "theme %d: %s on %s", i, p[0], p[1])
		}
	}
}

func TestHTML_AnEmptyReportIsAPageToo(t *testing.T) {
	t.Parallel()
	r := NewBuilder(week()).Report()
	shown := textOf(document(t, r))
	assert.Contains(t, shown, "No change was recorded in this period.")
	assert.Contains(t, shown, "None is known.")
	var b strings.Builder
	require.NoError(t, r.Text(&b))
	assert.Contains(t, b.String(), "No change was recorded")
}

func TestHTML_WhereNothingCouldBeReadThePageSaysNothingElse(t *testing.T) {
	t.Parallel()
	b := NewBuilder(week())
	b.Nothing("there is no event in a.jsonl")
	r := b.Report()
	root := document(t, r)
	shown := textOf(root)
	var text strings.Builder
	require.NoError(t, r.Text(&text))
	for _, form := range []string{shown, text.String()} {
		assert.Contains(t, form, "Nothing could be read: there is no event in a.jsonl.")
		for _, clear := range []string{"No change was recorded", "Nothing of medium severity", "None is known", "critical\n", "There are none.", "silence", "0 events"} {
			assert.NotContains(t, form, clear)
		}
		assert.Contains(t, form, "Coverage")
	}
	ids, headline := map[string]bool{}, ""
	for _, n := range elements(root) {
		ids[attribute(n, "id")] = true
		if strings.HasPrefix(attribute(n, "class"), "headline") {
			headline = attribute(n, "class")
		}
	}
	assert.Equal(t, "headline warn", headline)
	for _, n := range elements(root) {
		if href := attribute(n, "href"); href != "" {
			assert.True(t, ids[href[1:]], "%s leads nowhere", href)
		}
	}
}

func TestHTML_ReadsWell(t *testing.T) {
	t.Parallel()
	r := sample(t)
	require.NotEmpty(t, r.Undone)
	shown := textOf(document(t, r))
	r.NewActors = 1
	assert.Contains(t, textOf(document(t, r)), "1New actor")
	assert.NotContains(t, textOf(document(t, r)), "1New actors")
	r.NewActors = 2
	assert.Contains(t, textOf(document(t, r)), "2New actors")
	assert.NotRegexp(t, `: weakened (Mon|Tue|Wed|Thu|Fri|Sat|Sun) `, shown)
	for _, n := range elements(document(t, r)) {
		if attribute(n, "class") == "l" {
			assert.Regexp(t, `^[A-Z]`, textOf(n))
		}
	}
}

func TestSoft_BreaksBetweenThePartsOfAWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"min_tls_version: 1.2":  "min_<wbr>tls_<wbr>version:<wbr> 1.2",
		"terraform@example.com": "terraform<wbr>@example<wbr>.com",
		"192.0.2.1":             "192.0.2.1",
		"<b>":                   "&lt;b&gt;",
		"<b>@x":                 "&lt;b&gt;<wbr>@x",
		"a_":                    "a_",
		"":                      "",
		"ä.ö":                   "ä<wbr>.ö",
	} {
		assert.Equal(t, want, string(soft(text)), text)
	}
}

func TestHTML_ALongReportListsTheRiskiestAndSaysSo(t *testing.T) {
	t.Parallel()
	o := week()
	o.Listed = 10
	b := NewBuilder(o)
	for i := range 100 {
		severity := ingest.Low
		if i%20 == 0 {
			severity = ingest.High
		}
		b.Add(&ingest.Event{
			ExternalID: fmt.Sprint(i), Title: fmt.Sprintf("change %d", i), Severity: severity, Action: "dns.record.update", Actor: "a@example.com",
			CreatedAt: now.Add(-time.Duration(i+1) * time.Minute),
		})
	}
	r := b.Report()
	assert.Equal(t, 90, r.Unlisted)
	listed := 0
	for _, c := range r.Changes {
		if c.Anchor != "" {
			listed++
		} else {
			assert.NotEqual(t, ingest.High, c.Severity)
		}
	}
	assert.Equal(t, 10, listed)
	assert.Contains(t, textOf(document(t, r)), "The riskiest 10 of 100, in the order of time; 90 are counted above and not listed.")
}

func TestText_FitsAMailAndSaysTheSame(t *testing.T) {
	t.Parallel()
	for _, report := range []*Report{sample(t), hostile(t)} {
		var b strings.Builder
		require.NoError(t, report.Text(&b))
		for line := range strings.Lines(b.String()) {
			assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), textWidth, line)
		}
		for _, r := range b.String() {
			assert.False(t, r < ' ' && r != '\n' || r == '\u202e', "%U", r)
		}
		assert.Contains(t, strings.Join(strings.Fields(b.String()), " "), strings.Join(report.Headline, " "))
	}
}
