package srun

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/slurm"
)

// hook runs the program of --prolog or --epilog on this host, before or after
// the step, and waits for it. What it prints is printed. It returns whether the
// step may go on: a program that cannot be run changes nothing, as in Slurm, a
// prolog that fails does.
func (s *run) hook(which, program string, id slurm.JobID, step string) bool {
	if program == "" || strings.EqualFold(program, "none") {
		return true
	}
	if err := unix.Access(program, unix.R_OK|unix.X_OK); err != nil {
		s.env.Infof("Access denied for %s: %s", program, submit.Cause(err))
		return true
	}
	vars := []string{"SLURM_JOB_ID=" + id.String(), "SLURM_JOBID=" + id.String(), "SLURM_SCRIPT_CONTEXT=" + which + "_srun"}
	if step != "" {
		vars = append(vars, "SLURM_STEP_ID="+step, "SLURM_STEPID="+step)
	}
	cmd := exec.CommandContext(s.env.Ctx, program)
	cmd.Env = submit.Merge(s.env.Vars, vars)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.env.Stdout, s.env.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true
	case !errors.As(err, &exit):
		s.env.Errorf("cannot run srun %s %s: %v", which, program, err)
		return true
	case which == "prolog":
		s.env.Errorf("srun prolog failed rc = %d. Aborting step.", exit.ExitCode())
		return false
	}
	s.env.Errorf("srun epilog failed status=%d", exit.ExitCode())
	return true
}
