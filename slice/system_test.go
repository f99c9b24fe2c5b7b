//go:build system

package slice

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
)

// TestSystemCgroupV2 runs the kernel tests of this package and of the launcher
// in a virtual machine whose cgroups are version 2.
func TestSystemCgroupV2(t *testing.T) {
	out, err := exec.Command("sh", "system_test.sh").CombinedOutput()
	text := string(out)
	for in := bufio.NewScanner(strings.NewReader(text)); in.Scan(); {
		if why, ok := strings.CutPrefix(in.Text(), "SKIP: "); ok {
			t.Skip(why)
		}
	}
	if err != nil || !strings.Contains(text, "SYSTEM OK") {
		t.Fatalf("the tests in the virtual machine: %v\n%s", err, text[max(0, len(text)-8000):])
	}
}
