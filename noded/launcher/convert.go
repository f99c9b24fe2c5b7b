package launcher

import (
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

// The nouns of slice to and from their wire form.

func specToWire(s *slice.Spec) *launcherpb.Spec {
	w := &launcherpb.Spec{
		Id: s.ID, Uid: s.UID, Gid: s.GID, Groups: s.Groups, Hostname: s.Hostname, Umask: s.Umask,
		Namespaces: &launcherpb.Namespaces{Pid: s.Namespaces.PID, Mount: s.Namespaces.Mount, Uts: s.Namespaces.UTS,
			Ipc: s.Namespaces.IPC, User: s.Namespaces.User, Net: s.Namespaces.Net, Cgroup: s.Namespaces.Cgroup},
		PrivateTmp: s.PrivateTmp, Rlimits: rlimitsToWire(s.Rlimits),
		OomScoreAdj: int32Ptr(s.OOMScoreAdj), Nice: int32Ptr(s.Nice),
		PtyRows: uint32(s.Pty.Rows), PtyCols: uint32(s.Pty.Cols),
		Cgroup: &launcherpb.Cgroup{On: s.Cgroup.On, Parent: s.Cgroup.Parent},
		Shm:    s.Shm, ReadOnly: s.ReadOnly, HideProcs: s.HideProcs,
		Confine: &launcherpb.Confine{NoNewPrivs: s.Confine.NoNewPrivs, DropCaps: s.Confine.DropCaps, KeepCaps: s.Confine.KeepCaps, Seccomp: string(s.Confine.Seccomp)},
	}
	if n := s.Network; n != nil {
		w.Network = &launcherpb.Network{Range: n.Range.String()}
		for _, d := range n.Allow {
			w.Network.Allow = append(w.Network.Allow, &launcherpb.Destination{To: d.To.String(), Port: uint32(d.Port)})
		}
	}
	if in := s.Inside; in != nil {
		w.Inside = &launcherpb.Identity{Uid: in.UID, Gid: in.GID}
	}
	w.Root, w.Join = rootToWire(s.Root), int32(s.Join)
	for _, m := range s.Mounts {
		w.Mounts = append(w.Mounts, &launcherpb.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, l := range s.Cgroup.Levels {
		wl := &launcherpb.Level{Name: l.Name, Cpus: l.Limits.CPUs, CpuShares: l.Limits.CPUShares, CpuSet: l.Limits.CPUSet,
			MemorySet: l.Limits.MemorySet, MemoryMax: l.Limits.MemoryMax, SwapMax: l.Limits.SwapMax, PidsMax: l.Limits.PIDsMax, IoWeight: l.Limits.IOWeight}
		for _, d := range l.Limits.Devices {
			wl.Devices = append(wl.Devices, &launcherpb.DeviceRule{Allow: d.Allow, Type: uint32(d.Type), Major: d.Major, Minor: d.Minor, Access: d.Access})
		}
		w.Cgroup.Levels = append(w.Cgroup.Levels, wl)
	}
	for i := range s.Tasks {
		t := &s.Tasks[i]
		w.Tasks = append(w.Tasks, &launcherpb.Task{Argv: toBytes(t.Argv), Env: toBytes(t.Env), Dir: []byte(t.Dir),
			FallbackDir: []byte(t.FallbackDir), DirNote: []byte(t.DirNote), Stdin: streamToWire(t.Stdin), Stdout: streamToWire(t.Stdout),
			Stderr: streamToWire(t.Stderr), Cpus: t.CPUs, Rlimits: rlimitsToWire(t.Rlimits), PidEnv: []byte(t.PidEnv), SocketEnv: []byte(t.SocketEnv),
			MemoryNodes: t.MemoryNodes, MemoryPrefer: t.MemoryPrefer, Note: []byte(t.Note)})
	}
	return w
}

func specFromWire(w *launcherpb.Spec) *slice.Spec {
	n := w.GetNamespaces()
	s := &slice.Spec{
		ID: w.GetId(), UID: w.GetUid(), GID: w.GetGid(), Groups: w.GetGroups(), Hostname: w.GetHostname(), Umask: w.GetUmask(),
		Namespaces: slice.Namespaces{PID: n.GetPid(), Mount: n.GetMount(), UTS: n.GetUts(), IPC: n.GetIpc(), User: n.GetUser(),
			Net: n.GetNet(), Cgroup: n.GetCgroup()},
		PrivateTmp: w.GetPrivateTmp(), Rlimits: rlimitsFromWire(w.GetRlimits()),
		Pty:    slice.Winsize{Rows: uint16(w.GetPtyRows()), Cols: uint16(w.GetPtyCols())},
		Cgroup: slice.Cgroup{On: w.GetCgroup().GetOn(), Parent: w.GetCgroup().GetParent()},
		Shm:    w.GetShm(), ReadOnly: w.GetReadOnly(), HideProcs: w.GetHideProcs(),
		Confine: slice.Confine{NoNewPrivs: w.GetConfine().GetNoNewPrivs(), DropCaps: w.GetConfine().GetDropCaps(), KeepCaps: w.GetConfine().GetKeepCaps(),
			Seccomp: slice.SeccompProfile(w.GetConfine().GetSeccomp())},
	}
	if n := w.GetNetwork(); n != nil {
		// What is no range of addresses is the invalid one, which Validate refuses.
		s.Network = &slice.Network{}
		s.Network.Range, _ = netip.ParsePrefix(n.GetRange())
		for _, d := range n.GetAllow() {
			to, _ := netip.ParsePrefix(d.GetTo())
			s.Network.Allow = append(s.Network.Allow, slice.Destination{To: to, Port: uint16(d.GetPort())})
		}
	}
	if in := w.GetInside(); in != nil {
		s.Inside = &slice.Identity{UID: in.GetUid(), GID: in.GetGid()}
	}
	if w.OomScoreAdj != nil {
		v := int(w.GetOomScoreAdj())
		s.OOMScoreAdj = &v
	}
	if w.Nice != nil {
		v := int(w.GetNice())
		s.Nice = &v
	}
	s.Root, s.Join = rootFromWire(w.GetRoot()), int(w.GetJoin())
	for _, m := range w.GetMounts() {
		s.Mounts = append(s.Mounts, slice.Mount{Source: m.GetSource(), Target: m.GetTarget(), ReadOnly: m.GetReadOnly()})
	}
	for _, l := range w.GetCgroup().GetLevels() {
		sl := slice.Level{Name: l.GetName(), Limits: slice.Limits{CPUs: l.GetCpus(), CPUShares: l.GetCpuShares(), CPUSet: l.GetCpuSet(),
			MemorySet: l.GetMemorySet(), MemoryMax: l.GetMemoryMax(), SwapMax: l.SwapMax, PIDsMax: l.GetPidsMax(), IOWeight: l.GetIoWeight()}}
		for _, d := range l.GetDevices() {
			sl.Limits.Devices = append(sl.Limits.Devices, slice.DeviceRule{Allow: d.GetAllow(), Type: byte(d.GetType()),
				Major: d.GetMajor(), Minor: d.GetMinor(), Access: d.GetAccess()})
		}
		s.Cgroup.Levels = append(s.Cgroup.Levels, sl)
	}
	for _, t := range w.GetTasks() {
		s.Tasks = append(s.Tasks, slice.Task{Argv: toStrings(t.GetArgv()), Env: toStrings(t.GetEnv()), Dir: string(t.GetDir()),
			FallbackDir: string(t.GetFallbackDir()), DirNote: string(t.GetDirNote()), Stdin: streamFromWire(t.GetStdin()),
			Stdout: streamFromWire(t.GetStdout()), Stderr: streamFromWire(t.GetStderr()), CPUs: t.GetCpus(), Rlimits: rlimitsFromWire(t.GetRlimits()), PidEnv: string(t.GetPidEnv()), SocketEnv: string(t.GetSocketEnv()),
			MemoryNodes: t.GetMemoryNodes(), MemoryPrefer: t.GetMemoryPrefer(), Note: string(t.GetNote())})
	}
	return s
}

func int32Ptr(v *int) *int32 {
	if v == nil {
		return nil
	}
	n := int32(*v)
	return &n
}

func toBytes(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}

func toStrings(list [][]byte) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = string(b)
	}
	return out
}

func streamToWire(s slice.Stream) *launcherpb.Stream {
	return &launcherpb.Stream{Kind: int32(s.Kind), Path: []byte(s.Path), Append: s.Append, Mode: s.Mode}
}

func streamFromWire(w *launcherpb.Stream) slice.Stream {
	return slice.Stream{Kind: slice.StreamKind(w.GetKind()), Path: string(w.GetPath()), Append: w.GetAppend(), Mode: w.GetMode()}
}

func rlimitsToWire(list []slice.Rlimit) []*launcherpb.Rlimit {
	var out []*launcherpb.Rlimit
	for _, r := range list {
		out = append(out, &launcherpb.Rlimit{Resource: int32(r.Resource), Soft: r.Soft, Hard: r.Hard, Optional: r.Optional})
	}
	return out
}

func rlimitsFromWire(list []*launcherpb.Rlimit) []slice.Rlimit {
	var out []slice.Rlimit
	for _, r := range list {
		out = append(out, slice.Rlimit{Resource: int(r.GetResource()), Soft: r.GetSoft(), Hard: r.GetHard(), Optional: r.GetOptional()})
	}
	return out
}

func startErrorToWire(e *slice.StartError) *launcherpb.StartError {
	if e == nil {
		return nil
	}
	// A path need not be UTF-8, but this one is only for people to read.
	return &launcherpb.StartError{Stage: string(e.Stage), Path: strings.ToValidUTF8(e.Path, "?"), Errno: int32(e.Errno),
		Task: int32(e.Task), Detail: strings.ToValidUTF8(e.Detail, "?")}
}

func startErrorFromWire(w *launcherpb.StartError) *slice.StartError {
	if w == nil {
		return nil
	}
	return &slice.StartError{Stage: slice.Stage(w.GetStage()), Path: w.GetPath(), Errno: syscall.Errno(w.GetErrno()),
		Task: int(w.GetTask()), Detail: w.GetDetail()}
}

func warningsToWire(list []slice.StartError) []*launcherpb.StartError {
	var out []*launcherpb.StartError
	for i := range list {
		out = append(out, startErrorToWire(&list[i]))
	}
	return out
}

func warningsFromWire(list []*launcherpb.StartError) []slice.StartError {
	var out []slice.StartError
	for _, w := range list {
		out = append(out, *startErrorFromWire(w))
	}
	return out
}

func timeToWire(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeFromWire(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

func usageToWire(u slice.Usage) *launcherpb.UsageSample {
	return &launcherpb.UsageSample{UserUs: u.User.Microseconds(), SystemUs: u.System.Microseconds(), MemoryBytes: u.Memory,
		MemoryPeakBytes: u.MemoryPeak, RssBytes: u.RSS, MaxRssBytes: u.MaxRSS, VmBytes: u.VM, MaxVmBytes: u.MaxVM,
		ReadBytes: u.ReadBytes, WriteBytes: u.WriteBytes, PageFaults: u.PageFaults, Pids: u.PIDs, OomKills: u.OOMKills,
		FromCgroup: u.FromCgroup}
}

func usageFromWire(w *launcherpb.UsageSample) slice.Usage {
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return slice.Usage{User: us(w.GetUserUs()), System: us(w.GetSystemUs()), Memory: w.GetMemoryBytes(),
		MemoryPeak: w.GetMemoryPeakBytes(), RSS: w.GetRssBytes(), MaxRSS: w.GetMaxRssBytes(), VM: w.GetVmBytes(), MaxVM: w.GetMaxVmBytes(),
		ReadBytes: w.GetReadBytes(), WriteBytes: w.GetWriteBytes(), PageFaults: w.GetPageFaults(), PIDs: w.GetPids(), OOMKills: w.GetOomKills(),
		FromCgroup: w.GetFromCgroup()}
}

func exitToWire(e *slice.Exit) *launcherpb.Exit {
	if e == nil {
		return nil
	}
	w := &launcherpb.Exit{Slice: e.ID, StartedNs: timeToWire(e.Started), EndedNs: timeToWire(e.Ended), OomKills: e.OOMKills,
		Usage: usageToWire(e.Usage), Killed: e.Killed, Lost: e.Lost, Note: strings.ToValidUTF8(e.Note, "?"), Warnings: warningsToWire(e.Warnings)}
	for i := range e.Tasks {
		w.Tasks = append(w.Tasks, taskExitToWire(&e.Tasks[i]))
	}
	return w
}

func exitFromWire(w *launcherpb.Exit) *slice.Exit {
	if w == nil {
		return nil
	}
	e := &slice.Exit{ID: w.GetSlice(), Started: timeFromWire(w.GetStartedNs()), Ended: timeFromWire(w.GetEndedNs()), OOMKills: w.GetOomKills(),
		Usage: usageFromWire(w.GetUsage()), Killed: w.GetKilled(), Lost: w.GetLost(), Note: w.GetNote(), Warnings: warningsFromWire(w.GetWarnings())}
	for _, t := range w.GetTasks() {
		e.Tasks = append(e.Tasks, taskExitFromWire(t))
	}
	return e
}

func taskExitToWire(t *slice.TaskExit) *launcherpb.TaskExit {
	return &launcherpb.TaskExit{EndedNs: timeToWire(t.Ended), WaitStatus: uint32(t.Status), StartError: startErrorToWire(t.StartError),
		UserUs: t.User.Microseconds(), SystemUs: t.System.Microseconds(), MaxRssBytes: t.MaxRSS,
		PageFaults: t.PageFaults, ReadBytes: t.ReadBytes, WriteBytes: t.WriteBytes}
}

func taskExitFromWire(w *launcherpb.TaskExit) slice.TaskExit {
	return slice.TaskExit{Ended: timeFromWire(w.GetEndedNs()), Status: syscall.WaitStatus(w.GetWaitStatus()),
		StartError: startErrorFromWire(w.GetStartError()), User: time.Duration(w.GetUserUs()) * time.Microsecond,
		System: time.Duration(w.GetSystemUs()) * time.Microsecond, MaxRSS: w.GetMaxRssBytes(),
		PageFaults: w.GetPageFaults(), ReadBytes: w.GetReadBytes(), WriteBytes: w.GetWriteBytes()}
}

// eventFromWire reads what a subscriber is told; false when it is of a kind
// that this client does not know.
func eventFromWire(w *launcherpb.Event) (Event, bool) {
	if e := exitFromWire(w.GetExit()); e != nil {
		return Event{Slice: e.ID, Exit: e}, true
	}
	if t := w.GetTask(); t != nil {
		return Event{Slice: t.GetSlice(), Task: &slice.TaskEnd{Task: int(t.GetTask()), Exit: taskExitFromWire(t.GetExit()), OOMKills: t.GetOomKills()}}, true
	}
	return Event{}, false
}

func stateFromWire(w *launcherpb.State) State {
	s := State{ID: w.GetSlice(), Live: w.GetLive(), FirstPid: int(w.GetInitPid()), Started: timeFromWire(w.GetStartedNs()),
		Warnings: warningsFromWire(w.GetWarnings()), Exit: exitFromWire(w.GetExit())}
	for _, p := range w.GetPids() {
		s.PIDs = append(s.PIDs, int(p))
	}
	return s
}
