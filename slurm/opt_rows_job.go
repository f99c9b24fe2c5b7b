package slurm

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// jobRows are the options that name, charge and time a job.
func jobRows() []optionRow {
	return []optionRow{
		{names: "account", short: "A", arg: RequiredArg, cmds: allCommands, env: env3("ACCOUNT"), tier: 1,
			set: text(func(o *JobOptions) *string { return &o.Account })},
		{names: "acctg-freq", arg: RequiredArg, cmds: allCommands, env: env3("ACCTG_FREQ"), tier: 3, idle: whyUnacted, set: setAcctgFreq},
		{names: "array", short: "a", arg: RequiredArg, cmds: Sbatch, env: env3("ARRAY_INX"), tier: 1, set: setArray},
		{names: "bb", arg: RequiredArg, cmds: allCommands, env: env3("BURST_BUFFER"),
			set: text(func(o *JobOptions) *string { return &o.BurstBuffer })},
		{names: "bbf", arg: RequiredArg, cmds: allCommands,
			set: setBurstBufferFile},
		{names: "begin", short: "b", arg: RequiredArg, cmds: allCommands, tier: 2,
			set: moment(func(o *JobOptions) *time.Time { return &o.Begin })},
		{names: "comment", arg: RequiredArg, cmds: allCommands, tier: 2,
			set: text(func(o *JobOptions) *string { return &o.Comment })},
		{names: "deadline", arg: RequiredArg, cmds: allCommands, tier: 3,
			set: moment(func(o *JobOptions) *time.Time { return &o.Deadline })},
		{names: "delay-boot", arg: RequiredArg, cmds: allCommands, env: env3("DELAY_BOOT"), tier: 3,
			set: minutesExact(func(o *JobOptions) *Duration { return &o.DelayBoot })},
		{names: "dependency", short: "d", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_DEPENDENCY"), tier: 1, set: setDependency},
		{names: "extra", arg: RequiredArg, cmds: allCommands, tier: 3,
			set: text(func(o *JobOptions) *string { return &o.Extra })},
		{names: "gid", arg: RequiredArg, cmds: allCommands, tier: 3, set: setGroup},
		{names: "hold", short: "H", cmds: allCommands, tier: 2,
			set: flag(func(o *JobOptions) *bool { return &o.Hold })},
		{names: "job-name", short: "J", arg: RequiredArg, cmds: allCommands,
			env: envNames{sbatch: "SBATCH_JOB_NAME", srun: "SLURM_JOB_NAME"}, tier: 1,
			set: text(func(o *JobOptions) *string { return &o.Name })},
		{names: "kill-on-invalid-dep", arg: RequiredArg, cmds: Sbatch, tier: 2,
			set: yesNo("", func(o *JobOptions) *string { return &o.KillOnInvalidDep })},
		{names: "licenses", short: "L", arg: RequiredArg, cmds: allCommands, tier: 2, once: true,
			set: checked(func(s string) error { _, err := ParseLicenses(s); return err }, ErrnoInvalidLicenses,
				func(o *JobOptions) *string { return &o.Licenses })},
		{names: "mail-type", arg: RequiredArg, cmds: allCommands, tier: 1, once: true, set: setMailType},
		{names: "mail-user", arg: RequiredArg, cmds: allCommands, tier: 1, once: true,
			set: text(func(o *JobOptions) *string { return &o.MailUser })},
		{names: "mcs-label", arg: RequiredArg, cmds: allCommands, tier: 3,
			set: text(func(o *JobOptions) *string { return &o.MCSLabel })},
		{names: "nice", arg: OptionalArg, cmds: allCommands, tier: 2, set: setNice},
		{names: "partition", short: "p", arg: RequiredArg, cmds: allCommands, env: env3("PARTITION"), tier: 1, once: true,
			set: list(func(o *JobOptions) *[]string { return &o.Partitions })},
		{names: "priority", arg: RequiredArg, cmds: allCommands, tier: 3, set: setPriority},
		{names: "profile", arg: RequiredArg, cmds: allCommands, env: env3("PROFILE"), tier: 3, set: setProfile},
		{names: "qos", short: "q", arg: RequiredArg, cmds: allCommands, env: env3("QOS"), tier: 1,
			set: text(func(o *JobOptions) *string { return &o.QOS })},
		{names: "requeue", arg: OptionalArg, cmds: Sbatch, env: env3("REQUEUE"), tier: 2, set: setRequeue},
		{names: "no-requeue", cmds: Sbatch, env: env3("NO_REQUEUE"), tier: 2,
			set: func(r *optionReader, _ string, _ bool) error { r.job().Requeue = "no"; return nil }},
		{names: "reservation", arg: RequiredArg, cmds: allCommands, env: env3("RESERVATION"), tier: 2,
			set: text(func(o *JobOptions) *string { return &o.Reservation })},
		{names: "signal", arg: RequiredArg, cmds: allCommands, env: env3("SIGNAL"), tier: 2, set: setSignal},
		{names: "time", short: "t", arg: RequiredArg, cmds: allCommands, env: env3("TIMELIMIT"), tier: 1,
			set: minutes(true, func(o *JobOptions) *Duration { return &o.TimeLimit })},
		{names: "time-min", arg: RequiredArg, cmds: allCommands, tier: 2,
			set: minutes(true, func(o *JobOptions) *Duration { return &o.TimeMin })},
		{names: "uid", arg: RequiredArg, cmds: allCommands, tier: 3, set: setUser},
		{names: "wckey", arg: RequiredArg, cmds: allCommands, env: env3("WCKEY"), tier: 3,
			set: text(func(o *JobOptions) *string { return &o.WCKey })},
	}
}

// largestIndex is the highest array index any cluster may allow; the cluster's
// own MaxArraySize is the controller's to check.
const largestIndex = 4000000

func setArray(r *optionReader, value string, _ bool) error {
	value = strings.TrimLeft(value, " \t")
	if value == "" { // as if it had not been given
		return nil
	}
	spec, err := ParseArray(value, largestIndex)
	if err != nil {
		r.refuse(ErrnoInvalidArray, err)
		return nil
	}
	r.job().Array = &spec
	return nil
}

func setDependency(r *optionReader, value string, _ bool) error {
	deps, err := ParseDependencies(value)
	if err != nil {
		r.refuse(ErrnoDependency, err)
		return nil
	}
	r.job().Dependency = deps
	return nil
}

func setBurstBufferFile(r *optionReader, value string, _ bool) error {
	r.job().BurstBufferFile = value
	if r.in.ReadFile == nil {
		return nil
	}
	if _, err := r.in.ReadFile(value); err != nil {
		return r.errorf(1, "Invalid --bbf specification")
	}
	return nil
}

func setMailType(r *optionReader, value string, _ bool) error {
	types, err := ParseMailTypes(value)
	if err != nil || value == "" {
		return r.invalid()
	}
	// Events add up, those of the script and of the command line too; NONE takes none back.
	job := r.job()
	job.MailTypes, err = ParseMailTypes(strings.Join(slices.Concat(job.MailTypes, types), ","))
	return err
}

// largestNice is as far as --nice may go in either direction.
const largestNice = 2147483645

func setNice(r *optionReader, value string, has bool) error {
	if !has || value == "" {
		r.job().Nice = 100
		return nil
	}
	n := leadingInt(value)
	if n > largestNice || n < -largestNice {
		return r.errorf(255, "Invalid --nice value, out of range (+/- %d)", largestNice)
	}
	r.job().Nice = int(n)
	return nil
}

// TopPriority is the priority that --priority=TOP asks for.
const TopPriority uint32 = 0xfffffffd

func setPriority(r *optionReader, value string, _ bool) error {
	if strings.EqualFold(value, "TOP") {
		r.job().Priority = TopPriority
		return nil
	}
	n := leadingInt(value)
	switch {
	case n < 0:
		return r.errorf(255, "Priority must be >= 0")
	case n >= 0xfffffffe:
		return r.errorf(255, "Priority must be < %d", uint32(0xfffffffe))
	}
	r.job().Priority = uint32(n)
	return nil
}

// leadingInt reads the number that a text begins with; a text without one is 0,
// and what does not fit is the nearest number that does.
func leadingInt(s string) int64 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	end += digits(s[end:])
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil && n == 0 {
		return 0
	}
	return n
}

// setRequeue takes the bare option, and the word expedite, which asks for a
// place at the head of the queue as well: requeued jobs keep their age here, so
// the word adds nothing.
func setRequeue(r *optionReader, value string, has bool) error {
	switch {
	case !has || value == "" || r.source == FromEnvironment && truthy(value):
	case strings.EqualFold(value, "expedite"):
		r.noEffect("requeue=expedite", "requeued jobs are not sorted before others")
	case r.source == FromEnvironment:
		return errSkip
	default:
		return r.invalid()
	}
	r.job().Requeue = "yes"
	return nil
}

func setSignal(r *optionReader, value string, _ bool) error {
	sig, err := ParseSignal(value)
	if err != nil || sig.Shell && r.cmd != Sbatch {
		return r.invalid()
	}
	r.job().Signal = sig
	return nil
}

// profiles are the data series of --profile, in the order in which they print.
var profiles = []string{"Energy", "Lustre", "Network", "Task"}

func setProfile(r *optionReader, value string, _ bool) error {
	chosen := map[string]bool{}
	for _, word := range strings.Split(value, ",") {
		switch name := strings.ToLower(word); name {
		case "none":
			r.job().Profile = "None"
			return nil
		case "all":
			for _, p := range profiles {
				chosen[p] = true
			}
		default:
			known := false
			for _, p := range profiles {
				if strings.EqualFold(p, name) {
					chosen[p], known = true, true
				}
			}
			if !known {
				return r.errorf(255, "invalid --profile=%s option", value)
			}
		}
	}
	var out []string
	for _, p := range profiles {
		if chosen[p] {
			out = append(out, p)
		}
	}
	r.job().Profile = strings.Join(out, ",")
	return nil
}

// setAcctgFreq takes seconds, or task=, energy=, network= and filesystem= with
// seconds each. Slurm looks no further than the first digits of a number.
func setAcctgFreq(r *optionReader, value string, _ bool) error {
	number := func(s string) bool {
		t := strings.TrimLeft(s, " \t")
		return s == "" || digits(t) > 0
	}
	for _, item := range strings.Split(value, ",") {
		name, n, named := strings.Cut(item, "=")
		switch strings.ToLower(name) {
		case "task", "energy", "network", "filesystem":
			item = n
		default:
			if named {
				item = "x"
			}
		}
		if !number(item) || named && item == "" {
			return r.errorf(255, "Invalid --acctg-freq specification: %s", value)
		}
	}
	r.job().AcctgFreq = value
	return nil
}

func setUser(r *optionReader, value string, _ bool) error {
	return r.identity(value, "uid", r.in.User, &r.job().UserID)
}

func setGroup(r *optionReader, value string, _ bool) error {
	return r.identity(value, "gid", r.in.Group, &r.job().GroupID)
}

// identity is --uid and --gid: for root alone, and for one that exists.
func (r *optionReader) identity(value, option string, exists func(string) bool, field *string) error {
	if !r.in.Root {
		return r.errorf(255, "--%s only permitted by root user", option)
	}
	if value == "" || exists != nil && !exists(value) {
		return r.invalid()
	}
	*field = value
	return nil
}
