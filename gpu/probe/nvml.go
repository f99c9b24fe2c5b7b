//go:build cgo

package probe

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/runink/rink/gpu"
)

// Library is NVML, held open. Its methods may be called from several goroutines.
type Library struct {
	lib  nvml.Interface
	proc string // where the driver tells of the files that open instances
	// lacks are the calls this driver does not have: to make one would end the
	// process.
	lacks map[string]bool
}

// needed are the calls without which nothing can be told of a GPU.
var needed = []string{"nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMinorNumber", "nvmlDeviceGetMemoryInfo"}

// optional are the calls for what is left out where it is not told.
var optional = []string{
	"nvmlSystemGetDriverVersion", "nvmlSystemGetCudaDriverVersion", "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetNumaNodeId", "nvmlDeviceGetCpuAffinity",
	"nvmlDeviceGetComputeMode", "nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetGpuInstanceId",
	"nvmlDeviceGetComputeInstanceId", "nvmlDeviceGetAttributes_v2", "nvmlDeviceGetNvLinkState", "nvmlDeviceGetNvLinkRemoteDeviceType",
	"nvmlDeviceGetNvLinkRemotePciInfo_v2", "nvmlDeviceGetTopologyCommonAncestor", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTotalEnergyConsumption",
	"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetProcessUtilization", "nvmlDeviceGetRemappedRows", "nvmlDeviceGetTotalEccErrors",
	"nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlEventSetCreate", "nvmlEventSetFree",
	"nvmlEventSetWait_v2", "nvmlDeviceRegisterEvents", "nvmlDeviceGetGpuInstanceProfileInfoV", "nvmlDeviceGetGpuFabricInfoV",
}

// has reports whether a library has a call, in this version or the first one.
func has(lib nvml.Interface, name string) bool {
	first, _, _ := strings.Cut(name, "_v")
	return lib.Extensions().LookupSymbol(name) == nil || lib.Extensions().LookupSymbol(first) == nil
}

// can reports whether this driver has all of these calls.
func (l *Library) can(names ...string) bool {
	for _, n := range names {
		if l.lacks[n] {
			return false
		}
	}
	return true
}

// Open loads NVML and starts it. The error is ErrNone where there is no driver.
func Open() (*Library, error) { return open(nvml.New(), "/proc/driver/nvidia/capabilities") }

func open(lib nvml.Interface, proc string) (*Library, error) {
	switch ret := lib.Init(); ret {
	case nvml.SUCCESS:
		l := &Library{lib: lib, proc: proc, lacks: map[string]bool{}}
		for _, name := range needed {
			if !has(lib, name) {
				lib.Shutdown()
				return nil, fmt.Errorf("cannot use NVML: it has no %s", name)
			}
		}
		for _, name := range optional {
			l.lacks[name] = !has(lib, name)
		}
		for _, name := range slices.Concat(cutting, clocking) {
			l.lacks[name] = !has(lib, name)
		}
		return l, nil
	case nvml.ERROR_LIBRARY_NOT_FOUND, nvml.ERROR_DRIVER_NOT_LOADED:
		return nil, ErrNone
	default:
		return nil, fmt.Errorf("cannot start NVML: %v", ret)
	}
}

// Close lets go of the library.
func (l *Library) Close() { l.lib.Shutdown() }

// Versions tells which driver this is; what it does not say is "".
func (l *Library) Versions() Versions {
	var v Versions
	if l.can("nvmlSystemGetDriverVersion") {
		if s, ret := l.lib.SystemGetDriverVersion(); ret == nvml.SUCCESS {
			v.Driver = s
		}
	}
	if l.can("nvmlSystemGetCudaDriverVersion") {
		if n, ret := l.lib.SystemGetCudaDriverVersion(); ret == nvml.SUCCESS {
			v.CUDA = fmt.Sprintf("%d.%d", n/1000, n%1000/10)
		}
	}
	return v
}

// devices returns a handle for each GPU, nil for one the driver has lost.
func (l *Library) devices() ([]nvml.Device, error) {
	n, ret := l.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("cannot count GPUs: %v", ret)
	}
	list := make([]nvml.Device, n)
	for i := range list {
		d, ret := l.lib.DeviceGetHandleByIndex(i)
		switch ret {
		case nvml.SUCCESS:
			list[i] = d
		case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_NO_PERMISSION, nvml.ERROR_UNKNOWN, nvml.ERROR_IRQ_ISSUE, nvml.ERROR_RESET_REQUIRED:
		default:
			return nil, fmt.Errorf("cannot read the handle of GPU %d: %v", i, ret)
		}
	}
	return list, nil
}

// GPUs lists the machine's GPUs in the driver's order. One that is lost has no
// UUID. What a device does not tell beside its identity is left out.
func (l *Library) GPUs() ([]gpu.GPU, error) {
	devs, err := l.devices()
	if err != nil {
		return nil, err
	}
	list := make([]gpu.GPU, len(devs))
	for i, d := range devs {
		list[i] = gpu.GPU{Index: i, Minor: -1, NUMA: -1}
		if d == nil {
			continue
		}
		if err := l.describe(d, &list[i]); err != nil {
			return nil, err
		}
	}
	for i, d := range devs {
		if d != nil {
			list[i].Links, list[i].Paths = l.ties(devs, list, i)
		}
	}
	return list, nil
}

func (l *Library) describe(d nvml.Device, g *gpu.GPU) error {
	bad := func(what string, ret nvml.Return) error {
		return fmt.Errorf("cannot read the %s of GPU %d: %v", what, g.Index, ret)
	}
	var ret nvml.Return
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
	if l.can("nvmlDeviceGetPciInfo_v3") {
		pci, ret := d.GetPciInfo()
		if ret != nvml.SUCCESS {
			return bad("bus address", ret)
		}
		g.PCI = text(pci.BusId[:])
	}
	if l.can("nvmlDeviceGetNumaNodeId") {
		if n, ret := d.GetNumaNodeId(); ret == nvml.SUCCESS {
			g.NUMA = n
		}
	}
	if l.can("nvmlDeviceGetCpuAffinity") {
		if mask, ret := d.GetCpuAffinity(1024); ret == nvml.SUCCESS {
			g.CPUs = cpus(mask)
		}
	}
	if l.can("nvmlDeviceGetComputeMode") {
		if mode, ret := d.GetComputeMode(); ret == nvml.SUCCESS {
			g.Exclusive = mode == nvml.COMPUTEMODE_EXCLUSIVE_PROCESS
		}
	}
	if !l.can("nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetGpuInstanceId",
		"nvmlDeviceGetComputeInstanceId", "nvmlDeviceGetAttributes_v2") {
		return nil
	}
	if now, _, ret := d.GetMigMode(); ret == nvml.SUCCESS && now == nvml.DEVICE_MIG_ENABLE {
		g.MIG = true
		g.Instances = l.instances(d, *g)
	}
	return nil
}

// instances lists what a GPU is cut into. One that cannot be described, because it
// is being made or removed, is left out.
func (l *Library) instances(d nvml.Device, g gpu.GPU) []gpu.Instance {
	n, ret := d.GetMaxMigDeviceCount()
	if ret != nvml.SUCCESS {
		return nil
	}
	var out []gpu.Instance
	for i := range n {
		m, ret := d.GetMigDeviceHandleByIndex(i)
		if ret != nvml.SUCCESS {
			continue
		}
		var in gpu.Instance
		var r [4]nvml.Return
		in.UUID, r[0] = m.GetUUID()
		in.GI, r[1] = m.GetGpuInstanceId()
		in.CI, r[2] = m.GetComputeInstanceId()
		a, ret := m.GetAttributes()
		r[3] = ret
		if r != [4]nvml.Return{} {
			continue
		}
		in.Memory = int64(a.MemorySizeMB)
		in.Profile = profile(m, a)
		in.Files = l.instanceFiles(g.Minor, in.GI, in.CI)
		if l.can("nvmlDeviceGetGpuInstanceById", "nvmlGpuInstanceGetInfo") {
			if gi, ret := d.GetGpuInstanceById(in.GI); ret == nvml.SUCCESS {
				if info, ret := gi.GetInfo(); ret == nvml.SUCCESS {
					in.Start = int(info.Placement.Start)
				}
			}
		}
		out = append(out, in)
	}
	return out
}

// profile names what an instance is: as its own name ends, or else by its slices
// and gigabytes.
func profile(m nvml.Device, a nvml.DeviceAttributes) string {
	if name, ret := m.GetName(); ret == nvml.SUCCESS {
		if _, p, ok := strings.Cut(name, " MIG "); ok {
			return strings.ReplaceAll(strings.TrimSpace(p), "+", ".")
		}
	}
	p := fmt.Sprintf("%dg.%dgb", a.GpuInstanceSliceCount, (a.MemorySizeMB+1023)/1024)
	if a.ComputeInstanceSliceCount != a.GpuInstanceSliceCount {
		p = fmt.Sprintf("%dc.%s", a.ComputeInstanceSliceCount, p)
	}
	return p
}

// instanceFiles reads which device files open an instance: one for the memory, one
// for the processors.
func (l *Library) instanceFiles(minor, gi, ci int) []string {
	dir := filepath.Join(l.proc, fmt.Sprintf("gpu%d/mig/gi%d", minor, gi))
	var files []string
	for _, path := range []string{filepath.Join(dir, "access"), filepath.Join(dir, fmt.Sprintf("ci%d", ci), "access")} {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for line := range strings.Lines(string(raw)) {
			if rest, ok := strings.CutPrefix(line, "DeviceFileMinor:"); ok {
				if n, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil {
					files = append(files, fmt.Sprintf("/dev/nvidia-caps/nvidia-cap%d", n))
				}
			}
		}
	}
	return files
}

// paths translates what NVML calls the nearest thing two GPUs have in common.
var paths = map[nvml.GpuTopologyLevel]gpu.Path{
	nvml.TOPOLOGY_INTERNAL: gpu.PathBoard, nvml.TOPOLOGY_SINGLE: gpu.PathBridge, nvml.TOPOLOGY_MULTIPLE: gpu.PathBridges,
	nvml.TOPOLOGY_HOSTBRIDGE: gpu.PathHostBridge, nvml.TOPOLOGY_NODE: gpu.PathNode, nvml.TOPOLOGY_SYSTEM: gpu.PathSystem,
}

// ties tells how GPU i hangs together with the others. Links that end in a switch
// tie it to every GPU whose links end in one too.
func (l *Library) ties(devs []nvml.Device, list []gpu.GPU, i int) (links []int, between []gpu.Path) {
	links, between = make([]int, len(devs)), make([]gpu.Path, len(devs))
	links[i] = -1
	linked, far := l.links(devs[i])
	for k, d := range devs {
		if k == i || d == nil {
			continue
		}
		links[k] = linked[bus(list[k].PCI)]
		if links[k] == 0 && far > 0 {
			if _, theirs := l.links(d); theirs > 0 {
				links[k] = min(far, theirs)
			}
		}
		if l.can("nvmlDeviceGetTopologyCommonAncestor") {
			if level, ret := devs[i].GetTopologyCommonAncestor(d); ret == nvml.SUCCESS {
				between[k] = paths[level]
			}
		}
	}
	return links, between
}

// links counts the live NVLinks of a device by the bus address they lead to, and
// those that lead to a switch.
func (l *Library) links(d nvml.Device) (to map[string]int, far int) {
	to = map[string]int{}
	if !l.can("nvmlDeviceGetNvLinkState") {
		return to, 0
	}
	for n := range nvml.NVLINK_MAX_LINKS {
		state, ret := d.GetNvLinkState(n)
		if ret != nvml.SUCCESS {
			break // the device has no more of them
		}
		if state != nvml.FEATURE_ENABLED {
			continue
		}
		if l.can("nvmlDeviceGetNvLinkRemoteDeviceType") {
			if kind, ret := d.GetNvLinkRemoteDeviceType(n); ret == nvml.SUCCESS && kind == nvml.NVLINK_DEVICE_TYPE_SWITCH {
				far++
				continue
			}
		}
		if !l.can("nvmlDeviceGetNvLinkRemotePciInfo_v2") {
			continue
		}
		if pci, ret := d.GetNvLinkRemotePciInfo(n); ret == nvml.SUCCESS {
			to[bus(text(pci.BusId[:]))]++
		}
	}
	return to, far
}

// bus writes a bus address alike, whatever the length of its domain.
func bus(address string) string {
	domain, rest, ok := strings.Cut(strings.ToLower(address), ":")
	if !ok {
		return address
	}
	return strings.TrimLeft(domain, "0") + ":" + rest
}

// text reads a C string.
func text(raw []int8) string {
	var b strings.Builder
	for _, c := range raw {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// cpus reads a mask of CPUs.
func cpus(mask []uint) []int {
	var list []int
	for w, word := range mask {
		for ; word != 0; word &= word - 1 {
			list = append(list, w*bits.UintSize+bits.TrailingZeros(word))
		}
	}
	return list
}
