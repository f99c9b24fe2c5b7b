package slurm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHostListExpandsAndCompresses(t *testing.T) {
	for _, c := range []struct{ in, hosts, text string }{
		{"", "", ""},
		{",", "", ""},
		{"a", "a", "a"},
		{"a,b,c", "a b c", "a,b,c"},
		{"a,a", "a a", "a,a"},
		{"n[1-4,7]", "n1 n2 n3 n4 n7", "n[1-4,7]"},
		{"n[001-003]", "n001 n002 n003", "n[001-003]"},
		{"n[008-012]", "n008 n009 n010 n011 n012", "n[008-012]"},
		{"n[8-012]", "n8 n9 n10 n11 n12", "n[8-12]"},
		{"n[98-101]", "n98 n99 n100 n101", "n[98-101]"},
		{"n[099-101]", "n099 n100 n101", "n[099-101]"},
		{"a[1-2]b[3-4]", "a1b3 a1b4 a2b3 a2b4", "a1b[3-4],a2b[3-4]"},
		{"rack[0-1]node[0-3]", "rack0node0 rack0node1 rack0node2 rack0node3 rack1node0 rack1node1 rack1node2 rack1node3", "rack0node[0-3],rack1node[0-3]"},
		{"a[1-2][3-4]", "a13 a14 a23 a24", "a[13-14,23-24]"},
		{"a1[2-3]", "a12 a13", "a[12-13]"},
		{"n[1-2]-ib", "n1-ib n2-ib", "n1-ib,n2-ib"},
		{"n1,n2,n4,rack0node0,rack0node1,rack1node0,rack1node1", "n1 n2 n4 rack0node0 rack0node1 rack1node0 rack1node1", "n[1-2,4],rack0node[0-1],rack1node[0-1]"},
		{"n1,m1,n2", "n1 m1 n2", "n1,m1,n2"},
		{"n3,n1,n2,n2", "n3 n1 n2 n2", "n[3,1-2,2]"},
		{"n01,n1,n2,n02,n10", "n01 n1 n2 n02 n10", "n[01,1-2,02,10]"},
		{"n09,n10,n11", "n09 n10 n11", "n[09-11]"},
		{"n9,n10,n11", "n9 n10 n11", "n[9-11]"},
		{"n009,n10", "n009 n10", "n[009,10]"},
		{"n0,n00,n1,n01", "n0 n00 n1 n01", "n[0,00,1,01]"},
		{"n[1,1,2]", "n1 n1 n2", "n[1,1-2]"},
		{"n[1-3],n[2-5]", "n1 n2 n3 n2 n3 n4 n5", "n[1-3,2-5]"},
		{"[1-3]", "1 2 3", "[1-3]"},
		{"1,2,3", "1 2 3", "[1-3]"},
		{" n1, n2\tn3\nn4 ", "n1 n2 n3 n4", "n[1-4]"},
		{"n1,,n2", "n1 n2", "n[1-2]"},
		{"n99999999999999999999", "n99999999999999999999", "n99999999999999999999"},
		{"a1b1,a1b2,a2b1,a2b2,a1b10", "a1b1 a1b2 a2b1 a2b2 a1b10", "a1b[1-2],a2b[1-2],a1b10"},
	} {
		h, err := ParseHostList(c.in)
		if err != nil {
			t.Errorf("ParseHostList(%q): %v", c.in, err)
			continue
		}
		if got := strings.Join(h.Hosts(), " "); got != c.hosts || h.String() != c.text || h.Len() != len(h.Hosts()) {
			t.Errorf("ParseHostList(%q) = %d hosts %q, %s; want %q, %s", c.in, h.Len(), got, h, c.hosts, c.text)
		}
		if got := Compress(strings.Fields(c.hosts)); got != c.text {
			t.Errorf("Compress(%q) = %s, want %s", c.hosts, got, c.text)
		}
	}
}

func TestHostListRefuses(t *testing.T) {
	for _, in := range []string{"n[3-1]", "n[1", "n1]", "n[a-b]", "n[]", "n[1-]", "n[-1]", "n[1-2-3]", "n[1-4:2]", "n[1-2]]", "n[[1-2]", "n[1-2", "n[1,]",
		"n[0-1048576]", "a[1-1025]b[1-1024]", "n[0-1048575],x", "a[1-99999]b[1-99999]c[1-99999]d[1-99999]e[1-99999]", "n[1-9999999999999999999999]"} {
		if h, err := ParseHostList(in); !errors.Is(err, ErrnoInvalidNodeName) {
			t.Errorf("ParseHostList(%q) = %d hosts, %v; want it refused", in, h.Len(), err)
		}
	}
	if h, err := ParseHostList("n[0-1048575]"); err != nil || h.Len() != MaxHosts {
		t.Errorf("the most hosts there may be: %d, %v", h.Len(), err)
	}
}

func TestHostListSorted(t *testing.T) {
	for in, want := range map[string]string{
		"n1,m1,n2":                       "m1,n[1-2]",
		"n3,n1,n2,n2":                    "n[1-2,2-3]",
		"n01,n1,n2,n02,n10":              "n[1-2,01-02,10]",
		"n009,n10":                       "n[10,009]",
		"n0,n00,n1,n01":                  "n[0-1,00-01]",
		"b1,a2b1,a1b2,a,b,a10,a9,a09,a1": "a,a[1,9,09-10],a1b2,a2b1,b,b1",
		"n10,n9,n010,n09,n1":             "n[1,9,09-10,010]",
		"n[5-9],n[1-6]":                  "n[1-5,5-6,6-9]",
		"n[3-4],n[1-2]":                  "n[1-4]",
		"":                               "",
	} {
		h, err := ParseHostList(in)
		if err != nil {
			t.Fatal(err)
		}
		s := h.Sorted()
		if s.String() != want || s.Len() != h.Len() {
			t.Errorf("%s sorted is %s, want %s", in, s, want)
		}
		if s := s.Sorted(); s.String() != want {
			t.Errorf("%s sorted twice is %s, want %s", in, s, want)
		}
	}
}

func TestHostListUniqueAndContains(t *testing.T) {
	h, err := ParseHostList("n[1-3],n[2-5],a,a,n[007-009],n4")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Unique().String(); got != "n[1-5],a,n[007-009]" {
		t.Errorf("Unique is %s", got)
	}
	for name, want := range map[string]bool{"n1": true, "n5": true, "n6": false, "n01": false, "n007": true, "n7": false, "a": true, "b": false, "n": false, "n0007": false} {
		if h.Contains(name) != want {
			t.Errorf("Contains(%q) = %v", name, !want)
		}
	}
}

func TestParseHostFile(t *testing.T) {
	h, err := ParseHostFile("# hosts\nn1\nn[2-3]*2, n4 # two\n\n2*n9\r\n")
	if err != nil || strings.Join(h.Hosts(), " ") != "n1 n2 n3 n2 n3 n4 n9 n9" {
		t.Errorf("got %q, %v", h.Hosts(), err)
	}
	for _, in := range []string{"n1*x", "n1*", "n[1", "n[1-1000]*1000000"} {
		if h, err := ParseHostFile(in); err == nil {
			t.Errorf("ParseHostFile(%q) = %d hosts, want it refused", in, h.Len())
		}
	}
}

func TestCompressTenThousandHostsQuickly(t *testing.T) {
	names := make([]string, 10000)
	for i := range names {
		names[i] = fmt.Sprintf("node%05d", i)
	}
	best := time.Hour
	for range 10 {
		start := time.Now()
		if got := Compress(names); got != "node[00000-09999]" {
			t.Fatal(got)
		}
		best = min(best, time.Since(start))
	}
	if best > 5*time.Millisecond {
		t.Errorf("took %v", best)
	}
}

func BenchmarkCompress10000(b *testing.B) {
	names := make([]string, 10000)
	for i := range names {
		names[i] = fmt.Sprintf("r%dn%d", i/40, i%40*2)
	}
	for b.Loop() {
		Compress(names)
	}
}

func BenchmarkSorted10000(b *testing.B) {
	names := make([]string, 10000)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", (i*7919)%10000)
	}
	h := HostListOf(names...)
	for b.Loop() {
		h.Sorted()
	}
}

func FuzzHostList(f *testing.F) {
	for _, s := range []string{"n[1-4,7],a", "a[1-2]b[3-4]", "n[001-010]", "n01,n1,n10", "n[8-12]-ib"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHostList(s)
		if err != nil || h.Len() > 5000 {
			return
		}
		hosts := h.Hosts()
		back, err := ParseHostList(h.String())
		if err != nil || !slices.Equal(back.Hosts(), hosts) || back.String() != h.String() {
			t.Fatalf("%q prints as %q, which reads as %q, %v", s, h, back.Hosts(), err)
		}
		sorted := h.Sorted().Hosts()
		slices.Sort(sorted)
		all := slices.Sorted(slices.Values(hosts))
		if !slices.Equal(sorted, all) {
			t.Fatalf("%q sorted has %q, want %q", s, sorted, all)
		}
		for _, name := range hosts {
			if !h.Contains(name) {
				t.Fatalf("%q does not contain %q", s, name)
			}
		}
		seen := map[string]bool{}
		for name := range h.Unique().All() {
			if seen[name] {
				t.Fatalf("%q unique has %q twice", s, name)
			}
			seen[name] = true
		}
		if len(seen) != len(slices.Compact(all)) {
			t.Fatalf("%q unique has %d hosts", s, len(seen))
		}
	})
}

func TestRunLengths(t *testing.T) {
	for text, want := range map[string][]int{"": nil, "2": {2}, "2(x3),1": {2, 2, 2, 1}, "1,2,1": {1, 2, 1}, "0(x2)": {0, 0}} {
		got, err := ParseRunLengths(text)
		if err != nil || !slices.Equal(got, want) || FormatRunLengths(want) != text {
			t.Errorf("ParseRunLengths(%q) = %v, %v; %v prints as %s", text, got, err, want, FormatRunLengths(want))
		}
	}
	for _, in := range []string{"x", "2(x", "2(x0)", "2(x)", "2(x3", "1,,2", "2(x99999999)", "-1", "2(x3)4"} {
		if got, err := ParseRunLengths(in); err == nil {
			t.Errorf("ParseRunLengths(%q) = %d numbers, want it refused", in, len(got))
		}
	}
}
