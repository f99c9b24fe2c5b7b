package scontrol

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// act holds, releases, requeues, suspends, resumes or puts ahead the jobs that
// the words name: lists of ids, or JobName=NAME.
func (c *call) act(action rinkpb.ActRequest_Action, args []string) int {
	code := 0
	req := rinkpb.ActRequest{Action: action}
	for _, arg := range args {
		key, value, given := strings.Cut(arg, "=")
		switch {
		case strings.EqualFold(arg, "incomplete") && isRequeue(action):
			req.Incomplete = true
			continue
		case given && strings.EqualFold(key, "state") && isRequeue(action) &&
			(strings.EqualFold(value, "SpecialExit") || strings.EqualFold(value, "SE")):
			req.SpecialExit = true
			continue
		}
		one := &rinkpb.ActRequest{Action: action, Incomplete: req.Incomplete, SpecialExit: req.SpecialExit}
		list := arg
		if given {
			switch strings.ToLower(key) {
			case "jobid", "job":
				list = value
			case "jobname", "name":
				one.Names, list = strings.Split(value, ","), ""
			default:
				list = arg
			}
		}
		if !c.actOn(one, list) {
			code = 1
		}
	}
	return code
}

func isRequeue(a rinkpb.ActRequest_Action) bool {
	return a == rinkpb.ActRequest_REQUEUE || a == rinkpb.ActRequest_REQUEUEHOLD
}

// actOn asks for one action on the jobs of a list, and says what could not be
// done.
func (c *call) actOn(req *rinkpb.ActRequest, list string) bool {
	if list != "" {
		refs, err := slurm.ParseJobRefs(list)
		if err != nil || len(refs) == 0 || slices.ContainsFunc(refs, func(r slurm.JobRef) bool { return r.HasStep }) {
			c.refused(req.Action, list, slurm.ErrnoInvalidJobID, true)
			return false
		}
		req.Refs = show.Refs(refs)
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Act(ctx, req)
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		c.refused(req.Action, show.Or(list, strings.Join(req.Names, ",")), cli.CallErr(err), true)
		return false
	}
	plain := c.ofTasks(reply.Outcomes)
	ok, last := len(plain.failed) == 0, "No error"
	for _, out := range plain.failed {
		c.refused(req.Action, out.What, cli.StatusErr(out.Status), false)
		if out == reply.Outcomes[len(reply.Outcomes)-1] {
			last = cli.Reason(cli.StatusErr(out.Status))
		}
	}
	if !ok {
		c.suspendError(req.Action, last)
	}
	return ok && !plain.said
}

// told is what is left to say of outcomes.
type told struct {
	failed []*rinkpb.Outcome
	said   bool // what became of tasks of an array has been said
}

// ofTasks says what became of the tasks of arrays of which some could not be
// acted on, one line for all that came to the same, and returns the other
// outcomes that failed. Who may not touch a job is told so of the job.
func (c *call) ofTasks(list []*rinkpb.Outcome) told {
	var rest told
	done := map[string]bool{}
	for _, out := range list {
		err := cli.StatusErr(out.Status)
		if out.Array == 0 || cli.Is(err, slurm.ErrnoUserIDMissing) || cli.Is(err, slurm.ErrnoAccessDenied) {
			if err != nil && !done[out.What+err.Error()] {
				done[out.What+err.Error()] = true
				rest.failed = append(rest.failed, out)
			}
			continue
		}
		if err == nil || done[out.What] {
			continue
		}
		done[out.What], rest.said = true, true
		var words []string
		tasks := map[string]slurm.IndexSet{}
		for _, same := range list {
			if same.What != out.What {
				continue
			}
			word := "No error"
			if err := cli.StatusErr(same.Status); err != nil {
				word = cli.Reason(err)
			}
			set, _ := api.IndexSetFromProto(same.Tasks)
			if _, ok := tasks[word]; !ok {
				words = append(words, word)
			}
			tasks[word] = tasks[word].Union(set)
		}
		slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(tasks[a].Min(), tasks[b].Min()) })
		for _, word := range words {
			if !c.o.quiet {
				fmt.Fprintf(c.env.Stderr, "%d_%s: %s\n", out.Array, tasks[word], word)
			}
		}
	}
	return rest
}

// refused says why a job could not be acted on, in the words of each action.
func (c *call) refused(action rinkpb.ActRequest_Action, job string, err error, last bool) {
	if c.o.quiet {
		return
	}
	reason := cli.Reason(err)
	switch action {
	case rinkpb.ActRequest_SUSPEND, rinkpb.ActRequest_RESUME:
		fmt.Fprintf(c.env.Stderr, "%s for job %s\n", reason, job)
		return
	}
	fmt.Fprintf(c.env.Stderr, "%s for job %s\n", reason, job)
	if last {
		c.suspendError(action, reason)
	}
}

// suspendError is the line that follows what could not be held or released: the
// reason of the last job named, whether it failed or not.
func (c *call) suspendError(action rinkpb.ActRequest_Action, reason string) {
	switch action {
	case rinkpb.ActRequest_HOLD, rinkpb.ActRequest_UHOLD, rinkpb.ActRequest_RELEASE, rinkpb.ActRequest_NONE:
		if !c.o.quiet {
			fmt.Fprintf(c.env.Stderr, "slurm_suspend error: %s\n", reason)
		}
	}
}

// waitJob waits until the nodes of a job are ready for it.
func (c *call) waitJob(args []string) int {
	ref, err := slurm.ParseJobRef(args[0])
	if err != nil {
		fmt.Fprintf(c.env.Stderr, "Invalid job_id %s", args[0])
		return 1
	}
	for {
		jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: show.Refs([]slurm.JobRef{ref})})
		if err != nil {
			c.env.Infof("Problem running job %s", args[0])
			return 1
		}
		ready := true
		for _, j := range jobs {
			if j.HasEnded() {
				c.env.Infof("Job %s no longer running", args[0])
				return 1
			}
			ready = ready && j.IsRunning() && !j.State.Has(slurm.JobConfiguring)
		}
		if ready && len(jobs) > 0 {
			c.env.Infof("Nodes are ready for job %s", args[0])
			return 0
		}
		ctx, cancel := c.env.Call(time.Second)
		<-ctx.Done()
		cancel()
		if c.env.Ctx != nil && c.env.Ctx.Err() != nil {
			return 1
		}
	}
}

// completing lists the jobs that are completing and the nodes they still have.
func (c *call) completing([]string) int {
	jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Hidden: true})
	if err != nil {
		return c.failed("slurm_load_jobs error", err)
	}
	for _, j := range jobs {
		if j.IsCompleting() {
			fmt.Fprintf(c.env.Stdout, "JobId=%d EndTime=%s CompletingTime=%s Nodes(COMPLETING)=%s\n",
				j.ID, c.view.Time(j.End, "Unknown"), show.Seconds(c.view.Now.Sub(j.End)), show.CompressNodes(j.Completing))
		}
	}
	return 0
}

// listJobs and listSteps list what runs on a node, or anywhere.
func (c *call) listJobs(args []string) int { return c.onNode(args, false) }
func (c *call) listSteps(args []string) int {
	return c.onNode(args, true)
}

func (c *call) onNode(args []string, steps bool) int {
	jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Hidden: true, Steps: steps})
	if err != nil {
		return c.failed("slurm_load_jobs error", err)
	}
	here := func(nodes []string) bool {
		if len(args) == 0 {
			return true
		}
		for _, n := range nodes {
			if n == args[0] {
				return true
			}
		}
		return false
	}
	head := "JOBID"
	var lines []string
	for _, j := range jobs {
		if !j.Holds() {
			continue
		}
		if !steps {
			names := make([]string, len(j.Alloc))
			for i, a := range j.Alloc {
				names[i] = string(a.Node)
			}
			if here(names) {
				lines = append(lines, j.ID.String())
			}
			continue
		}
		head = "JOBID        STEPID"
		for _, s := range show.Steps(j) {
			names := make([]string, len(s.Nodes))
			for i, n := range s.Nodes {
				names[i] = string(n.Node)
			}
			if here(names) {
				lines = append(lines, fmt.Sprintf("%-12s %s", j.ID, s.ID))
			}
		}
	}
	if len(lines) == 0 {
		c.env.Errorf("no jobs or steps found")
		return 1
	}
	return c.print(head + "\n" + strings.Join(lines, "\n") + "\n")
}
