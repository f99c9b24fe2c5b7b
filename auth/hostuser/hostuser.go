// Package hostuser asks the user database of this host, with whatever directory
// service is configured behind it. The C library does it where it is linked in;
// an executable without it reads /etc/passwd and /etc/group, and for what is not
// there asks getent. Errors are those of os/user.
package hostuser

import (
	"os"
	"os/user"
	"strconv"
)

// database is one way to ask.
type database struct {
	byName, byID     func(string) (*user.User, error)
	group, groupByID func(string) (*user.Group, error)
	groupsOf         func(*user.User) ([]string, error)
}

// Lookup returns the user of that name.
func Lookup(name string) (*user.User, error) { return host.byName(name) }

// LookupID returns the user of that number.
func LookupID(uid string) (*user.User, error) { return host.byID(uid) }

// Current returns the user this process runs as.
func Current() (*user.User, error) { return LookupID(strconv.Itoa(os.Getuid())) }

// LookupGroup returns the group of that name.
func LookupGroup(name string) (*user.Group, error) { return host.group(name) }

// LookupGroupID returns the group of that number.
func LookupGroupID(gid string) (*user.Group, error) { return host.groupByID(gid) }

// GroupIDs returns the numbers of the groups a user is in, the primary one too.
func GroupIDs(u *user.User) ([]string, error) { return host.groupsOf(u) }
