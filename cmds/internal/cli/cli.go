// Package cli is what the commands share: how a command is called and how it
// speaks, finding the cluster and talking to it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/slurm"
)

// Version is the version of this program and Commit what it was built from;
// both are set at link time.
var (
	Version = "0.1.0"
	Commit  = "unknown"
)

// SurfaceVersion is the release of Slurm whose command surface is followed.
const SurfaceVersion = "26.05.3"

// VersionLine is what -V prints: one line whose first two words are what tools
// written for Slurm look for.
func VersionLine() string {
	return fmt.Sprintf("slurm %s (rink %s)", SurfaceVersion, Version)
}

// Env is a command's call: everything it may look at and write to. Tests make
// their own; nothing in a command asks the process instead.
type Env struct {
	Name   string   // the name it was called by, such as "sbatch" or "rbatch"
	Args   []string // without the name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Vars   []string // NAME=value
	Now    func() time.Time
	// Ctx ends when the command is told to stop by its caller.
	Ctx context.Context
	// Via is through what the command is called when no shell calls it; nil: one does.
	Via *Via
	// Quiet keeps Infof from printing, as -Q of the commands that submit asks for.
	Quiet bool

	vars map[string]string
}

// Via is what a document says of who asked for it, where that is another program over
// the network: what answers it, and from where it was asked and as whom.
type Via struct {
	PluginType, PluginName string
	Source, User, Group    string
}

// OSEnv is the call this process got.
func OSEnv(name string, args []string) *Env {
	return &Env{
		Name: name, Args: args,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Vars: os.Environ(), Now: time.Now, Ctx: context.Background(),
	}
}

// Getenv returns the value of a variable, "" when it is not set.
func (e *Env) Getenv(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Lookup returns the value of a variable and whether it is set.
func (e *Env) Lookup(name string) (string, bool) {
	if e.vars == nil {
		e.vars = make(map[string]string, len(e.Vars))
		for _, kv := range e.Vars {
			if k, v, ok := strings.Cut(kv, "="); ok {
				e.vars[k] = v
			}
		}
	}
	v, ok := e.vars[name]
	return v, ok
}

// Errorf prints one line "NAME: error: ..." on stderr.
func (e *Env) Errorf(format string, args ...any) {
	fmt.Fprintf(e.Stderr, "%s: error: %s\n", e.Name, fmt.Sprintf(format, args...))
}

// Warnf prints one line "NAME: warning: ..." on stderr.
func (e *Env) Warnf(format string, args ...any) {
	fmt.Fprintf(e.Stderr, "%s: warning: %s\n", e.Name, fmt.Sprintf(format, args...))
}

// Infof prints one line "NAME: ..." on stderr, unless the call is to be quiet.
func (e *Env) Infof(format string, args ...any) {
	if e.Quiet {
		return
	}
	fmt.Fprintf(e.Stderr, "%s: %s\n", e.Name, fmt.Sprintf(format, args...))
}

// Reason returns the words to print for an error: Slurm's text when an Errno
// is within, the error's own otherwise. Trouble on the way to the controller
// is said in Slurm's words.
func Reason(err error) string {
	var errno slurm.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	if errors.Is(err, syscall.EPIPE) {
		return "Unable to contact slurm controller (connect failure)"
	}
	return err.Error()
}
