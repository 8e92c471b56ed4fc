package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aisoc/cloudflareaudit"
)

func newRules(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules [flags] [--explain [FILE…]]",
		Short: "Print the severity rules, or explain how they grade entries",
		Long: `Rules prints the rules that decide the severity of entries, in order: the first
rule that matches an entry decides. The rules of --rules come before the default
rules.

With --yaml it prints a file to edit, including disabled rules. Loaded with
--rules, the unedited file grades as now.

With --explain it reads entries, in the forms that normalize accepts, and prints
for each one the facts taken from it, the rule that matched, and the rules that
did not, each with the condition that failed.`,
		Example: `  cfaudit rules
  cfaudit rules --rules mine.yaml | head
  cfaudit rules --yaml > mine.yaml
  cfaudit rules --json | jq '.[] | select(.severity == "high")'
  cfaudit rules --rules mine.yaml --explain saved.json`,
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	asYAML := cmd.Flags().Bool("yaml", false, "print YAML that --rules loads again")
	explain := cmd.Flags().Bool("explain", false, "explain how the entries of files, or of standard input, are graded")
	all := cmd.Flags().Bool("all", false, "with --explain: show all rules that were tried")
	s := addSettings(w, cmd.Flags(), "rules", "production-zone", "verified-worker", "own-token-id", "drop-routine")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case *asJSON && *asYAML:
			return errors.New("--json and --yaml are mutually exclusive")
		case *explain && *asJSON:
			return errors.New("--explain has no JSON form: leave out --json")
		case *explain && *asYAML:
			return errors.New("--explain has no YAML form: leave out --yaml")
		case *explain:
			return nil
		case *all:
			return errors.New("--all requires --explain")
		}
		return noArgs(cmd, args)
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		if *explain {
			normalizer, err := cloudflareaudit.NewNormalizer(cfg)
			if err != nil {
				return err
			}
			x := explainer{Normalizer: normalizer, to: w.stdout, all: *all}
			for _, r := range cfg.Rules {
				x.own = append(x.own, r.ID)
			}
			err = readFiles(w.stdin, args, x.write)
			if x.n == 0 && err == nil {
				err = errors.New("there are no entries to explain")
			}
			return err
		}
		if *asYAML {
			editable, err := cloudflareaudit.EditableRules(cfg.Rules)
			if err != nil {
				return err
			}
			return writeYAML(w.stdout, editable)
		}
		effective, err := cloudflareaudit.EffectiveRules(cfg.Rules)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(w.stdout, effective)
		}
		drop := "drop"
		if cfg.DropRoutine != nil && !*cfg.DropRoutine {
			drop = "info"
		}
		return writeRules(w.stdout, effective, drop)
	}
	return cmd
}

// The maximum widths of the texts of the table.
const (
	matchesWidth = 44
	whyWidth     = 52
)

// writeRules writes the rules as a table. The severity of rules that drop is
// drop.
func writeRules(w io.Writer, rules []cloudflareaudit.Rule, drop string) error {
	rows := [][]string{{"RULE", "SEVERITY", "MATCHES", "WHY"}}
	for _, r := range rules {
		severity := string(r.Severity)
		if r.Drop {
			severity = drop
		}
		matches, err := describe(r.Match)
		if err != nil {
			return err
		}
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
	return writeTable(w, rows)
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
