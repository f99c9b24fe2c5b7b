package launcher

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/noded/journal"
	"github.com/runink/rink/slice"
)

// The launcher's records are for the one that comes after it: that a slice is
// begun, which its first process is, and how it ended, until it is forgotten.
// They have to outlive the launcher, not the machine: with that the slices end,
// the agent finds so by the id of the boot, and what it had not yet reported it
// reports as lost.
const (
	recordRun  = "run"  // a Record
	recordInit = "init" // what is added to it once the slice runs
	recordExit = "exit" // an Exit
)

// records is the journal in the launcher's spool, with a group for each slice.
type records struct{ *journal.Journal }

func (r records) put(id, name string, m proto.Message) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot write a record of slice %s: %w", id, err)
	}
	return r.Put(id, name, body)
}

// load reads what former launchers have left: slices that have not ended, and
// exits. What cannot be read is told of in trouble and stays where it is.
func (r records) load() (runs []*launcherpb.Record, exits []*launcherpb.Exit, trouble error) {
	for _, id := range r.Groups() {
		read := func(name string, m proto.Message) bool {
			body, ok, err := r.Get(id, name)
			if err == nil && ok {
				err = proto.UnmarshalOptions{Merge: true}.Unmarshal(body, m)
			}
			if err != nil {
				trouble = errors.Join(trouble, fmt.Errorf("record %q of slice %q: %w", name, id, err))
			}
			return ok && err == nil
		}
		var exit launcherpb.Exit
		var run launcherpb.Record
		switch {
		case !slice.ValidID(id):
			trouble = errors.Join(trouble, fmt.Errorf("records of slice %q: the name cannot be right", id))
		case read(recordExit, &exit):
			exit.Slice = id
			exits = append(exits, &exit)
		case read(recordRun, &run):
			read(recordInit, &run)
			if run.GetSpec().GetId() != id {
				trouble = errors.Join(trouble, fmt.Errorf("record %q of slice %q: it is that of slice %q", recordRun, id, run.GetSpec().GetId()))
				continue
			}
			runs = append(runs, &run)
		}
	}
	return runs, exits, trouble
}

// runRecord is what a later launcher needs to know of a slice: all but what
// the tasks run, which may be long and is nobody else's business.
func runRecord(spec *slice.Spec) *launcherpb.Record {
	w := specToWire(spec)
	for _, t := range w.Tasks {
		t.Argv, t.Env = nil, nil
	}
	return &launcherpb.Record{Spec: w, BootId: bootID(), StartedNs: time.Now().UnixNano()}
}

var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// lost ends what a former launcher has left of a slice and says what is known
// of it.
func lost(host *slice.Host, r *launcherpb.Record) *slice.Exit {
	spec := specFromWire(r.GetSpec())
	e := &slice.Exit{ID: spec.ID, Started: timeFromWire(r.GetStartedNs()), Ended: time.Now(), Lost: true, Tasks: make([]slice.TaskExit, len(spec.Tasks))}
	if r.GetBootId() != bootID() {
		e.Note = "the machine was restarted under the slice"
		return e
	}
	e.Note = "the launcher died under the slice"
	if pid, ticks := int(r.GetInitPid()), r.GetInitStartTicks(); pid > 0 && slice.Running(pid, ticks) {
		// It is ending the slice on its own account; the signal is for one
		// that cannot.
		for deadline := time.Now().Add(3 * time.Second); slice.Running(pid, ticks) && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if slice.Running(pid, ticks) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	usage, err := host.Sweep(&spec.Cgroup)
	if err != nil {
		e.Note += "; " + err.Error()
	}
	e.Usage, e.OOMKills, e.Ended = usage, usage.OOMKills, time.Now()
	return e
}
