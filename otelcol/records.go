package otelcol

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// provider is the value of cloud.provider, and service.name.
const provider = "cloudflare"

// eventPrefix begins the name of an event, which ends in its action.
const eventPrefix = "cloudflare.audit."

// field is an attribute of a record. Value returns what an event has for it: a
// string, an int, a bool, a []string or a []ingest.FieldChange. The zero value
// leaves the attribute out.
type field struct {
	key, meaning string
	value        func(*ingest.Event) any
}

func standard(key attribute.Key, meaning string, value func(*ingest.Event) any) field {
	return field{string(key), meaning, value}
}

func own(name, meaning string, value func(*ingest.Event) any) field {
	return field{"cloudflare.audit." + name, meaning, value}
}

// fields are all attributes. Those of the semantic conventions come first, the
// others begin with cloudflare.audit.
var fields = []field{
	standard(semconv.LogRecordUIDKey, "The id of the entry, the same each time that it comes", func(e *ingest.Event) any { return e.ExternalID }),
	standard(semconv.LogRecordOriginalKey, "The entry as Cloudflare sent it, secrets masked", func(e *ingest.Event) any { return string(e.RawEvent) }),
	standard(semconv.UserIDKey, "The id of the actor", func(e *ingest.Event) any { return e.Audit.ActorID }),
	standard(semconv.UserEmailKey, "Its e-mail address", func(e *ingest.Event) any { return e.Audit.ActorEmail }),
	standard(semconv.UserNameKey, "Its name", func(e *ingest.Event) any { return e.Audit.ActorName }),
	standard(semconv.ClientAddressKey, "The address the request came from", func(e *ingest.Event) any { return e.SrcIP }),
	standard(semconv.HTTPRequestMethodKey, "The method of the request; Audit Logs v2 only, like the four below", func(e *ingest.Event) any { return e.Audit.Method }),
	standard(semconv.URLPathKey, "Its path", func(e *ingest.Event) any { path, _, _ := strings.Cut(e.Audit.URI, "?"); return path }),
	standard(semconv.URLQueryKey, "Its query, secrets masked", func(e *ingest.Event) any { _, query, _ := strings.Cut(e.Audit.URI, "?"); return query }),
	standard(semconv.HTTPResponseStatusCodeKey, "The status of the reply, a number", func(e *ingest.Event) any { n, _ := strconv.Atoi(e.Audit.StatusCode); return n }),
	standard(semconv.UserAgentOriginalKey, "The user agent", func(e *ingest.Event) any { return e.Audit.UserAgent }),
	standard(semconv.SecurityRuleNameKey, "The id of the rule that graded the event", func(e *ingest.Event) any { return e.Audit.Rule }),
	standard(semconv.SecurityRuleDescriptionKey, "Why the event matters", func(e *ingest.Event) any { return e.Audit.Why }),

	own("action", "What was done, such as `dns.record.delete`; of an attempt that failed with `.failed`", func(e *ingest.Event) any { return e.Action }),
	own("action_type", "The action as Cloudflare names it", func(e *ingest.Event) any { return e.Audit.ActionType }),
	own("outcome", "`success` or `failure`", func(e *ingest.Event) any { return e.Audit.Outcome }),
	own("decision", "What an access policy decides from now on, such as `bypass`", func(e *ingest.Event) any { return e.Decision }),
	own("actor", "Who did it: an e-mail address, else a name, else an id", func(e *ingest.Event) any { return e.Actor }),
	own("actor_type", "The kind of actor, such as `user`", func(e *ingest.Event) any { return e.Audit.ActorType }),
	own("interface", "How it was done, such as `API` or `UI`", func(e *ingest.Event) any { return e.Audit.Interface }),
	own("scope", "`user`, `account` or `zone`", func(e *ingest.Event) any { return e.Audit.Scope }),
	own("account_id", "The account of the entry", func(e *ingest.Event) any { return e.Audit.AccountID }),
	own("resource_type", "The kind of resource, as Cloudflare names it", func(e *ingest.Event) any { return e.Audit.ResourceType }),
	own("resource_id", "The id of the resource", func(e *ingest.Event) any { return e.Audit.ResourceID }),
	own("zone_id", "The id of the zone", func(e *ingest.Event) any { return e.Audit.ZoneID }),
	own("zone_name", "The name of the zone", func(e *ingest.Event) any { return e.Audit.ZoneName }),
	own("hostname", "The DNS name of what was acted upon", func(e *ingest.Event) any { return e.Hostname }),
	own("target", "The resource, as a person would name it", func(e *ingest.Event) any { return e.Audit.Target }),
	own("direction", "`weaker` or `safer`, when a protection changed", func(e *ingest.Event) any { return e.Audit.Direction }),
	own("changes", "A list of maps with `field`, `old` and `new`", func(e *ingest.Event) any { return e.Audit.Changes }),
	own("changes_omitted", "How many changes are left out of the list", func(e *ingest.Event) any { return e.Audit.ChangesOmitted }),
	own("mitre_techniques", "A list of ATT&CK techniques", func(e *ingest.Event) any { return e.MITRETechniques }),
	own("api", "The log it is from: `v1` or `v2`", func(e *ingest.Event) any { return e.Audit.API }),
	own("correlation_id", "The same for both entries of one change, when both logs are read", func(e *ingest.Event) any {
		if e.Audit.CorrelationID == (ingest.CorrelationID{}) {
			return ""
		}
		return e.Audit.CorrelationID.String()
	}),
	own("description", "What Cloudflare calls the operation", func(e *ingest.Event) any { return e.Audit.Description }),
	own("request_id", "The ray id of the request", func(e *ingest.Event) any { return e.Audit.RequestID }),
	own("status_code", "The status of the reply as text, where it is no number", func(e *ingest.Event) any {
		if _, err := strconv.Atoi(e.Audit.StatusCode); err == nil {
			return ""
		}
		return e.Audit.StatusCode
	}),
	own("credential", "The kind of credential it was made with", func(e *ingest.Event) any { return e.Audit.Credential }),
	own("token_id", "The id of the API token", func(e *ingest.Event) any { return e.Audit.TokenID }),
	own("token_name", "The name of the API token", func(e *ingest.Event) any { return e.Audit.TokenName }),
	own("notes", "A list of oddities of the entry, and how they were handled", func(e *ingest.Event) any { return e.Audit.Notes }),
	own("category", "The kind of product: `saas`", func(e *ingest.Event) any { return e.Category }),
	own("raw_truncated", "True when log.record.original is not the entire entry", func(e *ingest.Event) any { return e.RawTruncated }),
}

// severities are the numbers of the severities, which rise with them.
var severities = map[ingest.Severity]plog.SeverityNumber{
	ingest.Info:     plog.SeverityNumberInfo,
	ingest.Low:      plog.SeverityNumberInfo2,
	ingest.Medium:   plog.SeverityNumberWarn,
	ingest.High:     plog.SeverityNumberError,
	ingest.Critical: plog.SeverityNumberFatal,
}

// records makes log records of the events of an account.
func records(account, version string, events []ingest.Event, observed time.Time) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.SetSchemaUrl(semconv.SchemaURL)
	about := resource.Resource().Attributes()
	about.PutStr(string(semconv.ServiceNameKey), provider)
	about.PutStr(string(semconv.CloudProviderKey), provider)
	about.PutStr(string(semconv.CloudAccountIDKey), account)
	scope := resource.ScopeLogs().AppendEmpty()
	scope.SetSchemaUrl(semconv.SchemaURL)
	scope.Scope().SetName(scopeName)
	scope.Scope().SetVersion(version)
	list := scope.LogRecords()
	list.EnsureCapacity(len(events))
	for i := range events {
		fill(list.AppendEmpty(), &events[i], observed)
	}
	return logs
}

// fill makes a record of an event.
func fill(record plog.LogRecord, e *ingest.Event, observed time.Time) {
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(observed))
	if !e.CreatedAt.IsZero() {
		record.SetTimestamp(pcommon.NewTimestampFromTime(e.CreatedAt))
	}
	record.SetSeverityNumber(severities[e.Severity])
	record.SetSeverityText(string(e.Severity))
	record.SetEventName(eventPrefix + e.Action)
	record.Body().SetStr(strings.ToValidUTF8(e.Title, "\ufffd"))
	attributes := record.Attributes()
	attributes.EnsureCapacity(len(fields))
	for i := range fields {
		put(attributes, fields[i].key, fields[i].value(e))
	}
}

// put adds an attribute unless its value is empty. Texts of protocol buffers are
// UTF-8: a receiver may refuse a whole request for one that is not.
func put(to pcommon.Map, key string, value any) {
	switch v := value.(type) {
	case string:
		if v != "" {
			to.PutStr(key, strings.ToValidUTF8(v, "\ufffd"))
		}
	case int:
		if v != 0 {
			to.PutInt(key, int64(v))
		}
	case bool:
		if v {
			to.PutBool(key, v)
		}
	case []string:
		if len(v) == 0 {
			return
		}
		list := to.PutEmptySlice(key)
		for _, text := range v {
			list.AppendEmpty().SetStr(strings.ToValidUTF8(text, "\ufffd"))
		}
	case []ingest.FieldChange:
		if len(v) == 0 {
			return
		}
		list := to.PutEmptySlice(key)
		for _, change := range v {
			one := list.AppendEmpty().SetEmptyMap()
			put(one, "field", change.Field)
			put(one, "old", change.Old)
			put(one, "new", change.New)
		}
	}
}
