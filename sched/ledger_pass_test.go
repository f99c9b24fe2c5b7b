package sched

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// limitedView is four nodes with jobs of these options in line, each "ACCOUNT USER
// QOS OPTIONS".
func limitedView(t *testing.T, acc *Accounts, safe bool, jobs ...string) View {
	t.Helper()
	cfg, nodes := refCluster(t)
	cfg.Conf.AccountingStorageEnforce.Limits, cfg.Conf.AccountingStorageEnforce.Safe = true, safe
	v := View{Config: cfg, Nodes: nodes, LicensesAll: cfg.Licenses, Accounts: acc}
	for i, line := range jobs {
		var account, user, qos, options string
		fmt.Sscan(line, &account, &user, &qos)
		options = line[len(account)+len(user)+len(qos)+3:]
		j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, options)
		if err != nil {
			t.Fatal(line, err, lines)
		}
		j.ID, j.Account, j.User, j.UID, j.QOS = slurm.JobID(i+1), account, user, uint32(user[1]), qos
		j.Priority = uint32(1000 - i)
		if j.ArrayAll.Len() > 0 {
			j.ArrayID = j.ID
		}
		v.Pending = append(v.Pending, j)
	}
	v.Ledger = NewLedger(cfg, acc, refNow)
	for _, j := range v.Pending {
		v.Ledger.Set(j, refNow)
	}
	v.Ledger = v.Ledger.Clone()
	return v
}

func TestPassKeepsLimits(t *testing.T) {
	for _, c := range []struct {
		name, assoc, qos string
		jobs             []string
		want             string
	}{
		{"GroupOfCPUs", "GrpTRES=cpu=8", "", []string{"a u1 normal -n6 -t5", "a u1 normal -n4 -t5", "a u1 normal -n2 -t5"}, "1 starts, 2 waits AssocGrpCpuLimit, 3 starts"},
		{"JobsOfUser", "", "MaxJobsPerUser=1", []string{"a u1 normal -t5", "a u1 normal -t5", "a u2 normal -t5"}, "1 starts, 2 waits QOSMaxJobsPerUserLimit, 3 starts"},
		{"Tasks", "", "MaxJobsPerUser=2", []string{"a u1 normal -t5 --array=1-4"}, "1_1 starts, 1_2 starts, 1 waits QOSMaxJobsPerUserLimit"},
		{"WholeNodesCount", "", "MaxTRESPerUser=cpu=20", []string{"a u1 normal -t5 --exclusive", "a u1 normal -t5 -n6"}, "1 starts, 2 waits QOSMaxCpuPerUserLimit"},
		{"WholeNodesAreTooMany", "", "MaxTRESPerJob=cpu=4", []string{"a u1 normal -t5 --exclusive"}, "1 waits QOSMaxCpuPerJobLimit"},
		{"BarredBlocksNobody", "", "MaxTRESPerJob=cpu=4", []string{"a u1 normal -t5 -n60", "a u2 normal -t5"}, "1 waits QOSMaxCpuPerJobLimit, 2 starts"},
		{"BeyondPartition", "", "", []string{"a u1 normal -p short -t 2:00:00", "a u1 long -p short -t 2:00:00"}, "1 waits PartitionTimeLimit, 2 starts"},
		{"MoreNodes", "", "", []string{"a u1 normal -p single -N2 -t5", "a u1 long -p single -N2 -t5"}, "1 waits PartitionNodeLimit, 2 starts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			acc := plant(t, "1 0 root", "2 1 a "+c.assoc, "3 2 a u1", "4 2 a u2")
			withQOS(t, acc, "normal "+c.qos)
			withQOS(t, acc, "long flags=PartitionTimeLimit,PartitionMaxNodes")
			plan := Cycle(limitedView(t, acc, false, c.jobs...), refNow)
			got := ""
			starts, waits := plan.Starts, plan.Waits
			for len(starts)+len(waits) > 0 {
				if got != "" {
					got += ", "
				}
				if len(waits) == 0 || len(starts) > 0 && starts[0].Job <= waits[0].Job {
					got += fmt.Sprint(starts[0].Job)
					if starts[0].IsTask {
						got += fmt.Sprint("_", starts[0].Task)
					}
					got += " starts"
					starts = starts[1:]
					continue
				}
				got += fmt.Sprint(waits[0].Job, " waits ", waits[0].Reason)
				waits = waits[1:]
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestNoRoomIsKeptForAQOSThatWantsNone: a job behind one for which no room is kept
// starts although it delays that one.
func TestNoRoomIsKeptForAQOSThatWantsNone(t *testing.T) {
	for _, c := range []struct {
		flags string
		want  int
	}{{"", 1}, {"flags=NoReserve", 2}} {
		acc := plant(t, "1 0 root", "2 1 a", "3 2 a u1")
		withQOS(t, acc, "normal")
		withQOS(t, acc, "wide "+c.flags)
		v := limitedView(t, acc, false, "a u1 normal -N1 -n16 -w n1 -t 60", "a u1 wide -N4 --exclusive -t 5", "a u1 normal -N1 -n16 -w n2 -t 1-0")
		if got := len(Cycle(v, refNow).Starts); got != c.want {
			t.Errorf("with %q %d jobs start, want %d", c.flags, got, c.want)
		}
	}
}

func TestUsageThreshold(t *testing.T) {
	acc := plant(t, "1 0 root", "2 1 a", "3 2 a u1", "4 2 a u2")
	withQOS(t, acc, "normal UsageThreshold=0.6 flags=EnforceUsageThreshold")
	v := limitedView(t, acc, false, "a u1 normal -t5", "a u2 normal -t5")
	l := NewLedger(v.Config, acc, refNow.Add(-time.Hour))
	l.Set(&Job{ID: 9, Account: "a", User: "u1", QOS: "normal", Partition: "debug", State: slurm.JobRunning, Start: refNow.Add(-time.Hour),
		TimeLimit: 7200, Alloc: []NodeAlloc{{Node: "n1", CPUs: 4}}}, refNow.Add(-time.Hour))
	l.Forget(9, refNow)
	v.Ledger = l.Clone()
	plan := Cycle(v, refNow)
	if len(plan.Starts) != 1 || plan.Starts[0].Job != 2 || len(plan.Waits) != 1 || plan.Waits[0].Reason != slurm.ReasonQOSUsageThreshold {
		t.Errorf("plan %+v", plan)
	}
}

// TestSchedulerCountsAsTheStateDoes tells a scheduler of starts and ends, and
// compares its book with one made anew.
func TestSchedulerCountsAsTheStateDoes(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	acc := plant(t, "1 0 root", "2 1 a GrpTRES=cpu=40", "3 2 a u1 MaxJobs=5", "4 2 a u2 GrpTRES=cpu=20")
	withQOS(t, acc, "normal MaxTRESPerUser=cpu=30 MaxSubmitJobsPerUser=100")
	var lines []string
	for range 60 {
		lines = append(lines, fmt.Sprintf("a u%d normal -n %d -t %d", 1+r.Intn(2), 1+r.Intn(8), 1+r.Intn(60)))
	}
	v := limitedView(t, acc, false, lines...)
	s := NewScheduler(v)
	jobs := map[slurm.JobID]*Job{}
	for _, j := range v.Pending {
		jobs[j.ID] = j
	}
	now := refNow
	for range 40 {
		now = now.Add(time.Minute)
		for _, start := range s.Plan(now, r.Intn(2) == 0).Starts {
			old := jobs[start.Job]
			j := *old
			j.State, j.Start, j.End, j.Alloc, j.Partition = slurm.JobRunning, now, now.Add(span(old.TimeLimit)), start.Alloc, start.Partition
			jobs[j.ID] = &j
			s.Job(old, &j)
		}
		for id := range slurm.JobID(61) {
			old := jobs[id]
			if old == nil || !old.IsRunning() || r.Intn(4) > 0 {
				continue
			}
			j := *old
			j.State, j.End = slurm.JobCompleted, now
			delete(jobs, id)
			s.Job(old, &j)
			s.Job(&j, nil)
		}
		fresh := NewLedger(v.Config, acc, now)
		for _, j := range jobs {
			fresh.Set(j, now)
		}
		for i := range fresh.assocs {
			a, b := &fresh.assocs[i], &s.v.Ledger.assocs[i]
			if a.jobs != b.jobs || a.submitted != b.submitted || a.tres[kindCPU] != b.tres[kindCPU] || a.runSecs(kindCPU, now.Unix()) != b.runSecs(kindCPU, now.Unix()) {
				t.Fatalf("%s: the scheduler has %+v, there is %+v", fresh.nameOf(int32(i)), b.counts, a.counts)
			}
			if most := fresh.assoc[i].own.tres[grpTRES]; most != nil && a.tres[kindCPU] > most[kindCPU] {
				t.Fatalf("%s has %d CPUs in use", fresh.nameOf(int32(i)), a.tres[kindCPU])
			}
		}
	}
	if len(jobs) > 30 {
		t.Errorf("%d jobs are still there", len(jobs))
	}
}

// TestLimitOfThePartitionThatTakesIt: a job that names two partitions and no limit is
// held against the limits of its QOS with what it gets in the one that takes it, and
// so is one whose limit is what is left until its deadline.
func TestLimitOfThePartitionThatTakesIt(t *testing.T) {
	for _, c := range []struct {
		name, qos, options string
		want               slurm.Duration // 0: it waits
	}{
		{"OK", "", "", 3600},
		{"OKJust", "MaxTRESRunMinsPerUser=cpu=60", "", 3600},
		{"TooLong", "MaxTRESRunMinsPerUser=cpu=59", "", 0},
		{"ItsOwn", "MaxTRESRunMinsPerUser=cpu=59", "-t 59", 59 * 60},
		{"Deadline", "MaxTRESRunMinsPerUser=cpu=30", "deadline", 30 * 60},
		{"DeadlineTooLate", "MaxTRESRunMinsPerUser=cpu=29", "deadline", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			acc := plant(t, "1 0 root", "2 1 a", "3 2 a u1")
			withQOS(t, acc, "normal "+c.qos)
			v := limitedView(t, acc, false, "a u1 normal -n1 -p short,debug "+strings.TrimPrefix(c.options, "deadline"))
			v.Config.Partition("debug").DefaultTime, v.Config.Partition("short").DefaultTime = 3600, 600
			v.Config.Partition("short").State = "DOWN"
			j := v.Pending[0]
			switch c.options {
			case "":
				j.TimeLimit = 600
			case "deadline": // in half an hour, and no limit anywhere
				j.TimeLimit, v.Config.Partition("debug").DefaultTime, v.Config.Partition("short").DefaultTime = slurm.Unlimited, 0, 0
				v.Config.Partition("short").MaxTime = slurm.Unlimited
				spec := *j.Spec
				spec.Deadline, j.Spec = refNow.Add(30*time.Minute), &spec
			}
			plan := Cycle(v, refNow)
			got := slurm.Duration(0)
			for _, s := range plan.Starts {
				if got = s.TimeLimit; got == 0 {
					got = j.TimeLimit
				}
				if w := v.Ledger.Bars(j, s.Partition, s.Alloc, got, refNow); !w.IsZero() {
					t.Errorf("it starts in %s for %v, and there it is barred: %v", s.Partition, got, w)
				}
			}
			if got != c.want {
				t.Errorf("it starts for %v, want %v: %+v", got, c.want, plan.Waits)
			}
		})
	}
}

// TestQOSTakenAway: a job whose association may have its QOS no more does not start,
// nor where it may have none at all.
func TestQOSTakenAway(t *testing.T) {
	for _, c := range []struct {
		name       string
		root, user []string
		delta      []string
		want       slurm.Reason
	}{
		{"OK", []string{"normal"}, nil, nil, slurm.ReasonNone},
		{"OKNobodySays", nil, nil, nil, slurm.ReasonNone},
		{"Another", []string{"normal"}, []string{"x"}, nil, slurm.ReasonInvalidQOS},
		{"Less", []string{"normal", "x"}, nil, []string{"-normal"}, slurm.ReasonInvalidQOS},
		{"None", []string{"normal"}, []string{}, nil, slurm.ReasonInvalidQOS},
		{"NoneLeft", []string{"normal"}, nil, []string{"-normal"}, slurm.ReasonInvalidQOS},
	} {
		t.Run(c.name, func(t *testing.T) {
			acc := plant(t, "1 0 root", "2 1 a", "3 2 a u1")
			withQOS(t, acc, "normal")
			acc.ByID[1].QOS, acc.ByID[3].QOS, acc.ByID[3].QOSDelta = c.root, c.user, c.delta
			v := limitedView(t, acc, false, "a u1 normal -t5")
			v.Config.Conf.AccountingStorageEnforce.QOS = true
			l := NewLedger(v.Config, acc, refNow)
			j := v.Pending[0]
			if w := l.Bars(j, "debug", nil, j.TimeLimit, refNow); w.Reason != c.want {
				t.Errorf("%v, want %v", w.Reason, c.want)
			}
		})
	}
}
