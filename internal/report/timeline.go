package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// The measures of the timeline, in units of its own.
const (
	chartWidth = 960
	// narrowWidth is the width on the screen of a telephone.
	narrowWidth = 340
	plotLeft    = 44
	plotRight   = 8
	upperTop    = 26
	panel       = 104
	between     = 40
	axis        = 34
	lowerTop    = upperTop + panel + between
	// ChartHeight is the height of the whole.
	chartHeight = lowerTop + panel + axis
)

// Timeline is a picture of how many changes there were, by time and severity.
// Its upper panel has the risky changes and its lower one the routine ones,
// each on its own scale, so that the few remain visible beside the many.
type Timeline struct {
	// Name is "chart", or "narrow" for the one that a narrow screen shows instead.
	Name          string
	Narrow        *Timeline
	Width, Height int
	// Unit is what a bar stands for: "hour", "day" or "week".
	Unit    string
	Panels  []Panel
	Buckets []Bucket
	Labels  []Label
	Summary string
}

// Panel is one of the two parts of the picture.
type Panel struct {
	Title  string
	Y      int
	Lines  []Label // of the scale
	Left   int
	Right  int
	Bottom int
}

// Label is a text at a place.
type Label struct {
	X, Y int
	Text string
}

// Bucket is the bars of a span of time.
type Bucket struct {
	From time.Time
	// Link is the anchor of a day with events, or "".
	Link  string
	Label string
	N     int
	Parts []Part
	// X, Y, Width and Height are the place of both panels.
	X, Y, Width, Height float64
	Counts              []Count
}

// Part is a piece of a bar.
type Part struct {
	Severity            ingest.Severity
	X, Y, Width, Height float64
}

var (
	upper = []ingest.Severity{ingest.Medium, ingest.High, ingest.Critical}
	lower = []ingest.Severity{ingest.Info, ingest.Low}
)

// newTimeline draws the changes of a report for wide and for narrow screens.
func newTimeline(r *Report) *Timeline {
	t := drawn(r, "chart", chartWidth)
	t.Narrow = drawn(r, "narrow", narrowWidth)
	return t
}

// drawn draws the changes of a report in a width.
func drawn(r *Report, name string, width int) *Timeline {
	t := &Timeline{Name: name, Width: width, Height: chartHeight}
	starts := t.divide(r.Options)
	per := make([]map[ingest.Severity]int, len(starts))
	listed := make([]string, len(starts))
	at := 0
	for _, c := range r.Changes {
		for at+1 < len(starts) && !c.At.Before(starts[at+1]) {
			at++
		}
		if per[at] == nil {
			per[at] = make(map[ingest.Severity]int)
		}
		per[at][c.Severity]++
		if listed[at] == "" && c.Anchor != "" {
			listed[at] = dayAnchor(c.At)
		}
	}
	mostUpper, mostLower := niceTop(most(per, upper)), niceTop(most(per, lower))
	t.Panels = []Panel{
		t.panelOf("Critical, high and medium", upperTop, mostUpper),
		t.panelOf("Low and info", lowerTop, mostLower),
	}
	step := float64(t.Width-plotLeft-plotRight) / float64(len(starts))
	bar := min(step*0.72, 40)
	for i, from := range starts {
		x := plotLeft + step*float64(i) + (step-bar)/2
		b := Bucket{From: from, Link: listed[i], X: plotLeft + step*float64(i), Y: upperTop, Width: step, Height: lowerTop + panel - upperTop}
		b.Parts = append(stack(per[i], upper, x, bar, upperTop, mostUpper), stack(per[i], lower, x, bar, lowerTop, mostLower)...)
		for _, s := range ingest.Severities() {
			if n := per[i][s]; n > 0 {
				b.N += n
				b.Counts = append(b.Counts, Count{s, n})
			}
		}
		b.Label = t.bucketName(from)
		t.Buckets = append(t.Buckets, b)
	}
	t.label(starts, step)
	t.Summary = t.summary()
	return t
}

// divide divides the span into hours, days or weeks, in the time zone of the
// report.
func (t *Timeline) divide(o Options) (starts []time.Time) {
	from, to := o.Span.Since.In(o.Location), o.Span.Until.In(o.Location)
	next := func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	begin := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, o.Location)
	switch length := o.Span.Length(); {
	case length <= 50*time.Hour:
		t.Unit = "hour"
		begin = from.Truncate(time.Hour)
		next = func(t time.Time) time.Time { return t.Add(time.Hour) }
	case length <= 100*24*time.Hour:
		t.Unit = "day"
	default:
		t.Unit = "week"
		begin = begin.AddDate(0, 0, -int(begin.Weekday()+6)%7)
		next = func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }
	}
	for at := begin; at.Before(to); at = next(at) {
		starts = append(starts, at)
	}
	if len(starts) == 0 {
		starts = append(starts, begin)
	}
	return starts
}

func (t *Timeline) bucketName(from time.Time) string {
	switch t.Unit {
	case "hour":
		return from.Format("Mon 2 Jan 15:04")
	case "week":
		return "Week of " + from.Format("2 Jan 2006")
	}
	return from.Format("Mon 2 Jan 2006")
}

// most is the highest stack of the severities.
func most(per []map[ingest.Severity]int, of []ingest.Severity) (top int) {
	for _, counts := range per {
		n := 0
		for _, s := range of {
			n += counts[s]
		}
		top = max(top, n)
	}
	return top
}

// niceTop is the end of a scale that reaches n and can be halved.
func niceTop(n int) int {
	if n <= 2 {
		return 2
	}
	unit := int(math.Pow(10, math.Floor(math.Log10(float64(n)))))
	for _, factor := range []int{1, 2, 4, 6, 8, 10} {
		if top := unit * factor; top >= n && top%2 == 0 {
			return top
		}
	}
	return 10 * unit
}

func (t *Timeline) panelOf(title string, top, scale int) Panel {
	p := Panel{Title: title, Y: top, Left: plotLeft, Right: t.Width - plotRight, Bottom: top + panel}
	for i := range 3 {
		p.Lines = append(p.Lines, Label{X: plotLeft - 8, Y: top + panel - i*panel/2, Text: fmt.Sprint(scale * i / 2)})
	}
	return p
}

// stack is the pieces of one bar. A count of one is always visible.
func stack(counts map[ingest.Severity]int, of []ingest.Severity, x, width float64, top, scale int) (parts []Part) {
	y := float64(top + panel)
	for _, s := range of {
		if n := counts[s]; n > 0 {
			height := max(float64(n)*panel/float64(scale), 1.5)
			y -= height
			parts = append(parts, Part{s, x, y, width, height})
		}
	}
	return parts
}

// label names some of the buckets, as many as there is room for.
func (t *Timeline) label(starts []time.Time, step float64) {
	form, room := "2 Jan", 64.0
	if t.Unit == "hour" {
		form = "15:04"
	}
	every := max(1, int(math.Ceil(room/step)))
	for i := 0; i < len(starts); i += every {
		t.Labels = append(t.Labels, Label{X: int(plotLeft + step*(float64(i)+0.5)), Y: lowerTop + panel + 22, Text: starts[i].Format(form)})
	}
}

// summary describes the picture in words.
func (t *Timeline) summary() string {
	var busiest, riskiest *Bucket
	risk := 0
	for i := range t.Buckets {
		b := &t.Buckets[i]
		if busiest == nil || b.N > busiest.N {
			busiest = b
		}
		n := 0
		for _, c := range b.Counts {
			if severityRank(c.Severity) <= severityRank(ingest.High) {
				n += c.N
			}
		}
		if n > risk {
			risk, riskiest = n, b
		}
	}
	var parts []string
	if busiest != nil && busiest.N > 0 {
		parts = append(parts, fmt.Sprintf("The busiest %s is %s with %s", t.Unit, busiest.Label, plural(busiest.N, "change", "changes")))
	}
	if riskiest != nil {
		parts = append(parts, fmt.Sprintf("the riskiest is %s with %s", riskiest.Label, plural(risk, "critical or high change", "critical or high changes")))
	}
	if len(parts) == 0 {
		return "There is no change to show."
	}
	return strings.Join(parts, "; ") + "."
}
