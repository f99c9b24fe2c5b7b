package noded

import (
	"regexp"
	"testing"

	"github.com/runink/rink/slurm"
)

func TestDescribeIsALineOfSlurmConf(t *testing.T) {
	text, err := Describe("vm.example.org")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^NodeName=vm CPUs=[1-9]\d* Boards=1 SocketsPerBoard=[1-9]\d* CoresPerSocket=[1-9]\d* ThreadsPerCore=[1-9]\d* RealMemory=[1-9]\d*( Gres=\S+)?\nUpTime=\d+-\d\d:\d\d:\d\d\n$`)
	if !want.MatchString(text) {
		t.Errorf("%q", text)
	}
}

// The temporary disk that a node has is that of TmpFS.
func TestTmpFS(t *testing.T) {
	a := &Agent{gear: &gear{}, spool: &spool{}, conf: Config{Conf: &slurm.Conf{TmpFS: "/proc"}, Node: "n1"}}
	if f := a.found(); f.TmpDisk != 0 {
		t.Errorf("/proc has %d MB of disk", f.TmpDisk)
	}
	a.conf.Conf = &slurm.Conf{}
	if f := a.found(); f.TmpDisk == 0 {
		t.Error("/tmp has no disk")
	}
}
