package ctld

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/secrets/atrest"
)

// What a controller keeps on its disk: the barn and the history, below its
// StateSaveLocation.
const (
	barnDir    = "barn"
	historyDir = "accounting"
	caDir      = "ca"
)

// ReadKeys reads the key that seals what a controller keeps; nil when none is
// configured.
func (c *Config) ReadKeys() (*atrest.Keys, error) {
	if c.Conf.StateEncryptionKeyFile == "" {
		return nil, nil
	}
	return atrest.Load(c.Fill(c.Conf.StateEncryptionKeyFile))
}

// barnKeys and pastKeys are keys as the rooms want them: no key is no Sealer.
func barnKeys(k *atrest.Keys) barn.Sealer {
	if k == nil {
		return nil
	}
	return k
}

func pastKeys(k *atrest.Keys) accounting.Sealer {
	if k == nil {
		return nil
	}
	return k
}

// openHistory opens the history. One that is damaged is put aside when there are
// other controllers to have it from; a single one must not lose it that lightly.
func (s *Server) openHistory(dir string, keys *atrest.Keys) (*accounting.Store, error) {
	where := filepath.Join(dir, historyDir)
	store, err := accounting.OpenSealed(where, s.log, pastKeys(keys))
	if err == nil || errors.Is(err, accounting.ErrSealed) || errors.Is(err, accounting.ErrInUse) {
		return store, err
	}
	others := 0
	members, merr := barn.MembersOf(barn.Options{Dir: filepath.Join(dir, barnDir), Keys: barnKeys(keys)})
	for _, m := range members {
		if m.Voter && m.ID != s.opt.Config.Name {
			others++
		}
	}
	if merr != nil || others == 0 {
		return nil, fmt.Errorf("%w; restore it from a backup (rink barn restore), or move the file away to go on without it", err)
	}
	s.log.Error("history: the file cannot be opened", "error", err)
	if _, err := accounting.PutAside(where, s.log); err != nil {
		return nil, err
	}
	return accounting.OpenSealed(where, s.log, pastKeys(keys))
}

// frozenMarks are the histories as they were at marks of the log, for those who
// compare.
type frozenMarks struct {
	mu   sync.Mutex
	list map[string]frozenMark
	old  []string // names that were put, the oldest first; not all are in list
	done bool
}

// keptMarks bounds the list: what comes first goes first, as marks long past come
// again with the log when a controller starts.
const keptMarks = 4

// frozenMark is the history at a mark, or why there is none.
type frozenMark struct {
	history *accounting.Frozen
	err     error
}

func (f frozenMark) close() {
	if f.history != nil {
		f.history.Close()
	}
}

// markLife is how long a history is kept as it was.
const markLife = 2 * time.Minute

func (m *frozenMarks) put(name string, f *accounting.Frozen, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := frozenMark{f, err}
	if _, is := m.list[name]; is || m.done {
		one.close()
		return
	}
	for len(m.old) >= keptMarks {
		m.list[m.old[0]].close() // nothing, where it was taken
		delete(m.list, m.old[0])
		m.old = m.old[1:]
	}
	m.old = append(m.old, name)
	if m.list == nil {
		m.list = map[string]frozenMark{}
	}
	m.list[name] = one
	time.AfterFunc(markLife, func() { // does nothing once it was taken
		if f, ok := m.take(name); ok {
			f.close()
		}
	})
}

func (m *frozenMarks) take(name string) (frozenMark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.list[name]
	delete(m.list, name)
	return f, ok
}

// close lets go of all of them, as the store wants before it is closed.
func (m *frozenMarks) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = true
	for name, f := range m.list {
		f.close()
		delete(m.list, name)
	}
}

// peer is another controller, asked for what it keeps.
type peer struct {
	name   string
	client rinkpb.PeersClient
}

// Page implements accounting.Peer.
func (p peer) Page(ctx context.Context, from, need uint64, cursor []byte, facts bool) (accounting.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, pageLimit)
	defer cancel()
	r, err := p.client.HistoryRange(ctx, &rinkpb.HistoryRangeRequest{From: from, Need: need, Cursor: cursor, Facts: facts})
	if err != nil {
		return accounting.Page{}, fmt.Errorf("%s: %w", p.name, err)
	}
	return pageFromProto(r)
}

// others are the other controllers of the cluster, the leader first.
func (s *Server) others() []peer {
	var list []peer
	for _, m := range s.barn.Servers() {
		if m.ID == s.opt.Config.Name {
			continue
		}
		conn, err := s.peers.dial(m.ID, m.Address)
		if err != nil {
			s.log.Warn("cannot reach a controller", "controller", m.ID, "error", err)
			continue
		}
		p := peer{m.ID, rinkpb.NewPeersClient(conn)}
		if m.Leader {
			list = append([]peer{p}, list...)
		} else {
			list = append(list, p)
		}
	}
	return list
}

// How often a gap in the history is looked for, and a level announced.
const keepEvery = 2 * time.Second

// keepWhole closes gaps in the history from the other controllers, and says to
// whoever leads what this version reads. It ends with ctx.
func (s *Server) keepWhole(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	wait, next := keepEvery, time.Time{}
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			told = s.announce(ctx, told)
			if now.Before(next) {
				continue
			}
			if err := s.fillGap(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("history: what is missing cannot be fetched yet", "error", err)
				wait = min(2*wait, time.Minute)
			} else {
				wait = keepEvery
			}
			next = now.Add(wait)
		}
	}
}

func (s *Server) fillGap(ctx context.Context) error {
	gap, err := s.store.Gap()
	if err != nil || gap == nil {
		return err
	}
	peers := s.others()
	if len(peers) == 0 {
		return fmt.Errorf("entries %d to %d are missing, and no other controller can be reached", gap.From, gap.To)
	}
	hold := func(ctx context.Context, f func(at uint64) error) error {
		_, err := s.barn.Hold(ctx, func(m *barn.Moment) error { return f(m.Index) })
		return err
	}
	var errs []error
	for _, p := range peers {
		err := s.store.Fill(ctx, p, hold)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// announce says to the leader what this controller reads, once a term of a leader.
func (s *Server) announce(ctx context.Context, told string) string {
	leader, _ := s.barn.Leader()
	key := fmt.Sprintf("%s %d", leader, s.barn.Term())
	if leader == "" || key == told {
		return told
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if leader == s.opt.Config.Name {
		if !s.barn.IsLeader() {
			return told
		}
		if _, err := s.barn.Announced(ctx, leader, barn.FormatLevel); err != nil {
			s.log.Warn("cannot raise the format level", "error", err)
			return told
		}
		return key
	}
	for _, p := range s.others() {
		if p.name != leader {
			continue
		}
		if _, err := p.client.Announce(ctx, &rinkpb.AnnounceRequest{Controller: s.opt.Config.Name, Level: barn.FormatLevel, Version: s.opt.Version}); err != nil {
			s.log.Debug("cannot say to the leader what this version reads", "leader", leader, "error", err)
			return told
		}
		return key
	}
	return told
}
