package ctld

import (
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// What AccountingStorageEnforce wants not to be kept is not kept.
func TestKeptRecords(t *testing.T) {
	job := &rinkpb.Record{Job: &rinkpb.Job{Id: 1}}
	step := &rinkpb.Record{Job: &rinkpb.Job{Id: 1}, Steps: []*rinkpb.Step{{Id: 2}}}
	other := &rinkpb.Record{}
	for _, c := range []struct {
		name    string
		enforce slurm.AccountingEnforce
		want    int
	}{
		{"OKAll", slurm.AccountingEnforce{Associations: true}, 3},
		{"OKNoSteps", slurm.AccountingEnforce{NoSteps: true}, 2},
		{"OKNoJobs", slurm.AccountingEnforce{NoJobs: true, NoSteps: true}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := kept([]*rinkpb.Record{job, step, other}, c.enforce); len(got) != c.want {
				t.Errorf("%d records are kept, want %d", len(got), c.want)
			}
		})
	}
}
