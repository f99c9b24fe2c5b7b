package ctld

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/slurm"
)

type barnMoment = barn.Moment

// barnService is what an administrator asks of what this controller keeps, over
// the controller's own socket alone: nothing of it leaves the host otherwise.
type barnService struct {
	rinkpb.UnimplementedBarnServer
	s *Server
}

// administrator refuses everybody else.
func (b *barnService) administrator(ctx context.Context) error {
	who, err := auth.Caller(ctx)
	if err != nil {
		return err
	}
	if who.Kind != auth.LocalPeer || !b.s.administers(who.UID) {
		return status.Error(codes.PermissionDenied, slurm.ErrnoAccessDenied.Error())
	}
	return nil
}

// Backup streams the state at one entry, the history as of the same, and the
// cluster's authority.
func (b *barnService) Backup(_ *rinkpb.BackupRequest, stream rinkpb.Barn_BackupServer) error {
	ctx, s := stream.Context(), b.s
	if err := b.administrator(ctx); err != nil {
		return err
	}
	var past *accounting.Frozen
	moment, err := s.barn.Hold(ctx, func(*barn.Moment) (err error) {
		past, err = s.store.Freeze()
		return err
	})
	if past != nil {
		defer past.Close()
	}
	if err != nil {
		return status.Error(codes.FailedPrecondition, "cannot take hold of the state: "+err.Error())
	}
	began := time.Now()
	err = s.writeBackup(chunks{stream}, moment, past)
	if err != nil {
		s.log.Error("backup not finished", "error", err)
		return err
	}
	s.log.Info("backup made", "index", moment.Index, "history-bytes", past.Size(), "took", time.Since(began))
	return stream.Send(&rinkpb.BackupChunk{Whole: true})
}

// chunks sends what is written.
type chunks struct{ stream rinkpb.Barn_BackupServer }

func (c chunks) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		step := min(len(p)-n, 1<<20)
		if err := c.stream.Send(&rinkpb.BackupChunk{Data: p[n : n+step]}); err != nil {
			return n, err
		}
		n += step
	}
	return len(p), nil
}

func (s *Server) writeBackup(out io.Writer, m *barn.Moment, past *accounting.Frozen) error {
	w, err := barn.NewBackupWriter(out, &rinkpb.BackupHead{
		Cluster: s.conf.ClusterName, Controller: s.opt.Config.Name, Address: s.opt.Config.Address, Version: s.opt.Version,
		Created: time.Now().UnixNano(), Index: m.Index, Term: m.Term, At: m.At.UnixNano(), History: past.Applied,
	}, barnKeys(s.keys))
	if err != nil {
		return err
	}
	for _, part := range []struct {
		kind barn.Section
		from io.WriterTo
	}{{barn.SectionState, m}, {barn.SectionPast, past}} {
		section := w.Section(part.kind)
		if _, err := part.from.WriteTo(section); err != nil {
			return fmt.Errorf("cannot back up %s: %w", part.kind, err)
		}
		if err := section.Close(); err != nil {
			return err
		}
	}
	files, err := os.ReadDir(filepath.Join(s.opt.Config.StateDir, caDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(s.opt.Config.StateDir, caDir, f.Name()))
		if err != nil {
			return err
		}
		if err := w.File(filepath.Join(caDir, f.Name()), text); err != nil {
			return err
		}
	}
	return w.End()
}

// Verify reads everything this controller keeps.
func (b *barnService) Verify(_ *rinkpb.VerifyRequest, stream rinkpb.Barn_VerifyServer) error {
	if err := b.administrator(stream.Context()); err != nil {
		return err
	}
	var sent error
	say := func(f barn.Finding) {
		line := &rinkpb.VerifyLine{What: f.What, Found: f.Found}
		if f.Wrong != nil {
			line.Wrong = f.Wrong.Error()
		}
		sent = errors.Join(sent, stream.Send(line))
	}
	b.s.barn.Verify(say)
	path := filepath.Join(b.s.opt.Config.StateDir, historyDir)
	found, err := b.s.store.Verify(func(err error) { say(barn.Finding{What: path, Wrong: err}) })
	say(barn.Finding{What: path, Found: found, Wrong: err})
	return sent
}

// Compare has every controller sum up what it keeps as of one entry of the log.
// The leader is asked, as it alone can put a mark there.
func (b *barnService) Compare(ctx context.Context, _ *rinkpb.CompareRequest) (*rinkpb.CompareReply, error) {
	s := b.s
	if err := b.administrator(ctx); err != nil {
		return nil, err
	}
	mark := rand.Text()
	results, err := s.propose(ctx, state.Mark{Name: mark})
	var not *barn.NotLeaderError
	if errors.As(err, &not) {
		return nil, status.Errorf(codes.FailedPrecondition, "this controller does not lead: ask on the host of %s", not.LeaderID)
	} else if err != nil {
		return nil, err
	}
	reply := &rinkpb.CompareReply{Index: results[0].Index}
	peers := s.others()
	all := make([]*rinkpb.ControllerSums, len(peers)+1)
	ask := func(i int, name string, sums func() (*rinkpb.SumsReply, error)) {
		all[i] = &rinkpb.ControllerSums{Controller: name}
		r, err := sums()
		if err != nil {
			all[i].Error = err.Error()
			return
		}
		all[i].Sums = r
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		ask(0, s.opt.Config.Name, func() (*rinkpb.SumsReply, error) { return s.sums(ctx, mark) })
	})
	for i, p := range peers {
		wg.Go(func() {
			ask(i+1, p.name, func() (*rinkpb.SumsReply, error) { return p.client.Sums(ctx, &rinkpb.SumsRequest{Mark: mark}) })
		})
	}
	wg.Wait()
	reply.Controllers = all
	return reply, nil
}
