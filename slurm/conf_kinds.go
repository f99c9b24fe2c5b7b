package slurm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// confKey is one key of slurm.conf: its spelling, its default, how it is read
// and printed, and what becomes of it.
type confKey struct {
	name, def string
	// set reads a value into its field; nil: the text is only kept.
	set func(c *Conf, value string) error
	// show prints the value in force as scontrol show config does; nil: the
	// text as it was given, or the default.
	show    func(c *Conf) string
	verdict Verdict
	why     string
	// judge decides by the value, where one value is honoured and another not.
	judge func(value string) (Verdict, string)
	// rules judge the items of a list of settings; unruled is what is said of
	// an item without a rule.
	rules   []paramRule
	unruled string
	repeats bool // the key may be given several times
	// unlisted keys are newer than the listing people know, or ours: they
	// stand in show config only where they were given.
	unlisted bool
	when     func(c *Conf) bool // stands in show config only then
}

// textKey is a text, (null) when there is none.
func textKey(name, def string, field func(*Conf) *string) confKey {
	return confKey{name: name, def: def,
		set:  func(c *Conf, v string) error { *field(c) = v; return nil },
		show: func(c *Conf) string { return orNull(*field(c)) }}
}

func orNull(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}

// programKey is the path of a program; none is none.
func programKey(name string, field func(*Conf) *string) confKey {
	return confKey{name: name,
		set: func(c *Conf, v string) error {
			if strings.EqualFold(v, "none") || v == "(null)" {
				v = ""
			}
			*field(c) = v
			return nil
		},
		show: func(c *Conf) string { return orNull(*field(c)) }}
}

// secondsKey is a number of seconds or INFINITE.
func secondsKey(name, def string, field func(*Conf) *Duration) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) (err error) { *field(c), err = confSpan(v, 1); return err },
		show: func(c *Conf) string {
			if *field(c) == Unlimited {
				return "INFINITE"
			}
			return fmt.Sprintf("%d sec", *field(c))
		}}
}

// minutesKey is a number of minutes or INFINITE.
func minutesKey(name, def string, field func(*Conf) *Duration) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) (err error) { *field(c), err = confSpan(v, 60); return err },
		show: func(c *Conf) string {
			if *field(c) == Unlimited {
				return "UNLIMITED"
			}
			return fmt.Sprintf("%d min", *field(c)/60)
		}}
}

// confSpan reads a count of units of so many seconds.
func confSpan(v string, unit Duration) (Duration, error) {
	if strings.EqualFold(v, "infinite") || strings.EqualFold(v, "unlimited") || v == "-1" {
		return Unlimited, nil
	}
	n, ok := parseUint(v, math.MaxUint32)
	if !ok {
		return 0, fmt.Errorf("%s is not a valid number", quote(v))
	}
	return Duration(n) * unit, nil
}

// durationKey is a span written as a time limit; a bare number is minutes.
func durationKey(name, def string, field func(*Conf) *Duration) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) error {
			d, err := ParseDuration(v)
			if err == nil {
				*field(c) = d
			}
			return err
		},
		show: func(c *Conf) string { return field(c).String() }}
}

// countKey is a whole number from least to most.
func countKey(name, def string, least, most int, field func(*Conf) *int) confKey {
	return confKey{name: name, def: def,
		set:  func(c *Conf, v string) (err error) { *field(c), err = confCount(v, least, most); return err },
		show: func(c *Conf) string { return strconv.Itoa(*field(c)) }}
}

func confCount(v string, least, most int) (int, error) {
	if strings.EqualFold(v, "infinite") || strings.EqualFold(v, "unlimited") {
		return most, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("%s is not a valid number", quote(v))
	}
	if n < least || n > most {
		return 0, fmt.Errorf("%d is not between %d and %d", n, least, most)
	}
	return n, nil
}

// weightKey is a number of 32 bits.
func weightKey(name, def string, field func(*Conf) *uint32) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) error {
			n, ok := parseUint(v, math.MaxUint32)
			if !ok {
				return fmt.Errorf("%s is not a valid number", quote(v))
			}
			*field(c) = uint32(n)
			return nil
		},
		show: func(c *Conf) string { return strconv.FormatUint(uint64(*field(c)), 10) }}
}

// memoryKey is a number of megabytes; 0 and UNLIMITED are no limit.
func memoryKey(name string, field func(*Conf) *MB) confKey {
	return confKey{name: name,
		set: func(c *Conf, v string) (err error) { *field(c), err = confMemory(v); return err },
		show: func(c *Conf) string {
			if *field(c) == 0 {
				return "UNLIMITED"
			}
			return strconv.FormatInt(int64(*field(c)), 10)
		}}
}

func confMemory(v string) (MB, error) {
	if strings.EqualFold(v, "unlimited") || strings.EqualFold(v, "infinite") {
		return 0, nil
	}
	n, ok := parseUint(v, maxMB)
	if !ok {
		return 0, fmt.Errorf("%s is not a valid number of megabytes", quote(v))
	}
	return MB(n), nil
}

// flagKey is yes or no and prints as those words; bitKey prints as 1 or 0.
func flagKey(name, def, yes, no string, field func(*Conf) *bool) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) (err error) { *field(c), err = confFlag(v); return err },
		show: func(c *Conf) string {
			if *field(c) {
				return yes
			}
			return no
		}}
}

func bitKey(name, def string, field func(*Conf) *bool) confKey {
	return flagKey(name, def, "1", "0", field)
}

func yesKey(name string, field func(*Conf) *bool) confKey {
	return flagKey(name, "no", "Yes", "No", field)
}

func confFlag(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "yes", "up", "true", "1", "y", "t":
		return true, nil
	case "no", "down", "false", "0", "n", "f":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither yes nor no", quote(v))
}

// wordsKey is a list of words from a set, in any case; an empty set takes all.
func wordsKey(name, def, empty string, known []string, field func(*Conf) *[]string) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) (err error) { *field(c), err = confWords(v, known); return err },
		show: func(c *Conf) string {
			if len(*field(c)) == 0 {
				return empty
			}
			return strings.Join(*field(c), ",")
		}}
}

// confWords reads a list; the words come out as they are spelled in known.
func confWords(v string, known []string) ([]string, error) {
	if strings.EqualFold(v, "none") && !slices.ContainsFunc(known, func(k string) bool { return isPlugin(k, v) }) || v == "(null)" {
		return nil, nil
	}
	var out []string
	for _, word := range splitList(v) {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(known, func(k string) bool { return isPlugin(k, word) })
		switch {
		case len(known) == 0:
			out = append(out, word)
		case i < 0:
			return nil, fmt.Errorf("%s is none of %s", quote(word), strings.Join(known, ", "))
		case !slices.Contains(out, known[i]):
			out = append(out, known[i])
		}
	}
	return out, nil
}

// isPlugin reports whether a word is a known one. The kind that stands before the name of a
// plugin may be left out, as newer releases let it.
func isPlugin(known, word string) bool {
	if strings.EqualFold(known, word) {
		return true
	}
	_, name, ok := strings.Cut(known, "/")
	return ok && strings.EqualFold(name, word)
}

// oneKey is one word of a set.
func oneKey(name, def string, known []string, field func(*Conf) *string) confKey {
	return confKey{name: name, def: def,
		set: func(c *Conf, v string) error {
			for _, k := range known {
				if isPlugin(k, v) {
					*field(c) = k
					return nil
				}
			}
			return fmt.Errorf("%s is none of %s", quote(v), strings.Join(known, ", "))
		},
		show: func(c *Conf) string { return orNull(*field(c)) }}
}

// paramsKey is a list of settings.
func paramsKey(name string, field func(*Conf) *Parameters, unruled string, rules ...paramRule) confKey {
	return confKey{name: name, rules: rules, unruled: unruled,
		set: func(c *Conf, v string) error {
			*field(c) = ParseParameters(v)
			return badParam(*field(c), rules, unruled)
		},
		show: func(c *Conf) string { return orNull(field(c).String()) }}
}

// badParam refuses the whole key for a setting that cannot be read.
func badParam(p Parameters, rules []paramRule, unruled string) error {
	for _, k := range p.judge(rules, unruled) {
		if k.Verdict == Refused {
			return errors.New(k.Key + ": " + k.Why)
		}
	}
	return nil
}

// idleKey is known and changes nothing; def is what show config prints for it.
func idleKey(name, def, why string) confKey {
	return confKey{name: name, def: def, verdict: Ignored, why: why}
}

// newer marks keys that the listing people know does not have.
func newer(k confKey) confKey {
	k.unlisted = true
	return k
}

// honour and idle are rules for settings.
func honour(names ...string) []paramRule  { return paramRules(Honoured, "", false, names) }
func numbers(names ...string) []paramRule { return paramRules(Honoured, "", true, names) }
func idle(why string, names ...string) []paramRule {
	return paramRules(Ignored, why, false, names)
}

// refuse is a rule for settings that change too much to be left unheard.
func refuse(why string, names ...string) []paramRule {
	return paramRules(Refused, why, false, names)
}

// idleNumbers are numbers that change nothing, and must be numbers all the same.
func idleNumbers(why string, names ...string) []paramRule {
	return paramRules(Ignored, why, true, names)
}

// whyNotYet is said of what nothing acts on so far.
const whyNotYet = "nothing acts on it yet"

func paramRules(v Verdict, why string, number bool, names []string) []paramRule {
	out := make([]paramRule, len(names))
	for i, n := range names {
		out[i] = paramRule{name: n, number: number, verdict: v, why: why}
	}
	return out
}

// exitCodesKey is a list of exit codes such as 1-10,42.
func exitCodesKey(name string, field func(*Conf) *IndexSet) confKey {
	return confKey{name: name,
		set: func(c *Conf, v string) error {
			s, err := ParseIndexSet(v, 255)
			if err != nil {
				return fmt.Errorf("cannot read exit codes: %w", err)
			}
			*field(c) = s
			return nil
		},
		show: func(c *Conf) string {
			if field(c).IsEmpty() {
				return "(null)"
			}
			return plainRuns(*field(c))
		}}
}

// shownEmpty prints nothing, and not (null), for a key that was not given.
func (k confKey) shownEmpty() confKey {
	name := k.name
	k.show = func(c *Conf) string { v, _ := c.Value(name); return v }
	return k
}
