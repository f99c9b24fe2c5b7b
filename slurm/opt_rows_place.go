package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// placeRows are the options that say on which nodes and how tasks lie on them.
func placeRows() []optionRow {
	return []optionRow{
		{names: "accel-bind", arg: RequiredArg, cmds: Srun, idle: "GPUs near a task are chosen with --gpu-bind=closest", set: setAccelBind},
		{names: "batch", arg: RequiredArg, cmds: Sbatch, env: env3("BATCH"), tier: 3,
			set: checked(checkConstraint, ErrnoBatchConstraint, func(o *JobOptions) *string { return &o.BatchFeatures })},
		{names: "cluster-constraint", arg: RequiredArg, cmds: allCommands, env: env3("CLUSTER_CONSTRAINT"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.ClusterConstraint })},
		{names: "cluster clusters", as: "clusters", short: "M", arg: RequiredArg, cmds: allCommands,
			env: envNames{"SBATCH_CLUSTERS SLURM_CLUSTERS", "SALLOC_CLUSTERS SLURM_CLUSTERS", "SLURM_CLUSTERS"}, tier: 2,
			set: list(func(o *JobOptions) *[]string { return &o.Clusters })},
		{names: "consolidate-segments", cmds: allCommands, env: env3("CONSOLIDATE_SEGMENTS"), tier: 3, once: true,
			set: flag(func(o *JobOptions) *bool { return &o.ConsolidateSegments })},
		{names: "constraint", short: "C", arg: RequiredArg, cmds: allCommands, env: env3("CONSTRAINT"), tier: 1, once: true,
			set: setConstraint},
		{names: "context", arg: RequiredArg, cmds: allCommands, tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Context })},
		{names: "contiguous", cmds: allCommands, tier: 3, once: true,
			set: flag(func(o *JobOptions) *bool { return &o.Contiguous })},
		{names: "cpu-bind cpu_bind", arg: RequiredArg, cmds: Srun, env: envSrun("SLURM_CPU_BIND"), tier: 2, once: true, set: setCPUBind},
		{names: "cpu-freq", arg: RequiredArg, cmds: allCommands, env: env3("CPU_FREQ_REQ"), tier: 3, once: true, set: setCPUFreq},
		{names: "distribution", short: "m", arg: RequiredArg, cmds: allCommands,
			env: envNames{sbatch: "SBATCH_DISTRIBUTION", srun: "SLURM_DISTRIBUTION"}, tier: 2, once: true, set: setDistribution},
		{names: "exclude", short: "x", arg: RequiredArg, cmds: allCommands, tier: 1, set: setExclude},
		{names: "exclusive", arg: OptionalArg, cmds: allCommands, env: env3("EXCLUSIVE"), tier: 1, once: true, set: setExclusive},
		{names: "gpu-bind", arg: RequiredArg, cmds: allCommands, env: env3("GPU_BIND"), tier: 2, once: true, set: setGPUBind},
		{names: "gpu-freq", arg: RequiredArg, cmds: allCommands, env: env3("GPU_FREQ"), once: true,
			set: setGPUFreq},
		{names: "hint", arg: RequiredArg, cmds: allCommands,
			env: envNames{"SLURM_HINT SBATCH_HINT", "SLURM_HINT SALLOC_HINT", "SLURM_HINT"}, tier: 2, once: true, set: setHint},
		{names: "isolation", arg: RequiredArg, cmds: allCommands, env: env3("ISOLATION"), tier: 3, once: true,
			set: func(r *optionReader, value string, _ bool) error {
				words, err := ParseIsolation(value)
				if err != nil {
					return r.errorf(1, "Invalid --isolation specification: %v", err)
				}
				r.job().Isolation = words
				return nil
			}},
		{names: "mem-bind", arg: RequiredArg, cmds: allCommands, env: env3("MEM_BIND"), tier: 3, once: true, set: setMemBind},
		{names: "network", arg: RequiredArg, cmds: allCommands, env: env3("NETWORK"), once: true,
			set: text(func(o *JobOptions) *string { return &o.Network })},
		{names: "no-kill", short: "k", arg: OptionalArg, cmds: allCommands, env: env3("NO_KILL"), tier: 3, set: setNoKill},
		{names: "nodefile", short: "F", arg: RequiredArg, cmds: allCommands, tier: 3, once: true, set: setNodeFile},
		{names: "nodelist", short: "w", arg: RequiredArg, cmds: allCommands, tier: 1, once: true, set: setNodeList},
		{names: "oversubscribe", short: "s", cmds: allCommands, tier: 2, once: true,
			set: func(r *optionReader, _ string, _ bool) error {
				r.job().OverSubscribe, r.job().Exclusive = true, ""
				return nil
			}},
		{names: "power", arg: RequiredArg, cmds: allCommands, env: env3("POWER"), once: true,
			set: setPower},
		{names: "prefer", arg: RequiredArg, cmds: allCommands, tier: 3,
			set: checked(checkConstraint, ErrnoInvalidPrefer, func(o *JobOptions) *string { return &o.Prefer })},
		{names: "reboot", cmds: allCommands, tier: 3,
			set: flag(func(o *JobOptions) *bool { return &o.Reboot })},
		{names: "segment", arg: RequiredArg, cmds: allCommands, env: envNames{"SBATCH_SEGMENT_SIZE", "SALLOC_SEGMENT_SIZE", "SRUN_SEGMENT_SIZE"},
			tier: 3, once: true, set: number("--segment", 1, func(o *JobOptions) *int { return &o.Segment })},
		{names: "spread-job", cmds: allCommands, env: env3("SPREAD_JOB"), tier: 3, once: true,
			set: flag(func(o *JobOptions) *bool { return &o.SpreadJob })},
		{names: "spread-segments", cmds: allCommands, env: env3("SPREAD_SEGMENTS"), tier: 3, once: true,
			set: flag(func(o *JobOptions) *bool { return &o.SpreadSegments })},
		{names: "switches", arg: RequiredArg, cmds: allCommands, tier: 2, once: true, set: setSwitches},
		{env: env3("REQ_SWITCH"), as: "switches", arg: RequiredArg, cmds: allCommands, tier: 3, once: true,
			set: number("--switches", 1, func(o *JobOptions) *int { return &o.Switches })},
		{env: env3("WAIT4SWITCH"), as: "switches", arg: RequiredArg, cmds: allCommands, tier: 3, once: true,
			set: minutesExact(func(o *JobOptions) *Duration { return &o.SwitchesWait })},
		{names: "tres-bind", arg: RequiredArg, cmds: allCommands, env: env3("TRES_BIND"), tier: 3, once: true,
			set: setTRESBind},
		{names: "use-min-nodes", cmds: allCommands, env: env3("USE_MIN_NODES"), tier: 3, once: true,
			set: flag(func(o *JobOptions) *bool { return &o.UseMinNodes })},
	}
}

func checkConstraint(s string) error {
	_, err := ParseConstraint(s)
	return err
}

// minutesExact stores a duration to the second.
func minutesExact(field func(*JobOptions) *Duration) setter {
	return func(r *optionReader, value string, _ bool) error {
		d, err := ParseDuration(value)
		if err != nil {
			return r.invalid()
		}
		*field(r.job()) = d
		return nil
	}
}

func setAccelBind(r *optionReader, value string, _ bool) error {
	if value == "" || strings.Trim(value, "gmnv") != "" {
		return r.invalid()
	}
	return nil
}

func setExclusive(r *optionReader, value string, has bool) error {
	kind := strings.ToLower(value)
	switch {
	case !has || kind == "" || r.cmd == Srun && (kind == "exclusive" || kind == "allocation"):
		kind = "exclusive"
	case kind != "user" && kind != "mcs" && kind != "topo":
		return r.invalid()
	}
	r.job().Exclusive, r.job().OverSubscribe = kind, false
	return nil
}

func setNoKill(r *optionReader, value string, has bool) error {
	switch {
	case !has || value == "":
		r.job().NoKill = true
	case strings.EqualFold(value, "off") || strings.EqualFold(value, "no"):
		r.job().NoKill = false
	default:
		return r.invalid()
	}
	return nil
}

// setPower takes the one word that there is. No power plugin of Slurm's acts on it any
// more; it is kept with the job, and other words are complained of as often as Slurm does.
func setPower(r *optionReader, value string, _ bool) error {
	job := r.job()
	job.Power = ""
	for word := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(word, "level") {
			job.Power = "LEVEL"
			continue
		}
		for range 2 {
			r.notice(true, "Ignoring unrecognized power option ("+word+")")
		}
	}
	return nil
}

func setSwitches(r *optionReader, value string, _ bool) error {
	count, wait, waits := strings.Cut(value, "@")
	n, err := r.number("--switches", 1, count)
	if err != nil {
		return err
	}
	job := r.job()
	job.Switches, job.SwitchesWait = n, 0
	if waits {
		if job.SwitchesWait, err = ParseDuration(wait); err != nil {
			job.SwitchesWait = 0 // as in Slurm, what is no time is the longest wait there is
		}
	}
	return nil
}

func setDistribution(r *optionReader, value string, _ bool) error {
	d, err := ParseDistribution(value)
	if err == nil {
		r.job().Distribution = d
		return nil
	}
	wrong := r.invalid()
	if strings.HasPrefix(strings.ToLower(value), "plane") {
		wrong.Lines = append(r.errorf(255, "Invalid plane size or size not specified").Lines, wrong.Lines...)
	}
	return wrong
}

func setHint(r *optionReader, value string, _ bool) error {
	if strings.EqualFold(value, "help") {
		return &HelpText{Exit: 1, Text: "Hints about an application:\n" +
			"  compute_bound   it needs all cores of a socket\n" +
			"  memory_bound    it needs the memory bandwidth of a socket for one core\n" +
			"  multithread     it gains from hardware threads\n" +
			"  nomultithread   it runs one thread on a core\n"}
	}
	h, err := ParseHint(value)
	if err != nil {
		return r.errorf(1, `unrecognized --hint argument "%s", see --hint=help`, value)
	}
	r.job().Hint = h
	return nil
}

// setTRESBind takes gres/NAME:HOW, more of them behind a +. What is said of GPUs is
// what --gpu-bind says.
func setTRESBind(r *optionReader, value string, _ bool) error {
	for _, item := range strings.Split(value, "+") {
		name, how, has := strings.Cut(item, ":")
		if !has || !strings.HasPrefix(name, "gres/") {
			return r.invalid()
		}
		if name != "gres/gpu" {
			r.noEffect("tres-bind="+item, "tasks are bound to GPUs alone")
			continue
		}
		if _, err := ParseGPUBind(how); err != nil {
			return r.invalid()
		}
	}
	r.job().TRESBind = value
	return nil
}

func setGPUBind(r *optionReader, value string, _ bool) error {
	b, err := ParseGPUBind(value)
	if err != nil {
		return r.errorf(255, "Invalid --gpu-bind argument: gpu:%s", value)
	}
	r.job().GPUBind = b
	return nil
}

// setGPUFreq checks [type=]value[,...][,verbose] and keeps it as given.
func setGPUFreq(r *optionReader, value string, _ bool) error {
	if !isGPUFreq(value) {
		return r.errorf(255, "Invalid --gpu-freq argument: gpu:%s", value)
	}
	r.job().GPUFreq = value
	return nil
}

// isGPUFreq reports whether value is one that --gpu-freq takes.
func isGPUFreq(value string) bool {
	for item := range strings.SplitSeq(value, ",") {
		word := strings.ToLower(item)
		if word == "verbose" {
			continue
		}
		if kind, rest, ok := strings.Cut(word, "="); ok {
			if kind != "memory" {
				return false
			}
			word = rest
		}
		if _, err := strconv.ParseUint(word, 10, 31); err != nil && !freqWord(word) {
			return false
		}
	}
	return true
}

// setGPUFreqDef takes the clocks of steps that do not say.
func setGPUFreqDef(c *Conf, v string) error {
	if !isGPUFreq(v) {
		return fmt.Errorf("%q is no clock of GPUs: want [memory=]low, medium, high, highm1 or a number of MHz", v)
	}
	c.GPUFreqDef = v
	return nil
}

// setCPUBind takes srun's binding; the words follow [quiet,|verbose,].
func setCPUBind(r *optionReader, value string, _ bool) error {
	if strings.EqualFold(value, "help") {
		return &HelpText{Exit: 0, Text: "Binding of tasks to CPUs, [quiet,|verbose,]KIND:\n" +
			"  none, rank, sockets, cores, threads, ldoms, rank_ldom\n" +
			"  map_cpu:LIST, mask_cpu:LIST, map_ldom:LIST, mask_ldom:LIST\n"}
	}
	b, err := ParseCPUBind(value)
	if err == nil {
		r.job().CPUBind = b
		return nil
	}
	e := r.bindMistake("cpu-bind", value)
	e.Exit = 1
	e.Lines = append(e.Lines, fatalError(r.program, "Failed to parse --cpu-bind= values.").Lines...)
	return e
}

func setMemBind(r *optionReader, value string, _ bool) error {
	if strings.EqualFold(value, "help") {
		return &HelpText{Exit: 255, Text: "Binding of tasks to memory, [quiet,|verbose,][prefer,][sort,|nosort,]KIND:\n" +
			"  none, rank, local, map_mem:LIST, mask_mem:LIST\n"}
	}
	b, err := ParseMemBind(value)
	if err != nil {
		return r.bindMistake("mem-bind", value)
	}
	r.job().MemBind = b
	return nil
}

// bindMistake words a bad --cpu-bind or --mem-bind: a map or a mask without its
// list, or a word that is none.
func (r *optionReader) bindMistake(option, value string) *OptionError {
	syntax := cpuBind
	if option == "mem-bind" {
		syntax = memBind
	}
	if item, letter := syntax.badNumber(value); item != "" {
		return r.errorf(255, "Failed to validate number: %s, the offending character is %s", item, letter)
	}
	last := value[strings.LastIndexByte(value, ',')+1:]
	switch last = strings.TrimSuffix(last, ":"); strings.ToLower(last) {
	case "map_cpu", "mask_cpu", "map_ldom", "mask_ldom", "map_mem", "mask_mem":
		return r.errorf(255, `missing list for "--%s=%s:<list>"`, option, strings.ToLower(last))
	}
	return r.errorf(255, `unrecognized --%s argument "%s"`, option, value)
}

// setConstraint takes an expression of features. A comma in it is an AND, and shown as
// one.
func setConstraint(r *optionReader, value string, off bool) error {
	return checked(checkConstraint, ErrnoInvalidFeature, func(o *JobOptions) *string { return &o.Constraint })(r, strings.ReplaceAll(value, ",", "&"), off)
}
