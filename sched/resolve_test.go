package sched

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

func TestWhoMaySubmitWhere(t *testing.T) {
	for _, c := range []struct {
		name string
		part func(*Partition)
		req  func(*Request)
		want slurm.Errno
	}{
		{"Anyone", func(p *Partition) {}, func(r *Request) {}, slurm.ErrnoOK},
		{"RootOnly", func(p *Partition) { p.RootOnly = true }, func(r *Request) {}, slurm.ErrnoAccessDenied},
		{"RootInRootOnly", func(p *Partition) { p.RootOnly = true }, func(r *Request) { r.UID = 0 }, slurm.ErrnoOK},
		{"NoRoot", func(p *Partition) { p.DisableRootJobs = true }, func(r *Request) { r.UID = 0 }, slurm.ErrnoAccessDenied},
		{"NotOfTheGroup", func(p *Partition) { p.AllowGroups = []string{"chem"} }, func(r *Request) {}, slurm.ErrnoJobMissingRequiredPartitionGroup},
		{"OfTheGroup", func(p *Partition) { p.AllowGroups = []string{"chem"} }, func(r *Request) { r.Groups = []string{"x", "chem"} }, slurm.ErrnoOK},
		{"WrongHost", func(p *Partition) { p.AllocNodes = []string{"login1"} }, func(r *Request) { r.SubmitHost = "login2" }, slurm.ErrnoAccessDenied},
		{"HostOfRange", func(p *Partition) { p.AllocNodes = []string{"login[1", "3-4]"} }, func(r *Request) { r.SubmitHost = "login4" }, slurm.ErrnoOK},
		{"HostBesideRange", func(p *Partition) { p.AllocNodes = []string{"login[1", "3-4]"} }, func(r *Request) { r.SubmitHost = "login2" }, slurm.ErrnoAccessDenied},
		{"RightHost", func(p *Partition) { p.AllocNodes = []string{"login1"} }, func(r *Request) { r.SubmitHost = "login1" }, slurm.ErrnoOK},
		{"Drained", func(p *Partition) { p.State = "DRAIN" }, func(r *Request) {}, slurm.ErrnoPartitionNotAvail},
		{"WantsAReservation", func(p *Partition) { p.ReqResv = true }, func(r *Request) {}, slurm.ErrnoAccessDenied},
		{"NiceBelowZero", func(p *Partition) {}, func(r *Request) { r.Options.Nice = -1 }, slurm.ErrnoInvalidNice},
		{"NiceBelowZeroByOperator", func(p *Partition) {}, func(r *Request) { r.Options.Nice, r.Operator = -1, true }, slurm.ErrnoOK},
		{"Reboot", func(p *Partition) {}, func(r *Request) { r.Options.Reboot = true }, slurm.ErrnoAccessDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, nodes := refCluster(t)
			c.part(cfg.Partition("debug"))
			req := Request{Options: &slurm.JobOptions{Given: map[string]bool{}, Partitions: []string{"debug"}}, UID: 3001, User: "alice", Group: "alice"}
			c.req(&req)
			_, _, err := Resolve(req, cfg, nodes, refNow)
			if c.want == slurm.ErrnoOK {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var bad *Refused
			if !errors.Is(err, c.want) || !errors.As(err, &bad) || bad.Why == "" {
				t.Errorf("got %v, want %v", err, c.want)
			}
			// With another partition it goes there instead.
			if slices.Contains([]slurm.Errno{slurm.ErrnoInvalidNice}, c.want) || req.Options.Reboot {
				return
			}
			req.Options.Partitions = []string{"debug", "single"}
			j, _, err := Resolve(req, cfg, nodes, refNow)
			if err != nil || !slices.Equal(j.Partitions, []PartitionName{"single"}) {
				t.Errorf("with another partition: %v", err)
			}
		})
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	cfg, nodes := refCluster(t)
	debug := cfg.Partition("debug")
	for _, c := range []struct {
		name, options string
		with          func()
		want          func(*Job) bool
	}{
		{"Names", "", func() {}, func(j *Job) bool {
			return j.Name == "wrap" && j.Account == "physics" && j.QOS == "normal" && j.Partition == "debug" && j.WorkDir == "/home/alice" && j.Requeue
		}},
		{"NoRequeue", "--no-requeue", func() {}, func(j *Job) bool { return !j.Requeue }},
		{"DefaultTime", "-p short", func() {}, func(j *Job) bool { return j.TimeLimit == 600 }},
		{"MaxTime", "-p single", func() {}, func(j *Job) bool { return j.TimeLimit == 2*86400 }},
		{"NoTime", "", func() {}, func(j *Job) bool { return j.TimeLimit == slurm.Unlimited }},
		{"ShortestOfPartitions", "-p single,short", func() {}, func(j *Job) bool { return j.TimeLimit == 600 }},
		{"ClusterMemory", "", func() {}, func(j *Job) bool { return j.Need.MemPerCPU == 100 }},
		{"PartitionMemory", "", func() { debug.DefMemPerNode = 500 }, func(j *Job) bool { return j.Need.MemPerNode == 500 && j.Need.MemPerCPU == 0 }},
		{"NoMemoryDefault", "", func() { debug.DefMemPerNode, cfg.Conf.DefMemPerCPU = 0, 0 }, func(j *Job) bool { return j.Need.MemAllOfNode }},
		{"MemoryNotTracked", "", func() { cfg.TracksMemory = false }, func(j *Job) bool { return !j.Need.MemAllOfNode && j.Need.MemPerCPU == 0 }},
		{"MoreMemoryThanACPUMayHave", "--mem-per-cpu=300", func() { cfg.TracksMemory, debug.MaxMemPerCPU = true, 100 }, func(j *Job) bool {
			return j.Need.MemPerCPU == 100 && j.Need.CPUsPerTask == 3 && j.Need.CPUs == 3
		}},
		{"MoreMemoryThanItsCPUsMayHave", "--mem=450", func() {}, func(j *Job) bool { return j.Need.MemPerNode == 450 && j.Need.MinCPUsNode == 5 }},
		{"GPUDefaults", "--gpus=2", func() { debug.MaxMemPerCPU, debug.JobDefaults = 0, "DefCpuPerGPU=3,DefMemPerGPU=2000" }, func(j *Job) bool {
			return j.Need.CPUs == 6 && j.Spec.CPUsPerGPU == 3 && j.Spec.MemPerGPU == 2000 && !j.Spec.Given["cpus-per-gpu"]
		}},
		{"GPUDefaultsGivenWay", "--gpus=2 --cpus-per-gpu=1 --mem=100", func() {}, func(j *Job) bool { return j.Need.CPUs == 2 && j.Spec.MemPerGPU == 0 }},
		{"TaskResources", "--tres-per-task=cpu=2,gres/gpu:a100=1 -n 2", func() { debug.JobDefaults = "" }, func(j *Job) bool {
			return j.Need.CPUsPerTask == 2 && j.Need.GresPerTask.String() == "gpu:a100:1"
		}},
		{"GPUsOfTasksOnNodes", "--gpus-per-node=2 --gpus-per-task=1 -n 4 -N 2", func() {}, func(j *Job) bool {
			return j.Need.TasksPerNode == 2 && j.Need.GresPerNode.String() == "gpu:2" && len(j.Need.GresPerTask) == 0 && j.Spec.GPUsPerTask.Total("gpu") == 1
		}},
		{"Array", "--array=1-9%3", func() {}, func(j *Job) bool { return j.Tasks.Len() == 9 && j.ArrayAll.Len() == 9 && j.Throttle == 3 }},
		{"Dependency", "-d afterok:5,singleton", func() {}, func(j *Job) bool {
			return len(j.Deps) == 2 && j.Deps[0].State == DependWaiting && j.Reason == slurm.ReasonDependency && j.Eligible.IsZero()
		}},
		{"Held", "-H", func() {}, func(j *Job) bool {
			return j.HeldBy == HeldByUser && j.Priority == 0 && j.Reason == slurm.ReasonJobHeldUser
		}},
		{"PriorityZeroIsNone", "--priority=0", func() {}, func(j *Job) bool { return j.HeldBy == HeldByNobody }},
		{"Later", "--begin=now+60", func() {}, func(j *Job) bool { return j.Begin.Equal(refNow.Add(60e9)) && j.Eligible.Equal(j.Begin) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.with()
			j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, c.options)
			if err != nil {
				t.Fatal(err, lines)
			}
			if !c.want(j) {
				t.Errorf("got %+v", j)
			}
		})
	}
}

func TestMemoryBeyondThePartitionIsRefused(t *testing.T) {
	cfg, nodes := refCluster(t)
	cfg.Partition("debug").MaxMemPerNode = 1000
	if _, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "--mem=1001"); !errors.Is(err, slurm.ErrnoInvalidTaskMemory) {
		t.Errorf("got %v", err)
	}
	if j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "--mem=0"); err != nil || j.Need.MemPerNode != 1000 {
		t.Errorf("all memory: %v", err)
	}
}

func TestTaskResourcesThatCannotBeAreRefused(t *testing.T) {
	cfg, nodes := refCluster(t)
	for _, text := range []string{"cpu", "cpu=0", "cpu=x", "mem=5", "license/matlab=1"} {
		o := &slurm.JobOptions{TRESPerTask: text, Given: map[string]bool{}}
		if _, _, err := Resolve(Request{Options: o}, cfg, nodes, refNow); !errors.Is(err, slurm.ErrnoInvalidTRES) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestRefusedTextIsSlurms(t *testing.T) {
	cfg, nodes := refCluster(t)
	_, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, "-p nosuch")
	if err == nil || err.Error() != "Invalid partition name specified" || strings.Join(lines, "") != "invalid partition specified: nosuch" {
		t.Errorf("got %v %q", err, lines)
	}
	_, lines, err = refJob(t, cfg, nodes, slurm.Sbatch, "--reboot")
	if err == nil || err.Error() != "Access/permission denied" || strings.Join(lines, "") != "rebooting of nodes is only allowed for admins" {
		t.Errorf("got %v %q", err, lines)
	}
}
