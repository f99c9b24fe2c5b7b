// Package launcher is the small process on each node that owns the slices:
// their first processes, pipes, terminals and exit codes. The agent talks to
// it through a Client and can be killed, upgraded and started again without
// touching what runs; it finds every slice, its output and its exit again.
//
// The launcher is this same binary, called by the name of Name. It serves a
// private Unix socket to its own uid, keeps a record of each slice in its
// spool, and ends when it is told to, or when its spool is gone and nothing
// runs.
package launcher

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/slice"
)

// ownOOMScoreAdj is the launcher's own, and normalOOMScoreAdj what it was
// before and what slices get: the kernel should not choose the launcher, with
// which all slices end. Set by run before anything else.
var ownOOMScoreAdj, normalOOMScoreAdj int

// Main is the launcher process. Args are the spool, the socket, and the
// parent cgroup. It returns the exit status.
func Main(args []string) int {
	log.SetFlags(log.LstdFlags | log.LUTC | log.Lmsgprefix)
	log.SetPrefix(Name + ": ")
	if len(args) != 3 {
		log.Printf("usage: %s SPOOL SOCKET CGROUP", Name)
		return 2
	}
	if err := run(args[0], args[1], args[2]); err != nil {
		log.Print(err)
		return 1
	}
	return 0
}

func run(dir, socket, parent string) error {
	// A process that lives for months and holds next to nothing: collect
	// early, give memory back.
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(64 << 20)
	runtime.GOMAXPROCS(min(runtime.NumCPU(), maxProcs))
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTTOU, syscall.SIGTTIN)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	syscall.Umask(0o077)
	oomScores()

	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the spool: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	l, err := listen(socket)
	if err != nil {
		return err
	}
	defer l.Close()

	s := &server{host: slice.Probe(parent), started: time.Now(), uid: os.Geteuid(),
		quit: make(chan struct{}), slices: map[string]*entry{}, subs: map[*subscriber]bool{}}
	defer s.host.Close()
	if err := s.host.AdoptOrphans(); err != nil {
		return err
	}
	if s.host.Off != "" {
		log.Printf("cgroups are off: %s", s.host.Off)
	}
	if err := s.restore(dir); err != nil {
		return err
	}
	defer s.records.Close()
	trim()
	go s.trims()   // stops with the process
	go s.accept(l) // stops when the listener is closed
	go s.home(dir) // stops with the process
	log.Printf("serving %s, pid %d, cgroups %s", socket, os.Getpid(), s.host.Version)
	select {
	case <-s.quit:
	case <-term:
		log.Print("told to end: killing all slices")
		s.shutdown(true)
	}
	return nil
}

// oomScores makes the launcher an unlikely victim.
func oomScores() {
	const file = "/proc/self/oom_score_adj"
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	normalOOMScoreAdj, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	ownOOMScoreAdj = normalOOMScoreAdj
	if os.WriteFile(file, []byte("-900"), 0) == nil {
		ownOOMScoreAdj = -900
	}
}

// takeLock makes this the only launcher of the spool.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "launcher.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the spool: %w", err)
	}
	// A former launcher that has just died may hold it for a moment, through
	// a process that it was forking.
	for deadline := time.Now().Add(time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("cannot lock the spool %s: another launcher has it", dir)
		}
	}
}

func listen(socket string) (*net.UnixListener, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return l, nil
}

func (s *server) accept(l *net.UnixListener) {
	for {
		c, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Printf("cannot accept: %v", err)
			time.Sleep(100 * time.Millisecond) // out of descriptors: some come back
			continue
		}
		go s.serve(c) // stops with the connection
	}
}

// home writes down what could not be before, and ends the launcher once its spool is
// gone and nothing runs: nobody can ask for what it knows any more.
func (s *server) home(dir string) {
	for range time.Tick(5 * time.Second) {
		s.save()
		if _, err := os.Stat(filepath.Join(dir, "launcher.lock")); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		if s.shutdown(false) == nil {
			log.Printf("the spool %s is gone", dir)
			s.quitOnce.Do(func() { close(s.quit) })
			return
		}
	}
}
