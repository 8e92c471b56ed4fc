package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// What builds Workers from a repository, and where the images of containers come from.
var builds = family{
	prefixes: oneOf{"build.", "container."},
	read:     (*review).readBuild,
	routes: []route{
		{"POST", "/accounts/{account}/builds/triggers", "build.trigger.create"},                                          // derived, not published
		{"PUT PATCH", "/accounts/{account}/builds/triggers/{id}", "build.trigger.update"},                                // derived, not published
		{"DELETE", "/accounts/{account}/builds/triggers/{id}", "build.trigger.delete"},                                   // derived, not published
		{"PUT PATCH", "/accounts/{account}/builds/triggers/{id}/environment_variables", "build.variable.update"},         // derived, not published
		{"DELETE", "/accounts/{account}/builds/triggers/{id}/environment_variables/{variable}", "build.variable.delete"}, // derived, not published
		{"POST", "/accounts/{account}/builds/tokens", "build.token.create"},                                              // derived, not published
		{"DELETE", "/accounts/{account}/builds/tokens/{id}", "build.token.delete"},                                       // derived, not published
		{"PUT", "/accounts/{account}/builds/repos/connections", "build.repository.update"},                               // derived, not published
		{"DELETE", "/accounts/{account}/builds/repos/connections/{id}", "build.repository.delete"},                       // derived, not published
		{"POST", "/accounts/{account}/containers/registries", "container.registry.create"},                               // derived, not published
		{"DELETE", "/accounts/{account}/containers/registries/{id}", "container.registry.delete"},                        // derived, not published
		{"POST", "/accounts/{account}/containers/registries/{id}/credentials", "container.registry_credential.create"},   // derived, not published
	},
	rules: []rules.Rule{
		{ID: "build-changed", Severity: medium, Techniques: oneOf{"T1195.002"},
			Match: rules.Match{Action: oneOf{"build.trigger.*", "build.variable.*", "build.repository.*"}, Verb: oneOf{"create", "update"}},
			Title: "{words}[: {target}]",
			Why:   "The repository, the commands and the variables of a build decide which code the next one deploys."},
		{ID: "build-token-created", Severity: medium, Techniques: oneOf{"T1098.001"},
			Match: rules.Match{Action: oneOf{"build.token.create", "container.registry_credential.create"}},
			Title: "{words}[: {target}]",
			Why:   "Whoever has it deploys code, or puts another image in the place of one that runs."},
		{ID: "image-source-changed", Severity: medium, Techniques: oneOf{"T1525"},
			Match: rules.Match{Action: oneOf{"container.registry.*"}, Verb: oneOf{"create", "delete"}},
			Title: "{words}[: {target}]",
			Why:   "The images of containers come from it, with the credentials that are stored for it."},
		ordinary("build-administered", "Nothing is built or deployed by it.", "build.*", "container.*"),
	},
}

// readBuild names what an entry about builds or images is about.
func (r *review) readBuild() {
	r.readNamed("name", "trigger_name", "build_token_name", "repo_name", "domain")
}
