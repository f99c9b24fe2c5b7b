package accounting

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/runink/rink/api/rinkpb"
)

// fill sets every field of a message to something that is not its zero value
// and differs from field to field.
func fill(m protoreflect.Message, n *int, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		value := func() protoreflect.Value {
			*n++
			switch fd.Kind() {
			case protoreflect.BoolKind:
				return protoreflect.ValueOfBool(true)
			case protoreflect.StringKind:
				return protoreflect.ValueOfString(fmt.Sprintf("text %d of %s", *n, fd.Name()))
			case protoreflect.BytesKind:
				return protoreflect.ValueOfBytes([]byte{byte(*n)})
			case protoreflect.Int32Kind, protoreflect.Sint32Kind:
				return protoreflect.ValueOfInt32(int32(*n))
			case protoreflect.Int64Kind, protoreflect.Sint64Kind:
				return protoreflect.ValueOfInt64(int64(*n) * 1_000_000_007)
			case protoreflect.Uint32Kind:
				return protoreflect.ValueOfUint32(uint32(*n))
			case protoreflect.Uint64Kind:
				return protoreflect.ValueOfUint64(uint64(*n))
			case protoreflect.DoubleKind:
				return protoreflect.ValueOfFloat64(float64(*n))
			}
			panic(fmt.Sprintf("no value for %s", fd.FullName()))
		}
		switch {
		case fd.Message() != nil && depth == 0:
		case fd.IsList() && fd.Message() != nil:
			list := m.Mutable(fd).List()
			for range 2 {
				fill(list.AppendMutable().Message(), n, depth-1)
			}
		case fd.IsList():
			list := m.Mutable(fd).List()
			list.Append(value())
			list.Append(value())
		case fd.Message() != nil:
			fill(m.Mutable(fd).Message(), n, depth-1)
		default:
			m.Set(fd, value())
		}
	}
}

func TestEveryFieldOfAJobIsKept(t *testing.T) {
	s := openTest(t, t.TempDir())
	n := 0
	j := &rinkpb.Job{}
	fill(j.ProtoReflect(), &n, 5)
	j.Steps = nil
	// Put three times under three ids: in full, when its texts become words, and
	// when they are.
	for i := range uint32(3) {
		c := proto.CloneOf(j)
		c.Id = 100 + i
		s.Put(uint64(i)+1, []*rinkpb.Record{{Job: c, Requeued: true}})
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(3) {
		want := asKept(j)
		want.Id = 100 + i
		list := collect(t, s.Query(Filter{Refs: []*rinkpb.JobRef{{Job: 100 + i}}, Steps: true}, nil))
		at := slices.IndexFunc(list, func(r *rinkpb.Record) bool { return r.Job.Id == 100+i })
		if at < 0 {
			t.Fatalf("job %d is not there", 100+i)
		}
		same(t, fmt.Sprintf("job %d", 100+i), list[at].Job, want)
		same(t, "its batch script's usage", list[at].Batch, want.BatchUsage)
		if !list[at].Requeued || list[at].Index != uint64(i)+1 || list[at].Live {
			t.Errorf("record %v", list[at])
		}
	}
}

func TestEveryFieldOfAStepIsKept(t *testing.T) {
	s := openTest(t, t.TempDir())
	n := 0
	step := &rinkpb.Step{}
	fill(step.ProtoReflect(), &n, 5)
	want := proto.CloneOf(step)
	for _, node := range want.Nodes {
		node.Ranks = nil // which task ran where is not kept
	}
	for i := range uint32(3) {
		c := proto.CloneOf(step)
		c.Id = i
		s.Put(uint64(i)+1, []*rinkpb.Record{{Job: testJob(7, 1), Live: true, Steps: []*rinkpb.Step{c}}})
	}
	s.Put(4, []*rinkpb.Record{final(testJob(7, 1))})
	r := one(t, s, 7)
	if len(r.Steps) != 3 {
		t.Fatalf("%d steps, want 3", len(r.Steps))
	}
	for i, got := range r.Steps {
		want.Id = uint32(i)
		same(t, fmt.Sprintf("step %d", i), got, want)
	}
}

func TestUsageOnANodeOutsideTheAllocationIsKept(t *testing.T) {
	s := openTest(t, t.TempDir())
	j := testJob(7, 1)
	j.BatchUsage.MaxRssNode = "elsewhere"
	s.Put(1, []*rinkpb.Record{final(j)})
	same(t, "the job", one(t, s, 7).Job, asKept(j))
}

func TestNodesComeBackInOrder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		nodes string
		runs  int // as laid out; ranges of the first
		parts int
	}{
		{"One", "n1", 1, 1},
		{"Range", "n1 n2 n3 n4", 1, 1},
		{"OverTen", "n8 n9 n10 n11", 1, 1},
		{"Padded", "n008 n009 n010 n099 n100", 1, 2},
		{"PaddedOverHundred", "n098 n099 n100 n101", 1, 1},
		{"Backwards", "n3 n2 n1", 1, 3},
		{"Gap", "n1 n2 n4", 1, 2},
		{"NoNumber", "login gateway", 1, 2},
		{"NumberOnly", "12 13", 1, 1},
		{"Zero", "n0 n1", 1, 1},
		{"Zeros", "n00 n01", 1, 1},
		{"MixedWidths", "n01 n1 n001", 1, 3},
		{"LongNumber", "n4294967296 n4294967297 x99999999999 x100000000000", 1, 3},
		{"NineDigitsToTen", "n999999999 n1000000000", 1, 1},
		{"Twice", "n1 n1", 1, 2},
		{"TwoPrefixes", "a1 a2 b1 b2", 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openTest(t, t.TempDir())
			names := strings.Fields(tt.nodes)
			err := s.update(func(tx *txn) error {
				runs, err := packNodes(newWordWriter(tx, &s.recent), len(names), func(i int) share { return share{node: names[i], cpus: 4} })
				if err != nil {
					return err
				}
				if len(runs) != tt.runs || len(runs[0].Names) != 4*tt.parts {
					t.Errorf("laid out as %v, want %d runs, %d ranges", runs, tt.runs, tt.parts)
				}
				var got []string
				err = unpackNodes(newWordReader(tx), runs, func(s share) { got = append(got, s.node) })
				if !slices.Equal(got, names) {
					t.Errorf("come back as %q", got)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSharesStayWithTheirNodes(t *testing.T) {
	s := openTest(t, t.TempDir())
	gpu := func(i ...int32) []*rinkpb.GresAlloc {
		return []*rinkpb.GresAlloc{{Name: "gpu", Type: "a100", Count: int64(len(i)), Index: i}}
	}
	j := testJob(7, 1)
	j.Alloc = []*rinkpb.NodeAlloc{
		{Node: "n1", Cpus: 4, Mem: 100, Tasks: 2, Gres: gpu(0, 1)}, {Node: "n2", Cpus: 4, Mem: 100, Tasks: 2, Gres: gpu(0, 1)},
		{Node: "n3", Cpus: 4, Mem: 100, Tasks: 2, Gres: gpu(2, 3)}, {Node: "n4", Cpus: 2, Mem: 100, Tasks: 2}, {Node: "n5", Cpus: 2, Mem: 100, Tasks: 1},
	}
	s.Put(1, []*rinkpb.Record{final(j)})
	k := proto.CloneOf(j)
	k.Id = 8
	s.Put(2, []*rinkpb.Record{final(k)})
	same(t, "the job", one(t, s, 7).Job, asKept(j))
	same(t, "the job after it", one(t, s, 8).Job, asKept(k))
}

func FuzzNodeName(f *testing.F) {
	for _, s := range []string{"n1", "n01", "", "7", "00", "a9999999999", "n-1"} {
		f.Add(s, uint32(3))
	}
	f.Fuzz(func(t *testing.T, name string, i uint32) {
		r := splitName(name)
		if got := r.name(0); got != name {
			t.Errorf("%q comes back as %q", name, got)
		}
		if next := r.name(i % 1000); r.width != widthNoNumber && i%1000 > 0 && next == name {
			t.Errorf("%q is its own successor", name)
		}
	})
}

func TestWordsAreSharedFromTheSecondTimeOn(t *testing.T) {
	s := openTest(t, t.TempDir())
	err := s.update(func(tx *txn) error {
		w := newWordWriter(tx, &s.recent)
		ask := func(text string, must bool) uint32 {
			t.Helper()
			n, err := w.word([]byte(text), must)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := ask("/home/alice", false); n != 0 {
			t.Errorf("the first time it is word %d", n)
		}
		n := ask("/home/alice", false)
		if n == 0 || ask("/home/alice", false) != n {
			t.Error("the second time it is no word")
		}
		if ask("abc", false) != 0 || ask("abc", false) != 0 {
			t.Error("a text of three bytes is a word")
		}
		if m := ask("", true); m == 0 {
			t.Error("an empty text that must be a word is none")
		} else if data, err := (wordReader{words: w.words}).word(m); err != nil || len(data) != 0 {
			t.Errorf("it comes back as %q, %v", data, err)
		}

		// Two texts of one sum: neither is taken for the other.
		other := []byte("/home/mallory")
		sum := wordSumWith(nil, other)
		if err := w.sums.Put(sum[:], appendNum(nil, n)); err != nil {
			return err
		}
		if ask(string(other), false) != 0 || ask(string(other), false) != 0 {
			t.Error("a text of the same sum got the other's word")
		}
		if m := ask(string(other), true); m == 0 || m == n {
			t.Errorf("a text that must be a word is %d beside %d", m, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecentForgets(t *testing.T) {
	var r recent
	sum := func(i int) wordSum { return wordSum{byte(i), byte(i >> 8), byte(i >> 16)} }
	if r.again(sum(1)) || !r.again(sum(1)) {
		t.Error("seen once and twice are not told apart")
	}
	for i := range 3 * maxRecent {
		r.again(sum(i + 10))
	}
	if r.again(sum(1)) {
		t.Error("it never forgets")
	}
	if len(r.now)+len(r.before) > 2*maxRecent {
		t.Errorf("it remembers %d", len(r.now)+len(r.before))
	}
}
