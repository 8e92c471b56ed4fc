package text

import (
	"strings"

	"golang.org/x/net/idna"
)

// names maps the names of hosts as UTS 46 says: letters in one of several
// spellings, such as capital and decomposed ones, and the dots of other scripts.
// What it does not allow is kept, because a name is shown and compared, not looked
// up.
var names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// ZoneName is the name of a zone in its usual spelling, in lower case and without
// a dot at its end.
func ZoneName(name string) string {
	if !IsASCII(name) {
		name, _ = names.ToUnicode(name)
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// DNSZone is the name of a zone, in any spelling, in the one that names and patterns
// are compared in: the spelling of the DNS.
func DNSZone(name string) string { return ASCIIZone(ZoneName(name)) }

// ASCIIZone is the name of a zone, in lower case, with the letters outside
// ASCII in the spelling of the DNS: "bücher.example" is
// "xn--bcher-kva.example".
func ASCIIZone(name string) string {
	if IsASCII(name) {
		return name
	}
	name, _ = names.ToASCII(name)
	return name
}
