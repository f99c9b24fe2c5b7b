package barn

import (
	"fmt"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
)

// How long a backup, and a comparison, may take: much history is read.
const (
	backupLimit  = 12 * time.Hour
	compareLimit = 30 * time.Minute
)

// compare prints what each controller has, and what differs from the first.
func (r *runner) compare(c *ucli.Context) error {
	client, done, err := cli.ConnectBarn(r.env, c.String("controller"))
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := r.env.Call(compareLimit)
	defer cancel()
	reply, err := client.Compare(ctx, &rinkpb.CompareRequest{})
	if err != nil {
		return cli.CallErr(err)
	}
	differs := false
	fmt.Fprintf(r.env.Stdout, "as of log entry %d\n", reply.Index)
	var first *rinkpb.SumsReply
	for _, one := range reply.Controllers {
		if one.Sums == nil {
			differs = true
			fmt.Fprintf(r.env.Stdout, "%s: cannot tell: %s\n", one.Controller, one.Error)
			continue
		}
		records := uint64(0)
		for _, g := range one.Sums.Ranges {
			records += g.Records
		}
		fmt.Fprintf(r.env.Stdout, "%s: state %016x, history %016x (%d records)\n", one.Controller, one.Sums.State, sumOf(one.Sums), records)
		if first == nil {
			first = one.Sums
			continue
		}
		for _, d := range differences(first, one.Sums) {
			differs = true
			fmt.Fprintf(r.env.Stdout, "  differs: %s\n", d)
		}
	}
	if differs {
		return errTold
	}
	fmt.Fprintln(r.env.Stdout, "all keep the same")
	return nil
}

// sumOf is one number for a history.
func sumOf(s *rinkpb.SumsReply) uint64 {
	n := s.Rolls
	for _, g := range s.Ranges {
		n = n*31 + g.Sum
	}
	return n
}

// differences says in what b is not a.
func differences(a, b *rinkpb.SumsReply) []string {
	var list []string
	if a.Index != b.Index {
		list = append(list, fmt.Sprintf("it is as of entry %d, not %d", b.Index, a.Index))
	}
	if a.State != b.State {
		list = append(list, "the state")
	}
	if a.Width != b.Width {
		return append(list, fmt.Sprintf("the history: in ranges of %d entries, not %d", b.Width, a.Width))
	}
	have := map[uint64]*rinkpb.RangeSum{}
	for _, g := range a.Ranges {
		have[g.First] = g
	}
	say := func(first uint64, want, got *rinkpb.RangeSum) {
		list = append(list, fmt.Sprintf("the history of entries %d to %d: %d records, not %d", first, first+a.Width-1, got.GetRecords(), want.GetRecords()))
	}
	for _, g := range b.Ranges {
		want := have[g.First]
		delete(have, g.First)
		if want == nil || want.Sum != g.Sum || want.Records != g.Records {
			say(g.First, want, g)
		}
	}
	for _, g := range a.Ranges {
		if have[g.First] != nil {
			say(g.First, g, nil)
		}
	}
	if a.Rolls != b.Rolls {
		list = append(list, "the roll-ups")
	}
	return list
}
