package sched

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// resvSlack is how long before the present a new reservation may begin.
const resvSlack = 10 * time.Minute

// endSlack is how long ago "now" may be when a reservation is to end now.
const endSlack = 5 * time.Second

// yearLong is how long a reservation without an end lasts.
const yearLong = 365 * 24 * time.Hour

// MakeReservation makes a reservation of scontrol's words: what they leave open
// is chosen, and what cannot be is refused with Slurm's error. It gets no name,
// unless the words have one, and no id.
func MakeReservation(v View, words []ResvWord, now time.Time) (*Reservation, error) {
	d := newResvDraft(v, nil, now)
	return d.done(words)
}

// ChangeReservation returns a reservation as the words change it.
func ChangeReservation(v View, old *Reservation, words []ResvWord, now time.Time) (*Reservation, error) {
	d := newResvDraft(v, old.At(now), now)
	return d.done(words)
}

// ResvName returns the name of a reservation that was given none: that of the
// first account, user or group it is for, and its number.
func ResvName(r *Reservation, id uint32) string {
	for _, list := range [][]string{r.Accounts, r.Users, r.Groups} {
		if len(list) > 0 {
			return strings.TrimPrefix(list[0], "-") + "_" + slurm.JobID(id).String()
		}
	}
	return "resv_" + slurm.JobID(id).String()
}

// done works the words in and settles what follows.
func (d *resvDraft) done(words []ResvWord) (*Reservation, error) {
	for _, w := range words {
		if err := d.word(w); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{d.people, d.times, d.kind, d.choose, d.clear, d.licences} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	d.r.TRES = ReservedTRES(&d.r, d.v.Nodes, conf(d.v.Config).AccountingStorageTRES)
	return &d.r, nil
}

// ReservedTRES counts what a reservation keeps, of licences those that accounting
// has a word for.
func ReservedTRES(r *Reservation, nodes []*Node, known []string) slurm.TRES {
	var t slurm.TRES
	cpus := 0
	for _, n := range nodes {
		switch kept := r.CPUsOn(n.Name); {
		case kept > 0:
			cpus += kept
		case r.HasNode(n.Name):
			cpus += UsableCPUs(n)
		}
	}
	if cpus > 0 {
		t = t.With("cpu", int64(cpus))
	}
	for _, l := range r.Licenses.Items {
		if key := "license/" + l.FullName(); slices.Contains(known, key) {
			t = t.With(key, l.Count)
		}
	}
	return t
}

// people refuses a reservation for nobody, and one for users and groups at once.
func (d *resvDraft) people() error {
	r := &d.r
	switch {
	case len(r.Users)+len(r.Accounts)+len(r.Groups)+len(r.QOS) == 0:
		return refuse(slurm.ErrnoReservationEmpty, "no users, accounts, groups or QOS")
	case len(r.Users) > 0 && len(r.Groups) > 0:
		return refuse(slurm.ErrnoReservationUserGroup, "users %v and groups %v", r.Users, r.Groups)
	}
	return nil
}

// times works out from when until when the reservation lasts.
func (d *resvDraft) times() error {
	r := &d.r
	moved := d.old == nil || !r.Start.Equal(d.old.Start)
	switch {
	case r.Start.IsZero():
		return refuse(slurm.ErrnoInvalidTime, "no start")
	case d.old == nil && r.Start.Before(d.now.Add(-resvSlack)) && !r.Has(slurm.ResvForceStart):
		return refuse(slurm.ErrnoInvalidTime, "a start at %s, which is over", r.Start.Format(time.DateTime))
	case d.old != nil && moved && !d.old.Start.After(d.now):
		return refuse(slurm.ErrnoReservationAlreadyStarted, "a new start at %s, and it has begun", r.Start.Format(time.DateTime))
	case d.old != nil && moved && r.Start.Before(d.now.Add(-resvSlack)):
		return refuse(slurm.ErrnoInvalidTime, "a start at %s, which is over", r.Start.Format(time.DateTime))
	}
	switch {
	case r.Duration == slurm.Unlimited || r.Duration == 0 && r.End.IsZero():
		r.End = r.Start.Add(yearLong)
	case r.Duration > 0:
		r.End = r.Start.Add(time.Duration(min(r.Duration, slurm.Duration(10*yearLong/time.Second))) * time.Second)
	}
	least := d.now
	if d.old != nil {
		least = least.Add(-endSlack)
	}
	if !r.End.After(r.Start) || !r.End.After(least) && !r.Repeats() {
		return refuse(slurm.ErrnoInvalidTime, "an end at %s", r.End.Format(time.DateTime))
	}
	if moved || d.old == nil || !r.End.Equal(d.old.End) || r.Has(slurm.ResvTimeFloat) {
		r.Made = d.now
	}
	return nil
}

// kind refuses flags and amounts that do not go together.
func (d *resvDraft) kind() error {
	r := &d.r
	for _, l := range r.Licenses.Items {
		switch all := d.v.LicensesAll.Get(l.FullName()); {
		case all == 0:
			return refuse(slurm.ErrnoInvalidLicenses, "there is no licence %s", l.FullName())
		case l.Count > all:
			return refuse(slurm.ErrnoInvalidLicenses, "there are %d of licence %s, and %d asked", all, l.FullName(), l.Count)
		}
	}
	nodes := d.named || d.count > 0 || len(d.counts) > 0 || d.cores > 0 || len(r.Nodes) > 0
	switch {
	case r.Has(slurm.ResvTimeFloat) && r.Repeats():
		return refuse(slurm.ErrnoNotSupported, "flags %s: it floats and comes again", r.Flags)
	case d.old != nil && r.Flags&(slurm.ResvReplace|slurm.ResvReplaceDown) != 0 && (d.named || r.Has(slurm.ResvSpecNodes) && d.count == 0):
		return refuse(slurm.ErrnoNotSupported, "flags %s and nodes that were named", r.Flags)
	case r.Flags&(slurm.ResvReplace|slurm.ResvReplaceDown) != 0 && (d.named || d.old == nil && d.all):
		return refuse(slurm.ErrnoInvalidNodeName, "flags %s and nodes by name", r.Flags)
	case !nodes && !d.all && d.old == nil && r.Partition != "" && r.Licenses.IsZero() && d.v.Config.Partition(r.Partition) != nil:
		d.all = true // of the partition
	case !nodes && !d.all && r.Licenses.IsZero():
		return refuse(slurm.ErrnoReservationInvalid, "neither nodes nor licences")
	case !nodes && !d.all && !r.Has(slurm.ResvAnyNodes):
		return refuse(slurm.ErrnoInvalidNodeName, "licences without nodes, and not flagged so")
	case r.Has(slurm.ResvPartNodes) && (r.Partition == "" || d.old == nil && !d.all):
		return refuse(slurm.ErrnoReservationInvalid, "the nodes of a partition without the partition, or without all of them")
	case len(d.coresEach) > 0 && d.named && len(d.coresEach) > 1 && len(d.coresEach) != len(r.Nodes):
		return refuse(slurm.ErrnoInvalidCoreCount, "%d numbers of cores for %d nodes", len(d.coresEach), len(r.Nodes))
	}
	if d.old != nil && (d.touched() && len(d.old.Cores) > 0 || d.cores > 0) {
		return refuse(slurm.ErrnoCoreReservationUpdate, "reservation %s keeps cores", d.old.Name)
	}
	return nil
}

// touched reports whether the words say something of its nodes.
func (d *resvDraft) touched() bool {
	return d.named || d.all || d.count > 0 || len(d.counts) > 0 || d.cores > 0
}

// choose finds nodes for the reservation where they were not named.
func (d *resvDraft) choose() error {
	r := &d.r
	part := d.v.Config.Partition(r.Partition)
	if r.Partition != "" && part == nil {
		return refuse(slurm.ErrnoInvalidPartition, "partition %q is not known", r.Partition)
	}
	constraint, err := slurm.ParseConstraint(r.Features)
	if err != nil || !knownFeatures(constraint, d.v.Nodes) {
		return refuse(slurm.ErrnoInvalidFeature, "no node has all of the features of %q", r.Features)
	}
	switch {
	case d.all:
		r.Nodes = nil
		for _, n := range d.v.Nodes {
			if part == nil || slices.Contains(part.Nodes, n.Name) {
				r.Nodes = append(r.Nodes, n.Name)
			}
		}
		r.Flags |= slurm.ResvSpecNodes
		if part == nil {
			r.Flags |= slurm.ResvAllNodes
		} else {
			r.Flags |= slurm.ResvPartNodes
		}
	case d.named:
		r.Flags = r.Flags&^(slurm.ResvAllNodes|slurm.ResvPartNodes) | slurm.ResvSpecNodes
		if d.cores > 0 && r.Partition == "" {
			r.Partition = d.v.Config.Default
		}
	case d.count > 0 || len(d.counts) > 0 || d.cores > 0:
		return d.byNumber(part, constraint)
	default:
		return nil
	}
	r.NodeCnt = 0
	if d.cores > 0 {
		return d.coresOn(r.Nodes)
	}
	return nil
}

// byNumber chooses so many nodes, or nodes for so many cores: of those in service
// that are not reserved and that no job holds then, the idle ones first.
func (d *resvDraft) byNumber(part *Partition, constraint slurm.Constraint) error {
	r := &d.r
	if part == nil {
		if part = d.v.Config.Partition(d.v.Config.Default); part == nil {
			return refuse(slurm.ErrnoDefaultPartitionNotSet, "no partition to choose nodes of")
		}
		if d.old == nil {
			r.Partition = part.Name
		}
	}
	count := d.count
	for _, n := range d.counts {
		count += n
	}
	if d.old == nil {
		r.Flags &^= slurm.ResvSpecNodes // it stays with one whose nodes were named before
	}
	r.NodeCnt = count
	// Who asks for more than there is gets what there is, as in Slurm, unless it is of
	// nodes with some feature.
	want := count
	var kept, free []*Node
	for _, n := range d.v.Nodes {
		switch {
		case !slices.Contains(part.Nodes, n.Name) || !hasFeatures(constraint, n):
		case d.old != nil && d.old.HasNode(n.Name):
			kept = append(kept, n)
		case n.Usable() && d.isFree(n):
			free = append(free, n)
		}
	}
	slices.SortStableFunc(free, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(min(len(a.Running), 1), min(len(b.Running), 1)), cmp.Compare(a.Weight, b.Weight))
	})
	if n := len(kept) - count; n > 0 && count > 0 {
		// Of fewer nodes than before, those without jobs go first.
		slices.SortStableFunc(kept, func(a, b *Node) int { return cmp.Compare(min(len(a.Running), 1), min(len(b.Running), 1)) })
		kept = kept[n:]
	}
	list := append(kept, free...)
	if count == 0 { // as many as the cores need
		list = d.enough(part, constraint)
		want = len(list)
		r.NodeCnt = want
	}
	if want > len(list) && r.Features != "" {
		return refuse(slurm.ErrnoRequestedNodeConfigUnavailable, "%d nodes of partition %s with features %s are free, %d asked", len(list), part.Name, r.Features, want)
	}
	if want = min(want, len(list)); want == 0 {
		return refuse(slurm.ErrnoNodesBusy, "no node of partition %s is free, %d asked", part.Name, count)
	}
	if list = quotaFirst(constraint, list, want); list == nil {
		return refuse(slurm.ErrnoNodesBusy, "too few nodes with features %s", r.Features)
	}
	list = list[:want]
	slices.SortFunc(list, func(a, b *Node) int { return cmp.Compare(a.Index, b.Index) })
	r.Nodes = r.Nodes[:0:0]
	for _, n := range list {
		r.Nodes = append(r.Nodes, n.Name)
	}
	if d.cores > 0 {
		return d.coresOn(r.Nodes)
	}
	return nil
}

// quotaFirst puts those nodes first of which a constraint wants a number, nil when
// there are too few.
func quotaFirst(c slurm.Constraint, list []*Node, want int) []*Node {
	if c.Op != slurm.ConstraintCounts {
		return list
	}
	var out []*Node
	for _, k := range c.Kids {
		q := quotaOf(k)
		n := 0
		for _, node := range list {
			if n < q.count && q.match(node) && !slices.Contains(out, node) {
				out, n = append(out, node), n+1
			}
		}
		if n < q.count || len(out) > want {
			return nil
		}
	}
	for _, node := range list {
		if !slices.Contains(out, node) {
			out = append(out, node)
		}
	}
	return out
}

// enough returns nodes whose free cores come to as many as are asked for.
func (d *resvDraft) enough(part *Partition, constraint slurm.Constraint) []*Node {
	var list []*Node
	sum := 0
	for _, n := range d.v.Nodes {
		if sum >= d.cores {
			break
		}
		if !slices.Contains(part.Nodes, n.Name) || !hasFeatures(constraint, n) || !n.Usable() {
			continue
		}
		if free := d.freeCores(n).Len(); free > 0 {
			list, sum = append(list, n), sum+free
		}
	}
	if sum < d.cores {
		return nil
	}
	return list
}

// coresOn shares the cores asked for out over nodes: as many on each as was said,
// or else the first nodes are filled as far as the others keep one each.
func (d *resvDraft) coresOn(names []NodeName) error {
	r := &d.r
	r.Cores, r.CoreCnt = nil, d.cores
	left := d.cores
	even := d.count > 0 || d.named
	for i, name := range names {
		n := d.node(name)
		free := d.freeCores(n)
		others := len(names) - i - 1
		want := 0
		switch {
		case len(d.coresEach) > 1 && i < len(d.coresEach):
			want = d.coresEach[i]
		case even:
			want = (left + others) / (others + 1)
		default:
			want = min(free.Len(), left-others)
		}
		if want <= 0 || want > free.Len() {
			return refuse(slurm.ErrnoNodesBusy, "%d cores of node %s are free, %d asked", free.Len(), name, want)
		}
		left -= want
		var cores []uint32
		for c := range free.All() {
			if len(cores) == want {
				break
			}
			cores = append(cores, c)
		}
		r.Cores = append(r.Cores, ReservedCores{Node: name, Cores: slurm.NewIndexSet(cores...), CPUs: want * max(n.Threads, 1)})
	}
	if left > 0 {
		return refuse(slurm.ErrnoNodesBusy, "%d cores of %d are missing", left, d.cores)
	}
	whole := true
	for _, c := range r.Cores {
		whole = whole && c.CPUs >= UsableCPUs(d.node(c.Node))
	}
	if whole {
		r.Cores = nil
	}
	return nil
}

// freeCores returns the cores of a node that no other reservation keeps at that
// time, less so many as jobs have there then.
func (d *resvDraft) freeCores(n *Node) slurm.IndexSet {
	total := UsableCPUs(n) / max(n.Threads, 1)
	if total == 0 {
		return slurm.IndexSet{}
	}
	free := slurm.IndexSetOf(slurm.IndexRange{Lo: 0, Hi: uint32(total - 1), Step: 1})
	if !over(&d.r) {
		for _, o := range d.others() {
			if !o.HasNode(n.Name) || !d.meets(o) {
				continue
			}
			if o.CPUsOn(n.Name) == 0 {
				return slurm.IndexSet{}
			}
			for _, c := range o.Cores {
				if c.Node == n.Name {
					free = free.Minus(c.Cores)
				}
			}
		}
	}
	if d.r.Flags&(slurm.ResvIgnoreJobs|slurm.ResvMaint) == 0 {
		busy := (d.busyCPUs(n) + max(n.Threads, 1) - 1) / max(n.Threads, 1)
		for free.Len() > 0 && free.Len() > total-busy {
			free = free.Minus(slurm.NewIndexSet(free.Max()))
		}
	}
	return free
}

// busyCPUs counts the CPUs of a node that jobs have when the reservation begins.
func (d *resvDraft) busyCPUs(n *Node) int {
	sum := 0
	for _, j := range d.v.Running {
		if !d.lasts(j) {
			continue
		}
		for i := range j.Alloc {
			if j.Alloc[i].Node == n.Name && holdsNode(j, n.Name) {
				sum += j.Alloc[i].CPUs
			}
		}
	}
	return sum
}

// lasts reports whether a job that runs is still there when the reservation
// begins, by its limit.
func (d *resvDraft) lasts(j *Job) bool {
	return !j.IsCompleting() && !(d.old != nil && j.Resv == d.old.Name) && (j.End.IsZero() || j.End.After(d.r.Start))
}

// isFree reports whether a node is neither reserved at that time nor held by a job
// then.
func (d *resvDraft) isFree(n *Node) bool {
	if !over(&d.r) {
		for _, o := range d.others() {
			if o.HasNode(n.Name) && d.meets(o) {
				return false
			}
		}
	}
	return d.r.Flags&(slurm.ResvIgnoreJobs|slurm.ResvMaint) != 0 || d.busyCPUs(n) == 0
}

// others are the reservations this one may not lie over.
func (d *resvDraft) others() []*Reservation {
	return slices.DeleteFunc(slices.Clone(d.v.Reservations), func(o *Reservation) bool {
		return over(o) || d.old != nil && o.Name == d.old.Name
	})
}

// meets reports whether another reservation is there at the same time. Of those
// that come again, the times of a week count, as in Slurm.
func (d *resvDraft) meets(o *Reservation) bool {
	theirs := o.week()
	for _, mine := range d.r.week() {
		for _, s := range theirs {
			if mine.Meets(s) {
				return true
			}
		}
	}
	return false
}

// node finds a node by name.
func (d *resvDraft) node(name NodeName) *Node {
	for _, n := range d.v.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// clear refuses nodes that are reserved at that time, or that jobs hold then.
func (d *resvDraft) clear() error {
	r := &d.r
	moved := d.old == nil || !r.Start.Equal(d.old.Start) || !r.End.Equal(d.old.End) || r.Flags != d.old.Flags
	if !moved && !d.touched() {
		return nil
	}
	except := ""
	if d.old != nil {
		except = r.Name
	}
	if o := Overlapping(r, d.v.Reservations, except, d.now); o != nil {
		return refuse(slurm.ErrnoReservationOverlap, "reservation %s has nodes of it at that time", o.Name)
	}
	if r.Flags&(slurm.ResvIgnoreJobs|slurm.ResvMaint) != 0 || len(r.Cores) > 0 {
		return nil
	}
	for _, name := range r.Nodes {
		if d.old != nil && d.old.HasNode(name) && !r.Start.Before(d.old.Start) {
			continue
		}
		if n := d.node(name); n != nil && d.busyCPUs(n) > 0 {
			return refuse(slurm.ErrnoNodesBusy, "jobs %v are on node %s then", n.Running, name)
		}
	}
	return nil
}

// Overlapping returns a reservation that has nodes of r at the same time and may
// not, nil when there is none. The one named except does not count.
func Overlapping(r *Reservation, list []*Reservation, except string, now time.Time) *Reservation {
	if over(r) {
		return nil
	}
	d := resvDraft{r: *r.At(now), now: now}
	kept := make(map[NodeName]bool, len(r.Nodes))
	for _, n := range r.Nodes {
		kept[n] = true
	}
	for _, o := range list {
		if over(o) || o.Name == except || !slices.ContainsFunc(o.Nodes, func(n NodeName) bool { return kept[n] }) || !d.meets(o) {
			continue
		}
		for _, n := range o.Nodes {
			if kept[n] && !besides(r, o, n) {
				return o
			}
		}
	}
	return nil
}

// besides reports whether two reservations keep different cores of a node.
func besides(a, b *Reservation, node NodeName) bool {
	for _, x := range a.Cores {
		for _, y := range b.Cores {
			if x.Node == node && y.Node == node {
				return x.Cores.Intersect(y.Cores).Len() == 0
			}
		}
	}
	return false
}

// licences refuses licences the cluster does not have, or that other reservations
// keep at that time.
func (d *resvDraft) licences() error {
	r := &d.r
	if r.Licenses.IsZero() {
		return nil
	}
	free := d.v.LicensesAll
	for _, o := range d.v.Reservations {
		if o.Name != r.Name && !o.Licenses.IsZero() && d.meets(o) {
			free = free.Minus(o.Licenses)
		}
	}
	if _, ok := TakeLicenses(r.Licenses, free); !ok {
		return refuse(slurm.ErrnoInvalidLicenses, "licences %s, and there are %s", r.Licenses, free)
	}
	return nil
}
