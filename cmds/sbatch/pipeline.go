package sbatch

import (
	"errors"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/pipeline"
	"github.com/runink/rink/slurm"
)

// runPipeline submits every stage of a script as a job of its own, all or none.
func runPipeline(env *cli.Env, line *slurm.CommandLine, sc *script, in slurm.OptionInput) int {
	name := sc.label()
	p, err := pipeline.Parse(name, sc.text)
	if err != nil {
		env.Errorf("%v", err)
		return exitRefusedHere
	}
	// What the head says holds for every stage, and what a stage says of itself
	// comes over that.
	head, err := slurm.ParseScript(env.Name, sc.label(), p.Head)
	if err != nil {
		return submit.Refused(env, err, exitRefusedHere)
	}
	order := p.Order()
	needs := p.Needs(order)
	req := &rinkpb.SubmitRequest{Key: submit.NewKey(), RunName: name}
	var stages []string
	var first slurm.ClientOptions
	var clusters []string
	for i, at := range order {
		st := p.Stages[at]
		one := *head
		one.Directives = append(append([]slurm.Directive(nil), head.Directives...), slurm.Directive{Line: st.Line, Args: st.Args})
		in.Script = &one
		comps, err := line.Resolve(in)
		if err != nil {
			return submit.Refused(env, err, exitRefusedHere)
		}
		if len(comps) > 1 {
			env.Errorf("%s:%d: a stage cannot be a heterogeneous job", name, st.Line)
			return exitRefusedHere
		}
		o := &comps[0]
		if o.Refused != nil {
			env.Errorf("Batch job submission failed: %s", cli.Reason(o.Refused))
			return 1
		}
		if o.Job.Dependency.Any && len(st.Needs) > 0 {
			env.Errorf("%v", errors.New(name+": a stage with --needs cannot have a dependency with \"?\""))
			return exitRefusedHere
		}
		if !o.Job.Given["job-name"] {
			o.Job.Name = st.Name
		}
		if o.Client.Wait || o.Client.TestOnly {
			first.Wait = first.Wait || o.Client.Wait
			if o.Client.TestOnly {
				env.Errorf("--test-only does not go with a pipeline: its later stages start when earlier ones have ended")
				return exitRefusedHere
			}
		}
		if i == 0 {
			wait := first.Wait
			first, clusters = o.Client, o.Job.Clusters
			first.Wait = first.Wait || wait
		}
		job, err := request(env, o, &script{name: sc.name, text: p.Text(st), args: sc.args})
		if err != nil {
			env.Errorf("%v", err)
			return exitRefusedHere
		}
		job.Stage = st.Name
		for _, n := range needs[i] {
			job.Needs = append(job.Needs, int32(n))
		}
		req.Jobs = append(req.Jobs, job)
		stages = append(stages, st.Name)
	}
	return send(env, req, first, clusters, stages)
}
