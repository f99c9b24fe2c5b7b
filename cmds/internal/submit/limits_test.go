package submit

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The runtime raises the soft limit of open files before anything of ours
// runs; only a process started with a low one can tell.
func TestLimitOfOpenFilesIsTheCallers(t *testing.T) {
	if os.Getenv("PRINT_LIMITS") != "" {
		list, err := Limits("NOFILE")
		if err != nil || len(list) != 1 {
			t.Fatalf("limits %v: %v", list, err)
		}
		fmt.Printf("soft %d hard %d\n", list[0].Soft, list[0].Hard)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for set, want := range map[string]string{
		"ulimit -n 500; ulimit -Sn 100": "soft 100 hard 500\n", "ulimit -n 200": "soft 200 hard 200\n", "ulimit -n 300; ulimit -Sn 299": "soft 299 hard 300\n",
	} {
		cmd := exec.Command("/bin/sh", "-c", set+`; exec "$0" -test.run=^TestLimitOfOpenFilesIsTheCallers$`, exe)
		cmd.Env = append(os.Environ(), "PRINT_LIMITS=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %q (%v), want %q", set, out, err, want)
		}
	}
}
