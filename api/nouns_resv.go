package api

import (
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// ReservationToProto converts a reservation.
func ReservationToProto(r *sched.Reservation) *rinkpb.Reservation {
	p := &rinkpb.Reservation{
		Name: r.Name, Id: r.ID, Start: TimeToProto(r.Start), End: TimeToProto(r.End), Made: TimeToProto(r.Made), Nodes: names(r.Nodes),
		Partition: string(r.Partition), Users: textList(r.Users), Accounts: textList(r.Accounts), Groups: textList(r.Groups), Qos: textList(r.QOS),
		Features: r.Features, Licenses: LicensesToProto(r.Licenses), LicensesAny: r.Licenses.Any, Flags: uint64(r.Flags), Comment: r.Comment,
		NodeCnt: Int32(r.NodeCnt), CoreCnt: Int32(r.CoreCnt), MaxStartDelay: DurationToProto(r.MaxStartDelay), PurgeAfter: DurationToProto(r.PurgeAfter),
		IdleSince: TimeToProto(r.IdleSince), Creator: r.Creator, ChangedAt: r.ChangedAt, Duration: DurationToProto(r.Duration), Tres: TRESToProto(r.TRES),
	}
	for _, c := range r.Cores {
		p.Cores = append(p.Cores, &rinkpb.ReservedCores{Node: string(c.Node), Cores: IndexSetToProto(c.Cores), Cpus: Int32(c.CPUs)})
	}
	return p
}

// ReservationFromProto is ReservationToProto undone.
func ReservationFromProto(p *rinkpb.Reservation) (*sched.Reservation, error) {
	if p == nil {
		p = &rinkpb.Reservation{}
	}
	if n := max(len(p.Nodes), len(p.Cores), len(p.Users), len(p.Accounts), len(p.Groups), len(p.Qos)); n > maxList {
		return nil, fmt.Errorf("cannot read reservation %q: %w", p.Name, tooMany("nodes or names", n))
	}
	if p.NodeCnt < 0 || p.CoreCnt < 0 {
		return nil, fmt.Errorf("cannot read reservation %q: one of %d nodes, %d cores is below zero", p.Name, p.NodeCnt, p.CoreCnt)
	}
	r := &sched.Reservation{
		Name: p.Name, ID: p.Id, Start: TimeFromProto(p.Start), End: TimeFromProto(p.End), Made: TimeFromProto(p.Made),
		Nodes: named[sched.NodeName](p.Nodes), Partition: sched.PartitionName(p.Partition), Users: textList(p.Users), Accounts: textList(p.Accounts),
		Groups: textList(p.Groups), QOS: textList(p.Qos), Features: p.Features, Flags: slurm.ResvFlags(p.Flags), Comment: p.Comment,
		NodeCnt: int(p.NodeCnt), CoreCnt: int(p.CoreCnt), MaxStartDelay: DurationFromProto(p.MaxStartDelay), PurgeAfter: DurationFromProto(p.PurgeAfter),
		IdleSince: TimeFromProto(p.IdleSince), Creator: p.Creator, ChangedAt: p.ChangedAt, Duration: DurationFromProto(p.Duration),
	}
	var err error
	if r.Licenses, err = LicensesFromProto(p.Licenses, p.LicensesAny); err != nil {
		return nil, fmt.Errorf("cannot read reservation %q: %w", p.Name, err)
	}
	if r.TRES, err = TRESFromProto(p.Tres); err != nil {
		return nil, fmt.Errorf("cannot read reservation %q: %w", p.Name, err)
	}
	for _, c := range p.Cores {
		set, err := IndexSetFromProto(c.GetCores())
		if err != nil {
			return nil, fmt.Errorf("cannot read reservation %q: %w", p.Name, err)
		}
		if c.GetCpus() < 0 {
			return nil, fmt.Errorf("cannot read reservation %q: %d CPUs of node %q", p.Name, c.GetCpus(), c.GetNode())
		}
		r.Cores = append(r.Cores, sched.ReservedCores{Node: sched.NodeName(c.GetNode()), Cores: set, CPUs: int(c.GetCpus())})
	}
	return r, nil
}
