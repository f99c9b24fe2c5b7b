package sched

import (
	"strings"
	"testing"
)

func TestUnknownPolicyIsRefused(t *testing.T) {
	text := strings.TrimLeft(testConf, "\n") + "SchedulerPolicy=Fastest\n" + testNodes
	_, _, err := configOf(t, text, "")
	if want := "slurm.conf:10: cannot use SchedulerPolicy=Fastest: it is none of " + strings.Join(Policies, ", "); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	for _, name := range append([]string{"EASY"}, Policies...) {
		if _, _, err := configOf(t, testConf+"SchedulerPolicy="+name+"\n"+testNodes, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
