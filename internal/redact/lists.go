package redact

// This file lists the names and the addresses of secrets, and of what only looks
// like one; prefixes.go lists the prefixes of tokens. To cover another one, add a
// row. Each has an example, which a test checks.
//
// Names are compared in words: "clientSecret", "client-secret" and
// "CLIENT_SECRET" are all "client_secret".

// row is a text to recognise something by, and an example.
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

// A member is a secret when its name ends in one of secretPhrases, or is one of
// secretNames. Nothing else in the name changes that.
var (
	secretPhrases = []row{
		{"otpauth", "otpauth"}, {"otpauth_url", "otpauthUrl"}, {"otpauth_uri", "otpauth_uri"}, {"hook_id", "deploy_hook_id"}, {"doh_subdomain", "doh_subdomain"},
		{"ownership_challenge", "ownership_challenge"}, {"challenge_response", "cf_challenge_response"},
		{"auth_code", "authCode"}, {"authcode", "authcode"}, {"auth_info", "auth_info"}, {"info_code", "auth_info_code"}, {"authinfo", "authinfo"},
		{"epp_code", "epp_code"}, {"transfer_code", "transferCode"},
		{"authorization_code", "authorization_code"}, {"device_code", "device_code"},
		{"invite_code", "invite_code"}, {"invitation_code", "invitation_code"}, {"activation_code", "activation_code"},
		{"verification_code", "email_verification_code"}, {"validation_code", "validation_code"}, {"confirmation_code", "confirmation_code"},
		{"pairing_code", "pairing_code"}, {"access_code", "access_code"}, {"reset_code", "reset_code"}, {"security_code", "security_code"},
		{"one_time_code", "oneTimeCode"}, {"mfa_code", "mfa_code"}, {"totp_code", "totp_code"}, {"otp_code", "otp_code"}, {"sms_code", "sms_code"},
		{"two_factor_code", "two_factor_code"}, {"2fa_code", "2fa_code"}, {"override_code", "override_code"}, {"override_codes", "override_codes"},
		{"recovery_code", "recovery_code"}, {"recovery_codes", "recovery_codes"}, {"backup_code", "backup_code"}, {"backup_codes", "backup_codes"},
		{"scratch_codes", "scratch_codes"}, {"qr_code", "qr_code"},
		{"for_time", "disable_for_time"}, // override codes by hours
		{"card_number", "cardNumber"}, {"card_cvv", "card_cvv"}, {"card_cvc", "card_cvc"}, {"payment_nonce", "payment_nonce"},
		{"private_pem", "private_pem"}, {"connection_string", "connectionString"}, {"seed_phrase", "seed_phrase"}, {"sas_url", "sas_url"},
	}
	secretNames = []row{{"hash", "hash"}, {"private", "private"}, {"dsn", "dsn"}, {"mnemonic", "mnemonic"}}
)

// A member is also a secret when, in any case, one of secretStems is part of a
// word of its name or when its last word is one of secretEnds, and when it is a
// text and the last word is one of weakEnds. Names in openEnds, openBeginnings,
// openWords and harmlessWords are excepted.
var (
	secretStems = []row{
		{"secret", "clientSecret"}, {"token", "api_token"}, {"key", "apikey"}, {"jwk", "jwk"}, {"psk", "psk"},
		{"credential", "credentials"}, {"authorization", "Authorization"},
		{"passw", "smtp_passwd"}, {"passcode", "passcode"}, {"passphrase", "passphrase"}, {"pwd", "db_pwd"},
	}
	secretEnds = []row{
		{"pem", "origin_pem"}, {"pin", "unlockPin"}, {"otp", "otp"}, {"totp", "totp"}, {"cvv", "cvv"}, {"cvc", "cvc"}, {"mrk", "mrk"},
		{"pfx", "client_pfx"}, {"creds", "db_creds"}, {"cred", "cred"}, {"hmac", "hmac"},
	}
	weakEnds = []row{
		{"pass", "imap_pass"}, {"seed", "seed"}, {"salt", "password_salt"}, {"bearer", "bearer"}, {"jwt", "jwt"},
		{"license", "license"}, {"licence", "licence"}, {"session", "session"}, {"challenge", "challenge"}, {"nonce", "nonce"},
		{"cookie", "Cookie"}, {"cookies", "cookies"}, {"sessid", "sessid"}, {"phpsessid", "PHPSESSID"},
	}
)

// A name with a hyphen in it is one of a header. The header authenticates its
// sender when its name, in any case, has one of headerParts in it or ends in one
// of headerEnds.
var (
	headerParts = []row{{"-auth", "X-Origin-Auth"}, {"auth-", "X-Auth-Email"}}
	headerEnds  = []row{{"-verify", "X-Origin-Verify"}, {"-cookie", "Set-Cookie"}}
)

// plainHeaders are headers that are never secret, in any case.
var plainHeaders = []row{
	{"accept", "Accept"}, {"accept-language", "Accept-Language"}, {"accept-encoding", "Accept-Encoding"},
	{"content-type", "Content-Type"}, {"content-encoding", "Content-Encoding"}, {"host", "Host"}, {"user-agent", "User-Agent"},
	{"origin", "Origin"}, {"referer", "Referer"}, {"cache-control", "Cache-Control"}, {"x-forwarded-proto", "X-Forwarded-Proto"},
	{"x-forwarded-host", "X-Forwarded-Host"}, {"x-frame-options", "X-Frame-Options"},
}

// openEnds end the names of members that describe a secret and are public, such
// as its id. The content of addresses is checked separately.
var openEnds = []row{
	// What it is called.
	{"id", "accessKeyId"}, {"ids", "service_token_ids"}, {"uuid", "key_uuid"}, {"name", "token_name"}, {"names", "secret_names"},
	{"arn", "kms_key_arn"}, {"prefix", "token_prefix"}, {"tag", "key_tag"}, {"tags", "key_tags"}, {"keytag", "keytag"}, {"keyid", "keyid"}, {"tokenid", "tokenid"}, {"label", "key_label"},
	{"title", "key_title"}, {"description", "token_description"}, {"comment", "key_comment"}, {"preview", "secret_preview"},
	{"hint", "password_hint"}, {"fingerprint", "key_fingerprint"}, {"thumbprint", "key_thumbprint"}, {"token_hash", "token_hash"},
	// Since when and how long.
	{"on", "token_expires_on"}, {"at", "last_key_rotation_at"}, {"since", "credentials_rejected_since"}, {"days", "key_rotation_interval_days"},
	{"interval", "key_interval"}, {"lifetime", "access_token_lifetime"}, {"duration", "token_duration"}, {"ttl", "token_ttl"},
	{"age", "token_max_age"}, {"expiry", "credentials_expiry"}, {"expires", "token_expires"}, {"expiration", "token_expiration"},
	{"timeout", "token_timeout"}, {"seconds", "token_seconds"}, {"rotation", "key_rotation"}, {"not_before", "token_not_before"}, {"not_after", "token_not_after"},
	// What it is like.
	{"type", "key_type"}, {"types", "token_types"}, {"kind", "key_kind"}, {"status", "token_status"}, {"state", "key_state"}, {"health", "credential_health"},
	{"algorithm", "key_algorithm"}, {"alg", "key_alg"}, {"curve", "key_curve"}, {"size", "key_size"}, {"bits", "key_bits"}, {"length", "key_length"}, {"strength", "password_strength"},
	{"version", "client_secret_version"}, {"format", "token_format"}, {"encoding", "key_encoding"}, {"count", "key_count"}, {"index", "key_index"},
	{"tokens_in", "tokens_in"}, {"tokens_out", "tokens_out"}, {"score", "keyword_token_score"},
	// How it is used.
	{"method", "token_endpoint_auth_method"}, {"methods", "token_auth_methods"}, {"mode", "key_mode"}, {"option", "token_option"}, {"options", "refresh_token_options"},
	{"policy", "password_policy"}, {"policies", "token_policies"}, {"permissions", "token_permissions"}, {"settings", "token_settings"},
	{"config", "token_config"}, {"configuration", "token_configuration"}, {"requirements", "mfa_piv_key_requirements"}, {"required", "token_required"}, {"enabled", "token_enabled"},
	{"usage", "extended_key_usage"}, {"usages", "key_usages"}, {"scope", "token_scope"}, {"scopes", "token_scopes"}, {"audience", "token_audience"},
	{"grant_type", "grant_type"}, {"operation", "operation"}, {"check", "exposed_credential_check"}, {"validation", "token_validation"},
	{"expression", "password_expression"}, {"characteristics", "token_characteristics"}, {"verification", "key_verification"},
	{"field", "password_field"}, {"fields", "token_fields"}, {"header", "token_header"}, {"param", "token_param"}, {"metadata", "psk_metadata"}, {"parameter", "token_parameter"},
	{"source", "token_source"}, {"sources", "token_sources"}, {"location", "key_location"}, {"provider", "key_provider"}, {"issuer", "token_issuer"},
	{"statement", "reg_who_authorization_statement"}, {"attributes", "cookie_attributes"}, {"suffix", "cookie_suffix"}, {"affinity", "token_affinity"}, {"attribute", "token_attribute"},
	// Where it is, and whose.
	{"url", "token_url"}, {"uri", "jwks_key_uri"}, {"urls", "token_urls"}, {"uris", "key_uris"}, {"link", "authorization_link"}, {"endpoint", "tokenEndpoint"}, {"endpoints", "token_endpoints"},
	{"ip", "private_key_ip"}, {"network", "private_key_network"}, {"cidr", "private_key_cidr"}, {"port", "key_port"}, {"host", "key_host"}, {"hostname", "keyless_key_hostname"},
	{"server", "key_server"}, {"domain", "auth_key_domain"}, {"region", "key_region"}, {"bucket", "key_bucket"}, {"store", "secret_store"}, {"stores", "secret_stores"}, {"namespace", "secret_namespace"},
	{"service", "token_service"}, {"path", "key_path"}, {"file", "key_file"}, {"filename", "key_filename"},
	{"email", "credentials_admin_email"}, {"owner", "token_owner"}, {"user", "token_user"}, {"username", "credential_username"}, {"by", "token_created_by"},
	// Keys that are no secrets: names in a list, parts of a request, public records.
	{"sitekey", "sitekey"}, {"site_key", "site_key"}, {"verification_key", "verification_key"}, {"dnskey", "dnskey"}, {"cdnskey", "cdnskey"},
	{"cache_key", "cache_key"}, {"partition_key", "partitionKey"}, {"primary_key", "primary_key"}, {"foreign_key", "foreign_key"}, {"sort_key", "sort_key"},
	{"metadata_key", "metadata_key"}, {"object_key", "objectKey"}, {"file_key", "fileKey"}, {"flag_key", "flagKey"}, {"l10n_key", "l10n_key"}, {"region_key", "region_key"},
	{"tag_key", "tag_key"}, {"host_key", "host_key"}, {"idempotency_key", "idempotency_key"},
	{"page_token", "next_page_token"}, {"continuation_token", "continuation_token"},
}

// openBeginnings begin names that are public, openWords are words that make them
// so wherever they stand, and harmlessWords are words with one of secretStems in
// them that mean something else.
var (
	openBeginnings = []row{
		{"com.cloudflare.api.account.token", "com.cloudflare.api.account.token.x"}, // a resource of a policy
		{"cache_key", "cache_key_fields"}, {"has", "has_client_secret"}, {"is", "is_secret"}, {"allow", "allow_pkce_without_client_secret"},
		{"max", "max_tokens"}, {"min", "min_password"}, {"any", "any_valid_service_token"}, {"design", "design_tokens"},
	}
	openWords     = []row{{"public", "public_key"}, {"pub", "ssh_pub_key"}, {"pubkey", "pubkey"}, {"publickey", "publickey"}, {"pubkeys", "pubkeys"}}
	harmlessWords = []row{
		{"keyword", "keyword"}, {"keywords", "keywords"}, {"keyboard", "keyboard"}, {"keyless", "keyless"}, {"keyframe", "keyframe"}, {"keyframes", "keyframes"},
		{"keybase", "keybase"}, {"monkey", "monkey"}, {"turnkey", "turnkey"}, {"hotkey", "hotkey"}, {"hotkeys", "hotkeys"}, {"keyshortcuts", "keyshortcuts"}, {"hockey", "hockey"}, {"keynote", "keynote"}, {"keynotes", "keynotes"}, {"keypad", "keypad"}, {"keystone", "keystone"}, {"whiskey", "whiskey"}, {"donkey", "donkey"},
		{"passwordless", "passwordless"}, {"turkey", "turkey"},
		{"tokenizer", "tokenizer"}, {"tokenized", "tokenized"}, {"tokenization", "tokenization"}, {"secretary", "secretary"}, {"needle", "needle"},
	}
)

// counted are words of which a number is not one but how many there are.
var counted = []row{
	{"tokens", "prompt_tokens"}, {"keys", "keys"}, {"secrets", "secrets"}, {"credentials", "credentials"}, {"psks", "successfully_applied_psks"},
	{"passwords", "passwords"},
}

// A member "key" is the name of something, not a secret, beside a member in
// namesBeside, and the public key of a device beside one in publicBeside.
var (
	namesBeside = []row{
		{"value", `{"key":"user:42","value":"x"}`}, {"values", `{"key":"env","values":["x"]}`}, {"operator", `{"key":"ClientIP","operator":"eq"}`},
		{"metadata", `{"key":"user:42","metadata":{}}`}, {"expiration_ttl", `{"key":"user:42","expiration_ttl":60}`},
		{"expiration", `{"key":"user:42","expiration":1}`}, {"base64", `{"key":"user:42","base64":true}`},
	}
	publicBeside = []row{
		{"tunnel_type", `{"key":"ZGV2aWNl","tunnel_type":"masque"}`}, {"key_type", `{"key":"ZGV2aWNl","key_type":"curve25519"}`},
		{"device_type", `{"key":"ZGV2aWNl","device_type":"linux"}`},
	}
)

// fileNames are the members of a file. The hash beside them is that of the file.
var fileNames = []row{
	{"size", `{"hash":"open","size":12}`}, {"filename", `{"hash":"open","filename":"a.html"}`}, {"mime_type", `{"hash":"open","mime_type":"text/html"}`},
	{"content_type", `{"hash":"open","content_type":"text/html"}`},
}

// plainCodes are the words before "code" in names of codes that are no secrets.
var plainCodes = []row{
	{"status", "status_code"}, {"error", "error_code"}, {"exit", "exit_code"}, {"response", "response_code"}, {"country", "country_code"}, {"region", "region_code"},
	{"postal", "postal_code"}, {"post", "post_code"}, {"zip", "zip_code"}, {"area", "area_code"}, {"language", "language_code"}, {"currency", "currency_code"},
	{"product", "product_code"}, {"category", "category_code"}, {"type", "type_code"}, {"reason", "reason_code"}, {"airport", "airport_code"}, {"colo", "colo_code"},
	{"source", "source_code"}, {"promo", "promo_code"}, {"coupon", "coupon_code"}, {"sku", "sku_code"}, {"http", "http_code"}, {"state", "state_code"}, {"vat", "vat_code"}, {"tax", "tax_code"},
}

// comparisonNames are the members that say how the "value" beside them is compared.
var comparisonNames = []row{
	{"operator", `{"operator":"eq","value":"open"}`}, {"op", `{"match":"{{ x }}","op":"EQUALS","value":"open"}`},
	{"comparator", `{"comparator":"eq","value":"open"}`}, {"comparison", `{"comparison":"eq","value":"open"}`},
}

// pairNames are the members that name what the "value" beside them is.
var pairNames = []row{
	{"name", `{"name":"DB_PASSWORD","value":"open"}`}, {"key", `{"key":"api_token","value":"open"}`},
	{"header", `{"header":"X-Api-Key","value":"open"}`}, {"header_name", `{"header_name":"X-Api-Key","value":"open"}`},
	{"variable", `{"variable":"DB_PASSWORD","value":"open"}`},
}

// privateParts are the members of a JSON web key that are not public.
var privateParts = []row{
	{"d", `{"kty":"EC","d":"open"}`}, {"p", `{"kty":"RSA","p":"open"}`}, {"q", `{"kty":"RSA","q":"open"}`},
	{"dp", `{"kty":"RSA","dp":"open"}`}, {"dq", `{"kty":"RSA","dq":"open"}`}, {"qi", `{"kty":"RSA","qi":"open"}`},
	{"oth", `{"kty":"RSA","oth":["open"]}`}, {"k", `{"kty":"oct","k":"open"}`},
}

// settingWords are values, in any case, that are settings even where a value may
// be a secret.
var settingWords = []row{
	{"on", "on"}, {"off", "off"}, {"true", "true"}, {"false", "false"}, {"yes", "yes"}, {"no", "no"}, {"enabled", "enabled"}, {"disabled", "disabled"},
	{"active", "active"}, {"inactive", "inactive"}, {"pending", "pending"}, {"none", "none"}, {"null", "null"}, {"default", "default"}, {"auto", "auto"}, {"automatic", "automatic"},
	{"manual", "manual"}, {"custom", "custom"}, {"always", "always"}, {"never", "never"}, {"low", "low"}, {"medium", "medium"}, {"high", "high"},
	{"essentially_off", "essentially_off"}, {"under_attack", "under_attack"}, {"full", "full"}, {"strict", "strict"}, {"flexible", "flexible"},
	{"allow", "allow"}, {"deny", "deny"}, {"block", "block"}, {"challenge", "challenge"}, {"managed_challenge", "managed_challenge"}, {"log", "log"},
	{"basic", "basic"}, {"aggressive", "aggressive"}, {"simplified", "simplified"}, {"dark", "dark"}, {"light", "light"}, {"system", "system"},
	{"info", "info"}, {"debug", "debug"}, {"warn", "warn"}, {"warning", "warning"}, {"error", "error"}, {"trace", "trace"}, {"verbose", "verbose"},
	{"daily", "daily"}, {"weekly", "weekly"}, {"monthly", "monthly"}, {"free", "free"}, {"pro", "pro"}, {"business", "business"}, {"enterprise", "enterprise"},
	{"success", "success"}, {"failure", "failure"}, {"ok", "ok"}, {"read", "read"}, {"write", "write"}, {"public", "public"}, {"utc", "UTC"},
	{"get", "GET"}, {"post", "POST"}, {"put", "PUT"}, {"s256", "S256"}, {"development", "development"}, {"staging", "staging"}, {"production", "production"},
}

// algorithms are names, in any case, of algorithms. They are shown under names of
// secrets, too.
var algorithms = []row{
	{"sha-1", "SHA-1"}, {"sha-256", "SHA-256"}, {"sha-384", "SHA-384"}, {"sha-512", "SHA-512"}, {"sha1", "sha1"}, {"sha256", "sha256"}, {"sha384", "sha384"}, {"sha512", "sha512"},
	{"md5", "md5"}, {"hmac", "HMAC"}, {"hmac-sha256", "hmac-sha256"}, {"hmac-sha512", "hmac-sha512"}, {"totp", "totp"}, {"argon2id", "argon2id"}, {"bcrypt", "bcrypt"},
	{"rsa", "RSA"}, {"ecdsa", "ECDSA"}, {"ed25519", "Ed25519"}, {"hs256", "HS256"}, {"rs256", "RS256"}, {"es256", "ES256"}, {"es384", "ES384"}, {"ps256", "PS256"}, {"eddsa", "EdDSA"},
}

// A parameter is the signature of its address when its name, in any case, is one
// of signatureNames or ends in one of signatureEnds.
var (
	signatureNames = []row{{"sig", "sig"}}
	signatureEnds  = []row{{"signature", "X-Amz-Signature"}}
)

// optionParameters are parameters, in any case, of where logs go, that say how and
// not with what right.
var optionParameters = []row{
	{"region", "s3://logs/x?region=eu-west-1"}, {"sse", "s3://logs/x?sse=AES256"}, {"insecure-skip-verify", "splunk://hec.example.com/x?insecure-skip-verify=false"},
	{"sourcetype", "splunk://hec.example.com/x?sourcetype=cloudflare"}, {"source", "splunk://hec.example.com/x?source=cloudflare"},
	{"index", "splunk://hec.example.com/x?index=main"}, {"format", "https://log-api.newrelic.com/log/v1?format=cloudflare"},
	{"service", "datadog://http-intake.logs.datadoghq.com/x?service=edge"}, {"ddsource", "datadog://http-intake.logs.datadoghq.com/x?ddsource=cloudflare"},
	{"ddtags", "datadog://http-intake.logs.datadoghq.com/x?ddtags=env:prod"}, {"tags", "https://logs.example.com/x?tags=env:prod"},
	{"account-id", "r2://logs/x?account-id=023e105f4ecef8ad9ca31a8372d0c353"}, {"endpoint", "s3://logs/x?endpoint=storage.example.com"},
	{"sv", "azure://logs.blob.core.windows.net/x?sv=2022-11-02"}, {"sp", "azure://logs.blob.core.windows.net/x?sp=w"},
	{"se", "azure://logs.blob.core.windows.net/x?se=2027-01-01T00:00:00Z"}, {"st", "azure://logs.blob.core.windows.net/x?st=2026-01-01T00:00:00Z"},
	{"ss", "azure://logs.blob.core.windows.net/x?ss=b"}, {"srt", "azure://logs.blob.core.windows.net/x?srt=o"}, {"spr", "azure://logs.blob.core.windows.net/x?spr=https"},
}

// schemes begin the value of an Authorization header, in any case: a word and a
// space.
var schemes = []row{{"bearer ", "Bearer open-sesame-1"}, {"basic ", "Basic b3Blbi1zZXNhbWUtMQ=="}}

// hookPaths and admissionPaths are segments of paths, in any case. What follows one of
// them is a secret, where it looks random: in any address, and behind one of
// admissionPaths in the path of a request as well, since such an id lets in. The id of a
// webhook in the path of a request only names it.
var (
	hookPaths = []row{
		{"webhook", "https://siem.example.com/webhook/3f9a8b7c6d5e4f"}, {"webhooks", "https://siem.example.com/webhooks/3f9a8b7c6d5e4f"},
		{"hook", "https://siem.example.com/hook/3f9a8b7c6d5e4f"}, {"hooks", "https://siem.example.com/hooks/3f9a8b7c6d5e4f"},
		{"webhookb2", "https://siem.example.com/webhookb2/3f9a8b7c6d5e4f"},
	}
	admissionPaths = []row{
		{"deploy_hooks", "https://api.cloudflare.com/client/v4/pages/webhooks/deploy_hooks/3f9a8b7c6d5e4f"},
		{"invite", "https://dash.example.com/invite/3f9a8b7c6d5e4f"}, {"invites", "https://dash.example.com/invites/3f9a8b7c6d5e4f"},
		{"invitation", "https://dash.example.com/invitation/3f9a8b7c6d5e4f"}, {"invitations", "https://dash.example.com/invitations/3f9a8b7c6d5e4f"},
		{"accept-invite", "https://dash.example.com/accept-invite/3f9a8b7c6d5e4f"},
		{"reset-password", "https://dash.example.com/reset-password/3f9a8b7c6d5e4f"}, {"password-reset", "https://dash.example.com/password-reset/3f9a8b7c6d5e4f"},
		{"magic-link", "https://dash.example.com/magic-link/3f9a8b7c6d5e4f"},
	}
)

// streamSchemes are schemes of addresses whose last segment is the key of the
// stream.
var streamSchemes = []row{{"rtmp", "rtmp://live.example.com/app/open"}, {"rtmps", "rtmps://live.example.com:443/live/open"}}

// secretPaths are the last words of paths of the API. A text in reply to such a
// request is a secret.
var secretPaths = []row{
	{"token", "/accounts/a/cfd_tunnel/t/token"}, {"value", "/user/tokens/t/value"}, {"auth_code", "/accounts/a/registrar/domains/d/auth_code"},
	{"transfer_code", "/accounts/a/registrar/domains/d/transfer_code"}, {"transfer_out", "/accounts/a/registrar/domains/d/transfer_out"},
	{"authinfo", "/accounts/a/registrar/domains/d/authinfo"}, {"api_key", "/user/api_key"}, {"rotate", "/accounts/a/access/service_tokens/s/rotate"},
	{"rotate_secret", "/accounts/a/challenges/widgets/w/rotate_secret"}, {"roll", "/user/tokens/t/roll"}, {"secret", "/accounts/a/x/secret"}, {"key", "/accounts/a/x/key"},
	{"psk_generate", "/accounts/a/magic/ipsec_tunnels/t/psk_generate"}, {"connector_token", "/accounts/a/x/connector_token"}, {"webhook", "/accounts/a/stream/webhook"},
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
	{"oapi.dingtalk.com", "https://oapi.dingtalk.com/robot/x"},
	{"qyapi.weixin.qq.com", "https://qyapi.weixin.qq.com/cgi-bin/webhook/x"},
	{"api.opsgenie.com", "https://api.opsgenie.com/v1/json/cloudflare/x"},
	{"webhook.site", "https://webhook.site/x"},
	{"api.eu.opsgenie.com", "https://api.eu.opsgenie.com/v1/json/cloudflare/x"},
	{"events.eu.pagerduty.com/integration", "https://events.eu.pagerduty.com/integration/x/enqueue"},
	{"hooks.airtable.com", "https://hooks.airtable.com/workflows/v1/genericWebhook/x"},
	{"logs-01.loggly.com/inputs", "https://logs-01.loggly.com/inputs/x"},
	{"ntfy.sh", "https://ntfy.sh/x"},
	{"hc-ping.com", "https://hc-ping.com/x"},
	{"smee.io", "https://smee.io/x"},
	{"hkdk.events", "https://hkdk.events/x"},
	{"tail.developers.workers.dev", "wss://tail.developers.workers.dev/x"},
	{".pipedream.net", "https://eo1.m.pipedream.net/x"},
	{".cloudflarestream.com", "https://customer-x.cloudflarestream.com/x/webRTC/publish"},
	{"upload.videodelivery.net", "https://upload.videodelivery.net/x"},
	{"upload.imagedelivery.net", "https://upload.imagedelivery.net/x"},
}
