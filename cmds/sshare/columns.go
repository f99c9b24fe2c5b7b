package sshare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// row is an association in the listing.
type row struct {
	*rinkpb.AssocShare
	cluster string
	tree    bool // shares are those of the fair tree
	depth   int  // how many of the rows above it are its accounts
}

// isRoot reports whether the row is the top of the tree.
func (r *row) isRoot() bool { return r.Parent == 0 }

// byParent reports whether the association takes part in its parent's place.
func (r *row) byParent() bool { return r.Shares == sched.SharesParent }

// field is one field of --format.
type field struct {
	name  string
	width int
	left  bool
	value func(r *row) string
}

// kind is what the field holds.
func (f field) kind() slurm.AcctKind {
	switch f.name {
	case "EffectvUsage", "FairShare", "LevelFS", "NormShares", "NormUsage":
		return slurm.AcctReal
	case "ID", "RawShares", "RawUsage":
		return slurm.AcctNumber
	}
	return slurm.AcctText
}

func fields() []field {
	return []field{
		{"Account", 20, true, func(r *row) string { return strings.Repeat(" ", r.depth) + r.Account }},
		{"Cluster", 10, false, func(r *row) string { return r.cluster }},
		{"EffectvUsage", 13, false, func(r *row) string { return part(r.EffectiveUsage) }},
		{"FairShare", 10, false, func(r *row) string {
			if r.tree && r.User == "" {
				return ""
			}
			return part(r.Factor)
		}},
		{"GrpTRESMins", 30, false, func(r *row) string { return r.GrpTresMins }},
		{"GrpTRESRaw", 30, false, func(r *row) string { return r.UsedTresMins }},
		{"ID", 6, false, func(r *row) string { return strconv.FormatUint(uint64(r.Id), 10) }},
		{"LevelFS", 10, false, func(r *row) string {
			switch {
			case !r.tree || r.isRoot() || r.byParent():
				return ""
			case math.IsInf(r.Level, 1):
				return "inf"
			}
			return part(r.Level)
		}},
		{"NormShares", 11, false, func(r *row) string {
			if r.tree && r.isRoot() {
				return part(0)
			}
			return part(r.NormShares)
		}},
		{"NormUsage", 11, false, func(r *row) string {
			if r.isRoot() {
				return ""
			}
			return part(r.NormUsage)
		}},
		{"Partition", 12, false, func(r *row) string { return r.Partition }},
		{"RawShares", 10, false, func(r *row) string {
			switch {
			case r.isRoot():
				return ""
			case r.byParent():
				return "parent"
			}
			return strconv.FormatInt(r.Shares, 10)
		}},
		{"RawUsage", 11, false, func(r *row) string { return strconv.FormatInt(int64(r.RawUsage), 10) }},
		{"TRESRunMins", 30, false, func(r *row) string { return r.RunTresMins }},
		{"User", 10, false, func(r *row) string { return r.User }},
	}
}

func part(x float64) string { return fmt.Sprintf("%.6f", x) }

// column is a field as the format asks for it.
type column struct {
	field
}

// formatFor is the format when none is asked for.
func (o *options) formatFor(tree bool) string {
	list := []string{"Account", "User"}
	if o.partition {
		list = append(list, "Partition")
	}
	list = append(list, "RawShares", "NormShares", "RawUsage")
	if o.long {
		list = append(list, "NormUsage")
	}
	list = append(list, "EffectvUsage", "FairShare")
	if o.long {
		if tree {
			list = append(list, "LevelFS")
		}
		list = append(list, "GrpTRESMins", "TRESRunMins")
	}
	return strings.Join(list, ",")
}

// columnsOf reads a format. A name may be cut short.
func columnsOf(env *cli.Env, format string) ([]column, error) {
	asked, err := slurm.ParseAcctFields(format)
	if err != nil {
		return nil, mistake(env, "Invalid field requested: \"%s\"", format)
	}
	list := fields()
	var out []column
	for _, a := range asked {
		i := slices.IndexFunc(list, func(f field) bool { return strings.EqualFold(f.name, a.Name) })
		if i < 0 && len(a.Name) >= 2 {
			i = slices.IndexFunc(list, func(f field) bool {
				return len(f.name) >= len(a.Name) && strings.EqualFold(f.name[:len(a.Name)], a.Name)
			})
		}
		if i < 0 {
			return nil, mistake(env, "Invalid field requested: \"%s\"", a.Name)
		}
		c := column{list[i]}
		if a.Width > 0 {
			c.width, c.left = a.Width, a.Left
		}
		out = append(out, c)
	}
	return out, nil
}

// fieldList is what --helpformat prints: the names, four to a line.
func fieldList() string {
	var b strings.Builder
	for i, f := range fields() {
		switch {
		case i == 0:
		case i%4 == 0:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%-17s", f.name)
	}
	return b.String() + "\n"
}
