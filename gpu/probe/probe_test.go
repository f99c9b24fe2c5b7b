//go:build cgo

package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/gpu/probe/probetest"
)

// TestThisMachine holds on a machine with a driver that each GPU is described, and
// on one without that it is said in the way callers look for.
func TestThisMachine(t *testing.T) {
	l, err := Open()
	if errors.Is(err, ErrNone) {
		t.Skip("this machine has no NVIDIA driver: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	list, err := l.GPUs()
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range list {
		t.Logf("%+v", g)
		if g.Index != i || g.UUID == "" || g.Name == "" || g.Memory <= 0 || g.PCI == "" {
			t.Errorf("GPU %d is not described: %+v", i, g)
		}
		if _, err := os.Stat(g.File()); err != nil {
			t.Errorf("GPU %d has no device file: %v", i, err)
		}
	}
	uses, err := l.Uses()
	if err != nil || len(uses) != len(list) {
		t.Fatalf("%d uses of %d GPUs: %v", len(uses), len(list), err)
	}
	for i, u := range uses {
		if u.Busy < 0 || u.Busy > 1 || u.Memory < 0 || u.Energy < 0 {
			t.Errorf("GPU %d does %+v", i, u)
		}
	}
	signs, err := l.Signs()
	t.Logf("%+v, driver %+v", signs, l.Versions())
	if err != nil || len(signs) != len(list) {
		t.Fatalf("signs of %d GPUs of %d: %v", len(signs), len(list), err)
	}
}

// TestMock reads go-nvml's own DGX A100.
func TestMock(t *testing.T) {
	server := dgxa100.New()
	for i, d := range server.Devices {
		d := d.(*dgxa100.Device)
		unknown := nvml.ERROR_NOT_SUPPORTED
		d.GetPciInfoFunc = func() (p nvml.PciInfo, _ nvml.Return) {
			for k, c := range d.PciBusID {
				p.BusId[k] = int8(c)
			}
			return p, nvml.SUCCESS
		}
		d.GetNumaNodeIdFunc = func() (int, nvml.Return) { return i / 4, nvml.SUCCESS }
		d.GetCpuAffinityFunc = func(int) ([]uint, nvml.Return) { return []uint{0, 1 << i}, nvml.SUCCESS }
		d.GetComputeModeFunc = func() (nvml.ComputeMode, nvml.Return) { return nvml.COMPUTEMODE_EXCLUSIVE_PROCESS, nvml.SUCCESS }
		d.GetNvLinkStateFunc = func(n int) (nvml.EnableState, nvml.Return) {
			if n >= 12 {
				return 0, nvml.ERROR_INVALID_ARGUMENT
			}
			return nvml.FEATURE_ENABLED, nvml.SUCCESS
		}
		d.GetNvLinkRemoteDeviceTypeFunc = func(int) (nvml.IntNvLinkDeviceType, nvml.Return) {
			return nvml.NVLINK_DEVICE_TYPE_SWITCH, nvml.SUCCESS
		}
		d.GetTopologyCommonAncestorFunc = func(nvml.Device) (nvml.GpuTopologyLevel, nvml.Return) { return 0, unknown }
	}
	l, err := open(server, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := l.GPUs()
	if err != nil || len(list) != 8 {
		t.Fatalf("%d GPUs: %v", len(list), err)
	}
	g := list[5]
	if g.Name != "Mock NVIDIA A100-SXM4-40GB" || g.File() != "/dev/nvidia5" || g.PCI != "0000:05:00.0" || g.NUMA != 1 || !g.Exclusive ||
		g.MIG || !reflect.DeepEqual(g.CPUs, []int{69}) || !reflect.DeepEqual(g.Links, []int{12, 12, 12, 12, 12, -1, 12, 12}) {
		t.Errorf("%+v", g)
	}
	if v := l.Versions(); v != (Versions{Driver: "550.54.15", CUDA: "12.4"}) {
		t.Errorf("%+v", v)
	}
}

const twoPairs = `driver 550.54.15 12040
gpu 0 uuid=GPU-a name=NVIDIA_A100-SXM4-80GB pci=00000000:07:00.0 memory=81920 numa=0 cpus=0-3 util=50 used=1024 energy=5000
gpu 1 uuid=GPU-b name=NVIDIA_A100-SXM4-80GB pci=00000000:0A:00.0 memory=81920 numa=0 cpus=0-3
gpu 2 uuid=GPU-c name=NVIDIA_A100-SXM4-80GB pci=00000000:47:00.0 memory=81920 numa=1 cpus=4-7 mig=1
gpu 3 uuid=GPU-d name=NVIDIA_A100-SXM4-80GB pci=00000000:4A:00.0 memory=81920 numa=1 cpus=4-7 minor=7
link 0 1 4
link 2 3 4
link 1 2 1
path 0 1 20
path 2 3 20
instance 2 1 0 MIG-x 1g.10gb 9728
instance 2 2 0 MIG-y 3g.40gb 40192
process 0 4242 512
process 2 4243 99 2
`

// TestLibrary asks a library with NVML's binary interface, through the same calls
// as on a machine with GPUs, and follows a GPU that falls off the bus.
func TestLibrary(t *testing.T) {
	dir := probetest.Build(t)
	desc := filepath.Join(dir, "description")
	t.Setenv(probetest.Variable, desc)
	probetest.Describe(t, desc, twoPairs)
	proc := t.TempDir()
	for path, text := range map[string]string{
		"gpu2/mig/gi2/access": "DeviceFileMinor: 21\nDeviceFileMode: 292\n", "gpu2/mig/gi2/ci0/access": "DeviceFileMinor: 22\n",
	} {
		file := filepath.Join(proc, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := open(nvml.New(nvml.WithLibraryPath(filepath.Join(dir, "libnvidia-ml.so.1"))), proc)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	list, err := l.GPUs()
	if err != nil || len(list) != 4 {
		t.Fatalf("%d GPUs: %v", len(list), err)
	}
	want := gpu.GPU{
		Index: 2, UUID: "GPU-c", Name: "NVIDIA A100-SXM4-80GB", Minor: 2, PCI: "00000000:47:00.0", Memory: 81920, NUMA: 1, CPUs: []int{4, 5, 6, 7},
		Links: []int{0, 1, -1, 4}, Paths: []gpu.Path{gpu.PathSystem, gpu.PathSystem, 0, gpu.PathBridges}, MIG: true,
		Instances: []gpu.Instance{
			{UUID: "MIG-x", Profile: "1g.10gb", Memory: 9728, GI: 1},
			{UUID: "MIG-y", Profile: "3g.40gb", Memory: 40192, GI: 2, Files: []string{"/dev/nvidia-caps/nvidia-cap21", "/dev/nvidia-caps/nvidia-cap22"}},
		},
	}
	if !reflect.DeepEqual(list[2], want) {
		t.Errorf("got  %+v\nwant %+v", list[2], want)
	}
	if f := list[3].File(); f != "/dev/nvidia7" {
		t.Errorf("GPU 3 is %s", f)
	}
	if uses, err := l.Uses(); err != nil || uses[0] != (Use{Busy: 0.5, Memory: 1 << 30, Energy: 5000, Lists: true}) {
		t.Errorf("%+v, %v", uses, err)
	}
	procs, err := l.Processes(time.Second)
	if err != nil || !reflect.DeepEqual(procs, []Process{{PID: 4242, GPU: 0, GI: -1, Memory: 512 << 20}, {PID: 4243, GPU: 2, GI: 2, Memory: 99 << 20}}) {
		t.Errorf("%+v, %v", procs, err)
	}

	events := make(chan Event, 4)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Watch(ctx, func(e Event) { events <- e }) }()
	broken := strings.Replace(twoPairs, "gpu 1 ", "gpu 1 lost=1 ", 1) + "xid 1 79\n"
	probetest.Describe(t, desc, broken)
	select {
	case e := <-events:
		if e.XID != 79 || e.GPU != 1 && e.GPU != -1 {
			t.Errorf("%+v", e)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing was told of an error")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	signs, err := l.Signs()
	if err != nil || signs[0].Lost || !signs[1].Lost {
		t.Errorf("%+v, %v", signs, err)
	}
	if list, err = l.GPUs(); err != nil || list[1].UUID != "" || list[1].Index != 1 || list[0].UUID != "GPU-a" {
		t.Errorf("%+v, %v", list, err)
	}
}

const cuttable = `driver 550.54.15 12040
gpu 0 uuid=GPU-a name=NVIDIA_A100-SXM4-80GB pci=00000000:07:00.0 memory=81920 cut=1 clocks=1 fabric=0102030405060708090a0b0c0d0e0f10 clique=7
gpu 1 uuid=GPU-b name=NVIDIA_A100-SXM4-80GB pci=00000000:0A:00.0 memory=81920 cut=1 stuck=1 fabric=0102030405060708090a0b0c0d0e0f10 clique=7
gpu 2 uuid=GPU-c name=NVIDIA_A100-SXM4-80GB pci=00000000:47:00.0 memory=81920 fabric=0102030405060708090a0b0c0d0e0f10 clique=7
`

// openFake opens a library that tells of a description.
func openFake(t *testing.T, text string) (l *Library, desc string) {
	t.Helper()
	dir := probetest.Build(t)
	desc = filepath.Join(dir, "description")
	t.Setenv(probetest.Variable, desc)
	probetest.Describe(t, desc, text)
	l, err := open(nvml.New(nvml.WithLibraryPath(filepath.Join(dir, "libnvidia-ml.so.1"))), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, desc
}

// TestCut cuts a GPU into instances, into others, and makes it whole again.
func TestCut(t *testing.T) {
	l, desc := openFake(t, cuttable)
	var names []string
	for _, p := range l.Profiles("GPU-a") {
		names = append(names, p.Name)
	}
	if want := []string{"1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb", "1g.10gb.me", "1g.20gb"}; !reflect.DeepEqual(names, want) {
		t.Errorf("profiles %v", names)
	}
	if got := l.Profiles("GPU-c"); got != nil {
		t.Errorf("a GPU that cannot be cut has %v", got)
	}
	for _, want := range [][]string{{"1g.10gb", "1g.10gb"}, {"1g.10gb", "3g.40gb", "2g.20gb"}, {"7g.80gb"}} {
		list, err := l.Cut("GPU-a", want)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range list {
			got = append(got, m.Profile)
		}
		if !gpu.SameInstances(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	// What was made is found again by who comes later.
	again, err := open(nvml.New(nvml.WithLibraryPath(filepath.Join(filepath.Dir(desc), "libnvidia-ml.so.1"))), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if list, err := again.GPUs(); err != nil || !list[0].MIG || len(list[0].Instances) != 1 || list[1].MIG {
		t.Errorf("%+v, %v", list, err)
	}
	if err := l.Whole("GPU-a"); err != nil {
		t.Fatal(err)
	}
	if list, err := l.GPUs(); err != nil || list[0].MIG || list[0].Instances != nil {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := l.Cut("GPU-a", []string{"4g.40gb", "4g.40gb"}); err == nil || !strings.Contains(err.Error(), "they do not fit") {
		t.Errorf("what does not fit: %v", err)
	}
	if _, err := l.Cut("GPU-b", []string{"1g.10gb"}); !errors.Is(err, ErrReset) {
		t.Errorf("a GPU that would need a reset: %v", err)
	}
	probetest.Describe(t, desc, cuttable+"process 0 4242 512\n")
	if _, err := l.Cut("GPU-a", []string{"1g.10gb"}); err == nil || !strings.Contains(err.Error(), "MIG mode") {
		t.Errorf("a GPU in use: %v", err)
	}
}

func TestClocks(t *testing.T) {
	l, _ := openFake(t, cuttable)
	for _, c := range []struct {
		ask              gpu.Clocks
		memory, graphics int
	}{
		{gpu.Clocks{Graphics: "low"}, 1593, 210},
		{gpu.Clocks{Graphics: "highm1", Memory: "low"}, 877, 1395},
		{gpu.Clocks{Graphics: "800", Memory: "1000"}, 877, 810},
	} {
		m, g, err := l.SetClocks("GPU-a", c.ask)
		if err != nil || m != c.memory || g != c.graphics {
			t.Errorf("%+v: %d, %d, %v", c.ask, m, g, err)
		}
	}
	if err := l.ResetClocks("GPU-a"); err != nil {
		t.Error(err)
	}
	if _, _, err := l.SetClocks("GPU-b", gpu.Clocks{Graphics: "low"}); err == nil {
		t.Error("clocks that cannot be set were")
	}
}

func TestFabric(t *testing.T) {
	l, desc := openFake(t, cuttable)
	if f, ok := l.Fabric(); !ok || f != (gpu.Fabric{Cluster: "0102030405060708090a0b0c0d0e0f10", Clique: 7}) {
		t.Errorf("%+v, %v", f, ok)
	}
	probetest.Describe(t, desc, strings.Replace(cuttable, "clique=7", "clique=8", 1))
	if f, ok := l.Fabric(); ok {
		t.Errorf("GPUs of two cliques are of %+v", f)
	}
}
