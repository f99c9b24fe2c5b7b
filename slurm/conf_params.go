package slurm

import (
	"strconv"
	"strings"
)

// Parameter is one item of a comma separated list of settings.
type Parameter struct {
	Name, Value string
	HasValue    bool
}

// Parameters are the settings of a key such as SchedulerParameters, in order.
// Names are compared without regard to case; of several equal ones the last counts.
type Parameters []Parameter

// ParseParameters reads name[=value] items separated by commas.
func ParseParameters(s string) Parameters {
	var out Parameters
	for _, item := range strings.Split(s, ",") {
		name, value, has := strings.Cut(strings.TrimSpace(item), "=")
		if name != "" {
			out = append(out, Parameter{Name: name, Value: value, HasValue: has})
		}
	}
	return out
}

// Get returns the value of a setting and whether it was given.
func (p Parameters) Get(name string) (string, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if strings.EqualFold(p[i].Name, name) {
			return p[i].Value, true
		}
	}
	return "", false
}

// Has reports whether a switch is on: given without a value, or with one other
// than no, false or 0.
func (p Parameters) Has(name string) bool {
	v, ok := p.Get(name)
	switch strings.ToLower(v) {
	case "no", "false", "0":
		return false
	}
	return ok
}

// Int returns the value of a setting, or otherwise when it was not given or is
// no number.
func (p Parameters) Int(name string, otherwise int) int {
	v, ok := p.Get(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return otherwise
	}
	return n
}

// String prints the items separated by commas.
func (p Parameters) String() string {
	parts := make([]string, len(p))
	for i, item := range p {
		parts[i] = item.Name
		if item.HasValue {
			parts[i] += "=" + item.Value
		}
	}
	return strings.Join(parts, ",")
}

// paramRule says what becomes of one item of a list of settings.
type paramRule struct {
	name    string // a trailing * stands for any ending
	number  bool   // the value must be a whole number
	verdict Verdict
	why     string
}

// judge reports on the items of a list by the rules for its key.
func (p Parameters) judge(rules []paramRule, otherwise string) []KeyReport {
	var out []KeyReport
	for _, item := range p {
		k := KeyReport{Key: item.Name, Value: item.Value, Verdict: Ignored, Why: otherwise}
		for _, rule := range rules {
			if !rule.matches(item.Name) {
				continue
			}
			k.Verdict, k.Why = rule.verdict, rule.why
			if _, err := strconv.Atoi(item.Value); rule.number && err != nil {
				k.Verdict, k.Why = Refused, "the value "+quote(item.Value)+" is not a number"
			}
			break
		}
		out = append(out, k)
	}
	return out
}

func (r paramRule) matches(name string) bool {
	if stem, ok := strings.CutSuffix(r.name, "*"); ok {
		return len(name) >= len(stem) && strings.EqualFold(name[:len(stem)], stem)
	}
	return strings.EqualFold(name, r.name)
}
