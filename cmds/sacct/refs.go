package sacct

import (
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// setJobs takes job ids; they add up over several options. An empty list, and the
// job 0, name none and leave all. What follows a number that is complete is passed
// over, as Slurm does it.
func (o *options) setJobs(program, list string) error {
	refuse := func(what, word string) error {
		return &fatal{program + ": fatal: Bad " + what + " specified: " + word}
	}
	for _, word := range splitRefs(list) {
		k := leading(word)
		if k == 0 {
			return refuse("job/step", word)
		}
		number := word[:k]
		if strings.Trim(number, "0") == "" {
			continue
		}
		ref, err := slurm.ParseJobRef(word)
		if err != nil {
			rest := word[k:]
			switch {
			case rest != "" && rest[0] == '.':
				n := leading(rest[1:])
				if n == 0 {
					return refuse("step", number)
				}
				rest = rest[:1+n]
			case rest != "" && rest[0] == '_':
				n := leading(rest[1:])
				if n == 0 {
					return refuse("job array element", number)
				}
				rest = rest[:1+n]
			case rest != "" && rest[0] == '+':
				n := leading(rest[1:])
				if n == 0 {
					return refuse("hetjob offset", number)
				}
				rest = rest[:1+n]
			default:
				rest = ""
			}
			if ref, err = slurm.ParseJobRef(number + rest); err != nil {
				return refuse("job/step", word) // a number beyond all ids
			}
		}
		o.hasJobs = true
		o.jobs = append(o.jobs, ref)
	}
	return nil
}

// splitRefs parts a list at its commas, but for those between brackets.
func splitRefs(list string) []string {
	inside := false
	words := strings.FieldsFunc(list, func(r rune) bool {
		inside = r == '[' || inside && r != ']'
		return r == ',' && !inside
	})
	return slices.DeleteFunc(words, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// leading is how many digits a text begins with.
func leading(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
