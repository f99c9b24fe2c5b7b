//go:build cgo

package probe

/*
#define _GNU_SOURCE
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

typedef int (*by_uuid)(const char *, void **);
typedef int (*memory_clocks)(void *, unsigned *, unsigned *);
typedef int (*graphics_clocks)(void *, unsigned, unsigned *, unsigned *);

// supported_clocks asks the library that is loaded for the clocks of the memory, or
// with a clock of the memory for those of the processors that go with it. It returns
// what the library does, and -1 where it has no such call.
static int supported_clocks(const char *uuid, unsigned memory, unsigned *n, unsigned *list) {
	by_uuid find = (by_uuid)dlsym(RTLD_DEFAULT, "nvmlDeviceGetHandleByUUID");
	memory_clocks of_memory = (memory_clocks)dlsym(RTLD_DEFAULT, "nvmlDeviceGetSupportedMemoryClocks");
	graphics_clocks of_graphics = (graphics_clocks)dlsym(RTLD_DEFAULT, "nvmlDeviceGetSupportedGraphicsClocks");
	void *device;
	if (!find || !of_memory || !of_graphics)
		return -1;
	int ret = find(uuid, &device);
	if (ret)
		return ret;
	return memory ? of_graphics(device, memory, n, list) : of_memory(device, n, list);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/runink/rink/gpu"
)

// clocking are the calls by which clocks are set.
var clocking = []string{
	"nvmlDeviceSetApplicationsClocks", "nvmlDeviceResetApplicationsClocks", "nvmlDeviceGetApplicationsClock",
	"nvmlDeviceSetGpuLockedClocks", "nvmlDeviceSetMemoryLockedClocks", "nvmlDeviceResetGpuLockedClocks", "nvmlDeviceResetMemoryLockedClocks",
}

// supported lists the clocks a GPU can have, in MHz: those of its memory, or with
// one of these those of the processors. go-nvml's call for it has room for one only.
func supported(uuid string, memory int) ([]int, error) {
	name := C.CString(uuid)
	defer C.free(unsafe.Pointer(name))
	var list [512]C.uint
	n := C.uint(len(list))
	if ret := nvml.Return(C.supported_clocks(name, C.uint(memory), &n, &list[0])); ret != nvml.SUCCESS {
		return nil, fmt.Errorf("cannot list the clocks of GPU %s: %v", uuid, ret)
	}
	out := make([]int, min(int(n), len(list)))
	for i := range out {
		out[i] = int(list[i])
	}
	return out, nil
}

// SetClocks sets the clocks of a GPU and returns what they are now, in MHz. Where the
// driver no longer has clocks for applications they are locked.
func (l *Library) SetClocks(uuid string, c gpu.Clocks) (memory, graphics int, err error) {
	d, err := l.byUUID(uuid)
	if err != nil {
		return 0, 0, err
	}
	all, err := supported(uuid, 0)
	if err != nil {
		return 0, 0, err
	}
	memory = gpu.ChooseClock(all, c.Memory)
	if all, err = supported(uuid, memory); err != nil {
		return 0, 0, err
	}
	graphics = gpu.ChooseClock(all, c.Graphics)
	ret := nvml.Return(nvml.ERROR_NOT_SUPPORTED)
	if l.can("nvmlDeviceSetApplicationsClocks") {
		ret = d.SetApplicationsClocks(uint32(memory), uint32(graphics))
	}
	if ret == nvml.ERROR_NOT_SUPPORTED && l.can("nvmlDeviceSetGpuLockedClocks", "nvmlDeviceSetMemoryLockedClocks") {
		if ret = d.SetGpuLockedClocks(uint32(graphics), uint32(graphics)); ret == nvml.SUCCESS && c.Memory != "" {
			ret = d.SetMemoryLockedClocks(uint32(memory), uint32(memory))
		}
	}
	if ret != nvml.SUCCESS {
		return 0, 0, fmt.Errorf("cannot set the clocks of GPU %s: %v", uuid, ret)
	}
	return memory, graphics, nil
}

// ResetClocks lets the driver choose the clocks of a GPU again.
func (l *Library) ResetClocks(uuid string) error {
	d, err := l.byUUID(uuid)
	if err != nil {
		return err
	}
	ret := nvml.Return(nvml.ERROR_NOT_SUPPORTED)
	if l.can("nvmlDeviceResetApplicationsClocks") {
		ret = d.ResetApplicationsClocks()
	}
	if l.can("nvmlDeviceResetGpuLockedClocks", "nvmlDeviceResetMemoryLockedClocks") {
		if r := d.ResetGpuLockedClocks(); ret == nvml.ERROR_NOT_SUPPORTED {
			ret = r
		}
		d.ResetMemoryLockedClocks()
	}
	if ret != nvml.SUCCESS {
		return fmt.Errorf("cannot put back the clocks of GPU %s: %v", uuid, ret)
	}
	return nil
}
