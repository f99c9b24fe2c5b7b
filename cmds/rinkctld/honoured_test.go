package rinkctld

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// TestHonouredKeysAreRead holds what --check says of a key against the source: a
// key is honoured only if its value is read outside slurm, and is not called
// ignored when it is.
func TestHonouredKeysAreRead(t *testing.T) {
	fset := token.NewFileSet()
	conf, err := parser.ParseFile(fset, "../../slurm/conf.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	words := map[string]bool{} // said outside slurm
	ast.Inspect(conf, func(n ast.Node) bool {
		if ts, ok := n.(*ast.TypeSpec); ok && ts.Name.Name == "Conf" {
			for _, f := range ts.Type.(*ast.StructType).Fields.List {
				for _, name := range f.Names {
					fields[name.Name] = false
				}
			}
			return false
		}
		return true
	})
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path == "../../slurm" || path == "../../bin" || path == "../../build" || strings.HasPrefix(d.Name(), ".") && path != "../.." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				word, _ := strconv.Unquote(lit.Value)
				words[word] = true
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if _, is := fields[sel.Sel.Name]; is {
					fields[sel.Sel.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for name, read := range fields {
		acted, is := slurm.ActsOn(name)
		if !is {
			continue // a field without a key of its name
		}
		known++
		if acted && !read {
			t.Errorf("%s is called honoured, and nothing outside slurm reads it", name)
		}
		if !acted && read {
			t.Errorf("%s is called ignored, and is read outside slurm", name)
		}
	}
	settings := slurm.Settings()
	for name, acted := range settings {
		if _, word, _ := strings.Cut(name, "="); acted && !words[word] {
			t.Errorf("%s is called honoured, and nothing outside slurm reads it", name)
		}
	}
	if len(settings) < 50 {
		t.Errorf("only %d settings within keys are looked at", len(settings))
	}
	if known < 100 {
		t.Errorf("only %d keys were held against the source", known)
	}
}
