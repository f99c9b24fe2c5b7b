package slurm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// TRESItem is an amount of one kind of resource that is counted and charged. Mem
// counts MB; all others count ones.
type TRESItem struct {
	Type  string // cpu, mem, node, billing, gres, license, ...
	Name  string // what follows the slash: gpu, gpu:a100; "" for most
	Count int64  // -1 in a limit: none
}

// Key returns type or type/name.
func (t TRESItem) Key() string {
	if t.Name == "" {
		return t.Type
	}
	return t.Type + "/" + t.Name
}

// TRES is a list of amounts, at most one of a kind.
type TRES []TRESItem

// tresOrder is how Slurm numbers the kinds every cluster has; it prints lists in
// this order, and what a site adds behind them.
var tresOrder = []string{"cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages", "bb", "fs", "gres", "ic", "license"}

func (t TRESItem) rank() int {
	if i := slices.Index(tresOrder, t.Key()); i >= 0 {
		return i
	}
	if i := slices.Index(tresOrder, t.Type); i >= 0 {
		return i
	}
	return len(tresOrder)
}

// ParseTRES reads kind=amount pairs separated by commas. An amount of mem is in MB
// unless it has a suffix K, M, G, T or P; -1 is no limit.
func ParseTRES(s string) (TRES, error) {
	refuse := func(why string) (TRES, error) {
		return nil, &SyntaxError{Input: s, What: "a list of resources", Why: why, Code: ErrnoInvalidTRES}
	}
	var out TRES
	if s == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if k := strings.LastIndexByte(part, ':'); !ok && k >= 0 {
			key, value, ok = part[:k], part[k+1:], true // gres/gpu:2
		}
		if !ok {
			return refuse(fmt.Sprintf("%q (want kind=amount)", part))
		}
		var item TRESItem
		item.Type, item.Name, _ = strings.Cut(key, "/")
		item.Type = strings.ToLower(item.Type)
		if !tresWord(item.Type) || strings.Contains(key, "/") && !tresWord(item.Name) {
			return refuse(fmt.Sprintf("kind %q", key))
		}
		switch {
		case value == "-1":
			item.Count = -1
		case item.Type == "mem":
			mb, err := ParseMB(value)
			if err != nil {
				return refuse(fmt.Sprintf("amount %q", value))
			}
			item.Count = int64(mb)
		default:
			n, err := ParseCount(value)
			if err != nil {
				return refuse(fmt.Sprintf("amount %q", value))
			}
			item.Count = n
		}
		if slices.ContainsFunc(out, func(o TRESItem) bool { return o.Type == item.Type && o.Name == item.Name }) {
			return refuse(fmt.Sprintf("%s is there twice", item.Key()))
		}
		out = append(out, item)
	}
	return out, nil
}

func tresWord(s string) bool {
	return s != "" && !strings.ContainsAny(s, "=,/ \t\n\"'")
}

// sorted returns the list in Slurm's order.
func (t TRES) sorted() TRES {
	out := slices.Clone(t)
	slices.SortStableFunc(out, func(a, b TRESItem) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), strings.Compare(a.Key(), b.Key()))
	})
	return out
}

// String prints the list in Slurm's order with mem scaled:
// cpu=4,mem=8G,node=1,billing=4,gres/gpu=1.
func (t TRES) String() string { return t.sorted().join(MB.String) }

// Raw prints the list in Slurm's order with mem in MB, as --noconvert asks.
func (t TRES) Raw() string { return t.sorted().join(MB.Raw) }

// ByName prints the list in the order of the alphabet, as sacct does.
func (t TRES) ByName(noconvert bool) string {
	out := slices.Clone(t)
	// By the text as a whole: gres/gpu:a100=1 stands before gres/gpu=1.
	slices.SortStableFunc(out, func(a, b TRESItem) int { return strings.Compare(a.Key()+"=", b.Key()+"=") })
	if noconvert {
		return out.join(MB.Raw)
	}
	return out.join(MB.String)
}

func (t TRES) join(mem func(MB) string) string {
	var b strings.Builder
	for i, item := range t {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(item.Key())
		b.WriteByte('=')
		if item.Type == "mem" && item.Count > 0 {
			b.WriteString(mem(MB(item.Count)))
		} else {
			b.WriteString(strconv.FormatInt(item.Count, 10))
		}
	}
	return b.String()
}

// Get returns the amount of a kind ("cpu", "gres/gpu"), and whether it is there.
func (t TRES) Get(key string) (int64, bool) {
	for _, item := range t {
		if item.Key() == key {
			return item.Count, true
		}
	}
	return 0, false
}

// With returns the list with that amount of a kind in it, in place of another.
func (t TRES) With(key string, count int64) TRES {
	out := slices.Clone(t)
	for i, item := range out {
		if item.Key() == key {
			out[i].Count = count
			return out
		}
	}
	typ, name, _ := strings.Cut(key, "/")
	return append(out, TRESItem{typ, name, count})
}

// Plus returns the sums of both lists.
func (t TRES) Plus(o TRES) TRES {
	out := slices.Clone(t)
	for _, item := range o {
		n, _ := out.Get(item.Key())
		out = out.With(item.Key(), n+item.Count)
	}
	return out
}

// MarshalText writes the list unscaled.
func (t TRES) MarshalText() ([]byte, error) { return []byte(t.Raw()), nil }

// UnmarshalText reads what ParseTRES reads.
func (t *TRES) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTRES(string(b))
	return err
}
