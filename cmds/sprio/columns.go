package sprio

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
)

// view is how rows are looked at: by the weights of the cluster.
type view struct {
	w       *rinkpb.PriorityWeights
	cluster string // "" when no cluster was asked for by name
}

// row is a job in one of its partitions; nil is the row of the weights.
type row = *rinkpb.JobFactors

// columns are the letters of --format. A small letter is a factor as it is, from 0 to
// 1 where it is normalised, the great one what it adds to the priority.
func columns() []show.Column[*view, row] {
	text := func(letter byte, header, weights string, value func(v *view, r row) string) show.Column[*view, row] {
		return show.Column[*view, row]{Letter: letter, Header: header, Value: func(v *view, r row) string {
			if r == nil {
				return weights
			}
			return value(v, r)
		}}
	}
	var out []show.Column[*view, row]
	factor := func(small, great byte, header string, of func(r row) float64, weight func(w *rinkpb.PriorityWeights) uint32) {
		value := func(f func(v *view, r row) string) func(v *view, r row) string {
			return func(v *view, r row) string {
				if r == nil {
					return strconv.FormatUint(uint64(weight(v.w)), 10)
				}
				return f(v, r)
			}
		}
		out = append(out,
			show.Column[*view, row]{Letter: small, Header: header, Compare: byNumber(func(_ *view, r row) float64 { return of(r) }),
				Value: value(func(v *view, r row) string {
					if weight(v.w) == 0 {
						return "0.0000000" // what counts for nothing is not worked out
					}
					return fmt.Sprintf("%.7f", of(r))
				})},
			show.Column[*view, row]{Letter: great, Header: header,
				Compare: byNumber(func(v *view, r row) float64 { return of(r) * float64(weight(v.w)) }),
				Value:   value(func(v *view, r row) string { return whole(of(r) * float64(weight(v.w))) })})
	}
	factor('a', 'A', "AGE", row.GetAge, (*rinkpb.PriorityWeights).GetAge)
	factor('b', 'B', "ASSOC", row.GetAssoc, (*rinkpb.PriorityWeights).GetAssoc)
	factor('f', 'F', "FAIRSHARE", row.GetFairShare, (*rinkpb.PriorityWeights).GetFairShare)
	factor('j', 'J', "JOBSIZE", row.GetJobSize, (*rinkpb.PriorityWeights).GetJobSize)
	factor('p', 'P', "PARTITION", row.GetPartition, (*rinkpb.PriorityWeights).GetPartition)
	factor('q', 'Q', "QOS", row.GetQos, (*rinkpb.PriorityWeights).GetQos)

	number := func(c show.Column[*view, row], of func(r row) float64) show.Column[*view, row] {
		c.Compare = byNumber(func(_ *view, r row) float64 { return of(r) })
		return c
	}
	out = append(out,
		text('c', "CLUSTER", "", func(v *view, _ row) string { return show.Or(v.cluster, show.Null) }),
		number(text('i', "JOBID", "Weights", func(_ *view, r row) string { return strconv.FormatUint(uint64(r.Job), 10) }),
			func(r row) float64 { return float64(r.Job) }),
		text('n', "QOSNAME", "", func(_ *view, r row) string { return r.QosName }),
		number(text('N', "NICE", "", func(_ *view, r row) string { return strconv.FormatInt(r.Nice, 10) }), func(r row) float64 { return float64(r.Nice) }),
		text('o', "ACCOUNT", "", func(_ *view, r row) string { return r.Account }),
		text('r', "PARTITION", "", func(_ *view, r row) string { return r.PartitionName }),
		number(text('S', "SITE", "1", func(_ *view, r row) string { return strconv.FormatInt(r.Site, 10) }), func(r row) float64 { return float64(r.Site) }),
		text('u', "USER", "", func(_ *view, r row) string { return show.Or(r.User, strconv.FormatUint(uint64(r.Uid), 10)) }),
		text('s', "SLUID", "", func(*view, row) string { return show.NA }),
		number(text('y', "PRIORITY", "", func(_ *view, r row) string { return fmt.Sprintf("%.14f", r.Priority/math.MaxUint32) }), row.GetPriority),
		number(text('Y', "PRIORITY", "", func(_ *view, r row) string { return strconv.FormatUint(uint64(min(r.Priority, math.MaxUint32)), 10) }), row.GetPriority),
		show.Column[*view, row]{Letter: 't', Header: "TRES", Value: func(v *view, r row) string {
			if r == nil {
				return ""
			}
			return tres(r.Tres, func(f *rinkpb.TRESFactor) string { return fmt.Sprintf("%.2f", f.Value) })
		}},
		show.Column[*view, row]{Letter: 'T', Header: "TRES", Value: func(v *view, r row) string {
			if r == nil {
				return show.Or(tres(v.w.GetTres(), func(f *rinkpb.TRESFactor) string { return whole(f.Weight) }), show.Null)
			}
			return tres(r.Tres, func(f *rinkpb.TRESFactor) string { return whole(f.Value * f.Weight) })
		}})
	return out
}

// whole prints a number without its fraction, rounded.
func whole(x float64) string { return strconv.FormatFloat(x, 'f', 0, 64) }

func tres(list []*rinkpb.TRESFactor, value func(*rinkpb.TRESFactor) string) string {
	words := make([]string, len(list))
	for i, f := range list {
		words[i] = f.Key + "=" + value(f)
	}
	return strings.Join(words, ",")
}

func byNumber(of func(v *view, r row) float64) func(v *view, a, b row) int {
	return func(v *view, a, b row) int { return cmp.Compare(of(v, a), of(v, b)) }
}

// formatFor is the format when none is asked for: the factors that count.
func (o *options) formatFor(w *rinkpb.PriorityWeights) string {
	var b strings.Builder
	b.WriteString("%.15i %9r")
	if o.long || o.hasUsers {
		b.WriteString(" %.8u")
	}
	great := "%.10Y %.10S"
	if o.normal {
		great = "%10y"
	}
	b.WriteString(" " + great)
	add := func(letter byte, weight uint32) {
		switch {
		case weight == 0 && !o.long:
		case o.normal:
			fmt.Fprintf(&b, " %%10%c", letter)
		default:
			fmt.Fprintf(&b, " %%.10%c", letter-'a'+'A')
		}
	}
	add('a', w.GetAge())
	add('b', w.GetAssoc())
	add('f', w.GetFairShare())
	add('j', w.GetJobSize())
	add('p', w.GetPartition())
	add('q', w.GetQos())
	if o.long && !o.normal {
		b.WriteString(" %.11N")
	}
	switch {
	case len(w.GetTres()) == 0 && !o.long:
	case o.normal:
		b.WriteString(" %20t")
	default:
		b.WriteString(" %.20T")
	}
	return b.String()
}

// letters is what --helpformat prints.
func letters() string {
	var b strings.Builder
	for _, c := range columns() {
		fmt.Fprintf(&b, "%%%c  %s\n", c.Letter, c.Header)
	}
	return b.String()
}
