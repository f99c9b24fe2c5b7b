package cmds_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc/metadata"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// What is done to a job, and what of it is known afterwards. Each job is a register
// of its own: submissions, holds, releases, cancels and reads are calls; its start
// and its end are what the job wrote down where it ran.
type (
	jobOp struct {
		verb string // submit, hold, release, cancel, read, start, end
		key  string
	}
	jobSaw struct {
		unknown bool   // nobody knows whether it was done
		refused bool   // hold, release, cancel
		id      uint32 // submit
		state   string // read
	}
	// jobIs is what a job is: absent, held, pending, running, done or cancelled.
	jobIs struct {
		id uint32
		is string
	}
)

// jobModel says which answers a job of that state may give, and what it is then.
func jobModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{jobIs{0, "absent"}} },
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string][]porcupine.Operation{}
			for _, op := range history {
				key := op.Input.(jobOp).key
				byKey[key] = append(byKey[key], op)
			}
			var parts [][]porcupine.Operation
			for _, part := range byKey {
				parts = append(parts, part)
			}
			return parts
		},
		Step: func(s, in, out any) []any {
			var next []any
			for _, n := range jobStep(s.(jobIs), in.(jobOp).verb, out.(jobSaw)) {
				next = append(next, n)
			}
			return next
		},
		Equal: func(a, b any) bool { return a.(jobIs) == b.(jobIs) },
		DescribeOperation: func(in, out any) string {
			return fmt.Sprintf("%s %s: %+v", in.(jobOp).verb, in.(jobOp).key, out.(jobSaw))
		},
		DescribeState: func(s any) string { return s.(jobIs).is },
	}
	return m.ToModel()
}

func jobStep(s jobIs, verb string, saw jobSaw) []jobIs {
	to := func(is string) jobIs { return jobIs{s.id, is} }
	over := s.is == "done" || s.is == "cancelled"
	waits := s.is == "held" || s.is == "pending"
	switch verb {
	case "submit":
		switch {
		case saw.unknown && s.is == "absent": // whichever id it got
			return []jobIs{s, {0, "held"}}
		case saw.unknown:
			return []jobIs{s}
		case s.is == "absent":
			return []jobIs{{saw.id, "held"}}
		case s.id == saw.id || s.id == 0: // the key finds the first one
			return []jobIs{{saw.id, s.is}}
		}
		return nil
	case "hold", "release":
		after := map[string]string{"hold": "held", "release": "pending"}[verb]
		switch {
		case s.is == "absent":
			return nil
		case saw.unknown && waits:
			return []jobIs{s, to(after)}
		case saw.unknown:
			return []jobIs{s}
		case saw.refused && waits:
			// Made twice on the way: the first did it, and it had started by the second.
			return []jobIs{to(after)}
		case saw.refused:
			return []jobIs{s}
		case waits:
			return []jobIs{to(after)}
		case s.is == "running": // it is noted, and the job goes on
			return []jobIs{s}
		}
		return nil
	case "cancel":
		switch {
		case s.is == "absent":
			return nil
		case over:
			return []jobIs{s}
		case saw.unknown:
			return []jobIs{s, to("cancelled")}
		}
		return []jobIs{to("cancelled")} // refused: made twice on the way
	case "start":
		switch {
		case s.is == "pending" && saw.unknown:
			return []jobIs{s, to("running")}
		case s.is == "pending":
			return []jobIs{to("running")}
		case saw.unknown:
			return []jobIs{s}
		}
		return nil
	case "end":
		switch {
		case s.is == "running":
			return []jobIs{s, to("done")}
		default:
			return []jobIs{s} // cancelled while it ended
		}
	case "read":
		if saw.unknown || saw.state == s.is {
			return []jobIs{s}
		}
	}
	return nil
}

// stateWord is a job's state in the model's words.
func stateWord(j *rinkpb.Job) string {
	switch st := slurm.JobState(j.State); st.Base() {
	case slurm.JobPending:
		if j.HeldBy != 0 {
			return "held"
		}
		return "pending"
	case slurm.JobRunning:
		return "running"
	case slurm.JobCancelled:
		return "cancelled"
	case slurm.JobCompleted:
		return "done"
	default:
		return st.String()
	}
}

// TestLinearizable records what clients of three controllers do to the same jobs,
// and what they are told, while leaders are killed, stopped and cut off, and has
// the history checked.
func TestLinearizable(t *testing.T) {
	const clients, keys = 6, 12
	span := 12 * time.Second
	seed := seedOf(t)
	r := newRig(t, rigOptions{controllers: 3, agents: 1, cpus: 32, more: "MinJobAge=3600", spaces: os.Geteuid() == 0})
	var mu sync.Mutex
	var history []porcupine.Operation
	ids := map[string]uint32{}
	born := map[string]int64{}
	record := func(client int, op jobOp, saw jobSaw, call int64) {
		back := time.Now().UnixNano()
		if saw.unknown {
			if op.verb == "read" {
				return
			}
			back = math.MaxInt64
		}
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{ClientId: client, Input: op, Output: saw, Call: call, Return: back})
		if op.verb == "submit" {
			if b, ok := born[op.key]; !ok || call < b {
				born[op.key] = call
			}
			if saw.id != 0 {
				ids[op.key] = saw.id
			}
		}
	}
	marks := filepath.Join(r.dir, "marks")
	began := time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		rnd := rand.New(rand.NewSource(seed + int64(c)))
		var lines []rinkpb.ControllerClient
		for i := range 3 {
			line, done := r.client(fmt.Sprintf("c%d", i+1))
			defer done()
			lines = append(lines, line)
		}
		wg.Go(func() {
			for round := 0; time.Since(began) < span; round++ {
				// New jobs come up as time goes by.
				key := fmt.Sprintf("%d/%d", seed, rnd.Intn(keys)+keys*int(time.Since(began)/(4*time.Second)))
				line := lines[rnd.Intn(len(lines))]
				ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "rink-read", "linear"), 3*time.Second)
				one := doOne(ctx, rnd, line, key, func() uint32 { mu.Lock(); defer mu.Unlock(); return ids[key] }(), marks)
				call := time.Now().UnixNano()
				saw := one.call()
				cancel()
				record(c, jobOp{one.verb, key}, saw, call)
				time.Sleep(time.Duration(rnd.Intn(30)) * time.Millisecond)
			}
		})
	}
	stop := make(chan struct{})
	var hurt sync.WaitGroup
	var done *injected
	hurt.Go(func() { done = inflict(r, seed, allFaults, stop) })
	wg.Wait()
	close(stop)
	hurt.Wait()

	// What ran, and when, by its own word; of the others it is not known whether
	// they had begun.
	times := readMarks(t, marks)
	for key := range born {
		id := ids[key]
		start, end := times[id][0], times[id][1]
		saw := jobSaw{unknown: start == 0}
		back := start
		if start == 0 {
			back = math.MaxInt64
		}
		history = append(history, porcupine.Operation{ClientId: clients, Input: jobOp{"start", key}, Output: saw, Call: born[key], Return: back})
		if end != 0 {
			history = append(history, porcupine.Operation{ClientId: clients + 1, Input: jobOp{"end", key}, Output: jobSaw{}, Call: end, Return: math.MaxInt64})
		}
	}
	result := porcupine.CheckOperationsTimeout(jobModel(), history, time.Minute)
	counts := map[string]int{}
	for _, op := range history {
		counts[op.Input.(jobOp).verb]++
		if op.Output.(jobSaw).unknown {
			counts["unknown"]++
		}
	}
	t.Logf("%d operations on %d jobs: %v; faults: %v", len(history), len(born), counts, done)
	if result == porcupine.Illegal {
		t.Log(illegalParts(history, began.UnixNano()))
	}
	if result != porcupine.Ok {
		t.Errorf("the history is %v", result)
	}
	if counts["read"] == 0 || counts["start"] == 0 || len(times) == 0 {
		t.Error("nothing happened that could be checked")
	}
}

// illegalParts lists what was done to the jobs whose histories cannot be.
func illegalParts(history []porcupine.Operation, began int64) string {
	var b strings.Builder
	model := jobModel()
	for _, part := range model.Partition(history) {
		if porcupine.CheckOperationsTimeout(model, part, 10*time.Second) != porcupine.Illegal {
			continue
		}
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
		for _, op := range part {
			back := "never"
			if op.Return != math.MaxInt64 {
				back = fmt.Sprintf("%.1f", float64(op.Return-began)/1e6)
			}
			fmt.Fprintf(&b, "%8.1f to %8s ms: %s\n", float64(op.Call-began)/1e6, back, model.DescribeOperation(op.Input, op.Output))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// oneCall is something that is about to be done.
type oneCall struct {
	verb string
	call func() jobSaw
}

func doOne(ctx context.Context, rnd *rand.Rand, line rinkpb.ControllerClient, key string, id uint32, marks string) oneCall {
	act := func(a rinkpb.ActRequest_Action) jobSaw {
		reply, err := line.Act(ctx, &rinkpb.ActRequest{Refs: []*rinkpb.JobRef{{Job: id}}, Action: a})
		if err != nil || len(reply.Outcomes) != 1 {
			return jobSaw{unknown: true}
		}
		return jobSaw{refused: reply.Outcomes[0].Status.GetErrno() != 0}
	}
	dice := rnd.Intn(10)
	switch {
	case id == 0 || dice == 0:
		o := &slurm.JobOptions{
			Name: key, NTasks: 1, MemPerCPU: 10, TimeLimit: 600, WorkDir: "/tmp", Output: "/dev/null", Hold: true,
			Given: map[string]bool{"job-name": true, "ntasks": true, "mem-per-cpu": true, "time": true, "output": true, "hold": true},
		}
		script := fmt.Sprintf("#!/bin/sh\necho $SLURM_JOB_ID start $(date +%%s%%N) >>%s\nsleep 0.%d\necho $SLURM_JOB_ID end $(date +%%s%%N) >>%s\n", marks, rnd.Intn(9), marks)
		req := &rinkpb.SubmitRequest{Key: key, Jobs: []*rinkpb.JobRequest{{
			Options: api.JobOptionsToProto(o), Script: []byte(script), ScriptName: "job.sh", Batch: true, Env: []string{"PATH=/bin:/usr/bin"},
		}}}
		return oneCall{"submit", func() jobSaw {
			reply, err := line.Submit(ctx, req)
			if err != nil || reply.Status.GetErrno() != 0 || len(reply.Ids) != 1 {
				return jobSaw{unknown: true}
			}
			return jobSaw{id: reply.Ids[0]}
		}}
	case dice == 1:
		return oneCall{"hold", func() jobSaw { return act(rinkpb.ActRequest_HOLD) }}
	case dice <= 3:
		return oneCall{"release", func() jobSaw { return act(rinkpb.ActRequest_RELEASE) }}
	case dice == 4:
		return oneCall{"cancel", func() jobSaw {
			reply, err := line.Cancel(ctx, &rinkpb.CancelRequest{Refs: []*rinkpb.JobRef{{Job: id}}})
			if err != nil {
				return jobSaw{unknown: true}
			}
			return jobSaw{refused: len(reply.Outcomes) > 0 && reply.Outcomes[0].Status.GetErrno() != 0}
		}}
	}
	return oneCall{"read", func() jobSaw {
		stream, err := line.ListJobs(ctx, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: id}}, Ended: true})
		if err != nil {
			return jobSaw{unknown: true}
		}
		page, err := stream.Recv()
		if err != nil || page.Status.GetErrno() != 0 || len(page.Jobs) != 1 {
			return jobSaw{unknown: err != nil, state: "absent"}
		}
		return jobSaw{state: stateWord(page.Jobs[0])}
	}}
}

// readMarks reads when jobs began and ended, by their own word.
func readMarks(t *testing.T, path string) map[uint32][2]int64 {
	t.Helper()
	times := map[uint32][2]int64{}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		words := strings.Fields(in.Text())
		if len(words) != 3 {
			t.Fatalf("mark %q", in.Text())
		}
		id, err1 := strconv.ParseUint(words[0], 10, 32)
		at, err2 := strconv.ParseInt(words[2], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("mark %q", in.Text())
		}
		was := times[uint32(id)]
		if words[1] == "start" {
			was[0] = at
		} else {
			was[1] = at
		}
		times[uint32(id)] = was
	}
	return times
}
