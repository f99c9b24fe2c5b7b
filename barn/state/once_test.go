package state

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// checkOnce says what is wrong with how requests are shared: each is counted as
// often as records have it, no record has one that is not counted, and equal
// ones are one.
func (s *State) checkOnce() error {
	have := map[*slurm.JobOptions]int{}
	for j := range s.Jobs() {
		have[j.Spec]++
	}
	for spec, n := range have {
		if use := s.once.specs[spec]; use.refs != n {
			return fmt.Errorf("%d records have a request that is counted %d times", n, use.refs)
		}
		if use := s.once.specs[spec]; s.once.equal[use.digest] != spec {
			return errors.New("a request is not found by its digest")
		}
	}
	if len(have) != len(s.once.specs) || len(have) != len(s.once.equal) {
		return fmt.Errorf("records have %d requests, %d are counted, %d are found by digest", len(have), len(s.once.specs), len(s.once.equal))
	}
	return nil
}

// wordy is a job with a request and words in memory of its own.
func wordy(project string) *sched.Job {
	dir := func() string { return "/home/ann/" + string([]byte(project)) }
	j := asked(func(j *sched.Job) {
		j.Spec = &slurm.JobOptions{
			Name: string([]byte(project)), NTasks: 4, WorkDir: dir(), Begin: began.Add(time.Hour), Gres: slurm.Gres{{Name: "gpu", Count: 1}},
			Given: map[string]bool{"ntasks": true, "chdir": true},
		}
		j.Name, j.WorkDir = string([]byte(project)), dir()
		j.Partitions = []sched.PartitionName{"main"}
		j.Rlimits = []sched.Rlimit{{Name: "NOFILE", Soft: 1024, Hard: 4096}}
	})
	return j
}

// sameBytes reports whether two texts are the same memory.
func sameBytes(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }

func TestEqualRequestsAreKeptOnce(t *testing.T) {
	r := newRig(t)
	add := func(j *sched.Job) *sched.Job { return r.job(r.must(SubmitJobs{Jobs: []*sched.Job{j}}).Jobs[0]) }
	a, b, c := add(wordy("one")), add(wordy("one")), add(wordy("two"))
	if a.Spec != b.Spec {
		t.Error("equal requests are kept twice")
	}
	if a.Spec == c.Spec {
		t.Error("requests that differ are one")
	}
	if !reflect.DeepEqual(a.Spec, wordy("one").Spec) || !reflect.DeepEqual(c.Spec, wordy("two").Spec) {
		t.Errorf("a request was changed: %+v, %+v", a.Spec, c.Spec)
	}
	for _, text := range []struct{ what, x, y string }{
		{"WorkDir", a.WorkDir, b.WorkDir}, {"WorkDir and that of the request", a.WorkDir, a.Spec.WorkDir}, {"Name", a.Name, a.Spec.Name},
		{"Partition", string(a.Partition), string(c.Partition)}, {"User", a.User, c.User}, {"Rlimit", a.Rlimits[0].Name, c.Rlimits[0].Name},
	} {
		if text.x != text.y || !sameBytes(text.x, text.y) {
			t.Errorf("%s: %q and %q are kept apart", text.what, text.x, text.y)
		}
	}
	if &a.Rlimits[0] != &c.Rlimits[0] || &a.Partitions[0] != &c.Partitions[0] {
		t.Error("equal lists are kept apart")
	}

	// An update takes a request from one to the other, and back.
	r.must(UpdateJob{Job: a.ID, Change: JobChange{Spec: wordy("two").Spec}})
	if got := r.job(a.ID).Spec; got != c.Spec {
		t.Error("a request that was updated is not shared")
	}
	words := "note"
	r.must(UpdateJob{Job: a.ID, Change: JobChange{Comment: &words}})
	if got := r.job(a.ID).Spec; got == c.Spec || got.Comment != words || c.Spec.Comment != "" {
		t.Error("a comment on one job is on another")
	}
	r.must(UpdateJob{Job: a.ID, Change: JobChange{Spec: wordy("one").Spec}})
	if got := r.job(a.ID).Spec; got != b.Spec {
		t.Error("a request that came to be equal is not shared")
	}

	// The last record takes it along.
	for _, id := range []slurm.JobID{a.ID, b.ID, c.ID} {
		r.must(EndJob{Job: id, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	}
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if r.s.JobCount() != 0 || len(r.s.once.specs) != 0 || len(r.s.once.equal) != 0 {
		t.Errorf("%d jobs are left, %d requests", r.s.JobCount(), len(r.s.once.specs))
	}
}

func TestTasksShareWhatTheirArrayWasAskedFor(t *testing.T) {
	r := newRig(t)
	array := r.submit(tasks("1-3"))
	id := r.run(r.task(array, 1, 1, "n1"))
	if r.job(id).Spec != r.job(array).Spec {
		t.Error("a task has a request of its own")
	}
}

func TestLoadSharesRequests(t *testing.T) {
	r := newRig(t)
	for i := range 6 {
		r.must(SubmitJobs{Jobs: []*sched.Job{wordy(fmt.Sprint("project", i%2))}})
	}
	d := r.s.Dump()
	// As from a file: every job has a request of its own.
	for i, j := range d.Jobs {
		own, spec := *j, *j.Spec
		own.Spec, d.Jobs[i] = &spec, &own
	}
	s, err := Load(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.checkOnce(); err != nil {
		t.Error(err)
	}
	if len(s.once.specs) != 2 {
		t.Errorf("six jobs with two requests between them have %d", len(s.once.specs))
	}
	if !sameDump(r.s.Dump(), s.Dump(), false) {
		t.Error("it dumps otherwise")
	}
}

func TestOneDigestOfTwoRequests(t *testing.T) {
	o := newOnce()
	a, b := &slurm.JobOptions{NTasks: 1}, &slurm.JobOptions{NTasks: 2}
	kept := o.hold(a)
	o.equal[digestOf(b)] = kept // as if they had the same
	other := o.hold(b)
	if other == kept || other.NTasks != 2 {
		t.Fatalf("it is taken for another: %+v", other)
	}
	if o.hold(other) != other || o.specs[other].refs != 2 {
		t.Error("a record split off does not share it")
	}
	o.letGo(other)
	o.letGo(other)
	if _, ok := o.specs[other]; ok || o.equal[digestOf(b)] != kept {
		t.Error("it is not let go, or took the other along")
	}
}

// TestDigestSeesEveryField changes each field of a request, however deep, and
// wants another digest of it.
func TestDigestSeesEveryField(t *testing.T) {
	seen := map[uint64]string{digestOf(&slurm.JobOptions{}): "nothing"}
	spec := reflect.ValueOf(&slurm.JobOptions{}).Elem()
	fields := 0
	var walk func(v reflect.Value, path string)
	differs := func(v reflect.Value, path string) {
		fields++
		d := digestOf(spec.Addr().Interface())
		if was, ok := seen[d]; ok {
			t.Errorf("%s: the digest of %s", path, was)
		}
		seen[d] = path
		v.SetZero()
	}
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			v.SetInt(1)
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			v.SetUint(1)
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]bool{"x": true}))
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			if e := v.Index(0); e.Kind() == reflect.Struct {
				walk(e, path+"[0]")
			}
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Struct:
			switch v.Addr().Interface().(type) {
			case *time.Time:
				v.Set(reflect.ValueOf(began))
			default:
				for i := range v.NumField() {
					walk(v.Field(i), path+"."+v.Type().Field(i).Name)
				}
				return
			}
		default:
			t.Fatalf("%s is a %v", path, v.Kind())
		}
		differs(v, path)
	}
	walk(spec, "JobOptions")
	if fields < 120 {
		t.Errorf("only %d fields were tried", fields)
	}
	if a, b := (&slurm.JobOptions{Array: &slurm.ArraySpec{Indexes: indexes("1-3")}}), (&slurm.JobOptions{Array: &slurm.ArraySpec{Indexes: indexes("1-4")}}); digestOf(a) == digestOf(b) {
		t.Error("the tasks of an array make no difference")
	}
}

func TestRecentForgets(t *testing.T) {
	var r recent[int, int]
	for i := range 5 * recentMost {
		r.get(0)
		r.put(i, i)
	}
	if n := len(r.young) + len(r.old); n > 2*recentMost {
		t.Errorf("it remembers %d", n)
	}
	if _, ok := r.get(0); !ok {
		t.Error("it forgot what was asked for all the time")
	}
	if _, ok := r.get(recentMost + 1); ok {
		t.Error("it remembers what was long ago")
	}
}
