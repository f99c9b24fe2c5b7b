package probe

import (
	"errors"
	"testing"
)

// TestGPUs holds on a machine with a driver that each GPU is described, and on
// one without that it is said in the way callers look for.
func TestGPUs(t *testing.T) {
	list, err := GPUs()
	if errors.Is(err, ErrNone) {
		if list != nil {
			t.Errorf("GPUs without a driver: %v", list)
		}
		t.Skip("this machine has no NVIDIA driver: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range list {
		if g.Index != i || g.UUID == "" || g.Name == "" || g.Memory <= 0 || g.PCI == "" {
			t.Errorf("GPU %d is not described: %+v", i, g)
		}
	}
}

// TestUses holds that each GPU that is described also tells what it is doing.
func TestUses(t *testing.T) {
	list, err := Uses()
	if errors.Is(err, ErrNone) {
		t.Skip("this machine has no NVIDIA driver: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range list {
		if u.Busy < 0 || u.Busy > 1 || u.Memory < 0 || u.Energy < 0 {
			t.Errorf("GPU %d does %+v", i, u)
		}
	}
}
