package launcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

// The launcher's records: NAME.run while a slice lives, NAME.exit from then
// until it is forgotten. They have to outlive the launcher, not the machine:
// with that the slices end, the agent finds so by the id of the boot, and what
// it had not yet reported it reports as lost. So nothing waits for the disk.
// Each record is one write into a new file; one that is empty is one that
// nobody got round to.
const (
	runSuffix  = ".run"
	exitSuffix = ".exit"
)

type spool struct{ dir string }

// begin makes a record and returns its file, for what is to be added.
func (s spool) begin(name string, m proto.Message) (*os.File, error) {
	body, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("cannot write record %q: %w", name, err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write record %q: %w", name, err)
	}
	if _, err := f.Write(body); err != nil {
		f.Close()
		s.remove(name)
		return nil, fmt.Errorf("cannot write record %q: %w", name, err)
	}
	return f, nil
}

func (s spool) write(name string, m proto.Message) error {
	f, err := s.begin(name, m)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		s.remove(name)
		return fmt.Errorf("cannot write record %q: %w", name, err)
	}
	return nil
}

func (s spool) remove(name string) error {
	err := os.Remove(filepath.Join(s.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// load reads all records. One that cannot be read is returned by name with
// its error, and left for a person to look at.
func (s spool) load() (runs []*launcherpb.Record, exits []*launcherpb.Exit, broken map[string]error, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, nil, nil, err
	}
	broken = map[string]error{}
	read := func(name string, m proto.Message, id func() string) bool {
		body, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil && len(body) == 0 {
			s.remove(name)
			return false
		}
		if err == nil {
			err = proto.Unmarshal(body, m)
		}
		if want := strings.TrimSuffix(strings.TrimSuffix(name, runSuffix), exitSuffix); err == nil && id() != want {
			err = fmt.Errorf("it is that of slice %q", id())
		}
		if err != nil {
			broken[name] = err
		}
		return err == nil
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, ".new."):
			os.Remove(filepath.Join(s.dir, name)) // an older launcher's write that was cut short
		case strings.HasSuffix(name, runSuffix):
			var r launcherpb.Record
			if read(name, &r, func() string { return r.GetSpec().GetId() }) {
				runs = append(runs, &r)
			}
		case strings.HasSuffix(name, exitSuffix):
			var x launcherpb.Exit
			if read(name, &x, x.GetSlice) {
				exits = append(exits, &x)
			}
		}
	}
	return runs, exits, broken, nil
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

// note adds to a record, once a slice runs, which its first process is. Messages
// that follow each other are one.
func note(f *os.File, s *slice.Slice) error {
	pid, ticks := s.FirstPid()
	body, err := proto.Marshal(&launcherpb.Record{InitPid: int32(pid), InitStartTicks: ticks, StartedNs: s.Started().UnixNano()})
	if err == nil {
		_, err = f.Write(body)
	}
	return err
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
