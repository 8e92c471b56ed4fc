package text

import (
	"encoding/binary"
	"unsafe"
)

// The bits of eight bytes at once.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// IsPlain reports whether s consists of printable ASCII characters.
func IsPlain(s string) bool { return isPlain(s, false) }

// IsPlainJSON reports whether s consists of printable ASCII characters that stand
// for themselves within a JSON string.
func IsPlainJSON(s string) bool { return isPlain(s, true) }

func isPlain(s string, json bool) bool {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		// The high bit of a byte is set if it is below ' ', above '~', or one of
		// the two. Bytes with a high bit of their own are among those above.
		odd := (x - 0x20*ones) | (x + ones) | x
		if json {
			odd |= (x ^ '"'*ones) - ones
			odd |= (x ^ '\\'*ones) - ones
		}
		if odd&highs != 0 && !isPlainSlow(b[:8], json) {
			return false
		}
	}
	return isPlainSlow(b, json)
}

func isPlainSlow(b []byte, json bool) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || json && (c == '"' || c == '\\') {
			return false
		}
	}
	return true
}
