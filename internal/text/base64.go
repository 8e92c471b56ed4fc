package text

import (
	"encoding/base64"
	"strings"
)

const minEncoded = 8

// InBase64 is a secret as it is, and the parts of it in base64 that do not depend on
// what stands around it: three for each alphabet, since it may begin at any of three
// bits. A secret shorter than minEncoded is only as it is: its parts would be found
// in ordinary words.
func InBase64(secret string) []string {
	forms := []string{secret}
	if len(secret) < minEncoded {
		return forms
	}
	for shift := range 3 {
		padded := strings.Repeat("\x00", shift) + secret
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := encoding.EncodeToString([]byte(padded[:len(padded)/3*3]))
			if shift > 0 {
				encoded = encoded[4:] // it depends on the bytes before
			}
			if forms[len(forms)-1] != encoded {
				forms = append(forms, encoded)
			}
		}
	}
	return forms
}
