package noded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/noded/pmi"
	"github.com/runink/rink/noded/pmix"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
)

// A step with --mpi=pmix has a PMIx server on each of its nodes, a process of the
// job's user in a slice beside the step's (noded/pmix). It is there before the tasks
// are, stays when the agent is replaced, and goes with the tasks. Servers reach each
// other through their agents and srun.

const (
	// pmixTime is how long a server may take to come up.
	pmixTime = 30 * time.Second
	pmixEnd  = ".pmix" // ends the id of its slice
	// maxPMIxMessage bounds one message of a server's.
	maxPMIxMessage = 64 << 20
)

// pmixServer is the server of a step on this node, as the agent has it.
type pmixServer struct {
	t     *taskIO
	id    string // of its slice
	dir   string
	ready chan struct{} // closed when tasks or err is there
	once  sync.Once
	gone  chan struct{} // closed when its slice has ended

	aborted bool // it has said so; for talkPMIx alone

	writing sync.Mutex // held while an order is written; a server that does not read is waited for

	mu    sync.Mutex // guards all below
	conn  net.Conn
	tasks map[int32][]string // what each needs in its environment
	err   error
	got   map[int32]uint64 // of each node, up to which piece its mail is in the server
	told  chan struct{}    // closed when got grows
	over  bool             // it is to end
}

func speaksPMIx(order *rinkpb.LaunchStep) bool { return order.Mpi == "pmix" }

func (t *taskIO) newPMIx() *pmixServer {
	if !speaksPMIx(t.order) {
		return nil
	}
	return &pmixServer{
		t: t, id: t.id + pmixEnd, dir: filepath.Join(t.a.spool.jobDir(t.job.key), fmt.Sprintf("pmix.%d", t.order.Step)),
		ready: make(chan struct{}), gone: make(chan struct{}), got: map[int32]uint64{}, told: make(chan struct{}),
	}
}

// startPMIx starts the server of a step here and returns when it serves. A step that
// has none is ready.
func (a *Agent) startPMIx(ctx context.Context, j *job, p *pmixServer) error {
	if p == nil {
		return nil
	}
	if err := a.launchPMIx(ctx, j, p); err != nil {
		return fmt.Errorf("mpi/pmix: cannot start the server: %w", err)
	}
	return nil
}

func (a *Agent) launchPMIx(ctx context.Context, j *job, p *pmixServer) error {
	if err := os.MkdirAll(filepath.Dir(p.dir), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	program := filepath.Join(p.dir, pmix.Name)
	if err := os.Symlink(exe, program); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(p.dir, int(j.here.Uid), int(j.here.Gid)); err != nil {
			return err
		}
	}
	spec, err := a.baseSpec(j, p.id, fmt.Sprintf("step_%d_pmix", p.t.order.Step))
	if err != nil {
		return err
	}
	words := filepath.Join(p.dir, "log")
	// Values that tasks have put are kept by the server and asked of it: the library's
	// other way is files in shared memory, which tasks in a container would not see.
	spec.Tasks = []slice.Task{{
		Argv: []string{program, p.dir}, Env: []string{"PATH=" + os.Getenv("PATH"), "PMIX_MCA_gds=hash"}, Dir: "/", FallbackDir: "/",
		Stdin: slice.Stream{Kind: slice.StreamNull}, Stdout: slice.Stream{Kind: slice.StreamFile, Path: words}, Stderr: slice.Stream{Kind: slice.StreamStdout},
	}}
	ended := make(chan slice.Exit, 1)
	a.mu.Lock()
	a.asides[p.id] = ended
	a.mu.Unlock()
	if err := whileTextBusy(ctx, func() error {
		_, _, err := a.launcher().Launch(ctx, spec)
		return err
	}); err != nil {
		a.dropAside(p.id)
		return err
	}
	a.wg.Go(func() { a.watchPMIx(p, ended) }) // ends with the server, or the agent
	a.wg.Go(func() { a.talkPMIx(p) })         // likewise
	limit := time.NewTimer(pmixTime)
	defer limit.Stop()
	select {
	case <-p.ready:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err != nil && len(p.tasks) == 0 {
			// The log is its user's, and is read with their rights: they may have
			// put a link in its place.
			if text := strings.Join(strings.Fields(a.firstLineAs(j.here, words)), " "); text != "" {
				return fmt.Errorf("%w: %s", p.err, text)
			}
			return p.err
		}
		return nil
	case <-limit.C:
		return fmt.Errorf("it does not answer after %v", pmixTime)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fail notes that the server cannot serve.
func (p *pmixServer) fail(err error) {
	p.mu.Lock()
	first := p.err == nil && !p.over
	if p.err == nil {
		p.err = err
	}
	up := len(p.tasks) > 0
	p.mu.Unlock()
	p.once.Do(func() { close(p.ready) })
	if first && up {
		p.t.queue(&rinkpb.StepDown{Messages: []string{"slurmstepd: error: mpi/pmix: " + err.Error()}})
	}
}

// watchPMIx waits for the end of a server.
func (a *Agent) watchPMIx(p *pmixServer, ended <-chan slice.Exit) {
	select {
	case exit := <-ended:
		close(p.gone)
		a.dropAside(p.id)
		p.fail(fmt.Errorf("the server on %s has ended: %s", a.conf.Node, exitWords(exit)))
		if err := a.launcher().Forget(a.work, p.id); err != nil && a.work.Err() == nil && !errors.Is(err, launcher.ErrNotFound) {
			a.log.Warn("the launcher does not forget a slice", "slice", p.id, "error", err)
		}
	case <-a.work.Done():
	case <-a.stopped:
	}
}

func exitWords(exit slice.Exit) string {
	switch {
	case len(exit.Tasks) == 0:
		return "nobody knows why"
	case exit.Tasks[0].StartError != nil:
		return exit.Tasks[0].StartError.Error()
	case exit.Tasks[0].Status.Signaled():
		return exit.Tasks[0].Status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", exit.Tasks[0].Status.ExitStatus())
}

// talkPMIx connects to a server, tells it which step it serves, and does what it says
// until it is gone.
func (a *Agent) talkPMIx(p *pmixServer) {
	conn, err := a.dialPMIx(p)
	if err != nil {
		p.fail(err)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(a.work, func() { conn.Close() })
	defer stop()
	p.mu.Lock()
	p.conn = conn
	over := p.over
	p.mu.Unlock()
	if over {
		return
	}
	order := p.t.order
	err = p.send(&rinkpb.PmixOrder{Step: &rinkpb.PmixStep{
		Space: "slurm.pmix." + pmiName(order), Node: order.StepNodeIndex, Nodes: order.StepNodes, RankNodes: order.RankNodes,
		Uid: p.t.job.here.Uid, Gid: p.t.job.here.Gid, Dir: p.dir, Tmp: "/tmp",
	}})
	r := bufio.NewReader(conn)
	for err == nil {
		w := &rinkpb.PmixWord{}
		if err = (protodelim.UnmarshalOptions{MaxSize: maxPMIxMessage}).UnmarshalFrom(r, w); err == nil {
			err = p.heard(w)
		}
	}
	if a.work.Err() == nil && !a.stopping() {
		p.fail(fmt.Errorf("the server on %s does not answer: %w", a.conf.Node, err))
	}
}

// dialPMIx waits for a server to listen.
func (a *Agent) dialPMIx(p *pmixServer) (net.Conn, error) {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		dir, err := os.Open(p.dir)
		if err != nil {
			return nil, err
		}
		// By its open directory: the name of a socket must be short.
		conn, err := net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), pmix.Socket))
		dir.Close()
		if err == nil {
			if err := servedBy(conn, p.t.job.here.Uid); err != nil {
				conn.Close()
				return nil, err
			}
			return conn, nil
		}
		select {
		case <-poll.C:
		case <-p.ready:
			return nil, err
		case <-a.work.Done():
			return nil, a.work.Err()
		}
	}
}

// servedBy refuses a connection to what is not a process of the user: the directory
// is theirs, and in it may be a link to a socket that only root is to speak to.
func servedBy(conn net.Conn, uid uint32) error {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return cerr
	}
	if err == nil && cred.Uid != uid {
		err = fmt.Errorf("its socket is one of uid %d's", cred.Uid)
	}
	return err
}

func (p *pmixServer) send(o *rinkpb.PmixOrder) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	conn := p.conn
	p.mu.Unlock()
	if conn == nil {
		return errors.New("the server is not connected")
	}
	_, err := protodelim.MarshalTo(conn, o)
	return err
}

// heard does what a server says. It is a process of the user's, who may have it say
// anything: what is kept of it is bounded, and it waits for an srun that is slow.
func (p *pmixServer) heard(w *rinkpb.PmixWord) error {
	a, nodes := p.t.a, int32(len(p.t.order.StepNodes))
	known := func(n int32) bool { return n >= 0 && n < nodes }
	switch {
	case w.Ready != nil:
		p.mu.Lock()
		p.tasks = map[int32][]string{}
		for _, t := range w.Ready.Tasks {
			p.tasks[int32(t.Rank)] = t.Env
		}
		p.mu.Unlock()
		p.once.Do(func() { close(p.ready) })
	case w.Mail != nil:
		if m := w.Mail; m.From != p.t.order.StepNodeIndex || !known(m.To) || len(m.Data) > pmix.MaxPiece {
			return fmt.Errorf("it has mail of %d bytes from node %d to node %d", len(m.Data), m.From, m.To)
		}
		p.t.push(&rinkpb.StepDown{Pmix: w.Mail})
		p.send(&rinkpb.PmixOrder{Kept: &rinkpb.PmixSeq{Node: w.Mail.To, Seq: w.Mail.Seq}}) // or it is said again
	case w.Got != nil:
		if !known(w.Got.Node) {
			return fmt.Errorf("it has mail from node %d of a step of %d", w.Got.Node, nodes)
		}
		p.mu.Lock()
		p.got[w.Got.Node] = max(p.got[w.Got.Node], w.Got.Seq)
		close(p.told)
		p.told = make(chan struct{})
		p.mu.Unlock()
	case w.Abort != nil && !p.aborted:
		p.aborted = true
		a.log.Info("an MPI task wants its step ended", "slice", p.t.id, "rank", w.Abort.Rank, "status", w.Abort.Status, "words", w.Abort.Words)
		p.t.queue(&rinkpb.StepDown{Abort: true, AbortCode: w.Abort.Status})
	case w.Error != "":
		p.fail(errors.New(w.Error))
	}
	return nil
}

// mailPMIx takes mail of other nodes that srun passes on, up to the piece that says it
// is the last. It returns when the server has it all.
func (t *taskIO) mailPMIx(ctx context.Context, next func() (*rinkpb.StepUp, error)) error {
	p := t.pmix
	for {
		m, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Pmix == nil {
			return status.Error(codes.InvalidArgument, "mpi/pmix: mail of the step's nodes was to come")
		}
		if err := p.send(&rinkpb.PmixOrder{Mail: m.Pmix}); err != nil {
			return status.Errorf(codes.Unavailable, "mpi/pmix: %v", err)
		}
		for {
			p.mu.Lock()
			got, told := p.got[m.Pmix.From], p.told
			p.mu.Unlock()
			if got >= m.Pmix.Seq {
				break
			}
			select {
			case <-told:
			case <-ctx.Done():
				return ctx.Err()
			case <-t.a.stopped:
				return status.Error(codes.Unavailable, "the agent stops")
			}
		}
		if m.StdinEof {
			return nil
		}
	}
}

// ended says whether the server was told to end.
func (p *pmixServer) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

// endPMIx ends the server of a step whose tasks have ended, or never began, and waits
// for that, which who takes the ends of slices must not.
func (a *Agent) endPMIx(p *pmixServer) {
	if p == nil {
		return
	}
	p.mu.Lock()
	again := p.over
	p.over = true
	if p.conn != nil {
		p.conn.Close() // who writes to it waits for nobody any more
	}
	p.mu.Unlock()
	if again {
		return
	}
	if err := a.launcher().Kill(a.work, p.id); err != nil && a.work.Err() == nil && !errors.Is(err, launcher.ErrNotFound) {
		a.log.Warn("cannot end a PMIx server", "slice", p.id, "error", err)
	}
	a.mu.Lock()
	up := a.asides[p.id] != nil
	a.mu.Unlock()
	if up { // its cgroup is in the job's, which is to be empty
		select {
		case <-p.gone:
		case <-time.After(endGrace):
		case <-a.work.Done():
			return
		}
	}
	os.RemoveAll(p.dir)
}

// takeUpPMIx takes up the server of a step that a former agent started.
func (a *Agent) takeUpPMIx(p *pmixServer, live bool) {
	if p == nil {
		return
	}
	if !live {
		p.fail(errors.New("the server is gone"))
		return
	}
	ended := make(chan slice.Exit, 1)
	a.mu.Lock()
	a.asides[p.id] = ended
	a.mu.Unlock()
	a.wg.Go(func() { a.watchPMIx(p, ended) }) // ends with the server, or the agent
	a.wg.Go(func() { a.talkPMIx(p) })         // likewise
}

// tellTasks gives the tasks of a step what they need to find the server.
func (p *pmixServer) tellTasks(spec *slice.Spec) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.t.order.Tasks {
		env := taskenv.New(spec.Tasks[i].Env)
		for _, kv := range p.tasks[t.Rank] {
			if name, value, ok := strings.Cut(kv, "="); ok {
				env.Set(name, value)
			}
		}
		env.Set("SLURM_PMIX_MAPPING_SERV", pmi.Mapping(p.t.order.RankNodes))
		spec.Tasks[i].Env = env.List()
	}
}

// sweepPMIx ends servers that a former agent left and of whose steps nothing is
// known any more.
func (a *Agent) sweepPMIx(ctx context.Context, states []launcher.State) {
	for _, s := range states {
		a.mu.Lock()
		wanted := a.asides[s.ID] != nil
		a.mu.Unlock()
		if !s.Live || wanted || !strings.HasSuffix(s.ID, pmixEnd) {
			continue
		}
		if err := a.launcher().Kill(ctx, s.ID); err != nil && !errors.Is(err, launcher.ErrNotFound) {
			a.log.Warn("cannot end a PMIx server", "slice", s.ID, "error", err)
		}
	}
}
