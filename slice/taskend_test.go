package slice

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTaskEndsAreToldAsTheyHappen(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	s := shell("exit 3", dir+"/a")
	long := shell("sleep 60", dir+"/b").Tasks[0]
	broken := shell("", dir+"/c").Tasks[0]
	broken.Argv = []string{"/nonexistent"}
	s.Tasks = append(s.Tasks, long, broken)
	sl := start(t, h, s)
	told := map[int]TaskExit{}
	for range 2 {
		select {
		case e := <-sl.TaskEnds():
			told[e.Task] = e.Exit
		case <-time.After(10 * time.Second):
			t.Fatalf("a task's end was not told; told: %v", told)
		}
	}
	select {
	case <-sl.Done():
		t.Fatal("the slice ended while a task of it runs")
	default:
	}
	if st := told[0].Status; !st.Exited() || st.ExitStatus() != 3 {
		t.Errorf("task 0: %#x, want exit 3", st)
	}
	if told[2].StartError == nil || told[2].StartError.Stage != StageExec {
		t.Errorf("task 2: %+v, want an error of exec", told[2])
	}
	sl.Kill()
	e := sl.Wait()
	last, ok := <-sl.TaskEnds()
	if !ok || last.Task != 1 || !last.Exit.Status.Signaled() {
		t.Errorf("the last end: %+v %v", last, ok)
	}
	if _, more := <-sl.TaskEnds(); more {
		t.Error("an end was told after all tasks had ended")
	}
	for i, want := range e.Tasks {
		if got := told[i]; i != 1 && (got.Status != want.Status || !got.Ended.Equal(want.Ended)) {
			t.Errorf("task %d: told %+v, in the exit %+v", i, got, want)
		}
	}
}

func TestTaskFindsItsPid(t *testing.T) {
	h, dir := testHost(t), openDir(t)
	for _, own := range []bool{false, true} {
		if own && os.Geteuid() != 0 {
			continue
		}
		s := shell(`echo $$ $MY_PID ${KEPT}`, dir+"/0")
		s.Namespaces.PID, s.Namespaces.Mount = own, own
		s.Tasks[0].Env = append(s.Tasks[0].Env, "MY_PID=of another", "KEPT=yes")
		s.Tasks[0].PidEnv = "MY_PID"
		other := s.Tasks[0]
		other.Env = append([]string{}, other.Env...)
		other.Stdout.Path = dir + "/1"
		s.Tasks = append(s.Tasks, other)
		start(t, h, s).Wait()
		seen := map[string]bool{}
		for i := range s.Tasks {
			text, err := os.ReadFile(dir + "/" + strconv.Itoa(i))
			if err != nil {
				t.Fatal(err)
			}
			f := strings.Fields(string(text))
			if len(f) != 3 || f[0] != f[1] || f[2] != "yes" || seen[f[0]] {
				t.Errorf("own pid namespace %v, task %d: %q, want its pid twice and yes", own, i, text)
				continue
			}
			seen[f[0]] = true
		}
	}
}

func TestVariableForThePidIsChecked(t *testing.T) {
	s := shell("true", "/dev/null")
	for _, name := range []string{"A=B", "A\x00"} {
		s.Tasks[0].PidEnv = name
		if err := s.Validate(); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestWhatIsSparedOutlivesTheTasks(t *testing.T) {
	for _, own := range []bool{false, true} {
		if own && os.Geteuid() != 0 {
			continue
		}
		h, dir := testHost(t), openDir(t)
		s := shell("(sleep 0.8; echo there >"+dir+"/left) & sleep 0.2", dir+"/a")
		s.Namespaces.PID = own
		sl := start(t, h, s)
		if err := sl.Spare(); err != nil {
			t.Fatal(err)
		}
		sl.Wait()
		if text, _ := os.ReadFile(dir + "/left"); string(text) != "there\n" {
			t.Errorf("own namespace %v: what was spared left %q", own, text)
		}
		s = shell("sleep 60 & sleep 0.2", dir+"/b")
		s.ID += ".killed"
		s.Namespaces.PID = own
		sl = start(t, h, s)
		if err := sl.Spare(); err != nil {
			t.Fatal(err)
		}
		<-sl.TaskEnds()
		select {
		case <-sl.Done():
			t.Errorf("own namespace %v: the slice ended with its task", own)
		case <-time.After(100 * time.Millisecond):
		}
		sl.Kill()
		sl.Wait()
	}
}
