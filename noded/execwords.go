package noded

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
)

// execWords is neverRanWords with the program named as it was looked for, in a
// task's directory, and, when it is a script, with the interpreter that is not
// there.
func (a *Agent) execWords(j *job, e *slice.StartError, dir string) string {
	if e.Stage != slice.StageExec || !strings.Contains(e.Path, "/") {
		return neverRanWords(e)
	}
	named := *e
	if !filepath.IsAbs(e.Path) {
		named.Path = dir + "/" + e.Path // as it was given: Slurm does not shorten it
	}
	if e.Errno == syscall.ENOENT {
		if line := a.firstLineAs(j.here, named.Path); strings.HasPrefix(line, "#!") {
			program, _, _ := strings.Cut(strings.TrimSpace(line[2:]), " ")
			named.Path = fmt.Sprintf("bad interpreter(%s)", program)
		}
	}
	return neverRanWords(&named)
}

// firstLineAs reads the first line of a regular file with the rights of a job's
// user; "" when that cannot be done, or not soon.
func (a *Agent) firstLineAs(here *rinkpb.JobHere, path string) string {
	r, err := a.rightsOf(here)
	if err != nil {
		return ""
	}
	result := make(chan string, 1)
	go r.do(func() error { result <- firstLine(path); return nil }) // ends when the file system answers
	select {
	case line := <-result:
		return line
	case <-time.After(time.Second):
		return ""
	}
}

func firstLine(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	buf := make([]byte, 256)
	n, _ := io.ReadFull(f, buf)
	line, _, _ := bytes.Cut(buf[:n], []byte("\n"))
	return string(line)
}

// sigStreams is what Slurm notes as the signal that ended a script whose files
// could not be opened.
const sigStreams = 53

// isStream reports whether what failed was the opening of a task's files.
func isStream(s slice.Stage) bool {
	return s == slice.StageStdin || s == slice.StageStdout || s == slice.StageStderr
}

// scriptEnd is the exit code of a script that never ran.
func scriptEnd(e *slice.StartError) *rinkpb.ExitCode {
	if isStream(e.Stage) {
		return &rinkpb.ExitCode{Signal: sigStreams}
	}
	return neverRan(e)
}

// scriptFailed ends a job whose script could not be executed, or the files of
// which could not be opened: its user's fault, told as the script's own end
// and, where there is one, in its output.
func (a *Agent) scriptFailed(j *job, id string, e *slice.StartError) {
	j.mu.Lock()
	note := ""
	if r := j.slices[id]; r != nil && !isStream(e.Stage) {
		note = r.note
	}
	delete(j.slices, id)
	done := &rinkpb.JobDone{Job: j.key.job, Restarts: j.key.restarts, Exit: scriptEnd(e), Usage: &rinkpb.Usage{}, At: time.Now().UnixNano(), Error: e.Error()}
	j.batch = done
	j.mu.Unlock()
	if note != "" {
		written := make(chan error, 1)
		go func() { written <- a.appendAs(j.here, note, a.execWords(j, e, j.here.WorkDir)+"\n") }() // ends when the file system answers
		select {
		case err := <-written:
			if err != nil {
				a.log.Debug("cannot say why a script does not run", "file", note, "error", err)
			}
		case <-time.After(time.Second):
		}
	}
	a.report(&rinkpb.Report{Report: &rinkpb.Report_Done{Done: done}})
	if err := a.spool.put(j.key, "done", done); err != nil {
		a.log.Error("cannot keep how a job ended", "job", j.key.job, "error", err)
	}
	a.endJob(j, 0, true, "")
}
