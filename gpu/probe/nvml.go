//go:build cgo

// Package probe asks NVIDIA's management library about this machine's GPUs.
package probe

import (
	"errors"
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/runink/rink/gpu"
)

// ErrNone tells that the machine has no NVIDIA driver, which is normal.
var ErrNone = errors.New("no NVML on this machine")

// GPUs lists the machine's GPUs in the driver's order.
func GPUs() ([]gpu.GPU, error) {
	if ret := nvml.Init(); ret != nvml.SUCCESS {
		if ret == nvml.ERROR_LIBRARY_NOT_FOUND || ret == nvml.ERROR_DRIVER_NOT_LOADED {
			return nil, ErrNone
		}
		return nil, fmt.Errorf("cannot start NVML: %s", nvml.ErrorString(ret))
	}
	defer nvml.Shutdown()
	n, ret := nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("cannot count GPUs: %s", nvml.ErrorString(ret))
	}
	list := make([]gpu.GPU, 0, n)
	for i := range n {
		g, err := one(i)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, nil
}

func one(i int) (gpu.GPU, error) {
	g := gpu.GPU{Index: i}
	bad := func(what string, ret nvml.Return) (gpu.GPU, error) {
		return g, fmt.Errorf("cannot read the %s of GPU %d: %s", what, i, nvml.ErrorString(ret))
	}
	d, ret := nvml.DeviceGetHandleByIndex(i)
	if ret != nvml.SUCCESS {
		return bad("handle", ret)
	}
	if g.UUID, ret = d.GetUUID(); ret != nvml.SUCCESS {
		return bad("UUID", ret)
	}
	if g.Name, ret = d.GetName(); ret != nvml.SUCCESS {
		return bad("name", ret)
	}
	if g.Minor, ret = d.GetMinorNumber(); ret != nvml.SUCCESS {
		return bad("minor number", ret)
	}
	mem, ret := d.GetMemoryInfo()
	if ret != nvml.SUCCESS {
		return bad("memory", ret)
	}
	g.Memory = int64(mem.Total >> 20)
	pci, ret := d.GetPciInfo()
	if ret != nvml.SUCCESS {
		return bad("bus address", ret)
	}
	for _, c := range pci.BusId {
		if c == 0 {
			break
		}
		g.PCI += string(rune(c))
	}
	return g, nil
}
