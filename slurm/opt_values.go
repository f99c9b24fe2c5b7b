package slurm

import (
	"strconv"
	"strings"
)

// governors are the names --cpu-freq knows, as Slurm prints them.
var governors = []string{"Conservative", "OnDemand", "Performance", "PowerSave", "SchedUtil", "UserSpace"}

// frequencies are the words for CPU and GPU clocks, from slow to fast.
var frequencies = []string{"Low", "Medium", "Highm1", "High"}

// freqWord reports whether s, in lower case, is a word for a frequency.
func freqWord(s string) bool { return freqRank(s) >= 0 }

func freqRank(s string) int {
	for i, f := range frequencies {
		if strings.EqualFold(f, s) {
			return i
		}
	}
	return -1
}

// IsGovernor reports whether a value of --cpu-freq is the name of a governor.
func IsGovernor(s string) bool {
	_, ok := governor(s)
	return ok
}

func governor(s string) (string, bool) {
	for _, g := range governors {
		if strings.EqualFold(g, s) {
			return g, true
		}
	}
	return "", false
}

// setCPUFreq takes p1[-p2][:governor], where p1 and p2 are frequencies in kHz
// or words and p1 may be a governor alone.
func setCPUFreq(r *optionReader, value string, _ bool) error {
	fail := func(format string, args ...any) error {
		e := r.errorf(255, format, args...)
		e.Lines = append(e.Lines, r.errorf(255, "Invalid --cpu-freq argument").Lines...)
		return e
	}
	span, gov, hasGov := strings.Cut(value, ":")
	low, high, ranged := strings.Cut(span, "-")
	if g, ok := governor(low); ok {
		if ranged || hasGov {
			return fail("governor cannot be specified twice %s{-}%s:%s in --cpu-freq", low, high, gov)
		}
		r.job().CPUFreq = g
		return nil
	}
	lo, ok := frequency(low)
	if !ok {
		return fail(`unrecognized --cpu-freq argument "%s"`, low)
	}
	out := lo
	if ranged {
		hi, ok := frequency(high)
		if !ok {
			return fail(`unrecognized --cpu-freq argument "%s"`, high)
		}
		if !slower(lo, hi) {
			return fail("min cpu-frec (%s) must be < max cpu-freq (%s)", low, high)
		}
		out += "-" + hi
	}
	if hasGov {
		g, ok := governor(gov)
		switch {
		case !ranged:
			return fail("gov on cpu-frec (%s) illegal without max", gov)
		case !ok:
			return fail("illegal governor: %s on --cpu-freq", gov)
		}
		out += ":" + g
	}
	r.job().CPUFreq = out
	return nil
}

// frequency returns a frequency as Slurm prints it.
func frequency(s string) (string, bool) {
	if i := freqRank(s); i >= 0 {
		return frequencies[i], true
	}
	// Slurm reads a number and pays no heed to what follows it.
	n := leadingInt(s)
	return strconv.FormatInt(n, 10), n > 0 && n < 1<<31
}

// slower compares two frequencies; numbers come before words, as Slurm has it.
func slower(a, b string) bool {
	if i, j := freqRank(a), freqRank(b); i >= 0 || j >= 0 {
		return i < j
	}
	x, _ := parseUint(a, 1<<31)
	y, _ := parseUint(b, 1<<31)
	return x < y
}

// truthy says whether the value of a variable switches on an option that takes
// none: an empty value, yes, or a number other than zero.
func truthy(value string) bool {
	if value == "" || strings.EqualFold(value, "yes") {
		return true
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return err == nil && n != 0
}

func setNodeList(r *optionReader, value string, _ bool) error {
	list, err := r.nodeNames(value)
	if err == nil {
		r.job().NodeList = list
	}
	return err
}

func setExclude(r *optionReader, value string, _ bool) error {
	list, err := r.nodeNames(value)
	if err == nil {
		r.job().ExcludeList = list
	}
	return err
}

// setNodeFile is --nodelist from a file.
func setNodeFile(r *optionReader, value string, _ bool) error {
	list, err := r.nodeFile(value)
	if err != nil {
		if e, ok := err.(*OptionError); ok {
			e.Exit = 255
			e.Lines = append(e.Lines, r.errorf(255, "Invalid --nodefile node file").Lines...)
		}
		return err
	}
	r.job().NodeList = list
	return nil
}

// nodeNames checks a host list, or reads the file that a value with a slash names.
func (r *optionReader) nodeNames(value string) (string, error) {
	if strings.Contains(value, "/") {
		list, err := r.nodeFile(value)
		if err != nil {
			return "", err
		}
		value = list
	}
	if _, err := ParseHostList(value); err != nil {
		r.refuse(ErrnoInvalidNodeName, err)
	}
	return value, nil
}

func (r *optionReader) nodeFile(path string) (string, error) {
	if r.in.ReadFile == nil {
		return "", r.errorf(1, "cannot read the node file %q: files cannot be read here", path)
	}
	text, err := r.in.ReadFile(path)
	if err != nil {
		return "", r.errorf(1, "slurm_allocate_resources error opening file %s, %s", path, plainCause(err))
	}
	list, err := ParseHostFile(string(text))
	if err != nil {
		return "", r.errorf(1, "Invalid hostfile %s contents: %v", path, err)
	}
	return list.String(), nil
}

// plainCause words what is wrong with a file as the C library does.
func plainCause(err error) string {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			break
		}
		err = u.Unwrap()
	}
	s := err.Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
