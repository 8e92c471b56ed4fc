package redact

import (
	"cmp"
	"slices"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// words searches a text for many words at once, in any case, with little more
// than one table look-up per byte.
//
// It looks at every second position: at the three bytes there. Of any four bytes in
// a row, the first three or the last three begin at such a position. So each word is
// represented by four of its bytes, those rarest in typical entries, and the two
// triples in them are its signs. The word itself is compared only where a sign is
// found.
type words struct {
	// thirds has for each pair of bytes the third ones that make a sign of it.
	thirds [1 << 10]uint32
	// signs are the signs by their first two bytes.
	signs [1 << 10][]sign
}

// sign is a part of a word that begins at an offset.
type sign struct {
	word   string
	offset int
	thirds uint32 // the codes that its third byte may have
}

// minWord is the least length of a word. One of three bytes has a sign of two.
const minWord = 3

// codes are the kinds of bytes that signs tell apart: letters in either case, digits,
// what joins words, quotes, slashes, and the rest.
var codes = func() (code [256]uint16) {
	for c := range code {
		switch c := byte(c); {
		case isLower(c):
			code[c] = uint16(c - 'a')
		case isCapital(c):
			code[c] = uint16(c - 'A')
		case isDigit(c):
			code[c] = 26
		case c == '_':
			code[c] = 27
		case c == '-':
			code[c] = 28
		case c == '"':
			code[c] = 29
		case c == '\\', c == '/':
			code[c] = 30
		default:
			code[c] = 31
		}
	}
	return code
}()

// newWords makes a set of words, given in lower case. Of words that contain one
// another the shortest is enough.
func newWords(list []string) *words {
	w := new(words)
	for _, word := range slices.SortedFunc(slices.Values(list), func(a, b string) int { return cmp.Compare(len(a), len(b)) }) {
		if w.in(word) {
			continue
		}
		at := rarest(word)
		w.add(sign{word: word, offset: at})
		w.add(sign{word: word, offset: at + 1})
	}
	return w
}

func (w *words) add(s sign) {
	part := s.word[s.offset:]
	at := place(part[0], part[1])
	if len(part) > 2 {
		s.thirds = 1 << codes[part[2]]
	} else {
		s.thirds = 1<<32 - 1
	}
	w.thirds[at] |= s.thirds
	w.signs[at] = append(w.signs[at], s)
}

// place is a number for two bytes.
func place(a, b byte) uint16 { return (codes[a]<<5 | codes[b]) % (1 << 10) }

// in reports whether s contains one of the words.
func (w *words) in(s string) bool {
	i := 0
	for rest := s; len(rest) >= 9; rest = rest[8:] {
		c := rest[:9]
		c2, c4, c6 := codes[c[2]], codes[c[4]], codes[c[6]]
		found := w.thirds[(codes[c[0]]<<5|codes[c[1]])%(1<<10)]>>(c2%32) | w.thirds[(c2<<5|codes[c[3]])%(1<<10)]>>(c4%32) |
			w.thirds[(c4<<5|codes[c[5]])%(1<<10)]>>(c6%32) | w.thirds[(c6<<5|codes[c[7]])%(1<<10)]>>(codes[c[8]]%32)
		if found&1 != 0 && w.from(s, i, i+8) {
			return true
		}
		i += 8
	}
	return w.from(s, i, len(s))
}

// from reports whether one of the words stands in s that has a sign at one of
// the places from i up to end.
func (w *words) from(s string, i, end int) bool {
	for ; i+2 <= end; i += 2 {
		at := place(s[i], s[i+1])
		found := w.thirds[at]
		if i+2 < len(s) {
			found &= 1 << codes[s[i+2]]
		}
		if found != 0 && w.at(s, i, at, found) {
			return true
		}
	}
	return false
}

// at reports whether one of the words stands in s that has a sign at i: two bytes at
// a place, and one of the third ones.
func (w *words) at(s string, i int, at uint16, thirds uint32) bool {
	signs := w.signs[at]
	for k := range signs {
		known := &signs[k]
		if start := i - known.offset; known.thirds&thirds != 0 && start >= 0 && text.FoldPrefix(s[start:], known.word) {
			return true
		}
	}
	return false
}

// rarest is the offset of the four bytes of a word whose two triples are rarest in
// usual.
func rarest(word string) int {
	best, least := 0, 1<<30
	for i := range max(1, len(word)-3) {
		n := 0
		for j := i; j < min(i+2, len(word)-1); j++ {
			n += commonness(word[j:])
		}
		if n < least {
			best, least = i, n
		}
	}
	return best
}

// commonness counts the triple that a text begins with in usual, or the pair that it
// is.
func commonness(part string) int {
	pair := place(part[0], part[1])
	if len(part) == 2 {
		return inUsual.pairs[pair]
	}
	return inUsual.triples[pair][codes[part[2]]]
}

// inUsual counts the pairs and the triples in usual. Every word asks for those of all
// its parts, so they are counted once.
var inUsual = func() (counts struct {
	pairs   [1 << 10]int
	triples [1 << 10][1 << 5]int
}) {
	for i := range len(usual) - 2 {
		pair := place(usual[i], usual[i+1])
		counts.pairs[pair]++
		counts.triples[pair][codes[usual[i+2]]]++
	}
	return counts
}()

// usual is a sample of usual entries. It decides which signs words get, and with
// them only how fast words are found.
const usual = `{"comment":"ticket 10","content":"edge.example.net","created_on":"2025-11-03T09:14:27.305112Z",
"id":"dc974d15ba6040050e07c01017f58c00","locked":false,"meta":{"auto_added":false,"managed_by_apps":false,
"managed_by_argo_tunnel":false},"modified_on":"2026-02-17T16:40:02.88671Z","name":"shop.example.com","proxiable":true,
"proxied":false,"settings":{},"tags":[],"ttl":300,"type":"CNAME","zone_id":"3daab7cff97925bbd07d11df5dc3b0e3",
"zone_name":"example.org"}{"kind":"zone","name":"default","phase":"http_request_firewall_custom",
"ruleset_id":"c843f2c7f7c158d8e7153a9431219600","version":"89","modified_rules":[{"action":"block","description":"keep rule 0",
"enabled":false,"expression":"(http.request.uri.path contains \"/admin/89\" and not ip.src in {203.0.113.0/24})",
"id":"c843f2c7f7c158d8e7153a9431219600","last_updated":"2026-03-01T10:00:00.123456Z",
"ref":"c843f2c7f7c158d8e7153a9431219600","version":"89"},{"action":"block","description":"keep rule 1","enabled":true,
"expression":"(http.request.uri.path eq \"/login/7\" and cf.client.bot or ip.geoip.country ne \"US\")"}]}
{"email":"alice@example.com","roles":["Administrator"],"status":"active","permissions":[],"policies":[],"hosts":[],
"value":"on","old_value":"off","result":"success","success":true,"errors":[],"messages":[],"method":"POST","editable":true,
"user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","cf_ray_id":"7203e2971029c147-FRA",
"status_code":200,"product":"dns_records","request":{},"response":{},"scope":"zones"}`
