package accounting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// Peer is the history of another controller. Page is as Store.Page; it waits until
// that controller has taken in the log up to need, and fails when it takes long.
type Peer interface {
	Page(ctx context.Context, from, need uint64, cursor []byte, facts bool) (Page, error)
}

// Fill closes the gap there is, if any, with what a peer has. hold calls f while
// nothing is put, with the entry up to which everything was. What was fetched when
// Fill fails or the process ends stays, and the next Fill, be it from another
// peer, goes on from there.
func (s *Store) Fill(ctx context.Context, peer Peer, hold func(ctx context.Context, f func(at uint64) error) error) error {
	file := s.fileNow()
	gap, err := s.Gap()
	if err != nil || gap == nil {
		return err
	}
	for cursor := gap.Cursor; len(cursor) == 0 || cursor[0] != pageFacts; {
		p, err := peer.Page(ctx, gap.From-1, gap.To, cursor, true)
		if err != nil {
			return fmt.Errorf("cannot fetch the history from another controller: %w", err)
		}
		if err := s.takePage(file, cursor, p, false); err != nil {
			return err
		}
		cursor = p.Cursor
	}
	if gap, err = s.Gap(); err != nil || gap == nil {
		return err
	}
	return hold(ctx, func(at uint64) error {
		var cursor []byte
		applied := uint64(0)
		for last := false; !last; {
			p, err := peer.Page(ctx, gap.Seen, max(at, gap.To), cursor, true)
			if err != nil {
				return fmt.Errorf("cannot fetch the last of the history from another controller: %w", err)
			}
			if err := s.takePage(file, cursor, p, true); err != nil {
				return err
			}
			if applied == 0 {
				applied = p.Applied
			}
			cursor, last = p.Cursor, p.Last
		}
		if applied < at {
			return errors.New("cannot close the gap: the other controller has less of the log")
		}
		if err := s.closed(file, applied); err != nil {
			return err
		}
		s.log.Info("history: what was missing has been fetched from another controller", "file", s.path, "from", gap.From, "to", gap.To, "applied", applied)
		return nil
	})
}

// factsOf gives those of one transaction.
func factsOf(tx *txn, index uint64, give func(*rinkpb.Record)) error {
	steps, err := capacitiesIn(tx, 0, math.MaxUint32)
	if err != nil {
		return err
	}
	for _, c := range steps {
		give(&rinkpb.Record{Node: &rinkpb.NodeFact{Start: c.from * 1e9, Tres: c.total.Raw()}})
	}
	add := func(f *rinkpb.NodeFact) {
		if f.Index > index {
			give(&rinkpb.Record{Node: f, Index: f.Index})
		}
	}
	for _, name := range [][]byte{bucketDowns, bucketNodes} {
		err := tx.Bucket(name).ForEach(func(key, data []byte) error {
			f := &rinkpb.NodeFact{}
			if err := proto.Unmarshal(data, f); err != nil {
				return fmt.Errorf("what is known of a node is damaged: %w", err)
			}
			add(f)
			return nil
		})
		if err != nil {
			return err
		}
	}
	spans, err := spansIn(tx, 0, math.MaxUint32)
	for _, r := range spans {
		if r.Index > index {
			give(&rinkpb.Record{Reservation: r, Index: r.Index})
		}
	}
	return err
}

// PutAside gives the history's file in dir, damaged as it may be, another name and
// returns that; "" when there is no file.
func PutAside(dir string, log *slog.Logger) (aside string, err error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	for i := 1; ; i++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, i)
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("cannot put the damaged history aside: %w", err)
	}
	log.Warn("history: the damaged file is put aside, the history is fetched from another controller", "file", path, "aside", aside)
	return aside, syncDir(dir)
}
