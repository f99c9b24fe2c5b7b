package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var optNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// ask resolves a command line as alice types it in /home/alice.
type ask struct {
	cmd    Command
	script string
	env    map[string]string
	files  map[string]string
	root   bool
	args   []string
}

func (a ask) do() ([]CommandOptions, error) {
	line, err := ParseCommandLine(a.cmd, "", a.args)
	if err != nil {
		return nil, err
	}
	in := OptionInput{Now: optNow, Dir: "/home/alice", Root: a.root,
		Env: func(n string) (string, bool) { v, ok := a.env[n]; return v, ok },
		ReadFile: func(p string) ([]byte, error) {
			if text, ok := a.files[p]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: p, Err: errors.New("no such file or directory")}
		},
		User: func(n string) bool { return n == "bob" }, Group: func(n string) bool { return n == "bob" },
	}
	if a.script != "" {
		if in.Script, err = ParseScript(line.Program, "x.sh", []byte(a.script)); err != nil {
			return nil, err
		}
	}
	return line.Resolve(in)
}

// sbatch is a question with --wrap.
func sbatch(args ...string) ask { return ask{cmd: Sbatch, args: append(args, "--wrap", "true")} }

// field prints a field of JobOptions, or of its step, by its name.
func fieldText(o *JobOptions, name string) string {
	v := reflect.ValueOf(o).Elem()
	f := v.FieldByName(name)
	if !f.IsValid() {
		f = v.FieldByName("Step").FieldByName(name)
	}
	if !f.IsValid() {
		return "no field " + name
	}
	switch x := f.Interface().(type) {
	case time.Time:
		return x.Format("2006-01-02T15:04:05")
	case *ArraySpec:
		if x == nil {
			return "none"
		}
		return x.String()
	default:
		return fmt.Sprint(x)
	}
}

func TestOptionValues(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-J 'two words'", "Name=two words"},
		{"-A acct -q high --wckey=w", "Account=acct QOS=high WCKey=w"},
		{"-p a,b,,c", "Partitions=[a b c]"},
		{"-N 4", "MinNodes=4 MaxNodes=4 NTasks=4"},
		{"-N 2-8", "MinNodes=2 MaxNodes=8 NTasks=0"},
		{"-N -2", "MinNodes=1 MaxNodes=2"},
		{"-N 1k-2m", "MinNodes=1024 MaxNodes=2097152"},
		{"-N 1,5,9-12:2", "MinNodes=1 MaxNodes=11 NodeSizes=[1 5 9 11]"},
		{"-N2 -n6", "MinNodes=2 MaxNodes=2 NTasks=6"},
		{"-N4-8 -n2", "MinNodes=2 MaxNodes=2 NTasks=2"},
		{"-N1-4 -n2", "MinNodes=1 MaxNodes=2 NTasks=2"},
		{"-N2 --ntasks-per-node=3", "NTasks=6 NTasksPerNode=3"},
		{"--tasks-per-node=3", "NTasks=3 NTasksPerNode=3"},
		{"-N2-4 --ntasks-per-node=3", "NTasks=0 NTasksPerNode=3"},
		{"-n +3", "NTasks=3"},
		{"-c3", "CPUsPerTask=3 MinCPUs=0"},
		{"-c3 --mincpus=2", "CPUsPerTask=3 MinCPUs=3"},
		{"-B 2:4:1", "SocketsPerNode=2 CoresPerSocket=4 ThreadsPerCore=1 NTasks=8"},
		{"-B *:4", "SocketsPerNode=0 CoresPerSocket=4 NTasks=4"},
		{"--mem=2G", "MemPerNode=2G"},
		{"--mem=1025k --tmp=1T", "MemPerNode=2M TmpDisk=1T"},
		{"--mem-per-cpu=100", "MemPerCPU=100M"},
		{"-t 90", "TimeLimit=01:30:00"},
		{"-t 1:29", "TimeLimit=00:02:00"},
		{"-t 0", "TimeLimit=UNLIMITED"},
		{"-t -5", "TimeLimit=UNLIMITED"},
		{"--time-min=5 -t infinite", "TimeMin=00:05:00 TimeLimit=UNLIMITED"},
		{"--begin=now+1hour", "Begin=2026-11-23T13:00:00"},
		{"--deadline=tomorrow", "Deadline=2026-11-24T00:00:00"},
		{"--nice", "Nice=100"},
		{"--nice=-5", "Nice=-5"},
		{"--nice=abc", "Nice=0"},
		{"--priority=7x", "Priority=7 Hold=false"},
		{"--priority=0", "Priority=0 Hold=false"},
		{"--priority=top", "Priority=4294967293"},
		{"-H", "Hold=true"},
		{"--exclusive", "Exclusive=exclusive OverSubscribe=false"},
		{"--exclusive=USER", "Exclusive=user"},
		{"--exclusive -s", "Exclusive= OverSubscribe=true"},
		{"-k", "NoKill=true"},
		{"-k --no-kill=off", "NoKill=false"},
		{"--requeue --no-requeue", "Requeue=no"},
		{"--no-requeue --requeue", "Requeue=yes"},
		{"--switches=3@5", "Switches=3 SwitchesWait=00:05:00"},
		{"--mail-type=end,fail --mail-user=a@b.c", "MailTypes=[END FAIL] MailUser=a@b.c"},
		{"--open-mode=tru", "OpenMode=truncate"},
		{"--open-mode=A", "OpenMode=append"},
		{"--get-user-env", "GetUserEnv=-"},
		{"--get-user-env=10l", "GetUserEnv=10L"},
		{"--propagate", "Propagate=ALL"},
		{"--propagate=STACK,RLIMIT_NOFILE", "Propagate=STACK,RLIMIT_NOFILE"},
		{"--profile=task,energy", "Profile=Energy,Task"},
		{"--profile=all", "Profile=Energy,Lustre,Network,Task"},
		{"--acctg-freq=task=30,energy=5", "AcctgFreq=task=30,energy=5"},
		{"--cpu-freq=low-high:performance", "CPUFreq=Low-High:Performance"},
		{"--cpu-freq=ondemand", "CPUFreq=OnDemand"},
		{"--gres=gpu:2 --gres-flags=enforce-binding", "Gres=gpu:2 GresFlags=enforce-binding"},
		{"-G a100:2", "GPUs=gpu:a100:2"},
		{"--gpus-per-node=a100:2,v100:1", "GPUsPerNode=gpu:a100:2,gpu:v100:1"},
		{"--gpus-per-task=1 -n2", "GPUsPerTask=gpu:1 NTasks=2"},
		{"-L matlab:3,ansys", "Licenses=matlab:3,ansys"},
		{"-D sub", "WorkDir=/home/alice/sub"},
		{"-D /tmp -o x%j -e none", "WorkDir=/tmp Output=x%j Error=/dev/null"},
		{"--array=3-7:2%2", "Array=3,5,7%2"},
		{"-d singleton", "Dependency=singleton"},
		{"--wait-all-nodes=1 --reboot --contiguous", "WaitAllNodes=1 Reboot=true Contiguous=true"},
		{"-w n[1-3]", "MinNodes=3 MaxNodes=0 NTasks=3 NodeList=n[1-3]"},
		{"-w n[1-3] -n2", "MinNodes=2 NodeList=n[1-2]"},
		{"-w n1 -N2", "MinNodes=2 MaxNodes=2 NodeList=n1"},
		{"-w n1,n1,n2 -m arbitrary", "NTasks=3 MinNodes=2 NodeList=n1,n1,n2"},
		{"-m block:cyclic,pack", "Distribution=block:cyclic,Pack"},
		{"--hint=nomultithread", "Hint=nomultithread"},
		{"--sockets-per-node=2 --hint=nomultithread --cores-per-socket=3", "Hint=nomultithread SocketsPerNode=0 CoresPerSocket=0"},
		{"--hint=nomultithread --threads-per-core=1", "Hint= ThreadsPerCore=1"},
		{"--core-spec=0", "CoreSpec=0"},
		{"", "CoreSpec=-1 Name=wrap"},
		{"--acctg-freq=1,2 --gpus= --propagate=", "AcctgFreq=1,2 GPUs= Propagate=ALL"},
		{"-B 1k:0", "SocketsPerNode=1024 CoresPerSocket=0"},
		{"--core-spec=", "CoreSpec=0"},
		{"--kill-on-invalid-dep=YES", "KillOnInvalidDep=yes"},
		{"-M a,b --comment=x", "Clusters=[a b] Comment=x"},
		{"--export=ALL,A=b", "Export=ALL,A=b"},
		{"--depend=singleton --job=x", "Dependency=singleton Name=x"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			args, _ := (&Script{}).words("t", Directive{Text: tt.args})
			got, err := sbatch(args...).do()
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Refused != nil {
				t.Fatalf("refused: %v", errors.Unwrap(got[0].Refused))
			}
			checkFields(t, &got[0].Job, tt.want)
		})
	}
}

// checkFields compares fields written as Name=value, separated by blanks before
// each name.
func checkFields(t *testing.T, o *JobOptions, want string) {
	t.Helper()
	var items []string
	for _, w := range strings.Fields(want) {
		name, _, ok := strings.Cut(w, "=")
		if ok && name != "" && 'A' <= name[0] && name[0] <= 'Z' && fieldText(o, name) != "no field "+name {
			items = append(items, w)
		} else {
			items[len(items)-1] += " " + w
		}
	}
	for _, item := range items {
		name, value, _ := strings.Cut(item, "=")
		if got := fieldText(o, name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestOptionMistakes(t *testing.T) {
	tests := []struct {
		args string
		exit int
		want string
	}{
		{"-t notatime", 255, "sbatch: error: Invalid --time specification"},
		{"-t 1h", 255, "sbatch: error: Invalid --time specification"},
		{"--time=", 255, "sbatch: error: Invalid --time specification"},
		{"-n many", 1, `sbatch: error: Invalid numeric value "many" for --ntasks.`},
		{"-n 0", 1, `sbatch: error: Invalid numeric value "0" for --ntasks.`},
		{"--ntasks=1 --ntasks-per-node=x", 1, `sbatch: error: Invalid numeric value "x" for --ntasks-per-node.`},
		{"--tasks-per-node=x", 1, `sbatch: error: Invalid numeric value "x" for --ntasks-per-node.`},
		{"-B 2:x", 1, `sbatch: error: Invalid numeric value "x" for second arg of -B.`},
		{"-n ++3", 1, `sbatch: error: Invalid numeric value "++3" for --ntasks.`},
		{"-n 3x", 1, `sbatch: error: Invalid numeric value "3x" for --ntasks.`},
		{"--acctg-freq=-1", 255, "sbatch: error: Invalid --acctg-freq specification: -1"},
		{"-N abc", 255, `sbatch: error: "abc" is not a valid node count`},
		{"-N 4-2", 255, "sbatch: error: Maximum node count 2 is less than minimum node count 4"},
		{"-N 2-4-6", 255, `sbatch: error: "4-6" is not a valid node count`},
		{"-w n[1-3] -N2", 1, "sbatch: error: invalid number of nodes (-N 3-2)"},
		{"--uid=bob", 255, "sbatch: error: --uid only permitted by root user"},
		{"--exclusive=x", 255, "sbatch: error: Invalid --exclusive specification"},
		{"--distribution=sideways", 255, "sbatch: error: Invalid --distribution specification"},
		{"-m plane", 255, "sbatch: error: Invalid plane size or size not specified\nsbatch: error: Invalid --distribution specification"},
		{"-m arbitrary", 1, "sbatch: error: With Arbitrary distribution you need to specify a nodelist or hostfile with the -w option"},
		{"--hint=wrong", 1, `sbatch: error: unrecognized --hint argument "wrong", see --hint=help`},
		{"--open-mode=z", 255, "sbatch: error: Invalid --open-mode specification"},
		{"--signal=XYZ", 255, "sbatch: error: Invalid --signal specification"},
		{"--profile=bogus", 255, "sbatch: error: invalid --profile=bogus option"},
		{"--mail-type=SOMETIMES", 255, "sbatch: error: Invalid --mail-type specification"},
		{"--begin=someday", 255, "Invalid time specification (pos=0): someday\nsbatch: error: Invalid --begin specification"},
		{"--begin=now+1h", 255, "Invalid time specification (pos=4): now+1h\nsbatch: error: Invalid --begin specification"},
		{"--begin=", 255, "sbatch: error: Invalid --begin specification"},
		{"--begin=now+2days --deadline=now+1day", 1, "sbatch: error: Incompatible begin and deadline time specification"},
		{"--mem=1x", 255, "sbatch: error: Invalid --mem specification"},
		{"--mem=1.5G", 255, "sbatch: error: Invalid --mem specification"},
		{"--mem=1 --mem-per-cpu=1", 1, "sbatch: fatal: --mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive."},
		{"--nice=99999999999", 255, "sbatch: error: Invalid --nice value, out of range (+/- 2147483645)"},
		{"--priority=-5", 255, "sbatch: error: Priority must be >= 0"},
		{"--priority=4294967295", 255, "sbatch: error: Priority must be < 4294967294"},
		{"--propagate=stack", 1, "sbatch: error: Bad rlimit name: stack\nsbatch: error: --propagate=stack is not valid."},
		{"--acctg-freq=foo=3", 255, "sbatch: error: Invalid --acctg-freq specification: foo=3"},
		{"--cpu-freq=bogus", 255, "sbatch: error: unrecognized --cpu-freq argument \"bogus\"\nsbatch: error: Invalid --cpu-freq argument"},
		{"--cpu-freq=2000-1000", 255, "sbatch: error: min cpu-frec (2000) must be < max cpu-freq (1000)\nsbatch: error: Invalid --cpu-freq argument"},
		{"--cpu-freq=1000:bogus", 255, "sbatch: error: gov on cpu-frec (bogus) illegal without max\nsbatch: error: Invalid --cpu-freq argument"},
		{"--gpu-bind=v,closest", 255, "sbatch: error: Invalid --gpu-bind argument: gpu:v,closest"},
		{"--gpu-freq=x", 255, "sbatch: error: Invalid --gpu-freq argument: gpu:x"},
		{"--mem-bind=bogus", 255, `sbatch: error: unrecognized --mem-bind argument "bogus"`},
		{"--mem-bind=map_mem", 255, `sbatch: error: missing list for "--mem-bind=map_mem:<list>"`},
		{"--no-kill=bogus", 255, "sbatch: error: Invalid --no-kill specification"},
		{"--wait-all-nodes=2", 255, "sbatch: error: Invalid --wait-all-nodes specification"},
		{"--get-user-env=x", 255, "sbatch: error: Invalid --get-user-env specification"},
		{"-F missing", 255, "sbatch: error: slurm_allocate_resources error opening file missing, No such file or directory\nsbatch: error: Invalid --nodefile node file"},
		{"-w ./missing", 1, "sbatch: error: slurm_allocate_resources error opening file ./missing, No such file or directory"},
		{"--gres=gpu:2:3:4", 1, "sbatch: error: Invalid generic resource (gres) specification"},
		{"--gres=gpu:2,gpu:a100:1", 1, "sbatch: error: Invalid GRES specification (with and without type identification)"},
		{"--gpus=a100:2,3", 1, "sbatch: error: Invalid GRES specification (with and without type identification)"},
		{"--gpus-per-task=1", 1, "sbatch: error: Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"-N1-2 --gpus-per-task=1", 1, "sbatch: error: Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"-N1 --gpus=4 --gpus-per-task=1", 1, "sbatch: error: Failed to validate job spec. Based on --gpus and --gpus-per-task number of requested tasks differ from -n/--ntasks.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"-n7 --ntasks-per-gpu=2", 1, "sbatch: error: Failed to validate job spec, -n/--ntasks has to be a multiple of --ntasks-per-gpu.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"-n1 --gpus-per-node=3 --gpus-per-task=2", 1, "sbatch: error: Failed to validate job spec, --gres=gpu/--gpus-per-node not multiple of --gpus-per-task.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"--ntasks-per-node=2 --gpus-per-node=4 --gpus-per-task=1", 1, "sbatch: error: Failed to validate job spec. Based on --gres=gpu/--gpus-per-node and --gpus-per-task requested number of tasks per node differ from --ntasks-per-node.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"--gpus=4 --gpus-per-task=3", 1, "sbatch: error: Failed to validate job spec, --gpus not multiple of --gpus-per-task\nsbatch: error: Invalid generic resource (gres) specification"},
		{"--gpus=3 --gpus-per-node=2", 1, "sbatch: error: Failed to validate job spec, --gpus is not multiple of --gres=gpu/--gpus-per-node\nsbatch: error: Invalid generic resource (gres) specification"},
		{"-G4 --gpus-per-node=2 -N3", 1, "sbatch: error: Failed to validate job spec. Based on --gpu and --gres=gpu/--gpus-per-node required nodes (2) doesn't fall between min_nodes (3) and max_nodes (3) boundaries.\nsbatch: error: Invalid generic resource (gres) specification"},
		{"--ntasks-per-gpu=2 --gpus-per-task=1", 1, "sbatch: fatal: --gpus-per-task is mutually exclusive with --ntasks-per-gpu and SLURM_NTASKS_PER_GPU"},
		{"-S1 --thread-spec=1", 1, "sbatch: fatal: -S/--core-spec and --thred-spec options are mutually exclusive"},
		{"-Q -v", 1, "sbatch: error: don't specify both --verbose (-v) and --quiet (-Q)"},
		{"-Z", 255, "sbatch: invalid option -- 'Z'\nTry \"sbatch --help\" for more information"},
		{"--nosuchoption", 255, "sbatch: unrecognized option '--nosuchoption'\nTry \"sbatch --help\" for more information"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			_, err := sbatch(strings.Fields(tt.args)...).do()
			var e *OptionError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if e.Error() != tt.want || e.Exit != tt.exit {
				t.Errorf("exit %d: %s\nwant %d: %s", e.Exit, e, tt.exit, tt.want)
			}
		})
	}
}

// What Slurm's commands pass on unread and its controller refuses.
func TestOptionsRefusedByTheController(t *testing.T) {
	tests := []struct {
		args string
		want Errno
	}{
		{"-d afterok", ErrnoDependency},
		{"-d nosuch:5", ErrnoDependency},
		{"-L matlab:x", ErrnoInvalidLicenses},
		{"--array=x", ErrnoInvalidArray},
		{"-w n[1-", ErrnoInvalidNodeName},
		{"-N 0", ErrnoInvalidNodeCount},
		{"-C [a", ErrnoInvalidFeature},
	}
	for _, tt := range tests {
		got, err := sbatch(strings.Fields(tt.args)...).do()
		if err != nil {
			t.Fatalf("%s: %v", tt.args, err)
		}
		if !errors.Is(got[0].Refused, tt.want) || got[0].Refused.Error() != tt.want.Error() {
			t.Errorf("%s: refused with %v, want %v", tt.args, got[0].Refused, tt.want)
		}
	}
	if got, err := sbatch("-C", "fast&").do(); err != nil || got[0].Refused != nil {
		t.Errorf("an unfinished constraint is accepted by Slurm: %v, %v", err, got)
	}
}

func TestScriptEnvironmentCommandLine(t *testing.T) {
	script := "#!/bin/sh\n#SBATCH -J script -p script -q script\n#SBATCH --mem=5 -n3\n"
	env := map[string]string{"SBATCH_JOB_NAME": "env", "SBATCH_PARTITION": "env", "SBATCH_MEM_PER_CPU": "7", "SBATCH_OVERCOMMIT": "yes", "SBATCH_SPREAD_JOB": "x"}
	got, err := ask{cmd: Sbatch, script: script, env: env, args: []string{"-J", "line", "job.sh", "-p", "arg"}}.do()
	if err != nil {
		t.Fatal(err)
	}
	o := got[0]
	checkFields(t, &o.Job, "Name=line Partitions=[env] QOS=script MemPerNode=5M MemPerCPU=0 NTasks=3 OverCommit=true SpreadJob=false")
	for name, want := range map[string]Source{"job-name": FromCommandLine, "partition": FromEnvironment, "qos": FromScript, "mem-per-cpu": FromNowhere} {
		if o.From[name] != want {
			t.Errorf("%s comes from %d, want %d", name, o.From[name], want)
		}
	}
	if !o.Job.Given["ntasks"] || o.Job.Given["mem-per-cpu"] {
		t.Errorf("given: %v", o.Job.Given)
	}
	if want := []string{"job.sh", "-p", "arg"}; !slices.Equal(o.Command, want) {
		t.Errorf("command %q, want %q", o.Command, want)
	}
}

func TestEnvironmentMistakes(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"SBATCH_TIMELIMIT", "x", "sbatch: error: Invalid --time specification"},
		{"SBATCH_REQ_SWITCH", "x", `sbatch: error: Invalid numeric value "x" for --switches.`},
		{"SBATCH_EXCLUSIVE", "1", "sbatch: error: Invalid --exclusive specification"},
		{"SBATCH_NO_KILL", "yes", "sbatch: error: Invalid --no-kill specification"},
	}
	for _, tt := range tests {
		a := sbatch()
		a.env = map[string]string{tt.name: tt.value}
		if _, err := a.do(); err == nil || err.Error() != tt.want {
			t.Errorf("%s=%s: %v, want %s", tt.name, tt.value, err, tt.want)
		}
	}
	a := sbatch()
	a.env = map[string]string{"SBATCH_MEM_PER_CPU": "1", "SBATCH_MEM_PER_NODE": "1"}
	if _, err := a.do(); err == nil || !strings.Contains(err.Error(), "SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive.") {
		t.Errorf("both memories: %v", err)
	}
}

func TestSrun(t *testing.T) {
	tests := []struct {
		args string
		env  map[string]string
		want string
	}{
		{"-n2 prog -n3", map[string]string{"SLURM_NTASKS": "5"}, "NTasks=2 Name=prog"},
		{"prog", map[string]string{"SLURM_NTASKS": "5", "SLURM_NPROCS": "4"}, "NTasks=5"},
		{"/usr/bin/prog", map[string]string{"SLURM_JOB_NAME": "named", "SLURM_LABELIO": "1", "SLURM_UNBUFFEREDIO": "0"}, "Name=named Label=true Unbuffered=false"},
		{"-l -u -K -W5 prog", nil, "Label=true Unbuffered=true KillOnBadExit=1 Wait=5"},
		{"-K0 -I5 prog", nil, "KillOnBadExit=0 Immediate=5"},
		{"-I prog", nil, "Immediate=1"},
		{"--jobid=7 -r1 --overlap prog", nil, "JobID=7 Relative=1 Overlap=true"},
		{"--cpu-bind=v,cores prog", nil, "CPUBind=verbose,cores"},
		{"--threads-per-core=1 prog", nil, "CPUBind=threads"},
		{"--bcast prog", nil, "Bcast=-"},
		{"--send-libs --compress prog", nil, "SendLibs=yes Compress=lz4"},
		{"-w n1,n2 -N1 prog", nil, "NodeList=n1 MinNodes=1"},
		{"-w n1,n2 -n1 prog", nil, "NodeList=n1 MinNodes=1"},
		{"-N2 -n3 --ntasks-per-node=2 prog", nil, "NTasksPerNode=0 NTasks=3"},
		{"-n4 --ntasks-per-node=2 prog", nil, "NTasksPerNode=2 NTasks=4"},
		{"-i none -o all prog", nil, "Input=/dev/null Output=all"},
		{"--pty --x11 sh", nil, "Pty=true X11=all Name=sh"},
		{"prog", map[string]string{"SLURM_WORKING_DIR": "/w", "SLURM_REMOTE_CWD": "/r", "SLURM_EXPORT_ENV": "NONE"}, "WorkDir=/w Export=NONE"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got, err := ask{cmd: Srun, env: tt.env, args: strings.Fields(tt.args)}.do()
			if err != nil {
				t.Fatal(err)
			}
			checkFields(t, &got[0].Job, tt.want)
		})
	}
	mistakes := []struct{ args, want string }{
		{"-n many true", `srun: error: Invalid numeric value "many" for --ntasks.`},
		{"--signal=B:TERM true", "srun: error: Invalid --signal specification"},
		{"-r1 true", "srun: fatal: --relative option invalid for job allocation request"},
		{"--exact --whole true", "srun: error: --exact and --whole are mutually exclusive."},
		{"-Z true", "srun: error: must specify a node list with -Z, --no-allocate."},
		{"--immediate=x true", `srun: error: Invalid numeric value "x" for immediate.`},
		{"--jobid=5_2 true", `srun: error: Invalid numeric value "5_2" for --jobid.`},
		{"--cpu-bind=bogus true", "srun: error: unrecognized --cpu-bind argument \"bogus\"\nsrun: fatal: Failed to parse --cpu-bind= values."},
		{"--cpu-bind=map_cpu true", "srun: error: missing list for \"--cpu-bind=map_cpu:<list>\"\nsrun: fatal: Failed to parse --cpu-bind= values."},
		{"--het-group=x true", "srun: error: _parse_single_range: Invalid range: `x'\nsrun: error: Invalid --het-group value: x"},
		{"--wait-all-nodes=1 true", "srun: unrecognized option '--wait-all-nodes=1'\nTry \"srun --help\" for more information"},
	}
	for _, tt := range mistakes {
		if _, err := (ask{cmd: Srun, args: strings.Fields(tt.args)}).do(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v\nwant %s", tt.args, err, tt.want)
		}
	}
}

func TestSalloc(t *testing.T) {
	got, err := ask{cmd: Salloc, env: map[string]string{"SALLOC_BELL": "", "SALLOC_KILL_CMD": "USR1"}, args: []string{"-N2", "-K9", "--no-shell", "sh", "-c", "x"}}.do()
	if err != nil {
		t.Fatal(err)
	}
	checkFields(t, &got[0].Job, "MinNodes=2 KillCommand=9 NoShell=true Bell=true Name=interactive")
	if _, err := (ask{cmd: Salloc, args: []string{"-Kx"}}).do(); err == nil || err.Error() != "salloc: error: Invalid --kill-command specification" {
		t.Errorf("-Kx: %v", err)
	}
}

func TestHeterogeneousJobs(t *testing.T) {
	names := func(all []CommandOptions) string {
		var out []string
		for _, o := range all {
			out = append(out, fmt.Sprintf("%s/%d/%s/%d", o.Job.Name, o.Job.NTasks, o.Job.TimeLimit, o.Job.CPUsPerTask))
		}
		return strings.Join(out, " ")
	}
	script := "#!/bin/sh\n#SBATCH -n1 -J first\n#SBATCH hetjob\n#SBATCH -n2\n#SBATCH hetjob\n#SBATCH -c3 -J third\n"
	tests := []struct {
		name   string
		script string
		cmd    Command
		args   string
		want   string
	}{
		{"Script", script, Sbatch, "x.sh", "first/1/00:00:00/0 first/2/00:00:00/0 third/0/00:00:00/3"},
		{"ScriptAndLine", script, Sbatch, "-t5 : -t6 x.sh", "first/1/00:05:00/0 first/2/00:06:00/0 third/0/00:06:00/3"},
		{"LineAlone", "", Sbatch, "-n1 -J het : -n2 --wrap x", "het/1/00:00:00/0 het/2/00:00:00/0"},
		{"StepsWithTheirOwnCommands", "", Srun, "-n1 a : -n2 b", "a/1/00:00:00/0 b/2/00:00:00/0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ask{cmd: tt.cmd, script: tt.script, args: strings.Fields(tt.args)}.do()
			if err != nil {
				t.Fatal(err)
			}
			if names(got) != tt.want {
				t.Errorf("got %s, want %s", names(got), tt.want)
			}
		})
	}
}

func TestOptionsWithoutEffectAreNamed(t *testing.T) {
	got, err := sbatch("--mem-update=10@5", "--stepmgr", "--mem-update=20@5").do()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--mem-update (memory limits are not lowered while a job runs)", "--stepmgr (steps are the controller's and the agents' work)"}
	if !slices.Equal(got[0].NoEffect, want) {
		t.Errorf("got %q, want %q", got[0].NoEffect, want)
	}
}

func TestNodeFiles(t *testing.T) {
	a := sbatch("-F", "hf", "-x", "./ex")
	a.files = map[string]string{"hf": "n1 # first\nn[2-3],n2*2\n", "./ex": "n9\n"}
	got, err := a.do()
	if err != nil {
		t.Fatal(err)
	}
	checkFields(t, &got[0].Job, "NodeList=n[1-3,2,2] ExcludeList=n9 MinNodes=3")
}

func TestHelpTexts(t *testing.T) {
	var help *HelpText
	if _, err := sbatch("--hint=help").do(); !errors.As(err, &help) || help.Exit != 1 || !strings.Contains(help.Text, "nomultithread") {
		t.Errorf("--hint=help: %v", err)
	}
}

// TestRareOptions reads options that few clusters have a use for.
func TestRareOptions(t *testing.T) {
	read := func(args ...string) (*JobOptions, []string, error) {
		got, err := ask{cmd: Sbatch, args: append(args, "job")}.do()
		if err != nil {
			return nil, nil, err
		}
		return &got[0].Job, got[0].NoEffect, nil
	}
	o, none, err := read("--delay-boot=1:30", "--gres-flags=disable-binding", "--tres-bind=gres/gpu:verbose,map_gpu:0,1", "--wait-all-nodes=1", "--mcs-label=blue")
	if err != nil || o.DelayBoot != 90 || o.GresFlags != "disable-binding" || o.TRESBind != "gres/gpu:verbose,map_gpu:0,1" || o.MCSLabel != "blue" || len(none) > 0 {
		t.Errorf("got %+v, no effect %q, %v", o, none, err)
	}
	if _, none, err = read("--gres-flags=enforce-binding", "--tres-bind=gres/craynetwork:none", "--wait-all-nodes=0"); err != nil || len(none) != 3 {
		t.Errorf("no effect of %q, %v", none, err)
	}
	for _, bad := range []string{"--tres-bind=gpu:closest", "--tres-bind=gres/gpu", "--tres-bind=gres/gpu:near", "--delay-boot=x", "--wait-all-nodes=2"} {
		if _, _, err := read(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
