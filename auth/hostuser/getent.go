package hostuser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
)

// files reads /etc/passwd and /etc/group, and for what is not there asks getent,
// which knows the directory services a host may have behind them.
var files = database{
	byName: func(name string) (*user.User, error) {
		u, err := user.Lookup(name)
		if !errors.As(err, new(user.UnknownUserError)) {
			return u, err
		}
		if _, numeric := strconv.Atoi(name); numeric == nil {
			return nil, err // getent would take it for a uid
		}
		return getentUser(name, err)
	},
	byID: func(uid string) (*user.User, error) {
		u, err := user.LookupId(uid)
		if !errors.As(err, new(user.UnknownUserIdError)) {
			return u, err
		}
		return getentUser(uid, err)
	},
	group: func(name string) (*user.Group, error) {
		g, err := user.LookupGroup(name)
		if !errors.As(err, new(user.UnknownGroupError)) {
			return g, err
		}
		if _, numeric := strconv.Atoi(name); numeric == nil {
			return nil, err
		}
		return getentGroup(name, err)
	},
	groupByID: func(gid string) (*user.Group, error) {
		g, err := user.LookupGroupId(gid)
		if !errors.As(err, new(user.UnknownGroupIdError)) {
			return g, err
		}
		return getentGroup(gid, err)
	},
	groupsOf: func(u *user.User) ([]string, error) {
		ids, err := u.GroupIds()
		if err != nil {
			return nil, err
		}
		out, ok, err := getent("initgroups", u.Username)
		if err != nil || !ok {
			return ids, err
		}
		fields := strings.Fields(out) // name, then group numbers
		for _, id := range fields[min(1, len(fields)):] {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		return ids, nil
	},
}

func getentUser(key string, unknown error) (*user.User, error) {
	line, ok, err := getent("passwd", key)
	if err != nil {
		return nil, err
	}
	f := strings.Split(line, ":")
	if !ok || len(f) < 7 {
		return nil, unknown
	}
	return &user.User{Username: f[0], Uid: f[2], Gid: f[3], Name: f[4], HomeDir: f[5]}, nil
}

func getentGroup(key string, unknown error) (*user.Group, error) {
	line, ok, err := getent("group", key)
	if err != nil {
		return nil, err
	}
	f := strings.Split(line, ":")
	if !ok || len(f) < 4 {
		return nil, unknown
	}
	return &user.Group{Name: f[0], Gid: f[2]}, nil
}

// getent returns the first line getent prints; false when it has no such entry
// or the host has no getent.
func getent(database, key string) (string, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", "--", database, key).Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", false, nil
	case errors.As(err, &exit) && exit.ExitCode() == 2:
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("getent %s %s: %w", database, key, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	if !lines.Scan() {
		return "", false, nil
	}
	return lines.Text(), true, nil
}
