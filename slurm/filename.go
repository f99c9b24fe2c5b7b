package slurm

import (
	"math"
	"strconv"
	"strings"
)

// The names of batch output files when none is given.
const (
	DefaultOutput      = "slurm-%j.out"
	DefaultArrayOutput = "slurm-%A_%a.out"
)

// NoArrayTask is what %a prints in a job that is not a task of an array.
const NoArrayTask = math.MaxUint32 - 1

// FileNameValues are what the patterns in a file name stand for.
type FileNameValues struct {
	Job       JobID
	Array     JobID  // the array's id; 0: not a task of an array
	Task      uint32 // index in the array, when Array is set
	Step      StepID // StepBatch in a batch script
	User      string
	JobName   string
	Host      string // short name
	NodeIndex int    // among the job's nodes
	Rank      int    // task rank
	Restarts  int
	SLUID     string
}

// fileNamePad is the most digits that %Nj pads to.
const fileNamePad = 10

// ExpandFileName replaces the patterns of Slurm's file names: %A %a %b %J %j %N %n
// %r %S %s %t %u %x, and %% for a percent sign. A number between the percent sign
// and a numeric pattern pads it with zeros. A name with a backslash anywhere is
// not expanded; the backslashes are taken out, one of a pair stays. What is no
// pattern is copied.
func ExpandFileName(pattern string, v FileNameValues) string {
	if strings.Contains(pattern, `\`) {
		return unescape(pattern)
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		k := digits(pattern[i+1:])
		end := i + 1 + k
		if end == len(pattern) {
			b.WriteString(noPattern(k) + pattern[i+1:])
			break
		}
		text, number, ok := v.expand(pattern[end])
		if !ok {
			b.WriteString(noPattern(k))
			continue
		}
		if number && k > 0 {
			width, fits := parseUint(pattern[i+1:end], fileNamePad)
			if !fits {
				width = fileNamePad
			}
			text = strings.Repeat("0", max(0, int(width)-len(text))) + text
		}
		b.WriteString(text)
		i = end
	}
	return b.String()
}

// noPattern is what stands for the percent sign of what is no pattern, behind which there
// are so many digits: it goes when there are any.
func noPattern(digits int) string {
	if digits > 0 {
		return ""
	}
	return "%"
}

// ShowFileName fills in what a listing of jobs knows of a file name: %A %a %j %u %x, without a
// number before the letter. Everything else is shown as it was given, %% too.
func ShowFileName(pattern string, v FileNameValues) string {
	if strings.Contains(pattern, `\`) {
		return unescape(pattern)
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '%' && i+1 < len(pattern) {
			if strings.IndexByte("Aajux", pattern[i+1]) >= 0 {
				text, _, _ := v.expand(pattern[i+1])
				b.WriteString(text)
				i++
				continue
			}
			b.WriteString(pattern[i : i+2])
			i++
			continue
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// expand returns what one letter stands for, and whether it is padded.
func (v FileNameValues) expand(letter byte) (text string, number, ok bool) {
	num := func(n uint64) (string, bool, bool) { return strconv.FormatUint(n, 10), true, true }
	task := uint64(NoArrayTask)
	if v.Array != 0 {
		task = uint64(v.Task)
	}
	switch letter {
	case '%':
		return "%", false, true
	case 'A':
		if v.Array != 0 {
			return num(uint64(v.Array))
		}
		return num(uint64(v.Job))
	case 'a':
		return num(task)
	case 'b':
		return num(task % 10)
	case 'J':
		if v.Step == StepBatch {
			return num(uint64(v.Job))
		}
		return v.Job.String() + "." + v.Step.String(), false, true
	case 'j':
		return num(uint64(v.Job))
	case 'N':
		return v.Host, false, true
	case 'n':
		return num(uint64(v.NodeIndex))
	case 'r':
		return num(uint64(v.Restarts))
	case 'S':
		return v.SLUID, false, true
	case 's':
		if v.Step >= StepInteractive {
			return v.Step.String(), false, true
		}
		return num(uint64(v.Step))
	case 't':
		return num(uint64(v.Rank))
	case 'u':
		return v.User, false, true
	case 'x':
		return v.JobName, false, true
	}
	return "", false, false
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) {
				break
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// FileNamePerTask reports whether a name differs from task to task (%t), so that
// srun makes a file for each.
func FileNamePerTask(pattern string) bool { return usesPattern(pattern, "t") }

// FileNamePerNode reports whether a name differs from node to node (%n or %N).
func FileNamePerNode(pattern string) bool { return usesPattern(pattern, "nN") }

func usesPattern(pattern, letters string) bool {
	if strings.Contains(pattern, `\`) {
		return false
	}
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			continue
		}
		i += 1 + digits(pattern[i+1:])
		if i < len(pattern) && strings.IndexByte(letters, pattern[i]) >= 0 {
			return true
		}
	}
	return false
}

// PerTask reports whether a file name stands for another file on each node or
// for each task.
func PerTask(pattern string) bool {
	if strings.Contains(pattern, `\`) {
		return false
	}
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			continue
		}
		i += 1 + digits(pattern[i+1:])
		if i < len(pattern) && strings.IndexByte("tnN", pattern[i]) >= 0 {
			return true
		}
	}
	return false
}
