package httpx

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseAddress_IsAnHTTPAddressWithAHost(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://siem.example.com", "http://siem.example.com:8088/ingest?key=x", "https://192.0.2.1:65535/", "https://[2001:db8::1]:443/x", "HTTPS://siem.example.com",
	} {
		u, ok := ParseAddress(address)
		require.True(t, ok, address)
		require.NotNil(t, u, address)
	}
	for _, address := range []string{
		"", "siem.example.com", "siem.example.com:8088", "//siem.example.com", "https:", "https://", "https:///ingest", "https://:443", "https://user@/ingest", "https:siem.example.com",
		"ftp://siem.example.com", "wss://siem.example.com", "unix:///run/siem.sock", "https://siem.example.com:0", "https://siem.example.com:", "https://siem.example.com:65536",
		"https://siem.example.com:99999999999", "https://siem.example.com:x", "https://siem.example.com:-1", "https://[2001:db8::1", "https://siem example.com", "https://%zz",
	} {
		_, ok := ParseAddress(address)
		require.False(t, ok, address)
	}
}

func TestIsEncrypted_ByTLSOrOnThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://siem.example.com": true, "http://localhost:8080": true, "http://127.0.0.1": true, "http://[::1]:1": true, "http://siem.example.com": false, "http://192.0.2.1": false,
	} {
		u, ok := ParseAddress(address)
		require.True(t, ok, address)
		require.Equal(t, want, IsEncrypted(u), address)
	}
}

func TestHasFragment_OneThatIsEmptyToo(t *testing.T) {
	t.Parallel()
	require.True(t, HasFragment("https://siem.example.com/#a"))
	require.True(t, HasFragment("https://siem.example.com/#"))
	require.False(t, HasFragment("https://siem.example.com/%23"))
}
