package launcher

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/noded/journal"
	"github.com/runink/rink/slice"
)

const protocol = 1

// server owns the slices.
type server struct {
	records records
	host    *slice.Host
	started time.Time
	uid     int
	quit    chan struct{} // closed by Shutdown, when the launcher is to end

	quitOnce sync.Once
	over     atomic.Bool  // Shutdown is answered: whoever asks now is for the next launcher
	asked    atomic.Int64 // requests so far
	before   int64        // and when trims looked last

	mu       sync.Mutex // guards what follows
	slices   map[string]*entry
	subs     map[*subscriber]bool
	stopping bool
}

// entry is a slice from its launch until it is forgotten. It is starting
// until ready is closed; then it is live until exit is set.
type entry struct {
	id    string
	ready chan struct{}
	stop  context.CancelFunc  // abandons the start
	slice *slice.Slice        // nil while starting, and for one of a former launcher, or that was killed in its start
	exit  *slice.Exit         // guarded by server.mu
	ends  []*launcherpb.Event // tasks that have ended while the slice is live; guarded by server.mu

	killed    bool // while it was starting; guarded by server.mu
	unsaved   bool // exit could not be recorded; guarded by server.mu
	forgotten bool // guarded by server.mu
}

// subscriber is a connection that is told of exits.
type subscriber struct {
	queue []*launcherpb.Event // guarded by server.mu
	wake  chan struct{}
	conn  *peer
	first int // how many it was told of at first
}

// maxBehind is how many events a subscriber may be behind, with those it begins with. One that is further, because
// it stands still, is left: should it come back, it is told anew what there is to tell.
const maxBehind = 1 << 16

// restore takes over what former launchers have left in the spool.
func (s *server) restore(dir string) error {
	file, trouble, err := journal.Open(filepath.Join(dir, "records"))
	if err != nil {
		return fmt.Errorf("cannot read the spool: %w", errors.Join(trouble, err))
	}
	s.records = records{file}
	runs, exits, more := s.records.load()
	if trouble = errors.Join(trouble, more); trouble != nil {
		log.Printf("records cannot be read and are left: %v", trouble)
	}
	for _, x := range exits {
		e := exitFromWire(x)
		s.slices[e.ID] = &entry{id: e.ID, ready: closedChan(), exit: e}
	}
	var wg sync.WaitGroup
	for _, r := range runs {
		id := r.GetSpec().GetId()
		wg.Go(func() {
			e := lost(s.host, r)
			log.Printf("slice %s is lost: %s", id, e.Note)
			if err := s.records.put(id, recordExit, exitToWire(e)); err != nil {
				log.Print(err)
			}
			s.mu.Lock()
			s.slices[id] = &entry{id: id, ready: closedChan(), exit: e}
			s.mu.Unlock()
		})
	}
	wg.Wait()
	return nil
}

func closedChan() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// serve answers one connection until it ends.
func (s *server) serve(conn *net.UnixConn) {
	c := newPeer(conn)
	defer c.Close()
	uid, err := peerUID(c)
	if err != nil || uid != s.uid {
		log.Printf("connection refused: uid %d: %v", uid, err)
		return
	}
	for {
		var req launcherpb.Request
		fds, err := receive(c, &req)
		closeAll(fds)
		if err != nil {
			return
		}
		if s.over.Load() {
			return
		}
		s.asked.Add(1)
		if req.GetSubscribe() != nil {
			s.publish(c)
			return
		}
		resp, files, err := s.answer(&req)
		if err != nil {
			resp = &launcherpb.Response{Error: errorToWire(err)}
		}
		resp.Id = req.GetId()
		if req.GetShutdown() != nil && resp.Error == nil {
			s.over.Store(true)
		}
		var pass []int
		for _, f := range files {
			pass = append(pass, int(f.Fd()))
		}
		err = send(c, resp, pass...)
		for _, f := range files {
			f.Close()
		}
		if req.GetShutdown() != nil && resp.Error == nil {
			s.quitOnce.Do(func() { close(s.quit) })
		}
		if err != nil {
			return
		}
	}
}

func errorToWire(err error) *launcherpb.Error {
	w := &launcherpb.Error{Text: strings.ToValidUTF8(err.Error(), "?")}
	var start *slice.StartError
	switch {
	case errors.As(err, &start):
		w.Code, w.Start = launcherpb.Error_START, startErrorToWire(start)
	case errors.Is(err, slice.ErrInvalid):
		w.Code = launcherpb.Error_INVALID
	case errors.Is(err, ErrNotFound):
		w.Code = launcherpb.Error_NOT_FOUND
	case errors.Is(err, ErrBusy), errors.Is(err, slice.ErrEnded):
		w.Code = launcherpb.Error_BUSY
	default:
		w.Code = launcherpb.Error_INTERNAL
	}
	return w
}

// answer does what a request asks. Files are for the client, and closed once
// they are sent.
func (s *server) answer(req *launcherpb.Request) (*launcherpb.Response, []*os.File, error) {
	ok := &launcherpb.Response{}
	switch op := req.GetOp().(type) {
	case *launcherpb.Request_Hello:
		return s.info(), nil, nil
	case *launcherpb.Request_Launch:
		if op.Launch.GetSpec() == nil {
			return nil, nil, fmt.Errorf("%w: no specification", slice.ErrInvalid)
		}
		resp, err := s.launch(specFromWire(op.Launch.GetSpec()))
		return resp, nil, err
	case *launcherpb.Request_List:
		return s.list(), nil, nil
	case *launcherpb.Request_Forget:
		return ok, nil, s.forget(op.Forget.GetSlice())
	case *launcherpb.Request_Shutdown:
		return ok, nil, s.shutdown(op.Shutdown.GetForce())
	case *launcherpb.Request_Usage:
		e, err := s.find(op.Usage.GetSlice())
		if err != nil {
			return nil, nil, err
		}
		if x := s.exitOf(e); x != nil {
			ok.Usage = usageToWire(x.Usage)
		} else {
			ok.Usage = usageToWire(e.slice.Usage())
		}
		return ok, nil, nil
	case *launcherpb.Request_Signal:
		e, err := s.findLive(op.Signal.GetSlice())
		if err != nil {
			return nil, nil, err
		}
		var tasks []int
		for _, t := range op.Signal.GetTasks() {
			tasks = append(tasks, int(t))
		}
		return ok, nil, e.slice.Signal(slice.Target(op.Signal.GetTarget()), syscall.Signal(op.Signal.GetSignal()), tasks...)
	case *launcherpb.Request_Spare:
		e, err := s.findLive(op.Spare.GetSlice())
		if err != nil {
			return nil, nil, err
		}
		return ok, nil, e.slice.Spare()
	case *launcherpb.Request_Kill:
		return ok, nil, s.kill(op.Kill.GetSlice())
	case *launcherpb.Request_Resize:
		e, err := s.findLive(op.Resize.GetSlice())
		if err != nil {
			return nil, nil, err
		}
		return ok, nil, e.slice.Resize(int(op.Resize.GetTask()), slice.Winsize{Rows: uint16(op.Resize.GetRows()), Cols: uint16(op.Resize.GetCols())})
	case *launcherpb.Request_CloseStdin:
		e, err := s.find(op.CloseStdin.GetSlice())
		if err != nil || e.slice == nil {
			return ok, nil, err
		}
		return ok, nil, e.slice.CloseStdin(int(op.CloseStdin.GetTask()))
	case *launcherpb.Request_Attach:
		return s.attach(op.Attach.GetSlice())
	}
	return nil, nil, fmt.Errorf("%w: unknown request", slice.ErrInvalid)
}

func (s *server) info() *launcherpb.Response {
	s.mu.Lock()
	live := 0
	for _, e := range s.slices {
		if e.exit == nil {
			live++
		}
	}
	s.mu.Unlock()
	return &launcherpb.Response{Info: &launcherpb.Info{Protocol: protocol, Pid: int32(os.Getpid()), StartedNs: timeToWire(s.started),
		CgroupVersion: s.host.Version.String(), Controllers: s.host.Controllers, CgroupRoot: s.host.Root, CgroupOff: s.host.Off,
		Slices: int32(live), RssBytes: ownRSS()}}
}

func ownRSS() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, rss uint64
	fmt.Sscan(string(text), &size, &rss)
	return rss * uint64(os.Getpagesize())
}

// find returns a slice that has been started.
func (s *server) find(id string) (*entry, error) {
	s.mu.Lock()
	e := s.slices[id]
	s.mu.Unlock()
	if e == nil {
		return nil, fmt.Errorf("slice %q: %w", id, ErrNotFound)
	}
	select {
	case <-e.ready:
		return e, nil
	default:
		return nil, fmt.Errorf("slice %q is being started: %w", id, ErrBusy)
	}
}

func (s *server) findLive(id string) (*entry, error) {
	e, err := s.find(id)
	if err == nil && s.exitOf(e) != nil {
		err = fmt.Errorf("slice %q has ended: %w", id, ErrBusy)
	}
	return e, err
}

func (s *server) exitOf(e *entry) *slice.Exit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.exit
}

// state is a slice as it is told; looking up the ids of its tasks takes a while.
func (s *server) state(e *entry, pids bool) *launcherpb.State {
	w := &launcherpb.State{Slice: e.id}
	if x := s.exitOf(e); x != nil {
		w.Exit, w.StartedNs, w.Warnings = exitToWire(x), timeToWire(x.Started), warningsToWire(x.Warnings)
		return w
	}
	w.Live = true
	pid, _ := e.slice.FirstPid()
	w.InitPid, w.StartedNs, w.Warnings = int32(pid), timeToWire(e.slice.Started()), warningsToWire(e.slice.Warnings())
	if !pids {
		return w
	}
	for _, p := range e.slice.Pids() {
		w.Pids = append(w.Pids, int32(p))
	}
	return w
}

func (s *server) list() *launcherpb.Response {
	s.mu.Lock()
	var entries []*entry
	for _, e := range s.slices {
		entries = append(entries, e)
	}
	s.mu.Unlock()
	sort.Slice(entries, func(i, j int) bool { return entries[i].id < entries[j].id })
	resp := &launcherpb.Response{}
	for _, e := range entries {
		select {
		case <-e.ready:
			resp.States = append(resp.States, s.state(e, true))
		default:
			resp.States = append(resp.States, &launcherpb.State{Slice: e.id, Live: true})
		}
	}
	return resp
}

// launch starts a slice unless there is one of its name.
func (s *server) launch(spec *slice.Spec) (*launcherpb.Response, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return nil, fmt.Errorf("the launcher is shutting down: %w", ErrBusy)
	}
	if e := s.slices[spec.ID]; e != nil {
		s.mu.Unlock()
		<-e.ready
		if !s.current(e) { // the other launch failed; this one may fare better
			return s.launch(spec)
		}
		return &launcherpb.Response{State: s.state(e, true), Already: true}, nil
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	e := &entry{id: spec.ID, ready: make(chan struct{}), stop: stop}
	s.slices[spec.ID] = e
	s.mu.Unlock()

	err := s.start(ctx, e, spec)
	s.mu.Lock()
	killed := e.killed
	if err != nil && !killed {
		delete(s.slices, spec.ID)
	}
	if err == nil || !killed {
		close(e.ready)
	}
	s.mu.Unlock()
	switch {
	case err != nil && killed:
		s.killedInStart(e, spec)
	case err != nil:
		return nil, err
	default:
		if killed { // the word came too late to abandon the start
			if err := e.slice.Kill(); err != nil {
				log.Printf("slice %s: %v", e.id, err)
			}
		}
		go s.watch(e) // stops with the slice
	}
	return &launcherpb.Response{State: s.state(e, false)}, nil
}

// kill ends a slice. One that is being started may be waiting for a file of its user's,
// a FIFO that nobody reads or one on a server that does not answer: its start is
// abandoned.
func (s *server) kill(id string) error {
	s.mu.Lock()
	e := s.slices[id]
	if e == nil {
		s.mu.Unlock()
		return fmt.Errorf("slice %q: %w", id, ErrNotFound)
	}
	select {
	case <-e.ready:
	default:
		e.killed = true
		e.stop()
		s.mu.Unlock()
		return nil
	}
	ended := e.exit != nil
	s.mu.Unlock()
	if ended {
		return nil
	}
	return e.slice.Kill()
}

// killedInStart has a slice whose start was abandoned end as one that was killed: who
// had it killed may be another than who waits for its start.
func (s *server) killedInStart(e *entry, spec *slice.Spec) {
	now := time.Now()
	exit := &slice.Exit{ID: e.id, Started: now, Ended: now, Killed: true, Tasks: make([]slice.TaskExit, len(spec.Tasks))}
	for i := range exit.Tasks {
		exit.Tasks[i] = slice.TaskExit{Status: syscall.WaitStatus(syscall.SIGKILL), Ended: now}
	}
	err := s.records.put(e.id, recordExit, exitToWire(exit))
	if err != nil {
		log.Print(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.exit, e.unsaved = exit, err != nil
	close(e.ready)
	s.tell(&launcherpb.Event{Exit: exitToWire(exit)})
}

// start writes the record before the first instruction and, when it is known,
// the first process after it: a launcher that dies between the two leaves a
// slice that its successor reports as lost, not one that is started again.
func (s *server) start(ctx context.Context, e *entry, spec *slice.Spec) error {
	if err := s.records.put(spec.ID, recordRun, runRecord(spec)); err != nil {
		return err
	}
	if spec.OOMScoreAdj == nil && ownOOMScoreAdj != normalOOMScoreAdj {
		spec.OOMScoreAdj = &normalOOMScoreAdj
	}
	sl, err := s.host.Start(ctx, spec)
	if err != nil {
		s.mu.Lock()
		killed := e.killed
		s.mu.Unlock()
		if killed {
			return err // its end is recorded
		}
		if rerr := s.records.Drop(spec.ID, ""); rerr != nil {
			log.Print(rerr)
		}
		return err
	}
	e.slice = sl
	pid, ticks := sl.FirstPid()
	if err := s.records.put(spec.ID, recordInit, &launcherpb.Record{InitPid: int32(pid), InitStartTicks: ticks, StartedNs: sl.Started().UnixNano()}); err != nil {
		log.Print(err)
	}
	return nil
}

// watch sees a slice to its end: the record first, then the word.
func (s *server) watch(e *entry) {
	for t := range e.slice.TaskEnds() {
		ev := &launcherpb.Event{Task: &launcherpb.TaskEnd{Slice: e.id, Task: int32(t.Task), Exit: taskExitToWire(&t.Exit), OomKills: t.OOMKills}}
		s.mu.Lock()
		e.ends = append(e.ends, ev)
		s.tell(ev)
		s.mu.Unlock()
	}
	exit := e.slice.Wait()
	err := s.records.put(e.id, recordExit, exitToWire(&exit))
	if err != nil {
		log.Print(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.exit, e.ends, e.unsaved = &exit, nil, err != nil
	s.tell(&launcherpb.Event{Exit: exitToWire(&exit)})
}

// save records the exits that could not be when they came, as on a full disk: without,
// a later launcher would hold their slices for lost.
func (s *server) save() {
	s.mu.Lock()
	defer s.mu.Unlock() // also while it is written, so that it is not forgotten meanwhile
	for _, e := range s.slices {
		if !e.unsaved || e.forgotten {
			continue
		}
		if s.records.put(e.id, recordExit, exitToWire(e.exit)) != nil {
			return // there is no room yet
		}
		e.unsaved = false
	}
}

// tell queues an event for every subscriber. Needs s.mu held.
func (s *server) tell(ev *launcherpb.Event) {
	for sub := range s.subs {
		if len(sub.queue) >= sub.first+maxBehind {
			delete(s.subs, sub)
			sub.queue = nil
			sub.conn.Close()
			continue
		}
		sub.queue = append(sub.queue, ev)
		select {
		case sub.wake <- struct{}{}:
		default:
		}
	}
}

// publish tells a connection of exits, and of tasks that end, until it is
// closed.
func (s *server) publish(c *peer) {
	sub := &subscriber{wake: make(chan struct{}, 1), conn: c}
	s.mu.Lock()
	for _, e := range s.slices {
		if e.exit != nil {
			sub.queue = append(sub.queue, &launcherpb.Event{Exit: exitToWire(e.exit)})
		}
	}
	for _, e := range s.slices {
		sub.queue = append(sub.queue, e.ends...)
	}
	sub.first = len(sub.queue)
	s.subs[sub] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.subs, sub)
		s.mu.Unlock()
	}()
	closed := make(chan struct{})
	go func() { // stops when the connection does
		defer close(closed)
		var one [1]byte
		c.Read(one[:]) // nothing is said on it any more
		c.Close()
	}()
	for {
		s.mu.Lock()
		queue := sub.queue
		sub.queue = nil
		s.mu.Unlock()
		for _, ev := range queue {
			if send(c, &launcherpb.Response{Event: ev}) != nil {
				c.Close()
				<-closed
				return
			}
		}
		select {
		case <-sub.wake:
		case <-closed:
			return
		}
	}
}

func (s *server) forget(id string) error {
	s.mu.Lock()
	e := s.slices[id]
	if e == nil {
		s.mu.Unlock()
		return fmt.Errorf("slice %q: %w", id, ErrNotFound)
	}
	if e.exit == nil {
		s.mu.Unlock()
		return fmt.Errorf("slice %q has not ended: %w", id, ErrBusy)
	}
	if e.forgotten {
		s.mu.Unlock()
		return fmt.Errorf("slice %q: %w", id, ErrNotFound)
	}
	e.forgotten = true
	s.mu.Unlock()
	if e.slice != nil {
		e.slice.CloseFiles()
	}
	// Before the name is free: the record of another slice of that name must
	// come after this one.
	err := s.records.Drop(id, "")
	s.mu.Lock()
	delete(s.slices, id)
	s.mu.Unlock()
	return err
}

func (s *server) attach(id string) (*launcherpb.Response, []*os.File, error) {
	e, err := s.find(id)
	if err != nil {
		return nil, nil, err
	}
	if e.slice == nil {
		return nil, nil, fmt.Errorf("slice %q has no streams here: %w", id, ErrBusy)
	}
	ends, err := e.slice.Files()
	if err != nil {
		return nil, nil, err
	}
	resp := &launcherpb.Response{State: s.state(e, true)}
	var files []*os.File
	at := func(f *os.File) int32 {
		if f == nil {
			return -1
		}
		files = append(files, f)
		return int32(len(files) - 1)
	}
	for i, f := range ends {
		resp.Files = append(resp.Files, &launcherpb.TaskFiles{Task: int32(i), Stdin: at(f.Stdin), Stdout: at(f.Stdout), Stderr: at(f.Stderr), Pty: at(f.PTY), Socket: at(f.Socket) + 1})
	}
	return resp, files, nil
}

// current reports whether a slice is there still: one whose start failed is not.
func (s *server) current(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slices[e.id] == e
}

// shutdown refuses while slices live, or with force kills them and waits
// until their exits are on disk.
func (s *server) shutdown(force bool) error {
	s.mu.Lock()
	var live []*entry
	for _, e := range s.slices {
		if e.exit == nil {
			live = append(live, e)
		}
	}
	if len(live) > 0 && !force {
		s.mu.Unlock()
		return fmt.Errorf("%d slices are live: %w", len(live), ErrBusy)
	}
	s.stopping = true
	s.mu.Unlock()
	deadline := time.Now().Add(20 * time.Second)
	for _, e := range live {
		if err := s.kill(e.id); err != nil && !errors.Is(err, ErrNotFound) {
			log.Printf("slice %s: %v", e.id, err)
		}
	}
	for _, e := range live {
		for s.current(e) && s.exitOf(e) == nil && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	s.save()
	return nil
}
