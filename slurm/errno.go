package slurm

import "strings"

// Errno is an error as Slurm numbers and words it: what a command prints after
// "failed: ", and the number the REST interface answers with. It is an error
// itself, so that errors.Is(err, ErrnoInvalidJobID) and errors.As work through
// whatever it was wrapped in.
type Errno int

// Numbers outside Slurm's own range.
const (
	// ErrnoOK is no error.
	ErrnoOK Errno = 0
	// ErrnoError is an error Slurm has no number for.
	ErrnoError Errno = -1
	// ErrnoNotThere is the system's ESRCH: there is no such trigger.
	ErrnoNotThere Errno = 3
	// ErrnoAgain is the system's EAGAIN: the controller is full, try again.
	ErrnoAgain Errno = 11
)

// Error returns the text of the error, as Slurm words it.
func (e Errno) Error() string {
	if i := e.index(); i >= 0 {
		return errnoTable[i].text
	}
	switch e {
	case ErrnoOK:
		return "No error"
	case ErrnoNotThere:
		return "No such process"
	case ErrnoAgain:
		return "Resource temporarily unavailable"
	}
	return "Unspecified error"
}

// Name returns Slurm's name of the error, such as ESLURM_INVALID_JOB_ID.
func (e Errno) Name() string {
	if i := e.index(); i >= 0 {
		return errnoTable[i].name
	}
	switch e {
	case ErrnoOK:
		return "SLURM_SUCCESS"
	case ErrnoNotThere:
		return "ESRCH"
	case ErrnoAgain:
		return "EAGAIN"
	}
	return "SLURM_ERROR"
}

// ErrnoByName returns the error of that Slurm name, in any case of letters.
func ErrnoByName(name string) (Errno, bool) {
	for _, e := range errnoTable {
		if strings.EqualFold(e.name, name) {
			return e.code, true
		}
	}
	for _, e := range []Errno{ErrnoOK, ErrnoError, ErrnoNotThere, ErrnoAgain} {
		if strings.EqualFold(e.Name(), name) {
			return e, true
		}
	}
	return 0, false
}

// index finds e in the table, which is sorted by number; -1: not there.
func (e Errno) index() int {
	lo, hi := 0, len(errnoTable)
	for lo < hi {
		mid := (lo + hi) / 2
		if errnoTable[mid].code < e {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(errnoTable) && errnoTable[lo].code == e {
		return lo
	}
	return -1
}

// SyntaxError says that a text is not what it should be, quoting it and the spot.
type SyntaxError struct {
	Input string // the whole text
	What  string // what it should have been, with its article: "a duration"
	Why   string // what is wrong with it
	Code  Errno  // what Slurm answers to it; 0: no number of its own
}

func (e *SyntaxError) Error() string {
	s := quote(e.Input) + " is not " + e.What
	if e.Why != "" {
		s += ": " + e.Why
	}
	return s
}

// Unwrap returns the Errno, so that errors.Is and errors.As find it.
func (e *SyntaxError) Unwrap() error {
	if e.Code == 0 {
		return nil
	}
	return e.Code
}

// FindErrno returns the error whose text is within words, as commands print it behind
// what they tried; the longest, when there are several.
func FindErrno(words string) (found Errno, ok bool) {
	longest := 0
	for _, e := range errnoTable {
		if len(e.text) > longest && strings.Contains(words, e.text) {
			found, longest = e.code, len(e.text)
		}
	}
	return found, longest > 0
}
