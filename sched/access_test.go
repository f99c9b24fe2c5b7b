package sched

import (
	"testing"

	"github.com/runink/rink/slurm"
)

func TestPartitionsTurnAwayByAccountAndQOS(t *testing.T) {
	for _, tt := range []struct {
		name         string
		part         Partition
		account, qos string
		want         Why
	}{
		{"Open", Partition{}, "", "", Why{}},
		{"Allowed", Partition{AllowAccounts: []string{"chem"}, AllowQOS: []string{"high"}}, "chem", "high", Why{}},
		{"NotAllowed", Partition{AllowAccounts: []string{"chem", "bio"}}, "physics", "",
			Why{Reason: slurm.ReasonAccountNotAllowed, Text: "Job's account not permitted to use this partition (p allows chem,bio not physics)"}},
		{"NoAccount", Partition{AllowAccounts: []string{"chem"}}, "", "",
			Why{Reason: slurm.ReasonAccountNotAllowed, Text: "Job's account not known, so it can't use this partition (p allows chem)"}},
		{"Denied", Partition{DenyAccounts: []string{"chem"}}, "chem", "",
			Why{Reason: slurm.ReasonAccountNotAllowed, Text: "Job's account not permitted to use this partition (p denies chem including chem)"}},
		{"NoQOS", Partition{AllowQOS: []string{"high"}}, "a", "",
			Why{Reason: slurm.ReasonQOSNotAllowed, Text: "Job's QOS not known, so it can't use this partition (p allows high)"}},
		{"QOSDenied", Partition{DenyQOS: []string{"low"}}, "a", "low",
			Why{Reason: slurm.ReasonQOSNotAllowed, Text: "Job's QOS not permitted to use this partition (p denies low including low)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.part.Name = "p"
			if got := accessBars(&Job{Account: tt.account, QOS: tt.qos}, &tt.part); got.Reason != tt.want.Reason || got.Text != tt.want.Text {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}
