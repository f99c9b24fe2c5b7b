package scontrol

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// control asks the controller to do something to the daemons.
func (c *call) control(req *rinkpb.ControlRequest) error {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Control(ctx, req)
	if err != nil {
		return cli.CallErr(err)
	}
	return cli.StatusErr(reply.Status)
}

// onNodes takes nodes=LIST out of the words.
func onNodes(args []string) (rest []string, nodes string) {
	for _, a := range args {
		if key, value, ok := strings.Cut(a, "="); ok && strings.EqualFold(key, "nodes") {
			nodes = value
		} else {
			rest = append(rest, a)
		}
	}
	return rest, nodes
}

// setDebug is "setdebug LEVEL [nodes=LIST]".
func (c *call) setDebug(args []string) int {
	words, nodes := onNodes(args)
	if len(words) != 1 || !slurm.ValidLogLevel(words[0]) {
		fmt.Fprintf(c.env.Stderr, "invalid debug level: %s\n", strings.Join(words, " "))
		return 1
	}
	if err := c.control(&rinkpb.ControlRequest{What: rinkpb.ControlRequest_SETDEBUG, Level: words[0], Nodes: nodes}); err != nil {
		return c.failed("slurm_set_debug_level error", err)
	}
	return 0
}

// setDebugFlags is "setdebugflags +NAME|-NAME ... [nodes=LIST]".
func (c *call) setDebugFlags(args []string) int {
	words, nodes := onNodes(args)
	for _, w := range words {
		if w[0] != '+' && w[0] != '-' || !slurm.ValidDebugFlag(w[1:]) {
			if w[0] != '+' && w[0] != '-' {
				fmt.Fprintf(c.env.Stderr, "invalid debug flag: %s\nUsage: setdebugflags [+|-]NAME\n", w)
				return 1
			}
			first, _, _ := strings.Cut(w[1:], ",")
			c.env.Errorf("Invalid DebugFlag: %s", first)
			fmt.Fprintf(c.env.Stderr, "invalid debug flag: %s\n", w)
			return 1
		}
	}
	if err := c.control(&rinkpb.ControlRequest{What: rinkpb.ControlRequest_DEBUGFLAGS, Flags: words, Nodes: nodes}); err != nil {
		return c.failed("slurm_set_debug_flags error", err)
	}
	return 0
}

// schedLogLevel is "schedloglevel 0|1|enable|disable": there is no log of the
// scheduler apart.
func (c *call) schedLogLevel(args []string) int {
	switch strings.ToLower(args[0]) {
	case "0", "1", "enable", "disable":
		return c.failed("slurm_set_schedlog_level error", slurm.ErrnoDisabled)
	}
	fmt.Fprintf(c.env.Stderr, "invalid schedlog level: %s\n", args[0])
	return 1
}

// shutdown is "shutdown [slurmctld|controller]": without a word the agents are
// stopped too. Jobs go on.
func (c *call) shutdown(args []string) int {
	req := &rinkpb.ControlRequest{What: rinkpb.ControlRequest_SHUTDOWN, All: true}
	if len(args) > 0 {
		switch strings.ToLower(args[0]) {
		case "slurmctld", "controller":
			req.All = false
		default:
			fmt.Fprintf(c.env.Stderr, "invalid shutdown argument:%s\n", args[0])
			return 1
		}
	}
	if err := c.control(req); err != nil {
		return c.failed("slurm_shutdown error", err)
	}
	return 0
}

// notify is "notify JOB TEXT".
func (c *call) notify(args []string) int {
	ref, err := slurm.ParseJobRef(args[0])
	if err == nil {
		err = c.control(&rinkpb.ControlRequest{What: rinkpb.ControlRequest_NOTIFY, Job: api.JobRefToProto(ref), Text: strings.Join(args[1:], " ")})
	} else {
		fmt.Fprintf(c.env.Stderr, "Invalid job_id %s", args[0]) // and no more, as in Slurm
		err = errors.New("No error")
	}
	if err != nil {
		return c.failed("job notify failure", err)
	}
	return 0
}

// power is "power up|down [asap|force] NODES".
func (c *call) power(args []string) int {
	state := map[string]string{"up": "POWER_UP", "down": "POWER_DOWN"}[strings.ToLower(args[0])]
	if state == "" || len(args) < 2 {
		fmt.Fprintf(c.env.Stderr, "invalid argument for power: %s\n", strings.Join(args, " "))
		return 1
	}
	words := args[1:]
	if len(words) > 1 && state == "POWER_DOWN" {
		switch strings.ToLower(words[0]) {
		case "asap", "force":
			state += "_" + strings.ToUpper(words[0])
			words = words[1:]
		}
	}
	return c.update([]string{"NodeName=" + strings.Join(words, ","), "State=" + state})
}

// processes are the processes of running steps, by node.
type process struct {
	pid       int32
	job       uint32
	step      *rinkpb.Step
	node      string
	rank      int
	localRank int
	end       int64
}

func (c *call) processes(refs []slurm.JobRef) ([]process, error) {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.StepStats(ctx, &rinkpb.StepStatsRequest{Refs: show.Refs(refs), AllSteps: true})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	if err := cli.StatusErr(reply.Status); err != nil && len(reply.Steps) == 0 {
		return nil, err
	}
	var out []process
	for _, st := range reply.Steps {
		for _, n := range st.Nodes {
			for _, pid := range n.Pids {
				out = append(out, process{pid: pid, job: st.Job.GetId(), step: st.Step, node: n.Node, end: st.Job.GetEnd()})
			}
		}
	}
	return out, nil
}

// listPids is "listpids [JOB[.STEP] [NODE]]": the processes of jobs on the nodes of
// this host, or on the node named.
func (c *call) listPids(args []string) int {
	var refs []slurm.JobRef
	node := ""
	if len(args) > 1 {
		node = args[1]
	}
	if len(args) > 0 && args[0] != "*" {
		ref, err := slurm.ParseJobRef(args[0])
		if err != nil || strings.ContainsAny(args[0], "_+") {
			fmt.Fprintf(c.env.Stderr, "%q does not look like a jobid\n", args[0])
			return 1
		}
		refs = append(refs, ref)
	} else {
		var err error
		if refs, err = c.runningRefs(); err != nil {
			return c.failed("slurm_load_jobs error", err)
		}
	}
	list, err := c.processes(refs)
	if err != nil {
		return c.failed("listpids", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-8s %-8s %-7s %-8s\n", "PID", "JOBID", "STEPID", "LOCALID", "GLOBALID")
	found := false
	seen := map[string]bool{} // scripts whose first process has been listed
	for _, p := range list {
		if node != "" && p.node != node || len(refs) == 1 && refs[0].HasStep && slurm.StepID(p.step.GetId()) != refs[0].Step {
			continue
		}
		found = true
		task := "-"
		if script := fmt.Sprint(p.job, p.node); slurm.StepID(p.step.GetId()) == slurm.StepBatch && !seen[script] {
			seen[script], task = true, "0"
		}
		fmt.Fprintf(&b, "%-8d %-8d %-8s %-7s %-8s\n", p.pid, p.job, slurm.StepID(p.step.GetId()), task, task)
	}
	if !found {
		what := "No job steps exist on this node."
		switch on := show.Or(node, show.Null); {
		case len(refs) == 1 && len(args) > 0 && refs[0].HasStep:
			what = fmt.Sprintf("StepId=%s does not exist on node %s.", args[0], on)
		case len(args) > 0:
			what = fmt.Sprintf("JobId=%s does not exist on node %s.", args[0], on)
		}
		fmt.Fprintln(c.env.Stderr, what)
		c.print(b.String())
		return 1
	}
	return c.print(b.String())
}

func (c *call) runningRefs() ([]slurm.JobRef, error) {
	jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Hidden: true})
	if err != nil {
		return nil, err
	}
	var refs []slurm.JobRef
	for _, j := range jobs {
		if j.IsRunning() {
			refs = append(refs, slurm.JobRef{Job: j.ID})
		}
	}
	return refs, nil
}

// pidInfo is "pidinfo PID": which job a process of this host is of.
func (c *call) pidInfo(args []string) int {
	if len(args) == 0 {
		return c.missing("pidinfo")
	}
	pid, err := strconv.ParseInt(args[0], 10, 32)
	if err != nil || pid <= 0 {
		return c.noJobOf()
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		return c.noJobOf()
	}
	refs, err := c.runningRefs()
	if err != nil {
		return c.failed("slurm_load_jobs error", err)
	}
	list, err := c.processes(refs)
	if err != nil && len(refs) > 0 {
		return c.failed("slurm_pid2jobid error", err)
	}
	for _, p := range list {
		if int64(p.pid) != pid {
			continue
		}
		end, left := "Unknown", "UNLIMITED"
		if p.end != 0 {
			at := time.Unix(0, p.end)
			end, left = c.view.Time(at, "Unknown"), strconv.FormatInt(int64(at.Sub(c.view.Now)/time.Second), 10)
		}
		return c.print(fmt.Sprintf("Slurm job id %d for pid %d ends at %s\nslurm_get_rem_time is %s\n", p.job, pid, end, left))
	}
	return c.noJobOf()
}

func (c *call) missing(keyword string) int {
	fmt.Fprintf(c.env.Stderr, "missing argument for keyword:%s\n", keyword)
	return 1
}

func (c *call) noJobOf() int {
	fmt.Fprintln(c.env.Stderr, "Failed to locate job for requested pid")
	return 1
}

// showSlurmd is "show slurmd": what the agent of this host's node is.
func (c *call) showSlurmd(string) int {
	host, err := os.Hostname()
	if err != nil {
		return c.failed("slurmd error", err)
	}
	host, _, _ = strings.Cut(host, ".")
	nodes, err := show.Nodes(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	for _, n := range nodes {
		if !strings.EqualFold(n.Hostname, host) && !strings.EqualFold(string(n.Name), host) {
			continue
		}
		r := []struct{ key, value string }{
			{"Active Steps", show.Or(c.stepsOn(string(n.Name)), "NONE")}, {"Actual CPUs", strconv.Itoa(n.CPUs)}, {"Actual Boards", strconv.Itoa(max(1, n.Boards))},
			{"Actual sockets", strconv.Itoa(n.Sockets)}, {"Actual cores", strconv.Itoa(n.Cores)}, {"Actual threads per core", strconv.Itoa(n.Threads)},
			{"Actual real memory", fmt.Sprintf("%d MB", n.Memory)}, {"Actual temp disk space", fmt.Sprintf("%d MB", n.TmpDisk)},
			{"Boot time", c.view.Time(n.AgentStart, "Unknown")}, {"Hostname", host}, {"Last slurmctld msg time", c.view.Time(c.view.Now, "Unknown")},
			{"Slurmd version", show.Or(n.Version, "none")},
		}
		var b strings.Builder
		for _, l := range r {
			fmt.Fprintf(&b, "%-24s = %s\n", l.key, l.value)
		}
		return c.print(b.String())
	}
	fmt.Fprintln(c.env.Stderr, "slurmd is not running on this host")
	return 1
}

// stepsOn lists the steps that run on a node, as JOB.STEP.
func (c *call) stepsOn(node string) string {
	jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Hidden: true, Steps: true})
	if err != nil {
		return ""
	}
	var out []string
	for _, j := range jobs {
		for _, s := range show.Steps(j) {
			for _, n := range s.Nodes {
				if string(n.Node) == node {
					out = append(out, fmt.Sprintf("%d.%s", j.ID, s.ID))
				}
			}
		}
	}
	return strings.Join(out, ",")
}
