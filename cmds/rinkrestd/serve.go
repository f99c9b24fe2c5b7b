// Package rinkrestd serves the cluster over HTTP as slurmrestd does: paths, documents
// and errors are those of Slurm's REST interface, data parsers v0.0.40 to v0.0.45.
//
// It knows nothing by itself: each request is worked into a command of Slurm's surface,
// which runs in this process, as the user whose token came with the request, and prints
// the document. So what a program is told here is what the command tells.
package rinkrestd

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

// defaultConnections is how many connections are served at once, as slurmrestd's.
const defaultConnections = 124

// Run is the daemon.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rinkrestd", Usage: "the cluster over HTTP", HideHelpCommand: true, HideVersion: true,
		UsageText: "rinkrestd [options] [HOST]:PORT|unix:PATH...\nrinkrestd [options]   one client, on standard input and output",
		Writer:    env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "a", Usage: "take only these `WAYS` of saying who asks: rest_auth/jwt, rest_auth/local; or list them"},
			&ucli.StringFlag{Name: "d", Usage: "serve only these data `PARSERS`, such as v0.0.43,v0.0.44; or list them"},
			&ucli.StringFlag{Name: "f", Usage: "read the configuration from `FILE` (default: $RINK_CONF, $SLURM_CONF, /etc/rink/rink.conf, /etc/slurm/slurm.conf)"},
			&ucli.StringFlag{Name: "g", Usage: "go on as this `GROUP`"},
			&ucli.StringFlag{Name: "u", Usage: "go on as this `USER`, once it is known where to listen"},
			&ucli.StringFlag{Name: "s", Usage: "serve only these `PARTS`: slurmctld, slurmdbd, util; or list them"},
			&ucli.IntFlag{Name: "max-connections", Value: defaultConnections, Usage: "serve `N` connections at once"},
			&ucli.IntFlag{Name: "t", Usage: "for scripts written for slurmrestd: as many threads as there is work for are used, not `N`"},
			&ucli.BoolFlag{Name: "generate-openapi-spec", Usage: "print the OpenAPI document and exit"},
			&ucli.BoolFlag{Name: "v", Aliases: []string{"vv", "vvv", "vvvv"}, Usage: "log each request"},
			&ucli.BoolFlag{Name: "V", Usage: "print the version and exit"},
		},
		Action: func(c *ucli.Context) error { return run(env, c) },
	}
	if err := app.Run(append([]string{"rinkrestd"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

func run(env *cli.Env, c *ucli.Context) error {
	if c.Bool("V") {
		fmt.Fprintln(env.Stdout, cli.VersionLine())
		return nil
	}
	s := &server{log: slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})), verbose: c.Bool("v"), now: env.Now, uid: uint32(os.Geteuid())}
	for _, pick := range []struct {
		flag, variable, prefix string
		all                    []string
		into                   *[]string
	}{
		{"a", "SLURMRESTD_AUTH_TYPES", "rest_auth/", []string{"jwt", "local"}, &s.auths},
		{"d", "SLURMRESTD_DATA_PARSER", "data_parser/", show.Parsers(), &s.parsers},
		{"s", "SLURMRESTD_OPENAPI", "openapi/", []string{partCtld, partDBD, partUtil}, &s.parts},
	} {
		value := c.String(pick.flag)
		if value == "" {
			value = env.Getenv(pick.variable)
		}
		if value == "list" {
			fmt.Fprintf(env.Stderr, "Possible plugins:\n%s%s\n", pick.prefix, strings.Join(pick.all, "\n"+pick.prefix))
			return nil
		}
		list, err := chosen(value, pick.prefix, pick.all)
		if err != nil {
			return fmt.Errorf("-%s: %w", pick.flag, err)
		}
		*pick.into = list
	}
	if path := c.String("f"); path != "" {
		s.vars = append(s.vars, "SLURM_CONF="+path)
	} else if path, err := cli.ConfigPath(env); err == nil {
		s.vars = append(s.vars, "SLURM_CONF="+path)
	} else {
		return err
	}
	if zone, ok := env.Lookup("TZ"); ok {
		s.vars = append(s.vars, "TZ="+zone)
	}
	s.mux = s.routes()
	if c.Bool("generate-openapi-spec") {
		_, err := env.Stdout.Write(append(s.openAPI(), '\n'))
		return err
	}
	listen := c.Args().Slice()
	if len(listen) == 0 {
		listen = show.Words(env.Getenv("SLURMRESTD_LISTEN"))
	}
	become := func() error { return s.become(c.String("u"), c.String("g")) }
	if len(listen) == 0 {
		if err := become(); err != nil {
			return err
		}
		return s.serveOne(env)
	}
	return s.listen(env, listen, c.Int("max-connections"), become)
}

// chosen reads a list of some of what there is; all of it when there is none.
func chosen(value, prefix string, all []string) ([]string, error) {
	if value == "" {
		return all, nil
	}
	var list []string
	for _, word := range strings.Split(value, ",") {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(word), prefix), "+")
		found := false
		for _, one := range all {
			found = found || one == name
		}
		if !found {
			return nil, fmt.Errorf("there is no %q (there is: %s)", word, strings.Join(all, ", "))
		}
		list = append(list, name)
	}
	return list, nil
}

// server answers requests.
type server struct {
	log     *slog.Logger
	verbose bool
	now     func() time.Time
	uid     uint32   // this process's
	vars    []string // what every command is told: where the cluster is
	auths   []string
	parsers []string
	parts   []string
	table   []route
	mux     *http.ServeMux
}

// Limits that keep a client from holding what it does not use.
const (
	headerLimit = 10 * time.Second
	idleLimit   = 2 * time.Minute
	stopLimit   = 10 * time.Second
	maxBody     = 64 << 20 // as slurmrestd takes
)

func (s *server) http() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: headerLimit, IdleTimeout: idleLimit, MaxHeaderBytes: 64 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// connKey is where a request's context has its connection.
type connKey struct{}

// listen serves until the process is told to end.
func (s *server) listen(env *cli.Env, where []string, most int, become func() error) error {
	ctx, stop := signal.NotifyContext(env.Ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var listeners []net.Listener
	forget := func(err error) error {
		for _, l := range listeners {
			l.Close()
		}
		return err
	}
	for _, at := range where {
		l, err := open(at)
		if err != nil {
			return forget(err)
		}
		listeners = append(listeners, &bounded{Listener: l, slots: make(chan struct{}, max(most, 1))})
		s.log.Info("listening", "at", at)
	}
	if err := become(); err != nil {
		return forget(err)
	}
	web := s.http()
	failed := make(chan error, len(listeners))
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() { failed <- web.Serve(l) }) // ends with Shutdown or Close
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ending, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if web.Shutdown(ending) != nil {
		web.Close()
	}
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// become has the whole process go on as another user, another group, or both.
func (s *server) become(name, group string) error {
	if name == "" && group == "" {
		return nil
	}
	uid, gid := os.Geteuid(), os.Getegid()
	number := func(text string) int {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return -1
		}
		return int(n)
	}
	if name != "" {
		u, err := hostuser.Lookup(name)
		if err != nil {
			if u, err = hostuser.LookupID(name); err != nil {
				return fmt.Errorf("-u: there is no user %q", name)
			}
		}
		uid, gid = number(u.Uid), number(u.Gid)
	}
	if group != "" {
		g, err := hostuser.LookupGroup(group)
		if err != nil {
			if g, err = hostuser.LookupGroupID(group); err != nil {
				return fmt.Errorf("-g: there is no group %q", group)
			}
		}
		gid = number(g.Gid)
	}
	if uid == os.Geteuid() && gid == os.Getegid() {
		return nil
	}
	err := syscall.Setgroups([]int{gid})
	if err == nil {
		err = syscall.Setgid(gid)
	}
	if err == nil {
		err = syscall.Setuid(uid)
	}
	if err != nil {
		return fmt.Errorf("cannot go on as uid %d and gid %d: %w", uid, gid, err)
	}
	s.uid = uint32(uid)
	return nil
}

// open listens at [HOST]:PORT or unix:PATH. A socket that nobody answers at any more is
// replaced.
func open(at string) (net.Listener, error) {
	path, local := strings.CutPrefix(at, "unix:")
	if !local {
		return net.Listen("tcp", strings.TrimPrefix(at, "http://"))
	}
	path = "/" + strings.TrimLeft(path, "/")
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, fmt.Errorf("somebody listens at %s already", path)
		}
		os.Remove(path)
	}
	return net.Listen("unix", path)
}

// bounded takes no more connections than it has slots for.
type bounded struct {
	net.Listener
	slots chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	b.slots <- struct{}{}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &slotted{Conn: c, free: sync.OnceFunc(func() { <-b.slots })}, nil
}

// slotted gives its slot back when it is closed.
type slotted struct {
	net.Conn
	free func()
}

func (c *slotted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
