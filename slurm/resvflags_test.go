package slurm

import "testing"

func TestParseResvFlags(t *testing.T) {
	for _, tt := range []struct {
		in, set, clear string
		purge          Duration
		bad            bool
	}{
		{in: "maint,ignore_jobs", set: "MAINT,IGNORE_JOBS"},
		{in: "MAINT,DAILY,Any_Nodes", set: "MAINT,DAILY,ANY_NODES"},
		{in: "spec_nodes", bad: true},
		{in: "purge_comp", set: "PURGE_COMP=00:05:00", purge: 300},
		{in: "PURGE_COMP=10:30,replace_down", set: "REPLACE_DOWN,PURGE_COMP=00:10:30", purge: 630},
		{in: "-daily,+overlap", set: "OVERLAP", clear: "DAILY"},
		{in: "no_daily,no_hold_jobs_after", set: "NO_HOLD_JOBS_AFTER_END", clear: "DAILY"},
		{in: "license_only", set: "ANY_NODES"},
		{in: "static,time_float", set: "STATIC,TIME_FLOAT"},
		{in: "weekd", set: "WEEKDAY"},
		{in: "bogus", bad: true},
		{in: "week", bad: true},
		{in: "daily=3", bad: true},
		{in: "purge_comp=x", bad: true},
		{in: "", bad: true},
	} {
		c, err := ParseResvFlags(tt.in)
		if (err != nil) != tt.bad {
			t.Errorf("%q: error %v", tt.in, err)
			continue
		}
		if err == nil && (c.Set.Shown(c.Purge) != tt.set || c.Clear.String() != tt.clear || c.Purge != tt.purge) {
			t.Errorf("%q: set %s, clear %s, purge %d", tt.in, c.Set.Shown(c.Purge), c.Clear, c.Purge)
		}
	}
}

// What is printed reads back as what it was.
func FuzzResvFlags(f *testing.F) {
	f.Add(uint64(1), int64(60))
	f.Add(uint64(ResvPurgeComp|ResvDaily), int64(630))
	f.Fuzz(func(t *testing.T, bits uint64, purge int64) {
		flags := ResvFlags(bits) & (1<<len(resvFlagNames) - 1) &^ (ResvSpecNodes | ResvAllNodes)
		d := Duration(purge)
		if flags == 0 || d <= 0 || d > 1<<30 {
			return
		}
		if !flags.Has(ResvPurgeComp) {
			d = 0
		}
		c, err := ParseResvFlags(flags.Shown(d))
		if err != nil || c.Set != flags || c.Purge != d {
			t.Errorf("%s reads as %s, %d, %v", flags.Shown(d), c.Set, c.Purge, err)
		}
	})
}
