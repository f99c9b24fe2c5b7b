package slurm

import (
	"fmt"
	"strings"
)

// OptionError is a mistake in options, directives or a script, worded and
// numbered as Slurm's commands do it. A command prints Error() to stderr as it
// is, without a prefix of its own, and exits with Exit.
type OptionError struct {
	// Lines are what to print, each complete with the program's name where
	// Slurm prints it and without a line end.
	Lines []string
	// Exit is sbatch's exit status: 255 for most mistakes in options, 1 for
	// numbers and scripts. The listing commands exit 1 whatever it says.
	Exit int
}

// Error returns the lines, joined.
func (e *OptionError) Error() string { return strings.Join(e.Lines, "\n") }

// HelpText is what "--hint=help" and its like ask for: not a mistake, but the
// end of the command all the same. Text goes to stdout, then the command exits
// with Exit.
type HelpText struct {
	Text string
	Exit int
	// Gres says that the generic resources the cluster has are asked for; Text is for where they
	// cannot be had.
	Gres bool
}

// Error returns the text.
func (h *HelpText) Error() string { return h.Text }

// Notice is something a command says about its options and goes on.
type Notice struct {
	Error bool   // printed as "sbatch: error: TEXT", also with --quiet
	Text  string // printed as "sbatch: TEXT", unless --quiet
}

// Line returns the notice as program prints it.
func (n Notice) Line(program string) string {
	if n.Error {
		return program + ": error: " + n.Text
	}
	return program + ": " + n.Text
}

// optionError builds the error whose one line is "program: error: text".
func optionError(program string, exit int, format string, args ...any) *OptionError {
	return &OptionError{Exit: exit, Lines: []string{program + ": error: " + fmt.Sprintf(format, args...)}}
}

// fatalError builds the error whose one line is "program: fatal: text".
func fatalError(program, format string, args ...any) *OptionError {
	return &OptionError{Exit: 1, Lines: []string{program + ": fatal: " + fmt.Sprintf(format, args...)}}
}
