package slurm

import (
	"fmt"
	"strings"
)

// JobState is the state of a job or a step: one base state, and flags beside it.
type JobState uint32

// Base states.
const (
	JobPending     JobState = iota // waits for resources, time, a dependency or a release
	JobRunning                     // has an allocation
	JobSuspended                   // has an allocation, its processes are stopped
	JobCompleted                   // ended, exit code zero
	JobCancelled                   // cancelled, started or not
	JobFailed                      // ended with another exit code, or could not run
	JobTimeout                     // ended at its time limit
	JobNodeFail                    // ended because a node failed
	JobPreempted                   // ended to make room
	JobBootFail                    // ended because nodes would not boot
	JobDeadline                    // ended at its deadline
	JobOutOfMemory                 // ended for using more memory than it had
)

// Flags beside the base state.
const (
	JobCompleting   JobState = 1 << (iota + 8) // some processes or an epilog are still there
	JobStageOut                                // burst buffer data is copied out
	JobConfiguring                             // allocated; nodes boot or a prolog runs
	JobExpediting                              // expedited requeue
	JobResizing                                // its size is about to change
	JobRequeued                                // goes back to the queue
	JobRequeueFed                              // requeued by a federation
	JobRequeueHold                             // requeued and held
	JobSpecialExit                             // requeued in special exit, held
	JobStopped                                 // stopped by a signal, keeps its CPUs
	JobRevoked                                 // a sibling started on another cluster
	JobResvDelHold                             // held: its reservation was deleted
	JobSignaling                               // is being signalled
	JobLaunchFailed                            // could not be launched
	JobPowerUpNode                             // waits for nodes to power up
	JobReconfigFail                            // nodes could not be configured for it
)

const jobBaseMask = 0xff

// jobBases are the base states by number.
var jobBases = [...]struct{ name, short string }{
	JobPending: {"PENDING", "PD"}, JobRunning: {"RUNNING", "R"}, JobSuspended: {"SUSPENDED", "S"}, JobCompleted: {"COMPLETED", "CD"},
	JobCancelled: {"CANCELLED", "CA"}, JobFailed: {"FAILED", "F"}, JobTimeout: {"TIMEOUT", "TO"}, JobNodeFail: {"NODE_FAIL", "NF"},
	JobPreempted: {"PREEMPTED", "PR"}, JobBootFail: {"BOOT_FAIL", "BF"}, JobDeadline: {"DEADLINE", "DL"}, JobOutOfMemory: {"OUT_OF_MEMORY", "OOM"},
}

// jobFlags are the flags in the order in which one hides the others and the base.
// Those without a short name show in the complete form alone.
var jobFlags = [...]struct {
	flag        JobState
	name, short string
}{
	{JobCompleting, "COMPLETING", "CG"}, {JobStageOut, "STAGE_OUT", "SO"}, {JobConfiguring, "CONFIGURING", "CF"},
	{JobExpediting, "EXPEDITING", "?"}, {JobResizing, "RESIZING", "RS"}, {JobRequeued, "REQUEUED", "RQ"},
	{JobRequeueFed, "REQUEUE_FED", "RF"}, {JobRequeueHold, "REQUEUE_HOLD", "RH"}, {JobSpecialExit, "SPECIAL_EXIT", "SE"},
	{JobStopped, "STOPPED", "ST"}, {JobRevoked, "REVOKED", "RV"}, {JobResvDelHold, "RESV_DEL_HOLD", "RD"}, {JobSignaling, "SIGNALING", "SI"},
	{JobLaunchFailed, "LAUNCH_FAILED", ""}, {JobPowerUpNode, "POWER_UP_NODE", ""}, {JobReconfigFail, "RECONFIG_FAIL", ""},
}

// Base returns the state without its flags.
func (s JobState) Base() JobState { return s & jobBaseMask }

// Flags returns the flags alone.
func (s JobState) Flags() JobState { return s &^ jobBaseMask }

// Has reports whether all of these flags are set.
func (s JobState) Has(flags JobState) bool { return s&flags == flags }

// Ended reports whether the base state is a final one. The job may still be
// completing.
func (s JobState) Ended() bool { return s.Base() >= JobCompleted }

// String prints the state as squeue's %T does: the first flag there is, else the
// base state.
func (s JobState) String() string {
	for _, f := range jobFlags {
		if f.short != "" && s.Has(f.flag) {
			return f.name
		}
	}
	return s.baseName()
}

func (s JobState) baseName() string {
	if int(s.Base()) < len(jobBases) {
		return jobBases[s.Base()].name
	}
	return "?"
}

// Short prints the state as squeue's %t does.
func (s JobState) Short() string {
	for _, f := range jobFlags {
		if f.short != "" && f.short != "?" && s.Has(f.flag) {
			return f.short
		}
	}
	if int(s.Base()) < len(jobBases) {
		return jobBases[s.Base()].short
	}
	return "?"
}

// Names returns the base state and all flags, by their long names.
func (s JobState) Names() []string {
	out := []string{s.baseName()}
	for _, f := range jobFlags {
		if s.Has(f.flag) {
			out = append(out, f.name)
		}
	}
	return out
}

// Complete prints the base state and all flags joined with +.
func (s JobState) Complete() string { return strings.Join(s.Names(), "+") }

// ParseJobState reads one state or flag by its long or short name, or several
// joined with + as Complete prints them, in any case of letters.
func ParseJobState(s string) (JobState, error) {
	var out JobState
	based := false
	for part := range strings.SplitSeq(s, "+") {
		one, base, ok := jobStateWord(part)
		if !ok || base && based {
			return 0, &SyntaxError{Input: s, What: "a job state", Why: "want one of " + strings.Join(JobStateNames(), ","), Code: ErrnoInvalidJobState}
		}
		based = based || base
		out |= one
	}
	return out, nil
}

func jobStateWord(s string) (state JobState, base, ok bool) {
	for i, b := range jobBases {
		if strings.EqualFold(s, b.name) || strings.EqualFold(s, b.short) {
			return JobState(i), true, true
		}
	}
	for _, f := range jobFlags {
		if strings.EqualFold(s, f.name) || len(f.short) == 2 && strings.EqualFold(s, f.short) {
			return f.flag, false, true
		}
	}
	return 0, false, false
}

// JobStateNames returns the states one can ask for, in the order in which Slurm
// lists them.
func JobStateNames() []string {
	out := make([]string, 0, 24)
	for _, b := range jobBases {
		out = append(out, b.name)
	}
	return append(out, "COMPLETING", "CONFIGURING", "RESIZING", "RESV_DEL_HOLD", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD",
		"REVOKED", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED")
}

// JobStateFilter is a list of states as squeue -t and sacct -s take it: a job
// matches when it has one of the base states or one of the flags.
type JobStateFilter struct {
	all   bool
	bases uint32
	flags JobState
}

// ParseJobStates reads states separated by commas; "all" matches every job.
func ParseJobStates(s string) (JobStateFilter, error) {
	var f JobStateFilter
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		if strings.EqualFold(word, "all") {
			f.all = true
			continue
		}
		state, base, ok := jobStateWord(word)
		switch {
		case !ok:
			return JobStateFilter{}, &SyntaxError{Input: word, What: "a job state", Why: "want one of " + strings.Join(JobStateNames(), ","), Code: ErrnoInvalidJobState}
		case base:
			f.bases |= 1 << state
		default:
			f.flags |= state
		}
	}
	return f, nil
}

// LiveJobs matches what squeue shows when it is not told: pending, running and
// suspended jobs, and those with a flag that says they are not over.
func LiveJobs() JobStateFilter {
	return JobStateFilter{
		bases: 1<<JobPending | 1<<JobRunning | 1<<JobSuspended,
		flags: JobCompleting | JobStageOut | JobConfiguring | JobResizing | JobRequeued | JobRequeueHold | JobSpecialExit | JobStopped | JobSignaling,
	}
}

// Match reports whether the state is one of those asked for. A job that still
// completes matches its base state only when that is not a final one, as squeue
// has it; ask for COMPLETING to see it.
func (f JobStateFilter) Match(s JobState) bool {
	if f.all || s&f.flags != 0 {
		return true
	}
	if s.Has(JobCompleting) && s.Ended() {
		return false
	}
	return f.bases&(1<<s.Base()) != 0
}

// HasBase reports whether a base state was asked for, "all" included. Accounting
// goes by it, where no flag is kept.
func (f JobStateFilter) HasBase(s JobState) bool { return f.all || f.bases&(1<<s.Base()) != 0 }

// IsAll reports whether every job matches.
func (f JobStateFilter) IsAll() bool { return f.all }

// IsEmpty reports whether no state was named.
func (f JobStateFilter) IsEmpty() bool { return !f.all && f.bases == 0 && f.flags == 0 }

// MarshalText writes the complete form.
func (s JobState) MarshalText() ([]byte, error) {
	if int(s.Base()) >= len(jobBases) {
		return nil, fmt.Errorf("cannot write job state number %d: it has no name", uint32(s))
	}
	return []byte(s.Complete()), nil
}

// UnmarshalText reads what ParseJobState reads.
func (s *JobState) UnmarshalText(b []byte) (err error) {
	*s, err = ParseJobState(string(b))
	return err
}
