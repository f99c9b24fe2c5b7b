package slurm

import (
	"errors"
	"strconv"
	"strings"
)

// CommandLine is a command line taken apart, before any value is looked at: for
// sbatch the script that it names is read first, since what stands in the script
// counts less than what stands here.
type CommandLine struct {
	// Program is the name that messages begin with.
	Program string
	// Client holds the options that matter before a script is read: Help,
	// Usage, Version, Wrap, IgnorePBS, Quiet and Verbose.
	Client ClientOptions
	// Rest are the words behind the options of the last component: the script
	// or command and its arguments.
	Rest []string

	cmd        Command
	table      *optionTable
	components []lineComponent
}

// lineComponent is the part of a line between two colons.
type lineComponent struct {
	options []Option
	words   []string // srun: the component's own command
}

// ParseCommandLine takes the arguments of sbatch, salloc or srun apart. args are
// without the program's name; program, which may differ from the command's own
// name, is what messages begin with. An error is an *OptionError that reads as
// getopt's. A ":" between options begins the next component of a heterogeneous job.
func ParseCommandLine(cmd Command, program string, args []string) (*CommandLine, error) {
	if program == "" {
		program = cmd.String()
	}
	line := &CommandLine{Program: program, cmd: cmd, table: optionsOf(cmd)}
	parts := [][]string{args}
	if cmd == Srun {
		parts = splitColons(args)
	}
	for {
		opts, rest, err := Getopt(program, line.table.specs, parts[0], StopAtWord)
		line.peek(opts)
		if err != nil {
			return line, err
		}
		line.components = append(line.components, lineComponent{options: opts, words: rest})
		line.Rest = rest
		switch {
		case len(parts) > 1:
			parts = parts[1:]
		case cmd != Srun && len(rest) > 0 && rest[0] == ":":
			parts[0] = rest[1:]
		default:
			return line, nil
		}
	}
}

// splitColons cuts srun's words at each ":", since each component of a
// heterogeneous step has a command of its own.
func splitColons(args []string) [][]string {
	var parts [][]string
	start := 0
	for i, word := range args {
		if word == ":" {
			parts = append(parts, args[start:i])
			start = i + 1
		}
	}
	return append(parts, args[start:])
}

// peek notes the options that matter early. It knows them by name so that no
// value has to be judged yet.
func (line *CommandLine) peek(opts []Option) {
	c := &line.Client
	for _, o := range opts {
		switch o.Name() {
		case "help":
			c.Help = true
		case "usage":
			c.Usage = true
		case "version":
			c.Version = true
		case "quiet":
			c.Quiet++
		case "verbose":
			c.Verbose++
		case "ignore-pbs":
			c.IgnorePBS = true
		case "wrap":
			c.Wrap, c.HasWrap = o.Value, true
		}
	}
}

// Resolve reads the values of all options, script before environment before
// command line, and checks that they go together. It returns one set of options
// a component: more than one is a heterogeneous job. An error is an
// *OptionError or a *HelpText.
func (line *CommandLine) Resolve(in OptionInput) ([]CommandOptions, error) {
	var scripts [][]Directive
	if in.Script != nil {
		scripts = in.Script.components()
	}
	count := max(len(line.components), len(scripts))
	var out []CommandOptions
	var inherited []setting
	for i := range count {
		r := newOptionReader(line, &in)
		if err := r.inherit(inherited); err != nil {
			return nil, err
		}
		if i < len(scripts) {
			if err := r.directives(scripts[i]); err != nil {
				return nil, err
			}
		}
		if err := r.environment(); err != nil {
			return nil, err
		}
		if i < len(line.components) {
			if err := r.options(line.components[i].options, FromCommandLine); err != nil {
				return nil, err
			}
			r.out.Command = line.components[i].words
		}
		if line.cmd != Srun {
			r.out.Command = line.Rest
		}
		if err := r.verify(); err != nil {
			return nil, err
		}
		out = append(out, *r.out)
		inherited = r.lasting()
	}
	shareTimeLimit(out)
	if line.cmd == Sbatch {
		// --wrap stands in the last component and is the script of them all.
		for i := range out {
			out[i].Client.Wrap, out[i].Client.HasWrap = line.Client.Wrap, line.Client.HasWrap
		}
	}
	return out, nil
}

// shareTimeLimit gives the components of a heterogeneous job that name no time limit the
// longest that others name.
func shareTimeLimit(comps []CommandOptions) {
	var longest Duration
	for i := range comps {
		if limit := comps[i].Job.TimeLimit; comps[i].Job.Given["time"] && limit != Unlimited {
			longest = max(longest, limit)
		}
	}
	for i := range comps {
		if job := &comps[i].Job; longest > 0 && !job.Given["time"] {
			job.TimeLimit = longest
			job.Given["time"] = true
		}
	}
}

// Check reads the values of the options on the command line alone. It is for who has to find a
// script before Resolve: what is wrong with an option is told before anything is said of the script.
func (line *CommandLine) Check(in OptionInput) error {
	for _, c := range line.components {
		if err := newOptionReader(line, &in).options(c.options, FromCommandLine); err != nil {
			return err
		}
	}
	return nil
}

// ReadOptions is ParseCommandLine and Resolve in one, for commands without a script.
func ReadOptions(cmd Command, program string, args []string, in OptionInput) ([]CommandOptions, error) {
	line, err := ParseCommandLine(cmd, program, args)
	if err != nil {
		return nil, err
	}
	return line.Resolve(in)
}

// optionReader fills in one component.
type optionReader struct {
	cmd       Command
	program   string
	table     *optionTable
	in        *OptionInput
	out       *CommandOptions
	source    Source // of the option being set
	spelled   string // its name in messages
	settings  []setting
	badGres   error // what is wrong with a --gres or --gpus option
	emptyGres bool  // --gres names nothing
	wrapped   bool  // sbatch --wrap stands for the script

	ignorePBS bool // --ignore-pbs on the command line
}

// setting is one option with its value, as it took effect.
type setting struct {
	row    *optionRow
	value  string
	has    bool
	source Source
}

// errSkip is what a setter returns to say that the option was not given after all.
var errSkip = errors.New("not given")

func newOptionReader(line *CommandLine, in *OptionInput) *optionReader {
	return &optionReader{
		cmd: line.cmd, program: line.Program, table: line.table, in: in, wrapped: line.Client.HasWrap, ignorePBS: line.Client.IgnorePBS,
		out: &CommandOptions{Job: JobOptions{Given: map[string]bool{}, CoreSpec: -1}, From: map[string]Source{}, Said: map[string]string{}},
	}
}

func (r *optionReader) job() *JobOptions { return &r.out.Job }

// apply sets one option.
func (r *optionReader) apply(s setting) error {
	name := s.row.name()
	r.source, r.spelled = s.source, name
	switch err := s.row.set(r, s.value, s.has); {
	case err == errSkip:
		return nil
	case err != nil:
		return err
	}
	if s.row.idle != "" {
		r.noEffect(name, s.row.idle)
	}
	if !s.row.own {
		r.out.Job.Given[name] = true
	}
	r.out.From[name] = s.source
	if r.out.Said[name] = s.value; s.row.arg == NoArg || !s.has {
		r.out.Said[name] = "set"
	}
	r.settings = append(r.settings, s)
	return nil
}

func (r *optionReader) noEffect(option, why string) {
	line := "--" + option + " (" + why + ")"
	for _, l := range r.out.NoEffect {
		if l == line {
			return
		}
	}
	r.out.NoEffect = append(r.out.NoEffect, line)
}

// options sets what Getopt found.
func (r *optionReader) options(opts []Option, source Source) error {
	for _, o := range opts {
		s := setting{row: r.table.row(o.Spec), value: o.Value, has: o.HasValue, source: source}
		if source == FromScript && s.row.ownBehaviour() {
			continue
		}
		if err := r.apply(s); err != nil {
			return err
		}
	}
	return nil
}

// ownBehaviour reports whether an option counts on the command line alone.
func (row *optionRow) ownBehaviour() bool {
	switch row.name() {
	case "help", "usage", "version", "wrap", "verbose", "quiet":
		return true
	}
	return false
}

// inherit takes over what the component before left.
func (r *optionReader) inherit(settings []setting) error {
	for _, s := range settings {
		if err := r.apply(s); err != nil {
			return err
		}
	}
	return nil
}

// lasting returns the settings that hold for the components that follow.
func (r *optionReader) lasting() []setting {
	var out []setting
	for _, s := range r.settings {
		if !s.row.once {
			out = append(out, s)
		}
	}
	return out
}

// directives sets the options of a script's lines. Slurm strings the lines
// together before it reads them, so that a value may stand on the line below.
func (r *optionReader) directives(lines []Directive) error {
	var args []string
	for _, d := range lines {
		if d.Kind == OptionDirective {
			args = append(args, d.Args...)
		}
	}
	opts, rest, err := Getopt(r.program, r.table.specs, args, StopAtWord)
	if e := r.options(opts, FromScript); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return r.errorf(255, "Invalid directive found in batch script: %s", rest[0])
	}
	return r.foreign(lines)
}

// foreign sets what #PBS and #BSUB lines mean. They come after the #SBATCH
// lines, and #BSUB after #PBS, so they override them, as in Slurm.
func (r *optionReader) foreign(lines []Directive) error {
	if r.ignoresPBS() {
		return nil
	}
	for _, kind := range []DirectiveKind{PBSDirective, BSUBDirective} {
		var args []string
		for _, d := range lines {
			if d.Kind != kind {
				continue
			}
			words, err := r.in.Script.words(r.program, d)
			if err != nil {
				return err
			}
			args = append(args, words...)
		}
		meant, err := translate(kind, r.program, args)
		if err != nil {
			return err
		}
		opts, _, err := Getopt(r.program, r.table.specs, meant.args, StopAtWord)
		if err != nil {
			return err
		}
		if err := r.options(opts, FromScript); err != nil {
			return err
		}
		if meant.umask != "" {
			if n, err := strconv.ParseUint(meant.umask, 8, 32); err != nil || n > 0o777 {
				return r.errorf(1, "Invalid umask %s", quote(meant.umask))
			}
			r.out.Client.Umask = meant.umask
		}
		r.out.NoEffect = append(r.out.NoEffect, meant.noEffect...)
		r.out.Notices = append(r.out.Notices, meant.notices...)
	}
	return nil
}

// ignoresPBS reports whether --ignore-pbs was given in any place.
func (r *optionReader) ignoresPBS() bool {
	if r.out.Client.IgnorePBS || r.ignorePBS {
		return true
	}
	value, ok := r.in.env("SBATCH_IGNORE_PBS")
	return ok && truthy(value)
}

// hostsOf counts the names of a host list, and those that differ; a text that
// is none counts zero and is refused elsewhere.
func hostsOf(list string) (HostList, bool) {
	if strings.TrimSpace(list) == "" {
		return HostList{}, false
	}
	h, err := ParseHostList(list)
	return h, err == nil && h.Len() > 0
}
