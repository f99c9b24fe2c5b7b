package ctld

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// nodeFact says what accounting keeps of a node: what it has, and whether it can
// be used. A node nobody has heard of yet counts as there: what it does not do is
// then idle, as long as it is not declared down.
func nodeFact(n *sched.Node) *rinkpb.NodeFact {
	f := &rinkpb.NodeFact{Node: string(n.Name), Tres: nodeTRES(n), State: uint32(n.State)}
	base := n.State.Base()
	if base == slurm.NodeDown || base == slurm.NodeError || n.State.Has(slurm.NodeDrain) || n.State.Has(slurm.NodeFail) {
		f.Down, f.Reason, f.User = true, n.Reason, n.ReasonUser
	}
	return f
}

// nodeTRES is what a node has, as accounting counts it.
func nodeTRES(n *sched.Node) string {
	t := slurm.TRES{{Type: "cpu", Count: int64(n.CPUs)}, {Type: "mem", Count: int64(n.Memory)}, {Type: "node", Count: 1}, {Type: "billing", Count: int64(n.CPUs)}}
	for _, g := range n.Gres {
		for _, key := range []string{"gres/" + g.Name, "gres/" + g.Name + ":" + g.Type} {
			if !strings.HasSuffix(key, ":") {
				had, _ := t.Get(key)
				t = t.With(key, had+g.Count)
			}
		}
	}
	return t.Raw()
}

// nodeRecord is what history keeps of a change of a node; nil when it is nothing:
// nodes change with every job.
func nodeRecord(ev state.NodeChanged) *rinkpb.Record {
	if ev.Old != nil && ev.New != nil && ev.Old.CPUs == ev.New.CPUs && ev.Old.Memory == ev.New.Memory && ev.Old.State == ev.New.State &&
		ev.Old.Reason == ev.New.Reason && slices.EqualFunc(ev.Old.Gres, ev.New.Gres, func(a, b sched.NodeGres) bool {
		return a.Name == b.Name && a.Type == b.Type && a.Count == b.Count
	}) {
		return nil
	}
	var was, now *rinkpb.NodeFact
	if ev.Old != nil {
		was = nodeFact(ev.Old)
	}
	switch {
	case ev.New == nil:
		now = &rinkpb.NodeFact{Node: string(ev.Old.Name)}
	default:
		now = nodeFact(ev.New)
	}
	if was != nil && was.Tres == now.Tres && was.Down == now.Down && (!now.Down || was.State == now.State && was.Reason == now.Reason) {
		return nil
	}
	now.Start = api.TimeToProto(ev.At)
	return &rinkpb.Record{Node: now}
}

// resvFlags are a reservation's flags as words.
func resvFlags(r *sched.Reservation) []string {
	if r.Flags == 0 {
		return nil
	}
	return strings.Split(r.Flags.String(), ",")
}

// sameSpan reports whether a change of a reservation is nothing to history: it was
// noted that no job is in it.
func sameSpan(a, b *sched.Reservation) bool {
	return a != nil && b != nil && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Flags == b.Flags && slices.Equal(a.Nodes, b.Nodes) &&
		a.TRES.Raw() == b.TRES.Raw() && slices.Equal(a.Users, b.Users) && slices.Equal(a.Accounts, b.Accounts)
}

// reservationRecords are what history keeps of a change of a reservation: the
// span that is over, and the one that begins.
func reservationRecords(old, changed *sched.Reservation, at time.Time) []*rinkpb.Record {
	var list []*rinkpb.Record
	add := func(r *sched.Reservation, start, end time.Time) {
		names := make([]string, len(r.Nodes))
		for i, n := range r.Nodes {
			names[i] = string(n)
		}
		list = append(list, &rinkpb.Record{Reservation: &rinkpb.ReservationSpan{
			Id: r.ID, Name: r.Name, Start: api.TimeToProto(start), End: api.TimeToProto(end), Nodes: slurm.Compress(names), Tres: r.TRES.Raw(),
			Flags: resvFlags(r), Associations: strings.Join(slices.Concat(r.Users, r.Accounts), ","),
		}})
	}
	switch {
	case old != nil && !old.Start.After(at):
		if end := old.End; end.After(at) {
			add(old, old.Start, at)
		}
	case old != nil && (changed == nil || !changed.Start.Equal(old.Start)):
		add(old, old.Start, old.Start) // it has not begun, and is no longer to begin then
	}
	if changed != nil && changed.End.After(at) {
		start := changed.Start
		if old != nil && !old.Start.After(at) && old.End.After(at) && start.Before(at) {
			start = at
		}
		add(changed, start, changed.End)
	}
	return list
}

// liveRecords are the jobs in memory as history shows them.
func (s *Server) liveRecords() []*rinkpb.Record {
	var live []*sched.Job
	var cfg *sched.Config
	s.barn.Read(func(t *state.State) { live, cfg = slices.Collect(t.Jobs()), t.Config() })
	return recordsOf(live, cfg)
}

// unfinishedRecords are those of them that history has no final record of.
func (s *Server) unfinishedRecords() ([]*rinkpb.Record, error) {
	var live []*sched.Job
	var cfg *sched.Config
	s.barn.Read(func(t *state.State) { live, cfg = slices.Collect(t.Jobs()), t.Config() })
	live, err := s.store.Unfinished(slices.Values(live))
	return recordsOf(live, cfg), err
}

func recordsOf(live []*sched.Job, cfg *sched.Config) []*rinkpb.Record {
	records := make([]*rinkpb.Record, 0, len(live))
	for _, j := range live {
		p := api.JobToProto(j)
		records = append(records, &rinkpb.Record{Job: p, Steps: p.Steps, Live: true, Billing: billing(j, cfg)})
	}
	return records
}

// billing is what a job is charged as, 0 when it holds nothing.
func billing(j *sched.Job, cfg *sched.Config) int64 {
	if len(j.Alloc) == 0 || cfg == nil {
		return 0
	}
	n, _ := sched.JobTRES(j, cfg).Get("billing")
	return n
}

// Usage says who used how much of the cluster, as sreport asks. Where usage is
// private a user is told of their own alone.
func (c *controller) Usage(ctx context.Context, req *rinkpb.UsageRequest) (*rinkpb.UsageReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.Events || req.Spans {
		return c.outages(req)
	}
	want := proto.Clone(req).(*rinkpb.UsageRequest)
	want.Reservations = req.Reservations || req.ReservedIdle
	now := time.Now()
	reply, err := c.s.store.Usage(want, slices.Values(c.s.liveRecords()), now.Unix())
	if err != nil {
		return nil, invalid(err)
	}
	var accounts *sched.Accounts
	c.s.barn.Read(func(t *state.State) { accounts = t.Accounts() })
	if req.ReservedIdle {
		shareIdle(reply, accounts, now.UnixNano(), c.s.uidOf)
	}
	if !req.Reservations {
		reply.Reservations = nil
	}
	if !req.Parties {
		reply.Parties = nil
	}
	if !c.s.operator(u.UID) && c.s.private("usage") {
		reply.Sizes = nil
		reply.Parties = slices.DeleteFunc(reply.Parties, func(p *rinkpb.PartyUsage) bool { return p.Party.Uid != u.UID })
	}
	reply.Status, reply.Cluster = &rinkpb.Status{}, c.s.conf.ClusterName
	reply.Accounts = accountPlaces(accounts, reply)
	return reply, nil
}

// maxEvents bounds how many times nodes were down one answer tells of.
const maxEvents = 200_000

// outages tells when nodes were out of service and which reservations there were.
func (c *controller) outages(req *rinkpb.UsageRequest) (*rinkpb.UsageReply, error) {
	reply := &rinkpb.UsageReply{Status: &rinkpb.Status{}, Cluster: c.s.conf.ClusterName, Start: req.Start, End: req.End}
	from, to := req.Start/int64(time.Second), (req.End+int64(time.Second)-1)/int64(time.Second)
	var err error
	if req.Events {
		err = c.s.store.Downs(from, to, func(f *rinkpb.NodeFact) error {
			if len(reply.Events) == maxEvents {
				return fmt.Errorf("more than %d events: ask for less time", maxEvents)
			}
			reply.Events = append(reply.Events, f)
			return nil
		})
	}
	if err == nil && req.Spans {
		reply.Spans, err = c.s.store.Spans(from, to)
	}
	if err != nil {
		return nil, invalid(err)
	}
	return reply, nil
}

// accountPlaces is the tree of accounts, each behind the one above it, siblings
// by name. Accounts that have a part in a report and are no longer in the tree,
// or never were, are below the root.
func accountPlaces(accounts *sched.Accounts, reply *rinkpb.UsageReply) []*rinkpb.AccountPlace {
	const root = "root"
	kids := map[string][]string{}
	known := map[string]bool{root: true}
	if accounts != nil {
		for key, a := range accounts.Assocs {
			if key.User != "" || key.Account == root || known[key.Account] {
				continue
			}
			parent := root
			if up := accounts.ByID[a.Parent]; up != nil {
				parent = up.Key.Account
			}
			known[key.Account] = true
			kids[parent] = append(kids[parent], key.Account)
		}
	}
	for _, list := range [][]*rinkpb.PartyUsage{reply.Parties, reply.Sizes} {
		for _, p := range list {
			if a := p.Party.Account; !known[a] {
				known[a] = true
				kids[root] = append(kids[root], a)
			}
		}
	}
	tree := []*rinkpb.AccountPlace{{Name: root}}
	var below func(parent string)
	below = func(parent string) {
		slices.Sort(kids[parent])
		for _, name := range kids[parent] {
			tree = append(tree, &rinkpb.AccountPlace{Name: name, Parent: parent})
			below(name)
		}
	}
	below(root)
	return tree
}

// maxImport bounds the records of one call, so that no log entry is large.
const maxImport = 1000

// ImportHistory takes in records of jobs that ran elsewhere; only operators may.
// They go through the log, so that every controller has them.
func (c *controller) ImportHistory(ctx context.Context, req *rinkpb.ImportHistoryRequest) (*rinkpb.ImportHistoryReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.s.operator(u.UID) {
		return &rinkpb.ImportHistoryReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
	}
	if len(req.Records) > maxImport {
		return nil, invalid(fmt.Errorf("%d records in one call (at most %d)", len(req.Records), maxImport))
	}
	// What was taken in just before may still be on its way to the disk.
	if err := c.s.store.Flush(); err != nil {
		return nil, err
	}
	reply := &rinkpb.ImportHistoryReply{Status: &rinkpb.Status{}}
	var records [][]byte
	var used []sched.PastUse
	charger := c.s.newCharger(time.Now())
	for _, r := range req.Records {
		if err := accounting.CheckImport(r); err != nil {
			return &rinkpb.ImportHistoryReply{Status: refuse(err)}, nil
		}
		known, err := c.s.store.Has(r)
		if err != nil {
			return nil, err
		}
		if known {
			reply.Known++
			continue
		}
		r.Imported, r.Live, r.Index = true, false, 0
		data, err := proto.Marshal(r)
		if err != nil {
			return nil, err
		}
		records = append(records, data)
		reply.Taken++
		if u, ok := charger.use(r); ok {
			used = append(used, u)
			reply.Charged++
		}
	}
	if len(records) == 0 {
		return reply, nil
	}
	if _, err := c.s.propose(ctx, state.ImportHistory{Records: records, Used: used}); err != nil {
		return nil, err
	}
	return reply, nil
}
