package show

import (
	"slices"
	"strings"
)

// Cluster checks a list of clusters against the one this command talks to: it
// returns the first name that is another cluster's, "" when there is none. "all"
// is this one.
func Cluster(list, here string) (stranger string) {
	names := Words(list)
	i := slices.IndexFunc(names, func(n string) bool { return !strings.EqualFold(n, here) && !strings.EqualFold(n, "all") })
	if i < 0 {
		return ""
	}
	return names[i]
}
