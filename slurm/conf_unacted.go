package slurm

import "strings"

// unacted are the keys that are read, checked and shown, and that no room acts
// on yet: they are reported as ignored, not as honoured. A test of rinkctld
// holds this list against what the other rooms read.
var unacted = keySet(
	"BatchStartTimeout",
	"GetEnvTimeout",
	"InactiveLimit", "JobAcctGatherType", "JobSubmitPlugins",
	"MessageTimeout", "MpiParams",
	"ProctrackType",
	"SlurmctldAddr",
	"SlurmctldTimeout", "SlurmdUser",
)

func keySet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// ActsOn reports whether a key of slurm.conf is acted on, by its exact name, and
// whether there is such a key.
func ActsOn(key string) (acts, known bool) {
	for _, k := range confKeys() {
		if k.name == key {
			return k.verdict == Honoured && !unacted[key], true
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
				all[k.name+"="+r.name] = all[k.name+"="+r.name] || r.verdict == Honoured && !unacted[k.name]
			}
		}
	}
	return all
}
