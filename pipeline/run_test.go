package pipeline

import (
	"testing"
	"time"
)

func TestParseRunID(t *testing.T) {
	for _, c := range []struct {
		text string
		want RunID
	}{
		{"RUN-20261123-0001", RunID{"20261123", 1}},
		{"RUN-20261123-9999", RunID{"20261123", 9999}},
		{"RUN-20280229-10000", RunID{"20280229", 10000}},
		{"RUN-20261123-4294967295", RunID{"20261123", 1<<32 - 1}},
	} {
		got, err := ParseRunID(c.text)
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("ParseRunID(%q) = %+v (%s), %v; want %+v", c.text, got, got, err, c.want)
		}
	}
}

func TestParseRunIDRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                         `"" is not a run: it does not begin with RUN- (want RUN-YYYYMMDD-NNNN)`,
		"7":                        `"7" is not a run: it does not begin with RUN- (want RUN-YYYYMMDD-NNNN)`,
		"run-20261123-0001":        `"run-20261123-0001" is not a run: it does not begin with RUN- (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123":             `"RUN-20261123" is not a run: no number follows the day (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261131-0001":        `"RUN-20261131-0001" is not a run: "20261131" is not a day (want RUN-YYYYMMDD-NNNN)`,
		"RUN-+2611123-0001":        `"RUN-+2611123-0001" is not a run: "+2611123" is not a day (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123-1":           `"RUN-20261123-1" is not a run: "1" is not a number of at least four digits, from 0001 (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123-0000":        `"RUN-20261123-0000" is not a run: "0000" is not a number of at least four digits, from 0001 (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123-00001":       `"RUN-20261123-00001" is not a run: "00001" is not a number of at least four digits, from 0001 (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123-4294967296":  `"RUN-20261123-4294967296" is not a run: "4294967296" is not a number of at least four digits, from 0001 (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123-0001-again":  `"RUN-20261123-0001-again" is not a run: "0001-again" is not a number of at least four digits, from 0001 (want RUN-YYYYMMDD-NNNN)`,
		"RUN-20261123-0001,RUN-x ": `"RUN-20261123-0001,RUN-x " is not a run: "0001,RUN-x " is not a number of at least four digits, from 0001 (want RUN-YYYYMMDD-NNNN)`,
	} {
		if id, err := ParseRunID(text); err == nil || err.Error() != want {
			t.Errorf("ParseRunID(%q) = %v, %v\nwant %v", text, id, err, want)
		}
	}
}

func TestNextRunID(t *testing.T) {
	for _, c := range []struct {
		name      string
		last      RunID
		day, want string
	}{
		{"First", RunID{}, "20261123", "RUN-20261123-0001"},
		{"SameDay", RunID{"20261123", 6}, "20261123", "RUN-20261123-0007"},
		{"NextDay", RunID{"20261123", 6}, "20261124", "RUN-20261124-0001"},
		{"ClockSetBack", RunID{"20261123", 6}, "20261122", "RUN-20261123-0007"},
		{"ManyInADay", RunID{"20261123", 9999}, "20261123", "RUN-20261123-10000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := NextRunID(c.last, c.day)
			if err != nil || got.String() != c.want {
				t.Fatalf("NextRunID(%v, %s) = %v, %v; want %s", c.last, c.day, got, err, c.want)
			}
			if got.Compare(c.last) <= 0 || c.last.Compare(got) >= 0 || got.Compare(got) != 0 {
				t.Errorf("%v does not come after %v", got, c.last)
			}
		})
	}
	if id, err := NextRunID(RunID{}, "today"); err == nil {
		t.Errorf("NextRunID(today) = %v, want an error", id)
	}
	if id, err := NextRunID(RunID{"20261123", 1<<32 - 1}, "20261123"); err == nil {
		t.Errorf("NextRunID after the last number = %v, want an error", id)
	}
}

func TestDay(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)
	if got := Day(at); got != "20261123" {
		t.Errorf("Day(%v) = %s", at, got)
	}
	if got := Day(at.In(time.FixedZone("east", 3600))); got != "20261124" {
		t.Errorf("Day one zone to the east = %s", got)
	}
}

func TestRunIDText(t *testing.T) {
	for _, id := range []RunID{{}, {"20261123", 12}} {
		text, err := id.MarshalText()
		var again RunID
		if err != nil || again.UnmarshalText(text) != nil || again != id || id.IsZero() != (len(text) == 0) {
			t.Errorf("%+v: text %q reads as %+v, %v", id, text, again, err)
		}
	}
}

func TestRunJob(t *testing.T) {
	r := Run{Stages: []RunStage{{Name: "split", Job: 7}, {Name: "join", Job: 8, Needs: []string{"split"}}}}
	if id, ok := r.Job("join"); id != 8 || !ok {
		t.Errorf("Job(join) = %v, %v", id, ok)
	}
	if id, ok := r.Job("count"); ok {
		t.Errorf("Job(count) = %v, want none", id)
	}
}

func FuzzParseRunID(f *testing.F) {
	f.Add("RUN-20261123-0001")
	f.Add("RUN-20261123-10000")
	f.Add("RUN--")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseRunID(s)
		if err == nil && id.String() != s {
			t.Errorf("ParseRunID(%q) prints as %q", s, id)
		}
	})
}
