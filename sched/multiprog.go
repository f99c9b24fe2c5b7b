package sched

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// ParseMultiProg reads the file of srun --multi-prog for a step of tasks tasks
// and returns what each rank runs. A line is a list of ranks or *, and a command
// in whose words %t is the rank and %o its place in the list; what stands in
// single quotes is passed as it is.
func ParseMultiProg(text []byte, tasks int) (func(rank int) ([]string, error), error) {
	type program struct {
		words  []multiWord
		offset int
	}
	byRank := make([]*program, tasks)
	var rest []multiWord
	n := 0
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		ranks, command := line, ""
		if i := strings.IndexAny(line, " \t"); i > 0 {
			ranks, command = line[:i], line[i:]
		}
		words, err := multiWords(command)
		if err != nil || len(words) == 0 {
			return nil, fmt.Errorf("Line %d of configuration file invalid: %w", n, slurm.ErrnoError)
		}
		if ranks == "*" {
			rest = words
			continue
		}
		list, err := multiRanks(ranks)
		if err != nil {
			return nil, fmt.Errorf("Line %d of configuration file invalid: %w", n, slurm.ErrnoError)
		}
		for offset, r := range list {
			if r >= tasks {
				continue
			}
			if byRank[r] != nil {
				return nil, fmt.Errorf("Duplicate record for task %d: %w", r, slurm.ErrnoError)
			}
			byRank[r] = &program{words, offset}
		}
	}
	for r := range byRank {
		if byRank[r] == nil {
			if rest == nil {
				return nil, fmt.Errorf("Configuration file invalid, no record for task id %d: %w", r, slurm.ErrnoError)
			}
			byRank[r] = &program{rest, r}
		}
	}
	return func(rank int) ([]string, error) {
		if rank < 0 || rank >= tasks {
			return nil, fmt.Errorf("task %d of %d: %w", rank, tasks, slurm.ErrnoError)
		}
		p := byRank[rank]
		argv := make([]string, len(p.words))
		for i, w := range p.words {
			argv[i] = w.text
			if !w.quoted {
				argv[i] = strings.NewReplacer("%%", "%", "%t", strconv.Itoa(rank), "%o", strconv.Itoa(p.offset)).Replace(w.text)
			}
		}
		return argv, nil
	}, nil
}

// multiWord is one word of a command.
type multiWord struct {
	text   string
	quoted bool // in single quotes: nothing in it is replaced
}

func multiWords(s string) ([]multiWord, error) {
	var out []multiWord
	var b strings.Builder
	in, single := false, false
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				b.WriteByte(c)
			}
		case c == '\'' || c == '"':
			quote, in = c, true
			single = single || c == '\''
		case c == ' ' || c == '\t':
			if in {
				out = append(out, multiWord{b.String(), single})
				b.Reset()
				in, single = false, false
			}
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			in = true
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("quote %q is not closed", quote)
	}
	if in {
		out = append(out, multiWord{b.String(), single})
	}
	return out, nil
}

// maxRanks bounds a list of ranks.
const maxRanks = 1 << 20

// multiRanks reads 0,2-4 in the order given.
func multiRanks(s string) ([]int, error) {
	var out []int
	for _, part := range strings.Split(s, ",") {
		low, high, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(low)
		if err != nil || a < 0 {
			return nil, fmt.Errorf("%q is not a task id", part)
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(high); err != nil || b < a {
				return nil, fmt.Errorf("%q is not a range of task ids", part)
			}
		}
		if b-a+len(out) > maxRanks {
			return nil, fmt.Errorf("%q has too many task ids", s)
		}
		for ; a <= b; a++ {
			out = append(out, a)
		}
	}
	return out, nil
}
