package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/fleet"
	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// chunk is how many accounts are stored at once.
const chunk = 100

func newFleetAdd(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add or change accounts",
		Long: `Add adds an account, or changes an existing one. With --from it does so for all
the accounts of a list. Nothing is stored if any entry of the list is invalid, and
unchanged accounts are left alone, so that a whole list can be given again.
Running workers pick up the changes within a minute.

A list is CSV with a header line, or JSON with a list of objects. The names are
those of the configuration (see 'cfaudit schema') and these:

  tenant          the tenant that owns the account; required unless --tenant is
                  given; for 'fleet work --aisoc' a UUID
  api_token_ref   the name of a file in the folder of --secrets of the workers,
                  instead of api_token
  id              names the account in this fleet (default cloudflare-ACCOUNT)
  feed            the id of the connector instance in AiSOC (default cloudflare);
                  accounts of one tenant and feed share requests to it

Flags apply to all accounts of a list that do not override them. A token is
encrypted before it is stored, unless it is in a file that api_token_ref names.`,
		Example: `  cfaudit fleet add --tenant 0f9a7a52-6d0e-4c39-9d59-6f1f4e6f0001 \
    --account-id 023e105f4ecef8ad9ca31a8372d0c353 --token-file token --key-file fleet.key
  cfaudit fleet add --from customers.csv --interval 10m --key-file fleet.key`,
		Args: noArgs,
	}
	flags := cmd.Flags()
	s := addStation(w, flags, true)
	var from string
	var row fleetRow
	flags.StringVar(&from, "from", "", "`FILE` with a list of accounts, .csv or .json; - for JSON from standard input")
	flags.StringVar(&row.tenant, "tenant", "", "`TENANT` that owns the account; for AiSOC a UUID")
	flags.StringVar(&row.tokenRef, "token-ref", "", "`NAME` of the file in the folder of --secrets that holds the token")
	flags.StringVar(&row.id, "id", "", "`ID` of the account in this fleet (default cloudflare-ACCOUNT)")
	flags.StringVar(&row.feed, "feed", "", "`ID` of the connector instance in AiSOC (default cloudflare)")
	var cursor string
	flags.StringVar(&cursor, "cursor", "", "`FILE` with the cursor of an account that is new here, from the folder of --state or from 'fleet cursor'")
	loopback := flags.Bool("allow-loopback", false, "accept a base_url on the machine of the workers, as in a test")
	set := addSettings(w, flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		g := set.given()
		if len(g.wrong) > 0 {
			return g.wrong
		}
		row.object = g.object
		if cursor != "" {
			var err error
			if row.cursor, err = os.ReadFile(cursor); err != nil {
				return fmt.Errorf("cannot read --cursor: %w", err)
			}
			if from != "" || len(row.cursor) == 0 {
				return faults{"--cursor: must be a file that is not empty, for one account, not for a list"}
			}
		}
		rows := []fleetRow{row}
		if from != "" {
			var err error
			if rows, err = readRows(w, from, row); err != nil {
				return err
			}
		}
		ctx, stop := untilStopped(cmd.Context())
		defer stop()
		return s.with(ctx, func(ctx context.Context, f *fleet.Fleet) error {
			specs := make([]fleet.Spec, len(rows))
			var wrong faults
			for i, r := range rows {
				specs[i] = r.spec()
				wrong = append(wrong, r.misplaced()...)
				wrong = append(wrong, r.badAddress(from != "", *loopback)...)
				for _, fault := range set.rowFaults(f.Validate(specs[i]), g, from != "") {
					wrong = append(wrong, r.place+fault)
				}
			}
			wrong = append(wrong, duplicates(rows, specs)...)
			if len(wrong) > 0 {
				return wrong
			}
			for _, r := range rows {
				warnOf(w.stderr, r.doubts())
			}
			if err := putAll(ctx, w.stderr, f, specs); err != nil {
				return err
			}
			return noteTenants(w.stderr, specs)
		})
	}
	return cmd
}

// putAll stores the accounts and reports its progress.
func putAll(ctx context.Context, out io.Writer, f *fleet.Fleet, specs []fleet.Spec) error {
	done := make(map[fleet.Change]int)
	told := time.Now()
	for n := 0; n < len(specs); {
		part := specs[n:min(n+chunk, len(specs))]
		changes, err := f.Put(ctx, part...)
		if err != nil {
			if n > 0 {
				err = &remarked{err, fmt.Sprintf("; the first %d are stored: run the command again with the whole list", n)}
			}
			return err
		}
		for _, c := range changes {
			done[c]++
		}
		n += len(part)
		if now := time.Now(); n < len(specs) && now.Sub(told) >= time.Second {
			told = now
			fmt.Fprintf(out, "%d of %d accounts\n", n, len(specs))
		}
	}
	_, err := fmt.Fprintf(out, "%s: %d added, %d changed, %d unchanged\n", count(len(specs), "account", "accounts"),
		done[fleet.Added], done[fleet.Changed], done[fleet.Unchanged])
	return err
}

// noteTenants prints a note about tenants that AiSOC cannot know. They are not
// a fault: a worker that writes to a file accepts any.
func noteTenants(out io.Writer, specs []fleet.Spec) error {
	n, first := 0, ""
	for _, s := range specs {
		to := aisoc.Config{URL: "https://ingest.example.com", TenantID: s.Tenant, ConnectorID: "feed", ConnectorType: s.Connector}
		if to.Validate() != nil {
			n, first = n+1, cmp.Or(first, s.Tenant)
		}
	}
	if n == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "note: the tenant of %s is not a UUID, such as %q; 'fleet work --aisoc' cannot deliver what is in these\n",
		count(n, "account", "accounts"), redact(first))
	return err
}

// fleetRow is an account as given.
type fleetRow struct {
	// place is its location in the list, ending in ": ", or empty.
	place                      string
	id, tenant, feed, tokenRef string
	object                     map[string]any
	cursor                     []byte
}

// spec is the account in the form that the fleet takes.
func (r fleetRow) spec() fleet.Spec {
	// The catalog reports values that cannot be parsed.
	cfg, _ := cloudflareaudit.ParseConfig(r.object)
	s := fleet.Spec{
		ID: r.id, Connector: cloudflareaudit.ConnectorID, Tenant: r.tenant, Account: cmp.Or(cfg.AccountID, "?"), Feed: r.feed,
		Interval: cfg.PollInterval, Config: r.object, Cursor: r.cursor,
	}
	if r.tokenRef != "" {
		s.SecretRefs = map[string]string{"api_token": r.tokenRef}
	}
	return s
}

// doubts are what looks like a mistake in the rules.
func (r fleetRow) doubts() (list []string) {
	cfg, _ := cloudflareaudit.ParseConfig(r.object)
	for _, e := range cloudflareaudit.ReviewRules(cfg.Rules) {
		list = append(list, r.place+redact(e.Error()))
	}
	return list
}

// misplaced are the faults of fields that hold a token and would be stored in
// clear.
func (r fleetRow) misplaced() (wrong faults) {
	for _, f := range []struct{ name, value string }{{"id", r.id}, {"tenant", r.tenant}, {"feed", r.feed}, {"api_token_ref", r.tokenRef}} {
		if startsLikeAToken.MatchString(f.value) {
			wrong = append(wrong, r.place+f.name+": looks like an API token, which is given as api_token, or is in the file that api_token_ref names")
		}
	}
	return wrong
}

// badAddress is the fault of a base_url on the workers' machine, where whatever
// listens would get the token.
func (r fleetRow) badAddress(list, loopback bool) (wrong faults) {
	given, _ := r.object["base_url"].(string)
	name := "--base-url"
	if list {
		name = "base_url"
	}
	if fault := baseURLFault(name, given); fault != "" {
		wrong = append(wrong, r.place+fault)
	}
	// Requests go to the host in the spelling of the DNS, for which full-width digits
	// are digits.
	if u, err := url.Parse(given); err == nil && given != "" && httpx.MayBeLoopback(text.ASCIIZone(u.Hostname())) && !loopback {
		wrong = append(wrong, r.place+(&cloudflareaudit.FieldError{Field: name, Value: u.Redacted(),
			Allowed: "is on the machine of each worker, which is accepted with --allow-loopback only"}).Error())
	}
	return wrong
}

// rowFaults are the faults of an account, in terms of column names for a list
// and otherwise of flags.
func (s *settings) rowFaults(err error, g flagValues, list bool) (wrong faults) {
	var fields []error
	for _, fault := range causesOf(err) {
		field, ok := errors.AsType[*cloudflareaudit.FieldError](fault)
		switch {
		case ok && list:
			wrong = append(wrong, (&cloudflareaudit.FieldError{Field: field.Field, Value: redact(field.Value), Allowed: field.Allowed}).Error())
		case ok:
			fields = append(fields, field)
		default:
			wrong = append(wrong, redact(fault.Error()))
		}
	}
	return append(wrong, s.faultsOf(errors.Join(fields...), g)...)
}

// parts are the errors that err joins, even inside wrapping errors.
func causesOf(err error) (all []error) {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, causesOf(e)...)
		}
		return all
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		if _, ok := inner.(interface{ Unwrap() []error }); ok {
			return causesOf(inner)
		}
	}
	return []error{err}
}

// twice are the faults of accounts that a list has twice.
func duplicates(rows []fleetRow, specs []fleet.Spec) (wrong faults) {
	first := make(map[string]string)
	for i, s := range specs {
		key := s.Tenant + "\x00" + s.Account
		if s.ID != "" {
			key = s.ID
		}
		if place, ok := first[key]; ok {
			wrong = append(wrong, rows[i].place+"the same account as in "+strings.TrimSuffix(place, ": "))
			continue
		}
		first[key] = rows[i].place
	}
	return wrong
}

// readRows reads a list of accounts, to which the flags apply as well.
func readRows(w world, name string, flags fleetRow) (rows []fleetRow, err error) {
	text, exposed, err := readList(w, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read --from: %w", err)
	}
	var list []map[string]any
	var place func(n int) string
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		list, place, err = readCSV(text)
	} else {
		list, place, err = readJSON(text)
	}
	if err != nil {
		return nil, faults{"--from: " + name + ": " + redact(err.Error())}
	}
	if len(list) == 0 {
		return nil, faults{"--from: " + name + ": has no accounts in it"}
	}
	var wrong faults
	for n, object := range list {
		row := flags
		row.place = name + ": " + place(n) + ": "
		row.object = maps.Clone(flags.object)
		ref, own := object["api_token_ref"], object["api_token"]
		if own != nil && exposed != nil {
			return nil, faults{"--from: " + row.place + "api_token: " + exposed.Error()}
		}
		if ref != nil || own != nil {
			// A token given by flag is for the other rows.
			delete(row.object, "api_token")
			row.tokenRef = ""
		}
		for field, value := range object {
			to := map[string]*string{"id": &row.id, "tenant": &row.tenant, "feed": &row.feed, "api_token_ref": &row.tokenRef}[field]
			if to == nil {
				row.object[field] = value
				continue
			}
			text, ok := value.(string)
			if !ok {
				wrong = append(wrong, row.place+field+": must be text")
			}
			*to = text
		}
		rows = append(rows, row)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return rows, nil
}

// readList reads a file, or standard input. exposed says that other users can read it
// too, which they must not where it has tokens.
func readList(w world, name string) (text []byte, exposed, err error) {
	if name == "-" {
		text, err = io.ReadAll(w.stdin)
		return text, nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err = io.ReadAll(f)
	return text, files.CheckPrivate(f), err
}

// readCSV reads a table with a header line. Empty cells are skipped.
func readCSV(text []byte) (list []map[string]any, place func(int) string, err error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	r.TrimLeadingSpace = true
	names, err := r.Read()
	if err != nil {
		return nil, nil, errors.New("has no header line")
	}
	seen := make(map[string]bool)
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if seen[names[i]] {
			return nil, nil, fmt.Errorf("duplicate column %q", names[i])
		}
		seen[names[i]] = true
	}
	var lines []int
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return list, func(n int) string { return fmt.Sprintf("line %d", lines[n]) }, nil
		}
		if err != nil {
			return nil, nil, err // it names the line, and no cell
		}
		object := make(map[string]any)
		for i, cell := range cells {
			if cell != "" {
				object[names[i]] = cell
			}
		}
		line, _ := r.FieldPos(0)
		lines = append(lines, line)
		list = append(list, object)
	}
}

// readJSON reads a list of objects. Null values are skipped.
func readJSON(text []byte) (list []map[string]any, place func(int) string, err error) {
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, nil, errors.New("must be a JSON list of objects, one for each account")
	}
	for _, object := range list {
		maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
	}
	return list, func(n int) string { return fmt.Sprintf("account %d", n+1) }, nil
}
