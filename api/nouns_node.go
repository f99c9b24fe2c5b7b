package api

import (
	"fmt"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// NodeToProto converts a node; the soft facts of the message are left empty.
func NodeToProto(n *sched.Node) *rinkpb.Node {
	p := &rinkpb.Node{
		Name: string(n.Name), Hostname: n.Hostname, Addr: n.Addr, Port: Int32(n.Port), Index: Int32(n.Index),
		Cpus: Int32(n.CPUs), Boards: Int32(n.Boards), Sockets: Int32(n.Sockets), Cores: Int32(n.Cores), Threads: Int32(n.Threads),
		Memory: int64(n.Memory), TmpDisk: int64(n.TmpDisk), Weight: n.Weight, Features: textList(n.Features),
		CoreSpec: Int32(n.CoreSpec), Comment: n.Comment, Extra: n.Extra,
		Arch: n.Arch, Os: n.OS, Version: n.Version, BootTime: TimeToProto(n.BootTime), AgentStart: TimeToProto(n.AgentStart),
		SpoolId: n.SpoolID, Registered: n.Registered,
		State: uint32(n.State), Reason: n.Reason, ReasonUid: n.ReasonUID, ReasonUser: n.ReasonUser,
		ReasonTime: TimeToProto(n.ReasonTime), LastBusy: TimeToProto(n.LastBusy),
		UsedCpus: Int32(n.UsedCPUs), UsedMem: int64(n.UsedMem), UsedGres: GresAllocsToProto(n.UsedGres),
		CompletingJobs: Int32(n.CompletingJobs), ExclusiveUser: n.ExclusiveUser, ExclusiveBy: uint32(n.ExclusiveBy),
		PowerAt: TimeToProto(n.PowerAt), NextState: uint32(n.NextState), AutoDetect: n.AutoDetect,
		Available: textList(n.Available), CpuBind: n.CPUBind,
	}
	p.Shapes, p.Cuts, p.Fabric = ShapesToProto(n.Shapes), CutsToProto(n.Cuts), n.Fabric
	for i := range n.Found {
		p.Found = append(p.Found, NodeGresToProto(&n.Found[i]))
	}
	if len(n.Gres) > 0 {
		p.Gres = make([]*rinkpb.NodeGres, len(n.Gres))
		for i := range n.Gres {
			p.Gres[i] = NodeGresToProto(&n.Gres[i])
		}
	}
	if len(n.Running) > 0 {
		p.Running = make([]uint32, len(n.Running))
		for i, id := range n.Running {
			p.Running[i] = uint32(id)
		}
	}
	return p
}

// NodeFromProto is NodeToProto undone; the soft facts of the message are not
// part of a node.
func NodeFromProto(p *rinkpb.Node) (*sched.Node, error) {
	if p == nil {
		p = &rinkpb.Node{}
	}
	n := &sched.Node{
		Name: sched.NodeName(p.Name), Hostname: p.Hostname, Addr: p.Addr, Port: int(p.Port), Index: int(p.Index),
		CPUs: int(p.Cpus), Boards: int(p.Boards), Sockets: int(p.Sockets), Cores: int(p.Cores), Threads: int(p.Threads),
		Memory: slurm.MB(p.Memory), TmpDisk: slurm.MB(p.TmpDisk), Weight: p.Weight, Features: textList(p.Features),
		CoreSpec: int(p.CoreSpec), Comment: p.Comment, Extra: p.Extra,
		Arch: p.Arch, OS: p.Os, Version: p.Version, BootTime: TimeFromProto(p.BootTime), AgentStart: TimeFromProto(p.AgentStart),
		SpoolID: p.SpoolId, Registered: p.Registered,
		Reason: p.Reason, ReasonUID: p.ReasonUid, ReasonUser: p.ReasonUser,
		ReasonTime: TimeFromProto(p.ReasonTime), LastBusy: TimeFromProto(p.LastBusy),
		UsedCPUs: int(p.UsedCpus), UsedMem: slurm.MB(p.UsedMem),
		CompletingJobs: int(p.CompletingJobs), ExclusiveUser: p.ExclusiveUser, ExclusiveBy: slurm.JobID(p.ExclusiveBy),
		PowerAt: TimeFromProto(p.PowerAt), NextState: slurm.NodeState(p.NextState), AutoDetect: p.AutoDetect,
		Available: textList(p.Available), CPUBind: p.CpuBind,
	}
	for _, v := range [...]int{n.Port, n.Index, n.CPUs, n.Boards, n.Sockets, n.Cores, n.Threads, int(n.Memory), int(n.TmpDisk), n.CoreSpec} {
		if v < 0 {
			return nil, fmt.Errorf("cannot read node %q: a number below zero, %d", p.Name, v)
		}
	}
	var err error
	if n.State, err = NodeStateFromProto(p.State); err != nil {
		return nil, fmt.Errorf("cannot read node %q: %w", p.Name, err)
	}
	if n.UsedGres, err = GresAllocsFromProto(p.UsedGres); err != nil {
		return nil, fmt.Errorf("cannot read node %q: %w", p.Name, err)
	}
	if most := max(len(p.Gres), len(p.Running), len(p.Found)); most > maxList {
		return nil, fmt.Errorf("cannot read node %q: %w", p.Name, tooMany("resources or jobs", most))
	}
	for _, g := range p.Found {
		f, err := NodeGresFromProto(g)
		if err != nil {
			return nil, fmt.Errorf("cannot read node %q: %w", p.Name, err)
		}
		n.Found = append(n.Found, f)
	}
	if len(p.Gres) > 0 {
		n.Gres = make([]sched.NodeGres, len(p.Gres))
		for i, g := range p.Gres {
			if n.Gres[i], err = NodeGresFromProto(g); err != nil {
				return nil, fmt.Errorf("cannot read node %q: %w", p.Name, err)
			}
		}
	}
	n.Shapes, n.Cuts, n.Fabric = ShapesFromProto(p.Shapes), CutsFromProto(p.Cuts), p.Fabric
	if len(p.Running) > 0 {
		n.Running = make([]slurm.JobID, len(p.Running))
		for i, id := range p.Running {
			n.Running[i] = slurm.JobID(id)
		}
	}
	return n, nil
}

// NodeGresToProto converts a generic resource a node has.
func NodeGresToProto(g *sched.NodeGres) *rinkpb.NodeGres {
	p := &rinkpb.NodeGres{Name: g.Name, Type: g.Type, Count: g.Count, Files: textList(g.Files), Cores: g.Cores, Near: numbersToProto(g.Near)}
	for _, row := range g.Links {
		p.Links = append(p.Links, &rinkpb.DeviceLinks{To: numbersToProto(row)})
	}
	p.Numbers, p.Found = numbersToProto(g.Numbers), g.Found
	for _, s := range g.Sick {
		p.Sick = append(p.Sick, &rinkpb.SickDevice{Number: Int32(s.Number), Why: s.Why, Cut: s.Cut})
	}
	p.Made, p.Lacks = Int32(g.Made), g.Lacks
	return p
}

func numbersToProto(list []int) []int32 {
	var out []int32
	for _, n := range list {
		out = append(out, Int32(n))
	}
	return out
}

func numbersFromProto(list []int32) []int {
	var out []int
	for _, n := range list {
		out = append(out, int(n))
	}
	return out
}

// NodeGresFromProto refuses counts below zero.
func NodeGresFromProto(p *rinkpb.NodeGres) (sched.NodeGres, error) {
	if p.GetCount() < 0 {
		return sched.NodeGres{}, fmt.Errorf("cannot read the generic resource %q: a count of %d", p.GetName(), p.GetCount())
	}
	g := sched.NodeGres{Name: p.GetName(), Type: p.GetType(), Count: p.GetCount(), Files: textList(p.GetFiles()), Cores: p.GetCores(),
		Near: numbersFromProto(p.GetNear())}
	for _, row := range p.GetLinks() {
		g.Links = append(g.Links, numbersFromProto(row.GetTo()))
	}
	g.Numbers, g.Found = numbersFromProto(p.GetNumbers()), p.GetFound()
	for _, s := range p.GetSick() {
		g.Sick = append(g.Sick, sched.SickDevice{Number: int(s.GetNumber()), Why: s.GetWhy(), Cut: s.GetCut()})
	}
	g.Made, g.Lacks = int(p.GetMade()), max(p.GetLacks(), 0)
	return g, nil
}

// PartitionToProto converts a partition.
func PartitionToProto(a *sched.Partition) *rinkpb.Partition {
	return &rinkpb.Partition{
		Name: string(a.Name), Nodes: names(a.Nodes), NodesText: a.NodesText, IsDefault: a.Default, State: a.State,
		MaxTime: DurationToProto(a.MaxTime), DefaultTime: DurationToProto(a.DefaultTime),
		MinNodes: Int32(a.MinNodes), MaxNodes: Int32(a.MaxNodes), MaxCpusPerNode: Int32(a.MaxCPUsPerNode),
		MaxCpusPerSocket: Int32(a.MaxCPUsPerSocket), ExclusiveTopo: a.ExclusiveTopo, CpuBind: a.CPUBind,
		DefMemPerCpu: int64(a.DefMemPerCPU), DefMemPerNode: int64(a.DefMemPerNode),
		MaxMemPerCpu: int64(a.MaxMemPerCPU), MaxMemPerNode: int64(a.MaxMemPerNode),
		OverTimeLimit: DurationToProto(a.OverTimeLimit), GraceTime: DurationToProto(a.GraceTime),
		PriorityTier: a.PriorityTier, PriorityJobFactor: a.PriorityJobFactor, PreemptMode: a.PreemptMode, OverSubscribe: a.OverSubscribe,
		AllowAccounts: textList(a.AllowAccounts), DenyAccounts: textList(a.DenyAccounts), AllowGroups: textList(a.AllowGroups),
		AllowQos: textList(a.AllowQOS), DenyQos: textList(a.DenyQOS), AllocNodes: textList(a.AllocNodes),
		Quota: a.Quota, Qos: a.QOS, Alternate: a.Alternate, DisableRootJobs: a.DisableRootJobs, RootOnly: a.RootOnly, ReqResv: a.ReqResv,
		Hidden: a.Hidden, Lln: a.LLN, ExclusiveUser: a.ExclusiveUser, BillingWeights: a.BillingWeights, JobDefaults: a.JobDefaults,
		Slice: a.Slice, Index: Int32(a.Index),
	}
}

// PartitionFromProto is PartitionToProto undone.
func PartitionFromProto(p *rinkpb.Partition) (*sched.Partition, error) {
	if p == nil {
		p = &rinkpb.Partition{}
	}
	if len(p.Nodes) > maxList {
		return nil, fmt.Errorf("cannot read partition %q: %w", p.Name, tooMany("nodes", len(p.Nodes)))
	}
	for _, n := range [...]int64{int64(p.MinNodes), int64(p.MaxNodes), int64(p.MaxCpusPerNode), p.DefMemPerCpu, p.DefMemPerNode, p.MaxMemPerCpu, p.MaxMemPerNode, int64(p.Index)} {
		if n < 0 {
			return nil, fmt.Errorf("cannot read partition %q: a number below zero, %d", p.Name, n)
		}
	}
	return &sched.Partition{
		Name: sched.PartitionName(p.Name), Nodes: named[sched.NodeName](p.Nodes), NodesText: p.NodesText, Default: p.IsDefault, State: p.State,
		MaxTime: DurationFromProto(p.MaxTime), DefaultTime: DurationFromProto(p.DefaultTime),
		MinNodes: int(p.MinNodes), MaxNodes: int(p.MaxNodes), MaxCPUsPerNode: int(p.MaxCpusPerNode),
		MaxCPUsPerSocket: int(p.MaxCpusPerSocket), ExclusiveTopo: p.ExclusiveTopo, CPUBind: p.CpuBind,
		DefMemPerCPU: slurm.MB(p.DefMemPerCpu), DefMemPerNode: slurm.MB(p.DefMemPerNode),
		MaxMemPerCPU: slurm.MB(p.MaxMemPerCpu), MaxMemPerNode: slurm.MB(p.MaxMemPerNode),
		OverTimeLimit: DurationFromProto(p.OverTimeLimit), GraceTime: DurationFromProto(p.GraceTime),
		PriorityTier: p.PriorityTier, PriorityJobFactor: p.PriorityJobFactor, PreemptMode: p.PreemptMode, OverSubscribe: p.OverSubscribe,
		AllowAccounts: textList(p.AllowAccounts), DenyAccounts: textList(p.DenyAccounts), AllowGroups: textList(p.AllowGroups),
		AllowQOS: textList(p.AllowQos), DenyQOS: textList(p.DenyQos), AllocNodes: textList(p.AllocNodes),
		Quota: p.Quota, QOS: p.Qos, Alternate: p.Alternate, DisableRootJobs: p.DisableRootJobs, RootOnly: p.RootOnly, ReqResv: p.ReqResv,
		Hidden: p.Hidden, LLN: p.Lln, ExclusiveUser: p.ExclusiveUser, BillingWeights: p.BillingWeights, JobDefaults: p.JobDefaults,
		Slice: partitionSlice(p), Index: int(p.Index),
	}, nil
}

// partitionSlice is how far jobs of a partition are shut off, in the words of
// today or those of older logs.
func partitionSlice(p *rinkpb.Partition) string {
	if p.Slice != "" || p.SliceNamespaces == "" && p.SlicePrivateTmp == "" {
		return p.Slice
	}
	s := slurm.DefaultSliceConf()
	if p.SliceNamespaces != "none" {
		s.Namespaces = strings.FieldsFunc(p.SliceNamespaces, func(r rune) bool { return r == ',' })
	}
	s.PrivateTmp = p.SlicePrivateTmp == "yes"
	return s.OwnText()
}
