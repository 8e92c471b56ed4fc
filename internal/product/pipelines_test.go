package product

import (
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var pipelinesSuite = suite{
	pairs: rows("?workflow/delete; ?event_subscription/create; ?pipeline.stream/delete", "", low, same, same),
	calls: pipelinesCalls(),
	examples: map[string]ruleExample{
		"data-stream-opened":  {ofAccount("PATCH", "/pipelines/v1/streams/1", requestBody(`{"http":{"enabled":true,"authentication":false}}`)), ofAccount("PATCH", "/pipelines/v1/streams/1", requestBody(`{"http":{"enabled":false,"authentication":false}}`))},
		"data-sent-elsewhere": {ofAccount("POST", "/pipelines/v1/sinks", requestBody(`{"name":"lake"}`)), ofAccount("DELETE", "/pipelines/v1/sinks/1")},
		"index-deleted":       {ofAccount("DELETE", "/vectorize/v2/indexes/products"), ofAccount("POST", "/vectorize/v2/indexes/products/delete_by_ids")},
		"workflow-event-sent": {ofAccount("POST", "/workflows/orders/instances/1/events/paid"), ofAccount("POST", "/workflows/orders/instances")},
		"index-searched":      {ofAccount("POST", "/vectorize/v2/indexes/products/query"), ofAccount("POST", "/vectorize/v2/indexes/products/upsert")},
		"data-flow-changed":   {ofAccount("DELETE", "/workflows/orders"), ofAccount("DELETE", "/vectorize/v2/indexes/products")},
	},
	moves: map[string]moveCase{
		"stream opened": {ofAccount("POST", "/pipelines/v1/streams", requestBody(`{"name":"clicks","http":{"enabled":true,"authentication":false}}`)), "pipeline.stream.create", rules.Weaker, "clicks"},
		"stream closed": {ofAccount("POST", "/pipelines/v1/streams", requestBody(`{"name":"clicks","http":{"enabled":true,"authentication":true}}`)), "pipeline.stream.create", "", "clicks"},
	},
}

func pipelinesCalls() callList {
	var list callList
	list.add("POST {a}/pipelines; POST {a}/pipelines/v1/pipelines", "pipeline.create", medium)
	list.add("PUT {a}/pipelines/1", "pipeline.update", medium)
	list.add("DELETE {a}/pipelines/1; DELETE {a}/pipelines/v1/pipelines/1", "pipeline.delete", low)
	list.add("POST {a}/pipelines/v1/sinks", "pipeline.sink.create", medium)
	list.add("DELETE {a}/pipelines/v1/sinks/1", "pipeline.sink.delete", low)
	list.add("POST {a}/pipelines/v1/streams", "pipeline.stream.create", low)
	list.add("PATCH {a}/pipelines/v1/streams/1", "pipeline.stream.update", low)
	list.add("DELETE {a}/pipelines/v1/streams/1", "pipeline.stream.delete", low)
	list.add("POST {a}/pipelines/v1/validate_sql", "pipeline.sql.validate", info)
	list.add("PUT {a}/workflows/1", "workflow.update", low)
	list.add("DELETE {a}/workflows/1", "workflow.delete", low)
	list.add("POST {a}/workflows/1/instances; POST {a}/workflows/1/instances/batch", "workflow.instance.create", low)
	list.add("PATCH {a}/workflows/1/instances/n/status", "workflow.instance.update", low)
	list.add("POST {a}/workflows/1/instances/n/events/n", "workflow.event.send", low)
	list.add("POST {a}/event_subscriptions/subscriptions", "event_subscription.create", low)
	list.add("PATCH {a}/event_subscriptions/subscriptions/1", "event_subscription.update", low)
	list.add("DELETE {a}/event_subscriptions/subscriptions/1", "event_subscription.delete", low)
	list.add("POST {a}/vectorize/v2/indexes", "vectorize.index.create", low)
	list.add("DELETE {a}/vectorize/v2/indexes/1", "vectorize.index.delete", medium)
	list.add("POST {a}/vectorize/v2/indexes/1/metadata_index/create", "vectorize.metadata_index.create", low)
	list.add("POST {a}/vectorize/v2/indexes/1/metadata_index/delete", "vectorize.metadata_index.delete", low)
	list.add("POST {a}/vectorize/v2/indexes/1/insert", "vectorize.vector.create", low)
	list.add("POST {a}/vectorize/v2/indexes/1/upsert", "vectorize.vector.update", low)
	list.add("POST {a}/vectorize/v2/indexes/1/delete_by_ids", "vectorize.vector.delete", low)
	list.add("POST {a}/vectorize/v2/indexes/1/get_by_ids", "vectorize.vector.view", info)
	list.add("POST {a}/vectorize/v2/indexes/1/query", "vectorize.index.search", info)
	list.add("POST {a}/pipelines/v1/streams", "pipeline.stream.create", medium, requestBody(`{"name":"clicks","http":{"enabled":true,"authentication":false}}`))
	return list
}

func TestPipelines_EveryEntryIsUnderstoodAndGraded(t *testing.T) { pipelinesSuite.check(t) }
