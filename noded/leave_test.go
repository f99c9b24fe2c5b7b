package noded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// A node that a job gave back is another's at once: what is sent there does not start
// before the first is gone.
func TestWhatComesInThePlaceOfALeaverWaits(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	mark := filepath.Join(dir, "gone")
	epilog := filepath.Join(dir, "epilog")
	if err := os.WriteFile(epilog, []byte("#!/bin/sh\nsleep 0.3\ntouch "+mark+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.conf.Conf.Epilog = []string{epilog}
	r.launchStep(r.work, step(t, 21, 0, dir, "trap '' TERM; touch up; sleep 60"))
	eventually(t, "the first runs", func() bool { _, err := os.Stat(filepath.Join(dir, "up")); return err == nil })
	r.endHere(&rinkpb.EndJobHere{Job: 21, Now: true, Left: true})
	r.launchJob(r.work, batch(t, 22, dir, "ls "+mark))
	eventually(t, "the second ended", func() bool { return len(r.kept(isBatchDone)) == 1 })
	if exit := r.kept(isBatchDone)[0].GetDone().Exit; exit.Code != 0 || exit.Signal != 0 {
		t.Errorf("the second began while something of the first was there: %v", exit)
	}

	// Two that are both told to leave do not wait for each other.
	os.WriteFile(epilog, []byte("#!/bin/sh\nsleep 0.1\n"), 0o755)
	for id := uint32(23); id < 25; id++ {
		r.launchStep(r.work, step(t, id, 0, dir, "sleep 60"))
		r.endHere(&rinkpb.EndJobHere{Job: id, Now: true, Left: true})
	}
	began := time.Now()
	eventually(t, "both are gone", func() bool { return r.find(jobKey{23, 0}) == nil && r.find(jobKey{24, 0}) == nil })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	eventually(t, "nobody is on the way out", func() bool { return r.leaving.Load() == 0 })
}
