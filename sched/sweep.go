package sched

import "math"

// sweep goes through time looking for the first moment at which enough nodes
// can take a request together.
type sweep struct {
	heap    []sweepItem
	members []int    // rooms that can take part at the moment
	slots   []slot   // by room: what those give
	in      []uint32 // by room: the last search in which it was among them; 0: none
	search  uint32
	found   []slot // used again from search to search
	sum     tally
	trees   []sweepTree
	budget  int // looks left; 0: as many as it takes
	tails   []tail
	blocks  [][]int // the rooms of each block, for a request that takes blocks whole; else nil
	suited  bool    // all rooms are of the kinds asked for
	reached instant // there is no room before
}

// begin begins a search.
func (w *sweep) begin(rooms int) {
	if len(w.slots) != rooms || w.search == math.MaxUint32 {
		w.slots, w.in, w.search = make([]slot, rooms), make([]uint32, rooms), 0
	}
	w.search++
}

// sweepTree is an outlook with the question it is asked; where generic resources are
// asked for besides, that on these with its own: both know the same nodes by the same
// leaves.
type sweepTree struct {
	o      *outlook
	q      question
	gres   *outlook // nil: none
	ofGres question
}

// earliest is outlook.earliest of both.
func (t *sweepTree) earliest(k int, from instant) instant {
	at := t.o.earliest(k, t.q, from)
	if t.gres != nil && at != never {
		at = max(at, t.gres.earliest(k, t.ofGres, from))
	}
	return at
}

// pushLeaf has the room of a leaf that the knots above may be wrong of looked at when it
// may have room.
func (w *sweep) pushLeaf(t *sweepTree, leaf int, from instant) {
	if at := t.earliest(t.o.size+leaf, from); at != never {
		w.push(sweepItem{at, -1, int32(t.o.rooms[leaf])})
	}
}

// isStale reports whether what they say of a leaf may not hold.
func (t *sweepTree) isStale(leaf int) bool {
	return t.o.stale[leaf] || t.gres != nil && t.gres.stale[leaf]
}

// sweepItem is a room, or a knot of an outlook, with the moment at which it is
// worth a look.
type sweepItem struct {
	at   instant
	view int32 // outlook, or -1 for a room
	knot int32 // knot, or position of the room
}

func (x sweepItem) before(y sweepItem) bool {
	if x.at != y.at {
		return x.at < y.at
	}
	if x.view != y.view {
		return x.view > y.view // knots before rooms
	}
	return x.knot < y.knot
}

func (w *sweep) push(x sweepItem) {
	h := append(w.heap, x)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	w.heap = h
}

func (w *sweep) pop() sweepItem {
	h := w.heap
	x := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		m := i
		for k := 2*i + 1; k <= 2*i+2 && k < last; k++ {
			if h[k].before(h[m]) {
				m = k
			}
		}
		if m == i {
			break
		}
		h[i], h[m] = h[m], h[i]
		i = m
	}
	w.heap = h
	return x
}
