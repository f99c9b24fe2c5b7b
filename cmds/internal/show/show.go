// Package show is what the listing commands share: fetching the nouns from the
// cluster, laying them out in columns, and the words in which Slurm's tables say
// what a job, a step, a node or a partition is.
package show

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Null is what Slurm prints for a text that is not there.
const Null = "(null)"

// NA is what Slurm prints for what does not apply.
const NA = "N/A"

// View is how a listing looks at things: from when, and in which manner.
type View struct {
	Now        time.Time // in the time zone to print in
	TimeFormat string    // SLURM_TIME_FORMAT
	NoConvert  bool      // --noconvert: numbers in their own units
	IndexText  int       // room for the indexes of an array; 0: no bound
	Cluster    string
	Encoding   Encoding // of what is printed as data
	// Nodes are the cluster's, where LoadNodes fetched them.
	Nodes map[sched.NodeName]*Node
	// Weights are the TRESBillingWeights of partitions that have some.
	Weights map[sched.PartitionName]string
	// Tracked are the kinds of AccountingStorageTRES.
	Tracked []string
	// HetIDs are the ids of all components, by the leader's.
	HetIDs map[slurm.JobID][]slurm.JobID
}

// NewView is the view of a command's call: its clock and what its environment
// says of times and arrays. What it cannot follow it warns of.
func NewView(env *cli.Env) *View {
	v := &View{Now: env.Now(), TimeFormat: env.Getenv("SLURM_TIME_FORMAT"), IndexText: slurm.DefaultIndexText}
	if err := slurm.CheckTimeFormat(v.TimeFormat); err != nil {
		env.Errorf("%v", err)
	}
	if s, ok := env.Lookup("SLURM_BITSTR_LEN"); ok {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 {
			v.IndexText = min(n, 4096)
		}
	}
	return v
}

// Time prints a moment, or none when it is not known.
func (v *View) Time(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return slurm.FormatTime(t.In(v.Now.Location()), v.TimeFormat, v.Now)
}

// Date is the line that stands over long and repeated listings.
func (v *View) Date() string { return v.Now.Format("Mon Jan 02 15:04:05 2006") }

// MB prints an amount of memory or disk.
func (v *View) MB(m slurm.MB) string {
	if v.NoConvert {
		return m.Raw()
	}
	return m.String()
}

// Or returns s, or other when s is empty.
func Or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Flag prints a yes as 1 and a no as 0.
func Flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// YesNo prints YES or NO.
func YesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

// CountOr prints a number of at least one, or other for none.
func CountOr(n int, other string) string {
	if n <= 0 {
		return other
	}
	return strconv.Itoa(n)
}

// Seconds rounds a span of time down to whole seconds.
func Seconds(d time.Duration) slurm.Duration { return slurm.Duration(d / time.Second) }

// List joins names by commas, or returns other when there are none.
func List(names []string, other string) string {
	if len(names) == 0 {
		return other
	}
	return strings.Join(names, ",")
}

// SortedNodes prints node names in short, sorted, as those that a job asks for or does
// without are listed.
func SortedNodes(nodes []sched.NodeName) string {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b sched.NodeName) int { return slurm.CompareHosts(string(a), string(b)) })
	return CompressNodes(nodes)
}

// CompressNodes prints node names in the order given, in ranges.
func CompressNodes(nodes []sched.NodeName) string {
	if len(nodes) == 0 {
		return ""
	}
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = string(n)
	}
	return slurm.Compress(names)
}

// ExitCode prints code:signal.
func ExitCode(c sched.ExitCode) string { return fmt.Sprintf("%d:%d", c.Code, c.Signal) }
