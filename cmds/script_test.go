// Package cmds_test runs the commands as people do: scripts under
// testdata/script, each against a cluster of its own in this process, and a
// cluster of real processes that is killed and started again.
package cmds_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runink/rink/cmds/adopt"
	"github.com/runink/rink/cmds/barn"
	"github.com/runink/rink/cmds/controller"
	"github.com/runink/rink/cmds/dev"
	"github.com/runink/rink/cmds/exec"
	"github.com/runink/rink/cmds/export"
	"github.com/runink/rink/cmds/importer"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/metrics"
	"github.com/runink/rink/cmds/reff"
	"github.com/runink/rink/cmds/rinkctld"
	"github.com/runink/rink/cmds/rinknoded"
	"github.com/runink/rink/cmds/rinkrestd"
	"github.com/runink/rink/cmds/sacct"
	"github.com/runink/rink/cmds/sacctmgr"
	"github.com/runink/rink/cmds/salloc"
	"github.com/runink/rink/cmds/sattach"
	"github.com/runink/rink/cmds/sbatch"
	"github.com/runink/rink/cmds/sbcast"
	"github.com/runink/rink/cmds/scancel"
	"github.com/runink/rink/cmds/scontrol"
	"github.com/runink/rink/cmds/scrontab"
	"github.com/runink/rink/cmds/sdiag"
	"github.com/runink/rink/cmds/seff"
	"github.com/runink/rink/cmds/sim"
	"github.com/runink/rink/cmds/sinfo"
	"github.com/runink/rink/cmds/sprio"
	"github.com/runink/rink/cmds/squeue"
	"github.com/runink/rink/cmds/sreport"
	"github.com/runink/rink/cmds/srun"
	"github.com/runink/rink/cmds/sshare"
	"github.com/runink/rink/cmds/sstat"
	"github.com/runink/rink/cmds/strigger"
	"github.com/runink/rink/cmds/token"
	"github.com/runink/rink/cmds/why"
)

var update = flag.Bool("update", false, "rewrite the expected files of the scripts")

// programs are the commands the scripts, and the jobs in them, can call.
var programs = map[string]func(*cli.Env) int{
	"sbatch": sbatch.Run, "squeue": squeue.Run, "scancel": scancel.Run, "sinfo": sinfo.Run, "srun": srun.Run, "salloc": salloc.Run,
	"scontrol": scontrol.Run, "sacct": sacct.Run, "sacctmgr": sacctmgr.Run, "sprio": sprio.Run, "sshare": sshare.Run, "rinkctld": rinkctld.Run, "rinknoded": rinknoded.Run, "rink-dev": dev.Run, "rink-controller": controller.Run, "rink-metrics": metrics.Run, "rink-token": token.Run, "rink-why": why.Run,
	"sreport": sreport.Run, "sstat": sstat.Run, "rink-exec": exec.Run, "rink-adopt": adopt.Run, "rink-export": export.Run, "rink-import": importer.Run, "seff": seff.Run, "reff": reff.Run,
	"rink-sim": sim.Run, "rink-barn": barn.Run, "rinkrestd": rinkrestd.Run,
	"sdiag": sdiag.Run, "sbcast": sbcast.Run, "sattach": sattach.Run, "scrontab": scrontab.Run, "strigger": strigger.Run,
}

func TestMain(m *testing.M) {
	// The launcher of an agent in this process is this program again.
	if run, ok := rinknoded.Internal(os.Args[0]); ok {
		os.Exit(run(os.Args))
	}
	table := map[string]func(){}
	for name, run := range programs {
		table[name] = func() { os.Exit(run(cli.OSEnv(name, os.Args[1:]))) }
	}
	table["rinkctld"] = func() { os.Exit(rinkctld.RunOn(cli.OSEnv("rinkctld", os.Args[1:]), barnOf(os.Args))) }
	testscript.Main(m, table)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: false,
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			if cond == "cpuset" { // a cgroup can be held to one of several CPUs
				v1, _ := os.ReadFile("/proc/cgroups")
				v2, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
				_, err := os.Stat("/sys/fs/cgroup/cpuset/cpuset.cpus")
				here := err == nil && strings.Contains(string(v1), "cpuset") || slices.Contains(strings.Fields(string(v2)), "cpuset")
				return here && os.Geteuid() == 0 && runtime.NumCPU() >= 2, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			dir, err := os.MkdirTemp("", "rt") // short: sockets live below it
			if err != nil {
				return err
			}
			if err := os.Chmod(dir, 0o755); err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			conf, stop, err := startDev(dir, "--nodes", "2", "--cpus", "8", "--memory", "8000", "--features", "fast,ib")
			if err != nil {
				return err
			}
			e.Defer(stop)
			e.Setenv("RINK_CONF", conf)
			e.Setenv("CLUSTER", filepath.Join(dir, "c"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("SHELL", "/bin/sh")
			me, err := user.Current()
			if err != nil {
				return err
			}
			e.Setenv("ME", me.Username)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"waitfor": waitFor, "rest": rest},
	})
}

// waitFor repeats a command until its standard output matches a pattern:
//
//	waitfor PATTERN COMMAND ARGS...
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: waitfor text command args...")
	}
	var out string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		out = ts.ReadFile("stdout")
		if err == nil && strings.Contains(out, args[0]) || args[0] == "nothing" && err == nil && strings.TrimSpace(out) == "" {
			return
		}
	}
	ts.Fatalf("%s does not say %q but %q", strings.Join(args[1:], " "), args[0], out)
}

// startDev starts a cluster in this process and returns its configuration and
// what stops it.
func startDev(dir string, args ...string) (conf string, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan int, 1)
	var stderr strings.Builder
	go func() { // ends with ctx
		code := dev.Run(&cli.Env{
			Name: "rink dev", Args: append([]string{"--dir", filepath.Join(dir, "c")}, args...), Stdout: w, Stderr: &stderr, Stdin: strings.NewReader(""),
			Vars: os.Environ(), Now: time.Now, Ctx: ctx,
		})
		w.Close()
		done <- code
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		cancel()
		<-done
		return "", nil, &startError{stderr.String()}
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "export RINK_CONF=")), func() { cancel(); <-done }, nil
}

type startError struct{ text string }

func (e *startError) Error() string { return "the cluster does not start: " + e.text }
