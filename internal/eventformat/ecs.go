package eventformat

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// ECSVersion is the version of the Elastic Common Schema that [ECS] keeps to.
const ECSVersion = "9.4.0"

// options make one form of one value. Texts may hold invalid UTF-8.
var options = json.JoinOptions(jsontext.AllowInvalidUTF8(true), json.Deterministic(true))

// id is an object of ECS that has an id alone.
type id struct {
	ID string `json:"id,omitempty"`
}

// ids is an object of ECS whose id is a list.
type ids struct {
	ID []string `json:"id,omitempty"`
}

// ecsEvent is an event in ECS. The first member is how a line begins.
type ecsEvent struct {
	Timestamp string `json:"@timestamp"`
	ECS       struct {
		Version string `json:"version"`
	} `json:"ecs"`
	Message string `json:"message,omitempty"`
	Event   struct {
		Kind     string   `json:"kind"`
		Category []string `json:"category"`
		Type     []string `json:"type"`
		Action   string   `json:"action,omitempty"`
		Outcome  string   `json:"outcome"`
		Severity int      `json:"severity"`
		ID       string   `json:"id"`
		Code     string   `json:"code,omitempty"`
		Reason   string   `json:"reason,omitempty"`
		Dataset  string   `json:"dataset"`
		Module   string   `json:"module"`
		Provider string   `json:"provider,omitempty"`
		Original string   `json:"original,omitempty"`
	} `json:"event"`
	User struct {
		ID    string `json:"id,omitempty"`
		Name  string `json:"name,omitempty"`
		Email string `json:"email,omitempty"`
	} `json:"user,omitzero"`
	Source struct {
		IP      string `json:"ip,omitempty"`
		Address string `json:"address,omitempty"`
	} `json:"source,omitzero"`
	Cloud struct {
		Provider string `json:"provider"`
		Account  id     `json:"account,omitzero"`
	} `json:"cloud"`
	Destination struct {
		Domain string `json:"domain,omitempty"`
	} `json:"destination,omitzero"`
	URL struct {
		Original string `json:"original,omitempty"`
		Path     string `json:"path,omitempty"`
		Query    string `json:"query,omitempty"`
	} `json:"url,omitzero"`
	HTTP struct {
		Request struct {
			Method string `json:"method,omitempty"`
			ID     string `json:"id,omitempty"`
		} `json:"request,omitzero"`
		Response struct {
			StatusCode int `json:"status_code,omitzero"`
		} `json:"response,omitzero"`
	} `json:"http,omitzero"`
	UserAgent struct {
		Original string `json:"original,omitempty"`
	} `json:"user_agent,omitzero"`
	Threat struct {
		Framework string `json:"framework"`
		Technique struct {
			ID           []string `json:"id,omitempty"`
			Subtechnique ids      `json:"subtechnique,omitzero"`
		} `json:"technique"`
	} `json:"threat,omitzero"`
	Rule struct {
		ID          string `json:"id,omitempty"`
		Description string `json:"description,omitempty"`
	} `json:"rule,omitzero"`
	Related struct {
		IP    []string `json:"ip,omitempty"`
		User  []string `json:"user,omitempty"`
		Hosts []string `json:"hosts,omitempty"`
	} `json:"related,omitzero"`
	Labels map[string]string `json:"labels,omitempty"`
	// Changes and Notes are what ECS has no field for. Their names are those of
	// no field set.
	Cloudflare ecsOwn `json:"cloudflare_audit,omitzero"`
}

// ecsOwn is what ECS has no field for.
type ecsOwn struct {
	Changes        []ingest.FieldChange `json:"changes,omitempty"`
	ChangesOmitted int                  `json:"changes_omitted,omitzero"`
	Notes          []string             `json:"notes,omitempty"`
	RawTruncated   bool                 `json:"raw_truncated,omitzero"`
}

// ecsSeverities are numbers that rise with the severity, as those of syslog do
// not.
var ecsSeverities = map[ingest.Severity]int{ingest.Info: 0, ingest.Low: 21, ingest.Medium: 47, ingest.High: 73, ingest.Critical: 99}

// identities are the subjects whose actions are about who may do what.
var identities = []string{"member.", "user.", "api_token.", "api_key.", "user_group.", "account.member", "service_token.", "access.", "sso."}

func isIdentity(action string) bool {
	for _, prefix := range identities {
		if strings.HasPrefix(action, prefix) {
			return true
		}
	}
	return false
}

func appendECS(b []byte, e *ingest.Event) []byte {
	var x ecsEvent
	a := &e.Audit
	x.Timestamp = e.CreatedAt.UTC().Format(ingest.TimeFormat)
	x.ECS.Version = ECSVersion
	x.Message = e.Title
	x.Event.Kind = "event"
	x.Event.Category, x.Event.Type = categories(e.Action)
	x.Event.Action, x.Event.Code = e.Action, a.ActionType
	x.Event.Outcome = a.Outcome
	if x.Event.Outcome != "success" && x.Event.Outcome != "failure" {
		x.Event.Outcome = "unknown"
	}
	x.Event.Severity = ecsSeverities[e.Severity]
	x.Event.ID, x.Event.Reason = e.ExternalID, a.Why
	x.Event.Dataset, x.Event.Module, x.Event.Provider = "cloudflare.audit", "cloudflare", a.API
	x.Event.Original = string(e.RawEvent)
	x.User.ID, x.User.Email = a.ActorID, a.ActorEmail
	if x.User.Name = a.ActorName; x.User.Name == "" {
		x.User.Name = e.Actor
	}
	x.Source.IP, x.Source.Address = e.SrcIP, e.SrcIP
	x.Cloud.Provider, x.Cloud.Account.ID = "cloudflare", a.AccountID
	x.Destination.Domain = e.Hostname
	if a.URI != "" {
		x.URL.Original = a.URI
		path, query, _ := strings.Cut(a.URI, "?")
		if u, err := url.Parse(path); err == nil {
			path = u.Path
		}
		x.URL.Path, x.URL.Query = path, query
	}
	x.HTTP.Request.Method, x.HTTP.Request.ID = a.Method, a.RequestID
	if n, err := strconv.Atoi(a.StatusCode); err == nil {
		x.HTTP.Response.StatusCode = n
	}
	x.UserAgent.Original = a.UserAgent
	for _, t := range e.MITRETechniques {
		x.Threat.Framework = "MITRE ATT&CK"
		technique, _, sub := strings.Cut(t, ".")
		x.Threat.Technique.ID = addOnce(x.Threat.Technique.ID, technique)
		if sub {
			x.Threat.Technique.Subtechnique.ID = addOnce(x.Threat.Technique.Subtechnique.ID, t)
		}
	}
	x.Rule.ID, x.Rule.Description = a.Rule, a.Why
	x.Related.IP = addOnce(nil, e.SrcIP)
	for _, who := range []string{a.ActorEmail, x.User.Name, a.ActorID} {
		x.Related.User = addOnce(x.Related.User, who)
	}
	for _, host := range []string{e.Hostname, a.ZoneName} {
		x.Related.Hosts = addOnce(x.Related.Hosts, host)
	}
	x.Labels = labels(e)
	x.Cloudflare = ecsOwn{a.Changes, a.ChangesOmitted, a.Notes, e.RawTruncated}
	b, _ = appendValue(b, &x) // its members can be encoded
	return b
}

// appendValue appends a value as JSON.
func appendValue(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v, options)
	return append(b, text...), err
}

// addOnce adds a text that is not empty and not there yet.
func addOnce(list []string, text string) []string {
	if text == "" {
		return list
	}
	for _, known := range list {
		if known == text {
			return list
		}
	}
	return append(list, text)
}

// categories are the category of an event and the types that are expected in it.
func categories(action string) (category, kinds []string) {
	isOfUsers := isIdentity(action)
	if verbOf(action) == "login" {
		return []string{"authentication"}, []string{"start"}
	}
	category = []string{"configuration"}
	if isOfUsers {
		category = []string{"iam"}
	}
	switch kindOf(action) {
	case creation:
		kinds = []string{"creation"}
	case deletion:
		kinds = []string{"deletion"}
	case change:
		kinds = []string{"change"}
	case reading:
		kinds = []string{"info"}
		if !isOfUsers {
			kinds = []string{"access"}
		}
	default:
		kinds = []string{"info"}
	}
	if strings.HasPrefix(action, "member.") || strings.HasPrefix(action, "user.") {
		kinds = append(kinds, "user")
	}
	return category, kinds
}

// labels are the other texts of an event, under the names they have in it.
func labels(e *ingest.Event) map[string]string {
	a := &e.Audit
	all := map[string]string{
		"severity": string(e.Severity), "decision": e.Decision,
		"actor_type": a.ActorType, "interface": a.Interface, "scope": a.Scope,
		"resource_type": a.ResourceType, "resource_id": a.ResourceID, "target": a.Target,
		"zone_id": a.ZoneID, "zone_name": a.ZoneName, "direction": a.Direction,
		"description": a.Description, "credential": a.Credential, "token_id": a.TokenID, "token_name": a.TokenName,
	}
	if a.CorrelationID != (ingest.CorrelationID{}) {
		all["correlation_id"] = a.CorrelationID.String()
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}
