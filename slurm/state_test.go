package slurm

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// surface returns the rows of one of the tables of Slurm's surface, or skips.
func surface(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open("../../shared/slurm-surface/" + name)
	if err != nil {
		t.Skipf("the tables of Slurm's surface are not here: %v", err)
	}
	defer f.Close()
	var rows [][]string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		rows = append(rows, strings.Split(lines.Text(), "\t"))
	}
	if err := lines.Err(); err != nil || len(rows) < 50 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	return rows
}

func TestEveryNameOfTheSurfaceIsKnown(t *testing.T) {
	for _, row := range surface(t, "states.tsv") {
		kind, name, short := row[0], row[1], row[2]
		switch kind {
		case "job state base", "job state flag":
			s, err := ParseJobState(name)
			if err != nil || !strings.Contains(s.Complete(), name) {
				t.Errorf("job state %s: %s, %v", name, s.Complete(), err)
			}
			if len(short) <= 3 {
				if again, err := ParseJobState(strings.ToLower(short)); err != nil || again != s || s.Short() != short {
					t.Errorf("job state %s: %s is %s, %v", name, short, again.Complete(), err)
				}
			}
		case "node state base":
			s, err := ParseNodeState(name)
			if err != nil || s.Long() != name || s.Short() != short {
				t.Errorf("node state %s: %s %s, %v", name, s.Long(), s.Short(), err)
			}
		case "node state shown or flag":
			if strings.HasSuffix(name, "+") {
				continue
			}
			if _, err := ParseNodeStates(name); err != nil {
				t.Errorf("node state %s: %v", name, err)
			}
			if short != "" && short != name {
				if _, err := ParseNodeStates(short); err != nil {
					t.Errorf("node state %s: %v", short, err)
				}
			}
		case "reason":
			if r, err := ParseReason(name); err != nil || r.String() != name {
				t.Errorf("reason %s: %s, %v", name, r, err)
			}
		}
	}
}

func TestEveryErrorOfTheSurfaceIsKnown(t *testing.T) {
	n := 0
	for _, row := range surface(t, "exit_and_errors.tsv") {
		where, ok := strings.CutPrefix(row[1], "error table (")
		if !ok {
			continue
		}
		name, code, _ := strings.Cut(strings.TrimSuffix(where, ")"), " = ")
		num, err := strconv.Atoi(code)
		e := Errno(num)
		byName, known := ErrnoByName(name)
		if err != nil || e.Error() != row[0] || e.Name() != name || !known || byName != e {
			t.Errorf("%s = %s is %q %s", name, code, e.Error(), e.Name())
		}
		n++
	}
	if n < 200 {
		t.Errorf("the error table has %d rows", n)
	}
}

func TestErrno(t *testing.T) {
	for e, want := range map[Errno]string{ErrnoOK: "No error", ErrnoError: "Unspecified error", 12345: "Unspecified error", ErrnoInvalidJobID: "Invalid job id specified",
		ErrnoAgain: "Resource temporarily unavailable"} {
		if e.Error() != want {
			t.Errorf("%d is %q, want %q", int(e), e.Error(), want)
		}
	}
	_, err := ParseArray("x", 1)
	var e Errno
	if !errors.Is(err, ErrnoInvalidArray) || !errors.As(err, &e) || e != ErrnoInvalidArray {
		t.Errorf("%v does not carry its number", err)
	}
	if _, ok := ErrnoByName("eslurm_invalid_qos"); !ok {
		t.Error("names are not found in other letters")
	}
	if _, ok := ErrnoByName("ESLURM_NOSUCH"); ok {
		t.Error("a name that is none was found")
	}
	for i := range errnoTable[1:] {
		if errnoTable[i].code >= errnoTable[i+1].code {
			t.Errorf("the table is out of order at %s", errnoTable[i+1].name)
		}
	}
}

func TestReason(t *testing.T) {
	var r Reason
	if err := r.UnmarshalText([]byte("priority")); err != nil || r != ReasonPriority || ReasonNone.String() != "None" || r.Held() || !ReasonJobHeldUser.Held() {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := ParseReason("Nosuch"); err == nil {
		t.Error("a reason that is none was taken")
	}
	if _, err := Reason(60000).MarshalText(); err == nil {
		t.Error("a number without a word was written")
	}
}

func TestJobState(t *testing.T) {
	for _, c := range []struct {
		state                 JobState
		long, short, complete string
	}{
		{JobPending, "PENDING", "PD", "PENDING"},
		{JobRunning | JobConfiguring, "CONFIGURING", "CF", "RUNNING+CONFIGURING"},
		{JobCancelled | JobCompleting, "COMPLETING", "CG", "CANCELLED+COMPLETING"},
		{JobFailed | JobRequeued | JobCompleting, "COMPLETING", "CG", "FAILED+COMPLETING+REQUEUED"},
		{JobPending | JobSpecialExit | JobRequeueHold, "REQUEUE_HOLD", "RH", "PENDING+REQUEUE_HOLD+SPECIAL_EXIT"},
		{JobRunning | JobSignaling | JobStopped, "STOPPED", "ST", "RUNNING+STOPPED+SIGNALING"},
		{JobFailed | JobLaunchFailed, "FAILED", "F", "FAILED+LAUNCH_FAILED"},
		{JobOutOfMemory, "OUT_OF_MEMORY", "OOM", "OUT_OF_MEMORY"},
		{200, "?", "?", "?"},
	} {
		if c.state.String() != c.long || c.state.Short() != c.short || c.state.Complete() != c.complete {
			t.Errorf("%x is %s %s %s, want %s %s %s", uint32(c.state), c.state, c.state.Short(), c.state.Complete(), c.long, c.short, c.complete)
		}
		if c.long == "?" {
			continue
		}
		if back, err := ParseJobState(c.complete); err != nil || back != c.state {
			t.Errorf("%s reads as %s, %v", c.complete, back.Complete(), err)
		}
	}
	for _, in := range []string{"", "nosuch", "PENDING+RUNNING", "PENDING+", "?"} {
		if s, err := ParseJobState(in); err == nil {
			t.Errorf("ParseJobState(%q) = %s, want it refused", in, s.Complete())
		}
	}
	if (JobRunning | JobCompleting).Ended() || !(JobTimeout | JobCompleting).Ended() {
		t.Error("which states are final")
	}
}

func TestJobStateFilter(t *testing.T) {
	for in, want := range map[string]string{
		"all":        "PENDING RUNNING CANCELLED CANCELLED+COMPLETING PENDING+REQUEUED",
		"pd":         "PENDING PENDING+REQUEUED",
		"r,CA":       "RUNNING CANCELLED",
		"completing": "CANCELLED+COMPLETING",
		"ca, rq":     "CANCELLED PENDING+REQUEUED",
		"":           "",
	} {
		f, err := ParseJobStates(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range []JobState{JobPending, JobRunning, JobCancelled, JobCancelled | JobCompleting, JobPending | JobRequeued} {
			if f.Match(s) {
				got = append(got, s.Complete())
			}
		}
		if strings.Join(got, " ") != want || f.IsEmpty() != (in == "") || f.IsAll() != (in == "all") {
			t.Errorf("%q matches %v, want %s", in, got, want)
		}
	}
	if _, err := ParseJobStates("r,nosuch"); !errors.Is(err, ErrnoInvalidJobState) {
		t.Errorf("nosuch: %v", err)
	}
	if live := LiveJobs(); !live.Match(JobPending) || !live.Match(JobCancelled|JobCompleting) || live.Match(JobCompleted) || !live.HasBase(JobRunning) {
		t.Error("which jobs are live")
	}
}

func TestNodeState(t *testing.T) {
	for _, c := range []struct {
		state                 NodeState
		long, short, complete string
	}{
		{NodeIdle, "IDLE", "IDLE", "IDLE"},
		{NodeUnknown | NodeNotResponding, "UNKNOWN*", "UNK*", "UNKNOWN+NOT_RESPONDING"},
		{NodeUnknown | NodeDrain | NodeNotResponding, "DRAINED*", "DRAIN*", "UNKNOWN+DRAIN+NOT_RESPONDING"},
		{NodeDown | NodeNotResponding, "DOWN*", "DOWN*", "DOWN+NOT_RESPONDING"},
		{NodeDown | NodeDrain | NodeNotResponding, "DRAINED*", "DRAIN*", "DOWN+DRAIN+NOT_RESPONDING"},
		{NodeMixed | NodeDrain, "DRAINING", "DRNG", "MIXED+DRAIN"},
		{NodeAllocated | NodeDrain, "DRAINING", "DRNG", "ALLOCATED+DRAIN"},
		{NodeIdle | NodeDrain | NodeCompleting, "DRAINING", "DRNG", "IDLE+COMPLETING+DRAIN"},
		{NodeIdle | NodeFail | NodeNotResponding, "FAIL*", "FAIL*", "IDLE+FAIL+NOT_RESPONDING"},
		{NodeAllocated | NodeFail, "FAILING", "FAILG", "ALLOCATED+FAIL"},
		{NodeAllocated | NodeCompleting, "ALLOCATED+", "ALLOC+", "ALLOCATED+COMPLETING"},
		{NodeIdle | NodeCompleting, "COMPLETING", "COMP", "IDLE+COMPLETING"},
		{NodeIdle | NodeMaint | NodeReserved | NodeNotResponding, "MAINT*", "MAINT*", "IDLE+MAINTENANCE+RESERVED+NOT_RESPONDING"},
		{NodeAllocated | NodeMaint, "ALLOCATED$", "ALLOC$", "ALLOCATED+MAINTENANCE"},
		{NodeIdle | NodeReserved | NodeNotResponding, "IDLE*", "IDLE*", "IDLE+RESERVED+NOT_RESPONDING"},
		{NodeIdle | NodeReserved, "RESERVED", "RESV", "IDLE+RESERVED"},
		{NodeMixed | NodeReserved, "MIXED", "MIX", "MIXED+RESERVED"},
		{NodeIdle | NodePlanned, "PLANNED", "PLND", "IDLE+PLANNED"},
		{NodeMixed | NodePlanned, "MIXED-", "MIX-", "MIXED+PLANNED"},
		{NodeIdle | NodeBlocked, "BLOCKED", "BLOCK", "IDLE+BLOCKED"},
		{NodeIdle | NodeCloud | NodePoweredDown, "IDLE~", "IDLE~", "IDLE+CLOUD+POWERED_DOWN"},
		{NodeIdle | NodeCloud | NodeNotResponding | NodePoweringUp, "IDLE#", "IDLE#", "IDLE+CLOUD+NOT_RESPONDING+POWERING_UP"},
		{NodeUnknown | NodeDrain | NodePowerDown | NodeNotResponding, "DRAINED!", "DRAIN!", "UNKNOWN+DRAIN+POWER_DOWN+NOT_RESPONDING"},
		{NodeIdle | NodeCloud | NodeDrain | NodeMaint | NodePowerDown | NodeReserved | NodeNotResponding | NodePoweringUp, "DRAINED$", "DRAIN$",
			"IDLE+CLOUD+DRAIN+MAINTENANCE+POWER_DOWN+RESERVED+NOT_RESPONDING+POWERING_UP"},
		{NodeIdle | NodePoweringDown, "IDLE%", "IDLE%", "IDLE+POWERING_DOWN"},
		{NodeIdle | NodeRebootRequested, "REBOOT", "BOOT", "IDLE+REBOOT_REQUESTED"},
		{NodeIdle | NodeRebootIssued, "REBOOT^", "BOOT^", "IDLE+REBOOT_ISSUED"},
		{NodeDown | NodeRebootIssued, "REBOOT^", "BOOT^", "DOWN+REBOOT_ISSUED"},
		{NodeAllocated | NodeRebootRequested, "ALLOCATED@", "ALLOC@", "ALLOCATED+REBOOT_REQUESTED"},
		{NodeDown | NodeInvalidReg, "INVAL", "INVAL", "DOWN+INVALID_REG"},
		{NodeFuture, "FUTURE", "FUTR", "FUTURE"},
		{99, "?", "?", "?"},
	} {
		if c.state.Long() != c.long || c.state.Short() != c.short || c.state.String() != c.complete {
			t.Errorf("%s is %s %s, want %s %s %s", c.state, c.state.Long(), c.state.Short(), c.long, c.short, c.complete)
		}
		if c.long == "?" {
			continue
		}
		if back, err := ParseNodeState(c.complete); err != nil || back != c.state {
			t.Errorf("%s reads as %s, %v", c.complete, back, err)
		}
	}
	for _, in := range []string{"", "nosuch", "IDLE+DOWN", "IDLE+"} {
		if s, err := ParseNodeState(in); !errors.Is(err, ErrnoInvalidNodeState) {
			t.Errorf("ParseNodeState(%q) = %s, want it refused", in, s)
		}
	}
}

// TestNodeStateFilterAsSinfo has the nodes of a cluster on which n1 is partly in
// use and draining, n2 in use, n3 drained, n4 down, n5 partly in use.
func TestNodeStateFilterAsSinfo(t *testing.T) {
	nodes := []NodeState{NodeMixed | NodeDrain, NodeAllocated, NodeIdle | NodeDrain, NodeDown, NodeMixed}
	for in, want := range map[string]string{
		"drain": "n1 n3", "down": "n4", "alloc": "n1 n2 n5", "mix": "n5", "idle": "n3", "drained,draining": "n1 n3", "DRNG": "n1", "drained": "n3", "all": "n1 n2 n3 n4 n5",
		"~down": "n1 n2 n3 n5", "idle&drain": "n3", "idle+drain": "n3", "drain&~idle": "n1", "down,alloc": "n1 n2 n4 n5", "": "", "resv": "", "fail": "", "failing,reboot,boot": "",
	} {
		f, err := ParseNodeStates(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var got []string
		for i, s := range nodes {
			if f.Match(s) {
				got = append(got, "n"+strconv.Itoa(i+1))
			}
		}
		if strings.Join(got, " ") != want || f.IsEmpty() != (in == "") {
			t.Errorf("%q matches %v, want %s", in, got, want)
		}
	}
	for _, in := range []string{"nosuch", "~", "idle,&", "idle&nosuch"} {
		if _, err := ParseNodeStates(in); !errors.Is(err, ErrnoInvalidNodeState) {
			t.Errorf("ParseNodeStates(%q): %v, want it refused", in, err)
		}
	}
}

func FuzzStates(f *testing.F) {
	f.Add("PENDING+REQUEUED", "idle,~down&drain")
	f.Fuzz(func(t *testing.T, job, node string) {
		if s, err := ParseJobState(job); err == nil {
			if back, err := ParseJobState(s.Complete()); err != nil || back != s {
				t.Fatalf("%q prints as %s, which reads as %s, %v", job, s.Complete(), back.Complete(), err)
			}
		}
		if s, err := ParseNodeState(node); err == nil {
			if back, err := ParseNodeState(s.String()); err != nil || back != s {
				t.Fatalf("%q prints as %s, which reads as %s, %v", node, s, back, err)
			}
		}
		if f, err := ParseNodeStates(node); err == nil {
			f.Match(NodeIdle | NodeDrain)
		}
	})
}
