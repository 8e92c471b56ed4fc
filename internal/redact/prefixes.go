package redact

// form is a kind of token, recognised by what it begins with.
type form struct {
	// text begins the token.
	text string
	// least is how many characters of a token must follow at least: few where
	// the text alone is telling, many where it may begin something else.
	least int
	// within says that the text may stand within a word.
	within bool
	// example is such a token, made up.
	example string
}

// cloudflareTokens begin Cloudflare's own credentials. A text with one of them in
// it, in any case, is a secret.
var cloudflareTokens = []row{{"cfat_", "cfat_open-sesame"}, {"cfut_", "cfut_open-sesame"}, {"cfk_", "cfk_open-sesame"}}

const (
	few  = 6
	some = 16
	many = 24
)

// x is the rest of examples.
const x = "0pen5esame0pen5esame0pen5esame0pen5esame"

// tokenForms are the kinds of tokens that other services issue and that users
// often keep in Cloudflare, as scanners for secrets publish them. Case matters.
var tokenForms = []form{
	// Code and packages.
	{"ghp_", few, true, "ghp_" + x}, {"gho_", few, true, "gho_" + x}, {"ghu_", few, true, "ghu_" + x}, {"ghs_", few, true, "ghs_" + x}, {"ghr_", few, true, "ghr_" + x},
	{"github_pat_", few, true, "github_pat_" + x}, {"glpat-", few, true, "glpat-" + x}, {"glcbt-", few, false, "glcbt-64_" + x}, {"gldt-", few, false, "gldt-" + x},
	{"glffct-", few, false, "glffct-" + x}, {"glft-", few, false, "glft-" + x}, {"glimt-", few, false, "glimt-" + x}, {"glagent-", some, false, "glagent-" + x},
	{"gloas-", few, false, "gloas-" + x}, {"glptt-", few, false, "glptt-" + x}, {"glrt-", few, false, "glrt-" + x}, {"glsoat-", few, false, "glsoat-" + x},
	{"GR1348941", few, false, "GR1348941" + x}, {"_gitlab_session=", few, true, "_gitlab_session=" + x},
	{"npm_", some, false, "npm_" + x}, {"pypi-", some, false, "pypi-AgEIcHlwaS5vcmc" + x}, {"rubygems_", some, false, "rubygems_" + x}, {"CLOJARS_", some, false, "CLOJARS_" + x},
	{"dckr_pat_", few, false, "dckr_pat_" + x}, {"dckr_oat_", few, false, "dckr_oat_" + x}, {"cmVmd", many, false, "cmVmd" + x}, {"AKCp", many, false, "AKCp" + x},
	{"squ_", some, false, "squ_" + x}, {"sqp_", some, false, "sqp_" + x}, {"sqa_", some, false, "sqa_" + x}, {"sgp_", some, false, "sgp_" + x},
	{"bkua_", some, false, "bkua_" + x}, {"CCIPAT_", some, false, "CCIPAT_" + x}, {"sbp_", some, false, "sbp_" + x}, {"sb_secret_", few, false, "sb_secret_" + x}, {"nfp_", some, false, "nfp_" + x},
	{"PMAK-", some, false, "PMAK-" + x}, {"pul-", some, false, "pul-" + x}, {"tfp_", some, false, "tfp_" + x}, {"ico-", many, false, "ico-" + x}, {"pnu_", some, false, "pnu_" + x}, {"rdme_", some, false, "rdme_" + x},
	{"sntrys_", few, false, "sntrys_" + x}, {"sntryu_", few, false, "sntryu_" + x}, {"lin_api_", few, false, "lin_api_" + x}, {"ntn_", many, false, "ntn_" + x}, {"figd_", some, false, "figd_" + x},
	{"ATATT3", some, false, "ATATT3" + x}, {"ATCTT3", some, false, "ATCTT3" + x}, {"ATBB", many, false, "ATBB" + x},
	// Clouds and infrastructure.
	{"AKIA", some, false, "AKIA0PEN5ESAME0PEN5E"}, {"ASIA", some, false, "ASIA0PEN5ESAME0PEN5E"}, {"ABIA", some, false, "ABIA0PEN5ESAME0PEN5E"}, {"ACCA", some, false, "ACCA0PEN5ESAME0PEN5E"},
	{"ABSK", 40, false, "ABSK" + x}, {"bedrock-api-key-", few, false, "bedrock-api-key-" + x}, {"amzn.mws.", few, false, "amzn.mws." + x},
	{"AIza", some, false, "AIza" + x}, {"ya29.", few, false, "ya29." + x}, {"GOCSPX-", few, false, "GOCSPX-" + x},
	{"7Q~", many, true, "abc7Q~" + x}, {"8Q~", many, true, "abc8Q~" + x}, {"LTAI", some, false, "LTAI" + x}, {"AKID", many, false, "AKID" + x},
	{"dop_v1_", few, false, "dop_v1_" + x}, {"doo_v1_", few, false, "doo_v1_" + x}, {"dor_v1_", few, false, "dor_v1_" + x},
	{"fo1_", many, false, "fo1_" + x}, {"fm1a_", many, false, "fm1a_" + x}, {"fm1r_", many, false, "fm1r_" + x}, {"fm2_", many, false, "fm2_" + x}, {"FlyV1 ", few, false, "FlyV1 " + x}, {"HRKU-", some, false, "HRKU-AA" + x},
	{"hvs.", some, false, "hvs." + x}, {"hvb.", some, false, "hvb." + x}, {"hvr.", some, false, "hvr." + x}, {".atlasv1.", few, true, "0pen5esame0pen.atlasv1." + x}, {"tskey-", few, false, "tskey-auth-" + x},
	{"dp.pt.", some, false, "dp.pt." + x}, {"dp.st.", some, false, "dp.st." + x}, {"dp.ct.", some, false, "dp.ct." + x}, {"dp.sa.", some, false, "dp.sa." + x},
	{"ops_eyJ", few, false, "ops_eyJ" + x}, {"AGE-SECRET-KEY-1", few, false, "AGE-SECRET-KEY-1" + x},
	{"SWMTKN-1-", few, false, "SWMTKN-1-" + x}, {"sha256~", many, false, "sha256~" + x}, {"dnkey-", some, false, "dnkey-" + x}, {"AQVN", many, false, "AQVN" + x}, {"EZAK", many, false, "EZAK" + x}, {"EZTK", many, false, "EZTK" + x},
	// Data and observation.
	{"dapi", 30, false, "dapi" + x}, {"pscale_tkn_", few, false, "pscale_tkn_" + x}, {"pscale_oauth_", few, false, "pscale_oauth_" + x}, {"pscale_pw_", few, false, "pscale_pw_" + x},
	{"glsa_", few, false, "glsa_" + x}, {"glc_", some, false, "glc_" + x}, {"dt0c01.", few, false, "dt0c01." + x}, {"dt0s16.", few, false, "dt0s16." + x}, {"NRAK-", some, false, "NRAK-" + x}, {"NRII-", some, false, "NRII-" + x},
	{"sm_aat_", few, false, "sm_aat_" + x}, {"sm_pat_", few, false, "sm_pat_" + x}, {"sm_sat_", few, false, "sm_sat_" + x}, {"tk-us-", some, false, "tk-us-" + x}, {"phx_", many, false, "phx_" + x},
	// Models.
	{"sk-ant-", few, false, "sk-ant-api03-" + x}, {"sk-proj-", few, false, "sk-proj-" + x}, {"sk-svcacct-", few, false, "sk-svcacct-" + x}, {"sk-admin-", few, false, "sk-admin-" + x}, {"sk-or-", some, false, "sk-or-v1-" + x},
	{"sk-lf-", some, false, "sk-lf-" + x}, {"T3BlbkFJ", few, true, "sk-0pen5esame0pen5esameT3BlbkFJ" + x}, {"hf_", 20, false, "hf_" + x}, {"api_org_", some, false, "api_org_" + x}, {"pplx-", some, false, "pplx-" + x},
	{"gsk_", many, false, "gsk_" + x}, {"xai-", many, false, "xai-" + x}, {"r8_", many, false, "r8_" + x}, {"nvapi-", some, false, "nvapi-" + x}, {"lsv2_pt_", few, false, "lsv2_pt_" + x}, {"lsv2_sk_", few, false, "lsv2_sk_" + x}, {"tvly-", some, false, "tvly-" + x},
	// Messages.
	{"xoxb-", few, true, "xoxb-" + x}, {"xoxp-", few, true, "xoxp-" + x}, {"xoxa-", few, true, "xoxa-" + x}, {"xoxr-", few, true, "xoxr-" + x}, {"xoxs-", few, true, "xoxs-" + x}, {"xoxo-", few, true, "xoxo-" + x},
	{"xoxe-", few, true, "xoxe-" + x}, {"xoxe.xox", few, true, "xoxe.xoxb-1-" + x}, {"xoxc-", few, true, "xoxc-" + x}, {"xoxd-", few, true, "xoxd-" + x}, {"xapp-", few, false, "xapp-1-" + x},
	{"SG.", some, false, "SG." + x}, {"key-", 32, false, "key-0pen5esame0pen5esame0pen5esame0p"}, {"xkeysib-", few, false, "xkeysib-" + x}, {"xsmtpsib-", few, false, "xsmtpsib-" + x}, {":AA", 33, true, "1234567890:AA" + x},
	{"fio-u-", some, false, "fio-u-" + x}, {"EAAC", 80, false, "EAAC" + x + x}, {"EAAM", 80, false, "EAAM" + x + x},
	// Commerce.
	{"sk_live_", few, false, "sk_live_" + x}, {"sk_test_", few, false, "sk_test_" + x}, {"sk_prod_", few, false, "sk_prod_" + x}, {"rk_live_", few, false, "rk_live_" + x}, {"rk_test_", few, false, "rk_test_" + x}, {"rk_prod_", few, false, "rk_prod_" + x},
	{"whsec_", few, true, "whsec_" + x}, {"sq0atp-", few, false, "sq0atp-" + x}, {"sq0csp-", few, false, "sq0csp-" + x}, {"EAAA", 40, false, "EAAA" + x}, {"FLWSECK", few, false, "FLWSECK_TEST-" + x},
	{"shpat_", few, false, "shpat_" + x}, {"shpca_", few, false, "shpca_" + x}, {"shppa_", few, false, "shppa_" + x}, {"shpss_", few, false, "shpss_" + x}, {"pat-", some, false, "pat-na1-" + x},
	{"shippo_live_", few, false, "shippo_live_" + x}, {"shippo_test_", few, false, "shippo_test_" + x}, {"duffel_live_", few, false, "duffel_live_" + x}, {"duffel_test_", few, false, "duffel_test_" + x},
	{"CFPAT-", some, false, "CFPAT-" + x}, {"p8e-", many, false, "p8e-" + x}, {"s-s4t2", some, false, "s-s4t2ud-" + x}, {"secret_", 40, false, "secret_" + x}, {"live_", 40, false, "live_" + x},
	// Of Cloudflare, too: the secret of a Turnstile widget, longer than its site key.
	{"0x4AAAAAAA", 21, false, "0x4AAAAAAA0pen5esame0pen5esame0pen"},
}

// prefixTexts are the texts of forms and of Cloudflare's tokens, in lower case.
func prefixTexts() []string {
	all := texts(cloudflareTokens)
	for i := range tokenForms {
		all = append(all, lowerASCII(tokenForms[i].text))
	}
	return all
}
