package accounting

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// Usage works out who used how much between two moments: what the roll-ups have
// of the jobs that ended, and the live jobs as far as now. What was asked for is
// filled in: parties, sizes, cluster, reservations. Start and End are moved to
// the hour; the span must not be empty.
//
// live may be nil. now, in seconds, is until when live jobs, nodes that are down
// and reservations that go on are counted.
func (s *Store) Usage(req *rinkpb.UsageRequest, live iter.Seq[*rinkpb.Record], now int64) (*rinkpb.UsageReply, error) {
	cal := newCalendar(s.zone)
	from := cal.around(levelHour, int64(second(req.Start))).from
	to := int64(second(req.End))
	if p := cal.around(levelHour, to); p.from != to {
		to = p.to
	}
	if to <= from {
		return nil, fmt.Errorf("no time passes between %d and %d", req.Start, req.End)
	}
	var current []*rinkpb.Record
	if live != nil {
		for r := range live {
			current = append(current, r)
		}
	}
	if err := s.Flush(); err != nil {
		return nil, err
	}
	q := &usageQuery{
		window: span{from, to}, now: now, cal: cal,
		parties: map[string]*rinkpb.PartyUsage{}, sizes: map[string]*rinkpb.PartyUsage{}, hours: map[int64]*rinkpb.KeptRoll{},
		names: map[uint32]string{}, keys: map[uint32]string{},
	}
	reply := &rinkpb.UsageReply{Start: from * 1e9, End: to * 1e9}
	err := s.view(func(tx *txn) error {
		q.tx, q.words = tx, newWordReader(tx)
		if req.Parties || req.Reservations {
			if err := q.read(cal.cover(from, to), false, q.parties); err != nil {
				return err
			}
		}
		if req.Sizes {
			if err := q.read(cal.cover(from, to), true, q.sizes); err != nil {
				return err
			}
		}
		for _, r := range current {
			if tx.Bucket(bucketJobs).Get(keyOf(r.Job).bytes()) == nil {
				if err := q.live(r, req); err != nil {
					return err
				}
			}
		}
		if req.Cluster {
			var err error
			if reply.Tres, err = q.cluster(); err != nil {
				return err
			}
		}
		if req.Reservations {
			var err error
			if reply.Reservations, err = q.reservations(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if req.Parties {
		reply.Parties = ordered(q.parties)
	}
	if req.Sizes {
		reply.Sizes = ordered(q.sizes)
	}
	return reply, nil
}

// usageQuery gathers one answer within one transaction.
type usageQuery struct {
	tx             *txn
	words          wordReader
	cal            *calendar
	window         span
	now            int64
	parties, sizes map[string]*rinkpb.PartyUsage // by what their party is marshalled to
	hours          map[int64]*rinkpb.KeptRoll    // of the whole cluster, by the hour's beginning: live jobs
	names          map[uint32]string             // kinds of resources
	keys           map[uint32]string             // words of parties, as the maps above have them
}

func ordered(m map[string]*rinkpb.PartyUsage) []*rinkpb.PartyUsage {
	list := make([]*rinkpb.PartyUsage, 0, len(m))
	for _, u := range m {
		slices.SortFunc(u.Tres, func(a, b *rinkpb.TRESSeconds) int { return strings.Compare(a.Tres, b.Tres) })
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b *rinkpb.PartyUsage) int {
		p, o := a.Party, b.Party
		return cmp.Or(cmp.Compare(p.Account, o.Account), cmp.Compare(p.User, o.User), cmp.Compare(p.Uid, o.Uid), cmp.Compare(p.Wckey, o.Wckey),
			cmp.Compare(p.Qos, o.Qos), cmp.Compare(p.Partition, o.Partition), cmp.Compare(p.Reservation, o.Reservation), cmp.Compare(p.Cpus, o.Cpus))
	})
	return list
}

// tres names a kind by its number in roll-ups.
func (q *usageQuery) tres(num uint32) (string, error) {
	if name, ok := q.names[num]; ok {
		return name, nil
	}
	name := ""
	if num > wordTRES {
		text, err := q.words.word(num - wordTRES)
		if err != nil {
			return "", err
		}
		name = strings.TrimPrefix(string(text), "tres:")
	} else {
		for n, i := range tresNames {
			if i == num {
				name = n
			}
		}
	}
	q.names[num] = name
	return name, nil
}

// party returns what a map has of the party of a word.
func (q *usageQuery) party(m map[string]*rinkpb.PartyUsage, num uint32) (*rinkpb.PartyUsage, error) {
	key, ok := q.keys[num]
	if !ok {
		text, err := q.words.word(num)
		if err != nil {
			return nil, err
		}
		key = strings.TrimPrefix(string(text), "party:")
		q.keys[num] = key
	}
	if u := m[key]; u != nil {
		return u, nil
	}
	u := &rinkpb.PartyUsage{Party: &rinkpb.Party{}, Ended: &rinkpb.EndedSums{}}
	if err := proto.Unmarshal([]byte(key), u.Party); err != nil {
		return nil, fmt.Errorf("a party is damaged: %w", err)
	}
	m[key] = u
	return u, nil
}

// partyAs is party by the party itself.
func (q *usageQuery) partyAs(m map[string]*rinkpb.PartyUsage, p *rinkpb.Party) (*rinkpb.PartyUsage, error) {
	text, err := stable.Marshal(p)
	if err != nil {
		return nil, err
	}
	u := m[string(text)]
	if u == nil {
		u = &rinkpb.PartyUsage{Party: p, Ended: &rinkpb.EndedSums{}}
		m[string(text)] = u
	}
	return u, nil
}

func addTRES(u *rinkpb.PartyUsage, name string, n int64) {
	for _, t := range u.Tres {
		if t.Tres == name {
			t.Seconds += n
			return
		}
	}
	u.Tres = append(u.Tres, &rinkpb.TRESSeconds{Tres: name, Seconds: n})
}

// read adds up the roll-ups of these periods.
func (q *usageQuery) read(periods []period, sizes bool, into map[string]*rinkpb.PartyUsage) error {
	c := q.tx.Bucket(bucketRolls).Cursor()
	for i, p := range periods {
		level := p.level
		if sizes {
			level = sizeLevel(level)
		}
		prefix := appendNum([]byte{level}, uint32(p.from))
		for key, data := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, data = c.Next() {
			k, err := parseRollKey(key)
			if err != nil {
				return err
			}
			if k.party == wholeCluster {
				continue
			}
			sum := &rinkpb.KeptRoll{}
			if err := proto.Unmarshal(data, sum); err != nil {
				return fmt.Errorf("a roll-up is damaged: %w", err)
			}
			u, err := q.party(into, k.party)
			if err != nil {
				return err
			}
			for n, secs := range sum.Held {
				name, err := q.tres(sum.Tres[n])
				if err != nil {
					return err
				}
				addTRES(u, name, secs)
			}
			u.Jobs += sum.Jobs
			if i > 0 {
				u.Jobs -= sum.Carried // counted in the period before
			}
			addEnded(u.Ended, sum.Ended, 1)
		}
	}
	return nil
}

// live counts a job that has not ended.
func (q *usageQuery) live(r *rinkpb.Record, req *rinkpb.UsageRequest) error {
	if l := lifeOf(r); l.end != 0 {
		return nil // it is being put into the history
	}
	kinds := amounts(r)
	held := stretches(r, q.now)
	if req.Cluster {
		r := &roller{cal: q.cal, sums: map[rollKey]*rinkpb.KeptRoll{}}
		for _, s := range held {
			r.each(levelHour, s.within(q.window), func(p period, secs int64) {
				for _, k := range kinds {
					q.addHour(p.from, k.key, secs*k.n)
				}
			})
		}
	}
	if wait, cpus := waited(r, q.now); req.Cluster && wait.length() > 0 {
		roll := &roller{cal: q.cal}
		roll.each(levelHour, wait.within(q.window), func(p period, secs int64) {
			q.hour(p.from).Planned += secs * cpus
		})
	}
	total := int64(0)
	for _, s := range held {
		total += s.within(q.window).length()
	}
	if total == 0 {
		return nil
	}
	add := func(m map[string]*rinkpb.PartyUsage, p *rinkpb.Party) error {
		u, err := q.partyAs(m, p)
		if err != nil {
			return err
		}
		for _, k := range kinds {
			addTRES(u, k.key, total*k.n)
		}
		u.Jobs++
		return nil
	}
	if req.Parties || req.Reservations {
		if err := add(q.parties, partyOf(r)); err != nil {
			return err
		}
	}
	if req.Sizes {
		return add(q.sizes, sizeOf(r))
	}
	return nil
}

func (q *usageQuery) hour(from int64) *rinkpb.KeptRoll {
	h := q.hours[from]
	if h == nil {
		h = &rinkpb.KeptRoll{}
		q.hours[from] = h
	}
	return h
}

// addHour counts what a live job held in an hour. Kinds have numbers of this
// query's own, so that nothing needs to be written.
func (q *usageQuery) addHour(from int64, key string, n int64) {
	num, ok := tresNames[key]
	if !ok {
		for i, name := range q.names {
			if name == key {
				num = i
			}
		}
		if num == 0 {
			num = wordTRES/2 + uint32(len(q.names))
			q.names[num] = key
		}
	}
	addSeconds(q.hour(from), heldSeconds, num, n)
}

// cluster works out, hour by hour, what became of the cluster's time: what was
// planned is no more than what was idle in that hour.
func (q *usageQuery) cluster() ([]*rinkpb.ClusterUsage, error) {
	until := min(q.window.to, q.now)
	steps, err := capacitiesIn(q.tx, q.window.from, q.window.to)
	if err != nil {
		return nil, err
	}
	downNow := map[int64]map[string]int64{} // of nodes that are down still
	err = downsIn(q.tx, q.window.from, q.window.to, func(f *rinkpb.NodeFact) error {
		if f.End != 0 {
			return nil // in the roll-ups
		}
		return q.spread(downNow, span{int64(second(f.Start)), until}, f.Tres)
	})
	if err != nil {
		return nil, err
	}
	totals := map[string]*rinkpb.ClusterUsage{}
	total := func(name string) *rinkpb.ClusterUsage {
		t := totals[name]
		if t == nil {
			t = &rinkpb.ClusterUsage{Tres: name}
			totals[name] = t
		}
		return t
	}
	for at := q.window.from; at < until; {
		p := q.cal.around(levelHour, at)
		at = p.to
		hour := span{p.from, min(p.to, until)}
		reported := map[string]int64{}
		for i, step := range steps {
			had := span{step.from, hour.to}
			if i+1 < len(steps) {
				had.to = steps[i+1].from
			}
			if secs := had.within(hour).length(); secs > 0 {
				for _, item := range step.total {
					reported[item.Key()] += secs * item.Count
					total(item.Key()).Count = item.Count
				}
			}
		}
		sum := &rinkpb.KeptRoll{}
		if data := q.tx.Bucket(bucketRolls).Get(rollKey{levelHour, uint32(p.from), wholeCluster}.bytes()); data != nil {
			if err := proto.Unmarshal(data, sum); err != nil {
				return nil, fmt.Errorf("a roll-up is damaged: %w", err)
			}
		}
		if more := q.hours[p.from]; more != nil {
			addRoll(sum, more)
		}
		used := map[string]*rinkpb.ClusterUsage{}
		for name := range reported {
			used[name] = &rinkpb.ClusterUsage{Down: downNow[p.from][name]}
		}
		for i, num := range sum.Tres {
			name, err := q.tres(num)
			if err != nil {
				return nil, err
			}
			u := used[name]
			if u == nil {
				u = &rinkpb.ClusterUsage{}
				used[name] = u
			}
			for _, part := range []struct {
				list []int64
				to   *int64
			}{{sum.Held, &u.Allocated}, {sum.Down, &u.Down}, {sum.PlannedDown, &u.PlannedDown}} {
				if i < len(part.list) {
					*part.to += part.list[i]
				}
			}
		}
		for name, u := range used {
			t := total(name)
			left := reported[name]
			take := func(want int64, into *int64) {
				got := min(want, max(0, left))
				left -= got
				*into += got
			}
			if left == 0 {
				left = u.Allocated // more than anybody knew of
				reported[name] = left
			}
			take(u.Allocated, &t.Allocated)
			take(u.Down, &t.Down)
			take(u.PlannedDown, &t.PlannedDown)
			if name == "cpu" {
				before := t.Planned
				take(sum.Planned, &t.Planned)
				t.Overcommitted += sum.Planned - (t.Planned - before)
			}
			t.Idle += left
			t.Reported += reported[name]
		}
	}
	list := make([]*rinkpb.ClusterUsage, 0, len(totals))
	for _, t := range totals {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *rinkpb.ClusterUsage) int { return strings.Compare(a.Tres, b.Tres) })
	return list, nil
}

// spread adds amounts held over a span to the hours it reaches into.
func (q *usageQuery) spread(hours map[int64]map[string]int64, s span, tres string) error {
	list, err := tresAmounts(tres)
	if err != nil {
		return err
	}
	roll := &roller{cal: q.cal}
	roll.each(levelHour, s.within(q.window), func(p period, secs int64) {
		if hours[p.from] == nil {
			hours[p.from] = map[string]int64{}
		}
		for _, a := range list {
			hours[p.from][a.key] += secs * a.n
		}
	})
	return nil
}

// reservations are those of the window with what jobs used of them: all jobs
// that asked for the name, in the whole window.
func (q *usageQuery) reservations() ([]*rinkpb.ReservationUsage, error) {
	spans, err := spansIn(q.tx, q.window.from, q.window.to)
	if err != nil {
		return nil, err
	}
	var list []*rinkpb.ReservationUsage
	for _, s := range spans {
		u := &rinkpb.ReservationUsage{Span: s}
		sum := &rinkpb.PartyUsage{}
		for _, p := range q.parties {
			if p.Party.Reservation == s.Name {
				for _, t := range p.Tres {
					addTRES(sum, t.Tres, t.Seconds)
				}
			}
		}
		u.Allocated = sum.Tres
		list = append(list, u)
	}
	return list, nil
}
