package product

import (
	"net/netip"
	"slices"
	"strings"
)

// maxTyped bounds the part of a resource or action type that is searched for ids.
const maxTyped = 512

// typeMarks separate the words of a type. Dots, colons and hyphens do too, but are
// also part of addresses and ids.
const typeMarks = " _/|,;=#()"

// withoutIDs is a resource or action type without what tells one thing from
// others of its kind: ids, numbers, addresses and names of hosts.
func withoutIDs(s string) string {
	if !strings.ContainsAny(s, "0123456789.@") && len(s) < shortestHex {
		return s
	}
	var b []byte
	mark := ""
	for rest := s[:min(len(s), maxTyped)]; rest != ""; {
		chunk, behind := rest, ""
		if i := strings.IndexAny(rest, typeMarks); i >= 0 {
			chunk, behind = rest[:i], rest[i:i+1]
		}
		rest = rest[len(chunk)+len(behind):]
		if mark != "/" || !isNumber(chunk) { // which may be the length of a prefix
			b = appendWords(b, chunk)
		}
		b = append(b, behind...)
		mark = behind
	}
	return strings.Trim(string(b), typeMarks+".:-")
}

// appendWords appends the parts of a chunk that are no ids.
func appendWords(b []byte, chunk string) []byte {
	if isAddress(chunk) {
		return b
	}
	if before, behind, found := strings.Cut(chunk, ":"); found {
		return appendWords(append(appendWords(b, before), ':'), behind)
	}
	first := true
	for part := range strings.SplitSeq(chunk, ".") {
		if isID(part) {
			continue
		}
		if !first {
			b = append(b, '.')
		}
		b, first = append(b, part...), false
	}
	return b
}

// domains end the names of hosts in a type. They are no words of Cloudflare's, as
// "app" and "ai" are.
var domains = strings.Fields("com net org info biz io co eu us uk de fr example invalid localhost pages.dev workers.dev")

// isAddress reports whether a chunk of a type is an e-mail address, an IP address or
// the name of a host.
func isAddress(chunk string) bool {
	if strings.Contains(chunk, "@") && !strings.Contains(chunk, ":") {
		return true
	}
	if _, err := netip.ParseAddr(chunk); err == nil {
		return true
	}
	return slices.ContainsFunc(domains, func(domain string) bool {
		host, found := strings.CutSuffix(strings.ToLower(chunk), domain)
		return found && len(host) > 1 && host[len(host)-1] == '.' && !strings.Contains(host, ":")
	})
}

// shortestHex is the length from which on hexadecimal digits are an id even
// without a decimal one among them.
const shortestHex = 24

// isID reports whether a part of a type is an id: hexadecimal digits, a number, or
// letters mixed with digits.
func isID(part string) bool {
	const longestWord = 8 // such as sha256 and x509
	if len(part) >= shortestHex && strings.Trim(part, "0123456789abcdefABCDEF-") == "" {
		return true
	}
	digits := 0
	for i := range len(part) {
		if '0' <= part[i] && part[i] <= '9' {
			digits++
		}
	}
	return digits > 2 && (digits == len(part) || len(part) > longestWord)
}

func isNumber(part string) bool { return part != "" && strings.Trim(part, "0123456789") == "" }
