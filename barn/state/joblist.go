package state

import (
	"iter"
	"slices"
	"sort"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// pieceMax is the length at which a piece of a jobList is cut in two. At 256 a
// change moves at most two kilobytes, and 200,000 jobs make 800 to 1600 pieces.
const pieceMax = 256

// jobList holds jobs in id order. It is cut into pieces, so that a job comes
// and goes without moving all the others. The zero value is empty.
type jobList struct {
	pieces []piece
	n      int
}

// piece is a stretch of a jobList; ids stands beside jobs so that a search
// reads no job.
type piece struct {
	ids  []slurm.JobID
	jobs []*sched.Job
}

// find returns the piece where id is or belongs, its place there, and whether
// it is there.
func (l *jobList) find(id slurm.JobID) (p, at int, ok bool) {
	p = sort.Search(len(l.pieces), func(i int) bool { return l.pieces[i].ids[0] > id }) - 1
	if p < 0 {
		return 0, 0, false
	}
	at, ok = slices.BinarySearch(l.pieces[p].ids, id)
	return p, at, ok
}

// put adds j, or replaces the job of its id.
func (l *jobList) put(j *sched.Job) {
	if len(l.pieces) == 0 {
		l.pieces = append(l.pieces, piece{[]slurm.JobID{j.ID}, []*sched.Job{j}})
		l.n = 1
		return
	}
	p, at, ok := l.find(j.ID)
	pc := &l.pieces[p]
	if ok {
		pc.jobs[at] = j
		return
	}
	l.n++
	if len(pc.ids) == pieceMax {
		if p == len(l.pieces)-1 && at == pieceMax {
			// Ids grow: the usual new job goes into a new last piece, and full
			// pieces stay full.
			l.pieces = append(l.pieces, newPiece())
			p, at = p+1, 0
		} else {
			l.cut(p)
			if at > pieceMax/2 {
				p, at = p+1, at-pieceMax/2
			}
		}
		pc = &l.pieces[p]
	}
	pc.ids = slices.Insert(pc.ids, at, j.ID)
	pc.jobs = slices.Insert(pc.jobs, at, j)
}

func newPiece() piece {
	return piece{ids: make([]slurm.JobID, 0, pieceMax), jobs: make([]*sched.Job, 0, pieceMax)}
}

// cut moves the second half of piece p into a piece of its own.
func (l *jobList) cut(p int) {
	const half = pieceMax / 2
	old, tail := &l.pieces[p], newPiece()
	tail.ids = append(tail.ids, old.ids[half:]...)
	tail.jobs = append(tail.jobs, old.jobs[half:]...)
	clear(old.jobs[half:])
	old.ids, old.jobs = old.ids[:half], old.jobs[:half]
	l.pieces = slices.Insert(l.pieces, p+1, tail)
}

// del removes the job of that id, if it is there.
func (l *jobList) del(id slurm.JobID) {
	p, at, ok := l.find(id)
	if !ok {
		return
	}
	l.n--
	pc := &l.pieces[p]
	pc.ids = slices.Delete(pc.ids, at, at+1)
	pc.jobs = slices.Delete(pc.jobs, at, at+1)
	// A piece that has become small joins its neighbour, so that what is left of
	// a long list lies close together.
	switch {
	case len(pc.ids) == 0:
		l.pieces = slices.Delete(l.pieces, p, p+1)
	case len(pc.ids) < pieceMax/4 && p+1 < len(l.pieces) && len(pc.ids)+len(l.pieces[p+1].ids) <= pieceMax/2:
		next := l.pieces[p+1]
		pc.ids, pc.jobs = append(pc.ids, next.ids...), append(pc.jobs, next.jobs...)
		l.pieces = slices.Delete(l.pieces, p+1, p+2)
	}
}

// first returns the job with the lowest id, or nil.
func (l *jobList) first() *sched.Job {
	if l.n == 0 {
		return nil
	}
	return l.pieces[0].jobs[0]
}

// all yields the jobs in id order; the list must not change meanwhile.
func (l *jobList) all() iter.Seq[*sched.Job] {
	return func(yield func(*sched.Job) bool) {
		for _, p := range l.pieces {
			for _, j := range p.jobs {
				if !yield(j) {
					return
				}
			}
		}
	}
}

// slice returns the jobs in id order, in a slice of the caller's own.
func (l *jobList) slice() []*sched.Job {
	if l.n == 0 {
		return nil
	}
	s := make([]*sched.Job, 0, l.n)
	for _, p := range l.pieces {
		s = append(s, p.jobs...)
	}
	return s
}
