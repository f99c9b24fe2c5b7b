package cli

import (
	"slices"
	"strings"
)

// clusters are the names in a list such as --clusters takes; one without any has
// one of no letters.
func clusters(list string) []string {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

func isCluster(name, here string) bool {
	return strings.EqualFold(name, here) || strings.EqualFold(name, "all")
}

// HasCluster reports whether the cluster here is in a list of clusters, by its name
// or as one of all.
func HasCluster(list, here string) bool {
	return slices.ContainsFunc(clusters(list), func(name string) bool { return isCluster(name, here) })
}

// OnCluster reports the same and says what is wrong with the list. As in Slurm a
// name that is no cluster's is told, and does not keep a command from those that are.
func OnCluster(env *Env, here, list string) bool {
	for _, name := range clusters(list) {
		if !isCluster(name, here) {
			env.Errorf("No cluster '%s' known by database.", name)
		}
	}
	if HasCluster(list, here) {
		return true
	}
	env.Errorf("'%s' can't be reached now, or it is an invalid entry for --cluster.  Use 'sacctmgr list clusters' to see available clusters.", list)
	return false
}
