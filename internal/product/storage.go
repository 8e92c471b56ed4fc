package product

import (
	"strings"

	"github.com/aisoc/cloudflareaudit/rules"
)

// R2 buckets.
var buckets = family{
	prefixes:    oneOf{"r2.bucket."},
	plainValues: true,
	read:        (*review).readBucket,
	pairs: []pair{
		{"*", "CreateBucket", "r2.bucket.create"},
		{"*", "DeleteBucket", "r2.bucket.delete"},
		{"*", "AddCustomDomain", "r2.bucket.domain.add"},
		{"*", "RemoveCustomDomain", "r2.bucket.domain.remove"},
		{"*", "PutBucketCors", "r2.bucket.cors.update"},
		{"*", "DeleteBucketCors", "r2.bucket.cors.delete"},
		{"*", "PutBucketEncryption", "r2.bucket.encryption.update"},
		{"*", "DeleteBucketEncryption", "r2.bucket.encryption.delete"},
		{"*", "PutBucketStorageClass", "r2.bucket.storage_class.update"},
		{"*", "PutBucketLifecycleConfiguration", "r2.bucket.lifecycle.update"},
		{"*", "DeleteBucketLifecycleConfiguration", "r2.bucket.lifecycle.delete"},
		{"*", "ChangeBucketVisibility", "r2.bucket.visibility.change"},
	},
	subjects: []subject{
		{"bucket ^r2$", "bucket", "r2.bucket", "", either, common},
	},
	routes: []route{
		{"PUT", "/accounts/{account}/r2/buckets/{id}/domains/managed", "r2.bucket.visibility.change"},
		{"POST", "/accounts/{account}/r2/buckets/{id}/domains/custom", "r2.bucket.domain.add"},
		{"DELETE", "/accounts/{account}/r2/buckets/{id}/domains/custom/{domain}", "r2.bucket.domain.remove"},
		{"PUT", "/accounts/{account}/r2/buckets/{id}/cors", "r2.bucket.cors.update"},
		{"DELETE", "/accounts/{account}/r2/buckets/{id}/cors", "r2.bucket.cors.delete"},
		{"PUT", "/accounts/{account}/r2/buckets/{id}/lifecycle", "r2.bucket.lifecycle.update"},
		{"DELETE", "/accounts/{account}/r2/buckets/{id}/lifecycle", "r2.bucket.lifecycle.delete"},   // derived, not published
		{"PUT", "/accounts/{account}/r2/buckets/{id}/encryption", "r2.bucket.encryption.update"},    // derived, not published
		{"DELETE", "/accounts/{account}/r2/buckets/{id}/encryption", "r2.bucket.encryption.delete"}, // derived, not published
		{"PUT", "/accounts/{account}/r2/buckets/{id}/domains/custom/{domain}", "r2.bucket.domain.update"},
		{"PUT", "/accounts/{account}/r2/buckets/{id}/lock", "r2.bucket.lock.update"},
		{"PUT", "/accounts/{account}/r2/buckets/{id}/sippy", "r2.bucket.migration.update"},
		{"DELETE", "/accounts/{account}/r2/buckets/{id}/sippy", "r2.bucket.migration.delete"},
		{"PUT", "/accounts/{account}/event_notifications/r2/{id}/configuration/queues/{queue}", "r2.bucket.notification.update"},
		{"DELETE", "/accounts/{account}/event_notifications/r2/{id}/configuration/queues/{queue}", "r2.bucket.notification.delete"},
		{"*", "/accounts/{account}/r2/buckets", "r2.bucket"},
	},
	rules: []rules.Rule{
		{ID: "bucket-closed", Severity: low,
			Match: rules.Match{Action: oneOf{"r2.bucket.visibility.*"}, Direction: oneOf{"safer"}},
			Title: "R2 bucket made private",
			Why:   "The public can no longer read the bucket."},
		{ID: "bucket-opened", Severity: high, Techniques: oneOf{"T1530", "T1537"},
			Match: rules.Match{Action: oneOf{"r2.bucket.visibility.*"}},
			Title: "R2 bucket made public[: {target}]",
			Why:   "Anybody can read what is in the bucket. Entries that do not say which way it went count as this one."},
		{ID: "bucket-domain-added", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"r2.bucket.domain.add"}},
			Title: "Domain connected to R2 bucket[: {target}]",
			Why:   "A domain makes the bucket readable for the public."},
		{ID: "bucket-deleted", Severity: medium, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"r2.bucket.delete"}},
			Title: "R2 bucket deleted[: {target}]",
			Why:   "What was in it is gone."},
		{ID: "bucket-domain-removed", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"r2.bucket.domain.remove"}},
			Title: "Domain disconnected from R2 bucket[: {target}]",
			Why:   "What is in the bucket can no longer be read at that domain."},
		{ID: "bucket-kept-shorter", Severity: medium, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"r2.bucket.lifecycle.*", "r2.bucket.lock.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Lifecycle rules delete data by themselves, and a lock is what keeps data from being deleted."},
		{ID: "bucket-changed", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"r2.bucket.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "{words}[: {target}]",
			Why:   "Its settings decide who can read the data, where copies of it go and how it is encrypted."},
	},
}

// Other parts of R2.
var objects = family{
	prefixes: oneOf{"r2."},
	read:     (*review).readBucket,
	routes: []route{
		{"PUT", "/accounts/{account}/r2/buckets/{id}/objects/{object}", "r2.object.update"},
		{"DELETE", "/accounts/{account}/r2/buckets/{id}/objects/{object}", "r2.object.delete"},
		{"POST", "/accounts/{account}/r2/temp-access-credentials", "r2.credential.create"},
		{"POST", "/accounts/{account}/r2-catalog/{id}/credential", "r2.catalog.credential.create"},
		{"POST", "/accounts/{account}/r2-catalog/{id}/enable", "r2.catalog.enable"},
		{"POST", "/accounts/{account}/r2-catalog/{id}/disable", "r2.catalog.disable"},
		{"POST", "/accounts/{account}/r2-catalog/{id}/delete", "r2.catalog.delete"},
		{"POST", "/accounts/{account}/r2-catalog/{id}/maintenance-configs", "r2.catalog.maintenance.update"},
		{"POST", "/accounts/{account}/r2-catalog/{id}/namespaces/{namespace}/tables/{table}/maintenance-configs", "r2.catalog.maintenance.update"},
		{"POST", "/accounts/{account}/slurper/jobs", "r2.migration.create"},
		{"PUT", "/accounts/{account}/slurper/jobs/abortAll", "r2.migration.cancel"},
		{"PUT", "/accounts/{account}/slurper/jobs/{id}/abort", "r2.migration.cancel"},
		{"PUT", "/accounts/{account}/slurper/jobs/{id}/pause", "r2.migration.pause"},
		{"PUT", "/accounts/{account}/slurper/jobs/{id}/resume", "r2.migration.unpause"},
		{"PUT", "/accounts/{account}/slurper/source/connectivity-precheck", "r2.migration.source.check"},
		{"PUT", "/accounts/{account}/slurper/target/connectivity-precheck", "r2.migration.target.check"},
	},
	rules: []rules.Rule{
		{ID: "bucket-credentials-created", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"r2.credential.create"}},
			Title: "Credentials for R2 bucket created[: {target}]",
			Why:   "They read or write the bucket for hours, and leave no trace in this log when they do."},
		{ID: "catalog-credentials-set", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"r2.catalog.credential.create"}},
			Title: "Credentials of R2 data catalog set[: {target}]",
			Why:   "The catalog reads and rewrites the tables of the bucket with the token it is given."},
		{ID: "bucket-copied", Severity: medium, Techniques: oneOf{"T1537"},
			Match: rules.Match{Action: oneOf{"r2.migration.create"}},
			Title: "Copy of a whole bucket started[: {target}]",
			Why:   "A migration copies all objects of one bucket into another, which may belong to somebody else, and may overwrite what is there."},
		{ID: "catalog-removed", Severity: medium, Techniques: oneOf{"T1485", "T1489"},
			Match: rules.Match{Action: oneOf{"r2.catalog.delete", "r2.catalog.disable"}},
			Title: "{words}[: {target}]",
			Why:   "The tables of the bucket can no longer be found, and queries that need them fail."},
		{ID: "bucket-migration-paused", Severity: low,
			Match: rules.Match{Action: oneOf{"r2.migration.pause", "r2.migration.cancel"}},
			Title: "{words}",
			Why:   "Objects that are not copied yet stay where they are."},
		used("bucket-migration-checked", "A check of the connection copies nothing.", "r2.migration.source.check", "r2.migration.target.check"),
		ordinary("bucket-content-changed", "Single objects come and go, and catalogs are maintained, all the time.",
			"r2.object.*", "r2.catalog.*", "r2.migration.*"),
	},
}

// Databases, key-value stores and secrets.
var stores = family{
	prefixes: oneOf{"d1.", "kv.", "secrets_store.", "hyperdrive."},
	read:     (*review).readStore,
	pairs: []pair{
		{"d1.database", "create", "d1.database.create"},
		{"d1.database", "update", "d1.database.update"},
		{"d1.database", "delete", "d1.database.delete"},
		{"d1.database", "export", "d1.database.export"}, // derived, not published
	},
	subjects: []subject{
		{"kv_namespace", "", "kv.namespace", "", either, named},
		{"secrets_store_secret secrets_store_stores_secret", "", "secrets_store.secret", "", either, named},
		{"secrets_store", "", "secrets_store", "", either, named},
		{"^hyperdrive", "", "hyperdrive.config", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/storage/kv/namespaces", "kv.namespace"},
		{"PUT", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.update"},
		{"DELETE", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.delete"},
		{"GET", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.view"},
		{"PUT", "/accounts/{account}/storage/kv/namespaces/{id}/bulk", "kv.value.update"},
		{"DELETE", "/accounts/{account}/storage/kv/namespaces/{id}/bulk", "kv.value.bulk_delete"}, // since replaced by a newer path
		{"POST", "/accounts/{account}/storage/kv/namespaces/{id}/bulk/delete", "kv.value.bulk_delete"},
		{"POST", "/accounts/{account}/storage/kv/namespaces/{id}/bulk/get", "kv.value.view"},
		{"POST", "/accounts/{account}/d1/database/{id}/query", "d1.database.query"},
		{"POST", "/accounts/{account}/d1/database/{id}/raw", "d1.database.query"},
		{"POST", "/accounts/{account}/d1/database/{id}/export", "d1.database.export"},
		{"POST", "/accounts/{account}/d1/database/{id}/import", "d1.database.import"},
		{"POST", "/accounts/{account}/d1/database/{id}/time_travel/restore", "d1.database.restore"},
		{"*", "/accounts/{account}/d1/database", "d1.database"},
		{"*", "/accounts/{account}/hyperdrive/configs", "hyperdrive.config"},
		{"*", "/accounts/{account}/secrets_store/stores", "secrets_store"},
		{"POST", "/accounts/{account}/secrets_store/stores/{store}/secrets", "secrets_store.secret.create"},
		{"DELETE", "/accounts/{account}/secrets_store/stores/{store}/secrets", "secrets_store.secret.bulk_delete"},
		{"GET", "/accounts/{account}/secrets_store/stores/{store}/secrets", "secrets_store.secret.view"},
		{"PATCH PUT", "/accounts/{account}/secrets_store/stores/{store}/secrets/{id}", "secrets_store.secret.update"},
		{"DELETE", "/accounts/{account}/secrets_store/stores/{store}/secrets/{id}", "secrets_store.secret.delete"},
		{"GET", "/accounts/{account}/secrets_store/stores/{store}/secrets/{id}", "secrets_store.secret.view"},
		{"POST", "/accounts/{account}/secrets_store/stores/{store}/secrets/{id}/duplicate", "secrets_store.secret.copy"},
	},
	names: oneOf{"d1.database.restore"},
	rules: []rules.Rule{
		{ID: "database-exported", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"d1.database.export"}},
			Title: "D1 database exported[: {target}]",
			Why:   "Somebody has a copy of all that is in it."},
		{ID: "database-imported", Severity: medium, Techniques: oneOf{"T1565.001"},
			Match: rules.Match{Action: oneOf{"d1.database.import"}},
			Title: "D1 database imported[: {target}]",
			Why:   "A file of SQL has run against it, which may have replaced or dropped all tables."},
		{ID: "database-queried", Severity: low,
			Match: rules.Match{Action: oneOf{"d1.database.query"}},
			Title: "D1 database queried",
			Why:   "Somebody ran SQL of their own, which may read or change everything in it; the entry does not tell which."},
		{ID: "database-connection-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"hyperdrive.config.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "Workers reach the database through it. Another address answers their queries, and gets the password."},
		{ID: "database-deleted", Severity: medium, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"d1.database.delete", "d1.database.restore", "kv.namespace.delete", "kv.value.bulk_delete", "secrets_store.secret.delete"}},
			Title: "{words}[: {target}]",
			Why:   "Data is gone, or is what it was at an earlier time."},
		{ID: "secret-store-deleted", Severity: high, Techniques: oneOf{"T1485", "T1531"},
			Match: rules.Match{Action: oneOf{"secrets_store.delete", "secrets_store.secret.bulk_delete"}},
			Title: "{words}[: {target}]",
			Why:   "No secret can be read out of a store, so there is no copy, and every Worker that signs in elsewhere with one of those that are gone fails at once."},
		{ID: "stored-secret-changed", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"secrets_store.secret.update", "secrets_store.secret.copy"}},
			Title: "{words}[: {target}]",
			Why:   "Workers sign in elsewhere with it. Another value, or another service that may use it, gives the access to somebody else."},
		used("store-read", "Programs read their data all the time.", "kv.value.view"),
		ordinary("store-changed", "Data comes and goes all the time; deleted databases, namespaces and stores are told apart.",
			"d1.*", "kv.*", "secrets_store.*", "hyperdrive.*"),
	},
}

// Queues of Workers.
var queues = family{
	prefixes: oneOf{"queue."},
	pairs: []pair{
		{"*", "update_consumer_settings", "queue.consumer.update"},
	},
	subjects: []subject{
		{"queue_consumer queues_consumer", "", "queue.consumer", "", either, named},
		{"^queue", "", "queue", "", either, named},
	},
	routes: []route{
		{"*", "/accounts/{account}/queues", "queue"},
		{"POST", "/accounts/{account}/queues/{id}/purge", "queue.purge"},
		{"POST", "/accounts/{account}/queues/{id}/messages/purge", "queue.purge"},
		{"POST", "/accounts/{account}/queues/{id}/consumers", "queue.consumer.create"},
		{"PUT PATCH", "/accounts/{account}/queues/{id}/consumers/{consumer}", "queue.consumer.update"},
		{"DELETE", "/accounts/{account}/queues/{id}/consumers/{consumer}", "queue.consumer.delete"},
		{"POST", "/accounts/{account}/queues/{id}/messages", "queue.message.send"},
		{"POST", "/accounts/{account}/queues/{id}/messages/batch", "queue.message.send"},
		{"POST", "/accounts/{account}/queues/{id}/messages/ack", "queue.message.ack"},
		{"POST", "/accounts/{account}/queues/{id}/messages/peek", "queue.message.peek"},
		{"POST", "/accounts/{account}/queues/{id}/messages/pull", "queue.message.pull"},
	},
	rules: []rules.Rule{
		{ID: "queue-consumer-changed", Severity: medium, Techniques: oneOf{"T1213"},
			Match: rules.Match{Action: oneOf{"queue.consumer.create", "queue.consumer.update"}},
			Title: "{words}[: {target}]",
			Why:   "Whoever consumes a queue gets every message in it, and nobody else does."},
		{ID: "queue-emptied", Severity: medium, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"queue.purge", "queue.delete"}},
			Title: "{words}[: {target}]",
			Why:   "Messages that nobody had processed are gone."},
		{ID: "queue-messages-taken", Severity: low,
			Match: rules.Match{Action: oneOf{"queue.message.pull", "queue.message.ack", "queue.message.send"}},
			Title: "{words}",
			Why:   "Programs send and take messages all the time. A message that a person takes is one that its consumer does not see."},
		used("queue-read", "Looking at messages leaves them in the queue.", "queue.message.peek"),
		ordinary("queue-changed", "The settings of a queue decide when its messages arrive, and not who gets them.", "queue.*"),
	},
}

// readBucket determines which bucket an entry is about, and whether it is made
// public.
func (r *review) readBucket() {
	r.Target = r.meta.text("bucket", "bucket_name")
	if r.Target == "" {
		r.Target = r.text("bucket_name", "bucket", "name")
	}
	if of := r.after.get("target"); r.Target == "" && r.name == "r2.migration.create" {
		r.Target = of.Get("bucket").Text()
	}
	if r.name != "r2.bucket.visibility.change" {
		return
	}
	for _, o := range [...]object{r.after, r.meta} {
		for _, key := range []string{"public", "enabled", "visibility", "value"} {
			switch strings.ToLower(o.text(key)) {
			case "true", "public":
				r.Direction = rules.Weaker
			case "false", "private":
				r.Direction = rules.Safer
			}
		}
	}
}

// readStore tells the restore of a database to an earlier time from other
// changes.
func (r *review) readStore() {
	if r.name == "d1.database.update" && strings.EqualFold(r.e.ActionInfo, "TimeTravel") {
		r.rename("d1.database.restore")
	}
	r.readOther()
}
