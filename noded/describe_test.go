package noded

import (
	"regexp"
	"testing"
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
