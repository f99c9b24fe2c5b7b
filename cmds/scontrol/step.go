package scontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// showSteps is "show step [ID[.STEP]]".
func (c *call) showSteps(id string) int {
	req := &rinkpb.ListJobsRequest{Steps: true, Hidden: c.o.seesAll()}
	var refs []slurm.JobRef
	if id != "" {
		var err error
		if refs, err = slurm.ParseJobRefs(id); err != nil || len(refs) == 0 {
			return c.say(1, "Job step 0.Invalid not found")
		}
		for _, r := range refs {
			req.Refs = append(req.Refs, &rinkpb.JobRef{Job: uint32(r.Job)})
		}
	}
	jobs, err := show.Jobs(c.env, c.client, req)
	if err != nil {
		return c.failed("slurm_get_job_steps error", err)
	}
	var b strings.Builder
	var data []any
	for _, j := range jobs {
		for _, s := range show.Steps(j) {
			if wantsStep(s, refs) {
				b.WriteString(c.stepRecord(s))
				data = append(data, c.stepData(s))
			}
		}
	}
	if c.o.encoding != "" {
		return c.data("steps", append([]any{}, data...))
	}
	if b.Len() == 0 {
		if id == "" {
			return c.say(0, "No job steps in the system")
		}
		if !strings.Contains(id, ".") {
			id += "." // as Slurm has it
		}
		return c.say(1, "Job step %s not found", id)
	}
	return c.print(b.String())
}

// stepData is everything known of a running step.
func (c *call) stepData(s *show.Step) show.Object {
	j := s.Job
	names := []string{}
	for _, n := range s.Nodes {
		names = append(names, string(n.Node))
	}
	return show.Object{
		{Key: "time", Value: show.Object{{Key: "start", Value: show.Stamp(s.Start)}, {Key: "limit", Value: show.Minutes(slurm.Unlimited)}, {Key: "elapsed", Value: int64(c.view.Now.Sub(s.Start).Seconds())}}},
		{Key: "nodes", Value: show.Object{{Key: "count", Value: len(s.Nodes)}, {Key: "range", Value: s.NodeText()}, {Key: "list", Value: names}}},
		{Key: "tasks", Value: show.Object{{Key: "count", Value: s.Tasks}}},
		{Key: "step", Value: show.Object{{Key: "id", Value: c.view.StepID(s)}, {Key: "name", Value: s.Name}, {Key: "stderr", Value: ""}}},
		{Key: "state", Value: []string{s.State.String()}}, {Key: "partition", Value: string(j.Partition)},
		{Key: "user", Value: j.User}, {Key: "user_id", Value: j.UID}, {Key: "cluster", Value: c.view.Cluster},
		{Key: "cpus", Value: s.CPUs()}, {Key: "tres", Value: show.Object{{Key: "allocated", Value: s.Held().String()}}},
		{Key: "submit_host", Value: j.SubmitHost}, {Key: "submit_pid", Value: j.SubmitPID},
	}
}

// updateStep is "update StepId=JOB.STEP ...": a step has no limit of its own that
// could be changed.
func (c *call) updateStep(id string) int {
	refs, err := slurm.ParseJobRefs(id)
	if err != nil || len(refs) == 0 {
		fmt.Fprintf(c.env.Stderr, "Invalid StepID parameter: stepid=%s\nRequest aborted\n", id)
		return 1
	}
	if _, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: uint32(refs[0].Job)}}}); err != nil {
		return c.failed("slurm_update error", err)
	}
	c.env.Errorf("cannot update step %s: steps have no limits of their own", id)
	return 1
}

func wantsStep(s *show.Step, refs []slurm.JobRef) bool {
	if len(refs) == 0 {
		return true
	}
	for _, r := range refs {
		if pick(s.Job, []slurm.JobRef{r}) != nil && (!r.HasStep || r.Step == s.ID) {
			return true
		}
	}
	return false
}

// stepRecord is the record of a step.
func (c *call) stepRecord(s *show.Step) string {
	j, v := s.Job, c.view
	r := newRecord(c.o.oneLine)
	r.put("StepId", v.StepID(s), "UserId", strconv.FormatUint(uint64(j.UID), 10), "StartTime", v.Time(s.Start, "Unknown"), "TimeLimit", slurm.Unlimited.String()) // its job's limit ends it
	r.line("State", s.State.String(), "Partition", string(j.Partition), "NodeList", show.Or(s.NodeText(), show.Null))
	cpus := strconv.Itoa(s.CPUs())
	if s.ID == slurm.StepBatch {
		cpus = "0" // the script is counted with the job
	}
	r.line("Nodes", strconv.Itoa(len(s.Nodes)), "CPUs", cpus, "Tasks", strconv.Itoa(s.Tasks), "Name", s.Name, "Network", show.Or(j.Spec.Network, show.Null))
	held := strings.Split(s.Held().String(), ",")
	slices.Sort(held) // as Slurm writes those of steps
	r.line("TRES", show.Or(strings.Join(held, ","), show.Null))
	r.line("ResvPorts", show.Null)
	dist := "Block"
	if s.Distribution != "" {
		dist = strings.ToUpper(s.Distribution[:1]) + s.Distribution[1:]
	}
	r.line("CPUFreqReq", show.Or(j.Spec.CPUFreq, "Default"), "Dist", dist)
	r.line("SrunHost:Pid", fmt.Sprintf("%s:%d", j.SubmitHost, j.SubmitPID))
	if list := s.PerNode(); len(list) > 0 {
		r.line("TresPerNode", list.Display())
	}
	return r.close()
}
