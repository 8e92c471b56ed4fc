package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// The pages that visitors get instead of those of the origin: errors, blocks and
// challenges.
var customPages = family{
	prefixes:    oneOf{"custom_page."},
	read:        (*review).readErrorPage,
	plainValues: true,
	subjects: []subject{
		{"custom_page", "custom_page", "custom_page", "", either, named},
	},
	routes: []route{
		{"POST", "{scope}/custom_pages/assets", "custom_page.asset.create"},
		{"PUT", "{scope}/custom_pages/assets/{id}", "custom_page.asset.update"},
		{"DELETE", "{scope}/custom_pages/assets/{id}", "custom_page.asset.delete"},
		{"PUT", "{scope}/custom_pages/{id}", "custom_page.update"},
	},
	rules: []rules.Rule{
		{ID: "custom-page-changed", Severity: medium, Techniques: oneOf{"T1491.002", "T1566"},
			Match: rules.Match{Action: oneOf{"custom_page.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Error or challenge page changed: {words}[: {target}]",
			Why:   "Visitors get its content under the name of the zone, and type passwords into it."},
		{ID: "custom-page-removed", Severity: low,
			Match: rules.Match{Action: oneOf{"custom_page.*"}, Verb: oneOf{"delete", "disable", "reset"}},
			Title: "Error or challenge page removed",
			Why:   "Visitors get the page of Cloudflare instead."},
	},
}
