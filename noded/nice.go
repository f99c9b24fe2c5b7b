package noded

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/slurm"
)

// niceOf is the nice value of a job's or step's processes: what its submitter
// had, as the environment tells it (SLURM_PRIO_PROCESS), where PropagatePrioProcess
// is 1; with 2 they are nicer than this agent in any case. nil leaves them the
// agent's own.
func niceOf(conf *slurm.Conf, env []string) *int {
	if conf == nil || conf.PropagatePrioProcess == 0 {
		return nil
	}
	for _, v := range env {
		text, ok := strings.CutPrefix(v, "SLURM_PRIO_PROCESS=")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil
		}
		return nicer(conf.PropagatePrioProcess, n, ownNice())
	}
	return nil
}

// nicer is the nice value of what was submitted with one, under an agent with
// another.
func nicer(mode, submitted, own int) *int {
	if mode == 2 {
		submitted = max(submitted, own+1)
	}
	submitted = max(min(submitted, 19), -20)
	return &submitted
}

// ownNice is the agent's own nice value.
func ownNice() int {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - n // the system call counts from there
}
