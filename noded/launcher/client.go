package launcher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/launcherpb"
	"github.com/runink/rink/slice"
)

// Name is what the launcher is called by: the binary's main calls Main when
// the base name of its argv[0] is this.
const Name = "rink-launcher"

// Config says where a launcher is and how to start one.
type Config struct {
	// Spool is the directory of the launcher's records; it is made when
	// absent. One launcher at a time serves a spool.
	Spool string
	// Socket is the path of its socket; empty is "launcher.sock" in Spool.
	Socket string
	// Log is the file that a started launcher writes to; empty is
	// "launcher.log" in Spool.
	Log string
	// Exe is the binary; empty is the one called Name beside this process's own,
	// or else this process's own.
	Exe string
	// Parent is the cgroup that slices are made in, for instance
	// "rink/c1.n7". Specs name the same.
	Parent string
}

func (c Config) filled() Config {
	if c.Socket == "" {
		c.Socket = filepath.Join(c.Spool, "launcher.sock")
	}
	if c.Log == "" {
		c.Log = filepath.Join(c.Spool, "launcher.log")
	}
	if c.Exe == "" {
		c.Exe = ownExe()
	}
	return c
}

// ownExe is the executable of launchers that belongs to this process's. It has to
// be of the same owner, as a build or a package leaves them.
func ownExe() string {
	const self = "/proc/self/exe"
	path, err := os.Executable()
	if err != nil {
		return self
	}
	var mine, beside unix.Stat_t
	small := filepath.Join(filepath.Dir(path), Name)
	if unix.Stat(self, &mine) != nil || unix.Lstat(small, &beside) != nil || beside.Mode&unix.S_IFMT != unix.S_IFREG ||
		beside.Mode&0o111 == 0 || beside.Uid != mine.Uid || beside.Mode&0o022&^mine.Mode != 0 {
		return self
	}
	return small
}

// What a launcher may answer beside slice.ErrInvalid and *slice.StartError.
var (
	// ErrNotFound: the launcher knows no slice of this name.
	ErrNotFound = errors.New("no such slice")
	// ErrBusy: what was asked does not go with the state that the slice, or
	// the launcher, is in: Forget of a live slice, Signal to an ended one,
	// Shutdown while slices live.
	ErrBusy = errors.New("not in this state")
	// ErrGone: the launcher does not answer. Whether it did what was asked
	// is not known.
	ErrGone = errors.New("the launcher is gone")
)

// Client talks to a launcher. It is safe for use by several goroutines; each
// call has a connection of its own while it lasts, so that a slow one holds
// up no other.
type Client struct {
	config Config

	mu     sync.Mutex // guards what follows
	idle   []*peer
	closed bool
	nextID uint64
}

// State is a slice as the launcher knows it.
type State struct {
	ID       string
	Live     bool
	FirstPid int // of the slice's first process
	Started  time.Time
	PIDs     []int // of the tasks; 0 for one that has ended; List and Attach alone tell
	Warnings []slice.StartError
	Exit     *slice.Exit // when not Live
}

// Info is what a launcher says of itself and its machine.
type Info struct {
	Protocol      int
	PID           int
	Started       time.Time
	CgroupVersion string // "v1", "v2" or "none"
	Controllers   []string
	CgroupRoot    string
	CgroupOff     string // why cgroups cannot be used; empty when they can
	Slices        int    // live ones
	RSS           uint64 // of the launcher, in bytes
}

// Connect returns a client of the launcher of c.Spool, which it starts if
// none answers. The launcher goes on when this process ends.
func Connect(ctx context.Context, c Config) (*Client, error) {
	c = c.filled()
	if !filepath.IsAbs(c.Spool) || !filepath.IsAbs(c.Socket) {
		return nil, fmt.Errorf("cannot use launcher spool %q, socket %q: want absolute paths", c.Spool, c.Socket)
	}
	cl := &Client{config: c}
	if _, err := cl.Info(ctx); err == nil {
		return cl, nil
	}
	if err := cl.spawn(ctx); err != nil {
		return nil, err
	}
	return cl, nil
}

// spawn starts a launcher and waits until it answers. Of two that are started
// at once, one finds the spool locked and gives way.
func (c *Client) spawn(ctx context.Context) error {
	if err := os.MkdirAll(c.config.Spool, 0o700); err != nil {
		return fmt.Errorf("cannot make the launcher's spool: %w", err)
	}
	log, err := os.OpenFile(c.config.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the launcher's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(c.config.Exe)
	cmd.Args = []string{Name, c.config.Spool, c.config.Socket, c.config.Parent}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GOTRACEBACK=all"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the launcher: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // stops with the launcher, or with this process
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(wait*2, 100*time.Millisecond) {
		_, err := c.Info(ctx)
		if err == nil {
			return nil
		}
		select {
		case werr := <-ended:
			// It gave way to another that is coming up, or it cannot run.
			if _, err := c.Info(ctx); err == nil {
				return nil
			}
			if werr != nil {
				return fmt.Errorf("cannot start the launcher: %w: see %s: %s", werr, c.config.Log, lastLine(c.config.Log))
			}
			ended = nil
		case <-ctx.Done():
			return fmt.Errorf("cannot reach the launcher at %s: %w", c.config.Socket, err)
		case <-time.After(wait):
		}
	}
}

func lastLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// Close closes the client's connections. The launcher and its slices go on.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.idle {
		conn.Close()
	}
	c.idle = nil
	return nil
}

// conn returns an idle connection, or a new one when there is none or fresh
// is asked for.
func (c *Client) conn(ctx context.Context, fresh bool) (*peer, bool, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, false, net.ErrClosed
	}
	if n := len(c.idle); n > 0 && !fresh {
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return conn, true, nil
	}
	c.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.config.Socket)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return newPeer(conn.(*net.UnixConn)), false, nil
}

func (c *Client) release(conn *peer) {
	conn.SetDeadline(time.Time{})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle) >= 16 {
		conn.Close()
		return
	}
	c.idle = append(c.idle, conn)
}

// call asks and waits for the answer. A connection that a former launcher
// left behind is replaced once, as long as nothing was asked over it.
func (c *Client) call(ctx context.Context, req *launcherpb.Request) (*launcherpb.Response, []int, error) {
	c.mu.Lock()
	c.nextID++
	req.Id = c.nextID
	c.mu.Unlock()
	for fresh := false; ; fresh = true {
		conn, reused, err := c.conn(ctx, fresh)
		if err != nil {
			return nil, nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
		if err = send(conn, req); err != nil && reused && ctx.Err() == nil {
			conn.Close()
			stop()
			continue
		}
		var resp launcherpb.Response
		var fds []int
		if err == nil {
			fds, err = receive(conn, &resp)
		}
		if err == nil && resp.GetId() != req.GetId() {
			err = fmt.Errorf("answer %d to request %d", resp.GetId(), req.GetId())
		}
		if !stop() || err != nil {
			conn.Close()
			closeAll(fds)
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			return nil, nil, fmt.Errorf("%w: %w", ErrGone, err)
		}
		c.release(conn)
		if e := resp.GetError(); e != nil {
			closeAll(fds)
			return nil, nil, errorFromWire(e)
		}
		return &resp, fds, nil
	}
}

func errorFromWire(e *launcherpb.Error) error {
	switch e.GetCode() {
	case launcherpb.Error_START:
		return startErrorFromWire(e.GetStart())
	case launcherpb.Error_INVALID:
		return &codeError{slice.ErrInvalid, e.GetText()}
	case launcherpb.Error_NOT_FOUND:
		return &codeError{ErrNotFound, e.GetText()}
	case launcherpb.Error_BUSY:
		return &codeError{ErrBusy, e.GetText()}
	}
	return errors.New(e.GetText())
}

// codeError is the launcher's own words for a kind of error.
type codeError struct {
	kind error
	text string
}

func (e *codeError) Error() string { return e.text }
func (e *codeError) Unwrap() error { return e.kind }

// Info asks the launcher about itself.
func (c *Client) Info(ctx context.Context) (Info, error) {
	resp, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Hello{Hello: &launcherpb.Hello{}}})
	if err != nil {
		return Info{}, err
	}
	i := resp.GetInfo()
	return Info{Protocol: int(i.GetProtocol()), PID: int(i.GetPid()), Started: timeFromWire(i.GetStartedNs()), CgroupVersion: i.GetCgroupVersion(),
		Controllers: i.GetControllers(), CgroupRoot: i.GetCgroupRoot(), CgroupOff: i.GetCgroupOff(), Slices: int(i.GetSlices()), RSS: i.GetRssBytes()}, nil
}

// Launch starts a slice, once: if the launcher has had one of this ID that is
// not forgotten, already is true and the state is that slice's, live or
// ended. The error is a *slice.StartError (errors.As) when the machine would
// not have it and nothing of it is left, slice.ErrInvalid (errors.Is) when it
// can never work, ErrGone when it is not known what happened: ask List.
func (c *Client) Launch(ctx context.Context, spec *slice.Spec) (state State, already bool, err error) {
	resp, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Launch{Launch: &launcherpb.Launch{Spec: specToWire(spec)}}})
	if err != nil {
		return State{}, false, err
	}
	return stateFromWire(resp.GetState()), resp.GetAlready(), nil
}

// Signal sends a signal to processes of a live slice. Tasks chooses among the
// tasks for TargetTasks and TargetTaskGroups; none means all of them.
func (c *Client) Signal(ctx context.Context, id string, target slice.Target, sig syscall.Signal, tasks ...int) error {
	m := &launcherpb.Signal{Slice: id, Signal: int32(sig), Target: launcherpb.Signal_Target(target)}
	for _, t := range tasks {
		m.Tasks = append(m.Tasks, int32(t))
	}
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Signal{Signal: m}})
	return err
}

// Spare leaves what outlives the tasks of a live slice to go by itself: it is
// no longer killed for their end, but by Kill.
func (c *Client) Spare(ctx context.Context, id string) error {
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Spare{Spare: &launcherpb.Spare{Slice: id}}})
	return err
}

// Kill has every process of a slice killed. That they are gone is told by the
// slice's exit. Killing a slice that has ended is no error.
func (c *Client) Kill(ctx context.Context, id string) error {
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Kill{Kill: &launcherpb.Kill{Slice: id}}})
	return err
}

// List returns all slices that are live or not forgotten, by ID.
func (c *Client) List(ctx context.Context) ([]State, error) {
	resp, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_List{List: &launcherpb.List{}}})
	if err != nil {
		return nil, err
	}
	out := []State{}
	for _, s := range resp.GetStates() {
		out = append(out, stateFromWire(s))
	}
	return out, nil
}

// Usage returns what a slice has used so far, or in all if it has ended.
func (c *Client) Usage(ctx context.Context, id string) (slice.Usage, error) {
	resp, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Usage{Usage: &launcherpb.Usage{Slice: id}}})
	if err != nil {
		return slice.Usage{}, err
	}
	return usageFromWire(resp.GetUsage()), nil
}

// Forget has the launcher drop an ended slice, its exit record and what is
// left in its pipes.
func (c *Client) Forget(ctx context.Context, id string) error {
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Forget{Forget: &launcherpb.Forget{Slice: id}}})
	return err
}

// Attach returns the launcher's ends of the pipes and terminals of a slice,
// by task; those that there are not are nil. They are duplicates, the
// caller's to close: the launcher keeps its own until Forget, so that a
// process never writes into a closed pipe and an unread byte is never lost.
// For the end of a task's standard input see CloseStdin.
func (c *Client) Attach(ctx context.Context, id string) ([]slice.Files, error) {
	resp, fds, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Attach{Attach: &launcherpb.Attach{Slice: id}}})
	if err != nil {
		return nil, err
	}
	var out []slice.Files
	for _, f := range resp.GetFiles() {
		files := slice.Files{}
		for _, end := range []struct {
			at   int32
			to   **os.File
			name string
		}{{f.GetStdin(), &files.Stdin, "stdin"}, {f.GetStdout(), &files.Stdout, "stdout"}, {f.GetStderr(), &files.Stderr, "stderr"}, {f.GetPty(), &files.PTY, "pty"}, {f.GetSocket() - 1, &files.Socket, "socket"}} {
			if end.at < 0 {
				continue
			}
			if int(end.at) >= len(fds) || fds[end.at] < 0 {
				for _, o := range append(out, files) {
					for _, file := range []*os.File{o.Stdin, o.Stdout, o.Stderr, o.PTY, o.Socket} {
						if file != nil {
							file.Close()
						}
					}
				}
				for _, fd := range fds {
					if fd >= 0 {
						syscall.Close(fd)
					}
				}
				return nil, fmt.Errorf("cannot attach to slice %q: the launcher passed %d descriptors, not %d", id, len(fds), end.at+1)
			}
			// The other end of a pipe or terminal is not affected. What does not
			// block can be waited for with a deadline, and its Close ends a Read.
			syscall.SetNonblock(fds[end.at], true)
			*end.to = os.NewFile(uintptr(fds[end.at]), id+"/"+end.name)
			fds[end.at] = -1
		}
		out = append(out, files)
	}
	return out, nil
}

// CloseStdin closes the launcher's end of a task's standard input. The task
// reads the end of it once the duplicates of Attach are closed too.
func (c *Client) CloseStdin(ctx context.Context, id string, task int) error {
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_CloseStdin{CloseStdin: &launcherpb.CloseStdin{Slice: id, Task: int32(task)}}})
	return err
}

// Resize sets the window size of a task's terminal.
func (c *Client) Resize(ctx context.Context, id string, task int, w slice.Winsize) error {
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Resize{Resize: &launcherpb.Resize{
		Slice: id, Task: int32(task), Rows: uint32(w.Rows), Cols: uint32(w.Cols)}}})
	return err
}

// Shutdown ends the launcher. While slices live that is refused with ErrBusy
// unless forced: then they are killed first.
func (c *Client) Shutdown(ctx context.Context, force bool) error {
	_, _, err := c.call(ctx, &launcherpb.Request{Op: &launcherpb.Request_Shutdown{Shutdown: &launcherpb.Shutdown{Force: force}}})
	return err
}

// Event is what a subscriber is told: the end of a slice, or that of one task
// while its slice goes on.
type Event struct {
	Slice string
	Exit  *slice.Exit
	Task  *slice.TaskEnd // when Exit is nil
}

// Subscribe returns a channel of events: first the exit of every slice that has
// ended and is not forgotten and the ends of tasks of live ones, then each as it
// happens. The ends of a slice's tasks come before its exit, in which they are
// repeated. The channel is closed when the launcher is gone or ctx is done.
func (c *Client) Subscribe(ctx context.Context) (<-chan Event, error) {
	conn, _, err := c.conn(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := send(conn, &launcherpb.Request{Op: &launcherpb.Request_Subscribe{Subscribe: &launcherpb.Subscribe{}}}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	out := make(chan Event)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	go func() { // stops when the connection does
		defer close(out)
		defer conn.Close()
		defer stop()
		for {
			var resp launcherpb.Response
			fds, err := receive(conn, &resp)
			closeAll(fds)
			if err != nil || resp.GetError() != nil {
				return
			}
			e, ok := eventFromWire(resp.GetEvent())
			if !ok {
				continue
			}
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
