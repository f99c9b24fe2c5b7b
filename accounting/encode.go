package accounting

import (
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// text is a string of a job or a step that often is the same in many records.
// Its place in the table below is part of the format: entries are only added.
type text[T any] struct {
	of func(T) *string // nil: the message it is in is absent
	// same is another string that it often repeats; nil for none.
	same func(T) *string
}

func specText(of func(*rinkpb.JobOptions) *string) func(*rinkpb.Job) *string {
	return func(j *rinkpb.Job) *string {
		if j.Spec == nil {
			return nil
		}
		return of(j.Spec)
	}
}

func jobName(j *rinkpb.Job) *string    { return &j.Name }
func jobWorkDir(j *rinkpb.Job) *string { return &j.WorkDir }

var jobTexts = []text[*rinkpb.Job]{
	// Those that others repeat come after them.
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.Name }), same: jobName},
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.WorkDir }), same: jobWorkDir},
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.Output })},
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.Error })},
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.Input })},
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.Comment })},
	{of: specText(func(o *rinkpb.JobOptions) *string { return &o.Extra })},
	{of: jobName},
	{of: jobWorkDir},
	{of: func(j *rinkpb.Job) *string { return &j.SubmitLine }},
	{of: func(j *rinkpb.Job) *string { return &j.ScriptName }},
	{of: func(j *rinkpb.Job) *string { return &j.Run }},
	{of: func(j *rinkpb.Job) *string { return &j.Stage }},
	{of: func(j *rinkpb.Job) *string { return &j.ReasonText }},
	{of: func(j *rinkpb.Job) *string { return &j.Ended }},
	{of: func(j *rinkpb.Job) *string { return &j.Scheduler }},
	{of: func(j *rinkpb.Job) *string { return &j.AdminComment }},
	{of: func(j *rinkpb.Job) *string { return &j.SystemComment }},
}

var stepTexts = []text[*rinkpb.Step]{
	{of: func(s *rinkpb.Step) *string { return &s.Name }},
	{of: func(s *rinkpb.Step) *string { return &s.SubmitLine }},
	{of: func(s *rinkpb.Step) *string { return &s.Distribution }},
}

// sameText in place of a word says that the text is what it often repeats.
const sameText = 0

// takeTexts moves the texts of m that are words, or repeat another, into pairs.
func takeTexts[T any](w *wordWriter, table []text[T], m T) ([]uint32, error) {
	var pairs []uint32
	for i, t := range table {
		p := t.of(m)
		if p == nil || *p == "" {
			continue
		}
		if t.same != nil && *t.same(m) == *p {
			pairs = append(pairs, uint32(i), sameText)
			*p = ""
			continue
		}
		num, err := w.word([]byte(*p), false)
		if err != nil {
			return nil, err
		}
		if num != 0 {
			pairs = append(pairs, uint32(i), num)
			*p = ""
		}
	}
	return pairs, nil
}

// putTexts is takeTexts undone.
func putTexts[T any](w wordReader, table []text[T], pairs []uint32, m T) error {
	if len(pairs)%2 != 0 {
		return fmt.Errorf("it has half a word")
	}
	// From the end, so that what is repeated is there first.
	for i := len(pairs) - 2; i >= 0; i -= 2 {
		if pairs[i] >= uint32(len(table)) {
			continue // a text that a newer version knows
		}
		t := table[pairs[i]]
		p := t.of(m)
		switch {
		case p == nil:
			return fmt.Errorf("it has a word for text %d of a message that is absent", pairs[i])
		case pairs[i+1] == sameText && t.same != nil:
			*p = *t.same(m)
		default:
			data, err := w.word(pairs[i+1])
			if err != nil {
				return err
			}
			*p = string(data)
		}
	}
	return nil
}

func jobTimes(j *rinkpb.Job) []*int64 {
	return []*int64{&j.Submit, &j.Eligible, &j.Begin, &j.Start, &j.Suspended, &j.End}
}

func stepTimes(s *rinkpb.Step) []*int64 { return []*int64{&s.Start, &s.End} }

// takeTimes moves times into distances: each from the one before that is set.
func takeTimes(since uint32, times []*int64) (set uint32, distances []int64) {
	last := int64(since) * int64(time.Second)
	for i, t := range times {
		if *t != 0 {
			set |= 1 << i
			distances = append(distances, *t-last)
			last, *t = *t, 0
		}
	}
	return set, distances
}

// putTimes is takeTimes undone.
func putTimes(since, set uint32, distances []int64, times []*int64) error {
	last := int64(since) * int64(time.Second)
	for i, t := range times {
		if set&(1<<i) == 0 {
			continue
		}
		if len(distances) == 0 {
			return fmt.Errorf("a time is missing")
		}
		last += distances[0]
		*t, distances = last, distances[1:]
	}
	return nil
}

// takeOwn moves what differs from job to job out of j into a message of its
// own. What stays is the job's shape. A field that is not named here is part of
// the shape; if it differs after all, shapes are rarely shared, nothing worse.
func takeOwn(j *rinkpb.Job) *rinkpb.Job {
	own := &rinkpb.Job{
		ArrayId: j.ArrayId, TaskId: j.TaskId, Tasks: j.Tasks, HetId: j.HetId, HetOffset: j.HetOffset, Run: j.Run, Stage: j.Stage,
		SubmitPid: j.SubmitPid, SubmitLine: j.SubmitLine, ScriptName: j.ScriptName, ScriptArgs: j.ScriptArgs, Name: j.Name,
		WorkDir: j.WorkDir, Priority: j.Priority, State: j.State, Reason: j.Reason, ReasonText: j.ReasonText,
		SuspendedFor: j.SuspendedFor, Scheduler: j.Scheduler, ExitCode: j.ExitCode, DerivedExit: j.DerivedExit,
		BatchExit: j.BatchExit, Ended: j.Ended, KilledBy: j.KilledBy, NextStep: j.NextStep, AdminComment: j.AdminComment,
		SystemComment: j.SystemComment,
	}
	j.ArrayId, j.TaskId, j.Tasks, j.HetId, j.HetOffset, j.Run, j.Stage = 0, 0, nil, 0, 0, "", ""
	j.SubmitPid, j.SubmitLine, j.ScriptName, j.ScriptArgs, j.Name = 0, "", "", nil, ""
	j.WorkDir, j.Priority, j.State, j.Reason, j.ReasonText = "", 0, 0, 0, ""
	j.SuspendedFor, j.Scheduler, j.ExitCode, j.DerivedExit = 0, "", nil, nil
	j.BatchExit, j.Ended, j.KilledBy, j.NextStep, j.AdminComment, j.SystemComment = nil, "", 0, 0, "", ""
	if s := j.Spec; s != nil {
		o := &rinkpb.JobOptions{
			Name: s.Name, WorkDir: s.WorkDir, Output: s.Output, Error: s.Error, Input: s.Input, Comment: s.Comment, Extra: s.Extra,
			Begin: s.Begin, Deadline: s.Deadline, Dependency: s.Dependency, DependencyAny: s.DependencyAny, JobId: s.JobId,
		}
		if proto.Size(o) > 0 {
			own.Spec = o
		}
		s.Name, s.WorkDir, s.Output, s.Error, s.Input, s.Comment, s.Extra = "", "", "", "", "", "", ""
		s.Begin, s.Deadline, s.Dependency, s.DependencyAny, s.JobId = 0, 0, nil, false, ""
	}
	return own
}

// dropPassing clears what is of no use once a job has ended: what the scheduler
// and the nodes still had to do, steps (kept on their own) and the names of
// what the cluster forgets with the job.
func dropPassing(j *rinkpb.Job) {
	j.Id, j.Restarts = 0, 0 // in the key
	j.Steps, j.Deps, j.DepsAny, j.Completing, j.HeldBy = nil, nil, false, nil, 0
	j.LastSched, j.ChangedAt, j.Env, j.CpusFree = 0, 0, "", false
	for _, a := range j.Alloc {
		a.CpuIds = "" // who had which CPU does not matter any more
	}
	for _, e := range []**rinkpb.ExitCode{&j.ExitCode, &j.DerivedExit, &j.BatchExit} {
		if (*e).GetCode() == 0 && (*e).GetSignal() == 0 {
			*e = nil
		}
	}
}

var stable = proto.MarshalOptions{Deterministic: true}

// encodeJob lays out the final record of an incarnation, and what its steps
// used as the roll-ups have it. The record is read only.
func encodeJob(w *wordWriter, k jobKey, r *rinkpb.Record, steps *rinkpb.StepsUsed) ([]byte, error) {
	kept := &rinkpb.KeptJob{Index: r.Index, Requeued: r.Requeued, Billing: r.Billing, Imported: r.Imported, Steps: steps}
	batch := trimUsage(r.Batch)
	j := proto.CloneOf(r.Job)
	dropPassing(j)
	j.BatchUsage = nil

	kept.TimesSet, kept.Times = takeTimes(k.submitted, jobTimes(j))
	names := make([]string, len(j.Alloc))
	for i, a := range j.Alloc {
		names[i] = a.Node
	}
	var err error
	if kept.Alloc, err = packNodes(w, len(j.Alloc), func(i int) share {
		a := j.Alloc[i]
		return share{a.Node, a.Cpus, a.Mem, a.Tasks, a.Gres}
	}); err != nil {
		return nil, err
	}
	j.Alloc = nil
	if batch != nil && proto.Size(batch) > 0 {
		kept.Batch = batch
		kept.BatchRssNode = takeNode(&kept.Batch.MaxRssNode, names)
	}
	if hash, bad := hex.DecodeString(j.Script); bad == nil && hex.EncodeToString(hash) == j.Script {
		if kept.ScriptWord, err = w.word(hash, false); err != nil {
			return nil, err
		}
		if kept.ScriptWord == 0 {
			kept.Script = hash
		}
		j.Script = ""
	}
	if kept.Words, err = takeTexts(w, jobTexts, j); err != nil {
		return nil, err
	}

	own := takeOwn(j)
	shape, err := stable.Marshal(j)
	if err != nil {
		return nil, err
	}
	ownBytes, err := stable.Marshal(own)
	if err != nil {
		return nil, err
	}
	if kept.Shape, err = w.word(shape, false); err != nil {
		return nil, err
	}
	if kept.Shape == 0 {
		// Two messages of one type, one after the other, are both merged.
		ownBytes = append(shape, ownBytes...)
	}
	kept.Job = ownBytes
	return proto.Marshal(kept)
}

// decodeJob is encodeJob undone.
func decodeJob(w wordReader, k jobKey, data []byte) (*rinkpb.Record, *rinkpb.StepsUsed, error) {
	kept := &rinkpb.KeptJob{}
	if err := proto.Unmarshal(data, kept); err != nil {
		return nil, nil, err
	}
	j := &rinkpb.Job{}
	if kept.Shape != 0 {
		shape, err := w.word(kept.Shape)
		if err != nil {
			return nil, nil, err
		}
		if err := proto.Unmarshal(shape, j); err != nil {
			return nil, nil, err
		}
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(kept.Job, j); err != nil {
		return nil, nil, err
	}
	j.Id, j.Restarts = k.job, k.restarts
	if err := putTexts(w, jobTexts, kept.Words, j); err != nil {
		return nil, nil, err
	}
	if err := putTimes(k.submitted, kept.TimesSet, kept.Times, jobTimes(j)); err != nil {
		return nil, nil, err
	}
	if kept.ScriptWord != 0 {
		hash, err := w.word(kept.ScriptWord)
		if err != nil {
			return nil, nil, err
		}
		j.Script = hex.EncodeToString(hash)
	} else if len(kept.Script) > 0 {
		j.Script = hex.EncodeToString(kept.Script)
	}
	err := unpackNodes(w, kept.Alloc, func(s share) {
		j.Alloc = append(j.Alloc, &rinkpb.NodeAlloc{Node: s.node, Cpus: s.cpus, Mem: s.mem, Tasks: s.tasks, Gres: s.gres})
	})
	if err != nil {
		return nil, nil, err
	}
	if kept.Batch != nil {
		if n := kept.BatchRssNode; n > 0 && int(n) <= len(j.Alloc) {
			kept.Batch.MaxRssNode = j.Alloc[n-1].Node
		}
		j.BatchUsage = kept.Batch
	}
	r := &rinkpb.Record{Job: j, Index: kept.Index, Requeued: kept.Requeued, Batch: kept.Batch, Billing: kept.Billing, Imported: kept.Imported}
	return r, kept.Steps, nil
}

// trimUsage returns a copy without what is said of single tasks when there is
// but one: it says the same as the whole.
func trimUsage(u *rinkpb.Usage) *rinkpb.Usage {
	if u == nil {
		return nil
	}
	u = proto.CloneOf(u)
	if u.Tasks <= 1 {
		u.CpuMin, u.CpuMax, u.RssMin, u.PagesMin, u.PagesMax = nil, nil, nil, nil, nil
		u.ReadMin, u.ReadMax, u.WriteMin, u.WriteMax = nil, nil, nil, nil
		u.GpuMemMin, u.GpuMemMax, u.GpuUtilMin = nil, nil, nil
		if m := u.GpuUtilMax; m != nil {
			m.Node = "" // the most at a time is more than the whole
		}
	}
	return u
}

// encodeStep lays out a step that has ended. Which task ran where is not kept.
func encodeStep(w *wordWriter, k jobKey, index uint64, step *rinkpb.Step) ([]byte, error) {
	kept := &rinkpb.KeptStep{Index: index, Step: proto.CloneOf(step)}
	s := kept.Step
	s.Id = 0
	if e := s.ExitCode; e.GetCode() == 0 && e.GetSignal() == 0 {
		s.ExitCode = nil
	}
	if s.Usage = trimUsage(s.Usage); s.Usage != nil && proto.Size(s.Usage) == 0 {
		s.Usage = nil
	}
	kept.TimesSet, kept.Times = takeTimes(k.submitted, stepTimes(s))
	names := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		names[i] = n.Node
	}
	var err error
	if kept.Nodes, err = packNodes(w, len(s.Nodes), func(i int) share {
		n := s.Nodes[i]
		return share{n.Node, n.Cpus, n.Mem, 0, n.Gres}
	}); err != nil {
		return nil, err
	}
	s.Nodes = nil
	if s.Usage != nil {
		kept.RssNode = takeNode(&s.Usage.MaxRssNode, names)
	}
	if kept.Words, err = takeTexts(w, stepTexts, s); err != nil {
		return nil, err
	}
	return proto.Marshal(kept)
}

// decodeStep is encodeStep undone.
func decodeStep(w wordReader, k jobKey, step uint32, data []byte) (*rinkpb.KeptStep, error) {
	kept := &rinkpb.KeptStep{}
	if err := proto.Unmarshal(data, kept); err != nil {
		return nil, err
	}
	if kept.Step == nil {
		kept.Step = &rinkpb.Step{}
	}
	s := kept.Step
	s.Id = step
	if err := putTexts(w, stepTexts, kept.Words, s); err != nil {
		return nil, err
	}
	if err := putTimes(k.submitted, kept.TimesSet, kept.Times, stepTimes(s)); err != nil {
		return nil, err
	}
	err := unpackNodes(w, kept.Nodes, func(sh share) {
		s.Nodes = append(s.Nodes, &rinkpb.StepNode{Node: sh.node, Cpus: sh.cpus, Mem: sh.mem, Gres: sh.gres})
	})
	if err != nil {
		return nil, err
	}
	if n := kept.RssNode; n > 0 && int(n) <= len(s.Nodes) && s.Usage != nil {
		s.Usage.MaxRssNode = s.Nodes[n-1].Node
	}
	return kept, nil
}

// takeNode replaces a node's name by its place among names, counted from 1.
func takeNode(node *string, names []string) uint32 {
	if *node == "" {
		return 0
	}
	for i, n := range names {
		if n == *node {
			*node = ""
			return uint32(i) + 1
		}
	}
	return 0
}
