package slurm

import (
	"math"
	"strconv"
	"strings"
)

// MB is an amount of memory or disk in units of 1024 * 1024 bytes, as Slurm
// counts both.
type MB int64

// maxMB keeps sums of many amounts far from overflow.
const maxMB = 1 << 50

// ParseMB reads a whole number with an optional K, M, G, T or P and an optional
// B behind it, in any case of letters. Without a letter it is in MB; kilobytes
// round up.
func ParseMB(s string) (MB, error) {
	refuse := func(why string) (MB, error) {
		return 0, &SyntaxError{Input: s, What: "a memory size", Why: why + " (want number[K|M|G|T|P])", Code: ErrnoInvalidTaskMemory}
	}
	n := digits(s)
	if n == 0 {
		return refuse("it does not begin with a number")
	}
	num, err := strconv.ParseUint(s[:n], 10, 63)
	unit := strings.ToUpper(s[n:])
	if len(unit) == 2 && unit[1] == 'B' {
		unit = unit[:1]
	}
	shift := 0
	switch unit {
	case "", "M":
	case "K":
		if err == nil {
			num = num/1024 + min(num%1024, 1)
		}
	case "G":
		shift = 10
	case "T":
		shift = 20
	case "P":
		shift = 30
	default:
		return refuse("unit " + quote(s[n:]))
	}
	if err != nil || num > maxMB>>shift {
		return refuse("it is too large")
	}
	return MB(num << shift), nil
}

// String prints as Slurm does: in the largest unit in which the amount is a
// multiple of one half, with two decimals when it is not whole: 200M, 4G,
// 62.50G, 63999M. Nothing is "0".
func (m MB) String() string { return FormatUnits(int64(m), 'M', 0, true) }

// Raw prints the number of MB with its letter and does not scale it, as
// --noconvert asks.
func (m MB) Raw() string { return strconv.FormatInt(int64(m), 10) + "M" }

// MarshalText writes the number of MB with its letter.
func (m MB) MarshalText() ([]byte, error) { return []byte(m.Raw()), nil }

// UnmarshalText reads what ParseMB reads.
func (m *MB) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMB(string(b))
	return err
}

// units are the letters of powers of 1024, from one.
const units = "\x00KMGTPEZ"

// FormatUnits prints n, counted in the unit of letter orig (0 for single ones, or
// one of KMGTPEZ), as Slurm's tables do. With a letter in want (sacct --units)
// it is printed in that unit. With want 0 the unit is chosen: if exact, the
// largest in which n is a multiple of one half, else the largest in which it is
// at least one. A number that is not whole has two decimals. Zero is "0".
func FormatUnits(n int64, orig, want byte, exact bool) string {
	if n == 0 {
		return "0"
	}
	o := strings.IndexByte(units, orig)
	if o < 0 {
		o = 0
	}
	u := o
	if w := strings.IndexByte(units, want); want != 0 && w > 0 {
		u = w
	} else if exact {
		// n is a multiple of half a unit as long as its low bits are zero.
		for u+1 < len(units) && (u+1-o)*10 < 63 && abs(n) >= 1<<((u+1-o)*10) && n&(1<<((u+1-o)*10-1)-1) == 0 {
			u++
		}
	} else {
		for u+1 < len(units) && (u+1-o)*10 < 63 && abs(n) >= 1<<((u+1-o)*10) {
			u++
		}
	}
	v := math.Ldexp(float64(n), (o-u)*10)
	var out string
	if v == math.Trunc(v) {
		if u == o {
			out = strconv.FormatInt(n, 10)
		} else {
			out = strconv.FormatFloat(v, 'f', 0, 64)
		}
	} else {
		out = strconv.FormatFloat(v, 'f', 2, 64)
	}
	if units[u] != 0 {
		out += units[u : u+1]
	}
	return out
}

func abs(n int64) int64 {
	if n < 0 && n != math.MinInt64 {
		return -n
	}
	return n
}

// ParseCount reads a whole number with an optional k (times 1024) or m (times
// 1048576) behind it, as --nodes and the counts of generic resources take them;
// g, t and p follow in the same way, and a B behind the letter changes nothing.
func ParseCount(s string) (int64, error) {
	refuse := func(why string) (int64, error) {
		return 0, &SyntaxError{Input: s, What: "a count", Why: why}
	}
	n := digits(s)
	if n == 0 {
		return refuse("it does not begin with a number")
	}
	num, err := strconv.ParseInt(s[:n], 10, 64)
	shift := 0
	if unit := strings.ToUpper(s[n:]); unit != "" {
		if len(unit) == 2 && unit[1] == 'B' {
			unit = unit[:1]
		}
		i := strings.IndexByte(units, unit[0])
		if len(unit) != 1 || i < 1 || i > 5 {
			return refuse("unit " + quote(s[n:]))
		}
		shift = i * 10
	}
	if err != nil || num > math.MaxInt64>>shift {
		return refuse("it is too large")
	}
	return num << shift, nil
}
