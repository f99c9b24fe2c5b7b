// Package sacctmgr is the command with which accounts, users, associations and
// QOS are looked at and changed.
package sacctmgr

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// callLimit is how long one question to the controller may take.
const callLimit = 60 * time.Second

// call is one run of the command.
type call struct {
	env     *cli.Env
	o       *options
	in      *bufio.Reader
	client  rinkpb.Controller // nil until something needs the controller
	connect func() (rinkpb.Controller, error)
	flush   func() error // what stdout was told goes out
	view    *show.View
	code    int
	last    []string // the words of the command before, for !!
	over    bool     // an interactive session was told to end
	names   []string // what the command at hand is about
	adding  bool     // the command at hand adds
	// unplaced says that it names no account but a default one.
	unplaced bool
	// forgiven says that what went wrong leaves the exit status at 0, as in Slurm.
	forgiven bool
}

// Run is the command; it returns the exit status.
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
	var open *cli.Client
	c := newCall(env, o, func() (rinkpb.Controller, error) {
		client, err := cli.Connect(env)
		if err != nil {
			return nil, err
		}
		open = client
		return client.Controller, nil
	})
	defer func() {
		if open != nil {
			open.Close()
		}
	}()
	return c.run()
}

func newCall(env *cli.Env, o *options, connect func() (rinkpb.Controller, error)) *call {
	// Unless a person reads along, what goes to stdout is kept until the end or a
	// question, so that in one file it stands behind what went wrong, as Slurm's does.
	held := *env
	out := bufio.NewWriterSize(env.Stdout, 4096)
	flush := out.Flush
	if cli.IsTerminal(env.Stdout) {
		flush = func() error { return nil }
	} else {
		held.Stdout = out
	}
	env = &held
	return &call{flush: flush, env: env, o: o, in: bufio.NewReader(env.Stdin), connect: connect, view: show.NewView(env)}
}

// run does what the words say, or what is typed line by line when there are
// none; it returns the exit status.
func (c *call) run() int {
	code := c.work()
	if err := c.flush(); err != nil && code == 0 {
		c.env.Errorf("%v", err)
		code = 1
	}
	return code
}

func (c *call) work() int {
	if len(c.o.words) > 0 {
		c.do(c.o.words)
		return c.code
	}
	typed := cli.IsTerminal(c.env.Stdin)
	for !c.over {
		fmt.Fprint(c.env.Stdout, "sacctmgr: ")
		line, err := c.in.ReadString('\n')
		line = strings.TrimRight(line, "\n")
		if err != nil && line == "" {
			fmt.Fprintln(c.env.Stdout)
			break
		}
		if !typed {
			fmt.Fprintln(c.env.Stdout, line)
		}
		if err := c.flush(); err != nil { // what goes wrong with this line stands behind it
			c.env.Errorf("%v", err)
			c.code = 1
			break
		}
		if words := splitLine(line); len(words) > 0 {
			c.do(words)
		}
	}
	return c.code
}

// splitLine parts a typed line into words; quotes keep blanks together.
func splitLine(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	in := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
			continue
		default:
			word.WriteRune(r)
		}
		in = true
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// keyword is a command with how many of its letters are enough.
type keyword struct {
	name string
	min  int
	do   func(c *call, words []string)
}

func keywords() []keyword {
	verb := func(name string, do func(c *call, words []string)) func(*call, []string) {
		return func(c *call, words []string) {
			if c.o.readonly {
				c.bare("Can't run this command in readonly mode.")
				return
			}
			do(c, words)
		}
	}
	set := func(do func(o *options)) func(*call, []string) { return func(c *call, _ []string) { do(c.o) } }
	return []keyword{
		{"associations", 3, set(func(o *options) { o.assocs = true })},
		{"add", 3, verb("add", (*call).add)}, {"create", 3, verb("add", (*call).add)},
		{"archive", 3, verb("archive", (*call).archive)},
		{"clear", 3, verb("clear", (*call).clear)},
		{"delete", 3, verb("delete", (*call).remove)}, {"remove", 3, verb("delete", (*call).remove)},
		{"dump", 3, (*call).dump},
		{"exit", 4, func(c *call, _ []string) { c.over = true }}, {"quit", 4, func(c *call, _ []string) { c.over = true }},
		{"help", 2, func(c *call, words []string) {
			if len(words) > 0 {
				c.bare("too many arguments for keyword:help")
			}
			fmt.Fprint(c.env.Stdout, helpText)
		}},
		{"list", 3, (*call).list}, {"show", 3, (*call).list},
		{"load", 2, verb("load", (*call).load)},
		{"modify", 1, verb("modify", (*call).modify)}, {"update", 1, verb("modify", (*call).modify)},
		{"oneliner", 1, set(func(*options) {})},
		{"parsable", 8, set(func(o *options) { o.parsable = 1 })}, {"parsable2", 9, set(func(o *options) { o.parsable = 2 })},
		{"ping", 4, (*call).ping},
		{"quiet", 4, set(func(o *options) { o.quiet = true })},
		{"readonly", 4, set(func(o *options) { o.readonly = true })},
		{"reconfigure", 4, verb("reconfigure", (*call).reconfigure)},
		{"rollup", 4, verb("rollup", (*call).rollup)},
		{"shutdown", 8, func(c *call, _ []string) {
			if c.asks(sched.AdminAdministrator, "Problem shutting down server") {
				c.fail("The accounts are kept by the controllers: stop rinkctld instead.")
			}
		}},
		{"verbose", 4, set(func(o *options) { o.verbose++ })},
		{"version", 4, func(c *call, _ []string) { fmt.Fprintln(c.env.Stdout, cli.VersionLine()) }},
	}
}

// do carries out one command.
func (c *call) do(words []string) {
	if words[0] == "!!" {
		if c.last == nil {
			c.fail("no previous command")
			return
		}
		words = c.last
	}
	c.last = words
	for _, k := range keywords() {
		if begins(k.name, words[0], k.min) {
			c.adding = k.name == "add" || k.name == "create"
			before := c.code
			k.do(c, words[1:])
			if c.forgiven {
				c.code, c.forgiven = before, false
			}
			return
		}
	}
	c.code = 1
	fmt.Fprintf(c.env.Stderr, "invalid keyword: %s\n", words[0])
}

// begins reports whether word is a beginning of name, of at least that many
// letters.
func begins(name, word string, min int) bool {
	return len(word) >= min && len(word) <= len(name) && strings.EqualFold(name[:len(word)], word)
}

// fail says on stderr what went wrong, each line with a blank before it as
// Slurm has it.
func (c *call) fail(format string, args ...any) {
	c.code = 1
	fmt.Fprintf(c.env.Stderr, " "+format+"\n", args...)
}

// bare is fail for lines without the blank.
func (c *call) bare(format string, args ...any) {
	c.code = 1
	fmt.Fprintf(c.env.Stderr, format+"\n", args...)
}

// print says on stdout what was asked for.
func (c *call) print(format string, args ...any) { fmt.Fprintf(c.env.Stdout, format, args...) }

// controller returns the connection to the cluster; false when there is none,
// which is said.
func (c *call) controller() bool {
	if c.client != nil {
		return true
	}
	var err error
	if c.client, err = c.connect(); err != nil {
		c.code = 1
		c.env.Errorf("%s", cli.Reason(err))
		return false
	}
	return true
}

// cluster is what the controller says of the accounts.
type cluster struct {
	*sched.Accounts
	reply *rinkpb.AccountsReply
	name  string
	level sched.AdminLevel // what the caller may do
	notes []*sched.Transaction
}

// fetch asks the controller for the accounts; nil when it does not answer, which
// is said.
func (c *call) fetch(transactions bool) *cluster {
	if !c.controller() {
		return nil
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.ListAccounts(ctx, &rinkpb.ListAccountsRequest{Transactions: transactions})
	if err == nil {
		var tables *sched.AccountTables
		if tables, err = api.AccountTablesFromProto(reply.Tables); err == nil {
			cl := &cluster{Accounts: sched.AccountsShown(*tables), reply: reply, name: reply.Cluster, level: sched.AdminLevel(reply.Level)}
			c.view.Cluster = reply.Cluster
			for _, p := range reply.Transactions {
				cl.notes = append(cl.notes, api.TransactionFromProto(p))
			}
			return cl
		}
	}
	c.code = 1
	c.env.Errorf("%s", cli.Reason(cli.CallErr(err)))
	return nil
}

// ask has the controller make changes, or say what they would come to. The error
// says what is in the way.
func (c *call) ask(dry bool, asks ...sched.AccountAsk) ([]sched.AccountsOutcome, *rinkpb.AccountTrouble, error) {
	if !c.controller() {
		return nil, nil, errSaid
	}
	req := &rinkpb.ChangeAccountsRequest{DryRun: dry}
	for i := range asks {
		req.Asks = append(req.Asks, api.AccountAskToProto(&asks[i]))
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.ChangeAccounts(ctx, req)
	if err != nil {
		return nil, nil, cli.CallErr(err)
	}
	var out []sched.AccountsOutcome
	for _, p := range reply.Outcomes {
		out = append(out, *api.AccountsOutcomeFromProto(p))
	}
	return out, reply.Trouble, api.AccountTroubleFromProto(reply.Trouble, reply.Status)
}

// errSaid is an error of which the person knows.
var errSaid = fmt.Errorf("said")

// ping says whether a controller answers.
func (c *call) ping([]string) {
	if !c.controller() {
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	began := time.Now()
	reply, err := c.client.Ping(ctx, &rinkpb.PingRequest{})
	if c.o.encoding.On() {
		up := err == nil && reply.Up
		if c.pingData(reply, up, time.Since(began)); !up {
			c.code = 1
		}
		return
	}
	if err != nil || !reply.Up {
		c.print("slurmdbd(primary) at %s is DOWN\n", reply.GetHost())
		c.code = 1
		return
	}
	c.print("slurmdbd(primary) at %s is UP\n", reply.Leader)
}

// reconfigure has the controllers read their configuration again.
func (c *call) reconfigure(words []string) {
	if len(words) > 0 {
		c.bare("too many arguments for reconfigure keyword")
		return
	}
	if !c.controller() {
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	if _, err := c.client.Reconfigure(ctx, &rinkpb.ReconfigureRequest{}); err != nil {
		c.fail("Problem reconfiguring: %s", cli.Reason(cli.CallErr(err)))
	}
}

// archive is about a database that there is none of here: what it is for are rink export
// and rink import.
func (c *call) archive(words []string) {
	switch {
	case len(words) > 0 && begins("dump", words[0], 1):
		if c.mayArchive("dumping archive") {
			c.fail("There is no database to archive: the controllers keep the history themselves, and rink export writes it into a file.")
		}
	case len(words) > 0 && begins("load", words[0], 1):
		if c.mayArchive("loading archive file") {
			c.fail("There is no database to load into: rink import takes a site's history from what sacct -P printed there.")
		}
	default:
		c.bare("No valid entity in archive command\nInput line must include, \"Dump\", or \"load\"")
	}
}

func (c *call) clear(words []string) {
	if len(words) != 1 || !begins("stats", words[0], 1) {
		c.bare("No valid entity in list command\nInput line must include \"Stats\"")
		return
	}
	if !c.controller() {
		return
	}
	ctx, cancel := c.env.Call(callLimit)
	defer cancel()
	reply, err := c.client.Diag(ctx, &rinkpb.DiagRequest{Anew: true})
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		c.bare("sacctmgr: error: %s", cli.Reason(cli.CallErr(err)))
	}
}

// errno returns Slurm's text for an error.
func errno(err error) string { return cli.Reason(err) }

// qosNames is a list of QOS as Slurm prints it.
func qosNames(list []string) string { return strings.Join(list, ",") }

// tres prints amounts in the alphabet's order, memory scaled.
func tres(list slurm.TRES) string { return list.ByName(false) }
