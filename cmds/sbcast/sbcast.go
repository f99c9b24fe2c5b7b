// Package sbcast is the command that copies a file to all nodes of a job.
package sbcast

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/lz4"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

//go:embed help.txt
var helpText string

const usageText = "Usage: sbcast [--exclude] [-CfFjpvV] [--send-libs] SOURCE DEST\n"

// failure is the exit status of what went wrong here; what went wrong on a node
// has its error's number.
const failure = 255

// Run is the command; it returns the exit status.
func Run(env *cli.Env) int {
	o, err := parse(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	if strings.HasSuffix(o.dest, "/") {
		env.Errorf("Target filename cannot be a directory.")
		return 1
	}
	s := &sender{env: env, o: o}
	defer s.close()
	if o.verbose > 0 {
		s.tellOptions()
	}
	if o.dest, err = filepath.Abs(o.dest); err != nil {
		env.Errorf("%v", err)
		return failure
	}
	src, info, code := s.open(o.source)
	if code != 0 {
		return code
	}
	defer src.Close()
	s.tellFile(info)
	if code := s.lookUp(); code != 0 {
		return code
	}
	if info.Size() == 0 {
		env.Errorf("Warning: file `%s` is empty.", o.source)
	}
	if code := s.send(src, info, o.dest); code != 0 || !o.libs {
		return code
	}
	return s.sendLibraries()
}

// sender sends files to the nodes of one job.
type sender struct {
	env    *cli.Env
	o      *options
	client *cli.Client // nil until connect
	libs   string      // where libraries lie that are not sent; "" until it is known
}

func (s *sender) connect() (err error) {
	if s.client == nil {
		s.client, err = cli.Connect(s.env)
	}
	return err
}

func (s *sender) close() {
	if s.client != nil {
		s.client.Close()
	}
}

// tell prints what only --verbose wants to know.
func (s *sender) tell(format string, args ...any) {
	if s.o.verbose > 0 {
		s.env.Infof(format, args...)
	}
}

const rule = "-----------------------------"

func (s *sender) tellOptions() {
	o := s.o
	compress := 0
	if o.compress != "" {
		compress = 2 // the number Slurm has for lz4
	}
	exclude, err := s.exclusions()
	if err != nil {
		exclude = "" // the trouble shows when the job is looked up
	}
	s.tell(rule)
	s.tell("block_size = %d", o.block)
	s.tell("compress   = %d", compress)
	s.tell("exclude    = %s", exclude)
	s.tell("force      = %v", o.force)
	s.tell("fanout     = %d", o.fanout)
	s.tell("preserve   = %v", o.preserve)
	s.tell("send_libs  = %v", o.libs)
	s.tell("timeout    = %d", o.timeout*1000)
	s.tell("verbose    = %d", o.verbose)
	s.tell("source     = %s", o.source)
	s.tell("dest       = %s", o.dest)
	s.tell(rule)
}

// open opens a file that can be sent.
func (s *sender) open(name string) (*os.File, os.FileInfo, int) {
	f, err := os.Open(name)
	if err != nil {
		s.env.Errorf("Can't open `%s`: %s", name, reason(err))
		return nil, nil, failure
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		s.env.Errorf("Can't stat `%s`: %s", name, reason(err))
	case !info.Mode().IsRegular():
		s.env.Errorf("Can't mmap file `%s`, No such device.", name)
	default:
		return f, info, 0
	}
	f.Close()
	return nil, nil, failure
}

// reason is an error's own words, as the C library has them.
func reason(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

func (s *sender) tellFile(info os.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || s.o.verbose == 0 {
		return
	}
	when := func(t syscall.Timespec) string {
		return time.Unix(t.Unix()).In(s.env.Now().Location()).Format("Mon Jan 02 15:04:05 2006")
	}
	s.tell("modes    = %o", st.Mode)
	s.tell("uid      = %d", st.Uid)
	s.tell("gid      = %d", st.Gid)
	s.tell("atime    = %s", when(st.Atim))
	s.tell("mtime    = %s", when(st.Mtim))
	s.tell("ctime    = %s", when(st.Ctim))
	s.tell("size     = %d", st.Size)
}

// lookUp asks whether the job has nodes to send to.
func (s *sender) lookUp() int {
	name := "0"
	if !s.o.badRef {
		name = s.o.ref.String()
	}
	trouble := func(err error) int {
		s.env.Errorf("Slurm job %s lookup error: %s", name, cli.Reason(err))
		return failure
	}
	if err := s.connect(); err != nil {
		return trouble(err)
	}
	ctx, cancel := s.env.Call(show.CallLimit())
	defer cancel()
	stream, err := s.client.Bcast(ctx)
	var reply *rinkpb.BcastReply
	if err == nil {
		stream.Send(&rinkpb.BcastUp{File: &rinkpb.BcastFile{Ref: api.JobRefToProto(s.o.ref), Resolve: true}}) // trouble shows below
		if reply, err = stream.CloseAndRecv(); err == nil {
			err = cli.StatusErr(reply.Status)
		}
	}
	if err != nil {
		return trouble(cli.CallErr(err))
	}
	nodes := make([]sched.NodeName, len(reply.Outcomes))
	for i, n := range reply.Outcomes {
		nodes[i] = sched.NodeName(n.Node)
	}
	s.tell("jobid      = %s", s.o.ref.Job)
	s.tell("node_list  = %s", show.CompressNodes(nodes))
	return 0
}

// send sends one file and says what the nodes have against it.
func (s *sender) send(src io.Reader, info os.FileInfo, dest string) int {
	f := s.file(dest)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Mode, f.Atime, f.Mtime = st.Mode, st.Atim.Nano(), st.Mtim.Nano()
	}
	return s.transfer(f, src)
}

// file is what is told of any file.
func (s *sender) file(dest string) *rinkpb.BcastFile {
	return &rinkpb.BcastFile{
		Ref: api.JobRefToProto(s.o.ref), Dest: dest, Force: s.o.force, Preserve: s.o.preserve, Compress: s.o.compress,
		Fanout: int32(s.o.fanout), Timeout: int64(s.o.timeout),
	}
}

func (s *sender) transfer(f *rinkpb.BcastFile, src io.Reader) int {
	trouble := func(err error) int {
		s.env.Errorf("REQUEST_FILE_BCAST: %s", cli.Reason(err))
		return failure
	}
	stream, err := s.client.Bcast(s.env.Ctx)
	if err != nil {
		return trouble(cli.CallErr(err))
	}
	if err := s.blocks(stream, f, src); err != nil && !errors.Is(err, io.EOF) {
		return trouble(err)
	}
	reply, err := stream.CloseAndRecv()
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return trouble(cli.CallErr(err))
	}
	code := 0
	for _, n := range reply.Outcomes {
		if n.Error == "" {
			continue
		}
		s.env.Errorf("REQUEST_FILE_BCAST(%s): %s", n.Node, n.Error)
		if code = int(n.Errno) & 0xff; code == 0 {
			code = failure
		}
	}
	return code
}

// blocks sends what the file is, its blocks, and its end. io.EOF: the other side
// wants no more, and says why.
func (s *sender) blocks(stream rinkpb.Exchange[rinkpb.BcastUp, rinkpb.BcastReply], f *rinkpb.BcastFile, src io.Reader) error {
	if err := stream.Send(&rinkpb.BcastUp{File: f}); err != nil {
		return err
	}
	began, before, after := time.Now(), int64(0), int64(0)
	buf := make([]byte, s.o.block)
	for number := 1; src != nil; number++ {
		n, err := io.ReadFull(src, buf)
		if n > 0 {
			m := &rinkpb.BcastUp{Block: buf[:n], Size: int64(n)}
			if f.Compress != "" {
				m.Block = lz4.Pack(nil, buf[:n])
			}
			before, after = before+int64(n), after+int64(len(m.Block))
			if s.o.verbose > 1 {
				s.env.Infof("debug:  block %d, size %d", number, len(m.Block))
			}
			if err := stream.Send(m); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read `%s`: %s", s.o.source, reason(err))
		}
	}
	if f.Compress != "" && before > 0 {
		s.tell("File compressed from %d to %d (%d percent) in %d usec", before, after, (before-after)*100/before, time.Since(began).Microseconds())
	}
	return stream.Send(&rinkpb.BcastUp{End: true})
}
