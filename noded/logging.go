package noded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/noded/logs"
	"github.com/runink/rink/slice"
)

// openLogs opens the way of jobs' output to the collector of LogForward; nil when
// there is none.
func (a *Agent) openLogs() (*logs.Shipper, error) {
	conf := a.conf.Conf
	if conf.LogForward == "" {
		return nil, nil
	}
	if conf.LogForwardRoom <= 0 {
		return nil, fmt.Errorf("LogForwardRoom=%d: is not a number of megabytes above 0", conf.LogForwardRoom)
	}
	return logs.New(logs.Options{
		Dir: filepath.Join(a.conf.Spool, "logs"), Address: conf.LogForward, Tag: conf.LogForwardTag, Room: int64(conf.LogForwardRoom) << 20,
		Open: a.openOutput, Log: a.log,
	})
}

// openOutput opens a job's output with the rights of the one who writes it.
func (a *Agent) openOutput(src *logs.Source) (*os.File, error) {
	user, err := a.rightsOfID(src.UID, src.GID)
	if err != nil {
		return nil, err
	}
	return as(user, func() (*os.File, error) {
		f, err := os.OpenFile(src.Path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			f.Close()
			return nil, errors.Join(err, errors.New("it is not a regular file"))
		}
		return f, nil
	})
}

// logMeta says whose the output of a slice's task is.
func (a *Agent) logMeta(j *job, step string, task int32, stream string) logs.Meta {
	return logs.Meta{
		Job: j.key.job, Restarts: j.key.restarts, Step: step, Task: task, Node: a.conf.Node, Herd: j.here.Partition, User: j.here.User, Stream: stream,
	}
}

// logFiles follows the files that the tasks of a slice write. It is told before the
// slice starts, so that where its output begins is known and kept, and the files
// are read from when it has.
func (a *Agent) logFiles(j *job, r *running, spec *slice.Spec) []logs.Source {
	if a.logs == nil || r == nil {
		return nil
	}
	uses := map[string]int{}
	each := func(do func(i int, stream, path string, st slice.Stream)) {
		for i := range spec.Tasks {
			t := &spec.Tasks[i]
			for _, s := range []struct {
				name string
				st   slice.Stream
			}{{"stdout", t.Stdout}, {"stderr", t.Stderr}} {
				path := s.st.Path
				if s.st.Kind != slice.StreamFile {
					continue
				}
				if !filepath.IsAbs(path) {
					path = filepath.Join(t.Dir, path)
				}
				do(i, s.name, onHost(spec, filepath.Clean(path)), s.st)
			}
		}
	}
	each(func(_ int, _, path string, _ slice.Stream) { uses[path]++ })
	var out []logs.Source
	seen := map[string]bool{}
	each(func(i int, stream, path string, st slice.Stream) {
		if seen[path] {
			return
		}
		seen[path] = true
		task := int32(-1)
		if r.step != nil && uses[path] == 1 {
			task = r.step.Tasks[i].Rank
		}
		src := logs.Source{Meta: a.logMeta(j, r.stepName(), task, stream), Path: path, UID: j.here.Uid, GID: j.here.Gid}
		if st.Append {
			if file, err := a.openOutput(&src); err == nil {
				if info, err := file.Stat(); err == nil {
					src.Start = info.Size()
				}
				file.Close()
			}
		}
		out = append(out, src)
	})
	return out
}

// onHost is where this machine has what a slice with a /tmp of its own sees there.
func onHost(spec *slice.Spec, path string) string {
	for _, tmp := range []string{"/tmp/", "/var/tmp/"} {
		if rest, ok := strings.CutPrefix(path, tmp); ok && spec.PrivateTmp != "" {
			return filepath.Join(spec.PrivateTmp, rest)
		}
	}
	return path
}

// stepName is what the slice is called in records.
func (r *running) stepName() string {
	if r.step == nil {
		return "batch"
	}
	return strconv.FormatUint(uint64(r.step.Step), 10)
}

// logSources follows files, or goes on doing so.
func (a *Agent) logSources(list []logs.Source) {
	for _, src := range list {
		a.logs.Follow(src)
	}
}

// logOutput passes on output that goes to srun alone.
func (a *Agent) logOutput(t *taskIO, rank, stream int32, data []byte) {
	if a.logs == nil {
		return
	}
	name := "stdout"
	if stream == 2 {
		name = "stderr"
	}
	a.logs.Write(a.logMeta(t.job, strconv.FormatUint(uint64(t.order.Step), 10), rank, name), data)
}

// logEnded says that a slice writes no more.
func (a *Agent) logEnded(id string) {
	if a.logs == nil {
		return
	}
	if k, _, _, ok := parseSliceID(id); ok {
		a.logs.Finish(k.job, k.restarts, id[strings.LastIndexByte(id, '.')+1:])
	}
}
