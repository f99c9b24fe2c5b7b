package launcher

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/slice"
)

// agentKillSlices is how many slices run while their agent is killed over and
// over.
const agentKillSlices = 500

// TestExitsAndOutputOutliveAgentsThatAreKilled kills the client of the launcher
// with SIGKILL every 200 ms while 500 slices run, each of which writes lines to
// a pipe and ends with a code of its own. What the clients have between them
// written down is every code once and every byte.
func TestExitsAndOutputOutliveAgentsThatAreKilled(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("plain forks of a large process: too slow to be of use here")
	}
	cl, c := rig(t)
	g := groups(c, cl, t, "step_0")
	dir := t.TempDir()
	for i := range agentKillSlices {
		s := shell(fmt.Sprintf("k%d", i), fmt.Sprintf("i=0; while [ $i -lt 40 ]; do echo %d.$i; i=$((i+1)); [ $((i%%10)) -ne 0 ] || sleep 0.4; done; exit %d", i, i%100), g)
		if s.Cgroup.On {
			s.Cgroup.Levels = []slice.Level{{Name: fmt.Sprintf("job_k%d", i)}, {Name: "step_0"}}
		}
		s.Tasks[0].Stdout = slice.Stream{Kind: slice.StreamPipe}
		launch(t, cl, s)
	}
	deadline := time.Now().Add(4 * time.Minute) // an emulated machine that has other work too takes two
	kills := 0
	for count(t, dir, ".code") < agentKillSlices {
		if time.Now().After(deadline) {
			t.Fatalf("%d exits after %d kills", count(t, dir, ".code"), kills)
		}
		agent := exec.Command("/proc/self/exe", "-test.run=^TestAsAgent$")
		agent.Env = append(os.Environ(), "RINK_TEST_AGENT="+dir, "RINK_TEST_SPOOL="+c.Spool, "RINK_TEST_PARENT="+c.Parent)
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		syscall.Kill(agent.Process.Pid, syscall.SIGKILL)
		agent.Wait()
		kills++
	}
	t.Logf("%d kills", kills)
	for i := range agentKillSlices {
		code, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("k%d.code", i)))
		if err != nil || string(code) != strconv.Itoa(i%100) {
			t.Errorf("slice %d: code %q, %v", i, code, err)
		}
		var want strings.Builder
		for n := range 40 {
			fmt.Fprintf(&want, "%d.%d\n", i, n)
		}
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("k%d.out", i)))
		if err != nil || string(text) != want.String() {
			t.Errorf("slice %d: %d bytes of output, %v; want %d", i, len(text), err, want.Len())
		}
	}
}

func count(t *testing.T, dir, suffix string) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestAsAgent is the process that is killed. What it has taken out of a pipe
// is on disk with the next system call; so that nothing is between the two, it
// lets the kernel move it.
func TestAsAgent(t *testing.T) {
	dir := os.Getenv("RINK_TEST_AGENT")
	if dir == "" {
		t.Skip("TestExitsAndOutputOutliveAgentsThatAreKilled runs this")
	}
	ctx := context.Background()
	cl, err := Connect(ctx, Config{Spool: os.Getenv("RINK_TEST_SPOOL"), Parent: os.Getenv("RINK_TEST_PARENT")})
	if err != nil {
		t.Fatal(err)
	}
	exits, err := cl.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for e := range exits {
		if e.Exit == nil {
			continue
		}
		drainTo(t, cl, dir, e.Slice)
		code := filepath.Join(dir, e.Slice+".code")
		if err := os.WriteFile(code+".new", []byte(strconv.Itoa(e.Exit.Tasks[0].Status.ExitStatus())), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(code+".new", code); err != nil {
			t.Fatal(err)
		}
		if err := cl.Forget(ctx, e.Slice); err != nil {
			t.Error(err)
		}
	}
}

// drainTo moves what is in the pipe of a slice that has ended to a file. Splice
// is one system call: a process that is killed is so before or after it.
func drainTo(t *testing.T, cl *Client, dir, id string) {
	t.Helper()
	files, err := cl.Attach(context.Background(), id)
	if err != nil || files[0].Stdout == nil {
		return // forgotten by one that was killed after
	}
	defer files[0].Stdout.Close()
	out, err := os.OpenFile(filepath.Join(dir, id+".out"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = out.Seek(0, io.SeekEnd)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for {
		n, err := syscall.Splice(int(files[0].Stdout.Fd()), nil, int(out.Fd()), nil, 1<<16, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
	}
}
