package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/aisoc/cloudflareaudit"

// order is the packages of the library: each imports only those above it.
var order = []string{
	"internal/text",
	"internal/prefixed",
	"internal/backoff",
	"internal/jitter",
	"internal/httpx",
	"ingest",
	"apierror",
	"internal/jsondoc",
	"internal/audit",
	"internal/redact",
	"rules",
	"internal/burst",
	"internal/product",
	"internal/entries",
	"internal/cloudflare",
	"internal/feed",
	"", // the root package
}

// never are packages of this module that no package of the library imports: what
// a plain host does not use, and fakes.
var never = []string{"cmd", "fleet", "sink", "store", "internal/fakecloudflare", "internal/fakeaisoc", "internal/fakehttp", "internal/deliver", "internal/eventformat", "internal/notify", "internal/termsvg", "internal/livepage", "internal/backfill", "internal/gobuild"}

// strangers are what some of the packages must not know: how entries are
// understood needs no network, and how a log is read no rules.
var strangers = map[string][]string{
	"internal/audit":      {"net/http"},
	"internal/redact":     {"net/http"},
	"internal/product":    {"net/http"},
	"rules":               {"net/http", module + "/internal/audit"},
	"internal/cloudflare": {module + "/rules", module + "/internal/product"},
	"internal/burst":      {"net/http", module + "/internal/audit"},
	"internal/feed":       {module + "/rules", module + "/internal/burst", module + "/internal/product", module + "/internal/redact"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// list is what go list says of the packages of the module.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports,Deps", module+"/...").Output()
	require.NoError(t, err)
	all := make(map[string]pkg)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all[p.ImportPath] = p
	}
}

func pathOf(name string) string { return strings.TrimSuffix(module+"/"+name, "/") }

func TestImports_GoInOneDirection(t *testing.T) {
	t.Parallel()
	all := list(t)
	for i, name := range order {
		p, found := all[pathOf(name)]
		if !assert.True(t, found, "there is no package %q any more: take it off the list", name) {
			continue
		}
		for _, imported := range p.Imports {
			below, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			below = strings.TrimPrefix(below, "/")
			at := slices.Index(order, below)
			assert.NotEqual(t, -1, at, "%q imports %q, which is not a package of the library", name, below)
			assert.Less(t, at, i, "%q imports %q, which stands below it", name, below)
		}
	}
}

func TestImports_StayAwayFromWhatAPackageMustNotKnow(t *testing.T) {
	t.Parallel()
	all := list(t)
	for name, forbidden := range strangers {
		p := all[pathOf(name)]
		require.NotEmpty(t, p.ImportPath, name)
		for _, path := range forbidden {
			assert.NotContains(t, p.Deps, path, name)
		}
	}
	for _, name := range never {
		for _, dep := range all[module].Deps {
			assert.False(t, dep == pathOf(name) || strings.HasPrefix(dep, pathOf(name)+"/"), "the root package depends on %s", dep)
		}
	}
}

// The root package is the public face: a reader has it read in an hour.
func TestRoot_StaysSmall(t *testing.T) {
	t.Parallel()
	const maxFiles, maxLines, maxExported = 12, 3500, 60
	files, lines, exported := 0, 0, 0
	for _, f := range parseDir(t, "../..") {
		files++
		lines += f.lines
		for name, isMethod := range f.declared {
			if ast.IsExported(name) && !isMethod {
				exported++
			}
		}
	}
	assert.LessOrEqual(t, files, maxFiles)
	assert.LessOrEqual(t, lines, maxLines)
	assert.LessOrEqual(t, exported, maxExported)
	assert.NotZero(t, exported)
}

// A name that means one thing in a function and another in its package is read
// wrongly sooner or later.
func TestNames_ShadowNothingOfTheirPackage(t *testing.T) {
	t.Parallel()
	for _, name := range order {
		files := parseDir(t, filepath.Join("../..", filepath.FromSlash(name)))
		global := make(map[string]bool)
		for _, f := range files {
			for name, isMethod := range f.declared {
				if !isMethod {
					global[name] = true
				}
			}
		}
		require.NotEmpty(t, global, name)
		for _, f := range files {
			for _, id := range f.local {
				assert.False(t, global[id.Name] || f.imported[id.Name], "%s: %s shadows a name of its package or file", f.fset.Position(id.Pos()), id.Name)
			}
		}
	}
}

// file is what a Go file declares.
type file struct {
	fset  *token.FileSet
	lines int
	// declared are the names at package level, and whether each is a method.
	declared map[string]bool
	// imported are the packages of this module that it imports.
	imported map[string]bool
	// local are the names declared within functions.
	local []*ast.Ident
}

func parseDir(t *testing.T, dir string) []file {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var files []file
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		f := file{fset: fset, lines: fset.File(parsed.Pos()).LineCount(), declared: make(map[string]bool)}
		f.imported = make(map[string]bool)
		for _, spec := range parsed.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil && strings.HasPrefix(path, module) {
				f.imported[path[strings.LastIndexByte(path, '/')+1:]] = true
			}
		}
		for _, decl := range parsed.Decls {
			f.add(decl)
		}
		files = append(files, f)
	}
	return files
}

func (f *file) add(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		f.declared[d.Name.Name] = d.Recv != nil
		f.locals(d)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				f.declared[s.Name.Name] = false
			case *ast.ValueSpec:
				for _, name := range s.Names {
					f.declared[name.Name] = false
				}
				for _, v := range s.Values {
					f.locals(v)
				}
			}
		}
	}
}

// locals collects the names that are declared within a node: parameters,
// results, variables, constants and types of functions.
func (f *file) locals(within ast.Node) {
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id.Name != "_" {
				f.local = append(f.local, id)
			}
		}
	}
	fields := func(list *ast.FieldList) {
		if list == nil {
			return
		}
		for _, field := range list.List {
			add(field.Names...)
		}
	}
	define := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if id, ok := e.(*ast.Ident); ok {
				add(id)
			}
		}
	}
	ast.Inspect(within, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			fields(n.Recv)
		case *ast.FuncType:
			fields(n.Params)
			fields(n.Results)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				define(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				define(n.Key, n.Value)
			}
		case *ast.ValueSpec:
			add(n.Names...)
		case *ast.TypeSpec:
			add(n.Name)
		case *ast.StructType, *ast.InterfaceType:
			return false // their fields and methods shadow nothing
		}
		return true
	})
}
