package product

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

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
		rows("/PutBucketStorageClass", "r2.bucket.storage_class.update", medium, same, same),
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
		rows("/update_consumer_settings", "queue.consumer.update", medium, same, same),
		rows("?d1.database/export", "d1.database.export", medium, same, same),
		rows("?kv.namespace/delete; ?secrets_store_secret/delete; ?pages.project/delete", "", medium, same, same),
		rows("?secrets_store/delete", "secrets_store.delete", high, same, same),
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
		"bucket-domain-removed":      {logged("r2.bucket", "RemoveCustomDomain"), logged("r2.bucket", "AddCustomDomain")},
		"bucket-kept-shorter":        {logged("r2.bucket", "PutBucketLifecycleConfiguration"), logged("r2.bucket", "PutBucketCors")},
		"catalog-credentials-set":    {ofAccount("POST", "/r2-catalog/exports/credential"), ofAccount("POST", "/r2-catalog/exports/enable")},
		"bucket-copied":              {ofAccount("POST", "/slurper/jobs", requestBody(`{"target":{"bucket":"exports"}}`)), ofAccount("PUT", "/slurper/jobs/orders/abort")},
		"catalog-removed":            {ofAccount("POST", "/r2-catalog/exports/disable"), ofAccount("POST", "/r2-catalog/exports/enable")},
		"bucket-migration-paused":    {ofAccount("PUT", "/slurper/jobs/orders/pause"), ofAccount("PUT", "/slurper/jobs/orders/resume")},
		"bucket-migration-checked":   {ofAccount("PUT", "/slurper/source/connectivity-precheck"), ofAccount("POST", "/slurper/jobs")},
		"bucket-content-changed":     {ofAccount("DELETE", "/r2/buckets/exports/objects/x"), ofAccount("DELETE", "/r2/buckets/exports")},
		"database-imported":          {ofAccount("POST", "/d1/database/orders/import"), ofAccount("POST", "/d1/database")},
		"database-queried":           {ofAccount("POST", "/d1/database/orders/query"), ofAccount("POST", "/d1/database/orders/import")},
		"secret-store-deleted":       {logged("secrets_store", "delete"), logged("secrets_store", "update")},
		"stored-secret-changed":      {logged("secrets_store_secret", "update"), logged("secrets_store_secret", "create")},
		"store-read":                 {ofAccount("POST", "/storage/kv/namespaces/orders/bulk/get"), ofAccount("GET", "/storage/kv/namespaces/orders/values/x")},
		"store-changed":              {logged("kv_namespace", "create"), logged("kv_namespace", "delete")},
		"queue-consumer-changed":     {logged("queue", "update_consumer_settings"), ofAccount("DELETE", "/queues/orders/consumers/1")},
		"queue-emptied":              {ofAccount("POST", "/queues/orders/purge"), ofAccount("POST", "/queues/orders/messages/ack")},
		"queue-messages-taken":       {ofAccount("POST", "/queues/orders/messages/pull"), ofAccount("POST", "/queues/orders/messages/peek")},
		"queue-read":                 {ofAccount("POST", "/queues/orders/messages/peek"), ofAccount("POST", "/queues/orders/messages/pull")},
		"queue-changed":              {logged("queue", "create"), logged("queue", "delete")},
		"database-connection-changed": {
			requested("PATCH", "/accounts/"+exampleAccount+"/hyperdrive/configs/1", requestBody(`{"name":"orders","origin":{"host":"db.example.com"}}`)),
			requested("GET", "/accounts/"+exampleAccount+"/hyperdrive/configs/1"),
		},
	},
	facts: map[string]factCase{
		"bucket in a zone of Cloudflare": {
			raw: logged("r2.bucket", "update", `"action":{"type":"update","result":true,"info":"ChangeBucketVisibility"}`, `"resource":{"type":"r2.bucket","id":"exports"}`,
				`"metadata":{"zone_name":"r2.cloudflarestorage.com","zone_id":"`+exampleZone+`"}`, newValue(`{"public":true}`)),
			action: "r2.bucket.visibility.change",
			want:   rules.Facts{Target: "exports", Direction: rules.Weaker},
		},
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

// A bare verb with the operation beside it says what the operation does.
func TestStorage_TheOperationBesideABareVerbDecides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ resource, action, info, want, verb string }{
		{"r2.bucket", "update", "ChangeBucketVisibility", "r2.bucket.visibility.change", VerbUpdate},
		{"r2.bucket", "create", "CreateBucket", "r2.bucket.create", VerbCreate},
		{"r2.bucket", "delete", "DeleteBucket", "r2.bucket.delete", VerbDelete},
		{"r2.bucket", "delete", "DeleteBucketCors", "r2.bucket.cors.delete", VerbDelete},
		{"r2.bucket", "delete", "DeleteBucketLifecycleConfiguration", "r2.bucket.lifecycle.delete", VerbDelete},
		{"r2.bucket", "delete", "RemoveCustomDomain", "r2.bucket.domain.remove", VerbDelete},
		{"r2.bucket", "create", "AddCustomDomain", "r2.bucket.domain.add", VerbCreate},
		{"r2.bucket", "update", "PutBucketStorageClass", "r2.bucket.storage_class.update", VerbUpdate},
		// Operations that nobody has published.
		{"r2.bucket", "delete", "DeleteBucketWebsite", "r2.bucket.website.delete", VerbDelete},
		{"r2.bucket", "DeleteBucketWebsite", "", "r2.bucket.website.delete", VerbDelete},
		{"r2.bucket", "update", "PutBucketLock", "r2.bucket.lock.update", VerbUpdate},
		{"d1.database", "update", "ExportDatabase", "d1.database.export", verbView},
		{"d1.database", "delete", "DeleteDatabase", "d1.database.delete", VerbDelete},
		{"kv.namespace", "delete", "DeleteNamespaceKeys", "kv.namespace.keys.delete", VerbDelete},
		// What is no operation says nothing.
		{"r2.bucket", "delete", "bucket deleted", "r2.bucket.delete", VerbDelete},
		{"r2.bucket", "delete", "TimeTravel", "r2.bucket.delete", VerbDelete},
		{"ai_gateway.gateway", "create", "gateway created", "ai_gateway.gateway.create", VerbCreate},
	} {
		got := nameOf(tt.resource, tt.action, tt.info)
		assert.Equal(t, tt.want, got.name, "%v", tt)
		assert.Equal(t, tt.verb, got.verb, "%v", tt)
	}
	for zone, own := range map[string]bool{"r2.cloudflarestorage.com": true, "workers.dev": true, "a.pages.dev": true, "notworkers.dev": false, "example.com": false, "": false} {
		assert.Equal(t, own, isOfCloudflare(zone), zone)
	}
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
	list.add("PUT {a}/queues/1/consumers/1; PATCH {a}/queues/1/consumers/1", "queue.consumer.update", medium)
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
	list.add("POST {a}/d1/database/1/import", "d1.database.import", medium)
	list.add("POST {a}/hyperdrive/configs", "hyperdrive.config.create", medium, requestBody(`{"name":"orders","origin":{"host":"db.example.com"}}`))
	list.add("PUT {a}/hyperdrive/configs/1; PATCH {a}/hyperdrive/configs/1", "hyperdrive.config.update", medium)
	list.add("DELETE {a}/hyperdrive/configs/1", "hyperdrive.config.delete", medium)
	list.add("PUT {a}/event_notifications/r2/1/configuration/queues/n", "r2.bucket.notification.update", medium)
	list.add("DELETE {a}/event_notifications/r2/1/configuration/queues/n", "r2.bucket.notification.delete", medium)
	list.add("PATCH {a}/r2/buckets/1", "r2.bucket.update", medium)
	list.add("POST {a}/r2-catalog/1/credential", "r2.catalog.credential.create", medium)
	list.add("POST {a}/r2-catalog/1/enable", "r2.catalog.enable", low)
	list.add("POST {a}/r2-catalog/1/disable", "r2.catalog.disable", medium)
	list.add("POST {a}/r2-catalog/1/delete", "r2.catalog.delete", medium)
	list.add("POST {a}/r2-catalog/1/maintenance-configs; POST {a}/r2-catalog/1/namespaces/n/tables/n/maintenance-configs", "r2.catalog.maintenance.update", low)
	list.add("POST {a}/slurper/jobs", "r2.migration.create", medium)
	list.add("PUT {a}/slurper/jobs/abortAll; PUT {a}/slurper/jobs/1/abort", "r2.migration.cancel", low)
	list.add("PUT {a}/slurper/jobs/1/pause", "r2.migration.pause", low)
	list.add("PUT {a}/slurper/jobs/1/resume", "r2.migration.unpause", low)
	list.add("PUT {a}/slurper/source/connectivity-precheck", "r2.migration.source.check", info)
	list.add("PUT {a}/slurper/target/connectivity-precheck", "r2.migration.target.check", info)
	list.add("POST {a}/storage/kv/namespaces", "kv.namespace.create", low)
	list.add("PUT {a}/storage/kv/namespaces/1", "kv.namespace.update", low)
	list.add("PUT {a}/storage/kv/namespaces/1/bulk", "kv.value.update", low)
	list.add("DELETE {a}/storage/kv/namespaces/1/bulk; POST {a}/storage/kv/namespaces/1/bulk/delete", "kv.value.bulk_delete", medium)
	list.add("POST {a}/storage/kv/namespaces/1/bulk/get", "kv.value.view", info)
	list.add("PUT {a}/d1/database/1; PATCH {a}/d1/database/1", "d1.database.update", low)
	list.add("POST {a}/secrets_store/stores/n/secrets/1/duplicate", "secrets_store.secret.copy", medium)
	list.add("POST {a}/queues", "queue.create", low)
	list.add("PUT {a}/queues/1; PATCH {a}/queues/1", "queue.update", low)
	list.add("DELETE {a}/queues/1", "queue.delete", medium)
	list.add("POST {a}/queues/1/purge; POST {a}/queues/1/messages/purge", "queue.purge", medium)
	list.add("POST {a}/queues/1/consumers", "queue.consumer.create", medium)
	list.add("DELETE {a}/queues/1/consumers/n", "queue.consumer.delete", low)
	list.add("POST {a}/queues/1/messages; POST {a}/queues/1/messages/batch", "queue.message.send", low)
	list.add("POST {a}/queues/1/messages/ack", "queue.message.ack", low)
	list.add("POST {a}/queues/1/messages/peek", "queue.message.peek", info)
	list.add("POST {a}/queues/1/messages/pull", "queue.message.pull", low)
	list.add("POST {a}/secrets_store/stores", "secrets_store.create", low)
	list.add("POST {a}/secrets_store/stores/n/secrets", "secrets_store.secret.create", low)
	list.add("DELETE {a}/secrets_store/stores/1", "secrets_store.delete", high)
	list.add("DELETE {a}/secrets_store/stores/n/secrets", "secrets_store.secret.bulk_delete", high)
	list.add("GET {a}/secrets_store/stores/n/secrets; GET {a}/secrets_store/stores/n/secrets/1", "secrets_store.secret.view", drop)
	list.add("PUT {a}/secrets_store/stores/n/secrets/1", "secrets_store.secret.update", medium)
	list.add("DELETE {a}/secrets_store/stores/n/secrets/1", "secrets_store.secret.delete", medium)
	list.add("PATCH {a}/secrets_store/stores/n/secrets/1", "secrets_store.secret.update", medium)
	return list
}

func TestStorage_EveryEntryIsUnderstoodAndGraded(t *testing.T) { storageSuite.check(t) }
