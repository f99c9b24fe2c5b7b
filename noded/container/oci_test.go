package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/runink/rink/slice"
)

var alice = Who{3001, 3001}

func example(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "runc-spec.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestABundleAsRuncMakesIt(t *testing.T) {
	p, err := Read(example(t), "/b", alice)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case p.Root.Path != "/b/rootfs" || !p.Root.ReadOnly || p.Hostname != "runc" || p.Dir != "/":
		t.Errorf("%+v", p)
	case p.Inside == nil || *p.Inside != (slice.Identity{}):
		t.Errorf("inside it is %v", p.Inside)
	case p.Namespaces != (slice.Namespaces{PID: true, Mount: true, UTS: true, IPC: true, Net: true, User: true}):
		t.Errorf("namespaces %+v", p.Namespaces)
	case !p.Bounded || strings.Join(p.Bounding, " ") != "audit_write kill net_bind_service" || !p.NoNewPrivs:
		t.Errorf("capabilities %v", p.Bounding)
	case len(p.Rlimits) != 1 || p.Rlimits[0] != (slice.Rlimit{Resource: unix.RLIMIT_NOFILE, Soft: 1024, Hard: 1024}):
		t.Errorf("limits %v", p.Rlimits)
	}
	want := slice.RootMount{Type: "tmpfs", Source: "tmpfs", Target: "/dev", Flags: unix.MS_NOSUID | unix.MS_STRICTATIME, Data: "mode=755,size=65536k"}
	if p.Root.Mounts[1] != want {
		t.Errorf("/dev is %+v", p.Root.Mounts[1])
	}
	spec := slice.Spec{ID: "x", Namespaces: p.Namespaces, Hostname: p.Hostname, Inside: p.Inside, Root: &p.Root, Tasks: []slice.Task{{Argv: p.Args, Env: p.Env, Dir: p.Dir}}}
	if err := spec.Validate(); err != nil {
		t.Error(err)
	}
}

func TestWhatABundleMayNotAsk(t *testing.T) {
	linux := func(s *specs.Spec) *specs.Linux { return s.Linux }
	for name, c := range map[string]struct {
		change func(*specs.Spec)
		want   string
	}{
		"Hooks":      {func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/x"}}} }, "hooks: not supported"},
		"Seccomp":    {func(s *specs.Spec) { linux(s).Seccomp = &specs.LinuxSeccomp{} }, "linux.seccomp: not supported"},
		"Sysctl":     {func(s *specs.Spec) { linux(s).Sysctl = map[string]string{"a": "b"} }, "linux.sysctl: not supported"},
		"Devices":    {func(s *specs.Spec) { linux(s).Devices = []specs.LinuxDevice{{Path: "/dev/x"}} }, "linux.devices: not supported"},
		"DeviceRule": {func(s *specs.Spec) { linux(s).Resources.Devices[0].Allow = true }, "linux.resources.devices[0]: devices are given by the scheduler"},
		"Memory":     {func(s *specs.Spec) { linux(s).Resources.Memory = &specs.LinuxMemory{} }, "linux.resources.memory: limits are set by the scheduler"},
		"Joined":     {func(s *specs.Spec) { linux(s).Namespaces[0].Path = "/proc/1/ns/pid" }, "linux.namespaces[0].path: not supported"},
		"TimeSpace":  {func(s *specs.Spec) { linux(s).Namespaces[0].Type = "time" }, `linux.namespaces[0]: a namespace of type "time" is not supported`},
		"Shared":     {func(s *specs.Spec) { linux(s).RootfsPropagation = "shared" }, `linux.rootfsPropagation: "shared" is not supported`},
		"OtherUser": {func(s *specs.Spec) {
			linux(s).UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}}
		}, "linux.uidMappings: the container's 0 is 0 of this machine there, and the job's is 3001"},
		"NoUser": {func(s *specs.Spec) {
			linux(s).GIDMappings = []specs.LinuxIDMapping{{ContainerID: 5, HostID: 3001, Size: 1}}
		}, "linux.gidMappings: the container's 0 is not there"},
		"Groups":       {func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{5} }, "process.user.additionalGids: not supported"},
		"AppArmor":     {func(s *specs.Spec) { s.Process.ApparmorProfile = "x" }, "process.apparmorProfile: not supported"},
		"OOMScore":     {func(s *specs.Spec) { n := -5; s.Process.OOMScoreAdj = &n }, "process.oomScoreAdj: -5"},
		"Rlimit":       {func(s *specs.Spec) { s.Process.Rlimits[0].Type = "RLIMIT_X" }, `process.rlimits[0]: there is no limit "RLIMIT_X"`},
		"Cwd":          {func(s *specs.Spec) { s.Process.Cwd = "here" }, `process.cwd: "here" is not absolute`},
		"MountType":    {func(s *specs.Spec) { s.Mounts[0].Type = "ext4" }, `mounts[0].type: "ext4" is not supported`},
		"MountOption":  {func(s *specs.Spec) { s.Mounts[1].Options = []string{"shared"} }, `mounts[1].options: "shared" is not supported`},
		"MountRoot":    {func(s *specs.Spec) { s.Mounts[1].Destination = "/x/.." }, "mounts[1].destination: the root is root.path"},
		"NoRoot":       {func(s *specs.Spec) { s.Root = nil }, "root.path: is not there"},
		"Version":      {func(s *specs.Spec) { s.Version = "2.0" }, `ociVersion: "2.0" is not a version 1`},
		"OtherSystems": {func(s *specs.Spec) { s.Windows = &specs.Windows{} }, "windows: not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			var s specs.Spec
			if err := json.Unmarshal(example(t), &s); err != nil {
				t.Fatal(err)
			}
			c.change(&s)
			text, err := json.Marshal(&s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Read(text, "/b", alice); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	if _, err := Read([]byte(`{"ociVersion":"1.0.2","root":{"path":"r"},"surprise":1}`), "/b", alice); err == nil || !strings.Contains(err.Error(), "surprise") {
		t.Errorf("an unknown word: %v", err)
	}
}

func TestABundleMadeForItsUser(t *testing.T) {
	var s specs.Spec
	if err := json.Unmarshal(example(t), &s); err != nil {
		t.Fatal(err)
	}
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 3001, Size: 1}}
	s.Linux.GIDMappings = s.Linux.UIDMappings
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/data", Type: "none", Source: "data", Options: []string{"rbind", "ro"}})
	text, _ := json.Marshal(&s)
	p, err := Read(text, "/b", alice)
	if err != nil {
		t.Fatal(err)
	}
	want := slice.RootMount{Type: "bind", Source: "/b/data", Target: "/data", Flags: unix.MS_RDONLY}
	if got := p.Root.Mounts[len(s.Mounts)-1]; got != want {
		t.Errorf("%+v", got)
	}
}

// FuzzRead: whatever a bundle says, what comes of it is a slice that can be.
func FuzzRead(f *testing.F) {
	f.Add(example(f))
	f.Add([]byte(`{"ociVersion":"1.0.2","root":{"path":"r"},"process":{"cwd":"/a/../b","args":["x"]},"mounts":[{"destination":"/d","options":["bind"],"source":"s"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read(text, "/b", alice)
		if err != nil {
			return
		}
		for i := range p.Root.Mounts {
			if !filepath.IsAbs(p.Root.Mounts[i].Target) {
				t.Errorf("a mount on %q", p.Root.Mounts[i].Target)
			}
		}
	})
}
