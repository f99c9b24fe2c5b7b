package slurm

import "strings"

// fileRows are the options about files, directories, limits and the environment.
func fileRows() []optionRow {
	return []optionRow{
		{names: "chdir", short: "D", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_REMOTE_CWD SLURM_WORKING_DIR"), tier: 1, set: setChdir},
		{names: "container", arg: RequiredArg, cmds: allCommands, env: envNames{"SBATCH_CONTAINER", "SALLOC_CONTAINER", "SRUN_CONTAINER"}, tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Container })},
		{names: "container-id", arg: RequiredArg, cmds: allCommands, env: envNames{"SBATCH_CONTAINER_ID", "SALLOC_CONTAINER_ID", "SRUN_CONTAINER_ID"}, tier: 3,
			set: text(func(o *JobOptions) *string { return &o.ContainerID })},
		{names: "container-type", arg: RequiredArg, cmds: allCommands, env: envNames{"SBATCH_CONTAINER_TYPE", "SALLOC_CONTAINER_TYPE", "SRUN_CONTAINER_TYPE"}, tier: 3,
			idle: "it is a label for sites' own plugins", set: ignore},
		{names: "error", short: "e", arg: RequiredArg, cmds: Sbatch | Srun,
			env: envNames{sbatch: "SBATCH_ERROR", srun: "SLURM_STDERRMODE SRUN_ERROR"}, tier: 1,
			set: filePattern(func(o *JobOptions) *string { return &o.Error })},
		{names: "export", arg: RequiredArg, cmds: Sbatch | Srun,
			env: envNames{sbatch: "SBATCH_EXPORT", srun: "SLURM_EXPORT_ENV SRUN_EXPORT_ENV"}, tier: 1,
			set: text(func(o *JobOptions) *string { return &o.Export })},
		{names: "export-file", arg: RequiredArg, cmds: Sbatch, tier: 3,
			set: text(func(o *JobOptions) *string { return &o.ExportFile })},
		{names: "external", cmds: Sbatch, tier: 3, idle: "a job needs a script here", set: ignore},
		{names: "get-user-env", arg: OptionalArg, cmds: Sbatch | Salloc, env: envNames{sbatch: "SBATCH_GET_USER_ENV"}, tier: 3, set: setGetUserEnv},
		{names: "input", short: "i", arg: RequiredArg, cmds: Sbatch | Srun,
			env: envNames{sbatch: "SBATCH_INPUT", srun: "SLURM_STDINMODE SRUN_INPUT"}, tier: 2,
			set: filePattern(func(o *JobOptions) *string { return &o.Input })},
		{names: "open-mode", arg: RequiredArg, cmds: Sbatch | Srun, env: env3("OPEN_MODE"), tier: 2, set: setOpenMode},
		{names: "output", short: "o", arg: RequiredArg, cmds: Sbatch | Srun,
			env: envNames{sbatch: "SBATCH_OUTPUT", srun: "SLURM_STDOUTMODE SRUN_OUTPUT"}, tier: 1,
			set: filePattern(func(o *JobOptions) *string { return &o.Output })},
		{names: "propagate", arg: OptionalArg, cmds: Sbatch | Srun, tier: 3, set: setPropagate},
		{names: "wait-all-nodes", arg: RequiredArg, cmds: Sbatch | Salloc, env: env3("WAIT_ALL_NODES"), tier: 3, set: setWaitAllNodes},
	}
}

// filePattern stores a file name; "none" is nowhere.
func filePattern(field func(*JobOptions) *string) setter {
	return func(r *optionReader, value string, _ bool) error {
		if strings.EqualFold(value, "none") {
			value = "/dev/null"
		}
		*field(r.job()) = value
		return nil
	}
}

func setChdir(r *optionReader, value string, _ bool) error {
	if !strings.HasPrefix(value, "/") && r.in.Dir != "" {
		value = r.in.Dir + "/" + value
	}
	r.job().WorkDir = value
	return nil
}

// setGetUserEnv takes [timeout][S|L].
func setGetUserEnv(r *optionReader, value string, has bool) error {
	if !has || value == "" {
		r.job().GetUserEnv = "-"
		return nil
	}
	switch strings.ToUpper(value[digits(value):]) {
	case "", "S", "L":
		r.job().GetUserEnv = strings.ToUpper(value)
		return nil
	}
	return r.invalid()
}

// setOpenMode takes append and truncate and what they begin with.
func setOpenMode(r *optionReader, value string, _ bool) error {
	v := strings.ToLower(value)
	switch {
	case v != "" && strings.HasPrefix("append", v):
		r.job().OpenMode = "append"
	case v != "" && strings.HasPrefix("truncate", v):
		r.job().OpenMode = "truncate"
	default:
		return r.invalid()
	}
	return nil
}

// limitNames are the resource limits of --propagate.
var limitNames = []string{"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS"}

func setPropagate(r *optionReader, value string, has bool) error {
	if !has || value == "" || strings.EqualFold(value, "ALL") {
		r.job().Propagate = "ALL"
		return nil
	}
	if strings.EqualFold(value, "NONE") {
		r.job().Propagate = "NONE"
		return nil
	}
	for _, name := range strings.Split(value, ",") {
		if !knownLimit(strings.TrimPrefix(name, "RLIMIT_")) {
			e := r.errorf(1, "Bad rlimit name: %s", name)
			e.Lines = append(e.Lines, r.errorf(1, "--propagate=%s is not valid.", value).Lines...)
			return e
		}
	}
	r.job().Propagate = value
	return nil
}

func knownLimit(name string) bool {
	for _, n := range limitNames {
		if n == name {
			return true
		}
	}
	return false
}

func setWaitAllNodes(r *optionReader, value string, _ bool) error {
	n, err := r.number("--wait-all-nodes", 0, value)
	if err != nil {
		return err
	}
	if n > 1 {
		return r.invalid()
	}
	if r.job().WaitAllNodes = n; n == 0 {
		r.noEffect("wait-all-nodes=0", "a job begins when all of its nodes are up")
	}
	return nil
}
