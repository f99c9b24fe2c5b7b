// Package ctld is the controller: it takes requests in, checks who asks and
// what for, proposes changes to the barn, runs the scheduling loop, sends what
// was committed to the agents, and watches over the nodes.
//
// Every controller serves reads and passes writes to the barn; the loops that
// act (scheduling, dispatch, node health, time limits) run on the leader alone.
package ctld

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/call/serve"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/secrets/atrest"
	"github.com/runink/rink/slurm"
)

// maxMessage bounds one message of a call.
const maxMessage = 64 << 20

// Options is what a controller is started with.
type Options struct {
	Config  Config
	Version string
	Logger  *slog.Logger
	// Level is what Logger logs from on, for those who may change it; nil: nobody.
	Level *slog.LevelVar
	// Shutdown ends the daemon when an operator says so; nil: it cannot be.
	Shutdown func()
	// Ready is called once when the controller leads or follows and serves; nil
	// when nobody wants to know.
	Ready func()
	// Reload asks, each time it yields, for the configuration files to be read
	// again, as scontrol reconfigure does; nil never.
	Reload <-chan os.Signal
	// Barn is changed by tests alone.
	Barn BarnForTests
}

// BarnForTests are options of the barn (barn.Options) that tests change: what its disk
// says, and when it takes snapshots and what it keeps of the log then.
type BarnForTests struct {
	WriteFault                       func(op string) error
	SnapshotRecords, TrailingRecords uint64
	SnapshotEvery                    time.Duration
}

// Server is one controller.
type Server struct {
	opt   Options
	conf  *slurm.Conf
	log   *slog.Logger
	start time.Time
	host  string

	lock *os.File // held as long as the directory is in use
	barn *barn.Barn
	// opened is barn, for those who may ask before it is there.
	opened atomic.Pointer[barn.Barn]
	store  *accounting.Store
	keys   *atrest.Keys // seal what is on the disk; nil: it is in the clear
	marks  frozenMarks
	ca     *auth.Authority
	self   *auth.Credentials
	users  *auth.Users
	wire   *auth.Listener // the one TLS port
	peers  *peerLines
	// leaders is who leads, for calls that wait for a leader.
	leaders *leaderBook
	lease   atomic.Pointer[lease]
	sights  sightings     // of a follower
	halting chan struct{} // closed when the controller is told to stop
	// accounts are who may do what, as of the last change that was seen.
	accounts atomic.Pointer[sched.Accounts]
	// slurmUser is SlurmUser of the configuration, likewise.
	slurmUser atomic.Pointer[string]

	sessions   *sessions
	loop       *loop
	soft       *softFacts
	power      power
	cuts       cuts
	prologs    *prologBook
	stopping   context.Context // ends when the server does
	mails      mailer
	checks     healthChecks
	triggers   *triggers
	asking     asking
	waits      *waitBook
	priorities *priorityBook
	stepLock   stepLocks
	stepBook   *stepBook
	agents     *agentLines
	diag       *diag
	tokenKey   *auth.UserKey // of the tokens of users; nil without AuthAltTypes=auth/jwt

	local *serve.Server // commands of this host
	unix  *grpc.Server  // others of this host
	tls   *grpc.Server
	join  *grpc.Server
	wg    sync.WaitGroup // the serving goroutines; Run waits for them
}

// Run starts the controller and serves until ctx ends, then stops: listeners
// first, so that nothing new comes in, the loops, and the barn last.
func Run(ctx context.Context, opt Options) error { return newServer(opt).run(ctx) }

// newServer is a controller that is not running yet.
func newServer(opt Options) *Server {
	s := &Server{
		opt: opt, conf: opt.Config.Conf, log: opt.Logger, start: time.Now(),
		users: auth.NewUsers(time.Minute), soft: newSoftFacts(), waits: newWaitBook(), stepBook: newStepBook(),
		priorities: newPriorityBook(), diag: newDiag(time.Now()), prologs: newPrologBook(), triggers: newTriggers(), leaders: newLeaderBook(),
		halting: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.host, _ = os.Hostname()
	s.sessions = newSessions(s)
	s.loop = newLoop(s)
	return s
}

func (s *Server) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.stopping = ctx

	for _, r := range s.opt.Config.Gone {
		s.log.Warn("a key of the configuration is ignored", "file", r.File, "line", r.Line, "key", r.Key, "why", r.Why)
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.close()
	listeners, err := s.listen()
	if err != nil {
		return err
	}
	failed := make(chan error, len(listeners)+2)
	for _, l := range listeners {
		s.wg.Go(func() {
			if err := l.server.Serve(l.on); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				failed <- fmt.Errorf("cannot serve %s: %w", l.on.Addr(), err)
			}
		})
	}
	watcher := s.barn.Follow(s.see)
	s.wg.Go(func() { s.act(ctx, watcher) })
	s.wg.Go(func() { s.lead(ctx) })
	s.wg.Go(func() { s.followLeader(ctx) })
	s.wg.Go(func() { s.reloadWhenTold(ctx) })
	s.wg.Go(func() { s.keepWhole(ctx) })
	s.wg.Go(func() {
		if err := s.belong(ctx); err != nil {
			failed <- err
		}
	})
	s.wg.Go(func() { s.self.Keep(ctx, s.renewSelf, s.log) })

	select {
	case <-ctx.Done():
	case err = <-failed:
	case err = <-s.barn.Failed():
		err = fmt.Errorf("the replicated state cannot go on: %w", err)
	}
	s.handOver()
	close(s.halting)
	cancel()
	s.stopServing()
	s.wg.Wait()
	return err
}

// handOver gives the lead to another controller before this one stops, so that
// nobody waits for it to be missed.
func (s *Server) handOver() {
	if !s.barn.IsLeader() {
		return
	}
	voters := 0
	for _, m := range s.barn.Servers() {
		if m.Voter {
			voters++
		}
	}
	if voters < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := s.barn.TransferLeadership(ctx, ""); err != nil {
		s.log.Warn("stops without handing over the lead", "error", err)
	}
}

// open brings up what the controller stands on: the accounting store, its CA
// and the barn.
func (s *Server) open(ctx context.Context) error {
	dir := s.opt.Config.StateDir
	var err error
	if s.tokenKey, err = s.opt.Config.ReadTokenKey(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make StateSaveLocation: %w", err)
	}
	if err := unfinishedRestore(dir); err != nil {
		return err
	}
	if s.lock, err = lockDir(dir); err != nil {
		return err
	}
	if err := s.bringUp(ctx, dir); err != nil {
		s.lock.Close()
		return err
	}
	return nil
}

// What controllers wait for one another: a follower that hears nothing for
// lostLeader and up to as much again stands for election, and a leader that hears
// no quorum for lostQuorum steps down. Both are long beside a pause of a busy
// machine and short beside what a person notices.
const (
	lostLeader  = 500 * time.Millisecond
	lostQuorum  = 400 * time.Millisecond
	peerTimeout = 3 * time.Second
)

func (s *Server) bringUp(ctx context.Context, dir string) (err error) {
	if err := s.openTrust(ctx, dir); err != nil {
		return err
	}
	s.agents, s.peers = newAgentLines(s.self), newPeerLines(s.self)
	s.wire, err = auth.Listen(s.opt.Config.Listen, auth.ListenerConfig{
		Credentials: s.self, Protocols: []auth.Protocol{auth.ProtoGRPC, auth.ProtoJoin, auth.ProtoRaft}, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("cannot listen on SlurmctldPort: %w", err)
	}
	defer func() {
		if err != nil {
			s.wire.Close()
		}
	}()
	if s.keys, err = s.opt.Config.ReadKeys(); err != nil {
		return err
	}
	if s.store, err = s.openHistory(dir, s.keys); err != nil {
		return err
	}
	sink := &historySink{store: s.store, log: s.log, enforce: s.conf.AccountingStorageEnforce, marks: &s.marks}
	s.barn, err = barn.Open(barn.Options{
		Dir: filepath.Join(dir, barnDir), Keys: barnKeys(s.keys), ID: s.opt.Config.Name, Address: s.opt.Config.Address,
		Cluster: s.conf.ClusterName, Bootstrap: s.founds(dir), Sinks: []barn.Sink{sink}, Logger: s.log,
		Stream:           watchedStream{auth.NewRaftLayer(s.wire, s.self, s.opt.Config.Address, s.nameAt), s.lostLine},
		HeartbeatTimeout: lostLeader, ElectionTimeout: lostLeader, LeaderLease: lostQuorum, NetworkTimeout: peerTimeout,
		WriteFault: s.opt.Barn.WriteFault, SnapshotRecords: s.opt.Barn.SnapshotRecords, SnapshotEvery: s.opt.Barn.SnapshotEvery, TrailingRecords: s.opt.Barn.TrailingRecords,
	})
	if err != nil {
		s.store.Close()
		return err
	}
	s.opened.Store(s.barn)
	sink.barn.Store(s.barn)
	s.store.RenewIf(func() bool { return len(s.barn.Servers()) > 1 })
	return nil
}

// close lets go of what open brought up, the barn last of those who write.
func (s *Server) close() {
	s.agents.close()
	s.triggers.close()
	s.peers.close()
	if err := s.barn.Close(); err != nil {
		s.log.Error("cannot close the barn", "error", err)
	}
	s.marks.close()
	if err := s.store.Close(); err != nil {
		s.log.Error("cannot close the accounting store", "error", err)
	}
	s.lock.Close() // last: from now on another controller may have the directory
}

// served is a listener with the server behind it.
type served struct {
	server interface{ Serve(net.Listener) error }
	on     net.Listener
}

// listen opens the Unix socket for the commands of this host and the TLS port
// for daemons.
func (s *Server) listen() ([]served, error) {
	sock := s.opt.Config.Socket
	if err := os.MkdirAll(filepath.Dir(sock), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory of CommandSocket: %w", err)
	}
	local, err := auth.ListenLocal(sock)
	if err != nil {
		return nil, err
	}
	unary := []grpc.UnaryServerInterceptor{s.tokenUnary, s.diag.unary, s.routeUnary}
	stream := []grpc.StreamServerInterceptor{s.tokenStream, s.diag.stream, s.routeStream}
	limits := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(unary...), grpc.ChainStreamInterceptor(stream...),
	}
	s.local = serve.New(serve.Options{Credentials: auth.ServerCredentials(), Unary: unary, Stream: stream})
	rinkpb.RegisterControllerServer(s.local, &controller{s: s, local: true})
	rinkpb.RegisterBarnServer(s.local, &barnService{s: s})
	s.unix = grpc.NewServer(append(limits, grpc.Creds(auth.ServerCredentials()))...)
	rinkpb.RegisterControllerServer(s.unix, &controller{s: s, local: true})
	rinkpb.RegisterBarnServer(s.unix, &barnService{s: s})
	s.tls = grpc.NewServer(append(limits, grpc.Creds(auth.ServerCredentials()))...)
	rinkpb.RegisterControllerServer(s.tls, &controller{s: s})
	rinkpb.RegisterNodesServer(s.tls, &nodes{s: s})
	rinkpb.RegisterMembersServer(s.tls, &members{s: s})
	rinkpb.RegisterPeersServer(s.tls, &peersService{s: s})
	s.join = grpc.NewServer(append(limits, grpc.Creds(auth.JoinServerCredentials()))...)
	rinkpb.RegisterJoinServer(s.join, &joiner{s: s})
	return []served{{s.local, local}, {s.unix, s.local.Others()}, {s.tls, s.wire.GRPC()}, {s.join, s.wire.Join()}}, nil
}

// stopServing ends the calls in progress after a moment's grace.
func (s *Server) stopServing() {
	s.sessions.closeAll()
	for _, g := range []interface {
		GracefulStop()
		Stop()
	}{s.unix, s.local, s.tls, s.join} {
		done := make(chan struct{})
		go func() { g.GracefulStop(); close(done) }() // ends at Stop below at the latest
		select {
		case <-done:
		case <-time.After(200 * time.Millisecond):
			g.Stop()
			<-done
		}
	}
}

// systemActor is the controller acting by itself.
var systemActor = state.Actor{System: true, User: "system"}

// propose commits commands in the controller's own name.
func (s *Server) propose(ctx context.Context, cmds ...state.Command) ([]state.Result, error) {
	if len(cmds) == 0 {
		return nil, nil
	}
	return s.barn.Propose(ctx, systemActor, cmds...)
}
