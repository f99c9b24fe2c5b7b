// Package display finds the user's display of the X Window System and connects to it
// for the tasks of a step (--x11).
package display

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/api/x11"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/steps"
)

// Mode is the variable in which a job's commands pass on how its steps are to have
// displays.
const Mode = "RINK_X11"

// Display is the user's display.
type Display struct {
	at     x11.Display
	cookie []byte
}

// Find finds the display of DISPLAY and its cookie. Its errors are Slurm's.
func Find(env *cli.Env) (*Display, error) {
	name := env.Getenv("DISPLAY")
	if name == "" {
		return nil, errors.New("No DISPLAY variable set, cannot setup x11 forwarding.")
	}
	at, err := x11.ParseDisplay(name)
	if err != nil {
		return nil, errors.New("Error parsing DISPLAY environment variable. Cannot use X11 forwarding.")
	}
	var addrs []net.IP
	if at.Host == "" {
		if _, err := os.Stat(at.Socket()); err != nil {
			return nil, errors.New("Cannot stat() local X11 socket `" + at.Socket() + "'")
		}
	} else if addrs, err = net.LookupIP(at.Host); err != nil {
		return nil, errors.New("Problem running xauth command. Cannot use X11 forwarding.")
	}
	path := env.Getenv("XAUTHORITY")
	if path == "" {
		path = filepath.Join(env.Getenv("HOME"), ".Xauthority")
	}
	var cookie []byte
	if file, err := os.Open(path); err == nil {
		list, _ := x11.ReadEntries(file) // of a torn file what is whole
		file.Close()
		host, _ := os.Hostname()
		cookie = x11.Find(list, at, host, addrs)
	}
	if cookie == nil {
		return nil, errors.New("x11_get_xauth: Could not retrieve magic cookie. Cannot use X11 forwarding.")
	}
	return &Display{at, cookie}, nil
}

// NewCookie makes a cookie for the tasks of a step, who never see the display's own.
func NewCookie() []byte {
	cookie := make([]byte, 16)
	rand.Read(cookie)
	return cookie
}

// Carry carries one connection of a step's task, number at.X11 on its node, to the
// display until either end closes it, or ctx ends.
func (d *Display) Carry(ctx context.Context, open steps.Open, at *rinkpb.StepAttach) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&rinkpb.StepUp{Attach: at}); err != nil {
		return err
	}
	network, address := "unix", d.at.Socket()
	if d.at.Host != "" {
		network, address = "tcp", d.at.Address()
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		stream.Send(&rinkpb.StepUp{StdinEof: true})
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	from := &lineReader{stream: stream}
	setup, err := x11.ReadSetup(from)
	if err != nil {
		return err
	}
	setup.Name, setup.Data = x11.Cookie, d.cookie
	if _, err := conn.Write(setup.Bytes()); err != nil {
		return err
	}
	go func() { // ends with conn, or the line
		buf := make([]byte, 32<<10)
		for {
			n, err := conn.Read(buf)
			if n > 0 && stream.Send(&rinkpb.StepUp{Stdin: append([]byte(nil), buf[:n]...), StdinTask: -1}) != nil {
				return
			}
			if err != nil {
				stream.Send(&rinkpb.StepUp{StdinEof: true, StdinTask: -1})
				return
			}
		}
	}()
	_, err = io.Copy(conn, from)
	return err
}

// lineReader reads what comes down a line.
type lineReader struct {
	stream rinkpb.Exchange[rinkpb.StepUp, rinkpb.StepDown]
	rest   []byte
}

func (r *lineReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		m, err := r.stream.Recv()
		if err != nil {
			return 0, err
		}
		if m.NodeDone {
			return 0, io.EOF
		}
		r.rest = m.GetOutput().GetData()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
