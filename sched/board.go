package sched

import (
	"slices"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/slurm"
)

// boards gathers what gres.conf says of the links and cores of devices, while they
// are sorted into entries.
type boards struct {
	units []unit
	known bool // something is said of links or cores
}

// unit is a device as gres.conf's lines have it, in their order.
type unit struct {
	entry int
	place int // among all devices of the name, which is what links go by
	links []int
	cores string
}

// add notes the first n devices of a line, which go to an entry; place is that of
// the first.
func (b *boards) add(entry, place int, l slurm.GresLine, n int64) {
	if isSharedGres(l.Name) {
		return
	}
	u := unit{entry: entry, links: l.Links}
	if !l.Cores.IsEmpty() {
		u.cores = l.Cores.String()
	}
	b.known = b.known || len(u.links) > 0 || u.cores != ""
	for k := range int(n) {
		u.place = place + k
		b.units = append(b.units, u)
	}
}

// of returns the links among the devices of an entry and which are near the same
// cores; nil where all are alike.
func (b *boards) of(entry int) (links [][]int, near []int) {
	if !b.known {
		return nil, nil
	}
	var at []int // places among all
	for i := range b.units {
		if b.units[i].entry == entry {
			at = append(at, i)
		}
	}
	var cores []string
	linked := false
	for _, i := range at {
		u := &b.units[i]
		k := slices.Index(cores, u.cores)
		if k < 0 {
			k = len(cores)
			cores = append(cores, u.cores)
		}
		near = append(near, k)
		row := make([]int, len(at))
		for x, other := range at {
			if to := b.units[other].place; to < len(u.links) && to != u.place {
				row[x] = max(u.links[to], 0)
			}
			linked = linked || row[x] > 0
		}
		links = append(links, row)
	}
	if !linked {
		links = nil
	}
	if len(cores) < 2 {
		near = nil
	}
	return links, near
}

// boardOf is how the devices of an entry hang together; nil when nothing is known
// that would tell one choice from another.
func boardOf(g *NodeGres) *gpu.Board {
	if g.Links == nil && g.Near == nil {
		return nil
	}
	return &gpu.Board{Links: g.Links, Near: g.Near}
}

// pick chooses n of a shelf's free devices: those that hang together best where
// that is known, the lowest ones elsewhere. It returns their numbers.
func (r *room) pick(s *shelf, n int64) []int {
	if s.on != nil {
		number, _ := r.partsFree(s, n)
		return []int{number}
	}
	var places []int
	switch {
	case s.used == nil:
		return nil
	case r.shares:
		places = r.wholeFree(s)
	default:
		places = s.freeIndexes(s.free)
	}
	if s.board == nil || n >= int64(len(places)) {
		places = places[:min(int(n), len(places))]
	} else {
		places = s.board.Pick(places, int(n))
	}
	for i, x := range places {
		places[i] = s.entry.Number(x)
	}
	return places
}
