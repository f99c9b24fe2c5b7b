package sched

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// ResvWord is one KEY=VALUE, KEY+=VALUE or KEY-=VALUE of scontrol's, the key in
// small letters and whole, times as utsN.
type ResvWord struct{ Key, Op, Value string }

// resvDraft is a reservation while it is being made or changed.
type resvDraft struct {
	v         View
	old       *Reservation // as it was; nil when it is made
	now       time.Time
	r         Reservation
	named     bool  // nodes were named
	all       bool  // all nodes were asked for
	count     int   // so many nodes were asked for
	counts    []int // in several groups
	cores     int   // so many cores were asked for
	coresEach []int // on each node
}

func newResvDraft(v View, old *Reservation, now time.Time) *resvDraft {
	d := &resvDraft{v: v, old: old, now: now}
	if old != nil {
		d.r = *old
	}
	return d
}

// word works one word in.
func (d *resvDraft) word(w ResvWord) error {
	r := &d.r
	bad := func(code slurm.Errno) error { return refuse(code, "%s%s%s", w.Key, w.Op, w.Value) }
	if w.Op != "=" && w.Key != "duration" && w.Key != "users" && w.Key != "accounts" && w.Key != "groups" && w.Key != "qos" && w.Key != "flags" {
		return bad(slurm.ErrnoReservationInvalid)
	}
	switch w.Key {
	case "reservationname":
		r.Name = w.Value
	case "starttime", "endtime":
		t, err := slurm.ParseTime(w.Value, d.now, false)
		if err != nil {
			return bad(slurm.ErrnoInvalidTime)
		}
		if w.Key == "starttime" {
			r.Start = t
		} else {
			r.End, r.Duration = t, 0
		}
	case "duration":
		length, err := slurm.ParseDuration(w.Value)
		if err != nil || length <= 0 {
			return bad(slurm.ErrnoInvalidTime)
		}
		if was := slurm.Duration(r.End.Sub(r.Start) / time.Second); w.Op == "+=" {
			length += was
		} else if w.Op == "-=" {
			if length = was - length; length <= 0 {
				return bad(slurm.ErrnoInvalidTime)
			}
		}
		r.Duration = length
	case "flags":
		return d.flags(w)
	case "nodes":
		return d.nodes(w)
	case "nodecnt":
		return d.nodeCount(w)
	case "corecnt":
		return d.coreCount(w)
	case "tres":
		return d.tres(w)
	case "partitionname":
		if w.Value != "" && d.v.Config.Partition(PartitionName(w.Value)) == nil {
			return bad(slurm.ErrnoInvalidPartition)
		}
		r.Partition = PartitionName(w.Value)
	case "users":
		return d.list(&r.Users, w, slurm.ErrnoUserIDMissing)
	case "accounts":
		return d.list(&r.Accounts, w, slurm.ErrnoInvalidAccount)
	case "groups":
		return d.list(&r.Groups, w, slurm.ErrnoGroupIDMissing)
	case "qos":
		return d.list(&r.QOS, w, slurm.ErrnoInvalidQOS)
	case "features":
		if d.old != nil && w.Value != "" {
			return bad(slurm.ErrnoNotSupported)
		}
		r.Features = w.Value
	case "licenses":
		l, err := slurm.ParseLicenses(w.Value)
		if err != nil || l.Any {
			return bad(slurm.ErrnoInvalidLicenses)
		}
		r.Licenses = l
	case "maxstartdelay":
		var err error
		if r.MaxStartDelay, err = slurm.ParseDuration(w.Value); err != nil {
			return bad(slurm.ErrnoInvalidTime)
		}
	case "comment":
		r.Comment = w.Value
	default:
		return bad(slurm.ErrnoNotSupported)
	}
	return nil
}

// list changes one of the lists of who may use it. A list of new names takes the
// place of the old one; names with + are added and names with - taken out, which
// in a list that is new, or says who may not, keeps them out.
func (d *resvDraft) list(to *[]string, w ResvWord, code slurm.Errno) error {
	var names []string
	plain, plus, minus := 0, 0, 0
	for item := range strings.SplitSeq(w.Value, ",") {
		sign := byte(0)
		if item != "" && (item[0] == '+' || item[0] == '-') {
			sign, item = item[0], item[1:]
		}
		if w.Op != "=" {
			sign = w.Op[0]
		}
		if item == "" {
			continue
		}
		switch sign {
		case '+':
			plus++
		case '-':
			minus++
		default:
			plain++
		}
		names = append(names, item)
	}
	if min(plain, plus+minus) > 0 || min(plus, minus) > 0 {
		return refuse(code, "%s: names to be added and others", w.Value)
	}
	old := *to
	denies := len(old) > 0 && strings.HasPrefix(old[0], "-")
	switch {
	case plain > 0 || len(names) == 0:
		*to = names
	case minus > 0 && (len(old) == 0 || denies):
		*to = slices.Clone(old)
		for _, n := range names {
			if !slices.Contains(*to, "-"+n) {
				*to = append(*to, "-"+n)
			}
		}
	case minus > 0:
		*to = slices.DeleteFunc(slices.Clone(old), func(n string) bool { return slices.Contains(names, n) })
	case denies: // who is kept out is not let in by a name: the list has to be set anew
	default:
		*to = slices.Clone(old)
		for _, n := range names {
			if !slices.Contains(*to, n) {
				*to = append(*to, n)
			}
		}
	}
	return nil
}

// flags sets and clears flags.
func (d *resvDraft) flags(w ResvWord) error {
	c, err := slurm.ParseResvFlags(w.Value)
	if err != nil {
		return refuse(slurm.ErrnoReservationInvalid, "%v", err)
	}
	r := &d.r
	if w.Op == "-=" {
		c.Clear, c.Set = c.Clear|c.Set, 0
	}
	r.Flags = r.Flags&^c.Clear | c.Set
	if c.Set.Has(slurm.ResvPurgeComp) {
		r.PurgeAfter = c.Purge
	}
	if c.Clear.Has(slurm.ResvPurgeComp) {
		r.PurgeAfter, r.IdleSince = 0, time.Time{}
	}
	return nil
}

// nodes names the nodes of the reservation.
func (d *resvDraft) nodes(w ResvWord) error {
	r := &d.r
	if strings.EqualFold(w.Value, "ALL") {
		d.all = true
		return nil
	}
	hosts, err := slurm.ParseHostList(w.Value)
	if err != nil {
		return refuse(slurm.ErrnoInvalidNodeName, "%v", err)
	}
	wanted := make(map[NodeName]bool)
	for name := range hosts.All() {
		if d.node(NodeName(name)) == nil {
			return refuse(slurm.ErrnoInvalidNodeName, "node %q is not known", name)
		}
		wanted[NodeName(name)] = true
	}
	r.Nodes = nil
	for _, n := range d.v.Nodes {
		if wanted[n.Name] {
			r.Nodes = append(r.Nodes, n.Name)
		}
	}
	d.named = len(r.Nodes) > 0
	return nil
}

// nodeCount asks for a number of nodes.
func (d *resvDraft) nodeCount(w ResvWord) error {
	list, ok := numbersIn(strings.TrimPrefix(w.Value, "+"))
	switch {
	case !ok:
		return refuse(slurm.ErrnoInvalidNodeCount, "%s=%s", w.Key, w.Value)
	case len(list) == 1:
		d.count = list[0]
	default:
		d.counts = list
	}
	return nil
}

func (d *resvDraft) coreCount(w ResvWord) error {
	list, ok := numbersIn(w.Value)
	if !ok {
		return refuse(slurm.ErrnoInvalidCoreCount, "%s=%s", w.Key, w.Value)
	}
	d.cores, d.coresEach = 0, list
	for _, n := range list {
		d.cores += n
	}
	return nil
}

// tres asks for nodes, cores and licences by the names accounting has for them.
func (d *resvDraft) tres(w ResvWord) error {
	t, err := slurm.ParseTRES(w.Value)
	if err != nil {
		return refuse(slurm.ErrnoInvalidTRES, "%v", err)
	}
	for _, item := range t {
		switch {
		case item.Type == "node" && item.Count > 0:
			d.count = int(item.Count)
		case item.Type == "cpu" && item.Count > 0:
			d.cores, d.coresEach = int(item.Count), []int{int(item.Count)}
		case item.Type == "license" && item.Count > 0:
			d.r.Licenses.Items = append(slices.Clip(d.r.Licenses.Items), slurm.License{Name: item.Name, Count: item.Count})
		default:
			return refuse(slurm.ErrnoInvalidTRES, "%s cannot be reserved", item.Key())
		}
	}
	return nil
}

// numbersIn reads numbers above zero, separated by commas; k counts 1024.
func numbersIn(text string) ([]int, bool) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		part, kilo := strings.CutSuffix(strings.ToLower(part), "k")
		n, err := strconv.Atoi(part)
		if err != nil || n <= 0 || n > 1<<20 {
			return nil, false
		}
		if kilo {
			n *= 1024
		}
		list = append(list, n)
	}
	return list, true
}
