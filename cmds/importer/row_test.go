package importer

import (
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

func TestCPUTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:00.023": 23 * time.Millisecond, "01:02": 62 * time.Second, "10:00:00": 10 * time.Hour, "2-01:00:00": 49 * time.Hour, "05": 5 * time.Second,
	} {
		if got, err := cpuTime(text); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "1:-2", "1-x:00", "00:00.x"} {
		if got, err := cpuTime(text); err == nil {
			t.Errorf("%s is %v", text, got)
		}
	}
}

func TestBytesOf(t *testing.T) {
	for text, want := range map[string]int64{"4096": 4096, "10432K": 10432 << 10, "0.50M": 1 << 19, "2G": 2 << 30, "0": 0} {
		if got, err := bytesOf(text); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"K", "-1", "1X", "9999999E"} {
		if got, err := bytesOf(text); err == nil {
			t.Errorf("%s is %d", text, got)
		}
	}
}

// A job with its steps, as a real sacct printed them: what stands there comes back.
func TestRecordWithSteps(t *testing.T) {
	tab, err := newTable("JobIDRaw|JobID|JobName|User|State|ExitCode|Submit|Start|End|NCPUS|AllocTRES|NodeList|Flags|Reason|Reservation|ReservationId|SubmitLine|Layout|TotalCPU", "")
	if err != nil {
		t.Fatal(err)
	}
	tab.zone = time.UTC
	const when = "2026-11-28T15:05:07|2026-11-28T15:05:07|2026-11-28T15:05:13"
	line := func(text string) *row {
		r, err := tab.row(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	rec, err := line("7|7|two|alice|CANCELLED|0:0|" + when + "|4|billing=4,cpu=4,mem=200M,node=2|n[1-2]|SchedBackfill,StartRecieved|BeginTime|rs|3|sbatch x||").record()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"7.batch|7.batch|batch||FAILED|3:0|" + when + "|3|cpu=3,mem=150M,node=1|n1||||||Unknown|00:00.030",
		"7.1|7.1|sleep||CANCELLED by 3001|0:9|" + when + "|3|cpu=3,mem=150M,node=1|n1|||||srun sleep 1|Cyclic|00:00.001",
	} {
		if err := line(text).addTo(rec); err != nil {
			t.Fatal(err)
		}
	}
	j := rec.Job
	if j.KilledBy != 1<<32-1 || j.Scheduler != "Backfill" || slurm.Reason(j.WaitedFor) != slurm.ReasonBeginTime || j.Resv != "rs" || j.ResvId != 3 {
		t.Errorf("the job is %v", j)
	}
	if !j.BatchDone || j.BatchExit.GetCode() != 3 || rec.Batch.GetUserCpu() != 30e6 {
		t.Errorf("its script ended with %v and used %v", j.BatchExit, rec.Batch)
	}
	s := rec.Steps[0]
	if s.KilledBy != 3002 || s.ExitCode.GetSignal() != 9 || s.SubmitLine != "srun sleep 1" || s.Distribution != "cyclic" || len(s.Nodes) != 1 ||
		s.Nodes[0].Cpus != 3 || s.Nodes[0].Mem != 150 {
		t.Errorf("its step is %v", s)
	}
}

// Whatever a line holds, it is read, left out or refused, and what is read can
// be taken in.
func FuzzRow(f *testing.F) {
	const head = "JobIDRaw|JobID|JobName|User|Account|State|ExitCode|Submit|Start|End|NCPUS|AllocTRES|NodeList|ReqMem|Timelimit|TotalCPU|MaxRSS"
	f.Add("1|1|a|root|x|COMPLETED|0:0|2025-01-01T00:00:00|2025-01-01T00:00:00|2025-01-01T00:01:00|2|cpu=2,mem=1G,node=1|n1|1G|10:00|00:01|1K")
	f.Add("2|1_[3-5%2]|a|root|x|CANCELLED by 7|0:0|2025-01-01T00:00:00|None|2025-01-01T00:01:00|2||None assigned|1Gc|UNLIMITED||")
	f.Add("3|3+1|a|root|x|TIMEOUT|0:15|5|6|7|2|cpu=2|n[1-3]|||1-00:00:00|2.5G")
	f.Fuzz(func(t *testing.T, line string) {
		tab, err := newTable(head, "")
		if err != nil {
			t.Fatal(err)
		}
		tab.zone = time.UTC
		row, err := tab.row(line)
		if err != nil || row.isStep() {
			return
		}
		r, err := row.record()
		if err != nil || r == nil {
			return
		}
		if j := r.Job; j.Id == 0 || j.End < j.Start || !slurm.JobState(j.State).Ended() {
			t.Errorf("%q is read as %v", line, r)
		}
	})
}
