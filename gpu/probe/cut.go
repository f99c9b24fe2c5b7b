//go:build cgo

package probe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/runink/rink/gpu"
)

// cutting are the calls by which a GPU is cut into instances and made whole again.
var cutting = []string{
	"nvmlDeviceGetMigMode", "nvmlDeviceSetMigMode", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetGpuInstanceProfileInfo",
	"nvmlDeviceGetGpuInstancePossiblePlacements_v2", "nvmlDeviceCreateGpuInstanceWithPlacement", "nvmlDeviceGetGpuInstances",
	"nvmlDeviceGetGpuInstanceById", "nvmlGpuInstanceGetInfo", "nvmlGpuInstanceDestroy", "nvmlGpuInstanceGetComputeInstanceProfileInfo",
	"nvmlGpuInstanceCreateComputeInstance", "nvmlGpuInstanceGetComputeInstances", "nvmlComputeInstanceDestroy",
}

// ErrReset tells that a GPU cannot be cut, or made whole again, without a reset that
// the driver cannot do by itself.
var ErrReset = errors.New("the GPU needs a reset for that")

// Profiles lists what a GPU can be cut into, nil when it cannot be.
func (l *Library) Profiles(uuid string) []gpu.Profile {
	d, err := l.byUUID(uuid)
	if err != nil {
		return nil
	}
	var out []gpu.Profile
	for _, p := range l.profiles(d) {
		out = append(out, p.Profile)
	}
	return out
}

// profileInfo is a profile with what the driver calls it by.
type profileInfo struct {
	gpu.Profile
	info nvml.GpuInstanceProfileInfo
}

func (l *Library) profiles(d nvml.Device) []profileInfo {
	if !l.can(cutting...) {
		return nil
	}
	var out []profileInfo
	for number := range nvml.GPU_INSTANCE_PROFILE_COUNT {
		info, ret := d.GetGpuInstanceProfileInfo(number)
		if ret != nvml.SUCCESS {
			continue
		}
		places, ret := d.GetGpuInstancePossiblePlacements(&info)
		if ret != nvml.SUCCESS {
			continue
		}
		p := profileInfo{info: info, Profile: gpu.Profile{Name: l.profileName(d, number, info), Memory: int64(info.MemorySizeMB)}}
		for _, at := range places {
			p.Spans = append(p.Spans, gpu.Span{Start: int(at.Start), Size: int(at.Size)})
		}
		slices.SortFunc(p.Spans, func(a, b gpu.Span) int { return cmp.Compare(a.Start, b.Start) })
		if len(p.Spans) > 0 && !slices.ContainsFunc(out, func(o profileInfo) bool { return o.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out
}

// profileName is what the driver calls a profile, or what NVIDIA's documents do. The
// sign for extra engines, "+", is one that Slurm's lists of resources could not have.
func (l *Library) profileName(d nvml.Device, number int, info nvml.GpuInstanceProfileInfo) string {
	if l.can("nvmlDeviceGetGpuInstanceProfileInfoV") {
		if named, ret := d.GetGpuInstanceProfileInfoV(number).V2(); ret == nvml.SUCCESS {
			if name := strings.TrimSpace(strings.TrimPrefix(text(named.Name[:]), "MIG ")); name != "" {
				return strings.ToLower(strings.ReplaceAll(name, "+", "."))
			}
		}
	}
	extra := ""
	if number == nvml.GPU_INSTANCE_PROFILE_1_SLICE_REV1 || number == nvml.GPU_INSTANCE_PROFILE_2_SLICE_REV1 {
		extra = "me"
	}
	return gpu.ProfileName(int(info.SliceCount), int64(info.MemorySizeMB), extra)
}

func (l *Library) byUUID(uuid string) (nvml.Device, error) {
	if !l.can("nvmlDeviceGetHandleByUUID") {
		return nil, fmt.Errorf("cannot find GPU %s: %v", uuid, nvml.ERROR_FUNCTION_NOT_FOUND)
	}
	d, ret := l.lib.DeviceGetHandleByUUID(uuid)
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("cannot find GPU %s: %v", uuid, ret)
	}
	return d, nil
}

// Cut cuts a GPU into these instances, in place of whatever it was cut into before,
// and returns them in the order of their places. Nothing may be running on it. When
// it fails the GPU may be left half cut: Whole puts that right.
func (l *Library) Cut(uuid string, want []string) ([]gpu.Instance, error) {
	bad := func(what string, ret nvml.Return) error { return fmt.Errorf("cannot %s GPU %s: %v", what, uuid, ret) }
	d, err := l.byUUID(uuid)
	if err != nil {
		return nil, err
	}
	profiles := l.profiles(d)
	spans, ok := gpu.Arrange(plain(profiles), want)
	if !ok {
		return nil, fmt.Errorf("cannot cut GPU %s into %s: they do not fit", uuid, strings.Join(want, ", "))
	}
	if err := l.clear(d, uuid, profiles); err != nil {
		return nil, err
	}
	if d, err = l.setMode(d, uuid, nvml.DEVICE_MIG_ENABLE); err != nil {
		return nil, err
	}
	for i, name := range want {
		at := slices.IndexFunc(profiles, func(p profileInfo) bool { return p.Name == name })
		info := profiles[at].info
		gi, ret := d.CreateGpuInstanceWithPlacement(&info, &nvml.GpuInstancePlacement{Start: uint32(spans[i].Start), Size: uint32(spans[i].Size)})
		if ret != nvml.SUCCESS {
			return nil, bad("make an instance "+name+" of", ret)
		}
		if ret := compute(gi, info.SliceCount); ret != nvml.SUCCESS {
			return nil, bad("make an instance "+name+" compute on", ret)
		}
	}
	return l.Instances(uuid)
}

func plain(list []profileInfo) []gpu.Profile {
	out := make([]gpu.Profile, len(list))
	for i := range list {
		out[i] = list[i].Profile
	}
	return out
}

// compute gives all processors of an instance to one that computes.
func compute(gi nvml.GpuInstance, slicesOf uint32) nvml.Return {
	last := nvml.Return(nvml.ERROR_NOT_SUPPORTED)
	for number := range nvml.COMPUTE_INSTANCE_PROFILE_COUNT {
		info, ret := gi.GetComputeInstanceProfileInfo(number, nvml.COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED)
		if ret != nvml.SUCCESS || info.SliceCount != slicesOf {
			continue
		}
		if _, last = gi.CreateComputeInstance(&info); last == nvml.SUCCESS {
			break
		}
	}
	return last
}

// Whole removes all instances of a GPU and makes it one device again.
func (l *Library) Whole(uuid string) error {
	d, err := l.byUUID(uuid)
	if err != nil {
		return err
	}
	if err := l.clear(d, uuid, l.profiles(d)); err != nil {
		return err
	}
	_, err = l.setMode(d, uuid, nvml.DEVICE_MIG_DISABLE)
	return err
}

// clear removes the instances of a GPU.
func (l *Library) clear(d nvml.Device, uuid string, profiles []profileInfo) error {
	if !l.can(cutting...) {
		return fmt.Errorf("cannot cut GPU %s: %v", uuid, nvml.ERROR_FUNCTION_NOT_FOUND)
	}
	if now, _, ret := d.GetMigMode(); ret != nvml.SUCCESS || now != nvml.DEVICE_MIG_ENABLE {
		return nil
	}
	for i := range profiles {
		list, ret := d.GetGpuInstances(&profiles[i].info)
		if ret != nvml.SUCCESS {
			continue
		}
		for _, gi := range list {
			for number := range nvml.COMPUTE_INSTANCE_PROFILE_COUNT {
				info, ret := gi.GetComputeInstanceProfileInfo(number, nvml.COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED)
				if ret != nvml.SUCCESS {
					continue
				}
				cis, ret := gi.GetComputeInstances(&info)
				if ret != nvml.SUCCESS {
					continue
				}
				for _, ci := range cis {
					if ret := ci.Destroy(); ret != nvml.SUCCESS {
						return fmt.Errorf("cannot remove an instance of GPU %s: %v", uuid, ret)
					}
				}
			}
			if ret := gi.Destroy(); ret != nvml.SUCCESS {
				return fmt.Errorf("cannot remove an instance of GPU %s: %v", uuid, ret)
			}
		}
	}
	return nil
}

// setMode has a GPU be one that is cut, or whole. The driver may reset it for that,
// so that its handle is another one afterwards.
func (l *Library) setMode(d nvml.Device, uuid string, mode int) (nvml.Device, error) {
	if now, next, ret := d.GetMigMode(); ret == nvml.SUCCESS && now == mode && next == mode {
		return d, nil
	}
	active, ret := d.SetMigMode(mode)
	if ret == nvml.SUCCESS {
		ret = active
	}
	switch ret {
	case nvml.SUCCESS:
		return l.byUUID(uuid)
	case nvml.ERROR_RESET_REQUIRED:
		if now, _, ret := d.GetMigMode(); ret == nvml.SUCCESS {
			d.SetMigMode(now) // so that no later reset brings what nobody asked for then
		}
		return nil, fmt.Errorf("cannot change the MIG mode of GPU %s: %w", uuid, ErrReset)
	}
	return nil, fmt.Errorf("cannot change the MIG mode of GPU %s: %v", uuid, ret)
}

// Instances lists what a GPU is cut into, in the order of their places; nil when it
// is whole.
func (l *Library) Instances(uuid string) ([]gpu.Instance, error) {
	d, err := l.byUUID(uuid)
	if err != nil {
		return nil, err
	}
	if now, _, ret := d.GetMigMode(); ret != nvml.SUCCESS || now != nvml.DEVICE_MIG_ENABLE {
		return nil, nil
	}
	minor, ret := d.GetMinorNumber()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("cannot read the minor number of GPU %s: %v", uuid, ret)
	}
	list := l.instances(d, gpu.GPU{Minor: minor})
	slices.SortStableFunc(list, func(a, b gpu.Instance) int { return cmp.Compare(a.Start, b.Start) })
	return list, nil
}
