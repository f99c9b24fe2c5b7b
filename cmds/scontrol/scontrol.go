// Package scontrol is the command with which to look at everything and change
// what may be changed.
package scontrol

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// call is one run of the command.
type call struct {
	env     *cli.Env
	o       *options
	cluster string
	client  rinkpb.Controller // nil until something needs the controller
	connect func() (rinkpb.Controller, string, error)
	view    *show.View
	conf    *slurm.Conf // the cluster's configuration once fetched
	reply   *rinkpb.ConfigReply
	more    []string // further words of "show assoc_mgr"
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
	if o.uid != "" {
		// Who asks is told to the controller by the kernel; nobody else can be asked for.
		if uid, err := cli.LookupUID(o.uid); err != nil || uid != env.UID() {
			env.Errorf("cannot act as user %s: run the command as that user", o.uid)
			return 1
		}
	}
	var open *cli.Client
	c := &call{env: env, o: o, view: show.NewView(env), connect: func() (rinkpb.Controller, string, error) {
		client, err := cli.Connect(env)
		if err != nil {
			return nil, "", err
		}
		open = client
		return client.Controller, client.Cluster, nil
	}}
	defer func() {
		if open != nil {
			open.Close()
		}
	}()
	return c.run()
}

// run does what the words say, or what is typed line by line when there are
// none.
func (c *call) run() int {
	if !c.o.interactive {
		return c.do(c.o.words)
	}
	in := bufio.NewScanner(c.env.Stdin)
	code := 0
	for {
		fmt.Fprint(c.env.Stdout, "scontrol: ")
		if !in.Scan() {
			fmt.Fprintln(c.env.Stdout)
			return code
		}
		if !cli.IsTerminal(c.env.Stdin) {
			fmt.Fprintln(c.env.Stdout, in.Text())
		}
		words, err := splitWords(in.Text())
		if err != nil {
			c.env.Errorf("%v", err)
			code = 1
			continue
		}
		if len(words) == 0 {
			continue
		}
		c.view.Now = c.env.Now()
		if n := c.do(words); n != 0 {
			code = n
		}
		if c.o.ended {
			return code
		}
	}
}

// splitWords cuts a line at its blanks; quotes hold words together.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, open = r, true
		case r == ' ' || r == '\t':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("cannot read the line: no closing %c", quote)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// keyword is a command: how many letters of it are enough, how many words may
// follow, and what it does.
type keyword struct {
	name     string
	letters  int
	min, max int // words behind it; max -1: any number
	remote   bool
	run      func(c *call, args []string) int
}

// keywords is every command, those with the same beginning in the order in
// which they are tried.
func keywords() []keyword {
	act := func(a rinkpb.ActRequest_Action) func(*call, []string) int {
		return func(c *call, args []string) int { return c.act(a, args) }
	}
	set := func(change func(*options)) func(*call, []string) int {
		return func(c *call, _ []string) int { change(c.o); return 0 }
	}
	list := []keyword{
		{"listpids", 5, 0, 2, true, (*call).listPids},
		{"notify", 1, 2, -1, true, (*call).notify},
		{"pidinfo", 3, 0, 1, true, (*call).pidInfo},
		{"power", 2, 1, -1, true, (*call).power},
		{"schedloglevel", 3, 1, 1, false, (*call).schedLogLevel},
		{"setdebug", 4, 1, 2, true, (*call).setDebug},
		{"setdebugflags", 9, 1, -1, true, (*call).setDebugFlags},
		{"shutdown", 8, 0, 1, true, (*call).shutdown},
		{"token", 3, 0, 2, false, (*call).token},
		{"all", 3, 0, 0, false, set(func(o *options) { o.all = true })},
		{"cluster", 2, 0, 1, true, (*call).setCluster},
		{"completing", 3, 0, 0, true, (*call).completing},
		{"create", 2, 1, -1, true, (*call).create},
		{"delete", 3, 1, -1, true, (*call).remove},
		{"details", 3, 0, 0, false, set(func(o *options) { o.details = 1 })},
		{"errnumstr", 3, 1, 1, false, (*call).errnumstr},
		{"errnostr", 3, 1, 1, false, (*call).errnumstr},
		{"exit", 1, 0, 0, false, set(func(o *options) { o.ended = true })},
		{"getaddrs", 5, 1, 1, true, (*call).getaddrs},
		{"help", 2, 0, 0, false, func(c *call, _ []string) int { return c.print(helpText) }},
		{"hide", 2, 0, 0, false, set(func(o *options) { o.all = false })},
		{"hold", 4, 1, -1, true, act(rinkpb.ActRequest_HOLD)},
		{"holdu", 5, 1, -1, true, act(rinkpb.ActRequest_UHOLD)},
		{"uhold", 5, 1, -1, true, act(rinkpb.ActRequest_UHOLD)},
		{"listjobs", 5, 0, 1, true, (*call).listJobs},
		{"liststeps", 5, 0, 1, true, (*call).listSteps},
		{"oneliner", 1, 0, 0, false, set(func(o *options) { o.oneLine = true })},
		{"ping", 3, 0, 0, false, (*call).ping},
		{"quiet", 4, 0, 0, false, set(func(o *options) { o.quiet, o.verbose = true, 0 })},
		{"quit", 4, 0, 0, false, set(func(o *options) { o.ended = true })},
		{`\q`, 2, 0, 0, false, set(func(o *options) { o.ended = true })},
		{"cancel_reboot", 8, 0, 1, true, (*call).cancelReboot},
		{"reboot", 3, 0, -1, true, (*call).reboot},
		{"reboot_nodes", 8, 0, -1, true, (*call).reboot},
		{"reconfigure", 3, 0, 0, true, (*call).reconfigure},
		{"release", 3, 1, -1, true, act(rinkpb.ActRequest_RELEASE)},
		{"requeue", 3, 1, -1, true, act(rinkpb.ActRequest_REQUEUE)},
		{"requeuehold", 8, 1, -1, true, act(rinkpb.ActRequest_REQUEUEHOLD)},
		{"resume", 3, 1, -1, true, act(rinkpb.ActRequest_RESUME)},
		{"show", 3, 1, 3, false, (*call).show},
		{"suspend", 2, 1, -1, true, act(rinkpb.ActRequest_SUSPEND)},
		{"takeover", 8, 0, 1, true, (*call).takeover},
		{"top", 3, 1, -1, true, act(rinkpb.ActRequest_TOP)},
		{"update", 1, 1, -1, true, (*call).update},
		{"verbose", 4, 0, 0, false, set(func(o *options) { o.verbose, o.quiet = o.verbose+1, false })},
		{"version", 4, 0, 0, false, func(c *call, _ []string) int { return c.print(cli.VersionLine() + "\n") }},
		{"wait_job", 2, 1, 1, true, (*call).waitJob},
		{"write", 5, 1, -1, true, (*call).write},
	}
	for _, name := range []string{
		"abort", "fsdampeningfactor", "fairsharedampeningfactor", "getent", "gethost",
	} {
		list = append(list, keyword{name, len(name), 0, -1, false, func(c *call, _ []string) int {
			c.env.Errorf("cannot do %q: this cluster's controllers have no such request", name)
			return 1
		}})
	}
	return list
}

// do runs one command.
func (c *call) do(words []string) int {
	k := find(words[0])
	if k == nil {
		fmt.Fprintf(c.env.Stderr, "invalid keyword: %s\n", words[0])
		return 1
	}
	args := words[1:]
	switch {
	case len(args) < k.min && (k.name == "update" || k.name == "create" || k.name == "delete"):
		fmt.Fprintf(c.env.Stderr, "too few arguments for %s keyword\n", k.name)
		return 1
	case len(args) < k.min && k.name == "errnumstr":
		fmt.Fprintln(c.env.Stderr, "one arguments required for keyword:errnumstr")
		return 1
	case len(args) < k.min:
		fmt.Fprintf(c.env.Stderr, "too few arguments for keyword:%s\n", words[0])
		return 1
	case k.max >= 0 && len(args) > k.max && k.name == "version":
		fmt.Fprintln(c.env.Stderr, "too many arguments for version keyword")
		k.run(c, nil)
		return 1
	case k.max >= 0 && len(args) > k.max:
		fmt.Fprintf(c.env.Stderr, "too many arguments for keyword:%s\n", words[0])
		return 1
	}
	if c.o.verbose > 0 {
		c.env.Infof("%s %s", k.name, strings.Join(args, " "))
	}
	if k.remote {
		if err := c.dial(); err != nil {
			return c.failed("slurm_"+k.name+" error", err)
		}
	}
	return k.run(c, args)
}

// find returns the command that a word, perhaps cut short, means.
func find(word string) *keyword {
	word = strings.ToLower(word)
	list := keywords()
	for i := range list {
		if list[i].name == word {
			return &list[i]
		}
	}
	for i := range list {
		if len(word) >= list[i].letters && strings.HasPrefix(list[i].name, word) {
			return &list[i]
		}
	}
	return nil
}

// errNotHere is that --clusters names other clusters only, which has been said.
var errNotHere = errors.New("another cluster is asked for")

// dial makes sure that there is a connection to the controller.
func (c *call) dial() error {
	if c.client != nil {
		return nil
	}
	client, cluster, err := c.connect()
	if err != nil {
		return err
	}
	if c.o.hasClusters && !cli.OnCluster(c.env, cluster, c.o.clusters) {
		return errNotHere
	}
	c.client, c.cluster, c.view.Cluster = client, cluster, cluster
	return nil
}

// failed says that something went wrong, "WHAT: why", and is the exit status.
func (c *call) failed(what string, err error) int {
	if !errors.Is(err, errNotHere) && (!c.o.quiet || errors.Is(err, cli.ErrUnreachable)) {
		fmt.Fprintf(c.env.Stderr, "%s: %s\n", what, cli.Reason(err))
	}
	return 1
}

// say prints a line on stdout unless told to be quiet, and is the exit status.
func (c *call) say(code int, format string, args ...any) int {
	if !c.o.quiet || code == 0 {
		fmt.Fprintf(c.env.Stdout, format+"\n", args...)
	}
	return code
}

// print writes text on stdout.
func (c *call) print(text string) int {
	if _, err := io.WriteString(c.env.Stdout, text); err != nil {
		c.env.Errorf("cannot write: %v", err)
		return 1
	}
	return 0
}

// data prints nouns as JSON or YAML.
func (c *call) data(name string, list []any) int {
	c.view.Encoding = c.o.encoding
	if err := c.view.Data(c.env, name, append([]any{}, list...)); err != nil {
		c.env.Errorf("%v", err)
		return 1
	}
	return 0
}

// dataOf is data of nouns that were asked for by name; those that there are not are said.
func (c *call) dataOf(name string, list []any, noun string, missing ...string) int {
	code := c.data(name, list)
	for _, m := range missing {
		if m != "" {
			c.env.Errorf("%s %s not found", noun, m)
			code = 1
		}
	}
	return code
}

func (c *call) setCluster(args []string) int {
	if len(args) == 0 {
		c.o.clusters, c.o.hasClusters = "", false
		return 0
	}
	if !cli.OnCluster(c.env, c.cluster, args[0]) {
		return 1
	}
	c.o.clusters, c.o.hasClusters = args[0], true
	return 0
}
