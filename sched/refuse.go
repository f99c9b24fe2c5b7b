package sched

import (
	"fmt"

	"github.com/runink/rink/slurm"
)

// Refused is a request that cannot be met. Its text is Slurm's, so that it may be
// shown as it is; Lines are what Slurm's commands print before it, and Why says
// what exactly was asked for and what there is, for logs.
type Refused struct {
	Code  slurm.Errno
	Lines []string
	Why   string
}

// Error returns Slurm's text for the error.
func (r *Refused) Error() string { return r.Code.Error() }

// Unwrap returns the Errno, so that errors.Is and errors.As find it.
func (r *Refused) Unwrap() error { return r.Code }

// refuse makes a Refused that says why.
func refuse(code slurm.Errno, why string, args ...any) *Refused {
	return &Refused{Code: code, Why: fmt.Sprintf(why, args...)}
}

// with adds a line to be printed before the error.
func (r *Refused) with(line string, args ...any) *Refused {
	r.Lines = append(r.Lines, fmt.Sprintf(line, args...))
	return r
}
