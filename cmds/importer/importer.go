// Package importer is the verb that takes a site's history from what its sacct
// printed: rink import sacct FILE.
package importer

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// fatal is a mistake after which nothing is read.
type fatal struct{ text string }

func (e *fatal) Error() string { return e.text }

// options are what was asked for.
type options struct {
	file      string
	delimiter string
	dryRun    bool
	done      string
}

func parse(env *cli.Env) (*options, error) {
	o := &options{}
	given, words, err := slurm.Getopt(env.Name, []slurm.OptionSpec{
		{Names: []string{"delimiter"}, Arg: slurm.RequiredArg}, {Names: []string{"dry-run"}, Short: 'n', Arg: slurm.NoArg},
		{Names: []string{"help"}, Short: 'h', Arg: slurm.NoArg}, {Names: []string{"version"}, Short: 'V', Arg: slurm.NoArg},
	}, env.Args, slurm.PermuteWords)
	for _, g := range given {
		switch g.Name() {
		case "delimiter":
			o.delimiter = g.Value
		case "dry-run":
			o.dryRun = true
		case "help":
			o.done = helpText
			return o, nil
		case "version":
			o.done = cli.VersionLine() + "\n"
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if len(words) != 2 || words[0] != "sacct" {
		return nil, &fatal{env.Name + ": error: want: rink import sacct FILE (- is standard input)"}
	}
	o.file = words[1]
	return o, nil
}

// chunk is how many records go in one call, and maxErrors how many bad lines are
// told of.
const (
	chunk     = 500
	maxErrors = 20
)

// Run is the verb; it returns the exit status.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	var in io.Reader = env.Stdin
	name := "standard input"
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			env.Errorf("cannot read the history: %v", err)
			return 1
		}
		defer f.Close()
		in, name = f, o.file
	}
	var client rinkpb.Controller
	if !o.dryRun {
		c, err := cli.Connect(env)
		if err != nil {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
		defer c.Close()
		client = c.Controller
	}
	t := &taker{env: env, client: client, name: name}
	if err := t.read(in, o.delimiter); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	fmt.Fprintf(env.Stdout, "%d jobs taken in, %d known already, %d not ended, %d lines in error\n", t.taken, t.known, t.live, t.bad)
	if t.taken > t.charged && client != nil {
		fmt.Fprintf(env.Stdout, "%d of them count in nobody's fair share: their users are not in their accounts here\n", t.taken-t.charged)
	}
	if t.bad > 0 {
		return 1
	}
	return 0
}

// taker reads a file and passes its jobs on.
type taker struct {
	env    *cli.Env
	client rinkpb.Controller // nil: only look
	name   string
	table  *table

	held                    []*rinkpb.Record
	taken, known, live, bad int64
	charged                 int64 // whose use counts for somebody's share
}

// read reads the lines: a header, then a job each with its steps behind it.
func (t *taker) read(in io.Reader, delimiter string) error {
	lines := &lineReader{r: bufio.NewReaderSize(in, 1<<16)}
	head, err := lines.next()
	if err != nil {
		return fmt.Errorf("%s: cannot read the header: %w", t.name, err)
	}
	if t.table, err = newTable(head, delimiter); err != nil {
		return fmt.Errorf("%s:1: %w", t.name, err)
	}
	t.table.zone = t.env.Now().Location()
	var current *rinkpb.Record
	id := ""
	flush := func() error {
		if current == nil {
			return nil
		}
		if current.Batch != nil && len(current.Steps) == 0 {
			current.Job.Batch = true // all of it is told as one
		}
		t.held = append(t.held, current)
		current = nil
		if len(t.held) >= chunk {
			return t.send()
		}
		return nil
	}
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", t.name, lines.n, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		row, err := t.table.row(line)
		if err == nil && row.isStep() {
			// A step belongs to the job before it; that of one left out is too.
			if job := row.jobPart(); current != nil && job == id {
				err = row.addTo(current)
			}
			if err == nil {
				continue
			}
		}
		if err == nil {
			if err := flush(); err != nil {
				return err
			}
			id = row.jobPart()
			var r *rinkpb.Record
			if r, err = row.record(); err == nil && r == nil {
				t.live++
			}
			current = r
		}
		if err != nil {
			current, id = nil, ""
			if t.bad++; t.bad <= maxErrors {
				t.env.Errorf("%s:%d: %v", t.name, lines.n, err)
			} else if t.bad == maxErrors+1 {
				t.env.Errorf("%s: further lines in error are not told of", t.name)
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return t.send()
}

// send passes on what is held.
func (t *taker) send() error {
	if len(t.held) == 0 {
		return nil
	}
	if t.client == nil {
		t.taken += int64(len(t.held))
		t.held = t.held[:0]
		return nil
	}
	ctx, cancel := t.env.Call(show.CallLimit())
	defer cancel()
	reply, err := t.client.ImportHistory(ctx, &rinkpb.ImportHistoryRequest{Records: t.held})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return errors.New(cli.Reason(cli.CallErr(err)))
	}
	t.taken += reply.Taken
	t.known += reply.Known
	t.charged += reply.Charged
	t.held = nil
	return nil
}

// lineReader reads lines of a bounded length and counts them.
type lineReader struct {
	r *bufio.Reader
	n int
}

// maxLine bounds a line: command lines and node lists can be long.
const maxLine = 1 << 20

func (l *lineReader) next() (string, error) {
	l.n++
	var b strings.Builder
	for {
		part, more, err := l.r.ReadLine()
		if err != nil {
			if errors.Is(err, io.EOF) && b.Len() > 0 {
				return b.String(), nil
			}
			return "", err
		}
		if b.Len()+len(part) > maxLine {
			return "", fmt.Errorf("the line is longer than %d bytes", maxLine)
		}
		b.Write(part)
		if !more {
			return b.String(), nil
		}
	}
}

// ids finds the numbers of users and groups by name, each once.
type ids struct{ users, groups map[string]uint32 }

// nobody is the number of a user this host does not know.
const nobody = 65534

func (i *ids) user(name string) uint32 {
	return lookup(&i.users, name, func() (string, error) {
		u, err := hostuser.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

func (i *ids) group(name string) uint32 {
	return lookup(&i.groups, name, func() (string, error) {
		g, err := hostuser.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func lookup(m *map[string]uint32, name string, find func() (string, error)) uint32 {
	if id, ok := (*m)[name]; ok {
		return id
	}
	if *m == nil {
		*m = map[string]uint32{}
	}
	id := uint32(nobody)
	if text, err := find(); err == nil {
		if n, err := strconv.ParseUint(text, 10, 32); err == nil {
			id = uint32(n)
		}
	}
	(*m)[name] = id
	return id
}
