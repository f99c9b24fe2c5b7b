package squeue

import (
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

// printData prints everything known of the jobs, as JSON or YAML.
func printData(env *cli.Env, o *options, v *show.View, list []*show.Job) error {
	jobs := make([]any, 0, len(list))
	for _, j := range list {
		if j = o.keep(v, j); j != nil {
			jobs = append(jobs, v.JobData(j))
		}
	}
	return v.Data(env, "jobs", jobs)
}
