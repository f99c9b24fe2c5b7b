package slice

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestNotesOfAllTasksAreTheFirsts has all that tasks say before they begin come out of the
// first one's pipe, if that has one and they have.
func TestNotesOfAllTasksAreTheFirsts(t *testing.T) {
	s := shell("read x", "")
	pipe := Stream{Kind: StreamPipe}
	s.Tasks[0].Stdin, s.Tasks[0].Stdout, s.Tasks[0].Stderr = pipe, pipe, pipe
	s.Tasks[0].Note = "one %d\n"
	s.Tasks = append(s.Tasks, s.Tasks[0], s.Tasks[0])
	s.Tasks[1].Note, s.Tasks[2].Note = "two %d\n", "three %d\n"
	s.Tasks[2].Stderr = Stream{Kind: StreamStdout}
	sl := start(t, testHost(t), s)
	files, err := sl.Files()
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		sl.CloseStdin(i)
		files[i].Stdin.Close()
	}
	sl.Wait()
	sl.CloseFiles()
	read := func(f *os.File) string {
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			t.Error(err)
		}
		return strings.Map(func(r rune) rune { // without the process ids
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, string(text))
	}
	if a, b, c := read(files[0].Stderr), read(files[1].Stderr), read(files[2].Stdout); a != "one \ntwo \n" || b != "" || c != "three \n" {
		t.Errorf("got %q, %q and %q", a, b, c)
	}
}
