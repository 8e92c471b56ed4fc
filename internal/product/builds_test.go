package product

import "testing"

var buildsSuite = suite{
	calls: buildsCalls(),
	examples: map[string]ruleExample{
		"build-changed":        {ofAccount("POST", "/builds/triggers", requestBody(`{"trigger_name":"main","deploy_command":"npx wrangler deploy"}`)), ofAccount("DELETE", "/builds/triggers/nightly")},
		"build-token-created":  {ofAccount("POST", "/builds/tokens", requestBody(`{"build_token_name":"ci"}`)), ofAccount("DELETE", "/builds/tokens/pipeline")},
		"image-source-changed": {ofAccount("POST", "/containers/registries", requestBody(`{"domain":"registry.example.com"}`)), ofAccount("POST", "/containers/registries/registry.example.com/credentials")},
		"build-administered":   {ofAccount("DELETE", "/builds/tokens/pipeline"), ofAccount("POST", "/builds/tokens")},
	},
}

func buildsCalls() callList {
	var list callList
	list.add("POST {a}/builds/triggers", "build.trigger.create", medium, requestBody(`{"trigger_name":"main"}`))
	list.add("PATCH {a}/builds/triggers/1; PUT {a}/builds/triggers/1", "build.trigger.update", medium)
	list.add("DELETE {a}/builds/triggers/1", "build.trigger.delete", low)
	list.add("PATCH {a}/builds/triggers/1/environment_variables; PUT {a}/builds/triggers/1/environment_variables", "build.variable.update", medium)
	list.add("DELETE {a}/builds/triggers/1/environment_variables/n", "build.variable.delete", low)
	list.add("POST {a}/builds/tokens", "build.token.create", medium)
	list.add("DELETE {a}/builds/tokens/1", "build.token.delete", low)
	list.add("PUT {a}/builds/repos/connections", "build.repository.update", medium)
	list.add("DELETE {a}/builds/repos/connections/1", "build.repository.delete", low)
	list.add("POST {a}/containers/registries", "container.registry.create", medium)
	list.add("DELETE {a}/containers/registries/1", "container.registry.delete", medium)
	list.add("POST {a}/containers/registries/1/credentials", "container.registry_credential.create", medium)
	return list
}

func TestBuilds_EveryEntryIsUnderstoodAndGraded(t *testing.T) { buildsSuite.check(t) }
