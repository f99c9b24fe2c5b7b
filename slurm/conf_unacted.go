package slurm

import "strings"

// unacted are the keys that are read, checked and shown, and that no room acts
// on, with the reason: they are reported as ignored, not as honoured. A test of
// rinkctld holds this list against what the other rooms read.
var unacted = map[string]string{
	"BatchStartTimeout": "an agent says of each start whether it was made, and one that is silent is not waited for",
	"GetEnvTimeout":     whyNotYet,
	"InactiveLimit":     "who holds an allocation is known to be gone when the connection ends",
	"JobAcctGatherType": "usage is read from the cgroup, and from the processes where there is none",
	"JobSubmitPlugins":  whyNotYet,
	"MessageTimeout":    "each call has a time limit of its own",
	"MpiParams":         whyNotYet,
	"ProctrackType":     "a slice knows its processes by its cgroup, or by its namespace where there is none",
	"SlurmctldAddr":     "the address of a controller stands in SlurmctldHost",
	"SlurmctldTimeout":  "controllers elect a leader within seconds",
	"SlurmdUser":        "the agent is root, or who started it",
}

// ActsOn reports whether a key of slurm.conf is acted on, by its exact name, and
// whether there is such a key.
func ActsOn(key string) (acts, known bool) {
	for _, k := range confKeys() {
		if k.name == key {
			return k.verdict == Honoured && unacted[key] == "", true
		}
	}
	return false, false
}

// Settings returns what can be set within keys that take a list of settings, as
// Key=setting, and whether it is acted on. Settings whose names are patterns are
// left out.
func Settings() map[string]bool {
	all := map[string]bool{}
	for _, k := range confKeys() {
		for _, r := range k.rules {
			if !strings.HasSuffix(r.name, "*") {
				all[k.name+"="+r.name] = all[k.name+"="+r.name] || r.verdict == Honoured && unacted[k.name] == ""
			}
		}
	}
	return all
}
