package cloudflareaudit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/cloudflare"
	"github.com/aisoc/cloudflareaudit/internal/feed"
	"github.com/aisoc/cloudflareaudit/internal/httpx"
	"github.com/aisoc/cloudflareaudit/internal/redact"
	"github.com/aisoc/cloudflareaudit/internal/text"
	"github.com/aisoc/cloudflareaudit/rules"
)

// DefaultBaseURL is the address of the Cloudflare API.
const DefaultBaseURL = "https://api.cloudflare.com/client/v4"

// The audit logs of Config.AuditLogAPI.
const (
	AuditLogV1   = "v1"
	AuditLogV2   = "v2"
	AuditLogBoth = "both"
)

// Config configures one connector for one Cloudflare account. AccountID and
// APIToken are required; every other field has a default for its zero value.
// [New] checks all fields.
type Config struct {
	// AccountID is the account to read: 32 lower-case hexadecimal digits.
	AccountID string
	// APIToken is an API token with Account > Account Settings > Read for the
	// account. It is sent to BaseURL and shown nowhere.
	APIToken Secret
	// BaseURL is the address of the API, DefaultBaseURL by default. It must be
	// https, or http to a loopback address.
	BaseURL string
	// PollInterval is the time between polls, 30 s to 24 h, 300 s by default.
	// The host does the waiting; the connector only decides by it when a
	// backlog gives way to newer entries.
	PollInterval time.Duration
	// PageSize is the number of entries requested at once, 1 to 1000, 100 by
	// default. A backlog is read in pages of up to 1000.
	PageSize int
	// MaxEvents is the most events of one poll, 1 to 1000, 1000 by default.
	MaxEvents int
	// AuditLogAPI selects the account's audit logs to read: AuditLogV1, the
	// default, AuditLogV2 or AuditLogBoth. The first has the values before and
	// after a change; the second has sign-ins, SCIM, the scopes of API tokens
	// and the request behind a change. AuditLogBoth has all of these; a change
	// recorded in both logs makes two events with one correlation id.
	AuditLogAPI string
	// Overlap is how late an entry may appear and still be caught, 10 s to 24
	// h, 10 min by default. Every poll re-reads this span; of polls that follow
	// each other closely, one every four and a half minutes does. An entry that
	// Cloudflare shows later than this after its own time may be missed.
	Overlap time.Duration
	// OverlapV2 is Overlap for Audit Logs v2, 15 min by default, because its
	// entries appear several minutes after their time.
	OverlapV2 time.Duration
	// InitialLookback is how far back the first poll reaches, 1 min to 548
	// days (the 18 months Cloudflare keeps), 24 h by default.
	InitialLookback time.Duration
	// HideUserLogs leaves out the entries of users, such as logins and API
	// keys, which are often the ones that matter. False by default. Audit Logs
	// v2 does not support it.
	HideUserLogs bool
	// ProductionZones are the zones in production: names, ids or patterns such
	// as *.example.com. Empty means that every zone is in production.
	ProductionZones []string
	// VerifiedWorkers are the Worker scripts that routes may point to without
	// raising the severity: names or patterns with *. Empty means that none is
	// verified.
	VerifiedWorkers []string
	// OwnTokenID is the id of APIToken, 32 hexadecimal digits. The dashboard
	// shows it in the address of the token's page, and the API's verify
	// endpoint returns it as result.id. It cannot be derived from the token.
	// With it, rolling, changing or deleting the token is reported as blinding
	// the connector. Empty turns this check off.
	OwnTokenID string
	// DropRoutine drops entries that the rules call routine, such as reads of
	// zone settings. Nil means true; false delivers it with severity info.
	DropRoutine *bool
	// Rules take precedence over the default rules, see [Rule].
	Rules []Rule
	// ResolveMembers reads the list of the account's members where an entry has
	// only the id of its actor, or does not say which role a member got. It
	// needs no permission beyond that for the audit log. The look-up returns
	// the state at the time of reading, not of the entry; the notes of an event
	// say so. False by default.
	ResolveMembers bool
	// ResolveScopes looks up the permissions of an API token where an entry
	// about it omits them. This needs Account > Account API Tokens > Read, and
	// for user tokens User > API Tokens > Read. False by default.
	ResolveScopes bool
	// ResolveHistory looks up the earlier entries about a resource where an
	// entry of Audit Logs v2 changed it, for the values before the change, and
	// with them its direction. It applies to changes that are graded medium or
	// higher, or would be if they weakened something, and needs no permission
	// beyond that for the audit log. The notes of an event name the entry that
	// the old values are from. False by default.
	//
	// None of the look-ups adds or removes events. Without the permission,
	// events are delivered without these details and Coverage.Notices says so.
	ResolveHistory bool
	// RateLimit is the most requests in five minutes, 1 to 1200, 900 by
	// default. Cloudflare allows a token 1200, including its owner's use of the
	// dashboard. Connectors in one process with the same token share this
	// budget.
	RateLimit int
	// RequestTimeout bounds one request, reply included, 1 s to 5 min, 30 s by
	// default.
	RequestTimeout time.Duration

	// HTTPClient sends the requests, without following redirects to another
	// host. Nil means a transport shared by all connectors of the process,
	// which takes no proxy from the environment.
	HTTPClient *http.Client
	// Logger gets a warning when a poll ends early after making progress, when
	// the local clock is wrong, when entries have to wait, when one of two
	// audit logs cannot be read, and when an optional feature lacks its
	// permission. Normal running logs nothing. Nil means no log.
	Logger *slog.Logger
	// Clock tells the time, time.Now by default. It need only be roughly right:
	// windows follow the server's clock.
	Clock func() time.Time
}

// Bounds of the configuration.
const (
	minPollInterval = feed.MinPollInterval
	maxLookback     = 548 * 24 * time.Hour
	defaultPageSize = cloudflare.DefaultPageSize
	maxPageSize     = cloudflare.MaxPageSize
)

// withDefaults fills in the defaults of zero fields.
func (c Config) withDefaults() Config {
	def(&c.BaseURL, DefaultBaseURL)
	def(&c.PollInterval, 300*time.Second)
	def(&c.PageSize, defaultPageSize)
	def(&c.MaxEvents, ingest.MaxEvents)
	def(&c.AuditLogAPI, AuditLogV1)
	def(&c.Overlap, 10*time.Minute)
	def(&c.OverlapV2, 15*time.Minute)
	def(&c.InitialLookback, 24*time.Hour)
	def(&c.RateLimit, 900)
	def(&c.RequestTimeout, 30*time.Second)
	if c.DropRoutine == nil {
		drop := true
		c.DropRoutine = &drop
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports all faults of c at once, each as a [FieldError] in the tree
// of the error.
func (c Config) Validate() error {
	c = c.withDefaults()
	_, err := c.check()
	return err
}

// check is Validate for a configuration whose defaults are filled in. It returns
// the classifier, because finding the faults of rules is most of building it.
func (c *Config) check() (*rules.Classifier, error) {
	var faults []error
	fault := func(field, value, allowed string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Allowed: allowed})
	}
	if allowed := checkAccountID(c.AccountID); allowed != "" {
		shown := c.AccountID
		if looksLikeToken(shown) {
			// The message of checkAccountID can repeat part of the token.
			shown, allowed = "", "looks like an API token; "+accountIDAllowed
		}
		fault("account_id", shown, allowed)
	}
	if allowed := checkToken(c.APIToken.Reveal()); allowed != "" {
		fault("api_token", "", allowed)
	}
	if allowed := checkBaseURL(c.BaseURL); allowed != "" {
		fault("base_url", withoutCredentials(c.BaseURL), allowed)
	}
	within := func(field string, v, low, high time.Duration) {
		if v < low || v > high {
			fault(field, formatDuration(v), fmt.Sprintf("must be between %s and %s", formatDuration(low), formatDuration(high)))
		}
	}
	between := func(field string, v, low, high int) {
		if v < low || v > high {
			fault(field, strconv.Itoa(v), fmt.Sprintf("must be between %d and %d", low, high))
		}
	}
	if c.PollInterval < minPollInterval || c.PollInterval > 24*time.Hour {
		fault("poll_interval_seconds", strconv.FormatFloat(c.PollInterval.Seconds(), 'f', -1, 64), "must be between 30 and 86400")
	}
	between("page_size", c.PageSize, 1, maxPageSize)
	between("max_events", c.MaxEvents, 1, ingest.MaxEvents)
	within("overlap", c.Overlap, 10*time.Second, 24*time.Hour)
	within("overlap_v2", c.OverlapV2, 10*time.Second, 24*time.Hour)
	switch c.AuditLogAPI {
	case AuditLogV1:
	case AuditLogV2, AuditLogBoth:
		if c.HideUserLogs {
			fault("hide_user_logs", "true", "must be false where Audit Logs v2 are read, which show them in any case")
		}
	default:
		fault("audit_log_api", c.AuditLogAPI, "must be v1, v2 or both")
	}
	within("initial_lookback", c.InitialLookback, time.Minute, maxLookback)
	between("rate_limit", c.RateLimit, 1, 1200)
	within("request_timeout", c.RequestTimeout, time.Second, 5*time.Minute)
	if allowed := checkTokenID(c.OwnTokenID); allowed != "" {
		shown := c.OwnTokenID
		if looksLikeToken(shown) {
			shown, allowed = "", "looks like the token itself; "+allowed
		}
		fault("own_token_id", shown, allowed)
	}
	classifier, err := c.classifier()
	if err != nil {
		faults = append(faults, err)
	}
	return classifier, errors.Join(faults...)
}

const (
	hexDigits  = "0123456789abcdef"
	tokenChars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
)

// consists reports whether s has no characters outside chars.
func consists(s, chars string) bool { return strings.Trim(s, chars) == "" }

func isAccountID(s string) bool { return len(s) == 32 && consists(s, hexDigits) }

// accountIDIn is an account id within s, in lower case, or "".
func accountIDIn(s string) string {
	for i := range max(0, len(s)-31) {
		if text.IsHexID(s[i : i+32]) {
			return strings.ToLower(s[i : i+32])
		}
	}
	return ""
}

// looksLikeToken reports whether s may be an API token entered in the wrong
// field, possibly with characters copied along with it.
func looksLikeToken(s string) bool {
	s = strings.TrimPrefix(strings.Trim(s, " \t\r\n\"'"), "Bearer ")
	return redact.HasTokenPrefix(s) || len(s) >= 37 && consists(s, tokenChars)
}

func isGlobalKey(token string) bool {
	return strings.HasPrefix(token, "cfk_") || len(token) == 37 && consists(token, hexDigits)
}

const accountIDAllowed = "must be the Account ID: 32 lower-case hexadecimal digits"

// checkAccountID returns the fault of an account id, or "".
func checkAccountID(id string) string {
	switch {
	case id == "":
		return "is required: " + accountIDAllowed
	case isAccountID(id):
		return ""
	case isAccountID(strings.ToLower(id)):
		return "must be in lower case: " + strings.ToLower(id)
	case isAccountID(strings.TrimSpace(id)):
		return "has spaces or a line break around it; " + accountIDAllowed
	}
	if part := accountIDIn(id); part != "" {
		return fmt.Sprintf("must be the id alone; did you mean %s?", part)
	}
	return accountIDAllowed
}

// checkTokenID returns the fault of a token id, or "".
func checkTokenID(id string) string {
	if id == "" || text.IsHexID(id) {
		return ""
	}
	return "must be the id of the token: 32 hexadecimal digits"
}

// checkToken returns the fault of a token, without repeating any of it.
func checkToken(token string) string {
	switch {
	case token == "":
		return "is required: an API token with Account > Account Settings > Read"
	case strings.HasPrefix(strings.ToLower(strings.TrimSpace(token)), "bearer "):
		return `begins with "Bearer ": enter the token alone`
	case strings.ContainsAny(token, "\r\n"):
		return "has a line break in it: enter the token alone, on one line"
	case strings.ContainsAny(token, " \t"):
		return "has a space in it: enter the token alone"
	case strings.ContainsAny(token, `"'`):
		return "has quotes in it: enter the token alone"
	case isGlobalKey(token):
		return "is a Global API key, not an API token: create a token with Account > Account Settings > Read"
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return "has a character that no token has: enter the token alone"
		}
	}
	return ""
}

// checkBaseURL returns the fault of a base URL, or "".
func checkBaseURL(raw string) string {
	const form = "must be an https URL such as " + DefaultBaseURL
	u, ok := httpx.ParseAddress(raw)
	switch {
	case !ok:
		return form
	case u.User != nil:
		return "must not hold credentials: the token belongs in api_token"
	case u.RawQuery != "" || u.ForceQuery || httpx.HasFragment(raw):
		return "must not have a query or a fragment"
	case !httpx.IsEncrypted(u):
		return "would send the token unencrypted: use https; plain http is for loopback addresses only"
	}
	return ""
}

// withoutCredentials is a URL that is safe to show.
func withoutCredentials(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	return ""
}

// configField ties a field of the host's configuration object to Config. The
// catalog entry, the parser of the object and its error messages all come from
// this one table.
type configField struct {
	ingest.Field
	set func(*Config, any) error
}

// configFields are the fields of the configuration: first those of a host's
// form, in the order in which a person fills them in, then the advanced ones.
var configFields = []configField{
	{ingest.Field{
		Name: "account_id", Type: ingest.FieldString, Label: "Account ID", Required: true,
		Placeholder: "32 hexadecimal digits",
		HelpText: "In the dashboard, on the account's overview page: the menu behind its name, \"Copy account ID\". " +
			"A zone id looks the same but is not one.",
	}, func(c *Config, v any) error { return setString(&c.AccountID, v) }},
	{ingest.Field{
		Name: "api_token", Type: ingest.FieldSecret, Label: "API token", Required: true,
		HelpText: "Create one under Manage Account > Account API Tokens, with the one permission " +
			"Account > Account Settings > Read. A token of a user (My Profile > API Tokens) works too, " +
			"until that user leaves the account. Not the Global API key.",
	}, setToken},
	{ingest.Field{
		Name: "audit_log_api", Type: ingest.FieldSelect, Label: "Audit log", Default: AuditLogV1,
		Options: []ingest.Option{{Value: AuditLogV1, Label: "v1"}, {Value: AuditLogV2, Label: "v2"}, {Value: AuditLogBoth, Label: "both"}},
		HelpText: "v1 has the values before and after a change; v2 has sign-ins, SCIM, scopes of API tokens and the request behind a change; " +
			"both has all of it, with one correlation id for the two events of a change.",
	}, func(c *Config, v any) error { return setString(&c.AuditLogAPI, v) }},
	{ingest.Field{
		Name: "production_zones", Type: ingest.FieldTextarea, Label: "Production zones",
		Placeholder: "example.com, *.example.org",
		HelpText:    "Zones in production: names or ids, separated by commas or line breaks; * stands for any text. Empty: every zone is in production.",
	}, setList(func(c *Config) *[]string { return &c.ProductionZones })},
	{ingest.Field{
		Name: "resolve_members", Type: ingest.FieldBoolean, Label: "Resolve members", Default: false,
		HelpText: "Fills in actors known by id alone, and the roles of new members, from the account's list of members. " +
			"The token needs no further permission.",
	}, func(c *Config, v any) error { return setBool(&c.ResolveMembers, v) }},
	{ingest.Field{
		Name: "drop_routine", Type: ingest.FieldBoolean, Label: "Drop routine reads", Default: true,
		HelpText: "Drops entries that the rules call routine, such as reads of settings. Off: they are delivered with severity info.",
	}, func(c *Config, v any) error {
		c.DropRoutine = new(bool)
		return setBool(c.DropRoutine, v)
	}},
	{ingest.Field{
		Name: "initial_lookback", Type: ingest.FieldString, Label: "Initial lookback", Default: "24h",
		HelpText: "How far back the first poll reaches, 1m to 548d.",
	}, setDuration(func(c *Config) *time.Duration { return &c.InitialLookback })},
	{ingest.Field{
		Name: "poll_interval_seconds", Type: ingest.FieldNumber, Label: "Poll interval (seconds)", Default: 300,
		Minimum: 30, Maximum: 86400,
		HelpText: "Time between polls, 30 to 86400.",
	}, setSeconds(func(c *Config) *time.Duration { return &c.PollInterval })},
	{ingest.Field{
		Name: "verified_workers", Advanced: true, Type: ingest.FieldTextarea, Label: "Verified Workers",
		HelpText: "Worker scripts that routes may point to, separated by commas or line breaks; * stands for any text. Empty: none.",
	}, setList(func(c *Config) *[]string { return &c.VerifiedWorkers })},
	{ingest.Field{
		// Hosts require a field named like a secret to be of type secret.
		Name: "own_token_id", Advanced: true, Type: ingest.FieldSecret, Label: "Id of the API token",
		Placeholder: "32 hexadecimal digits",
		HelpText: "Not the token but its id, at the end of the address of its page in the dashboard. " +
			"With it, changes to the connector's own token are reported as such.",
	}, func(c *Config, v any) error { return setString(&c.OwnTokenID, v) }},
	{ingest.Field{
		Name: "rules", Advanced: true, Type: ingest.FieldTextarea, Label: "Severity rules",
		HelpText: "A JSON list of rules that take precedence over the default ones. Empty: only the default rules.",
	}, setRules},
	{ingest.Field{
		Name: "hide_user_logs", Advanced: true, Type: ingest.FieldBoolean, Label: "Hide user-level entries", Default: false,
		HelpText: "Leaves out logins, API keys and personal tokens. Keep it off unless these come another way. Audit log v1 only.",
	}, func(c *Config, v any) error { return setBool(&c.HideUserLogs, v) }},
	{ingest.Field{
		Name: "resolve_scopes", Advanced: true, Type: ingest.FieldBoolean, Label: "Resolve scopes of API tokens", Default: false,
		HelpText: "Looks up the permissions of a new or changed API token, so that a limited one is graded lower. " +
			"The token then needs Account > Account API Tokens > Read.",
	}, func(c *Config, v any) error { return setBool(&c.ResolveScopes, v) }},
	{ingest.Field{
		Name: "resolve_history", Advanced: true, Type: ingest.FieldBoolean, Label: "Resolve old values", Default: false,
		HelpText: "Looks up what a resource was before a change, which Audit Logs v2 do not say, so that the change is graded by its direction. " +
			"The token needs no further permission. Audit Logs v2 only.",
	}, func(c *Config, v any) error { return setBool(&c.ResolveHistory, v) }},
	{ingest.Field{
		Name: "overlap", Advanced: true, Type: ingest.FieldString, Label: "Overlap", Default: "10m",
		HelpText: "How late an entry may appear and still be caught, 10s to 24h; this span is re-read.",
	}, setDuration(func(c *Config) *time.Duration { return &c.Overlap })},
	{ingest.Field{
		Name: "overlap_v2", Advanced: true, Type: ingest.FieldString, Label: "Overlap of v2", Default: "15m",
		HelpText: "The same for Audit Logs v2, whose entries arrive later, 10s to 24h.",
	}, setDuration(func(c *Config) *time.Duration { return &c.OverlapV2 })},
	{ingest.Field{
		Name: "max_events", Advanced: true, Type: ingest.FieldNumber, Label: "Events in a poll", Default: 1000,
		Minimum: 1, Maximum: ingest.MaxEvents,
		HelpText: "The most events of one poll, 1 to 1000. The rest is a backlog, which the next poll reads at once.",
	}, setInt(func(c *Config) *int { return &c.MaxEvents })},
	{ingest.Field{
		Name: "page_size", Advanced: true, Type: ingest.FieldNumber, Label: "Page size", Default: 100,
		Minimum: 1, Maximum: maxPageSize,
		HelpText: "Entries per request, 1 to 1000. A backlog is read in larger pages automatically.",
	}, setInt(func(c *Config) *int { return &c.PageSize })},
	{ingest.Field{
		Name: "rate_limit", Advanced: true, Type: ingest.FieldNumber, Label: "Requests in 5 minutes", Default: 900,
		Minimum: 1, Maximum: 1200,
		HelpText: "The most requests to send, 1 to 1200. Cloudflare allows 1200 for all users of the token together.",
	}, setInt(func(c *Config) *int { return &c.RateLimit })},
	{ingest.Field{
		Name: "request_timeout", Advanced: true, Type: ingest.FieldString, Label: "Request time-out", Default: "30s",
		HelpText: "How long one request may take, its reply included, 1s to 5m.",
	}, setDuration(func(c *Config) *time.Duration { return &c.RequestTimeout })},
	{ingest.Field{
		Name: "base_url", Advanced: true, Type: ingest.FieldString, Label: "API address", Default: DefaultBaseURL,
		HelpText: "Change it only for a gateway or a test: https, or http to a loopback address.",
	}, func(c *Config, v any) error { return setString(&c.BaseURL, v) }},
}

// ParseConfig reads the host's configuration object, whose keys are the field
// names of the connector's [Descriptor] and whose values have the types that
// encoding/json decodes to. A number or boolean may also be given as text, a
// list as text separated by commas or line breaks, and a duration as text such
// as "10m" or "7d" or as seconds. A cleared form field (null, empty text or the
// number 0) selects the default. Keys that AiSOC adds to the same object for
// its own use are ignored: checkpoint, filter_rules, expected_cadence_seconds
// and allowed_capabilities. Any other unknown key is an error that names the
// nearest field. The result has been validated.
func ParseConfig(object map[string]any) (Config, error) {
	c, err := readConfig(object)
	return c, errors.Join(err, c.Validate())
}

func readConfig(object map[string]any) (Config, error) {
	var c Config
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(hostKeys, key) {
			continue
		}
		i := slices.IndexFunc(configFields, func(f configField) bool { return f.Name == key })
		if i < 0 {
			faults = append(faults, &FieldError{Field: key, Allowed: "there is no such field" + text.Suggest(key, fieldNames())})
			continue
		}
		v := object[key]
		if v == nil || v == "" {
			continue
		}
		if err := configFields[i].set(&c, v); err != nil {
			shown := fmt.Sprint(v)
			if configFields[i].Type == ingest.FieldSecret {
				shown = ""
			}
			if list, ok := err.(interface{ Unwrap() []error }); ok && configFields[i].Name == "rules" {
				faults = append(faults, list.Unwrap()...)
				continue
			}
			faults = append(faults, &FieldError{Field: key, Value: shown, Allowed: err.Error()})
		}
	}
	return c, errors.Join(faults...)
}

// hostKeys are the keys that AiSOC adds to the object of a connector and passes on
// to it. They configure the host.
var hostKeys = []string{"allowed_capabilities", "checkpoint", "expected_cadence_seconds", "filter_rules"}

func fieldNames() []string {
	names := make([]string, len(configFields))
	for i, f := range configFields {
		names[i] = f.Name
	}
	return names
}

func setString(to *string, v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("must be text")
	}
	*to = s
	return nil
}

func setToken(c *Config, v any) error {
	switch t := v.(type) {
	case string:
		c.APIToken = NewSecret(t)
	case Secret:
		c.APIToken = t
	default:
		return errors.New("must be text")
	}
	return nil
}

func setBool(to *bool, v any) error {
	switch b := v.(type) {
	case bool:
		*to = b
		return nil
	case string:
		parsed, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(b)))
		if err == nil {
			*to = parsed
			return nil
		}
	}
	return errors.New("must be true or false")
}

// wholeNumber reads an integer as JSON, YAML and forms encode it.
func wholeNumber(v any) (int, error) {
	bad := errors.New("must be a whole number")
	var f float64
	switch n := v.(type) {
	case int:
		return n, nil
	case int64:
		f = float64(n)
	case float64:
		f = n
	case json.Number:
		return wholeNumber(n.String())
	case string:
		i, err := strconv.Atoi(strings.TrimSpace(n))
		if err != nil {
			return 0, bad
		}
		return i, nil
	default:
		return 0, bad
	}
	if f != math.Trunc(f) || math.Abs(f) > 1<<40 {
		return 0, bad
	}
	return int(f), nil
}

// isCleared reports whether v is the value that a form sends for a cleared
// number. The text "0" is not: a person typed it.
func isCleared(v any) bool {
	switch n := v.(type) {
	case int:
		return n == 0
	case int64:
		return n == 0
	case float64:
		return n == 0
	case json.Number:
		return n == "0"
	case time.Duration:
		return n == 0
	}
	return false
}

func setInt(field func(*Config) *int) func(*Config, any) error {
	return func(c *Config, v any) error {
		if isCleared(v) {
			return nil
		}
		n, err := wholeNumber(v)
		if err == nil && n == 0 {
			// Zero would silently become the default.
			err = errors.New("must be at least 1")
		}
		*field(c) = n
		return err
	}
}

func setSeconds(field func(*Config) *time.Duration) func(*Config, any) error {
	return func(c *Config, v any) error {
		if isCleared(v) {
			return nil
		}
		n, err := wholeNumber(v)
		if err != nil || n < 1 || n > 1<<30 {
			return errors.New("must be a whole number of seconds between 30 and 86400")
		}
		*field(c) = time.Duration(n) * time.Second
		return nil
	}
}

func setDuration(field func(*Config) *time.Duration) func(*Config, any) error {
	return func(c *Config, v any) error {
		if isCleared(v) {
			return nil
		}
		var d time.Duration
		switch t := v.(type) {
		case time.Duration:
			d = t
		case string:
			parsed, err := ParseDuration(t)
			if err != nil {
				return err
			}
			d = parsed
		default:
			n, err := wholeNumber(v)
			if err != nil || n > 1<<30 {
				return errDuration
			}
			d = time.Duration(n) * time.Second
		}
		if d <= 0 {
			return errors.New("must be positive")
		}
		*field(c) = d
		return nil
	}
}

var errDuration = errors.New(`must be a duration such as "90s", "10m", "24h" or "7d"`)

// ParseDuration reads a duration as [time.ParseDuration] does, and also whole
// days, as in "7d".
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 10000 {
			return 0, errDuration
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errDuration
	}
	return d, nil
}

// formatDuration writes d as a person would, such as 10m, 24h or 548d.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d > day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	written := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(written, zero) {
			written = strings.TrimSuffix(written, zero[1:])
		}
	}
	return written
}

func setList(field func(*Config) *[]string) func(*Config, any) error {
	return func(c *Config, v any) error {
		var items []string
		switch list := v.(type) {
		case []string:
			items = list
		case []any:
			for _, item := range list {
				s, ok := item.(string)
				if !ok {
					return errors.New("must be a list of texts")
				}
				items = append(items, s)
			}
		case string:
			items = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' })
		default:
			return errors.New("must be a list of texts, or text separated by commas or line breaks")
		}
		out := make([]string, 0, len(items))
		for _, item := range items {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
		*field(c) = out
		return nil
	}
}

func setRules(c *Config, v any) error {
	var raw []byte
	switch r := v.(type) {
	case []Rule:
		c.Rules = r
		return nil
	case string:
		raw = []byte(r)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return errors.New("must be a list of rules")
		}
		raw = b
	}
	var err error
	c.Rules, err = ParseRules(raw)
	return err
}
