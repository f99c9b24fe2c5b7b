package sbatch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/slurm"
)

// Text is a submission that comes from a program over the network. What it asks for is
// in options, as on a command line, components one behind the other with ":" between;
// of the script's own directives, and of the variables of who passes it on, nothing
// counts.
type Text struct {
	Options []string
	Script  []byte
	Args    []string   // of the script
	Vars    [][]string // the environment of each component
}

// SubmitText submits and returns the job's id, that of the first component, and what the
// controller said besides.
func SubmitText(env *cli.Env, t Text) (id uint32, messages []string, err error) {
	line, err := slurm.ParseCommandLine(slurm.Sbatch, env.Name, append(t.Options, "script"))
	if err != nil {
		return 0, nil, err
	}
	in := submit.Input(env)
	in.Env, in.Root = func(string) (string, bool) { return "", false }, false
	in.ReadFile = func(path string) ([]byte, error) {
		return nil, fmt.Errorf("%s: files of this host are not read for others", path)
	}
	if err := line.Check(in); err != nil {
		return 0, nil, err
	}
	comps, err := line.Resolve(in)
	if err != nil {
		return 0, nil, err
	}
	if len(comps) != len(t.Vars) {
		return 0, nil, fmt.Errorf("%d components have %d environments", len(comps), len(t.Vars))
	}
	req := &rinkpb.SubmitRequest{Key: submit.NewKey(), Het: len(comps) > 1}
	for i := range comps {
		o := &comps[i]
		if o.Refused != nil {
			return 0, nil, o.Refused
		}
		job := &rinkpb.JobRequest{
			Options: api.JobOptionsToProto(&o.Job), ScriptArgs: t.Args, Batch: true,
			Env: append(slices.Clone(t.Vars[i]), "SLURM_SUBMIT_DIR="+o.Job.WorkDir, submit.PrioProcess()),
		}
		if i == 0 {
			job.Script = t.Script
		}
		if err := submit.Whereabouts(env, job, o); err != nil {
			return 0, nil, err
		}
		req.Jobs = append(req.Jobs, job)
	}
	client, err := cli.Connect(env)
	if err != nil {
		return 0, nil, err
	}
	defer client.Close()
	reply, err := submit.Send(env, client, req)
	if err != nil {
		return 0, nil, err
	}
	if err := cli.StatusErr(reply.Status); err != nil {
		return 0, reply.Messages, err
	}
	if len(reply.Ids) == 0 {
		return 0, nil, fmt.Errorf("the controller took the job and gave no id: %s", strings.Join(reply.Messages, "; "))
	}
	return reply.Ids[0], reply.Messages, nil
}
