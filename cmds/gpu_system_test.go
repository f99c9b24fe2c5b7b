//go:build system

package cmds_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/runink/rink/gpu/probe/probetest"
)

// TestSystemGPUs runs TestGPUs in a virtual machine whose cgroups are version 2.
func TestSystemGPUs(t *testing.T) {
	cmd := exec.Command("sh", "gpu_system_test.sh")
	cmd.Env = append(os.Environ(), probetest.Built+"="+probetest.Build(t))
	out, err := cmd.CombinedOutput()
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
