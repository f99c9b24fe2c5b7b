// Package sbatch submits batch jobs and pipelines.
package sbatch

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/pipeline"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var help string

// exitRefusedHere is sbatch's exit code for options it refuses itself, unless
// the refusal comes with its own. What the controller refuses, and scripts that
// cannot be read, are 1.
const exitRefusedHere = 255

// Run is the command.
func Run(env *cli.Env) int {
	// A first look at the command line alone says where the script is; the
	// script's own options come below the environment and the command line.
	in := submit.Input(env)
	line, err := slurm.ParseCommandLine(slurm.Sbatch, env.Name, env.Args)
	if err != nil {
		return submit.Refused(env, err, exitRefusedHere)
	}
	client := line.Client
	switch {
	case client.Help:
		fmt.Fprint(env.Stdout, help)
		return 0
	case client.Usage:
		fmt.Fprintln(env.Stdout, "Usage: sbatch [OPTIONS(0)...] [ : [OPTIONS(N)...]] script(0) [args(0)...]")
		return 0
	case client.Version:
		fmt.Fprintln(env.Stdout, cli.VersionLine())
		return 0
	}
	if err := line.Check(in); err != nil {
		return submit.Refused(env, err, exitRefusedHere)
	}
	sc, err := readScript(env, line)
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			env.Errorf("%s", line)
		}
		return 1
	}
	if !client.HasWrap && pipeline.HasStages(sc.text) {
		return runPipeline(env, line, sc, in)
	}
	if !client.HasWrap {
		parsed, err := slurm.ParseScript(env.Name, sc.label(), sc.text)
		if err != nil {
			return submit.Refused(env, err, exitRefusedHere)
		}
		in.Script = parsed
	}
	comps, err := line.Resolve(in)
	if err != nil {
		return submit.Refused(env, err, exitRefusedHere)
	}
	submit.Listing(env, &comps[0])
	req := &rinkpb.SubmitRequest{Key: submit.NewKey(), Het: len(comps) > 1}
	for first, i := &comps[0].Job, 1; i < len(comps); i++ {
		// There is one script: what a later component says of its files holds where the first says nothing.
		if first.Output == "" {
			first.Output = comps[i].Job.Output
		}
		if first.Error == "" {
			first.Error = comps[i].Job.Error
		}
	}
	for i := range comps {
		job, err := request(env, &comps[i], sc)
		if err != nil {
			var bad *slurm.OptionError
			if errors.As(err, &bad) {
				return submit.Refused(env, err, exitRefusedHere)
			}
			env.Errorf("%v", err)
			return exitRefusedHere
		}
		if i > 0 {
			job.Script = nil
		}
		req.Jobs = append(req.Jobs, job)
	}
	if comps[0].Refused != nil {
		env.Errorf("Batch job submission failed: %s", cli.Reason(comps[0].Refused))
		return 1
	}
	return send(env, req, comps[0].Client, comps[0].Job.Clusters, nil)
}

// script is what is to be run, however it was given.
type script struct {
	name string // path as given; "" for --wrap and standard input
	text []byte
	args []string
	kind string // "wrap" or "stdin" when there is no path
}

// label is what messages call the script.
func (s *script) label() string {
	if s.name == "" {
		return "stdin"
	}
	return filepath.Base(s.name)
}

// readScript gets the script: from --wrap, a file, or standard input.
func readScript(env *cli.Env, o *slurm.CommandLine) (*script, error) {
	if o.Client.HasWrap {
		if len(o.Rest) > 0 {
			return nil, errors.New("Script arguments not permitted with --wrap option")
		}
		return &script{text: slurm.WrapScript(o.Client.Wrap), kind: "wrap"}, nil
	}
	if len(o.Rest) == 0 {
		text, err := io.ReadAll(io.LimitReader(env.Stdin, slurm.MaxScriptSize+1))
		if err != nil {
			return nil, fmt.Errorf("Error reading script from stdin: %w", err)
		}
		return &script{text: text, kind: "stdin"}, nil
	}
	path := o.Rest[0]
	full := findScript(env, path)
	if abs, err := filepath.Abs(full); err == nil {
		if info, err := os.Stat(full); err == nil {
			path = abs // one that is there is called by its whole name
			if info.IsDir() {
				return nil, errors.New("Batch script is empty!")
			}
		}
	}
	f, err := os.Open(full)
	if err != nil {
		return nil, fmt.Errorf("Unable to open file %s", path)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, slurm.MaxScriptSize+1))
	if err != nil {
		return nil, fmt.Errorf("Error reading file %s", path)
	}
	if strings.HasPrefix(full, "./") || strings.HasPrefix(full, "../") {
		// stays as it was typed, as in Slurm
	} else if full, err = filepath.Abs(full); err != nil {
		return nil, err
	}
	return &script{name: full, text: text, args: o.Rest[1:]}, nil
}

// findScript looks a script up: as a path, and without a slash in the current
// directory and then along PATH.
func findScript(env *cli.Env, name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		return name
	}
	for _, dir := range filepath.SplitList(env.Getenv("PATH")) {
		full := filepath.Join(dir, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() {
			return full
		}
	}
	return name
}

// request is one job of a submission.
func request(env *cli.Env, o *slurm.CommandOptions, sc *script) (*rinkpb.JobRequest, error) {
	o.Job.WorkDir = submit.WorkDir(env, o.Job.WorkDir)
	if o.Job.Name == "" && !o.Job.Given["job-name"] {
		switch {
		case sc.kind == "wrap":
			o.Job.Name = "wrap"
		case sc.kind == "stdin":
			o.Job.Name = "sbatch"
		}
	}
	vars, err := submit.Environment(env, &o.Job)
	if err != nil {
		return nil, &slurm.OptionError{Lines: []string{env.Name + ": error: " + err.Error()}, Exit: 1}
	}
	// Where it was submitted, which --chdir does not change.
	vars = submit.Merge(vars, []string{"SLURM_SUBMIT_DIR=" + submit.WorkDir(env, ""), submit.PrioProcess()})
	job := &rinkpb.JobRequest{
		Options: api.JobOptionsToProto(&o.Job), Script: sc.text, ScriptName: sc.name, ScriptArgs: sc.args, Env: vars, Batch: true,
	}
	if err := submit.Whereabouts(env, job, o); err != nil {
		return nil, err
	}
	return job, nil
}

// send submits, and prints what people and programs wait for: one line a job.
func send(env *cli.Env, req *rinkpb.SubmitRequest, o slurm.ClientOptions, clusters, stages []string) int {
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("Batch job submission failed: %s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if !submit.OnCluster(env, client, clusters) {
		return 1
	}
	if o.TestOnly {
		return testOnly(env, client, req, o.Quiet > 0)
	}
	reply, err := submit.Send(env, client, req)
	if err != nil {
		env.Errorf("Batch job submission failed: %s", cli.Reason(err))
		return 1
	}
	for _, line := range reply.Messages {
		fmt.Fprintf(env.Stderr, "%s: %s\n", env.Name, line)
	}
	if err := cli.StatusErr(reply.Status); err != nil {
		for _, d := range reply.Status.Details {
			env.Errorf("%s", d)
		}
		if errors.Is(err, slurm.ErrnoInvalidGres) {
			env.Errorf("%s", cli.Reason(err)) // which Slurm's commands find by themselves
			return 1
		}
		env.Errorf("Batch job submission failed: %s", cli.Reason(err))
		return 1
	}
	ids := reply.Ids
	if req.Het {
		ids = ids[:1]
	}
	switch {
	case o.Parsable && o.Quiet > 0 && reply.Run == "": // quiet is stronger
	case o.Parsable && reply.Run != "":
		fmt.Fprintln(env.Stdout, reply.Run)
		for i, id := range ids {
			fmt.Fprintf(env.Stdout, "%d;%s\n", id, stages[i])
		}
	case o.Parsable && len(clusters) > 0:
		fmt.Fprintf(env.Stdout, "%d;%s\n", ids[0], client.Cluster)
	case o.Parsable:
		fmt.Fprintln(env.Stdout, ids[0])
	default:
		if reply.Run != "" {
			fmt.Fprintln(env.Stdout, reply.Run)
		}
		if o.Quiet == 0 {
			on := ""
			if len(clusters) > 0 {
				on = " on cluster " + client.Cluster
			}
			for _, id := range ids {
				fmt.Fprintf(env.Stdout, "Submitted batch job %d%s\n", id, on)
			}
		}
	}
	if o.Wait {
		return wait(env, client, ids)
	}
	return 0
}

// testOnly says when and where the job would start; of a heterogeneous one when the last
// of its components could, and what they have together.
func testOnly(env *cli.Env, client *cli.Client, req *rinkpb.SubmitRequest, quiet bool) int {
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	var all rinkpb.TestOnlyReply
	for i := range req.Jobs {
		one, err := client.TestOnly(ctx, &rinkpb.SubmitRequest{Key: req.Key, Jobs: req.Jobs[i : i+1]})
		for _, line := range one.GetStatus().GetDetails() {
			env.Errorf("%s", line)
		}
		if err == nil {
			err = cli.StatusErr(one.Status)
		} else {
			err = cli.CallErr(err)
		}
		if err != nil {
			fmt.Fprintf(env.Stderr, "allocation failure: %s\n", cli.Reason(err))
			return 1
		}
		if i == 0 {
			all.Job = one.Job
		}
		all.Start, all.Cpus, all.Partition = max(all.Start, one.Start), all.Cpus+one.Cpus, one.Partition
		all.Nodes = append(all.Nodes, one.Nodes...)
	}
	if quiet {
		return 0
	}
	slices.Sort(all.Nodes)
	all.Nodes = slices.Compact(all.Nodes)
	where := fmt.Sprintf("nodes %s in partition %s", slurm.Compress(all.Nodes), all.Partition)
	if req.Het {
		where = slurm.Compress(all.Nodes)
	}
	env.Infof("Job %d to start at %s using %d processors on %s",
		all.Job, time.Unix(0, all.Start).Format("2006-01-02T15:04:05"), all.Cpus, where)
	return 0
}

// wait stays until the jobs have ended and returns the worst exit code, as
// --wait promises: of an array the highest of its tasks.
func wait(env *cli.Env, client *cli.Client, ids []uint32) int {
	worst := 0
	for _, id := range ids {
		worst = max(worst, waitOne(env, client, id))
	}
	return worst
}

func waitOne(env *cli.Env, client *cli.Client, id uint32) int {
	for {
		ctx, cancel := env.Call(time.Minute)
		jobs, err := cli.ListJobs(ctx, client, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: id}}, Ended: true})
		cancel()
		if err != nil && !cli.Is(err, slurm.ErrnoInvalidJobID) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, cli.ErrUnreachable) {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
		if cli.Is(err, slurm.ErrnoInvalidJobID) {
			return 0 // it ended and was forgotten between two looks
		}
		done, worst := err == nil, 0
		for _, j := range jobs {
			if !j.State.Ended() || j.State.Has(slurm.JobCompleting) {
				done = false
				break
			}
			code := int(j.ExitCode.Code)
			if j.ExitCode.Signal != 0 {
				code = 1 // as Slurm, which does not say which
			}
			worst = max(worst, code)
		}
		if done {
			return worst
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-env.Ctx.Done():
			return 1
		}
	}
}
