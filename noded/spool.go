package noded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// spool is the agent's directory: what it was ordered and has not finished.
//
//	id                  the spool's id and the boot it belongs to
//	lock                held by the agent that uses the spool
//	jobs/J.R/job        the JobHere of job J's incarnation R
//	jobs/J.R/launch     the LaunchJob, on the batch host
//	jobs/J.R/step.N     the LaunchStep of step N
//	jobs/J.R/prologed   there when the Prolog has run
//	jobs/J.R/ending     the EndJobHere that ends the job, once it is to end
//	jobs/J.R/done       the JobDone of the batch script, once it has ended
//	jobs/J.R/slurm_script the batch script, as it is executed
//	jobs/J.R/tmp        what the job sees as /tmp, when that is private
//	reports/SEQ         reports not yet acknowledged
//
// Files are written aside and renamed. They are not synced to disk: a machine
// that loses power loses its jobs too, and the boot id tells.
type spool struct {
	dir  string
	id   string
	lock *os.File
}

const maxSpoolFile = 64 << 20

// lockPatience is how long the spool's lock is waited for: an agent that was
// just killed holds it until the kernel has taken the process apart.
const lockPatience = 3 * time.Second

// flockSoon takes the lock on f when it comes free within lockPatience.
func flockSoon(f *os.File) error {
	for end := time.Now().Add(lockPatience); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func openSpool(dir string) (*spool, error) {
	if err := os.MkdirAll(filepath.Join(dir, "jobs"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make SlurmdSpoolDir: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open SlurmdSpoolDir: %w", err)
	}
	if err := flockSoon(lock); err != nil {
		pid, _ := os.ReadFile(lock.Name())
		lock.Close()
		return nil, fmt.Errorf("SlurmdSpoolDir %s is in use by another agent (process %s)", dir, strings.TrimSpace(string(pid)))
	}
	lock.Truncate(0)
	fmt.Fprintf(lock, "%d\n", os.Getpid())
	s := &spool{dir: dir, lock: lock}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("cannot read the boot id: %w", err)
	}
	bootID := strings.TrimSpace(string(boot))
	text, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		lock.Close()
		return nil, fmt.Errorf("cannot read the spool's id: %w", err)
	}
	id, of, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if id == "" || of != bootID {
		// A new spool, or one from before a reboot: whatever it lists is gone.
		if err := clearDir(filepath.Join(dir, "jobs")); err != nil {
			lock.Close()
			return nil, err
		}
		raw := make([]byte, 16)
		rand.Read(raw)
		id = hex.EncodeToString(raw)
		if err := writeWhole(filepath.Join(dir, "id"), []byte(id+" "+bootID+"\n"), 0o644); err != nil {
			lock.Close()
			return nil, err
		}
	}
	s.id = id
	if err := s.sweep(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("cannot clear the spool: %w", err)
	}
	return s, nil
}

func (s *spool) close() { s.lock.Close() }

func clearDir(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", dir, err)
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("cannot clear the spool: %w", err)
		}
	}
	return nil
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, mode); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func (s *spool) jobDir(k jobKey) string {
	return filepath.Join(s.dir, "jobs", fmt.Sprintf("%d.%d", k.job, k.restarts))
}

// put keeps a message under a name in a job's directory.
func (s *spool) put(k jobKey, name string, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	dir := s.jobDir(k)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a job's spool: %w", err)
	}
	return writeWhole(filepath.Join(dir, name), data, 0o600)
}

// get reads what put kept; false when there is none.
func (s *spool) get(k jobKey, name string, m proto.Message) (bool, error) {
	path := filepath.Join(s.jobDir(k), name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Size() > maxSpoolFile {
		return false, fmt.Errorf("spool file %s is larger than %d bytes", path, maxSpoolFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return false, fmt.Errorf("spool file %s is corrupt: %w", path, err)
	}
	return true, nil
}

// has reports whether put kept something under a name.
func (s *spool) has(k jobKey, name string) bool {
	_, err := os.Stat(filepath.Join(s.jobDir(k), name))
	return err == nil
}

// drop forgets a job or, with a name, one thing of it. A job goes all at once: of
// one that was half removed when the agent died, the order might be left and not
// that it has been done.
func (s *spool) drop(k jobKey, name string) error {
	if name != "" {
		return os.RemoveAll(filepath.Join(s.jobDir(k), name))
	}
	gone := filepath.Join(s.dir, "jobs", fmt.Sprintf("%s%d.%d", gonePrefix, k.job, k.restarts))
	if err := os.Rename(s.jobDir(k), gone); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// gonePrefix begins the names of jobs that are being removed.
const gonePrefix = "gone-"

// sweep removes what was being removed when an agent died.
func (s *spool) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.dir, "jobs", gonePrefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// list names the jobs in the spool and the steps of each.
func (s *spool) list() (map[jobKey][]uint32, error) {
	out := map[jobKey][]uint32{}
	dirs, err := os.ReadDir(filepath.Join(s.dir, "jobs"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spool: %w", err)
	}
	for _, d := range dirs {
		jobText, restartText, ok := strings.Cut(d.Name(), ".")
		id, err1 := strconv.ParseUint(jobText, 10, 32)
		restarts, err2 := strconv.ParseUint(restartText, 10, 32)
		if !ok || err1 != nil || err2 != nil {
			continue
		}
		k := jobKey{uint32(id), uint32(restarts)}
		out[k] = nil
		files, err := os.ReadDir(filepath.Join(s.dir, "jobs", d.Name()))
		if err != nil {
			return nil, fmt.Errorf("cannot read the spool: %w", err)
		}
		for _, f := range files {
			if n, ok := strings.CutPrefix(f.Name(), "step."); ok {
				if step, err := strconv.ParseUint(n, 10, 32); err == nil {
					out[k] = append(out[k], uint32(step))
				}
			}
		}
	}
	return out, nil
}

// outbox holds the reports the leader has not acknowledged, in order, on disk
// and in memory.
type outbox struct {
	dir  string
	mu   sync.Mutex // guards all below
	list []*rinkpb.Report
	last uint64
	more chan struct{} // holds one signal that list grew
}

func openOutbox(dir string) (*outbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the spool of reports: %w", err)
	}
	o := &outbox{dir: dir, more: make(chan struct{}, 1)}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the spool of reports: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		if strings.HasSuffix(f.Name(), ".new") {
			os.Remove(path)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read a kept report: %w", err)
		}
		r := &rinkpb.Report{}
		if err := proto.Unmarshal(data, r); err != nil || r.Seq == 0 {
			return nil, fmt.Errorf("kept report %s is corrupt", path)
		}
		o.list = append(o.list, r)
	}
	sort.Slice(o.list, func(i, j int) bool { return o.list[i].Seq < o.list[j].Seq })
	if n := len(o.list); n > 0 {
		o.last = o.list[n-1].Seq
	}
	return o, nil
}

// add numbers a report, keeps it and has it sent. One that the disk does not
// take is sent all the same, and lost with the agent. Numbers grow over
// restarts of the agent: they start from the clock.
func (o *outbox) add(r *rinkpb.Report) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.Seq = max(o.last+1, uint64(time.Now().UnixMicro()))
	data, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	err = writeWhole(o.path(r.Seq), data, 0o600)
	o.last = r.Seq
	o.list = append(o.list, r)
	o.signal()
	return err
}

func (o *outbox) path(seq uint64) string { return filepath.Join(o.dir, fmt.Sprintf("%020d", seq)) }

// signal needs o.mu held or a single owner.
func (o *outbox) signal() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// after returns the kept reports with a number above seq.
func (o *outbox) after(seq uint64) []*rinkpb.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := sort.Search(len(o.list), func(i int) bool { return o.list[i].Seq > seq })
	return append([]*rinkpb.Report(nil), o.list[i:]...)
}

// acked forgets the reports up to seq.
func (o *outbox) acked(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := sort.Search(len(o.list), func(i int) bool { return o.list[i].Seq > seq })
	for _, r := range o.list[:i] {
		os.Remove(o.path(r.Seq))
	}
	o.list = append([]*rinkpb.Report(nil), o.list[i:]...)
}

// about lists the jobs that kept reports speak of.
func (o *outbox) about() map[jobKey]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[jobKey]bool{}
	for _, r := range o.list {
		switch m := r.Report.(type) {
		case *rinkpb.Report_Done:
			out[jobKey{m.Done.Job, m.Done.Restarts}] = true
		case *rinkpb.Report_NodeDone:
			out[jobKey{m.NodeDone.Job, m.NodeDone.Restarts}] = true
		case *rinkpb.Report_Failed:
			if !m.Failed.IsStep {
				out[jobKey{m.Failed.Job, m.Failed.Restarts}] = true
			}
		}
	}
	return out
}

// stepsAbout lists the steps that have ended according to kept reports.
func (o *outbox) stepsAbout() map[jobKey][]uint32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[jobKey][]uint32{}
	for _, r := range o.list {
		switch m := r.Report.(type) {
		case *rinkpb.Report_StepDone:
			k := jobKey{m.StepDone.Job, m.StepDone.Restarts}
			out[k] = append(out[k], m.StepDone.Step)
		case *rinkpb.Report_Failed:
			if m.Failed.IsStep {
				k := jobKey{m.Failed.Job, m.Failed.Restarts}
				out[k] = append(out[k], m.Failed.Step)
			}
		}
	}
	return out
}

// tombstones remember jobs that are finished here, so that an order that comes
// again does not start them again.
type tombstones struct {
	at    map[jobKey]time.Time
	order []jobKey
}

const maxTombstones = 100_000

func newTombstones() *tombstones { return &tombstones{at: map[jobKey]time.Time{}} }

func (t *tombstones) add(k jobKey) {
	if _, ok := t.at[k]; ok {
		return
	}
	t.at[k] = time.Now()
	t.order = append(t.order, k)
	for len(t.order) > maxTombstones {
		delete(t.at, t.order[0])
		t.order = t.order[1:]
	}
}

func (t *tombstones) has(k jobKey) bool { _, ok := t.at[k]; return ok }
