//go:build cgo && !osusergo

package auth

import "os/user"

// hostUsers is the C library's user database, with whatever the host has
// configured behind it.
var hostUsers = userDB{
	byID: user.LookupId, byName: user.Lookup, groups: (*user.User).GroupIds,
	groupID: user.LookupGroupId, groupName: user.LookupGroup,
}
