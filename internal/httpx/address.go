package httpx

import (
	"net/url"
	"strconv"
	"strings"
)

// ParseAddress parses the address of a service: an absolute http or https URL with a
// host and, if there is a port, one from 1 to 65535. For any other it returns false,
// and the URL if it is one at all.
func ParseAddress(address string) (*url.URL, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, false
	}
	if u.Opaque != "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return u, false
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		n, err := strconv.ParseUint(port, 10, 16)
		return u, err == nil && n > 0
	}
	return u, true
}

// HasFragment reports whether an address has a fragment, which may be empty.
func HasFragment(address string) bool { return strings.Contains(address, "#") }

// IsEncrypted reports whether what is sent to an address that ParseAddress accepts
// cannot be read on the way: by TLS, or because it does not leave this machine.
func IsEncrypted(u *url.URL) bool { return u.Scheme == "https" || IsLoopback(u.Hostname()) }
