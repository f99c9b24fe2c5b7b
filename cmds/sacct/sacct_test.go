package sacct

import (
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// run runs sacct on a cluster and returns what it prints and its exit status.
func run(t *testing.T, c *showtest.Cluster, args []string, vars ...string) (stdout, stderr string, code int) {
	t.Helper()
	env, out, errs := showtest.Env("sacct", args, vars...)
	o, err := parse(env)
	if err != nil {
		return out.String(), err.Error() + "\n", 1
	}
	if o.done != "" {
		return o.done, "", 0
	}
	code = list(env, o, c, "ref")
	return out.String(), errs.String(), code
}

func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }

// past is the record of a job with its steps.
func past(j *sched.Job, steps ...*sched.Step) *rinkpb.Record {
	r := &rinkpb.Record{Job: api.JobToProto(j), Cluster: "ref", Index: 7, Live: !j.State.Ended()}
	for _, s := range steps {
		r.Steps = append(r.Steps, api.StepToProto(s))
	}
	return r
}

// step is a step that took a second on n1.
func step(id slurm.StepID, name string, tasks int, state slurm.JobState, code uint8) *sched.Step {
	ranks := make([]int, tasks)
	return &sched.Step{
		ID: id, Name: name, Tasks: tasks, State: state, Start: showtest.Ago(2 * time.Second), End: showtest.Ago(time.Second), ExitCode: sched.ExitCode{Code: code},
		Nodes: []sched.StepNode{{Node: "n1", CPUs: 4, Mem: 400, Ranks: ranks}}, Distribution: "block",
		Usage: sched.Usage{UserCPU: 1500 * time.Millisecond, SystemCPU: 250 * time.Millisecond, MaxRSS: 3 << 20, MaxRSSNode: "n1", MaxRSSTask: tasks - 1,
			TotalRSS: int64(tasks) * 2 << 20, MaxVMSize: 8 << 20, ReadBytes: 4096, WriteBytes: 512, PagesMajor: 3, Tasks: tasks},
	}
}

func okayAndBad() *showtest.Cluster {
	return &showtest.Cluster{Records: []*rinkpb.Record{
		past(showtest.Job(700001, "okay", showtest.Size(2), showtest.Limit(5), showtest.Running(time.Second, "n1"), showtest.Ended(slurm.JobCompleted, 0, 0),
			func(j *sched.Job) { j.Spec.Hold = true })),
		past(showtest.Job(700002, "bad", showtest.Limit(5), showtest.Running(time.Second, "n1"), showtest.Ended(slurm.JobFailed, 3, 0))),
	}}
}

func TestTables(t *testing.T) {
	cancelled := past(showtest.Job(700003, "long-name-of-a-job", showtest.Running(time.Minute, "n1"), showtest.Ended(slurm.JobCancelled, 0, 15),
		func(j *sched.Job) { j.KilledBy = 3001 }))
	unstarted := past(showtest.Job(700004, "never", showtest.Held, showtest.Ended(slurm.JobCancelled, 0, 0), func(j *sched.Job) { j.KilledBy = 3001 }))
	array := []*rinkpb.Record{
		past(showtest.Job(700010, "ar", showtest.Array("3-9", 0))),
		past(showtest.Job(700011, "ar", showtest.Task(700010, 1), showtest.Running(time.Second, "n1"), showtest.Ended(slurm.JobFailed, 1, 0))),
	}
	for _, test := range []struct {
		name    string
		records []*rinkpb.Record
		args    []string
		vars    []string
		want    string
	}{
		{"Default", nil, []string{"-j", "700001,700002"}, nil, lines(
			"JobID           JobName  Partition    Account  AllocCPUS      State ExitCode ",
			"------------ ---------- ---------- ---------- ---------- ---------- -------- ",
			"700001             okay      debug    physics          2  COMPLETED      0:0 ",
			"700001.batch      batch               physics          2  COMPLETED      0:0 ",
			"700002              bad      debug    physics          1     FAILED      3:0 ",
			"700002.batch      batch               physics          1     FAILED      3:0 ")},
		{"JobsAlone", nil, []string{"-X", "-n", "-j", "700001"}, nil,
			"700001             okay      debug    physics          2  COMPLETED      0:0 \n"},
		{"Parsable2", nil, []string{"-P", "-j", "700001"}, nil, lines(
			"JobID|JobName|Partition|Account|AllocCPUS|State|ExitCode",
			"700001|okay|debug|physics|2|COMPLETED|0:0", "700001.batch|batch||physics|2|COMPLETED|0:0")},
		{"Parsable", nil, []string{"-pnX", "-j", "700002"}, nil, "700002|bad|debug|physics|1|FAILED|3:0|\n"},
		{"Brief", nil, []string{"-b", "-j", "700001"}, nil, lines(
			"JobID             State ExitCode ", "------------ ---------- -------- ",
			"700001        COMPLETED      0:0 ", "700001.batch  COMPLETED      0:0 ")},
		{"Delimiter", nil, []string{"-XPj700001,700002", "--delimiter=<>", "-o", "jobid,jobname,state,exitcode"}, nil, lines(
			"JobID<>JobName<>State<>ExitCode", "700001<>okay<>COMPLETED<>0:0", "700002<>bad<>FAILED<>3:0")},
		{"ManyFields", nil, []string{"-XnP", "-j", "700001", "-o",
			"User,Account,Partition,QOS,NNodes,NCPUS,AllocCPUS,ReqCPUS,ReqMem,ReqTRES,AllocTRES,NodeList,Timelimit,Priority,UID,Group,Cluster,WorkDir,Reservation,Constraints,Comment,DerivedExitCode"}, nil,
			"alice|physics|debug|normal|1|2|2|2|200M|billing=2,cpu=2,mem=200M,node=1|billing=2,cpu=2,mem=200M,node=1|n1|00:05:00|0|3001|alice|ref|/home/alice/w||||0:0\n"},
		{"FormatFromTheEnvironment", nil, []string{"-nPX", "-j", "700001"}, []string{"SACCT_FORMAT=User,Account"}, "alice|physics\n"},
		{"NamesInAnyCaseAndWidths", nil, []string{"-X", "-j", "700001", "-o", "JOBID%4,jobname%-8,elap,state%5"}, nil, lines(
			"Jo+? JobName     Elapsed State ", "", "")},
		{"NoRecords", []*rinkpb.Record{}, []string{"-j", "650000"}, nil, lines(
			"JobID           JobName  Partition    Account  AllocCPUS      State ExitCode ",
			"------------ ---------- ---------- ---------- ---------- ---------- -------- ")},
		{"Cancelled", []*rinkpb.Record{cancelled}, []string{"-nP", "-j", "700003", "-o", "JobID,State,ExitCode"}, nil, lines(
			"700003|CANCELLED by 3001|0:0", "700003.batch|CANCELLED|0:15")},
		{"LongValuesEndWithAPlus", []*rinkpb.Record{cancelled}, []string{"-nX", "-j", "700003", "-o", "JobName,State"}, nil, "long-name+ CANCELLED+ \n"},
		{"OfAnExitCodeFrom128OnWhatIsAbove", []*rinkpb.Record{past(showtest.Job(700007, "big", showtest.Running(time.Second, "n1"), showtest.Ended(slurm.JobFailed, 143, 0)))},
			[]string{"-nXP", "-j", "700007", "-o", "ExitCode"}, nil, "15:0\n"},
		{"NeverStarted", []*rinkpb.Record{unstarted}, []string{"-nP", "-j", "700004", "-o", "State,Elapsed,Start,NodeList,ExitCode,AllocCPUS,NNodes"}, nil,
			"CANCELLED by 3001|00:00:00|None|None assigned|0:0|1|1\n"},
		{"Pending", []*rinkpb.Record{past(showtest.Job(700005, "wait", showtest.Held))}, []string{"-nP", "-j", "700005", "-o", "State,Start,End,Elapsed,Eligible"}, nil,
			"PENDING|Unknown|Unknown|00:00:00|Unknown\n"},
		{"Running", []*rinkpb.Record{past(showtest.Job(700006, "run", showtest.Limit(40), showtest.Running(90*time.Second, "n1")))},
			[]string{"-nP", "-j", "700006", "-o", "JobID,State,End,ElapsedRaw,Planned"}, nil, lines("700006|RUNNING|Unknown|90|00:00:00", "700006.batch|RUNNING|Unknown|90|")},
		{"Array", array, []string{"-nPX", "-j", "700010", "-o", "JobID,JobIDRaw,State"}, nil, lines("700010_1|700011|FAILED", "700010_[3-9]|700010|PENDING")},
		{"OneTask", array, []string{"-nP", "-j", "700010_1", "-o", "JobID,State"}, nil, lines("700010_1|FAILED", "700010_1.batch|FAILED")},
		{"TasksOfTheRest", array, []string{"-nP", "-j", "700010_[4-5]", "-o", "JobID"}, nil, "700010_[4-5]\n"},
		{"TaskByTask", array, []string{"-nPX", "--array", "-j", "700010_[4-5],700010_1", "-o", "JobID"}, nil, "700010_1\n700010_4\n700010_5\n"},
		{"OneStep", nil, []string{"-nP", "-j", "700001.batch", "-o", "JobID"}, nil, "700001.batch\n"},
		{"TimesAsAsked", nil, []string{"-nPX", "-j", "700001", "-o", "Submit,End"}, []string{"SLURM_TIME_FORMAT=%s"}, "2056622340|2056622400\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := okayAndBad()
			if test.records != nil {
				c.Records = test.records
			}
			if test.name == "NamesInAnyCaseAndWidths" {
				test.want = lines("JobI JobName     Elapsed State ", "---- -------- ---------- ----- ", "700+ okay       00:00:01 COMP+ ")
			}
			got, stderr, code := run(t, c, test.args, test.vars...)
			if got != test.want || code != 0 {
				t.Errorf("printed\n%s\nwant\n%s\nstderr %q, exit status %d", got, test.want, stderr, code)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	j := showtest.Job(700001, "job.sh", showtest.Size(4), showtest.Running(3*time.Second, "n1"), showtest.Ended(slurm.JobCompleted, 0, 0), func(j *sched.Job) {
		j.BatchUsage = &sched.Usage{UserCPU: 500 * time.Millisecond, MaxRSS: 1 << 20, TotalRSS: 1 << 20, Tasks: 1}
	})
	c := &showtest.Cluster{Records: []*rinkpb.Record{past(j, step(0, "sh", 1, slurm.JobCompleted, 0), step(1, "named", 4, slurm.JobCompleted, 0), step(2, "false", 4, slurm.JobFailed, 1))}}
	for _, test := range []struct {
		name, format string
		args         []string
		want         string
	}{
		{"IdsAndStates", "JobID,JobName,NTasks,AllocCPUS,State,ExitCode", nil, lines("700001|job.sh||4|COMPLETED|0:0", "700001.batch|batch|1|4|COMPLETED|0:0",
			"700001.0|sh|1|4|COMPLETED|0:0", "700001.1|named|4|4|COMPLETED|0:0", "700001.2|false|4|4|FAILED|1:0")},
		{"Usage", "JobID,MaxRSS,AveRSS,MaxRSSTask,TotalCPU,UserCPU,AveCPU", nil, lines("700001||||00:05.750|00:00:05|", "700001.batch|1M|1M|0|00:00.500|00:00.500|00:00:00",
			"700001.0|3M|3M|0|00:01.750|00:01.500|00:00:01", "700001.1|3M|2M|3|00:01.750|00:01.500|00:00:00", "700001.2|3M|2M|3|00:01.750|00:01.500|00:00:00")},
		{"UnitsAsAsked", "MaxRSS,ReqMem", []string{"--units=K"}, lines("|409600K", "1024K|", "3072K|", "3072K|", "3072K|")},
		{"NotConverted", "MaxRSS,ReqMem,AllocTRES", []string{"--noconvert", "-j", "700001.0"}, "3145728||cpu=4,mem=400M,node=1\n"},
		{"SharedOutWhenNotToldOfTasks", "JobID,AveCPU,MinCPU,MaxDiskReadNode,AvePages", nil, lines("700001||||", "700001.batch|00:00:00|00:00:00|n1|0", "700001.0|00:00:01|00:00:01|n1|3", "700001.1|00:00:00|00:00:00|n1|0", "700001.2|00:00:00|00:00:00|n1|0")},
		{"AllOfAStep", "TRESUsageInTot,TRESUsageOutTot,Layout", []string{"-j", "700001.0"}, "cpu=00:00:01,energy=0,fs/disk=4096,mem=3M,pages=3,vmem=8M|energy=0,fs/disk=512|Block\n"},
		{"JobFieldsStayEmpty", "User,Partition,QOS,UID,ReqMem,Timelimit,Priority,WorkDir", []string{"-j", "700001.0"}, "|||||||\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"-nP", "-o", test.format}, test.args...)
			if !strings.Contains(strings.Join(args, " "), "-j") {
				args = append(args, "-j", "700001")
			}
			if got, stderr, code := run(t, c, args); got != test.want || code != 0 {
				t.Errorf("printed\n%s\nwant\n%s\nstderr %q, exit status %d", got, test.want, stderr, code)
			}
		})
	}
}

func TestStatesOfBatchScripts(t *testing.T) {
	for _, test := range []struct {
		name         string
		end          func(*sched.Job)
		change       func(*sched.Job)
		requeued     bool
		job, jobExit string
		batch        string
	}{
		{"TimeLimit", showtest.Ended(slurm.JobTimeout, 0, 9), nil, false, "TIMEOUT", "0:0", "CANCELLED|0:9"},
		{"OutOfMemory", showtest.Ended(slurm.JobOutOfMemory, 0, 125), nil, false, "OUT_OF_MEMORY", "0:125", "OUT_OF_MEMORY|0:125"},
		{"KilledItself", showtest.Ended(slurm.JobFailed, 0, 9), nil, false, "FAILED", "0:9", "CANCELLED|0:9"},
		{"Preempted", showtest.Ended(slurm.JobPreempted, 0, 15), nil, true, "PREEMPTED", "0:0", "CANCELLED|0:15"},
		{"SentBackByHand", showtest.Ended(slurm.JobCancelled, 0, 15), nil, true, "REQUEUED", "0:0", "CANCELLED|0:15"},
		{"NotHeardOfYet", showtest.Ended(slurm.JobCancelled, 0, 0), func(j *sched.Job) { j.BatchDone = false }, false, "CANCELLED by 0", "0:0", "CANCELLED|0:15"},
		{"NodeLost", showtest.Ended(slurm.JobNodeFail, 0, 0), func(j *sched.Job) { j.BatchDone = false }, false, "NODE_FAIL", "0:0", "CANCELLED|"},
		{"StillCompleting", showtest.Ended(slurm.JobCompleted|slurm.JobCompleting, 0, 0), nil, false, "COMPLETED", "0:0", "COMPLETED|0:0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := showtest.Job(700001, "x", showtest.Running(time.Minute, "n1"), test.end)
			if test.change != nil {
				test.change(j)
			}
			r := past(j)
			r.Requeued = test.requeued
			got, _, _ := run(t, &showtest.Cluster{Records: []*rinkpb.Record{r}}, []string{"-nP", "-j", "700001", "-o", "State,ExitCode"})
			if want := lines(test.job+"|"+test.jobExit, test.batch); got != want {
				t.Errorf("printed\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestLongFormatHasAllHeaders(t *testing.T) {
	got, _, _ := run(t, okayAndBad(), []string{"-l", "-P", "-j", "700001"})
	header, _, _ := strings.Cut(got, "\n")
	want := "JobID|JobIDRaw|JobName|Partition|MaxVMSize|MaxVMSizeNode|MaxVMSizeTask|AveVMSize|MaxRSS|MaxRSSNode|MaxRSSTask|AveRSS|MaxPages|MaxPagesNode|MaxPagesTask|AvePages|" +
		"MinCPU|MinCPUNode|MinCPUTask|AveCPU|NTasks|AllocCPUS|Elapsed|State|ExitCode|AveCPUFreq|ReqCPUFreqMin|ReqCPUFreqMax|ReqCPUFreqGov|ReqMem|ConsumedEnergy|MaxDiskRead|" +
		"MaxDiskReadNode|MaxDiskReadTask|AveDiskRead|MaxDiskWrite|MaxDiskWriteNode|MaxDiskWriteTask|AveDiskWrite|ReqTRES|AllocTRES|TRESUsageInAve|TRESUsageInMax|" +
		"TRESUsageInMaxNode|TRESUsageInMaxTask|TRESUsageInMin|TRESUsageInMinNode|TRESUsageInMinTask|TRESUsageInTot|TRESUsageOutMax|TRESUsageOutMaxNode|TRESUsageOutMaxTask|" +
		"TRESUsageOutAve|TRESUsageOutTot"
	if header != want {
		t.Errorf("header\n%s\nwant\n%s", header, want)
	}
}

func TestEveryFieldByName(t *testing.T) {
	c := okayAndBad()
	for _, f := range fields() {
		got, stderr, code := run(t, c, []string{"-P", "-j", "700001", "-o", strings.ToLower(f.name)})
		if code != 0 || stderr != "" || !strings.HasPrefix(got, f.name+"\n") || strings.Count(got, "\n") != 3 {
			t.Errorf("-o %s: %q, stderr %q, exit status %d", f.name, got, stderr, code)
		}
	}
	if got, _, _ := run(t, c, []string{"-P", "-X", "-j", "700001", "-o", "ALL"}); strings.Count(got, "|") != 2*(len(fields())-1) {
		t.Errorf("-o ALL printed\n%s", got)
	}
	if got, _, _ := run(t, c, []string{"-nPX", "-j", "700001", "-o", "Reserved,ResvCPU"}); strings.Count(got, "|") != 1 {
		t.Errorf("old names: %q", got)
	}
	names := strings.Fields(fieldTable())
	if len(names) != len(fields()) || strings.Join(names[:4], " ") != "Account AdminComment AllocCPUS AllocNodes" {
		t.Errorf("-e printed\n%s", fieldTable())
	}
}

func TestAskedOfTheController(t *testing.T) {
	midnight := time.Date(2035, 3, 4, 0, 0, 0, 0, time.UTC).UnixNano()
	now := showtest.Now.UnixNano()
	soon := showtest.Now.Add(time.Second).UnixNano() // what is of this second is in the window
	for _, test := range []struct {
		args       string
		window     bool
		start, end int64
		check      func(*rinkpb.HistoryRequest) bool
	}{
		{"-a", true, midnight, soon, func(r *rinkpb.HistoryRequest) bool { return r.AllUsers && len(r.Uids) == 0 && r.Steps }},
		{"-a -u 3001", true, midnight, soon, func(r *rinkpb.HistoryRequest) bool { return !r.AllUsers && len(r.Uids) == 1 }},
		{"-u 3001 -a", true, midnight, soon, func(r *rinkpb.HistoryRequest) bool { return r.AllUsers && len(r.Uids) == 0 }},
		{"-u 3001,3002", true, midnight, soon, func(r *rinkpb.HistoryRequest) bool { return !r.AllUsers && len(r.Uids) == 2 }},
		{"-a -s CD,f,to", true, now, soon, func(r *rinkpb.HistoryRequest) bool { return len(r.States) == 3 }},
		{"-a -S 0301", true, time.Date(2035, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano(), soon, nil},
		{"-a -S now-7days -E now-1days", true, showtest.Ago(7 * 24 * time.Hour).UnixNano(), showtest.Ago(24 * time.Hour).UnixNano(), nil},
		{"-j 700001,700001.batch -j 700002_[1-3]", false, 0, 0, func(r *rinkpb.HistoryRequest) bool { return r.AllUsers && len(r.Refs) == 2 }},
		{"-j 700001 -E now", true, 0, now, nil},
		{"-X -j 700001", false, 0, 0, func(r *rinkpb.HistoryRequest) bool { return !r.Steps }},
		{"-X -j 700001 -o totalcpu", false, 0, 0, func(r *rinkpb.HistoryRequest) bool { return r.Steps }},
		{"-a -D -A chem -r short -q low --name a,b -N n[1-2] -g 3001", true, midnight, soon, func(r *rinkpb.HistoryRequest) bool {
			return r.Duplicates && len(r.Accounts) == 1 && len(r.Partitions) == 1 && len(r.Qos) == 1 && len(r.Names) == 2 && r.Nodes == "n[1-2]" && len(r.Gids) == 1
		}},
	} {
		c := okayAndBad()
		if _, stderr, code := run(t, c, strings.Fields(test.args)); code != 0 {
			t.Errorf("sacct %s: exit status %d, %s", test.args, code, stderr)
			continue
		}
		r := c.AskedPast[0]
		if r.HasWindow != test.window || r.Start != test.start || r.End != test.end && test.window || test.check != nil && !test.check(r) {
			t.Errorf("sacct %s asks for %v", test.args, r)
		}
	}
}

func TestFiltersOfItsOwn(t *testing.T) {
	c := okayAndBad()
	for args, want := range map[string]string{
		"-I 2": "700001", "-I 1-2": "700001 700002", "-i 2-4": "", "-k 5": "700001 700002", "-k 1 -K 4": "", "-F SchedBackfill": "700001 700002", "-F SchedMain": "", "-F StartRecieved": "700001 700002", "-W x": "",
	} {
		got, stderr, code := run(t, c, append(strings.Fields(args), "-a", "-nPX", "-o", "jobid"))
		if got = strings.Join(strings.Fields(got), " "); got != want || code != 0 {
			t.Errorf("sacct %s: %q, want %q (%s)", args, got, want, stderr)
		}
	}
}

func TestTruncate(t *testing.T) {
	c := &showtest.Cluster{Records: []*rinkpb.Record{past(showtest.Job(700001, "x", showtest.Running(time.Hour, "n1"), showtest.Ended(slurm.JobCompleted, 0, 0)))}}
	got, _, _ := run(t, c, []string{"-nPX", "-T", "-S", "11:30", "-E", "11:45", "-a", "-o", "Start,End,Elapsed"})
	if got != "2035-03-04T11:30:00|2035-03-04T11:45:00|00:15:00\n" {
		t.Errorf("printed %q", got)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"UnknownField", []string{"-o", "jobid,nosuch"}, "sacct: error: Invalid field requested: \"nosuch\"\n"},
		{"NotAJob", []string{"-j", "12,abc"}, "sacct: fatal: Bad job/step specified: abc\n"},
		{"BadTime", []string{"-S", "someday"}, "Invalid time specification (pos=0): someday\n"},
		{"StartAfterEnd", []string{"-S", "now+1hour"}, "sacct: error: Start time (2035-03-04T13:00:00) requested is after end time (2035-03-04T12:00:00).\n"},
		{"BadState", []string{"-s", "CD,xx"}, "sacct: fatal: unrecognized job state value 'xx'\n"},
		{"UnknownUser", []string{"-u", "no-such-user-here"}, "sacct: error: Invalid user id: no-such-user-here\n"},
		{"BadUnit", []string{"--units=X"}, "sacct: error: Invalid unit type 'X'. Possible options are 'KMGTP'\nsacct: fatal: Invalid unit type\n"},
		{"UnknownOption", []string{"--nosuch"}, "sacct: unrecognized option '--nosuch'\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, stderr, code := run(t, okayAndBad(), test.args); stderr != test.want || code != 1 {
				t.Errorf("said %q, exit status %d; want %q, 1", stderr, code, test.want)
			}
		})
	}
}

func TestScriptsAndData(t *testing.T) {
	c := okayAndBad()
	c.Scripts = map[uint32]string{700001: "#!/bin/sh\ntrue\n"}
	got, _, _ := run(t, c, []string{"-B", "-j", "700001,700002"})
	rule := strings.Repeat("-", 80)
	if want := lines("Batch Script for 700001", rule, "#!/bin/sh", "true", "", "Batch Script for 700002", rule, "NONE", ""); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	if got, _, _ := run(t, c, []string{"--env-vars", "-j", "700001"}); !strings.Contains(got, "\nHOME=/home/alice\nLANG=C\n") {
		t.Errorf("printed\n%s", got)
	}
	if got, _, code := run(t, c, []string{"--json", "-j", "700001"}); code != 0 || !strings.Contains(got, `"current": [
          "COMPLETED"
        ]`) {
		t.Errorf("exit status %d, printed\n%s", code, got)
	}
}
