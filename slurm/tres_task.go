package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseTRESPerTask reads what --tres-per-task wants of each task, such as
// cpu=2,gres/gpu:a100=1 (or with a colon before the number): CPUs, 0 when it does not
// say, and generic resources. Nothing else can be asked for each task.
func ParseTRESPerTask(text string) (cpus int, gres Gres, err error) {
	if text == "" {
		return 0, nil, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		name, count, ok := strings.Cut(item, "=")
		if !ok {
			if i := strings.LastIndexByte(item, ':'); i >= 0 {
				name, count, ok = item[:i], item[i+1:], true
			}
		}
		k, err := strconv.ParseInt(count, 10, 32)
		if !ok || err != nil || k <= 0 {
			return 0, nil, &SyntaxError{Input: text, What: "resources of a task", Why: fmt.Sprintf("%q (want kind=number)", item), Code: ErrnoInvalidTRES}
		}
		kind, rest, _ := strings.Cut(name, "/")
		switch {
		case strings.EqualFold(kind, "cpu") && rest == "":
			cpus = int(k)
		case strings.EqualFold(kind, "gres") && rest != "":
			kind, typ, _ := strings.Cut(rest, ":")
			gres = append(gres, GresItem{Name: kind, Type: typ, Count: k})
		default:
			return 0, nil, &SyntaxError{Input: text, What: "resources of a task", Why: fmt.Sprintf("%q (only cpu and gres can be asked for each task)", item), Code: ErrnoInvalidTRES}
		}
	}
	return cpus, gres, nil
}
