package slurm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Duration is a time limit or another span of time, in seconds.
type Duration int64

// Unlimited is the duration without end: UNLIMITED, INFINITE or -1.
const Unlimited Duration = math.MaxInt64

// Slurm counts limits in minutes and has no number beyond this one: what is as
// long, some four thousand years, is Unlimited.
const maxMinutes = math.MaxInt32

const wantDuration = "want [days-]hours[:minutes[:seconds]], minutes[:seconds] or UNLIMITED"

// ParseDuration reads minutes, minutes:seconds, hours:minutes:seconds,
// days-hours, days-hours:minutes, days-hours:minutes:seconds, and INFINITE,
// UNLIMITED or -1 for no limit. A part may exceed its usual range ("0:600").
// "0" is a zero duration, whatever that means to the option it was given to.
func ParseDuration(s string) (Duration, error) {
	refuse := func(why string) (Duration, error) {
		return 0, &SyntaxError{Input: s, What: "a duration", Why: why + " (" + wantDuration + ")", Code: ErrnoInvalidTimeLimit}
	}
	if strings.EqualFold(s, "infinite") || strings.EqualFold(s, "unlimited") {
		return Unlimited, nil
	}
	// A lone negative number is no limit: Slurm knows -1 by name, and any other
	// comes out as a limit of thousands of years.
	if strings.HasPrefix(s, "-") && isNumber(s[1:]) {
		return Unlimited, nil
	}
	days, rest, hasDays := strings.Cut(s, "-")
	if !hasDays {
		days, rest = "", s
	}
	var d uint64
	if hasDays {
		if !isNumber(days) {
			return refuse(fmt.Sprintf("days %q", days))
		}
		d = saturate(days)
		if rest == "" {
			return fromSeconds(d * 86400), nil
		}
	}
	parts := strings.Split(rest, ":")
	if len(parts) > 3 {
		return refuse("too many colons")
	}
	// Without days, the first of one or two parts is minutes; else it is hours.
	names := []string{"hours", "minutes", "seconds"}
	scale := []uint64{3600, 60, 1}
	if !hasDays && len(parts) < 3 {
		names, scale = names[1:], scale[1:]
	}
	total := d * 86400
	for i, p := range parts {
		if !isNumber(p) {
			return refuse(fmt.Sprintf("%s %q", names[i], p))
		}
		total += saturate(p) * scale[i]
	}
	return fromSeconds(total), nil
}

// saturate reads digits; above a number no duration needs it stays there, so
// that sums of parts cannot overflow.
func saturate(s string) uint64 {
	const most = 1 << 40
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most {
		return most
	}
	return n
}

func fromSeconds(n uint64) Duration {
	if n >= maxMinutes*60 {
		return Unlimited
	}
	return Duration(n)
}

// String prints [days-]hours:minutes:seconds with two digits each, as scontrol
// and sacct do, or UNLIMITED.
func (d Duration) String() string {
	switch {
	case d == Unlimited:
		return "UNLIMITED"
	case d < 0:
		return "INVALID"
	}
	days, h, m, s := d.split()
	if days > 0 {
		return fmt.Sprintf("%d-%02d:%02d:%02d", days, h, m, s)
	}
	return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
}

// Short prints as squeue and sinfo do, without leading groups that are zero:
// M:SS, H:MM:SS or D-HH:MM:SS, or UNLIMITED. What is longer than a year is INVALID
// to them.
func (d Duration) Short() string {
	switch {
	case d == Unlimited:
		return "UNLIMITED"
	case d < 0 || d > 365*86400:
		return "INVALID"
	}
	days, h, m, s := d.split()
	switch {
	case days > 0:
		return fmt.Sprintf("%d-%02d:%02d:%02d", days, h, m, s)
	case h > 0:
		return fmt.Sprintf("%d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%d:%02d", m, s)
}

func (d Duration) split() (days, h, m, s int64) {
	n := int64(d)
	return n / 86400, n / 3600 % 24, n / 60 % 60, n % 60
}

// Minutes returns the duration in minutes, rounded up. Unlimited stays the
// largest number there is.
func (d Duration) Minutes() int64 {
	if d == Unlimited {
		return math.MaxInt64
	}
	n := int64(d) / 60
	if d > 0 && d%60 != 0 {
		n++
	}
	return n
}

// RoundUp returns the duration in whole minutes, as Slurm keeps time limits.
func (d Duration) RoundUp() Duration {
	if d == Unlimited || d <= 0 {
		return d
	}
	if n := d.Minutes(); n <= maxMinutes {
		return Duration(n * 60)
	}
	return Unlimited
}

// MarshalText writes what String prints.
func (d Duration) MarshalText() ([]byte, error) {
	if d < 0 {
		return nil, fmt.Errorf("cannot write a duration of %d seconds", int64(d))
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}
