package slurm

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func mustSet(t testing.TB, s string) IndexSet {
	t.Helper()
	if s == "" {
		return IndexSet{}
	}
	set, err := ParseIndexSet(s, math.MaxUint32)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestIndexSetPrintsAsSlurm(t *testing.T) {
	const long = "0,2-3,5-6,8-9,11-12,14-15,17-18,20-21,23-24,26-27,29-30,32-33,35-36,38-39,41-42,44-45,47-48,50-51"
	for _, c := range []struct {
		in, text string
		n        int
	}{
		{"0-15", "0-15", 16}, {"0-15:4", "0,4,8,12", 4}, {"1-9:2", "1,3,5,7,9", 5}, {"1-9:2,20", "1,3,5,7,9,20", 6}, {"3,5,7", "3,5,7", 3},
		{"2,4,6-8", "2,4,6-8", 5}, {"5,3,1", "1,3,5", 3}, {"1,1,1", "1", 1}, {"1-3,2-5", "1-5", 5}, {"1,2", "1-2", 2}, {"0-3:9", "0", 1},
		{"0-10:2", "0,2,4,6,8,10", 6}, {"1-11:2", "1,3,5,7,9,11", 6}, {"0-20:4", "0-20:4", 6}, {"0-25:5", "0-25:5", 6}, {"0-20:2", "0-20:2", 11},
		{"100-500:100", "100,200,300,400,500", 5}, {"1000-2000:200", "1000-2000:200", 6}, {"100-900:50", "100-900:50", 17},
		{"100-200:10,201", "100,110,120,130,140,150,160,170,180,190,200-201", 12}, {"0,2,4,6,8,10,12,14,16,18,20", "0-20:2", 11},
		{"[1-3]", "1-3", 3}, {"1-3,", "1-3", 3}, {",1", "1", 1}, {"01-03", "1-3", 3}, {"0-21:2", "0-20:2", 11}, {long, long, 35},
		{"4294967295", "4294967295", 1}, {"0-4294967295", "0-4294967295", 1 << 32},
	} {
		set := mustSet(t, c.in)
		if set.String() != c.text || set.Len() != c.n {
			t.Errorf("ParseIndexSet(%q) = %d %s, want %d %s", c.in, set.Len(), set, c.n, c.text)
		}
	}
	for _, c := range []struct {
		in   string
		size int
		want string
	}{
		{long, 64, "0,2-3,5-6,8-9,11-12,14-15,17-18,20-21,23-24,26-27,29-30,32-3..."},
		{"0-200:7,300", 64, "0,7,14,21,28,35,42,49,56,63,70,77,84,91,98,105,112,119,126,1..."},
		{"0-3,5-6,8-20:3,40,50,60", 20, "0-3,5-6,8,11,14,..."}, {long, 5, "0..."}, {long, 2, "."}, {long, 0, long}, {long, -1, long}, {"0-9", 64, "0-9"},
		{"123", 4, "123"}, {"1234", 4, "..."}, {"0-20:2", 7, "0-20:2"},
	} {
		if got := mustSet(t, c.in).Text(c.size); got != c.want {
			t.Errorf("Text(%d) of %s = %s, want %s", c.size, c.in, got, c.want)
		}
	}
}

func TestIndexSetRefuses(t *testing.T) {
	for _, in := range []string{"", ",", "a", "10-5", "1-", "-1", "1-2-3", "1:2", "0-10:0", "1 - 3", "1-3;5", "0x3", "+1", "0-201", "201", "1-9:+2", "[1", "0-9:x", "99999999999"} {
		if set, err := ParseIndexSet(in, 200); !errors.Is(err, ErrnoInvalidArray) {
			t.Errorf("ParseIndexSet(%q) = %s, %v; want it refused", in, set, err)
		}
	}
	if _, err := ParseIndexSet("0-4294967295:2", math.MaxUint32); err == nil {
		t.Error("two thousand million indexes were taken one by one")
	}
}

// TestIndexSetAgainstAMap does random changes to a set and to a map.
func TestIndexSetAgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		set, ref := IndexSet{}, map[uint32]bool{}
		for range 60 {
			old, oldText := set, set.String()
			other := IndexSet{}
			for range r.IntN(4) {
				lo := uint32(r.IntN(60))
				other = other.Union(IndexSetOf(IndexRange{lo, lo + uint32(r.IntN(20)), uint32(r.IntN(4))}))
			}
			switch i := uint32(r.IntN(60)); r.IntN(8) {
			case 0:
				set = set.With(i)
				ref[i] = true
			case 1:
				set = set.Without(i)
				delete(ref, i)
			case 2:
				set = set.Union(other)
				for k := range other.All() {
					ref[k] = true
				}
			case 3:
				set = set.Minus(other)
				for k := range other.All() {
					delete(ref, k)
				}
			case 4:
				set = set.Intersect(other.With(i))
				for k := range ref {
					if k != i && !other.Contains(k) {
						delete(ref, k)
					}
				}
			case 5:
				if !set.IsEmpty() {
					var low uint32
					low, set = set.TakeLowest()
					if !ref[low] {
						t.Fatalf("took %d", low)
					}
					delete(ref, low)
				}
			case 6:
				taken, rest := set.TakeLowestN(r.IntN(8))
				if !taken.IsEmpty() && !rest.IsEmpty() && taken.Max() >= rest.Min() || taken.Len()+rest.Len() != set.Len() {
					t.Fatalf("%s falls into %s and %s", set, taken, rest)
				}
				for k := range taken.All() {
					delete(ref, k)
				}
				set = rest
			case 7:
				all := NewIndexSet(slices.Collect(set.All())...)
				if !all.Equal(set) || !set.Equal(all) || !IndexSetOf(set.Runs()...).Equal(set) {
					t.Fatalf("%s is not %s", all, set)
				}
			}
			want := slices.Sorted(func(yield func(uint32) bool) {
				for k := range ref {
					if !yield(k) {
						return
					}
				}
			})
			if got := slices.Collect(set.All()); !slices.Equal(got, want) || set.Len() != len(want) {
				t.Fatalf("%s is %v, want %v", set, got, want)
			}
			if len(want) > 0 && (set.Min() != want[0] || set.Max() != want[len(want)-1]) {
				t.Fatalf("%s: from %d to %d", set, set.Min(), set.Max())
			}
			if old.String() != oldText {
				t.Fatalf("%s was changed into %s", oldText, old)
			}
			for _, run := range set.Runs() {
				if run.Step != 1 || run.Lo > run.Hi {
					t.Fatalf("run %v of %s", run, set)
				}
			}
		}
	}
}

func TestIndexSetStride(t *testing.T) {
	for in, want := range map[string]uint32{"": 1, "5": 1, "3-7:2": 2, "1-10": 1, "1,5": 4, "1,5,10": 1, "1,3-4": 1, "0-15:4": 4} {
		if got := mustSet(t, in).Stride(); got != want {
			t.Errorf("Stride of %q = %d, want %d", in, got, want)
		}
	}
}

func TestTakeLowestDoesNotAllocate(t *testing.T) {
	for _, in := range []string{"0-200000", "0-200000:2"} {
		set := mustSet(t, in)
		if n := testing.AllocsPerRun(1000, func() { _, set = set.TakeLowest() }); n != 0 {
			t.Errorf("%s: %v allocations", in, n)
		}
	}
}

func TestIndexSetText(t *testing.T) {
	for _, in := range []string{"", "0-9", "1,5,7-9", "0-200000:2"} {
		set := mustSet(t, in)
		b, err := set.MarshalText()
		var back IndexSet
		if err != nil || back.UnmarshalText(b) != nil || !back.Equal(set) {
			t.Errorf("%q writes as %s and reads as %s", in, b, back)
		}
	}
}

func BenchmarkTakeLowest(b *testing.B) {
	full := mustSet(b, "0-200000:2")
	set := full
	for b.Loop() {
		if set.IsEmpty() {
			set = full
		}
		_, set = set.TakeLowest()
	}
}

func BenchmarkWithoutMiddleOf100000Runs(b *testing.B) {
	set := mustSet(b, "0-200000:2")
	for b.Loop() {
		set.Without(100000)
	}
}

func BenchmarkMinus100000Runs(b *testing.B) {
	set, evens := mustSet(b, "0-200000"), mustSet(b, "0-200000:2")
	for b.Loop() {
		set.Minus(evens)
	}
}

func FuzzIndexSet(f *testing.F) {
	for _, s := range []string{"0-9", "1-9:2,20", "[1,3]", "5,3,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := ParseIndexSet(s, 10000)
		if err != nil {
			return
		}
		if back, err := ParseIndexSet(set.String(), 10000); err != nil || !back.Equal(set) {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, set, back, err)
		}
	})
}

func TestParseArray(t *testing.T) {
	for in, want := range map[string]string{
		"0-15": "0-15", "0-15:4%3": "0,4,8,12%3", "0-15%4,20": "0-15,20%4", "1,2,3%2": "1-3%2", "0-9:2%2,11": "0,2,4,6,8,11%2", "0-9%0": "0-9",
		"[1-3]": "1-3", "[1-3%2]": "1-3%2", "0-200000": "0-200000", "5": "5",
		"1-3%": "1-3", "1-3%x": "1-3", "1-3%-1": "1-3", "1-3%2%3": "1-3%2", "1-3%2x": "1-3%2", "1, 3": "1,3", "1-3,[5-6]": "1-3,5-6",
	} {
		a, err := ParseArray(in, 200000)
		if err != nil || a.String() != want {
			t.Errorf("ParseArray(%q) = %s, %v; want %s", in, a, err, want)
		}
	}
	for _, in := range []string{"", "%3", "-", "1 -3", "1-3 ", "10-5", "0-200001", "a", "1-3%99999999999"} {
		if a, err := ParseArray(in, 200000); !errors.Is(err, ErrnoInvalidArray) {
			t.Errorf("ParseArray(%q) = %s, %v; want it refused", in, a, err)
		}
	}
	a, _ := ParseArray("0-200:7,300%6", 200000)
	if got := a.Text(DefaultIndexText); got != "0,7,14,21,28,35,42,49,56,63,70,77,84,91,98,105,112,119,126,1...%6" {
		t.Errorf("Text is %s", got)
	}
}

func FuzzArray(f *testing.F) {
	f.Add("0-15:4%3")
	f.Add("1,2%2,5")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseArray(s, 10000)
		if err != nil {
			return
		}
		if back, err := ParseArray(a.String(), 10000); err != nil || back.Throttle != a.Throttle || !back.Indexes.Equal(a.Indexes) {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, a, back, err)
		}
	})
}

func TestArrayNameAsSqueue(t *testing.T) {
	for _, c := range []struct{ in, bitstr, want string }{
		{"1-9:2%3", "", "700152_[1,3,5,7,9%3]"},
		{"0-200:7,300", "", "700152_[0,7,14,21,28,35,42,49,5"},
		{"100-200:10,201", "64", "700152_[100,110,120,130,140,150,160,170,180,190,200-201]"},
		{"100-200:10,201", "20", "700152_[100,110,120,130,...]"},
		{"100-200:10,201", "0", "700152_[100,110,120,130,140,150,160,170,180,190,200-201]"},
		{"100-200:10,201%6", "5", "700152_[1...%6]"},
		{"0-200:7,300", "-1", "700152_[0,7,14,21,28,35,42,49,56,63,70,77,84,91,98,105,112,119,126,1...]"},
	} {
		a, err := ParseArray(c.in, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if got := ArrayName(700152, a, c.bitstr); got != c.want {
			t.Errorf("%s with %q is %s, want %s", c.in, c.bitstr, got, c.want)
		}
	}
}
