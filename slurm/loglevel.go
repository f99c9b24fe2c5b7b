package slurm

import (
	"slices"
	"strconv"
	"strings"
)

// logLevels are Slurm's words for how much a daemon logs, by their numbers.
var logLevels = []string{"quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5"}

// ValidLogLevel reports whether a word or number is a level of logging.
func ValidLogLevel(word string) bool {
	if n, err := strconv.Atoi(word); err == nil {
		return n >= 0 && n < len(logLevels)
	}
	return slices.Contains(logLevels, strings.ToLower(word))
}

// LogLevel is what a level of Slurm's comes to here, as log/slog counts: errors (8), what
// happens (0), or
// everything (-4).
func LogLevel(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		n = slices.Index(logLevels, strings.ToLower(word))
	}
	switch {
	case n < 0 || n == 3 || n == 4:
		return 0
	case n < 3:
		return 8
	}
	return -4
}

// debugFlags are the categories of logging that DebugFlags and scontrol
// setdebugflags know.
var debugFlags = strings.Fields(`accrue agent auditrpcs audittls backfill backfillmap bursthbuffer burstbuffer cgroup configless connmgr conmgr cpu_bind
	cpufrequency data dbd_agent dependency elasticsearch energy federation frontend glob_silence gang gres hetjob gang interconnect jag jobaccountgather
	jobcomp jobcontainer license metrics network networkraw nodefeatures no_conf_hash power priority profile protocol reservation route sackd script
	selecttype steps switch tls tracejobs triggers workqueue backfill`)

// ValidDebugFlag reports whether there is such a category.
func ValidDebugFlag(name string) bool { return slices.Contains(debugFlags, strings.ToLower(name)) }
