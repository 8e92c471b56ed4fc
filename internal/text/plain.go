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
		return odd(few(b), json) == 0
	}
	found := odd(binary.LittleEndian.Uint64(b[len(b)-8:]), json) // overlaps what follows
	for ; len(b) > 8; b = b[8:] {
		found |= odd(binary.LittleEndian.Uint64(b), json)
	}
	return found == 0
}

// few is fewer than eight bytes and some spaces, in an order of its own.
func few(b []byte) uint64 {
	const space = ' ' * ones
	switch n := len(b); {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16 | space&^(1<<24-1)
	}
	return space
}

// odd is zero if eight bytes are plain.
func odd(x uint64, json bool) uint64 {
	// The high bit of a byte is set if it is below ' ', above '~', or one of
	// the two. Bytes with a high bit of their own are among those above. What such
	// a byte does to those that follow makes no difference.
	found := (x - 0x20*ones) | (x + ones) | x
	if json {
		found |= (x ^ '"'*ones) - ones
		found |= (x ^ '\\'*ones) - ones
	}
	return found & highs
}
