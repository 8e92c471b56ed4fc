package product

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/rules"
)

func TestFamilies_NoTwoHaveTheSamePrefix(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, f := range families {
		assert.NotEmpty(t, f.prefixes)
		for _, prefix := range f.prefixes {
			assert.False(t, seen[prefix], "two families have the prefix %s", prefix)
			seen[prefix] = true
			assert.True(t, strings.HasSuffix(prefix, ".") || prefix == "access_", "%s does not end with a word", prefix)
		}
	}
}

func TestFamilies_NoTwoListTheSamePair(t *testing.T) {
	t.Parallel()
	seen := make(map[string]pair)
	for _, f := range families {
		for _, p := range f.pairs {
			key := string(squashPair(nil, strings.TrimPrefix(p.resource, "*"), p.action))
			assert.NotContains(t, seen, key, "%v and %v are the same pair", p, seen[key])
			seen[key] = p
		}
	}
}

func TestFamilies_NoTwoListTheSameRoute(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{[^}]*\}`)
	seen := make(map[string]string)
	for _, f := range families {
		for key, list := range routesOf(f) {
			for _, row := range list {
				path := "/" + strings.Join(row.parts, "/")
				request := key.method + " " + placeholder.ReplaceAllString(path, "{}")
				same, found := seen[request] // assert.NotContains would go through all of them
				assert.False(t, found, "%s and %s are the same route", path, same)
				seen[request] = path
			}
		}
	}
}

// Of several routes that fit a request the first one decides. Whoever edits a
// file sees the routes in it, but not those in another.
func TestFamilies_NoRequestFitsRoutesInTwoFiles(t *testing.T) {
	t.Parallel()
	overlap := func(a, b []string) bool {
		return slices.EqualFunc(a, b, func(a, b string) bool { return a == b || a[0] == '{' || b[0] == '{' })
	}
	type placed struct {
		file  string
		parts []string
	}
	seen := make(map[routeKey][]placed)
	for file, list := range familiesByFile(t) {
		for _, f := range list {
			for key, indexed := range routesOf(f) {
				for _, row := range indexed {
					for _, p := range seen[key] {
						assert.False(t, p.file != file && overlap(row.parts, p.parts), "%s %v in %s and %v in %s", key.method, row.parts, file, p.parts, p.file)
					}
					seen[key] = append(seen[key], placed{file, row.parts})
				}
			}
		}
	}
}

// routesOf are the routes of one family, one for each method and scope.
func routesOf(f *family) map[routeKey][]indexedRoute {
	x := index{namings: make(map[string]*naming), routes: make(map[routeKey][]indexedRoute), words: make(map[string]bool)}
	for _, r := range f.routes {
		x.addRoutes(r)
	}
	return x.routes
}

// The canonical actions that a file leads to are those of the families in it.
func TestFamilies_EachFileHasTheDataOfItsOwnFamilies(t *testing.T) {
	t.Parallel()
	for file, list := range familiesByFile(t) {
		check := func(name, from string) {
			owner := familyOf(name)
			assert.Contains(t, list, owner, "%s: %s leads to %s, which no family in this file has a prefix for", file, from, name)
		}
		for _, f := range list {
			for _, p := range f.pairs {
				check(p.name, "the pair "+p.resource+" "+p.action)
			}
			for _, s := range f.subjects {
				check(s.name+".create", "the subject "+s.name)
				for override := range strings.FieldsSeq(s.verbs) {
					_, name, _ := strings.Cut(override, "=")
					check(name, "the subject "+s.name)
				}
			}
			for _, r := range f.routes {
				name := r.name
				if r.method == "*" {
					name += "." + VerbCreate
				}
				check(name, "the route "+r.path)
			}
			for _, name := range f.names {
				check(name, "names")
			}
		}
	}
}

// Every family, its pairs and its default rules have their cases beside them.
func TestSuites_CoverTheFamiliesOfTheirFiles(t *testing.T) {
	t.Parallel()
	inFile := familiesByFile(t)
	covered := 0
	for file, list := range inFile {
		s := suites[file]
		if !assert.NotNil(t, s, "the families in %s have no suite", file) {
			continue
		}
		covered += len(list)
		inSuite, examples := make(map[string]bool), make(map[string]bool)
		for _, p := range s.pairs {
			inSuite[string(squashPair(nil, p.resource, p.action))] = true
			inSuite[string(squashPair(nil, "", p.action))] = true
		}
		for _, f := range list {
			for _, p := range f.pairs {
				key := squashPair(nil, strings.TrimPrefix(p.resource, "*"), p.action)
				assert.True(t, inSuite[string(key)], "%s: the pair %s %s has no case", file, p.resource, p.action)
			}
			for _, r := range slices.Concat(f.reads, f.rules) {
				assert.Contains(t, s.examples, r.ID, "%s: a rule has no example", file)
				examples[r.ID] = true
			}
		}
		for id := range s.examples {
			assert.True(t, examples[id], "%s: there is no rule %s", file, id)
		}
	}
	assert.Equal(t, len(families), covered)
	ofNone := slices.Concat(systemRules, verbRules, []rules.Rule{routineReads, raisedRule()})
	for _, r := range ofNone {
		assert.Contains(t, suites["all.go"].examples, r.ID)
	}
	assert.Len(t, suites["all.go"].examples, len(ofNone))
	assert.ElementsMatch(t, slices.Collect(maps.Keys(suites)), append(slices.Collect(maps.Keys(inFile)), "all.go", "bursts.go"))
}

// familiesByFile is which families stand in which file of this package. It knows
// them by their prefixes, which the source and the families have in common.
func familiesByFile(t *testing.T) map[string][]*family {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	byFile := make(map[string][]*family)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if name, isName := literalType(literal); !ok || !isName || name != "family" {
				return true
			}
			if list := prefixesIn(t, literal); len(list) > 0 {
				i := slices.IndexFunc(families, func(f *family) bool { return slices.Equal(f.prefixes, list) })
				require.GreaterOrEqual(t, i, 0, "%s: the family with the prefixes %v is not in families", entry.Name(), list)
				byFile[entry.Name()] = append(byFile[entry.Name()], families[i])
			}
			return true
		})
	}
	return byFile
}

// literalType is the name of the type of a literal.
func literalType(literal *ast.CompositeLit) (name string, ok bool) {
	if literal == nil {
		return "", false
	}
	ident, ok := literal.Type.(*ast.Ident)
	if !ok {
		return "", false
	}
	return ident.Name, true
}

// prefixesIn are the prefixes in the literal of a family.
func prefixesIn(t *testing.T, literal *ast.CompositeLit) []string {
	t.Helper()
	var list []string
	for _, element := range literal.Elts {
		field, ok := element.(*ast.KeyValueExpr)
		if !ok || field.Key.(*ast.Ident).Name != "prefixes" {
			continue
		}
		for _, quoted := range field.Value.(*ast.CompositeLit).Elts {
			prefix, err := strconv.Unquote(quoted.(*ast.BasicLit).Value)
			require.NoError(t, err)
			list = append(list, prefix)
		}
	}
	return list
}

// A reader of a row must see whether Cloudflare has published it: the rows whose
// cases are all derived, and the routes that the reference lacks, say so.
func TestRows_SayWhatIsDerived(t *testing.T) {
	t.Parallel()
	const derived, replaced = "// derived, not published", "// since replaced by a newer path"
	published := make(map[string]bool)
	eachSuite(func(_ string, s *suite) {
		for _, p := range s.pairs {
			if !p.derived {
				published[string(squashPair(nil, p.resource, p.action))] = true
				published[string(squashPair(nil, "", p.action))] = true
			}
		}
	})
	for file, list := range familiesByFile(t) {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		comment := func(row ...string) string {
			t.Helper()
			for i := range row {
				row[i] = strconv.Quote(row[i])
			}
			literal := "\t{" + strings.Join(row, ", ") + "},"
			_, rest, found := strings.Cut(string(source), literal)
			require.True(t, found, "%s does not have the row %s", file, literal)
			line, _, _ := strings.Cut(rest, "\n")
			return strings.TrimSpace(line)
		}
		for _, f := range list {
			for _, p := range f.pairs {
				want := derived
				if published[string(squashPair(nil, strings.TrimPrefix(p.resource, "*"), p.action))] {
					want = ""
				}
				assert.Equal(t, want, comment(p.resource, p.action, p.name), "%s: %v", file, p)
			}
			for _, r := range f.routes {
				want := ""
				switch request := r.method + " " + r.path; {
				case slices.Contains(derivedRoutes, request):
					want = derived
				case slices.Contains(replacedRoutes, request):
					want = replaced
				}
				assert.Equal(t, want, comment(r.method, r.path, r.name), "%s: %v", file, r)
			}
		}
	}
}
