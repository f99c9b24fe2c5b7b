package noded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/journal"
)

// outfile keeps what a step's srun is to have and does not have yet, and what no
// later agent could find out again. The kernel moves output from a task's pipe
// into a file in one call: an agent that is killed has done it or has not, and
// no byte is in its memory alone. Whose the bytes are, and where they begin, is
// in the journal before they are moved; when they are there, so is that.
//
// The file is made when there is output and removed with the step. Its owner
// sees to it that one thing is done at a time.
type outfile struct {
	kept  *journal.Journal
	group string
	path  string
	file  *os.File
	end   int64  // where what is moved next comes
	freed int64  // up to where the file's room was given back
	next  string // what the journal says of what is moved next
}

const (
	nextName = "next"  // the journal's record of what is moved next
	freeSize = 4 << 20 // the file's room is given back in parts of this size
)

// open takes up the messages that a former agent kept, in order; one without a
// number was moved, and not yet listed.
func (o *outfile) open(kept *journal.Journal, group, path string) ([]*rinkpb.StepDown, error) {
	o.kept, o.group, o.path = kept, group, path
	names := kept.Names(group)
	if len(names) == 0 {
		return nil, nil
	}
	var err error
	if o.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		if o.file = nil; !errors.Is(err, fs.ErrNotExist) { // it is not there when there were words alone
			return nil, err
		}
	}
	var list []*rinkpb.StepDown
	next := &rinkpb.TaskOutput{}
	for _, name := range names {
		data, _, err := kept.Get(group, name)
		if err != nil {
			return list, err
		}
		m := &rinkpb.StepDown{}
		into := proto.Message(m)
		if name == nextName {
			into, o.next = next, string(data)
		}
		if err := proto.Unmarshal(data, into); err != nil {
			return list, fmt.Errorf("message %s: %w", name, err)
		}
		if name == nextName {
			continue
		}
		if out := m.Output; out != nil && out.Length > 0 {
			if err := o.load(out); err != nil {
				return list, err
			}
			o.end = max(o.end, out.At+out.Length)
		}
		list = append(list, m)
	}
	o.end = max(o.end, next.At)
	if o.file == nil {
		return list, nil
	}
	info, err := o.file.Stat()
	if err != nil {
		return list, err
	}
	for o.end < info.Size() {
		out := &rinkpb.TaskOutput{Rank: next.Rank, Stream: next.Stream, At: o.end, Length: min(info.Size()-o.end, maxChunk)}
		if err := o.load(out); err != nil {
			return list, err
		}
		o.end += out.Length
		list = append(list, &rinkpb.StepDown{Output: out})
	}
	return list, nil
}

// load reads the bytes of a listed piece of output.
func (o *outfile) load(out *rinkpb.TaskOutput) error {
	if o.file == nil || out.Length > maxChunk {
		return fmt.Errorf("%d bytes of output of task %d are not there", out.Length, out.Rank)
	}
	out.Data = make([]byte, out.Length)
	if n, err := o.file.ReadAt(out.Data, out.At); err != nil {
		out.Data = out.Data[:n]
		return fmt.Errorf("output of task %d cannot be read again: %w", out.Rank, err)
	}
	return nil
}

// expect notes whose the next bytes are and where they will be.
func (o *outfile) expect(rank, stream int32, always bool) error {
	data, err := proto.Marshal(&rinkpb.TaskOutput{Rank: rank, Stream: stream, At: o.end})
	if err != nil {
		return err
	}
	if !always {
		// The pieces that are listed tell where it will be.
		was := &rinkpb.TaskOutput{}
		if proto.Unmarshal([]byte(o.next), was) == nil && was.Rank == rank && was.Stream == stream && o.next != "" {
			return nil
		}
	}
	if string(data) == o.next {
		return nil
	}
	if err := o.kept.Put(o.group, nextName, data); err != nil {
		return err
	}
	o.next = string(data)
	return nil
}

// move takes what there is of a task's output out of its pipe, without waiting;
// EAGAIN when there is nothing, and a Length of 0 at the end of the pipe. With an
// error and no piece everything is still in the pipe.
func (o *outfile) move(pipe int, rank, stream int32) (*rinkpb.TaskOutput, error) {
	if o.file == nil {
		file, err := os.OpenFile(o.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		o.file = file
	}
	if err := o.expect(rank, stream, false); err != nil {
		return nil, err
	}
	at := o.end
	var n int64
	var err error
	for {
		to := at
		if n, err = unix.Splice(pipe, nil, int(o.file.Fd()), &to, maxChunk, unix.SPLICE_F_NONBLOCK); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	out := &rinkpb.TaskOutput{Rank: rank, Stream: stream, At: at, Length: n}
	if n == 0 {
		return out, nil
	}
	o.end += n
	return out, o.load(out)
}

// once says that a message would not be found out again by another agent.
func once(m *rinkpb.StepDown) bool { return len(m.GetOutput().GetData()) > 0 || len(m.Messages) > 0 }

// keep lists a message that has its number.
func (o *outfile) keep(m *rinkpb.StepDown) error {
	if !once(m) {
		return nil
	}
	if m.Output != nil && m.Output.Length > 0 { // its bytes are in the file
		m = &rinkpb.StepDown{Seq: m.Seq, Output: &rinkpb.TaskOutput{Rank: m.Output.Rank, Stream: m.Output.Stream, At: m.Output.At, Length: m.Output.Length}}
	}
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return o.kept.Put(o.group, seqName(m.Seq), data)
}

// drop forgets a message.
func (o *outfile) drop(m *rinkpb.StepDown) {
	if !once(m) {
		return
	}
	if out := m.Output; out != nil && out.Length > 0 {
		// When nothing is listed any more the journal has to know where the next
		// piece begins, or what was dropped would be taken for it.
		if out.At+out.Length == o.end {
			o.expect(out.Rank, out.Stream, true)
		}
		if behind := out.At + out.Length - o.freed; behind >= freeSize {
			// A file system that cannot do it keeps the room until the end.
			if unix.Fallocate(int(o.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, o.freed, behind) == nil {
				o.freed += behind
			}
		}
	}
	o.kept.Drop(o.group, seqName(m.Seq))
}

// close forgets everything.
func (o *outfile) close() {
	o.kept.Drop(o.group, "")
	if o.file != nil {
		o.file.Close()
		os.Remove(o.path)
		o.file = nil
	}
}
