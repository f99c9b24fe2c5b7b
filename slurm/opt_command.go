package slurm

import "time"

// Command is one of the commands that ask for resources with job options.
type Command uint8

// The commands, as bits so that a table row can name several.
const (
	Sbatch Command = 1 << iota
	Salloc
	Srun

	allCommands = Sbatch | Salloc | Srun
)

// String returns the command's Slurm name.
func (c Command) String() string {
	switch c {
	case Sbatch:
		return "sbatch"
	case Salloc:
		return "salloc"
	case Srun:
		return "srun"
	}
	return "command"
}

// Source says where an option was given. A later one overrides an earlier one.
type Source uint8

const (
	// FromNowhere: the option was not given.
	FromNowhere Source = iota
	// FromScript: on a directive line of the batch script.
	FromScript
	// FromEnvironment: in an environment variable such as SBATCH_PARTITION.
	FromEnvironment
	// FromCommandLine: on the command line.
	FromCommandLine
)

// ClientOptions are the options that a command acts on by itself.
type ClientOptions struct {
	Help, Usage, Version bool
	Quiet, Verbose       int

	Parsable  bool   // print the bare id
	TestOnly  bool   // say when the job would start and submit nothing
	Wait      bool   // sbatch --wait: stay until the job ends
	IgnorePBS bool   // take no notice of #PBS and #BSUB lines
	Wrap      string // sbatch --wrap: the command that becomes the script
	HasWrap   bool   // --wrap was given, perhaps as an empty text

	Umask         string // #PBS -W umask=: octal, replaces the submitter's umask
	AllocNodeList string // srun: SLURM_JOB_NODELIST, the nodes of the job around it
	HetGroups     []int  // srun --het-group, sorted; [-1]: all; nil: not given
}

// CommandOptions are the options of one component of a job, which for all but
// heterogeneous jobs is the whole job, from every place they can be given in.
type CommandOptions struct {
	Job    JobOptions
	Client ClientOptions

	// From says for each option in Job.Given where its value came from.
	From map[string]Source
	// Said holds the value of each option that took effect, as it was given, or "set" for
	// one that takes none.
	Said map[string]string
	// Notices are what Slurm's command says on stderr before it submits.
	Notices []Notice
	// NoEffect are the options, as given, that were accepted and change
	// nothing here, each with the reason: "--power (no power plugin)".
	NoEffect []string
	// Refused is a value that Slurm's commands pass on unread and its
	// controller answers with an error: print it as a failed submission
	// ("Batch job submission failed: Job dependency problem"). It carries an
	// Errno. nil: nothing of the kind was found.
	Refused error

	// Command is what srun and salloc are to run and its arguments, or
	// sbatch's script and its arguments.
	Command []string
}

// OptionInput is what reading options needs of the world. Every function may be
// nil, which stands for a world without users, files or variables.
type OptionInput struct {
	// Now is the moment that --begin=now+1hour counts from.
	Now time.Time
	// Dir is the working directory, which --chdir=sub is relative to.
	Dir string
	// Env looks a variable up.
	Env func(name string) (value string, ok bool)
	// ReadFile reads the files of --nodefile, --nodelist=./file and SLURM_HOSTFILE.
	ReadFile func(path string) ([]byte, error)
	// Root says that the caller may submit for others with --uid.
	Root bool
	// User and Group report whether a name or number exists, for --uid and --gid.
	User, Group func(name string) bool
	// Script is sbatch's, from ParseScript; nil with --wrap.
	Script *Script
}

func (in *OptionInput) env(name string) (string, bool) {
	if in.Env == nil {
		return "", false
	}
	return in.Env(name)
}
