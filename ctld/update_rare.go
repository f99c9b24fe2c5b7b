package ctld

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// rare are the keys that few people change.
func (up *jobUpdate) rare(key, value string, request func(string)) error {
	count := func(name string, to *int) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("Invalid %s value: %s: %w", key, value, slurm.ErrnoError)
		}
		*to = n
		request(name)
		return nil
	}
	wait := func(text string) error {
		d, err := slurm.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("Invalid %s value: %s: %w", key, text, slurm.ErrnoInvalidTime)
		}
		up.spec.SwitchesWait = d
		request("switches")
		return nil
	}
	running := up.j.State.Base() != slurm.JobPending
	if running { // what it asked for is noted, and changes nothing any more
		request = func(given string) { up.spec.Given[given] = true }
	}
	switch key {
	case "reboot", "sitefactor":
		switch {
		case !up.operator:
			return slurm.ErrnoAccessDenied
		case key == "sitefactor":
			return fmt.Errorf("Invalid input: %s: %w", key, slurm.ErrnoError)
		case running:
			return slurm.ErrnoNotPending
		}
		up.spec.Reboot = value == "1" || strings.EqualFold(value, "yes")
	case "taskspernode":
		if running {
			return slurm.ErrnoNotPending
		}
		if !up.operator {
			return slurm.ErrnoAccessDenied
		}
		return count("ntasks-per-node", &up.spec.NTasksPerNode)
	case "corespec", "threadspec":
		if running {
			return slurm.ErrnoNotPending
		}
		return slurm.ErrnoAccessDenied // cores are set apart by the configuration alone
	case "burstbuffer":
		return slurm.ErrnoNotSupported
	case "workdir":
		if !up.j.IsPending() {
			return slurm.ErrnoNotPending
		}
		up.spec.WorkDir = value
	case "delayboot":
		d, err := slurm.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("Invalid DelayBoot value: %s: %w", value, slurm.ErrnoInvalidTime)
		}
		up.spec.DelayBoot = d
		if !running {
			request("delay-boot")
		}
	case "prefer":
		if running {
			return slurm.ErrnoNotPending
		}
		up.spec.Prefer = value
		request("prefer")
	case "reqsockets", "reqcores", "reqthreads":
		if running {
			return slurm.ErrnoNotPending
		}
		switch key {
		case "reqsockets":
			return count("sockets-per-node", &up.spec.SocketsPerNode)
		case "reqcores":
			return count("cores-per-socket", &up.spec.CoresPerSocket)
		}
		return count("threads-per-core", &up.spec.ThreadsPerCore)
	case "switches":
		n, most, timed := strings.Cut(value, "@")
		value = n
		if err := count("switches", &up.spec.Switches); err != nil {
			return nil // as in Slurm, what is no number changes nothing
		}
		if !timed {
			return nil
		}
		return wait(most)
	case "wait-for-switch":
		seconds, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return fmt.Errorf("Invalid wait-for-switch value: %s: %w", value, slurm.ErrnoError)
		}
		up.spec.SwitchesWait = slurm.Duration(seconds)
		request("switches")
	default:
		return fmt.Errorf("Invalid input: %s: %w", key, slurm.ErrnoError)
	}
	return nil
}
