package state

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// once keeps once what many jobs say alike: what was asked for, and texts and
// lists such as users, directories and limits. It changes no value, only how
// often it is held in memory; two states that share otherwise are equal.
type once struct {
	specs map[*slurm.JobOptions]specUse
	equal map[uint64]*slurm.JobOptions // the one to share, by digest
	texts recent[string, string]
	lists recent[string, []sched.PartitionName] // lists of one partition, by its name
	given recent[uint64, map[string]bool]       // by digest
	limit recent[uint64, []sched.Rlimit]        // by digest
}

// specUse is how many records have a request, and its digest.
type specUse struct {
	digest uint64
	refs   int
}

func newOnce() once {
	return once{specs: map[*slurm.JobOptions]specUse{}, equal: map[uint64]*slurm.JobOptions{}}
}

// keep makes j share what it says with those that say the same; old is the
// record it takes the place of, nil for a new one.
func (o *once) keep(old, j *sched.Job) {
	if old != nil && old.Spec == j.Spec {
		return
	}
	if _, split := o.specs[j.Spec]; old == nil && !split {
		o.words(j)
	}
	j.Spec = o.hold(j.Spec)
	if old != nil {
		o.letGo(old.Spec)
	}
	if j.Name == j.Spec.Name {
		j.Name = j.Spec.Name // the same bytes
	}
}

// hold returns the request to share in place of spec, with one more record
// that has it.
func (o *once) hold(spec *slurm.JobOptions) *slurm.JobOptions {
	use, ok := o.specs[spec]
	if !ok {
		use.digest = digestOf(spec)
		switch kept := o.equal[use.digest]; {
		case kept == nil:
			spec = o.lean(spec)
			o.equal[use.digest] = spec
		case reflect.DeepEqual(kept, spec):
			spec = kept
			use = o.specs[spec]
		default: // one digest of two requests: the later is shared with none
			spec = o.lean(spec)
		}
	}
	use.refs++
	o.specs[spec] = use
	return spec
}

// letGo undoes hold. The last record that has a request takes it along.
func (o *once) letGo(spec *slurm.JobOptions) {
	use := o.specs[spec]
	if use.refs--; use.refs > 0 {
		o.specs[spec] = use
		return
	}
	delete(o.specs, spec)
	if o.equal[use.digest] == spec {
		delete(o.equal, use.digest)
	}
}

// lean returns spec with the words in it shared that requests often have in
// common, even where the whole is of one job alone.
func (o *once) lean(spec *slurm.JobOptions) *slurm.JobOptions {
	c := *spec
	for _, text := range []*string{
		&c.Account, &c.QOS, &c.WCKey, &c.Reservation, &c.Comment, &c.Licenses, &c.Constraint, &c.NodeList, &c.ExcludeList,
		&c.WorkDir, &c.Input, &c.Output, &c.Error, &c.Export, &c.MailUser, &c.Propagate,
	} {
		*text = o.text(*text)
	}
	c.Given = o.options(c.Given)
	return &c
}

// words shares what a new record says and others are likely to say too.
func (o *once) words(j *sched.Job) {
	for _, text := range []*string{&j.User, &j.Group, &j.SubmitHost, &j.SubmitLine, &j.ScriptName, &j.Account, &j.QOS, &j.WorkDir, &j.Run, &j.Stage} {
		*text = o.text(*text)
	}
	if j.Name != j.Spec.Name {
		j.Name = o.text(j.Name)
	}
	j.Script, j.Env = sched.BlobID(o.text(string(j.Script))), sched.BlobID(o.text(string(j.Env)))
	j.Partition = sched.PartitionName(o.text(string(j.Partition)))
	j.Partitions = o.partitions(j.Partitions)
	j.Rlimits = o.rlimits(j.Rlimits)
}

func (o *once) text(s string) string {
	if s == "" {
		return s
	}
	kept, ok := o.texts.get(s)
	if !ok {
		kept = strings.Clone(s) // s may be part of something longer
		o.texts.put(kept, kept)
	}
	return kept
}

func (o *once) partitions(list []sched.PartitionName) []sched.PartitionName {
	if len(list) != 1 {
		return list
	}
	kept, ok := o.lists.get(string(list[0]))
	if !ok {
		name := o.text(string(list[0]))
		kept = []sched.PartitionName{sched.PartitionName(name)}
		o.lists.put(name, kept)
	}
	return kept
}

func (o *once) rlimits(list []sched.Rlimit) []sched.Rlimit {
	if len(list) == 0 {
		return list
	}
	key := digestOf(list)
	kept, ok := o.limit.get(key)
	if ok && slices.Equal(kept, list) {
		return kept
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Name = o.text(list[i].Name)
	}
	o.limit.put(key, list)
	return list
}

func (o *once) options(given map[string]bool) map[string]bool {
	if len(given) == 0 {
		return given
	}
	key := digestOf(given)
	kept, ok := o.given.get(key)
	if ok && reflect.DeepEqual(kept, given) {
		return kept
	}
	list := make(map[string]bool, len(given))
	for name, is := range given {
		list[o.text(name)] = is
	}
	o.given.put(key, list)
	return list
}

// recent remembers what was asked for or put in lately, up to twice recentMost
// of them. What is forgotten and comes again is kept a second time, which is a
// waste and nothing else.
type recent[K comparable, V any] struct{ young, old map[K]V }

const recentMost = 1 << 13

func (r *recent[K, V]) get(k K) (V, bool) {
	v, ok := r.young[k]
	if !ok {
		if v, ok = r.old[k]; ok {
			r.put(k, v)
		}
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	if len(r.young) >= recentMost || r.young == nil {
		r.old, r.young = r.young, map[K]V{}
	}
	r.young[k] = v
}

// digestOf returns a number that equal values have in common. It looks at all
// of a value, whatever fields it may get.
func digestOf(v any) uint64 {
	h := digest(offset64)
	h.value(reflect.ValueOf(v))
	return uint64(h)
}

// digest is FNV-1a, over words where words are given.
type digest uint64

const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

func (h *digest) word(n uint64) {
	*h = (*h ^ digest(n)) * prime64
	*h ^= *h >> 29 // so that the high bits of a word reach the low ones
}

func (h *digest) text(s string) {
	h.word(uint64(len(s)))
	d := *h
	for i := range len(s) {
		d = (d ^ digest(s[i])) * prime64
	}
	*h = d
}

func (h *digest) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			h.value(v.Elem())
		}
	case reflect.Struct:
		if t, ok := asTime(v); ok {
			h.word(uint64(t.UnixNano()))
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); !isNothing(f) {
				h.word(uint64(i))
				h.value(f)
			}
		}
	case reflect.Slice:
		h.word(uint64(v.Len()))
		for i := range v.Len() {
			h.value(v.Index(i))
		}
	case reflect.Map: // in no order: the digests of its entries are added up
		sum := digest(0)
		for it := v.MapRange(); it.Next(); {
			e := digest(offset64)
			e.value(it.Key())
			e.value(it.Value())
			sum += e
		}
		h.word(uint64(sum))
	case reflect.String:
		h.text(v.String())
	case reflect.Bool:
		if v.Bool() {
			h.word(1)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		h.word(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		h.word(v.Uint())
	}
}

// asTime returns a value that is a moment: what else is in one does not tell
// moments apart.
func asTime(v reflect.Value) (time.Time, bool) {
	if !v.CanInterface() || v.Type() != reflect.TypeFor[time.Time]() {
		return time.Time{}, false
	}
	return v.Interface().(time.Time), true
}

// isNothing is Value.IsZero for the kinds whose zero is quick to tell.
func isNothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		return v.Len() == 0
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return v.IsNil()
	case reflect.Struct, reflect.Array:
		return false
	}
	return v.IsZero()
}
