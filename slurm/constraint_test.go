package slurm

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseConstraint(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "fast": "fast", "fast&ib": "fast&ib", "fast|slow": "fast|slow", "[fast|slow]": "[fast|slow]", "fast*1": "fast*1",
		"[fast*1&slow*1]": "[fast*1&slow*1]", "(fast&ib)|slow": "(fast&ib)|slow", "(fast|slow)&ib": "(fast|slow)&ib", "fast&": "fast", "fast|": "fast",
		"fast,ib": "fast&ib", "[fast*1&slow*1]&ib": "[fast*1&slow*1]&ib", "ib&[fast|slow]": "ib&[fast|slow]", "[(fast&ib)|slow]": "[(fast&ib)|slow]",
		"[(fast&ib)*1&(slow)*1]": "[(fast&ib)*1&(slow)*1]", "fast&(ib|eth)&rack1": "fast&(ib|eth)&rack1", "fast*1&slow*1": "fast*1&slow*1",
		"fast|slow*2": "fast|slow*2", "(fast&ib)|(slow&eth)": "(fast&ib)|(slow&eth)", "a&b|c&d": "a&b|c&d", "(fast)": "(fast)", "[fast]": "[fast]", "[fast*2]": "[fast*2]",
		"a=b&c-d.e": "a=b&c-d.e",
	} {
		c, err := ParseConstraint(in)
		if err != nil || c.String() != want {
			t.Errorf("ParseConstraint(%q) = %s, %v; want %s", in, c, err, want)
		}
	}
	for _, in := range []string{"((fast))", "!fast", "-fast", "&fast", "|", "[fast", "fast]", "(fast", "fast)", "fast ib", "fast & ib", "fast*0", "fast*x", "fast*1*2",
		"fast&&ib", `"fast"`, "[fast&ib]", "[fast*1|slow*1]", "[fast|slow]&[ib|eth]", "fast*", "*2", "()", "[]", "fast(ib)", "(fast*1&ib)", "[a|b&c]", "[a*1&b]",
		"[(a*1)]", "([a|b])", "[[a]]", "(a&)", "[a|]", "a*99999999999", "a[b]"} {
		if c, err := ParseConstraint(in); !errors.Is(err, ErrnoInvalidFeature) {
			t.Errorf("ParseConstraint(%q) = %s, %v; want it refused", in, c, err)
		}
	}
}

func TestConstraintIsATree(t *testing.T) {
	feature := func(name string) Constraint { return Constraint{Op: ConstraintFeature, Name: name} }
	a, b, c := feature("a"), feature("b"), feature("c")
	a2, b4 := a, b
	a2.Count, b4.Count = 2, 4
	group := Constraint{Op: ConstraintOr, Kids: []Constraint{a, b}, Group: true}
	for in, want := range map[string]Constraint{
		"":          {},
		"a":         a,
		"a*2":       a2,
		"a&b&c":     {Op: ConstraintAnd, Kids: []Constraint{a, b, c}},
		"a&b|c":     {Op: ConstraintOr, Kids: []Constraint{{Op: ConstraintAnd, Kids: []Constraint{a, b}}, c}},
		"a|b&c":     {Op: ConstraintAnd, Kids: []Constraint{{Op: ConstraintOr, Kids: []Constraint{a, b}}, c}},
		"(a|b)&c":   {Op: ConstraintAnd, Kids: []Constraint{group, c}},
		"c&(a|b)":   {Op: ConstraintAnd, Kids: []Constraint{c, group}},
		"[a|b]":     {Op: ConstraintOneOf, Kids: []Constraint{a, b}},
		"[(a|b)|c]": {Op: ConstraintOneOf, Kids: []Constraint{group, c}},
		"[a*2&b*4]": {Op: ConstraintCounts, Kids: []Constraint{a2, b4}},
		"[a|b]&c":   {Op: ConstraintAnd, Kids: []Constraint{{Op: ConstraintOneOf, Kids: []Constraint{a, b}}, c}},
	} {
		got, err := ParseConstraint(in)
		if err != nil || !reflect.DeepEqual(got, want) || got.IsZero() != (in == "") {
			t.Errorf("ParseConstraint(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	got, _ := ParseConstraint("(a&b)|[a|c*1]")
	if !got.IsZero() {
		t.Errorf("a mixed bracket was taken: %s", got)
	}
	got, _ = ParseConstraint("(b&a)|a&[b|c]")
	if names := strings.Join(got.Features(), " "); names != "b a c" {
		t.Errorf("features %s", names)
	}
}

func FuzzConstraint(f *testing.F) {
	for _, s := range []string{"(a&b)|c", "[a*2&b*4]&c", "[a|(b&c)]", "a,b|c*3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConstraint(s)
		if err != nil {
			return
		}
		if back, err := ParseConstraint(c.String()); err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("%q prints as %s, which reads as %+v, %v", s, c, back, err)
		}
	})
}

func TestParseSignal(t *testing.T) {
	for in, want := range map[string]SignalSpec{
		"TERM":       {Num: 15, Before: 60},
		"15":         {Num: 15, Before: 60},
		"SIGTERM":    {Num: 15, Before: 60},
		"term":       {Num: 15, Before: 60},
		"Usr1@60":    {Num: 10, Before: 60},
		"B:USR1@10":  {Num: 10, Before: 10, Shell: true},
		"R:USR2":     {Num: 12, Before: 60, ResvOverlap: true},
		"RB:USR1@10": {Num: 10, Before: 10, Shell: true, ResvOverlap: true},
		"BR:10@5":    {Num: 10, Before: 5, Shell: true, ResvOverlap: true},
		"b:usr1":     {Num: 10, Before: 60, Shell: true},
		"usr2@":      {Num: 12, Before: 60},
		"64@65535":   {Num: 64, Before: 65535},
		"INT@0":      {Num: 2},
	} {
		got, err := ParseSignal(in)
		if err != nil || got != want {
			t.Errorf("ParseSignal(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if back, err := ParseSignal(got.String()); err != nil || back != got {
			t.Errorf("%q prints as %s, which reads as %+v, %v", in, got, back, err)
		}
	}
	for _, in := range []string{"", "XYZ", "B:R:10", "@60", "USR1@x", "USR1@-1", "0", "65", "RTMIN", "USR1@65536", "CHLD", "SEGV", "BB:10", "X:10", ":", "SIG", "SIGSIGTERM", "SIG15"} {
		if got, err := ParseSignal(in); err == nil {
			t.Errorf("ParseSignal(%q) = %s, want it refused", in, got)
		}
	}
	if SignalName(9) != "KILL" || SignalName(40) != "40" || (SignalSpec{}).String() != "" {
		t.Error("names of signals")
	}
}

func FuzzSignal(f *testing.F) {
	f.Add("RB:USR1@10")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseSignal(s)
		if err != nil {
			return
		}
		if back, err := ParseSignal(v.String()); err != nil || back != v {
			t.Fatalf("%q prints as %s, which reads as %+v, %v", s, v, back, err)
		}
	})
}
