package gpu

import "testing"

func TestType(t *testing.T) {
	for name, want := range map[string]string{
		"NVIDIA A100-SXM4-40GB": "nvidia_a100-sxm4-40gb",
		"Tesla V100 ":           "tesla_v100",
		"":                      "",
	} {
		if got := (GPU{Name: name}).Type(); got != want {
			t.Errorf("Type of %q is %q, want %q", name, got, want)
		}
	}
}
