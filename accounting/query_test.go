package accounting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// at is a time on the tests' day; "" is none.
func at(hhmm string) int64 {
	if hhmm == "" {
		return 0
	}
	t, err := time.Parse("15:04", hhmm)
	if err != nil {
		panic(err)
	}
	return nanos(testDay.Truncate(24 * time.Hour).Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute))
}

func when(hhmm string) time.Time {
	if hhmm == "" {
		return time.Time{}
	}
	return time.Unix(0, at(hhmm))
}

// happened is a job with these times, by a name that says what became of it.
func happened(id uint32, name string, state slurm.JobState, submit, eligible, start, end string) *rinkpb.Job {
	j := &rinkpb.Job{
		Id: id, Name: name, State: uint32(state), Submit: at(submit), Eligible: at(eligible), Start: at(start), End: at(end),
		Uid: 3001, Gid: 3001, User: "alice", Account: "physics", Qos: "normal", Partition: "debug", Partitions: []string{"debug"},
	}
	if start != "" {
		j.Alloc = []*rinkpb.NodeAlloc{{Node: "n1", Cpus: 1}}
	}
	return j
}

// queryStore has the history of a day, and returns the jobs that are live at
// its end.
func queryStore(t *testing.T) (*Store, []*rinkpb.Record) {
	s := openTest(t, t.TempDir())
	index := uint64(0)
	put := func(requeued bool, j *rinkpb.Job, change func(*rinkpb.Job)) {
		if change != nil {
			change(j)
		}
		index++
		s.Put(index, []*rinkpb.Record{{Job: j, Requeued: requeued}})
	}
	put(false, happened(1, "early", slurm.JobCompleted, "08:00", "08:00", "08:10", "08:30"), nil)
	put(false, happened(2, "long", slurm.JobTimeout, "08:05", "08:05", "08:20", "18:20"), nil)
	put(false, happened(3, "failed", slurm.JobFailed, "10:00", "10:00", "10:30", "11:00"), func(j *rinkpb.Job) {
		j.Uid, j.Gid, j.User, j.Account, j.Partition, j.Partitions = 3002, 3002, "bob", "chem", "short", []string{"short"}
		j.Alloc = []*rinkpb.NodeAlloc{{Node: "n3", Cpus: 1}, {Node: "n4", Cpus: 1}}
	})
	put(false, happened(4, "held", slurm.JobCancelled, "10:00", "", "", "10:40"), func(j *rinkpb.Job) { j.Partitions = []string{"debug", "short"} })
	put(true, happened(5, "try1", slurm.JobNodeFail, "11:00", "11:00", "11:05", "11:30"), nil)
	put(true, happened(5, "try2", slurm.JobNodeFail|slurm.JobRequeued, "11:30", "11:32", "11:35", "11:50"), func(j *rinkpb.Job) { j.Restarts = 1 })
	put(false, happened(5, "try3", slurm.JobCompleted, "11:50", "11:52", "12:00", "12:30"), func(j *rinkpb.Job) { j.Restarts = 2 })
	// Array 10: task 1 under an id of its own, task 2 keeps the array's.
	put(false, happened(11, "task1", slurm.JobCompleted, "13:00", "13:00", "13:01", "13:02"), func(j *rinkpb.Job) { j.ArrayId, j.TaskId = 10, 1 })
	put(false, happened(10, "task2", slurm.JobFailed, "13:00", "13:00", "13:05", "13:06"), func(j *rinkpb.Job) { j.ArrayId, j.TaskId = 10, 2 })
	// Het job 20 with two components.
	put(false, happened(20, "het0", slurm.JobCompleted, "14:00", "14:00", "14:01", "14:02"), func(j *rinkpb.Job) { j.HetId = 20 })
	put(false, happened(21, "het1", slurm.JobCompleted, "14:00", "14:00", "14:01", "14:02"), func(j *rinkpb.Job) { j.HetId, j.HetOffset = 20, 1 })
	// An array that was cancelled before any of it started.
	put(false, happened(30, "rest", slurm.JobCancelled, "15:00", "15:00", "", "15:30"), func(j *rinkpb.Job) {
		j.ArrayId, j.Tasks = 30, &rinkpb.IndexSet{Runs: []uint32{0, 8, 2}}
	})
	// Long ago, and its id was given out again.
	put(false, happened(3, "lastyear", slurm.JobCompleted, "10:00", "10:00", "10:30", "11:00"), func(j *rinkpb.Job) {
		for _, t := range jobTimes(j) {
			if *t != 0 {
				*t -= int64(365 * 24 * time.Hour)
			}
		}
	})
	live := []*rinkpb.Record{
		{Job: happened(41, "running", slurm.JobRunning, "16:00", "16:00", "16:30", "23:00"), Live: true},
		{Job: happened(40, "pending", slurm.JobPending, "15:40", "15:40", "", ""), Live: true},
		{Job: happened(42, "suspended", slurm.JobSuspended, "16:00", "16:00", "16:10", ""), Live: true},
		// Ended, and in the history already, where it has the last word.
		{Job: happened(2, "stale", slurm.JobCompleted, "08:05", "08:05", "08:20", "18:20"), Live: true},
		// Ended, requeued and not yet in the history.
		{Job: happened(5, "try4", slurm.JobPending, "12:30", "12:35", "", ""), Live: true},
	}
	live[2].Job.Suspended = at("17:00")
	live[4].Job.Restarts = 3
	return s, live
}

func TestQuery(t *testing.T) {
	s, live := queryStore(t)
	ref := func(job uint32) *rinkpb.JobRef { return &rinkpb.JobRef{Job: job} }
	states := func(list ...slurm.JobState) []slurm.JobState { return list }
	for _, tt := range []struct {
		name string
		f    Filter
		want string
	}{
		{"All", Filter{}, "early long failed held try4 task2 task1 het0 het1 rest pending running suspended"},
		{"AllIncarnations", Filter{Duplicates: true}, "early long lastyear failed held try1 try2 try3 try4 task2 task1 het0 het1 rest pending running suspended"},
		{"Job", Filter{Refs: []*rinkpb.JobRef{ref(1)}}, "early"},
		{"JobsInAnyOrder", Filter{Refs: []*rinkpb.JobRef{ref(41), ref(4), ref(1), ref(1)}}, "early held running"},
		{"NoSuchJob", Filter{Refs: []*rinkpb.JobRef{ref(99)}}, ""},
		{"Incarnations", Filter{Refs: []*rinkpb.JobRef{ref(5)}, Duplicates: true}, "try1 try2 try3 try4"},
		{"LatestIncarnation", Filter{Refs: []*rinkpb.JobRef{ref(5)}}, "try4"},
		{"LatestThatMatches", Filter{Refs: []*rinkpb.JobRef{ref(5)}, States: states(slurm.JobNodeFail)}, "try2"},
		{"IDGivenOutAgain", Filter{Refs: []*rinkpb.JobRef{ref(3)}}, "failed"},
		{"Array", Filter{Refs: []*rinkpb.JobRef{ref(10)}}, "task2 task1"},
		{"RawIDOfATask", Filter{Refs: []*rinkpb.JobRef{ref(11)}}, "task1"},
		{"Task", Filter{Refs: []*rinkpb.JobRef{{Job: 10, HasTask: true, Task: 1}}}, "task1"},
		{"TaskWithTheArraysID", Filter{Refs: []*rinkpb.JobRef{{Job: 10, HasTask: true, Task: 2}}}, "task2"},
		{"NoSuchTask", Filter{Refs: []*rinkpb.JobRef{{Job: 10, HasTask: true, Task: 3}}}, ""},
		{"Tasks", Filter{Refs: []*rinkpb.JobRef{{Job: 10, Tasks: &rinkpb.IndexSet{Runs: []uint32{2, 5, 1}}}}}, "task2"},
		{"TaskOfTheRest", Filter{Refs: []*rinkpb.JobRef{{Job: 30, HasTask: true, Task: 4}}}, "rest"},
		{"TaskNotOfTheRest", Filter{Refs: []*rinkpb.JobRef{{Job: 30, HasTask: true, Task: 5}}}, ""},
		{"TasksOfTheRest", Filter{Refs: []*rinkpb.JobRef{{Job: 30, Tasks: &rinkpb.IndexSet{Runs: []uint32{7, 9, 1}}}}}, "rest"},
		{"TasksNotOfTheRest", Filter{Refs: []*rinkpb.JobRef{{Job: 30, Tasks: &rinkpb.IndexSet{Runs: []uint32{1, 7, 2}}}}}, ""},
		{"Het", Filter{Refs: []*rinkpb.JobRef{ref(20)}}, "het0 het1"},
		{"HetComponent", Filter{Refs: []*rinkpb.JobRef{{Job: 20, HasHet: true, Het: 1}}}, "het1"},
		{"User", Filter{UIDs: []uint32{3002}}, "failed"},
		{"TwoUsers", Filter{UIDs: []uint32{3002, 3001}, Refs: []*rinkpb.JobRef{ref(1), ref(3)}}, "early failed"},
		{"Group", Filter{GIDs: []uint32{3002}}, "failed"},
		{"Account", Filter{Accounts: []string{"chem"}}, "failed"},
		{"Name", Filter{Names: []string{"running", "early"}}, "early running"},
		{"QOS", Filter{QOS: []string{"high"}}, ""},
		{"Partition", Filter{Partitions: []string{"short"}}, "failed held"},
		{"Node", Filter{Nodes: []string{"n4", "n9"}}, "failed"},
		{"UserAndName", Filter{UIDs: []uint32{3001}, Names: []string{"failed"}}, ""},

		{"Window", Filter{Start: when("09:00"), End: when("12:00")}, "long failed try3"},
		{"WindowDuplicates", Filter{Start: when("09:00"), End: when("12:00"), Duplicates: true}, "long failed try1 try2 try3"},
		{"WindowOfUser", Filter{Start: when("09:00"), End: when("12:00"), UIDs: []uint32{3002}}, "failed"},
		{"WindowWithOpenEnd", Filter{Start: when("15:10")}, "long try4 rest pending running suspended"},
		{"WindowWithOpenStart", Filter{End: when("08:10")}, "early long lastyear"},
		{"WindowTouchesTheEnd", Filter{Start: when("08:30"), End: when("08:31")}, "early long"},
		{"WindowAfterTheEnd", Filter{Start: when("08:31"), End: when("08:32")}, "long"},
		{"WindowEndsAtEligible", Filter{Start: when("07:00"), End: when("08:05")}, "early"},
		{"WindowInTheFuture", Filter{Start: when("23:30"), End: when("23:40")}, "try4 pending running suspended"},

		{"States", Filter{States: states(slurm.JobFailed, slurm.JobTimeout)}, "long failed task2"},
		{"StateRequeuedNotByFailure", Filter{States: states(slurm.JobRequeued), Duplicates: true}, ""},
		{"StateRequeuedNotByFailureInWindow", Filter{States: states(slurm.JobRequeued), Start: when("11:40"), End: when("12:00"), Duplicates: true}, ""},
		{"RunningInWindow", Filter{States: states(slurm.JobRunning), Start: when("08:15"), End: when("08:25")}, "early long"},
		{"RunningNow", Filter{States: states(slurm.JobRunning), Start: when("20:00"), End: when("20:00")}, "running suspended"},
		{"PendingInWindow", Filter{States: states(slurm.JobPending), Start: when("10:10"), End: when("10:20")}, "failed"},
		{"PendingNow", Filter{States: states(slurm.JobPending), Start: when("20:00"), End: when("20:00")}, "try4 pending"},
		{"SuspendedNow", Filter{States: states(slurm.JobSuspended), Start: when("20:00"), End: when("20:00")}, "suspended"},
		{"SuspendedBefore", Filter{States: states(slurm.JobSuspended), Start: when("16:20"), End: when("16:40")}, ""},
		{"EndedInWindow", Filter{States: states(slurm.JobCompleted), Start: when("08:00"), End: when("12:30")}, "early try3"},
		{"EndedOutsideWindow", Filter{States: states(slurm.JobTimeout), Start: when("08:00"), End: when("12:30")}, ""},
		{"NeverEligibleIsThereByState", Filter{States: states(slurm.JobCancelled), Start: when("09:00"), End: when("12:00")}, "held"},
		{"StateAndJob", Filter{States: states(slurm.JobFailed), Refs: []*rinkpb.JobRef{ref(10)}}, "task2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := named(t, s.Query(tt.f, seqOf(live...))); got != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever index a query goes by, it finds what a look at every record finds.
func TestQueryFindsWhatMatchFinds(t *testing.T) {
	s := openTest(t, t.TempDir())
	var all []*rinkpb.Record
	for i := range 3000 {
		j := testJob(uint32(i*7919%3000)+1, i)
		if i%10 == 0 {
			j.ArrayId, j.TaskId = uint32(i/100*100)+1, uint32(i%100)
		}
		if i%17 == 0 {
			j.Start, j.Eligible, j.State, j.Alloc = 0, 0, uint32(slurm.JobCancelled), nil
		}
		if i%13 == 0 {
			j.End += int64(time.Hour) * int64(i%100)
		}
		if i%29 == 0 {
			j.End += int64(20 * 24 * time.Hour)
		}
		s.Put(uint64(i)+1, []*rinkpb.Record{final(j)})
		all = append(all, final(j))
	}
	slices.SortFunc(all, func(a, b *rinkpb.Record) int { return keyOf(a.Job).compare(keyOf(b.Job)) })
	var filters []Filter
	for h := range 6 {
		from := testDay.Add(time.Duration(h*17) * time.Minute)
		for _, f := range []Filter{
			{Start: from, End: from.Add(time.Minute)}, {Start: from}, {End: from}, {UIDs: []uint32{3000 + uint32(h), 3007}},
			{UIDs: []uint32{3007}, Start: from, End: from.Add(time.Hour)}, {UIDs: []uint32{3007}, Start: from},
			{States: []slurm.JobState{slurm.JobRunning}, Start: from, End: from.Add(time.Second)},
			{States: []slurm.JobState{slurm.JobPending, slurm.JobCancelled}, Start: from, End: from.Add(time.Hour)},
			{Refs: []*rinkpb.JobRef{{Job: uint32(h*100) + 1}}}, {Nodes: []string{"n007"}}, {Accounts: []string{"bio"}, Start: from},
			{Start: from.Add(48 * time.Hour), End: from.Add(49 * time.Hour)}, {UIDs: []uint32{3007}, Start: from.Add(240 * time.Hour), End: from.Add(241 * time.Hour)},
		} {
			f.Duplicates = true
			filters = append(filters, f)
		}
	}
	for _, f := range filters {
		var want, got []string
		for _, r := range all {
			if f.Match(r) {
				want = append(want, fmt.Sprint(r.Job.Id))
			}
		}
		for _, r := range collect(t, s.Query(f, nil)) {
			got = append(got, fmt.Sprint(r.Job.Id))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v finds %d records, want %d", f, len(got), len(want))
		}
	}
}

func TestLiveRecordsGetTheirEndedSteps(t *testing.T) {
	s := openTest(t, t.TempDir())
	j := happened(7, "running", slurm.JobRunning, "09:00", "09:00", "09:01", "")
	s.Put(1, []*rinkpb.Record{{Job: j, Live: true, Steps: []*rinkpb.Step{
		{Id: 0, Name: "first", Start: at("09:02"), End: at("09:03")}, {Id: 1, Name: "second, ended", Start: at("09:03"), End: at("09:05")},
	}}})
	given := &rinkpb.Record{Job: j, Live: true, Cluster: "ref", Steps: []*rinkpb.Step{
		{Id: 2, Name: "third", Start: at("09:06")}, {Id: 1, Name: "second", Start: at("09:03")},
	}}
	before := proto.CloneOf(given)
	list := collect(t, s.Query(Filter{Steps: true}, seqOf(given)))
	if len(list) != 1 || !list[0].Live || list[0].Cluster != "ref" {
		t.Fatalf("%v", list)
	}
	var steps []string
	for _, step := range list[0].Steps {
		steps = append(steps, step.Name)
	}
	if got := strings.Join(steps, "; "); got != "first; second, ended; third" {
		t.Errorf("steps %q", got)
	}
	same(t, "the record given", given, before)
	if list = collect(t, s.Query(Filter{}, seqOf(given))); len(list[0].Steps) != 0 {
		t.Errorf("steps nobody asked for: %v", list[0].Steps)
	}
}

func TestFinalBeatsLiveEvenWhenItDoesNotMatch(t *testing.T) {
	s := openTest(t, t.TempDir())
	j := happened(7, "j", slurm.JobRunning, "09:00", "09:00", "09:01", "")
	live := &rinkpb.Record{Job: proto.CloneOf(j), Live: true}
	j.State, j.End = uint32(slurm.JobFailed), at("10:00")
	s.Put(1, []*rinkpb.Record{final(j)})
	if got := named(t, s.Query(Filter{States: []slurm.JobState{slurm.JobRunning}}, seqOf(live))); got != "" {
		t.Errorf("a job that has failed is running: %q", got)
	}
	if list := collect(t, s.Query(Filter{}, seqOf(live))); len(list) != 1 || list[0].Live {
		t.Errorf("%v, want the final record alone", list)
	}
}

func TestQueryStopsWhenToldTo(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 1200 {
		s.Put(uint64(i)+1, []*rinkpb.Record{final(testJob(uint32(i)+1, i))})
	}
	for _, stop := range []int{1, 500, 501, 1200} {
		n := 0
		for _, err := range s.Query(Filter{}, seqOf(&rinkpb.Record{Job: testJob(5000, 1), Live: true})) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("%d records, want %d", n, stop)
		}
	}
}

func TestFilterOf(t *testing.T) {
	f, err := FilterOf(&rinkpb.HistoryRequest{
		Uids: []uint32{1}, Gids: []uint32{2}, Accounts: []string{"a"}, Names: []string{"n"}, Partitions: []string{"p"}, Qos: []string{"q"},
		States: []uint32{uint32(slurm.JobFailed)}, Nodes: "n[1-3]", Duplicates: true, Steps: true, HasWindow: true, Start: at("09:00"), End: at("10:00"),
		Refs: []*rinkpb.JobRef{{Job: 7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(f.UIDs, f.GIDs, f.Accounts, f.Names, f.Partitions, f.QOS, f.Nodes, f.States, f.Duplicates, f.Steps, f.Refs[0].Job) !=
		"[1] [2] [a] [n] [p] [q] [n1 n2 n3] [FAILED] true true 7" {
		t.Errorf("filter %+v", f)
	}
	if !f.Start.Equal(when("09:00")) || !f.End.Equal(when("10:00")) {
		t.Errorf("window %v to %v", f.Start, f.End)
	}
	if _, err := FilterOf(&rinkpb.HistoryRequest{Nodes: "n[1"}); err == nil || !strings.Contains(err.Error(), "n[1") {
		t.Errorf("error %v, want one that quotes the nodes", err)
	}
	f, err = FilterOf(&rinkpb.HistoryRequest{Start: at("09:00")})
	if err != nil || !f.Start.IsZero() {
		t.Errorf("a window without HasWindow: %+v, %v", f, err)
	}
}

// A job of which the history has the final record need not be given as a live one:
// what a query returns is the same.
func TestUnfinished(t *testing.T) {
	s := openTest(t, t.TempDir())
	ended, again, running := testJob(1, 1), testJob(2, 2), testJob(3, 3)
	s.Put(1, []*rinkpb.Record{final(ended), final(again)})
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	again.Restarts++
	running.State, running.End = uint32(slurm.JobRunning), 0
	var jobs []*sched.Job
	for _, p := range []*rinkpb.Job{ended, again, running} {
		j, err := api.JobFromProto(p)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	list, err := s.Unfinished(slices.Values(jobs))
	if err != nil || len(list) != 2 || list[0] != jobs[1] || list[1] != jobs[2] {
		t.Fatalf("%v, %v", list, err)
	}
	records := func(jobs []*sched.Job) (list []*rinkpb.Record) {
		for _, j := range jobs {
			list = append(list, &rinkpb.Record{Job: api.JobToProto(j), Live: true})
		}
		return list
	}
	all := collect(t, s.Query(Filter{Duplicates: true}, slices.Values(records(jobs))))
	some := collect(t, s.Query(Filter{Duplicates: true}, slices.Values(records(list))))
	if len(all) != 4 || !slices.EqualFunc(all, some, func(a, b *rinkpb.Record) bool { return proto.Equal(a, b) }) {
		t.Errorf("%d records with all jobs, %d with the unfinished", len(all), len(some))
	}
}

// TestRequeuedByHand: what was sent back by somebody's word is REQUEUED and nothing else; what
// lost its node, or its place, says so.
func TestRequeuedByHand(t *testing.T) {
	for state, want := range map[slurm.JobState]bool{
		slurm.JobCancelled: true, slurm.JobFailed: true, slurm.JobCompleted: true, slurm.JobNodeFail: false, slurm.JobPreempted: false, slurm.JobTimeout: false,
	} {
		r := &rinkpb.Record{Job: &rinkpb.Job{Id: 1, State: uint32(state), End: 1e9}, Requeued: true}
		for asked, ok := range map[slurm.JobState]bool{slurm.JobRequeued: want, state: !want} {
			if f := (Filter{States: []slurm.JobState{asked}}); f.Match(r) != ok {
				t.Errorf("%v, asked for %v: %v", state, asked, !ok)
			}
		}
	}
}
