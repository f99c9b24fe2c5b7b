package srun

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// watchAfter is how old a step is before somebody watches over it: what is over sooner does not pay for it.
const watchAfter = 300 * time.Millisecond

// watchScript waits for a line, and cancels when there is none before the end of its input.
const watchScript = `read -r line || exec "$0" "$@"`

// cancelCommand is the command that cancels what, nil when it is not to be found: beside this executable, which may be
// called by any name, as a file of its own too.
func cancelCommand(what string) []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	for _, words := range [][]string{{"rcancel"}, {"rink", "scancel"}, {"scancel"}} {
		path := filepath.Join(filepath.Dir(exe), words[0])
		if _, err := os.Stat(path); err == nil {
			return append(append([]string{path}, words[1:]...), "-Q", what)
		}
	}
	return nil
}

// watchOver sees to it that what (a job or a step) is cancelled when this process is killed and cannot do so itself.
// A shell waits on the end of a pipe that nobody else holds, in a session of its own, so that what kills srun's whole
// group spares it. The function returned calls it off.
func (s *run) watchOver(what string) (over func()) {
	var mu sync.Mutex
	var ours *os.File
	called := false
	start := func() {
		mu.Lock()
		defer mu.Unlock()
		words := cancelCommand(what)
		if called || words == nil {
			return
		}
		its, own, err := os.Pipe()
		if err != nil {
			return
		}
		defer its.Close()
		cmd := exec.Command("/bin/sh", append([]string{"-c", watchScript}, words...)...)
		cmd.Stdin, cmd.Dir = its, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			own.Close() // a host without a shell: nobody watches
			return
		}
		go cmd.Wait() // ends with the shell, which ends with this process
		ours = own
	}
	timer := time.AfterFunc(watchAfter, start)
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		if called = true; ours != nil {
			ours.WriteString("over\n")
			ours.Close()
		}
	}
}
