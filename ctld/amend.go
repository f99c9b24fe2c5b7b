package ctld

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/slurm"
)

// maxAmend bounds how many records one call changes.
const maxAmend = 100_000

// AmendHistory changes what is kept of ended jobs, for operators and, but for the
// comments that are the administrators', for whose jobs they are and who
// coordinates the accounts. The changes go through the log, so that every
// controller makes them.
func (c *controller) AmendHistory(ctx context.Context, req *rinkpb.AmendHistoryRequest) (*rinkpb.AmendHistoryReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	set := req.GetSet()
	if set == nil || req.Where == nil {
		return nil, invalid(errors.New("no change, or of nothing"))
	}
	f, err := accounting.FilterOf(req.Where)
	if err != nil {
		return nil, invalid(err)
	}
	f.Duplicates, f.Steps = true, false
	reply := &rinkpb.AmendHistoryReply{Status: &rinkpb.Status{}}
	var records [][]byte
	for rec, err := range c.s.store.Query(f, nil) {
		if err != nil {
			return nil, err
		}
		if !c.mayAmend(u, rec.Job, set) {
			return &rinkpb.AmendHistoryReply{Status: refuse(slurm.ErrnoAccessDenied)}, nil
		}
		if len(records) == maxAmend {
			return nil, invalid(fmt.Errorf("more than %d jobs: ask for fewer", maxAmend))
		}
		data, err := proto.Marshal(accounting.AmendOf(rec, set))
		if err != nil {
			return nil, err
		}
		records = append(records, data)
		reply.Jobs = append(reply.Jobs, &rinkpb.AmendedJob{Job: rec.Job.Id, Submit: rec.Job.Submit})
	}
	if req.DryRun {
		return reply, nil
	}
	for chunk := range slices.Chunk(records, maxImport) {
		if _, err := c.s.propose(ctx, state.ImportHistory{Records: chunk}); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// mayAmend reports whether a user may make such a change of a job's record.
func (c *controller) mayAmend(u auth.User, j *rinkpb.Job, set *rinkpb.JobAmend) bool {
	if c.s.operator(u.UID) {
		return true
	}
	if set.AdminComment != nil || set.SystemComment != nil || set.Wckey != nil {
		return false
	}
	return j.Uid == u.UID || c.s.accounts.Load().Coordinates(u.Name, j.Account)
}
