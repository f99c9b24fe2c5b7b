package sacctmgr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// setting is a word as the list of what is added or set has it.
type setting struct{ key, label string }

// wide labels stand in a column of their own width.
func line(label, value string, wide bool) string {
	if wide {
		return fmt.Sprintf("  %-24s = %s\n", label, value)
	}
	return fmt.Sprintf("  %-14s= %s\n", label, value)
}

var assocLines = []setting{
	{"FairShare", "Fairshare"}, {"GrpJobs", "GrpJobs"}, {"GrpJobsAccrue", "GrpJobsAccrue"}, {"GrpSubmitJobs", "GrpSubmitJobs"}, {"GrpTRES", "GrpTRES"},
	{"GrpTRESMins", "GrpTRESMins"}, {"GrpTRESRunMins", "GrpTRESRunMins"}, {"GrpWall", "GrpWall"}, {"MaxJobs", "MaxJobs"}, {"MaxJobsAccrue", "MaxJobsPrioAcc"},
	{"MaxSubmitJobs", "MaxSubmitJobs"}, {"MaxTRESPerJob", "MaxTRES"}, {"MaxTRESPerNode", "MaxTRESPerNode"}, {"MaxTRESMinsPerJob", "MaxTRESMins"},
	{"MaxTRESRunMins", "MaxTRESRunMins"}, {"MaxWallDurationPerJob", "MaxWall"}, {"MinPrioThreshold", "MinPrioThresh"}, {"Parent", "Parent"},
	{"Priority", "Priority"}, {"QosLevel", "QOS"}, {"DefaultQOS", "DefQOS"}, {"Comment", "Comment"},
}

// assocSettings prints what words set of associations.
func assocSettings(a *sched.Accounts, words []sched.AccountWord) string {
	values := valuesOf(a, false, words)
	var b strings.Builder
	for _, s := range assocLines {
		if v, ok := values[s.key]; ok {
			b.WriteString(line(s.label, v, s.key == "GrpJobsAccrue"))
		}
	}
	return b.String()
}

var qosLines = []setting{
	{"Flags", "Flags"}, {"GraceTime", "GraceTime"}, {"GrpJobs", "GrpJobs"}, {"GrpJobsAccrue", "GrpJobsAccrue"}, {"GrpSubmitJobs", "GrpSubmitJobs"},
	{"GrpTRES", "GrpTRES"}, {"GrpTRESMins", "GrpTRESMins"}, {"GrpTRESRunMins", "GrpTRESRunMins"}, {"GrpWall", "GrpWall"},
	{"MaxJobsAccruePerAccount", "MaxJobsAccruePerAccount"}, {"MaxJobsAccruePerUser", "MaxJobsAccruePerUser"}, {"MaxJobsPerAccount", "MaxJobsPerAccount"},
	{"MaxJobsPerUser", "MaxJobsPerUser"}, {"MaxSubmitJobsPerAccount", "MaxSubmitJobsPerAccount"}, {"MaxSubmitJobsPerUser", "MaxSubmitJobsPerUser"},
	{"MaxTRESPerAccount", "MaxTRESPerAccount"}, {"MaxTRESPerJob", "MaxTRESPerJob"}, {"MaxTRESPerNode", "MaxTRESPerNode"}, {"MaxTRESPerUser", "MaxTRESPerUser"},
	{"MinPrioThreshold", "MinPrioThresh"}, {"MinTRESPerJob", "MinTRESPerJob"}, {"MaxTRESMinsPerJob", "MaxTRESMins"},
	{"MaxTRESRunMinsPerAccount", "MaxTRESRUNMinsPerAccount"}, {"MaxTRESRunMinsPerUser", "MaxTRESRUNMinsPerUser"}, {"MaxWallDurationPerJob", "MaxWall"},
	{"Preempt", "Preempt"}, {"PreemptMode", "PreemptMode"}, {"PreemptExemptTime", "PreemptExemptTime"}, {"Priority", "Priority"},
	{"UsageFactor", "UsageFactor"}, {"UsageThreshold", "UsageThreshold"}, {"LimitFactor", "LimitFactor"},
}

// qosSettings prints what words set of a QOS, but for its description.
func qosSettings(a *sched.Accounts, words []sched.AccountWord) string {
	values := valuesOf(a, true, words)
	var b strings.Builder
	for _, s := range qosLines {
		v, ok := values[s.key]
		switch {
		case !ok:
		case s.key == "MaxJobsPerUser":
			fmt.Fprintf(&b, "  %-14s = %s\n", s.label, v)
		default:
			b.WriteString(line(s.label, v, true))
		}
	}
	return b.String()
}

// valuesOf are the values of words as they are listed, by the words' full names.
func valuesOf(a *sched.Accounts, qos bool, words []sched.AccountWord) map[string]string {
	values := map[string]string{}
	amounts := map[string]slurm.TRES{}
	for _, w := range words {
		def := sched.FindWord(qos, w.Key)
		if def == nil {
			continue
		}
		switch {
		case def.TRES != "":
			n, _ := strconv.ParseInt(w.Value, 10, 64)
			amounts[def.Of] = amounts[def.Of].With(def.TRES, n)
		case def.Kind == sched.WordTRES:
			list, _ := slurm.ParseTRES(w.Value)
			for _, item := range list {
				amounts[def.Name] = amounts[def.Name].With(item.Key(), item.Count)
			}
		default:
			values[def.Name] = valueOf(def, w)
		}
	}
	for name, list := range amounts {
		values[name] = strings.TrimSuffix(strings.ReplaceAll(tres(list)+",", "=-1,", "=NONE,"), ",")
	}
	return values
}

func valueOf(def *sched.WordDef, w sched.AccountWord) string {
	if w.Value == "-1" {
		return "NONE"
	}
	switch def.Kind {
	case sched.WordWall:
		if d, err := slurm.ParseDuration(w.Value); err == nil {
			return d.String()
		}
	case sched.WordFloat:
		if f, err := strconv.ParseFloat(w.Value, 64); err == nil {
			return fmt.Sprintf("%.4f", f)
		}
	case sched.WordQOS:
		names := parts(strings.ToLower(w.Value))
		slices.Sort(names)
		return strings.TrimSuffix(w.Op, "=") + qosNames(names)
	case sched.WordFlags:
		return flagNames(w.Value)
	}
	switch def.Name {
	case "PreemptMode":
		return strings.ToUpper(w.Value)
	case "Parent", "DefaultQOS":
		return strings.ToLower(w.Value)
	}
	return w.Value
}

// flagNames spells flags out, in the order in which Slurm lists them.
func flagNames(value string) string {
	var out []string
	for _, f := range sched.QOSFlags {
		if slices.ContainsFunc(parts(value), func(w string) bool { return begins(f, w, min(len(f), 4)) }) {
			out = append(out, f)
		}
	}
	return strings.Join(out, ",")
}
