package sreport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// sized is one line of a report of job sizes: what jobs of each size used.
type sized struct {
	cells   cells
	buckets []int64
	total   int64
	jobs    int64
	seconds int64
}

func (s *session) sizesByAccount(w *wish) int {
	return s.sizes(w, "Job Sizes", "Account", func(p *rinkpb.Party) string { return p.Account })
}

func (s *session) sizesByWckey(w *wish) int {
	return s.sizes(w, "Job Sizes by Wckey", "Wckey", func(p *rinkpb.Party) string { return p.Wckey })
}

func (s *session) sizesByBoth(w *wish) int {
	w.both = true
	return s.sizes(w, "Job Sizes", "Account", func(p *rinkpb.Party) string { return p.Account })
}

// bounds are where the groups of sizes begin: 0 and the numbers asked for.
func bounds(words []string) ([]int64, error) {
	list := []int64{0}
	if len(words) == 0 {
		return append(list, 50, 250, 500, 1000), nil
	}
	for _, word := range words {
		if strings.EqualFold(word, "individual") {
			return nil, nil
		}
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n < 0 {
			return nil, &fatal{fmt.Sprintf(" Bad grouping: %s", word)}
		}
		if n > 0 {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// sizes prints how much jobs of which size used, by account or key. Without
// conditions on single jobs the roll-ups have it; else the records are read.
func (s *session) sizes(w *wish, title, what string, name func(*rinkpb.Party) string) int {
	kind := "cpu"
	if s.o.hasTRES {
		if kind = strings.ToLower(strings.TrimSpace(s.o.tres)); strings.Contains(kind, ",") || kind == "all" {
			fmt.Fprint(s.env.Stderr, " Job report only supports a single --tres type.\n Generate a separate report for each TRES type.\n")
			return 1
		}
	}
	edges, err := bounds(w.grouping)
	if err != nil {
		fmt.Fprintln(s.env.Stderr, err)
		return 1
	}
	perJob := kind != "cpu" || len(w.partitions)+len(w.gids)+len(w.jobs)+len(w.nodes)+len(w.users) > 0
	reply, ok := s.fetch(w, &rinkpb.UsageRequest{Sizes: true, Parties: perJob})
	if !ok {
		return 1
	}
	list := reply.Sizes
	if perJob {
		if list, ok = s.sizesOfJobs(w, kind); !ok {
			return 1
		}
	}
	if edges == nil { // each size of its own
		for _, p := range list {
			edges = append(edges, int64(p.Party.Cpus))
		}
		slices.Sort(edges)
		edges = slices.Compact(edges)
	}
	label := "CPUs"
	if kind != "cpu" {
		label = kind
	}
	columns := []column{
		{name: "Account", header: what, width: 9, aliases: []string{"Acct", "Wckey"}}, {name: "Cluster", header: "Cluster", width: 9},
	}
	if w.both {
		columns[0].width, columns[0].left = 20, true
	}
	// What a size is made of, beside the sizes: of nodes and users the groups know none.
	columns = append(columns,
		column{name: "Duration", header: "Duration", width: 12}, column{name: "JobCount", header: "Job Count", width: 9},
		column{name: "NodeCount", header: "Node Count", width: 9}, column{name: "TresCount", header: "TRES Count", width: 10, aliases: []string{"CpuCount", "Count"}},
		column{name: "User", header: "User", width: 9})
	own, groups := "Cluster,Account", ""
	for i, from := range edges {
		header := fmt.Sprintf(">= %d %s", from, label)
		if i+1 < len(edges) {
			header = fmt.Sprintf("%d-%d %s", from, edges[i+1]-1, label)
		}
		columns = append(columns, column{name: fmt.Sprintf("size%d", i), header: header, width: 13, wide: 20})
		groups += fmt.Sprintf(",size%d", i)
	}
	columns = append(columns, column{name: "share", header: "% of cluster", width: 12})
	if what == "Account" && w.format == "" && !w.flat {
		name = s.grouped(w, reply, name)
	}
	if strings.Trim(w.format, ",") != "" { // the sizes come with every format
		own = w.format
	}
	l := s.layout(columns, own+groups+",share", "")
	if l == nil {
		return 1
	}
	rows, whole := group(list, edges, kind, func(p *rinkpb.Party) string {
		if !wanted(w.accounts, p.Account) && w.flat || !wanted(w.wckeys, p.Wckey) {
			return ""
		}
		account := name(p)
		switch {
		case !w.both || account == "":
			return account
		case p.Wckey == "":
			return ""
		}
		return account + ":" + p.Wckey
	}, w.counts)
	usage := "Time reported in " + s.o.unit.word
	if w.counts {
		usage = "Units are in number of jobs ran"
	}
	s.title(w, title, usage, true)
	l.header()
	for _, r := range rows {
		c := cells{"cluster": s.cluster, "account": r.cells["name"], "jobcount": strconv.FormatInt(r.jobs, 10), "duration": slurm.Duration(r.seconds).String()}
		for i, n := range r.buckets {
			if w.counts {
				c[fmt.Sprintf("size%d", i)] = strconv.FormatInt(n, 10)
			} else {
				c[fmt.Sprintf("size%d", i)] = s.amount(n, r.total)
			}
		}
		share := 0.0
		if whole > 0 {
			share = 100 * float64(r.total) / float64(whole)
		}
		c["share"] = fmt.Sprintf("%.2f%%", share)
		l.row(c)
	}
	return 0
}

// group adds up sizes by name and by edge.
func group(list []*rinkpb.PartyUsage, edges []int64, kind string, name func(*rinkpb.Party) string, counts bool) (rows []*sized, whole int64) {
	at := map[string]*sized{}
	for _, p := range list {
		n, seconds := p.Jobs, int64(0)
		for _, t := range p.Tres {
			if t.Tres == kind {
				seconds = t.Seconds
			}
		}
		if !counts {
			n = seconds
		}
		key := name(p.Party)
		if key == "" || n == 0 || len(edges) == 0 {
			continue
		}
		r := at[key]
		if r == nil {
			r = &sized{cells: cells{"name": key}, buckets: make([]int64, len(edges))}
			at[key] = r
		}
		i, found := slices.BinarySearch(edges, int64(p.Party.Cpus))
		if !found {
			i = max(0, i-1)
		}
		r.buckets[i] += n
		r.total += n
		r.jobs += p.Jobs
		r.seconds += seconds
		whole += n
	}
	for _, key := range sortedKeys(at) {
		rows = append(rows, at[key])
	}
	return rows, whole
}

// grouped names the account under which another's jobs are counted: the one
// asked for above it, or the root; with AcctAsParent the one right below that, whose
// own jobs are then left out.
func (s *session) grouped(w *wish, reply *rinkpb.UsageReply, name func(*rinkpb.Party) string) func(*rinkpb.Party) string {
	above := map[string]string{}
	for _, a := range reply.Accounts {
		above[a.Name] = a.Parent
	}
	tops := w.accounts
	if len(tops) == 0 {
		tops = []string{"root"}
	}
	return func(p *rinkpb.Party) string {
		below := "" // the account right below the one looked at
		for a := p.Account; a != ""; below, a = a, above[a] {
			if slices.Contains(tops, a) {
				if w.asParent {
					return below
				}
				return a
			}
		}
		return ""
	}
}

// sizesOfJobs reads what jobs held from their records, those that meet the
// conditions, in the window.
func (s *session) sizesOfJobs(w *wish, kind string) ([]*rinkpb.PartyUsage, bool) {
	req := &rinkpb.HistoryRequest{Partitions: w.partitions, Nodes: strings.Join(w.nodes, ",")}
	for _, word := range w.gids {
		gid, err := show.GID(word)
		if err != nil {
			s.env.Errorf("Invalid group id: %s", word)
			return nil, false
		}
		req.Gids = append(req.Gids, gid)
	}
	if len(w.jobs) > 0 {
		refs, err := slurm.ParseJobRefs(strings.Join(w.jobs, ","))
		if err != nil {
			s.env.Errorf("Bad job/step specified: %s", strings.Join(w.jobs, ","))
			return nil, false
		}
		req.Refs = show.Refs(refs)
	}
	var list []*rinkpb.PartyUsage
	now := s.env.Now()
	err := s.history(w, req, func(r *rinkpb.Record) {
		j := r.Job
		if j.Start == 0 || !wanted(w.users, j.User) {
			return
		}
		end := now
		if slurm.JobState(j.State).Ended() {
			end = time.Unix(0, j.End)
		}
		from, to := max(j.Start/1e9, w.start.Unix()), min(end.Unix(), w.end.Unix())
		if to <= from {
			return
		}
		held, cpus := int64(0), int64(0)
		for _, a := range j.Alloc {
			cpus += int64(a.Cpus)
			switch {
			case kind == "cpu" || kind == "billing":
				held += int64(a.Cpus)
			case kind == "mem":
				held += a.Mem
			case kind == "node":
				held++
			}
			for _, g := range a.Gres {
				if kind == "gres/"+g.Name || kind == "gres/"+g.Name+":"+g.Type {
					held += g.Count
				}
			}
		}
		if kind == "billing" && r.Billing > 0 {
			held = r.Billing
		}
		size := cpus
		if kind != "cpu" {
			size = held
		}
		list = append(list, &rinkpb.PartyUsage{
			Party: &rinkpb.Party{Account: j.Account, Wckey: j.Spec.GetWckey(), Cpus: uint32(min(size, 1<<32-1))}, Jobs: 1,
			Tres: []*rinkpb.TRESSeconds{{Tres: kind, Seconds: held * (to - from)}},
		})
	})
	if err != nil {
		s.env.Errorf("%v", err)
		return nil, false
	}
	return list, true
}

// reservations is how much of each reservation was used.
func (s *session) reservations(w *wish) int {
	reply, ok := s.fetch(w, &rinkpb.UsageRequest{Reservations: true})
	if !ok {
		return 1
	}
	kinds, ok := s.counted(reply, "")
	if !ok {
		return 1
	}
	columns := []column{
		{name: "Allocated", header: "Allocated", width: 20, wide: 29}, {name: "Associations", header: "Associations", width: 15},
		{name: "Cluster", header: "Cluster", width: 9}, {name: "End", header: "End", width: 19}, {name: "Flags", header: "Flags", width: 20},
		{name: "Idle", header: "Idle", width: 20, wide: 29}, {name: "Name", header: "Name", width: 9}, {name: "Nodes", header: "Nodes", width: 15},
		{name: "ReservationId", header: "Id", width: 8}, {name: "Start", header: "Start", width: 19}, {name: "TotalTime", header: "TotalTime", width: 9},
		{name: "TresCount", header: "TRES count", width: 10, aliases: []string{"CpuCount", "count"}}, {name: "TresName", header: "TRES Name", width: 14},
		{name: "TresTime", header: "TRES Time", width: 9, aliases: []string{"CpuTime"}},
	}
	l := s.layout(columns, "Cluster,Name,Start,End,TresName,Allocated,Idle", w.format)
	if l == nil {
		return 1
	}
	line := "Usage reported in " + s.o.unit.word
	if s.o.unit.seconds {
		line = "Usage reported in TRES " + s.o.unit.word
	}
	s.title(w, "Reservation Utilization", line, false)
	l.header()
	for _, r := range reply.Reservations {
		span := r.Span
		if !wanted(w.names, span.Name) || !wanted(w.ids, strconv.FormatUint(uint64(span.Id), 10)) || !s.onNodes(w, span.Nodes) || !flagged(w, span.Flags) {
			continue
		}
		has, err := slurm.ParseTRES(span.Tres)
		if err != nil {
			continue
		}
		from, to := max(span.Start, reply.Start), min(span.End, reply.End, s.env.Now().UnixNano())
		secs := max(0, to/1e9-from/1e9)
		for _, kind := range kinds {
			count, ok := has.Get(kind)
			if !ok {
				continue
			}
			used := int64(0)
			for _, t := range r.Allocated {
				if t.Tres == kind {
					used = min(t.Seconds, count*secs)
				}
			}
			l.row(cells{
				"cluster": s.cluster, "name": span.Name, "start": stamp(span.Start, s), "end": stamp(span.End, s), "tresname": kind,
				"allocated": s.amount(used, count*secs), "idle": s.amount(count*secs-used, count*secs), "associations": span.Associations,
				"flags": strings.Join(span.Flags, ","), "nodes": span.Nodes, "reservationid": strconv.FormatUint(uint64(span.Id), 10),
				"totaltime": slurm.Duration(secs).String(), "trescount": strconv.FormatInt(count, 10), "trestime": slurm.Duration(count * secs).String(),
			})
		}
	}
	return 0
}

func stamp(nanos int64, s *session) string {
	return time.Unix(0, nanos).In(s.env.Now().Location()).Format("2006-01-02T15:04:05")
}

// flagged reports whether a reservation has all the flags asked for.
func flagged(w *wish, has []string) bool {
	for _, f := range w.flags {
		if !slices.ContainsFunc(has, func(h string) bool { return strings.EqualFold(h, f) }) {
			return false
		}
	}
	return true
}

// onNodes reports whether a reservation has one of the nodes asked for.
func (s *session) onNodes(w *wish, nodes string) bool {
	if len(w.nodes) == 0 {
		return true
	}
	want, err := slurm.ParseHostList(strings.Join(w.nodes, ","))
	if err != nil {
		return false
	}
	have, err := slurm.ParseHostList(nodes)
	if err != nil {
		return false
	}
	for n := range have.All() {
		if slices.Contains(want.Hosts(), n) {
			return true
		}
	}
	return false
}
