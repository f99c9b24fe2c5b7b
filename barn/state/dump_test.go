package state

import (
	"reflect"
	"strings"
	"testing"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// busy returns the dump of a state with something in every table.
func busy(t *testing.T) *Dump {
	r := newRig(t)
	a := r.must(SubmitJobs{
		Key: "k", Jobs: []*sched.Job{asked(tasks("1-3"), func(j *sched.Job) { j.Script = "s" })}, Blobs: []Blob{{"s", []byte("x")}},
		Run: &RunInfo{Name: "n", User: "ann", Day: "20261123"},
	}).Jobs[0]
	id := r.run(r.task(a, 1, 1, "n1"))
	r.must(StartStep{Job: id, Step: &sched.Step{}, Key: "s"})
	r.must(AddToken{Hash: "h", Role: "node", Expires: r.at})
	r.must(SetTrigger{sched.Trigger{Kind: "down", On: sched.TriggerOnNode, Program: "/bin/true"}})
	r.must(SetCrontab{UID: 1, User: "ann", Text: "@daily true\n"})
	return r.s.Dump()
}

func TestLoadGivesTheSameStateBack(t *testing.T) {
	d := busy(t)
	s, err := Load(d)
	if err != nil {
		t.Fatal(err)
	}
	if !sameDump(d, s.Dump(), false) {
		t.Error("it dumps otherwise")
	}
	if s.Cluster() != "t" || s.NextJob() != d.NextJob || s.Index() != d.Index || s.Licenses().Get("lic") != 3 {
		t.Errorf("cluster %q next job %d index %d", s.Cluster(), s.NextJob(), s.Index())
	}
	if k, ok := s.Submission("k"); !ok || k.Run != "RUN-20261123-0001" {
		t.Errorf("key %+v", k)
	}
	if _, ok := s.Submission("other"); ok {
		t.Error("a key that was never used is known")
	}
	n := 0
	for j := range s.Holding() {
		n++
		if j.TaskID != 1 {
			t.Errorf("job %d holds resources", j.ID)
		}
	}
	if n != 1 {
		t.Errorf("%d jobs hold resources", n)
	}
}

func TestLoadRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Dump)
		want  string
	}{
		{"BlobMissing", func(d *Dump) { d.Blobs = nil }, `blob "s" is not there`},
		{"BlobOfNoJob", func(d *Dump) { d.Blobs = append(d.Blobs, Blob{ID: "z"}) }, `blob "z" belongs to no job`},
		{"JobTwice", func(d *Dump) { d.Jobs = append(d.Jobs, d.Jobs[0]) }, "is there twice"},
		{"JobWithoutID", func(d *Dump) { d.Jobs = append(d.Jobs, &sched.Job{Spec: &slurm.JobOptions{}}) }, "incomplete"},
		{"JobWithoutSpec", func(d *Dump) { d.Jobs = append(d.Jobs, &sched.Job{ID: 7}) }, "incomplete"},
		{"ArrayMissing", func(d *Dump) { d.Arrays = nil }, "array 100 is not there"},
		{"ArrayWithoutJobs", func(d *Dump) { d.Arrays = append(d.Arrays, ArrayPast{Array: 9}) }, "array 9 has no job"},
		{"NodeMissing", func(d *Dump) { d.Nodes = d.Nodes[1:] }, `node "n1" is not there`},
		{"Configuration", func(d *Dump) { d.Files = []ConfigFile{{"slurm.conf", []byte("NoSuchKey=1\n")}} }, "NoSuchKey"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := busy(t)
			c.spoil(d)
			if _, err := Load(d); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestEmptyStateHasNoConfiguration(t *testing.T) {
	s := New("t")
	if s.Config() != nil || s.View().Config != nil || len(s.Partitions()) != 0 {
		t.Error("there is a configuration")
	}
	fresh, err := Load(s.Dump())
	if err != nil || !sameDump(s.Dump(), fresh.Dump(), false) || fresh.Config() != nil {
		t.Errorf("loaded from an empty dump: %v", err)
	}
}

func TestMachineIsTheViewWithoutTheQueue(t *testing.T) {
	r := newRig(t)
	r.runs("n1")
	r.submit()
	v, m := r.s.View(), r.s.Machine()
	if len(v.Pending) != 1 || len(v.Running) != 1 {
		t.Fatalf("%d wait, %d run", len(v.Pending), len(v.Running))
	}
	v.Pending, v.RunningTasks = nil, nil
	if !reflect.DeepEqual(v, m) {
		t.Errorf("it shows %+v, want %+v", m, v)
	}
}
