package accounting

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// rollKey names one roll-up.
type rollKey struct {
	level byte
	from  uint32
	party uint32
}

func (k rollKey) bytes() []byte {
	return appendNum(appendNum(append(make([]byte, 0, 9), k.level), k.from), k.party)
}

func parseRollKey(b []byte) (rollKey, error) {
	if len(b) != 9 {
		return rollKey{}, fmt.Errorf("a roll-up's key has %d bytes", len(b))
	}
	return rollKey{b[0], binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:])}, nil
}

func compareRollKeys(a, b rollKey) int {
	if a.level != b.level {
		return int(a.level) - int(b.level)
	}
	if a.from != b.from {
		return int(int64(a.from) - int64(b.from))
	}
	return int(int64(a.party) - int64(b.party))
}

// roller gathers, within one write transaction, what records change of the
// roll-ups. Ten thousand records of a minute change a few dozen of them, so
// they are written once, at the end.
type roller struct {
	rolls *bucket
	words *wordWriter
	known map[string]uint32 // words of parties and kinds, kept by the store
	cal   *calendar
	sums  map[rollKey]*rinkpb.KeptRoll
}

// number returns the word of a text that the roll-ups need.
func (r *roller) number(text []byte) (uint32, error) {
	if n, ok := r.known[string(text)]; ok {
		return n, nil
	}
	n, err := r.words.word(text, true)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, errors.New("the dictionary is full")
	}
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[string(text)] = n
	return n, nil
}

// maxKnown bounds the words remembered: a few megabytes.
const maxKnown = 1 << 15

func (r *roller) party(p *rinkpb.Party) (uint32, error) {
	text, err := stable.Marshal(p)
	if err != nil {
		return 0, err
	}
	return r.number(append([]byte("party:"), text...))
}

func (r *roller) tres(key string) (uint32, error) {
	if n, ok := tresNames[key]; ok {
		return n, nil
	}
	n, err := r.number([]byte("tres:" + key))
	return n + wordTRES, err
}

func (r *roller) sum(k rollKey) *rinkpb.KeptRoll {
	s := r.sums[k]
	if s == nil {
		s = &rinkpb.KeptRoll{}
		r.sums[k] = s
	}
	return s
}

// What a kind's seconds count as.
type secondsOf func(*rinkpb.KeptRoll) *[]int64

func heldSeconds(s *rinkpb.KeptRoll) *[]int64        { return &s.Held }
func downSeconds(s *rinkpb.KeptRoll) *[]int64        { return &s.Down }
func plannedDownSeconds(s *rinkpb.KeptRoll) *[]int64 { return &s.PlannedDown }

// addSeconds adds to what a roll-up has of a kind.
func addSeconds(s *rinkpb.KeptRoll, of secondsOf, tres uint32, n int64) {
	i := slices.Index(s.Tres, tres)
	if i < 0 {
		i = len(s.Tres)
		s.Tres = append(s.Tres, tres)
	}
	list := of(s)
	for len(*list) <= i {
		*list = append(*list, 0)
	}
	(*list)[i] += n
}

// counted is an amount with the number of its kind.
type counted struct {
	tres uint32
	n    int64
}

func (r *roller) count(list []amount) ([]counted, error) {
	out := make([]counted, len(list))
	for i, a := range list {
		num, err := r.tres(a.key)
		if err != nil {
			return nil, err
		}
		out[i] = counted{num, a.n}
	}
	return out, nil
}

// each calls f for the periods of a level that a span reaches into.
func (r *roller) each(level byte, s span, f func(p period, overlap int64)) {
	for at := s.from; at < s.to; {
		p := r.cal.around(level, at)
		f(p, s.within(span{p.from, p.to}).length())
		at = p.to
	}
}

// job counts a job that has ended n times: 1 to count it in, -1 to take it back.
func (r *roller) job(rec *rinkpb.Record, used *rinkpb.StepsUsed, n int64) error {
	l := lifeOf(rec)
	if l.end == 0 {
		return nil
	}
	party, err := r.party(partyOf(rec))
	if err != nil {
		return err
	}
	size, err := r.party(sizeOf(rec))
	if err != nil {
		return err
	}
	kinds, err := r.count(amounts(rec))
	if err != nil {
		return err
	}
	// From here on nothing fails: a record is counted whole or not at all.
	for _, level := range levels {
		if wait, cpus := waited(rec, l.end); wait.length() > 0 {
			r.each(level, wait, func(p period, secs int64) {
				r.sum(rollKey{level, uint32(p.from), wholeCluster}).Planned += n * secs * cpus
			})
		}
	}
	ended := endedSums(rec, used)
	for _, level := range levels {
		from := uint32(r.cal.around(level, l.end).from)
		for _, id := range []uint32{party, wholeCluster} {
			s := r.sum(rollKey{level, from, id})
			if s.Ended == nil {
				s.Ended = &rinkpb.EndedSums{}
			}
			addEnded(s.Ended, ended, n)
		}
	}
	if l.start == 0 {
		return nil
	}
	for _, level := range levels {
		targets := func(p period) [3]*rinkpb.KeptRoll {
			from := uint32(p.from)
			return [3]*rinkpb.KeptRoll{
				r.sum(rollKey{level, from, party}), r.sum(rollKey{level, from, wholeCluster}), r.sum(rollKey{sizeLevel(level), from, size}),
			}
		}
		for _, held := range stretches(rec, l.end) {
			r.each(level, held, func(p period, secs int64) {
				for _, s := range targets(p) {
					for _, k := range kinds {
						addSeconds(s, heldSeconds, k.tres, n*secs*k.n)
					}
				}
			})
		}
		r.each(level, span{l.held, max(l.end, l.held+1)}, func(p period, _ int64) {
			for _, s := range targets(p) {
				s.Jobs += n
				if l.held < p.from {
					s.Carried += n
				}
			}
		})
	}
	return nil
}

// away counts a span in which the cluster did without something.
func (r *roller) away(s span, of secondsOf, list []amount, n int64) error {
	kinds, err := r.count(list)
	if err != nil {
		return err
	}
	for _, level := range levels {
		r.each(level, s, func(p period, secs int64) {
			for _, k := range kinds {
				addSeconds(r.sum(rollKey{level, uint32(p.from), wholeCluster}), of, k.tres, n*secs*k.n)
			}
		})
	}
	return nil
}

// flush writes what has changed.
func (r *roller) flush() error {
	keys := make([]rollKey, 0, len(r.sums))
	for k := range r.sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareRollKeys)
	for _, k := range keys {
		sum := r.sums[k]
		key := k.bytes()
		if old := r.rolls.Get(key); old != nil {
			was := &rinkpb.KeptRoll{}
			if err := proto.Unmarshal(old, was); err != nil {
				return fmt.Errorf("a roll-up is damaged: %w", err)
			}
			addRoll(was, sum)
			sum = was
		}
		if isNothing(sum) {
			if err := r.rolls.Delete(key); err != nil {
				return err
			}
			continue
		}
		data, err := proto.Marshal(sum)
		if err != nil {
			return err
		}
		if err := r.rolls.Put(key, data); err != nil {
			return err
		}
	}
	clear(r.sums)
	return nil
}

// addRoll adds b to a.
func addRoll(a, b *rinkpb.KeptRoll) {
	for _, of := range []secondsOf{heldSeconds, downSeconds, plannedDownSeconds} {
		for i, n := range *of(b) {
			if n != 0 && i < len(b.Tres) {
				addSeconds(a, of, b.Tres[i], n)
			}
		}
	}
	a.Jobs += b.Jobs
	a.Carried += b.Carried
	a.Planned += b.Planned
	if b.Ended != nil {
		if a.Ended == nil {
			a.Ended = &rinkpb.EndedSums{}
		}
		addEnded(a.Ended, b.Ended, 1)
	}
}

// isNothing reports whether all that a roll-up counted was taken back.
func isNothing(s *rinkpb.KeptRoll) bool {
	for _, of := range []secondsOf{heldSeconds, downSeconds, plannedDownSeconds} {
		for _, n := range *of(s) {
			if n != 0 {
				return false
			}
		}
	}
	return s.Jobs == 0 && s.Carried == 0 && s.Planned == 0 && (s.Ended == nil || proto.Size(s.Ended) == 0)
}
