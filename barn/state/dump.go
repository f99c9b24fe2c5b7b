package state

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Dump is the whole state as a snapshot keeps it. Its slices are its own; the
// values they point to are shared with the state and never change. Two states
// with the same dump behave the same ever after.
type Dump struct {
	Cluster string
	Index   uint64
	Level   uint32 // of what the cluster writes; 0 for the first
	NextJob slurm.JobID
	RunDay  string
	RunSeq  uint32

	Files      []ConfigFile       // as given
	Partitions []*sched.Partition // with the changes made since, in configuration order
	Nodes      []*sched.Node      // in configuration order
	Jobs       []*sched.Job       // in id order
	Arrays     []ArrayPast        // by array
	Blobs      []Blob             // by id
	Runs       []*RunRecord       // by id
	Keys       []*SubmitKey       // by key
	StepKeys   []*StepKey         // by key
	Tokens     []*Token           // by hash
	Crontabs   []*Crontab         // by uid
	Triggers   []*sched.Trigger   // by id

	Accounts        sched.AccountTables
	Transactions    []*sched.Transaction // oldest first
	NextTransaction uint32               // id of the last one
	Spent           sched.Spent
	NextResv        uint32
	NextTrigger     uint32               // id of the last one
	Reservations    []*sched.Reservation // in the order in which they were made
}

// ArrayPast is what is remembered of the tasks of an array that have no record
// any more, and of the last of its tasks to start.
type ArrayPast struct {
	Array slurm.JobID
	NotOK int       // tasks forgotten that had ended otherwise than COMPLETED
	Began time.Time // when the last of its tasks started, or was cancelled unstarted
}

// Dump returns the state as a snapshot keeps it. It copies pointers only.
func (s *State) Dump() *Dump {
	d := &Dump{
		Cluster: s.cluster, Index: s.index, Level: s.level, NextJob: s.nextJob, RunDay: s.runDay, RunSeq: s.runSeq,
		Files: s.files, Partitions: slices.Clone(s.config.Partitions), Nodes: slices.Clone(s.nodes), Jobs: s.all.slice(),
		Runs: sortedValues(s.runs), Keys: sortedValues(s.keys), StepKeys: sortedValues(s.stepKeys), Tokens: sortedValues(s.tokens),
		Crontabs: sortedValues(s.crontabs), Triggers: sortedValues(s.triggers), NextTrigger: s.nextTrigger,
		Accounts: s.accounts.Tables(), Transactions: slices.Clone(s.transactions), NextTransaction: s.nextTransaction,
		Spent:    s.ledger.Spent(),
		NextResv: s.nextResv, Reservations: slices.Clone(s.resvs),
	}
	for _, a := range sortedValues(s.arrays) {
		d.Arrays = append(d.Arrays, a.past)
	}
	for _, id := range slices.Sorted(maps.Keys(s.blobs)) {
		d.Blobs = append(d.Blobs, Blob{ID: id, Data: s.blobs[id].data})
	}
	return d
}

// sortedValues returns the values of m in the order of their keys.
func sortedValues[K cmp.Ordered, V any](m map[K]V) []V {
	if len(m) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(m))
	out := make([]V, len(keys))
	for i, k := range keys {
		out[i] = m[k]
	}
	return out
}

// Load builds a state from a dump, with all its indexes.
func Load(d *Dump) (*State, error) {
	s := New(d.Cluster)
	s.index, s.level, s.nextJob, s.runDay, s.runSeq = d.Index, d.Level, d.NextJob, d.RunDay, d.RunSeq
	s.files = d.Files
	s.nodes = slices.Clone(d.Nodes)
	s.ledger = nil // until all it counts is there
	if err := s.loadAccounts(d); err != nil {
		return nil, fmt.Errorf("cannot load the state: %w", err)
	}
	config := &sched.Config{}
	if len(d.Files) > 0 {
		parsed, _, err := parseConfig(d.Files)
		if err != nil {
			return nil, fmt.Errorf("cannot load the state: %w", err)
		}
		config = parsed
	}
	config.Partitions, config.Default = slices.Clone(d.Partitions), ""
	for _, p := range config.Partitions {
		if p.Default {
			config.Default = p.Name
		}
	}
	s.useConfig(config.WithResources(s.accounts))
	s.resvs, s.nextResv = slices.Clone(d.Reservations), max(d.NextResv, 1)
	for _, b := range d.Blobs {
		s.blobs[b.ID] = &blob{data: b.Data}
	}
	for _, a := range d.Arrays {
		s.arrays[a.Array] = newArray(a)
	}
	if err := s.loadJobs(d.Jobs, d.Spent); err != nil {
		return nil, fmt.Errorf("cannot load the state: %w", err)
	}
	for id, b := range s.blobs {
		if b.refs == 0 {
			return nil, fmt.Errorf("cannot load the state: blob %q belongs to no job", id)
		}
	}
	for id, a := range s.arrays {
		if a.records.n == 0 {
			return nil, fmt.Errorf("cannot load the state: array %d has no job", id)
		}
	}
	for _, r := range d.Runs {
		s.runs[r.ID] = r
	}
	for _, k := range d.Keys {
		s.keys[k.Key] = k
	}
	for _, k := range d.StepKeys {
		s.stepKeys[k.Key] = k
	}
	for _, t := range d.Tokens {
		s.tokens[t.Hash] = t
	}
	for _, c := range d.Crontabs {
		s.crontabs[c.UID] = c
	}
	for _, t := range d.Triggers {
		s.triggers[t.ID] = t
	}
	s.nextTrigger = d.NextTrigger
	return s, nil
}

// loadJobs puts jobs into the tables and indexes without saying that anything
// has happened to them.
func (s *State) loadJobs(jobs []*sched.Job, spent sched.Spent) error {
	for i, j := range jobs {
		for _, id := range []sched.BlobID{j.Script, j.Env} {
			if id != "" && s.blobs[id] == nil {
				return fmt.Errorf("job %d: blob %q is not there", j.ID, id)
			}
		}
		for _, a := range j.Alloc {
			if j.Holds() && s.Node(a.Node) == nil {
				return fmt.Errorf("job %d: node %q is not there", j.ID, a.Node)
			}
		}
		switch {
		case s.jobs[j.ID] != nil:
			return fmt.Errorf("job %d is there twice", j.ID)
		case j.ID == 0, j.Spec == nil:
			return fmt.Errorf("job %d is incomplete", j.ID)
		case j.ArrayID != 0 && s.arrays[j.ArrayID] == nil:
			return fmt.Errorf("job %d: array %d is not there", j.ID, j.ArrayID)
		}
		// Jobs of the dump may be another state's as well. The list is its own, and
		// each goes as its copy comes, so that there is never a second queue.
		own := *j
		s.once.keep(nil, &own)
		jobs[i], s.jobs[j.ID] = &own, &own
	}
	for _, j := range jobs {
		s.all.put(j)
		s.reindex(nil, j)
		s.licensesUsed = sched.PlusLicenses(s.licensesUsed, j.LicensesUsed)
	}
	s.ended = nil
	for _, j := range jobs {
		if s.mayPurge(j) {
			s.ended = append(s.ended, endOf{j.End, j.ID})
		}
	}
	heap.Init(&s.ended)
	for key, n := range s.names {
		n.free = s.turnNow(key, n)
	}
	s.touched, s.touchedNames = nil, nil
	s.ledger = sched.RestoreLedger(s.config, s.accounts, spent, s.all.all())
	return nil
}
