package state

import (
	"fmt"
	"slices"

	"github.com/runink/rink/slurm"
)

// Apply applies the entry at that log index and returns its answer, and what
// followed from it in the order in which it happened. A refused entry changes
// nothing. Apply never panics, whatever the command holds.
func (s *State) Apply(index uint64, e Entry) (Result, []Event) {
	s.index, s.at, s.actor = index, e.At, e.Actor
	s.events, s.touched = nil, nil
	r := s.dispatch(e.Cmd)
	s.settleWaiters()
	events := s.events
	s.events = nil
	r.Index = index
	return r, events
}

func (s *State) dispatch(cmd Command) Result {
	switch c := cmd.(type) {
	case SubmitJobs:
		return s.submitJobs(c)
	case StartJobs:
		return s.startJobs(c)
	case SetWaits:
		return s.setWaits(c)
	case EndJob:
		return refusal(s.endJob(c))
	case ReleaseNodes:
		return refusal(s.releaseNodes(c))
	case UpdateJob:
		return refusal(s.updateJob(c))
	case SetPriorities:
		return s.setPriorities(c)
	case StartStep:
		return s.startStep(c)
	case EndStep:
		return refusal(s.endStep(c))
	case RegisterNode:
		return refusal(s.registerNode(c))
	case SetDevices:
		return refusal(s.setDevices(c))
	case CutGPU:
		return refusal(s.cutGPU(c))
	case NoteCut:
		return refusal(s.noteCut(c))
	case UpdateNode:
		return refusal(s.updateNode(c))
	case UpdatePartition:
		return refusal(s.updatePartition(c))
	case SetConfig:
		return refusal(s.setConfig(c))
	case Purge:
		return s.purge(c)
	case PreemptJobs:
		s.preemptJobs(c)
		return Result{}
	case ResumeJobs:
		s.resumeJobs(c)
		return Result{}
	case PowerNodes:
		return refusal(s.powerNodes(c))
	case BeginJob:
		return refusal(s.beginJob(c))
	case ShrinkJob:
		return refusal(s.shrinkJob(c))
	case SetReservation:
		return s.setReservation(c)
	case DropReservation:
		return refusal(s.dropReservation(c))
	case AddToken:
		return refusal(s.addToken(c))
	case EditAccounts:
		return refusal(s.editAccounts(c))
	case ResetUsage:
		if !c.Month.IsZero() {
			s.ledger.SetMonth(c.Month, c.NextMonth, s.at)
		} else {
			s.ledger.Reset(c.All, c.Assocs, c.QOS, s.at)
		}
		s.view = nil
		s.events = append(s.events, UsageReset{ResetUsage: c, At: s.at})
		return Result{}
	case SetCrontab:
		return s.setCrontab(c)
	case DropCron:
		return refusal(s.dropCron(c))
	case SetTrigger:
		return s.setTrigger(c)
	case DropTriggers:
		return refusal(s.dropTriggers(c))
	case UseToken:
		return refusal(s.useToken(c))
	case Mark:
		s.mark(c)
		return Result{}
	case RaiseFormat:
		return refusal(s.raiseFormat(c))
	case ImportHistory:
		return refusal(s.importHistory(c))
	}
	return Result{Err: fmt.Errorf("cannot apply a command of type %T", cmd)}
}

func refusal(err error) Result { return Result{Err: err} }

// refused makes the error of a command that cannot be done to a job.
func refused(what string, id slurm.JobID, code slurm.Errno) error {
	return fmt.Errorf("cannot %s job %d: %w", what, id, code)
}

// without returns list without the elements for which drop holds, in a slice
// of its own; nil when none is left.
func without[T any](list []T, drop func(T) bool) []T {
	var out []T
	for _, v := range list {
		if !drop(v) {
			out = append(out, v)
		}
	}
	return out
}

// with returns list and v, in a slice of its own.
func with[T any](list []T, v T) []T { return append(slices.Clip(list), v) }
