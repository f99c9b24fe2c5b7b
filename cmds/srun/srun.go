// Package srun runs tasks on the cluster: as a step of the job it is called in
// or names, or in an allocation it makes for itself.
package srun

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/display"
	"github.com/runink/rink/cmds/internal/steps"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var help string

// Run is the command.
func Run(env *cli.Env) int { return start(env, &run{}) }

// Join is srun of a step whose tasks enter a slice of the job that runs: of a
// step, or with -1 of the batch script, or else of the first step.
func Join(env *cli.Env, step int32) int { return start(env, &run{join: true, joinStep: step}) }

// start is srun as s has been told to be.
func start(env *cli.Env, s *run) int {
	in := submit.Input(env)
	line, err := slurm.ParseCommandLine(slurm.Srun, env.Name, env.Args)
	if err != nil {
		return submit.Refused(env, err, 1)
	}
	switch {
	case line.Client.Help:
		fmt.Fprint(env.Stdout, help)
		return 0
	case line.Client.Usage:
		fmt.Fprintln(env.Stdout, "Usage: srun [OPTIONS(0)... [executable(0) [args(0)...]]] [ : [OPTIONS(N)...]] executable(N) [args(N)...]")
		return 0
	case line.Client.Version:
		fmt.Fprintln(env.Stdout, cli.VersionLine())
		return 0
	}
	comps, err := line.Resolve(in)
	if err != nil {
		return submit.Refused(env, err, 1)
	}
	o := &comps[0]
	submit.Listing(env, o)
	if o.Job.Step.MPI == "list" {
		(&run{env: env}).listMPI()
		return 0
	}
	for i := len(comps) - 2; i >= 0; i-- {
		if len(comps[i].Command) == 0 {
			comps[i].Command = comps[i+1].Command // what is named once is run by all before it
		}
	}
	argv := o.Command
	if last := comps[len(comps)-1].Command; len(last) == 0 {
		argv = nil
	}
	if len(argv) == 0 && !o.Client.TestOnly && (o.Job.Container == "" || o.Job.Step.MultiProg) {
		fmt.Fprintf(env.Stderr, "%s: fatal: No command given to execute.\n", env.Name)
		return 1
	}
	inside, err := jobAround(env, &o.Job)
	if err != nil {
		env.Errorf("%v", err)
		return 1
	}
	if o.Job.Step.Interactive {
		o.Job.Step.Overlap = true // it leaves the job's CPUs to the steps begun from it
	}
	if o.Job.Name == "" {
		o.Job.Name = programName(argv)
	}
	s.env, s.o, s.argv, s.quiet = env, o, argv, o.Client.Quiet > 0
	env.Quiet = s.quiet
	for i := range comps {
		if err := s.findDisplay(&comps[i].Job, inside != 0); err != nil {
			env.Errorf("%v", err)
			return 255
		}
	}
	for i := range comps {
		mpi := &comps[i].Job.Step.MPI
		if *mpi = mpiName(*mpi); !s.knowsMPI(*mpi) {
			return 1
		}
	}
	if o.Job.Step.MultiProg && !s.readMultiProg(inside != 0) {
		return 1
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("Unable to allocate resources: %s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if !submit.OnCluster(env, client, o.Job.Clusters) {
		return 1
	}
	asked := o.Said["cpu-bind"] != "" || o.From["threads-per-core"] == slurm.FromCommandLine
	if asked && !binds(env, client) {
		env.Infof("cluster configuration lacks support for cpu binding")
	}
	if o.Client.TestOnly {
		return testOnly(env, client, comps)
	}
	s.client = client
	if inside != 0 {
		submit.Notices(env, o)
		parts, err := partsInside(env, comps, inside)
		if err != nil {
			env.Errorf("%v", err)
			return 1
		}
		return s.steps(parts)
	}
	ctx, stop := signal.NotifyContext(env.Ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	got, err := submit.Allocate(ctx, env, client, comps, s.quiet, "job")
	stop()
	if err != nil {
		var revoked *submit.RevokedError
		var interrupted *submit.InterruptedError
		if errors.As(err, &interrupted) {
			env.Infof("Job allocation %d has been revoked", interrupted.Job)
			env.Infof("Force Terminated JobId=%d", interrupted.Job)
			return 1
		}
		if errors.As(err, &revoked) {
			env.Infof("Job has been cancelled")
		}
		if errors.Is(err, slurm.ErrnoInvalidGres) {
			env.Errorf("%s", cli.Reason(err)) // which Slurm's commands find by themselves
			return submit.FailureCode(env, err)
		}
		env.Errorf("Unable to allocate resources: %s", cli.Reason(err))
		return submit.FailureCode(env, err)
	}
	if o.Client.Verbose > 0 {
		counts := make([]int, len(got.Job.Alloc))
		for i, a := range got.Job.Alloc {
			counts[i] = a.CPUs
		}
		env.Infof("jobid %d: nodes(%d):`%s', cpu counts: %s", got.Job.ID, len(got.Job.Alloc), nodeList(got.Job), cpuCounts(counts))
	}
	s.own = true
	parts := make([]part, len(comps))
	for i := range comps {
		parts[i] = part{job: got.IDs[i], o: comps[i]}
	}
	if err := s.asOne(parts); err != nil {
		env.Errorf("%s", cli.Reason(err))
	}
	rc := s.steps(parts)
	code, sig := rc, 0
	if s.signal != 0 {
		code, sig = 0, s.signal
	}
	if err := submit.Release(client, got.Job.ID, code, sig); err != nil && !errors.Is(err, context.Canceled) && !s.jobEnded {
		env.Errorf("Unable to give back job %d: %s", got.Job.ID, cli.Reason(err))
	}
	return rc
}

// binds reports whether the cluster is set up to bind tasks to CPUs.
func binds(env *cli.Env, client *cli.Client) bool {
	cfg, _, err := submit.Cluster(env, client)
	return err != nil || slices.ContainsFunc(cfg.Conf.TaskPlugin, func(name string) bool { return strings.EqualFold(name, "task/affinity") })
}

// jobAround is the job srun makes a step of: --jobid, or the one it was called
// in; 0 when it has to ask for resources.
func jobAround(env *cli.Env, o *slurm.JobOptions) (slurm.JobID, error) {
	text := o.JobID
	if text == "" {
		if text = env.Getenv("SLURM_JOB_ID"); text == "" {
			text = env.Getenv("SLURM_JOBID")
		}
	}
	if text == "" {
		return 0, nil
	}
	id, err := slurm.ParseJobID(text)
	if err != nil {
		return 0, fmt.Errorf("invalid job id %q", text)
	}
	return id, nil
}

func nodeList(j *sched.Job) string {
	names := make([]string, len(j.Alloc))
	for i, a := range j.Alloc {
		names[i] = string(a.Node)
	}
	return slurm.Compress(names)
}

// testOnly says of each component when and where it would start.
func testOnly(env *cli.Env, client *cli.Client, comps []slurm.CommandOptions) int {
	for i := range comps {
		if rc := testOne(env, client, &comps[i]); rc != 0 {
			return rc
		}
	}
	return 0
}

func testOne(env *cli.Env, client *cli.Client, o *slurm.CommandOptions) int {
	o.Job.WorkDir = submit.WorkDir(env, o.Job.WorkDir)
	job := &rinkpb.JobRequest{Options: api.JobOptionsToProto(&o.Job)}
	if err := submit.Whereabouts(env, job, o); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	r, err := client.TestOnly(ctx, &rinkpb.SubmitRequest{Key: submit.NewKey(), Jobs: []*rinkpb.JobRequest{job}})
	for _, line := range r.GetStatus().GetDetails() {
		env.Errorf("%s", line)
	}
	if err = cli.CallErr(err); err == nil {
		err = cli.StatusErr(r.Status)
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "allocation failure: %s\n", cli.Reason(err))
		return 1
	}
	env.Infof("Job %d to start at %s using %d processors on nodes %s in partition %s",
		r.Job, time.Unix(0, r.Start).Format("2006-01-02T15:04:05"), r.Cpus, slurm.Compress(r.Nodes), r.Partition)
	return 0
}

// run is one srun at work.
type run struct {
	env    *cli.Env
	client *cli.Client
	o      *slurm.CommandOptions
	argv   []string
	quiet  bool
	own    bool // the allocation is its own

	join     bool // into a slice of the job that runs: of step joinStep, or with -1 of any
	joinStep int32

	noInput   bool   // standard input is another step's
	offset    int    // of its ranks among those of all steps of the call
	all       int    // tasks of all of them; 0: this is the only one
	nodes     string // of all of them
	multiProg []byte // the text of --multi-prog's file

	display *display.Display // nil: tasks have none

	defaults *rinkpb.StepDefaults // of the cluster
	signal   int                  // what the step died of, for the job's record
	jobEnded bool
}

// step makes a step of the job, carries its streams, and returns its exit code.
func (s *run) step(id slurm.JobID) int {
	env, o := s.env, s.o
	dir := submit.WorkDir(env, "")
	if o.Job.Given["chdir"] || o.Job.WorkDir != "" {
		dir = submit.WorkDir(env, o.Job.WorkDir)
	}
	if !o.Job.Given["export"] {
		o.Job.Export = env.Getenv("SLURM_EXPORT_ENV")
	}
	vars, err := submit.StepEnvironment(env, &o.Job)
	if err != nil {
		env.Errorf("%v", err)
		return 1
	}
	vars = submit.Merge(vars, append(s.ownVariables(), s.x11Variables()...))
	if _, named := env.Lookup("SLURM_JOB_NAME"); !named && !s.own {
		// From outside of the job there is no other name than the step's.
		if o.Job.Given == nil {
			o.Job.Given = map[string]bool{}
		}
		o.Job.Given["job-name"], o.From["job-name"] = true, slurm.FromCommandLine
	}
	limits, err := submit.Limits(o.Job.Propagate)
	if err != nil {
		env.Errorf("%v", err)
		return 1
	}
	if o.From["job-name"] != slurm.FromCommandLine {
		// SLURM_JOB_NAME is the job's name, not the step's.
		o.Job.Name = programName(s.argv)
		delete(o.Job.Given, "job-name")
	}
	s.inheritSize()
	if err := s.withinJob(id); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			env.Errorf("%s", line)
		}
		return 1
	}
	if o.From["begin"] == slurm.FromCommandLine && !s.own {
		env.Errorf("--begin is ignored because nodes are already allocated.")
	}
	if o.Job.Step.Pty && !s.terminal() {
		return 1
	}
	files := s.takeOutputs()
	defer files.close()
	if err := s.early(files, id); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	req := &rinkpb.CreateStepRequest{
		Key: submit.NewKey(), Job: uint32(id), Options: api.JobOptionsToProto(&o.Job), Argv: s.argv, Env: vars, Cwd: dir,
		Umask: int32(submit.FileMask(env)), Rlimits: limits, SubmitLine: strings.Join(append([]string{env.Name}, env.Args...), " "), Immediate: o.Job.Immediate > 0, Stdin: !s.noInput, StdinTask: -1,
	}
	if s.own {
		req.Options.Exclusive = "" // it was said of the job, and is no word on the step
	}
	req.MultiProg, req.Join, req.JoinStep = s.multiProg, s.join, s.joinStep
	if s.display != nil {
		req.X11Cookie = display.NewCookie()
	}
	req.RankOffset, req.AllTasks, req.AllNodes = int32(s.offset), int32(s.all), s.nodes
	in := o.Job.Input
	if n, err := strconv.Atoi(in); err == nil {
		req.StdinTask = int32(n)
	} else if in == "none" || in != "" && in != "all" {
		req.Stdin = false
		if in != "none" && slurm.ExpandFileName(in, slurm.FileNameValues{}) == in {
			// One file for all tasks: read it here and feed everybody, as Slurm does.
			f, err := os.Open(in)
			if err != nil {
				env.Errorf("Could not open stdin file: %s", submit.Cause(err))
				return 1
			}
			defer f.Close()
			env.Stdin, req.Stdin, o.Job.Input = f, true, ""
			req.Options.Input = ""
		}
	}
	if o.Job.Step.Pty {
		req.PtyRows, req.PtyCols = steps.WindowSize()
	}
	if o.Job.Step.Bcast != "" && !o.Job.Step.MultiProg {
		program, rc := s.bcast(id, dir)
		if rc != 0 {
			fmt.Fprintf(s.env.Stderr, "%s: fatal: Failed to broadcast '%s'. Step launch aborted.\n", s.env.Name, searchPath(s.env, s.argv[0], dir))
			return 1
		}
		req.Argv = append([]string{program}, req.Argv[1:]...)
	}
	if !s.hook("prolog", o.Job.Step.Prolog, id, s.ownStep()) {
		return 1
	}
	reply, rc := s.create(id, req)
	if reply == nil {
		return rc
	}
	step := slurm.StepID(reply.Step.GetId())
	if err := s.openOutputs(files, s.fileNames(id, step)); err != nil {
		env.Errorf("%v", err)
		s.signalStep(id, step, syscall.SIGKILL)
		return 1
	}
	s.defaults = reply.Defaults
	rc = s.carry(req, reply, files)
	s.hook("epilog", cmp.Or(o.Job.Step.Epilog, reply.GetDefaults().GetEpilog()), id, step.String())
	return rc
}

// ownStep is the step's number where it is known before there is one: srun's own job
// has but this.
func (s *run) ownStep() string {
	if s.own {
		return "0"
	}
	return ""
}

// cpuCounts prints how many CPUs each node gives, as --verbose does: 2(x3),1(x1).
func cpuCounts(counts []int) string {
	var runs []string
	for i := 0; i < len(counts); {
		end := i + 1
		for end < len(counts) && counts[end] == counts[i] {
			end++
		}
		runs = append(runs, fmt.Sprintf("%d(x%d)", counts[i], end-i))
		i = end
	}
	return strings.Join(runs, ",")
}

// programName is what a step is called that nobody named. A container may bring
// its own program.
func programName(argv []string) string {
	if len(argv) == 0 {
		return "container"
	}
	return filepath.Base(argv[0])
}

// readMultiProg reads the file of --multi-prog and, when it is known how many
// tasks there will be, checks it, so that nothing is asked for in vain.
func (s *run) readMultiProg(inside bool) bool {
	name := s.argv[0]
	text, err := os.ReadFile(name)
	if err != nil {
		s.env.Errorf("Could not open multi_prog config file %s", name)
		return false
	}
	s.multiProg = text
	tasks := s.o.Job.NTasks
	if tasks == 0 && !inside && !s.o.Job.Given["nodes"] {
		tasks = 1
	}
	if tasks == 0 {
		return true // the controller knows, and checks
	}
	_, err = sched.ParseMultiProg(name, text, tasks)
	var bad *sched.MultiProgError
	if errors.As(err, &bad) {
		for _, line := range bad.Lines {
			s.env.Errorf("%s", line)
		}
		return false
	}
	return err == nil
}

// inheritSize takes from the job around what the call leaves open: the number
// of tasks and nodes of the allocation, through the variables it set.
func (s *run) inheritSize() {
	if s.own {
		return
	}
	o := &s.o.Job
	if _, named := s.env.Lookup("SRUN_CPUS_PER_TASK"); !named && s.o.From["cpus-per-task"] == slurm.FromEnvironment {
		// SLURM_CPUS_PER_TASK tells a job what it has, and its steps nothing.
		o.CPUsPerTask = 0
		delete(o.Given, "cpus-per-task")
	}
	get := func(name string) int {
		n, _ := strconv.Atoi(s.env.Getenv(name))
		return n
	}
	if !o.Given["ntasks"] && !o.Given["nodes"] && o.NTasks == 0 {
		if n := get("SLURM_NTASKS"); n > 0 {
			o.NTasks = n
		}
	}
}

// stepWait is how long srun waits for room in its job before it says that it
// does, and stepWaitNot how short a wait is not worth a word: the step before
// may have ended just now.
const (
	stepWait    = 10 * time.Second
	stepWaitNot = 250 * time.Millisecond
)

// create asks for the step. When there is no room for it now it waits, and says
// so when that takes long or is over.
func (s *run) create(id slurm.JobID, req *rinkpb.CreateStepRequest) (*rinkpb.CreateStepReply, int) {
	env := s.env
	ctx, stop := signal.NotifyContext(env.Ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	type answer struct {
		reply *rinkpb.CreateStepReply
		err   error
	}
	said, began := false, time.Now()
	var waitsFor error // why the step is not made yet
	ready := true      // the nodes have run their prologs
	say := func() {
		if time.Since(began) < stepWaitNot {
			return
		}
		if waitsFor != nil && !said && !s.quiet {
			env.Infof("Job %d step creation temporarily disabled, retrying (%s)", id, cli.Reason(waitsFor))
		}
		said = said || waitsFor != nil
	}
	for {
		// The first call tells whether there is room, the next one waits for it; or for
		// the nodes to be ready, and then there may be none.
		req.DontWait = waitsFor == nil && ready
		got := make(chan answer, 1)
		go func() { // ends with ctx
			reply, err := s.client.CreateStep(ctx, req)
			got <- answer{reply, err}
		}()
		patience := time.NewTimer(stepWait)
		var a answer
		for waiting := true; waiting; {
			select {
			case a = <-got:
				waiting = false
			case <-patience.C:
				say()
			}
		}
		patience.Stop()
		if a.err != nil {
			if ctx.Err() != nil {
				env.Errorf("Cancelled pending job step with signal %d", int(syscall.SIGINT))
				return nil, 1
			}
			env.Errorf("Unable to create step for job %d: %s", id, cli.Reason(cli.CallErr(a.err)))
			return nil, 1
		}
		say()
		err := cli.StatusErr(a.reply.Status)
		switch {
		case a.reply.RunProlog != "":
			if !s.hook("prolog", a.reply.RunProlog, id, s.ownStep()) {
				return nil, 1
			}
			req.PrologDone = true
			continue
		case err == nil:
			if said && !s.quiet {
				env.Infof("Step created for job %d", id)
			}
			for _, m := range a.reply.Messages {
				fmt.Fprintln(env.Stderr, m)
			}
			return a.reply, 0
		case cli.Is(err, slurm.ErrnoPrologRunning):
			ready, began = false, time.Now() // nothing is said of this
			if req.Immediate {               // which the controller answers at once
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		case !req.Immediate && (cli.Is(err, slurm.ErrnoNodesBusy) || cli.Is(err, slurm.ErrnoJobSuspended)):
			waitsFor, ready = err, true
			if !cli.Is(err, slurm.ErrnoNodesBusy) {
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		default:
			if cli.Is(err, slurm.ErrnoAlreadyDone) || cli.Is(err, slurm.ErrnoInvalidJobID) || cli.Is(err, slurm.ErrnoJobPending) {
				if cli.Is(err, slurm.ErrnoAlreadyDone) {
					env.Errorf("Slurm job %d has expired", id)
				} else {
					env.Errorf("Unable to confirm allocation for job %d: %s", id, cli.Reason(err))
				}
				env.Infof("Check SLURM_JOB_ID environment variable. Expired or invalid job %d", id)
				return nil, 1
			}
			for _, line := range a.reply.Status.Details {
				env.Errorf("%s", line)
			}
			env.Errorf("Unable to create step for job %d: %s", id, cli.Reason(err))
			return nil, 1
		}
	}
}

// ownVariables are those of a step's environment that only srun knows.
func (s *run) ownVariables() []string {
	c := &s.o.Client
	vars := []string{
		fmt.Sprintf("SLURM_UMASK=%04o", submit.FileMask(s.env)), submit.PrioProcess(),
		fmt.Sprintf("SRUN_DEBUG=%d", max(3+c.Verbose-c.Quiet, 0)),
	}
	if s.o.Job.Step.Pty {
		rows, cols := steps.WindowSize()
		vars = append(vars, fmt.Sprintf("SLURM_PTY_WIN_ROW=%d", rows), fmt.Sprintf("SLURM_PTY_WIN_COL=%d", cols))
	}
	return vars
}

// terminal reports whether --pty can be had. Without a terminal here there is
// none there, which is said, and the step goes on without.
func (s *run) terminal() bool {
	o := &s.o.Job
	if o.Input != "" || o.Output != "" || o.Error != "" {
		s.env.Errorf("--error/--input/--output are incompatible with --pty")
		return false
	}
	if err := steps.HasTerminal(); err != nil {
		s.env.Errorf("ioctl(TIOCGWINSZ): %s", submit.Cause(err))
		s.env.Errorf("Not using a pseudo-terminal, disregarding --pty option")
		o.Step.Pty = false
	}
	return true
}
