package state

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// resv is a reservation of nodes for ann, from a time after the rig's beginning.
func resv(name string, from, long time.Duration, nodes ...sched.NodeName) sched.Reservation {
	return sched.Reservation{Name: name, Start: began.Add(from), End: began.Add(from + long), Made: began, Nodes: nodes, Users: []string{"ann"}}
}

func wants(name string) *sched.Job {
	j := asked()
	j.User = "ann"
	j.Spec = &slurm.JobOptions{Reservation: name}
	return j
}

func TestReservationsAreMadeChangedAndDropped(t *testing.T) {
	r := newRig(t)
	if res := r.do(SetReservation{Reservation: resv("", time.Hour, time.Hour, "n1"), Create: true}); res.Err != nil || res.Name != "ann_1" {
		t.Fatalf("made %q, %v", res.Name, res.Err)
	}
	for _, tt := range []struct {
		name string
		c    SetReservation
		want error
	}{
		{"Overlap", SetReservation{resv("b", 90*time.Minute, time.Hour, "n1", "n2"), true}, slurm.ErrnoReservationOverlap},
		{"Dup", SetReservation{resv("ann_1", 0, time.Hour, "n2"), true}, slurm.ErrnoReservationNameDup},
		{"NoNode", SetReservation{resv("b", 0, time.Hour, "nosuch"), true}, slurm.ErrnoInvalidNodeName},
		{"NoTime", SetReservation{resv("b", 0, 0, "n2"), true}, slurm.ErrnoInvalidTime},
		{"BadName", SetReservation{resv("a b", 0, time.Hour, "n2"), true}, slurm.ErrnoReservationInvalid},
		{"ChangeOfNone", SetReservation{resv("b", 0, time.Hour, "n2"), false}, slurm.ErrnoReservationInvalid},
	} {
		if res := r.do(tt.c); !errors.Is(res.Err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, res.Err, tt.want)
		}
	}
	// After the one before, or over it: both may be.
	r.must(SetReservation{resv("later", 2*time.Hour, time.Hour, "n1"), true})
	m := resv("maint", 0, 9*time.Hour, "n1")
	m.Flags = slurm.ResvMaint
	r.must(SetReservation{m, true})

	next := *r.s.Reservation("ann_1")
	next.Users = []string{"bob"}
	r.must(SetReservation{Reservation: next})
	if res := r.do(SetReservation{Reservation: next}); !errors.Is(res.Err, ErrStale) {
		t.Errorf("a change of what was changed since: %v", res.Err)
	}
	r.must(DropReservation{Name: "ann_1"})
	if res := r.do(DropReservation{Name: "ann_1"}); !errors.Is(res.Err, slurm.ErrnoReservationInvalid) {
		t.Errorf("dropped twice: %v", res.Err)
	}
	if got := len(r.s.Reservations()); got != 2 {
		t.Errorf("%d reservations, want 2", got)
	}
}

func TestStartsKeepClearOfReservations(t *testing.T) {
	r := newRig(t)
	r.must(SetReservation{resv("r", 0, time.Hour, "n1"), true})
	c := resv("c", 0, time.Hour, "n2")
	c.Cores = []sched.ReservedCores{{Node: "n2", Cores: slurm.NewIndexSet(0, 1, 2), CPUs: 3}}
	r.must(SetReservation{c, true})
	r.must(SetReservation{resv("next", 2*time.Hour, time.Hour, "n3"), true})
	job := func(j *sched.Job, limit slurm.Duration) slurm.JobID {
		j.TimeLimit = limit
		return r.do(SubmitJobs{Jobs: []*sched.Job{j}}).Jobs[0]
	}
	plain, inR, inC, inNext := job(asked(), 600), job(wants("r"), slurm.Unlimited), job(wants("c"), 600), job(wants("next"), 600)
	long := job(asked(), 4*3600)
	for _, tt := range []struct {
		name string
		job  slurm.JobID
		node sched.NodeName
		cpus int
		resv string
		ok   bool
	}{
		{"Other", plain, "n1", 1, "", false},
		{"OtherSaysItIsIn", plain, "n1", 1, "nosuch", false},
		{"AskedAndOutside", inR, "n4", 1, "", false},
		{"AskedOnAnotherNode", inR, "n4", 1, "r", false},
		{"In", inR, "n1", 8, "r", true},
		{"TooManyCores", plain, "n2", 6, "", false},
		{"MoreThanItKeeps", inC, "n2", 4, "c", false},
		{"Cores", inC, "n2", 3, "c", true},
		{"CoresBeside", plain, "n2", 5, "", true},
		{"NotBegun", inNext, "n3", 1, "next", false},
		{"ReachesIntoIt", long, "n3", 1, "", false},
		{"Elsewhere", long, "n4", 1, "", true},
	} {
		res := r.do(StartJobs{[]sched.Start{{Job: tt.job, Partition: "main", Alloc: []sched.NodeAlloc{{Node: tt.node, CPUs: tt.cpus, Tasks: 1}}, Reservation: tt.resv}}})
		if ok := len(res.Started) == 1; ok != tt.ok {
			t.Errorf("%s: started %v, refused %v", tt.name, res.Started, res.Refused)
		}
		if j := r.s.Job(tt.job); tt.ok && j.Resv != tt.resv {
			t.Errorf("%s: it is in %q", tt.name, j.Resv)
		}
	}
	if res := r.do(DropReservation{Name: "r"}); !errors.Is(res.Err, slurm.ErrnoReservationBusy) {
		t.Errorf("dropped with a job in it: %v", res.Err)
	}
	if err := sched.CheckReservations(r.s.Config(), r.s.Reservations(), r.s.Nodes(), slices.Collect(r.s.Jobs()), r.at); err != nil {
		t.Error(err)
	}
}

func TestJobsOutliveTheirReservation(t *testing.T) {
	r := newRig(t)
	r.must(SetReservation{resv("a", 0, time.Hour, "n1"), true})
	b := resv("b", 0, time.Hour, "n2")
	b.Flags = slurm.ResvNoHoldJobs
	r.must(SetReservation{b, true})
	ids := r.do(SubmitJobs{Jobs: []*sched.Job{wants("a"), wants("b"), wants("a,b")}}).Jobs
	r.must(DropReservation{Name: "a", ID: r.s.Reservation("a").ID, Over: true})
	r.must(DropReservation{Name: "b", Over: true})
	held, free, both := r.s.Job(ids[0]), r.s.Job(ids[1]), r.s.Job(ids[2])
	if !held.State.Has(slurm.JobResvDelHold) || held.HeldBy != sched.HeldByUser || held.Priority != 0 || held.Spec.Reservation != "" ||
		held.ReasonText != "Reservation a was deleted" || held.State.String() == "PENDING" {
		t.Errorf("who waited for it is %v, %q", held.State, held.ReasonText)
	}
	if free.HeldBy != sched.HeldByNobody || free.Spec.Reservation != "" {
		t.Errorf("who may go on is held by %v and wants %q", free.HeldBy, free.Spec.Reservation)
	}
	if both.HeldBy != sched.HeldByNobody || both.Spec.Reservation != "" {
		t.Errorf("who had another is held by %v and wants %q", both.HeldBy, both.Spec.Reservation)
	}
	nobody := sched.HeldByNobody
	r.must(UpdateJob{Job: ids[0], Change: JobChange{Hold: &nobody}})
	if j := r.s.Job(ids[0]); j.State != slurm.JobPending || j.Priority == 0 {
		t.Errorf("released it is %v with priority %d", j.State, j.Priority)
	}
}

// Nodes that leave the configuration leave reservations, and those of a partition
// follow it.
func TestReservationsFollowTheNodes(t *testing.T) {
	r := newRig(t)
	r.must(SetReservation{resv("a", 0, time.Hour, "n4", "n5"), true})
	p := resv("p", 2*time.Hour, time.Hour, "n1", "n2")
	p.Flags, p.Partition = slurm.ResvPartNodes|slurm.ResvSpecNodes, "short"
	r.must(SetReservation{p, true})
	short := *r.s.Config().Partition("short")
	short.Nodes = []sched.NodeName{"n1", "n2", "n3"}
	r.must(UpdatePartition{Partition: short})
	if got := r.s.Reservation("p").Nodes; len(got) != 3 {
		t.Errorf("the partition's reservation has %v", got)
	}
	files := rigFiles("")
	files[0].Text = []byte(`ClusterName=t
SlurmctldHost=c1
NodeName=n[1-4] CPUs=8 RealMemory=16000
PartitionName=main Nodes=ALL Default=YES
PartitionName=short Nodes=n1
`)
	r.must(SetConfig{files[:1]})
	if a, p := r.s.Reservation("a").Nodes, r.s.Reservation("p").Nodes; !slices.Equal(a, []sched.NodeName{"n4"}) || !slices.Equal(p, []sched.NodeName{"n1"}) {
		t.Errorf("reservations have %v and %v", a, p)
	}
}
