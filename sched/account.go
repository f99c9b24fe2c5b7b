package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// Accounts is who may use the cluster and how much of it: users, accounts, the
// associations between them and the QOS. It is a picture: what changes is
// replaced, never written to, so that it may be read without a lock.
type Accounts struct {
	Accounts map[string]*Account
	Users    map[string]*AccountUser
	// Assocs holds every association, the root account's among them.
	Assocs map[AssocKey]*Assoc
	ByID   map[AssocID]*Assoc
	QOS    map[string]*QOS
	// Resources are licences outside the cluster, by id.
	Resources map[uint32]*Resource
	// TRES are the kinds of resources that are counted, in the order of their ids.
	TRES []TRESKind
	// NextAssoc, NextQOS and NextWCKey are the ids the next new ones get, NextPlace
	// the place.
	NextAssoc AssocID
	NextQOS   uint32
	NextWCKey uint32
	NextPlace uint32
	// NextResource is the id the next new resource gets; 0 when there never was one.
	NextResource uint32
	// Version is the log index of the last change; an edit says which it was made
	// on.
	Version uint64
}

// TRESKind is a kind of resource with the number it is known by: those that every
// cluster has below 1001, what AccountingStorageTRES adds from there on. Numbers
// stay, also when the configuration no longer names the kind.
type TRESKind struct {
	ID         uint32
	Type, Name string // "cpu", ""; "gres", "gpu:a100"
}

// Key returns type or type/name.
func (k TRESKind) Key() string { return slurm.TRESItem{Type: k.Type, Name: k.Name}.Key() }

// AssocID numbers associations as sacctmgr shows them; the root account's is 1.
type AssocID uint32

// AssocKey names an association: an account, or a user in one, there perhaps in
// one partition only.
type AssocKey struct {
	Account   string
	User      string        // "" for the account's own
	Partition PartitionName // "" for all partitions
}

// Account is a group of users that share what they are given.
type Account struct {
	Name, Description, Organization string
	Coordinators                    []string // users who manage it and what is below it
	Flags                           []string
}

// AdminLevel is what a user may do to the accounts and jobs of others.
type AdminLevel uint8

// The administrators' levels.
const (
	AdminNone AdminLevel = iota
	AdminOperator
	AdminAdministrator
)

// AccountUser is a user known to accounting.
type AccountUser struct {
	Name           string
	DefaultAccount string
	DefaultWCKey   string
	Admin          AdminLevel
	WCKeys         []WCKey // in the order of their ids
}

// WCKey is a word that a user's jobs may carry, to count by.
type WCKey struct {
	ID   uint32
	Name string
}

// Assoc is a place in the tree of accounts, with its share and its limits. What
// it does not limit, what is above it may.
type Assoc struct {
	ID     AssocID
	Key    AssocKey
	Parent AssocID // 0 for the root
	// Shares is the weight among its siblings; SharesParent means that it takes
	// part in its parent's place.
	Shares     int64
	Limits     Limits
	QOS        []string // nil: what the parent has
	QOSDelta   []string // "+name" and "-name" on what the parent has, in order; only where QOS is nil
	DefaultQOS string   // "": what the parent has
	IsDefault  bool     // of a user: its account is the user's default
	Comment    string
	Created    time.Time
	Modified   time.Time
	// Place says where it stands among its siblings: the one that was put there
	// last comes first.
	Place uint32
}

// SharesParent as shares is "Fairshare=parent".
const SharesParent = -1

// NoLimit as a number in Limits says that there is none.
const NoLimit = -1

// Limits are the bounds of an association or a QOS. Numbers are NoLimit and lists
// empty where nothing is bounded; NoLimits has none. What an association alone
// cannot have (PerUser, PerAccount, MinPerJob) stays empty there.
type Limits struct {
	// Of all jobs together, those below in the tree included.
	GrpTRES        slurm.TRES
	GrpTRESMins    slurm.TRES // used since the last reset, decayed
	GrpTRESRunMins slurm.TRES // what running jobs may still use
	GrpJobs        int64
	GrpJobsAccrue  int64
	GrpSubmitJobs  int64
	GrpWall        slurm.Duration // 0: none, NoTime: nothing at all
	// Of each job.
	MaxTRESPerJob     slurm.TRES
	MaxTRESPerNode    slurm.TRES
	MaxTRESMinsPerJob slurm.TRES
	MinTRESPerJob     slurm.TRES
	MaxWall           slurm.Duration // 0: none, NoTime: nothing at all
	MinPrioThreshold  int64
	// Of each user's jobs; for an association, which has one user, the same as
	// MaxJobs, MaxJobsAccrue and MaxSubmitJobs.
	MaxTRESPerUser        slurm.TRES
	MaxTRESRunMinsPerUser slurm.TRES
	MaxJobsPerUser        int64
	MaxJobsAccruePerUser  int64
	MaxSubmitPerUser      int64
	// Of each account's jobs.
	MaxTRESPerAccount        slurm.TRES
	MaxTRESRunMinsPerAccount slurm.TRES
	MaxJobsPerAccount        int64
	MaxJobsAccruePerAccount  int64
	MaxSubmitPerAccount      int64
	Priority                 int64 // added by the association to its jobs' priority factor; NoLimit: none
}

// NoTime is a limit of nothing at all on a time, where 0 is no limit.
const NoTime slurm.Duration = -1

// NoLimits bounds nothing.
func NoLimits() Limits {
	return Limits{GrpJobs: NoLimit, GrpJobsAccrue: NoLimit, GrpSubmitJobs: NoLimit, MinPrioThreshold: NoLimit,
		MaxJobsPerUser: NoLimit, MaxJobsAccruePerUser: NoLimit, MaxSubmitPerUser: NoLimit,
		MaxJobsPerAccount: NoLimit, MaxJobsAccruePerAccount: NoLimit, MaxSubmitPerAccount: NoLimit, Priority: NoLimit}
}

// QOS is a quality of service: a priority, limits of its own and whom its jobs
// may preempt.
type QOS struct {
	ID                uint32
	Name, Description string
	Priority          uint32
	Flags             []string // as sacctmgr writes them: DenyOnLimit, NoReserve, ...
	Limits            Limits
	Preempt           []string // QOS whose jobs its jobs may preempt
	PreemptMode       string   // "cluster", "cancel", "requeue", "suspend", ...
	PreemptExempt     slurm.Duration
	GraceTime         slurm.Duration
	UsageFactor       float64
	UsageThreshold    float64 // NoLimit: none
	LimitFactor       float64 // 0: none
}

// HasFlag reports whether a QOS has a flag, by its sacctmgr name.
func (q *QOS) HasFlag(name string) bool {
	for _, f := range q.Flags {
		if f == name {
			return true
		}
	}
	return false
}
