package product

import (
	"slices"
	"strings"
)

// spelled are the words of actions that are not written in lower case:
// abbreviations, the names of products, and words that paths shorten. An underscore
// joins the words of one name.
const spelled = "app=application apps=application auth=authentication config=configuration configs=configuration " +
	"2FA ACL ACLs AI API API_Shield ASN AWS Access AI_Gateway AI_Search Argo BGP BYOIP CA CAA CASB CIDR CMB CNAME CNI CNIs CORS CSR CSRs CT " +
	"Calls Cloudflare Cloudforce_One D1 DCV DDoS DEX DKIM DLP DLS DMARC DNS DNSSEC DoH GCP GraphQL HSTS HTTP HTTP2 HTTP3 HTTPS Hyperdrive ID IDs IP IPs " +
	"IPFS IPsec IPv4 IPv6 JSON JWT KV LAN LANs Logpush MCP MFA MNM mTLS MX MoQ NS OAuth OIDC LOA OTP PAC Origin_CA PDF R2 R2_Catalog RDP RUM SAML SCIM SQL SSH SSL SSO " +
	"Spectrum TCP TLS TURN TXT Turnstile UDP URL URLs VPC Vectorize WAF WAN WANs WARP WHOIS Worker Workers XSS Zaraz Zero_Trust ZT"

// phrases are actions, and subjects of actions, that are better known by other
// words.
var phrases = map[string]string{
	"custom_ns":            "custom name server",
	"pages":                "Pages",
	"worker.script":        "Worker",
	"worker.script.update": "Worker code changed",
	"zone.firewall":        "firewall",
	"zone.pagerule":        "page rule",
	"zone.ruleset":         "ruleset",
}

// deeds are words for what is done to a thing besides the verbs, as API paths and
// action types have them. A word with irregular forms comes with its participle.
const deeds = "abort ack=acknowledged acknowledge analyze analyse appeal apply approve archive ask assign authorize authenticate ban=banned begin=begun bind=bound block " +
	"bypass challenge check claim clear clip=clipped clone close complete configure connect convert copy disconnect discover dismiss download drain draw=drawn dump evaluate " +
	"execute expire export fail fetch finalize finish flush force freeze=frozen generate grant ignore index ingest initiate install invalidate join kick launch link load lock " +
	"login=login logout=logout logged map=mapped mark merge migrate mitigate move mute open order peek pend=pending pending=made_pending ping=pinged poll precheck preview " +
	"probe process promote provision prune publish pull push query quarantine reclassify recover refresh register reject release render reload renew reorder report request resend=resent " +
	"reset=reset restart restore retry retrieve revert review rollback=rolled_back run=run scan=scanned schedule scrape search select send=sent share sign " +
	"signin=login signout=logout skip=skipped snapshot split=split stop=stopped store submit=submitted subscribe swap=swapped switch sync=synchronized synchronize terminate test track " +
	"transfer=transferred trigger tune unarchive unassign unban=unbanned unblock undelete unignore unlink unlock unmute unpublish unrevoke unsubscribe untrack upgrade upload upsert validate verify " +
	"withdraw=withdrawn write=written " +
	// The verbs whose participle does not follow from their form.
	"change=changed edit=changed edited=changed modify=changed modified=changed patch=changed patched=changed put=changed save=changed saved=changed set=set " +
	"update=changed updated=changed updates=changed updating=changed get=read read=read list=listed show=shown del=deleted unset=unset leave=left " +
	"enrol=enrolled unenrol=unenrolled new=created on=switched_on off=switched_off cancel=cancelled " +
	"creates=created creating=created adds=added deletes=deleted removes=removed overwrite=overwritten"

// tails are words that stay behind the verb: "transfer_out", "delete_by_ids".
var tails = []string{"away", "by", "down", "for", "from", "in", "into", "out", "to", "up", "with"}

// addWords prepares the words and participles.
func (x *index) addWords() {
	for entry := range strings.FieldsSeq(spelled) {
		word, name, given := strings.Cut(entry, "=")
		if !given {
			word, name = strings.ToLower(word), word
		}
		x.spelled[word] = strings.ReplaceAll(name, "_", " ")
	}
	for _, row := range verbs {
		for word := range strings.FieldsSeq(row.words) {
			x.participles[word] = participle(word)
		}
	}
	for deed := range strings.FieldsSeq(deeds) {
		word, form, irregular := strings.Cut(deed, "=")
		if !irregular {
			form = participle(word)
		}
		x.participles[word] = strings.ReplaceAll(form, "_", " ")
	}
}

// participle is the regular past participle of a verb.
func participle(word string) string {
	switch {
	case strings.HasSuffix(word, "ed"):
		return word
	case strings.HasSuffix(word, "e"):
		return word + "d"
	case strings.HasSuffix(word, "y") && !strings.ContainsAny(word[len(word)-2:len(word)-1], "aeo"):
		return word[:len(word)-1] + "ied"
	}
	return word + "ed"
}

// wordsOfAction puts an action into words: "queue consumer changed" for
// "queue.consumer.update". The first word is in lower case unless it is a name.
func wordsOfAction(action string) string {
	thing, deed := "", action
	if i := strings.LastIndexByte(action, '.'); i >= 0 {
		thing, deed = action[:i], action[i+1:]
	}
	if phrase := phrases[action]; phrase != "" {
		return phrase
	}
	var buf [128]byte
	w := wording{b: buf[:0]}
	w.subject(thing)
	w.deed(deed)
	return string(w.b)
}

// wording is text in the making.
type wording struct {
	b    []byte
	last string // the last word of the action that was put
}

// subject puts the thing acted upon.
func (w *wording) subject(s string) {
	for of := s; of != ""; of = of[:max(strings.LastIndexByte(of, '.'), 0)] {
		if phrase := phrases[of]; phrase != "" {
			w.put(phrase)
			s = strings.TrimPrefix(s[len(of):], ".")
			break
		}
	}
	for segment := range strings.SplitSeq(s, ".") {
		if segment != ActionUnknown && !isVersion(segment) {
			w.segment(segment)
		}
	}
}

// segment puts the words of a part of an action, the last one in the singular.
func (w *wording) segment(s string) {
	for s != "" {
		word, name, rest := nextWord(s)
		if s = rest; s == "" && name == "" {
			word = singular(word)
		}
		if word == "" || word == w.last || singular(word) == w.last {
			continue // "gateways" after "ai_gateway", "namespaces.namespace"
		}
		w.last = word[strings.LastIndexByte(word, '_')+1:]
		if name != "" {
			word = name
		}
		w.put(word)
	}
}

// deed puts what was done: the words of the last part of an action, with its verb
// as a participle at the end.
func (w *wording) deed(s string) {
	did, at := "", -1
	for i := 0; i < len(s); {
		word, _, _ := strings.Cut(s[i:], "_")
		v, isVerb := known.verbs[word]
		if isVerb && !v.weak {
			did, at = word, i
			break
		}
		if _, isOther := w.participle(word); at < 0 && (isVerb || isOther) {
			did, at = word, i
		}
		i += len(word) + 1
	}
	if at < 0 {
		if s == ActionUnknown {
			s = "action"
		}
		w.segment(s)
		w.put("recorded") // that is all that is certain
		return
	}
	form, _ := w.participle(did)
	before, after := strings.TrimSuffix(s[:at], "_"), strings.TrimPrefix(s[at+len(did):], "_")
	w.segment(before)
	if first, _, _ := strings.Cut(after, "_"); after != "" && !slices.Contains(tails, first) {
		w.segment(after)
		after = ""
	}
	w.put(form)
	w.segment(after)
}

// participle is the participle of a word that is a verb.
func (w *wording) participle(word string) (string, bool) {
	if form, ok := known.participles[word]; ok {
		return form, true
	}
	if len(word) > 4 && strings.HasSuffix(word, "ed") {
		return word, true
	}
	return "", false
}

func (w *wording) put(word string) {
	if len(w.b) > 0 {
		w.b = append(w.b, ' ')
	}
	w.b = append(w.b, word...)
}

// nextWord is the first word of a part of an action and how it is spelled, if
// that is not as it stands. Of "ai_gateway_log" it is "ai_gateway", spelled "AI
// Gateway".
func nextWord(s string) (word, name, rest string) {
	word, rest, _ = strings.Cut(s, "_")
	if second, after, _ := strings.Cut(rest, "_"); second != "" {
		two := s[:len(word)+1+len(second)]
		if name := known.spelled[two]; name != "" {
			return two, name, after
		}
	}
	return word, known.spelled[word], rest
}

// plurals are words that end in "s" and stay as they are.
var plurals = []string{"analytics", "robots", "settings", "timeseries", "series", "details", "headers", "insights", "sms", "dns", "tls", "https", "aws"}

// singular is the singular of a noun.
func singular(word string) string {
	stem, plural := strings.CutSuffix(word, "s")
	switch {
	case !plural, len(word) < 4, strings.HasSuffix(stem, "s"), strings.HasSuffix(stem, "u"), strings.HasSuffix(stem, "i"), slices.Contains(plurals, word):
		return word
	case strings.HasSuffix(stem, "ie"):
		return stem[:len(stem)-2] + "y"
	case strings.HasSuffix(stem, "sse"), strings.HasSuffix(stem, "xe"), strings.HasSuffix(stem, "she"):
		return stem[:len(stem)-1]
	}
	return stem
}

// isVersion reports whether a part of an action is the version of an API: "v1".
func isVersion(s string) bool {
	return len(s) == 2 && s[0] == 'v' && '0' <= s[1] && s[1] <= '9'
}
