package accounting

import (
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// testDay is when the tests' jobs are submitted.
var testDay = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func nanos(t time.Time) int64 { return t.UnixNano() }

// openTest opens a store that is closed with the test.
func openTest(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// testJob is a job as users submit them; n makes what differs from job to job.
func testJob(id uint32, n int) *rinkpb.Job {
	submit := testDay.Add(time.Duration(n)*time.Second + 123456789)
	start := submit.Add(time.Duration(n%50) * 987654321)
	end := start.Add(time.Duration(60+n%3000)*time.Second + 5554321)
	user := fmt.Sprintf("user%02d", n%40)
	dir := fmt.Sprintf("/home/%s/project%d", user, n/1000%7)
	script := fmt.Sprintf("%064x", n/500*7919+1)
	name := fmt.Sprintf("train%d", n%300)
	return &rinkpb.Job{
		Id: id, Uid: 3000 + uint32(n%40), Gid: 3000, User: user, Group: "users", Name: name,
		Account: []string{"physics", "chem", "bio"}[n%3], Qos: "normal", Partitions: []string{"debug"}, Partition: "debug",
		Spec: &rinkpb.JobOptions{
			Given: []string{"job-name", "ntasks", "time", "output", "mem-per-cpu"}, Name: name, Ntasks: int32(1 + n%4), TimeLimit: 3600,
			MemPerCpu: 2000, Output: "logs/%x-%j.out", WorkDir: dir, CoreSpec: -1,
		},
		Need:       &rinkpb.Need{MinNodes: 1, MaxNodes: 1, Tasks: int32(1 + n%4), Cpus: int32(1 + n%4), CpusPerTask: 1, MemPerCpu: 2000},
		SubmitHost: "login1", SubmitPid: int32(1000 + n%30000), SubmitLine: "sbatch -J " + name + " -n " + fmt.Sprint(1+n%4) + " --mem-per-cpu=2000 train.sh",
		Script: script, ScriptName: "train.sh", ScriptArgs: []string{fmt.Sprintf("--seed=%d", n)}, Env: strings.Repeat("e", 64), Batch: true,
		TimeLimit: 3600, WorkDir: dir, Priority: uint32(4294000000 - n), State: uint32(slurm.JobCompleted), Umask: 0o22,
		Rlimits: []*rinkpb.Rlimit{{Name: "NOFILE", Soft: 1024, Hard: 1 << 20}, {Name: "STACK", Soft: 8 << 20, Hard: 1<<64 - 1}},
		Submit:  nanos(submit), Eligible: nanos(submit), Start: nanos(start), End: nanos(end), LastSched: nanos(start), Scheduler: "Main",
		Alloc:     []*rinkpb.NodeAlloc{{Node: fmt.Sprintf("n%03d", n%200), Cpus: int32(1 + n%4), Mem: int64(2000 * (1 + n%4)), Tasks: int32(1 + n%4)}},
		BatchDone: true, NextStep: 0, ChangedAt: uint64(n), ExitCode: &rinkpb.ExitCode{}, DerivedExit: &rinkpb.ExitCode{},
		BatchUsage: &rinkpb.Usage{
			UserCpu: int64(n)*1234567 + 987654321, SystemCpu: int64(n)*4321 + 1234567, MaxRss: int64(n%900)<<20 + 4096, MaxRssNode: fmt.Sprintf("n%03d", n%200),
			TotalRss: int64(n%900)<<20 + 4096, ReadBytes: int64(n) * 10007, WriteBytes: int64(n) * 333, Tasks: 1,
		},
	}
}

func final(j *rinkpb.Job) *rinkpb.Record { return &rinkpb.Record{Job: j} }

// collect returns the records of a query.
func collect(t testing.TB, seq iter.Seq2[*rinkpb.Record, error]) []*rinkpb.Record {
	t.Helper()
	var list []*rinkpb.Record
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// named lists the records of a query by the names of their jobs.
func named(t testing.TB, seq iter.Seq2[*rinkpb.Record, error]) string {
	t.Helper()
	var list []string
	for _, r := range collect(t, seq) {
		list = append(list, r.Job.Name)
	}
	return strings.Join(list, " ")
}

// one returns the one record of that job.
func one(t testing.TB, s *Store, id uint32) *rinkpb.Record {
	t.Helper()
	list := collect(t, s.Query(Filter{Refs: []*rinkpb.JobRef{{Job: id}}, Steps: true}, nil))
	if len(list) != 1 {
		t.Fatalf("job %d has %d records, want 1", id, len(list))
	}
	return list[0]
}

func same(t testing.TB, what string, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("%s is\n%s\nwant\n%s", what, prototext.Format(got), prototext.Format(want))
	}
}

// asKept is what of a job's record the history keeps.
func asKept(j *rinkpb.Job) *rinkpb.Job {
	k := proto.CloneOf(j)
	id, restarts := k.Id, k.Restarts
	dropPassing(k)
	k.Id, k.Restarts = id, restarts
	return k
}

func seqOf(records ...*rinkpb.Record) iter.Seq[*rinkpb.Record] { return slices.Values(records) }
