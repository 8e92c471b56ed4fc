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
	if len(b) < 8 {
		return isPlainSlow(b, json)
	}
	for i := 0; i < len(b)-8; i += 8 {
		if !areEightPlain(b[i:], json) && !isPlainSlow(b[i:i+8], json) {
			return false
		}
	}
	last := b[len(b)-8:] // which overlaps what was looked at
	return areEightPlain(last, json) || isPlainSlow(last, json)
}

// areEightPlain reports whether the first eight bytes are plain. It may report false
// for some that are.
func areEightPlain(b []byte, json bool) bool {
	x := binary.LittleEndian.Uint64(b)
	// The high bit of a byte is set if it is below ' ', above '~', or one of
	// the two. Bytes with a high bit of their own are among those above.
	odd := (x - 0x20*ones) | (x + ones) | x
	if json {
		odd |= (x ^ '"'*ones) - ones
		odd |= (x ^ '\\'*ones) - ones
	}
	return odd&highs == 0
}

func isPlainSlow(b []byte, json bool) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || json && (c == '"' || c == '\\') {
			return false
		}
	}
	return true
}
