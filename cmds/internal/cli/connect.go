package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// Client is a connection to the cluster through a daemon of this host. Who is
// asking is told to the daemon by the kernel, not by the command; only a token
// (SLURM_JWT) outdoes that, which a controller verifies.
type Client struct {
	rinkpb.Controller
	Cluster string
	line    *line
}

// Close ends the connection.
func (c *Client) Close() error { return c.line.Close() }

// ConfigPath returns the configuration file a command goes by: $RINK_CONF,
// $SLURM_CONF, or the first of the usual places that is there.
func ConfigPath(env *Env) (string, error) {
	for _, name := range []string{"RINK_CONF", "SLURM_CONF"} {
		if p := env.Getenv(name); p != "" {
			return p, nil
		}
	}
	places := []string{"/etc/rink/rink.conf", "/etc/slurm/slurm.conf"}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("cannot find the cluster's configuration: neither RINK_CONF nor SLURM_CONF is set, and there is no %s",
		strings.Join(places, " or "))
}

// Locate reads the few keys of the configuration that say where the daemons'
// command sockets are, without reading the nodes and partitions.
func Locate(path string) (cluster, socket string, err error) {
	return locate(path, 0)
}

func locate(path string, depth int) (cluster, socket string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", fmt.Errorf("cannot open configuration: %w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(io.LimitReader(f, 64<<20))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line, _, _ := strings.Cut(in.Text(), "#")
		line = strings.TrimSpace(line)
		if words := strings.Fields(line); len(words) == 2 && strings.EqualFold(words[0], "include") && depth < 8 {
			inc := words[1]
			if !filepath.IsAbs(inc) {
				inc = filepath.Join(filepath.Dir(path), inc)
			}
			c, s, err := locate(inc, depth+1)
			if err != nil {
				return "", "", err
			}
			if c != "" {
				cluster = c
			}
			if s != "" {
				socket = s
			}
			continue
		}
		for _, word := range strings.Fields(line) {
			key, value, ok := strings.Cut(word, "=")
			if !ok {
				continue
			}
			switch strings.ToLower(key) {
			case "clustername":
				cluster = strings.ToLower(strings.Trim(value, `"`))
			case "commandsocket":
				socket = strings.Trim(value, `"`)
			}
		}
	}
	return cluster, socket, in.Err()
}

// Connect returns a client of the cluster. The controller's socket on this
// host is tried first, then the agents'. The error is Slurm's for a controller
// that cannot be reached, with what was tried within.
func Connect(env *Env) (*Client, error) { return connect(env, "ctld", "ctld.*", "noded.*") }

// ConnectNode returns a client that asks the agent of a node on this host; of the
// first there is when node is "".
func ConnectNode(env *Env, node string) (*Client, error) {
	if node == "" {
		node = "*"
	}
	return connect(env, "noded."+node)
}

// connect finds those of a host's daemons that answer, in the order given.
func connect(env *Env, daemons ...string) (*Client, error) {
	path, err := ConfigPath(env)
	if err != nil {
		return nil, err
	}
	cluster, pattern, err := Locate(path)
	if err != nil {
		return nil, err
	}
	if pattern == "" {
		pattern = slurm.DefaultCommandSocket
	}
	var tried, there []string
	var first *call.Conn
	for _, sock := range sockets(pattern, cluster, daemons...) {
		if first == nil { // the rest is tried when this one is lost
			if first, err = reach(sock); err != nil {
				tried = append(tried, err.Error())
				continue
			}
		}
		there = append(there, sock)
	}
	if first != nil {
		l := &line{socks: there, free: first, read: env.Getenv("RINK_READ"), token: env.token()}
		return &Client{Controller: rinkpb.CallController(l), Cluster: cluster, line: l}, nil
	}
	if len(tried) == 0 {
		tried = append(tried, "no daemon has a socket at "+pattern)
	}
	return nil, fmt.Errorf("%w (%s)", ErrUnreachable, strings.Join(tried, "; "))
}

// ErrUnreachable is Slurm's error for a controller that cannot be reached.
var ErrUnreachable = errors.New("Unable to contact slurm controller (connect failure)")

// sockets lists where daemons of this host may listen. In the pattern %c is the
// cluster's name and %d the daemon: "ctld" or, of one of several controllers,
// "ctld.NAME", and "noded.NODE"; * stands for any name that is there.
func sockets(pattern, cluster string, daemons ...string) []string {
	pattern = strings.ReplaceAll(pattern, "%c", cluster)
	if !strings.Contains(pattern, "%d") {
		return []string{pattern}
	}
	var list []string
	for _, daemon := range daemons {
		at := strings.ReplaceAll(pattern, "%d", daemon)
		if !strings.Contains(daemon, "*") {
			list = append(list, at)
			continue
		}
		found, _ := filepath.Glob(at)
		sort.Strings(found)
		list = append(list, found...)
	}
	return list
}

// reach connects to the daemon that listens on a socket.
func reach(sock string) (*call.Conn, error) {
	info, err := os.Stat(sock)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("%s is not a socket", sock)
	}
	return call.Dial(sock)
}

// Call is a context for one request to the cluster.
func (e *Env) Call(limit time.Duration) (context.Context, context.CancelFunc) {
	ctx := e.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithTimeout(ctx, limit)
}

// StatusErr turns a refusal into an error carrying its slurm.Errno; nil when
// the status is success.
func StatusErr(s *rinkpb.Status) error {
	if s == nil || s.Errno == 0 {
		return nil
	}
	errno := slurm.Errno(s.Errno)
	if s.Text == "" || s.Text == errno.Error() {
		return errno
	}
	return &refusal{errno: errno, text: s.Text}
}

// refusal is an Errno with words of its own.
type refusal struct {
	errno slurm.Errno
	text  string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.errno }

// CallErr turns an error of a call into one that can be printed.
func CallErr(err error) error {
	var how *call.Error
	if !errors.As(err, &how) {
		return err
	}
	switch how.Code {
	case call.Unavailable:
		return fmt.Errorf("%w", ErrUnreachable)
	case call.DeadlineExceeded:
		return errors.New("Socket timed out on send/recv operation")
	case call.PermissionDenied:
		return errors.New("Access/permission denied")
	case call.Unauthenticated: // a token that says nothing
		return slurm.ErrnoProtocolAuthentication
	}
	return errors.New(how.Text)
}
