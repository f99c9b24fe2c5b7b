package gpu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Clocks is --gpu-freq: what the clocks of a job's GPUs are to be, in the words of
// the option; "" is as they are.
type Clocks struct {
	Memory, Graphics string
	Verbose          bool // say what they were set to
}

// ParseClocks reads [[type=]value][,...][,verbose] with the values low, medium,
// high, highm1 or a number of MHz. The only type is memory; without one it is the
// processors' clock.
func ParseClocks(text string) (Clocks, error) {
	var c Clocks
	for part := range strings.SplitSeq(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		to := &c.Graphics
		if value, ok := strings.CutPrefix(part, "memory="); ok {
			part, to = value, &c.Memory
		}
		switch part {
		case "verbose":
			c.Verbose = true
			continue
		case "low", "medium", "high", "highm1":
		default:
			if n, err := strconv.ParseUint(part, 10, 31); err != nil || n == 0 {
				return Clocks{}, fmt.Errorf("%q is no clock of a GPU: want low, medium, high, highm1 or a number of MHz", part)
			}
		}
		*to = part
	}
	return c, nil
}

// ChooseClock chooses, from the clocks in MHz that a GPU can have, the one a word of
// ParseClocks means: of a number the nearest, the higher of two as near. 0 where
// there are none.
func ChooseClock(have []int, word string) int {
	list := slices.Clone(have)
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) == 0 {
		return 0
	}
	last := len(list) - 1
	switch word {
	case "low":
		return list[0]
	case "medium":
		return list[last/2]
	case "highm1":
		return list[max(last-1, 0)]
	case "", "high":
		return list[last]
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		return list[last]
	}
	best := list[0]
	for _, c := range list {
		if d, e := c-n, best-n; max(d, -d) <= max(e, -e) {
			best = c
		}
	}
	return best
}
