package cmds_test

import (
	"strings"
	"testing"
)

// TestGPUsAsConfigured has nodes with other GPUs than slurm.conf and gres.conf tell
// of: they are drained with the words and the state that a real Slurm 22.05 gives
// them (asked with gres.conf files like these).
func TestGPUsAsConfigured(t *testing.T) {
	for _, k := range []struct{ name, gres, gresConf, want string }{
		{"FewerFound", "gpu:a100:6", "AutoDetect=nvml\n", "gres/gpu count reported lower than configured (4 < 6)"},
		{"AnotherType", "gpu:h100:4", "AutoDetect=nvml\n", "gres/gpu count reported lower than configured (0 < 4)"},
		{"FewerFiles", "gpu:a100:4", "Name=gpu Type=a100 File=/dev/nvidia[0-1]\n", "gres/gpu count reported lower than configured (2 < 4)"},
		{"FilesOfAnotherType", "gpu:a100:4", "Name=gpu Type=h100 File=/dev/nvidia[0-3]\n", "gres/gpu count reported lower than configured (0 < 4)"},
		{"SomeOfAnotherType", "gpu:a100:4", "Name=gpu Type=a100 File=/dev/nvidia[0-1]\nName=gpu Type=h100 File=/dev/nvidia[2-3]\n", "gres/gpu count reported lower than configured (2 < 4)"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := startGPUs(t, gpuSetup{describe: func(int) string { return accountedGPUs([4]int{}, 0, "") }, gres: k.gres, gresConf: k.gresConf, exact: true, up: "inval 2"})
			got := c.wait("scontrol", k.want, "show", "node", "g1")
			if !strings.Contains(got, "State=IDLE+DRAIN+INVALID_REG") || !strings.Contains(got, "Gres="+k.gres+"\n") || !strings.Contains(got, "Reason="+k.want+" [") {
				t.Errorf("%s", got)
			}
			if got := c.must("sinfo", "-h", "-R", "-o", "%E"); got != k.want {
				t.Errorf("sinfo -R: %q", got)
			}
		})
	}
}
