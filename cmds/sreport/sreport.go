// Package sreport is the command that reports who used how much of the cluster.
package sreport

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

//go:embed help.txt
var helpText string

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	o, words, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	s := &session{env: env, o: o, client: client.Controller, cluster: client.Cluster}
	if len(words) > 0 {
		return s.do(words)
	}
	return s.converse()
}

// session is one call, with one report or, in a conversation, several.
type session struct {
	env     *cli.Env
	o       *options
	client  rinkpb.Controller
	cluster string
	quit    bool
}

// converse reads one command a line until there are no more.
func (s *session) converse() int {
	in := bufio.NewScanner(s.env.Stdin)
	code, last := 0, ""
	typed := cli.IsTerminal(s.env.Stdin)
	for !s.quit {
		fmt.Fprintf(s.env.Stdout, "%s: ", s.env.Name)
		if !in.Scan() {
			fmt.Fprintln(s.env.Stdout)
			break
		}
		line := strings.TrimSpace(in.Text())
		if !typed { // as if it had been
			fmt.Fprintln(s.env.Stdout, in.Text())
		}
		if line == "!!" {
			line = last
		}
		if line == "" || line[0] == '#' {
			continue
		}
		last = line
		code = max(code, s.do(strings.Fields(line)))
	}
	return code
}

// kind is a report: where it is found, and what makes it.
type kind struct {
	name  string
	least int    // letters that are enough
	short string // another name
	make  func(*session, *wish) int
}

var (
	clusterKinds = []kind{
		{"AccountUtilizationByUser", 1, "", (*session).accountByUser}, {"UserUtilizationByAccount", 18, "UA", (*session).userByAccount},
		{"UserUtilizationByWckey", 18, "UW", (*session).userByWckey}, {"Utilization", 2, "", (*session).utilization},
		{"WCKeyUtilizationByUser", 1, "", (*session).wckeyByUser},
	}
	byQOS    = kind{"AccountUtilizationByQOS", 21, "AQ", (*session).accountByQOS}
	jobKinds = []kind{
		{"SizesByAccount", 1, "", (*session).sizesByAccount}, {"SizesByAccountAndWckey", 15, "", (*session).sizesByBoth},
		{"SizesByWckey", 8, "", (*session).sizesByWckey},
	}
	userKinds        = []kind{{"TopUsage", 1, "", (*session).top}}
	reservationKinds = []kind{{"Utilization", 1, "", (*session).reservations}}
)

// do carries out one command.
func (s *session) do(words []string) int {
	o := s.o
	word := words[0]
	switch {
	case prefixed(word, "cluster", 2):
		return s.report("cluster", append([]kind{byQOS}, clusterKinds...), words[1:])
	case prefixed(word, "job", 1):
		return s.report("job", jobKinds, words[1:])
	case prefixed(word, "user", 1):
		return s.report("user", userKinds, words[1:])
	case prefixed(word, "reservation", 2), strings.EqualFold(word, "resv"):
		return s.report("reservation", reservationKinds, words[1:])
	case prefixed(word, "exit", 1), prefixed(word, "quit", 4):
		s.quit = true
	case prefixed(word, "help", 2):
		fmt.Fprint(s.env.Stdout, helpText)
	case prefixed(word, "nonparsable", 4):
		o.parsable = 0
	case strings.EqualFold(word, "parsable2"):
		o.parsable = 2
	case prefixed(word, "parsable", 1):
		o.parsable = 1
	case prefixed(word, "noheader", 4):
		o.noHeader = true
	case prefixed(word, "quiet", 4):
		o.quiet = true
	case prefixed(word, "verbose", 4):
		o.verbose++
	case prefixed(word, "local", 4):
		o.clusters = ""
	case len(words) == 1 && (prefixed(word, "time", 1) || prefixed(word, "sort", 2)):
		fmt.Fprintf(s.env.Stderr, "too few arguments for keyword:%s\n", word)
		return 1
	case prefixed(word, "time", 1) && len(words) == 2:
		if err := o.setUnit(s.env, words[1]); err != nil {
			fmt.Fprintln(s.env.Stderr, err)
			return 1
		}
	case prefixed(word, "sort", 2) && len(words) == 2:
		if err := o.set(s.env, "sort", words[1]); err != nil {
			fmt.Fprintln(s.env.Stderr, err)
			return 1
		}
	case prefixed(word, "version", 4):
		fmt.Fprintln(s.env.Stdout, cli.VersionLine())
	default:
		fmt.Fprintf(s.env.Stderr, "invalid keyword: %s\n", word)
		return 1
	}
	return 0
}

// report finds the report of that name and makes it.
func (s *session) report(what string, kinds []kind, words []string) int {
	name := ""
	if len(words) > 0 {
		name = words[0]
	}
	i := slices.IndexFunc(kinds, func(k kind) bool {
		return prefixed(name, k.name, k.least) || k.short != "" && strings.EqualFold(name, k.short)
	})
	if i < 0 {
		var names []string
		for _, k := range kinds {
			names = append(names, `"`+k.name+`"`)
		}
		if len(words) == 0 {
			fmt.Fprintf(s.env.Stderr, "too few arguments for keyword:%s\n", what)
			return 1
		}
		slices.Sort(names)
		list := names[0]
		if n := len(names); n > 1 {
			list = strings.Join(names[:n-1], ", ") + ", and " + names[n-1]
		}
		fmt.Fprintf(s.env.Stderr, "Not valid report %s\nValid %s reports are, %s\n", name, what, list)
		return 1
	}
	w, err := conditions(s.env, words[1:])
	if err != nil {
		fmt.Fprintln(s.env.Stderr, err)
		return 1
	}
	for _, word := range w.bare {
		if !cli.HasCluster(word, s.cluster) {
			fmt.Fprintln(s.env.Stderr, unknown(word))
			return 1
		}
	}
	clusters := show.Or(w.clusters, s.o.clusters)
	if w.allHere {
		clusters = ""
	}
	if clusters != "" && !cli.HasCluster(clusters, s.cluster) {
		// Another cluster's usage is kept by that cluster: here it has none.
		s.cluster = ""
	}
	return kinds[i].make(s, w)
}

// fetch asks the controller for the usage of a report's time.
func (s *session) fetch(w *wish, req *rinkpb.UsageRequest) (*rinkpb.UsageReply, bool) {
	req.Start, req.End, req.Cluster = w.start.UnixNano(), w.end.UnixNano(), true
	ctx, cancel := s.env.Call(10 * show.CallLimit())
	defer cancel()
	reply, err := s.client.Usage(ctx, req)
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		s.env.Errorf("%s", cli.Reason(cli.CallErr(err)))
		return nil, false
	}
	if s.cluster == "" {
		return &rinkpb.UsageReply{}, true
	}
	return reply, true
}

// history gives each record of jobs that a report of single jobs wants.
func (s *session) history(w *wish, req *rinkpb.HistoryRequest, each func(*rinkpb.Record)) error {
	req.Start, req.End, req.HasWindow, req.AllUsers, req.Duplicates = w.start.UnixNano(), w.end.UnixNano(), true, true, true
	ctx, cancel := s.env.Call(10 * show.CallLimit())
	defer cancel()
	stream, err := s.client.History(ctx, req)
	if err != nil {
		return cli.CallErr(err)
	}
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cli.CallErr(err)
		}
		for _, r := range page.Records {
			each(r)
		}
		if err := cli.StatusErr(page.Status); err != nil {
			return err
		}
	}
}

const rule = "--------------------------------------------------------------------------------"

// title is what stands over a report; with seconds it says how many there are.
func (s *session) title(w *wish, what, usage string, seconds bool) {
	if s.o.noHeader {
		return
	}
	span := fmt.Sprintf("%s - %s", w.start.Format("2006-01-02T15:04:05"), w.end.Add(-time.Second).Format("2006-01-02T15:04:05"))
	if seconds {
		span += fmt.Sprintf(" (%d secs)", int64(w.end.Sub(w.start)/time.Second))
	}
	fmt.Fprintf(s.env.Stdout, "%s\n%s %s\n%s\n%s\n", rule, what, span, usage, rule)
}

// usageLine says in what time is reported.
func (s *session) usageLine() string {
	if !s.o.unit.seconds {
		return "Usage reported in " + s.o.unit.word
	}
	kind := "CPU"
	if s.o.hasTRES {
		kind = "TRES"
	}
	return "Usage reported in " + kind + " " + s.o.unit.word
}

// amount prints a span of time in the unit asked for; total is the whole of
// which it is part.
func (s *session) amount(seconds, total int64) string {
	text := ""
	if s.o.unit.seconds {
		text = fmt.Sprintf("%.0f", float64(seconds)/float64(s.o.unit.per))
	}
	if !s.o.unit.percent {
		return text
	}
	share := 0.0
	if total > 0 {
		share = 100 * float64(seconds) / float64(total)
	}
	if s.o.unit.seconds {
		return fmt.Sprintf("%s(%.2f%%)", text, share)
	}
	return fmt.Sprintf("%.2f%%", share)
}
