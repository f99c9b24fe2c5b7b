package cmds_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/sbatch"
)

// rig is a cluster of processes that can be hurt: controllers and agents each a
// process and, where that can be had, a network namespace of its own.
type rig struct {
	t      testing.TB
	dir    string
	conf   string
	spaces bool // namespaces: the network can be cut
	net    string
	// detours are ways on which packets are late; nil without namespaces.
	detours *detours
	ctx     context.Context // of the commands that are run
	vars    []string        // of the environment of what is started

	mu       sync.Mutex // guards what follows
	procs    map[string]*process
	claimed  map[string]bool // by a fault
	stopping bool
	wg       sync.WaitGroup
}

// process is a controller or an agent that was started.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	mayEnd bool          // somebody sees to it that it ends
}

// rigOptions are what a rig is to be like.
type rigOptions struct {
	controllers, agents, cpus int
	more                      string // lines of slurm.conf
	spaces                    bool
	snapshots                 int          // a snapshot after so many log records; 0: as ever
	prepare                   func(r *rig) // is called before anything is started
}

var rigs struct {
	sync.Mutex
	n int
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "rf")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	r := &rig{t: t, dir: dir, conf: filepath.Join(dir, "slurm.conf"), procs: map[string]*process{}, claimed: map[string]bool{}, ctx: context.Background()}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "disks"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.vars = append(r.vars, diskFaults+"="+filepath.Join(dir, "disks"))
	if o.snapshots > 0 {
		r.vars = append(r.vars, fmt.Sprintf("%s=%d", smallSnapshots, o.snapshots))
	}
	if o.spaces {
		r.makeSpaces(o)
	}
	host, _ := os.Hostname()
	var b strings.Builder
	fmt.Fprintf(&b, "ClusterName=fault\n")
	for i := range o.controllers {
		fmt.Fprintf(&b, "SlurmctldHost=c%d(%s)\n", i+1, r.addr("c", i))
	}
	port := freePort(t)
	fmt.Fprintf(&b, `SlurmctldPort=%d
StateSaveLocation=%[2]s/ctld.%%n
SlurmdSpoolDir=%[2]s/node.%%n
CommandSocket=%[2]s/run/%%d.sock
SlurmctldLogFile=%[2]s/%%n.log
SlurmdLogFile=%[2]s/%%n.log
SlurmdParameters=config_overrides
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=10
MaxJobCount=20000000
MaxArraySize=200001
KillWait=2
SliceNamespaces=none
SliceCgroup=no
%s
`, port, dir, o.more)
	for i := range o.agents {
		p := port + 1
		if !r.spaces {
			p = freePort(t)
		}
		fmt.Fprintf(&b, "NodeName=n%d NodeHostname=%s NodeAddr=%s Port=%d CPUs=%d RealMemory=64000 State=UNKNOWN\n", i+1, host, r.addr("n", i), p, o.cpus)
	}
	b.WriteString("PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
	if err := os.WriteFile(r.conf, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	if o.prepare != nil {
		o.prepare(r)
	}
	for i := range o.controllers {
		r.start(fmt.Sprintf("c%d", i+1))
	}
	r.until(time.Minute, "all controllers vote", func() bool { return r.voters() == o.controllers })
	for i := range o.agents {
		r.start(fmt.Sprintf("n%d", i+1))
	}
	r.until(time.Minute, "all nodes idle", func() bool {
		out, err := r.do("sinfo", "-h", "-N", "-o", "%T")
		return err == nil && strings.Count(out, "idle") == o.agents
	})
	return r
}

// freePort finds a port nobody listens on at present.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// addr is where the i-th controller or agent is.
func (r *rig) addr(kind string, i int) string {
	switch {
	case r.spaces && kind == "n":
		return fmt.Sprintf("10.77.0.%d", 101+i)
	case r.spaces:
		return fmt.Sprintf("10.77.0.%d", 1+i)
	case kind == "n":
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.0.0.%d", 1+i)
}

func (r *rig) addrOf(name string) string {
	i, _ := strconv.Atoi(name[1:])
	return r.addr(name[:1], i-1)
}

// space is the namespace of a process.
func (r *rig) space(name string) string { return r.net + "-" + name }

// makeSpaces lays a bridge between namespaces, one a process. Without root, or
// without such a kernel, there are none and the network cannot be cut.
func (r *rig) makeSpaces(o rigOptions) {
	rigs.Lock()
	rigs.n++
	r.net = fmt.Sprintf("rf%d-%d", os.Getpid(), rigs.n)
	rigs.Unlock()
	var names []string
	for i := range o.controllers {
		names = append(names, fmt.Sprintf("c%d", i+1))
	}
	for i := range o.agents {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	hub := r.space("hub")
	run := func(words string) error {
		args := strings.Fields(words)
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", words, err, bytes.TrimSpace(out))
		}
		return nil
	}
	r.t.Cleanup(func() {
		for _, name := range append(names, "hub") {
			exec.Command("ip", "netns", "del", r.space(name)).Run()
		}
	})
	err := errors.Join(run("ip netns add "+hub), run("ip -n "+hub+" link add br0 type bridge"), run("ip -n "+hub+" link set br0 up"))
	r.spaces = true
	for i, name := range names {
		if err != nil {
			break
		}
		ns, port := r.space(name), fmt.Sprintf("p%d", i)
		err = errors.Join(run("ip netns add "+ns), run("ip -n "+hub+" link add "+port+" type veth peer name eth0 netns "+ns),
			run("ip -n "+hub+" link set "+port+" master br0 up"), run("ip -n "+ns+" addr add "+r.addrOf(name)+"/24 dev eth0"),
			run("ip -n "+ns+" link set eth0 up"), run("ip -n "+ns+" link set lo up"))
	}
	if err == nil {
		at := map[string]netip.Addr{}
		for _, name := range names {
			at[r.space(name)] = netip.MustParseAddr(r.addrOf(name))
		}
		r.detours, err = newDetours(at)
	}
	if err != nil {
		r.spaces = false
		r.t.Logf("no network namespaces: links are not cut, nor late (%v)", err)
		return
	}
	r.t.Cleanup(r.detours.close)
}

// cut drops what from sends to to, one way; mend lets it pass again.
func (r *rig) cut(from, to string) error {
	return exec.Command("ip", "-n", r.space(from), "route", "add", "blackhole", r.addrOf(to)+"/32", "metric", dropMetric).Run()
}

func (r *rig) mend(from, to string) error {
	return exec.Command("ip", "-n", r.space(from), "route", "del", "blackhole", r.addrOf(to)+"/32", "metric", dropMetric).Run()
}

// start starts a controller or an agent. One that ends by itself is an error.
func (r *rig) start(name string) {
	r.t.Helper()
	if err := r.launch(name); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) launch(name string) error {
	program, flag := "rinkctld", "--name"
	if name[0] == 'n' {
		program, flag = "rinknoded", "-N"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return err
	}
	args := []string{program, "-f", r.conf, flag, name}
	if r.spaces {
		nsenter, err := exec.LookPath("nsenter")
		if err != nil {
			return err
		}
		args = append([]string{"nsenter", "--net=/run/netns/" + r.space(name)}, append([]string{path}, args[1:]...)...)
		path = nsenter
	}
	errs, err := os.OpenFile(filepath.Join(r.dir, name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer errs.Close()
	env := append(os.Environ(), r.vars...)
	p := &process{cmd: &exec.Cmd{Path: path, Args: args, Env: env, Stderr: errs, Dir: r.dir}, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return nil
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	r.procs[name] = p
	r.wg.Go(func() { // ends with the process
		err := p.cmd.Wait()
		close(p.done)
		r.mu.Lock()
		expected := p.mayEnd || r.stopping
		r.mu.Unlock()
		if !expected {
			said, _ := os.ReadFile(filepath.Join(r.dir, name+".err"))
			r.t.Errorf("%s ended by itself: %v: %s", name, err, said[max(0, len(said)-3000):])
		}
	})
	return nil
}

func (r *rig) signal(name string, sig syscall.Signal) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.procs[name]
	p.mayEnd = p.mayEnd || sig == syscall.SIGKILL
	p.cmd.Process.Signal(sig)
	return p
}

// stop ends everything, the launchers too.
func (r *rig) stop() {
	if keep := os.Getenv("RINK_FAULT_LOGS"); keep != "" {
		for _, pattern := range []string{"*.log", "*.err"} {
			files, _ := filepath.Glob(filepath.Join(r.dir, pattern))
			for _, f := range files {
				text, _ := os.ReadFile(f)
				os.WriteFile(filepath.Join(keep, filepath.Base(f)), text, 0o644)
			}
		}
	}
	r.mu.Lock()
	r.stopping = true
	for _, p := range r.procs {
		p.cmd.Process.Signal(syscall.SIGCONT)
		p.cmd.Process.Signal(syscall.SIGKILL)
	}
	r.mu.Unlock()
	r.wg.Wait()
	c := &cluster{dir: r.dir}
	for _, pid := range c.launchers() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// env is the call of a command in this process.
func (r *rig) env(name string, stdout, stderr io.Writer, args ...string) *cli.Env {
	return &cli.Env{
		Name: name, Args: args, Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		Vars: []string{"RINK_CONF=" + r.conf, "PATH=" + os.Getenv("PATH"), "HOME=/tmp"}, Now: time.Now, Ctx: r.ctx,
	}
}

// sbatch submits, as the command does, and returns the id it prints.
func (r *rig) sbatch(args ...string) (string, error) {
	var out, errs bytes.Buffer
	if code := sbatch.Run(r.env("sbatch", &out, &errs, append([]string{"--parsable"}, args...)...)); code != 0 {
		return "", fmt.Errorf("sbatch: exit %d: %s", code, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// do runs a command of the cluster in this process.
func (r *rig) do(name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	if code := programs[name](r.env(name, &out, &errs, args...)); code != 0 {
		return out.String(), fmt.Errorf("%s: exit %d: %s", name, code, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// client is a line to one controller or agent, with no retries.
func (r *rig) client(name string) (rinkpb.ControllerClient, func()) {
	r.t.Helper()
	sock := r.sock(name)
	conn, err := grpc.NewClient("unix:"+sock, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		r.t.Fatal(err)
	}
	return rinkpb.NewControllerClient(conn), func() { conn.Close() }
}

// sock is the Unix socket of a controller or agent; one controller alone has no name.
func (r *rig) sock(name string) string {
	if name[0] == 'n' {
		return filepath.Join(r.dir, "run", "noded."+name+".sock")
	}
	if alone := filepath.Join(r.dir, "run", "ctld.sock"); name == "c1" {
		if _, err := os.Stat(alone); err == nil {
			return alone
		}
	}
	return filepath.Join(r.dir, "run", "ctld."+name+".sock")
}

// controllers asks how the controllers stand.
func (r *rig) controllers() []*rinkpb.ControllerState {
	for i := 1; i <= 7; i++ {
		name := fmt.Sprintf("c%d", i)
		if _, err := os.Stat(r.sock(name)); err != nil {
			continue
		}
		client, done := r.client(name)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		reply, err := client.ListControllers(ctx, &rinkpb.ListControllersRequest{})
		cancel()
		done()
		if err == nil {
			leads := false
			for _, c := range reply.Controllers {
				leads = leads || c.Leader && c.Up
			}
			if leads {
				return reply.Controllers
			}
		}
	}
	return nil
}

func (r *rig) voters() int {
	n := 0
	for _, c := range r.controllers() {
		if c.Voter && c.Up && c.Health.GetLeader() != "" {
			n++
		}
	}
	return n
}

// leader is who leads, "" while nobody is known to.
func (r *rig) leader() string {
	for _, c := range r.controllers() {
		if c.Leader && c.Up {
			return c.Name
		}
	}
	return ""
}

// until waits for something to become true.
func (r *rig) until(limit time.Duration, what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
	}
	r.t.Fatalf("it does not come to pass that %s:\n%s", what, r.tails())
}

func (r *rig) tails() string {
	var b strings.Builder
	for _, pattern := range []string{"c*.log", "*.err"} {
		files, _ := filepath.Glob(filepath.Join(r.dir, pattern))
		for _, f := range files {
			text, _ := os.ReadFile(f)
			fmt.Fprintf(&b, "%s:\n%s\n", filepath.Base(f), text[max(0, len(text)-1500):])
		}
	}
	return b.String()
}

// starts reads what the jobs wrote down where they ran: a line an incarnation.
func (r *rig) starts() map[string]int {
	starts := map[string]int{}
	files, _ := filepath.Glob(filepath.Join(r.dir, "started", "*"))
	for _, f := range files {
		file, err := os.Open(f)
		if err != nil {
			r.t.Fatal(err)
		}
		for in := bufio.NewScanner(file); in.Scan(); {
			starts[in.Text()]++
		}
		file.Close()
	}
	return starts
}

// doAt runs a command against one controller's own copy of the state.
func (r *rig) doAt(controller, name string, args ...string) (string, error) {
	conf := filepath.Join(r.dir, "at-"+controller+".conf")
	text := fmt.Sprintf("ClusterName=fault\nCommandSocket=%s/run/ctld.%s.sock\n", r.dir, controller)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return "", err
	}
	var out, errs bytes.Buffer
	env := r.env(name, &out, &errs, args...)
	env.Vars = append([]string{"RINK_CONF=" + conf, "RINK_READ=stale"}, env.Vars[1:]...)
	if code := programs[name](env); code != 0 {
		return out.String(), fmt.Errorf("%s at %s: exit %d: %s", name, controller, code, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
