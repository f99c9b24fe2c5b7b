package sacctmgr

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/runink/rink/sched"
)

func sorted(list []string) []string { slices.Sort(list); return list }

// dumped is one line of a dump: a cluster, an account or a user, with what is
// said of it.
type dumped struct {
	kind, name, parent string
	words              [][2]string
	line               int
}

// readDump reads a dump in Slurm's form. Lines that are empty or begin with a
// number sign say nothing.
func readDump(text string) (list []dumped, err error) {
	parent := sched.RootAccount
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		kind, rest, ok := strings.Cut(line, "-")
		if !ok {
			return nil, fmt.Errorf("Misformatted line(%d): %s", i+1, line)
		}
		kind = strings.TrimSpace(kind)
		pieces := splitColons(strings.TrimSpace(rest))
		d := dumped{kind: strings.ToLower(kind), name: unquote(pieces[0]), parent: parent, line: i + 1}
		for _, p := range pieces[1:] {
			key, value, ok := strings.Cut(p, "=")
			if !ok {
				return nil, fmt.Errorf("Misformatted line(%d): %q is no option", i+1, p)
			}
			d.words = append(d.words, [2]string{strings.TrimSpace(key), unquote(value)})
		}
		if d.name == "" {
			return nil, fmt.Errorf("Misformatted line(%d): %s", i+1, line)
		}
		switch d.kind {
		case "machine", "cluster":
			d.kind = "cluster"
		case "parent":
			parent = strings.ToLower(d.name)
			continue
		case "account", "project", "user":
			if d.kind == "project" {
				d.kind = "account"
			}
		default:
			return nil, fmt.Errorf("Misformatted line(%d): unknown kind %s", i+1, kind)
		}
		list = append(list, d)
	}
	if len(list) == 0 || list[0].kind != "cluster" {
		return nil, fmt.Errorf("You need to specify a cluster name first with 'Cluster - $NAME' in your file")
	}
	return list, nil
}

// splitColons parts a line at the colons that are not within quotes or the name
// of a resource (gres/gpu:a100).
func splitColons(line string) []string {
	var out []string
	var quote byte
	start := 0
	for i := 0; i < len(line); i++ {
		switch ch := line[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case ch == ':' && !withinResource(line[start:i], line[i+1:]):
			out = append(out, line[start:i])
			start = i + 1
		}
	}
	return append(out, line[start:])
}

// withinResource reports whether a colon parts the type from the name of a
// resource, as in GrpTRES=gres/gpu:a100=2.
func withinResource(before, after string) bool {
	last := before[strings.LastIndexAny(before, ",=")+1:]
	if !strings.Contains(before, "=") || !strings.Contains(last, "/") {
		return false
	}
	word, _, _ := strings.Cut(after, ":")
	key, _, ok := strings.Cut(word, "=")
	return ok && !strings.Contains(key, ",") && sched.FindWord(false, key) == nil
}

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `'"`) }

// load reads a dump and makes the accounts as it says: what is new is added and
// what is otherwise is changed. With clean, what was there goes first.
func (c *call) load(words []string) {
	file, name, clean := "", "", false
	for _, w := range words {
		key, _, value, ok := cut(w)
		switch {
		case !ok && strings.EqualFold(w, "clean"):
			clean = true
		case ok && begins("Cluster", key, 1):
			name = value
		case ok && begins("File", key, 1):
			file = value
		case !ok && file == "":
			file = w
		default:
			c.fail("Unknown option: %s", w)
			return
		}
	}
	if file == "" {
		c.fail("No filename given, specify one with file=''")
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		c.fail("Unable to read \"%s\": %s", file, reasonOf(err))
		return
	}
	list, err := readDump(string(text))
	if err != nil {
		c.bare("sacctmgr: error: %v", err)
		c.print(" Nothing new added.\n")
		return
	}
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	if name == "" {
		name = list[0].name
	}
	if !strings.EqualFold(name, cl.name) {
		c.bare("sacctmgr: error: The accounts are those of cluster %s alone; with cluster=%s the file is loaded into it.", cl.name, cl.name)
		return
	}
	began := c.env.Now()
	c.print("For cluster %s\n", cl.name)
	asks, report, err := loadAsks(cl, list, clean)
	if err != nil {
		c.bare("%v", err)
		if errors.Is(err, errNoParent) {
			c.print(" Nothing new added.\n")
		}
		return
	}
	if len(asks) == 0 {
		c.print(" Nothing new added.\n")
		return
	}
	if _, trouble, err := c.ask(true, asks...); err != nil {
		c.loadTrouble(cl, err, trouble, asks)
		return
	}
	report(c)
	if !c.o.immediate && !c.commit() {
		return
	}
	if _, trouble, err := c.ask(false, asks...); err != nil {
		c.loadTrouble(cl, err, trouble, asks)
		return
	}
	if !c.o.quiet {
		if err := c.flush(); err != nil {
			c.fail("%v", err)
		}
		c.warn("sacctmgr: Done adding cluster in usec=%d", c.env.Now().Sub(began).Microseconds())
	}
}

func reasonOf(err error) string {
	text := err.Error()
	if os.IsNotExist(err) {
		return "No such file or directory"
	}
	return text[strings.LastIndex(text, ": ")+2:]
}
