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
		{ID: "bucket-changed", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"r2.bucket.*"}, Verb: oneOf{"create", "update", "delete", "enable", "disable", "reset"}},
			Title: "R2 bucket changed[: {target}]",
			Why:   "Cross-origin rules, encryption and lifecycle decide who can read the data and how long it lives."},
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
	},
	rules: []rules.Rule{
		{ID: "bucket-credentials-created", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"r2.credential.create"}},
			Title: "Credentials for R2 bucket created[: {target}]",
			Why:   "They read or write the bucket for hours, and leave no trace in this log when they do."},
	},
}

// Databases, key-value stores, secrets and queues.
var stores = family{
	prefixes: oneOf{"d1.", "kv.", "secrets_store.", "queue.", "ai_gateway.", "hyperdrive."},
	read:     (*review).readStore,
	pairs: []pair{
		{"d1.database", "create", "d1.database.create"},
		{"d1.database", "update", "d1.database.update"},
		{"d1.database", "delete", "d1.database.delete"},
		{"d1.database", "export", "d1.database.export"}, // derived, not published
		{"ai_gateway.gateway", "create", "ai_gateway.gateway.create"},
		{"ai_gateway.gateway", "update", "ai_gateway.gateway.update"},
		{"ai_gateway.gateway", "delete", "ai_gateway.gateway.delete"},
		{"*", "update_consumer_settings", "queue.consumer.update"},
	},
	subjects: []subject{
		{"kv_namespace", "", "kv.namespace", "", either, named},
		{"secrets_store_secret secrets_store_stores_secret", "", "secrets_store.secret", "", either, named},
		{"secrets_store", "", "secrets_store", "", either, named},
		{"^hyperdrive", "", "hyperdrive.config", "", either, named},
		{"ai_gateway", "", "ai_gateway.gateway", "", either, within},
	},
	routes: []route{
		{"*", "/accounts/{account}/storage/kv/namespaces", "kv.namespace"},
		{"PUT", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.update"},
		{"DELETE", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.delete"},
		{"GET", "/accounts/{account}/storage/kv/namespaces/{id}/values/{key}", "kv.value.view"},
		{"POST", "/accounts/{account}/d1/database/{id}/query", "d1.database.query"},
		{"POST", "/accounts/{account}/d1/database/{id}/raw", "d1.database.query"},
		{"POST", "/accounts/{account}/d1/database/{id}/export", "d1.database.export"},
		{"POST", "/accounts/{account}/d1/database/{id}/import", "d1.database.import"},
		{"POST", "/accounts/{account}/d1/database/{id}/time_travel/restore", "d1.database.restore"},
		{"*", "/accounts/{account}/d1/database", "d1.database"},
		{"*", "/accounts/{account}/hyperdrive/configs", "hyperdrive.config"},
		{"*", "/accounts/{account}/ai-gateway/gateways", "ai_gateway.gateway"},
		{"PUT PATCH", "/accounts/{account}/queues/{id}/consumers/{consumer}", "queue.consumer.update"},
	},
	names: oneOf{"d1.database.restore"},
	rules: []rules.Rule{
		{ID: "database-exported", Severity: medium, Techniques: oneOf{"T1530"},
			Match: rules.Match{Action: oneOf{"d1.database.export"}},
			Title: "D1 database exported[: {target}]",
			Why:   "Somebody has a copy of all that is in it."},
		{ID: "database-connection-changed", Severity: medium, Techniques: oneOf{"T1557"},
			Match: rules.Match{Action: oneOf{"hyperdrive.config.*"}, Verb: oneOf{"create", "update", "delete"}},
			Title: "Database connection of Workers changed: {words}[: {target}]",
			Why:   "Workers reach the database through it. Another address answers their queries, and gets the password."},
		{ID: "database-deleted", Severity: medium, Techniques: oneOf{"T1485"},
			Match: rules.Match{Action: oneOf{"d1.database.delete", "d1.database.restore", "kv.namespace.delete", "secrets_store.delete", "secrets_store.secret.delete", "pages.project.delete"}},
			Title: "Stored data deleted or set back[: {target}]",
			Why:   "Data is gone, or is what it was at an earlier time."},
	},
}

// readBucket determines which bucket an entry is about, and whether it is made
// public.
func (r *review) readBucket() {
	r.Target = r.meta.text("bucket", "bucket_name")
	if r.Target == "" {
		r.Target = r.text("bucket_name", "bucket", "name")
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
