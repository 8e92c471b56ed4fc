package main

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/sink/aisoc"
)

// serviceHelp is what the help of poll and run says about --aisoc.
const serviceHelp = `With --aisoc the events go to AiSOC's ingestion service instead of --out, and the
cursor is saved once the service has accepted them. Temporary failures are retried
under the same ids. An event that the service permanently rejects, while it
accepts others, is appended to the dead-letter file with the reason, and the feed
continues. That file is <account>.dead-letter.jsonl beside the cursor, unless
--dead-letter names another. For a gateway in front of the service, the value of
the environment variable ` + envAiSOCToken + ` is sent as a bearer token.`

// service is the destination of poll and run with --aisoc.
type service struct {
	flags *pflag.FlagSet

	url, tenant, connectorID, deadLetter string
	plainHTTP, anyID                     bool
}

// addService adds the flags of the service to flags.
func addService(flags *pflag.FlagSet) *service {
	s := &service{flags: flags}
	flags.StringVar(&s.url, "aisoc", "", "deliver to AiSOC's ingestion service at `URL` instead of --out")
	flags.StringVar(&s.tenant, "tenant", "", "`UUID` of the tenant in AiSOC; required with --aisoc")
	flags.StringVar(&s.connectorID, "connector-id", "", "`UUID` of the connector instance in AiSOC, which must not change; required with --aisoc")
	flags.BoolVar(&s.anyID, "any-connector-id", false, "allow a --connector-id that is no UUID; AiSOC then shows alerts without their connector")
	flags.StringVar(&s.deadLetter, "dead-letter", "", "`FILE` for events that the service permanently rejects (default a file in --state)")
	flags.BoolVar(&s.plainHTTP, "aisoc-plain-http", false, "allow http to other machines, as inside a cluster; not with "+envAiSOCToken)
	return s
}

// used reports whether events go to the service.
func (s *service) used() bool { return s.flags.Changed("aisoc") }

// uuid is the form of the id of an instance in AiSOC.
var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// faults are the faults of the flags.
func (s *service) faults(getenv func(string) string) (wrong faults) {
	if !s.used() {
		return refuseFlags(s.flags, "requires --aisoc", "tenant", "connector-id", "any-connector-id", "aisoc-plain-http")
	}
	wrong = refuseFlags(s.flags, "cannot be given with --aisoc: the events go to one place", "out")
	if s.connectorID != "" && !s.anyID && !uuid.MatchString(s.connectorID) {
		wrong = append(wrong, redact(fmt.Sprintf("--connector-id: %q: must be the UUID of the connector instance in AiSOC, "+
			"because it links no alert to a connector by another id; --any-connector-id allows that", s.connectorID)))
	}
	return append(wrong, serviceFaults(s.config(getenv))...)
}

// refuseFlags returns the faults of flags that must not be given.
func refuseFlags(flags *pflag.FlagSet, why string, names ...string) (wrong faults) {
	for _, name := range names {
		if flag := flags.Lookup(name); flag.Changed {
			wrong = append(wrong, redact(fmt.Sprintf("--%s: %q: %s", name, flag.Value, why)))
		}
	}
	return wrong
}

// serviceFlags are the flags for the fields of the sink.
var serviceFlags = map[string]string{
	"URL": "--aisoc", "TenantID": "--tenant", "ConnectorID": "--connector-id", "Token": envAiSOCToken,
}

// serviceFaults are the faults of a configuration of the sink, in terms of flags.
func serviceFaults(cfg aisoc.Config) (wrong faults) {
	for _, fault := range leaves(cfg.Validate()) {
		if e, ok := errors.AsType[*aisoc.FieldError](fault); ok {
			fault = &aisoc.FieldError{Field: serviceFlags[e.Field], Value: redact(e.Value), Allowed: inServiceFlags.Replace(e.Allowed)}
		}
		wrong = append(wrong, fault.Error())
	}
	return wrong
}

// inServiceFlags rewords, in terms of flags, what the sink says of its fields.
var inServiceFlags = strings.NewReplacer("it is explicitly allowed", "--aisoc-plain-http allows it")

func (s *service) config(getenv func(string) string) aisoc.Config {
	return aisoc.Config{
		URL:           s.url,
		TenantID:      s.tenant,
		ConnectorID:   s.connectorID,
		ConnectorType: cloudflareaudit.ConnectorID,
		Token:         cloudflareaudit.NewSecret(getenv(envAiSOCToken)),
		PlainHTTP:     s.plainHTTP,
	}
}

// open returns the sink.
func (s *service) open(getenv func(string) string, log *slog.Logger) (*aisoc.Sink, error) {
	cfg := s.config(getenv)
	cfg.DeadLetter, cfg.Logger = s.deadLetter, log
	return aisoc.New(cfg)
}

// delivered counts the events that a service accepted, for the summary of a poll.
func (h *host) delivered(events ingest.Sink) string {
	service, stats := deliveredBy(events)
	if service == "" {
		return ""
	}
	parts := []string{fmt.Sprintf("%d accepted", stats.Accepted)}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(stats.Truncated, "truncated")
	add(stats.Rejected, "rejected")
	add(stats.DeadLettered, "dead-lettered in "+h.service.deadLetter)
	return "; " + service + ": " + strings.Join(parts, ", ")
}
