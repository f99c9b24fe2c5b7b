// Package api holds every byte layout that crosses a process or a restart: the
// messages of the RPCs, the entries of the log, the parts of a snapshot. The
// messages themselves are generated into rinkpb and launcherpb; here are the
// conversions between them and the nouns of slurm and sched.
//
// XToProto never fails: numbers that do not fit are put at the bound that is
// nearest. XFromProto takes messages from anywhere; it answers nonsense with
// an error where it has one, and bounds it where it has none. A nil message is an empty one. A slice that is empty comes back
// nil. Strings and byte slices are shared with the message.
//
// A field that is added to a noun is added to its message and to both
// functions; a test fills every field and fails until that is done.
package api

import (
	"fmt"
	"math"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Bounds on what a message may hold, well above what Slurm's own limits allow,
// so that one message cannot make its reader work or remember without end.
const (
	maxRuns     = 1 << 21 // runs of an index set: every other index of Slurm's largest array
	maxList     = 1 << 20 // elements of any other list in a noun
	unlimitedPb = -1
)

// Int32 returns n, or the nearest number that fits.
func Int32(n int) int32 { return int32(max(math.MinInt32, min(n, math.MaxInt32))) }

// TimeToProto returns t in nanoseconds since the epoch; 0 is the zero time. A
// time too far away for that becomes the nearest that is not.
func TimeToProto(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// TimeFromProto is TimeToProto undone.
func TimeFromProto(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// DurationToProto returns d in the wire's seconds; -1 is Unlimited.
func DurationToProto(d slurm.Duration) int64 {
	if d == slurm.Unlimited {
		return unlimitedPb
	}
	return int64(d)
}

// DurationFromProto is DurationToProto undone. Other negative numbers are kept.
func DurationFromProto(n int64) slurm.Duration {
	if n == unlimitedPb {
		return slurm.Unlimited
	}
	return slurm.Duration(n)
}

// ReasonFromProto refuses numbers that can be no reason. One that only a newer
// version has a word for is taken.
func ReasonFromProto(n uint32) (slurm.Reason, error) {
	if r := slurm.Reason(n); uint32(r) == n {
		return r, nil
	}
	return 0, fmt.Errorf("cannot read reason %d: out of range", n)
}

// JobStateFromProto refuses numbers that can be no job state.
func JobStateFromProto(n uint32) (slurm.JobState, error) {
	if s := slurm.JobState(n); uint32(s) == n {
		return s, nil
	}
	return 0, fmt.Errorf("cannot read job state %#x: out of range", n)
}

// NodeStateFromProto refuses numbers that can be no node state.
func NodeStateFromProto(n uint32) (slurm.NodeState, error) {
	if s := slurm.NodeState(n); uint32(s) == n {
		return s, nil
	}
	return 0, fmt.Errorf("cannot read node state %#x: out of range", n)
}

// HolderFromProto refuses numbers that are no holder.
func HolderFromProto(n uint32) (sched.Holder, error) {
	if n > uint32(sched.HeldByAdmin) {
		return 0, fmt.Errorf("cannot read the holder of a job: %d is none", n)
	}
	return sched.Holder(n), nil
}

// ExitCodeToProto returns nil for a clean exit.
func ExitCodeToProto(c sched.ExitCode) *rinkpb.ExitCode {
	if c == (sched.ExitCode{}) {
		return nil
	}
	return &rinkpb.ExitCode{Code: uint32(c.Code), Signal: uint32(c.Signal)}
}

// ExitCodeFromProto puts codes and signals above 255 at 255: a report of how
// something ended is never worth refusing.
func ExitCodeFromProto(p *rinkpb.ExitCode) sched.ExitCode {
	return sched.ExitCode{Code: uint8(min(p.GetCode(), math.MaxUint8)), Signal: uint8(min(p.GetSignal(), math.MaxUint8))}
}

// UsageToProto returns nil for no usage at all.
func UsageToProto(u sched.Usage) *rinkpb.Usage {
	if u == (sched.Usage{}) {
		return nil
	}
	return &rinkpb.Usage{
		UserCpu: int64(u.UserCPU), SystemCpu: int64(u.SystemCPU), MaxRss: u.MaxRSS, MaxRssNode: string(u.MaxRSSNode),
		MaxRssTask: Int32(u.MaxRSSTask), TotalRss: u.TotalRSS, MaxVmSize: u.MaxVMSize, PagesMajor: u.PagesMajor,
		ReadBytes: u.ReadBytes, WriteBytes: u.WriteBytes, Tasks: Int32(u.Tasks),
		Energy: u.Energy, GpuTime: int64(u.GPUTime), GpuMem: u.GPUMem, CpuMin: ofTaskToProto(u.CPUMin), CpuMax: ofTaskToProto(u.CPUMax),
		RssMin: ofTaskToProto(u.RSSMin), PagesMin: ofTaskToProto(u.PagesMin), PagesMax: ofTaskToProto(u.PagesMax),
		ReadMin: ofTaskToProto(u.ReadMin), ReadMax: ofTaskToProto(u.ReadMax), WriteMin: ofTaskToProto(u.WriteMin), WriteMax: ofTaskToProto(u.WriteMax),
		GpuSpan: int64(u.GPUSpan), GpuMemMin: ofTaskToProto(u.GPUMemMin), GpuMemMax: ofTaskToProto(u.GPUMemMax),
		GpuUtilMin: ofTaskToProto(u.GPUUtilMin), GpuUtilMax: ofTaskToProto(u.GPUUtilMax),
	}
}

func ofTaskToProto(t sched.OfTask) *rinkpb.OfTask {
	if t == (sched.OfTask{}) {
		return nil
	}
	return &rinkpb.OfTask{Amount: t.Amount, Node: string(t.Node), Task: Int32(t.Task)}
}

func ofTaskFromProto(p *rinkpb.OfTask) sched.OfTask {
	return sched.OfTask{Amount: max(0, p.GetAmount()), Node: sched.NodeName(p.GetNode()), Task: int(p.GetTask())}
}

// UsageFromProto takes amounts below zero for none.
func UsageFromProto(p *rinkpb.Usage) sched.Usage {
	if p == nil {
		return sched.Usage{}
	}
	return sched.Usage{
		UserCPU: time.Duration(max(p.UserCpu, 0)), SystemCPU: time.Duration(max(p.SystemCpu, 0)),
		MaxRSS: max(p.MaxRss, 0), MaxRSSNode: sched.NodeName(p.MaxRssNode), MaxRSSTask: int(p.MaxRssTask), TotalRSS: max(p.TotalRss, 0),
		MaxVMSize: max(p.MaxVmSize, 0), PagesMajor: max(p.PagesMajor, 0), ReadBytes: max(p.ReadBytes, 0), WriteBytes: max(p.WriteBytes, 0),
		Tasks: int(max(p.Tasks, 0)), Energy: max(p.Energy, 0), GPUTime: time.Duration(max(p.GpuTime, 0)), GPUMem: max(p.GpuMem, 0),
		CPUMin: ofTaskFromProto(p.CpuMin), CPUMax: ofTaskFromProto(p.CpuMax), RSSMin: ofTaskFromProto(p.RssMin),
		PagesMin: ofTaskFromProto(p.PagesMin), PagesMax: ofTaskFromProto(p.PagesMax), ReadMin: ofTaskFromProto(p.ReadMin),
		ReadMax: ofTaskFromProto(p.ReadMax), WriteMin: ofTaskFromProto(p.WriteMin), WriteMax: ofTaskFromProto(p.WriteMax),
		GPUSpan: time.Duration(max(p.GpuSpan, 0)), GPUMemMin: ofTaskFromProto(p.GpuMemMin), GPUMemMax: ofTaskFromProto(p.GpuMemMax),
		GPUUtilMin: ofTaskFromProto(p.GpuUtilMin), GPUUtilMax: ofTaskFromProto(p.GpuUtilMax),
	}
}

// GresToProto converts a request for generic resources.
func GresToProto(g slurm.Gres) []*rinkpb.GresItem {
	if len(g) == 0 {
		return nil
	}
	out := make([]*rinkpb.GresItem, len(g))
	for i, item := range g {
		out[i] = &rinkpb.GresItem{Name: item.Name, Type: item.Type, Count: item.Count, Bare: item.Bare}
	}
	return out
}

// GresFromProto refuses counts below zero.
func GresFromProto(list []*rinkpb.GresItem) (slurm.Gres, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany("generic resources", len(list))
	}
	out := make(slurm.Gres, len(list))
	for i, p := range list {
		if p.GetCount() < 0 {
			return nil, fmt.Errorf("cannot read the generic resource %q: a count of %d", p.GetName(), p.GetCount())
		}
		out[i] = slurm.GresItem{Name: p.GetName(), Type: p.GetType(), Count: p.GetCount(), Bare: p.GetBare()}
	}
	return out, nil
}

// GresAllocsToProto converts generic resources held.
func GresAllocsToProto(list []sched.GresAlloc) []*rinkpb.GresAlloc {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.GresAlloc, len(list))
	for i, g := range list {
		out[i] = &rinkpb.GresAlloc{Name: g.Name, Type: g.Type, Count: g.Count, Index: int32s(g.Index)}
	}
	return out
}

// GresAllocsFromProto refuses counts and indexes below zero.
func GresAllocsFromProto(list []*rinkpb.GresAlloc) ([]sched.GresAlloc, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany("generic resources", len(list))
	}
	out := make([]sched.GresAlloc, len(list))
	for i, p := range list {
		index, err := naturals("device index", p.GetIndex())
		if err != nil {
			return nil, err
		}
		if p.GetCount() < 0 {
			return nil, fmt.Errorf("cannot read the generic resource %q: a count of %d", p.GetName(), p.GetCount())
		}
		out[i] = sched.GresAlloc{Name: p.GetName(), Type: p.GetType(), Count: p.GetCount(), Index: index}
	}
	return out, nil
}

// NodeAllocsToProto converts what a job holds on its nodes.
func NodeAllocsToProto(list []sched.NodeAlloc) []*rinkpb.NodeAlloc {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.NodeAlloc, len(list))
	for i := range list {
		a := &list[i]
		out[i] = &rinkpb.NodeAlloc{Node: string(a.Node), Cpus: Int32(a.CPUs), Mem: int64(a.Mem), Tasks: Int32(a.Tasks), Gres: GresAllocsToProto(a.Gres),
			CpuIds: a.CPUIDs}
	}
	return out
}

// NodeAllocsFromProto refuses amounts below zero.
func NodeAllocsFromProto(list []*rinkpb.NodeAlloc) ([]sched.NodeAlloc, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany("allocated nodes", len(list))
	}
	out := make([]sched.NodeAlloc, len(list))
	for i, p := range list {
		gres, err := GresAllocsFromProto(p.GetGres())
		if err != nil {
			return nil, err
		}
		if p.GetCpus() < 0 || p.GetMem() < 0 || p.GetTasks() < 0 {
			return nil, fmt.Errorf("cannot read what is allocated on node %q: an amount below zero", p.GetNode())
		}
		out[i] = sched.NodeAlloc{Node: sched.NodeName(p.GetNode()), CPUs: int(p.GetCpus()), Mem: slurm.MB(p.GetMem()), Tasks: int(p.GetTasks()), Gres: gres, CPUIDs: p.GetCpuIds()}
	}
	return out, nil
}

// SignalToProto returns nil for no signal.
func SignalToProto(s slurm.SignalSpec) *rinkpb.Signal {
	if s == (slurm.SignalSpec{}) {
		return nil
	}
	return &rinkpb.Signal{Num: Int32(s.Num), Before: DurationToProto(s.Before), Shell: s.Shell, ResvOverlap: s.ResvOverlap}
}

// SignalFromProto refuses numbers that no signal has.
func SignalFromProto(p *rinkpb.Signal) (slurm.SignalSpec, error) {
	if p == nil {
		return slurm.SignalSpec{}, nil
	}
	if p.Num < 0 || p.Num > 1<<16 {
		return slurm.SignalSpec{}, fmt.Errorf("cannot read signal number %d: out of range", p.Num)
	}
	return slurm.SignalSpec{Num: int(p.Num), Before: DurationFromProto(p.Before), Shell: p.Shell, ResvOverlap: p.ResvOverlap}, nil
}

func tooMany(what string, n int) error {
	return fmt.Errorf("cannot read %d %s: there can be no more than %d", n, what, maxList)
}

func int32s(list []int) []int32 {
	if len(list) == 0 {
		return nil
	}
	out := make([]int32, len(list))
	for i, n := range list {
		out[i] = Int32(n)
	}
	return out
}

// naturals refuses numbers below zero.
func naturals(what string, list []int32) ([]int, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany(what, len(list))
	}
	out := make([]int, len(list))
	for i, n := range list {
		if n < 0 {
			return nil, fmt.Errorf("cannot read %s %d: below zero", what, n)
		}
		out[i] = int(n)
	}
	return out, nil
}

// names converts a list of a string type.
func names[T ~string](list []T) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// named is names undone.
func named[T ~string](list []string) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, s := range list {
		out[i] = T(s)
	}
	return out
}

// textList makes an empty list nil.
func textList(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}
