package api

import (
	"errors"
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// AccountAskToProto converts a change that is asked for.
func AccountAskToProto(a *sched.AccountAsk) *rinkpb.AccountAsk {
	p := &rinkpb.AccountAsk{Verb: a.Verb, Entity: a.Entity, Names: a.Names, Where: accountWhereToProto(&a.Where)}
	for _, w := range a.Set {
		p.Set = append(p.Set, &rinkpb.KeyValue{Key: w.Key, Op: w.Op, Value: w.Value})
	}
	return p
}

// AccountAskFromProto refuses operators and levels that there are not.
func AccountAskFromProto(p *rinkpb.AccountAsk) (*sched.AccountAsk, error) {
	where, err := accountWhereFromProto(p.GetWhere())
	if err != nil {
		return nil, err
	}
	a := &sched.AccountAsk{Verb: p.GetVerb(), Entity: p.GetEntity(), Names: words(p.GetNames()), Where: where}
	for _, kv := range p.GetSet() {
		a.Set = append(a.Set, sched.AccountWord{Key: kv.GetKey(), Op: kv.GetOp(), Value: kv.GetValue()})
	}
	return a, nil
}

func accountWhereToProto(w *sched.AccountWhere) *rinkpb.AccountWhere {
	p := &rinkpb.AccountWhere{
		Accounts: w.Accounts, Users: w.Users, Clusters: w.Clusters, Partitions: w.Partitions, Parents: w.Parents, Descriptions: w.Descriptions,
		Organizations: w.Organizations, Qos: w.QOS, PreemptModes: w.PreemptModes, DefaultAccounts: w.DefaultAccounts, DefaultQos: w.DefaultQOS,
		DefaultWckeys: w.DefaultWCKeys, Ids: w.IDs, Wckeys: w.WCKeys, Servers: w.Servers, ServerTypes: w.ServerTypes,
	}
	for _, l := range w.Admins {
		p.Admins = append(p.Admins, uint32(l))
	}
	return p
}

func accountWhereFromProto(p *rinkpb.AccountWhere) (sched.AccountWhere, error) {
	w := sched.AccountWhere{
		Accounts: words(p.GetAccounts()), Users: words(p.GetUsers()), Clusters: words(p.GetClusters()), Partitions: words(p.GetPartitions()),
		Parents: words(p.GetParents()), Descriptions: words(p.GetDescriptions()), Organizations: words(p.GetOrganizations()), QOS: words(p.GetQos()),
		PreemptModes: words(p.GetPreemptModes()), DefaultAccounts: words(p.GetDefaultAccounts()), DefaultQOS: words(p.GetDefaultQos()),
		DefaultWCKeys: words(p.GetDefaultWckeys()), WCKeys: words(p.GetWckeys()), Servers: words(p.GetServers()), ServerTypes: words(p.GetServerTypes()),
	}
	if len(p.GetIds()) > 0 {
		w.IDs = p.GetIds()
	}
	for _, l := range p.GetAdmins() {
		if l > uint32(sched.AdminAdministrator) {
			return w, fmt.Errorf("cannot read a condition: %d is no level of an administrator", l)
		}
		w.Admins = append(w.Admins, sched.AdminLevel(l))
	}
	return w, nil
}

func rowsToProto(list []sched.AssocRow) []*rinkpb.AssocRow {
	var out []*rinkpb.AssocRow
	for _, r := range list {
		out = append(out, &rinkpb.AssocRow{Id: uint32(r.ID), Account: r.Account, Parent: r.Parent, User: r.User, Partition: r.Partition})
	}
	return out
}

func rowsFromProto(list []*rinkpb.AssocRow) []sched.AssocRow {
	var out []sched.AssocRow
	for _, r := range list {
		out = append(out, sched.AssocRow{ID: sched.AssocID(r.GetId()), Account: r.GetAccount(), Parent: r.GetParent(), User: r.GetUser(), Partition: r.GetPartition()})
	}
	return out
}

// AccountsOutcomeToProto converts what a change comes to, but for its notes,
// which only the log wants.
func AccountsOutcomeToProto(o *sched.AccountsOutcome) *rinkpb.AccountsOutcome {
	p := &rinkpb.AccountsOutcome{
		Accounts: o.Accounts, Users: o.Users, Qos: o.QOS, Assocs: rowsToProto(o.Assocs), Orphans: o.Orphans, Coordinators: rowsToProto(o.Coordinators),
	}
	for _, r := range o.Resources {
		p.Resources = append(p.Resources, &rinkpb.ResourceRow{Resource: r.Resource, Cluster: r.Cluster, Percent: uint32(r.Percent), New: r.New})
	}
	for _, k := range o.WCKeys {
		p.Wckeys = append(p.Wckeys, &rinkpb.WCKeyRow{User: k.User, Name: k.Name})
	}
	return p
}

// AccountsOutcomeFromProto is AccountsOutcomeToProto undone.
func AccountsOutcomeFromProto(p *rinkpb.AccountsOutcome) *sched.AccountsOutcome {
	o := &sched.AccountsOutcome{
		Accounts: words(p.GetAccounts()), Users: words(p.GetUsers()), QOS: words(p.GetQos()), Assocs: rowsFromProto(p.GetAssocs()),
		Orphans: words(p.GetOrphans()), Coordinators: rowsFromProto(p.GetCoordinators()),
	}
	for _, r := range p.GetResources() {
		o.Resources = append(o.Resources, sched.ResourceRow{Resource: r.GetResource(), Cluster: r.GetCluster(), Percent: int(r.GetPercent()), New: r.GetNew()})
	}
	for _, k := range p.GetWckeys() {
		o.WCKeys = append(o.WCKeys, sched.WCKeyRow{User: k.GetUser(), Name: k.GetName()})
	}
	return o
}

// AccountTroubleToProto converts what a refusal is about; nil for refusals that
// say all in their text.
func AccountTroubleToProto(err error) *rinkpb.AccountTrouble {
	var t *sched.AccountTrouble
	var bad *sched.BadWord
	switch {
	case errors.As(err, &t):
		return &rinkpb.AccountTrouble{Kind: uint32(t.Kind), Name: t.Name, Rows: rowsToProto(t.Rows)}
	case errors.As(err, &bad):
		return &rinkpb.AccountTrouble{Text: bad.Text, Name: bad.Word.Key + bad.Word.Op + bad.Word.Value}
	}
	return nil
}

// AccountTroubleFromProto is AccountTroubleToProto undone, given the status that
// came with it.
func AccountTroubleFromProto(p *rinkpb.AccountTrouble, st *rinkpb.Status) error {
	switch {
	case st.GetErrno() == 0:
		return nil
	case p.GetText() != "":
		return &sched.BadWord{Text: p.GetText(), Word: sched.AccountWord{Value: p.GetName()}}
	case p.GetKind() != 0 && p.GetKind() < 256:
		return &sched.AccountTrouble{Code: slurm.Errno(st.GetErrno()), Kind: sched.TroubleKind(p.GetKind()), Name: p.GetName(), Rows: rowsFromProto(p.GetRows())}
	}
	return slurm.Errno(st.GetErrno())
}
