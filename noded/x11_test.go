package noded

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/api/x11"
)

// TestDisplayOfAStep has tasks with a display: who has the cookie is carried to srun
// and back, who has not is refused, and all ends with the step.
func TestDisplayOfAStep(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := step(t, 61, 0, dir, "echo $DISPLAY $XAUTHORITY; cp $XAUTHORITY authority; touch began; until [ -e go ]; do sleep 0.01; done")
	order.X11, order.X11Cookie = "all", []byte("0123456789abcdef")
	r.launchStep(r.work, order)
	door, err := r.ioBook.find(t.Context(), stepName{61, 0})
	if err != nil {
		t.Fatal(err)
	}
	calls := make(chan uint64, 10)
	heard := make(chan []*rinkpb.StepDown, 1)
	go func() { // ends with the step
		var got []*rinkpb.StepDown
		door.serve(t.Context(), 0, func(m *rinkpb.StepDown) error {
			if m.X11 > 0 {
				calls <- m.X11
			}
			got = append(got, m)
			door.taken(m.Seq)
			return nil
		})
		heard <- got
	}()
	eventually(t, "the step runs", func() bool { _, err := os.Stat(dir + "/began"); return err == nil })
	text, err := os.ReadFile(dir + "/authority")
	if err != nil {
		t.Fatal(err)
	}
	list, err := x11.ReadEntries(bytes.NewReader(text))
	if err != nil || len(list) != 1 || string(list[0].Data) != "0123456789abcdef" {
		t.Fatalf("the tasks have %v, %v", list, err)
	}
	var number int
	fmt.Sscan(list[0].Number, &number)
	dial := func(cookie string) net.Conn {
		conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", x11.FirstPort+number))
		if err != nil {
			t.Fatal(err)
		}
		conn.Write((&x11.Setup{Order: 'l', Major: 11, Name: x11.Cookie, Data: []byte(cookie)}).Bytes())
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		return conn
	}
	bad := dial("0123456789abcdeX")
	if said, _ := io.ReadAll(bad); !strings.Contains(string(said), "Invalid MIT-MAGIC-COOKIE-1 key") || said[0] != 0 {
		t.Errorf("another cookie: %q", said)
	}
	bad.Close()
	conn := dial("0123456789abcdef")
	defer conn.Close()
	id := <-calls
	up, down := make(chan *rinkpb.StepUp, 1), make(chan []byte, 16)
	over := make(chan error, 1)
	line := func(id uint64) {
		over <- door.tunnel(id, func() (*rinkpb.StepUp, error) {
			m, ok := <-up
			if !ok {
				return nil, io.EOF
			}
			return m, nil
		}, func(m *rinkpb.StepDown) error { down <- m.Output.Data; return nil })
	}
	go line(id) // ends with the connection
	if setup, err := x11.ReadSetup(bytes.NewReader(<-down)); err != nil || setup.Name != "" || len(setup.Data) != 0 {
		t.Errorf("srun is told %+v, %v", setup, err)
	}
	conn.Write([]byte("ask"))
	if got := <-down; string(got) != "ask" {
		t.Errorf("srun hears %q", got)
	}
	up <- &rinkpb.StepUp{Stdin: []byte("answer")}
	answer := make([]byte, 6)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "answer" {
		t.Errorf("the task hears %q, %v", answer, err)
	}
	if err := door.tunnel(id, nil, nil); err == nil {
		t.Error("a connection is carried twice")
	}
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := <-over; err != nil {
		t.Errorf("the connection ends with %v", err)
	}
	if _, err := conn.Read(answer); err == nil {
		t.Error("the connection is there after the step")
	}
	close(up)
	if said := output(<-heard, 0); said != fmt.Sprintf("localhost:%d.0 %s\n", number, r.cookieFile(door.job, order)) {
		t.Errorf("the task says %q", said)
	}
	if c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", x11.FirstPort+number)); err == nil {
		c.Close()
		t.Error("the display is there after the step")
	}
}

func TestForwards(t *testing.T) {
	for _, c := range []struct {
		mode string
		at   int32
		want bool
	}{{"", 0, false}, {"all", 1, true}, {"first", 0, true}, {"first", 1, false}, {"batch", 0, true}, {"last", 2, true}, {"last", 1, false}} {
		order := &rinkpb.LaunchStep{X11: c.mode, Here: &rinkpb.JobHere{NodeIndex: c.at, Nodes: []string{"a", "b", "c"}}}
		if got := forwards(order); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestLockOfAuthority has two who want the lock of a file of authorizations, which is
// not there yet.
func TestLockOfAuthority(t *testing.T) {
	path := t.TempDir() + "/.Xauthority"
	unlock, err := lockAuthority(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() { // ends when the lock is free
		free, err := lockAuthority(path)
		if err == nil {
			free()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Errorf("two have the lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(path[:len(path)-len("/.Xauthority")]); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestLockThatWasLeftBehind has what one who was killed leaves: either name of a lock.
func TestLockThatWasLeftBehind(t *testing.T) {
	for _, end := range []string{"-c", "-l"} {
		path := t.TempDir() + "/.Xauthority"
		if err := os.WriteFile(path+end, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(path+end, old, old); err != nil {
			t.Fatal(err)
		}
		unlock, err := lockAuthority(path)
		if err != nil {
			t.Errorf("%s: %v", end, err)
			continue
		}
		unlock()
	}
}

// TestDisplayOutlivesTheAgent has an agent that takes the place of another: tasks have
// the display they were told of.
func TestDisplayOutlivesTheAgent(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := step(t, 62, 0, dir, "touch began; until [ -e go ]; do sleep 0.01; done")
	order.X11, order.X11Cookie = "all", []byte("0123456789abcdef")
	r.launchStep(r.work, order)
	eventually(t, "the step runs", func() bool { _, err := os.Stat(dir + "/began"); return err == nil })
	r.stop()
	r = startAgent(t, dir)
	door, err := r.ioBook.find(t.Context(), stepName{62, 0})
	if err != nil {
		t.Fatal(err)
	}
	if door.order.X11Display == 0 || door.order.X11Display != order.X11Display {
		t.Errorf("display %d, it was %d", door.order.X11Display, order.X11Display)
	}
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", x11.FirstPort+int(order.X11Display)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write((&x11.Setup{Order: 'B', Major: 11, Name: x11.Cookie, Data: order.X11Cookie}).Bytes())
	called := make(chan uint64, 1)
	heard := make(chan struct{})
	go func() { // ends with the step
		defer close(heard)
		door.serve(t.Context(), 0, func(m *rinkpb.StepDown) error {
			if m.X11 > 0 {
				called <- m.X11
			}
			door.taken(m.Seq)
			return nil
		})
	}()
	if id := <-called; id == 0 {
		t.Error("srun is not told of the connection")
	}
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	<-heard
	if _, err := os.Stat(r.cookieFile(door.job, door.order)); err == nil {
		t.Error("the cookie is there after the step")
	}
}
