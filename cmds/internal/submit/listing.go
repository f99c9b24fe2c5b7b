package submit

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

// Listing prints, with --verbose, the options that took effect in the order of their
// names, each with its value.
func Listing(env *cli.Env, o *slurm.CommandOptions) {
	if o.Client.Verbose == 0 {
		return
	}
	const rule = "-------------------- --------------------"
	env.Infof("defined options")
	env.Infof(rule)
	for _, name := range slices.Sorted(maps.Keys(o.Said)) {
		env.Infof("%-20s: %s", name, said(env, o, name))
	}
	env.Infof(rule)
	env.Infof("end of defined options")
}

// said is the value of an option as the listing shows it.
func said(env *cli.Env, o *slurm.CommandOptions, name string) string {
	value, job := o.Said[name], &o.Job
	switch name {
	case "verbose":
		return strconv.Itoa(o.Client.Verbose)
	case "time":
		return job.TimeLimit.String()
	case "time-min":
		return job.TimeMin.String()
	case "begin":
		return job.Begin.Format("2006-01-02T15:04:05")
	case "deadline":
		return job.Deadline.Format("2006-01-02T15:04:05")
	case "output", "error", "input":
		if value != "" && !filepath.IsAbs(value) && env.Name == "sbatch" {
			return WorkDir(env, job.WorkDir) + "/" + value
		}
	case "gres":
		return job.Gres.Display()
	case "nodes":
		if job.MaxNodes > job.MinNodes {
			return fmt.Sprintf("%d-%d", job.MinNodes, job.MaxNodes)
		}
		return strconv.Itoa(job.MinNodes)
	case "signal":
		return strings.TrimSuffix(value, "@60") // the usual lead is not said
	case "open-mode":
		return value[:min(len(value), 1)]
	case "requeue", "no-requeue":
		return name
	case "exclusive":
		return job.Exclusive
	case "mail-type":
		return strings.Join(job.MailTypes, ",")
	case "nice":
		return strconv.Itoa(job.Nice)
	}
	return value
}
