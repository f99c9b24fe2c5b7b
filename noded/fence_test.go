package noded

import (
	"os"
	"path/filepath"
	"testing"
)

// An order of a leader of the past is refused, also by the next agent of the node.
func TestOrdersOfThePastAreRefused(t *testing.T) {
	dir := t.TempDir()
	f, err := openFence(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		term uint64
		pass bool
	}{{3, true}, {3, true}, {2, false}, {7, true}, {6, false}, {7, true}} {
		if err := f.pass(c.term); (err == nil) != c.pass {
			t.Errorf("an order of term %d: %v", c.term, err)
		}
	}
	again, err := openFence(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.pass(6) == nil || again.pass(7) != nil {
		t.Error("the next agent does not keep to the newest term")
	}
	if err := os.WriteFile(filepath.Join(dir, "term"), []byte("seven"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openFence(dir); err == nil {
		t.Error("a spool whose term cannot be read is taken")
	}
}

// The order of an earlier incarnation of a job starts nothing once a later one was
// here, whether that runs or has ended.
func TestOrdersOfAnEarlierIncarnationStartNothing(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := func(restarts uint32, script string) {
		o := batch(t, 11, dir, script)
		o.Here.Restarts = restarts
		r.launchJob(r.work, o)
	}
	gate := filepath.Join(dir, "gate")
	order(1, "echo 1 >>runs; until [ -e gate ]; do sleep 0.02; done")
	eventually(t, "the second incarnation runs", func() bool { text, _ := os.ReadFile(filepath.Join(dir, "runs")); return len(text) > 0 })
	order(0, "echo 0 >>runs")
	if r.find(jobKey{11, 0}) != nil {
		t.Error("the first incarnation is taken while the second runs")
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is free", func() bool { return len(r.kept(isNodeDone)) == 1 })
	eventually(t, "it is forgotten", func() bool { return r.find(jobKey{11, 1}) == nil })
	order(0, "echo 0 >>runs")
	order(1, "echo 1 >>runs")
	if r.find(jobKey{11, 0}) != nil || r.find(jobKey{11, 1}) != nil {
		t.Error("what is over is taken again")
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "runs")); string(text) != "1\n" {
		t.Errorf("what ran is %q", text)
	}
}
