package cmds_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mpsControl stands in for nvidia-cuda-mps-control: with -d it returns once a daemon
// listens on the pipe, which goes on in the background; without it passes commands on.
const mpsControl = `#!/bin/sh
pipe=$CUDA_MPS_PIPE_DIRECTORY/control
if [ "$1" != -d ]; then cat >"$pipe"; cat "$pipe.out"; exit; fi
mkfifo "$pipe" "$pipe.out" || exit 1
(
	exec >>"$CUDA_MPS_LOG_DIRECTORY/control.log" 2>&1
	echo "Start on $CUDA_VISIBLE_DEVICES by $(id -u)"
	while read -r word <"$pipe"; do
		case $word in quit) exit;; esac
		echo "served $word" >"$pipe.out"
	done
) </dev/null &
`

// TestGPUsWithMPS runs jobs with shares of MPS, each with a control daemon of its own.
func TestGPUsWithMPS(t *testing.T) {
	bin := t.TempDir()
	program := filepath.Join(bin, "nvidia-cuda-mps-control")
	if err := os.WriteFile(program, []byte(mpsControl), 0o755); err != nil {
		t.Fatal(err)
	}
	c := startGPUs(t, gpuSetup{
		describe: func(int) string { return cuttableGPUs("") }, gres: "gpu:a100:2,mps:200",
		env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")},
	})
	look := `echo $CUDA_MPS_ACTIVE_THREAD_PERCENTAGE $CUDA_VISIBLE_DEVICES $SLURM_JOB_ID
		echo list | ` + program + `; cat $CUDA_MPS_LOG_DIRECTORY/control.log
		echo $CUDA_MPS_PIPE_DIRECTORY >pipe.$SLURM_JOB_ID`
	ids := []string{}
	for range 2 {
		ids = append(ids, c.must("sbatch", "--parsable", "-w", "g1", "--gres=mps:25", "-o", "mps.%j", "--wrap", look+"; sleep 2"))
	}
	c.wait("squeue", "R\nR", "-h", "-o", "%t")
	got := c.must("srun", "-w", "g1", "-n2", "--gres=mps:100", "sh", "-c", `echo $CUDA_MPS_ACTIVE_THREAD_PERCENTAGE $CUDA_VISIBLE_DEVICES; ls $CUDA_MPS_PIPE_DIRECTORY`)
	if strings.Count(got, "100 0\n") != 2 || strings.Count(got, "control.out") != 2 {
		t.Errorf("a step with all of a GPU: %q", got)
	}
	c.drain(time.Minute)
	for i, id := range ids {
		text, err := os.ReadFile(filepath.Join(c.dir, "mps."+id))
		if want := "25 0 " + id + "\nserved list\nStart on GPU-0 by 0\n"; err != nil || string(text) != want {
			t.Errorf("job %d: %q, want %q (%v)", i, text, want, err)
		}
		pipe, err := os.ReadFile(filepath.Join(c.dir, "pipe."+id))
		if _, gone := os.Stat(strings.TrimSpace(string(pipe))); err != nil || gone == nil {
			t.Errorf("the pipes of job %s are left in %s: %v", id, pipe, err)
		}
	}
	if left := processesWith(t, "CUDA_MPS_PIPE_DIRECTORY="+c.dir); left != nil {
		t.Errorf("left behind: %v", left)
	}

	// The program is gone: the node says so, and has nothing of the kind until then.
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	id := c.must("sbatch", "--parsable", "-w", "g1", "--gres=mps:25", "-o", "none.%j", "--wrap", "echo ran")
	c.wait("scontrol", "Reason=mps: cannot start an MPS control daemon: exec: \"nvidia-cuda-mps-control\": executable file not found in $PATH", "show", "node", "g1")
	c.wait("squeue", "PD", "-h", "-j", id, "-o", "%t")
	if _, err := os.Stat(filepath.Join(c.dir, "none."+id)); err == nil {
		t.Error("the job ran without its daemon")
	}
}

// processesWith lists the processes that have a variable which begins so.
func processesWith(t *testing.T, variable string) []string {
	t.Helper()
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains("\x00"+string(text), "\x00"+variable) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}
