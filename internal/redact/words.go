package redact

import (
	"github.com/aisoc/cloudflareaudit/internal/text"
)

// words searches a text for many words at once, in any case, with little more
// than one table look-up per byte.
//
// It looks at every second position: at the two bytes there and the one after
// them. Of any four bytes in a row, the first three or the last three begin at
// such a position. So each word is represented by four of its bytes, those
// rarest in typical entries, and the two triples in them are its signs. The
// word itself is compared only where a sign is found.
type words struct {
	// The bits of a byte are the signs of which it is the first, the second and
	// the third byte. Signs with the same second byte share a bit.
	first, second, third [256]uint64
	// signs are the signs by the place of their first two bytes, which does not
	// depend on case.
	signs [1 << 10][]sign
}

// sign is a part of a word that begins at an offset.
type sign struct {
	word   string
	offset int
}

// minWord is the least length of a word. One of three bytes has a sign of two.
const minWord = 3

// newWords makes a set of words, given in lower case.
func newWords(list []string) *words {
	w := new(words)
	bits := map[[2]byte]int{} // by the second byte, and whether there is no third one
	for _, word := range list {
		at := rarest(word)
		w.add(sign{word, at}, bits)
		w.add(sign{word, at + 1}, bits)
	}
	return w
}

func (w *words) add(s sign, bits map[[2]byte]int) {
	part := s.word[s.offset:]
	group := [2]byte{part[1]}
	if len(part) < 3 {
		group[1] = 1
	}
	bit, ok := bits[group]
	if !ok {
		bit = len(bits) % 64 // if there were more, some would share one, which is only slower
		bits[group] = bit
	}
	mark(&w.first, part[0], bit)
	mark(&w.second, part[1], bit)
	if len(part) < 3 {
		for c := range w.third {
			w.third[c] |= 1 << bit
		}
	} else {
		mark(&w.third, part[2], bit)
	}
	at := place(part[0], part[1])
	w.signs[at] = append(w.signs[at], s)
}

// mark sets a bit for a byte, and for the letter in upper case.
func mark(table *[256]uint64, c byte, bit int) {
	table[c] |= 1 << bit
	if 'a' <= c && c <= 'z' {
		table[c-'a'+'A'] |= 1 << bit
	}
}

// place is a number for two bytes. Letters have the same one in either case.
func place(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// in reports whether s contains one of the words.
func (w *words) in(s string) bool {
	i := 0
	for rest := s; len(rest) >= 9; rest = rest[8:] {
		c := rest[:9]
		if w.first[c[0]]&w.second[c[1]]&w.third[c[2]]|w.first[c[2]]&w.second[c[3]]&w.third[c[4]]|
			w.first[c[4]]&w.second[c[5]]&w.third[c[6]]|w.first[c[6]]&w.second[c[7]]&w.third[c[8]] != 0 && w.from(s, i, i+8) {
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
		found := w.first[s[i]] & w.second[s[i+1]]
		if i+2 < len(s) {
			found &= w.third[s[i+2]]
		}
		if found != 0 && w.at(s, i) {
			return true
		}
	}
	return false
}

// at reports whether one of the words stands in s that has a sign at i.
func (w *words) at(s string, i int) bool {
	for _, known := range w.signs[place(s[i], s[i+1])] {
		if start := i - known.offset; start >= 0 && text.FoldPrefix(s[start:], known.word) {
			return true
		}
	}
	return false
}

// rarest is the offset of the four bytes of a word that are rarest in usual.
func rarest(word string) int {
	best, least := 0, 1<<30
	for i := range max(1, len(word)-3) {
		n := 0
		for j := i; j < min(i+3, len(word)-1); j++ {
			n += usually[place(word[j], word[j+1])]
		}
		if n < least {
			best, least = i, n
		}
	}
	return best
}

// usually counts the pairs of bytes in usual by their place.
var usually = func() (n [1 << 10]int) {
	for i := range len(usual) - 1 {
		n[place(usual[i], usual[i+1])]++
	}
	return n
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
