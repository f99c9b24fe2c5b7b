package api

import (
	"fmt"
	"maps"
	"slices"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// JobOptionsToProto converts what was asked of a job.
func JobOptionsToProto(o *slurm.JobOptions) *rinkpb.JobOptions {
	p := &rinkpb.JobOptions{
		Given: givenToProto(o.Given),
		Name:  o.Name, Account: o.Account, Partitions: textList(o.Partitions), Qos: o.QOS, Wckey: o.WCKey,
		Reservation: o.Reservation, Comment: o.Comment, Extra: o.Extra, McsLabel: o.MCSLabel, Clusters: textList(o.Clusters),
		UserId: o.UserID, GroupId: o.GroupID,

		MinNodes: Int32(o.MinNodes), MaxNodes: Int32(o.MaxNodes), NodeSizes: int32s(o.NodeSizes), Ntasks: Int32(o.NTasks),
		CpusPerTask: Int32(o.CPUsPerTask), NtasksPerNode: Int32(o.NTasksPerNode), NtasksPerSocket: Int32(o.NTasksPerSocket),
		NtasksPerCore: Int32(o.NTasksPerCore), NtasksPerGpu: Int32(o.NTasksPerGPU), SocketsPerNode: Int32(o.SocketsPerNode),
		CoresPerSocket: Int32(o.CoresPerSocket), ThreadsPerCore: Int32(o.ThreadsPerCore), MinCpus: Int32(o.MinCPUs),
		CoreSpec: Int32(o.CoreSpec), ThreadSpec: Int32(o.ThreadSpec),
		MemPerNode: int64(o.MemPerNode), MemPerCpu: int64(o.MemPerCPU), MemPerGpu: int64(o.MemPerGPU), TmpDisk: int64(o.TmpDisk),
		Gres: GresToProto(o.Gres), Gpus: GresToProto(o.GPUs), GpusPerNode: GresToProto(o.GPUsPerNode),
		GpusPerTask: GresToProto(o.GPUsPerTask), GpusPerSocket: GresToProto(o.GPUsPerSocket), CpusPerGpu: Int32(o.CPUsPerGPU),
		TresPerTask: o.TRESPerTask, GresFlags: o.GresFlags, GpuBind: o.GPUBind, GpuFreq: o.GPUFreq, TresBind: o.TRESBind, Licenses: o.Licenses,

		NodeList: o.NodeList, ExcludeList: o.ExcludeList, Constraint: o.Constraint, Prefer: o.Prefer,
		ClusterConstraint: o.ClusterConstraint, BatchFeatures: o.BatchFeatures, Contiguous: o.Contiguous, Exclusive: o.Exclusive,
		OverSubscribe: o.OverSubscribe, OverCommit: o.OverCommit, SpreadJob: o.SpreadJob, UseMinNodes: o.UseMinNodes, NoKill: o.NoKill,
		Switches: Int32(o.Switches), SwitchesWait: DurationToProto(o.SwitchesWait),
		Segment: Int32(o.Segment), ConsolidateSegments: o.ConsolidateSegments, SpreadSegments: o.SpreadSegments, Network: o.Network, Power: o.Power, Context: o.Context,
		Hint: o.Hint, Distribution: o.Distribution, CpuBind: o.CPUBind, MemBind: o.MemBind, Isolation: o.Isolation, CpuFreq: o.CPUFreq, Reboot: o.Reboot,

		TimeLimit: DurationToProto(o.TimeLimit), TimeMin: DurationToProto(o.TimeMin), Begin: TimeToProto(o.Begin), Deadline: TimeToProto(o.Deadline),
		DelayBoot: DurationToProto(o.DelayBoot), Hold: o.Hold, Priority: o.Priority, Nice: Int32(o.Nice),
		Dependency: termsToProto(o.Dependency.Terms), DependencyAny: o.Dependency.Any,
		KillOnInvalidDep: o.KillOnInvalidDep, Requeue: o.Requeue, Signal: SignalToProto(o.Signal), Immediate: Int32(o.Immediate),

		WorkDir: o.WorkDir, Input: o.Input, Output: o.Output, Error: o.Error, OpenMode: o.OpenMode, Export: o.Export, ExportFile: o.ExportFile,
		GetUserEnv: o.GetUserEnv, Propagate: o.Propagate, MailTypes: textList(o.MailTypes), MailUser: o.MailUser,
		Cron: o.Cron, CronFirstLine: Int32(o.CronFirstLine), CronLine: Int32(o.CronLine),
		Container: o.Container, ContainerId: o.ContainerID, Profile: o.Profile, AcctgFreq: o.AcctgFreq, WaitAllNodes: Int32(o.WaitAllNodes),
		BurstBuffer: o.BurstBuffer, BurstBufferFile: o.BurstBufferFile,

		KillCommand: o.KillCommand, Bell: o.Bell, NoBell: o.NoBell, NoShell: o.NoShell,
		JobId: o.JobID, Step: stepOptionsToProto(&o.Step),
	}
	if o.Array != nil {
		p.HasArray, p.Array, p.ArrayThrottle = true, IndexSetToProto(o.Array.Indexes), Int32(o.Array.Throttle)
		p.ArrayStep = o.Array.Step
	}
	return p
}

// JobOptionsFromProto is JobOptionsToProto undone.
func JobOptionsFromProto(p *rinkpb.JobOptions) (*slurm.JobOptions, error) {
	if p == nil {
		p = &rinkpb.JobOptions{}
	}
	o := &slurm.JobOptions{
		Name: p.Name, Account: p.Account, Partitions: textList(p.Partitions), QOS: p.Qos, WCKey: p.Wckey,
		Reservation: p.Reservation, Comment: p.Comment, Extra: p.Extra, MCSLabel: p.McsLabel, Clusters: textList(p.Clusters),
		UserID: p.UserId, GroupID: p.GroupId,

		MinNodes: int(p.MinNodes), MaxNodes: int(p.MaxNodes), NTasks: int(p.Ntasks),
		CPUsPerTask: int(p.CpusPerTask), NTasksPerNode: int(p.NtasksPerNode), NTasksPerSocket: int(p.NtasksPerSocket),
		NTasksPerCore: int(p.NtasksPerCore), NTasksPerGPU: int(p.NtasksPerGpu), SocketsPerNode: int(p.SocketsPerNode),
		CoresPerSocket: int(p.CoresPerSocket), ThreadsPerCore: int(p.ThreadsPerCore), MinCPUs: int(p.MinCpus),
		CoreSpec: int(p.CoreSpec), ThreadSpec: int(p.ThreadSpec),
		MemPerNode: slurm.MB(p.MemPerNode), MemPerCPU: slurm.MB(p.MemPerCpu), MemPerGPU: slurm.MB(p.MemPerGpu), TmpDisk: slurm.MB(p.TmpDisk),
		CPUsPerGPU:  int(p.CpusPerGpu),
		TRESPerTask: p.TresPerTask, GresFlags: p.GresFlags, GPUBind: p.GpuBind, GPUFreq: p.GpuFreq, TRESBind: p.TresBind, Licenses: p.Licenses,

		NodeList: p.NodeList, ExcludeList: p.ExcludeList, Constraint: p.Constraint, Prefer: p.Prefer,
		ClusterConstraint: p.ClusterConstraint, BatchFeatures: p.BatchFeatures, Contiguous: p.Contiguous, Exclusive: p.Exclusive,
		OverSubscribe: p.OverSubscribe, OverCommit: p.OverCommit, SpreadJob: p.SpreadJob, UseMinNodes: p.UseMinNodes, NoKill: p.NoKill,
		Switches: int(p.Switches), SwitchesWait: DurationFromProto(p.SwitchesWait),
		Segment: int(p.Segment), ConsolidateSegments: p.ConsolidateSegments, SpreadSegments: p.SpreadSegments, Network: p.Network, Power: p.Power, Context: p.Context,
		Hint: p.Hint, Distribution: p.Distribution, CPUBind: p.CpuBind, MemBind: p.MemBind, Isolation: p.Isolation, CPUFreq: p.CpuFreq, Reboot: p.Reboot,

		TimeLimit: DurationFromProto(p.TimeLimit), TimeMin: DurationFromProto(p.TimeMin), Begin: TimeFromProto(p.Begin), Deadline: TimeFromProto(p.Deadline),
		DelayBoot: DurationFromProto(p.DelayBoot), Hold: p.Hold, Priority: p.Priority, Nice: int(p.Nice),
		KillOnInvalidDep: p.KillOnInvalidDep, Requeue: p.Requeue, Immediate: int(p.Immediate),

		WorkDir: p.WorkDir, Input: p.Input, Output: p.Output, Error: p.Error, OpenMode: p.OpenMode, Export: p.Export, ExportFile: p.ExportFile,
		GetUserEnv: p.GetUserEnv, Propagate: p.Propagate, MailTypes: textList(p.MailTypes), MailUser: p.MailUser,
		Cron: p.Cron, CronFirstLine: int(p.CronFirstLine), CronLine: int(p.CronLine),
		Container: p.Container, ContainerID: p.ContainerId, Profile: p.Profile, AcctgFreq: p.AcctgFreq, WaitAllNodes: int(p.WaitAllNodes),
		BurstBuffer: p.BurstBuffer, BurstBufferFile: p.BurstBufferFile,

		KillCommand: p.KillCommand, Bell: p.Bell, NoBell: p.NoBell, NoShell: p.NoShell,
		JobID: p.JobId,
	}
	if p.Step != nil {
		stepOptionsFromProto(&o.Step, p.Step)
	}
	if err := optionFields(o, p); err != nil {
		return nil, fmt.Errorf("cannot read job options: %w", err)
	}
	return o, nil
}

// optionFields reads the fields that can be refused.
func optionFields(o *slurm.JobOptions, p *rinkpb.JobOptions) (err error) {
	for _, list := range [...]int{len(p.Given), len(p.Partitions), len(p.Clusters), len(p.MailTypes)} {
		if list > maxList {
			return tooMany("elements of a list", list)
		}
	}
	for _, n := range [...]int64{
		int64(p.MinNodes), int64(p.MaxNodes), int64(p.Ntasks), int64(p.CpusPerTask), int64(p.NtasksPerNode), int64(p.NtasksPerSocket),
		int64(p.NtasksPerCore), int64(p.NtasksPerGpu), int64(p.SocketsPerNode), int64(p.CoresPerSocket), int64(p.ThreadsPerCore),
		int64(p.MinCpus), int64(p.ThreadSpec), p.MemPerNode, p.MemPerCpu, p.MemPerGpu, p.TmpDisk, int64(p.CpusPerGpu), int64(p.Switches), int64(p.Segment), int64(p.ArrayThrottle),
	} {
		if n < 0 {
			return fmt.Errorf("a size of %d", n)
		}
	}
	if len(p.Given) > 0 {
		o.Given = make(map[string]bool, len(p.Given))
		for _, name := range p.Given {
			o.Given[name] = true
		}
	}
	if o.NodeSizes, err = naturals("node count", p.NodeSizes); err != nil {
		return err
	}
	if o.Gres, err = GresFromProto(p.Gres); err != nil {
		return err
	}
	if o.GPUs, err = GresFromProto(p.Gpus); err != nil {
		return err
	}
	if o.GPUsPerNode, err = GresFromProto(p.GpusPerNode); err != nil {
		return err
	}
	if o.GPUsPerTask, err = GresFromProto(p.GpusPerTask); err != nil {
		return err
	}
	if o.GPUsPerSocket, err = GresFromProto(p.GpusPerSocket); err != nil {
		return err
	}
	o.Dependency.Any = p.DependencyAny
	if o.Dependency.Terms, err = termsFromProto(p.Dependency); err != nil {
		return err
	}
	if o.Signal, err = SignalFromProto(p.Signal); err != nil {
		return err
	}
	if p.HasArray {
		o.Array = &slurm.ArraySpec{Throttle: int(p.ArrayThrottle), Step: p.ArrayStep}
		if o.Array.Indexes, err = IndexSetFromProto(p.Array); err != nil {
			return err
		}
	}
	return nil
}

// givenToProto returns the names in order, so that the same options make the
// same bytes.
func givenToProto(given map[string]bool) []string {
	if len(given) == 0 {
		return nil
	}
	list := make([]string, 0, len(given))
	for name := range maps.Keys(given) {
		if given[name] {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// stepOptionsToProto returns nil when none of srun's own options was given.
func stepOptionsToProto(o *slurm.StepOptions) *rinkpb.StepOptions {
	if *o == (slurm.StepOptions{}) {
		return nil
	}
	return &rinkpb.StepOptions{
		Label: o.Label, Unbuffered: o.Unbuffered, Pty: o.Pty, MultiProg: o.MultiProg, Exact: o.Exact, Overlap: o.Overlap, Whole: o.Whole,
		ExternalLauncher: o.ExternalLauncher, Interactive: o.Interactive, NoAllocate: o.NoAllocate, PreserveEnv: o.PreserveEnv,
		QuitOnInterrupt: o.QuitOnInterrupt, DisableStatus: o.DisableStatus, KillOnBadExit: Int32(o.KillOnBadExit), Wait: Int32(o.Wait),
		Relative: Int32(o.Relative), Mpi: o.MPI, Prolog: o.Prolog, Epilog: o.Epilog, TaskProlog: o.TaskProlog, TaskEpilog: o.TaskEpilog,
		Bcast: o.Bcast, BcastExclude: o.BcastExclude, SendLibs: o.SendLibs, Compress: o.Compress, X11: o.X11, HetGroup: o.HetGroup,
		ResvPorts: Int32(o.ResvPorts), Threads: Int32(o.Threads), MsgTimeout: Int32(o.MsgTimeout), SlurmdDebug: o.SlurmdDebug,
		OomKillStep: Int32(o.OOMKillStep),
	}
}

func stepOptionsFromProto(o *slurm.StepOptions, p *rinkpb.StepOptions) {
	*o = slurm.StepOptions{
		Label: p.Label, Unbuffered: p.Unbuffered, Pty: p.Pty, MultiProg: p.MultiProg, Exact: p.Exact, Overlap: p.Overlap, Whole: p.Whole,
		ExternalLauncher: p.ExternalLauncher, Interactive: p.Interactive, NoAllocate: p.NoAllocate, PreserveEnv: p.PreserveEnv,
		QuitOnInterrupt: p.QuitOnInterrupt, DisableStatus: p.DisableStatus, KillOnBadExit: int(p.KillOnBadExit), Wait: int(p.Wait),
		Relative: int(p.Relative), MPI: p.Mpi, Prolog: p.Prolog, Epilog: p.Epilog, TaskProlog: p.TaskProlog, TaskEpilog: p.TaskEpilog,
		Bcast: p.Bcast, BcastExclude: p.BcastExclude, SendLibs: p.SendLibs, Compress: p.Compress, X11: p.X11, HetGroup: p.HetGroup,
		ResvPorts: int(p.ResvPorts), Threads: int(p.Threads), MsgTimeout: int(p.MsgTimeout), SlurmdDebug: p.SlurmdDebug,
		OOMKillStep: int(p.OomKillStep),
	}
}
