package slurm

import (
	"fmt"
	"strings"
)

// Reason says why a job waits, or how it came to end, in one of Slurm's words.
// The zero value is ReasonNone.
type Reason uint16

// Texts that stand in place of a reason's word where Slurm shows a sentence.
const (
	TextRequeuedHeld      = "job requeued in held state"
	TextSpecialExit       = "job requeued in special exit state"
	TextLaunchRequeued    = "launch failed requeued held"
	TextNodesDownReserved = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
)

// String returns the word, such as "Resources".
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", uint16(r))
}

// ParseReason reads a reason's word, in any case of letters.
func ParseReason(s string) (Reason, error) {
	for i, name := range reasonNames {
		if strings.EqualFold(name, s) {
			return Reason(i), nil
		}
	}
	return 0, &SyntaxError{Input: s, What: "a reason for which a job waits"}
}

// Held reports whether the reason is that somebody holds the job.
func (r Reason) Held() bool { return r == ReasonJobHeldUser || r == ReasonJobHeldAdmin }

// OfLimits reports whether the reason is a limit of an association or a QOS.
func (r Reason) OfLimits() bool {
	name := r.String()
	return r != ReasonQOSNotAllowed && (strings.HasPrefix(name, "QOS") || strings.HasPrefix(name, "Assoc") || strings.HasPrefix(name, "Max"))
}

// MarshalText writes the word.
func (r Reason) MarshalText() ([]byte, error) {
	if int(r) >= len(reasonNames) {
		return nil, fmt.Errorf("cannot write reason number %d: it has no word", uint16(r))
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads the word.
func (r *Reason) UnmarshalText(b []byte) (err error) {
	*r, err = ParseReason(string(b))
	return err
}
