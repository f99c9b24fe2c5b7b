package api

import (
	"fmt"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// JobToProto converts a job with its spec and steps; the spec of a job without
// one is left out.
func JobToProto(j *sched.Job) *rinkpb.Job {
	p := &rinkpb.Job{
		Id: uint32(j.ID), ArrayId: uint32(j.ArrayID), TaskId: j.TaskID, Tasks: IndexSetToProto(j.Tasks), ArrayAll: IndexSetToProto(j.ArrayAll),
		Throttle: Int32(j.Throttle), HetId: uint32(j.HetID), HetOffset: Int32(j.HetOffset), Run: j.Run, Stage: j.Stage,
		Uid: j.UID, Gid: j.GID, User: j.User, Group: j.Group, SubmitHost: j.SubmitHost, SubmitPid: j.SubmitPID, SubmitLine: j.SubmitLine,
		Script: string(j.Script), ScriptName: j.ScriptName, ScriptArgs: textList(j.ScriptArgs), Env: string(j.Env), Batch: j.Batch,
		Umask: Int32(j.Umask),
		Name:  j.Name, Account: j.Account, AssocId: uint32(j.AssocID), AgeHeld: j.AgeHeld, AgeFrom: TimeToProto(j.AgeFrom), Qos: j.QOS, Partitions: names(j.Partitions), Partition: string(j.Partition),
		TimeLimit: DurationToProto(j.TimeLimit), TimeMin: DurationToProto(j.TimeMin), Need: NeedToProto(&j.Need),
		Requeue: j.Requeue, WorkDir: j.WorkDir, Deps: DependsToProto(j.Deps), DepsAny: j.DepsAny,
		Priority: j.Priority, Nice: Int32(j.Nice), HeldBy: uint32(j.HeldBy), KillOnInvalidDep: j.KillOnInvalidDep,
		State: uint32(j.State), Reason: uint32(j.Reason), ReasonText: j.ReasonText, Restarts: j.Restarts,
		Submit: TimeToProto(j.Submit), Eligible: TimeToProto(j.Eligible), Begin: TimeToProto(j.Begin), Start: TimeToProto(j.Start), End: TimeToProto(j.End),
		Suspended: TimeToProto(j.Suspended), SuspendedFor: int64(j.SuspendedFor), LastSched: TimeToProto(j.LastSched), Scheduler: j.Scheduler,
		Alloc: NodeAllocsToProto(j.Alloc), Completing: names(j.Completing),
		ExitCode: ExitCodeToProto(j.ExitCode), DerivedExit: ExitCodeToProto(j.DerivedExit), Ended: j.Ended, KilledBy: j.KilledBy,
		LicensesUsed: LicensesToProto(j.LicensesUsed), LicensesUsedAny: j.LicensesUsed.Any,
		CpusFree: j.CPUsFree, BatchDone: j.BatchDone, BatchExit: ExitCodeToProto(j.BatchExit), BatchUsage: UsageToProto(j.BatchUsed()),
		NextStep: j.NextStep, AdminComment: j.AdminComment, SystemComment: j.SystemComment, ChangedAt: j.ChangedAt,
		Preempted: TimeToProto(j.Preempted), PreemptedFor: uint32(j.PreemptedFor), PreemptMode: uint32(j.PreemptMode),
		RoomMade: TimeToProto(j.RoomMade), RoomOn: NodeAllocsToProto(j.RoomOn), FailedStarts: j.FailedStarts,
		Resv: j.Resv, ResvId: j.ResvID, WaitedFor: uint32(j.WaitedFor), Extern: j.Extern, Cut: uint32(j.Cut), Resized: TimeToProto(j.ResizedAt()),
	}
	if j.Spec != nil {
		p.Spec = JobOptionsToProto(j.Spec)
	}
	for _, r := range j.Rlimits {
		p.Rlimits = append(p.Rlimits, &rinkpb.Rlimit{Name: r.Name, Soft: r.Soft, Hard: r.Hard})
	}
	if len(j.Steps) > 0 {
		p.Steps = make([]*rinkpb.Step, len(j.Steps))
		for i, s := range j.Steps {
			p.Steps[i] = StepToProto(s)
		}
	}
	return p
}

// JobFromProto is JobToProto undone.
func JobFromProto(p *rinkpb.Job) (*sched.Job, error) {
	if p == nil {
		p = &rinkpb.Job{}
	}
	j := &sched.Job{
		ID: slurm.JobID(p.Id), ArrayID: slurm.JobID(p.ArrayId), TaskID: p.TaskId, Throttle: int(p.Throttle),
		HetID: slurm.JobID(p.HetId), HetOffset: int(p.HetOffset), Run: p.Run, Stage: p.Stage,
		UID: p.Uid, GID: p.Gid, User: p.User, Group: p.Group, SubmitHost: p.SubmitHost, SubmitPID: p.SubmitPid, SubmitLine: p.SubmitLine,
		Script: sched.BlobID(p.Script), ScriptName: p.ScriptName, ScriptArgs: textList(p.ScriptArgs), Env: sched.BlobID(p.Env), Batch: p.Batch,
		Umask: int(p.Umask),
		Name:  p.Name, Account: p.Account, AssocID: sched.AssocID(p.AssocId), AgeHeld: p.AgeHeld, AgeFrom: TimeFromProto(p.AgeFrom), QOS: p.Qos, Partitions: named[sched.PartitionName](p.Partitions), Partition: sched.PartitionName(p.Partition),
		TimeLimit: DurationFromProto(p.TimeLimit), TimeMin: DurationFromProto(p.TimeMin),
		Requeue: p.Requeue, WorkDir: p.WorkDir, DepsAny: p.DepsAny,
		Priority: p.Priority, Nice: int(p.Nice), KillOnInvalidDep: p.KillOnInvalidDep,
		ReasonText: p.ReasonText, Restarts: p.Restarts,
		Submit: TimeFromProto(p.Submit), Eligible: TimeFromProto(p.Eligible), Begin: TimeFromProto(p.Begin), Start: TimeFromProto(p.Start), End: TimeFromProto(p.End),
		Suspended: TimeFromProto(p.Suspended), SuspendedFor: time.Duration(p.SuspendedFor), LastSched: TimeFromProto(p.LastSched), Scheduler: p.Scheduler,
		Completing: named[sched.NodeName](p.Completing), Ended: p.Ended, KilledBy: p.KilledBy,
		ExitCode: ExitCodeFromProto(p.ExitCode), DerivedExit: ExitCodeFromProto(p.DerivedExit),
		CPUsFree: p.CpusFree, BatchDone: p.BatchDone, BatchExit: ExitCodeFromProto(p.BatchExit),
		NextStep: p.NextStep, AdminComment: p.AdminComment, SystemComment: p.SystemComment, ChangedAt: p.ChangedAt,
		Preempted: TimeFromProto(p.Preempted), PreemptedFor: slurm.JobID(p.PreemptedFor), RoomMade: TimeFromProto(p.RoomMade),
		FailedStarts: p.FailedStarts,
		Resv:         p.Resv, ResvID: p.ResvId, Extern: p.Extern, Cut: sched.TasksCut(p.Cut),
	}
	if p.Resized != 0 {
		j.Resize = &sched.Resize{At: TimeFromProto(p.Resized)}
	}
	if err := jobFields(j, p); err != nil {
		return nil, fmt.Errorf("cannot read job %d: %w", p.Id, err)
	}
	return j, nil
}

// jobFields reads the fields that can be refused.
func jobFields(j *sched.Job, p *rinkpb.Job) (err error) {
	for _, list := range [...]int{len(p.ScriptArgs), len(p.Partitions), len(p.Completing), len(p.Rlimits), len(p.Steps)} {
		if list > maxList {
			return tooMany("elements of a list", list)
		}
	}
	if p.Throttle < 0 || p.HetOffset < 0 || p.Umask < 0 || p.SuspendedFor < 0 {
		return fmt.Errorf("one of throttle %d, het offset %d, umask %#o, suspended for %d is below zero", p.Throttle, p.HetOffset, p.Umask, p.SuspendedFor)
	}
	if j.Tasks, err = IndexSetFromProto(p.Tasks); err != nil {
		return err
	}
	if j.ArrayAll, err = IndexSetFromProto(p.ArrayAll); err != nil {
		return err
	}
	if p.Spec != nil {
		if j.Spec, err = JobOptionsFromProto(p.Spec); err != nil {
			return err
		}
	}
	if j.Need, err = NeedFromProto(p.Need); err != nil {
		return err
	}
	if j.Deps, err = DependsFromProto(p.Deps); err != nil {
		return err
	}
	if j.HeldBy, err = HolderFromProto(p.HeldBy); err != nil {
		return err
	}
	if j.State, err = JobStateFromProto(p.State); err != nil {
		return err
	}
	if j.WaitedFor, err = ReasonFromProto(p.WaitedFor); err != nil {
		return err
	}
	if j.Reason, err = ReasonFromProto(p.Reason); err != nil {
		return err
	}
	if j.Alloc, err = NodeAllocsFromProto(p.Alloc); err != nil {
		return err
	}
	if j.RoomOn, err = NodeAllocsFromProto(p.RoomOn); err != nil {
		return err
	}
	if j.PreemptMode, err = PreemptModeFromProto(p.PreemptMode); err != nil {
		return err
	}
	if j.LicensesUsed, err = LicensesFromProto(p.LicensesUsed, p.LicensesUsedAny); err != nil {
		return err
	}
	if u := UsageFromProto(p.BatchUsage); u != (sched.Usage{}) {
		j.BatchUsage = &u
	}
	for _, r := range p.Rlimits {
		j.Rlimits = append(j.Rlimits, sched.Rlimit{Name: r.GetName(), Soft: r.GetSoft(), Hard: r.GetHard()})
	}
	if len(p.Steps) > 0 {
		j.Steps = make([]*sched.Step, len(p.Steps))
		for i, s := range p.Steps {
			if j.Steps[i], err = StepFromProto(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// StepToProto converts a step.
func StepToProto(s *sched.Step) *rinkpb.Step {
	p := &rinkpb.Step{
		Id: uint32(s.ID), Name: s.Name, Tasks: Int32(s.Tasks), CpusPerTask: Int32(s.CPUsPerTask), Gres: GresToProto(s.Gres),
		MemPerNode: int64(s.MemPerNode), Overlap: s.Overlap, Distribution: s.Distribution, Start: TimeToProto(s.Start), End: TimeToProto(s.End),
		State: uint32(s.State), ExitCode: ExitCodeToProto(s.ExitCode), SubmitLine: s.SubmitLine, Usage: UsageToProto(s.Usage),
		KilledBy: s.KilledBy, TimeLimit: int64(s.TimeLimit), CpuFreq: s.CPUFreq,
	}
	if len(s.Nodes) > 0 {
		p.Nodes = make([]*rinkpb.StepNode, len(s.Nodes))
		for i := range s.Nodes {
			n := &s.Nodes[i]
			p.Nodes[i] = &rinkpb.StepNode{Node: string(n.Node), Cpus: Int32(n.CPUs), Mem: int64(n.Mem), Ranks: int32s(n.Ranks), Gres: GresAllocsToProto(n.Gres)}
		}
	}
	return p
}

// StepFromProto is StepToProto undone.
func StepFromProto(p *rinkpb.Step) (*sched.Step, error) {
	if p == nil {
		p = &rinkpb.Step{}
	}
	s := &sched.Step{
		ID: slurm.StepID(p.Id), Name: p.Name, Tasks: int(p.Tasks), CPUsPerTask: int(p.CpusPerTask), MemPerNode: slurm.MB(p.MemPerNode),
		Overlap: p.Overlap, Distribution: p.Distribution, Start: TimeFromProto(p.Start), End: TimeFromProto(p.End), SubmitLine: p.SubmitLine,
		ExitCode: ExitCodeFromProto(p.ExitCode), Usage: UsageFromProto(p.Usage), KilledBy: p.KilledBy, TimeLimit: slurm.Duration(p.TimeLimit), CPUFreq: p.CpuFreq,
	}
	if err := stepFields(s, p); err != nil {
		return nil, fmt.Errorf("cannot read step %v: %w", s.ID, err)
	}
	return s, nil
}

func stepFields(s *sched.Step, p *rinkpb.Step) (err error) {
	if p.Tasks < 0 || p.CpusPerTask < 0 || p.MemPerNode < 0 || p.TimeLimit < 0 {
		return fmt.Errorf("one of tasks %d, CPUs per task %d, memory per node %d, time limit %d is below zero", p.Tasks, p.CpusPerTask, p.MemPerNode, p.TimeLimit)
	}
	if s.Gres, err = GresFromProto(p.Gres); err != nil {
		return err
	}
	if s.State, err = JobStateFromProto(p.State); err != nil {
		return err
	}
	if len(p.Nodes) == 0 {
		return nil
	}
	if len(p.Nodes) > maxList {
		return tooMany("nodes of a step", len(p.Nodes))
	}
	s.Nodes = make([]sched.StepNode, len(p.Nodes))
	for i, n := range p.Nodes {
		to := sched.StepNode{Node: sched.NodeName(n.GetNode()), CPUs: int(n.GetCpus()), Mem: slurm.MB(n.GetMem())}
		if to.CPUs < 0 || to.Mem < 0 {
			return fmt.Errorf("its part on node %q is below zero", to.Node)
		}
		if to.Ranks, err = naturals("rank", n.GetRanks()); err != nil {
			return err
		}
		if to.Gres, err = GresAllocsFromProto(n.GetGres()); err != nil {
			return err
		}
		s.Nodes[i] = to
	}
	return nil
}

// NeedToProto converts a resolved request.
func NeedToProto(n *sched.Need) *rinkpb.Need {
	return &rinkpb.Need{
		MinNodes: Int32(n.MinNodes), MaxNodes: Int32(n.MaxNodes), Tasks: Int32(n.Tasks), Cpus: Int32(n.CPUs), CpusPerTask: Int32(n.CPUsPerTask),
		TasksPerNode: Int32(n.TasksPerNode), MinCpusNode: Int32(n.MinCPUsNode), MemPerNode: int64(n.MemPerNode), MemPerCpu: int64(n.MemPerCPU),
		MemAllOfNode: n.MemAllOfNode, TmpDisk: int64(n.TmpDisk),
		GresPerNode: GresToProto(n.GresPerNode), GresPerJob: GresToProto(n.GresPerJob), GresPerTask: GresToProto(n.GresPerTask),
		Features: n.Features.String(), NodeList: names(n.NodeList), Exclude: names(n.Exclude), Contiguous: n.Contiguous,
		Exclusive: n.Exclusive, Share: n.Share, OverCommit: n.OverCommit,
		Licenses: LicensesToProto(n.Licenses), LicensesAny: n.Licenses.Any,
	}
}

// NeedFromProto is NeedToProto undone.
func NeedFromProto(p *rinkpb.Need) (sched.Need, error) {
	if p == nil {
		return sched.Need{}, nil
	}
	n := sched.Need{
		MinNodes: int(p.MinNodes), MaxNodes: int(p.MaxNodes), Tasks: int(p.Tasks), CPUs: int(p.Cpus), CPUsPerTask: int(p.CpusPerTask),
		TasksPerNode: int(p.TasksPerNode), MinCPUsNode: int(p.MinCpusNode), MemPerNode: slurm.MB(p.MemPerNode), MemPerCPU: slurm.MB(p.MemPerCpu),
		MemAllOfNode: p.MemAllOfNode, TmpDisk: slurm.MB(p.TmpDisk),
		NodeList: named[sched.NodeName](p.NodeList), Exclude: named[sched.NodeName](p.Exclude), Contiguous: p.Contiguous,
		Exclusive: p.Exclusive, Share: p.Share, OverCommit: p.OverCommit,
	}
	for _, v := range [...]int64{int64(p.MinNodes), int64(p.MaxNodes), int64(p.Tasks), int64(p.Cpus), int64(p.CpusPerTask), int64(p.TasksPerNode),
		int64(p.MinCpusNode), p.MemPerNode, p.MemPerCpu, p.TmpDisk} {
		if v < 0 {
			return n, fmt.Errorf("it needs %d of something", v)
		}
	}
	if list := max(len(p.NodeList), len(p.Exclude)); list > maxList {
		return n, tooMany("node names", list)
	}
	var err error
	if n.GresPerNode, err = GresFromProto(p.GresPerNode); err != nil {
		return n, err
	}
	if n.GresPerJob, err = GresFromProto(p.GresPerJob); err != nil {
		return n, err
	}
	if n.GresPerTask, err = GresFromProto(p.GresPerTask); err != nil {
		return n, err
	}
	if n.Features, err = constraintFromProto(p.Features); err != nil {
		return n, err
	}
	n.Licenses, err = LicensesFromProto(p.Licenses, p.LicensesAny)
	return n, err
}
