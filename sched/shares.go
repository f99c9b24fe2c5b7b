package sched

import (
	"maps"
	"slices"
	"strings"
)

// Shards and shares of MPS are parts of GPUs. A job's lie on one GPU of a node; a GPU
// that has some in use is given to nobody whole, and one given whole to nobody in
// parts. Where a node's GPUs have no device files the parts are only counted.

// shares is how many parts of one kind each GPU of a node has, by its number.
type shares struct {
	caps map[int]int64
	used map[int]int64
}

// ShareCaps returns how many of a shared resource lie on each GPU of the node, by
// number: as gres.conf's files say, or as many on each. nil when it is not shared,
// or the GPUs are not known.
func (n *Node) ShareCaps(g *NodeGres) map[int]int64 {
	if !isSharedGres(g.Name) {
		return nil
	}
	numbers := map[string]int{}
	var order []int
	for i := range n.Gres {
		if d := &n.Gres[i]; d.Name == "gpu" {
			for k, files := range d.Files {
				if strings.Contains(files, ",") {
					continue // a GPU that is cut into instances is not shared besides
				}
				numbers[files] = d.Number(k)
				order = append(order, d.Number(k))
			}
		}
	}
	if len(order) == 0 {
		return nil
	}
	caps := map[int]int64{}
	if len(g.Files) > 0 {
		for _, f := range g.Files {
			if x, ok := numbers[f]; ok {
				caps[x]++
			}
		}
		return caps
	}
	slices.Sort(order)
	for k, x := range order {
		caps[x] = g.Count / int64(len(order))
		if int64(k) < g.Count%int64(len(order)) {
			caps[x]++
		}
	}
	return caps
}

// shareFits says whether parts of a GPU are free on n while used is in use: none of
// it may be given whole, nor any part of a GPU that is to be given whole.
func (n *Node) shareFits(used []GresAlloc, g GresAlloc, have *NodeGres) bool {
	if !isSharedGres(g.Name) {
		return g.Name != "gpu" || !slices.ContainsFunc(used, func(u GresAlloc) bool {
			return isSharedGres(u.Name) && slices.ContainsFunc(u.Index, func(x int) bool { return slices.Contains(g.Index, x) })
		})
	}
	caps := n.ShareCaps(have)
	if caps == nil {
		return true
	}
	if len(g.Index) != 1 {
		return false
	}
	x, taken := g.Index[0], int64(0)
	for _, u := range used {
		if !slices.Contains(u.Index, x) {
			continue
		}
		switch {
		case u.Name == "gpu":
			return false
		case u.Name == g.Name && u.Type == g.Type:
			taken += u.Count
		case isSharedGres(u.Name):
			return false // shards and MPS do not mix on a GPU
		}
	}
	return taken+g.Count <= caps[x]
}

// stockShares gives the shelves of shared resources their GPUs.
func (r *room) stockShares() {
	for i := range r.gres {
		if caps := r.n.ShareCaps(&r.n.Gres[i]); caps != nil {
			r.gres[i].on = &shares{caps: caps, used: map[int]int64{}}
			r.shares = true
		}
	}
}

// whole reports whether a GPU of the room is given whole, or not to be used.
func (r *room) whole(number int) bool {
	for i := range r.gres {
		s := &r.gres[i]
		if s.name != "gpu" || s.used == nil {
			continue
		}
		if x := s.entry.Place(number); x >= 0 {
			word, bit := x/64, uint64(1)<<(x%64)
			return s.used[word]&bit != 0 || s.sick != nil && s.sick[word]&bit != 0
		}
	}
	return false
}

// inParts reports whether a GPU of the room is in use in parts, of another kind
// than but.
func (r *room) inParts(number int, but *shelf) bool {
	for i := range r.gres {
		if s := &r.gres[i]; s != but && s.on != nil && s.on.used[number] > 0 {
			return true
		}
	}
	return false
}

// partsFree returns the GPU on which n parts are to be taken and how many are free
// there: of those with enough the one with the fewest, so that others stay whole; the
// most there are on any when none has enough.
func (r *room) partsFree(s *shelf, n int64) (number int, free int64) {
	number = -1
	for _, x := range slices.Sorted(maps.Keys(s.on.caps)) {
		if r.whole(x) || r.inParts(x, s) {
			continue
		}
		left := s.on.caps[x] - s.on.used[x]
		fits := left >= n
		if number < 0 || fits && (free < n || left < free) || !fits && free < n && left > free {
			number, free = x, left
		}
	}
	return number, free
}

// bound holds what a look counted to what one GPU can give: at the moment of the
// look when now is set, and else at best.
func (r *room) bound(s *spare, now bool) {
	for i := range r.gres {
		shelf := &r.gres[i]
		if i >= len(s.gres) {
			return
		}
		switch {
		case now:
			s.gres[i] = min(s.gres[i], r.atHand(shelf, s.gres[i]))
		case shelf.on != nil:
			most := int64(0)
			for _, n := range shelf.on.caps {
				most = max(most, n)
			}
			s.gres[i] = min(s.gres[i], most)
		}
	}
}

// atHand is how many of a shelf can be given at this moment to one that wants n: parts
// of one GPU, or GPUs of which no part is in use.
func (r *room) atHand(s *shelf, n int64) int64 {
	switch {
	case s.on != nil:
		_, free := r.partsFree(s, n)
		return min(s.free, free)
	case r.shares && s.name == "gpu" && s.used != nil:
		return min(s.free, int64(len(r.wholeFree(s))))
	}
	return s.free
}

// wholeFree lists the places of a shelf's GPUs that may be given whole.
func (r *room) wholeFree(s *shelf) []int {
	return slices.DeleteFunc(s.freeIndexes(s.total), func(x int) bool { return r.inParts(s.entry.Number(x), nil) })
}
