package product

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Rules is the book of the default rules.
var Rules = sync.OnceValue(func() *rules.Book {
	prepare()
	book, err := rules.NewBook(defaultRules(), rules.Vocabulary{
		Actions: slices.Collect(maps.Keys(known.namings)),
		Verb:    verbOf,
		Values:  knownValues(),
		Names:   knownNames(),
		Words:   wordsOfAction,
	})
	if err != nil {
		panic("product: " + err.Error()) // a test holds the rules to be sound
	}
	return book
})

// knownValues are the texts that entries state for the conditions of rules, as
// far as they are known.
func knownValues() map[string][]string {
	names := append(strings.Fields(zoneSettings), enforcementSetting)
	names = slices.AppendSeq(names, maps.Keys(settingOrders))
	for _, body := range bodySettings {
		names = append(names, body.name)
	}
	slices.Sort(names)
	return map[string][]string{
		"method":      {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"},
		"actor_type":  {"account", "admin", "cloudflare", "cloudflare_admin", "staff", "system", "unknown", "user"},
		"interface":   {"API", "UI"},
		"decision":    {"allow", "bypass", "deny", "non_identity"},
		"record_type": strings.Fields(recordTypes),
		"setting":     slices.Compact(names),
	}
}

// knownNames are the published names of resources and actions.
func knownNames() map[string][]string {
	var resources, actions []string
	for _, f := range families {
		for _, p := range f.pairs {
			resources, actions = append(resources, p.resource), append(actions, p.action)
		}
	}
	slices.Sort(resources)
	slices.Sort(actions)
	return map[string][]string{"resource_type": slices.Compact(resources), "action_type": slices.Compact(actions)}
}

// zoneSettings are the ids of zone settings, besides those that protect
// something.
const zoneSettings = `advanced_ddos aegis always_online auto_origin_tls_kex automatic_platform_optimization brotli browser_cache_ttl
	cache_level challenge_ttl china_network_enabled ciphers cname_flattening content_converter development_mode early_hints edge_cache_ttl
	fonts h2_prioritization http2 http3 image_resizing ip_geolocation ipv6 max_upload minify mirage mobile_redirect nel opportunistic_onion
	orange_to_orange origin_error_page_pass_thru origin_h2_max_streams origin_max_http_version polish prefetch_preload privacy_pass
	proxy_read_timeout pseudo_ipv4 redirects_for_ai_training response_buffering rocket_loader search_for_agents sha1_support
	sort_query_string_for_cache speed_brain ssl_automatic_mode ssl_recommender transformations transformations_allowed_origins
	true_client_ip_header webp websockets`

// recordTypes are the types of DNS records.
const recordTypes = `A AAAA CAA CERT CNAME DNAME DNSKEY DS HTTPS LOC MX NAPTR NS OPENPGPKEY PTR SMIMEA SOA SPF SRV SSHFP SVCB TLSA TXT URI unknown`
