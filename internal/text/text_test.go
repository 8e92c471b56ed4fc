package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

func TestShorten_CutsBetweenCharacters(t *testing.T) {
	t.Parallel()
	require.Equal(t, "äö", text.Shorten("äö", 4))
	require.Equal(t, "ä…", text.Shorten("äö", 3))
	require.Equal(t, "ä…", text.Shorten("äö", 2))
}

func TestOneLine_HasNoControlCharactersAndNoBidirectionalOnes(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b c d", text.OneLine("a\nb\tc\u2028d\x00\u202e\x7f", 100))
	require.Equal(t, "\uFFFD", text.OneLine("\xff\xfe", 100))
}

func TestClean_PutsSpacesInPlaceOfControlCharacters(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a  b\uFFFDc", text.Clean("a\r\nb\xffc", 10))
	require.Equal(t, "äöü…", text.Clean("äöüß", 3))
	require.Equal(t, "äöü", text.Clean("äöü", 3))
}

func TestExcerpt_IsTheBeginningOnOneLine(t *testing.T) {
	t.Parallel()
	require.Equal(t, "<html> <head> x", text.Excerpt("\n<html>\n\t<head>\x00 x ", 80))
	got := text.Excerpt(strings.Repeat("€ \n", 1<<20), 10)
	require.True(t, utf8.ValidString(got))
	require.Equal(t, "€ € € € € …", got)
}

func TestSuggest_NamesTheNearest(t *testing.T) {
	t.Parallel()
	known := []string{"account_id", "api_token", "page_size"}
	assert.Equal(t, `; did you mean "page_size"?`, text.Suggest("pagesize", known))
	assert.Equal(t, `; did you mean "api_token"?`, text.Suggest("API_TOKEN", known))
	assert.Equal(t, "; there are account_id, api_token, page_size", text.Suggest("zzz", known))
	assert.Empty(t, text.Suggest("zzz", make([]string, 31)))
	assert.Equal(t, `; did you mean "DELETE"?`, text.Suggest("delte", []string{"GET", "DELETE"}))
}

func TestNearest_IsSurelyMeant(t *testing.T) {
	t.Parallel()
	known := []string{"dns.record.delete", "DNS_record", "ssl"}
	for name, want := range map[string]string{
		"dns.recrod.delete": "dns.record.delete", "dns_records": "DNS_record", "DNS_recrod": "DNS_record",
		"dns.record.create": "", "sl": "", "tls": "",
	} {
		assert.Equal(t, want, text.Nearest(name, known), name)
	}
}
