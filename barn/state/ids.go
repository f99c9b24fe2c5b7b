package state

import (
	"fmt"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// peekID returns the id that newID will return next. Ids go round: after the
// highest come the lowest that no job in memory has.
func (s *State) peekID() slurm.JobID {
	first, last := max(s.config.FirstJobID, 1), s.config.MaxJobID
	if last < first {
		last = 1<<32 - 17
	}
	for id := max(s.nextJob, 1); ; id++ {
		if id > last {
			id = first
		}
		if s.jobs[id] == nil && s.arrays[id] == nil && s.arriving[id] == nil {
			return id
		}
	}
}

// newID draws a job id. Submissions are refused long before all are in use.
func (s *State) newID() slurm.JobID {
	id := s.peekID()
	s.nextJob = id + 1
	return id
}

// idsLeft reports whether n more jobs can be given ids, and each waiting task
// one of its own later.
func (s *State) idsLeft(n int) bool {
	first, last := max(s.config.FirstJobID, 1), s.config.MaxJobID
	if last < first {
		last = 1<<32 - 17
	}
	return s.jobCount+n <= int(last-first)
}

// newRun records a run of a pipeline and returns its id.
func (s *State) newRun(r RunInfo, jobs []*sched.Job, ids []slurm.JobID) string {
	if s.runDay != r.Day {
		s.runDay, s.runSeq = r.Day, 0
	}
	id := ""
	for id == "" || s.runs[id] != nil { // the day may have gone back
		s.runSeq++
		id = fmt.Sprintf("RUN-%s-%04d", r.Day, s.runSeq)
	}
	run := &RunRecord{ID: id, Name: r.Name, User: r.User, Submit: s.at, Jobs: ids}
	for _, j := range jobs {
		run.Stages = append(run.Stages, j.Stage)
	}
	s.runs[id] = run
	return id
}

// split gives a waiting task of an array a record of its own, which the caller
// publishes; what is left of the array is published here. The last task left
// keeps the array's record.
func (s *State) split(rest *sched.Job, task uint32) *sched.Job {
	left, one := rest.Split(task, s.peekID())
	if left != nil {
		s.newID()
		s.set(left)
	}
	return one
}
