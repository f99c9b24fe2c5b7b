package ctld

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/accounting"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/slurm"
)

// keeper is a barn with a history fed from it, as a controller has them.
type keeper struct {
	id, dir string
	barn    *barn.Barn
	store   *accounting.Store
	marks   *frozenMarks
}

type plainStream struct{ net.Listener }

func (plainStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(address), timeout)
}

func openKept(t *testing.T, id, dir, address string, first bool) *keeper {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{id: id, dir: dir, marks: &frozenMarks{}}
	quiet := slog.New(slog.DiscardHandler)
	if k.store, err = accounting.Open(filepath.Join(dir, historyDir), quiet); err != nil {
		t.Fatal(err)
	}
	sink := &historySink{store: k.store, log: quiet, marks: k.marks}
	k.barn, err = barn.Open(barn.Options{
		Dir: filepath.Join(dir, barnDir), ID: id, Cluster: "test", Bootstrap: first, Stream: plainStream{l}, Sinks: []barn.Sink{sink},
		MinFree: -1, NoSync: true, TrailingRecords: 1, HeartbeatTimeout: 300 * time.Millisecond, ElectionTimeout: 300 * time.Millisecond, LeaderLease: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	sink.barn.Store(k.barn)
	return k
}

func (k *keeper) close(t *testing.T) {
	t.Helper()
	err := k.barn.Close()
	k.marks.close()
	if err := errors.Join(err, k.store.Close()); err != nil {
		t.Error(err)
	}
}

// keptPeer is another controller, asked in this process as over the wire.
type keptPeer struct{ s *Server }

func (p keptPeer) Page(ctx context.Context, from, need uint64, cursor []byte, facts bool) (accounting.Page, error) {
	if err := p.s.historyHas(ctx, need); err != nil {
		return accounting.Page{}, err
	}
	page, err := p.s.store.Page(from, cursor, facts)
	if err != nil {
		return page, err
	}
	r, err := pageToProto(page)
	if err != nil {
		return page, err
	}
	return pageFromProto(r)
}

func (k *keeper) server() *Server {
	return &Server{barn: k.barn, store: k.store, log: slog.New(slog.DiscardHandler)}
}

// past is a command that takes a record of an ended job into the history.
func past(t *testing.T, id uint32) state.Command {
	t.Helper()
	at := int64(1_700_000_000 + int(id)*60)
	data, err := proto.Marshal(&rinkpb.Record{Imported: true, Job: &rinkpb.Job{
		Id: id, Name: fmt.Sprint("job", id), User: "ann", Account: "a", Partition: "p", State: uint32(slurm.JobCompleted),
		Submit: at * 1e9, Eligible: at * 1e9, Start: (at + 1) * 1e9, End: (at + 30) * 1e9,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return state.ImportHistory{Records: [][]byte{data}}
}

// A controller that was away for longer than the log reaches back, and one that
// has lost its history, fetch what they lack while the log goes on; then all three
// keep the same, state and history.
func TestHistoryComesBackFromAPeer(t *testing.T) {
	var all []*keeper
	var address [3]string
	for i := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address[i] = l.Addr().String()
		l.Close()
		all = append(all, openKept(t, fmt.Sprint("c", i+1), t.TempDir(), address[i], i == 0))
	}
	defer func() {
		for _, k := range all {
			k.close(t)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lead := all[0]
	if _, _, err := lead.barn.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 3; i++ {
		if err := lead.barn.AddVoter(ctx, all[i].id, address[i]); err != nil {
			t.Fatal(err)
		}
	}
	next := uint32(1)
	propose := func(n int) {
		t.Helper()
		for range n {
			for {
				_, err := lead.barn.Propose(ctx, systemActor, past(t, next))
				if err == nil {
					break
				}
				var not *barn.NotLeaderError
				if !errors.As(err, &not) {
					t.Fatal(err)
				}
				for _, k := range all {
					if k.barn.IsLeader() {
						lead = k
					}
				}
				time.Sleep(10 * time.Millisecond)
			}
			next++
		}
	}
	propose(40)

	// One is away, and the log it would need is gone; another's history is lost.
	away := 2
	if lead == all[2] {
		away = 1
	}
	all[away].close(t)
	propose(60)
	for _, k := range all {
		if k != all[away] {
			if err := k.barn.Snapshot(); err != nil && !strings.Contains(err.Error(), "wait until the configuration entry") {
				t.Fatal(err)
			}
		}
	}
	all[away] = openKept(t, all[away].id, all[away].dir, address[away], false)
	propose(5)
	fill := func(k *keeper) {
		t.Helper()
		if err := k.barn.WaitApplied(ctx, mustLast(lead)); err != nil {
			t.Fatal(err)
		}
		for {
			gap, err := k.store.Gap()
			if err != nil {
				t.Fatal(err)
			}
			if gap != nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatal("it does not know that it lacks anything")
			}
			time.Sleep(10 * time.Millisecond)
		}
		done := make(chan struct{})
		go func() { defer close(done); propose(30) }()
		err := k.store.Fill(ctx, keptPeer{lead.server()}, func(ctx context.Context, f func(uint64) error) error {
			_, err := k.barn.Hold(ctx, func(m *barn.Moment) error { return f(m.Index) })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		<-done
	}
	fill(all[away])

	lost := all[away]
	if err := lost.barn.Snapshot(); err != nil {
		t.Fatal(err)
	}
	lost.close(t)
	if err := os.Remove(filepath.Join(lost.dir, historyDir, "history.db")); err != nil {
		t.Fatal(err)
	}
	all[away] = openKept(t, lost.id, lost.dir, address[away], false)
	propose(5)
	fill(all[away])

	results, err := lead.barn.Propose(ctx, systemActor, state.Mark{Name: "here"})
	if err != nil {
		t.Fatal(err)
	}
	var want *rinkpb.SumsReply
	for _, k := range all {
		s := k.server()
		f, ok := k.marks.take("here")
		for ; !ok && ctx.Err() == nil; f, ok = k.marks.take("here") {
			time.Sleep(5 * time.Millisecond)
		}
		s.marks.list = map[string]frozenMark{"here": f}
		got, err := s.sums(ctx, "here")
		if err != nil {
			t.Fatalf("%s: %v", k.id, err)
		}
		if got.Index != results[0].Index {
			t.Errorf("%s sums up as of entry %d, the mark is at %d", k.id, got.Index, results[0].Index)
		}
		records := uint64(0)
		for _, g := range got.Ranges {
			records += g.Records
		}
		if records != uint64(next-1) {
			t.Errorf("%s has %d records, want %d", k.id, records, next-1)
		}
		if want == nil {
			want = got
		} else if !proto.Equal(got, want) {
			t.Errorf("%s has\n%v, want\n%v", k.id, got, want)
		}
	}
}

func mustLast(k *keeper) uint64 {
	index, _ := k.barn.Index()
	return index
}

// Marks that nobody asks for any more, as those of a log that is read again, do not
// keep a new one out.
func TestNewMarksDisplaceOldOnes(t *testing.T) {
	var m frozenMarks
	defer m.close()
	for i := range 3 * keptMarks {
		m.put(fmt.Sprint(i), nil, errors.New("a gap"))
	}
	if _, ok := m.take("0"); ok {
		t.Error("the first mark is still kept")
	}
	if at, ok := m.take(fmt.Sprint(3*keptMarks - 1)); !ok || at.err == nil {
		t.Errorf("the last mark is not kept: %v %v", at, ok)
	}
}
