package launcher

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/runink/rink/slice"
)

func TestSpecSurvivesTheWire(t *testing.T) {
	n, z := -5, int64(0)
	s := &slice.Spec{ID: "a", UID: 1, GID: 2, Groups: []uint32{3, 4}, Hostname: "h", Umask: 0o22,
		Namespaces: slice.Namespaces{PID: true, Mount: true, UTS: true, IPC: true, User: true, Net: true, Cgroup: true},
		PrivateTmp: "/t", Mounts: []slice.Mount{{Source: "/a", Target: "/b", ReadOnly: true}},
		Cgroup: slice.Cgroup{On: true, Parent: "p", Levels: []slice.Level{{Name: "l", Limits: slice.Limits{CPUs: 1.5, CPUShares: 3, CPUSet: "0-1",
			MemorySet: "0", MemoryMax: 5, SwapMax: &z, PIDsMax: 6, IOWeight: 7, Devices: []slice.DeviceRule{slice.DenyAllDevices}}}}},
		Rlimits: []slice.Rlimit{{Resource: 7, Soft: 1, Hard: ^uint64(0), Optional: true}}, OOMScoreAdj: &n, Nice: &n, Pty: slice.Winsize{Rows: 1, Cols: 2},
		Inside: &slice.Identity{UID: 8, GID: 9}, Shm: -1, Join: 5, Network: &slice.Network{Range: netip.MustParsePrefix("10.0.0.0/8"), Allow: []slice.Destination{{To: netip.MustParsePrefix("1.2.3.4/32"), Port: 5}}},
		Root: &slice.Root{Path: "/r", Image: true, Overlay: true, Scratch: 1, ReadOnly: true,
			Mounts: []slice.RootMount{{Type: "bind", Source: "/s", Target: "/t", File: true, Only: true, Flags: 3, Data: "d", Optional: true}},
			Links:  []slice.Link{{Path: "/l", To: "o"}}, MaskedPaths: []string{"/m"}, ReadOnlyPaths: []string{"/o"}}, ReadOnly: true, HideProcs: true,
		Confine: slice.Confine{NoNewPrivs: true, DropCaps: true, KeepCaps: []string{"kill"}, Seccomp: slice.SeccompDefault},
		Tasks: []slice.Task{{Argv: []string{"x", "\xff\xfe", ""}, Env: []string{"A=\xff"}, Dir: "/d", FallbackDir: "/f", DirNote: "n%s", Note: "at %d",
			Stdin: slice.Stream{Kind: slice.StreamFile, Path: "/i\xff"}, Stdout: slice.Stream{Kind: slice.StreamPTY, Append: true, Mode: 0o600},
			Stderr: slice.Stream{Kind: slice.StreamStdout}, CPUs: "1", PidEnv: "P", SocketEnv: "S", Rlimits: []slice.Rlimit{{Resource: 3, Soft: 1, Hard: 2}}}}}
	if got := specFromWire(specToWire(s)); !reflect.DeepEqual(got, s) {
		t.Errorf("got  %+v\nwant %+v", got, s)
	}
	e := &slice.Exit{ID: "a", Started: time.Unix(1, 2), Ended: time.Unix(3, 4), OOMKills: 5, Killed: true, Lost: true, Note: "n",
		Usage: slice.Usage{User: time.Second, System: time.Millisecond, Memory: 1, MemoryPeak: 2, RSS: 3, MaxRSS: 4, VM: 5, MaxVM: 6, ReadBytes: 7,
			WriteBytes: 8, PageFaults: 9, PIDs: 10, OOMKills: 5, FromCgroup: true},
		Tasks: []slice.TaskExit{{Status: 9, Ended: time.Unix(5, 6), User: time.Second, System: time.Minute, MaxRSS: 11},
			{StartError: &slice.StartError{Stage: "exec", Path: "p", Errno: 2, Task: 1, Detail: "d"}}},
		Warnings: []slice.StartError{{Stage: "chdir", Task: -1}}}
	if got := exitFromWire(exitToWire(e)); !reflect.DeepEqual(got, e) {
		t.Errorf("got  %+v\nwant %+v", got, e)
	}
}
