package ctld

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
)

// pageLimit is how long one page of history, and the wait for the log before it,
// may take.
const pageLimit = time.Minute

// peersService serves the other controllers what this one keeps.
type peersService struct {
	rinkpb.UnimplementedPeersServer
	s *Server
}

// asking refuses everybody but controllers.
func (p *peersService) asking(ctx context.Context) (auth.Identity, error) {
	who, ok := auth.PeerFrom(ctx)
	if !ok || !who.IsDaemon(auth.RoleController) {
		return who, status.Error(codes.PermissionDenied, "this is between controllers")
	}
	return who, nil
}

// Announce notes what another controller's version reads.
func (p *peersService) Announce(ctx context.Context, req *rinkpb.AnnounceRequest) (*rinkpb.AnnounceReply, error) {
	who, err := p.asking(ctx)
	if err != nil {
		return nil, err
	}
	if who.Name != req.Controller {
		return nil, status.Errorf(codes.PermissionDenied, "controller %s does not speak for %s", who.Name, req.Controller)
	}
	if !p.s.barn.IsLeader() {
		return nil, status.Error(codes.FailedPrecondition, "this controller does not lead")
	}
	level, err := p.s.barn.Announced(ctx, req.Controller, req.Level)
	if err != nil {
		p.s.log.Warn("a controller's version does not go with the cluster's", "controller", who.Name, "version", req.Version, "error", err)
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &rinkpb.AnnounceReply{Level: level}, nil
}

// HistoryRange gives a page of this controller's history, once it has taken in the
// log as far as is asked for.
func (p *peersService) HistoryRange(ctx context.Context, req *rinkpb.HistoryRangeRequest) (*rinkpb.HistoryRangeReply, error) {
	if _, err := p.asking(ctx); err != nil {
		return nil, err
	}
	if err := p.s.historyHas(ctx, req.Need); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	page, err := p.s.store.Page(req.From, req.Cursor, req.Facts)
	switch {
	case errors.Is(err, accounting.ErrGap):
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	case err != nil:
		return nil, err
	}
	return pageToProto(page)
}

// historyHas waits until the history has taken in the log up to an entry.
func (s *Server) historyHas(ctx context.Context, index uint64) error {
	if s.store.Applied() >= index {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pageLimit/2)
	defer cancel()
	if err := s.barn.WaitApplied(ctx, index); err != nil {
		return err
	}
	_, err := s.barn.Hold(ctx, func(m *barnMoment) error {
		s.store.Mark(m.Index) // of the last entries, which may have had no records
		return s.store.Flush()
	})
	if now := s.store.Applied(); err == nil && now < index {
		err = fmt.Errorf("the history has entry %d, entry %d is asked for", now, index)
	}
	return err
}

func pageToProto(p accounting.Page) (*rinkpb.HistoryRangeReply, error) {
	r := &rinkpb.HistoryRangeReply{Cursor: p.Cursor, Last: p.Last, Applied: p.Applied}
	for _, rec := range p.Records {
		data, err := proto.Marshal(rec)
		if err != nil {
			return nil, err
		}
		r.Records = append(r.Records, data)
	}
	return r, nil
}

func pageFromProto(r *rinkpb.HistoryRangeReply) (accounting.Page, error) {
	p := accounting.Page{Cursor: r.Cursor, Last: r.Last, Applied: r.Applied}
	for _, data := range r.Records {
		rec := &rinkpb.Record{}
		if err := proto.Unmarshal(data, rec); err != nil {
			return p, fmt.Errorf("a page of history cannot be read: %w", err)
		}
		p.Records = append(p.Records, rec)
	}
	if !p.Last && len(p.Cursor) == 0 {
		return p, errors.New("a page of history does not say where the next one begins")
	}
	return p, nil
}

// Sums gives the checksums of what this controller kept at a mark in the log.
func (p *peersService) Sums(ctx context.Context, req *rinkpb.SumsRequest) (*rinkpb.SumsReply, error) {
	if _, err := p.asking(ctx); err != nil {
		return nil, err
	}
	return p.s.sums(ctx, req.Mark)
}

// sums waits for the mark and sums up. What was kept for it is let go of.
func (s *Server) sums(ctx context.Context, mark string) (*rinkpb.SumsReply, error) {
	ctx, cancel := context.WithTimeout(ctx, pageLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	at, ok := s.marks.take(mark)
	for !ok {
		select {
		case <-ctx.Done():
			return nil, status.Errorf(codes.DeadlineExceeded, "this controller did not come to the mark %s", mark)
		case <-tick.C:
		}
		at, ok = s.marks.take(mark)
	}
	if at.err != nil {
		return nil, status.Error(codes.FailedPrecondition, at.err.Error())
	}
	frozen := at.history
	defer frozen.Close()
	moment, ok := s.barn.AtMark(mark)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "the state at the mark %s is no longer kept", mark)
	}
	state, size, err := moment.Sum()
	if err != nil {
		return nil, err
	}
	sums, err := frozen.Sums()
	if err != nil {
		return nil, err
	}
	r := &rinkpb.SumsReply{Index: moment.Index, State: state, StateBytes: size, Width: sums.Width, Rolls: sums.Rolls}
	for _, g := range sums.Ranges {
		r.Ranges = append(r.Ranges, &rinkpb.RangeSum{First: g.First, Records: g.Records, Sum: g.Sum})
	}
	return r, nil
}
