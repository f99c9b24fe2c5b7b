package slice

import (
	"strings"
	"testing"
)

// TestCapabilitiesAreGone has tasks tell what they may have of capabilities, with and
// without a user namespace, in which the kernel gives all of them back.
func TestCapabilitiesAreGone(t *testing.T) {
	needRoot(t)
	h := testHost(t)
	none := strings.Repeat("0", 16)
	for name, c := range map[string]struct {
		users   bool
		inside  *Identity
		confine Confine
		bounds  string // "" for whatever there is: with no_new_privs they are of no use
	}{
		"bounds":                       {confine: Confine{DropCaps: true}, bounds: none},
		"some are kept":                {confine: Confine{DropCaps: true, KeepCaps: []string{"chown"}}, bounds: none[1:] + "1"},
		"user namespace":               {users: true, confine: Confine{DropCaps: true}, bounds: none},
		"root of a user namespace":     {users: true, inside: &Identity{}, confine: Confine{DropCaps: true}, bounds: none},
		"the same, with no_new_privs":  {users: true, inside: &Identity{}, confine: Confine{DropCaps: true, NoNewPrivs: true}, bounds: none},
		"no_new_privs":                 {confine: Confine{DropCaps: true, NoNewPrivs: true}},
		"user namespace, no_new_privs": {users: true, confine: Confine{DropCaps: true, NoNewPrivs: true}},
	} {
		s := shell(`grep -E '^(Cap|NoNew)' /proc/self/status | tr -d '\t\n'`, openDir(t)+"/out")
		s.Namespaces.User, s.Inside, s.Confine = c.users, c.inside, c.confine
		s.Tasks[0].Dir = "/"
		got, _ := run(t, h, s)
		_, bounds, _ := strings.Cut(got, "CapBnd:")
		bounds, _, _ = strings.Cut(bounds, "CapAmb:")
		if c.bounds == "" && strings.HasSuffix(got, "NoNewPrivs:1") {
			c.bounds = bounds
		}
		if c.bounds != bounds || !strings.HasPrefix(got, "CapInh:"+none+"CapPrm:"+none+"CapEff:"+none) || !strings.Contains(got, "CapAmb:"+none) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
