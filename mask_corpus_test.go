package cloudflareaudit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/internal/jsondoc"
)

// The bounds of what may go wrong with the bodies in testdata/secrets.
const (
	leastPlanted, mostShown   = 314, 6
	leastHarmless, mostMasked = 345, 10
)

// planted has the secrets and the harmless values of one entry.
type planted struct {
	raw               string
	secrets, harmless []string
}

func TestMask_BodiesOfRealRoutes(t *testing.T) {
	t.Parallel()
	n := normalizer(t, Config{})
	entries := append(plantedBodies(t), plantedMembers(t)...)
	secrets, harmless := 0, 0
	var shown, hidden []string
	for _, p := range entries {
		got, _ := n.Normalize([]byte(p.raw))
		line := string(got.AppendJSON(nil))
		for _, secret := range p.secrets {
			secrets++
			if strings.Contains(line, secret) {
				shown = append(shown, secret+" in "+p.raw)
			}
		}
		for _, value := range p.harmless {
			harmless++
			if strings.Count(string(got.RawEvent), value) < strings.Count(p.raw, value) {
				hidden = append(hidden, value+" in "+p.raw)
			}
		}
	}
	t.Logf("%d of %d secrets are shown, %d of %d harmless values are masked", len(shown), secrets, len(hidden), harmless)
	assert.GreaterOrEqual(t, secrets, leastPlanted)
	assert.GreaterOrEqual(t, harmless, leastHarmless)
	assert.LessOrEqual(t, len(shown), mostShown, strings.Join(shown, "\n"))
	assert.LessOrEqual(t, len(hidden), mostMasked, strings.Join(hidden, "\n"))
	if testing.Verbose() {
		t.Log("\n" + strings.Join(append(shown, hidden...), "\n"))
	}
}

var (
	secretMark   = regexp.MustCompile(`«([^«»]*)»`)
	harmlessMark = regexp.MustCompile(`‹([^‹›]*)›`)
	pathMark     = regexp.MustCompile(`\{[^}]*\}`)
)

// madeUp is the nth secret that begins with a text.
func madeUp(beginning string, n int) string {
	sum := sha256.Sum256([]byte(beginning + fmt.Sprint(n)))
	return "q7Z" + hex.EncodeToString(sum[:])[:21] + "Xk"
}

// plantedBodies are the entries of bodies.txt.
func plantedBodies(t *testing.T) []planted {
	operations := linesOf(t, "internal/product/testdata/operations.txt")
	var all []planted
	made := 0
	for _, line := range linesOf(t, "testdata/secrets/bodies.txt") {
		operation, body := cutAfter(line, strings.Index(line[strings.IndexByte(line, ' ')+1:], " ")+strings.IndexByte(line, ' ')+1)
		require.Contains(t, operations, operation)
		method, path := cutAfter(operation, strings.IndexByte(operation, ' '))
		p := planted{}
		body = secretMark.ReplaceAllStringFunc(body, func(mark string) string {
			beginning := secretMark.FindStringSubmatch(mark)[1]
			made++
			secret := madeUp(beginning, made)
			p.secrets = append(p.secrets, secret)
			return beginning + secret
		})
		for _, mark := range harmlessMark.FindAllStringSubmatch(body, -1) {
			p.harmless = append(p.harmless, mark[1])
		}
		body = harmlessMark.ReplaceAllString(body, "$1")
		path = strings.NewReplacer("{account_id}", account, "{zone_id}", zone).Replace(path)
		path = pathMark.ReplaceAllString(path, "372e67954025e0ba6aaa6d586b9e0b59")
		var doc jsondoc.Doc
		require.NoError(t, doc.Parse(body), body)
		p.raw = requested(method, path, `"request":`+body)
		all = append(all, p)
	}
	return all
}

func cutAfter(s string, at int) (before, after string) { return s[:at], s[at+1:] }

// plantedMembers are secrets under the names in names.txt and with the forms in
// forms.txt, in several places of bodies of requests.
func plantedMembers(t *testing.T) []planted {
	var operations []string
	for _, operation := range linesOf(t, "internal/product/testdata/operations.txt") {
		if !strings.HasPrefix(operation, "DELETE ") {
			operations = append(operations, operation)
		}
	}
	var all []planted
	add := func(shape, name, secret string) {
		const step = 7
		method, path := cutAfter(operations[len(all)*step%len(operations)], strings.IndexByte(operations[len(all)*step%len(operations)], ' '))
		path = strings.NewReplacer("{account_id}", account, "{zone_id}", zone).Replace(path)
		path = pathMark.ReplaceAllString(path, "372e67954025e0ba6aaa6d586b9e0b59")
		body := strings.NewReplacer("NAME", name, "VALUE", secret).Replace(shape)
		all = append(all, planted{raw: requested(method, path, `"request":`+body), secrets: []string{secret}})
	}
	for _, line := range linesOf(t, "testdata/secrets/names.txt") {
		for name := range strings.FieldsSeq(line) {
			add(`{"name":"x","NAME":"VALUE"}`, name, madeUp(name, 1))
			add(`{"list":[{"config":{"NAME":"VALUE","enabled":true}}],"note":"x"}`, name, madeUp(name, 2))
			add(`{"raw":"{\"inner\":{\"NAME\":\"VALUE\"}}"}`, name, madeUp(name, 3))
		}
	}
	for _, line := range linesOf(t, "testdata/secrets/forms.txt") {
		for form := range strings.FieldsSeq(line) {
			add(`{"comment":"VALUE"}`, "", form+madeUp(form, 1)+madeUp(form, 9))
			add(`{"list":[{"a":["use VALUE for it"]}]}`, "", form+madeUp(form, 2)+madeUp(form, 9))
			add(`"{\"a\":{\"b\":\"VALUE\"}}"`, "", form+madeUp(form, 3)+madeUp(form, 9))
		}
	}
	return all
}

// linesOf are the lines of a file that are no comments.
func linesOf(t *testing.T, name string) []string {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}
