package squeue

import (
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// run runs squeue on a cluster and returns what it prints and its exit status.
func run(t *testing.T, c *showtest.Cluster, args []string, vars ...string) (stdout, stderr string, code int) {
	t.Helper()
	env, out, errs := showtest.Env("squeue", args, vars...)
	o, err := parse(env)
	if err != nil {
		return out.String(), err.Error() + "\n", 1
	}
	if o.done != "" {
		return o.done, "", 0
	}
	o.me = 3009 // nobody in particular, and not root
	code = list(env, o, c, "ref")
	return out.String(), errs.String(), code
}

// lines joins the lines of an expected table.
func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }

func three() *showtest.Cluster {
	return &showtest.Cluster{JobList: []*sched.Job{
		showtest.Job(700001, "a-rather-long-name", showtest.Held),
		showtest.Job(700002, "ok", showtest.Size(3), showtest.Limit(40), showtest.Running(7*time.Second, "n1", "n2")),
		showtest.Job(700003, "later", showtest.In("short"), showtest.Limit(10), func(j *sched.Job) {
			j.Begin, j.Reason = showtest.Now.Add(time.Hour), slurm.ReasonBeginTime
		}),
	}}
}

func TestTables(t *testing.T) {
	array := func() *showtest.Cluster {
		return &showtest.Cluster{JobList: []*sched.Job{
			showtest.Job(700004, "ar", showtest.Array("2,4,6-8", 0), showtest.Held),
			showtest.Job(700005, "ar", showtest.Task(700004, 1), showtest.Running(time.Second, "n1")),
		}}
	}
	for _, test := range []struct {
		name    string
		cluster *showtest.Cluster
		args    []string
		vars    []string
		want    string
	}{
		{"EmptyQueueIsAHeader", &showtest.Cluster{}, nil, nil, lines(
			"             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)")},
		{"Default", three(), []string{"-S", "i"}, nil, lines(
			"             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)",
			"            700001     debug a-rather    alice PD       0:00      1 (JobHeldUser)",
			"            700002     debug       ok    alice  R       0:07      2 n[1-2]",
			"            700003     short    later    alice PD       0:00      1 (BeginTime)")},
		{"LongWithDate", three(), []string{"-l", "-S", "i"}, nil, lines(
			"Sun Mar 04 12:00:00 2035",
			"             JOBID PARTITION     NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)",
			"            700001     debug a-rather    alice  PENDING       0:00 UNLIMITED      1 (JobHeldUser)",
			"            700002     debug       ok    alice  RUNNING       0:07     40:00      2 n[1-2]",
			"            700003     short    later    alice  PENDING       0:00     10:00      1 (BeginTime)")},
		{"LongWithoutHeader", three(), []string{"-hl", "-j700002"}, nil, lines(
			"            700002     debug       ok    alice  RUNNING       0:07     40:00      2 n[1-2]")},
		{"StepsOfARunningBatchJob", three(), []string{"-s", "-j", "700002"}, nil, lines(
			"         STEPID     NAME PARTITION     USER      TIME NODELIST",
			"   700002.batch    batch     debug    alice      0:07 n1")},
		{"Start", three(), []string{"--start"}, nil, lines(
			"             JOBID PARTITION     NAME     USER ST          START_TIME  NODES SCHEDNODES           NODELIST(REASON)",
			"            700003     short    later    alice PD 2035-03-04T13:00:00      1 (null)               (BeginTime)",
			"            700001     debug a-rather    alice PD                 N/A      1 (null)               (JobHeldUser)")},
		{"LettersWithTextBetween", three(), []string{"-ho%A|%t|%.3j|%5D|%-", "-j", "700002"}, nil, "700002|R| ok|2    |%-\n"},
		{"TextInFrontIsPrinted", three(), []string{"-h", "-o %A|%u", "-t", "R"}, nil, " 700002|alice\n"},
		{"PercentSignsInARow", three(), []string{"-h", "-o%%i", "-tr"}, nil, "700002\n"},
		{"NamesAreTwentyWide", three(), []string{"-O", "jobid,STATE,timelimit", "-t", "running"}, nil, lines(
			"JOBID               STATE               TIME_LIMIT          ",
			"700002              RUNNING             40:00               ")},
		{"NamesWithWidthAndSuffix", three(), []string{"-h", "-O", "JobID: ,name:.8#,StateCompact:3###turm###,reasonlist:0,", "-t", "R"}, nil,
			"700002       ok#R  ###turm###n[1-2]\n"},
		{"NodesAreWholeAndReasonsCut", three(), []string{"-h", "-S", "i", "-o", "[%.5R|%5R|%.3N|%3N]", "-j", "700001,700002"}, nil, lines(
			"[(JobH|(JobH|   |   ]", "[n[1-2]|n[1-2|n[1-2]|n[1]")},
		{"ArrayRestInBrackets", array(), []string{"-h", "-S", "i", "-o", "%i|%A|%F|%K|%T"}, nil, lines(
			"700004_1|700005|700004|1|RUNNING", "700004_[2,4,6-8]|700004|700004|2,4,6-8|PENDING")},
		{"ArrayTaskByTask", array(), []string{"-h", "-r", "-S", "i", "-o", "%i %K"}, nil, lines(
			"700004_1 1", "700004_2 2", "700004_4 4", "700004_6 6", "700004_7 7", "700004_8 8")},
		{"OneTaskOfTheRest", array(), []string{"-h", "-j", "700004_4", "-o", "%i|%K"}, nil, "700004_4|4\n"},
		{"SomeTasksOfTheRest", array(), []string{"-h", "-j", "700004_4,700004_7", "-o", "%i"}, nil, "700004_[4,7]\n"},
		{"SomeTasksOneByOne", array(), []string{"-h", "-r", "-j", "700004_[4,7]", "-o", "%i"}, nil, "700004_4\n700004_7\n"},
		{"UnknownTaskIsNothing", array(), []string{"-h", "-j", "700004_99"}, nil, ""},
		{"ThrottleBehindTheTasks", &showtest.Cluster{JobList: []*sched.Job{showtest.Job(700009, "arr", showtest.Array("1-3", 1))}},
			[]string{"-h", "-o", "%.9i|%i"}, nil, "700009_[1|700009_[1-3%1]\n"},
		{"LongTaskListIsCut", &showtest.Cluster{JobList: []*sched.Job{showtest.Job(700009, "arr",
			showtest.Array("1,3,4,6,8,10,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47", 2))}},
			[]string{"-h", "-o", "%K"}, nil, "1,3-4,6,8,10,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43...%2\n"},
		{"LongTaskListWhole", &showtest.Cluster{JobList: []*sched.Job{showtest.Job(700009, "arr",
			showtest.Array("1,3,4,6,8,10,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45", 0))}},
			[]string{"-h", "-o", "%K"}, []string{"SLURM_BITSTR_LEN=0"}, "1,3-4,6,8,10,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45\n"},
		{"FormatFromTheEnvironment", three(), []string{"-h", "-t", "R"}, []string{"SQUEUE_FORMAT=%i %j"}, "700002 ok\n"},
		{"OptionOverEnvironment", three(), []string{"-h", "-o", "%j"}, []string{"SQUEUE_FORMAT=%i %j", "SQUEUE_STATES=R"}, "ok\n"},
		{"NamesFromTheEnvironment", three(), []string{"-h"}, []string{"SQUEUE_FORMAT2=jobid:8,name:4", "SQUEUE_PARTITION=short"}, "700003  late\n"},
		{"TimesAsAsked", three(), []string{"-h", "-o", "%V", "-j", "700001"}, []string{"SLURM_TIME_FORMAT=%s"}, "2056622340\n"},
		{"RelativeTimes", three(), []string{"-h", "-o", "%V", "-j", "700001"}, []string{"SLURM_TIME_FORMAT=relative"}, "11:59:00\n"},
		{"OnlyStates", three(), []string{"--only-job-state", "-S", "i", "-h"}, nil, lines(
			"            700001 PD", "            700002  R", "            700003 PD")},
		{"UnknownFieldIsLeftOut", three(), []string{"-h", "-O", "nosuchfield,name:5", "-t", "R"}, nil, "ok   \n"},
		{"ClusterByName", three(), []string{"-M", "ref", "-t", "R", "-o", "%i"}, nil, "CLUSTER: ref\nJOBID\n700002\n"},
		{"TwoIdsOneUnknown", three(), []string{"-h", "-o", "%i", "-j", "650000,700001"}, nil, "700001\n"},
		{"ListOfJobsApart", three(), []string{"-j", "-h", "-o", "%i", "700001"}, nil, "700001\n"},
		{"LongOptionsCutShort", three(), []string{"--noh", "--form=%i", "--job=700001"}, nil, "700001\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, stderr, code := run(t, test.cluster, test.args, test.vars...)
			if got != test.want {
				t.Errorf("printed\n%s\nwant\n%s\nstderr %q", got, test.want, stderr)
			}
			if code != 0 {
				t.Errorf("exit status %d, stderr %q", code, stderr)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string // beginning of stderr
		code int
	}{
		{"UnknownJob", []string{"-j", "650000"}, "slurm_load_jobs error: Invalid job id specified\n", 1},
		{"NoJobID", []string{"-j", "abc"}, "squeue: error: Invalid job id: abc\n", 1},
		{"UnknownState", []string{"-t", "R,xx"}, "squeue: error: Invalid job state specified: xx\nsqueue: error: Valid job states include: PENDING,RUNNING,", 1},
		{"UnknownUser", []string{"-u", "no-such-user-here"}, "squeue: error: Invalid user: no-such-user-here\n", 0},
		{"UnknownOption", []string{"--nosuch"}, "squeue: unrecognized option '--nosuch'\nTry \"squeue --help\" for more information\n", 1},
		{"StrayWord", []string{"700001"}, "squeue: error: Unrecognized option: 700001\nUsage: squeue", 1},
		{"UnknownField", []string{"-O", "nosuchfield"}, "squeue: error: Invalid job format specification: nosuchfield\n", 0},
		{"UnknownLetter", []string{"-o", "%1"}, "squeue: error: Invalid job format specification: \n", 0},
		{"UnknownSortKey", []string{"-S", "i,?"}, "squeue: error: Invalid sort specification: ?\n", 1},
		{"UnknownNode", []string{"-w", "n9"}, "squeue: error: Invalid node name n9\n", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, code := run(t, three(), test.args)
			if !strings.HasPrefix(stderr, test.want) || code != test.code {
				t.Errorf("said %q, exit status %d; want %q, %d", stderr, code, test.want, test.code)
			}
		})
	}
}

func TestUnknownUserStillHasAHeader(t *testing.T) {
	out, _, code := run(t, three(), []string{"-u", "no-such-user-here", "-o", "%i"})
	if out != "JOBID\n" || code != 0 {
		t.Errorf("printed %q, exit status %d", out, code)
	}
}

func TestSort(t *testing.T) {
	c := &showtest.Cluster{JobList: []*sched.Job{
		showtest.Job(700001, "bb", showtest.Size(3), showtest.Limit(30), showtest.Held),
		showtest.Job(700002, "aa", showtest.Limit(60), showtest.In("short"), showtest.Held),
		showtest.Job(700003, "cc", showtest.Size(2), showtest.Limit(10), showtest.Held),
		showtest.Job(700004, "aa", showtest.Size(5), showtest.Running(time.Second, "n1")),
	}}
	for key, want := range map[string]string{
		"i": "bb3 aa1 cc2 aa5", "-i": "aa5 cc2 aa1 bb3", "j": "aa5 aa1 bb3 cc2", "-j": "cc2 bb3 aa5 aa1", "j,i": "aa1 aa5 bb3 cc2",
		"j,-i": "aa5 aa1 bb3 cc2", "C": "aa1 cc2 bb3 aa5", "-C": "aa5 bb3 cc2 aa1", "l": "cc2 bb3 aa1 aa5", "-l": "aa5 aa1 bb3 cc2",
		"P,i": "bb3 cc2 aa5 aa1", "t,i": "bb3 aa1 cc2 aa5", "-t,+i": "aa5 bb3 aa1 cc2", "": "cc2 bb3 aa5 aa1",
	} {
		args := []string{"-h", "-o", "%j%C"}
		if key != "" {
			args = append(args, "-S", key)
		}
		got, _, _ := run(t, c, args)
		if got = strings.Join(strings.Fields(got), " "); got != want {
			t.Errorf("sorted by %q: %s, want %s", key, got, want)
		}
	}
	if got, _, _ := run(t, c, []string{"-h", "-o", "%i"}, "SQUEUE_SORT=-i"); !strings.HasPrefix(got, "700004\n700003") {
		t.Errorf("SQUEUE_SORT=-i: %q", got)
	}
}

func TestStates(t *testing.T) {
	ended := func(name string, state slurm.JobState, reason slurm.Reason) *sched.Job {
		return showtest.Job(slurm.JobID(700100+uint32(state&0xff)), name, showtest.Running(time.Minute, "n3"), showtest.Ended(state, 0, 0),
			func(j *sched.Job) { j.Reason = reason })
	}
	c := &showtest.Cluster{JobList: []*sched.Job{
		ended("done", slurm.JobCompleted, slurm.ReasonNone),
		ended("late", slurm.JobTimeout, slurm.ReasonTimeLimit),
		ended("bad", slurm.JobFailed, slurm.ReasonNonZeroExitCode),
		ended("node", slurm.JobNodeFail, slurm.ReasonNodeDown),
		showtest.Job(700200, "ending", showtest.Running(time.Minute, "n1", "n2"), showtest.Ended(slurm.JobCancelled|slurm.JobCompleting, 0, 15),
			func(j *sched.Job) { j.Completing = []sched.NodeName{"n2"} }),
		showtest.Job(700201, "again", func(j *sched.Job) { j.ReasonText, j.Priority = "job requeued in held state", 0 }),
		showtest.Job(700202, "stopped", showtest.Running(time.Hour, "n4"), func(j *sched.Job) {
			j.State, j.Suspended, j.SuspendedFor = slurm.JobSuspended, showtest.Ago(time.Minute), 9*time.Minute
		}),
	}}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-t", "all", "-S", "i"}, "done|CD|COMPLETED|n3 late|TO|TIMEOUT|(TimeLimit) " +
			"bad|F|FAILED|(NonZeroExitCode) node|NF|NODE_FAIL|n3 ending|CG|COMPLETING|n2 again|PD|PENDING|(job requeued in held state) stopped|S|SUSPENDED|n4"},
		{[]string{"-t", "cd,TO"}, "done|CD|COMPLETED|n3 late|TO|TIMEOUT|(TimeLimit)"},
		{[]string{"-S", "i"}, "ending|CG|COMPLETING|n2 again|PD|PENDING|(job requeued in held state) stopped|S|SUSPENDED|n4"},
		{[]string{"-S", "t,i"}, "ending|CG|COMPLETING|n2 again|PD|PENDING|(job requeued in held state) stopped|S|SUSPENDED|n4"},
	} {
		args := append([]string{"-h", "-o", "%j|%t|%T|%R"}, test.args...)
		got, _, _ := run(t, c, args)
		// Sorted by id the ended jobs come in the order of their states' numbers.
		want := strings.ReplaceAll(test.want, "late|TO|TIMEOUT|(TimeLimit) bad|F|FAILED|(NonZeroExitCode)", "bad|F|FAILED|(NonZeroExitCode) late|TO|TIMEOUT|(TimeLimit)")
		if got = strings.ReplaceAll(strings.TrimSpace(got), "\n", " "); got != want {
			t.Errorf("squeue %q:\n%s\nwant\n%s", test.args, got, want)
		}
	}
	if got, _, _ := run(t, c, []string{"-h", "-j", "700202", "-o", "%M"}); got != "50:00\n" {
		t.Errorf("time used by a suspended job: %q, want 50:00", got)
	}
}

func TestEveryColumnOfAPendingJob(t *testing.T) {
	c := &showtest.Cluster{JobList: []*sched.Job{showtest.Job(700001, "pend", showtest.Held, showtest.Size(2), showtest.Limit(5), func(j *sched.Job) {
		j.Account, j.Spec.Comment = "chem", "note"
	})}}
	got, _, _ := run(t, c, []string{"-h", "-O", "account:10,qos:8,jobarrayid:10,arraytaskid:6,prioritylong:10,nice:8,minmemory:8,comment:8,tres-alloc:40,tres:30," +
		"dependency:12,feature:8,gres:8,exit_code:6,groupname:8,licenses:8,maxcpus:6,mincpus:6,numtasks:6,oversubscribe:6,reqnodes:6,requeue:3,reservation:8,userid:6,wckey:6"})
	want := "chem      normal  700001    N/A   0         0       100M    note    cpu=2,mem=200M,node=1,billing=2         cpu=2,mem=200M,node=1,billing=" +
		"(null)      (null)  N/A     0     alice   (null)  2     1     2     OK          1  (null)  3001  (null)\n"
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	for _, column := range columns() {
		if column.Header == "" || column.Value == nil {
			t.Errorf("column %c %v has no header or no value", column.Letter, column.Names)
		}
		for _, name := range column.Names {
			out, stderr, code := run(t, c, []string{"-O", name + ":40"})
			if code != 0 || stderr != "" || !strings.HasPrefix(out, column.Header+" ") || strings.Count(out, "\n") != 2 {
				t.Errorf("squeue -O %s: %q, stderr %q, exit status %d", name, out, stderr, code)
			}
		}
	}
}

func TestAllLetters(t *testing.T) {
	out, _, _ := run(t, three(), []string{"-o", "%all", "-t", "R"})
	header, row, _ := strings.Cut(out, "\n")
	if strings.Count(header, "|") != strings.Count(row, "|") || !strings.HasPrefix(header, "ACCOUNT|TRES_PER_NODE|MIN_CPUS|MIN_TMP_DISK|END_TIME|") {
		t.Errorf("printed\n%s", out)
	}
}

func TestFilters(t *testing.T) {
	c := three()
	c.NodeList = []*rinkpb.Node{showtest.Node("n1", slurm.NodeMixed), showtest.Node("n4", slurm.NodeIdle)}
	c.JobList[0].Spec.Licenses, c.JobList[0].Spec.Reservation, c.JobList[0].Run = "matlab:2,ansys", "r1", "RUN-20350304-0001"
	c.JobList[2].Account, c.JobList[2].UID = "chem", 3002
	for args, want := range map[string]string{
		"-n later,ok": "700002 700003", "-A chem": "700003", "-p short": "700003", "-L ansys": "700001", "-R r1,r2": "700001", "-q high": "",
		"-w n1": "700002", "-w n4": "", "-u 3002": "700003", "--run RUN-20350304-0001": "700001", "--running-over 0:05": "700002",
		"--running-under 0:05": "", "-t PD": "700001 700003", "-p nosuch": "",
	} {
		out, stderr, code := run(t, c, append([]string{"-h", "-o", "%i", "-S", "i"}, strings.Fields(args)...))
		if got := strings.Join(strings.Fields(out), " "); got != want || code != 0 {
			t.Errorf("squeue %s: %q, want %q (stderr %q, exit status %d)", args, got, want, stderr, code)
		}
	}
}

func TestAskedOfTheController(t *testing.T) {
	c := three()
	run(t, c, []string{"-u", "3001", "-j", "700001_[1-3],700001_7,700002"})
	run(t, c, []string{"-t", "all", "-a", "-o", "%S"})
	if got := c.Asked[0]; len(got.Refs) != 2 || len(got.Uids) != 1 || got.Ended || !got.Plan {
		t.Errorf("first request %v", got)
	}
	if got := c.Asked[1]; !got.Ended || !got.Hidden || !got.Plan {
		t.Errorf("second request %v", got)
	}
}

func TestDependencies(t *testing.T) {
	deps, err := slurm.ParseDependencies("afterok:700001,singleton,afterany:700002_3,after:700005+5")
	if err != nil {
		t.Fatal(err)
	}
	j := showtest.Job(700009, "dep", func(j *sched.Job) {
		for i, d := range deps.Terms {
			j.Deps = append(j.Deps, sched.Depend{DependTerm: d, State: []sched.DependState{sched.DependFailed, sched.DependWaiting, sched.DependFulfilled, sched.DependWaiting}[i]})
		}
	})
	out, _, _ := run(t, &showtest.Cluster{JobList: []*sched.Job{j}}, []string{"-h", "-o", "%E"})
	if want := "afterok:700001(failed),singleton(unfulfilled),after:700005+5(unfulfilled)\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
}

func TestSingletonIsOpenWhileSomethingElseIs(t *testing.T) {
	done := sched.Depend{DependTerm: slurm.DependTerm{Type: slurm.DependSingleton}, State: sched.DependFulfilled}
	other := sched.Depend{DependTerm: slurm.DependTerm{Type: slurm.DependAfterAny, Job: 700001}}
	for want, j := range map[string]*sched.Job{
		"singleton(unfulfilled)\n": showtest.Job(700009, "held", showtest.Held, func(j *sched.Job) { j.Deps = []sched.Depend{done} }),
		"(null)\n":                 showtest.Job(700009, "free", func(j *sched.Job) { j.Deps = []sched.Depend{done} }),
		"singleton(unfulfilled),afterany:700001(unfulfilled)\n": showtest.Job(700009, "waits", func(j *sched.Job) { j.Deps = []sched.Depend{done, other} }),
	} {
		if got, _, _ := run(t, &showtest.Cluster{JobList: []*sched.Job{j}}, []string{"-h", "-o", "%E"}); got != want {
			t.Errorf("%s: %q, want %q", j.Name, got, want)
		}
	}
}

func TestHiddenPartitions(t *testing.T) {
	c := three()
	c.Parts = []*sched.Partition{showtest.Part("debug", "n1"), showtest.Part("short", "n1", func(p *sched.Partition) { p.Hidden = true })}
	for args, want := range map[string]string{"": "700001\n700002\n", "-a": "700001\n700002\n700003\n", "-a --hide": "700001\n700002\n", "-p short": "700003\n"} {
		if got, _, _ := run(t, c, append([]string{"-h", "-o", "%i", "-S", "i"}, strings.Fields(args)...)); got != want {
			t.Errorf("squeue %s: %q, want %q", args, got, want)
		}
	}
}

func TestExpectedStart(t *testing.T) {
	c := three()
	c.Expected = []*rinkpb.Expected{{Job: 700001, Start: showtest.Now.Add(30 * time.Minute).UnixNano(), Nodes: []string{"n3", "n4"}}}
	out, _, _ := run(t, c, []string{"-h", "--start", "-o", "%i %S %e %Y"})
	want := lines("700001 2035-03-04T12:30:00 N/A n[3-4]", "700003 2035-03-04T13:00:00 2035-03-04T13:10:00 (null)")
	if out != want {
		t.Errorf("printed\n%s\nwant\n%s", out, want)
	}
}

func TestJSONIsValid(t *testing.T) {
	out, _, code := run(t, three(), []string{"--json"})
	if code != 0 || !strings.Contains(out, `"job_state": [
        "RUNNING"
      ]`) || !strings.Contains(out, `"user_name": "alice"`) {
		t.Errorf("exit status %d, printed\n%s", code, out)
	}
	yaml, _, _ := run(t, three(), []string{"--yaml"})
	if !strings.HasPrefix(yaml, "---\njobs:\n  -\n    account: \"physics\"\n") {
		t.Errorf("printed\n%s", yaml)
	}
}

// BenchmarkList is a listing of five thousand jobs, from the controller's answer
// to the printed table.
func BenchmarkList(b *testing.B) {
	c := &showtest.Cluster{}
	for i := range slurm.JobID(5000) {
		c.JobList = append(c.JobList, showtest.Job(700001+i, "bench", showtest.Limit(60), showtest.Running(time.Minute, "n1", "n2", "n3")))
	}
	for b.Loop() {
		env, _, _ := showtest.Env("squeue", nil)
		o, err := parse(env)
		if err != nil {
			b.Fatal(err)
		}
		if code := list(env, o, c, "ref"); code != 0 {
			b.Fatal("exit status", code)
		}
	}
}

func TestJSONOfSteps(t *testing.T) {
	out, _, code := run(t, three(), []string{"-s", "--json"})
	if code != 0 || !strings.Contains(out, `"steps": [`) || strings.Contains(out, `"jobs"`) || !strings.Contains(out, `.batch"`) {
		t.Errorf("exit status %d, printed\n%s", code, out)
	}
}

// BenchmarkJSON is the same as JSON, each job on CPUs of three nodes.
func BenchmarkJSON(b *testing.B) {
	c := &showtest.Cluster{NodeList: []*rinkpb.Node{showtest.Node("n1", slurm.NodeMixed), showtest.Node("n2", slurm.NodeMixed), showtest.Node("n3", slurm.NodeMixed)}}
	for i := range slurm.JobID(5000) {
		j := showtest.Job(700001+i, "bench", showtest.Limit(60), showtest.Running(time.Minute, "n1", "n2", "n3"))
		for k := range j.Alloc {
			j.Alloc[k].CPUIDs = "0-3"
		}
		c.JobList = append(c.JobList, j)
	}
	for b.Loop() {
		env, _, _ := showtest.Env("squeue", []string{"--json"})
		o, err := parse(env)
		if err != nil {
			b.Fatal(err)
		}
		if code := list(env, o, c, "ref"); code != 0 {
			b.Fatal("exit status", code)
		}
	}
}
