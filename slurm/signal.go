package slurm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// signals are the signals that may be sent by name, with Linux's numbers.
var signals = []struct {
	name string
	num  int
}{
	{"HUP", 1}, {"INT", 2}, {"QUIT", 3}, {"ABRT", 6}, {"KILL", 9}, {"ALRM", 14}, {"TERM", 15}, {"USR1", 10}, {"USR2", 12},
	{"URG", 23}, {"CONT", 18}, {"STOP", 19}, {"TSTP", 20}, {"TTIN", 21}, {"TTOU", 22}, {"XCPU", 24},
}

// maxSignal is the highest signal number of Linux.
const maxSignal = 64

// ParseSignalName reads a signal: a name with or without SIG in front, in any case
// of letters, or a number.
func ParseSignalName(s string) (int, error) {
	if isNumber(s) {
		if n, ok := parseUint(s, maxSignal); ok && n > 0 {
			return int(n), nil
		}
		return 0, &SyntaxError{Input: s, What: "a signal", Why: fmt.Sprintf("signals have the numbers 1 to %d", maxSignal)}
	}
	name := strings.ToUpper(s)
	for _, sig := range signals {
		if strings.TrimPrefix(name, "SIG") == sig.name {
			return sig.num, nil
		}
	}
	return 0, &SyntaxError{Input: s, What: "a signal", Why: "want a number or one of " + signalNames()}
}

func signalNames() string {
	names := make([]string, len(signals))
	for i, s := range signals {
		names[i] = s.name
	}
	return strings.Join(names, " ")
}

// SignalName returns the name of a signal without SIG, or its number.
func SignalName(num int) string {
	for _, s := range signals {
		if s.num == num {
			return s.name
		}
	}
	return strconv.Itoa(num)
}

// DefaultSignalBefore is how long before the time limit --signal sends its
// signal when it does not say.
const DefaultSignalBefore Duration = 60

// SignalSpec is --signal: what to send to a job before its time limit. The zero
// value sends nothing.
type SignalSpec struct {
	Num         int      // 0: none
	Before      Duration // this long before the end
	Shell       bool     // B: to the batch shell alone
	ResvOverlap bool     // R: the job may reach into a reservation
}

// ParseSignal reads [[R][B]:]signal[@seconds].
func ParseSignal(s string) (SignalSpec, error) {
	refuse := func(why string) (SignalSpec, error) {
		return SignalSpec{}, &SyntaxError{Input: s, What: "a signal specification", Why: why + " (want [[R][B]:]signal[@seconds])"}
	}
	spec := SignalSpec{Before: DefaultSignalBefore}
	text := s
	if flags, rest, ok := strings.Cut(s, ":"); ok {
		for _, c := range strings.ToUpper(flags) {
			switch {
			case c == 'R' && !spec.ResvOverlap:
				spec.ResvOverlap = true
			case c == 'B' && !spec.Shell:
				spec.Shell = true
			default:
				return refuse(fmt.Sprintf("%q before the colon", flags))
			}
		}
		text = rest
	}
	name, seconds, timed := strings.Cut(text, "@")
	if timed && seconds != "" {
		n, ok := parseUint(seconds, math.MaxUint16)
		if !ok {
			return refuse(fmt.Sprintf("seconds %q", seconds))
		}
		spec.Before = Duration(n)
	}
	num, err := ParseSignalName(name)
	if err != nil {
		return refuse(fmt.Sprintf("signal %q", name))
	}
	spec.Num = num
	return spec, nil
}

// String prints the specification so that ParseSignal reads it back; "" for none.
func (s SignalSpec) String() string {
	if s.Num == 0 {
		return ""
	}
	flags := ""
	if s.ResvOverlap {
		flags += "R"
	}
	if s.Shell {
		flags += "B"
	}
	if flags != "" {
		flags += ":"
	}
	return fmt.Sprintf("%s%s@%d", flags, SignalName(s.Num), int64(s.Before))
}
