// Package state is what the controllers of a cluster agree on: the tables of
// jobs, nodes, configuration, accounts, runs, scripts and tokens, the commands that
// change them, and what follows from each. It knows nothing of Raft, clocks or
// disks: the same commands in the same order make the same state everywhere.
//
// Apply checks a command whole before it changes anything, so that a command
// is applied or refused, never left half way; only StartJobs takes each of its
// starts by itself. What Apply changes it replaces: a job or node that a reader
// was given is never written to again. Apply and the readers must not run at
// the same time; the room above holds the lock.
package state

import (
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// State is the tables and their indexes.
type State struct {
	cluster string
	index   uint64 // of the last entry applied
	level   uint32 // see RaiseFormat; 0 for the first
	nextJob slurm.JobID
	runDay  string // day of the last run's id, and its number
	runSeq  uint32

	files  []ConfigFile
	config *sched.Config

	nodes  []*sched.Node // in configuration order
	nodeAt map[sched.NodeName]int
	// members is the nodes of each partition.
	members map[sched.PartitionName]map[sched.NodeName]bool

	jobs     map[slurm.JobID]*sched.Job
	all      jobList
	pending  jobList // may be started
	holding  jobList // hold resources, completing ones included
	ended    endQueue
	jobCount int // as MaxJobCount counts: each task of an array is one

	arrays  map[slurm.JobID]*array
	hets    map[slurm.JobID][]slurm.JobID // leader -> components, in id order
	waiters waitIndex
	names   map[nameKey]*sameName
	active  map[slurm.JobID]int // array -> tasks that started and have not ended

	licensesUsed slurm.Licenses

	resvs    []*sched.Reservation // in the order in which they were made
	nextResv uint32

	runs     map[string]*RunRecord
	keys     map[string]*SubmitKey
	stepKeys map[string]*StepKey
	blobs    map[sched.BlobID]*blob
	once     once
	tokens   map[string]*Token

	crontabs    map[uint32]*Crontab // by uid
	triggers    map[uint32]*sched.Trigger
	nextTrigger uint32 // id of the last one

	accounts        *sched.Accounts
	ledger          *sched.Ledger        // what counts against limits, and what was used
	transactions    []*sched.Transaction // oldest first; appended to, never written
	nextTransaction uint32               // id of the last one

	// What Apply works with while it handles one entry.
	at     time.Time
	actor  Actor
	events []Event
	// Who waits for these must look again.
	touched      []touch
	touchedNames []nameKey
	// Tasks that were cancelled without ever having a record, by array.
	vanished map[slurm.JobID]slurm.IndexSet
	// Jobs being submitted together, before they are in the tables.
	arriving map[slurm.JobID]*sched.Job

	viewMu sync.Mutex // guards view against readers that run beside each other
	view   *sched.View
}

// RunRecord is one run of a pipeline: its stages in order, and the job of each.
type RunRecord struct {
	ID     string
	Name   string
	User   string
	Submit time.Time
	Stages []string
	Jobs   []slurm.JobID
}

// SubmitKey remembers a submission by the key its client made.
type SubmitKey struct {
	Key  string
	At   time.Time
	Jobs []slurm.JobID
	Run  string
}

// StepKey remembers a step by the key its client made.
type StepKey struct {
	Key  string
	At   time.Time
	Job  slurm.JobID
	Step slurm.StepID
}

// Token is a one-time token that lets one daemon join.
type Token struct {
	Hash    string // SHA-256 of the secret, hexadecimal
	Role    string // "node" or "controller"
	Name    string // the name it is bound to; "" any
	Expires time.Time
}

// blob is a stored script or environment with the number of records that
// refer to it.
type blob struct {
	data []byte
	refs int
}

// noTime is the zero time: never, or not known.
var noTime time.Time

// New returns the state of a cluster in which nothing has happened yet: no
// configuration, no nodes, no jobs.
func New(cluster string) *State {
	return &State{
		cluster:  cluster,
		nextJob:  1,
		nextResv: 1,
		config:   &sched.Config{},
		nodeAt:   map[sched.NodeName]int{},
		members:  map[sched.PartitionName]map[sched.NodeName]bool{},
		jobs:     map[slurm.JobID]*sched.Job{},
		arrays:   map[slurm.JobID]*array{},
		hets:     map[slurm.JobID][]slurm.JobID{},
		waiters:  waitIndex{map[waitKey][]slurm.JobID{}, map[slurm.JobID]int{}},
		names:    map[nameKey]*sameName{},
		active:   map[slurm.JobID]int{},
		runs:     map[string]*RunRecord{},
		keys:     map[string]*SubmitKey{},
		stepKeys: map[string]*StepKey{},
		blobs:    map[sched.BlobID]*blob{},
		once:     newOnce(),
		tokens:   map[string]*Token{},
		crontabs: map[uint32]*Crontab{},
		triggers: map[uint32]*sched.Trigger{},
		accounts: sched.NewAccounts(),
		ledger:   sched.NewLedger(nil, nil, noTime),
	}
}

// Cluster returns the cluster's name.
func (s *State) Cluster() string { return s.cluster }

// Index returns the log index of the last entry applied.
func (s *State) Index() uint64 { return s.index }

// NextJob returns the id that the next new job gets.
func (s *State) NextJob() slurm.JobID { return s.nextJob }

// Job returns the record of that id, or nil.
func (s *State) Job(id slurm.JobID) *sched.Job { return s.jobs[id] }

// JobCount returns how many jobs there are, each task of an array counted.
func (s *State) JobCount() int { return s.jobCount }

// Jobs yields every record in id order. The state must not change meanwhile.
func (s *State) Jobs() iter.Seq[*sched.Job] { return s.all.all() }

// Pending yields the records that wait for a start, in id order.
func (s *State) Pending() iter.Seq[*sched.Job] { return s.pending.all() }

// Holding yields the records that hold resources, completing ones included, in
// id order.
func (s *State) Holding() iter.Seq[*sched.Job] { return s.holding.all() }

// ArrayJobs returns the records of an array in id order: what is left of it,
// and each task that has a record of its own.
func (s *State) ArrayJobs(array slurm.JobID) []*sched.Job {
	a := s.arrays[array]
	if a == nil {
		return nil
	}
	return a.records.slice()
}

// HetJobs returns the components of a heterogeneous job, in id order.
func (s *State) HetJobs(leader slurm.JobID) []*sched.Job {
	return s.jobsByID(s.hets[leader])
}

// ArrayTask returns the record that a task of an array is on now: its own, or
// the array's. It returns nil when there is none.
func (s *State) ArrayTask(array slurm.JobID, task uint32) *sched.Job {
	a := s.arrays[array]
	if a == nil {
		return nil
	}
	if id, ok := a.tasks[task]; ok {
		return s.jobs[id]
	}
	if rest := s.jobs[array]; rest != nil && rest.IsArrayRest() && rest.Tasks.Contains(task) {
		return rest
	}
	return nil
}

// JobsOf returns the records that a reference names, in id order: a job; all of
// an array or of a heterogeneous job; tasks, each on its own record or on the
// array's; or a component. It returns none when there is no such thing.
func (s *State) JobsOf(ref slurm.JobRef) []*sched.Job {
	switch ref.Part {
	case slurm.RefTask, slurm.RefTasks:
		a := s.arrays[ref.Job]
		if a == nil {
			return nil
		}
		ids := a.recordsOf(ref.Tasks)
		if rest := s.jobs[ref.Job]; rest != nil && rest.IsArrayRest() && rest.Tasks.Intersect(ref.Tasks).Len() > 0 {
			ids = slices.Insert(ids, 0, rest.ID)
			slices.Sort(ids)
		}
		return s.jobsByID(ids)
	case slurm.RefAllTasks:
		return s.ArrayJobs(ref.Job)
	case slurm.RefComponent:
		for _, j := range s.HetJobs(ref.Job) {
			if j.HetOffset == int(ref.Component) {
				return []*sched.Job{j}
			}
		}
		return nil
	}
	switch {
	case s.arrays[ref.Job] != nil:
		return s.ArrayJobs(ref.Job)
	case s.hets[ref.Job] != nil:
		return s.HetJobs(ref.Job)
	case s.jobs[ref.Job] != nil:
		return []*sched.Job{s.jobs[ref.Job]}
	}
	return nil
}

func (s *State) jobsByID(ids []slurm.JobID) []*sched.Job {
	var jobs []*sched.Job
	for _, id := range ids {
		jobs = append(jobs, s.jobs[id])
	}
	return jobs
}

// Node returns the node of that name, or nil.
func (s *State) Node(name sched.NodeName) *sched.Node {
	if i, ok := s.nodeAt[name]; ok {
		return s.nodes[i]
	}
	return nil
}

// Nodes returns the nodes in configuration order.
func (s *State) Nodes() []*sched.Node { return slices.Clone(s.nodes) }

// Config returns the configuration with the changes made to its partitions
// since, or nil as long as none was set.
func (s *State) Config() *sched.Config {
	if len(s.files) == 0 {
		return nil
	}
	return s.config
}

// ConfigFiles returns the configuration as it was given.
func (s *State) ConfigFiles() []ConfigFile { return s.files }

// Partitions returns the partitions in configuration order.
func (s *State) Partitions() []*sched.Partition { return s.config.Partitions }

// Blob returns the bytes of a stored script or environment.
func (s *State) Blob(id sched.BlobID) ([]byte, bool) {
	b, ok := s.blobs[id]
	if !ok {
		return nil, false
	}
	return b.data, true
}

// Run returns the run of that id, or nil.
func (s *State) Run(id string) *RunRecord { return s.runs[id] }

// Runs returns the runs in the order of their ids.
func (s *State) Runs() []*RunRecord { return sortedValues(s.runs) }

// LicensesUsed returns what running jobs hold of each licence.
func (s *State) LicensesUsed() slurm.Licenses { return s.licensesUsed }

// Licenses returns how many of each licence the cluster has.
func (s *State) Licenses() slurm.Licenses { return s.config.Licenses }

// Submission returns what a submission with that key was answered.
func (s *State) Submission(key string) (SubmitKey, bool) {
	k, ok := s.keys[key]
	if !ok {
		return SubmitKey{}, false
	}
	return *k, true
}

// Ledger returns the book of limits and usage as it is now, for who asks to read and
// to try starts in.
func (s *State) Ledger() *sched.Ledger { return s.ledger.Clone() }

// LastUsageReset is when all usage was forgotten last, or began to be counted.
func (s *State) LastUsageReset() time.Time { return s.ledger.LastReset() }

// CountsHours reports whether a herd has a quota of hours a month, and QuotaMonth
// whose they are.
func (s *State) CountsHours() bool { return s.ledger.CountsHours() }

// QuotaMonth returns when the month began that counts, and when the next begins.
func (s *State) QuotaMonth() (began, next time.Time) { return s.ledger.Month() }

// MaxWall is the longest time limit that a job's QOS or association lets it have.
func (s *State) MaxWall(j *sched.Job) slurm.Duration { return s.ledger.MaxWall(j, j.Partition) }

// Limits is the book where limits are enforced, and nil where they are not.
func (s *State) Limits() *sched.Ledger {
	if !s.ledger.Enforced() {
		return nil
	}
	return s.ledger.Clone()
}

// Machine is View without the jobs that wait: what a single question about the
// machine needs, at a cost that does not grow with the queue.
func (s *State) Machine() sched.View {
	return sched.View{
		Config: s.Config(), Nodes: slices.Clone(s.nodes), Running: s.holding.slice(), LicensesUsed: s.licensesUsed, LicensesAll: s.config.Licenses,
		Accounts: s.accounts, Reservations: slices.Clone(s.resvs),
	}
}

// View returns what the scheduler looks at. It is a picture of now: later
// commands do not change it, so it may be read without the lock.
func (s *State) View() sched.View {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	if s.view == nil {
		running := make(map[slurm.JobID]int, len(s.active))
		for id, n := range s.active {
			running[id] = n
		}
		v := s.Machine()
		v.Pending, v.RunningTasks = s.pending.slice(), running
		s.view = &v
	}
	return *s.view
}
