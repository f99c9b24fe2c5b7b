//go:build cgo && !osusergo

package hostuser

import "os/user"

// host is the C library's user database, with whatever the host has configured
// behind it.
var host = database{
	byName: user.Lookup, byID: user.LookupId, group: user.LookupGroup, groupByID: user.LookupGroupId, groupsOf: (*user.User).GroupIds,
}
