package product

import (
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindRoute_ReadsThePath(t *testing.T) {
	t.Parallel()
	r := findRoute("PATCH", "/zones/"+exampleZone+"/settings/security_level/")
	assert.Equal(t, exampleZone, r.zone)
	assert.Equal(t, []string{"setting", "security_level"}, r.more)
	assert.Equal(t, "settings", r.words)

	r = findRoute("DELETE", "/accounts/"+exampleAccount+"/workers/scripts/a%2Fb")
	assert.Equal(t, "a/b", r.id)
	assert.Equal(t, exampleAccount, r.account)

	for _, path := range []string{"", "/", "//", "/zones", "/zones/", "/zones//dns_records/1", strings.Repeat("/x", 100), "/%zz", "/accounts"} {
		r := findRoute("DELETE", path)
		assert.Nil(t, r.name, path)
	}
	r = findRoute("DELETE", "/accounts/"+exampleAccount+"/thing/"+strings.Repeat("1f", 16)+"/part")
	assert.Equal(t, "thing.part", r.words)
}

// Every route decides one of the requests in the tests beside its family.
func TestRoutes_EachDecidesARequestOfItsSuite(t *testing.T) {
	t.Parallel()
	inFile := familiesByFile(t)
	eachSuite(func(file string, s *suite) {
		tried := make(map[string]bool)
		for _, c := range s.calls {
			path, _, _ := strings.Cut(c.path, "?")
			parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/client/v4"), "/"), "/")
			for _, row := range known.routes[keyOf(c.method, parts)] {
				if row.fits(parts) {
					tried[c.method+" /"+strings.Join(row.parts, "/")] = true
					break
				}
			}
		}
		for _, f := range inFile[file] {
			for _, r := range f.routes {
				checkTried(t, tried, r)
			}
		}
	})
}

// A route of every scope is one path for each.
func TestRoutes_AreKnownForEachScope(t *testing.T) {
	t.Parallel()
	roots := map[string]string{
		"/accounts/{account}": "/accounts/" + exampleAccount, "/zones/{zone}": "/zones/" + exampleZone, "/user": "/user",
	}
	tried := 0
	for _, f := range families {
		for _, r := range f.routes {
			below, everywhere := strings.CutPrefix(r.path, "{scope}")
			if !everywhere {
				continue
			}
			for scope, root := range roots {
				method, name := strings.Fields(r.method)[0], r.name
				if method == "*" {
					method, name = "POST", name+"."+VerbCreate
				}
				got := findRoute(method, root+below)
				require.NotNil(t, got.name, "%s %s%s", method, scope, below)
				assert.Equal(t, name, got.name.name, "%s %s%s", method, scope, below)
				tried++
			}
		}
	}
	assert.NotZero(t, tried)
}

func checkTried(t *testing.T, tried map[string]bool, r route) {
	t.Helper()
	var paths []string
	for _, scope := range scopes {
		paths = append(paths, strings.Replace(r.path, "{scope}", scope, 1))
	}
	decided := func(method string) bool {
		return slices.ContainsFunc(paths, func(path string) bool {
			// Of a collection one method is enough, as the others are made alike.
			return tried[method+" "+path] || r.method == "*" && tried[method+" "+path+"/{id}"]
		})
	}
	if r.method == "*" {
		assert.True(t, slices.ContainsFunc(collection, func(c struct{ method, verb string }) bool { return decided(c.method) }), "the collection %s has no case", r.path)
		return
	}
	for method := range strings.FieldsSeq(r.method) {
		assert.True(t, decided(method), "%s %s has no case", method, r.path)
	}
}

// requestInSDK finds the path and the method of a request in the source of
// Cloudflare's SDK, which is generated from the API reference.
var requestInSDK = regexp.MustCompile(`path := (?:fmt\.Sprintf\()?"([^"]+)"(?s:.*?)http\.Method(\w+)`)

// derivedRoutes are not in the reference. They follow from similar paths.
var derivedRoutes = []string{
	"POST /user/two_factor_authentication", "DELETE /user/two_factor_authentication", "PUT PATCH /user/two_factor_authentication",
	"POST /accounts/{account}/scim/v2/Users", "PUT PATCH /accounts/{account}/scim/v2/Users/{id}", "DELETE /accounts/{account}/scim/v2/Users/{id}",
	"POST /accounts/{account}/scim/v2/Groups", "PUT PATCH /accounts/{account}/scim/v2/Groups/{id}", "DELETE /accounts/{account}/scim/v2/Groups/{id}",
	"GET POST /user/api_key", "PUT /user/api_key",
	"GET POST /accounts/{account}/registrar/domains/{id}/auth_code", "POST PUT /accounts/{account}/registrar/domains/{id}/transfer_out",
	// Of these the reference has one path for each setting.
	"DELETE /zones/{zone}/settings/{setting}", "PUT PATCH /zones/{zone}/cache/{setting}", "DELETE /zones/{zone}/cache/{setting}",
	"GET /zones/{zone}/cache/{setting}", "PATCH /zones/{zone}/argo/{setting}", "GET /zones/{zone}/argo/{setting}",
	"POST /accounts/{account}/pages/projects/{id}/deploy_hooks", "DELETE /accounts/{account}/pages/projects/{id}/deploy_hooks/{hook}",
	"POST /accounts/{account}/builds/triggers",
	"PUT PATCH /accounts/{account}/builds/triggers/{id}",
	"DELETE /accounts/{account}/builds/triggers/{id}",
	"PUT PATCH /accounts/{account}/builds/triggers/{id}/environment_variables",
	"DELETE /accounts/{account}/builds/triggers/{id}/environment_variables/{variable}",
	"POST /accounts/{account}/builds/tokens",
	"DELETE /accounts/{account}/builds/tokens/{id}",
	"PUT /accounts/{account}/builds/repos/connections",
	"DELETE /accounts/{account}/builds/repos/connections/{id}",
	"POST /accounts/{account}/containers/registries",
	"DELETE /accounts/{account}/containers/registries/{id}",
	"POST /accounts/{account}/containers/registries/{id}/credentials",
	"DELETE /accounts/{account}/r2/buckets/{id}/lifecycle",
	"PUT /accounts/{account}/r2/buckets/{id}/encryption", "DELETE /accounts/{account}/r2/buckets/{id}/encryption",
}

// replacedRoutes are no longer in the reference, because newer ones do the same.
var replacedRoutes = []string{
	"PUT PATCH /zones/{zone}/settings", "GET /zones/{zone}/settings",
	"PATCH /zones/{zone}/firewall/waf/packages/{id}",
	"* /zones/{zone}/workers/filters", "DELETE /accounts/{account}/storage/kv/namespaces/{id}/bulk",
	"PUT /accounts/{account}/workers/services/{id}/environments/{environment}/content",
	"PATCH /accounts/{account}/workers/services/{id}/environments/{environment}/settings",
}

func TestRoutes_AreInTheReferenceUnlessListed(t *testing.T) {
	t.Parallel()
	api := readReference(t)
	var missing []string
	for _, f := range families {
		for _, r := range f.routes {
			methods, paths := strings.Fields(r.method), []string{r.path}
			if r.method == "*" {
				methods, paths = []string{"POST", "PUT", "PATCH", "DELETE", "GET"}, append(paths, r.path+"/{id}")
			}
			if !slices.ContainsFunc(methods, func(method string) bool {
				return slices.ContainsFunc(paths, func(path string) bool { return api.has(method, path) })
			}) {
				missing = append(missing, r.method+" "+r.path)
			}
		}
	}
	assert.ElementsMatch(t, slices.Concat(derivedRoutes, replacedRoutes), missing)
}

// reference is the paths of the API in parts, by method.
type reference map[string][][]string

func readReference(t *testing.T) reference {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cloudflare/cloudflare-go/v7")
	list.Stderr = os.Stderr
	dir, err := list.Output()
	require.NoError(t, err)
	sdk := os.DirFS(strings.TrimSpace(string(dir)))
	found := make(reference)
	require.NoError(t, fs.WalkDir(sdk, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(sdk, name)
		for _, m := range requestInSDK.FindAllSubmatch(source, -1) {
			method := strings.ToUpper(string(m[2]))
			found[method] = append(found[method], strings.Split(strings.Trim(string(m[1]), "/"), "/"))
		}
		return err
	}))
	require.Greater(t, len(found["GET"]), 500)
	return found
}

// has reports whether the reference has a path, for one scope at least.
func (ref reference) has(method, path string) bool {
	paths := []string{path}
	if below, ok := strings.CutPrefix(path, "{scope}"); ok {
		paths = []string{"/accounts/{account}" + below, "/zones/{zone}" + below, "/user" + below}
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		parts := strings.Split(path[1:], "/")
		return slices.ContainsFunc(ref[method], func(want []string) bool {
			if len(want) > 2 && want[0] == "%s" && want[1] == "%s" && len(parts) > 2 {
				// The path is one of accounts and of zones.
				want = append(slices.Clone(parts[:2]), want[2:]...)
			}
			return slices.EqualFunc(parts, want, func(part, want string) bool {
				return part == want || strings.HasPrefix(part, "{") && strings.HasPrefix(want, "%")
			})
		})
	})
}
