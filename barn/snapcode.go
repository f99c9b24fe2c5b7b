package barn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// A snapshot is a sequence of parts, each a rinkpb.SnapshotPart with its length
// before it in four bytes, little endian. The first is the head; the last is
// the end, which has the number of parts before it and the CRC-32C of all
// bytes before it, lengths included. Nothing follows the end.

// snapshotFormat is the version of the parts, as batchFormat is of commands.
// Since 2 any job may refer to another for its spec, not tasks of an array alone.
const snapshotFormat = 2

// maxPart bounds a part. The largest are jobs with long environments and
// blobs, and neither comes near: both came in proposals.
const maxPart = 256 << 20

// snapshotHead is what a snapshot says beside the state's own dump.
type snapshotHead struct {
	index   uint64
	at      time.Time
	cluster string
}

// partWriter writes parts.
type partWriter struct {
	w     *bufio.Writer
	buf   []byte
	crc   uint32
	parts uint64
	err   error
}

func (w *partWriter) put(p *rinkpb.SnapshotPart) {
	if w.err != nil {
		return
	}
	buf, err := proto.MarshalOptions{}.MarshalAppend(append(w.buf[:0], 0, 0, 0, 0), p)
	if err != nil {
		w.err = fmt.Errorf("cannot encode part %d of the snapshot: %w", w.parts, err)
		return
	}
	w.buf = buf
	if len(buf)-4 > maxPart {
		w.err = fmt.Errorf("cannot encode part %d of the snapshot (%T): %d bytes, the bound is %d", w.parts, p.Part, len(buf)-4, maxPart)
		return
	}
	binary.LittleEndian.PutUint32(buf, uint32(len(buf)-4))
	w.crc = crc32.Update(w.crc, castagnoli(), buf)
	w.parts++
	_, w.err = w.w.Write(buf)
}

// writeSnapshot writes dump to out.
func writeSnapshot(out io.Writer, head snapshotHead, dump *state.Dump) error {
	return writeParts(out, head, dump, specWriter{})
}

// writeParts writes a snapshot; without specs every job has its own request.
func writeParts(out io.Writer, head snapshotHead, dump *state.Dump, specs specWriter) error {
	w := &partWriter{w: bufio.NewWriterSize(out, 256<<10)}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Head{Head: &rinkpb.SnapshotHead{
		Format: snapshotFormat, Index: head.index, At: api.TimeToProto(head.at), Cluster: head.cluster,
		NextJob: uint32(dump.NextJob), RunDay: dump.RunDay, RunSeq: dump.RunSeq, NextTransaction: dump.NextTransaction, NextReservation: dump.NextResv, Level: dump.Level,
		NextTrigger: dump.NextTrigger,
	}}})
	for _, f := range dump.Files {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Config{Config: &rinkpb.ConfigFile{Name: f.Name, Text: f.Text}}})
	}
	for _, p := range dump.Partitions {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Partition{Partition: api.PartitionToProto(p)}})
	}
	for _, n := range dump.Nodes {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Node{Node: api.NodeToProto(n)}})
	}
	for _, b := range dump.Blobs {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Blob{Blob: &rinkpb.Blob{Id: string(b.ID), Data: b.Data}}})
	}
	// What a job was asked for is shared by all that were asked for the same; it
	// is encoded once and referred to by the records after it.
	for _, j := range dump.Jobs {
		w.put(specs.part(j))
	}
	for _, a := range dump.Arrays {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Array{Array: &rinkpb.ArrayPast{
			Array: uint32(a.Array), NotOk: int32(min(a.NotOK, 1<<31-1)), Began: api.TimeToProto(a.Began),
		}}})
	}
	for _, r := range dump.Runs {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Run{Run: runToProto(r)}})
	}
	for _, k := range dump.Keys {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Key{Key: &rinkpb.SubmitKey{
			Key: k.Key, At: api.TimeToProto(k.At), Jobs: numbers(k.Jobs), Run: k.Run,
		}}})
	}
	for _, r := range dump.Reservations {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Reservation{Reservation: api.ReservationToProto(r)}})
	}
	for _, k := range dump.StepKeys {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_StepKey{StepKey: &rinkpb.StepKey{
			Key: k.Key, At: api.TimeToProto(k.At), Job: uint32(k.Job), Step: uint32(k.Step),
		}}})
	}
	for _, t := range dump.Tokens {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Token{Token: &rinkpb.AddToken{
			Hash: t.Hash, Role: t.Role, Name: t.Name, Expires: api.TimeToProto(t.Expires),
		}}})
	}
	for _, c := range dump.Crontabs {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Crontab{Crontab: &rinkpb.Crontab{Uid: c.UID, User: c.User, Text: c.Text, Jobs: numbers(c.Jobs)}}})
	}
	for _, t := range dump.Triggers {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Trigger{Trigger: api.TriggerToProto(t)}})
	}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Accounts{Accounts: api.AccountTablesToProto(&dump.Accounts)}})
	for _, t := range dump.Transactions {
		w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Transaction{Transaction: api.TransactionToProto(t)}})
	}
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Spent{Spent: api.SpentToProto(&dump.Spent)}})
	w.put(&rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_End{End: &rinkpb.SnapshotEnd{Parts: w.parts, Crc32C: w.crc}}})
	if w.err != nil {
		return w.err
	}
	return w.w.Flush()
}

// specWriter remembers which job was written with a spec.
type specWriter map[any]uint32

func (s specWriter) part(j *sched.Job) *rinkpb.SnapshotPart {
	if j.Spec == nil || s == nil {
		return &rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Job{Job: api.JobToProto(j)}}
	}
	first, ok := s[j.Spec]
	if !ok {
		s[j.Spec] = uint32(j.ID)
		return &rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Job{Job: api.JobToProto(j)}}
	}
	bare := *j
	bare.Spec = nil
	return &rinkpb.SnapshotPart{Part: &rinkpb.SnapshotPart_Job{Job: api.JobToProto(&bare)}, SpecOf: first}
}

// partReader reads parts and knows where it is.
type partReader struct {
	r     *bufio.Reader
	buf   []byte
	crc   uint32
	parts uint64
	at    int64
}

// next reads a part. crc is the checksum of all bytes before it.
func (r *partReader) next(p *rinkpb.SnapshotPart) (crc uint32, err error) {
	crc = r.crc
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: part %d, at byte %d: %w", ErrDamaged, r.parts, r.at, fmt.Errorf(format, args...))
	}
	var length [4]byte
	if n, err := io.ReadFull(r.r, length[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return crc, wrong("truncated: %d bytes of a length, and no end before", n)
	} else if err != nil {
		return crc, wrong("%w", err)
	}
	size := int(binary.LittleEndian.Uint32(length[:]))
	if size > maxPart {
		return crc, wrong("a length of %d, the bound is %d", size, maxPart)
	}
	// A damaged length is no reason to take that much memory before the bytes
	// are there.
	r.buf = r.buf[:0]
	for len(r.buf) < size {
		have := len(r.buf)
		step := min(size-have, 1<<20)
		if cap(r.buf) < have+step {
			r.buf = append(make([]byte, 0, min(size, 2*(have+step))), r.buf...)
		}
		n, err := io.ReadFull(r.r, r.buf[have:have+step])
		r.buf = r.buf[:have+n]
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return crc, wrong("truncated: %d bytes of %d", len(r.buf), size)
		} else if err != nil {
			return crc, wrong("%w", err)
		}
	}
	r.crc = crc32.Update(crc32.Update(r.crc, castagnoli(), length[:]), castagnoli(), r.buf)
	if err := proto.Unmarshal(r.buf, p); err != nil {
		return crc, wrong("%w", err)
	}
	r.parts++
	r.at += int64(4 + size)
	return crc, nil
}

// readSnapshot reads what writeSnapshot wrote. Anything else is refused with
// the place where it went wrong.
func readSnapshot(in io.Reader) (snapshotHead, *state.Dump, error) {
	r := &partReader{r: bufio.NewReaderSize(in, 256<<10)}
	head, dump := snapshotHead{}, &state.Dump{}
	specs := map[uint32]*sched.Job{} // jobs that came with their spec
	for {
		where, part := r.at, &rinkpb.SnapshotPart{}
		crc, err := r.next(part)
		if err != nil {
			return head, nil, err
		}
		if _, ok := part.Part.(*rinkpb.SnapshotPart_Head); ok != (r.parts == 1) {
			return head, nil, fmt.Errorf("%w: part %d, at byte %d: the head must come first, and once", ErrDamaged, r.parts-1, where)
		}
		if end, ok := part.Part.(*rinkpb.SnapshotPart_End); ok {
			if end.End.Parts != r.parts-1 || end.End.Crc32C != crc {
				return head, nil, fmt.Errorf("%w: the end tells of %d parts with checksum %08x, there are %d with %08x",
					ErrDamaged, end.End.Parts, end.End.Crc32C, r.parts-1, crc)
			}
			if _, err := r.r.ReadByte(); err != io.EOF {
				return head, nil, fmt.Errorf("%w: there is more after the end, at byte %d", ErrDamaged, r.at)
			}
			return head, dump, nil
		}
		if err := addPart(&head, dump, specs, part); err != nil {
			return head, nil, fmt.Errorf("part %d, at byte %d: %w", r.parts-1, where, err)
		}
	}
}

// addPart puts one part into dump. specs holds the jobs whose specs later ones
// may refer to.
func addPart(head *snapshotHead, dump *state.Dump, specs map[uint32]*sched.Job, part *rinkpb.SnapshotPart) error {
	switch p := part.Part.(type) {
	case *rinkpb.SnapshotPart_Head:
		h := p.Head
		if err := checkFormat("the snapshot", h.GetFormat(), snapshotFormat); err != nil {
			return err
		}
		*head = snapshotHead{index: h.Index, at: api.TimeFromProto(h.At), cluster: h.Cluster}
		dump.Cluster, dump.Index, dump.RunDay, dump.RunSeq = h.Cluster, h.Index, h.RunDay, h.RunSeq
		setNumber(&dump.NextJob, h.NextJob)
		dump.NextTransaction = h.NextTransaction
		dump.NextResv, dump.NextTrigger = h.NextReservation, h.NextTrigger
		dump.Level = h.Level
	case *rinkpb.SnapshotPart_Config:
		dump.Files = append(dump.Files, state.ConfigFile{Name: p.Config.GetName(), Text: p.Config.GetText()})
	case *rinkpb.SnapshotPart_Partition:
		v, err := api.PartitionFromProto(p.Partition)
		if err != nil {
			return err
		}
		dump.Partitions = append(dump.Partitions, v)
	case *rinkpb.SnapshotPart_Node:
		v, err := api.NodeFromProto(p.Node)
		if err != nil {
			return err
		}
		dump.Nodes = append(dump.Nodes, v)
	case *rinkpb.SnapshotPart_Blob:
		dump.Blobs = append(dump.Blobs, blobFromProto(p.Blob))
	case *rinkpb.SnapshotPart_Job:
		v, err := api.JobFromProto(p.Job)
		if err != nil {
			return err
		}
		if of := part.SpecOf; of != 0 {
			first := specs[of]
			if first == nil {
				return fmt.Errorf("%w: job %d has the spec of job %d, which is not there", ErrDamaged, v.ID, of)
			}
			v.Spec = first.Spec
		} else {
			specs[uint32(v.ID)] = v
		}
		dump.Jobs = append(dump.Jobs, v)
	case *rinkpb.SnapshotPart_Array:
		a := state.ArrayPast{NotOK: int(p.Array.GetNotOk()), Began: api.TimeFromProto(p.Array.GetBegan())}
		setNumber(&a.Array, p.Array.GetArray())
		dump.Arrays = append(dump.Arrays, a)
	case *rinkpb.SnapshotPart_Run:
		dump.Runs = append(dump.Runs, runFromProto(p.Run))
	case *rinkpb.SnapshotPart_Key:
		k := &state.SubmitKey{Key: p.Key.GetKey(), At: api.TimeFromProto(p.Key.GetAt()), Run: p.Key.GetRun()}
		setNumbers(&k.Jobs, p.Key.GetJobs())
		dump.Keys = append(dump.Keys, k)
	case *rinkpb.SnapshotPart_StepKey:
		k := &state.StepKey{Key: p.StepKey.GetKey(), At: api.TimeFromProto(p.StepKey.GetAt())}
		setNumber(&k.Job, p.StepKey.GetJob())
		setNumber(&k.Step, p.StepKey.GetStep())
		dump.StepKeys = append(dump.StepKeys, k)
	case *rinkpb.SnapshotPart_Reservation:
		r, err := api.ReservationFromProto(p.Reservation)
		if err != nil {
			return err
		}
		dump.Reservations = append(dump.Reservations, r)
	case *rinkpb.SnapshotPart_Token:
		t := p.Token
		dump.Tokens = append(dump.Tokens, &state.Token{Hash: t.GetHash(), Role: t.GetRole(), Name: t.GetName(), Expires: api.TimeFromProto(t.GetExpires())})
	case *rinkpb.SnapshotPart_Crontab:
		c := &state.Crontab{UID: p.Crontab.GetUid(), User: p.Crontab.GetUser(), Text: p.Crontab.GetText()}
		setNumbers(&c.Jobs, p.Crontab.GetJobs())
		dump.Crontabs = append(dump.Crontabs, c)
	case *rinkpb.SnapshotPart_Trigger:
		dump.Triggers = append(dump.Triggers, api.TriggerFromProto(p.Trigger))
	case *rinkpb.SnapshotPart_Accounts:
		t, err := api.AccountTablesFromProto(p.Accounts)
		if err != nil {
			return err
		}
		dump.Accounts = *t
	case *rinkpb.SnapshotPart_Spent:
		dump.Spent = api.SpentFromProto(p.Spent)
	case *rinkpb.SnapshotPart_Transaction:
		dump.Transactions = append(dump.Transactions, api.TransactionFromProto(p.Transaction))
	default:
		return fmt.Errorf("%w: a kind of part this version does not know", ErrNewer)
	}
	return nil
}

func runToProto(r *state.RunRecord) *rinkpb.RunRecord {
	return &rinkpb.RunRecord{Id: r.ID, Name: r.Name, User: r.User, Submit: api.TimeToProto(r.Submit), Stages: r.Stages, Jobs: numbers(r.Jobs)}
}

func runFromProto(p *rinkpb.RunRecord) *state.RunRecord {
	r := &state.RunRecord{ID: p.GetId(), Name: p.GetName(), User: p.GetUser(), Submit: api.TimeFromProto(p.GetSubmit()), Stages: p.GetStages()}
	setNumbers(&r.Jobs, p.GetJobs())
	return r
}

func blobFromProto(p *rinkpb.Blob) state.Blob {
	b := state.Blob{Data: p.GetData()}
	setText(&b.ID, p.GetId())
	return b
}

// The types of package slurm are named through what they are assigned to.

func setNumber[T ~uint32](to *T, v uint32) { *to = T(v) }

func setText[T ~string](to *T, v string) { *to = T(v) }

func setNumbers[T ~uint32](to *[]T, v []uint32) {
	if len(v) == 0 {
		return
	}
	*to = make([]T, len(v))
	for i, n := range v {
		(*to)[i] = T(n)
	}
}

func setTexts[T ~string](to *[]T, v []string) {
	if len(v) == 0 {
		return
	}
	*to = make([]T, len(v))
	for i, s := range v {
		(*to)[i] = T(s)
	}
}

func numbers[T ~uint32](v []T) []uint32 {
	if len(v) == 0 {
		return nil
	}
	out := make([]uint32, len(v))
	for i, n := range v {
		out[i] = uint32(n)
	}
	return out
}

func texts[T ~string](v []T) []string {
	if len(v) == 0 {
		return nil
	}
	out := make([]string, len(v))
	for i, s := range v {
		out[i] = string(s)
	}
	return out
}
