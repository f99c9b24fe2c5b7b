// Package probetest makes a management library for tests: it has NVML's binary
// interface and tells of the GPUs that a description file has, so that the code that
// runs in production can be tested on a machine without any.
package probetest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

//go:embed testdata/nvml.c
var source []byte

//go:embed testdata/change.c
var changes []byte // what a program may change, which nvml.c includes

// Variable names the environment variable that names the description file. Its
// format is told at the top of testdata/nvml.c.
const Variable = "NVML_DESCRIPTION"

// Built names the environment variable that says where the library is on a machine
// that has it from elsewhere.
const Built = "NVML_LIBRARY"

// Build compiles the library into a directory of the test's, which is what
// LD_LIBRARY_PATH is then to name. The test is skipped where there is no compiler.
func Build(t testing.TB) (dir string) {
	t.Helper()
	if dir := os.Getenv(Built); dir != "" {
		return dir
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler to build the library with: ", err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		t.Fatal("cannot find NVML's header: ", err)
	}
	header, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "pkg/nvml/nvml.h"))
	if err != nil {
		t.Fatal("cannot read NVML's header: ", err)
	}
	// go-nvml wraps the handles for Go's sake; in C they are what is wrapped.
	header = wrapped.ReplaceAll(header, []byte("typedef $1 $2;"))
	dir = t.TempDir()
	for name, text := range map[string][]byte{"nvml.h": header, "nvml.c": source, "change.c": changes} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(cc, "-shared", "-fPIC", "-O1", "-Wall", "-I", dir, "-o", filepath.Join(dir, "libnvidia-ml.so.1"), filepath.Join(dir, "nvml.c"), "-lpthread")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the library: %v\n%s", err, text[:min(len(text), 2000)])
	}
	return dir
}

var wrapped = regexp.MustCompile(`typedef struct\s*\{\s*(struct nvml\w+_st\s*\*)\s*handle;\s*\}\s*(nvml\w+_t);`)

// Describe writes a description whole, in place of the last one.
func Describe(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
