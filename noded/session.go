package noded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// stayConnected keeps the standing line to the leader until ctx ends: the
// controller that is known to lead is tried first, then the others, and a broken
// line is taken up again.
func (a *Agent) stayConnected(ctx context.Context) {
	wait := 20 * time.Millisecond
	for ctx.Err() == nil {
		changed := a.lines.leaderChanged()
		for _, c := range a.lines.controllers() {
			began := time.Now()
			err := a.session(ctx, c)
			if ctx.Err() != nil {
				return
			}
			a.log.Debug("no session", "controller", c.name, "error", err)
			if time.Since(began) > 5*time.Second {
				wait = 20 * time.Millisecond
			}
			select {
			case <-changed: // begin with the new leader
			default:
				continue
			}
			break
		}
		select {
		case <-ctx.Done():
		case <-changed:
			wait = 20 * time.Millisecond
		case <-time.After(wait):
		}
		wait = min(wait*2, 2*time.Second)
	}
}

// session is one line to one controller, from hello to its end.
func (a *Agent) session(ctx context.Context, c controllerAt) error {
	conn, err := a.lines.dial(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go a.lines.untilOtherLeads(ctx, c, cancel) // ends with ctx
	// An address nobody answers at, or a controller that hangs, is not waited for
	// when there are others.
	slow := time.AfterFunc(a.lines.helloLimit(), cancel)
	defer slow.Stop()
	stream, err := rinkpb.NewNodesClient(conn).Session(ctx)
	if err != nil {
		return err
	}
	hello := &rinkpb.Hello{Found: a.found(), Jobs: a.held()}
	if err := stream.Send(&rinkpb.Report{Report: &rinkpb.Report_Hello{Hello: hello}}); err != nil {
		return sessionError(stream, err)
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	w := first.GetWelcome()
	if w == nil {
		return errors.New("the controller did not begin with a welcome")
	}
	if !slow.Stop() {
		return ctx.Err()
	}
	if err := a.fence.pass(first.Term); err != nil {
		return err
	}
	a.lines.leads(c, first.Term)
	a.newConfig(w.Config)
	for _, h := range w.Drop {
		a.dropJob(h)
	}
	a.log.Info("in the cluster", "controller", c.name, "term", first.Term)
	if a.opt.Ready != nil {
		a.opt.Ready()
		a.opt.Ready = nil
	}
	beat := time.Duration(max(w.Heartbeat, 1)) * time.Second
	sent := make(chan error, 1)
	go func() { sent <- a.sendReports(ctx, stream, beat) }() // ends with ctx or the stream
	defer func() { cancel(); <-sent }()
	quiet := newSilence(time.Duration(w.Silence)*time.Millisecond, cancel)
	defer quiet.stop()
	for {
		o, err := stream.Recv()
		if err != nil {
			return err
		}
		// What comes first after a long silence may have been on its way all the
		// while, and be true no more: the leader is asked anew what is.
		if quiet.broken() {
			return errors.New("the line was silent for too long")
		}
		if err := a.fence.pass(o.Term); err != nil {
			return err
		}
		a.carryOut(o)
	}
}

// sessionError prefers what the controller said over a broken pipe.
func sessionError(stream grpc.ClientStream, err error) error {
	if errors.Is(err, io.EOF) {
		return stream.RecvMsg(&rinkpb.Order{})
	}
	return err
}

// carryOut does what the leader orders. Nothing here waits for long: what
// takes time goes on by itself.
func (a *Agent) carryOut(o *rinkpb.Order) {
	// Work ordered over this line goes on when the line breaks.
	work := a.work
	switch m := o.Order.(type) {
	case *rinkpb.Order_Launch:
		a.launchJob(work, m.Launch)
	case *rinkpb.Order_Step:
		a.launchStep(work, m.Step)
	case *rinkpb.Order_End:
		a.endHere(m.End)
	case *rinkpb.Order_Signal:
		a.signal(work, m.Signal)
	case *rinkpb.Order_Suspend:
		a.suspend(work, m.Suspend)
	case *rinkpb.Order_Ack:
		a.reports.acked(m.Ack.Seq)
	case *rinkpb.Order_Sample:
		a.sample(m.Sample)
	case *rinkpb.Order_Prolog:
		a.prologHere(work, m.Prolog)
	case *rinkpb.Order_Cut:
		a.wg.Go(func() { a.reshape(m.Cut) }) // ends when the driver answers
	case *rinkpb.Order_CheckHealth:
		a.checkHealth(work)
	case *rinkpb.Order_Reboot:
		a.reboot(work)
	case *rinkpb.Order_SetLevel:
		if a.opt.Level != nil {
			a.opt.Level.Set(slog.Level(slurm.LogLevel(m.SetLevel.Level)))
		}
	case *rinkpb.Order_ShutDown:
		a.log.Info("shut down by an operator")
		if a.opt.Shutdown != nil {
			a.opt.Shutdown()
		}
	case *rinkpb.Order_Notify:
		if j := a.find(jobKey{m.Notify.Job, m.Notify.Restarts}); j != nil {
			a.tellOwner(j, fmt.Sprintf("slurmstepd-%s: error: %s\n", a.conf.Node, m.Notify.Text))
		}
	case *rinkpb.Order_Config:
		a.newConfig(m.Config.Config)
	}
}

// dropJob ends, without a report, what the leader says is no longer this
// node's.
func (a *Agent) dropJob(h *rinkpb.HeldJob) {
	k := jobKey{h.Job, h.Restarts}
	j := a.find(k)
	if j == nil {
		return
	}
	a.log.Warn("a job here is no longer this node's", "job", k.job)
	a.leave(j)
	a.endJob(j, 0, true, "")
}

// sendReports sends what is kept, from the first unacknowledged, and a
// heartbeat now and then.
func (a *Agent) sendReports(ctx context.Context, stream rinkpb.Nodes_SessionClient, beat time.Duration) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	if err := stream.Send(heartbeat()); err != nil {
		return err
	}
	var sent uint64
	for {
		for _, r := range a.reports.after(sent) {
			if err := stream.Send(r); err != nil {
				return err
			}
			sent = r.Seq
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.reports.more:
		case r := <-a.answers:
			if err := stream.Send(r); err != nil {
				return err
			}
		case <-ticker.C:
			if err := stream.Send(heartbeat()); err != nil {
				return err
			}
		}
	}
}

func heartbeat() *rinkpb.Report {
	h := &rinkpb.Heartbeat{At: time.Now().UnixNano()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if one, _, ok := strings.Cut(string(text), " "); ok {
			h.Load, _ = strconv.ParseFloat(one, 64)
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		h.FreeMem = int64(info.Freeram) * int64(info.Unit) >> 20
	}
	return &rinkpb.Report{Report: &rinkpb.Report_Heartbeat{Heartbeat: h}}
}

// found is what this machine is.
func (a *Agent) found() *rinkpb.RegisterNode {
	f := &rinkpb.RegisterNode{
		Node: a.conf.Node, Version: a.opt.Version, AgentStart: a.started.UnixNano(), SpoolId: a.spool.id, Boards: 1, Up: true,
		Arch: machine(), Os: kernel(), Gres: a.gear.found(), Shapes: a.gear.shapes(), Cuts: a.gear.cuts(), Fabric: a.gear.fabric(),
	}
	f.Cpus, f.Sockets, f.Cores, f.Threads = cpuTopology()
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		f.Memory = int64(info.Totalram) * int64(info.Unit) >> 20
		f.BootTime = time.Now().Add(-time.Duration(info.Uptime) * time.Second).UnixNano()
	}
	if a.conf.Rebooted {
		f.BootTime = a.started.UnixNano()
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(cmp.Or(a.liveConf().TmpFS, "/tmp"), &fs) == nil {
		f.TmpDisk = int64(fs.Blocks) * fs.Bsize >> 20
	}
	return f
}

func machine() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return runtime.GOARCH
	}
	return utsText(u.Machine[:])
}

func kernel() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return runtime.GOOS
	}
	return utsText(u.Sysname[:]) + " " + utsText(u.Release[:]) + " " + utsText(u.Version[:])
}

func utsText[T int8 | uint8](raw []T) string {
	var b strings.Builder
	for _, c := range raw {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// cpuTopology counts this machine's CPUs, sockets, cores a socket and threads
// a core, from /sys.
func cpuTopology() (cpus, sockets, cores, threads int32) {
	packages, coresSeen := map[string]bool{}, map[string]bool{}
	dirs, _ := os.ReadDir("/sys/devices/system/cpu")
	for _, d := range dirs {
		n, ok := strings.CutPrefix(d.Name(), "cpu")
		if _, err := strconv.Atoi(n); !ok || err != nil {
			continue
		}
		base := "/sys/devices/system/cpu/" + d.Name() + "/topology/"
		pkg, err1 := os.ReadFile(base + "physical_package_id")
		core, err2 := os.ReadFile(base + "core_id")
		if err1 != nil || err2 != nil {
			continue
		}
		cpus++
		packages[string(pkg)] = true
		coresSeen[string(pkg)+"/"+string(core)] = true
	}
	if cpus == 0 {
		n := int32(runtime.NumCPU())
		return n, 1, n, 1
	}
	sockets = int32(len(packages))
	cores = max(1, int32(len(coresSeen))/sockets)
	threads = max(1, cpus/(sockets*cores))
	return cpus, sockets, cores, threads
}
