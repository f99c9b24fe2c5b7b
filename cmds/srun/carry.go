package srun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/api/call"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/steps"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// carrier carries one step's streams and gathers how its tasks end.
type carrier struct {
	s         *run
	job       *sched.Job
	step      *sched.Step
	out       *steps.Printer
	up        chan *rinkpb.StepUp
	nodeOf    map[int32]string
	exits     map[int32]*rinkpb.TaskExit
	told      map[int32]bool // exits that were spoken of
	mu        sync.Mutex     // guards open and has, which talk reads
	open      map[string]bool
	has       map[string]uint64 // up to which number each node's messages are here
	untold    map[string]bool   // nodes that do not know it yet
	taken     int               // messages since they were told
	ackAt     <-chan time.Time  // time to tell them
	code      int
	ending    bool
	aborted   bool             // it was told that the step is being ended
	killAt    <-chan time.Time // --wait ran out
	giveUpAt  <-chan time.Time // tasks of a step that is being ended are waited for no longer
	forceAt   <-chan time.Time // tasks that were told to end have had their time
	forced    bool             // a task was ended by force, which is said in the end
	muted     bool             // the caller ends the step, and knows
	tellAt    <-chan time.Time // time to speak of tasks that ended badly
	mpi       mpiHub
	mail      mailRoom
	abortCode int // of a task that wanted all to end, through PMIx
}

// carry connects to the step's agents and returns the step's exit code when
// all of its tasks have ended and all of their output is written.
func (s *run) carry(req *rinkpb.CreateStepRequest, reply *rinkpb.CreateStepReply, files *outputs) int {
	job, err := api.JobFromProto(reply.Job)
	if err != nil {
		s.env.Errorf("%v", err)
		return 1
	}
	step, err := api.StepFromProto(reply.Step)
	if err != nil {
		s.env.Errorf("%v", err)
		return 1
	}
	c := &carrier{
		s: s, job: job, step: step, up: make(chan *rinkpb.StepUp, 16),
		nodeOf: map[int32]string{}, exits: map[int32]*rinkpb.TaskExit{}, told: map[int32]bool{}, open: map[string]bool{},
		has: map[string]uint64{}, untold: map[string]bool{},
	}
	for _, n := range c.step.Nodes {
		c.open[string(n.Node)] = true
		for _, r := range n.Ranks {
			c.nodeOf[int32(r)] = string(n.Node)
		}
	}
	what := job.ID.String() + "." + step.ID.String()
	if s.own {
		what = job.ID.String()
	}
	defer s.watchOver(what)()
	c.out = steps.NewPrinter(files.stdout, files.more, s.o.Job.Step.Label, max(c.step.Tasks, s.all)).From(s.offset)
	defer c.out.Flush()
	ctx, stop := context.WithCancel(s.env.Ctx)
	defer stop()
	restore := func() {}
	if s.o.Job.Step.Pty {
		restore = steps.RawTerminal()
		go c.followWindow(ctx) // ends with ctx
	}
	defer restore()
	if req.Stdin {
		go c.readInput(ctx, req.StdinTask) // ends with ctx, or with the input
	}
	// Output that nobody reads any more is dropped; the step goes on.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGALRM)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGCONT)
	defer signal.Stop(signals)
	down := make(chan *rinkpb.StepDown)
	lost := make(chan error, 1)
	go func() { lost <- c.talk(ctx, down) }() // ends with ctx or the step
	var ints interrupts
	again := make(echo)
	for len(c.open) > 0 {
		select {
		case m := <-down:
			c.receive(ctx, m)
		case <-c.ackAt:
			c.acknowledge()
		case sig := <-signals:
			if !again.seen(sig, time.Now()) {
				c.signalled(sig.(syscall.Signal), &ints)
			}
		case <-c.tellAt:
			c.tellAt = nil
			c.tellExits("")
		case <-c.killAt:
			c.killAt = nil
			c.say("First task exited %ds ago", c.waitLimit())
			c.sayStates()
			c.say("launch/slurm: _step_signal: Terminating StepId=%d.%s", c.job.ID, c.step.ID)
			c.kill()
		case <-c.forceAt:
			c.forceAt = nil
			c.kill()
		case <-c.giveUpAt:
			c.tellExits("")
			s.env.Errorf("Timed out waiting for job step to complete")
			c.kill()
			return c.code
		case err := <-lost:
			if len(c.open) == 0 {
				break
			}
			s.env.Errorf("the line to the step is lost: %s", cli.Reason(cli.CallErr(err)))
			s.jobEnded = call.CodeOf(err) == call.NotFound
			return max(c.code, 1)
		}
	}
	c.tellExits("")
	if c.forced {
		c.say("Force Terminated StepId=%d.%s", c.job.ID, c.step.ID)
	}
	c.acknowledge()
	for end := time.After(partTime); ; {
		select {
		case <-down: // again what is here
		case <-lost:
			return cmp.Or(c.abortCode, c.code)
		case <-end:
			return cmp.Or(c.abortCode, c.code)
		}
	}
}

const (
	// ackEvery is how many messages are taken before their nodes are told, which
	// keep them until then, and ackSoon how long a smaller number waits.
	ackEvery = 16
	ackSoon  = 20 * time.Millisecond
	// partTime is how long the nodes have at the end to take note that all is
	// here. One that does not keeps the step for a while.
	partTime = 500 * time.Millisecond
)

// receive takes a message that is not here already: after a line that broke a
// node sends again what it does not know to be.
func (c *carrier) receive(ctx context.Context, m *rinkpb.StepDown) {
	if m.Seq > 0 {
		c.mu.Lock()
		again := m.Seq <= c.has[m.Node]
		c.has[m.Node] = max(c.has[m.Node], m.Seq)
		c.mu.Unlock()
		c.untold[m.Node] = true
		if c.taken++; c.ackAt == nil {
			c.ackAt = time.After(ackSoon)
		}
		if again {
			return
		}
	}
	c.take(ctx, m)
	if c.taken >= ackEvery {
		c.acknowledge()
	}
}

// acknowledge tells the nodes what is here. While the line is broken they are not
// told: it begins with that when it is made anew.
func (c *carrier) acknowledge() {
	c.ackAt, c.taken = nil, 0
	if len(c.untold) == 0 {
		return
	}
	m := &rinkpb.StepUp{}
	for node := range c.untold {
		m.Taken = append(m.Taken, &rinkpb.NodeSeq{Node: node, Seq: c.has[node]})
	}
	select {
	case c.up <- m:
		clear(c.untold)
	default:
		c.ackAt = time.After(ackSoon)
	}
}

// maxLost is how long a step whose line broke is tried again.
const maxLost = 60 * time.Second

// talk keeps the stream of the step, also through a change of the daemon at
// its other end, and hands on what comes down.
func (c *carrier) talk(ctx context.Context, down chan<- *rinkpb.StepDown) error {
	broken := time.Time{}
	for {
		err := c.session(ctx, down)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if call.CodeOf(err) != call.Unavailable {
			return err
		}
		if broken.IsZero() {
			broken = time.Now()
		}
		if time.Since(broken) > maxLost {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (c *carrier) session(ctx context.Context, down chan<- *rinkpb.StepDown) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.s.client.StepIO(ctx)
	if err != nil {
		return err
	}
	attach := &rinkpb.StepAttach{Job: uint32(c.job.ID), Step: uint32(c.step.ID), Uid: c.s.env.UID()}
	c.mu.Lock()
	for n := range c.open {
		attach.Nodes = append(attach.Nodes, n)
		if c.has[n] > 0 {
			attach.Taken = append(attach.Taken, &rinkpb.NodeSeq{Node: n, Seq: c.has[n]})
		}
	}
	c.mu.Unlock()
	sort.Strings(attach.Nodes)
	if err := stream.Send(&rinkpb.StepUp{Attach: attach}); err != nil {
		return err
	}
	go func() { // ends with ctx
		for {
			select {
			case m := <-c.up:
				if stream.Send(m) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case down <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

// take deals with one message from an agent.
func (c *carrier) take(ctx context.Context, m *rinkpb.StepDown) {
	env := c.s.env
	if m.AbortWait > 0 && !c.aborted {
		c.aborted = true
		c.out.Flush()
		c.say("Job step aborted: Waiting up to %d seconds for job step to finish.", m.AbortWait)
		c.giveUpAt = time.After(time.Duration(m.AbortWait) * time.Second)
	}
	for _, line := range m.Messages {
		c.out.Flush()
		if c.s.o.Job.Step.Label {
			line = c.out.Label(m.MessagesRank) + line
		}
		fmt.Fprintln(env.Stderr, line)
	}
	if m.Pmi != nil {
		c.shares(ctx, m.Node, m.Pmi)
	}
	if m.Pmix != nil {
		c.mail.pass(ctx, c, m.Pmix)
	}
	if m.X11 > 0 {
		c.carryDisplay(ctx, m.Node, m.X11)
	}
	if m.Abort {
		c.abortCode = cmp.Or(c.abortCode, int(m.AbortCode)&0xff)
	}
	if m.Abort && !c.ending {
		c.kill()
	}
	if o := m.Output; o != nil {
		c.out.Write(o)
	}
	if st := m.Started; st != nil && st.Error != "" {
		env.Errorf("task %d launch failed: %s", st.Rank, st.Error)
	}
	if e := m.Exited; e != nil {
		c.exited(e)
	}
	if m.NodeError != "" {
		c.out.Flush()
		if errno := launchErrno(m.NodeError); errno != 0 {
			env.Errorf("Task launch for StepId=%d.%d failed on node %s: %s", c.job.ID, c.step.ID, m.Node, m.NodeError)
			env.Errorf("Application launch failed: %s", m.NodeError)
			env.Infof("Job step aborted")
			c.code = max(c.code, int(errno)&0xff)
			for rank, node := range c.nodeOf { // its tasks never were
				c.told[rank] = c.told[rank] || node == m.Node
			}
		} else {
			env.Errorf("task launch on node %s failed: %s", m.Node, m.NodeError)
			c.code = max(c.code, 1)
		}
	}
	if m.NodeDone {
		c.mu.Lock()
		delete(c.open, m.Node)
		c.mu.Unlock()
		c.tellExits(m.Node)
	}
}

// launchErrno is the number that Slurm has for what kept a node from starting a step;
// 0 is none.
func launchErrno(text string) slurm.Errno {
	for _, e := range []slurm.Errno{slurm.ErrnoNodePrologFailed, slurm.ErrnoNodeCPUBindError} {
		if text == e.Error() {
			return e
		}
	}
	return 0
}

// togetherTime is how long a task's bad end waits for others to be told with.
const togetherTime = 50 * time.Millisecond

// signalOOM is what Slurm notes as the signal of what ran out of memory.
const signalOOM = 125

// exited notes a task's end, and ends the others when that was asked for.
func (c *carrier) exited(e *rinkpb.TaskExit) {
	if c.exits[e.Rank] != nil {
		return
	}
	c.exits[e.Rank] = e
	code, sig := int(e.Exit.GetCode()), int(e.Exit.GetSignal())
	if e.Oom {
		code, sig = 1, 0 // so does Slurm
		c.s.signal = signalOOM
	}
	if sig != 0 {
		code = 128 + sig
		if c.s.signal != signalOOM {
			c.s.signal = sig
		}
	}
	c.code = max(c.code, code)
	if (sig == int(syscall.SIGKILL) || sig == int(syscall.SIGTERM)) && !c.aborted && !c.forced {
		c.forced = true // it is said when all have ended
	}
	if code != 0 && c.tellAt == nil {
		c.tellAt = time.After(togetherTime)
	}
	if len(c.exits) == c.step.Tasks || c.ending {
		return
	}
	if code != 0 && c.killOnBadExit() {
		c.ending = true
		if !c.aborted { // all are being ended, and their ends told together
			c.tellExits("")
		}
		c.say("launch/slurm: _step_signal: Terminating StepId=%d.%s", c.job.ID, c.step.ID)
		c.signalStep(syscall.SIGTERM)
		c.forceAt = time.After(killTime)
		return
	}
	if limit := c.waitLimit(); limit > 0 && c.killAt == nil {
		c.killAt = time.After(time.Duration(limit) * time.Second)
	}
}

func (c *carrier) killOnBadExit() bool {
	o := &c.s.o.Job
	if o.Given["kill-on-bad-exit"] {
		return o.Step.KillOnBadExit != 0
	}
	return c.s.defaults.GetKillOnBadExit()
}

func (c *carrier) waitLimit() int {
	if o := &c.s.o.Job; o.Given["wait"] {
		return o.Step.Wait
	}
	return int(c.s.defaults.GetWait())
}

// kill ends the whole step.
func (c *carrier) kill() {
	c.ending = true
	c.signalStep(syscall.SIGKILL)
}

// signalStep signals the step through the controller: a signal on the stream
// of the step would wait behind input that no task reads.
func (c *carrier) signalStep(sig syscall.Signal) { c.s.signalStep(c.job.ID, c.step.ID, sig) }

func (s *run) signalStep(job slurm.JobID, step slurm.StepID, sig syscall.Signal) {
	ctx, cancel := s.env.Call(10 * time.Second)
	defer cancel()
	_, err := s.client.SignalStep(ctx, &rinkpb.SignalStepRequest{Job: uint32(job), Step: uint32(step), Signal: int32(sig)})
	if err != nil && call.CodeOf(err) != call.NotFound { // it may just have ended
		s.env.Errorf("Unable to signal the step: %s", cli.Reason(cli.CallErr(err)))
	}
}

// killTime is how long tasks have between TERM and KILL when one of them ended
// badly.
const killTime = 30 * time.Second

// say prints what --quiet leaves out.
func (c *carrier) say(format string, args ...any) {
	if !c.s.quiet {
		c.s.env.Infof(format, args...)
	}
}

// tellExits prints how tasks ended that did not end well, those of one node
// or, with "", of all, in one line for tasks that ended alike.
func (c *carrier) tellExits(node string) {
	c.out.Flush()
	type how struct {
		node, words string
	}
	ranks := map[how][]uint32{}
	var order []how
	for r := int32(0); r < int32(c.step.Tasks); r++ {
		e := c.exits[r]
		if e == nil || c.told[r] || node != "" && c.nodeOf[r] != node {
			continue
		}
		c.told[r] = true
		words := exitWords(e)
		if words == "" || c.muted {
			continue
		}
		k := how{c.nodeOf[r], words}
		if ranks[k] == nil {
			order = append(order, k)
		}
		ranks[k] = append(ranks[k], uint32(int(r)+c.s.offset))
	}
	for _, k := range order {
		c.s.env.Errorf("%s: %s: %s", k.node, taskList(ranks[k]), k.words)
	}
}

func exitWords(e *rinkpb.TaskExit) string {
	sig := syscall.Signal(e.Exit.GetSignal())
	switch {
	case e.Oom:
		return "Out Of Memory"
	case sig != 0 && e.Core:
		return signalWords(sig) + " (core dumped)"
	case sig != 0:
		return signalWords(sig)
	case e.Exit.GetCode() != 0:
		return fmt.Sprintf("Exited with exit code %d", e.Exit.GetCode())
	}
	return ""
}

// signalWords is what the C library calls a signal.
func signalWords(sig syscall.Signal) string {
	words := sig.String()
	if words == "" {
		return ""
	}
	if first := syscall.Signal(34); sig >= first { // of those that the C library leaves to programs
		return fmt.Sprintf("Real-time signal %d", sig-first)
	}
	switch sig {
	case syscall.SIGUSR1:
		return "User defined signal 1"
	case syscall.SIGUSR2:
		return "User defined signal 2"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// interrupts counts Ctrl-C: the first tells how things stand, a second within
// a second goes to the tasks, a third ends the step.
type interrupts struct {
	last  time.Time
	count int
}

func (c *carrier) signalled(sig syscall.Signal, ints *interrupts) {
	step := &c.s.o.Job.Step
	switch sig {
	case syscall.SIGINT:
		if step.Pty {
			return
		}
		now := time.Now()
		if now.Sub(ints.last) > time.Second && !step.QuitOnInterrupt && !step.DisableStatus {
			ints.last, ints.count = now, 1
			c.say("interrupt (one more within 1 sec to abort)")
			c.sayStates()
			return
		}
		ints.last = now
		if ints.count++; ints.count > 2 {
			c.muted = true
			c.say("forcing job termination")
			c.kill()
			return
		}
		c.muted = !step.DisableStatus
		c.say("sending Ctrl-C to StepId=%d.%s", c.job.ID, c.step.ID)
		c.signalStep(sig)
		if step.QuitOnInterrupt {
			c.say("forcing job termination")
			c.kill()
		}
	case syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP:
		if sig == syscall.SIGQUIT {
			c.say("Quit")
		}
		c.say("forcing job termination")
		c.kill()
	case syscall.SIGCONT:
		c.say("got SIGCONT")
		c.signalStep(sig)
	default:
		c.signalStep(sig)
	}
}

// echo is when each signal came last. timeout(1) sends one to srun, and at once
// again to srun's process group: that is one.
type echo map[os.Signal]time.Time

const echoWithin = 50 * time.Millisecond

// seen reports whether sig came just before.
func (e echo) seen(sig os.Signal, at time.Time) bool {
	was, ok := e[sig]
	e[sig] = at
	return ok && at.Sub(was) < echoWithin
}

// sayStates tells how far the tasks are, a line for those that are alike.
func (c *carrier) sayStates() {
	byState := map[string][]uint32{}
	for r := int32(0); r < int32(c.step.Tasks); r++ {
		how := "running"
		if e := c.exits[r]; e != nil {
			how = "exited"
			if e.Exit.GetCode() != 0 || e.Exit.GetSignal() != 0 {
				how = "exited abnormally"
			}
		}
		byState[how] = append(byState[how], uint32(int(r)+c.s.offset))
	}
	for _, how := range []string{"running", "exited abnormally", "exited"} {
		if ranks := byState[how]; len(ranks) > 0 {
			c.say("StepId=%d.%s %s: %s", c.job.ID, c.step.ID, taskList(ranks), how)
		}
	}
}

// taskList names tasks: "task 3", "tasks 0-2,5".
func taskList(ranks []uint32) string {
	word := "task "
	if len(ranks) > 1 {
		word = "tasks "
	}
	return word + slurm.NewIndexSet(ranks...).String()
}

// readInput feeds the tasks what srun is fed.
func (c *carrier) readInput(ctx context.Context, task int32) {
	at := &rinkpb.StepAttach{Job: uint32(c.job.ID), Step: uint32(c.step.ID), Uid: c.s.env.UID(), Input: true}
	for _, n := range c.step.Nodes {
		at.Nodes = append(at.Nodes, string(n.Node))
	}
	steps.Feed(ctx, c.s.client.StepIO, at, task, c.s.env.Stdin, func(m *rinkpb.StepUp) {
		select {
		case c.up <- m:
		case <-ctx.Done():
		}
	})
}
