package barn

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// writeFixtures makes the files of this version beside the older ones:
//
//	go test ./barn -run TestFixtures -fixtures=LEVEL
//
// Done once, when a version is released; what is there is never made again.
var writeFixtures = flag.String("fixtures", "", "write the log and the snapshot of this version into testdata under that name")

// jobCompleted is slurm.JobCompleted, which this room does not import.
const jobCompleted = 3

// fixtureLog is a log in which everything that a cluster is made of happens.
func fixtureLog(t testing.TB) []state.Command {
	alloc := []sched.NodeAlloc{{Node: "n1", CPUs: 1, Tasks: 1}}
	step := &sched.Step{Nodes: []sched.StepNode{{Node: "n1", CPUs: 1, Ranks: []int{0}}}, Tasks: 1, Name: "hello"}
	return []state.Command{
		state.SetConfig{Files: []state.ConfigFile{{Name: "slurm.conf", Text: []byte(storyConf)}}},
		state.RegisterNode{Node: "n1", CPUs: 8, Memory: 16000, Up: true}, state.RegisterNode{Node: "n2", CPUs: 8, Memory: 16000, Up: true},
		state.SubmitJobs{Key: "one", Jobs: []*sched.Job{storyJob(t, 0)}}, state.SubmitJobs{Key: "two", Jobs: []*sched.Job{storyJob(t, 5)}},
		state.StartJobs{Starts: []sched.Start{{Job: 1, Partition: "main", Alloc: alloc, Scheduler: "Main"}, {Job: 2, IsTask: true, Task: 1, Partition: "main", Alloc: alloc, Scheduler: "Backfill"}}},
		state.StartStep{Job: 1, Step: step, Key: "step"}, state.EndStep{Job: 1, Step: 0, State: jobCompleted},
		state.EndJob{Job: 1, State: jobCompleted}, state.ReleaseNodes{Job: 1, Nodes: []sched.NodeName{"n1"}, Batch: true},
		state.SetPriorities{Jobs: []state.JobPriority{{Job: 2, Priority: 77}}},
		token("a"), state.UseToken{Hash: "a", Role: "node", Name: "a"}, token("b"),
		state.Mark{Name: "mark"}, state.RaiseFormat{To: 1}, state.Purge{},
	}
}

// Logs and snapshots of every version before are read by this one, and make the
// same state: each name under testdata has both.
func TestFixtures(t *testing.T) {
	if *writeFixtures != "" {
		makeFixtures(t, *writeFixtures)
	}
	logs, err := filepath.Glob("testdata/*.log.gz")
	if err != nil || len(logs) == 0 {
		t.Fatalf("there are no fixtures (%v)", err)
	}
	for _, path := range logs {
		name := path[:len(path)-len(".log.gz")]
		t.Run(filepath.Base(name), func(t *testing.T) {
			o, err := options(t, "unused").withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			f := newFSM(o, func(err error) { t.Error(err) }, make(chan struct{}, 1))
			log := bytes.NewReader(gunzip(t, path))
			refused := 0
			for log.Len() > 0 {
				var head [12]byte
				if _, err := io.ReadFull(log, head[:]); err != nil {
					t.Fatal(err)
				}
				index := binary.LittleEndian.Uint64(head[:])
				record := make([]byte, binary.LittleEndian.Uint32(head[8:]))
				if _, err := io.ReadFull(log, record); err != nil {
					t.Fatal(err)
				}
				a := f.Apply(&raft.Log{Index: index, Data: record}).(applied)
				if a.err != nil {
					t.Fatalf("entry %d: %v", index, a.err)
				}
				for _, r := range a.results {
					if r.Err != nil {
						refused++
						t.Logf("entry %d: %v", index, r.Err)
					}
				}
			}
			if refused > 0 {
				t.Errorf("%d commands are refused that were not", refused)
			}
			head, dump, err := readSnapshot(bytes.NewReader(gunzip(t, name+".snapshot.gz")))
			if err != nil {
				t.Fatal(err)
			}
			fromLog := &Moment{Index: f.index, At: f.at, Cluster: f.cluster, dump: f.state.Dump()}
			loaded, err := state.Load(dump)
			if err != nil {
				t.Fatal(err)
			}
			fromSnapshot := &Moment{Index: head.index, At: head.at, Cluster: head.cluster, dump: loaded.Dump()}
			a, _, err := fromLog.Sum()
			if err != nil {
				t.Fatal(err)
			}
			if b, _, err := fromSnapshot.Sum(); err != nil || a != b {
				t.Errorf("the log makes another state than the snapshot has: %x and %x (%v)", a, b, err)
			}
			if n := len(fromLog.dump.Jobs); n == 0 || len(fromLog.dump.Tokens) == 0 {
				t.Errorf("there are %d jobs and %d tokens", n, len(fromLog.dump.Tokens))
			}
		})
	}
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// makeFixtures writes NAME.log.gz, each record with its index and its length before it, and
// NAME.snapshot.gz of the state after it.
func makeFixtures(t *testing.T, name string) {
	t.Helper()
	now := time.Unix(1_700_000_000, 0)
	o := options(t, t.TempDir())
	o.now = func() time.Time { now = now.Add(time.Second); return now }
	b := open(t, o)
	var log bytes.Buffer
	for i, cmd := range fixtureLog(t) {
		results, err := b.Propose(context.Background(), system, cmd)
		if err != nil || results[0].Err != nil {
			t.Fatalf("command %d (%T): %v %v", i, cmd, err, results)
		}
		var entry raft.Log
		if err := b.store.GetLog(results[0].Index, &entry); err != nil {
			t.Fatal(err)
		}
		log.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, entry.Index), uint32(len(entry.Data))))
		log.Write(entry.Data)
	}
	m, err := b.Hold(context.Background(), func(*Moment) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var snap bytes.Buffer
	if _, err := m.WriteTo(&snap); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	for suffix, text := range map[string][]byte{"log": log.Bytes(), "snapshot": snap.Bytes()} {
		path := filepath.Join("testdata", fmt.Sprintf("%s.%s.gz", name, suffix))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
