package product

import "github.com/aisoc/cloudflareaudit/internal/fakecloudflare"

// The account and the zone of the entries in the tests.
const (
	exampleAccount = fakecloudflare.DefaultAccountID
	exampleZone    = fakecloudflare.ExampleZoneID
)

// logged and requested are entries of the two logs, with what a test has to say.
var (
	logged    = fakecloudflare.Logged
	requested = fakecloudflare.Requested
)

// Members of entries that many tests use. Of the zones the first is in production
// and the second is not.
const (
	inZone       = `"metadata":{"zone_name":"example.com","zone_id":"` + exampleZone + `"}`
	inProduction = `"metadata":{"zone_name":"example.com"}`
	inStaging    = `"metadata":{"zone_name":"staging.example.net"}`
	bySystem     = `"actor":{"id":"1","type":"system"}`
	byStaff      = `"actor":{"id":"9","type":"admin"}`
	superRole    = `{"id":"33666b9c79b9a5273fc7344ff42f953d","name":"Super Administrator - All Privileges"}`
	readerRole   = `{"id":"6dd5d1a549b2b620dc4d9ff97375077b","name":"Administrator Read Only"}`
)

// oldValue and newValue are the resource before and after the change, and values
// is both.
func oldValue(v string) string     { return `"oldValueJson":` + v }
func newValue(v string) string     { return `"newValueJson":` + v }
func values(was, is string) string { return oldValue(was) + "," + newValue(is) }
func requestBody(v string) string  { return `"request":` + v }
func responseBody(v string) string { return `"response":` + v }

// Many tests look at the families themselves.
func init() { prepare() }
