package product

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWords_SayWhatWasDone(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{
		"queue.consumer.update":                      "queue consumer changed",
		"queues.consumers.create":                    "queue consumer created",
		"access.ai_controls.mcp.portals.create":      "Access AI control MCP portal created",
		"ai_gateway.gateway.update":                  "AI Gateway changed",
		"ai_gateway.gateways.logs.delete":            "AI Gateway log deleted",
		"calls.turn_keys.delete":                     "Calls TURN key deleted",
		"d1.database.query":                          "D1 database queried",
		"devices.policies.update":                    "device policy changed",
		"images.v1.keys.delete":                      "image key deleted",
		"kv.namespace.rename":                        "KV namespace renamed",
		"member.leave":                               "member left",
		"origin_tls_client_auth.enable":              "origin TLS client authentication enabled",
		"pages.projects.purge_build_cache":           "Pages project build cache purged",
		"slurper.jobs.abort":                         "slurper job aborted",
		"vectorize.v2.indexes.delete_by_ids":         "Vectorize index deleted by IDs",
		"vectorize.v2.indexes.metadata_index.create": "Vectorize index metadata index created",
		"worker.script.update":                       "Worker code changed",
		"worker.script.settings.update":              "Worker settings changed",
		"workers.workers.versions.delete":            "Workers version deleted",
		"zone.set_min_tls_version":                   "zone min TLS version set",
		"zone.transfer_out":                          "zone transferred out",
		"zone.settings.update":                       "zone settings changed",
		"account.staff_login":                        "account staff login",
		"logs.rayids.read":                           "log rayid read",
		"addresses.verify":                           "address verified",
		"pool.on":                                    "pool switched on",
		// What is no verb is not made one.
		"spectrum.app.frobnicate":     "Spectrum application frobnicate recorded",
		"account.acceptance_of_terms": "account acceptance of term recorded",
		"unknown.frobnicated":         "frobnicated",
		"zone.unknown":                "zone action recorded",
		"unknown":                     "action recorded",
		"bare":                        "bare recorded",
		"":                            "recorded",
	} {
		assert.Equal(t, want, wordsOfAction(action), action)
	}
}

// The words of every action that is known, and of every operation of the API, are
// a sentence that says what has been done to what.
func TestWords_OfEveryActionAreASentence(t *testing.T) {
	t.Parallel()
	prepare()
	actions := make(map[string]bool)
	for name := range known.namings {
		actions[name] = true
	}
	for _, operation := range readLines(t, operationsFile) {
		actions[understood(t, operationEntry(operation)).Action] = true
	}
	delete(actions, ActionUnknown)
	done := regexp.MustCompile(`^[^ ].* (\w+ed|read|run|(re)?set|left|sent|shown|made pending|rolled back|switched (on|off)|login|logout|transferred out|(deleted|read) by IDs)$`)
	for action := range actions {
		words := wordsOfAction(action)
		assert.Regexp(t, done, words, action)
		assert.NotContains(t, words, "  ", action)
		assert.False(t, strings.ContainsAny(words, "._{}"), "%s: %s", action, words)
	}
}

// No title is in the language of the API.
func TestTitles_OfEveryOperationAreSentences(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout")
	check := func(raw string) {
		t.Helper()
		v, f := grade(t, c, raw)
		title := strings.TrimSuffix(v.Title, ": "+f.Target)
		assert.Regexp(t, `^[A-Z0-9]`, title, raw)
		assert.False(t, strings.ContainsAny(title, "_{}"), "%s: %s", raw, title)
		assert.NotContains(t, title, f.Action, raw)
	}
	for _, operation := range readLines(t, operationsFile) {
		check(operationEntry(operation))
	}
	for _, raw := range []string{
		logged("spectrum.app", "frobnicated"), logged("d1.database", "frob_nicate"), logged("acm.total_tls", "disabled", byStaff), logged("", "someThing"),
	} {
		check(raw)
	}
}

// Of one thing, what is done to it is told apart by the title alone.
func TestTitles_TellDeedsApart(t *testing.T) {
	t.Parallel()
	c := gradingProduction(t, "checkout")
	for _, deeds := range [][]string{
		{logged("r2.bucket", "CreateBucket"), logged("r2.bucket", "DeleteBucket"), logged("r2.bucket", "PutBucketCors"), logged("r2.bucket", "DeleteBucketCors"),
			logged("r2.bucket", "PutBucketEncryption"), logged("r2.bucket", "DeleteBucketEncryption"), logged("r2.bucket", "PutBucketLifecycleConfiguration"),
			logged("r2.bucket", "DeleteBucketLifecycleConfiguration"), logged("r2.bucket", "AddCustomDomain"), logged("r2.bucket", "RemoveCustomDomain"),
			logged("r2.bucket", "ChangeBucketVisibility"), logged("r2.bucket", "PutBucketStorageClass")},
		{logged("script", "script_create"), logged("script", "script_update"), logged("script", "script_deploy"), logged("script", "script_delete"),
			logged("script", "script_schedules"), logged("script", "patch_settings"), logged("script", "secret_put"), logged("script", "script_on_subdomain")},
		{logged("queue", "create"), logged("queue", "update"), logged("queue", "delete"), logged("queue", "update_consumer_settings")},
		{logged("d1.database", "create"), logged("d1.database", "update"), logged("d1.database", "delete"), logged("d1.database", "export")},
		{logged("pages.project", "create"), logged("pages.project", "update"), logged("pages.project", "delete"), logged("pages.deployment", "create")},
	} {
		seen := make(map[string]string)
		for _, raw := range deeds {
			v, _ := grade(t, c, raw)
			assert.Empty(t, seen[v.Title], "%s\n%s", v.Title, raw)
			seen[v.Title] = raw
		}
	}
}
