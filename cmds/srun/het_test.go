package srun

import (
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

func TestPartsInside(t *testing.T) {
	het := []string{"SLURM_HET_SIZE=2", "SLURM_JOB_ID_HET_GROUP_0=7", "SLURM_JOB_ID_HET_GROUP_1=8"}
	for name, c := range map[string]struct {
		vars   []string
		groups [][]int // of each component of the call
		want   []slurm.JobID
		err    string
	}{
		"OK":                {nil, [][]int{nil}, []slurm.JobID{7}, ""},
		"OKFirstOfHet":      {het, [][]int{nil}, []slurm.JobID{7}, ""},
		"OKNamed":           {het, [][]int{{1}}, []slurm.JobID{8}, ""},
		"OKOneCommandTwice": {het, [][]int{{0, 1}}, []slurm.JobID{7, 8}, ""},
		"OKAll":             {het, [][]int{{-1}}, []slurm.JobID{7, 8}, ""},
		"OKEachItsOwn":      {het, [][]int{nil, nil}, []slurm.JobID{7, 8}, ""},
		"OKTurned":          {het, [][]int{{1}, {0}}, []slurm.JobID{8, 7}, ""},
		"ErrNoSuchGroup":    {het, [][]int{{2}}, nil, "exceeds highest hetjob index (2 > 1)"},
		"OKTwoStepsOfOne":   {nil, [][]int{nil, nil}, []slurm.JobID{7, 7}, ""},
		"ErrNotHet":         {nil, [][]int{{0}}, nil, "No directives to start application"},
		"ErrNotHetNoSuch":   {nil, [][]int{{1}}, nil, "exceeds highest hetjob index (1 > 0)"},
	} {
		t.Run(name, func(t *testing.T) {
			comps := make([]slurm.CommandOptions, len(c.groups))
			for i, g := range c.groups {
				comps[i].Client.HetGroups = g
				comps[i].Job.Given = map[string]bool{}
			}
			parts, err := partsInside(&cli.Env{Vars: c.vars}, comps, 7)
			if err != nil || c.err != "" {
				if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q in it", err, c.err)
				}
				return
			}
			var got []slurm.JobID
			for _, p := range parts {
				got = append(got, p.job)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("steps on jobs %v, want %v", got, c.want)
			}
		})
	}
}
