package scontrol

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// run runs scontrol on a cluster and returns what it prints, stdout before
// stderr, and its exit status.
func run(t *testing.T, c *showtest.Cluster, args []string, vars ...string) (out string, code int) {
	t.Helper()
	env, stdout, stderr := showtest.Env("scontrol", args, vars...)
	o, err := parse(env)
	if err != nil {
		return err.Error() + "\n", 1
	}
	if o.done != "" {
		return o.done, 0
	}
	o.root = false
	one := &call{env: env, o: o, view: show.NewView(env), connect: func() (rinkpb.Controller, string, error) { return c, "ref", nil }}
	code = one.run()
	return stdout.String() + stderr.String(), code
}

func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }

const preempting = "ClusterName=ref\nSlurmctldHost=vm(127.0.0.1)\nPreemptType=preempt/qos\nPreemptMode=REQUEUE\n"

func pendingAndRunning() *showtest.Cluster {
	return &showtest.Cluster{
		Files: map[string]string{"/etc/rink/slurm.conf": preempting},
		JobList: []*sched.Job{
			showtest.Job(700001, "rec", showtest.Held, showtest.Size(2), showtest.Limit(30), func(j *sched.Job) {
				j.Spec.Comment, j.Spec.Output = "c", "out.txt"
			}),
			showtest.Job(700002, "go", showtest.Size(2), showtest.Limit(30), showtest.Running(7*time.Second, "n1", "n2"), func(j *sched.Job) {
				j.Spec.Gres = slurm.Gres{{Name: "gpu", Count: 1}}
				j.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{0}}}
				j.Alloc[1].Gres = j.Alloc[0].Gres
			}),
		},
	}
}

const pendingRecord = `JobId=700001 JobName=rec
   UserId=alice(3001) GroupId=alice(3001) MCS_label=N/A
   Priority=0 Nice=0 Account=physics QOS=normal
   JobState=PENDING Reason=JobHeldUser Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:00 TimeLimit=00:30:00 TimeMin=N/A
   SubmitTime=2035-03-04T11:59:00 EligibleTime=Unknown
   AccrueTime=Unknown
   StartTime=Unknown EndTime=Unknown Deadline=N/A
   SuspendTime=None SecsPreSuspend=0 LastSchedEval=2035-03-04T11:59:30 Scheduler=Main
   Partition=debug AllocNode:Sid=vm:4242
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=
   NumNodes=1 NumCPUs=2 NumTasks=2 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   TRES=cpu=2,mem=200M,node=1,billing=2
   Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*
   MinCPUsNode=1 MinMemoryCPU=100M MinTmpDiskNode=0
   Features=(null) DelayBoot=00:00:00
   OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)
   Command=(null)
   WorkDir=/home/alice/w
   Comment=c 
   StdErr=/home/alice/w/out.txt
   StdIn=/dev/null
   StdOut=/home/alice/w/out.txt
   Power=
   

`

const runningRecord = `JobId=700002 JobName=go
   UserId=alice(3001) GroupId=alice(3001) MCS_label=N/A
   Priority=126 Nice=0 Account=physics QOS=normal
   JobState=RUNNING Reason=None Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:07 TimeLimit=00:30:00 TimeMin=N/A
   SubmitTime=2035-03-04T11:59:00 EligibleTime=2035-03-04T11:59:00
   AccrueTime=2035-03-04T11:59:00
   StartTime=2035-03-04T11:59:53 EndTime=2035-03-04T12:29:53 Deadline=N/A
   PreemptEligibleTime=2035-03-04T11:59:53 PreemptTime=None
   SuspendTime=None SecsPreSuspend=0 LastSchedEval=2035-03-04T11:59:30 Scheduler=Backfill
   Partition=debug AllocNode:Sid=vm:4242
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=n[1-2]
   BatchHost=n1
   NumNodes=2 NumCPUs=2 NumTasks=2 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   TRES=cpu=2,mem=200M,node=2,billing=2,gres/gpu=2,gres/gpu:a100=2
   Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*
   MinCPUsNode=1 MinMemoryCPU=100M MinTmpDiskNode=0
   Features=(null) DelayBoot=00:00:00
   OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)
   Command=(null)
   WorkDir=/home/alice/w
   StdErr=/home/alice/w/slurm-700002.out
   StdIn=/dev/null
   StdOut=/home/alice/w/slurm-700002.out
   Power=
   TresPerNode=gres:gpu:1
   

`

func TestShowJob(t *testing.T) {
	c := pendingAndRunning()
	for _, test := range []struct {
		name, args, want string
	}{
		{"Pending", "show job 700001", pendingRecord},
		{"Running", "show job 700002", runningRecord},
		{"Abbreviated", "sho j=700002", runningRecord},
		{"All", "show jobs", pendingRecord + runningRecord},
		{"OneLine", "-o show job 700002", strings.Join(strings.Fields(runningRecord), " ") + " \n"},
		{"OptionBehindTheWords", "show job 700002 --oneliner", strings.Join(strings.Fields(runningRecord), " ") + " \n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, code := run(t, c, strings.Fields(test.args)); got != test.want || code != 0 {
				t.Errorf("exit status %d, printed\n%s\nwant\n%s", code, got, test.want)
			}
		})
	}
	got, _ := run(t, c, []string{"-d", "show", "job", "700002"})
	for _, want := range []string{
		"   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0\n   DerivedExitCode=0:0\n",
		"CoreSpec=*\n   JOB_GRES=gpu:a100:2\n     Nodes=n[1-2] CPU_IDs=0 Mem=100 GRES=gpu:a100:1(IDX:0)\n   MinCPUsNode=1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestShowJobOfAnArray(t *testing.T) {
	c := &showtest.Cluster{JobList: []*sched.Job{
		showtest.Job(700001, "ar", showtest.Array("4,7-8", 2), showtest.Held),
		showtest.Job(700002, "ar", showtest.Task(700001, 2), showtest.Running(time.Minute, "n1"), showtest.Ended(slurm.JobCompleted, 0, 0)),
	}}
	head := func(args ...string) string {
		out, code := run(t, c, args)
		var ids []string
		for _, line := range strings.Split(out, "\n") {
			if strings.HasPrefix(line, "JobId=") {
				ids = append(ids, line)
			}
		}
		if code != 0 {
			ids = append(ids, out)
		}
		return strings.Join(ids, "\n")
	}
	rest := "JobId=700001 ArrayJobId=700001 ArrayTaskId=4,7-8%2 ArrayTaskThrottle=2 JobName=ar"
	task := "JobId=700002 ArrayJobId=700001 ArrayTaskId=2 JobName=ar"
	for args, want := range map[string]string{
		"700001": rest + "\n" + task, "700001_2": task, "700002": task, "700001_[4,2,7]": strings.Replace(rest, "4,7-8", "4,7", 1) + "\n" + task,
		"700001_4":  "JobId=700001 ArrayJobId=700001 ArrayTaskId=4 ArrayTaskThrottle=2 JobName=ar",
		"700001_99": "Job 700001_99 not found\n", "650000": "slurm_load_jobs error: Invalid job id specified\n", "abc": "scontrol_print_job error: Invalid job id specified\n",
	} {
		if got := head("show", "job", args); got != want {
			t.Errorf("show job %s:\n%s\nwant\n%s", args, got, want)
		}
	}
}

func TestShowJobFields(t *testing.T) {
	c := &showtest.Cluster{JobList: []*sched.Job{showtest.Job(700001, "opts", showtest.Held, func(j *sched.Job) {
		j.Spec.MailTypes, j.Spec.TmpDisk, j.Spec.GPUs = []string{"END", "FAIL"}, 1024, slurm.Gres{{Name: "gpu", Type: "v100", Count: 1}}
		j.Spec.Reservation, j.Spec.Constraint, j.Spec.MinNodes, j.Spec.MaxNodes = "r1", "fast&ib", 2, 4
		j.Spec.KillOnInvalidDep, j.Spec.Exclusive = "yes", "exclusive"
		j.Need = sched.Need{MinNodes: 2, MaxNodes: 4, Tasks: 3, CPUs: 6, CPUsPerTask: 2, MemPerNode: 1024, TmpDisk: 1024, Exclusive: true, Contiguous: true,
			NodeList: []sched.NodeName{"n2", "n1"}, Exclude: []sched.NodeName{"n4"}, GresPerJob: j.Spec.GPUs}
		j.ReasonText, j.ScriptName, j.ScriptArgs = "job requeued in held state", "job.sh", []string{"arg", "b"}
		j.Run, j.Stage, j.AdminComment = "RUN-20350304-0001", "align", "watch it"
		j.HetID, j.HetOffset = 700001, 0
	}), showtest.Job(700002, "opts", func(j *sched.Job) { j.HetID, j.HetOffset = 700001, 1 })}}
	got, _ := run(t, c, []string{"show", "job", "700001"})
	for _, want := range []string{
		"JobId=700001 HetJobId=700001 HetJobOffset=0 JobName=opts\n   HetJobIdSet=700001-700002\n", "Reason=job_requeued_in_held_state ",
		"NumNodes=2-4 NumCPUs=6 NumTasks=3 CPUs/Task=2 ", "TRES=cpu=6,mem=2G,node=2,billing=6,gres/gpu=1,gres/gpu:v100=1\n",
		"MinCPUsNode=2 MinMemoryNode=1G MinTmpDiskNode=1G\n", "Features=fast&ib DelayBoot=00:00:00\n   Reservation=r1\n", "OverSubscribe=NO Contiguous=1 ",
		"ReqNodeList=n2,n1 ExcNodeList=n4\n", "Command=/home/alice/w/job.sh arg b\n", "   AdminComment=watch it \n   Run=RUN-20350304-0001 Stage=align\n",
		"   Power=\n   KillOInInvalidDependent=Yes\n   TresPerJob=gres:gpu:v100:1\n   MailUser=alice MailType=END,FAIL\n   \n\n",
	} {
		want = strings.Replace(want, "n2,n1", "n[1-2]", 1)
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestShowStep(t *testing.T) {
	c := &showtest.Cluster{JobList: []*sched.Job{showtest.Job(700001, "s", showtest.Size(4), showtest.Running(time.Minute, "n1"), func(j *sched.Job) {
		j.Steps = []*sched.Step{{ID: 3, Name: "sleep", Tasks: 2, State: slurm.JobRunning, Start: showtest.Ago(time.Second), Distribution: "block",
			Nodes: []sched.StepNode{{Node: "n1", CPUs: 2, Mem: 200}}}}
	})}}
	want := `StepId=700001.3 UserId=3001 StartTime=2035-03-04T11:59:59 TimeLimit=UNLIMITED
   State=RUNNING Partition=debug NodeList=n1
   Nodes=1 CPUs=2 Tasks=2 Name=sleep Network=(null)
   TRES=cpu=2,mem=200M,node=1
   ResvPorts=(null)
   CPUFreqReq=Default Dist=Block
   SrunHost:Pid=vm:4242

`
	if got, code := run(t, c, []string{"show", "step", "700001.3"}); got != want || code != 0 {
		t.Errorf("exit status %d, printed\n%s\nwant\n%s", code, got, want)
	}
	if got, _ := run(t, c, []string{"-o", "show", "steps"}); strings.Count(got, "StepId=700001.batch") != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("printed\n%s", got)
	}
	if got, code := run(t, c, []string{"show", "step", "700001.7"}); got != "Job step 700001.7 not found\n" || code != 1 {
		t.Errorf("exit status %d, printed %q", code, got)
	}
}

func gpuNode(n *sched.Node) {
	n.Features = []string{"fast", "ib"}
	n.Gres = []sched.NodeGres{{Name: "gpu", Type: "a100", Count: 4, Files: []string{"/dev/x0", "/dev/x1", "/dev/x2", "/dev/x3"}}}
	n.UsedGres, n.UsedCPUs, n.UsedMem, n.Running = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 2, Index: []int{0, 1}}}, 1, 100, []slurm.JobID{1}
}

func TestShowNode(t *testing.T) {
	c := &showtest.Cluster{
		Parts: []*sched.Partition{showtest.Part("debug", "n[1-2]"), showtest.Part("short", "n1")},
		NodeList: []*rinkpb.Node{showtest.Node("n1", slurm.NodeIdle, gpuNode), showtest.Node("n2", slurm.NodeIdle|slurm.NodeDrain, func(n *sched.Node) {
			n.Reason, n.ReasonUser, n.ReasonTime = "bad disk", "root", showtest.Ago(time.Hour)
		})},
	}
	want := `NodeName=n1 Arch=x86_64 CoresPerSocket=8 
   CPUAlloc=1 CPUEfctv=16 CPUTot=16 CPULoad=0.25
   AvailableFeatures=fast,ib
   ActiveFeatures=fast,ib
   Gres=gpu:a100:4
   GresDrain=N/A
   GresUsed=gpu:a100:2(IDX:0-1)
   NodeAddr=127.0.0.1 NodeHostName=vm Port=17001 Version=0.1.0
   OS=Linux 6.1.0 
   RealMemory=64000 AllocMem=100 FreeMem=60000 Sockets=2 Boards=1
   State=MIXED ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A
   Partitions=debug,short 
   BootTime=2035-03-03T12:00:00 SlurmdStartTime=2035-03-04T11:00:00
   LastBusyTime=2035-03-04T11:59:00
   CfgTRES=cpu=16,mem=62.50G,billing=16,gres/gpu=4,gres/gpu:a100=4
   AllocTRES=cpu=1,mem=100M,gres/gpu=2,gres/gpu:a100=2
   CapWatts=n/a
   CurrentWatts=0 AveWatts=0
   ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s

`
	if got, code := run(t, c, []string{"-d", "show", "node", "n1"}); got != want || code != 0 {
		t.Errorf("exit status %d, printed\n%s\nwant\n%s", code, got, want)
	}
	got, code := run(t, c, []string{"show", "node", "n[2-3]"})
	if code != 1 || !strings.Contains(got, "State=IDLE+DRAIN ") || !strings.Contains(got, "   Reason=bad disk [root@2035-03-04T11:00:00]\n") || !strings.HasSuffix(got, "Node n3 not found\n") {
		t.Errorf("exit status %d, printed\n%s", code, got)
	}
	if got, _ := run(t, c, []string{"show", "nodes", "-ao"}); strings.Count(got, "\n") != 2 {
		t.Errorf("printed\n%s", got)
	}
	if got, code := run(t, c, []string{"--json", "show", "node", "n1"}); code != 0 || !strings.Contains(got, `"state": [
        "MIXED"
      ]`) {
		t.Errorf("exit status %d, printed\n%s", code, got)
	}
}

func TestShowPartition(t *testing.T) {
	c := &showtest.Cluster{
		Parts: []*sched.Partition{
			showtest.Part("debug", "n[1-2]", func(p *sched.Partition) { p.Default = true }),
			showtest.Part("chem", "n1", func(p *sched.Partition) {
				p.AllowAccounts, p.MaxTime, p.DefaultTime, p.MaxNodes, p.DefMemPerCPU = []string{"chem"}, 3600, 600, 1, 100
				p.Hidden, p.OverTimeLimit, p.Alternate = true, 300, "debug"
			}),
		},
		NodeList: []*rinkpb.Node{showtest.Node("n1", slurm.NodeIdle, gpuNode), showtest.Node("n2", slurm.NodeIdle)},
	}
	want := `PartitionName=debug
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   AllocNodes=ALL Default=YES QoS=N/A
   DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO
   MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED
   Nodes=n[1-2]
   PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO
   OverTimeLimit=NONE PreemptMode=OFF
   State=UP TotalCPUs=32 TotalNodes=2 SelectTypeParameters=NONE
   JobDefaults=(null)
   DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED
   TRES=cpu=32,mem=125G,node=2,billing=32,gres/gpu=4,gres/gpu:a100=4

`
	if got, code := run(t, c, []string{"show", "part"}); got != want || code != 0 {
		t.Errorf("exit status %d, printed\n%s\nwant\n%s", code, got, want)
	}
	got, _ := run(t, c, []string{"-a", "show", "partition", "chem", "-o"})
	for _, part := range []string{"PartitionName=chem AllowGroups=ALL AllowAccounts=chem ", "AllocNodes=ALL Alternate=debug Default=NO ", "DefaultTime=00:10:00 ", "MaxTime=01:00:00 ",
		"OverTimeLimit=5 ", "Hidden=YES", "DefMemPerCPU=100 MaxMemPerNode=UNLIMITED"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in %s", part, got)
		}
	}
	if got, code := run(t, c, []string{"show", "partition", "nosuch"}); got != "Partition nosuch not found\n" || code != 1 {
		t.Errorf("exit status %d, printed %q", code, got)
	}
}

func TestShowOthers(t *testing.T) {
	c := &showtest.Cluster{
		Licenses: []*rinkpb.LicenseInfo{{Name: "matlab", Total: 4, Used: 4}, {Name: "ansys", Total: 2, Used: 1}},
		Files:    map[string]string{"slurm.conf": preempting},
	}
	for _, test := range []struct {
		name, args, want string
		code             int
		vars             []string
	}{
		{"Licences", "show lic", lines("LicenseName=ansys", "    Total=2 Used=1 Free=1 Reserved=0 Remote=no",
			"LicenseName=matlab", "    Total=4 Used=4 Free=0 Reserved=0 Remote=no"), 0, nil},
		{"OneLicence", "-o show lic matlab", "LicenseName=matlab Total=4 Used=4 Free=0 Reserved=0 Remote=no\n", 0, nil},
		{"Hostnames", "show hostnames n[1-3],a", "n1\nn2\nn3\na\n", 0, nil},
		{"HostnamesOfTheJob", "show hostname", "n1\nn2\n", 0, []string{"SLURM_JOB_NODELIST=n[1-2]"}},
		{"Hostlist", "show hostlist n3,n1,n2", "n[3,1-2]\n", 0, nil},
		{"HostlistSorted", "show hostlistsorted n3,n1,n2", "n[1-3]\n", 0, nil},
		{"HostnamesWithoutAJob", "show hostnames", "scontrol: error: host list is empty\n", 0, nil},
		{"Ping", "ping", "Slurmctld(primary) at vm is UP\n", 0, nil},
		{"NoReservation", "show reservation r1", "Reservation r1 not found\n", 1, nil},
		{"NoReservations", "show res", "No reservations in the system\n", 0, nil},
		{"UnknownKeyword", "nosuch", "invalid keyword: nosuch\n", 1, nil},
		{"UnknownEntity", "show nosuch", "invalid entity:nosuch for keyword:show \n", 1, nil},
		{"TooFewWords", "hold", "too few arguments for keyword:hold\n", 1, nil},
		{"TooFewForUpdate", "update", "too few arguments for update keyword\n", 1, nil},
		{"TooManyWords", "ping pong", "too many arguments for keyword:ping\n", 1, nil},
		{"ErrorNumber", "errnumstr 2017", "Invalid job id specified\n", 0, nil},
		{"UnknownOption", "--nosuch", "scontrol: unrecognized option '--nosuch'\nTry \"scontrol --help\" for more information\n", 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, code := run(t, c, strings.Fields(test.args), test.vars...); got != test.want || code != test.code {
				t.Errorf("exit status %d, printed\n%s\nwant %d\n%s", code, got, test.code, test.want)
			}
		})
	}
	c.Pong = &rinkpb.PingReply{Controllers: []*rinkpb.ControllerInfo{{Name: "a"}, {Name: "b", Up: true}, {Name: "c"}}}
	if got, code := run(t, c, []string{"ping"}); got != lines("Slurmctld(primary) at a is DOWN", "Slurmctld(backup1) at b is UP", "Slurmctld(backup2) at c is DOWN") || code != 0 {
		t.Errorf("exit status %d, printed\n%s", code, got)
	}
}

func TestShowConfig(t *testing.T) {
	c := &showtest.Cluster{Files: map[string]string{"/etc/rink/slurm.conf": preempting}}
	got, code := run(t, c, []string{"show", "config"})
	for _, want := range []string{
		"Configuration data as of 2035-03-04T12:00:00\n", "\nClusterName             = ref\n", "\nPreemptType             = preempt/qos\n", "\nSlurmctldHost[0]        = vm(127.0.0.1)\n",
		"\nBOOT_TIME               = 2035-03-04T11:00:00\n", "\n\nSlurmctld(primary) at vm is UP\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func refusal(what string, e slurm.Errno) *rinkpb.Outcome {
	return &rinkpb.Outcome{What: what, Status: &rinkpb.Status{Errno: int32(e)}}
}

func TestActions(t *testing.T) {
	good := []*rinkpb.Outcome{{What: "700001", Status: &rinkpb.Status{}}}
	for _, test := range []struct {
		name, args string
		outcomes   []*rinkpb.Outcome
		want       string
		code       int
	}{
		{"Hold", "hold 700001", good, "", 0},
		{"HoldUnknown", "hold 650000", []*rinkpb.Outcome{refusal("650000", slurm.ErrnoInvalidJobID)},
			"Invalid job id specified for job 650000\nslurm_suspend error: Invalid job id specified\n", 1},
		{"HoldNonsense", "hold abc", nil, "Invalid job id specified for job abc\nslurm_suspend error: Invalid job id specified\n", 1},
		{"ReleaseEnded", "release 700001", []*rinkpb.Outcome{refusal("700001", slurm.ErrnoJobFinished)},
			"Job has already finished for job 700001\nslurm_suspend error: Job has already finished\n", 1},
		{"RequeueDisabled", "requeue 700001", []*rinkpb.Outcome{refusal("700001", slurm.ErrnoDisabled)}, "Requested operation is presently disabled for job 700001\n", 1},
		{"SuspendPending", "suspend 700001", []*rinkpb.Outcome{refusal("700001", slurm.ErrnoJobPending)}, "Job is pending execution for job 700001\n", 1},
		{"Quiet", "-Q hold 650000", []*rinkpb.Outcome{refusal("650000", slurm.ErrnoInvalidJobID)}, "", 1},
		{"NoJobOfThatName", "release jobname=nobody", []*rinkpb.Outcome{}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &showtest.Cluster{Outcomes: test.outcomes}
			if got, code := run(t, c, strings.Fields(test.args)); got != test.want || code != test.code {
				t.Errorf("exit status %d, printed %q; want %d, %q", code, got, test.code, test.want)
			}
		})
	}
	c := &showtest.Cluster{Outcomes: good}
	for _, args := range []string{"hold 700001_[1-3],700004", "uhold 5", "rel jobname=a,b", "requeuehold State=SpecialExit 9", "requeue incomplete 9", "resume 9", "top 9"} {
		run(t, c, strings.Fields(args))
	}
	var did []string
	for _, a := range c.Acted {
		did = append(did, a.Action.String())
	}
	if got := strings.Join(did, " "); got != "HOLD UHOLD RELEASE REQUEUEHOLD REQUEUE RESUME TOP" {
		t.Errorf("asked for %s", got)
	}
	if a := c.Acted; len(a[0].Refs) != 2 || a[0].Refs[0].Tasks == nil || len(a[2].Names) != 2 || !a[3].SpecialExit || !a[4].Incomplete {
		t.Errorf("asked for %v", a)
	}
}

func TestUpdateJob(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
		sent string // KEY OP VALUE of what is sent, each with a blank behind it
		code int
	}{
		{"TimeLimit", []string{"jobid=7", "timelimit=30"}, "", "timelimit=30 ", 0},
		{"SeveralAndShort", []string{"JobId=7", "Name=new", "TimeLim+=10", "Comment=some text"}, "", "jobname=new timelimit+=10 comment=some text ", 0},
		{"EntityApart", []string{"job", "7", "qos=low"}, "", "qos=low ", 0},
		{"OtherNames", []string{"jobid=7", "ReqNodes=2", "Shared=yes", "TresPerNode=gpu:1", "NodeList=n2"}, "", "numnodes=2 oversubscribe=yes trespernode=gpu:1 nodelist=n2 ", 0},
		{"DatesArePlain", []string{"jobid=7", "starttime=now+1hour"}, "", "starttime=uts2056626000 ", 0},
		{"BadTimeLimit", []string{"jobid=7", "timelimit=bad"}, "scontrol: error: Invalid TimeLimit value\n", "", 1},
		{"BadDate", []string{"jobid=7", "starttime=someday"}, "Invalid time specification (pos=0): someday\nNo changes specified\n", "", 1},
		{"UnknownKey", []string{"jobid=7", "nosuch=1"}, "Update of this parameter is not supported: nosuch=1\nRequest aborted\n", "", 1},
		{"BeginTimeIsNone", []string{"jobid=7", "begintime=now"}, "Update of this parameter is not supported: begintime=now\nRequest aborted\n", "", 1},
		{"NotAJob", []string{"jobid=abc", "qos=x"}, "Invalid job id specified for job abc\n", "", 1},
		{"NoEntity", []string{"qos=x"}, "No valid entity in update command\nInput line must include \"NodeName\", \"PartitionName\", \"Reservation\", \"JobId\", or \"SlurmctldDebug\"\n", "", 1},
		{"OfAReservation", []string{"reservationname=r1", "jobid=7"}, "", "reservationname=r1 ", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &showtest.Cluster{}
			got, code := run(t, c, append([]string{"update"}, test.args...))
			sent := ""
			for _, u := range c.Updated {
				for _, kv := range u.Changes {
					sent += kv.Key + kv.Op + kv.Value + " "
				}
			}
			if got != test.want || code != test.code || sent != test.sent {
				t.Errorf("exit status %d, printed %q, sent %q; want %d, %q, %q", code, got, sent, test.code, test.want, test.sent)
			}
		})
	}
	c := &showtest.Cluster{JobList: []*sched.Job{{ID: 7, TimeLimit: 300}}}
	for _, less := range []string{"timelimit=-6", "timelimit-=5:30"} {
		if got, code := run(t, c, []string{"update", "jobid=7", less}); got != "scontrol: error: TimeLimit decrement larger than current time limit (6 > 5)\n" || code != 1 {
			t.Errorf("%s: exit status %d, printed %q", less, code, got)
		}
	}
	if got, code := run(t, c, []string{"update", "jobid=7", "timelimit=-5"}); got != "" || code != 0 || len(c.Updated) != 1 {
		t.Errorf("exit status %d, printed %q, sent %v", code, got, c.Updated)
	}
	c = &showtest.Cluster{Outcomes: []*rinkpb.Outcome{refusal("7", slurm.ErrnoAccessDenied)}}
	if got, code := run(t, c, []string{"update", "jobid=7", "deadline=2036-01-01"}); got != "Access/permission denied for job 7\n" || code != 1 {
		t.Errorf("exit status %d, printed %q", code, got)
	}
}

func TestUpdateNodesAndPartitions(t *testing.T) {
	c := &showtest.Cluster{Parts: []*sched.Partition{showtest.Part("debug", "n[1-3]")}}
	for _, test := range []struct {
		args, want string
		code       int
	}{
		{"update nodename=n1 state=drain reason=x", "", 0},
		{"update nodename=n1 state=down", "You must specify a reason when DOWNING or DRAINING a node. Request denied\n", 1},
		{"update nodename=n1 state=res", "", 0},
		{"update nodename=n1 state=nosuch", "Invalid input: state=nosuch\nRequest aborted\nValid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN\nNot all states are valid given a node's prior state\n", 1},
		{"update nodename=n1 nosuch=1", "Update of this parameter is not supported: nosuch=1\nRequest aborted\n", 1},
		{"update partitionname=debug state=down maxtime=60", "", 0},
		{"update partition debug nodes-=n2", "", 0},
		{"create partitionname=new nodes=n1", "", 0},
		{"delete partitionname=new", "", 0},
		{"reconfigure", "", 0},
	} {
		if got, code := run(t, c, strings.Fields(test.args)); got != test.want || code != test.code {
			t.Errorf("scontrol %s: exit status %d, printed %q; want %d, %q", test.args, code, got, test.code, test.want)
		}
	}
	if len(c.NodesSet) != 2 || c.NodesSet[1].Changes[0].Value != "resume" {
		t.Errorf("nodes changed: %v", c.NodesSet)
	}
	if p := c.PartsSet; len(p) != 4 || p[1].Changes[0].Value != "n[1,3]" || !p[2].Create || !p[3].Delete {
		t.Errorf("partitions changed: %v", p)
	}
	if c.Configured != 1 {
		t.Errorf("configured %d times", c.Configured)
	}
	c.ModifyErr = errors.New("Invalid node name specified")
	if got, code := run(t, c, []string{"update", "nodename=n9", "state=idle"}); got != "slurm_update error: Invalid node name specified\n" || code != 1 {
		t.Errorf("exit status %d, printed %q", code, got)
	}
}

func TestWriteScript(t *testing.T) {
	c := &showtest.Cluster{Scripts: map[uint32]string{700001: "#!/bin/bash\necho hi\n", 700003: "#!/bin/sh\n"},
		JobList: []*sched.Job{showtest.Job(700003, "ar", showtest.Task(700002, 1))}}
	path := filepath.Join(t.TempDir(), "copy.sh")
	for args, want := range map[string]string{
		"write batch_script 700001 -":        "#!/bin/bash\necho hi\n",
		"write batch 700002_1 -":             "#!/bin/sh\n",
		"write batch_script 700001 " + path:  "batch script for job 700001 written to " + path + "\n",
		"write batch_script 650000 -":        "job script retrieval failed: Invalid job id specified\n",
		"write batch_script 700001_[1-2] -x": "scontrol: invalid option -- 'x'\nTry \"scontrol --help\" for more information\n",
	} {
		if got, _ := run(t, c, strings.Fields(args)); got != want {
			t.Errorf("scontrol %s: printed %q, want %q", args, got, want)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != c.Scripts[700001] {
		t.Errorf("the copy is %q, %v", text, err)
	}
}

func TestSession(t *testing.T) {
	c := pendingAndRunning()
	env, stdout, stderr := showtest.Env("scontrol", nil)
	env.Stdin = strings.NewReader("oneliner\n\nshow job 700001\nnosuch 'a b'\nupdate jobid=7 comment=\"two words\"\nexit\nshow job 700002\n")
	o, err := parse(env)
	if err != nil {
		t.Fatal(err)
	}
	one := &call{env: env, o: o, view: show.NewView(env), connect: func() (rinkpb.Controller, string, error) { return c, "ref", nil }}
	if code := one.run(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	if out := stdout.String(); !strings.Contains(out, "JobId=700001 ") || strings.Contains(out, "JobId=700002 ") || strings.Count(out, "scontrol: ") != 6 {
		t.Errorf("printed\n%s", out)
	}
	if stderr.String() != "invalid keyword: nosuch\n" || len(c.Updated) != 1 || c.Updated[0].Changes[0].Value != "two words" {
		t.Errorf("said %q, changed %v", stderr, c.Updated)
	}
}

func TestCompletingAndListings(t *testing.T) {
	c := &showtest.Cluster{JobList: []*sched.Job{
		showtest.Job(700001, "a", showtest.Running(time.Minute, "n1"), showtest.Ended(slurm.JobCompleted|slurm.JobCompleting, 0, 0),
			func(j *sched.Job) { j.Completing, j.End = []sched.NodeName{"n1"}, showtest.Ago(3*time.Second) }),
		showtest.Job(700002, "b", showtest.Running(time.Minute, "n2")),
	}}
	for args, want := range map[string]string{
		"completing":   "JobId=700001 EndTime=2035-03-04T11:59:57 CompletingTime=00:00:03 Nodes(COMPLETING)=n1\n",
		"listjobs n2":  "JOBID\n700002\n",
		"liststeps n2": "JOBID        STEPID\n700002       batch\n",
		"listjobs n3":  "scontrol: error: no jobs or steps found\n",
	} {
		if got, _ := run(t, c, strings.Fields(args)); got != want {
			t.Errorf("scontrol %s: printed %q, want %q", args, got, want)
		}
	}
}
