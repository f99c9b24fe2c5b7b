package slurm

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestParseDependencies(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "(null)",
		"0":                            "(null)",
		"afterok:40":                   "afterok:40(unfulfilled)",
		"40":                           "afterany:40(unfulfilled)",
		"40,41_*":                      "afterany:40(unfulfilled),afterany:41_*(unfulfilled)",
		"afterok:40:41":                "afterok:40(unfulfilled),afterok:41(unfulfilled)",
		"afterok:41_2":                 "afterok:41_2(unfulfilled)",
		"40_3":                         "afterany:40_3(unfulfilled)",
		"afterok:41_[1-2]":             "afterok:41_1(unfulfilled),afterok:41_2(unfulfilled)",
		"afterok:40_[1-3,5]:40":        "afterok:40_1(unfulfilled),afterok:40_2(unfulfilled),afterok:40_3(unfulfilled),afterok:40_5(unfulfilled),afterok:40(unfulfilled)",
		"after:40+5":                   "after:40+5(unfulfilled)",
		"after:40+5:41_*+6":            "after:40+5(unfulfilled),after:41_*+6(unfulfilled)",
		"after:41_3+7":                 "after:41_3+7(unfulfilled)",
		"afterany:40+3":                "afterany:40+3(unfulfilled)",
		"afterok:40?afterany:40":       "afterok:40(unfulfilled)?afterany:40(unfulfilled)",
		"afterok:1,afterany:1?after:1": "afterok:1(unfulfilled)?afterany:1(unfulfilled)?after:1(unfulfilled)",
		"singleton":                    "singleton(unfulfilled)",
		"singleton,afterok:40":         "singleton(unfulfilled),afterok:40(unfulfilled)",
		"singleton,40":                 "singleton(unfulfilled),afterany:40(unfulfilled)",
		"afterok:40,singleton":         "afterok:40(unfulfilled),singleton(unfulfilled)",
		"singleton,singleton":          "singleton(unfulfilled)",
		"aftercorr:41":                 "aftercorr:41(unfulfilled)",
		"AFTEROK:40":                   "afterok:40(unfulfilled)",
		"expand:40":                    "expand:40(unfulfilled)",
		"afterburstbuffer:40":          "afterburstbuffer:40(unfulfilled)",
		"afterok:40:40":                "afterok:40(unfulfilled)",
		"40,40":                        "afterany:40(unfulfilled)",
		"after:40,after:40+5":          "after:40(unfulfilled)",
		"afterok: 40":                  "afterok:40(unfulfilled)",
		"afterok:999999999":            "afterok:999999999(unfulfilled)",
	} {
		d, err := ParseDependencies(in)
		got := d.Display(func(DependTerm) DependShow { return DependUnfulfilled })
		if err != nil || got != want {
			t.Errorf("ParseDependencies(%q) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestParseDependenciesRefuses(t *testing.T) {
	for _, in := range []string{"afterok", "afterok:", "afterok:abc", "nosuch:40", "40:41", "after:40+", "after:40+0", "singleton:5", "afterok:40,", ",afterok:40",
		"afterok:0", "afterok:5x", "afterok:40.0", "afterok:40::41", "afterok:40:", "afterok:40;", "40?", " afterok:40", "40+5", "afterok:40_[1", "afterok:40_",
		"afterok:-5", "after:40+99999999999", "afterok:4294967295", "?", "afterok:1_[0-4294967000]"} {
		if d, err := ParseDependencies(in); !errors.Is(err, ErrnoDependency) {
			t.Errorf("ParseDependencies(%q) = %s, %v; want it refused", in, d, err)
		}
	}
}

func TestDependenciesDisplay(t *testing.T) {
	d, err := ParseDependencies("afterok:1,afternotok:2,after:3+2,singleton")
	if err != nil || d.Terms[2].Delay != 2*time.Minute {
		t.Fatal(d, err)
	}
	got := d.Display(func(t DependTerm) DependShow {
		switch t.Job {
		case 1:
			return DependHidden
		case 2:
			return DependFailed
		}
		return DependUnfulfilled
	})
	if got != "afternotok:2(failed),after:3+2(unfulfilled),singleton(unfulfilled)" {
		t.Errorf("got %s", got)
	}
	if got := d.Display(func(DependTerm) DependShow { return DependHidden }); got != "(null)" {
		t.Errorf("nothing open prints %s", got)
	}
	if d.String() != "afterok:1,afternotok:2,after:3+2,singleton" || d.IsZero() {
		t.Errorf("it prints as %s", d)
	}
}

func FuzzDependencies(f *testing.F) {
	for _, s := range []string{"afterok:1:2,singleton", "after:1+5?afterany:2_*", "1,2_[3-5]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDependencies(s)
		if err != nil {
			return
		}
		back, err := ParseDependencies(d.String())
		if err != nil || !slices.Equal(back.Terms, d.Terms) || len(d.Terms) > 1 && back.Any != d.Any {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, d, back, err)
		}
	})
}
