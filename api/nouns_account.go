package api

import (
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// TRESToProto converts a list of amounts.
func TRESToProto(list slurm.TRES) []*rinkpb.TRESItem {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.TRESItem, len(list))
	for i, t := range list {
		out[i] = &rinkpb.TRESItem{Type: t.Type, Name: t.Name, Count: t.Count}
	}
	return out
}

// TRESFromProto refuses amounts without a kind.
func TRESFromProto(list []*rinkpb.TRESItem) (slurm.TRES, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > maxList {
		return nil, tooMany("amounts", len(list))
	}
	out := make(slurm.TRES, len(list))
	for i, p := range list {
		if p.GetType() == "" {
			return nil, fmt.Errorf("cannot read an amount: it is of no kind")
		}
		out[i] = slurm.TRESItem{Type: p.GetType(), Name: p.GetName(), Count: p.GetCount()}
	}
	return out, nil
}

// LimitsToProto converts the bounds of an association or a QOS.
func LimitsToProto(l *sched.Limits) *rinkpb.Limits {
	return &rinkpb.Limits{
		GrpTres: TRESToProto(l.GrpTRES), GrpTresMins: TRESToProto(l.GrpTRESMins), GrpTresRunMins: TRESToProto(l.GrpTRESRunMins),
		GrpJobs: l.GrpJobs, GrpJobsAccrue: l.GrpJobsAccrue, GrpSubmitJobs: l.GrpSubmitJobs, GrpWall: int64(l.GrpWall),
		MaxTresPerJob: TRESToProto(l.MaxTRESPerJob), MaxTresPerNode: TRESToProto(l.MaxTRESPerNode),
		MaxTresMinsPerJob: TRESToProto(l.MaxTRESMinsPerJob), MinTresPerJob: TRESToProto(l.MinTRESPerJob),
		MaxWall: int64(l.MaxWall), MinPrioThreshold: l.MinPrioThreshold,
		MaxTresPerUser: TRESToProto(l.MaxTRESPerUser), MaxTresRunMinsPerUser: TRESToProto(l.MaxTRESRunMinsPerUser),
		MaxJobsPerUser: l.MaxJobsPerUser, MaxJobsAccruePerUser: l.MaxJobsAccruePerUser, MaxSubmitPerUser: l.MaxSubmitPerUser,
		MaxTresPerAccount: TRESToProto(l.MaxTRESPerAccount), MaxTresRunMinsPerAccount: TRESToProto(l.MaxTRESRunMinsPerAccount),
		MaxJobsPerAccount: l.MaxJobsPerAccount, MaxJobsAccruePerAccount: l.MaxJobsAccruePerAccount, MaxSubmitPerAccount: l.MaxSubmitPerAccount,
		Priority: l.Priority,
	}
}

// LimitsFromProto is LimitsToProto undone. A nil message is of zeros.
func LimitsFromProto(p *rinkpb.Limits) (sched.Limits, error) {
	l := sched.Limits{
		GrpJobs: p.GetGrpJobs(), GrpJobsAccrue: p.GetGrpJobsAccrue(), GrpSubmitJobs: p.GetGrpSubmitJobs(), GrpWall: slurm.Duration(p.GetGrpWall()),
		MaxWall: slurm.Duration(p.GetMaxWall()), MinPrioThreshold: p.GetMinPrioThreshold(),
		MaxJobsPerUser: p.GetMaxJobsPerUser(), MaxJobsAccruePerUser: p.GetMaxJobsAccruePerUser(), MaxSubmitPerUser: p.GetMaxSubmitPerUser(),
		MaxJobsPerAccount: p.GetMaxJobsPerAccount(), MaxJobsAccruePerAccount: p.GetMaxJobsAccruePerAccount(),
		MaxSubmitPerAccount: p.GetMaxSubmitPerAccount(), Priority: p.GetPriority(),
	}
	for _, f := range []struct {
		to   *slurm.TRES
		from []*rinkpb.TRESItem
	}{
		{&l.GrpTRES, p.GetGrpTres()}, {&l.GrpTRESMins, p.GetGrpTresMins()}, {&l.GrpTRESRunMins, p.GetGrpTresRunMins()},
		{&l.MaxTRESPerJob, p.GetMaxTresPerJob()}, {&l.MaxTRESPerNode, p.GetMaxTresPerNode()},
		{&l.MaxTRESMinsPerJob, p.GetMaxTresMinsPerJob()}, {&l.MinTRESPerJob, p.GetMinTresPerJob()},
		{&l.MaxTRESPerUser, p.GetMaxTresPerUser()}, {&l.MaxTRESRunMinsPerUser, p.GetMaxTresRunMinsPerUser()},
		{&l.MaxTRESPerAccount, p.GetMaxTresPerAccount()}, {&l.MaxTRESRunMinsPerAccount, p.GetMaxTresRunMinsPerAccount()},
	} {
		var err error
		if *f.to, err = TRESFromProto(f.from); err != nil {
			return l, err
		}
	}
	return l, nil
}

// AccountToProto converts an account.
func AccountToProto(a *sched.Account) *rinkpb.Account {
	return &rinkpb.Account{Name: a.Name, Description: a.Description, Organization: a.Organization, Coordinators: a.Coordinators, Flags: a.Flags}
}

// AccountFromProto is AccountToProto undone.
func AccountFromProto(p *rinkpb.Account) *sched.Account {
	return &sched.Account{
		Name: p.GetName(), Description: p.GetDescription(), Organization: p.GetOrganization(), Coordinators: words(p.GetCoordinators()), Flags: words(p.GetFlags()),
	}
}

// words returns the list, nil when there is nothing in it.
func words(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// AccountUserToProto converts a user known to accounting.
func AccountUserToProto(u *sched.AccountUser) *rinkpb.AccountUser {
	p := &rinkpb.AccountUser{Name: u.Name, DefaultAccount: u.DefaultAccount, DefaultWckey: u.DefaultWCKey, Admin: uint32(u.Admin)}
	for _, k := range u.WCKeys {
		p.Wckeys = append(p.Wckeys, &rinkpb.WCKey{Id: k.ID, Name: k.Name})
	}
	return p
}

// AccountUserFromProto refuses levels that there are not.
func AccountUserFromProto(p *rinkpb.AccountUser) (*sched.AccountUser, error) {
	if p.GetAdmin() > uint32(sched.AdminAdministrator) {
		return nil, fmt.Errorf("cannot read user %q: %d is no level of an administrator", p.GetName(), p.GetAdmin())
	}
	u := &sched.AccountUser{
		Name: p.GetName(), DefaultAccount: p.GetDefaultAccount(), DefaultWCKey: p.GetDefaultWckey(), Admin: sched.AdminLevel(p.GetAdmin()),
	}
	if len(p.GetWckeys()) > maxList {
		return nil, tooMany("wckeys", len(p.GetWckeys()))
	}
	for _, k := range p.GetWckeys() {
		u.WCKeys = append(u.WCKeys, sched.WCKey{ID: k.GetId(), Name: k.GetName()})
	}
	return u, nil
}

// AssocToProto converts an association.
func AssocToProto(a *sched.Assoc) *rinkpb.Assoc {
	return &rinkpb.Assoc{
		Id: uint32(a.ID), Account: a.Key.Account, User: a.Key.User, Partition: string(a.Key.Partition), Parent: uint32(a.Parent),
		Shares: a.Shares, Limits: LimitsToProto(&a.Limits), Qos: a.QOS, HasQos: a.QOS != nil, QosDelta: a.QOSDelta, DefaultQos: a.DefaultQOS,
		IsDefault: a.IsDefault, Comment: a.Comment, Created: TimeToProto(a.Created), Modified: TimeToProto(a.Modified), Place: a.Place,
	}
}

// AssocFromProto is AssocToProto undone.
func AssocFromProto(p *rinkpb.Assoc) (*sched.Assoc, error) {
	a := &sched.Assoc{
		ID: sched.AssocID(p.GetId()), Key: sched.AssocKey{Account: p.GetAccount(), User: p.GetUser(), Partition: sched.PartitionName(p.GetPartition())},
		Parent: sched.AssocID(p.GetParent()), Shares: p.GetShares(), QOSDelta: words(p.GetQosDelta()), DefaultQOS: p.GetDefaultQos(),
		IsDefault: p.GetIsDefault(), Comment: p.GetComment(), Created: TimeFromProto(p.GetCreated()), Modified: TimeFromProto(p.GetModified()),
		Place: p.GetPlace(),
	}
	switch {
	case len(p.GetQos()) > 0:
		a.QOS = p.GetQos()
	case p.GetHasQos():
		a.QOS = []string{}
	}
	for _, w := range a.QOSDelta {
		if w == "" {
			return nil, fmt.Errorf("cannot read association %d: an empty change of its QOS", a.ID)
		}
	}
	var err error
	a.Limits, err = LimitsFromProto(p.GetLimits())
	return a, err
}

// QOSToProto converts a quality of service.
func QOSToProto(q *sched.QOS) *rinkpb.QOS {
	return &rinkpb.QOS{
		Id: q.ID, Name: q.Name, Description: q.Description, Priority: q.Priority, Flags: q.Flags, Limits: LimitsToProto(&q.Limits),
		Preempt: q.Preempt, PreemptMode: q.PreemptMode, PreemptExempt: int64(q.PreemptExempt), GraceTime: int64(q.GraceTime),
		UsageFactor: q.UsageFactor, UsageThreshold: q.UsageThreshold, LimitFactor: q.LimitFactor,
	}
}

// QOSFromProto is QOSToProto undone.
func QOSFromProto(p *rinkpb.QOS) (*sched.QOS, error) {
	limits, err := LimitsFromProto(p.GetLimits())
	return &sched.QOS{
		ID: p.GetId(), Name: p.GetName(), Description: p.GetDescription(), Priority: p.GetPriority(), Flags: words(p.GetFlags()), Limits: limits,
		Preempt: words(p.GetPreempt()), PreemptMode: p.GetPreemptMode(), PreemptExempt: slurm.Duration(p.GetPreemptExempt()),
		GraceTime: slurm.Duration(p.GetGraceTime()), UsageFactor: p.GetUsageFactor(), UsageThreshold: p.GetUsageThreshold(), LimitFactor: p.GetLimitFactor(),
	}, err
}

// AccountTablesToProto converts the accounts as lists.
func AccountTablesToProto(t *sched.AccountTables) *rinkpb.AccountTables {
	p := &rinkpb.AccountTables{
		NextAssoc: uint32(t.NextAssoc), NextQos: t.NextQOS, NextWckey: t.NextWCKey, NextPlace: t.NextPlace, Version: t.Version,
		NextResource: t.NextResource,
	}
	for _, v := range t.Accounts {
		p.Accounts = append(p.Accounts, AccountToProto(v))
	}
	for _, v := range t.Users {
		p.Users = append(p.Users, AccountUserToProto(v))
	}
	for _, v := range t.Assocs {
		p.Assocs = append(p.Assocs, AssocToProto(v))
	}
	for _, v := range t.QOS {
		p.Qos = append(p.Qos, QOSToProto(v))
	}
	for _, r := range t.Resources {
		p.Resources = append(p.Resources, &rinkpb.Resource{Id: r.ID, Name: r.Name, Server: r.Server, Description: r.Description, ServerType: r.ServerType,
			Count: r.Count, Allowed: r.Allowed, Percent: uint32(r.Percent)})
	}
	for _, k := range t.TRES {
		p.Tres = append(p.Tres, &rinkpb.TRESKind{Id: k.ID, Type: k.Type, Name: k.Name})
	}
	return p
}

// AccountTablesFromProto is AccountTablesToProto undone. Whether the rows go
// together is not looked at here.
func AccountTablesFromProto(p *rinkpb.AccountTables) (*sched.AccountTables, error) {
	t := &sched.AccountTables{
		NextAssoc: sched.AssocID(p.GetNextAssoc()), NextQOS: p.GetNextQos(), NextWCKey: p.GetNextWckey(), NextPlace: p.GetNextPlace(), Version: p.GetVersion(),
		NextResource: p.GetNextResource(),
	}
	for _, v := range p.GetAccounts() {
		t.Accounts = append(t.Accounts, AccountFromProto(v))
	}
	for _, v := range p.GetUsers() {
		u, err := AccountUserFromProto(v)
		if err != nil {
			return nil, err
		}
		t.Users = append(t.Users, u)
	}
	for _, v := range p.GetAssocs() {
		a, err := AssocFromProto(v)
		if err != nil {
			return nil, err
		}
		t.Assocs = append(t.Assocs, a)
	}
	for _, v := range p.GetQos() {
		q, err := QOSFromProto(v)
		if err != nil {
			return nil, err
		}
		t.QOS = append(t.QOS, q)
	}
	for _, r := range p.GetResources() {
		t.Resources = append(t.Resources, &sched.Resource{ID: r.GetId(), Name: r.GetName(), Server: r.GetServer(), Description: r.GetDescription(),
			ServerType: r.GetServerType(), Count: r.GetCount(), Allowed: r.GetAllowed(), Percent: int(r.GetPercent())})
	}
	for _, k := range p.GetTres() {
		t.TRES = append(t.TRES, sched.TRESKind{ID: k.GetId(), Type: k.GetType(), Name: k.GetName()})
	}
	return t, nil
}

// AccountsEditToProto converts a change of the accounts.
func AccountsEditToProto(e *sched.AccountsEdit) *rinkpb.AccountsEdit {
	p := &rinkpb.AccountsEdit{
		Base: e.Base, Put: AccountTablesToProto(&e.Put), DropAccounts: e.DropAccounts, DropUsers: e.DropUsers, DropQos: e.DropQOS, DropResources: e.DropResources,
	}
	for _, id := range e.DropAssocs {
		p.DropAssocs = append(p.DropAssocs, uint32(id))
	}
	return p
}

// AccountsEditFromProto is AccountsEditToProto undone.
func AccountsEditFromProto(p *rinkpb.AccountsEdit) (*sched.AccountsEdit, error) {
	put, err := AccountTablesFromProto(p.GetPut())
	if err != nil {
		return nil, err
	}
	e := &sched.AccountsEdit{
		Base: p.GetBase(), Put: *put, DropAccounts: words(p.GetDropAccounts()), DropUsers: words(p.GetDropUsers()), DropQOS: words(p.GetDropQos()),
	}
	if len(p.GetDropResources()) > 0 {
		e.DropResources = p.GetDropResources()
	}
	for _, id := range p.GetDropAssocs() {
		e.DropAssocs = append(e.DropAssocs, sched.AssocID(id))
	}
	return e, nil
}

// TransactionToProto converts a change as it is listed.
func TransactionToProto(t *sched.Transaction) *rinkpb.Transaction {
	return &rinkpb.Transaction{
		Id: t.ID, At: TimeToProto(t.At), Action: t.Action, Actor: t.Actor, Where: t.Where, Info: t.Info,
		Accounts: t.Accounts, Users: t.Users, Clusters: t.Clusters,
	}
}

// TransactionFromProto is TransactionToProto undone.
func TransactionFromProto(p *rinkpb.Transaction) *sched.Transaction {
	return &sched.Transaction{
		ID: p.GetId(), At: TimeFromProto(p.GetAt()), Action: p.GetAction(), Actor: p.GetActor(), Where: p.GetWhere(), Info: p.GetInfo(),
		Accounts: words(p.GetAccounts()), Users: words(p.GetUsers()), Clusters: words(p.GetClusters()),
	}
}
