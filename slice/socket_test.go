package slice

import (
	"os"
	"testing"
)

// A task finds the socket that its variable names, and what it writes there
// comes out of the other end.
func TestTaskHasASocket(t *testing.T) {
	const bash = "/bin/bash" // which knows descriptors of two digits
	if _, err := os.Stat(bash); err != nil {
		t.Skip(err)
	}
	h := testHost(t)
	spec := shell(`read -r word <&$MINE && echo "got $word" >&$MINE`, "/dev/null")
	spec.Tasks[0].Env = append(spec.Tasks[0].Env, "MINE=nothing")
	spec.Tasks[0].Argv[0] = bash
	spec.Tasks[0].SocketEnv = "MINE"
	s := start(t, h, spec)
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	defer files[0].Socket.Close()
	if _, err := files[0].Socket.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, _ := files[0].Socket.Read(buf)
	if got := string(buf[:n]); got != "got hello\n" {
		t.Errorf("got %q", got)
	}
	if exit := s.Wait(); exit.Tasks[0].Status != 0 {
		t.Errorf("ended with %v", exit.Tasks[0].Status)
	}
}
