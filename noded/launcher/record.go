package launcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

// The launcher's records: NAME.run while a slice lives, NAME.exit from then
// until it is forgotten. Either is there whole or not at all.
const (
	runSuffix  = ".run"
	exitSuffix = ".exit"
)

type spool struct{ dir string }

// write replaces a record. With durable it survives a crash of the machine,
// otherwise one of the launcher.
func (s spool) write(name string, m proto.Message, durable bool) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot write record %q: %w", name, err)
	}
	tmp := filepath.Join(s.dir, ".new."+name)
	if err := writeFile(tmp, body, durable); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write record %q: %w", name, err)
	}
	if err := os.Rename(tmp, filepath.Join(s.dir, name)); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write record %q: %w", name, err)
	}
	if durable {
		return s.sync()
	}
	return nil
}

func writeFile(name string, body []byte, durable bool) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil && durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sync makes the names in the spool durable.
func (s spool) sync() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
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
	read := func(name string, m proto.Message) bool {
		body, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil {
			err = proto.Unmarshal(body, m)
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
			os.Remove(filepath.Join(s.dir, name)) // a write that was cut short
		case strings.HasSuffix(name, runSuffix):
			var r launcherpb.Record
			if read(name, &r) {
				runs = append(runs, &r)
			}
		case strings.HasSuffix(name, exitSuffix):
			var x launcherpb.Exit
			if read(name, &x) {
				exits = append(exits, &x)
			}
		}
	}
	return runs, exits, broken, nil
}

// runRecord is what a later launcher needs to know of a slice: all but what
// the tasks run, which may be long and is nobody else's business.
func runRecord(spec *slice.Spec, s *slice.Slice) *launcherpb.Record {
	w := specToWire(spec)
	for _, t := range w.Tasks {
		t.Argv, t.Env = nil, nil
	}
	r := &launcherpb.Record{Spec: w, BootId: bootID(), StartedNs: time.Now().UnixNano()}
	if s != nil {
		pid, ticks := s.FirstPid()
		r.InitPid, r.InitStartTicks, r.StartedNs = int32(pid), ticks, s.Started().UnixNano()
	}
	return r
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

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
