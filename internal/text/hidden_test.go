package text_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/text"
)

// everyPercent encodes each character, and everyU escapes it for JSON.
func everyPercent(s string) string { return each(s, "%%%02X") }
func everyU(s string) string       { return each(s, `\u%04x`) }

func each(s, form string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, form, c)
	}
	return b.String()
}

func inJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestHidden_IsFoundInEveryWayOfWritingIt(t *testing.T) {
	t.Parallel()
	const secret = "correct+horse/battery_staple"
	h := text.Hide(secret)
	ways := map[string]string{
		"plain":                     secret,
		"percent":                   everyPercent(secret),
		"percent, in part":          strings.ReplaceAll(secret, "r", "%72"),
		"as a query":                url.QueryEscape(secret),
		"percent, twice":            url.QueryEscape(everyPercent(secret)),
		"escapes of JSON":           everyU(secret),
		"one escape":                `\u0063` + secret[1:],
		"upper case":                strings.ReplaceAll(secret, "/", `\u002F`),
		"a slash of JSON":           strings.ReplaceAll(secret, "/", `\/`),
		"JSON in JSON":              inJSON(everyU(secret)),
		"JSON in JSON in JSON":      inJSON(inJSON(everyU(secret))),
		"percent in JSON":           inJSON(inJSON(everyPercent(secret))),
		"base64 in a query":         url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("??>" + secret))),
		"base64 with escaped signs": strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("?>>>"+secret+"??")), "/", `\/`),
	}
	for name, way := range ways {
		for _, around := range []string{"%s", "a %s b", "x=%s&y=50%%", `{"a":"%s"}`, `C:\users\ %s \u00e9`} {
			s := fmt.Sprintf(around, way)
			shown, n := h(s, "[*]")
			assert.Equal(t, 1, n, "%s: %s", name, s)
			assert.Contains(t, shown, "[*]", "%s: %s", name, s)
			for _, left := range []string{"orrect", "horse", "staple", url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))[:16]} {
				assert.NotContains(t, shown, left, "%s: %s", name, s)
			}
			assert.Less(t, len(shown), len(s)-len(secret)+len("[*]")+1, "%s: all of it goes: %s", name, shown)
		}
	}
	shown, n := h(secret+" "+everyU(secret)+" "+everyPercent(secret)+" "+inJSON(everyU(secret))+" 100%", "[*]")
	assert.Equal(t, 4, n)
	assert.Equal(t, `[*] [*] [*] "[*]" 100%`, shown)
}

// What a group of base64 shares with the secret is not shown either.
func TestHidden_InBase64LeavesNoPartOfIt(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery-staple"
	h := text.Hide(secret)
	for before := range 7 {
		for after := range 7 {
			plain := strings.Repeat("<", before) + secret + strings.Repeat(">", after)
			shown, n := h("see "+base64.StdEncoding.EncodeToString([]byte(plain))+" there", "[*]")
			require.Equal(t, 1, n, plain)
			kept := strings.TrimSuffix(strings.TrimPrefix(shown, "see "), " there")
			head, tail, _ := strings.Cut(kept, "[*]")
			// Only whole groups of what is around it are left.
			assert.LessOrEqual(t, len(head), before/3*4, shown)
			assert.LessOrEqual(t, len(tail), (after+2)/3*4, shown)
			decoded, err := base64.StdEncoding.DecodeString(head[:len(head)/4*4])
			require.NoError(t, err)
			assert.Empty(t, strings.Trim(string(decoded), "<"), shown)
		}
	}
}

func TestHidden_MayHaveSignsThatJSONEscapes(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{`a"quoted"word`, `C:\secret\word`, `<&>'secret'`, `50%secret`, "schlüssel-wort"} {
		for _, way := range []string{secret, inJSON(secret), inJSON(inJSON(secret)), url.QueryEscape(secret)} {
			shown, n := text.Hide(secret)("x "+way, "[*]")
			assert.Equal(t, 1, n, way)
			assert.Equal(t, "x [*]", strings.NewReplacer(`\`, "", `"`, "").Replace(shown), way)
		}
	}
}

func TestHidden_LeavesOtherTextsAlone(t *testing.T) {
	t.Parallel()
	h := text.Hide("correct-horse-battery-staple")
	for _, s := range []string{"", "correct horse", "%", "100%zz", `\`, `\u`, `\u00`, `\uzzzz`, "%63%6f", `C:\new\table`, "%E2%82%AC", strings.Repeat("%25", 50)} {
		shown, n := h(s, "[*]")
		assert.Equal(t, s, shown)
		assert.Zero(t, n, s)
	}
	shown, n := text.Hide("")("a", "[*]")
	assert.Equal(t, "a", shown)
	assert.Zero(t, n)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", h, h, h), "horse")
}
