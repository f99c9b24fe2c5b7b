package api

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/apitest"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// conversion is a noun with the two functions between it and its message.
type conversion struct {
	name string
	noun func() any                                  // a pointer to a new one
	to   func(noun any) proto.Message                // takes what noun returns
	from func(m proto.Message) (noun any, err error) // returns the same
	bare []string                                    // fields of the message that the noun has not
}

// wrap makes a conversion of two functions with types of their own.
func wrap[N any, M any, PM interface {
	*M
	proto.Message
}](name string, to func(*N) PM, from func(PM) (*N, error), bare ...string) conversion {
	return conversion{
		name: name,
		noun: func() any { return new(N) },
		to:   func(n any) proto.Message { return to(n.(*N)) },
		from: func(m proto.Message) (any, error) { return from(m.(PM)) },
		bare: bare,
	}
}

// valued is for functions that take and return the noun itself.
func valued[N any, PM any](to func(N) PM, from func(PM) (N, error)) (func(*N) PM, func(PM) (*N, error)) {
	return func(n *N) PM { return to(*n) }, func(p PM) (*N, error) {
		n, err := from(p)
		return &n, err
	}
}

// sure gives a function that never fails the error it has not.
func sure[N any, PM any](from func(PM) N) func(PM) (N, error) {
	return func(p PM) (N, error) { return from(p), nil }
}

func conversions() []conversion {
	exitTo, exitFrom := valued(ExitCodeToProto, sure(ExitCodeFromProto))
	usageTo, usageFrom := valued(UsageToProto, sure(UsageFromProto))
	signalTo, signalFrom := valued(SignalToProto, SignalFromProto)
	setTo, setFrom := valued(IndexSetToProto, IndexSetFromProto)
	return []conversion{
		wrap("Story", StoryToProto, StoryFromProto),
		wrap("JobOptions", JobOptionsToProto, JobOptionsFromProto),
		wrap("Job", JobToProto, JobFromProto, "amend"), // of history alone
		wrap("Step", StepToProto, StepFromProto),
		wrap("Node", NodeToProto, NodeFromProto, "load_known", "cpu_load", "free_mem", "connected", "reservation"),
		wrap("Partition", PartitionToProto, PartitionFromProto, "slice_namespaces", "slice_private_tmp"),
		wrap("AccountTables", AccountTablesToProto, AccountTablesFromProto),
		wrap("AccountsEdit", AccountsEditToProto, AccountsEditFromProto),
		wrap("AccountAsk", AccountAskToProto, AccountAskFromProto),
		wrap("Transaction", TransactionToProto, sure(TransactionFromProto)),
		wrap("Reservation", ReservationToProto, ReservationFromProto),
		wrap("Start", StartToProto, StartFromProto),
		wrap("Wait", WaitToProto, WaitFromProto),
		wrap("ExitCode", exitTo, exitFrom),
		wrap("Usage", usageTo, usageFrom),
		wrap("Signal", signalTo, signalFrom),
		wrap("IndexSet", setTo, setFrom),
		wrap("Need", NeedToProto, func(p *rinkpb.Need) (*sched.Need, error) {
			n, err := NeedFromProto(p)
			return &n, err
		}),
		wrap("NodeGres", NodeGresToProto, func(p *rinkpb.NodeGres) (*sched.NodeGres, error) {
			n, err := NodeGresFromProto(p)
			return &n, err
		}),
		// Lists are converted as such; a message that has one stands for each.
		wrap("Depends", func(l *[]sched.Depend) *rinkpb.Depends { return &rinkpb.Depends{Terms: DependsToProto(*l)} },
			func(p *rinkpb.Depends) (*[]sched.Depend, error) {
				l, err := DependsFromProto(p.Terms)
				return &l, err
			}),
		wrap("NodeAlloc", func(l *[]sched.NodeAlloc) *rinkpb.Start { return &rinkpb.Start{Alloc: NodeAllocsToProto(*l)} },
			func(p *rinkpb.Start) (*[]sched.NodeAlloc, error) {
				l, err := NodeAllocsFromProto(p.Alloc)
				return &l, err
			}, allBut(&rinkpb.Start{}, "alloc")...),
	}
}

// allBut lists the fields of m other than one.
func allBut(m proto.Message, one string) []string {
	var list []string
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); name != one {
			list = append(list, name)
		}
	}
	return list
}

// overWire marshals m and reads it back, so that nothing is shared with what
// it was made of.
func overWire(t testing.TB, m proto.Message) proto.Message {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryFieldGoesThereAndBack(t *testing.T) {
	for _, c := range conversions() {
		t.Run(c.name, func(t *testing.T) {
			noun := c.noun()
			(&apitest.Filler{}).Fill(noun)
			m := c.to(noun)
			for _, empty := range apitest.Empty(m, c.bare...) {
				t.Errorf("field %s of the message is not set: no field of the noun goes there", empty)
			}
			back, err := c.from(overWire(t, m))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range apitest.Differences(noun, back) {
				t.Error(d)
			}
		})
	}
}

// A noun with nothing in it is the same after the way there and back, and so
// is a nil message.
func TestNothingStaysNothing(t *testing.T) {
	for _, c := range conversions() {
		t.Run(c.name, func(t *testing.T) {
			m := c.to(c.noun())
			if !reflect.ValueOf(m).IsNil() {
				m = overWire(t, m)
			}
			back, err := c.from(m)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, c.noun()) {
				t.Errorf("got %+v", back)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		name string
		in   time.Time
		want time.Time
	}{
		{"OKZero", time.Time{}, time.Time{}},
		{"OKNanosecond", time.Unix(1, 1), time.Unix(1, 1)},
		{"OKBeforeEpoch", time.Unix(-5, 0), time.Unix(-5, 0)},
		{"OKTooLate", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MaxInt64)},
		{"OKTooEarly", time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MinInt64)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := TimeFromProto(TimeToProto(c.in)); !got.Equal(c.want) || got.IsZero() != c.want.IsZero() {
				t.Errorf("%v became %v, want %v", c.in, got, c.want)
			}
		})
	}
}

func TestUnlimited(t *testing.T) {
	if got := DurationToProto(slurm.Unlimited); got != -1 {
		t.Errorf("Unlimited is %d on the wire, want -1", got)
	}
	for _, d := range []slurm.Duration{0, 1, 3600, slurm.Unlimited} {
		if got := DurationFromProto(DurationToProto(d)); got != d {
			t.Errorf("%d became %d", d, got)
		}
	}
}

func TestNumbersThatDoNotFitAreBounded(t *testing.T) {
	p := NodeToProto(&sched.Node{CPUs: math.MaxInt, Port: math.MinInt})
	if p.Cpus != math.MaxInt32 || p.Port != math.MinInt32 {
		t.Errorf("got %d and %d", p.Cpus, p.Port)
	}
	if c := ExitCodeFromProto(&rinkpb.ExitCode{Code: 256, Signal: 9}); c != (sched.ExitCode{Code: 255, Signal: 9}) {
		t.Errorf("got exit code %v", c)
	}
	if u := UsageFromProto(&rinkpb.Usage{MaxRss: -5, Tasks: 2}); u != (sched.Usage{Tasks: 2}) {
		t.Errorf("got usage %+v", u)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"ErrRunsNotTriples", func() error { _, err := IndexSetFromProto(&rinkpb.IndexSet{Runs: []uint32{1, 2}}); return err }, "2 numbers are no list"},
		{"ErrRunBackwards", func() error { _, err := IndexSetFromProto(&rinkpb.IndexSet{Runs: []uint32{5, 2, 1}}); return err }, "5-2:1 is no range"},
		{"ErrRunWithoutStep", func() error {
			_, err := IndexSetFromProto(&rinkpb.IndexSet{Runs: []uint32{0, math.MaxUint32, 0}})
			return err
		}, "is no range"},
		{"ErrRunHuge", func() error {
			_, err := IndexSetFromProto(&rinkpb.IndexSet{Runs: []uint32{0, math.MaxUint32, 2}})
			return err
		}, "the bound is"},
		{"ErrRunsTooMany", func() error {
			_, err := IndexSetFromProto(&rinkpb.IndexSet{Runs: make([]uint32, 3*(maxRuns+1))})
			return err
		}, "runs of array indexes"},
		{"ErrHolder", func() error { _, err := JobFromProto(&rinkpb.Job{Id: 7, HeldBy: 9}); return err }, "cannot read job 7: cannot read the holder of a job: 9"},
		{"ErrReason", func() error { _, err := JobFromProto(&rinkpb.Job{Reason: 1 << 20}); return err }, "reason 1048576"},
		{"ErrDependState", func() error {
			_, err := DependsFromProto([]*rinkpb.DependTerm{{Type: "afterok", State: 3}})
			return err
		}, "3 is none"},
		{"ErrDependType", func() error { _, err := DependsFromProto([]*rinkpb.DependTerm{{Type: "afterlunch"}}); return err }, "afterlunch"},
		{"ErrDependNil", func() error { _, err := DependsFromProto([]*rinkpb.DependTerm{nil}); return err }, "kind of dependency"},
		{"ErrGresCount", func() error { _, err := GresFromProto([]*rinkpb.GresItem{{Name: "gpu", Count: -1}}); return err }, `"gpu": a count of -1`},
		{"ErrDeviceIndex", func() error { _, err := GresAllocsFromProto([]*rinkpb.GresAlloc{{Index: []int32{-1}}}); return err }, "device index -1"},
		{"ErrAllocCPUs", func() error { _, err := NodeAllocsFromProto([]*rinkpb.NodeAlloc{{Node: "n1", Cpus: -1}}); return err }, `node "n1"`},
		{"ErrNeed", func() error { _, err := NeedFromProto(&rinkpb.Need{Tasks: -2}); return err }, "-2 of something"},
		{"ErrConstraint", func() error { _, err := NeedFromProto(&rinkpb.Need{Features: "a&&|"}); return err }, `a&&|`},
		{"ErrNodeSize", func() error { _, err := NodeFromProto(&rinkpb.Node{Name: "n1", Cpus: -8}); return err }, `node "n1": a number below zero, -8`},
		{"ErrSignal", func() error { _, err := SignalFromProto(&rinkpb.Signal{Num: -9}); return err }, "signal number -9"},
		{"ErrStepRank", func() error {
			_, err := StepFromProto(&rinkpb.Step{Id: 3, Nodes: []*rinkpb.StepNode{{Ranks: []int32{-1}}}})
			return err
		}, "cannot read step 3: cannot read rank -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.do()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// FuzzFromProto feeds bytes to every conversion from a message: none may panic,
// and what is accepted must be the same after another way there and back.
func FuzzFromProto(f *testing.F) {
	list := conversions()
	for i, c := range list {
		noun := c.noun()
		(&apitest.Filler{}).Fill(noun)
		b, err := proto.Marshal(c.to(noun))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
		f.Add(uint8(i), b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		c := list[int(which)%len(list)]
		m := c.to(c.noun()).ProtoReflect().New().Interface()
		if proto.Unmarshal(b, m) != nil {
			return
		}
		noun, err := c.from(m)
		if err != nil {
			return
		}
		once := c.to(noun)
		again, err := c.from(overWire(t, once))
		if err != nil {
			t.Fatalf("%s was accepted, but what was made of it is not: %v", c.name, err)
		}
		if twice := c.to(again); !proto.Equal(once, twice) {
			t.Errorf("%s: %v became %v", c.name, once, twice)
		}
	})
}

// The cost of a job in a listing.
func BenchmarkJobToProto(b *testing.B) {
	j := &sched.Job{}
	(&apitest.Filler{}).Fill(j)
	j.Steps, j.Rlimits = nil, nil
	b.ReportAllocs()
	for b.Loop() {
		JobToProto(j)
	}
}

func BenchmarkJobFromProto(b *testing.B) {
	j := &sched.Job{}
	(&apitest.Filler{}).Fill(j)
	j.Steps, j.Rlimits = nil, nil
	p := JobToProto(j)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := JobFromProto(p); err != nil {
			b.Fatal(err)
		}
	}
}
