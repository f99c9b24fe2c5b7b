package slurm

import (
	"errors"
	"testing"
)

func TestParseJobRef(t *testing.T) {
	for in, want := range map[string]JobRef{
		"12":             {Job: 12},
		"12_3":           {Job: 12, Part: RefTask, Tasks: NewIndexSet(3)},
		"12_[1-3,5]":     {Job: 12, Part: RefTasks, Tasks: NewIndexSet(1, 2, 3, 5)},
		"12_*":           {Job: 12, Part: RefAllTasks},
		"12.0":           {Job: 12, HasStep: true},
		"12_3.4":         {Job: 12, Part: RefTask, Tasks: NewIndexSet(3), Step: 4, HasStep: true},
		"12+1":           {Job: 12, Part: RefComponent, Component: 1},
		"12+1.2":         {Job: 12, Part: RefComponent, Component: 1, Step: 2, HasStep: true},
		"12.batch":       {Job: 12, Step: StepBatch, HasStep: true},
		"12_3.extern":    {Job: 12, Part: RefTask, Tasks: NewIndexSet(3), Step: StepExtern, HasStep: true},
		"12.interactive": {Job: 12, Step: StepInteractive, HasStep: true},
		"999999999":      {Job: 999999999},
	} {
		got, err := ParseJobRef(in)
		same := got.Tasks.Equal(want.Tasks) && got.Job == want.Job && got.Part == want.Part && got.Component == want.Component &&
			got.Step == want.Step && got.HasStep == want.HasStep
		if err != nil || !same || got.String() != in {
			t.Errorf("ParseJobRef(%q) = %+v %s, %v; want %+v", in, got, got, err, want)
		}
	}
	for _, in := range []string{"", "abc", "12.x", "12_", "12.", "0", "-5", "12_-1", "12_[1-", "12_[1,3%2]", "99999999999", "4294967295", "12_3+1",
		"12.batch.0", "12.0+1", "12_[]", "12+", "12_3_4", " 12", "_3", "+1", ".0", "12._", "12_[1]x", "12_x"} {
		if got, err := ParseJobRef(in); !errors.Is(err, ErrnoInvalidJobID) {
			t.Errorf("ParseJobRef(%q) = %s, %v; want it refused", in, got, err)
		}
	}
	refs, err := ParseJobRefs("12,13_[1,3],14.batch,")
	if err != nil || len(refs) != 3 || refs[1].String() != "13_[1,3]" {
		t.Errorf("ParseJobRefs: %v, %v", refs, err)
	}
	if _, err := ParseJobRefs("12,x"); err == nil {
		t.Error("ParseJobRefs took x")
	}
	if task, ok := refs[1].Task(); ok {
		t.Errorf("several tasks are one: %d", task)
	}
}

func TestJobName(t *testing.T) {
	for want, got := range map[string]string{"12": JobName(12, 0, 0, false), "12_3": JobName(15, 12, 3, false), "12_*": JobName(12, 12, 0, true)} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestStepID(t *testing.T) {
	for in, want := range map[string]StepID{"0": 0, "17": 17, "batch": StepBatch, "EXTERN": StepExtern, "interactive": StepInteractive, "TBD": StepPending} {
		var got StepID
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q is %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "x", "-1", "4294967291", "4294967290"} {
		if got, err := ParseStepID(in); err == nil {
			t.Errorf("ParseStepID(%q) = %v, want it refused", in, got)
		}
	}
}

func FuzzJobRef(f *testing.F) {
	for _, s := range []string{"12_[1-3,5].batch", "12+1.2", "12_*", "12.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseJobRef(s)
		if err != nil {
			return
		}
		if back, err := ParseJobRef(r.String()); err != nil || back.String() != r.String() || !back.Tasks.Equal(r.Tasks) {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, r, back, err)
		}
	})
}
