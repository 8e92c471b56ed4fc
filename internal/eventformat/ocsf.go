package eventformat

import (
	"cmp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aisoc/cloudflareaudit/ingest"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// [OCSF] keeps to.
const OCSFVersion = "1.7.0"

// The classes of OCSF that events are of.
const (
	accountChange    = 3001
	entityManagement = 3004
	apiActivity      = 6003
)

// ocsfNamed is an entity of OCSF.
type ocsfNamed struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
	Type string `json:"type,omitempty"`
}

// ocsfUser is a user of OCSF.
type ocsfUser struct {
	Name  string `json:"name,omitempty"`
	UID   string `json:"uid,omitempty"`
	Email string `json:"email_addr,omitempty"`
	Type  string `json:"type,omitempty"`
	// TypeID is 99, for types that OCSF does not know, or left out.
	TypeID int `json:"type_id,omitzero"`
}

// ocsfAttack is a technique of ATT&CK.
type ocsfAttack struct {
	Technique    *ocsfNamed `json:"technique,omitempty"`
	SubTechnique *ocsfNamed `json:"sub_technique,omitempty"`
}

type ocsfActor struct {
	User ocsfUser `json:"user"`
}

type ocsfEndpoint struct {
	IP string `json:"ip"`
}

type ocsfURL struct {
	Path  string `json:"path,omitempty"`
	Query string `json:"query_string,omitempty"`
}

// ocsfEvent is an event in OCSF. The first member is how a line begins.
type ocsfEvent struct {
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name,omitempty"`
	CategoryUID  int    `json:"category_uid"`
	ClassUID     int    `json:"class_uid"`
	TypeUID      int    `json:"type_uid"`
	Time         int64  `json:"time"`
	SeverityID   int    `json:"severity_id"`
	Severity     string `json:"severity"`
	StatusID     int    `json:"status_id"`
	StatusCode   string `json:"status_code,omitempty"`
	Message      string `json:"message,omitempty"`
	Metadata     struct {
		Version string `json:"version"`
		Product struct {
			Name   string `json:"name"`
			Vendor string `json:"vendor_name"`
		} `json:"product"`
		UID            string   `json:"uid"`
		EventCode      string   `json:"event_code,omitempty"`
		LogName        string   `json:"log_name,omitempty"`
		CorrelationUID string   `json:"correlation_uid,omitempty"`
		Profiles       []string `json:"profiles"`
	} `json:"metadata"`
	Cloud struct {
		Provider string     `json:"provider"`
		Account  *ocsfNamed `json:"account,omitempty"`
	} `json:"cloud"`
	Actor       *ocsfActor    `json:"actor,omitempty"`
	SrcEndpoint *ocsfEndpoint `json:"src_endpoint,omitempty"`
	API         *struct {
		Operation string       `json:"operation"`
		Request   *ocsfRequest `json:"request,omitempty"`
	} `json:"api,omitempty"`
	HTTPRequest *struct {
		Method    string   `json:"http_method,omitempty"`
		UserAgent string   `json:"user_agent,omitempty"`
		URL       *ocsfURL `json:"url,omitempty"`
	} `json:"http_request,omitempty"`
	// Resources are those of an API activity, Entity that of entity management,
	// and User that of an account change.
	Resources []ocsfNamed    `json:"resources,omitempty"`
	Entity    *ocsfNamed     `json:"entity,omitempty"`
	User      *ocsfUser      `json:"user,omitempty"`
	Attacks   []ocsfAttack   `json:"attacks,omitempty"`
	RawData   string         `json:"raw_data,omitempty"`
	Unmapped  jsontext.Value `json:"unmapped"`
}

// ocsfRequest is a request to an API.
type ocsfRequest struct {
	UID string `json:"uid"`
}

var ocsfSeverities = map[ingest.Severity]int{ingest.Info: 1, ingest.Low: 2, ingest.Medium: 3, ingest.High: 4, ingest.Critical: 5}

var ocsfSeverityNames = [...]string{"Unknown", "Informational", "Low", "Medium", "High", "Critical"}

// ocsfClass is the class of an event. What happens to a member is an account
// change. An API activity needs an actor and an address; what has none is the
// management of an entity.
func ocsfClass(e *ingest.Event) int {
	switch {
	case strings.HasPrefix(e.Action, "member.") && kindOf(e.Action) != other && kindOf(e.Action) != reading:
		return accountChange
	case e.SrcIP != "" && e.Actor != "":
		return apiActivity
	}
	return entityManagement
}

// ocsfActivity is the activity of a class.
func ocsfActivity(class int, action string) int {
	byKind := map[kind]int{creation: 1, reading: 2, change: 3, deletion: 4}
	if class == accountChange {
		byKind = map[kind]int{creation: 1, deletion: 6}
	}
	if n := byKind[kindOf(action)]; n != 0 {
		return n
	}
	return 99
}

func appendOCSF(b []byte, e *ingest.Event) []byte {
	var x ocsfEvent
	a := &e.Audit
	x.ClassUID = ocsfClass(e)
	x.CategoryUID = x.ClassUID / 1000
	if x.ActivityID = ocsfActivity(x.ClassUID, e.Action); x.ActivityID == 99 {
		x.ActivityName = cmp.Or(verbOf(e.Action), "unknown")
	}
	x.TypeUID = x.ClassUID*100 + x.ActivityID
	x.Time = e.CreatedAt.UnixMilli()
	x.SeverityID = ocsfSeverities[e.Severity]
	x.Severity = ocsfSeverityNames[x.SeverityID]
	x.StatusID = map[string]int{"success": 1, "failure": 2}[a.Outcome]
	x.StatusCode, x.Message = a.StatusCode, e.Title
	x.Metadata.Version = OCSFVersion
	x.Metadata.Product.Name, x.Metadata.Product.Vendor = "Cloudflare audit log", "Cloudflare"
	x.Metadata.UID, x.Metadata.EventCode, x.Metadata.LogName = e.ExternalID, e.Action, a.API
	if a.CorrelationID != (ingest.CorrelationID{}) {
		x.Metadata.CorrelationUID = a.CorrelationID.String()
	}
	x.Metadata.Profiles = []string{"cloud"}
	x.Cloud.Provider = "Cloudflare"
	if a.AccountID != "" {
		x.Cloud.Account = &ocsfNamed{UID: a.AccountID}
	}
	if e.Actor != "" {
		user := ocsfUser{Name: cmp.Or(a.ActorName, e.Actor), UID: a.ActorID, Email: a.ActorEmail, Type: a.ActorType}
		if user.Type != "" {
			user.TypeID = 99
		}
		x.Actor = &ocsfActor{user}
	}
	if e.SrcIP != "" {
		x.SrcEndpoint = &ocsfEndpoint{e.SrcIP}
	}
	x.addRequest(e)
	x.addTarget(e)
	for _, t := range e.MITRETechniques {
		technique, _, sub := strings.Cut(t, ".")
		attack := ocsfAttack{Technique: &ocsfNamed{UID: technique}}
		if sub {
			attack.SubTechnique = &ocsfNamed{UID: t}
		}
		x.Attacks = append(x.Attacks, attack)
	}
	x.RawData = string(e.RawEvent)
	whole := *e
	whole.RawEvent = ""
	x.Unmapped = whole.AppendJSON(nil)
	b, _ = appendValue(b, &x) // its members can be encoded
	return b
}

// addRequest adds what is known of the request behind an event.
func (x *ocsfEvent) addRequest(e *ingest.Event) {
	a := &e.Audit
	if x.ClassUID == apiActivity {
		x.API = &struct {
			Operation string       `json:"operation"`
			Request   *ocsfRequest `json:"request,omitempty"`
		}{Operation: cmp.Or(a.ActionType, e.Action, "unknown")}
		if a.RequestID != "" {
			x.API.Request = &ocsfRequest{a.RequestID}
		}
	}
	if a.Method == "" && a.UserAgent == "" && a.URI == "" {
		return
	}
	x.HTTPRequest = &struct {
		Method    string   `json:"http_method,omitempty"`
		UserAgent string   `json:"user_agent,omitempty"`
		URL       *ocsfURL `json:"url,omitempty"`
	}{Method: a.Method, UserAgent: a.UserAgent}
	if path, query, _ := strings.Cut(a.URI, "?"); path != "" {
		x.HTTPRequest.URL = &ocsfURL{path, query}
	}
}

// addTarget adds what an event is about, where its class has it.
func (x *ocsfEvent) addTarget(e *ingest.Event) {
	a := &e.Audit
	target := ocsfNamed{Name: a.Target, UID: a.ResourceID, Type: a.ResourceType}
	switch x.ClassUID {
	case apiActivity:
		if target.Name+target.UID != "" {
			x.Resources = []ocsfNamed{target}
		}
	case accountChange:
		x.User = &ocsfUser{Name: cmp.Or(a.Target, a.ResourceID, "unknown"), UID: a.ResourceID}
	default:
		if target.Name+target.UID == "" {
			target.Name = cmp.Or(a.ResourceType, e.Action, "unknown")
		}
		x.Entity = &target
	}
}
