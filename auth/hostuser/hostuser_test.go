package hostuser

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"testing"
)

// TestGetent looks up who is in no file of this host and known to getent alone.
func TestGetent(t *testing.T) {
	dir := t.TempDir()
	script := `#!/bin/sh
case "$2 $3" in
"passwd dora"|"passwd 4000000001") echo "dora:x:4000000001:4000000002:Dora,,,:/home/dora:/bin/bash";;
"group dancers"|"group 4000000002") echo "dancers:x:4000000002:";;
"initgroups dora") echo "dora                 4000000002 4000000003";;
"passwd broken") exit 1;;
*) exit 2;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "getent"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, key := range []string{"dora", "4000000001"} {
		look := files.byName
		if key != "dora" {
			look = files.byID
		}
		u, err := look(key)
		if err != nil || *u != (user.User{Username: "dora", Uid: "4000000001", Gid: "4000000002", Name: "Dora,,,", HomeDir: "/home/dora"}) {
			t.Fatalf("%s is %+v, %v", key, u, err)
		}
		groups, err := files.groupsOf(u)
		if err != nil || !slices.Equal(groups, []string{"4000000002", "4000000003"}) {
			t.Errorf("the groups of %s are %v, %v", key, groups, err)
		}
	}
	if g, err := files.group("dancers"); err != nil || g.Gid != "4000000002" {
		t.Errorf("dancers: %+v, %v", g, err)
	}
	if g, err := files.groupByID("4000000002"); err != nil || g.Name != "dancers" {
		t.Errorf("4000000002: %+v, %v", g, err)
	}
	if u, err := files.byName("4000000001"); !errors.As(err, new(user.UnknownUserError)) {
		t.Errorf("a number taken for a name is %+v, %v", u, err)
	}
	for _, name := range []string{"nobody-knows"} {
		if _, err := files.byName(name); !errors.As(err, new(user.UnknownUserError)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := files.group(name); !errors.As(err, new(user.UnknownGroupError)) {
			t.Errorf("group %s: %v", name, err)
		}
	}
	if _, err := files.byName("broken"); err == nil || errors.As(err, new(user.UnknownUserError)) {
		t.Errorf("a getent that fails says %v", err)
	}
	if u, err := files.byName("root"); err != nil || u.Uid != "0" {
		t.Errorf("root: %+v, %v", u, err)
	}
}
