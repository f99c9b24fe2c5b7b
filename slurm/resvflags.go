package slurm

import (
	"fmt"
	"strings"
)

// ResvFlags says what kind of reservation one is: scontrol's Flags=.
type ResvFlags uint64

// The flags of a reservation, in the order in which they are printed.
const (
	ResvMaint       ResvFlags = 1 << iota // maintenance: may lie over others, and nobody else gets in
	ResvFlex                              // its jobs may start before it, outlast it and use other nodes too
	ResvOverlap                           // may lie over others
	ResvIgnoreJobs                        // made whatever runs on its nodes
	ResvHourly                            // these come again once they are over
	ResvDaily                             //
	ResvWeekday                           //
	ResvWeekend                           //
	ResvWeekly                            //
	ResvSpecNodes                         // its nodes were named
	ResvAllNodes                          // it was made for all nodes
	ResvAnyNodes                          // it needs no nodes, or its nodes may be of any partition
	ResvStatic                            // its nodes are never replaced
	ResvPartNodes                         // it has the nodes of its partition, whichever they are
	ResvFirstCores                        // the lowest cores of nodes are taken
	ResvTimeFloat                         // its times stay as far ahead as they were at first
	ResvReplace                           // nodes that its jobs got are replaced by idle ones
	ResvReplaceDown                       // nodes that fail are replaced
	ResvPurgeComp                         // it goes once no job has been in it for a time
	ResvNoHoldJobs                        // jobs that wait for it at its end run without it
	ResvMagnetic                          // jobs that may use it do so unasked
	ResvUserDelete                        // its users may delete it
	ResvForceStart                        // one that comes again may begin in the past
)

// ResvRepeats are the flags of which one says how often a reservation comes
// again.
const ResvRepeats = ResvHourly | ResvDaily | ResvWeekday | ResvWeekend | ResvWeekly

// resvFlagNames are the flags as they are printed, and as they are typed: the
// word, and how many letters of it are enough. Those that are worked out have no
// word.
var resvFlagNames = [...]struct {
	shown, typed string
	letters      int
}{
	{"MAINT", "maintenance", 3}, {"FLEX", "flex", 4}, {"OVERLAP", "overlap", 1}, {"IGNORE_JOBS", "ignore_jobs", 1}, {"HOURLY", "hourly", 3},
	{"DAILY", "daily", 1}, {"WEEKDAY", "weekday", 5}, {"WEEKEND", "weekend", 5}, {"WEEKLY", "weekly", 5}, {"SPEC_NODES", "", 1},
	{"ALL_NODES", "", 1}, {"ANY_NODES", "any_nodes", 1}, {"STATIC", "static_alloc", 1}, {"PART_NODES", "part_nodes", 2},
	{"FIRST_CORES", "first_cores", 2}, {"TIME_FLOAT", "time_float", 1}, {"REPLACE", "replace", 1}, {"REPLACE_DOWN", "replace_down", 8},
	{"PURGE_COMP", "purge_comp", 2}, {"NO_HOLD_JOBS_AFTER_END", "no_hold_jobs_after_end", 4}, {"MAGNETIC", "magnetic", 3},
	{"USER_DELETE", "user_delete", 4}, {"FORCE_START", "force_start", 4},
}

// Has reports whether all of these flags are set.
func (f ResvFlags) Has(flags ResvFlags) bool { return f&flags == flags }

// String prints the flags joined by commas, in Slurm's order; "" for none.
func (f ResvFlags) String() string { return f.Shown(0) }

// Shown prints the flags with the time that goes with PURGE_COMP, when there is
// one.
func (f ResvFlags) Shown(purge Duration) string {
	var out []string
	for i, n := range resvFlagNames {
		if !f.Has(1 << i) {
			continue
		}
		word := n.shown
		if 1<<i == ResvPurgeComp && purge > 0 {
			word += "=" + purge.String()
		}
		out = append(out, word)
	}
	return strings.Join(out, ",")
}

// ResvFlagsChange is what a list of flags asks for.
type ResvFlagsChange struct {
	Set, Clear ResvFlags
	Purge      Duration // of PURGE_COMP=TIME
}

// purgeDefault is how long a reservation with a bare PURGE_COMP may be unused.
const purgeDefault Duration = 5 * 60

// ParseResvFlags reads flags separated by commas, in any case of letters and cut
// short. One with a - in front, or NO_, is to be cleared.
func ParseResvFlags(s string) (ResvFlagsChange, error) {
	var c ResvFlagsChange
	for word := range strings.SplitSeq(s, ",") {
		item, clear := strings.CutPrefix(word, "-")
		item = strings.TrimPrefix(item, "+")
		name, value, valued := strings.Cut(strings.ToLower(item), "=")
		flag, ok := resvFlag(name)
		if rest, no := strings.CutPrefix(name, "no_"); !ok && no {
			flag, ok = resvFlag(rest)
			clear = true
		}
		if !ok || valued && flag != ResvPurgeComp {
			return ResvFlagsChange{}, &SyntaxError{Input: s, What: "a list of reservation flags", Why: fmt.Sprintf("%q", word), Code: ErrnoReservationInvalid}
		}
		if clear {
			c.Clear |= flag
			continue
		}
		c.Set |= flag
		if flag == ResvPurgeComp {
			c.Purge = purgeDefault
			if valued {
				d, err := ParseDuration(value)
				if err != nil || d <= 0 {
					return ResvFlagsChange{}, &SyntaxError{Input: s, What: "a list of reservation flags", Why: fmt.Sprintf("time %q", value), Code: ErrnoReservationInvalid}
				}
				c.Purge = d
			}
		}
	}
	return c, nil
}

func resvFlag(word string) (ResvFlags, bool) {
	switch word {
	case "license_only", "licenses_only":
		return ResvAnyNodes, true // the same to Slurm, under a newer name
	case "static":
		return ResvStatic, true
	case "maint":
		return ResvMaint, true
	}
	for i, n := range resvFlagNames {
		if len(word) >= n.letters && strings.HasPrefix(n.typed, word) {
			return 1 << i, true
		}
	}
	return 0, false
}
