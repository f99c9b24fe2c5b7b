package sbcast

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

const (
	// defaultBlock is how much is sent at a time, maxBlock the most there is.
	defaultBlock = 8 << 20
	maxBlock     = 32 << 20
)

// options are what sbcast was asked for.
type options struct {
	source, dest     string
	ref              slurm.JobRef
	hasRef, badRef   bool
	compress         string // "" or lz4
	exclude          string
	hasExclude       bool
	fanout           int
	force, preserve  bool
	libs             bool
	block            int
	timeout, verbose int
	done             string
}

func optionTable() []slurm.OptionSpec {
	const none, may, must = slurm.NoArg, slurm.OptionalArg, slurm.RequiredArg
	spec := func(short byte, arg slurm.ArgKind, names ...string) slurm.OptionSpec {
		return slurm.OptionSpec{Names: names, Short: short, Arg: arg}
	}
	return []slurm.OptionSpec{
		spec(0, must, "autocomplete"), spec('C', may, "compress"), spec(0, must, "exclude"), spec('f', none, "force"), spec('F', must, "fanout", "treewidth"), spec(0, none, "help"),
		spec('j', must, "jobid"), spec('Z', none, "no-allocation"), spec('w', must, "nodelist"), spec('p', none, "preserve"), spec(0, may, "send-libs"), spec('s', must, "size"), spec('t', must, "timeout"),
		spec(0, none, "usage"), spec('v', none, "verbose"), spec('V', none, "version"),
	}
}

// errUse is a call that cannot be meant.
type errUse struct{ text string }

func (e *errUse) Error() string { return e.text }

// parse reads the environment, which the command line overrides, and the two
// names.
func parse(env *cli.Env) (*options, error) {
	o := &options{block: defaultBlock}
	for _, name := range []string{"SLURM_JOB_ID", "SLURM_JOBID"} {
		if id := env.Getenv(name); id != "" && !o.hasRef {
			o.setRef(id)
		}
	}
	for _, v := range []struct{ name, option string }{
		{"SBCAST_COMPRESS", "compress"}, {"SBCAST_EXCLUDE", "exclude"}, {"SBCAST_FANOUT", "fanout"}, {"SBCAST_TREE_WIDTH", "fanout"},
		{"SBCAST_FORCE", "force"}, {"SBCAST_PRESERVE", "preserve"}, {"SBCAST_SEND_LIBS", "send-libs"}, {"SBCAST_SIZE", "size"},
		{"SBCAST_TIMEOUT", "timeout"},
	} {
		if value, ok := env.Lookup(v.name); ok {
			o.set(env, v.option, value, value != "")
		}
	}
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		if o.set(env, g.Name(), g.Value, g.HasValue); o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if len(words) != 2 {
		return nil, &errUse{fmt.Sprintf("Need two file names, have %d names\nTry \"sbcast --help\" for more information", len(words))}
	}
	o.source, o.dest = words[0], words[1]
	if !o.hasRef {
		return nil, &errUse{env.Name + ": error: Need a job id to run this command.  Run from within a Slurm job or use the --jobid option."}
	}
	return o, nil
}

// set takes one option; what makes no sense is said and left alone.
func (o *options) set(env *cli.Env, name, value string, hasValue bool) {
	switch name {
	case "compress":
		switch strings.ToLower(value) {
		case "", "lz4":
			o.compress = "lz4"
		case "none":
			o.compress = ""
		default:
			env.Errorf("Compression type '%s' unknown, disabling compression support.", value)
			o.compress = ""
		}
	case "exclude":
		o.exclude, o.hasExclude = value, true
	case "fanout":
		o.fanout = max(0, atoi(value))
	case "force":
		o.force = true
	case "jobid":
		o.setRef(value)
	case "no-allocation", "nodelist":
		env.Warnf("--%s has no effect here: files go to the nodes of a job", name)
	case "preserve":
		o.preserve = true
	case "send-libs":
		switch strings.ToLower(value) {
		case "", "yes":
			o.libs = true
		case "no":
			o.libs = false
		default:
			env.Errorf("Ignoring unrecognized --send-libs value '%s'", value)
		}
	case "size":
		n, ok := blockSize(value)
		if !ok {
			fmt.Fprintln(env.Stderr, "size specification is invalid, ignored")
			return
		}
		if o.block = min(n, maxBlock); n == 0 {
			o.block = defaultBlock
		}
	case "timeout":
		o.timeout = max(0, atoi(value))
	case "verbose":
		o.verbose++
	case "help":
		o.done = helpText
	case "usage":
		o.done = usageText
	case "autocomplete":
		o.done = slurm.Completions(optionTable(), value)
	case "version":
		o.done = cli.VersionLine() + "\n"
	}
}

func (o *options) setRef(value string) {
	ref, err := slurm.ParseJobRef(value)
	if ref.HasStep && ref.Step == slurm.StepBatch {
		ref.HasStep, ref.Step = false, 0 // it is wherever its job is
	}
	o.ref, o.hasRef, o.badRef = ref, true, err != nil
}

// atoi reads the number a text begins with; 0 when there is none.
func atoi(s string) int {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// blockSize reads a number of bytes, with k, m or g behind it of those.
func blockSize(s string) (int, bool) {
	shift := 0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			shift = 10
		case 'm', 'M':
			shift = 20
		case 'g', 'G':
			shift = 30
		}
		if shift > 0 {
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, false
	}
	return int(min(n<<shift, 1<<31)), true
}
