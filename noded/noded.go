// Package noded is the agent of a node: it registers the machine with the
// cluster, starts what the leader orders, watches it, reports how it ended, and
// survives its own restart without touching what runs. It never plans.
//
// What must not be lost is on disk in the spool before it is acted on: the
// orders of the jobs here, and the reports the leader has not acknowledged. The
// spool is tied to the machine's boot: after a reboot nothing of it runs any
// more, and the spool says so by carrying a new id.
package noded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/noded/logs"
	"github.com/runink/rink/slice"
)

// maxMessage bounds one message of a call.
const maxMessage = 64 << 20

// Options is what an agent is started with.
type Options struct {
	Config  Config
	Version string
	Logger  *slog.Logger
	// Level is what Logger logs from on, for those who may change it; nil: nobody.
	Level *slog.LevelVar
	// Shutdown ends the daemon when an operator says so; nil: it cannot be.
	Shutdown func()
	// Ready is called once when the leader has taken the node in.
	Ready func()
	// Notice is told, once each, what a person should know of this machine, such
	// as that cgroup limits are off and why; nil when nobody wants to know.
	Notice func(text string)
	// StopLauncher has the launcher end with the agent when nothing runs.
	// Otherwise it stays.
	StopLauncher bool
}

// Agent is one node's agent.
type Agent struct {
	opt     Options
	conf    Config
	log     *slog.Logger
	started time.Time
	self    *auth.Credentials
	users   *auth.Users
	spool   *spool
	box     *launcher.Client

	mu      sync.Mutex // guards jobs, past, asides, box and conf.Conf
	jobs    map[jobKey]*job
	past    *tombstones
	leaving atomic.Int32               // jobs that are on their way out with their place given away
	asides  map[string]chan slice.Exit // slices somebody waits for, by id

	serial    chan struct{} // held by the one hook that runs, with PrologFlags=Serial
	rebooting atomic.Bool
	health    struct {
		running sync.Mutex // held while the program runs; guards the others
		known   bool       // words were reported
		words   string     // why it failed last; "" when it did not
	}

	turns     turnBook   // who does something with the rights of users
	shelfMu   sync.Mutex // held while private /tmp directories in memory come and go
	meter     *meter
	logs      *logs.Shipper // nil: output goes nowhere but where the job wants it
	reports   *outbox
	answers   chan *rinkpb.Report // what the leader asked for and need not be kept
	ioBook    *ioBook
	gear      *gear // what devices there are
	confine   confine
	host      string
	cgroupOff string          // why cgroups cannot be used here; "" when they can
	work      context.Context // ends when Run does; what is begun under it may be taken up again
	cluster   string
	stopped   chan struct{} // closed when Run ends
	lines     *lines        // connections to controllers
	fence     *fence
	wg        sync.WaitGroup
}

// Run starts the agent and serves until ctx ends. What runs on the node goes on
// running.
func Run(ctx context.Context, opt Options) error {
	a := &Agent{
		opt: opt, conf: opt.Config, log: opt.Logger, started: time.Now(), users: auth.NewUsers(time.Minute),
		jobs: map[jobKey]*job{}, past: newTombstones(), serial: make(chan struct{}, 1), asides: map[string]chan slice.Exit{}, answers: make(chan *rinkpb.Report, 64), ioBook: newIOBook(), stopped: make(chan struct{}),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.log = a.log.With("node", a.conf.Node)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer a.stop()
	a.work, a.cluster = ctx, a.conf.Conf.ClusterName
	a.host, _ = os.Hostname()
	var err error
	if a.spool, err = openSpool(a.conf.Spool); err != nil {
		return err
	}
	defer a.spool.close()
	if a.fence, err = openFence(a.conf.Spool); err != nil {
		return err
	}
	var trouble error
	if a.reports, trouble, err = openOutbox(filepath.Join(a.conf.Spool, "outbox")); err != nil {
		return err
	}
	defer a.reports.close()
	if trouble = errors.Join(a.spool.trouble, trouble); trouble != nil {
		a.log.Error("what a former agent kept is not all readable", "error", trouble)
	}
	if a.box, err = launcher.Connect(ctx, launcher.Config{
		Spool: filepath.Join(a.conf.Spool, "launcher"), Parent: a.groupParent(),
	}); err != nil {
		return fmt.Errorf("cannot reach the launcher: %w", err)
	}
	defer a.stopLauncher()
	info, err := a.box.Info(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the launcher about this machine: %w", err)
	}
	if a.cgroupOff = info.CgroupOff; a.cgroupOff != "" {
		a.log.Warn("cgroup limits are off", "why", a.cgroupOff)
		if opt.Notice != nil {
			opt.Notice("cgroup limits are off: " + a.cgroupOff)
		}
	}
	a.gear = findGear(a.log, a.conf.Node, a.conf.Spool)
	defer a.gear.close()
	a.gear.configure(a.conf.Files, a.conf.Conf)
	a.confine.find(a.log, a.conf.Node)
	a.confine.configure(a.conf.Files, a.conf.Conf)
	cpus, _, _, _ := cpuTopology()
	a.meter = newMeter(gpuTells{a.gear.uses, a.gear.processes, sliceOfProcess}, int(cpus), filepath.Join(a.conf.Spool, "metered"))
	if err := a.findIdentity(ctx); err != nil {
		return err
	}
	a.lines = newLines(a.self, a.conf)
	defer a.lines.close()
	wire, err := auth.Listen(a.conf.Listen, auth.ListenerConfig{
		Credentials: a.self, Protocols: []auth.Protocol{auth.ProtoGRPC}, Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("cannot listen on the port of node %s: %w", a.conf.Node, err)
	}
	local, err := auth.ListenLocal(a.conf.Socket)
	if err != nil {
		wire.Close()
		return err
	}
	defer os.Remove(a.conf.Socket)
	limits := []grpc.ServerOption{grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage)}
	remote := grpc.NewServer(append(limits, grpc.Creds(auth.ServerCredentials()))...)
	rinkpb.RegisterAgentServer(remote, &stepIO{a: a})
	passing, others := a.passOn(limits)
	failed := make(chan error, 3)
	for _, l := range []struct {
		on     net.Listener
		server interface{ Serve(net.Listener) error }
	}{{wire.GRPC(), remote}, {local, passing}, {passing.Others(), others}} {
		a.wg.Go(func() {
			if err := l.server.Serve(l.on); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				failed <- fmt.Errorf("cannot serve %s: %w", l.on.Addr(), err)
			}
		})
	}
	exits, err := a.box.Subscribe(ctx)
	if err != nil {
		return fmt.Errorf("cannot follow the launcher: %w", err)
	}
	if a.logs, err = a.openLogs(); err != nil {
		return err
	}
	if err := a.restore(ctx); err != nil {
		return err
	}
	a.sweepClocks()
	a.wg.Go(func() { a.follow(ctx, exits) })
	a.wg.Go(func() { a.meter.run(ctx) })
	if a.logs != nil {
		a.wg.Go(func() { a.logs.Run(ctx) })
	}
	a.wg.Go(func() { a.gear.watch(ctx, a.reportDevices) })
	a.wg.Go(func() { a.watchCeilings(ctx) })
	a.wg.Go(func() { a.lookAtSlices(ctx) })
	a.watchLeaders(ctx)
	a.wg.Go(func() { a.stayConnected(ctx) })
	a.checkHealth(ctx)
	a.wg.Go(func() { a.self.Keep(ctx, a.renew, a.log) })

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	a.stop()
	a.ioBook.closeFiles()
	remote.Stop()
	others.Stop()
	passing.Stop()
	wire.Close()
	a.wg.Wait()
	return err
}

// stop says, once, that the agent is ending.
func (a *Agent) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopping() {
		close(a.stopped)
	}
}

func (a *Agent) stopping() bool {
	select {
	case <-a.stopped:
		return true
	default:
		return false
	}
}

// groupParent is the cgroup below which all slices of this agent live. Agents of
// clusters of the same name on one machine have spools of their own, and cgroups.
func (a *Agent) groupParent() string {
	parent := "rink/" + safeName(a.cluster) + "." + safeName(a.conf.Node)
	if a.conf.Spool == "" {
		return parent
	}
	sum := sha256.Sum256([]byte(a.conf.Spool))
	return parent + "-" + hex.EncodeToString(sum[:3])
}

func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
}

// follow takes the ends of slices from the launcher. When the launcher itself
// is gone, a new one is started: it finds what its predecessor left, ends it
// and says so.
func (a *Agent) follow(ctx context.Context, exits <-chan launcher.Event) {
	for {
		for e := range exits {
			if e.Exit != nil {
				a.sliceEnded(ctx, *e.Exit)
			} else {
				a.taskEnded(ctx, e.Slice, *e.Task)
			}
		}
		if ctx.Err() != nil {
			return
		}
		a.log.Error("the launcher is gone; starting another")
		for {
			box, err := launcher.Connect(ctx, launcher.Config{
				Spool: filepath.Join(a.conf.Spool, "launcher"), Parent: a.groupParent(),
			})
			if err == nil {
				if exits, err = box.Subscribe(ctx); err == nil {
					a.mu.Lock()
					old := a.box
					a.box = box
					a.mu.Unlock()
					old.Close()
					break
				}
				box.Close()
			}
			a.log.Error("cannot start a launcher", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		a.lookForLost(ctx)
	}
}

// launcher returns the launcher's client, which changes when it had to be
// started anew.
func (a *Agent) launcher() *launcher.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.box
}

func (a *Agent) stopLauncher() {
	box := a.launcher()
	if a.opt.StopLauncher {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := box.Shutdown(ctx, false); err != nil {
			a.log.Warn("the launcher stays", "error", err)
		}
	}
	box.Close()
}
