package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/selection"
	"github.com/aisoc/cloudflareaudit/rules"
)

// rulesCommand is one run of the command rules.
type rulesCommand struct {
	*settings
	asJSON, asYAML, check, explain, all, stats bool
	try, format                                string
	limit                                      int
	ids                                        []string
	filter                                     selection.Filter
}

func newRules(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules [flags] [--explain|--stats|--try RULES [FILE…]]",
		Short: "Print, check or try out the severity rules, or explain how they grade entries",
		Long: `Rules prints the rules that decide the severity of entries, in order: the first
rule that matches an entry decides. The rules of --rules come before the default
rules. Likely mistakes in them, such as an unknown action, are warnings on standard
error; --check prints nothing else.

Rules with a burst decide nothing: each counts the entries it matches, and raises
one more event when an actor has enough of them within a span of time.

With --yaml it prints a file to edit, including disabled rules. Loaded with
--rules, the unedited file grades as now.

These read entries from files, or from standard input, in the forms that normalize
accepts:

  --explain    for each entry, the facts taken from it, the rule that matched, and
               the rules that did not, each with the condition that failed
  --stats      how many entries each rule decided on and what became of them, with
               the earliest and the latest entry, and the rules that never did; of
               a rule with a burst, how many times it raised one
  --try RULES  what would change if the file RULES took the place of --rules:
               grades, rules and titles before and after, with counts and an
               example, and how many bursts there are before and after; the exit
               code is 0 whatever changes`,
		Example: `  cfaudit rules
  cfaudit rules --rules mine.yaml --check
  cfaudit rules --yaml > mine.yaml
  cfaudit rules --json | jq '.[] | select(.severity == "high")'
  cfaudit rules --rules mine.yaml --explain saved.json
  cfaudit rules --explain --min-severity high events.jsonl
  cfaudit rules --rules mine.yaml --stats archive/*.json.gz
  cfaudit rules --rules mine.yaml --try new.yaml archive/*.json.gz`,
	}
	c := &rulesCommand{}
	flags := cmd.Flags()
	flags.BoolVar(&c.asJSON, "json", false, "print JSON")
	flags.BoolVar(&c.asYAML, "yaml", false, "print YAML that --rules loads again")
	flags.BoolVar(&c.check, "check", false, "only check the rules")
	flags.BoolVar(&c.explain, "explain", false, "explain how the entries of files, or of standard input, are graded")
	flags.BoolVar(&c.all, "all", false, "with --explain: show all rules that were tried; with --stats: name all that never fired")
	flags.StringSliceVar(&c.ids, "id", nil, "with --explain: only the entry with the external_id `ID`; repeatable")
	flags.StringVar((*string)(&c.filter.MinSeverity), "min-severity", "", "with --explain: only `SEVERITY` or worse: critical, high, medium, low or info")
	flags.BoolVar(&c.stats, "stats", false, "count which rules decide on the entries of files, or of standard input")
	flags.StringVar(&c.try, "try", "", "compare with the rules of `FILE`, on the entries of files, or of standard input")
	flags.StringVar(&c.format, "format", "", "`FORM` of --stats and --try: table, json or csv (default table)")
	flags.IntVar(&c.limit, "limit", 50, "with --try: show at most `N` kinds of change, 0 for all")
	c.settings = addSettings(w, flags, "rules", "production-zone", "verified-worker", "own-token-id", "drop-routine")
	cmd.Args = c.args
	cmd.RunE = func(_ *cobra.Command, files []string) error { return c.run(files) }
	return cmd
}

// args finds flags that do not go together.
func (c *rulesCommand) args(cmd *cobra.Command, files []string) error {
	var modes []string
	for _, name := range []string{"json", "yaml", "check", "explain", "stats", "try"} {
		if cmd.Flags().Changed(name) {
			modes = append(modes, "--"+name)
		}
	}
	reads := c.explain || c.stats || cmd.Flags().Changed("try")
	switch {
	case len(modes) > 1 && c.asJSON && (c.stats || c.try != ""):
		return errors.New("--json is a form of the list of rules; with --stats and --try it is --format json")
	case len(modes) > 1:
		return fmt.Errorf("%s and %s are mutually exclusive", modes[0], modes[1])
	case c.all && !c.explain && !c.stats:
		return errors.New("--all requires --explain or --stats")
	case len(c.ids) > 0 && !c.explain:
		return errors.New("--id requires --explain")
	case c.filter.MinSeverity != "" && !c.explain:
		return errors.New("--min-severity requires --explain")
	case c.filter.Validate() != nil:
		return errors.New(redact(c.filter.Validate().Error()))
	case cmd.Flags().Changed("try") && c.try == "":
		return errors.New("--try: must be a file of rules")
	case cmd.Flags().Changed("format") && !c.stats && c.try == "":
		return errors.New("--format requires --stats or --try")
	case cmd.Flags().Changed("limit") && c.try == "":
		return errors.New("--limit requires --try")
	case c.limit < 0:
		return fmt.Errorf("--limit: %d: must be 0 or more", c.limit)
	case !slices.Contains([]string{"", formatTable, formatJSON, formatCSV}, c.format):
		return fmt.Errorf("--format: %q: must be table, json or csv", redact(c.format))
	case reads:
		return nil
	}
	return noArgs(cmd, files)
}

func (c *rulesCommand) run(files []string) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	c.warn(cfg.Rules)
	switch {
	case c.check:
		_, err := fmt.Fprintf(c.stdout, "%s: valid\n", count(len(cfg.Rules), "rule", "rules"))
		return err
	case c.explain:
		return c.explainFiles(cfg, files)
	case c.stats:
		return c.countFiles(cfg, files)
	case c.try != "":
		return c.tryFiles(cfg, files)
	case c.asYAML:
		editable, err := cloudflareaudit.EditableRules(cfg.Rules)
		if err != nil {
			return err
		}
		return writeYAML(c.stdout, editable)
	}
	effective, err := cloudflareaudit.EffectiveRules(cfg.Rules)
	if err != nil {
		return err
	}
	if c.asJSON {
		return writeJSON(c.stdout, effective)
	}
	return writeRules(c.stdout, effective, dropped(cfg))
}

// dropped is what becomes of an entry that a rule drops.
func dropped(cfg cloudflareaudit.Config) string {
	if cfg.DropRoutine != nil && !*cfg.DropRoutine {
		return string(ingest.Info)
	}
	return "drop"
}

func (c *rulesCommand) explainFiles(cfg cloudflareaudit.Config, files []string) error {
	normalizer, err := cloudflareaudit.NewNormalizer(cfg)
	if err != nil {
		return err
	}
	x := explainer{Normalizer: normalizer, to: c.stdout, all: c.all, width: sectionWidth(c.stdout), ids: c.ids, filter: selection.NewTally(&c.filter)}
	for _, r := range cfg.Rules {
		x.own = append(x.own, r.ID)
	}
	err = readFiles(c.stdin, files, x.write)
	if x.read == 0 && err == nil {
		err = errNoEntries
	}
	for _, id := range x.missing() {
		fmt.Fprintf(c.stderr, "cfaudit: --id %s matched no entry\n", redact(id))
	}
	return err
}

// errNoEntries says that the input has no entry.
var errNoEntries = errors.New("there are no entries in the input")

func (c *rulesCommand) countFiles(cfg cloudflareaudit.Config, files []string) error {
	effective, err := cloudflareaudit.EffectiveRules(cfg.Rules)
	if err != nil {
		return err
	}
	normalizer, err := cloudflareaudit.NewNormalizer(cfg)
	if err != nil {
		return err
	}
	series := normalizer.NewSeries()
	stats := newRuleStats(effective, cfg.Rules, dropped(cfg))
	unread := eachFile(c.stdin, files, func(r io.Reader) (cloudflareaudit.Stream, error) {
		return stats.read(series, r)
	})
	if stats.Entries == 0 {
		return cmp.Or(unread, errNoEntries)
	}
	stats.finish()
	return errors.Join(stats.write(c.stdout, c.format, c.all), unread)
}

func (c *rulesCommand) tryFiles(cfg cloudflareaudit.Config, files []string) error {
	others, doubts, err := trialRules(c.world, c.try)
	if err != nil {
		return err
	}
	warnOf(c.stderr, doubts)
	trial, err := newRuleTrial(cfg, others)
	if err != nil {
		return err
	}
	unread := readFiles(c.stdin, files, trial.add)
	if trial.Entries == 0 {
		return cmp.Or(unread, errNoEntries)
	}
	trial.finish(c.limit)
	fmt.Fprintln(c.stderr, trial.summary())
	return errors.Join(trial.write(c.stdout, c.format), unread)
}

// The maximum widths of the texts of the table.
const (
	matchesWidth = 44
	whyWidth     = 52
)

// writeRules writes the rules as a table. The severity of rules that drop is
// drop.
func writeRules(w io.Writer, list []cloudflareaudit.Rule, drop string) error {
	rows := [][]string{{"RULE", "SEVERITY", "MATCHES", "WHY"}}
	narrow := slices.Clone(rows)
	for _, r := range list {
		severity := string(r.Severity)
		if r.Drop {
			severity = drop
		}
		matches, err := describe(r.Match)
		if err != nil {
			return err
		}
		if r.Burst != nil {
			matches = fmt.Sprintf("%d by one actor within %s: %s", r.Burst.Count, rules.SpanText(r.Burst.Within), matches)
		}
		narrow = append(narrow, []string{r.ID, severity, matches, r.Why})
		left, right := wrap(matches, matchesWidth), wrap(r.Why, whyWidth)
		for i := range max(len(left), len(right)) {
			cells := make([]string, 4)
			if i == 0 {
				cells[0], cells[1] = r.ID, severity
			}
			if i < len(left) {
				cells[2] = left[i]
			}
			if i < len(right) {
				cells[3] = right[i]
			}
			rows = append(rows, cells)
		}
	}
	return writeFitting(w, rows, narrow, 2)
}

// describe is a match in one line, such as "action=dns.*|zone.* verb=delete".
func describe(m cloudflareaudit.Match) (string, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return "", err
	}
	var parts []string
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", err
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%v=%s", name, describeValue(v)))
	}
	return cmp.Or(strings.Join(parts, " "), "everything else"), nil
}

// describeValue is a condition: one of the texts of a list, a text, a boolean,
// or a changed field.
func describeValue(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = describeValue(item)
		}
		return strings.Join(parts, "|")
	case map[string]any:
		part := func(name string) string {
			pattern, _ := v[name].(string)
			return cmp.Or(pattern, "*")
		}
		if part("old") == "*" && part("new") == "*" {
			return part("field")
		}
		return part("field") + ":" + part("old") + "->" + part("new")
	case string:
		if strings.ContainsAny(v, " |\"") {
			return strconv.Quote(v)
		}
		return v
	}
	return fmt.Sprint(v)
}

// wrap breaks s at spaces and after bars into lines of at most about width
// bytes, where possible.
func wrap(s string, width int) []string {
	var lines []string
	s = strings.Join(strings.Fields(s), " ")
	for len(s) > width {
		at := strings.LastIndexAny(s[:width+1], " |")
		if at < 0 {
			at = strings.IndexAny(s, " |")
		}
		if at < 0 {
			break
		}
		lines = append(lines, strings.TrimSuffix(s[:at+1], " "))
		s = s[at+1:]
	}
	return append(lines, s)
}

// writeJSON writes v for people and programs alike.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
