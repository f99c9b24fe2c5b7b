package slurm

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// setter is what a row does with a value.
type setter = func(r *optionReader, value string, has bool) error

// The constructors below make setters for fields of the usual kinds.

// text stores the value as it was given.
func text(field func(*JobOptions) *string) setter {
	return func(r *optionReader, value string, _ bool) error {
		*field(r.job()) = value
		return nil
	}
}

// textOr stores the value, or a word that stands for none.
func textOr(without string, field func(*JobOptions) *string) setter {
	return func(r *optionReader, value string, has bool) error {
		if !has {
			value = without
		}
		*field(r.job()) = value
		return nil
	}
}

// list stores the values between commas.
func list(field func(*JobOptions) *[]string) setter {
	return func(r *optionReader, value string, _ bool) error {
		*field(r.job()) = splitList(value)
		return nil
	}
}

// flag sets a switch.
func flag(field func(*JobOptions) *bool) setter {
	return func(r *optionReader, _ string, _ bool) error {
		*field(r.job()) = true
		return nil
	}
}

// number stores an integer of at least least, which Slurm calls name in its message.
func number(name string, least int, field func(*JobOptions) *int) setter {
	return func(r *optionReader, value string, _ bool) error {
		n, err := r.number(name, least, value)
		if err == nil {
			*field(r.job()) = n
		}
		return err
	}
}

// size stores an amount of memory or disk.
func size(field func(*JobOptions) *MB) setter {
	return func(r *optionReader, value string, _ bool) error {
		mb, err := ParseMB(value)
		if err != nil {
			return r.invalid()
		}
		*field(r.job()) = mb
		return nil
	}
}

// minutes stores a duration in whole minutes; with endless, 0 is no limit.
func minutes(endless bool, field func(*JobOptions) *Duration) setter {
	return func(r *optionReader, value string, _ bool) error {
		d, err := ParseDuration(value)
		if err != nil {
			return r.invalid()
		}
		if endless && d == 0 {
			d = Unlimited
		}
		*field(r.job()) = d.RoundUp()
		return nil
	}
}

// moment stores a date.
func moment(field func(*JobOptions) *time.Time) setter {
	return func(r *optionReader, value string, _ bool) error {
		if value == "" {
			return r.invalid()
		}
		t, err := ParseTime(value, r.in.Now, false)
		if err != nil {
			e := r.invalid()
			var where *TimeError
			if !errors.As(err, &where) || where.Pos >= 0 {
				e.Lines = append([]string{err.Error()}, e.Lines...)
			}
			return e
		}
		*field(r.job()) = t
		return nil
	}
}

// checked stores a text that Slurm's controller will judge: what does not parse
// is kept as the reason to refuse the submission.
func checked(parse func(string) error, code Errno, field func(*JobOptions) *string) setter {
	return func(r *optionReader, value string, _ bool) error {
		if err := parse(value); err != nil {
			r.refuse(code, err)
		}
		*field(r.job()) = value
		return nil
	}
}

// gpus stores one of the --gpus family.
func gpus(field func(*JobOptions) *Gres) setter {
	return func(r *optionReader, value string, _ bool) error {
		if value == "" {
			*field(r.job()) = nil
			return nil
		}
		g, err := ParseGPUs(value)
		if err != nil {
			r.badGres = err
			return nil
		}
		*field(r.job()) = g
		return nil
	}
}

// yesNo stores "yes" or "no".
func yesNo(without string, field func(*JobOptions) *string) setter {
	return func(r *optionReader, value string, has bool) error {
		if !has || value == "" {
			value = without
		}
		switch v := strings.ToLower(value); v {
		case "yes", "no":
			*field(r.job()) = v
			return nil
		}
		return r.invalid()
	}
}

// oneOf stores one of some words, in lower case.
func oneOf(without string, words string, field func(*JobOptions) *string) setter {
	return func(r *optionReader, value string, has bool) error {
		if !has {
			value = without
		}
		for _, w := range strings.Fields(words) {
			if strings.EqualFold(value, w) {
				*field(r.job()) = w
				return nil
			}
		}
		return r.invalid()
	}
}

// client sets one of the command's own options.
func client(act func(c *ClientOptions, value string)) setter {
	return func(r *optionReader, value string, _ bool) error {
		act(&r.out.Client, value)
		return nil
	}
}

// ignore accepts any value and does nothing; the row says why.
func ignore(*optionReader, string, bool) error { return nil }

// splitList parts a comma separated list and drops what is empty.
func splitList(s string) []string {
	var out []string
	for _, item := range strings.Split(s, ",") {
		if item != "" {
			out = append(out, item)
		}
	}
	return out
}

// number reads an integer as C does, with a sign and blanks before it; nothing
// at all is zero.
func (r *optionReader) number(name string, least int, value string) (int, error) {
	t := strings.TrimLeft(value, " \t\n\v\f\r")
	if rest, signed := strings.CutPrefix(t, "+"); signed && isNumber(rest) {
		t = rest
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if value == "" {
		n, err = 0, nil
	}
	if err != nil || t != "" && t[0] == '+' || n < int64(least) || n >= math.MaxInt32 {
		return 0, r.errorf(1, `Invalid numeric value "%s" for %s.`, value, name)
	}
	return int(n), nil
}

// invalid is the usual mistake: "sbatch: error: Invalid --time specification".
func (r *optionReader) invalid() *OptionError {
	return r.errorf(255, "Invalid --%s specification", r.spelled)
}

// errorf builds an error in the name of the program.
func (r *optionReader) errorf(exit int, format string, args ...any) *OptionError {
	return optionError(r.program, exit, format, args...)
}

// notice keeps something to be said.
func (r *optionReader) notice(isError bool, text string) {
	r.out.Notices = append(r.out.Notices, Notice{Error: isError, Text: text})
}

// refuse keeps the first reason for which a controller would answer no.
func (r *optionReader) refuse(code Errno, why error) {
	if r.out.Refused == nil {
		r.out.Refused = &refusal{code: code, why: why}
	}
}

// refusal is an error that reads as Slurm's text and keeps the cause.
type refusal struct {
	code Errno
	why  error
}

func (e *refusal) Error() string { return e.code.Error() }

func (e *refusal) Unwrap() []error { return []error{e.code, e.why} }
