package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// Reservation keeps nodes, or CPUs on them, for some jobs over a span of time.
type Reservation struct {
	Name       string
	ID         uint32
	Start, End time.Time
	Duration   slurm.Duration // as asked for; moves with Start where it recurs
	Nodes      []NodeName     // in configuration order
	CoreCnt    int            // CPUs' cores kept in all; 0: whole nodes
	CPUs       []NodeAlloc    // what is kept on each node when not all of it
	Partition  PartitionName  // "" for any
	// Who may use it; a list that begins with "-" names who may not.
	Users, Accounts, Groups, QOS []string
	Features                     string
	Licenses                     slurm.Licenses
	TRES                         slurm.TRES
	Flags                        []string // as scontrol writes them: MAINT, FLEX, DAILY, IGNORE_JOBS, ...
	BurstBuffer, Comment         string
	NodeCnt                      int // how many nodes were asked for by number; 0: by name
	MaxStartDelay                slurm.Duration
	PurgeAfter                   slurm.Duration // PURGE_COMP=: unused for so long, it is deleted
	IdleSince                    time.Time      // since when no job is in it
	Creator                      string
}

// HasFlag reports whether a reservation has a flag, by its scontrol name.
func (r *Reservation) HasFlag(name string) bool {
	for _, f := range r.Flags {
		if f == name {
			return true
		}
	}
	return false
}
