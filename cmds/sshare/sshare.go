// Package sshare is the command that lists how accounts and users stand to their
// fair shares.
package sshare

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

const usageText = `Usage: sshare [-A ACCOUNTS] [-M CLUSTER] [-o FIELDS] [-u USERS] [-aehlmnpPUvV] [--json] [--yaml]`

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
	o.settle(env)
	if o.format != "" {
		if _, err := columnsOf(env, o.format); err != nil {
			fmt.Fprintln(env.Stderr, err)
			return 1
		}
	}
	client, err := cli.Connect(env)
	if err != nil {
		env.Errorf("%s", cli.Reason(err))
		return 1
	}
	defer client.Close()
	if o.hasClusters && !cli.OnCluster(env, client.Cluster, o.clusters) {
		return 1
	}
	return list(env, o, client.Controller)
}

// list asks the controller once and prints what it said.
func list(env *cli.Env, o *options, client rinkpb.Controller) int {
	ctx, cancel := env.Call(30 * time.Second)
	defer cancel()
	reply, err := client.Shares(ctx, &rinkpb.SharesRequest{Accounts: o.accounts, Users: o.users})
	if err != nil {
		env.Errorf("Couldn't get shares from controller: %s", cli.Reason(cli.CallErr(err)))
		return 1
	}
	if o.verbose > 0 {
		o.tell(env)
	}
	rows := o.rows(reply)
	if o.encoding.On() {
		v := show.NewView(env)
		v.Cluster = reply.Cluster
		v.Encoding = o.encoding
		if err := v.Data(env, "shares", data(rows)); err != nil {
			env.Errorf("%s", cli.Reason(err))
			return 1
		}
		return 0
	}
	format := o.format
	if format == "" {
		format = o.formatFor(reply.FairTree)
	}
	columns, err := columnsOf(env, format)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	w := bufio.NewWriter(env.Stdout)
	defer w.Flush()
	if o.clusters != "" {
		fmt.Fprintf(w, "CLUSTER: %s\n", reply.Cluster)
	}
	p := printer{w, o, columns}
	if !o.noHeader {
		p.header()
	}
	for i := range rows {
		p.row(func(c column) string { return c.value(&rows[i]) }, column.pad)
	}
	return 0
}

// tell says what was asked for.
func (o *options) tell(env *cli.Env) {
	users := "all"
	if !o.allUsers {
		users = strings.Join(o.users, ",")
	}
	fmt.Fprintf(env.Stderr, "Users requested:\n\t: %s\nAccounts requested:\n\t: %s\n", strings.ReplaceAll(users, ",", "\n\t: "),
		show.Or(strings.Join(o.accounts, "\n\t: "), "all"))
}

// rows are the associations to print. Each is indented by how many of those above
// it in the listing it belongs to.
func (o *options) rows(reply *rinkpb.SharesReply) []row {
	var out []row
	depth := map[uint32]int{} // of accounts that are printed, for what is below them
	for _, s := range reply.Shares {
		if o.usersOnly && s.User == "" || len(o.users) > 0 && s.User != "" && !slices.Contains(o.users, s.User) ||
			len(o.accounts) > 0 && !slices.Contains(o.accounts, s.Account) {
			continue
		}
		r := row{AssocShare: s, cluster: reply.Cluster, tree: reply.FairTree}
		if above, ok := depth[s.Parent]; ok && s.Parent != 0 {
			r.depth = above + 1
		}
		if s.User == "" {
			depth[s.Id] = r.depth
		}
		out = append(out, r)
	}
	return out
}

// printer prints rows.
type printer struct {
	w       *bufio.Writer
	o       *options
	columns []column
}

func (p *printer) header() {
	// A header that is too long is cut, a value by what it is.
	p.row(func(c column) string { return c.name }, func(c column, name string) string { return slurm.Pad(name, c.width, !c.left) })
	if p.o.parsable || p.o.parsable2 {
		return
	}
	for _, c := range p.columns {
		p.w.WriteString(strings.Repeat("-", c.width) + " ")
	}
	p.w.WriteByte('\n')
}

func (p *printer) row(value func(c column) string, pad func(c column, text string) string) {
	for i, c := range p.columns {
		v := value(c)
		switch {
		case p.o.parsable, p.o.parsable2:
			p.w.WriteString(v)
			if p.o.parsable || i < len(p.columns)-1 {
				p.w.WriteByte('|')
			}
		default:
			p.w.WriteString(pad(c, v) + " ")
		}
	}
	p.w.WriteByte('\n')
}

// pad prints a value in its column.
func (c column) pad(value string) string { return c.kind().Pad(value, c.width, c.left) }

// data is what --json and --yaml print.
func data(rows []row) show.Object {
	float := show.Float
	amounts := func(list string, number func(int64) any) []any {
		out := []any{}
		t, _ := slurm.ParseTRES(list)
		for _, item := range t {
			out = append(out, show.Object{{Key: "name", Value: item.Key()}, {Key: "value", Value: number(item.Count)}})
		}
		return out
	}
	whole := func(n int64) any { return show.Number(n) }
	plain := func(n int64) any { return float64(n) }
	list := []any{}
	total := int64(0)
	for i := range rows {
		r := &rows[i]
		kind, parent := "ASSOCIATION", ""
		if r.User != "" {
			kind, parent = "USER", r.Account
		}
		name := show.Or(r.User, r.Account)
		total += max(r.Shares, 0)
		list = append(list, show.Object{
			{Key: "id", Value: r.Id}, {Key: "cluster", Value: r.cluster}, {Key: "name", Value: name}, {Key: "parent", Value: parent},
			{Key: "partition", Value: r.Partition}, {Key: "shares_normalized", Value: float(r.NormShares)},
			{Key: "shares", Value: show.Object{{Key: "set", Value: !r.byParent()}, {Key: "infinite", Value: false}, {Key: "number", Value: max(r.Shares, 0)}}},
			{Key: "tres", Value: show.Object{
				{Key: "run_seconds", Value: amounts(r.RunTresMins, whole)}, {Key: "group_minutes", Value: amounts(r.GrpTresMins, whole)}, {Key: "usage", Value: amounts(r.UsedTresMins, plain)},
			}},
			{Key: "effective_usage", Value: float(r.EffectiveUsage)}, {Key: "usage_normalized", Value: float(r.NormUsage)},
			{Key: "usage", Value: int64(r.RawUsage)}, {Key: "fairshare", Value: show.Object{{Key: "factor", Value: float(r.Factor)}, {Key: "level", Value: float(r.Level)}}},
			{Key: "type", Value: []string{kind}},
		})
	}
	return show.Object{{Key: "shares", Value: list}, {Key: "total_shares", Value: total}}
}
