package slurm

import "time"

// JobOptions is everything a person can ask of a job with the options of
// sbatch, salloc and srun, whether on a directive line, in the environment or
// on the command line, in the units Slurm documents. It is what the client
// sends and what the controller keeps beside the job as "what was asked for".
// The zero value of a field means that the option was not given, except where
// a field says otherwise; Given tells the two apart where it matters.
type JobOptions struct {
	// Given holds the canonical long names (without dashes) of the options that
	// were given explicitly, in any of the three places.
	Given map[string]bool

	// Naming and charging.
	Name        string   // --job-name
	Account     string   // --account
	Partitions  []string // --partition, in the order given
	QOS         string   // --qos
	WCKey       string   // --wckey
	Reservation string   // --reservation, comma separated
	Comment     string   // --comment
	Extra       string   // --extra
	MCSLabel    string   // --mcs-label
	Clusters    []string // --clusters
	UserID      string   // --uid, name or number (root only)
	GroupID     string   // --gid

	// Size.
	MinNodes, MaxNodes int   // --nodes min[-max]; MaxNodes 0: not given
	NodeSizes          []int // --nodes as a list of acceptable sizes (1,5,9-12:2); nil otherwise
	NTasks             int   // --ntasks
	CPUsPerTask        int   // --cpus-per-task
	NTasksPerNode      int   // --ntasks-per-node
	NTasksPerSocket    int
	NTasksPerCore      int
	NTasksPerGPU       int
	SocketsPerNode     int // --sockets-per-node, -B
	CoresPerSocket     int
	ThreadsPerCore     int
	MinCPUs            int    // --mincpus
	CoreSpec           int    // --core-spec; -1: not given, 0 is meaningful when Given["core-spec"]
	ThreadSpec         int    // --thread-spec
	MemPerNode         MB     // --mem; 0 with Given["mem"]: all memory of the node
	MemPerCPU          MB     // --mem-per-cpu
	MemPerGPU          MB     // --mem-per-gpu
	TmpDisk            MB     // --tmp
	Gres               Gres   // --gres, per node
	GPUs               Gres   // --gpus: whole job; each entry has Name "gpu"
	GPUsPerNode        Gres   // --gpus-per-node
	GPUsPerTask        Gres   // --gpus-per-task
	GPUsPerSocket      Gres   // --gpus-per-socket
	CPUsPerGPU         int    // --cpus-per-gpu
	TRESPerTask        string // --tres-per-task as given, checked
	GresFlags          string // --gres-flags
	GPUBind, GPUFreq   string
	TRESBind           string
	Licenses           string // --licenses as given, checked; ParseLicenses reads it

	// Where.
	NodeList                string // --nodelist, host list as given (a file is read by the client)
	ExcludeList             string // --exclude
	Constraint              string // --constraint, checked; ParseConstraint reads it
	Prefer                  string // --prefer
	ClusterConstraint       string
	BatchFeatures           string // --batch
	Contiguous              bool
	Exclusive               string // "" not asked, "exclusive", "user", "mcs", "topo"
	OverSubscribe           bool   // --oversubscribe
	OverCommit              bool   // --overcommit
	SpreadJob               bool
	UseMinNodes             bool
	NoKill                  bool // --no-kill
	Switches                int  // --switches=count[@wait]
	SwitchesWait            Duration
	Segment                 int  // --segment, nodes that must be in one block
	ConsolidateSegments     bool // --consolidate-segments
	SpreadSegments          bool // --spread-segments
	Network, Power, Context string
	Hint                    string // --hint
	Distribution            string // --distribution, checked
	CPUBind                 string // srun --cpu-bind, checked
	MemBind                 string
	Isolation               string // --isolation, checked: what the job is shut off from beyond what it must be
	CPUFreq                 string
	Reboot                  bool

	// When.
	TimeLimit        Duration  // --time; Unlimited for 0, UNLIMITED, INFINITE
	TimeMin          Duration  // --time-min
	Begin            time.Time // --begin, resolved against now by the client
	Deadline         time.Time // --deadline, resolved likewise
	DelayBoot        Duration
	Hold             bool   // --hold, or --priority=0
	Priority         uint32 // --priority; meaningful with Given["priority"]
	Nice             int    // --nice; -n with no value is 100
	Dependency       Dependencies
	KillOnInvalidDep string     // "", "yes" or "no"
	Requeue          string     // "", "yes" (--requeue) or "no" (--no-requeue)
	Array            *ArraySpec // --array; nil: no array
	Signal           SignalSpec // --signal
	Immediate        int        // srun/salloc --immediate seconds; meaningful with Given["immediate"]

	// Files, directories, environment.
	WorkDir                      string // --chdir, absolute once the client has resolved it
	Input                        string // --input file name pattern
	Output                       string // --output file name pattern
	Error                        string // --error file name pattern
	OpenMode                     string // "", "append" or "truncate"
	Export                       string // --export as given; "" means ALL
	ExportFile                   string
	GetUserEnv                   string   // --get-user-env as given, "-" when without a value
	Propagate                    string   // --propagate as given
	MailTypes                    []string // upper case, checked
	MailUser                     string
	Container, ContainerID       string
	Profile, AcctgFreq           string
	WaitAllNodes                 int // --wait-all-nodes; meaningful when Given
	BurstBuffer, BurstBufferFile string

	// Of a job that a crontab asks for: when it is due, as the line says it, and
	// the line in the crontab, counted from 1, with the first of the #SCRON lines
	// that belong to it.
	Cron                    string
	CronFirstLine, CronLine int

	// salloc and srun alone.
	KillCommand           string // salloc --kill-command as given
	Bell, NoBell, NoShell bool

	// srun alone.
	JobID string // --jobid
	Step  StepOptions
}

// StepOptions are the options that only srun has: how a step is laid out,
// started, bound and connected.
type StepOptions struct {
	Label, Unbuffered, Pty, MultiProg                       bool
	Exact, Overlap, Whole, ExternalLauncher, Interactive    bool
	NoAllocate, PreserveEnv, QuitOnInterrupt, DisableStatus bool
	KillOnBadExit                                           int    // 0 or 1; meaningful with Given["kill-on-bad-exit"]
	Wait                                                    int    // --wait seconds; meaningful when Given
	Relative                                                int    // --relative node offset; meaningful when Given
	MPI                                                     string // --mpi
	Prolog, Epilog, TaskProlog, TaskEpilog                  string
	Bcast                                                   string // --bcast destination; "-" when without a value
	BcastExclude, SendLibs, Compress                        string
	X11                                                     string
	HetGroup                                                string
	ResvPorts                                               int
	Threads                                                 int
	MsgTimeout                                              int
	SlurmdDebug                                             string
	OOMKillStep                                             int
}
