package sacctmgr

import (
	"fmt"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// allowed reports whether the caller has that level, and says so when not: what names the
// thing that is refused. The controller decides over all that it changes; here it is about
// what the command itself prints, or does not do.
func (c *call) allowed(cl *cluster, level sched.AdminLevel, what string) bool {
	if cl.level >= level {
		return true
	}
	c.bare("sacctmgr: error: Your user doesn't have privilege to perform this action\n %s: %s", what, errno(slurm.ErrnoAccessDenied))
	return false
}

// asks is allowed for what says no more than that it is refused.
func (c *call) asks(level sched.AdminLevel, what string) bool {
	cl := c.fetch(false)
	if cl == nil {
		return false
	}
	if cl.level < level {
		c.fail("%s: %s", what, errno(slurm.ErrnoAccessDenied))
		return false
	}
	return true
}

// mayArchive reports whether the caller may have the history written out or read in.
func (c *call) mayArchive(what string) bool {
	cl := c.fetch(false)
	return cl != nil && c.allowed(cl, sched.AdminOperator, "Problem "+what)
}

// federation reads the words of a command that is about federations; false when one of
// them means nothing, which is said.
func (c *call) federation(words []string, unknown string) (names []string, ok bool) {
	ok = true
	setting := false
	for _, w := range words {
		key, _, value, is := cut(w)
		switch {
		case strings.EqualFold(w, "where"):
			setting = false
		case strings.EqualFold(w, "set"):
			setting = true
		case setting && is && (begins("Clusters", key, 2) || begins("Flags", key, 2)):
		case !is && !setting:
			names = append(names, parts(w)...)
		case is && !setting && begins("Names", key, 1):
			names = append(names, parts(value)...)
		case is && !setting && (begins("Clusters", key, 2) || begins("Flags", key, 2)):
		case setting:
			c.fail("Unknown option: %s\n Use keyword 'where' to modify condition", w)
			ok = false
		default:
			c.fail("%s", fmt.Sprintf(unknown, w))
			ok = false
		}
	}
	return names, ok
}

func (c *call) addFederations(words []string) {
	names, ok := c.federation(words, "Unknown option: %s\n Use keyword 'where' to modify condition")
	switch cl := c.fetch(false); {
	case cl == nil || !ok:
	case len(names) == 0:
		c.fail("Need name of federation to add.")
	case cl.level < sched.AdminAdministrator:
		c.print(" Adding Federation(s)\n")
		for _, n := range names {
			c.print("  %s\n", n)
		}
		c.fail("Problem adding federation(s): %s", errno(slurm.ErrnoAccessDenied))
	default:
		c.fail("There are no federations here: there is one cluster.")
	}
}

func (c *call) modifyFederations(words []string) {
	names, ok := c.federation(words, "Unknown condition: %s\n Use keyword 'set' to modify value")
	if !ok {
		return
	}
	for _, n := range names {
		c.fail("The federation %s doesn't exist.", n)
	}
	if len(names) == 0 {
		c.print(" Nothing modified\n")
		c.code = 1
	}
}

func (c *call) removeFederations(words []string) {
	names, ok := c.federation(words, "Unknown condition: %s\n Use keyword 'set' to modify value")
	if len(names) == 0 {
		if len(words) == 0 {
			c.fail("No conditions given to remove, not executing.")
		}
		return
	}
	if cl := c.fetch(false); cl != nil && ok && c.allowed(cl, sched.AdminAdministrator, "Error with request") {
		c.print(" Nothing deleted\n")
		c.code = 1
	}
}
