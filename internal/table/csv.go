package table

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// CSVColumns are the columns of [CSV], in their order.
var CSVColumns = []string{
	"created_at", "severity", "action", "title", "actor", "src_ip", "outcome", "zone", "target", "direction", "changes",
	"interface", "token", "rule", "why", "mitre_techniques", "api", "account_id", "resource_type", "resource_id",
	"correlation_id", "external_id",
}

// CSV is a sink that writes events as comma-separated values with CRLF line
// ends, as RFC 4180 has them. A cell that a spreadsheet would take for a
// formula is prefixed with '.
type CSV struct {
	out    *csv.Writer
	headed bool
}

// NewCSV returns a CSV sink that writes to out. headed says that the header
// line has already been written.
func NewCSV(out io.Writer, headed bool) *CSV {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	return &CSV{out: w, headed: headed}
}

// Write implements [ingest.Sink]. The first call writes the header line, even
// without events.
func (c *CSV) Write(_ context.Context, events []ingest.Event) error {
	if !c.headed {
		if err := c.out.Write(CSVColumns); err != nil {
			return err
		}
		c.headed = true
	}
	for i := range events {
		if err := c.out.Write(record(&events[i])); err != nil {
			return err
		}
	}
	c.out.Flush()
	return c.out.Error()
}

// record is an event as one line, in the order of CSVColumns.
func record(e *ingest.Event) []string {
	a := &e.Audit
	at, correlation := "", ""
	if e.CreatedAt.Year() > 1 {
		at = e.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	if a.CorrelationID != (ingest.CorrelationID{}) {
		correlation = a.CorrelationID.String()
	}
	zone, token := a.ZoneName, a.TokenName
	if zone == "" {
		zone = a.ZoneID
	}
	if token == "" {
		token = a.TokenID
	}
	return harmlessRow([]string{
		at, string(e.Severity), e.Action, e.Title, e.Actor, e.SrcIP, a.Outcome, zone, a.Target, a.Direction, changes(a),
		a.Interface, token, a.Rule, a.Why, strings.Join(e.MITRETechniques, " "), a.API, a.AccountID, a.ResourceType, a.ResourceID,
		correlation, e.ExternalID,
	})
}

// WriteCSV writes rows, the first of which is the header line, in the form of
// [CSV].
func WriteCSV(out io.Writer, rows [][]string) error {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	for _, row := range rows {
		if err := w.Write(harmlessRow(row)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// harmlessRow makes each cell of row harmless.
func harmlessRow(row []string) []string {
	for i, cell := range row {
		row[i] = harmless(cell)
	}
	return row
}

// harmless makes a cell that no spreadsheet takes for a formula.
func harmless(cell string) string {
	cell = strings.TrimRight(Clean(cell), " ")
	if cell != "" && strings.IndexByte("=+-@", strings.TrimLeft(cell, " ")[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// changes are the changed fields in one cell, such as "ssl: strict -> flexible".
func changes(a *ingest.Audit) string {
	parts := make([]string, 0, len(a.Changes)+1)
	for _, c := range a.Changes {
		before, after := c.Old, c.New
		if before == "" {
			before = "(none)"
		}
		if after == "" {
			after = "(none)"
		}
		parts = append(parts, c.Field+": "+before+" -> "+after)
	}
	if a.ChangesOmitted > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", a.ChangesOmitted))
	}
	return strings.Join(parts, "; ")
}
