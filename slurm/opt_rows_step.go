package slurm

import "strings"

// stepRows are the options of srun and salloc alone.
func stepRows() []optionRow {
	return []optionRow{
		{names: "async", cmds: Srun, tier: 3, idle: "srun waits for its step; put it in the background with &", set: ignore},
		{names: "bcast", arg: OptionalArg, cmds: Srun, env: envSrun("SLURM_BCAST"), tier: 2,
			set: textOr("-", func(o *JobOptions) *string { return &o.Step.Bcast })},
		{names: "bcast-exclude", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_BCAST_EXCLUDE"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Step.BcastExclude })},
		{names: "bell", cmds: Salloc, env: env3("BELL"), tier: 3, set: flag(func(o *JobOptions) *bool { return &o.Bell })},
		{names: "compress", arg: OptionalArg, cmds: Srun, env: envSrun("SLURM_COMPRESS"), tier: 3, set: setCompress},
		{names: "debugger-test", cmds: Srun, tier: 3, idle: "it exercises parallel debuggers", set: ignore},
		{names: "disable-status", short: "X", cmds: Srun, env: envSrun("SLURM_DISABLE_STATUS"), tier: 3,
			set: flag(func(o *JobOptions) *bool { return &o.Step.DisableStatus })},
		{names: "epilog", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_EPILOG"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Step.Epilog })},
		{names: "exact", cmds: Srun, env: envSrun("SLURM_EXACT"), tier: 2, set: flag(func(o *JobOptions) *bool { return &o.Step.Exact })},
		{names: "external-launcher", arg: OptionalArg, cmds: Srun, env: envSrun("SLURM_EXTERNAL_LAUNCHER"), tier: 3, idle: whyUnacted,
			set: flag(func(o *JobOptions) *bool { return &o.Step.ExternalLauncher })},
		{names: "ignore-signals", arg: RequiredArg, cmds: Srun, tier: 3, idle: "srun handles signals as usual", set: ignore},
		{names: "immediate", short: "I", arg: OptionalArg, cmds: Srun | Salloc, env: envNames{salloc: "SALLOC_IMMEDIATE"}, tier: 2, set: setImmediate},
		{names: "interactive", cmds: Srun, tier: 3, idle: whyUnacted, set: flag(func(o *JobOptions) *bool { return &o.Step.Interactive })},
		{names: "jobid", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_JOB_ID"), tier: 2, set: setJobID},
		{names: "kill-command", short: "K", arg: OptionalArg, cmds: Salloc, env: envNames{salloc: "SALLOC_KILL_CMD"}, tier: 3, set: setKillCommand},
		{names: "kill-on-bad-exit", short: "K", arg: OptionalArg, cmds: Srun, env: envSrun("SLURM_KILL_BAD_EXIT"), tier: 2, set: setKillOnBadExit},
		{names: "label", short: "l", cmds: Srun, env: envSrun("SLURM_LABELIO"), tier: 2, set: flag(func(o *JobOptions) *bool { return &o.Step.Label })},
		{names: "mpi", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_MPI_TYPE"), tier: 1,
			set: text(func(o *JobOptions) *string { return &o.Step.MPI })},
		{names: "msg-timeout", arg: RequiredArg, cmds: Srun, tier: 3, idle: whyUnacted,
			set: number("--msg-timeout", 1, func(o *JobOptions) *int { return &o.Step.MsgTimeout })},
		{names: "multi-prog", cmds: Srun, env: envSrun("SLURM_SRUN_MULTI"), tier: 2, set: flag(func(o *JobOptions) *bool { return &o.Step.MultiProg })},
		{names: "no-allocate", short: "Z", cmds: Srun, tier: 3, idle: whyUnacted, set: flag(func(o *JobOptions) *bool { return &o.Step.NoAllocate })},
		{names: "no-bell", cmds: Salloc, env: env3("NO_BELL"), tier: 3, set: flag(func(o *JobOptions) *bool { return &o.NoBell })},
		{names: "no-shell", cmds: Salloc, tier: 2, set: flag(func(o *JobOptions) *bool { return &o.NoShell })},
		{names: "oom-kill-step", arg: OptionalArg, cmds: allCommands, env: envSrun("SLURM_OOM_KILL_STEP"), tier: 3, idle: whyUnacted, set: setOOMKillStep},
		{names: "overlap", cmds: Srun, env: envSrun("SLURM_OVERLAP"), tier: 2, set: flag(func(o *JobOptions) *bool { return &o.Step.Overlap })},
		{names: "parsable", cmds: Srun, tier: 3, idle: "it belongs to --async", set: ignore},
		{names: "preserve-env", short: "E", cmds: Srun, tier: 3, idle: whyUnacted, set: flag(func(o *JobOptions) *bool { return &o.Step.PreserveEnv })},
		{names: "prolog", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_PROLOG"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Step.Prolog })},
		{names: "pty", arg: OptionalArg, cmds: Srun, tier: 1, set: setPty},
		{names: "quit-on-interrupt", cmds: Srun, tier: 3, set: flag(func(o *JobOptions) *bool { return &o.Step.QuitOnInterrupt })},
		{names: "relative", short: "r", arg: RequiredArg, cmds: Srun, tier: 2,
			set: number("--relative", 0, func(o *JobOptions) *int { return &o.Step.Relative })},
		{names: "resv-ports", arg: OptionalArg, cmds: allCommands, env: envSrun("SLURM_RESV_PORTS"), tier: 3, idle: whyUnacted, set: setResvPorts},
		{names: "send-libs", arg: OptionalArg, cmds: Srun, env: envSrun("SLURM_SEND_LIBS"), tier: 3,
			set: yesNo("yes", func(o *JobOptions) *string { return &o.Step.SendLibs })},
		{names: "slurmd-debug", arg: RequiredArg, cmds: Srun, env: envSrun("SLURMD_DEBUG"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Step.SlurmdDebug })},
		{names: "task-epilog", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_TASK_EPILOG"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Step.TaskEpilog })},
		{names: "task-prolog", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_TASK_PROLOG"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Step.TaskProlog })},
		{names: "threads", short: "T", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_THREADS"), tier: 3,
			set: number("--threads", 1, func(o *JobOptions) *int { return &o.Step.Threads })},
		{names: "treewidth", arg: RequiredArg, cmds: Srun, tier: 3, idle: "agents are called without a tree", set: ignore},
		{names: "unbuffered", short: "u", cmds: Srun, env: envSrun("SLURM_UNBUFFEREDIO"), tier: 2, set: flag(func(o *JobOptions) *bool { return &o.Step.Unbuffered })},
		{names: "wait", short: "W", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_WAIT"), tier: 2,
			set: number("--wait", 0, func(o *JobOptions) *int { return &o.Step.Wait })},
		{names: "wait-for-children", cmds: Srun, tier: 3, idle: "a task ends with its first process", set: ignore},
		{names: "whole", cmds: Srun, tier: 3, set: flag(func(o *JobOptions) *bool { return &o.Step.Whole })},
		{names: "x11", arg: OptionalArg, cmds: Srun | Salloc, tier: 2,
			set: oneOf("all", "all batch first last", func(o *JobOptions) *string { return &o.Step.X11 })},
	}
}

// setPty takes the bare option; newer Slurm also takes the number of a file to
// use as the terminal.
func setPty(r *optionReader, value string, has bool) error {
	if has && value != "" {
		r.noEffect("pty="+value, "the terminal is that of standard input")
	}
	r.job().Step.Pty = true
	return nil
}

// setCompress takes lz4 or none; another name is an error Slurm lives with.
func setCompress(r *optionReader, value string, has bool) error {
	kind := strings.ToLower(value)
	switch {
	case !has || kind == "" || kind == "lz4":
		kind = "lz4"
	case kind != "none":
		r.notice(true, "Compression type '"+value+"' unknown, disabling compression support.")
		kind = "none"
	}
	r.job().Step.Compress = kind
	return nil
}

func setImmediate(r *optionReader, value string, has bool) error {
	if !has || value == "" {
		r.job().Immediate = 1
		return nil
	}
	n, err := r.number("immediate", 0, value)
	r.job().Immediate = n
	return err
}

func setJobID(r *optionReader, value string, _ bool) error {
	if _, err := r.number("--jobid", 1, value); err != nil {
		return err
	}
	r.job().JobID = strings.TrimSpace(value)
	return nil
}

func setKillCommand(r *optionReader, value string, has bool) error {
	if !has || value == "" {
		value = "TERM"
	}
	if _, err := ParseSignalName(value); err != nil {
		return r.invalid()
	}
	r.job().KillCommand = value
	return nil
}

func setKillOnBadExit(r *optionReader, value string, has bool) error {
	if !has || value == "" {
		r.job().Step.KillOnBadExit = 1
		return nil
	}
	n, err := r.number("--kill-on-bad-exit", 0, value)
	r.job().Step.KillOnBadExit = min(n, 1)
	return err
}

func setOOMKillStep(r *optionReader, value string, has bool) error {
	switch {
	case !has || value == "" || value == "1":
		r.job().Step.OOMKillStep = 1
	case value == "0":
		r.job().Step.OOMKillStep = 0
	default:
		return r.invalid()
	}
	return nil
}

func setResvPorts(r *optionReader, value string, has bool) error {
	if !has || value == "" {
		r.job().Step.ResvPorts = 0
		return nil
	}
	n, err := r.number("--resv-port", 0, value)
	r.job().Step.ResvPorts = n
	return err
}
