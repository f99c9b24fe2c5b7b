// Package rink_test holds what is true of the whole tree: which room may import
// which, what the pure rooms stay away from, and how packages are named.
package rink_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/runink/rink"

// table is the import table of ARCHITECTURE.md, in its words: each row is a room
// and the whole list of our own packages it may import. "x: ..." adds to the
// list of the room's package x alone.
var table = []struct{ room, mayImport string }{
	{"slurm", "-"},
	{"gpu", "slurm; probe: gpu"},
	{"sched", "slurm gpu"},
	{"herd", "sched slurm"},
	{"governance", "-"},
	{"pipeline", "sched slurm"},
	{"auth/hostuser", "-"},
	{"auth", "auth/hostuser"},
	{"secrets", "-"},
	{"slice", "-"},
	{"api", "sched slurm gpu herd governance pipeline"},
	{"barn/state", "sched slurm herd governance pipeline"},
	{"barn", "barn/state api sched"},
	{"accounting", "api sched slurm"},
	{"ctld", "all above but slice, gpu/probe"},
	{"noded", "api auth gpu gpu/probe secrets slice slurm"},
	{"cmds", "api auth/hostuser sched slurm pipeline; the daemons: ctld, noded"},
}

// daemons are the commands that the table means by that word: those which run a
// controller or an agent in their own process.
var daemons = map[string][]string{
	"cmds/rinkctld":  {"ctld"},
	"cmds/barn":      {"ctld", "secrets"},
	"cmds/rinknoded": {"noded"},
	"cmds/dev":       {"ctld", "noded"},
}

// tooling is code that is no part of the program and imports none of it.
const tooling = "hack"

// pure rooms decide and translate; they never look at a clock, a file, a socket
// or a die. Not gpu/probe, which asks the driver.
var pure = []string{"slurm", "gpu", "sched", "herd", "governance", "pipeline", "barn/state"}

// impure are the packages a pure room does not import, with all below them, and
// the functions of package time that read or wait for the clock.
var (
	impure      = []string{"os", "net", "math/rand", "log", "syscall", "crypto/rand", "golang.org/x/sys"}
	impureTime  = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "Sleep", "NewTimer", "NewTicker"}
	vagueRooms  = []string{"util", "utils", "common", "helper", "helpers", "misc"}
	notPackages = []string{".git", "bin", "build", "results", "testdata", "vendor"}
)

// goFile is what a source file says of itself.
type goFile struct {
	name string // path below the module's root
	test bool
	ast  *ast.File
}

// goPackage is a folder with Go files.
type goPackage struct {
	dir   string // path below the module's root, "." for the root
	files []goFile
}

// packages reads every folder of the module.
func packages(t *testing.T, fset *token.FileSet) []goPackage {
	t.Helper()
	byDir := map[string]*goPackage{}
	var dirs []string
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (slices.Contains(notPackages, d.Name()) || strings.HasPrefix(d.Name(), "_")):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(file) != ".go" || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		file = filepath.ToSlash(file)
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(file)
		if byDir[dir] == nil {
			byDir[dir] = &goPackage{dir: dir}
			dirs = append(dirs, dir)
		}
		byDir[dir].files = append(byDir[dir].files, goFile{file, strings.HasSuffix(file, "_test.go"), f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(dirs)
	list := make([]goPackage, len(dirs))
	for i, dir := range dirs {
		list[i] = *byDir[dir]
	}
	return list
}

// below reports whether a slash-separated path is dir or lies below it.
func below(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// roomOf returns the room that a folder belongs to, "" when it belongs to none.
func roomOf(dir string) string {
	room := ""
	for _, row := range append(slices.Clone(table), struct{ room, mayImport string }{"gpu/probe", ""}) {
		if below(dir, row.room) && len(row.room) > len(room) {
			room = row.room
		}
	}
	return room
}

// allowed returns the rooms that a room's packages may import, by the table.
// The room itself, and what only some of its packages may, is not among them.
func allowed(t *testing.T, room string) []string {
	t.Helper()
	parent := strings.TrimSuffix(room, "/probe")
	var above []string
	for _, row := range table {
		if row.room != parent {
			above = append(above, row.room)
			if strings.Contains(row.mayImport, "probe:") {
				above = append(above, row.room+"/probe")
			}
			continue
		}
		list, only, _ := strings.Cut(row.mayImport, "; ")
		if parent != room {
			_, list, _ = strings.Cut(only, "probe: ")
		}
		if except, ok := strings.CutPrefix(list, "all above but "); ok {
			not := strings.Split(except, ", ")
			return slices.DeleteFunc(above, func(r string) bool { return slices.Contains(not, r) })
		}
		if list == "-" {
			return nil
		}
		return strings.Fields(list)
	}
	t.Fatalf("room %q is not in the table", room)
	return nil
}

// mayImport reports whether the package in folder from may import the one in
// folder to. Tests may also use packages made for tests, and the tests of the
// commands run a whole cluster.
func mayImport(t *testing.T, from, to string, test bool) bool {
	room, target := roomOf(from), roomOf(to)
	if room == target && room != "" {
		return true
	}
	if target == "" || room == "" {
		return false
	}
	list := allowed(t, room)
	for dir, more := range daemons {
		if below(from, dir) || test && room == "cmds" {
			list = append(list, more...)
		}
	}
	return slices.Contains(list, target) || test && strings.HasSuffix(path.Base(to), "test")
}

func imports(f *ast.File) []string {
	var list []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(fmt.Sprintf("the parser let the import %s pass", spec.Path.Value))
		}
		list = append(list, p)
	}
	return list
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, pkg := range packages(t, token.NewFileSet()) {
		for _, f := range pkg.files {
			for _, imp := range imports(f.ast) {
				to, ours := strings.CutPrefix(imp, module+"/")
				if !ours {
					continue
				}
				if !mayImport(t, pkg.dir, to, f.test) {
					t.Errorf("%s imports %s: room %q may import %q of our own packages", f.name, to, roomOf(pkg.dir), allowedOrNone(t, pkg.dir))
				}
				if !f.test && strings.HasSuffix(path.Base(to), "test") && !strings.HasSuffix(pkg.dir, "test") {
					t.Errorf("%s imports %s, which is for tests alone", f.name, to)
				}
			}
		}
	}
}

func allowedOrNone(t *testing.T, dir string) []string {
	if roomOf(dir) == "" {
		return nil
	}
	return allowed(t, roomOf(dir))
}

func TestPureRoomsStayPure(t *testing.T) {
	fset := token.NewFileSet()
	for _, pkg := range packages(t, fset) {
		if !slices.Contains(pure, roomOf(pkg.dir)) {
			continue
		}
		for _, f := range pkg.files {
			if f.test {
				continue
			}
			for _, imp := range imports(f.ast) {
				if slices.ContainsFunc(impure, func(p string) bool { return below(imp, p) }) {
					t.Errorf("%s imports %s, and %s is a pure room", f.name, imp, roomOf(pkg.dir))
				}
			}
			clock := localName(f.ast, "time")
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && clock != "" && x.Name == clock && slices.Contains(impureTime, sel.Sel.Name) {
					t.Errorf("%s: time.%s, and %s is a pure room: a time comes in as an argument", fset.Position(n.Pos()), sel.Sel.Name, roomOf(pkg.dir))
				}
				return true
			})
		}
	}
}

// localName is the name under which a file uses an imported package, "" when it
// does not import it.
func localName(f *ast.File, imp string) string {
	for _, spec := range f.Imports {
		if spec.Path.Value == strconv.Quote(imp) {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(imp)
		}
	}
	return ""
}

func TestPackagesHaveAPlaceANameAndAComment(t *testing.T) {
	for _, pkg := range packages(t, token.NewFileSet()) {
		if pkg.dir != "." && roomOf(pkg.dir) == "" && !below(pkg.dir, tooling) {
			t.Errorf("%s is in no room of the table", pkg.dir)
		}
		for part := range strings.SplitSeq(pkg.dir, "/") {
			if slices.Contains(vagueRooms, part) {
				t.Errorf("%s: no room is called %s", pkg.dir, part)
			}
		}
		documented, code := false, false
		for _, f := range pkg.files {
			if f.test && pkg.dir != "." {
				continue
			}
			code = true
			text := f.ast.Doc.Text()
			if strings.HasPrefix(text, "Package "+f.ast.Name.Name+" ") || f.ast.Name.Name == "main" && strings.HasPrefix(text, "Command ") || ast.IsGenerated(f.ast) {
				documented = true
			}
			if localName(f.ast, "time") == "." {
				t.Errorf("%s imports time with a dot, which hides the clock", f.name)
			}
		}
		if code && !documented {
			t.Errorf("%s has no package comment", pkg.dir)
		}
	}
}

// The table here is the one in ARCHITECTURE.md: a row that is changed in one
// place is changed in the other.
func TestTableIsThatOfArchitecture(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if room := strings.TrimSpace(cells[0]); len(cells) == 3 && strings.HasSuffix(room, "/") && !strings.Contains(room, " ") {
			written[strings.TrimSuffix(room, "/")] = strings.TrimSpace(cells[2])
		}
	}
	for _, row := range table {
		if written[row.room] != row.mayImport {
			t.Errorf("%s/ may import %q here, %q in ARCHITECTURE.md", row.room, row.mayImport, written[row.room])
		}
		delete(written, row.room)
	}
	for room, cell := range written {
		t.Errorf("ARCHITECTURE.md has a row %s/ (%s) that is not here", room, cell)
	}
}

// What the table's words come to.
func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test     bool
		want     bool
	}{
		{"slurm", "sched", false, false},
		{"gpu", "slurm", false, true},
		{"gpu", "gpu/probe", false, false},
		{"gpu/probe", "gpu", false, true},
		{"gpu/probe", "slurm", false, false},
		{"sched", "gpu/probe", false, false},
		{"barn/state", "barn", false, false},
		{"barn", "barn/state", false, true},
		{"api/rinkpb", "sched", false, true},
		{"api", "api/rinkpb", false, true},
		{"ctld", "barn", false, true},
		{"ctld", "barn/state", false, true},
		{"ctld", "gpu", false, true},
		{"ctld", "gpu/probe", false, false},
		{"ctld", "slice", false, false},
		{"ctld", "noded", false, false},
		{"ctld", "cmds/internal/cli", false, false},
		{"noded/launcher", "slice", false, true},
		{"noded", "noded/launcher", false, true},
		{"noded", "sched", false, false},
		{"cmds/squeue", "cmds/internal/cli", false, true},
		{"cmds/squeue", "ctld", false, false},
		{"cmds/rinkctld", "ctld", false, true},
		{"cmds/rinkctld", "noded", false, false},
		{"cmds/dev", "noded", false, true},
		{"cmds", "ctld/ctldtest", true, true},
		{"cmds/squeue", "barn", true, false},
		{"sched", "ctld/ctldtest", true, true},
		{"hack/gotest", "slurm", false, false},
	} {
		if got := mayImport(t, c.from, c.to, c.test); got != c.want {
			t.Errorf("mayImport(%s, %s, test %v) = %v, want %v", c.from, c.to, c.test, got, c.want)
		}
	}
}

// What every command links it also starts with, and gRPC and protobuf's own Go code take
// longer to start than most commands do. Built with the tag lean, as make build does, the
// commands go without.
func TestCommandsAreLean(t *testing.T) {
	list := exec.Command("go", "list", "-tags", "lean", "-deps", "-export", "-f", "{{.ImportPath}}", "./cmds/rink") // -export compiles it
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("%v\n%s", err, failed.Stderr)
		}
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if strings.HasPrefix(p, "google.golang.org/") || p == "net/http" || p == "crypto/tls" {
			t.Errorf("cmds/rink has %s in it; go list -tags lean -deps ./cmds/... says by way of what", p)
		}
	}
}
