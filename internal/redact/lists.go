package redact

// This file lists the names, forms and addresses of secrets. To cover another
// one, add a row. Texts are in lower case unless the list says otherwise.

// row is a text to recognise a secret by, and an example.
type row struct{ text, example string }

// texts are the texts of rows.
func texts(lists ...[]row) []string {
	var all []string
	for _, rows := range lists {
		for _, r := range rows {
			all = append(all, r.text)
		}
	}
	return all
}

// A member is a secret when its name, in any case, has one of secretWords in it,
// ends in one of secretEnds, or is one of secretNames.
var (
	secretWords = []row{
		{"secret", "clientSecret"},
		{"token", "api_token"},
		{"key", "api_key"},
		{"jwk", "jwk"},
		{"psk", "psk"},
		{"hash", "password_md5_hash"},
		{"credential", "credentials"},
		{"authorization", "Authorization"},
		{"private", "private_pem"},
		{"passw", "smtp_passwd"},
		{"passcode", "passcode"},
		{"passphrase", "passphrase"},
		{"pwd", "db_pwd"},
		{"auth_code", "auth_code"},
		{"authcode", "authCode"},
		{"override_code", "override_codes"},
		{"ownership_challenge", "ownership_challenge"},
		// Of a second factor.
		{"recovery_code", "recovery_codes"},
		{"backup_code", "backup_codes"},
		{"otpauth", "otpauth"},
		{"qr_code", "qr_code"},
		{"disable_for_time", "disable_for_time"}, // override codes by hours
	}
	secretEnds  = []row{{"pem", "origin_pem"}}
	secretNames = []row{{"cookie", "Cookie"}}
)

// A member with a hyphen in its name is a header. It authenticates its sender
// when its name, in any case, has one of headerParts in it or ends in one of
// headerEnds.
var (
	headerParts = []row{{"-auth", "X-Origin-Auth"}, {"auth-", "X-Auth-Email"}}
	headerEnds  = []row{{"-verify", "X-Origin-Verify"}, {"-cookie", "Set-Cookie"}}
)

// plainHeaders are headers that are never secret, in any case.
var plainHeaders = []row{{"accept", "Accept"}, {"content-type", "Content-Type"}, {"host", "Host"}, {"user-agent", "User-Agent"}}

// openEnds end the names of members that describe a secret and are public, such
// as its id. Case matters. The content of addresses is checked separately.
var openEnds = []row{
	{"_name", "token_name"}, {"_tag", "key_tag"}, {"_id", "token_id"}, {"_uuid", "key_uuid"},
	{"_status", "token_status"}, {"_type", "key_type"}, {"_on", "token_expires_on"}, {"_at", "last_key_rotation_at"},
	{"_count", "key_count"}, {"_url", "token_url"}, {"_uri", "jwks_key_uri"}, {"_endpoint", "token_endpoint"},
	{"_days", "key_rotation_interval_days"}, {"_interval", "key_interval"}, {"_algorithm", "key_algorithm"},
	{"_size", "key_size"}, {"_length", "key_length"}, {"_version", "key_version"}, {"_ip", "private_ip"},
	{"_network", "private_network"}, {"_cidr", "private_cidr"}, {"_port", "private_port"},
	{"keytag", "keytag"}, {"sitekey", "sitekey"}, {"site_key", "site_key"},
	{"KeyId", "accessKeyId"}, {"KeyName", "apiKeyName"}, {"TokenId", "serviceTokenId"}, {"TokenName", "apiTokenName"},
}

// A name with one of secretWords in it is harmless when, in any case, it has one
// of harmlessParts in it, ends in one of harmlessEnds, or begins with one of
// harmlessBeginnings.
var (
	harmlessParts = []row{{"public", "public_key"}}
	harmlessEnds  = []row{{"token_hash", "token_hash"}}
	// The first are the resources of a token's policies.
	harmlessBeginnings = []row{{"com.cloudflare.", "com.cloudflare.api.account.token"}, {"cache_key", "cache_key_fields"}}
)

// A parameter is the signature of its address when its name, in any case, is one
// of signatureNames or ends in one of signatureEnds.
var (
	signatureNames = []row{{"sig", "sig"}}
	signatureEnds  = []row{{"signature", "X-Amz-Signature"}}
)

// tokenPrefixes begin Cloudflare's own credentials and others that users often
// keep there. A text with one of them in it, in any case, is a secret.
var tokenPrefixes = []row{
	{"cfat_", "cfat_open-sesame"}, {"cfut_", "cfut_open-sesame"}, {"cfk_", "cfk_open-sesame"},
	{"ghp_", "ghp_open-sesame"}, {"gho_", "gho_open-sesame"}, {"ghs_", "ghs_open-sesame"}, {"github_pat_", "github_pat_open-sesame"},
	{"glpat-", "glpat-open-sesame"},
	{"xoxb-", "xoxb-open-sesame"}, {"xoxp-", "xoxp-open-sesame"},
	{"sk_live_", "sk_live_open-sesame"}, {"rk_live_", "rk_live_open-sesame"}, {"whsec_", "whsec_open-sesame"},
}

// schemes begin the value of an Authorization header, in any case: a word and a
// space.
var schemes = []row{{"bearer ", "Bearer open-sesame-1"}, {"basic ", "Basic b3Blbi1zZXNhbWUtMQ=="}}

// passwordEnds end the names to which connection strings assign a password, in
// any case.
var passwordEnds = []row{
	{"password", "Server=db;User Id=x;Password=open;"}, {"pwd", "Server=db;Uid=x;Pwd=open;"},
	{"accountkey", "DefaultEndpointsProtocol=https;AccountKey=open;"}, {"sharedaccesskey", "Endpoint=x;SharedAccessKey=open;"},
}

// hooks are hosts whose addresses are secrets: whoever has one may post to it
// or read the data behind it. A leading dot matches any subdomain, and the text
// after a slash is a prefix of the path.
var hooks = []row{
	{"hooks.slack.com", "https://hooks.slack.com/services/T0/B0/x"},
	{"discord.com/api/webhooks", "https://discord.com/api/webhooks/1/x"},
	{"discordapp.com/api/webhooks", "https://discordapp.com/api/webhooks/1/x"},
	{".webhook.office.com", "https://example.webhook.office.com/webhookb2/x"},
	{"outlook.office.com/webhook", "https://outlook.office.com/webhook/x"},
	{".logic.azure.com", "https://prod-1.westus.logic.azure.com:443/workflows/x"},
	{".api.powerplatform.com", "https://default.api.powerplatform.com/x"},
	{"hooks.zapier.com", "https://hooks.zapier.com/hooks/catch/1/x"},
	{"hook.integromat.com", "https://hook.integromat.com/x"},
	{".make.com", "https://hook.eu1.make.com/x"},
	{"maker.ifttt.com", "https://maker.ifttt.com/trigger/e/with/key/x"},
	{"api.telegram.org", "https://api.telegram.org/bot1:x/sendMessage"},
	{"chat.googleapis.com", "https://chat.googleapis.com/v1/spaces/x"},
	{"events.pagerduty.com/integration", "https://events.pagerduty.com/integration/x/enqueue"},
	{"alert.victorops.com", "https://alert.victorops.com/integrations/generic/1/alert/x"},
	{".sumologic.com/receiver", "https://endpoint1.collection.sumologic.com/receiver/v1/http/x"},
	{"open.feishu.cn", "https://open.feishu.cn/open-apis/bot/v2/hook/x"},
	{"open.larksuite.com", "https://open.larksuite.com/open-apis/bot/v2/hook/x"},
	{"qyapi.weixin.qq.com", "https://qyapi.weixin.qq.com/cgi-bin/webhook/x"},
	{"api.opsgenie.com", "https://api.opsgenie.com/v1/json/cloudflare/x"},
	{"webhook.site", "https://webhook.site/x"},
	{".cloudflarestream.com", "https://customer-x.cloudflarestream.com/x/webRTC/publish"},
	{"upload.videodelivery.net", "https://upload.videodelivery.net/x"},
	{"upload.imagedelivery.net", "https://upload.imagedelivery.net/x"},
}
