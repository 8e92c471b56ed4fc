package product

import (
	"github.com/aisoc/cloudflareaudit/rules"
)

// Spectrum and the gateways of Web3, which put other protocols behind Cloudflare.
var spectrum = family{
	prefixes: oneOf{"spectrum.", "web3."},
	read:     (*review).readSpectrum,
	subjects: []subject{
		{"^spectrum", "^spectrum", "spectrum.app", "", either, named},
		{"^web3", "^web3", "web3.hostname", "", either, named},
	},
	routes: []route{
		{"*", "/zones/{zone}/spectrum/apps", "spectrum.app"},
		{"*", "/zones/{zone}/web3/hostnames", "web3.hostname"},
		{"PUT", "/zones/{zone}/web3/hostnames/{hostname}/ipfs_universal_path/content_list", "web3.content_list.update"},
		{"POST", "/zones/{zone}/web3/hostnames/{hostname}/ipfs_universal_path/content_list/entries", "web3.content_list.update"},
		{"PUT DELETE", "/zones/{zone}/web3/hostnames/{hostname}/ipfs_universal_path/content_list/entries/{id}", "web3.content_list.update"},
	},
	rules: []rules.Rule{
		{ID: "service-exposed", Severity: medium, Techniques: oneOf{"T1133", "T1557"},
			Match: rules.Match{Action: oneOf{"spectrum.app.create", "spectrum.app.update", "spectrum.app.enable"}},
			Title: "Service exposed by Spectrum, or its origin changed: {words}[: {target}]",
			Why:   "A server, such as one for SSH or mail, is reached from the Internet, or another one answers in its place."},
		{ID: "service-withdrawn", Severity: medium, Techniques: oneOf{"T1489"},
			Match: rules.Match{Action: oneOf{"spectrum.app.delete", "spectrum.app.disable"}},
			Title: "Service no longer reached by Spectrum[: {target}]",
			Why:   "What used it is cut off, or goes past Cloudflare."},
		{ID: "web3-gateway-changed", Severity: medium, Techniques: oneOf{"T1583.001"},
			Match: rules.Match{Action: oneOf{"web3.hostname.*"}, Verb: oneOf{"create", "update", "enable"}},
			Title: "Web3 gateway changed: {words}[: {target}]",
			Why:   "Content that anybody may have put there is served under the name of the zone."},
		{ID: "web3-changed", Severity: low,
			Match: rules.Match{Action: oneOf{"web3.*"}, Verb: oneOf{"create", "update", "delete", "disable"}},
			Title: "List of blocked content changed, or Web3 gateway deleted",
			Why:   "The list only takes content away that the gateway would serve."},
	},
}

// readSpectrum determines which service an entry is about. The hostname of an
// application is in its DNS record.
func (r *review) readSpectrum() {
	for _, o := range [...]object{r.after, r.before, r.meta} {
		if r.Target = o.get("dns").Get("name").Text(); r.Target != "" {
			return
		}
	}
	r.readOther()
}
