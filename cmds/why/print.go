package why

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// maxAway is of how many nodes of a kind it is told why they are out of service.
const maxAway = 5

// printer writes a story for people.
type printer struct {
	v *show.View
	b strings.Builder
}

func (p *printer) line(indent int, format string, args ...any) {
	p.b.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

// jobName is a job's number with its name and owner.
func jobName(j *sched.Job) string {
	id := j.ID.String()
	switch {
	case j.IsArrayRest():
		id = j.ArrayID.String() + "_[" + j.Tasks.String() + "]"
	case j.ArrayID != 0:
		id = fmt.Sprintf("%d_%d", j.ArrayID, j.TaskID)
	}
	return fmt.Sprintf("Job %s (%s) of %s", id, j.Name, show.Or(j.User, strconv.FormatUint(uint64(j.UID), 10)))
}

func (p *printer) print(a *answer) {
	j := a.job
	switch {
	case a.story != nil:
	case j.IsPending():
		p.line(0, "%s is pending, and the planner has not taken it in yet", jobName(j))
		return
	case j.HasEnded():
		p.line(0, "%s does not wait: it is %s, ended %s", jobName(j), j.State.Base(), p.v.Time(j.End, "Unknown"))
		return
	default:
		p.line(0, "%s does not wait: it is %s since %s on %s", jobName(j), j.State.Base(), p.v.Time(j.Start, "Unknown"), show.CompressNodes(j.Nodes()))
		return
	}
	p.line(0, "%s waits since %s: %s", jobName(j), p.v.Time(j.Submit, "Unknown"), sched.Why{Reason: j.Reason, Text: j.ReasonText}.Shown())
	for _, b := range a.story.Bars {
		p.bar(b)
	}
	if start, at := a.story.Expected(); at != nil {
		how := "worked out now: nothing is promised to it, and jobs without a promise that are ahead may come between"
		if at.Promised {
			how = "promised"
		}
		p.line(0, "Expected to start %s on %s in partition %s (%s)", p.v.Time(start, "Unknown"), show.CompressNodes(at.On), at.Partition, how)
	} else if ids := a.story.HangsOn(); len(ids) > 0 {
		p.line(0, "When it starts cannot be told: it hangs on %s", endless(ids))
	} else if len(a.story.Bars) == 0 {
		p.line(0, "When it starts cannot be told")
	}
	if len(a.story.Places) > 0 {
		p.line(0, "Wants %s", p.wanted(&a.story.Places[0].Wanted))
	}
	for i := range a.story.Places {
		p.place(&a.story.Places[i])
	}
}

// bar is one thing that keeps the job back whatever is free.
func (p *printer) bar(b sched.Bar) {
	text := b.Why.Shown()
	if b.Words != "" {
		text += ": " + b.Words
	}
	if !b.Until.IsZero() {
		text += ", until " + p.v.Time(b.Until, "Unknown")
	}
	p.line(0, "Kept back by %s%s", text, amounts(b.Why.Detail))
}

// amounts writes obstacles with their numbers.
func amounts(list []sched.Obstacle) string {
	var parts []string
	for _, o := range list {
		parts = append(parts, amount(o))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

func amount(o sched.Obstacle) string {
	what, asked, there := o.What, strconv.FormatInt(o.Asked, 10), strconv.FormatInt(o.There, 10)
	if o.What == "mem" || o.What == "tmp disk" {
		asked, there = slurm.MB(o.Asked).String(), slurm.MB(o.There).String()
	}
	return fmt.Sprintf("%s: %s wanted, %s there, short by %s", what, asked, there, short(o))
}

func short(o sched.Obstacle) string {
	if n := o.Asked - o.There; o.What == "mem" || o.What == "tmp disk" {
		return slurm.MB(n).String()
	} else {
		return strconv.FormatInt(n, 10)
	}
}

func (p *printer) wanted(w *sched.Wanted) string {
	nodes := strconv.Itoa(w.MinNodes)
	switch {
	case w.MaxNodes == 0:
		nodes += " or more"
	case w.MaxNodes > w.MinNodes:
		nodes += " to " + strconv.Itoa(w.MaxNodes)
	}
	text := fmt.Sprintf("%s nodes, %d tasks, %d CPUs", nodes, w.Tasks, w.CPUs)
	if w.CPUsPerNode > 1 {
		text += fmt.Sprintf(" (%d on each node at least)", w.CPUsPerNode)
	}
	switch {
	case w.MemPerNode > 0:
		text += ", " + w.MemPerNode.String() + " of memory a node"
	case w.MemPerCPU > 0:
		text += ", " + w.MemPerCPU.String() + " of memory a CPU"
	}
	if w.Gres != "" {
		text += ", " + w.Gres
	}
	return text + ", for " + w.Limit.String()
}

// place is how the job stands in one partition.
func (p *printer) place(s *sched.Place) {
	p.line(0, "Partition %s: %d nodes", s.Partition, s.Nodes)
	if !s.Bar.IsZero() {
		of := ""
		if len(s.Bar.Detail) > 0 && s.Bar.Detail[0].Where != "" {
			of = " of " + s.Bar.Detail[0].Where
		}
		p.line(1, "kept out by %s%s%s", s.Bar.Shown(), of, amounts(s.Bar.Detail))
	}
	if s.Never {
		p.line(1, "the nodes in service could not hold it even if they were idle")
	}
	for i := range s.Kinds {
		p.kind(&s.Kinds[i])
	}
	if s.ReadyNodes > 0 {
		p.line(1, "ready together: %d nodes for %d of %d tasks%s", s.ReadyNodes, min(s.ReadyTasks, s.Wanted.Tasks), s.Wanted.Tasks, tooFew(s))
	}
	for _, k := range s.Kept {
		what := ""
		if k.CPUs > 0 {
			what = fmt.Sprintf("%d CPUs on each of ", k.CPUs)
		}
		p.line(1, "reservation %s keeps %s%s from %s until %s", k.Reservation, what, show.CompressNodes(k.Nodes), p.v.Time(k.From, "Unknown"), p.v.Time(k.Until, "Unknown"))
	}
	if len(s.Endless) > 0 {
		p.line(1, "its start hangs on %s", endless(s.Endless))
	}
	if !s.Switches.IsZero() {
		p.line(1, "there is room behind more switches than it asks for; it waits for better until %s", p.v.Time(s.Switches, "Unknown"))
	}
	if s.Ahead > 0 {
		p.line(1, "%d jobs ahead in line", s.Ahead)
		for _, a := range s.First {
			p.line(2, "%s", p.ahead(a))
		}
		if more := s.Ahead - len(s.First); more > 0 && len(s.First) > 0 {
			p.line(2, "and %d more", more)
		}
	}
}

// endless names jobs that have no time limit.
func endless(ids []slurm.JobID) string {
	const most = 5
	var names []string
	for _, id := range ids[:min(len(ids), most)] {
		names = append(names, id.String())
	}
	text := "job " + names[0] + ", which has no time limit"
	if len(names) > 1 {
		text = "jobs " + strings.Join(names, ", ") + ", which have no time limit"
	}
	if more := len(ids) - most; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// tooFew says by how much the nodes that are ready fall short.
func tooFew(s *sched.Place) string {
	var parts []string
	if n := s.Wanted.MinNodes - s.ReadyNodes; n > 0 {
		parts = append(parts, fmt.Sprintf("%d nodes", n))
	}
	if n := s.Wanted.Tasks - s.ReadyTasks; n > 0 {
		parts = append(parts, fmt.Sprintf("%d tasks", n))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", short by " + strings.Join(parts, " and ")
}

func (p *printer) ahead(a sched.Ahead) string {
	id := a.Job.String()
	if a.Array.Len() > 0 {
		id += "_[" + a.Array.String() + "]"
	}
	text := fmt.Sprintf("%s of %s, priority %d: %d nodes, %d CPUs, %s", id, show.Or(a.User, "somebody"), a.Priority, a.Nodes, a.CPUs, a.Limit)
	if !a.Start.IsZero() {
		text += ", promised from " + p.v.Time(a.Start, "Unknown")
	}
	return text
}

// kind is a class of nodes.
func (p *printer) kind(k *sched.Kind) {
	text := fmt.Sprintf("%s: %d nodes of %d CPUs, %s", show.CompressNodes(k.Nodes), len(k.Nodes), k.CPUs, k.Memory)
	if k.Gres != "" {
		text += ", " + k.Gres
	}
	if len(k.Features) > 0 {
		text += ", " + strings.Join(k.Features, ",")
	}
	if k.Weight != 1 {
		text += fmt.Sprintf(", weight %d", k.Weight)
	}
	p.line(1, "%s", text)
	if len(k.Unsuited) > 0 {
		var parts []string
		for _, o := range k.Unsuited {
			if name, ok := strings.CutPrefix(o.What, "features "); ok {
				parts = append(parts, "not "+name)
				continue
			}
			if strings.HasPrefix(o.What, "nodes of") {
				parts = append(parts, "not of the shape asked for")
				continue
			}
			parts = append(parts, amount(o))
		}
		p.line(2, "of the wrong kind: %s", strings.Join(parts, "; "))
	}
	for _, x := range []struct {
		nodes []sched.NodeName
		text  string
	}{
		{k.Away, "out of service"}, {k.Excluded, "left out by the job (its list of nodes, or what it excludes)"},
	} {
		if len(x.nodes) > 0 {
			p.line(2, "%s: %s", x.text, show.CompressNodes(x.nodes))
		}
	}
	for i, why := range k.AwayWhy {
		if i == maxAway {
			p.line(3, "and %d more", len(k.AwayWhy)-i)
			break
		}
		p.line(3, "%s", why)
	}
	if len(k.Full) > 0 {
		p.line(2, "full now: %s; closest is %s%s", show.CompressNodes(k.Full), k.Short[0].Where, amounts(k.Short))
	}
	if len(k.Taken) > 0 {
		p.line(2, "free now, but promised to others or reserved too soon: %s", show.CompressNodes(k.Taken))
	}
	if len(k.Ready) > 0 {
		p.line(2, "ready to take part: %s", show.CompressNodes(k.Ready))
	}
	for _, x := range k.Promises {
		who := "job " + x.Job.String()
		if x.Job == 0 {
			who = "another job"
		}
		p.line(2, "promised to %s from %s: %s", who, p.v.Time(x.From, "an unknown time on"), show.CompressNodes(x.Nodes))
	}
}
