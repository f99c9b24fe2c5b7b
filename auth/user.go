package auth

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"sync"
	"time"

	"github.com/runink/rink/auth/hostuser"
)

// User is a user of this host as its user database knows it.
type User struct {
	UID, GID   uint32 // GID is the primary group
	Name       string
	Group      string // name of the primary group; its number when it has none
	Home       string
	Groups     []uint32 // primary and supplementary groups, the primary one first
	GroupNames []string // names of Groups, in the same order
}

// ErrUnknownUser and ErrUnknownGroup come back, wrapped, for a user or group
// that the user database does not have.
var (
	ErrUnknownUser  = errors.New("no such user")
	ErrUnknownGroup = errors.New("no such group")
)

// Users asks the host's user database and remembers the answers for a short
// time. While the database does not answer, older answers serve. Safe for use
// by many goroutines.
type Users struct {
	life time.Duration
	db   userDB
	mu   sync.Mutex // guards entries
	// entries are the answers by question, "u1000", "nalice", "g100" and "Gstaff".
	entries map[string]*userEntry
}

// userEntry is one answer; its fields are written before ready is closed.
type userEntry struct {
	ready chan struct{}
	at    time.Time
	value any
	err   error
}

// maxUserEntries bounds the memory spent on answers; when it is reached all are
// forgotten.
const maxUserEntries = 20000

// unknownLife is how long "no such user" is remembered at most: somebody new
// should not have to wait.
const unknownLife = 2 * time.Second

// userDB is what Users asks; tests put their own in its place.
type userDB struct {
	byID      func(uid string) (*user.User, error)
	byName    func(name string) (*user.User, error)
	groups    func(u *user.User) ([]string, error)
	groupID   func(gid string) (*user.Group, error)
	groupName func(name string) (*user.Group, error)
}

var hostUsers = userDB{
	byID: hostuser.LookupID, byName: hostuser.Lookup, groups: hostuser.GroupIDs,
	groupID: hostuser.LookupGroupID, groupName: hostuser.LookupGroup,
}

// NewUsers remembers answers for that long; a minute is a good life.
func NewUsers(life time.Duration) *Users {
	return &Users{life: life, entries: map[string]*userEntry{}, db: hostUsers}
}

// ByUID returns the user of that number.
func (u *Users) ByUID(uid uint32) (User, error) {
	text := strconv.FormatUint(uint64(uid), 10)
	return ask(u, "u"+text, func() (User, error) {
		found, err := u.db.byID(text)
		if err != nil {
			return User{}, userErr("user "+text, err)
		}
		return u.complete(found)
	})
}

// ByName returns the user of that name.
func (u *Users) ByName(name string) (User, error) {
	return ask(u, "n"+name, func() (User, error) {
		found, err := u.db.byName(name)
		if err != nil {
			return User{}, userErr(fmt.Sprintf("user %q", name), err)
		}
		return u.complete(found)
	})
}

// GroupName returns the name of the group of that number.
func (u *Users) GroupName(gid uint32) (string, error) {
	text := strconv.FormatUint(uint64(gid), 10)
	return ask(u, "g"+text, func() (string, error) {
		g, err := u.db.groupID(text)
		if err != nil {
			return "", userErr("group "+text, err)
		}
		return g.Name, nil
	})
}

// GID returns the number of the group of that name.
func (u *Users) GID(group string) (uint32, error) {
	return ask(u, "G"+group, func() (uint32, error) {
		g, err := u.db.groupName(group)
		if err != nil {
			return 0, userErr(fmt.Sprintf("group %q", group), err)
		}
		return parseID(g.Gid)
	})
}

func (u *Users) complete(found *user.User) (User, error) {
	uid, err := parseID(found.Uid)
	if err != nil {
		return User{}, err
	}
	gid, err := parseID(found.Gid)
	if err != nil {
		return User{}, err
	}
	full := User{UID: uid, GID: gid, Name: found.Username, Home: found.HomeDir}
	ids, err := u.db.groups(found)
	if err != nil {
		return User{}, fmt.Errorf("cannot look up the groups of %s: %w", found.Username, err)
	}
	full.Groups = []uint32{gid}
	for _, text := range ids {
		id, err := parseID(text)
		if err != nil {
			return User{}, err
		}
		if id != gid {
			full.Groups = append(full.Groups, id)
		}
	}
	for _, id := range full.Groups {
		name, err := u.GroupName(id)
		if errors.Is(err, ErrUnknownGroup) {
			name, err = strconv.FormatUint(uint64(id), 10), nil
		}
		if err != nil {
			return User{}, err
		}
		full.GroupNames = append(full.GroupNames, name)
	}
	full.Group = full.GroupNames[0]
	return full, nil
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("cannot use id %q of the user database", s)
	}
	return uint32(n), nil
}

func userErr(what string, err error) error {
	var noUID user.UnknownUserIdError
	var noUser user.UnknownUserError
	var noGID user.UnknownGroupIdError
	var noGroup user.UnknownGroupError
	switch {
	case errors.As(err, &noUID), errors.As(err, &noUser):
		return fmt.Errorf("cannot look up %s: %w", what, ErrUnknownUser)
	case errors.As(err, &noGID), errors.As(err, &noGroup):
		return fmt.Errorf("cannot look up %s: %w", what, ErrUnknownGroup)
	}
	return fmt.Errorf("cannot look up %s: %w", what, err)
}

// ask answers a question from memory or by looking it up. The database may take
// seconds: one goroutine asks, others with the same question wait for it, and
// other questions are not held up.
func ask[T any](u *Users, key string, look func() (T, error)) (T, error) {
	u.mu.Lock()
	old := u.entries[key]
	if old != nil {
		select {
		case <-old.ready:
			if age := time.Since(old.at); age < u.life && (old.err == nil || age < unknownLife) {
				u.mu.Unlock()
				return answer[T](old)
			}
		default:
			u.mu.Unlock()
			<-old.ready
			return answer[T](old)
		}
	}
	if len(u.entries) >= maxUserEntries {
		clear(u.entries)
	}
	e := &userEntry{ready: make(chan struct{})}
	u.entries[key] = e
	u.mu.Unlock()

	value, err := look()
	known := err == nil || errors.Is(err, ErrUnknownUser) || errors.Is(err, ErrUnknownGroup)
	if !known && old != nil && old.err == nil {
		e.value, e.err = old.value, nil // for another life, rather than ask a dead database at every call
	} else {
		e.value, e.err = value, err
	}
	e.at = time.Now()
	close(e.ready)
	return answer[T](e)
}

func answer[T any](e *userEntry) (T, error) {
	if e.err != nil {
		var none T
		return none, e.err
	}
	return e.value.(T), nil
}
