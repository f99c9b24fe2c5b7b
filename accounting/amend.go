package accounting

import (
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// AmendOf is a record that changes the one there is of the same incarnation.
func AmendOf(r *rinkpb.Record, set *rinkpb.JobAmend) *rinkpb.Record {
	return &rinkpb.Record{
		Job:   &rinkpb.Job{Id: r.Job.Id, Submit: r.Job.Submit, Resized: r.Job.Resized, Restarts: r.Job.Restarts},
		Amend: set, Imported: true, // who does not know of changes leaves what is there
	}
}

// amend changes the final record of an incarnation; one that is not there stays
// so. What is changed is noted with it, and holds when the log tells of the job
// again.
func (w *writer) amend(k jobKey, index uint64, set *rinkpb.JobAmend) error {
	old := w.jobs.Get(k.bytes())
	if old == nil {
		return nil
	}
	was, used, err := decodeJob(w.reader, k, old)
	if err != nil {
		return badJob(k, "cannot read the record to be changed", err)
	}
	if was.Index > index {
		return nil
	}
	return w.recount(k, was, used, func() {
		amendJob(was.Job, set)
		was.Index = index
	})
}

// amendJob changes a job's record as set says, and notes in it that it was.
func amendJob(j *rinkpb.Job, set *rinkpb.JobAmend) {
	all := &rinkpb.JobAmend{}
	if j.Amend != nil {
		all = proto.Clone(j.Amend).(*rinkpb.JobAmend)
	}
	proto.Merge(all, set)
	if set.DerivedExit != nil { // merged, a zero of it would leave what was there
		all.DerivedExit = proto.Clone(set.DerivedExit).(*rinkpb.ExitCode)
	}
	j.Amend = all
	if all.AdminComment != nil {
		j.AdminComment = *all.AdminComment
	}
	if all.SystemComment != nil {
		j.SystemComment = *all.SystemComment
	}
	if all.DerivedExit != nil {
		j.DerivedExit = all.DerivedExit
	}
	if all.Comment == nil && all.Wckey == nil {
		return
	}
	if j.Spec == nil {
		j.Spec = &rinkpb.JobOptions{}
	}
	if all.Comment != nil {
		j.Spec.Comment = *all.Comment
	}
	if all.Wckey != nil {
		j.Spec.Wckey = *all.Wckey
	}
}
