package slurm

import "strings"

// clientRows are the options a command acts on by itself; they are no part of
// what is asked for a job.
func clientRows() []optionRow {
	rows := []optionRow{
		{names: "autocomplete", arg: RequiredArg, cmds: allCommands, tier: 3, set: autocomplete},
		{names: "help", short: "h", cmds: allCommands, tier: 1, set: client(func(c *ClientOptions, _ string) { c.Help = true })},
		{names: "ignore-pbs", cmds: Sbatch, env: env3("IGNORE_PBS"), tier: 3, set: client(func(c *ClientOptions, _ string) { c.IgnorePBS = true })},
		{names: "parsable", cmds: Sbatch, tier: 1, set: client(func(c *ClientOptions, _ string) { c.Parsable = true })},
		{names: "quiet", short: "Q", cmds: allCommands, tier: 2, set: client(func(c *ClientOptions, _ string) { c.Quiet++ })},
		{names: "stepmgr", cmds: allCommands, tier: 3, idle: "steps are the controller's and the agents' work", set: ignore},
		{names: "test-only", cmds: Sbatch | Srun, tier: 2, set: client(func(c *ClientOptions, _ string) { c.TestOnly = true })},
		{names: "usage", cmds: allCommands, tier: 3, set: client(func(c *ClientOptions, _ string) { c.Usage = true })},
		{names: "verbose", short: "v", cmds: allCommands, env: env3("DEBUG"), tier: 1, set: setVerbose},
		{names: "version", short: "V", cmds: allCommands, tier: 1, set: client(func(c *ClientOptions, _ string) { c.Version = true })},
		{names: "wait", short: "W", cmds: Sbatch, env: env3("WAIT"), tier: 2, set: client(func(c *ClientOptions, _ string) { c.Wait = true })},
		{names: "wrap", arg: RequiredArg, cmds: Sbatch, tier: 1,
			set: client(func(c *ClientOptions, value string) { c.Wrap, c.HasWrap = value, true })},
		{as: "alloc-nodelist", env: envSrun("SLURM_JOB_NODELIST"), arg: RequiredArg, cmds: Srun, tier: 2,
			set: client(func(c *ClientOptions, value string) { c.AllocNodeList = value })},
		{names: "het-group", arg: RequiredArg, cmds: Srun, tier: 2, set: setHetGroup},
		{names: "pack-group", as: "het-group", arg: RequiredArg, cmds: Srun, tier: 3, set: setHetGroup},
	}
	for i := range rows {
		rows[i].own = true
	}
	return rows
}

// setVerbose counts -v; a variable such as SBATCH_DEBUG sets the count.
func setVerbose(r *optionReader, value string, has bool) error {
	if !has {
		r.out.Client.Verbose++
		return nil
	}
	r.out.Client.Verbose = int(min(max(leadingInt(value), 0), 9))
	return nil
}

// largestHetGroup is the most components a heterogeneous job may have.
const largestHetGroup = 128

func setHetGroup(r *optionReader, value string, _ bool) error {
	fail := func(part string) error {
		e := r.errorf(1, "_parse_single_range: Invalid range: `%s'", part)
		e.Lines = append(e.Lines, r.errorf(1, "Invalid --het-group value: %s", value).Lines...)
		return e
	}
	if strings.EqualFold(value, "all") {
		r.out.Client.HetGroups = []int{-1}
		return nil
	}
	chosen := make([]bool, largestHetGroup)
	for _, part := range strings.Split(value, ",") {
		low, high, ranged := strings.Cut(strings.Trim(part, "[]"), "-")
		lo, ok := parseUint(low, largestHetGroup-1)
		hi := lo
		if ranged && ok {
			hi, ok = parseUint(high, largestHetGroup-1)
		}
		if !ok || hi < lo {
			return fail(part)
		}
		for i := lo; i <= hi; i++ {
			chosen[i] = true
		}
	}
	r.out.Client.HetGroups = nil
	for i, c := range chosen {
		if c {
			r.out.Client.HetGroups = append(r.out.Client.HetGroups, i)
		}
	}
	return nil
}

// autocomplete ends the command with the options that begin as the value does.
func autocomplete(r *optionReader, value string, _ bool) error {
	return &HelpText{Text: Completions(r.table.specs, value)}
}
