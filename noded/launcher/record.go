package launcher

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

// What a launcher knows of its slices for the one that comes after it: the
// records, and how what they say is found to have ended.

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
