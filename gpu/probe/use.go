//go:build cgo

package probe

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Uses tells what the machine's GPUs are doing, in the driver's order. What a
// device does not tell is 0.
func Uses() ([]Use, error) {
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
	list := make([]Use, n)
	for i := range n {
		d, ret := nvml.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			continue // lost; the others are told
		}
		if u, ret := d.GetUtilizationRates(); ret == nvml.SUCCESS {
			list[i].Busy = float64(u.Gpu) / 100
		}
		if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
			list[i].Memory = int64(m.Used)
		}
		if e, ret := d.GetTotalEnergyConsumption(); ret == nvml.SUCCESS {
			list[i].Energy = int64(e)
		}
	}
	return list, nil
}
