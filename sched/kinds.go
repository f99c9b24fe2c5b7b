package sched

import (
	"math"
	"strings"

	"github.com/runink/rink/slurm"
)

// amounts is how much of each kind of resource, in the order of kinds.
type amounts []int64

// kinds are the resources that are counted, each with a place of its own, so that
// sums need no names: the ones every cluster has, then those of
// AccountingStorageTRES and of quotas.
type kinds struct {
	keys []string
	at   map[string]int
	// What a key of generic resources or licences counts.
	site []siteKind
}

type siteKind struct {
	at        int
	license   bool
	name, typ string
}

// The places of the kinds every cluster has.
const (
	kindCPU = iota
	kindMem
	kindEnergy
	kindNode
	kindBilling
)

var builtinKinds = []string{"cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages"}

// kindsOf are the kinds a cluster of this configuration counts.
func kindsOf(cfg *Config) *kinds {
	k := &kinds{at: map[string]int{}}
	add := func(key string) {
		if _, ok := k.at[key]; ok || key == "" {
			return
		}
		k.at[key] = len(k.keys)
		k.keys = append(k.keys, key)
	}
	for _, key := range builtinKinds {
		add(key)
	}
	for _, key := range conf(cfg).AccountingStorageTRES {
		typ, name, _ := strings.Cut(key, "/")
		add(strings.TrimSuffix(strings.ToLower(typ)+"/"+name, "/"))
	}
	for _, key := range quotaKinds(cfg) {
		add(key)
	}
	for i, key := range k.keys[len(builtinKinds):] {
		if s := siteKindOf(key); s.name != "" {
			s.at = len(builtinKinds) + i
			k.site = append(k.site, s)
		}
	}
	return k
}

// siteKindOf reads a key such as gres/gpu, gres/gpu:a100 or license/matlab; of what
// is neither the name is empty.
func siteKindOf(key string) siteKind {
	kind, name, _ := strings.Cut(key, "/")
	switch strings.ToLower(kind) {
	case "gres":
		s := siteKind{}
		s.name, s.typ, _ = strings.Cut(name, ":")
		return s
	case "license":
		return siteKind{name: name, license: true}
	}
	return siteKind{}
}

// bounds places the amounts of a limit, none where there is none; nil when there is
// none at all.
func (k *kinds) bounds(t slurm.TRES) amounts {
	var out amounts
	for _, item := range t {
		i, ok := k.at[item.Key()]
		if !ok || item.Count < 0 {
			continue
		}
		if out == nil {
			out = make(amounts, len(k.keys))
			for n := range out {
				out[n] = NoLimit
			}
		}
		out[i] = item.Count
	}
	return out
}

// tres writes amounts as a list, all kinds of it.
func (k *kinds) tres(a amounts) slurm.TRES {
	out := make(slurm.TRES, len(k.keys))
	for i, key := range k.keys {
		out[i].Type, out[i].Name, _ = strings.Cut(key, "/")
		if i < len(a) {
			out[i].Count = a[i]
		}
	}
	return out
}

// gresUse is a number of generic resources of one type.
type gresUse struct {
	name, typ string
	count     int64
}

// measure is what a job holds or asks for, before it is placed.
type measure struct {
	cpus     int
	mem      slurm.MB
	nodes    int
	gres     []gresUse // kept from one job to the next
	licenses slurm.Licenses
}

// take measures an allocation, or without one what j asks for.
func (m *measure) take(j *Job, alloc []NodeAlloc) {
	m.gres = m.gres[:0]
	if len(alloc) > 0 {
		m.cpus, m.mem, m.nodes = 0, 0, len(alloc)
		for i := range alloc {
			a := &alloc[i]
			m.cpus += a.CPUs
			m.mem += a.Mem
			for n := range a.Gres {
				m.gres = append(m.gres, gresUse{a.Gres[n].Name, a.Gres[n].Type, a.Gres[n].Count})
			}
		}
		m.licenses = j.LicensesUsed
		if m.licenses.IsZero() && !j.Need.Licenses.Any {
			m.licenses = j.Need.Licenses
		}
		return
	}
	n := &j.Need
	m.cpus, m.nodes = max(n.CPUs, 1), max(n.MinNodes, 1)
	m.mem = n.MemPerNode * slurm.MB(m.nodes)
	if n.MemPerCPU > 0 {
		m.mem = n.MemPerCPU * slurm.MB(m.cpus)
	}
	m.add(n.GresPerNode, m.nodes)
	m.add(n.GresPerTask, max(n.Tasks, 1))
	m.add(n.GresPerJob, 1)
	m.licenses = n.Licenses
}

func (m *measure) add(list slurm.Gres, times int) {
	for i := range list {
		m.gres = append(m.gres, gresUse{list[i].Name, list[i].Type, list[i].Count * int64(times)})
	}
}

// count is how many of a kind that a site counts there are.
func (m *measure) count(s *siteKind) int64 {
	n := int64(0)
	if s.license {
		for i := range m.licenses.Items {
			l := &m.licenses.Items[i]
			if l.Name == s.name && l.Server == "" || l.Server != "" && l.FullName() == s.name {
				n += l.Count
			}
		}
		return n
	}
	for i := range m.gres {
		if g := &m.gres[i]; g.name == s.name && (s.typ == "" || s.typ == g.typ) {
			n += g.count
		}
	}
	return n
}

// place writes m into amounts, which must have a place for each kind.
func (m *measure) place(into amounts, k *kinds, w *weighing) {
	clear(into)
	into[kindCPU], into[kindMem], into[kindNode] = int64(m.cpus), int64(m.mem), int64(m.nodes)
	for i := range k.site {
		into[k.site[i].at] = m.count(&k.site[i])
	}
	into[kindBilling] = int64(w.bill(m))
}

// weighing is what resources of a partition are charged as.
type weighing struct {
	weights []weight
	most    bool // of a node's resources only what weighs most counts
	gresToo bool // and generic resources besides
}

type weight struct {
	slurm.BillingWeight
	site siteKind
	per  float64
}

func weighingOf(cfg *Config, p *Partition) *weighing {
	w := &weighing{most: priorityFlag(cfg, "MAX_TRES"), gresToo: priorityFlag(cfg, "MAX_TRES_GRES")}
	w.most = w.most || w.gresToo
	if p == nil || p.BillingWeights == "" {
		return w
	}
	weights, err := slurm.ParseBillingWeights(p.BillingWeights)
	if err != nil {
		return w
	}
	for _, b := range weights {
		x := weight{BillingWeight: b, per: units(b.Unit, 0)}
		if b.TRES == "mem" {
			x.per = units(b.Unit, 'M')
		}
		x.site = siteKindOf(b.TRES)
		w.weights = append(w.weights, x)
	}
	return w
}

// bill is what the use of these resources is charged as: the CPUs, unless the
// partition weighs its resources (TRESBillingWeights).
func (w *weighing) bill(m *measure) float64 {
	if len(w.weights) == 0 {
		return float64(m.cpus)
	}
	onNodes, most, others := 0.0, 0.0, 0.0
	for i := range w.weights {
		x := &w.weights[i]
		charge := x.Weight
		switch x.TRES {
		case "cpu":
			charge = float64(charge * float64(m.cpus))
		case "mem":
			charge = float64(charge * (float64(m.mem) / x.per))
		case "node":
			others += float64(charge * float64(m.nodes))
			continue
		default:
			charge = float64(charge * (float64(m.count(&x.site)) / x.per))
			if w.gresToo || !strings.HasPrefix(x.TRES, "gres/") {
				others += charge
				continue
			}
		}
		onNodes += charge
		most = max(most, charge)
	}
	if w.most {
		return most + others
	}
	return onNodes + others
}

// units is how many of the unit that amounts are counted in, 'M' or 0 for ones,
// one unit of a weight is; no unit is what amounts are counted in.
func units(unit, counted byte) float64 {
	const letters = "\x00KMGTP"
	if unit == 0 {
		return 1
	}
	return math.Pow(1024, float64(strings.IndexByte(letters, unit)-strings.IndexByte(letters, counted)))
}
