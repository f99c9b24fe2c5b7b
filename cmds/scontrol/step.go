package scontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
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
				data = append(data, c.view.StepData(s))
			}
		}
	}
	if c.o.encoding.On() {
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

// updateStep is "update StepId=JOB[.STEP] TimeLimit=...": of all the steps of a job
// when none is named.
func (c *call) updateStep(id string, changes []*rinkpb.KeyValue) int {
	id, _, _ = strings.Cut(id, ",") // the first is the one that is meant
	req := &rinkpb.UpdateJobRequest{Steps: true}
	refs, err := slurm.ParseJobRefs(show.Or(id, "0"))
	if id == "" {
		refs, err = []slurm.JobRef{{}}, nil // which there is not
	}
	if err != nil || len(refs) == 0 || strings.Contains(id, "_") {
		fmt.Fprintf(c.env.Stderr, "Invalid StepID parameter: stepid=%s\nRequest aborted\n", id)
		return 1
	}
	req.Refs = show.Refs(refs[:1])
	for _, kv := range changes {
		if k := strings.ToLower(kv.Key); len(k) < 5 || !strings.HasPrefix("timelimit", k) {
			return c.unsupported(kv)
		}
		if _, err := slurm.ParseDuration(strings.TrimLeft(kv.Value, "+-")); err != nil {
			c.env.Errorf("Invalid TimeLimit value")
			return 1
		}
		req.Changes = append(req.Changes, kv)
	}
	if len(req.Changes) == 0 {
		fmt.Fprintln(c.env.Stderr, "No changes specified")
		return 1
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Update(ctx, req)
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return c.failed("slurm_update error", cli.CallErr(err))
	}
	return 0
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
	r.put("StepId", v.StepID(s), "UserId", strconv.FormatUint(uint64(j.UID), 10), "StartTime", v.Time(s.Start, "Unknown"), "TimeLimit", s.Limit().String())
	r.line("State", s.State.String(), "Partition", string(j.Partition), "NodeList", show.Or(s.NodeText(), show.Null))
	r.line("Nodes", strconv.Itoa(len(s.Nodes)), "CPUs", strconv.Itoa(s.CPUsShown()), "Tasks", strconv.Itoa(s.Tasks), "Name", s.Name, "Network", show.Or(j.Spec.Network, show.Null))
	held := strings.Split(s.Held().String(), ",")
	slices.Sort(held) // as Slurm writes those of steps
	client := fmt.Sprintf("%s:%d", j.SubmitHost, j.SubmitPID)
	if s.ID == slurm.StepBatch || s.ID == slurm.StepExtern { // what they have is their job's, and no client stands behind them
		held, client = nil, show.Null+":0"
	}
	r.line("TRES", show.Or(strings.Join(held, ","), show.Null))
	r.line("ResvPorts", show.Null)
	freq := cpuFrequency(s.CPUFreq)
	if freq == "" {
		freq = "CPUFreqReq=Default"
	}
	if s.Distribution != "" && s.ID != slurm.StepExtern {
		freq += " Dist=" + strings.ToUpper(s.Distribution[:1]) + s.Distribution[1:]
	}
	r.line()
	r.text(freq)
	r.line("SrunHost:Pid", client)
	if list := s.PerNode(); len(list) > 0 {
		r.line("TresPerNode", list.Display())
	}
	return r.close()
}
