package dev

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/ctld"
	"github.com/runink/rink/slurm"
)

// maxControllers bounds --controllers: more than seven only make a quorum slower.
const maxControllers = 7

// comeBack is how long a controller that ended unasked stays away, as its service
// manager would have it.
const comeBack = 5 * time.Second

// processes are controllers that are each a process of its own.
type processes struct {
	env     *cli.Env
	path    string // of the configuration
	dir     string
	names   []string
	verbose bool
	said    sync.Mutex
}

func controllerNames(conf *slurm.Conf) []string {
	var names []string
	for _, h := range conf.SlurmctldHost {
		names = append(names, h.Name)
	}
	return names
}

// run starts them and starts again whichever ends, until ctx ends. up is called
// once all of them have a vote.
func (p *processes) run(ctx context.Context, up func()) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	failed := make(chan error, len(p.names))
	for _, name := range p.names {
		wg.Go(func() {
			if err := p.keep(inner, name); err != nil {
				failed <- err
			}
		})
	}
	ready := make(chan error, 1)
	go func() { ready <- p.allVote(inner) }() // ends with inner
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			cancel()
			return err
		case err := <-ready:
			if err == nil {
				up()
			}
			ready = nil
		}
	}
}

// keep has one controller run until ctx ends. One that does not come up at first is
// an error.
func (p *processes) keep(ctx context.Context, name string) error {
	// The kernel sends a process the signal of its parent's death when the thread
	// that started it ends: this one, which is nobody else's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for first := true; ; first = false {
		args := []string{"rinkctld", "-f", p.path, "--name", name, "-L", filepath.Join(p.dir, "log", "ctld."+name+".log")}
		if p.verbose {
			args = append(args, "-v")
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := &exec.Cmd{Path: self, Args: args, Env: p.env.Vars, Stderr: p.env.Stderr, SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}}
		began := time.Now()
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("cannot start controller %s: %w", name, err)
		}
		p.say("controller %s is process %d", name, cmd.Process.Pid)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }() // ends with the process
		select {
		case err = <-ended:
		case <-ctx.Done():
			cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				cmd.Process.Kill()
				<-ended
			}
			return nil
		}
		if first && time.Since(began) < time.Second {
			return fmt.Errorf("controller %s ended: %v", name, err)
		}
		p.say("controller %s ended (%v); it is started again in %s", name, err, comeBack)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(comeBack):
		}
	}
}

func (p *processes) say(format string, args ...any) {
	p.said.Lock()
	defer p.said.Unlock()
	fmt.Fprintf(p.env.Stderr, "rink dev: "+format+"\n", args...)
}

// allVote waits until every controller is a member with a vote, and one leads.
func (p *processes) allVote(ctx context.Context) error {
	conf, err := ctld.ReadConf(p.path)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("unix:"+ctld.SocketPath(conf, "ctld."+p.names[0]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := rinkpb.NewControllerClient(conn)
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		reply, err := client.ListControllers(try, &rinkpb.ListControllersRequest{})
		cancel()
		if err == nil {
			voters, leads := 0, false
			for _, c := range reply.Controllers {
				if c.Voter && c.Up {
					voters++
				}
				leads = leads || c.Leader
			}
			if voters == len(p.names) && leads {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
