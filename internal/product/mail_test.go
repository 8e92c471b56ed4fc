package product

import (
	"slices"
	"testing"
)

// forwarded is a rule that sends the mail of one address to another.
const forwarded = `{"actions":[{"type":"forward","value":["mallory@example.net"]}],"enabled":true,"matchers":[{"type":"literal","field":"to","value":"admin@example.com"}],"name":"admin"}`

var mailSuite = suite{
	pairs: slices.Concat(
		rows("?email_routing.rule/create; ?email.routing.rule/update; ?email_routing/disable", "", medium, same, same),
		rows("?email_routing.rule/create", "email_routing.forward.create", high, medium, same, inZone, newValue(forwarded)),
		rows("?email_routing.address/create", "email_routing.address.create", medium, same, same, newValue(`{"email":"mallory@example.net"}`)),
		rows("?email_sending/create", "email_sending.subdomain.create", medium, same, same),
		rows("?dmarc_report/update", "dmarc_report.update", medium, same, low, values(`{"enabled":true}`, `{"enabled":false}`)),
	),
	calls: mailCalls(),
	examples: map[string]ruleExample{
		"email-catch-all-forwards":  {requested("PUT", "/zones/"+exampleZone+"/email/routing/rules/catch_all", requestBody(`{"actions":[{"type":"forward","value":["mallory@example.net"]}],"enabled":true,"matchers":[{"type":"all"}]}`)), requested("PUT", "/zones/"+exampleZone+"/email/routing/rules/catch_all", requestBody(`{"actions":[{"type":"drop"}],"enabled":true}`))},
		"email-forwarded":           {requested("POST", "/zones/"+exampleZone+"/email/routing/rules", requestBody(forwarded)), requested("DELETE", "/zones/"+exampleZone+"/email/routing/rules/372e67954025e0ba6aaa6d586b9e0b59")},
		"email-forwarded-elsewhere": {logged("email_routing.rule", "create", inStaging, newValue(forwarded)), logged("email_routing.rule", "create", inProduction, newValue(forwarded))},
		"email-destination-added":   {requested("POST", "/accounts/"+exampleAccount+"/email/routing/addresses", requestBody(`{"email":"mallory@example.net"}`)), requested("DELETE", "/accounts/"+exampleAccount+"/email/routing/addresses/372e67954025e0ba6aaa6d586b9e0b59")},
		"email-destination-removed": {requested("DELETE", "/accounts/"+exampleAccount+"/email/routing/addresses/372e67954025e0ba6aaa6d586b9e0b59"), requested("POST", "/accounts/"+exampleAccount+"/email/routing/addresses")},
		"email-routing-changed":     {logged("email_routing.rule", "update"), logged("email_routing.rule", "view")},
		"email-sender-added":        {requested("POST", "/zones/"+exampleZone+"/email/sending/subdomains", requestBody(`{"name":"news.example.com"}`)), requested("DELETE", "/zones/"+exampleZone+"/email/sending/subdomains/372e67954025e0ba6aaa6d586b9e0b59")},
		"email-sender-removed":      {requested("DELETE", "/zones/"+exampleZone+"/email/sending/subdomains/372e67954025e0ba6aaa6d586b9e0b59"), requested("POST", "/zones/"+exampleZone+"/email/sending/subdomains")},
		"dmarc-reports-off":         {requested("PATCH", "/zones/"+exampleZone+"/email/auth/dmarc-reports", requestBody(`{"enabled":false}`)), requested("PATCH", "/zones/"+exampleZone+"/email/auth/dmarc-reports", requestBody(`{"enabled":true}`))},
		"dmarc-reports-changed":     {requested("PATCH", "/zones/"+exampleZone+"/email/auth/dmarc-reports", requestBody(`{"skip_wizard":true}`)), requested("PATCH", "/zones/"+exampleZone+"/email/auth/dmarc-reports", requestBody(`{"enabled":false}`))},
	},
	moves: map[string]moveCase{
		"destination of an address": {requested("POST", "/zones/"+exampleZone+"/email/routing/rules", requestBody(forwarded)), "email_routing.forward.create", "", "admin@example.com to mallory@example.net"},
		"destination of all others": {requested("PUT", "/zones/"+exampleZone+"/email/routing/rules/catch_all", requestBody(`{"actions":[{"type":"forward","value":["mallory@example.net"]}]}`)), "email_routing.catch_all.forward", "", "mallory@example.net"},
	},
}

func mailCalls() callList {
	var list callList
	list.add("PUT {z}/email/routing/rules/catch_all", "email_routing.catch_all.forward", high, requestBody(`{"actions":[{"type":"forward","value":["mallory@example.net"]}],"enabled":true,"matchers":[{"type":"all"}]}`))
	list.add("PUT {z}/email/routing/rules/catch_all", "email_routing.catch_all.update", medium, requestBody(`{"actions":[{"type":"drop"}],"enabled":true,"matchers":[{"type":"all"}]}`))
	list.add("PUT {z}/email/routing/rules/1", "email_routing.forward.update", high, requestBody(forwarded))
	list.add("POST {z}/email/routing/rules", "email_routing.forward.create", high, requestBody(forwarded))
	list.add("POST {z}/email/routing/rules", "email_routing.forward.create", high, requestBody(`{"actions":[{"type":"worker","value":["reader"]}],"matchers":[{"type":"literal","field":"to","value":"admin@example.com"}]}`))
	list.add("POST {z}/email/routing/rules", "email_routing.catch_all.forward", high, requestBody(`{"actions":[{"type":"forward","value":["mallory@example.net"]}],"matchers":[{"type":"all"}]}`))
	list.add("POST {z}/email/routing/rules", "email_routing.create", medium, requestBody(`{"actions":[{"type":"drop"}]}`))
	list.add("PUT {z}/email/routing/rules/1", "email_routing.update", medium, requestBody(`{"enabled":false,"actions":[{"type":"forward","value":["mallory@example.net"]}]}`))
	list.add("DELETE {z}/email/routing/rules/1", "email_routing.delete", medium)
	list.add("POST {a}/email/routing/addresses", "email_routing.address.create", medium, requestBody(`{"email":"mallory@example.net"}`))
	list.add("DELETE {a}/email/routing/addresses/1", "email_routing.address.delete", low)
	list.add("POST {z}/email/routing/disable", "email_routing.disable", medium)
	list.add("POST {z}/email/routing/enable", "email_routing.enable", medium)
	list.add("PUT {z}/email/routing; PATCH {z}/email/routing", "email_routing.settings.update", medium)
	list.add("POST {z}/email/routing/dns; PATCH {z}/email/routing/dns; POST {z}/email/routing/unlock", "email_routing.dns.update", medium)
	list.add("DELETE {z}/email/routing/dns", "email_routing.dns.delete", medium)
	list.add("POST {z}/email/sending/subdomains", "email_sending.subdomain.create", medium)
	list.add("DELETE {z}/email/sending/subdomains/1", "email_sending.subdomain.delete", low)
	list.add("PATCH {z}/email/auth/dmarc-reports", "dmarc_report.update", medium, requestBody(`{"enabled":false}`))
	list.add("PATCH {z}/email/auth/dmarc-reports", "dmarc_report.update", low, requestBody(`{"enabled":true}`))
	return list
}

func TestMail_EveryEntryIsUnderstoodAndGraded(t *testing.T) { mailSuite.check(t) }
