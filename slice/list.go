package slice

import (
	"fmt"
	"strconv"
	"strings"
)

const maxCPUs = 8192

// parseList reads the kernel's list format: "0-3,8,10-11".
func parseList(text string) ([]int, error) {
	var out []int
	for _, part := range strings.Split(text, ",") {
		lo, hi, ranged := strings.Cut(part, "-")
		if !ranged {
			hi = lo
		}
		a, err1 := strconv.ParseUint(lo, 10, 16)
		b, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || a > b || b >= maxCPUs {
			return nil, invalid("%q is not a list of CPUs or nodes: %q (want for instance 0-3,8)", text, part)
		}
		for n := a; n <= b; n++ {
			out = append(out, int(n))
		}
		if len(out) > maxCPUs {
			return nil, invalid("%q is not a list of CPUs or nodes: it repeats itself", text)
		}
	}
	return out, nil
}

// cpuMask makes the bit mask of a CPU list, as sched_setaffinity takes it.
func cpuMask(list string) ([]byte, error) {
	cpus, err := parseList(list)
	if err != nil {
		return nil, err
	}
	top := 0
	for _, c := range cpus {
		top = max(top, c)
	}
	// Whole words of 64 bits, little end first: so on every machine this runs on.
	mask := make([]byte, (top/64+1)*8)
	for _, c := range cpus {
		mask[c/8] |= 1 << (c % 8)
	}
	return mask, nil
}

// String is the rule as the kernel's version 1 files write it, with a sign.
func (d DeviceRule) String() string {
	sign := "-"
	if d.Allow {
		sign = "+"
	}
	return sign + d.v1()
}

func (d DeviceRule) v1() string {
	if d.Type == 'a' {
		return "a *:* rwm"
	}
	n := func(v int64) string {
		if v < 0 {
			return "*"
		}
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprintf("%c %s:%s %s", d.Type, n(d.Major), n(d.Minor), d.Access)
}
