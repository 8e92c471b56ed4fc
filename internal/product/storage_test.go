package product

import (
	"slices"
	"testing"

	"github.com/aisoc/cloudflareaudit/rules"
)

var storageSuite = suite{
	pairs: slices.Concat(
		rows("/CreateBucket; r2.bucket/CreateBucket", "r2.bucket.create", medium, same, same),
		rows("/DeleteBucket", "r2.bucket.delete", medium, same, same),
		rows("/AddCustomDomain", "r2.bucket.domain.add", medium, same, same),
		rows("/RemoveCustomDomain", "r2.bucket.domain.remove", medium, same, same),
		rows("/PutBucketCors", "r2.bucket.cors.update", medium, same, same),
		rows("/DeleteBucketCors", "r2.bucket.cors.delete", medium, same, same),
		rows("/PutBucketEncryption", "r2.bucket.encryption.update", medium, same, same),
		rows("/DeleteBucketEncryption", "r2.bucket.encryption.delete", medium, same, same),
		rows("/PutBucketLifecycleConfiguration", "r2.bucket.lifecycle.update", medium, same, same),
		rows("/DeleteBucketLifecycleConfiguration", "r2.bucket.lifecycle.delete", medium, same, same),
		rows("/ChangeBucketVisibility", "r2.bucket.visibility.change", high, same, same),
		rows("/ChangeBucketVisibility", "r2.bucket.visibility.change", high, same, low, values(`{"public":false}`, `{"public":true}`)),
		rows("d1.database/create", "d1.database.create", low, same, same, `"action":{"type":"create","result":true,"info":"CreateDatabase"}`),
		rows("?d1.database/update", "d1.database.update", low, same, same),
		rows("d1.database/update", "d1.database.restore", medium, same, same, `"action":{"type":"update","result":true,"info":"TimeTravel"}`),
		rows("d1.database/delete", "d1.database.delete", medium, same, same, `"action":{"type":"delete","result":true,"info":"DeleteDatabase"}`),
		rows("ai_gateway.gateway/create", "ai_gateway.gateway.create", low, same, same, `"action":{"type":"create","result":true,"info":"gateway created"}`),
		rows("ai_gateway.gateway/update", "ai_gateway.gateway.update", low, same, same),
		rows("ai_gateway.gateway/delete", "ai_gateway.gateway.delete", low, same, same),
		rows("/update_consumer_settings", "queue.consumer.update", low, same, same),
		rows("?d1.database/export", "d1.database.export", medium, same, same),
		rows("?kv.namespace/delete; ?secrets_store/delete; ?pages.project/delete", "", medium, same, same),
	),
	calls: storageCalls(),
	examples: map[string]ruleExample{
		"bucket-closed":              {logged("r2.bucket", "ChangeBucketVisibility", newValue(`{"public":false}`)), logged("r2.bucket", "ChangeBucketVisibility")},
		"bucket-opened":              {logged("r2.bucket", "ChangeBucketVisibility", newValue(`{"public":true}`)), logged("r2.bucket", "ChangeBucketVisibility", newValue(`{"public":false}`))},
		"bucket-domain-added":        {logged("r2.bucket", "AddCustomDomain"), logged("r2.bucket", "RemoveCustomDomain")},
		"bucket-deleted":             {logged("r2.bucket", "DeleteBucket"), logged("r2.bucket", "DeleteBucketCors")},
		"bucket-changed":             {logged("r2.bucket", "PutBucketCors"), logged("r2.bucket", "list")},
		"database-deleted":           {logged("d1.database", "delete"), logged("d1.database", "create")},
		"bucket-credentials-created": {requested("POST", "/accounts/"+exampleAccount+"/r2/temp-access-credentials", requestBody(`{"bucket":"exports","permission":"object-read-only"}`)), logged("r2.bucket", "create")},
		"database-exported":          {logged("d1.database", "export"), logged("d1.database", "view")},
		"database-connection-changed": {
			requested("PATCH", "/accounts/"+exampleAccount+"/hyperdrive/configs/1", requestBody(`{"name":"orders","origin":{"host":"db.example.com"}}`)),
			requested("GET", "/accounts/"+exampleAccount+"/hyperdrive/configs/1"),
		},
	},
	facts: map[string]factCase{
		"bucket": {
			raw:  logged("r2.bucket", "CreateBucket", `"resource":{"type":"r2.bucket","id":"exports"}`),
			want: rules.Facts{Target: "exports"},
		},
	},
	moves: map[string]moveCase{
		"bucket opened": {logged("r2.bucket", "ChangeBucketVisibility", values(`{}`, `{"public":true}`)), "r2.bucket.visibility.change", rules.Weaker, ""},
		"bucket closed": {logged("r2.bucket", "ChangeBucketVisibility", values(`{}`, `{"visibility":"private"}`)), "r2.bucket.visibility.change", rules.Safer, ""},
	},
}

func storageCalls() callList {
	var list callList
	list.add("PUT {a}/r2/buckets/exports/domains/managed", "r2.bucket.visibility.change", high, requestBody(`{"enabled":true}`))
	list.add("PUT {a}/r2/buckets/exports/domains/managed", "r2.bucket.visibility.change", low, requestBody(`{"enabled":false}`))
	list.add("POST {a}/r2/buckets/exports/domains/custom", "r2.bucket.domain.add", medium)
	list.add("DELETE {a}/r2/buckets/exports/domains/custom/files.example.com", "r2.bucket.domain.remove", medium)
	list.add("PUT {a}/r2/buckets/exports/cors", "r2.bucket.cors.update", medium)
	list.add("DELETE {a}/r2/buckets/exports/cors", "r2.bucket.cors.delete", medium)
	list.add("PUT {a}/r2/buckets/exports/lifecycle", "r2.bucket.lifecycle.update", medium)
	list.add("DELETE {a}/r2/buckets/exports/lifecycle", "r2.bucket.lifecycle.delete", medium)
	list.add("PUT {a}/r2/buckets/exports/encryption", "r2.bucket.encryption.update", medium)
	list.add("DELETE {a}/r2/buckets/exports/encryption", "r2.bucket.encryption.delete", medium)
	list.add("POST {a}/r2/buckets", "r2.bucket.create", medium, requestBody(`{"name":"exports"}`))
	list.add("DELETE {a}/r2/buckets/exports", "r2.bucket.delete", medium)
	list.add("POST {a}/d1/database", "d1.database.create", low)
	list.add("POST {a}/d1/database/1/time_travel/restore", "d1.database.restore", medium)
	list.add("DELETE {a}/d1/database/1", "d1.database.delete", medium)
	list.add("POST {a}/ai-gateway/gateways", "ai_gateway.gateway.create", low)
	list.add("PUT {a}/queues/1/consumers/1; PATCH {a}/queues/1/consumers/1", "queue.consumer.update", low)
	list.add("PUT {a}/r2/buckets/exports/domains/custom/files.example.com", "r2.bucket.domain.update", medium)
	list.add("PUT {a}/r2/buckets/exports/lock", "r2.bucket.lock.update", medium)
	list.add("PUT {a}/r2/buckets/exports/sippy", "r2.bucket.migration.update", medium)
	list.add("DELETE {a}/r2/buckets/exports/sippy", "r2.bucket.migration.delete", medium)
	list.add("PUT {a}/r2/buckets/exports/objects/x", "r2.object.update", low)
	list.add("DELETE {a}/r2/buckets/exports/objects/x", "r2.object.delete", low)
	list.add("POST {a}/r2/temp-access-credentials", "r2.credential.create", medium)
	list.add("DELETE {a}/storage/kv/namespaces/1", "kv.namespace.delete", medium)
	list.add("PUT {a}/storage/kv/namespaces/1/values/x", "kv.value.update", low)
	list.add("DELETE {a}/storage/kv/namespaces/1/values/x", "kv.value.delete", low)
	list.add("GET {a}/storage/kv/namespaces/1/values/x", "kv.value.view", drop)
	list.add("POST {a}/d1/database/1/query; POST {a}/d1/database/1/raw", "d1.database.query", low)
	list.add("POST {a}/d1/database/1/export", "d1.database.export", medium)
	list.add("POST {a}/d1/database/1/import", "d1.database.import", low)
	list.add("POST {a}/hyperdrive/configs", "hyperdrive.config.create", medium, requestBody(`{"name":"orders","origin":{"host":"db.example.com"}}`))
	list.add("PUT {a}/hyperdrive/configs/1; PATCH {a}/hyperdrive/configs/1", "hyperdrive.config.update", medium)
	list.add("DELETE {a}/hyperdrive/configs/1", "hyperdrive.config.delete", medium)
	return list
}

func TestStorage_EveryEntryIsUnderstoodAndGraded(t *testing.T) { storageSuite.check(t) }
