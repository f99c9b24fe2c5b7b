package pipeline

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The example, run stage by stage as a cluster would run it, on a tree small
// enough to count by hand.
func TestCensusExample(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash: ", err)
	}
	path := filepath.Join("..", "examples", "census", "pipeline.sh")
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(path, script)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go":              "// Package a.\npackage a\n\nimport \"fmt\"\n\nfunc F() { fmt.Println() }\nfunc (T) G() {}\n\ntype T int\n",
		"a/a_test.go":         "package a\n\nimport (\n\t\"fmt\"\n\t. \"testing\" // dot\n)\n\nfunc TestF(t *T) {}\nfunc Testify() {}\nfunc Test(t *T) {}\nfunc ExampleF() {}\n",
		"a/b/b.go":            "package b\n\n/*\nimport \"no\"\n*/\nimport str \"strings\"\n\nvar x = `\nimport \"never\"\nfunc raw() {\n`\n",
		"a/empty.go":          "",
		"c/no newline end.go": "package c\nimport \"fmt\"",
		"c/notes.txt":         "func no() {}\n",
	} {
		file := filepath.Join(dir, "src", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var report string
	for _, i := range s.Order() {
		st := s.Stages[i]
		tasks := []string{""}
		if strings.Contains(strings.Join(st.Args, " "), "--array=0-7") {
			tasks = strings.Split("01234567", "")
		}
		for _, task := range tasks {
			cmd := exec.Command(bash)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "CENSUS_SRC=src", "CENSUS_OUT=", "SLURM_ARRAY_TASK_ID="+task)
			cmd.Stdin = strings.NewReader(string(s.Text(st)))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("stage %s %s: %v\n%s", st.Name, task, err, out)
			}
			report = string(out)
		}
	}
	want := [][]string{
		{"package", "files", "lines", "functions", "tests", "imports", "test_lines"},
		{"a", "3", "20", "6", "3", "2", "11"},
		{"a/b", "1", "11", "1", "0", "1", "0"},
		{"c", "1", "2", "0", "0", "1", "0"},
	}
	if got := readCSV(t, filepath.Join(dir, "census-out", "packages.csv")); !reflect.DeepEqual(got, want) {
		t.Errorf("packages.csv = %q\nwant %q", got, want)
	}
	want = [][]string{{"package", "importing_packages"}, {"fmt", "2"}, {"strings", "1"}, {"testing", "1"}}
	if got := readCSV(t, filepath.Join(dir, "census-out", "imports.csv")); !reflect.DeepEqual(got, want) {
		t.Errorf("imports.csv = %q\nwant %q", got, want)
	}
	if n := strings.Count(report, "agrees"); n != 5 {
		t.Errorf("%d totals agree, want 5:\n%s", n, report)
	}
	svg, err := os.Open(filepath.Join(dir, "census-out", "packages.svg"))
	if err != nil {
		t.Fatal(err)
	}
	defer svg.Close()
	for d := xml.NewDecoder(svg); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("packages.svg: %v", err)
		}
	}
}

func readCSV(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rows
}
