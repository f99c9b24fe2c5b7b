package sacct

import (
	"bufio"
	"bytes"
	"cmp"
	"slices"

	"github.com/runink/rink/cmds/internal/show"
)

// sortAtMost is how many records are put in order before they are printed.
const sortAtMost = 200_000

// held is what is to be printed, until it can be put in order. Of a record that is
// printed as lines it has these lines alone: the record is twenty times as large.
type held struct {
	list []heldRecord
	text bytes.Buffer
}

// heldRecord is what one record comes to: its lines, or what is made of it later.
type heldRecord struct {
	created  int64
	place    show.Place
	from, to int // of text
	later    func() error
}

// lines holds what print writes of a record into the text.
func (h *held) lines(r *record, print func()) {
	from := h.text.Len()
	print()
	h.list = append(h.list, heldRecord{created: r.created(), place: r.job.Place(), from: from, to: h.text.Len()})
}

// later holds a record.
func (h *held) later(r *record, do func() error) {
	h.list = append(h.list, heldRecord{created: r.created(), place: r.job.Place(), later: do})
}

// full reports whether no more can be held.
func (h *held) full() bool { return len(h.list) >= sortAtMost }

// flush prints what is held: records in the order in which Slurm would have made
// them, those of a second by the ids that users see.
func (h *held) flush(w *bufio.Writer) error {
	slices.SortStableFunc(h.list, func(a, b heldRecord) int {
		return cmp.Or(cmp.Compare(a.created, b.created), a.place.Compare(b.place))
	})
	text := h.text.Bytes()
	for _, r := range h.list {
		if r.later != nil {
			if err := r.later(); err != nil {
				return err
			}
		} else if _, err := w.Write(text[r.from:r.to]); err != nil {
			return err
		}
	}
	h.list = h.list[:0]
	h.text.Reset()
	return nil
}
