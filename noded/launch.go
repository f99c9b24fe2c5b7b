package noded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

// parseSliceID reads what batchID and stepSliceID made.
func parseSliceID(id string) (k jobKey, step uint32, batch, ok bool) {
	parts := strings.Split(id, ".")
	if len(parts) != 3 {
		return k, 0, false, false
	}
	var n [3]uint64
	for i, p := range parts {
		if i == 2 && p == "batch" {
			batch = true
			continue
		}
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return k, 0, false, false
		}
		n[i] = v
	}
	return jobKey{uint32(n[0]), uint32(n[1])}, uint32(n[2]), batch, true
}

// baseSpec is what all slices of a job have in common.
func (a *Agent) baseSpec(j *job, id string, level string) (*slice.Spec, error) {
	here := j.here
	iso, err := isolationOf(here)
	if err != nil {
		return nil, err
	}
	spec := &slice.Spec{ID: id, UID: here.Uid, GID: here.Gid, Umask: uint32(here.Umask) & 0o777}
	if os.Geteuid() == 0 {
		u, err := a.users.ByUID(here.Uid)
		if err != nil {
			return nil, fmt.Errorf("cannot look up the groups of user %s: %w", here.User, err)
		}
		spec.Groups = u.Groups
	} else if int(here.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("this agent is run by uid %d and can run jobs of that user only, not of %s (uid %d)", os.Geteuid(), here.User, here.Uid)
	}
	if err := a.cage(j, iso, spec); err != nil {
		return nil, err
	}
	if spec.Rlimits, err = rlimits(here.Rlimits); err != nil {
		return nil, err
	}
	if spec.Cgroup, err = a.cgroupOf(j, iso, level); err != nil {
		return nil, err
	}
	if spec.Namespaces.Cgroup && !spec.Cgroup.On {
		spec.Namespaces.Cgroup = false
	}
	return spec, nil
}

// cgroupOf places a slice in the cgroup tree with the job's limits. With
// SliceCgroup=auto the limits are what the machine lets this agent set, which
// scontrol show node and the log tell; with yes they are set or the job does
// not start; with no they are off.
func (a *Agent) cgroupOf(j *job, iso isolation, level string) (slice.Cgroup, error) {
	mode, off := strings.ToLower(iso.Cgroup), a.cgroupOff
	if a.confine.off() {
		off = "cgroup.conf has CgroupPlugin=disabled"
	}
	none := func(why string) (slice.Cgroup, error) {
		if iso.Devices == "basic" {
			return slice.Cgroup{}, fmt.Errorf("SliceDevices=basic, but the job has no cgroup to hold it to that: %s", why)
		}
		return slice.Cgroup{}, nil
	}
	switch mode {
	case "", "auto":
		if off != "" {
			return none(off)
		}
	case "no":
		return none("SliceCgroup=no")
	case "yes":
		if off != "" {
			return slice.Cgroup{}, fmt.Errorf("SliceCgroup=yes, but cgroups cannot be used here: %s", off)
		}
	default:
		return slice.Cgroup{}, fmt.Errorf("SliceCgroup: %q is neither yes, no nor auto", iso.Cgroup)
	}
	limits := slice.Limits{PIDsMax: int64(iso.Pids), IOWeight: uint64(iso.IOWeight), Devices: a.gear.rules(iso.Devices == "basic", heldByJob(j.here))}
	a.confine.limit(&limits, j.here)
	return slice.Cgroup{
		On: true, Parent: a.groupParent(),
		Levels: []slice.Level{{Name: groupOfJob(j.key), Limits: limits}, {Name: level}},
	}, nil
}

// groupOfJob is the name of a job's cgroup.
func groupOfJob(k jobKey) string { return fmt.Sprintf("job_%d.%d", k.job, k.restarts) }

// rlimitNumbers are the limits that pass from the submitter to the job, by
// Slurm's names.
var rlimitNumbers = map[string]int{
	"CPU": unix.RLIMIT_CPU, "FSIZE": unix.RLIMIT_FSIZE, "DATA": unix.RLIMIT_DATA, "STACK": unix.RLIMIT_STACK, "CORE": unix.RLIMIT_CORE,
	"RSS": unix.RLIMIT_RSS, "NPROC": unix.RLIMIT_NPROC, "NOFILE": unix.RLIMIT_NOFILE, "MEMLOCK": unix.RLIMIT_MEMLOCK, "AS": unix.RLIMIT_AS,
}

func rlimits(list []*rinkpb.Rlimit) ([]slice.Rlimit, error) {
	var out []slice.Rlimit
	for _, r := range list {
		n, ok := rlimitNumbers[r.Name]
		if !ok {
			return nil, fmt.Errorf("resource limit %q is not known", r.Name)
		}
		// Only the soft limit passes: a job may have what its submitter had, and
		// what the node's own hard limit allows is the node's to say.
		var have unix.Rlimit
		if err := unix.Getrlimit(n, &have); err != nil {
			return nil, fmt.Errorf("cannot read resource limit %s: %w", r.Name, err)
		}
		hard := have.Max
		if os.Geteuid() == 0 {
			hard = max(r.Hard, r.Soft)
		}
		out = append(out, slice.Rlimit{Resource: n, Soft: min(r.Soft, hard), Hard: hard, Optional: true})
	}
	return out, nil
}

// dirNote is what a task says when it cannot be in its directory. In Slurm the
// step's manager says so too, before its tasks on the node: the first of them
// says it for both.
func dirNote(dir string, first bool) string {
	line := fmt.Sprintf("slurmstepd: error: couldn't chdir to `%s': %%s: going to /tmp instead\n", strings.ReplaceAll(dir, "\n", "?"))
	if first {
		return line + line
	}
	return line
}

// batchSpec is the slice of a batch script.
func (a *Agent) batchSpec(j *job, order *rinkpb.LaunchJob) (*slice.Spec, error) {
	spec, err := a.baseSpec(j, batchID(j.key), "step_batch")
	if err != nil {
		return nil, err
	}
	spec.Nice = niceOf(a.liveConf(), order.Env)
	script, err := a.keepScript(j, order.Script, spec.UID, spec.GID)
	if err != nil {
		return nil, err
	}
	task := slice.Task{
		Argv: append([]string{script}, order.Args...), PidEnv: taskPidEnv, Dir: j.here.WorkDir, FallbackDir: "/tmp",
		DirNote: dirNote(j.here.WorkDir, true),
		Stdin:   slice.Stream{Kind: slice.StreamNull},
	}
	if a.confine.binds() {
		task.CPUs = j.here.CpuSet
		task.Note = a.batchNote(task.CPUs)
	}
	a.batchStreams(j, order, &task)
	env := taskenv.New(order.Env)
	a.nodeEnv(env, j)
	env.Set("SLURM_PROCID", "0")
	env.Set("SLURM_LOCALID", "0")
	env.Set("SLURM_GTIDS", "0")
	env.Set("SLURM_CPUS_ON_NODE", strconv.Itoa(int(j.here.Cpus)))
	env.Set("ENVIRONMENT", "BATCH")
	env.Set("HOSTNAME", a.conf.Node)
	a.gear.tellJob(env, heldByJob(j.here), a.gear.shuts(spec, j.here))
	a.tellMPS(env, j)
	task.Env = env.List()
	spec.Tasks = []slice.Task{task}
	return spec, nil
}

// batchStreams says where the streams of a batch script go: below the directory
// the job was to run in, wherever it does.
func (a *Agent) batchStreams(j *job, order *rinkpb.LaunchJob, task *slice.Task) {
	names := a.fileNames(j, slurm.StepBatch, 0, 0)
	expand := func(pattern string) string {
		path := slurm.ExpandFileName(pattern, names)
		if !filepath.IsAbs(path) && filepath.IsAbs(j.here.WorkDir) {
			path = j.here.WorkDir + "/" + path // as it was written: "no/../x" needs the directory
		}
		return path
	}
	if order.Input != "" && order.Input != "/dev/null" {
		task.Stdin = slice.Stream{Kind: slice.StreamFile, Path: expand(order.Input)}
	}
	out := order.Output
	if out == "" {
		out = "slurm-%j.out"
		if j.here.ArrayId != 0 {
			out = "slurm-%A_%a.out"
		}
	}
	task.Stdout = slice.Stream{Kind: slice.StreamFile, Path: expand(out), Append: order.Append}
	task.Stderr = slice.Stream{Kind: slice.StreamStdout}
	if order.Error != "" && expand(order.Error) != task.Stdout.Path {
		task.Stderr = slice.Stream{Kind: slice.StreamFile, Path: expand(order.Error), Append: order.Append}
	}
}

// taskPidEnv is the variable in which a task finds its own process id.
const taskPidEnv = "SLURM_TASK_PID"

// keepScript writes the batch script where the job's user can read it and
// nobody else.
func (a *Agent) keepScript(j *job, text []byte, uid, gid uint32) (string, error) {
	path, err := a.spool.file(j.key, "slurm_script")
	if err != nil {
		return "", err
	}
	if err := writeWhole(path, text, 0o500); err != nil {
		return "", err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, int(uid), int(gid)); err != nil {
			return "", fmt.Errorf("cannot give the script to its user: %w", err)
		}
	}
	return path, nil
}

// nodeEnv sets what depends on the node.
func (a *Agent) nodeEnv(env *taskenv.Env, j *job) {
	env.Set("SLURMD_NODENAME", a.conf.Node)
	env.Set("SLURM_NODEID", strconv.Itoa(int(j.here.NodeIndex)))
	if env.Get("TMPDIR") == "" {
		env.Set("TMPDIR", "/tmp")
	}
}

// fileHost is what %N stands for: the host's short name in the files of a batch script, as in
// Slurm, and the node's in those of a step.
func (a *Agent) fileHost(step slurm.StepID) string {
	if step != slurm.StepBatch || a.host == "" {
		return a.conf.Node
	}
	short, _, _ := strings.Cut(a.host, ".")
	return short
}

// fileNames are the values of the patterns in a file name.
func (a *Agent) fileNames(j *job, step slurm.StepID, rank, nodeIndex int) slurm.FileNameValues {
	return slurm.FileNameValues{
		Job: slurm.JobID(j.here.Job), Array: slurm.JobID(j.here.ArrayId), Task: j.here.TaskId, Step: step, Host: a.fileHost(step),
		NodeIndex: nodeIndex, Rank: rank, User: j.here.User, JobName: j.here.Name, Restarts: int(j.here.Restarts),
	}
}

// appendAs appends text to a file with the rights of a job's user on the file
// system, and only to a regular file of theirs: the path is the user's to choose.
func (a *Agent) appendAs(here *rinkpb.JobHere, path, text string) error {
	r, err := a.rightsOf(here)
	if err != nil {
		return err
	}
	return r.do(func() error { return appendTo(here.Uid, path, text) })
}

func appendTo(uid uint32, path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != uid {
		return errors.New("not a regular file of the user")
	}
	_, err = unix.Write(fd, []byte(text))
	return err
}

// exitCode is how task i of a slice ended.
func exitCode(exit slice.Exit, i int) *rinkpb.ExitCode {
	if i >= len(exit.Tasks) {
		return &rinkpb.ExitCode{Signal: uint32(syscall.SIGKILL)}
	}
	return taskExitCode(exit.Tasks[i])
}

// neverRan is the exit code of a task whose program was not executed: the
// kernel's reason for that, as a program's own would be, or 1 when it did not
// come so far.
func neverRan(e *slice.StartError) *rinkpb.ExitCode {
	if e.Stage == slice.StageExec && e.Errno != 0 {
		return &rinkpb.ExitCode{Code: uint32(e.Errno) & 0xff}
	}
	return &rinkpb.ExitCode{Code: 1}
}

// neverRanWords is what a user is told then.
func neverRanWords(e *slice.StartError) string {
	reason := e.Detail
	if e.Errno != 0 {
		reason = e.Errno.Error()
		reason = strings.ToUpper(reason[:1]) + reason[1:]
	}
	switch e.Stage {
	case slice.StageExec:
		return fmt.Sprintf("slurmstepd: error: execve(): %s: %s", e.Path, reason)
	case slice.StageStdin, slice.StageStdout, slice.StageStderr:
		return fmt.Sprintf("slurmstepd: error: Could not open %s file %s: %s", e.Stage, e.Path, reason)
	}
	return "slurmstepd: error: " + e.Error()
}

func taskExitCode(t slice.TaskExit) *rinkpb.ExitCode {
	switch {
	case t.StartError != nil:
		return neverRan(t.StartError)
	case t.Ended.IsZero():
		return &rinkpb.ExitCode{Signal: uint32(syscall.SIGKILL)}
	case t.Status.Signaled():
		return &rinkpb.ExitCode{Signal: uint32(t.Status.Signal())}
	}
	return &rinkpb.ExitCode{Code: uint32(t.Status.ExitStatus())}
}

// startWords says which task of a slice never ran, and why; "" when all did.
func startWords(exit slice.Exit) string {
	i := slices.IndexFunc(exit.Tasks, func(t slice.TaskExit) bool { return t.StartError != nil })
	if i < 0 {
		return ""
	}
	return exit.Tasks[i].StartError.Error()
}
