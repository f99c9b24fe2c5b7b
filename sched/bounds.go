package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// backfillBounds are how far a plan goes, as SchedulerParameters say. 0 is no bound.
type backfillBounds struct {
	starts      int           // jobs behind the first one that waits that start in one pass (bf_max_job_start)
	perPart     int           // jobs of one partition that are promised room (bf_max_job_part)
	perUser     int           // of one user (bf_max_job_user)
	perAssoc    int           // of one user in one account (bf_max_job_assoc)
	perUserPart int           // of one user in one partition (bf_max_job_user_part)
	minAge      time.Duration // a job that has waited for less is promised nothing (bf_min_age_reserve)
	minPriority uint32        // likewise one of a lower priority (bf_min_prio_reserve)
	partReserve int           // jobs of each partition in any case (bf_job_part_count_reserve)
	window      time.Duration // a promise is no further off (bf_window)
	resolution  time.Duration // promises behind the first begin at multiples of it (bf_resolution)
}

// boundsOf reads SchedulerParameters. window and resolution have Slurm's defaults
// for Slurm's policy alone.
func boundsOf(c *slurm.Conf) backfillBounds {
	p := c.SchedulerParameters
	b := backfillBounds{
		starts: p.Int("bf_max_job_start", 0), perPart: p.Int("bf_max_job_part", 0), perUser: p.Int("bf_max_job_user", 0),
		perAssoc: p.Int("bf_max_job_assoc", 0), perUserPart: p.Int("bf_max_job_user_part", 0), partReserve: p.Int("bf_job_part_count_reserve", 0),
		minAge: time.Duration(p.Int("bf_min_age_reserve", 0)) * time.Second, minPriority: uint32(max(p.Int("bf_min_prio_reserve", 0), 0)),
	}
	if policyName(c) == "slurm" {
		b.window = time.Duration(p.Int("bf_window", 1440)) * time.Minute
		b.resolution = time.Duration(p.Int("bf_resolution", 60)) * time.Second
	}
	return b
}

// promiseCount counts the promises there are by what bounds them.
type promiseCount struct {
	off    bool // nothing bounds them
	parts  map[PartitionName]int
	users  map[uint32]int
	assocs map[userIn]int
	both   map[userIn]int
}

// userIn is a user in an account or a partition.
type userIn struct {
	uid uint32
	in  string
}

func newPromiseCount(b backfillBounds) promiseCount {
	off := b.perPart == 0 && b.perUser == 0 && b.perAssoc == 0 && b.perUserPart == 0 && b.partReserve == 0
	return promiseCount{off, make(map[PartitionName]int), make(map[uint32]int), make(map[userIn]int), make(map[userIn]int)}
}

// add counts a promise to a job, or takes it out.
func (n *promiseCount) add(j *Job, part PartitionName, by int) {
	if n.off {
		return
	}
	bump(n.parts, part, by)
	bump(n.users, j.UID, by)
	bump(n.assocs, userIn{j.UID, j.Account}, by)
	bump(n.both, userIn{j.UID, string(part)}, by)
}

func bump[K comparable](m map[K]int, k K, by int) {
	if m[k] += by; m[k] == 0 {
		delete(m, k)
	}
}

// quickPromises is how many jobs behind the first a quick plan newly promises room at
// most, besides those whose promise fell due, and after how many looks at nodes it
// does not any more: what starts comes first, and the next full plan promises the
// rest.
const quickPromises, quickLooks = 2, 1000

// mayPromise reports whether the bounds let a job behind the first be promised
// room.
func (c *cycle) mayPromise(j *Job, part PartitionName) bool {
	b := &c.t.bounds
	if c.t.policy.everyPromise {
		return true
	}
	if !c.full && (c.promises >= quickPromises || c.looks > quickLooks) {
		return false
	}
	if b.minAge > 0 && c.at.Sub(j.Submit) < b.minAge || b.minPriority > 0 && j.Priority < b.minPriority {
		return false
	}
	n := &c.counts
	if n.off {
		return c.looks <= promiseLooks && len(c.promised) < c.t.policy.promises
	}
	over := func(have, most int) bool { return most > 0 && have >= most }
	if over(n.parts[part], b.perPart) || over(n.users[j.UID], b.perUser) || over(n.assocs[userIn{j.UID, j.Account}], b.perAssoc) ||
		over(n.both[userIn{j.UID, string(part)}], b.perUserPart) {
		return false
	}
	if c.looks > promiseLooks {
		return false
	}
	return len(c.promised) < c.t.policy.promises || n.parts[part] < b.partReserve
}

// rounded is the first multiple of the resolution from now on that is not
// earlier.
func (c *cycle) rounded(at instant) instant {
	r := instant(c.t.bounds.resolution)
	if r <= instant(time.Second) || at <= c.now {
		return at
	}
	return c.now + (at-c.now+r-1)/r*r
}
