package srun

import (
	"errors"
	"os/exec"
	"strings"

	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/slurm"
)

// hook runs the program of --prolog or --epilog on this host, before or after
// the step, and waits for it. What it prints is printed; that it fails is said
// and changes nothing else, as in Slurm.
func (s *run) hook(which, program string, id slurm.JobID) {
	if program == "" || strings.EqualFold(program, "none") {
		return
	}
	cmd := exec.CommandContext(s.env.Ctx, "/bin/sh", "-c", program)
	cmd.Env = submit.Merge(s.env.Vars, []string{"SLURM_JOB_ID=" + id.String(), "SLURM_JOBID=" + id.String(), "SLURM_SCRIPT_CONTEXT=" + which + "_srun"})
	cmd.Stdout, cmd.Stderr = s.env.Stdout, s.env.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		s.env.Errorf("srun %s script %s: %s", which, program, exit)
	default:
		s.env.Errorf("cannot run srun %s script %s: %v", which, program, err)
	}
}
