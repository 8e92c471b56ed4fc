package eventformat_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit"
	"github.com/aisoc/cloudflareaudit/ingest"
	"github.com/aisoc/cloudflareaudit/internal/eventformat"
	"github.com/aisoc/cloudflareaudit/internal/fakecloudflare"
)

// fixtures are the events of the entries that tests are made with, and some
// generated ones of both logs.
func fixtures(t *testing.T) (all []ingest.Event) {
	t.Helper()
	normalizer, err := cloudflareaudit.NewNormalizer(cloudflareaudit.Config{})
	require.NoError(t, err)
	files, err := filepath.Glob("../../testdata/entries*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	add := func(text []byte) {
		_, err = normalizer.NormalizeStream(bytes.NewReader(text), func(e *ingest.Event, _ cloudflareaudit.Verdict) error {
			// What it holds is valid during the call only.
			all = append(all, ingest.Event{})
			return json.Unmarshal(e.AppendJSON(nil), &all[len(all)-1])
		})
		require.NoError(t, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		add(text)
	}
	from := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, entry := range fakecloudflare.Generate(7, 500, from, from.Add(time.Hour)) {
		add(entry)
	}
	for _, action := range []string{"member.add", "member.remove", "member.update", "member.view", "zone.view", "", "member.add.failed"} {
		all = append(all, ingest.Event{ExternalID: "x", Title: "made", Severity: ingest.High, Action: action, Actor: "a", SrcIP: "2001:db8::1",
			MITRETechniques: []string{"T1098", "T1098.001", "T1562"}, CreatedAt: from, Audit: ingest.Audit{
				Request: ingest.Request{Method: "PUT", URI: "/a%20b?c=d\xff", StatusCode: "200", UserAgent: "curl"},
				Changes: []ingest.FieldChange{{Field: "f", Old: "<&>", New: "\xff"}}, Notes: []string{"n"}, ChangesOmitted: 2}})
	}
	return append(all, ingest.Event{ExternalID: "bare", Severity: ingest.Info})
}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("testdata/" + name + ".schema.json")
	require.NoError(t, err)
	return s
}

var schemas = map[eventformat.Format]string{eventformat.ECS: "ecs-9.4", eventformat.OCSF: "ocsf-1.7.0"}

func TestAppend_KeepsToThePublishedSchemas(t *testing.T) {
	t.Parallel()
	for format, name := range schemas {
		s := schema(t, name)
		for _, e := range fixtures(t) {
			line := format.Append(nil, &e)
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
			require.NoError(t, err, "%s", line)
			require.NoError(t, s.Validate(v), "%s: %s", format, line)
			assert.True(t, bytes.HasPrefix(line, []byte(format.Start())), "%s", line)
			assert.NotContains(t, string(line), "\n")
			assert.True(t, bytes.Equal(line, format.Append(nil, &e)), "it is the same each time")
		}
	}
}

// A schema that takes anything would show nothing.
func TestSchemas_RefuseWhatIsWrong(t *testing.T) {
	t.Parallel()
	e := fixtures(t)[0]
	for format, changes := range map[eventformat.Format][][2]string{
		eventformat.ECS:  {{`"kind":"event"`, `"kind":"audit"`}, {`"category":["`, `"category":["x`}, {`"severity":`, `"severity":"x","s":`}, {`"@timestamp"`, `"timestamp"`}},
		eventformat.OCSF: {{`"class_uid":`, `"class_uid":1`}, {`"type_uid":`, `"type_uid":1`}, {`"version":"1.7.0"`, `"version":"1"`}, {`"time":`, `"at":`}},
	} {
		s := schema(t, schemas[format])
		line := string(format.Append(nil, &e))
		for _, change := range changes {
			broken := strings.Replace(line, change[0], change[1], 1)
			require.NotEqual(t, line, broken, change[0])
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(broken))
			require.NoError(t, err)
			assert.Error(t, s.Validate(v), "%s in place of %s", change[1], change[0])
		}
	}
}

func TestAppend_PutsEachThingWhereItIsLookedFor(t *testing.T) {
	t.Parallel()
	e := ingest.Event{
		Source: "cloudflare", Category: "saas", ExternalID: "id-1", Title: "Member added: bob@example.com", Severity: ingest.High,
		Action: "member.add", Actor: "alice@example.com", SrcIP: "192.0.2.10", Hostname: "www.example.com",
		CreatedAt: time.Date(2026, 5, 12, 9, 0, 0, 123_000_000, time.UTC), MITRETechniques: []string{"T1098.003"},
		RawEvent: `{"a": 1}`,
		Audit: ingest.Audit{Outcome: "failure", ActorID: "u1", ActorEmail: "alice@example.com", AccountID: "acc", ResourceType: "member",
			ResourceID: "m1", Target: "bob@example.com", Rule: "member-added", Why: "because", API: "v2", ZoneName: "example.com",
			Request: ingest.Request{Method: "POST", URI: "/accounts/acc/members?x=1", StatusCode: "403", UserAgent: "curl/8", RequestID: "ray"}},
	}
	for format, want := range map[eventformat.Format]map[string]any{
		eventformat.ECS: {
			"@timestamp": "2026-05-12T09:00:00.123000Z", "event.kind": "event", "event.category": []any{"iam"}, "event.type": []any{"creation", "user"},
			"event.action": "member.add", "event.outcome": "failure", "event.severity": 73.0, "event.id": "id-1", "event.original": `{"a": 1}`,
			"user.id": "u1", "user.email": "alice@example.com", "user.name": "alice@example.com", "source.ip": "192.0.2.10",
			"cloud.account.id": "acc", "related.ip": []any{"192.0.2.10"}, "related.user": []any{"alice@example.com", "u1"},
			"related.hosts": []any{"www.example.com", "example.com"}, "threat.technique.id": []any{"T1098"},
			"threat.technique.subtechnique.id": []any{"T1098.003"}, "rule.id": "member-added", "rule.description": "because",
			"url.path": "/accounts/acc/members", "url.query": "x=1", "http.request.method": "POST", "http.response.status_code": 403.0,
			"user_agent.original": "curl/8", "labels.target": "bob@example.com", "labels.severity": "high",
		},
		eventformat.OCSF: {
			"class_uid": 3001.0, "category_uid": 3.0, "activity_id": 1.0, "type_uid": 300101.0, "severity_id": 4.0, "status_id": 2.0,
			"time": 1778576400123.0, "actor.user.uid": "u1", "actor.user.email_addr": "alice@example.com", "src_endpoint.ip": "192.0.2.10",
			"user.name": "bob@example.com", "metadata.version": "1.7.0", "metadata.uid": "id-1", "metadata.product.name": "Cloudflare audit log",
			"cloud.account.uid": "acc", "http_request.http_method": "POST", "raw_data": `{"a": 1}`, "unmapped.audit.rule": "member-added",
			"unmapped.raw_event": nil,
		},
	} {
		var all map[string]any
		require.NoError(t, json.Unmarshal(format.Append(nil, &e), &all))
		for path, value := range want {
			assert.Equal(t, value, at(all, strings.Split(path, ".")), path)
		}
	}
	classes := func(change func(*ingest.Event)) (class any) {
		one := e
		change(&one)
		var all map[string]any
		require.NoError(t, json.Unmarshal(eventformat.OCSF.Append(nil, &one), &all))
		return all["class_uid"]
	}
	assert.Equal(t, 6003.0, classes(func(e *ingest.Event) { e.Action = "dns.record.delete" }))
	assert.Equal(t, 3004.0, classes(func(e *ingest.Event) { e.Action, e.SrcIP = "dns.record.delete", "" }))
	assert.Equal(t, 3004.0, classes(func(e *ingest.Event) { e.Action, e.Actor = "dns.record.delete", "" }))
}

// at is the member of an object that a path leads to.
func at(v any, path []string) any {
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// paths are the members of an object, those of own objects aside.
func paths(prefix string, v any, found map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if path := prefix + name; path == "unmapped" || path == "labels" || path == "cloudflare_audit" {
				found[path] = true
			} else {
				paths(path+".", inner, found)
			}
		}
	case []any:
		for _, inner := range v {
			if _, ok := inner.(map[string]any); !ok {
				found[strings.TrimSuffix(prefix, ".")] = true
				continue
			}
			paths(prefix, inner, found)
		}
	default:
		found[strings.TrimSuffix(prefix, ".")] = true
	}
}

// The tables of the documentation name what events have, no less and no more.
func TestDocs_NameEveryMember(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/formats.md")
	require.NoError(t, err)
	for format, heading := range map[eventformat.Format]string{eventformat.ECS: "\n## ECS\n", eventformat.OCSF: "\n## OCSF\n"} {
		_, section, ok := strings.Cut(string(text), heading)
		require.True(t, ok)
		section, _, _ = strings.Cut(section, "\n## ")
		listed := make(map[string]bool)
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_@.`, ]+)` \\|").FindAllStringSubmatch(section, -1) {
			for name := range strings.SplitSeq(row[1], "`, `") {
				listed[name] = true
			}
		}
		found := make(map[string]bool)
		for _, e := range fixtures(t) {
			var all map[string]any
			require.NoError(t, json.Unmarshal(format.Append(nil, &e), &all))
			paths("", all, found)
		}
		assert.Equal(t, found, listed)
	}
	assert.Contains(t, string(text), "Elastic Common Schema "+eventformat.ECSVersion)
	assert.Contains(t, string(text), "OCSF "+eventformat.OCSFVersion)
}
