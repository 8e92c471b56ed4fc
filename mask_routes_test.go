package cloudflareaudit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The bounds of what may go wrong with the entries in testdata/secrets/routes.txt.
const (
	leastInRoutes, mostShownInRoutes      = 290, 5
	leastKeptInRoutes, mostMaskedInRoutes = 1260, 16
)

func TestMask_EntriesOfRealRoutes(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	secrets, harmless := 0, 0
	var shown, hidden []string
	for i, line := range linesOf(t, "testdata/secrets/routes.txt") {
		p := plantedEntry(t, i, line)
		got, _ := n.Normalize([]byte(p.raw))
		whole, raw := string(got.AppendJSON(nil)), string(got.RawEvent)
		for _, secret := range p.secrets {
			secrets++
			if strings.Contains(whole, secret) {
				shown = append(shown, secret+" in "+line)
			}
		}
		for _, value := range p.harmless {
			harmless++
			if strings.Count(unescaped(raw), value) < strings.Count(unescaped(p.raw), value) {
				hidden = append(hidden, value+" in "+line)
			}
		}
		again, _ := n.Normalize([]byte(raw))
		assert.JSONEq(t, raw, string(again.RawEvent), "masked again")
	}
	t.Logf("%d of %d secrets are shown, %d of %d harmless values are masked", len(shown), secrets, len(hidden), harmless)
	assert.GreaterOrEqual(t, secrets, leastInRoutes)
	assert.GreaterOrEqual(t, harmless, leastKeptInRoutes)
	assert.LessOrEqual(t, len(shown), mostShownInRoutes, strings.Join(shown, "\n"))
	assert.LessOrEqual(t, len(hidden), mostMaskedInRoutes, strings.Join(hidden, "\n"))
	if testing.Verbose() {
		t.Log("\n" + strings.Join(append(shown, hidden...), "\n"))
	}
}

// unescaped is a text without the escapes of JSON, however often it is quoted.
func unescaped(s string) string {
	return strings.NewReplacer(`\`, "", `u003c`, "<", `u003e`, ">", `u0026`, "&").Replace(s)
}

// plantedEntry is the entry that a line describes.
func plantedEntry(t *testing.T, at int, line string) planted {
	p := planted{}
	made := 0
	line = secretMark.ReplaceAllStringFunc(line, func(mark string) string {
		beginning, made1 := secretMark.FindStringSubmatch(mark)[1], at*100+made
		made++
		secret := ofKind(t, beginning, made1)
		// What an Authorization header says first is no secret, and only a line of a
		// PEM block is looked for.
		core, _, _ := strings.Cut(secret, `\n`)
		_, behind, found := strings.Cut(core, " ")
		if found {
			core = behind
		}
		p.secrets = append(p.secrets, core)
		return secret
	})
	for _, mark := range harmlessMark.FindAllStringSubmatch(line, -1) {
		p.harmless = append(p.harmless, unescaped(mark[1]))
	}
	line = harmlessMark.ReplaceAllString(line, "$1")
	word, rest := cutAfter(line, strings.IndexByte(line, ' '))
	id := fmt.Sprintf("0d5f3c1a-7e55-4c1f-9d1e-%012d", at)
	switch word {
	case "V1", "LP1":
		action, members := cutAfter(rest, strings.IndexByte(rest, ' '))
		resource, members := cutAfter(members, strings.IndexByte(members, ' '))
		require.True(t, json.Valid([]byte(members)), members)
		if word == "V1" {
			p.raw = fmt.Sprintf(`{"id":%q,"when":"2026-05-12T13:40:41Z","action":{"type":%q,"result":true},"actor":{"email":"a@example.com","type":"user"},"interface":"UI","owner":{"id":%q},"resource":{"type":%q},%s`,
				id, action, account, resource, members[1:])
		} else {
			p.raw = fmt.Sprintf(`{"ID":%q,"When":1778593241,"ActionType":%q,"ActionResult":true,"ActorEmail":"a@example.com","ActorType":"user","Interface":"UI","OwnerID":%q,"ResourceType":%q,%s`,
				id, action, account, resource, members[1:])
		}
	case "LP2":
		method, path, bodies := callOf(t, rest)
		p.raw = fmt.Sprintf(`{"AuditLogID":%q,"AccountID":%q,"ActionTimestamp":"2026-05-12T08:02:32Z","ActionType":"create","ActionResult":"success","ActorEmail":"a@example.com","ActorType":"user","Raw":{"method":%q,"uri":%q},"ResourceRequest":%s,"ResourceResponse":%s}`,
			id, account, method, path, bodies[0], bodies[1])
	default:
		method, path, bodies := callOf(t, line)
		p.raw = fmt.Sprintf(`{"id":%q,"account":{"id":%q},"action":{"type":"update","result":"success","time":"2026-05-12T08:02:32Z"},"actor":{"email":"a@example.com","type":"user"},"raw":{"method":%q,"uri":%q},"resource":{"product":"x","request":%s,"response":%s}}`,
			id, account, method, path, bodies[0], bodies[1])
	}
	require.True(t, json.Valid([]byte(p.raw)), p.raw)
	return p
}

// callOf are the method, the path and the bodies of a request.
func callOf(t *testing.T, line string) (method, path string, bodies [2]string) {
	method, rest := cutAfter(line, strings.IndexByte(line, ' '))
	path, rest = cutAfter(rest, strings.IndexByte(rest, ' '))
	path = strings.NewReplacer("{account_id}", account, "{zone_id}", zone).Replace(path)
	request, response, found := strings.Cut(rest, " => ")
	if !found {
		response = "{}"
	}
	for _, body := range []string{request, response} {
		require.True(t, json.Valid([]byte(body)), body)
	}
	return method, pathMark.ReplaceAllString(path, "372e67954025e0ba6aaa6d586b9e0b59"), [2]string{request, response}
}

// ofKind is the nth secret of a kind, such as ":hex32", or else one that begins with a
// text.
func ofKind(t *testing.T, kind string, n int) string {
	random := drawn(kind, n)
	name, found := strings.CutPrefix(kind, ":")
	if !found {
		return kind + alphanumeric(random[:40])
	}
	words := []string{"mango", "river", "pillar", "copper", "walnut", "saddle", "thunder", "velvet"}
	first, second := words[random[0]%8], words[random[1]%8]
	alphabet := strings.TrimRight(name, "0123456789")
	length, _ := strconv.Atoi(name[len(alphabet):])
	switch alphabet {
	case "word":
		return first + second + digits(random[:3])
	case "pw":
		return strings.ToUpper(first[:1]) + first[1:] + "!" + digits(random[:4]) + "-" + second
	case "uuid":
		h := hex.EncodeToString(random[:16])
		return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
	case "hex":
		return hex.EncodeToString(random)[:length]
	case "num":
		return digits(random[:length])
	case "card":
		return "4" + digits(random[:15])
	case "b64_":
		return base64.StdEncoding.EncodeToString(random[:length])
	case "b64u":
		return base64.RawURLEncoding.EncodeToString(random)[:length]
	case "b64pct":
		return strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(base64.StdEncoding.EncodeToString(random[:31]))
	case "b32_":
		return strings.ToUpper(lowerAlphanumeric(random[:length]))
	case "pem":
		return base64.StdEncoding.EncodeToString(random[:48]) + `\n` + base64.StdEncoding.EncodeToString(random[48:96])
	case "azsecret":
		return alphanumeric(random[:3]) + "8Q~" + alphanumeric(random[3:37])
	case "ytkey":
		s := lowerAlphanumeric(random[:16])
		return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:]
	}
	length, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "b62"), "l"))
	require.NoError(t, err, kind)
	if strings.HasSuffix(name, "l") {
		return lowerAlphanumeric(random[:length])
	}
	return alphanumeric(random[:length])
}

// drawn are bytes that depend on a text and a number.
func drawn(text string, n int) []byte {
	var b []byte
	for i := range 10 {
		sum := sha256.Sum256(fmt.Append(nil, text, n, i))
		b = append(b, sum[:]...)
	}
	return b
}

func spelled(b []byte, alphabet string) string {
	s := make([]byte, len(b))
	for i, c := range b {
		s[i] = alphabet[int(c)%len(alphabet)]
	}
	return string(s)
}

func digits(b []byte) string { return spelled(b, "0123456789") }
func lowerAlphanumeric(b []byte) string {
	return spelled(b, "abcdefghijklmnopqrstuvwxyz234567")
}
func alphanumeric(b []byte) string {
	return spelled(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}
