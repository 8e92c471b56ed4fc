package product

import "github.com/aisoc/cloudflareaudit/rules"

// Data on its way: pipelines, workflows, event subscriptions and vector indexes.
var pipelines = family{
	prefixes: oneOf{"pipeline.", "workflow.", "event_subscription.", "vectorize."},
	read:     (*review).readPipeline,
	routes: []route{
		{"*", "/accounts/{account}/pipelines", "pipeline"},
		{"*", "/accounts/{account}/pipelines/v1/pipelines", "pipeline"},
		{"*", "/accounts/{account}/pipelines/v1/sinks", "pipeline.sink"},
		{"*", "/accounts/{account}/pipelines/v1/streams", "pipeline.stream"},
		{"POST", "/accounts/{account}/pipelines/v1/validate_sql", "pipeline.sql.validate"},
		{"*", "/accounts/{account}/workflows", "workflow"},
		{"POST", "/accounts/{account}/workflows/{id}/instances", "workflow.instance.create"},
		{"POST", "/accounts/{account}/workflows/{id}/instances/batch", "workflow.instance.create"},
		{"PATCH", "/accounts/{account}/workflows/{id}/instances/{instance}/status", "workflow.instance.update"},
		{"POST", "/accounts/{account}/workflows/{id}/instances/{instance}/events/{event}", "workflow.event.send"},
		{"*", "/accounts/{account}/event_subscriptions/subscriptions", "event_subscription"},
		{"*", "/accounts/{account}/vectorize/v2/indexes", "vectorize.index"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/metadata_index/create", "vectorize.metadata_index.create"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/metadata_index/delete", "vectorize.metadata_index.delete"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/insert", "vectorize.vector.create"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/upsert", "vectorize.vector.update"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/delete_by_ids", "vectorize.vector.delete"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/get_by_ids", "vectorize.vector.view"},
		{"POST", "/accounts/{account}/vectorize/v2/indexes/{id}/query", "vectorize.index.search"},
	},
	rules: []rules.Rule{
		{ID: "data-stream-opened", Severity: medium, Techniques: oneOf{"T1565.001"},
			Match: rules.Match{Action: oneOf{"pipeline.stream.*", "pipeline.create", "pipeline.update"}, Direction: oneOf{"weaker"}},
			Title: "Data stream takes in data without authentication[: {target}]",
			Why:   "Anybody who knows its address can write into the data that it feeds."},
		{ID: "data-sent-elsewhere", Severity: medium, Techniques: oneOf{"T1537"},
			Match: rules.Match{Action: oneOf{"pipeline.sink.create", "pipeline.sink.update", "pipeline.create", "pipeline.update"}},
			Title: "{words}[: {target}]",
			Why:   "A pipeline writes everything that it takes in to the bucket of its sink, with credentials that may be of another account."},
		{ID: "index-deleted", Severity: medium, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"vectorize.index.delete"}},
			Title: "{words}[: {target}]",
			Why:   "All vectors in it are gone."},
		{ID: "workflow-event-sent", Severity: low,
			Match: rules.Match{Action: oneOf{"workflow.event.send"}},
			Title: "{words}",
			Why:   "Programs tell their workflows to go on all the time."},
		used("index-searched", "A search changes nothing.", "vectorize.index.search", "vectorize.vector.view", "pipeline.sql.validate"),
		ordinary("data-flow-changed", "Programs add, run and remove these all the time, and none of them leads out of the account.",
			"pipeline.*", "workflow.*", "event_subscription.*", "vectorize.*"),
	},
}

// readPipeline determines whether a stream takes in data from anybody.
func (r *review) readPipeline() {
	r.readOther()
	if http := r.after.get("http"); http.Get("authentication").Text() == "false" && http.Get("enabled").Text() != "false" {
		r.Direction = rules.Weaker
	}
}
