package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/files"
)

// faults are the faults of a configuration, one line each.
type faults []string

// Error implements error.
func (f faults) Error() string { return strings.Join(f, "\n") }

// kind is the conversion of a flag's value to that of a field.
type kind int

const (
	asText kind = iota
	asToggle
	asList    // repeatable, or separated by commas
	asSeconds // a duration, for a field in seconds
	asRules   // the name of a file that holds rules
	asLine    // the name of a file that holds a value of one line
)

// option is a flag for a field of the connector's configuration.
type option struct {
	flag, field string
	kind        kind
	usage       string
}

// options are the flags for the fields of the connector's configuration.
var options = []option{
	{"account-id", "account_id", asText, "`ID` of the account (environment: " + envAccountID + ")"},
	{"token-file", "api_token", asLine, "`FILE` with the API token (environment: " + envToken + ")"},
	{"audit-log-api", "audit_log_api", asText, "audit `LOG` to read: v1, v2 or both"},
	{"rules", "rules", asRules, "`FILE` with a list of rules, in JSON or YAML, that take precedence over the default ones"},
	{"production-zone", "production_zones", asList, "`ZONE` in production: a name, an id or a pattern with *; repeatable (default every zone)"},
	{"verified-worker", "verified_workers", asList, "`WORKER` that routes may point to: a name or a pattern with *; repeatable (default none)"},
	{"own-token-id", "own_token_id", asText, "`ID` of the API token, not the token: changes to it are reported as such"},
	{"drop-routine", "drop_routine", asToggle, "drop routine entries; =false delivers them with severity info"},
	{"hide-user-logs", "hide_user_logs", asToggle, "leave out the entries of users, such as logins and API keys; v1 only"},
	{"resolve-members", "resolve_members", asToggle, "look up actors known by id alone, and the roles of new members"},
	{"resolve-scopes", "resolve_scopes", asToggle, "look up the scopes of API tokens; needs Account > Account API Tokens > Read"},
	{"resolve-history", "resolve_history", asToggle, "look up the old values of changes in Audit Logs v2, and with them the direction"},
	{"interval", "poll_interval_seconds", asSeconds, "`TIME` between polls, 30s to 24h"},
	{"initial-lookback", "initial_lookback", asText, "`TIME` the first poll reaches back, 1m to 548d"},
	{"overlap", "overlap", asText, "`TIME` by which entries may be late and still be caught, 10s to 24h"},
	{"overlap-v2", "overlap_v2", asText, "`TIME` by which entries of Audit Logs v2 may be late, 10s to 24h"},
	{"page-size", "page_size", asText, "request `N` entries at once, 1 to 1000"},
	{"max-events", "max_events", asText, "write at most `N` events before the cursor is saved, 1 to 1000"},
	{"rate-limit", "rate_limit", asText, "send at most `N` requests in 5 minutes, 1 to 1200"},
	{"request-timeout", "request_timeout", asText, "`TIME` one request may take, 1s to 5m"},
	{"base-url", "base_url", asText, "`URL` of the API"},
}

// settings builds the configuration of a command from its flags.
type settings struct {
	world
	flags *pflag.FlagSet
	// connects says that the command needs an account and a token.
	connects bool
	// file is the file of --config, or "".
	file string
	// only is the one field to read, or "" for all, and alias the flag that it
	// is given by if that has another name.
	only, alias string
	// rules is the file of rules, once it has been read.
	rules ruleFile
	// read is what has been given, once it has been read.
	read *flagValues
}

// addSettings adds the flags of the configuration to flags. A command that
// connects has all of them, others only those named.
func addSettings(w world, flags *pflag.FlagSet, named ...string) *settings {
	connects := len(named) == 0
	flags.SortFlags = false
	defaults := make(map[string]any)
	for _, f := range descriptor().Fields {
		defaults[f.Name] = f.Default
	}
	for _, o := range options {
		if !connects && !slices.Contains(named, o.flag) {
			continue
		}
		usage, initial := o.usage, defaults[o.field]
		switch o.kind {
		case asToggle:
			on, _ := initial.(bool)
			flags.Bool(o.flag, on, usage)
		case asList:
			flags.StringSlice(o.flag, nil, usage)
		default:
			if o.kind == asSeconds {
				initial = fmt.Sprintf("%vs", initial)
			}
			if initial != nil {
				usage += fmt.Sprintf(" (default %v)", initial)
			}
			flags.String(o.flag, "", usage)
		}
	}
	s := &settings{world: w, flags: flags, connects: connects}
	flags.StringVar(&s.file, "config", "", "`FILE` with the configuration, see 'cfaudit config --help'; flags take precedence")
	return s
}

// descriptor is the catalog entry of the connector.
func descriptor() ingest.Descriptor { return new(cloudflareaudit.Connector).Descriptor() }

// config is the configuration. Its error is of type [faults] and lists all
// faults, those found by the caller first.
func (s *settings) config(found ...string) (cloudflareaudit.Config, error) {
	g := s.given()
	wrong := append(faults(found), g.wrong...)
	cfg, err := cloudflareaudit.ParseConfig(g.object)
	wrong = append(wrong, s.faultsOf(err, g)...)
	address, _ := g.object["base_url"].(string)
	if fault := baseURLFault("--base-url", address); fault != "" {
		wrong = append(wrong, fault)
	}
	if len(wrong) > 0 {
		return cfg, wrong
	}
	return cfg, nil
}

// nothing reports whether neither flags nor the environment set any field of
// the configuration.
func (s *settings) nothing() bool {
	g := s.given()
	return len(g.object) == 0 && len(g.wrong) == 0
}

// flagValues are the values from flags, the environment and the --config file.
type flagValues struct {
	object map[string]any
	// own are the fields of the command itself, from the --config file.
	own map[string]any
	// names are the sources of the values of fields, for display.
	names map[string]string
	// unread are the fields whose flags are wrong, and wrong says how.
	unread map[string]bool
	wrong  faults
}

// given reads the files it takes only once, because a pipe can be read only
// once, and so that all of a command goes by the same values.
func (s *settings) given() flagValues {
	if s.read == nil {
		s.read = new(s.readGiven())
	}
	return *s.read
}

func (s *settings) readGiven() flagValues {
	g := flagValues{object: make(map[string]any), own: make(map[string]any), unread: make(map[string]bool), names: map[string]string{
		"account_id": "--account-id or " + envAccountID,
		"api_token":  envToken + " or --token-file",
	}}
	if s.file != "" {
		c, err := readConfigFile(s.file)
		if wrong, ok := errors.AsType[faults](err); ok {
			g.wrong = append(g.wrong, wrong...)
		}
		c.addTo(&g, s)
	}
	if v := s.getenv(envAccountID); v != "" && s.only == "" && s.flags.Lookup("account-id") != nil {
		g.object["account_id"], g.names["account_id"] = v, envAccountID
	}
	if v := s.getenv(envToken); v != "" && s.connects {
		g.object["api_token"], g.names["api_token"] = v, envToken
	}
	for _, o := range options {
		if !s.flags.Changed(o.flag) || s.only != "" && s.only != o.field {
			continue
		}
		name := "--" + cmp.Or(s.alias, o.flag)
		g.names[o.field] = name
		v, err := s.value(o.flag, o.kind)
		if err != nil {
			g.wrong = append(g.wrong, redact(fmt.Sprintf("%s: %s", name, err)))
			g.unread[o.field] = true
			continue
		}
		if other, ok := g.object[o.field]; ok && o.kind == asLine && other != v {
			g.wrong = append(g.wrong, name+": holds another token than "+envToken+": set only one of the two")
			g.unread[o.field] = true
			continue
		}
		g.object[o.field] = v
	}
	return g
}

// faultsOf are the faults of a configuration, in terms of flags.
func (s *settings) faultsOf(err error, g flagValues) (wrong faults) {
	for _, fault := range leaves(err) {
		e, ok := errors.AsType[*cloudflareaudit.FieldError](fault)
		if !ok {
			wrong = append(wrong, fault.Error())
			continue
		}
		field, inside, _ := strings.Cut(e.Field, "[")
		_, given := g.object[field]
		if g.unread[field] || !given && !s.connects {
			continue
		}
		shown := cloudflareaudit.FieldError{
			Field:   g.names[field],
			Value:   redact(e.Value),
			Allowed: unknownField(field, e.Allowed),
		}
		switch {
		case inside != "":
			shown.Field += ": " + s.rules.place(e.Field)
		case field == "rules" && s.flags.Changed("rules"):
			// The value is the content of the file; its name says more.
			shown.Value = s.flags.Lookup("rules").Value.String()
		case field == "poll_interval_seconds" && s.flags.Changed("interval"):
			shown.Value = s.flags.Lookup("interval").Value.String()
			shown.Allowed += " seconds"
		}
		wrong = append(wrong, shown.Error())
	}
	return wrong
}

// doubts are what looks like a mistake in the rules, which are valid, in terms of
// flags.
func (s *settings) doubts(rules []cloudflareaudit.Rule) (list []string) {
	from := s.given().names["rules"]
	for _, e := range cloudflareaudit.ReviewRules(rules) {
		list = append(list, (&cloudflareaudit.FieldError{
			Field: from + ": " + s.rules.place(e.Field), Value: redact(e.Value), Allowed: e.Allowed,
		}).Error())
	}
	return list
}

// warn prints what looks like a mistake in the rules.
func (s *settings) warn(rules []cloudflareaudit.Rule) { warnOf(s.stderr, s.doubts(rules)) }

func warnOf(to io.Writer, doubts []string) {
	for _, doubt := range doubts {
		fmt.Fprintf(to, "cfaudit: warning: %s\n", doubt)
	}
}

// value is the value of a flag in the form of the configuration object.
func (s *settings) value(flag string, k kind) (any, error) {
	switch k {
	case asToggle:
		return s.flags.GetBool(flag)
	case asList:
		return s.flags.GetStringSlice(flag)
	}
	v, err := s.flags.GetString(flag)
	if err != nil {
		return nil, err
	}
	switch k {
	case asSeconds:
		d, err := cloudflareaudit.ParseDuration(v)
		if err == nil && d%time.Second != 0 {
			err = errors.New("must be in whole seconds")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", v, err)
		}
		// As text, because the number 0 selects the default.
		return strconv.FormatInt(int64(d/time.Second), 10), nil
	case asRules, asLine:
		readFile := readSmall
		if k == asLine {
			readFile = readSecret
		}
		b, err := readFile(v)
		if err != nil {
			return nil, withoutName(err)
		}
		if k == asLine {
			b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		}
		if len(b) == 0 {
			return nil, errors.New("the file is empty")
		}
		if k == asRules {
			s.rules, err = parseRuleFile(v, b)
			return s.rules.json, err
		}
		return string(b), nil
	}
	return v, nil
}

// withoutName is why a file cannot be read, without its name, which may be a
// secret given instead of the name of its file. The name of a file that exists
// may be shown.
func withoutName(err error) error {
	if _, ok := errors.AsType[*files.ExposedError](err); ok {
		return err
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("cannot read the file: %w", err)
}

// readSmall reads a configuration file. Its limit guards against endless
// devices.
func readSmall(name string) ([]byte, error) {
	b, _, err := readOnce(name)
	return b, err
}

// readSecret is readSmall for a file that must not be readable by other users.
func readSecret(name string) ([]byte, error) {
	b, exposed, err := readOnce(name)
	return b, cmp.Or(exposed, err)
}

// readOnce reads a file, which may be a pipe. exposed says that other users can
// read it too.
func readOnce(name string) (b []byte, exposed, err error) {
	const most = 1 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	exposed = files.CheckPrivate(f)
	b, err = io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = errors.New("it is larger than 1 MiB")
	}
	return b, exposed, err
}

// baseURLFault is the fault of a valid URL as the address of the API, or "":
// Cloudflare's has a path, without which every request fails.
func baseURLFault(name, given string) string {
	u, err := url.Parse(given)
	if err != nil || u.Hostname() != "api.cloudflare.com" || strings.TrimRight(u.Path, "/") == apiPath {
		return ""
	}
	return (&cloudflareaudit.FieldError{Field: name, Value: u.Redacted(),
		Allowed: "must end in " + apiPath + ": " + cloudflareaudit.DefaultBaseURL}).Error()
}

// endsInAPIPath reports whether the path of an address may be that of the API. None
// means Cloudflare's own.
func endsInAPIPath(address string) bool {
	return address == "" || strings.HasSuffix(strings.TrimRight(address, "/"), apiPath)
}

// apiPath is the path of the API at Cloudflare.
const apiPath = "/client/v4"

// leaves are the errors that err joins.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}
