package gpu

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Profile is a kind of instance a GPU can be cut into.
type Profile struct {
	Name   string // such as 1g.10gb
	Memory int64  // MiB
	Spans  []Span // where on the GPU one may lie
}

// Span is a part of a GPU, in the slices of its memory.
type Span struct{ Start, Size int }

func (s Span) meets(o Span) bool { return s.Start < o.Start+o.Size && o.Start < s.Start+s.Size }

// mostInstances bounds how many instances a GPU is cut into; no driver makes more
// than seven.
const mostInstances = 8

// MaxInstances is how many numbers each GPU has to give to instances made of it.
const MaxInstances = mostInstances

// Arrange finds a place for each of the instances wanted, by the names of their
// profiles; false when they do not all fit on one GPU. The places come in the order
// of the names.
func Arrange(profiles []Profile, want []string) ([]Span, bool) {
	if len(want) > mostInstances {
		return nil, false
	}
	kinds := make([]*Profile, len(want))
	order := make([]int, len(want))
	for i, name := range want {
		at := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
		if at < 0 {
			return nil, false
		}
		kinds[i], order[i] = &profiles[at], i
	}
	// The largest have the fewest places.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(kinds[b].size(), kinds[a].size()), cmp.Compare(kinds[a].Name, kinds[b].Name))
	})
	out := make([]Span, len(want))
	var put func(k, from int) bool
	put = func(k, from int) bool {
		if k == len(order) {
			return true
		}
		kind := kinds[order[k]]
		for at := from; at < len(kind.Spans); at++ {
			s := kind.Spans[at]
			if slices.ContainsFunc(order[:k], func(o int) bool { return out[o].meets(s) }) {
				continue
			}
			// Those of a kind lie one behind the other: in another order they are the same.
			next := 0
			if k+1 < len(order) && kinds[order[k+1]] == kind {
				next = at + 1
			}
			if out[order[k]] = s; put(k+1, next) {
				return true
			}
		}
		return false
	}
	return out, put(0, 0)
}

func (p *Profile) size() int {
	if len(p.Spans) == 0 {
		return 0
	}
	return p.Spans[0].Size
}

// Fill returns the instances wanted and as many more of a profile as fit beside
// them on one GPU; nil when those wanted do not fit.
func Fill(profiles []Profile, want []string, more string) []string {
	if _, ok := Arrange(profiles, want); !ok {
		return nil
	}
	for {
		next := append(slices.Clone(want), more)
		if _, ok := Arrange(profiles, next); !ok {
			return want
		}
		want = next
	}
}

// ProfileName is how NVIDIA calls an instance of so many slices and so much memory,
// beside which a GPU has whole gigabytes: 1g.10gb, or 1g.10gb.me with the GPU's
// engines for media.
func ProfileName(slicesOf int, memory int64, extra string) string {
	name := strconv.Itoa(slicesOf) + "g." + strconv.FormatInt((memory+1023)>>10, 10) + "gb"
	if extra != "" {
		name += "." + extra
	}
	return name
}

// SameInstances reports whether two lists name the same instances, in any order.
func SameInstances(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// IsProfile reports whether a word is the name of a kind of instance: 1g.10gb,
// 1c.3g.40gb, 1g.10gb.me.
func IsProfile(word string) bool {
	g := false
	for part := range strings.SplitSeq(word, ".") {
		digits := strings.TrimRight(part, "abcdefghijklmnopqrstuvwxyz")
		n, err := strconv.Atoi(digits)
		unit := part[len(digits):]
		switch {
		case err == nil && n > 0 && unit == "g":
			g = true
		case err == nil && n > 0 && (unit == "c" || unit == "gb" && g):
		case digits == "" && g:
		default:
			return false
		}
	}
	return g && strings.Contains(word, "gb")
}
