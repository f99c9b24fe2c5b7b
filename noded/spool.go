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
	"github.com/runink/rink/noded/journal"
)

// spool is the agent's directory: what it was ordered and has not finished.
//
//	id                  the spool's id and the boot it belongs to
//	lock                held by the agent that uses the spool
//	records             a journal, with a group J.R for job J's incarnation R:
//	  job               its JobHere
//	  launch            the LaunchJob, on the batch host
//	  step.N            the LaunchStep of step N
//	  prologed          there when the Prolog has run
//	  ending            the EndJobHere that ends the job, once it is to end
//	  done              the JobDone of the batch script, once it has ended
//	jobs/J.R            what has to be a file, for a job that has such:
//	  slurm_script      the batch script, as it is executed
//	  tmp               what the job sees as /tmp, when that is private
//	  pmi.N             what the MPI tasks of step N told each other
//	output              a journal of what srun is to have of a step's output, and
//	                    output.d with the bytes of it, a file a step
//	outbox              a journal of the reports not yet acknowledged
//
// Nothing is synced to disk: a machine that loses power loses its jobs too, and
// the boot id tells.
type spool struct {
	dir     string
	id      string
	lock    *os.File
	records *journal.Journal
	output  *journal.Journal
	trouble error // with what a former agent kept, to be told of
}

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
	for name, mode := range map[string]fs.FileMode{"jobs": 0o755, "output.d": 0o700} {
		if err := os.MkdirAll(filepath.Join(dir, name), mode); err != nil {
			return nil, fmt.Errorf("cannot make SlurmdSpoolDir: %w", err)
		}
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
		var err error
		for _, name := range []string{"records", "output"} {
			if rerr := os.Remove(filepath.Join(dir, name)); !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, rerr)
			}
		}
		if err := errors.Join(err, clearDir(filepath.Join(dir, "jobs"))); err != nil {
			lock.Close()
			return nil, fmt.Errorf("cannot clear the spool: %w", err)
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
	if s.records, s.trouble, err = journal.Open(filepath.Join(dir, "records")); err != nil {
		lock.Close()
		return nil, fmt.Errorf("cannot open the spool's records: %w", err)
	}
	var trouble error
	if s.output, trouble, err = journal.Open(filepath.Join(dir, "output")); err != nil {
		s.records.Close()
		lock.Close()
		return nil, fmt.Errorf("cannot open the spool's output: %w", err)
	}
	s.trouble = errors.Join(s.trouble, trouble)
	if err := s.sweep(); err != nil {
		s.close()
		return nil, fmt.Errorf("cannot clear the spool: %w", err)
	}
	return s, nil
}

func (s *spool) close() {
	s.records.Close()
	s.output.Close()
	s.lock.Close()
}

func clearDir(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", dir, err)
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, data []byte, mode fs.FileMode) error {
	return writeAside(path, data, mode, func(*os.File) error { return nil })
}

// writeLasting is writeWhole for what has to outlive the machine's next crash.
func writeLasting(path string, data []byte, mode fs.FileMode) error {
	if err := writeAside(path, data, mode, (*os.File).Sync); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func writeAside(path string, data []byte, mode fs.FileMode, before func(*os.File) error) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err == nil {
		_, err = f.Write(data)
		err = errors.Join(err, before(f), f.Close())
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// outputFile is where the output of a slice is kept that its srun does not have.
func (s *spool) outputFile(slice string) string { return filepath.Join(s.dir, "output.d", slice) }

// sweepOutput removes what is kept of slices that are no more.
func (s *spool) sweepOutput(there func(slice string) bool) error {
	for _, g := range s.output.Groups() {
		if !there(g) {
			s.output.Drop(g, "")
		}
	}
	files, err := os.ReadDir(filepath.Join(s.dir, "output.d"))
	for _, f := range files {
		if !there(f.Name()) {
			err = errors.Join(err, os.Remove(s.outputFile(f.Name())))
		}
	}
	return err
}

// group is a job's name in the records and under jobs.
func (k jobKey) group() string { return fmt.Sprintf("%d.%d", k.job, k.restarts) }

// parseGroup is the job of a group's name.
func parseGroup(name string) (jobKey, bool) {
	jobText, restartText, ok := strings.Cut(name, ".")
	id, err1 := strconv.ParseUint(jobText, 10, 32)
	restarts, err2 := strconv.ParseUint(restartText, 10, 32)
	k := jobKey{uint32(id), uint32(restarts)}
	return k, ok && err1 == nil && err2 == nil && k.group() == name
}

func (s *spool) jobDir(k jobKey) string { return filepath.Join(s.dir, "jobs", k.group()) }

// file is the path of a job's file, in its directory, which is made.
func (s *spool) file(k jobKey, name string) (string, error) {
	dir := s.jobDir(k)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("cannot make a job's directory: %w", err)
	}
	return filepath.Join(dir, name), nil
}

// put keeps a message under a name for a job.
func (s *spool) put(k jobKey, name string, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return s.records.Put(k.group(), name, data)
}

// get reads what put kept; false when there is none.
func (s *spool) get(k jobKey, name string, m proto.Message) (bool, error) {
	data, ok, err := s.records.Get(k.group(), name)
	if err != nil || !ok {
		return false, err
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return false, fmt.Errorf("the record %s of job %s in %s is corrupt: %w", name, k.group(), s.dir, err)
	}
	return true, nil
}

// has reports whether put kept something under a name.
func (s *spool) has(k jobKey, name string) bool { return s.records.Has(k.group(), name) }

// drop forgets a job with its files or, with a name, one record of it. The
// records of a job go all at once: of one that was half removed when the agent
// died, the order might be left and not that it has been done.
func (s *spool) drop(k jobKey, name string) error {
	err := s.records.Drop(k.group(), name)
	if name != "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.jobDir(k)))
}

// sweep removes the files of jobs that were being removed when an agent died.
func (s *spool) sweep() error {
	dirs, err := os.ReadDir(filepath.Join(s.dir, "jobs"))
	kept := map[string]bool{}
	for _, g := range s.records.Groups() {
		kept[g] = true
	}
	for _, d := range dirs {
		if !kept[d.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, "jobs", d.Name())))
		}
	}
	return err
}

// list names the jobs in the spool and the steps of each.
func (s *spool) list() map[jobKey][]uint32 {
	out := map[jobKey][]uint32{}
	for _, g := range s.records.Groups() {
		k, ok := parseGroup(g)
		if !ok {
			continue
		}
		out[k] = nil
		for _, name := range s.records.Names(g) {
			if n, ok := strings.CutPrefix(name, "step."); ok {
				if step, err := strconv.ParseUint(n, 10, 32); err == nil {
					out[k] = append(out[k], uint32(step))
				}
			}
		}
	}
	return out
}

// outbox holds the reports the leader has not acknowledged, in order, on disk
// and in memory.
type outbox struct {
	kept *journal.Journal
	mu   sync.Mutex // guards all below
	list []*rinkpb.Report
	last uint64
	more chan struct{} // holds one signal that list grew
}

// outboxGroup is what the kept reports are under, by their numbers.
const outboxGroup = "report"

// openOutbox takes up what is kept at path. What cannot be read is told of in
// trouble and left out: the rest has to reach the leader all the same.
func openOutbox(path string) (o *outbox, trouble, err error) {
	o = &outbox{more: make(chan struct{}, 1)}
	if o.kept, trouble, err = journal.Open(path); err != nil {
		return nil, trouble, fmt.Errorf("cannot open the kept reports: %w", err)
	}
	for _, name := range o.kept.Names(outboxGroup) {
		data, _, err := o.kept.Get(outboxGroup, name)
		if err != nil {
			o.close()
			return nil, trouble, err
		}
		r := &rinkpb.Report{}
		if err := proto.Unmarshal(data, r); err != nil || seqName(r.Seq) != name {
			trouble = errors.Join(trouble, fmt.Errorf("kept report %s in %s is corrupt and is left out", name, path))
			continue
		}
		o.list = append(o.list, r)
	}
	if n := len(o.list); n > 0 {
		o.last = o.list[n-1].Seq
	}
	return o, trouble, nil
}

func (o *outbox) close() { o.kept.Close() }

// seqName puts a report's number so that names sort as numbers do.
func seqName(seq uint64) string { return fmt.Sprintf("%020d", seq) }

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
	err = o.kept.Put(outboxGroup, seqName(r.Seq), data)
	o.last = r.Seq
	o.list = append(o.list, r)
	o.signal()
	return err
}

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

// acked forgets the reports up to seq. One that the disk does not let go of is
// told the leader again by the next agent, which does no harm.
func (o *outbox) acked(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := sort.Search(len(o.list), func(i int) bool { return o.list[i].Seq > seq })
	if i > 0 && i == len(o.list) {
		o.kept.Drop(outboxGroup, "")
	} else {
		for _, r := range o.list[:i] {
			o.kept.Drop(outboxGroup, seqName(r.Seq))
		}
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
