package noded

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/api/x11"
	"github.com/runink/rink/noded/taskenv"
)

// Displays (--x11). A step's tasks find a display of this host's, on which the agent
// listens; each connection is carried to the step's srun on a line of its own, and on
// to the user's display from there. The cookie tasks have is made by srun for the
// step and is good here alone: srun puts the display's own in its place.

const (
	// Displays of nodes are numbered as Slurm's are.
	firstDisplay, lastDisplay = 20, 99
	// maxDisplays bounds the connections of a step's tasks here at a time.
	maxDisplays = 64
	// displayTime is how long a connection may take to say who it is, and srun to
	// fetch it.
	displayTime = 30 * time.Second
)

// displayDoor is the display of a step's tasks on this node.
type displayDoor struct {
	t      *taskIO
	cookie []byte
	l      net.Listener

	mu      sync.Mutex // guards what follows
	last    uint64     // the highest number of a connection
	waiting map[uint64]net.Conn
	open    map[net.Conn]bool
	closed  bool
}

// forwards says whether a step's tasks have a display on this node.
func forwards(order *rinkpb.LaunchStep) bool {
	at, all := int(order.Here.GetNodeIndex()), len(order.Here.GetNodes())
	switch order.X11 {
	case "":
		return false
	case "first", "batch":
		return at == 0
	case "last":
		return at == all-1
	}
	return true
}

// openDisplay has a step's tasks find a display, when they are to. Which one it is the
// order keeps.
func (a *Agent) openDisplay(j *job, order *rinkpb.LaunchStep, t *taskIO) error {
	if !forwards(order) {
		return nil
	}
	iso, err := isolationOf(j.here)
	if err != nil {
		return err
	}
	if iso.ns.Net {
		return errors.New("displays are not forwarded into a network of the job's own (SliceNet)")
	}
	numbers := []int{int(order.X11Display)}
	if order.X11Display == 0 {
		numbers = rand.Perm(lastDisplay - firstDisplay + 1)
		for i := range numbers {
			numbers[i] += firstDisplay
		}
	}
	var l net.Listener
	for _, n := range numbers {
		if l, err = net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(x11.FirstPort+n))); err == nil {
			order.X11Display = int32(n)
			break
		}
	}
	if err != nil {
		return fmt.Errorf("cannot listen for a display: %w", err)
	}
	if err := a.keepCookie(j, order); err != nil {
		l.Close()
		return err
	}
	d := &displayDoor{t: t, cookie: order.X11Cookie, l: l, waiting: map[uint64]net.Conn{}, open: map[net.Conn]bool{}}
	t.mu.Lock()
	over := t.over || t.ended
	t.display = d
	t.mu.Unlock()
	if over {
		d.close()
		return nil
	}
	stop := context.AfterFunc(a.work, d.close)
	a.wg.Go(func() { // ends with the step, or the agent
		defer stop()
		d.serve()
	})
	return nil
}

// cookieFile is where the tasks of a step find the cookie of their display.
func (a *Agent) cookieFile(j *job, order *rinkpb.LaunchStep) string {
	return filepath.Join(a.spool.jobDir(j.key), fmt.Sprintf("xauthority.%d", order.Step))
}

// entryOf is the cookie as programs look for it. Any address is right: what the name
// localhost stands for is not the same for all libraries.
func entryOf(order *rinkpb.LaunchStep) x11.Entry {
	return x11.Entry{Family: x11.FamilyWild, Number: strconv.Itoa(int(order.X11Display)), Name: x11.Cookie, Data: order.X11Cookie}
}

// keepCookie puts the cookie where tasks find it: in a file of the step's, or with
// X11Parameters=home_xauthority in the user's own.
func (a *Agent) keepCookie(j *job, order *rinkpb.LaunchStep) error {
	if a.liveConf().X11Parameters.Has("home_xauthority") {
		return a.homeCookie(j, order, true)
	}
	path, err := a.spool.file(j.key, filepath.Base(a.cookieFile(j, order)))
	if err != nil {
		return err
	}
	if err := writeWhole(path, entryOf(order).Bytes(), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, int(j.here.Uid), int(j.here.Gid)); err != nil {
			return fmt.Errorf("cannot give the cookie of a display to its user: %w", err)
		}
	}
	return nil
}

// maxAuthority bounds a user's file of authorizations.
const maxAuthority = 1 << 20

// homeCookie puts the cookie into the user's own file of authorizations, or takes it
// out again, under the lock that libXau has for it.
func (a *Agent) homeCookie(j *job, order *rinkpb.LaunchStep, in bool) error {
	who, err := a.users.ByUID(j.here.Uid)
	if err != nil {
		return err
	}
	user, err := a.rightsOf(j.here)
	if err != nil {
		return err
	}
	path := filepath.Join(who.Home, ".Xauthority")
	entry := entryOf(order)
	err = user.do(func() error {
		unlock, err := lockAuthority(path)
		if err != nil {
			return err
		}
		defer unlock()
		text, err := readAuthority(path)
		if err != nil {
			return err
		}
		list, err := x11.ReadEntries(bytes.NewReader(text))
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(e x11.Entry) bool {
			return e.Family == entry.Family && e.Number == entry.Number && (in || bytes.Equal(e.Data, entry.Data))
		})
		if in {
			list = append([]x11.Entry{entry}, list...)
		}
		var out []byte
		for _, e := range list {
			out = append(out, e.Bytes()...)
		}
		unix.Unlink(path + "-n") // of one that was killed at it: the lock is ours
		fd, err := unix.Open(path+"-n", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), path+"-n")
		_, err = file.Write(out)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Rename(path+"-n", path)
		}
		if err != nil {
			os.Remove(path + "-n")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot change %s: %w", path, err)
	}
	return nil
}

func readAuthority(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxAuthority {
		return nil, errors.Join(err, errors.New("it is no file of authorizations"))
	}
	return io.ReadAll(io.LimitReader(file, maxAuthority))
}

// lockAuthority takes the lock of a file of authorizations, as libXau does: a file is
// made, and a link to it. One that is old was left behind.
func lockAuthority(path string) (unlock func(), err error) {
	const stale = 30 * time.Second
	made, link := path+"-c", path+"-l"
	for _, name := range []string{made, link} {
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil && time.Since(time.Unix(st.Mtim.Unix())) > stale {
			unix.Unlink(made)
			unix.Unlink(link)
		}
	}
	for try := 0; ; try++ {
		fd, err := unix.Open(made, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			unix.Close(fd)
			if err = unix.Link(made, link); err == nil {
				unix.Unlink(made)
				return func() { unix.Unlink(link) }, nil
			}
			unix.Unlink(made)
		}
		if err != unix.EEXIST || try >= 50 {
			return nil, fmt.Errorf("cannot lock it: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// tellDisplay names the display to the tasks of a step.
func (a *Agent) tellDisplay(env *taskenv.Env, j *job, order *rinkpb.LaunchStep) {
	if !forwards(order) || order.X11Display == 0 {
		return
	}
	env.Set("DISPLAY", fmt.Sprintf("localhost:%d.0", order.X11Display))
	path := a.cookieFile(j, order)
	if a.liveConf().X11Parameters.Has("home_xauthority") {
		who, err := a.users.ByUID(j.here.Uid)
		if err != nil {
			return // nor was there a file to put it in
		}
		path = filepath.Join(who.Home, ".Xauthority")
	}
	env.Set("XAUTHORITY", path)
}

// serve takes connections until the door is closed.
func (d *displayDoor) serve() {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := d.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		d.mu.Lock()
		full := d.closed || len(d.open) >= maxDisplays
		if !full {
			d.open[conn] = true
		}
		d.mu.Unlock()
		if full {
			conn.Close()
			continue
		}
		all.Go(func() { d.admit(conn) })
	}
}

// admit lets a connection in that has the step's cookie, and tells srun of it.
func (d *displayDoor) admit(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(displayTime))
	setup, err := x11.ReadSetup(conn)
	if err != nil {
		d.drop(conn)
		return
	}
	if setup.Name != x11.Cookie || subtle.ConstantTimeCompare(setup.Data, d.cookie) != 1 {
		conn.Write(x11.Refusal(setup.Order, "Invalid "+x11.Cookie+" key"))
		d.drop(conn)
		return
	}
	conn.SetDeadline(time.Time{})
	setup.Name, setup.Data = "", nil // srun knows what the display wants
	said := &displayConn{Conn: conn, first: setup.Bytes()}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.last++
	id := d.last
	d.waiting[id] = said
	d.mu.Unlock()
	time.AfterFunc(displayTime, func() { // does nothing once it was fetched
		if c := d.fetch(id); c != nil {
			d.drop(conn)
		}
	})
	d.t.queue(&rinkpb.StepDown{X11: id})
}

// displayConn is a connection of which the beginning was read.
type displayConn struct {
	net.Conn
	first []byte
}

func (c *displayConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// fetch takes a connection that waits; nil when there is none of that number.
func (d *displayDoor) fetch(id uint64) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.waiting[id]
	delete(d.waiting, id)
	return c
}

func (d *displayDoor) drop(conn net.Conn) {
	conn.Close()
	if said, ok := conn.(*displayConn); ok {
		conn = said.Conn
	}
	d.mu.Lock()
	delete(d.open, conn)
	d.mu.Unlock()
}

// close ends the door and every connection.
func (d *displayDoor) close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	d.l.Close()
	for c := range d.open {
		c.Close()
	}
	clear(d.waiting)
}

// closeDisplay ends the display of a step that is over.
func (t *taskIO) closeDisplay() {
	t.mu.Lock()
	d := t.display
	t.display = nil
	t.mu.Unlock()
	if d == nil {
		return
	}
	d.close()
	a := t.a
	if !a.liveConf().X11Parameters.Has("home_xauthority") {
		os.Remove(a.cookieFile(t.job, t.order))
		return
	}
	a.wg.Go(func() { // ends when the file system answers
		if err := a.homeCookie(t.job, t.order, false); err != nil {
			a.log.Warn("the cookie of a display stays", "slice", t.id, "error", err)
		}
	})
}

// tunnel carries one connection to the step's display until either end closes it.
func (t *taskIO) tunnel(id uint64, next func() (*rinkpb.StepUp, error), send func(*rinkpb.StepDown) error) error {
	t.mu.Lock()
	d := t.display
	t.mu.Unlock()
	var conn net.Conn
	if d != nil {
		conn = d.fetch(id)
	}
	if conn == nil {
		return status.Errorf(codes.NotFound, "there is no connection %d to a display", id)
	}
	defer d.drop(conn)
	go func() { // ends with the line
		defer conn.Close()
		for {
			m, err := next()
			if err != nil || m.StdinEof {
				return
			}
			if _, err := conn.Write(m.Stdin); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if err := send(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Data: bytes.Clone(buf[:n])}}); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}
