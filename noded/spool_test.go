package noded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/journal"
)

func done(job uint32) *rinkpb.Report {
	return &rinkpb.Report{Report: &rinkpb.Report_Done{Done: &rinkpb.JobDone{Job: job}}}
}

func jobsOf(list []*rinkpb.Report) []uint32 {
	out := []uint32{}
	for _, r := range list {
		out = append(out, r.GetDone().GetJob())
	}
	return out
}

func same[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestReportsStayInOrderUntilAcknowledgedAlsoOverARestart(t *testing.T) {
	dir := t.TempDir()
	o, _, err := openOutbox(filepath.Join(dir, "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	for job := range uint32(20) {
		if err := o.add(done(job + 1)); err != nil {
			t.Fatal(err)
		}
	}
	list := o.after(0)
	for i := 1; i < len(list); i++ {
		if list[i].Seq <= list[i-1].Seq {
			t.Fatalf("number %d after %d", list[i].Seq, list[i-1].Seq)
		}
	}
	o.acked(list[16].Seq)
	if got := jobsOf(o.after(0)); !same(got, []uint32{18, 19, 20}) {
		t.Errorf("kept %v, want 18 to 20", got)
	}
	if got := jobsOf(o.after(list[18].Seq)); !same(got, []uint32{20}) {
		t.Errorf("after the 19th: %v, want the 20th", got)
	}
	again, _, err := openOutbox(filepath.Join(dir, "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.add(done(21)); err != nil {
		t.Fatal(err)
	}
	if got := jobsOf(again.after(0)); !same(got, []uint32{18, 19, 20, 21}) {
		t.Errorf("after a restart %v, want 18 to 21", got)
	}
	if about := again.about(); !about[jobKey{21, 0}] || about[jobKey{1, 0}] {
		t.Errorf("about %v", about)
	}
	again.acked(1 << 63)
	again.close()
	if last, _, err := openOutbox(filepath.Join(dir, "outbox")); err != nil || len(last.after(0)) != 0 {
		t.Errorf("%d are left although all is acknowledged, %v", len(last.after(0)), err)
	}
}

func TestReportIsSentThoughTheDiskTakesNone(t *testing.T) {
	dir := t.TempDir()
	o, _, err := openOutbox(filepath.Join(dir, "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	o.close()
	if err := o.add(done(1)); err == nil {
		t.Error("no error")
	}
	if got := jobsOf(o.after(0)); !same(got, []uint32{1}) {
		t.Errorf("to send: %v, want the report", got)
	}
}

func TestBrokenReportIsNamedAndTheRestIsSent(t *testing.T) {
	noSeq, err := proto.Marshal(done(1))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string][]byte{"noise": []byte("\xff\xff\xff"), "without a number": noSeq, "empty": {}} {
		path := filepath.Join(t.TempDir(), "outbox")
		j, _, err := journal.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		good := done(8)
		good.Seq = 8
		data, _ := proto.Marshal(good)
		j.Put(outboxGroup, seqName(7), text)
		j.Put(outboxGroup, seqName(8), data)
		j.Close()
		o, trouble, err := openOutbox(path)
		if err != nil || trouble == nil || !strings.Contains(trouble.Error(), seqName(7)) || !strings.Contains(trouble.Error(), path) {
			t.Errorf("%s: %v, %v, want words that name %s and the report", what, trouble, err, path)
		}
		if got := jobsOf(o.after(0)); !same(got, []uint32{8}) {
			t.Errorf("%s: kept %v", what, got)
		}
	}
}

func TestStepsAboutAreThoseThatEnded(t *testing.T) {
	o, _, err := openOutbox(filepath.Join(t.TempDir(), "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	o.add(&rinkpb.Report{Report: &rinkpb.Report_StepDone{StepDone: &rinkpb.StepDone{Job: 1, Restarts: 2, Step: 3}}})
	o.add(&rinkpb.Report{Report: &rinkpb.Report_Failed{Failed: &rinkpb.LaunchFailed{Job: 1, Restarts: 2, IsStep: true, Step: 4}}})
	o.add(&rinkpb.Report{Report: &rinkpb.Report_Failed{Failed: &rinkpb.LaunchFailed{Job: 5}}})
	if got := o.stepsAbout(); len(got) != 1 || !same(got[jobKey{1, 2}], []uint32{3, 4}) {
		t.Errorf("got %v", got)
	}
	// A step that failed says nothing of its job.
	if about := o.about(); len(about) != 1 || !about[jobKey{5, 0}] {
		t.Errorf("about %v, want job 5 alone", about)
	}
}

func TestSpoolKeepsWhatWasOrdered(t *testing.T) {
	dir := t.TempDir()
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openSpool(dir); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second agent: %v, want that the spool is in use", err)
	}
	k := jobKey{4_000_000_000, 3}
	if ok, err := s.get(k, "job", &rinkpb.JobHere{}); ok || err != nil {
		t.Errorf("what was never put: %v %v", ok, err)
	}
	for _, name := range []string{"job", "step.0", "step.4294967292"} {
		if err := s.put(k, name, &rinkpb.JobHere{Job: k.job, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(filepath.Join(dir, "jobs", "nothing"), 0o755)
	id := s.id
	s.close()
	if s, err = openSpool(dir); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.id != id {
		t.Errorf("the spool's id is %s after a restart of the agent, was %s", s.id, id)
	}
	if list := s.list(); len(list) != 1 || !same(list[k], []uint32{0, 4294967292}) {
		t.Errorf("list %v", list)
	}
	if _, err := os.Stat(filepath.Join(dir, "jobs", "nothing")); err == nil {
		t.Error("what is no job's is still there")
	}
	got := &rinkpb.JobHere{}
	if ok, err := s.get(k, "step.0", got); !ok || err != nil || got.Name != "step.0" {
		t.Errorf("got %v %v %v", got, ok, err)
	}
	s.records.Put(k.group(), "job", []byte("\xff\xff"))
	if _, err := s.get(k, "job", got); err == nil || !strings.Contains(err.Error(), "record job of job 4000000000.3 in "+dir) {
		t.Errorf("a corrupt record: %v, want an error that names it", err)
	}
	s.drop(k, "step.0")
	if s.has(k, "step.0") || !s.has(k, "job") {
		t.Error("drop took the wrong thing")
	}
}

func TestSpoolOfAnotherBootIsEmptied(t *testing.T) {
	dir := t.TempDir()
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.put(jobKey{1, 0}, "job", &rinkpb.JobHere{Job: 1})
	if _, err := s.file(jobKey{1, 0}, "slurm_script"); err != nil {
		t.Fatal(err)
	}
	s.close()
	if err := os.WriteFile(filepath.Join(dir, "id"), []byte(s.id+" another-boot\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if list := again.list(); len(list) != 0 || again.id == s.id || again.id == "" {
		t.Errorf("after a reboot: jobs %v, id %q, was %q", list, again.id, s.id)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "jobs")); err != nil || len(left) != 0 {
		t.Errorf("after a reboot: files %v, %v", left, err)
	}
}

func TestTombstonesForgetTheOldest(t *testing.T) {
	p := newTombstones()
	for i := range uint32(maxTombstones + 2) {
		p.add(jobKey{i, 1})
		p.add(jobKey{i, 1})
	}
	if p.has(jobKey{0, 1}) || p.has(jobKey{1, 1}) || !p.has(jobKey{2, 1}) || !p.has(jobKey{maxTombstones + 1, 1}) || p.has(jobKey{5, 0}) {
		t.Error("not the last ones are remembered")
	}
	if len(p.at) != maxTombstones || len(p.order) != maxTombstones {
		t.Errorf("%d and %d are remembered, want %d", len(p.at), len(p.order), maxTombstones)
	}
}

// A job is removed all at once: the files an agent that died left of it are
// nobody's.
func TestWhatIsBeingRemovedIsNoJob(t *testing.T) {
	dir := t.TempDir()
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	k := jobKey{7, 1}
	for _, name := range []string{"job", "launch", "done"} {
		if err := s.put(k, name, &rinkpb.JobDone{Job: 7}); err != nil {
			t.Fatal(err)
		}
	}
	script, err := s.file(k, "slurm_script")
	if err == nil {
		err = os.WriteFile(script, []byte("#!/bin/sh\n"), 0o500)
	}
	if err != nil {
		t.Fatal(err)
	}
	// As far as an agent came that died while it removed the job.
	if err := s.records.Drop(k.group(), ""); err != nil {
		t.Fatal(err)
	}
	if list := s.list(); len(list) != 0 {
		t.Errorf("the spool lists %v", list)
	}
	s.close()
	if s, err = openSpool(dir); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if left, err := os.ReadDir(filepath.Join(dir, "jobs")); err != nil || len(left) != 0 {
		t.Errorf("the spool has %v, %v", left, err)
	}
	if err := s.put(k, "job", &rinkpb.JobDone{Job: 7}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is no longer there
		if err := s.drop(k, ""); err != nil {
			t.Fatal(err)
		}
	}
	if list := s.list(); len(list) != 0 {
		t.Errorf("the spool lists %v", list)
	}
}
