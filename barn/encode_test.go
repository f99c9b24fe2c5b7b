package barn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"hash/crc32"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/apitest"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// commands is one of each command.
func commands() []state.Command {
	return []state.Command{
		state.SubmitJobs{}, state.StartJobs{}, state.SetWaits{}, state.EndJob{}, state.ReleaseNodes{}, state.UpdateJob{},
		state.SetPriorities{}, state.StartStep{}, state.EndStep{}, state.RegisterNode{}, state.UpdateNode{}, state.UpdatePartition{},
		state.SetConfig{}, state.Purge{}, state.AddToken{}, state.UseToken{},
		state.ImportHistory{},
		state.EditAccounts{},
		state.PreemptJobs{}, state.ResumeJobs{}, state.PowerNodes{}, state.ShrinkJob{}, state.BeginJob{},
		state.ResetUsage{},
		state.SetReservation{}, state.DropReservation{},
		state.Mark{}, state.RaiseFormat{}, state.SetDevices{}, state.CutGPU{}, state.NoteCut{},
		state.SetCrontab{}, state.DropCron{}, state.SetTrigger{}, state.DropTriggers{},
	}
}

func filledCommand(c state.Command, f *apitest.Filler) state.Command {
	v := reflect.New(reflect.TypeOf(c))
	f.Fill(v.Interface())
	return v.Elem().Interface().(state.Command)
}

// The list above has every command there is.
func TestEveryCommandIsTested(t *testing.T) {
	pkgs, err := parser.ParseDir(gotoken.NewFileSet(), "state", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, file := range pkgs["state"].Files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "command" && f.Recv != nil {
				want = append(want, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	for _, c := range commands() {
		got = append(got, reflect.TypeOf(c).Name())
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("commands are %v, tested are %v", want, got)
	}
}

func record(t testing.TB, at time.Time, actor state.Actor, cmds ...state.Command) []byte {
	t.Helper()
	p := &proposal{}
	for _, c := range cmds {
		body, err := encodeEntryBody(actor, c)
		if err != nil {
			t.Fatal(err)
		}
		p.bodies = append(p.bodies, body)
		p.size += len(body) + entryOverhead
	}
	b := encodeRecord(at, []*proposal{p})
	if len(b) > recordHeader+4+p.size {
		t.Errorf("a record of %d bytes was counted as %d", len(b), p.size)
	}
	return b
}

func TestEveryCommandGoesThroughTheLog(t *testing.T) {
	at := time.Unix(1_700_000_000, 123456789)
	for _, empty := range commands() {
		t.Run(reflect.TypeOf(empty).Name(), func(t *testing.T) {
			f := &apitest.Filler{}
			want := state.Entry{At: at, Actor: state.Actor{UID: 1000, User: "ann", System: true}, Cmd: filledCommand(empty, f)}
			b := record(t, at, want.Actor, want.Cmd)
			var batch rinkpb.Batch
			if err := proto.Unmarshal(b[recordHeader:], &batch); err != nil {
				t.Fatal(err)
			}
			for _, e := range apitest.Empty(&batch) {
				if strings.HasSuffix(e, ".partition.slice_namespaces") || strings.HasSuffix(e, ".partition.slice_private_tmp") {
					continue // of before SliceConf: read, and no longer written
				}
				if strings.HasSuffix(e, ".jobs.amend") {
					continue // of history alone
				}
				t.Errorf("field %s of the message is not set", e)
			}
			got, err := decodeRecord(b, FormatLevel)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range apitest.Differences([]state.Entry{want}, got) {
				t.Error(d)
			}
			if c := reflect.ValueOf(got[0].Cmd); !reflect.DeepEqual(c.Interface(), want.Cmd) {
				t.Errorf("got %+v, want %+v", c, want.Cmd)
			}
			// With nothing in it, too.
			if _, ok := empty.(state.StartStep); ok {
				empty = state.StartStep{Step: &sched.Step{}}
			}
			if got, err = decodeRecord(record(t, at, state.Actor{}, empty), FormatLevel); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got[0].Cmd, empty) {
				t.Errorf("empty: got %+v", got[0].Cmd)
			}
		})
	}
}

// What no controller could apply does not get into the log.
func TestCommandsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		cmd  state.Command
		want string
	}{
		{"ErrNil", nil, "has no form in the log"},
		{"ErrNilJob", state.SubmitJobs{Jobs: []*sched.Job{nil}}, "job 1 of 1 is nil"},
		{"ErrNilStep", state.StartStep{Job: 5}, "step of job 5"},
		{"ErrNegative", state.SubmitJobs{Jobs: []*sched.Job{{Need: sched.Need{Tasks: -1}}}}, "-1 of something"},
		{"ErrNotText", state.AddToken{Hash: "\xff"}, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := encodeEntryBody(state.Actor{}, c.cmd); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRecordsKeepOrderAndBounds(t *testing.T) {
	at := time.Unix(5, 6)
	var want []string
	var cmds []state.Command
	for _, name := range []string{"a", "b", "c"} {
		want = append(want, name)
		cmds = append(cmds, state.UseToken{Hash: name})
	}
	got, err := decodeRecord(record(t, at, state.Actor{}, cmds...), FormatLevel)
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %v, %v", got, err)
	}
	for i, e := range got {
		if e.Cmd.(state.UseToken).Hash != want[i] || !e.At.Equal(at) {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	good := record(t, time.Unix(5, 6), state.Actor{}, state.UseToken{Hash: "x"})
	sealed := func(m proto.Message) []byte {
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return resum(append(make([]byte, recordHeader), body...))
	}
	change := func(at int, to byte) []byte {
		b := slices.Clone(good)
		b[at] = to
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		is   error
		want string
	}{
		{"ErrEmpty", nil, ErrDamaged, "not a log record"},
		{"ErrMagic", change(0, 'X'), ErrDamaged, "not a log record"},
		{"ErrFrame", change(1, 9), ErrNewer, "frame 9"},
		{"ErrChecksum", change(len(good)-1, 'y'), ErrDamaged, "checksum"},
		{"ErrCut", good[:len(good)-1], ErrDamaged, "checksum"},
		{"ErrNewerFormat", sealed(&rinkpb.Batch{Format: batchFormat + 1}), ErrNewer, "is of format 2, this version reads up to 1"},
		{"ErrNoFormat", sealed(&rinkpb.Batch{}), ErrDamaged, "does not say its format"},
		{"ErrNewerCommand", sealed(&rinkpb.Batch{Format: 1, Entries: []*rinkpb.Entry{{At: 1}}}), ErrNewer, "command 1 of 1"},
		{"ErrNonsense", sealed(&rinkpb.Batch{Format: 1, Entries: []*rinkpb.Entry{{Cmd: &rinkpb.Entry_EndJob{EndJob: &rinkpb.EndJob{Hold: 77}}}}}), nil, "77"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodeRecord(c.b, FormatLevel)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if err := checkRecord(sealed(&rinkpb.Batch{Format: 7}), FormatLevel); !errors.Is(err, ErrNewer) {
		t.Errorf("checking a record of a newer format: %v", err)
	}
	if err := checkRecord(good, FormatLevel); err != nil {
		t.Error(err)
	}
}

func filledDump() (*state.Dump, snapshotHead) {
	d := &state.Dump{}
	(&apitest.Filler{}).Fill(d)
	h := snapshotHead{index: d.Index, at: time.Unix(77, 88), cluster: d.Cluster}
	// Two tasks of an array share what was asked for.
	task := *d.Jobs[0]
	task.ID++
	d.Jobs = append(d.Jobs, &task)
	return d, h
}

func snapshotBytes(t testing.TB, d *state.Dump, h snapshotHead) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := writeSnapshot(&out, h, d); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// endSize returns the length of the last part of a snapshot, with its own.
func endSize(t *testing.T, b []byte) int {
	last := 0
	for at := 0; at < len(b); at += last {
		last = 4 + int(binary.LittleEndian.Uint32(b[at:]))
	}
	return last
}

// resum gives a record the header and checksum its body should have.
func resum(b []byte) []byte {
	b = slices.Clone(b)
	b[0], b[1] = recordMagic, recordFrame
	binary.LittleEndian.PutUint32(b[2:], crc32.Checksum(b[recordHeader:], castagnoli()))
	return b
}

func TestSnapshotHasEveryField(t *testing.T) {
	want, head := filledDump()
	b := snapshotBytes(t, want, head)
	h, got, err := readSnapshot(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if h.index != head.index || !h.at.Equal(head.at) || h.cluster != head.cluster {
		t.Errorf("head is %+v, want %+v", h, head)
	}
	for _, d := range apitest.Differences(want, got) {
		t.Error(d)
	}
	if got.Jobs[0].Spec != got.Jobs[2].Spec {
		t.Error("the tasks of an array do not share what was asked for")
	}
	if got.Jobs[0].Spec == got.Jobs[1].Spec {
		t.Error("jobs of different arrays share what was asked for")
	}
}

// Jobs that are no tasks of an array share what they were asked for as well, and
// it is written once.
func TestSnapshotSharesRequests(t *testing.T) {
	var filled sched.Job
	new(apitest.Filler).Fill(&filled)
	spec := filled.Spec
	spec.Comment = strings.Repeat("long ", 200)
	other := *spec
	other.Comment = "short"
	d := &state.Dump{Jobs: []*sched.Job{{ID: 1, Spec: spec}, {ID: 2, Spec: &other}, {ID: 3, Spec: spec}}}
	b := snapshotBytes(t, d, snapshotHead{})
	if n := bytes.Count(b, []byte(spec.Comment)); n != 1 {
		t.Errorf("the request is written %d times", n)
	}
	_, got, err := readSnapshot(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got.Jobs[0].Spec != got.Jobs[2].Spec || got.Jobs[0].Spec == got.Jobs[1].Spec || got.Jobs[2].Spec.Comment != spec.Comment {
		t.Error("the requests are not shared as they were")
	}
}

// A snapshot of before is read: only tasks of an array shared what they were asked
// for, and all other jobs came with it.
func TestSnapshotOfFormat1(t *testing.T) {
	var out bytes.Buffer
	w := &partWriter{w: bufio.NewWriter(&out)}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Head{Head: &rinkpb.SnapshotHead{Format: 1, Index: 9, Cluster: "t"}}})
	for id, array := range []uint32{0, 1, 1} {
		j := &rinkpb.SnapshotPart_Job{Job: &rinkpb.Job{Id: uint32(id + 1), ArrayId: array, Spec: &rinkpb.JobOptions{Name: "asked"}}}
		part := &rinkpb.SnapshotPart{Part: j}
		if id == 2 {
			j.Job.Spec, part.SpecOf = nil, 2
		}
		w.put(part)
	}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_End{End: &rinkpb.SnapshotEnd{Parts: w.parts, Crc32C: w.crc}}})
	w.w.Flush()
	head, d, err := readSnapshot(&out)
	if err != nil {
		t.Fatal(err)
	}
	if head.index != 9 || len(d.Jobs) != 3 || d.Jobs[0].Spec.Name != "asked" || d.Jobs[1].Spec != d.Jobs[2].Spec || d.Jobs[1].Spec.Name != "asked" {
		t.Errorf("it holds %+v", d.Jobs)
	}
}

func TestSnapshotThatIsNone(t *testing.T) {
	dump, head := filledDump()
	good := snapshotBytes(t, dump, head)
	change := func(f func([]byte) []byte) []byte { return f(slices.Clone(good)) }
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"ErrEmpty", nil, "part 0, at byte 0: truncated"},
		{"ErrNoEnd", good[:len(good)-endSize(t, good)], "no end before"},
		{"ErrCutInPart", good[:len(good)/2], "truncated"},
		{"ErrMore", append(slices.Clone(good), 0), "more after the end"},
		{"ErrFlip", change(func(b []byte) []byte { b[40] ^= 1; return b }), ""},
		{"ErrLength", change(func(b []byte) []byte { b[3] = 0xff; return b }), "the bound is"},
		{"ErrTwice", append(slices.Clone(good), good...), "more after the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readSnapshot(bytes.NewReader(c.b))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	var out bytes.Buffer
	w := &partWriter{w: bufio.NewWriter(&out)}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Head{Head: &rinkpb.SnapshotHead{Format: snapshotFormat + 1}}})
	w.w.Flush()
	if _, _, err := readSnapshot(&out); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), fmt.Sprint("format ", snapshotFormat+1)) {
		t.Errorf("a newer snapshot gave %v", err)
	}
	w = &partWriter{w: bufio.NewWriter(&out)}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Job{Job: &rinkpb.Job{}}})
	w.w.Flush()
	if _, _, err := readSnapshot(&out); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "head must come first") {
		t.Errorf("a snapshot without head gave %v", err)
	}
}

// No bit of a snapshot can change unseen.
func TestSnapshotFlips(t *testing.T) {
	dump, head := filledDump()
	good := snapshotBytes(t, dump, head)
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 1 << (i % 8)
		if _, _, err := readSnapshot(bytes.NewReader(b)); err == nil {
			t.Errorf("a bit at %d of %d went unseen", i, len(good))
		}
	}
}

func TestSnapshotCuts(t *testing.T) {
	dump, head := filledDump()
	good := snapshotBytes(t, dump, head)
	for i := range good {
		if _, _, err := readSnapshot(bytes.NewReader(good[:i])); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("cut to %d: %v", i, err)
		}
	}
}

// A snapshot is the same bytes each time, and after a way there and back.
func TestSnapshotIsTheSameEachTime(t *testing.T) {
	dump, head := filledDump()
	first := snapshotBytes(t, dump, head)
	h, back, err := readSnapshot(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, snapshotBytes(t, back, h)) {
		t.Error("other bytes after a way there and back")
	}
}

func FuzzReadSnapshot(f *testing.F) {
	dump, head := filledDump()
	f.Add(snapshotBytes(f, dump, head))
	f.Add(snapshotBytes(f, &state.Dump{}, snapshotHead{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, d, err := readSnapshot(bytes.NewReader(b)); err == nil {
			state.Load(d) // may refuse it, but not panic
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	for _, c := range commands() {
		f.Add(record(f, time.Unix(5, 6), state.Actor{}, filledCommand(c, &apitest.Filler{})))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < recordHeader {
			return
		}
		entries, err := decodeRecord(resum(b), FormatLevel)
		if err != nil {
			return
		}
		s := state.New("fuzz")
		for i, e := range entries {
			s.Apply(uint64(i+1), e)
		}
	})
}

// usualJob is a job with what most jobs have.
func usualJob(b *testing.B) *sched.Job {
	now := time.Unix(1_700_000_000, 0)
	text := strings.Repeat("0123456789abcdef", 4)
	spec, err := api.JobOptionsFromProto(&rinkpb.JobOptions{
		Given: []string{"job-name", "ntasks", "output", "time"}, Name: "train", Ntasks: 4, Output: "logs/%j.out", TimeLimit: 3600,
		WorkDir: "/home/ann/project", Export: "ALL",
	})
	if err != nil {
		b.Fatal(err)
	}
	return &sched.Job{
		ID: 123456, Spec: spec, UID: 1000, GID: 1000, User: "ann", Group: "ann", SubmitHost: "login1", SubmitPID: 4242,
		SubmitLine: "sbatch -n4 -t 60 train.sh", Script: sched.BlobID(text), ScriptName: "/home/ann/project/train.sh", Env: sched.BlobID(text), Batch: true,
		Name: "train", Account: "physics", QOS: "normal", Partitions: []sched.PartitionName{"batch"}, Partition: "batch", TimeLimit: 3600,
		Need: sched.Need{MinNodes: 1, MaxNodes: 1, Tasks: 4, CPUs: 4, CPUsPerTask: 1, MemPerCPU: 2048}, WorkDir: "/home/ann/project",
		Priority: 4294, State: 1, Submit: now, Eligible: now, Start: now, End: now, Scheduler: "Main",
		Alloc: []sched.NodeAlloc{{Node: "node0123", CPUs: 4, Mem: 8192, Tasks: 4}}, ChangedAt: 99,
	}
}

// A job in a log record and out of it again.
func BenchmarkEntry(b *testing.B) {
	cmd := state.SubmitJobs{Jobs: []*sched.Job{usualJob(b)}}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := encodeEntryBody(state.Actor{}, cmd); err != nil {
				b.Fatal(err)
			}
		}
	})
	rec := record(b, time.Unix(1, 1), state.Actor{}, cmd)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeRecord(rec, FormatLevel); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A snapshot of 100,000 jobs.
func BenchmarkSnapshot(b *testing.B) {
	j := usualJob(b)
	dump := &state.Dump{Jobs: make([]*sched.Job, 100_000)}
	for i := range dump.Jobs {
		dump.Jobs[i] = j
	}
	var out bytes.Buffer
	if err := writeSnapshot(&out, snapshotHead{}, dump); err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := writeSnapshot(io.Discard, snapshotHead{}, dump); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(out.Len()))
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := readSnapshot(bytes.NewReader(out.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(out.Len()))
	})
}
