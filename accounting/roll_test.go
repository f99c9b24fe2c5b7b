package accounting

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// rolledJobs are jobs of a few accounts over some months: short and long, some
// suspended, some never started, some of them told of twice.
func rolledJobs(seed uint64, n int) []*rinkpb.Record {
	rnd := rand.New(rand.NewPCG(seed, 1))
	begin := time.Date(2026, 9, 28, 22, 0, 0, 0, time.Local)
	var list []*rinkpb.Record
	for i := range n {
		submit := begin.Add(time.Duration(rnd.Int64N(int64(70 * 24 * time.Hour))))
		start := submit.Add(time.Duration(rnd.Int64N(int64(5 * time.Hour))))
		length := time.Duration(rnd.Int64N(int64(3 * time.Hour)))
		if i%17 == 0 {
			length *= 200
		}
		end := start.Add(length)
		j := &rinkpb.Job{
			Id: uint32(i + 1), Uid: uint32(3000 + i%3), User: fmt.Sprintf("u%d", i%3), Account: []string{"physics", "chem"}[i%2], Qos: "normal",
			Partition: []string{"debug", "gpu"}[i/3%2], Spec: &rinkpb.JobOptions{Wckey: []string{"", "k1"}[i%5/4], Reservation: []string{"", "r1"}[i%7/6]},
			Need: &rinkpb.Need{Cpus: int32(1 + i%4), MinNodes: 1}, State: uint32(slurm.JobCompleted), Batch: true,
			Submit: nanos(submit), Eligible: nanos(submit), Start: nanos(start), End: nanos(end),
			Alloc:        []*rinkpb.NodeAlloc{{Node: "n1", Cpus: int32(1 + i%4), Mem: 1000}, {Node: "n2", Cpus: 1, Mem: 500}},
			LicensesUsed: nil,
			BatchUsage:   &rinkpb.Usage{UserCpu: int64(length / 2), MaxRss: 500 << 20, TotalRss: 500 << 20, Tasks: 1},
		}
		switch {
		case i%11 == 3:
			j.Start, j.Alloc, j.State, j.BatchUsage = 0, nil, uint32(slurm.JobCancelled), nil
		case i%6 == 2:
			j.Alloc[0].Gres = []*rinkpb.GresAlloc{{Name: "gpu", Type: "a100", Count: 2}}
		case i%9 == 4 && length > time.Hour:
			j.Suspended, j.SuspendedFor = nanos(start.Add(length/3)), int64(20*time.Minute)
		case i%13 == 5:
			j.LicensesUsed = []*rinkpb.License{{Name: "matlab", Count: 3}}
		}
		list = append(list, &rinkpb.Record{Job: j, Billing: int64(i % 3 * 10)})
	}
	return list
}

// putAll puts records as a log would: the end of each, then its release, and
// for some a step before, between or after.
func putAll(s *Store, records []*rinkpb.Record, each int) {
	index := uint64(0)
	var some []*rinkpb.Record
	for i, r := range records {
		first := proto.CloneOf(r)
		first.Job.BatchUsage = nil
		step := &rinkpb.Record{Job: r.Job, Live: true, Steps: []*rinkpb.Step{{
			Id: 0, Start: r.Job.Start, End: r.Job.End, State: uint32(slurm.JobCompleted), Usage: &rinkpb.Usage{UserCpu: 7e9, MaxRss: 1 << 30, Tasks: 2},
		}}}
		order := []*rinkpb.Record{first, r}
		switch i % 4 {
		case 1:
			order = []*rinkpb.Record{step, first, r}
		case 2:
			order = []*rinkpb.Record{first, step, r}
		case 3:
			order = []*rinkpb.Record{first, r, step}
		}
		for _, r := range order {
			index++
			s.Put(index, []*rinkpb.Record{r})
			some = append(some, r)
		}
		if each > 0 && i%each == 0 {
			s.Flush()
		}
	}
}

// direct adds up what records held in a window without any roll-ups.
func direct(records []*rinkpb.Record, from, to int64) map[string]int64 {
	sums := map[string]int64{}
	for _, r := range records {
		l := lifeOf(r)
		held := int64(0)
		for _, s := range stretches(r, l.end) {
			held += s.within(span{from, to}).length()
		}
		for _, a := range amounts(r) {
			if held > 0 {
				sums[r.Job.User+"/"+r.Job.Account+"/"+r.Job.Partition+"/"+r.Job.Spec.Wckey+" "+a.key] += held * a.n
			}
		}
		if l.start != 0 && l.start < to && max(l.end, l.start+1) > from {
			sums["jobs "+r.Job.Account]++
		}
		if l.end >= from && l.end < to {
			sums["ended "+r.Job.Account]++
		}
	}
	return sums
}

func fromUsage(t *testing.T, s *Store, from, to int64) map[string]int64 {
	t.Helper()
	u, err := s.Usage(&rinkpb.UsageRequest{Start: from * 1e9, End: to * 1e9, Parties: true, Sizes: true}, nil, to)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, p := range u.Parties {
		for _, x := range p.Tres {
			sums[p.Party.User+"/"+p.Party.Account+"/"+p.Party.Partition+"/"+p.Party.Wckey+" "+x.Tres] += x.Seconds
		}
		if n := p.Ended.Jobs; n != 0 {
			sums["ended "+p.Party.Account] += n
		}
	}
	for _, p := range u.Sizes {
		if p.Jobs != 0 {
			sums["jobs "+p.Party.Account] += p.Jobs
		}
	}
	for k, n := range sums {
		if n == 0 {
			delete(sums, k)
		}
	}
	return sums
}

func sorted(m map[string]int64) string {
	var list []string
	for k, n := range m {
		list = append(list, fmt.Sprintf("%s=%d", k, n))
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// What the roll-ups say of any window of whole hours is what a look at every
// record says.
func TestUsageIsWhatTheRecordsSay(t *testing.T) {
	records := rolledJobs(1, 600)
	s := openTest(t, t.TempDir())
	putAll(s, records, 50)
	rnd := rand.New(rand.NewPCG(2, 2))
	begin := time.Date(2026, 9, 20, 0, 0, 0, 0, time.Local)
	for i := range 60 {
		from := begin.Add(time.Duration(rnd.IntN(90*24)) * time.Hour)
		to := from.Add(time.Duration(1+rnd.IntN(24*[]int{1, 8, 90}[i%3])) * time.Hour)
		if i == 0 {
			from, to = begin, begin.AddDate(1, 0, 0)
		}
		got, want := sorted(fromUsage(t, s, from.Unix(), to.Unix())), sorted(direct(records, from.Unix(), to.Unix()))
		if got != want {
			t.Fatalf("%v to %v:\n%s\nwant:\n%s", from, to, got, want)
		}
	}
}

func TestEndedSumsHaveWhatWasUsed(t *testing.T) {
	records := rolledJobs(1, 40)
	s := openTest(t, t.TempDir())
	putAll(s, records, 0)
	u, err := s.Usage(&rinkpb.UsageRequest{Start: 1, End: nanos(time.Date(2027, 6, 1, 0, 0, 0, 0, time.Local)), Parties: true}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := &rinkpb.EndedSums{}
	for _, p := range u.Parties {
		addEnded(sum, p.Ended, 1)
	}
	want := &rinkpb.EndedSums{}
	for i, r := range records {
		var steps *rinkpb.StepsUsed
		if i%4 != 0 {
			steps = &rinkpb.StepsUsed{Cpu: 7e9, Rss: 1 << 30}
		}
		full := proto.CloneOf(r)
		full.Batch = r.Job.BatchUsage
		addEnded(want, endedSums(full, steps), 1)
	}
	same(t, "sums of the ended", sum, want)
	if sum.Jobs != 40 || sum.CpuUsed == 0 || sum.MemUsed == 0 || sum.GpuHeld == 0 {
		t.Errorf("sums %v", sum)
	}
}

func facts() []*rinkpb.Record {
	day := time.Date(2026, 10, 5, 0, 0, 0, 0, time.Local)
	at := func(h float64) int64 { return nanos(day.Add(time.Duration(h * float64(time.Hour)))) }
	fact := func(node string, h float64, tres string, down bool) *rinkpb.Record {
		return &rinkpb.Record{Node: &rinkpb.NodeFact{Node: node, Start: at(h), Tres: tres, Down: down, Reason: "test"}}
	}
	const has = "cpu=10,mem=1000,node=1"
	return []*rinkpb.Record{
		fact("n1", 0, has, false), fact("n2", 0, has, false), fact("n3", 0, has, false), fact("n2", 1.5, has, true), fact("n2", 3, has, false),
		fact("n3", 4, "cpu=20,mem=1000,node=1", false), fact("n1", 6, has, true), fact("n3", 7, "", false),
		{Reservation: &rinkpb.ReservationSpan{Id: 1, Name: "maint", Start: at(5), End: at(6), Tres: "cpu=10,node=1", Flags: []string{"MAINT"}}},
		{Reservation: &rinkpb.ReservationSpan{Id: 2, Name: "r1", Start: at(5), End: at(9), Tres: "cpu=4"}},
		{Reservation: &rinkpb.ReservationSpan{Id: 2, Name: "r1", Start: at(5), End: at(8), Tres: "cpu=4"}},
	}
}

func TestClusterUsageHourByHour(t *testing.T) {
	s := openTest(t, t.TempDir())
	day := time.Date(2026, 10, 5, 0, 0, 0, 0, time.Local)
	at := func(h float64) int64 { return nanos(day.Add(time.Duration(h * float64(time.Hour)))) }
	for i, r := range facts() {
		s.Put(uint64(i+1), []*rinkpb.Record{r})
	}
	// A job that held 5 CPUs from 2 to 4 and had waited for 30 of them since 1.
	s.Put(100, []*rinkpb.Record{{Job: &rinkpb.Job{
		Id: 1, User: "u", Account: "a", Submit: at(1), Eligible: at(1), Start: at(2), End: at(4), State: uint32(slurm.JobCompleted),
		Need: &rinkpb.Need{Cpus: 30}, Alloc: []*rinkpb.NodeAlloc{{Node: "n1", Cpus: 5, Mem: 100}}, Spec: &rinkpb.JobOptions{},
	}}})
	live := seqOf(&rinkpb.Record{Live: true, Job: &rinkpb.Job{
		Id: 2, User: "u", Account: "a", Submit: at(5), Eligible: at(5), Start: at(5), State: uint32(slurm.JobRunning),
		Alloc: []*rinkpb.NodeAlloc{{Node: "n3", Cpus: 2}}, Spec: &rinkpb.JobOptions{Reservation: "r1"}, Need: &rinkpb.Need{Cpus: 2},
	}})
	cpu := func(from, to float64) string {
		t.Helper()
		u, err := s.Usage(&rinkpb.UsageRequest{Start: at(from), End: at(to), Cluster: true}, live, at(7.5)/1e9)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range u.Tres {
			if c.Tres == "cpu" {
				h := func(n int64) float64 { return float64(n) / 3600 }
				return fmt.Sprintf("n=%d a=%g d=%g p=%g i=%g w=%g o=%g r=%g", c.Count, h(c.Allocated), h(c.Down), h(c.PlannedDown), h(c.Idle), h(c.Planned), h(c.Overcommitted), h(c.Reported))
			}
		}
		return ""
	}
	for _, c := range []struct {
		from, to float64
		want     string
	}{
		{-2, 0, ""},
		{0, 1, "n=30 a=0 d=0 p=0 i=30 w=0 o=0 r=30"},
		{1, 2, "n=30 a=0 d=5 p=0 i=0 w=25 o=5 r=30"}, // no more planned than idle
		{2, 3, "n=30 a=5 d=10 p=0 i=15 w=0 o=0 r=30"},
		{3, 4, "n=30 a=5 d=0 p=0 i=25 w=0 o=0 r=30"},
		{4, 5, "n=40 a=0 d=0 p=0 i=40 w=0 o=0 r=40"},
		{5, 6, "n=40 a=2 d=0 p=10 i=28 w=0 o=0 r=40"},
		{6, 7, "n=40 a=2 d=10 p=0 i=28 w=0 o=0 r=40"},
		{7, 8, "n=20 a=1 d=5 p=0 i=4 w=0 o=0 r=10"}, // half an hour so far
		{0, 8, "n=20 a=15 d=30 p=10 i=170 w=25 o=5 r=250"},
	} {
		if got := cpu(c.from, c.to); got != c.want {
			t.Errorf("hours %g to %g: %s, want %s", c.from, c.to, got, c.want)
		}
	}
	u, err := s.Usage(&rinkpb.UsageRequest{Start: at(0), End: at(24), Reservations: true}, live, at(7.5)/1e9)
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Reservations) != 2 || u.Reservations[1].Span.End != at(8) || len(u.Reservations[1].Allocated) == 0 || u.Reservations[1].Allocated[0].Seconds != 2*9000 {
		t.Errorf("reservations %v", u.Reservations)
	}
}

// Histories are equal however the log came in: at once, an entry at a time, with
// restarts, from a peer, and through a file of the format before.
func TestHistoriesAreEqualHoweverTheyCame(t *testing.T) {
	records := rolledJobs(3, 300)
	sum := func(s *Store) uint64 {
		t.Helper()
		return checksum(t, s)
	}
	all := openTest(t, t.TempDir())
	putAll(all, records, 0)
	index := uint64(10_000)
	for i, r := range facts() {
		all.Put(index+uint64(i), []*rinkpb.Record{r})
	}
	want := sum(all)
	if other := rolledJobs(3, 299); true {
		s := openTest(t, t.TempDir())
		putAll(s, other, 0)
		if sum(s) == want {
			t.Fatal("a shorter history has the same checksum")
		}
	}

	dir := t.TempDir()
	for _, part := range []int{100, 200, 300} { // replayed from the beginning at each restart
		s := openTest(t, dir)
		putAll(s, records[:part], 1)
		if part == 300 {
			for i, r := range facts() {
				s.Put(index+uint64(i), []*rinkpb.Record{r})
			}
			if got := sum(s); got != want {
				t.Errorf("in parts: %x, want %x", got, want)
			}
			if err := s.update(func(tx *txn) error {
				if err := tx.DeleteBucket(bucketRolls); err != nil {
					return err
				}
				return writeHead(tx, &rinkpb.KeptHead{Format: 1, Applied: s.Applied()})
			}); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
	}
	if got := sum(openTest(t, dir)); got != want {
		t.Errorf("after bringing a file of format 1 up to date: %x, want %x", got, want)
	}

	fetched := openTest(t, t.TempDir())
	fetch(t, fetched, all)
	if got := sum(fetched); got != want {
		t.Errorf("fetched: %x, want %x", got, want)
	}
	// One that has the first half fetches the rest alone.
	half := openTest(t, t.TempDir())
	putAll(half, records[:150], 7)
	fetch(t, half, all)
	if got := sum(half); got != want {
		t.Errorf("half of it fetched: %x, want %x", got, want)
	}
}

func TestImportedRecordsGiveWay(t *testing.T) {
	s := openTest(t, t.TempDir())
	own := testJob(1, 1)
	other := proto.CloneOf(own)
	other.Name = "foreign"
	s.Put(1, []*rinkpb.Record{final(own)})
	s.Put(2, []*rinkpb.Record{{Job: other, Imported: true}, {Job: testJob(2, 2), Imported: true}})
	if r := one(t, s, 1); r.Job.Name == "foreign" || r.Imported {
		t.Errorf("job 1 is %v", r)
	}
	if r := one(t, s, 2); !r.Imported {
		t.Errorf("job 2 is %v", r)
	}
	before := checksum(t, s)
	s.Put(3, []*rinkpb.Record{{Job: testJob(2, 2), Imported: true}})
	if after := checksum(t, s); before != after {
		t.Error("taking a record in again changed the history")
	}
}

// A job's release comes after its end, and does not know that it was requeued.
func TestARequeuedIncarnationStaysSo(t *testing.T) {
	s := openTest(t, t.TempDir())
	s.Put(1, []*rinkpb.Record{{Job: testJob(1, 1), Requeued: true, Billing: 8}})
	s.Put(2, []*rinkpb.Record{{Job: testJob(1, 1)}})
	if r := one(t, s, 1); !r.Requeued || r.Billing != 8 {
		t.Errorf("requeued %t, charged %d", r.Requeued, r.Billing)
	}
}
