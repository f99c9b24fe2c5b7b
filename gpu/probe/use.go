//go:build cgo

package probe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Uses tells what the machine's GPUs are doing, in the driver's order. What a
// device does not tell is 0.
func (l *Library) Uses() ([]Use, error) {
	devs, err := l.devices()
	if err != nil {
		return nil, err
	}
	list := make([]Use, len(devs))
	for i, d := range devs {
		if d == nil {
			continue // lost; the others are told
		}
		if l.can("nvmlDeviceGetUtilizationRates") {
			if u, ret := d.GetUtilizationRates(); ret == nvml.SUCCESS {
				list[i].Busy = float64(u.Gpu) / 100
			}
		}
		if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
			list[i].Memory = int64(m.Used)
		}
		list[i].Lists = l.can("nvmlDeviceGetComputeRunningProcesses_v3")
		if !l.can("nvmlDeviceGetTotalEnergyConsumption") {
			continue
		}
		if e, ret := d.GetTotalEnergyConsumption(); ret == nvml.SUCCESS {
			list[i].Energy = int64(e)
		}
	}
	return list, nil
}

// Processes lists what runs on the GPUs, and with lately above 0 also how busy it and
// what has ended since had them in that time. Their numbers are those of this pid namespace.
func (l *Library) Processes(lately time.Duration) ([]Process, error) {
	devs, err := l.devices()
	if err != nil {
		return nil, err
	}
	var out []Process
	for i, d := range devs {
		if d == nil {
			continue
		}
		var asks []func() ([]nvml.ProcessInfo, nvml.Return)
		if l.can("nvmlDeviceGetComputeRunningProcesses_v3") {
			asks = append(asks, d.GetComputeRunningProcesses)
		}
		if l.can("nvmlDeviceGetMPSComputeRunningProcesses_v3") {
			asks = append(asks, d.GetMPSComputeRunningProcesses)
		}
		at := map[int]int{} // where a process is in out: a sum, if it is on several instances
		for _, ask := range asks {
			list, ret := ask()
			if ret != nvml.SUCCESS {
				continue
			}
			for _, p := range list {
				one := Process{PID: int(p.Pid), GPU: i, GI: -1, Memory: int64(p.UsedGpuMemory)}
				if p.GpuInstanceId != ^uint32(0) {
					one.GI = int(p.GpuInstanceId)
				}
				if p.UsedGpuMemory == ^uint64(0) {
					one.Memory = 0 // the driver does not tell
				}
				at[one.PID] = len(out)
				out = append(out, one)
			}
		}
		if lately <= 0 || !l.can("nvmlDeviceGetProcessUtilization") {
			continue
		}
		// The driver keeps samples of some seconds, and answers with a mean of those since
		// then for each process.
		samples, ret := d.GetProcessUtilization(uint64(max(0, time.Now().Add(-lately).UnixMicro())))
		if ret != nvml.SUCCESS {
			continue // a GPU that is cut does not tell, nor one on which nothing ran
		}
		for _, s := range samples {
			k, known := at[int(s.Pid)]
			if !known {
				k = len(out)
				at[int(s.Pid)] = k
				out = append(out, Process{PID: int(s.Pid), GPU: i, GI: -1})
			}
			out[k].Busy = max(out[k].Busy, min(1, float64(s.SmUtil)/100))
		}
	}
	return out, nil
}

// Signs tells of each GPU's health, in the driver's order.
func (l *Library) Signs() ([]Signs, error) {
	devs, err := l.devices()
	if err != nil {
		return nil, err
	}
	list := make([]Signs, len(devs))
	for i, d := range devs {
		s := &list[i]
		if d == nil {
			s.Lost = true
			continue
		}
		if _, ret := d.GetMemoryInfo(); ret == nvml.ERROR_GPU_IS_LOST {
			s.Lost = true
			continue
		}
		if l.can("nvmlDeviceGetRemappedRows") {
			if _, _, pending, failed, ret := d.GetRemappedRows(); ret == nvml.SUCCESS {
				s.RemapsPending, s.RemapFailed = pending, failed
			}
		}
		if l.can("nvmlDeviceGetTotalEccErrors") {
			if n, ret := d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC); ret == nvml.SUCCESS {
				s.Uncorrected = n
			}
		}
		if l.can("nvmlDeviceGetTemperature") {
			if t, ret := d.GetTemperature(nvml.TEMPERATURE_GPU); ret == nvml.SUCCESS {
				s.Temperature = int(t)
			}
		}
		if l.can("nvmlDeviceGetPowerUsage") {
			if p, ret := d.GetPowerUsage(); ret == nvml.SUCCESS {
				s.PowerMilliW = int(p)
			}
		}
		if l.can("nvmlDeviceGetCurrentClocksEventReasons") {
			if why, ret := d.GetCurrentClocksEventReasons(); ret == nvml.SUCCESS {
				s.Throttled = throttled(why)
			}
		}
	}
	return list, nil
}

// throttled names the reasons for which hardware, and not a setting, slows a GPU
// down.
func throttled(bits uint64) string {
	var why []string
	for _, r := range []struct {
		bit  uint64
		name string
	}{
		{nvml.ClocksThrottleReasonHwSlowdown, "hardware slowdown"},
		{nvml.ClocksThrottleReasonHwThermalSlowdown, "thermal"},
		{nvml.ClocksThrottleReasonSwThermalSlowdown, "thermal by the driver"},
		{nvml.ClocksThrottleReasonHwPowerBrakeSlowdown, "power brake"},
	} {
		if bits&r.bit != 0 {
			why = append(why, r.name)
		}
	}
	return strings.Join(why, ", ")
}

// watchFor is how long one wait for an event lasts at most: how late Watch may
// notice that it is to end.
const watchFor = 500 // milliseconds

// Watch tells of each error the driver reports, until ctx ends. Where the driver
// reports none at all it returns an error at once.
func (l *Library) Watch(ctx context.Context, tell func(Event)) error {
	if !l.can("nvmlEventSetCreate", "nvmlEventSetFree", "nvmlEventSetWait_v2", "nvmlDeviceRegisterEvents") {
		return fmt.Errorf("cannot wait for errors of GPUs: %v", nvml.ERROR_FUNCTION_NOT_FOUND)
	}
	set, ret := l.lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		return fmt.Errorf("cannot wait for errors of GPUs: %v", ret)
	}
	defer set.Free()
	devs, err := l.devices()
	if err != nil {
		return err
	}
	number := map[string]int{}
	watched := 0
	for i, d := range devs {
		if d == nil {
			continue
		}
		if uuid, ret := d.GetUUID(); ret == nvml.SUCCESS {
			number[uuid] = i
		}
		if d.RegisterEvents(nvml.EventTypeXidCriticalError, set) == nvml.SUCCESS {
			watched++
		}
	}
	if watched == 0 {
		return fmt.Errorf("cannot wait for errors of GPUs: %v", nvml.ERROR_NOT_SUPPORTED)
	}
	for ctx.Err() == nil {
		e, ret := set.Wait(watchFor)
		switch ret {
		case nvml.SUCCESS:
		case nvml.ERROR_TIMEOUT:
			continue
		default:
			return fmt.Errorf("cannot wait for errors of GPUs: %v", ret)
		}
		if e.EventType != nvml.EventTypeXidCriticalError {
			continue
		}
		at := -1
		if e.Device != nil {
			if uuid, ret := e.Device.GetUUID(); ret == nvml.SUCCESS {
				if i, ok := number[uuid]; ok {
					at = i
				}
			} else if i, ret := e.Device.GetIndex(); ret == nvml.SUCCESS {
				at = i
			}
		}
		tell(Event{GPU: at, XID: e.EventData})
	}
	return nil
}
