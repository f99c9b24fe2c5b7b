package cmds_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/ctld"
)

// A controller of a rig is this program again, and asks before each write of its log
// whether the disk is to fail: by a file of the rig that bears its name.

// diskFaults is the variable that says where those files are.
const diskFaults = "RINK_FAULT_DISKS"

// smallSnapshots is the variable that has a controller take snapshots after so many log
// records, and keep a tenth of them for those that lag.
const smallSnapshots = "RINK_FAULT_SNAPSHOTS"

// barnOf is what the variables say of a controller's barn.
func barnOf(args []string) ctld.BarnForTests {
	b := ctld.BarnForTests{WriteFault: writeFault(args)}
	if n, err := strconv.Atoi(os.Getenv(smallSnapshots)); err == nil {
		b.SnapshotRecords, b.TrailingRecords, b.SnapshotEvery = uint64(n), uint64(n/10), 500*time.Millisecond
	}
	return b
}

// slowDisk is how long a write of a slow disk takes: longer than a leader may take.
const slowDisk = 1500 * time.Millisecond

// writeFault is what a controller's log is to ask; nil: its disk is well.
func writeFault(args []string) func(op string) error {
	dir := os.Getenv(diskFaults)
	if dir == "" {
		return nil
	}
	name := ""
	for i, arg := range args {
		if arg == "--name" && i+1 < len(args) {
			name = args[i+1]
		}
	}
	path := filepath.Join(dir, name)
	return func(op string) error {
		trouble, err := os.ReadFile(path)
		if err != nil {
			return nil // it is well
		}
		if hits, err := os.OpenFile(path+".hits", os.O_APPEND|os.O_WRONLY, 0); err == nil {
			hits.WriteString(op + "\n")
			hits.Close()
		}
		switch string(trouble) {
		case "fails":
			return syscall.EIO
		case "full":
			return syscall.ENOSPC
		case "slow":
			time.Sleep(slowDisk)
		}
		return nil
	}
}

// troubleDisk has the log of a controller in trouble for a while: fails, full or slow.
// It reports whether a write met with it.
func (r *rig) troubleDisk(name, trouble string, span time.Duration) bool {
	path := r.beginTrouble(name, trouble)
	time.Sleep(span)
	return r.endTrouble(path, name, trouble)
}

func (r *rig) beginTrouble(name, trouble string) string {
	path := filepath.Join(r.dir, "disks", name)
	if err := os.WriteFile(path+".hits", nil, 0o644); err != nil {
		r.t.Error(err)
	}
	// Its name is there when the word is in it.
	if err := os.WriteFile(path+".new", []byte(trouble), 0o644); err != nil {
		r.t.Error(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		r.t.Error(err)
	}
	return path
}

func (r *rig) endTrouble(path, name, trouble string) bool {
	if err := os.Remove(path); err != nil {
		r.t.Error(err)
	}
	hits, err := os.ReadFile(path + ".hits")
	if err != nil {
		r.t.Error(err)
	}
	n := strings.Count(string(hits), "\n")
	r.say("the disk of %s was %s to %d writes", name, trouble, n)
	return n > 0
}

// failDisk has the disk of a controller fail for good. The controller is to end by
// itself, saying so; it is started again on another disk, with what the first one had.
func (r *rig) failDisk(name string, back time.Duration) bool {
	r.mu.Lock()
	p := r.procs[name]
	p.mayEnd = true
	r.mu.Unlock()
	path := r.beginTrouble(name, "fails")
	ended := false
	select {
	case <-p.done:
		ended = true
	case <-time.After(20 * time.Second):
	}
	met := r.endTrouble(path, name, "failing")
	switch {
	case ended:
		time.Sleep(back)
		if err := r.launch(name); err != nil {
			r.t.Error(err)
		}
		r.say("%s is back", name)
	case met:
		r.t.Errorf("%s goes on although its disk failed", name)
	default:
		r.mu.Lock()
		p.mayEnd = false
		r.mu.Unlock()
	}
	if ended && !met {
		r.t.Error(fmt.Errorf("%s ended before its disk failed", name))
	}
	return ended && met
}
