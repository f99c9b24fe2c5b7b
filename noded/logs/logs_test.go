package logs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// collector is the far end: a server of the forward protocol that acknowledges.
type collector struct {
	t    *testing.T
	addr string

	mu      sync.Mutex // guards all below
	on      net.Listener
	conns   map[net.Conn]bool
	mute    bool              // takes and does not acknowledge
	chunks  map[string]int    // how often each came
	lines   map[string]string // by source and offset
	arrived chan struct{}     // closed and replaced with each chunk
	wg      sync.WaitGroup
}

func newCollector(t *testing.T) *collector {
	c := &collector{t: t, addr: filepath.Join(t.TempDir(), "sock"), conns: map[net.Conn]bool{}, chunks: map[string]int{}, lines: map[string]string{}, arrived: make(chan struct{})}
	t.Cleanup(c.stop)
	return c
}

func (c *collector) start() {
	c.t.Helper()
	on, err := net.Listen("unix", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.on = on
	c.mu.Unlock()
	c.wg.Go(func() {
		for {
			conn, err := on.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns[conn] = true
			c.mu.Unlock()
			c.wg.Go(func() { c.serve(conn) })
		}
	})
}

func (c *collector) stop() {
	c.mu.Lock()
	if c.on != nil {
		c.on.Close()
	}
	for conn := range c.conns {
		conn.Close()
	}
	c.conns = map[net.Conn]bool{}
	c.mu.Unlock()
	c.wg.Wait()
}

func (c *collector) serve(conn net.Conn) {
	d := msgpack.NewDecoder(conn)
	for {
		n, err := d.DecodeArrayLen()
		if err != nil {
			return
		}
		tag, err := d.DecodeString()
		if err != nil || n != 3 || tag != "rink.test" {
			c.t.Errorf("a message of %d, tag %q: %v", n, tag, err)
			return
		}
		entries, err := d.DecodeArrayLen()
		if err != nil {
			return
		}
		got := map[string]string{}
		for range entries {
			if n, err := d.DecodeArrayLen(); err != nil || n != 2 {
				c.t.Errorf("an entry of %d: %v", n, err)
				return
			}
			if kind, size, err := d.DecodeExtHeader(); err != nil || kind != 0 || size != 8 {
				c.t.Errorf("a time of kind %d, %d bytes: %v", kind, size, err)
				return
			}
			if err := d.ReadFull(make([]byte, 8)); err != nil {
				return
			}
			m, err := d.DecodeMap()
			if err != nil {
				c.t.Errorf("a record: %v", err)
				return
			}
			got[fmt.Sprintf("%v.%v.%v.%v@%v", m["job"], m["step"], m["task"], m["stream"], m["offset"])] = m["line"].(string)
			for _, key := range []string{"node", "herd", "user", "restarts", "time"} {
				if _, ok := m[key]; !ok {
					c.t.Errorf("a record without %s: %v", key, m)
				}
			}
		}
		option, err := d.DecodeMap()
		if err != nil {
			return
		}
		chunk, _ := option["chunk"].(string)
		c.mu.Lock()
		c.chunks[chunk]++
		for at, line := range got {
			if old, ok := c.lines[at]; ok && old != line {
				c.t.Errorf("%s came as %q and as %q", at, old, line)
			}
			c.lines[at] = line
		}
		mute := c.mute
		close(c.arrived)
		c.arrived = make(chan struct{})
		c.mu.Unlock()
		if mute {
			continue
		}
		ack, _ := msgpack.Marshal(map[string]string{"ack": chunk})
		if _, err := conn.Write(ack); err != nil {
			return
		}
	}
}

// until waits for a state of the collector.
func (c *collector) until(what string, ok func() bool) {
	c.t.Helper()
	end := time.After(30 * time.Second)
	for {
		c.mu.Lock()
		done, arrived := ok(), c.arrived
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-arrived:
		case <-end:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.t.Fatalf("%s: %d lines in %d chunks", what, len(c.lines), len(c.chunks))
		}
	}
}

// text is what came of a source, put together by its offsets.
func (c *collector) text(source string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for {
		line, ok := c.lines[fmt.Sprintf("%s@%d", source, b.Len())]
		if !ok {
			return b.String()
		}
		b.WriteString(line + "\n")
	}
}

func (c *collector) shipper(dir string, room int64) (*Shipper, func()) {
	c.t.Helper()
	s, err := New(Options{Dir: dir, Address: "unix:" + c.addr, Tag: "rink.test", Retry: 200 * time.Millisecond, Room: room, Open: func(src *Source) (*os.File, error) { return os.Open(src.Path) }})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	return s, func() { cancel(); <-done }
}

func numbered(from, to int) []byte {
	var b bytes.Buffer
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d \xff of the output\n", i)
	}
	return b.Bytes()
}

func appendFile(t *testing.T, path string, text []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
}

var batch = Meta{Job: 7, Step: "batch", Task: -1, Node: "n1", Herd: "debug", User: "alice", Stream: "stdout"}

func TestNothingIsLostWhileTheCollectorIsAway(t *testing.T) {
	c := newCollector(t)
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "out")
	want := numbered(0, 3000)
	appendFile(t, file, want[:len(want)/3])

	// Away from the beginning.
	s, stop := c.shipper(dir, 64<<20)
	s.Follow(Source{Meta: batch, Path: file})
	// The agent goes and comes, twice, while the collector is not there.
	stop()
	s, stop = c.shipper(dir, 64<<20)
	s.Follow(Source{Meta: batch, Path: file})
	appendFile(t, file, want[len(want)/3:len(want)/2])
	stop()

	// It is there, takes, and dies before it acknowledges.
	c.mute = true
	c.start()
	s, stop = c.shipper(dir, 64<<20)
	c.until("the first chunk", func() bool { return len(c.chunks) > 0 })
	c.stop()
	c.mu.Lock()
	c.mute = false
	c.mu.Unlock()
	c.start()
	appendFile(t, file, want[len(want)/2:])
	appendFile(t, file, []byte("no newline"))
	s.Finish(7, 0, "batch")
	c.until("all lines", func() bool { return len(c.lines) == 3001 })
	if got := c.text("7.batch.-1.stdout"); got != string(want)+"no newline\n" {
		t.Errorf("%d bytes came, %d were written", len(got), len(want))
	}
	c.mu.Lock()
	again := 0
	for _, n := range c.chunks {
		again += n - 1
	}
	c.mu.Unlock()
	if again < 1 {
		t.Error("no chunk came again, though the first was not acknowledged")
	}
	waitEmpty(t, dir)
	stop()
}

// waitEmpty waits until nothing is left in a buffer but how far files were read.
func waitEmpty(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		list, err := filepath.Glob(filepath.Join(dir, "*.s*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left: %v", list)
		}
	}
}

func TestAFullBufferKeepsTheOldestAndFilesWait(t *testing.T) {
	c := newCollector(t)
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "out")
	want := numbered(0, 60000)
	appendFile(t, file, want)
	s, stop := c.shipper(dir, 256<<10)
	defer stop()
	s.Follow(Source{Meta: batch, Path: file})
	s.Finish(7, 0, "batch")
	full := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.held+int64(s.size) >= s.opt.Room
	}
	for !full() {
		time.Sleep(time.Millisecond)
	}
	// Output of a step that is in no file is left out now, and that is told.
	step := Meta{Job: 7, Step: "0", Task: 3, Stream: "stderr"}
	s.Write(step, []byte("left out\n"))
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held > 2<<20 {
		t.Errorf("%d bytes are kept", held)
	}
	c.start()
	c.until("the file", func() bool { return len(c.lines) >= 60000 })
	for full() {
		time.Sleep(time.Millisecond)
	}
	s.Write(step, []byte("there is room\n"))
	c.until("the step", func() bool { return c.lines["7.0.3.stderr@9"] == "there is room" })
	if got := c.text("7.batch.-1.stdout"); got != string(want) {
		t.Errorf("%d bytes came, %d were written", len(got), len(want))
	}
}

func TestAFileThatIsAppendedToBeginsWhereTheJobDid(t *testing.T) {
	c := newCollector(t)
	c.start()
	file := filepath.Join(t.TempDir(), "out")
	appendFile(t, file, []byte("an earlier job's\n"))
	s, stop := c.shipper(t.TempDir(), 64<<20)
	defer stop()
	s.Follow(Source{Meta: batch, Path: file, Start: 17})
	appendFile(t, file, []byte("ours\n"+strings.Repeat("x", maxLine+5)+"\n"))
	s.Finish(7, 0, "batch")
	c.until("three pieces", func() bool { return len(c.lines) == 3 })
	if c.lines["7.batch.-1.stdout@17"] != "ours" || len(c.lines["7.batch.-1.stdout@22"]) != maxLine {
		t.Errorf("%d", len(c.lines))
	}
}

func TestAFileThatNeverCameIsGivenUp(t *testing.T) {
	c := newCollector(t)
	dir := t.TempDir()
	s, stop := c.shipper(dir, 64<<20)
	defer stop()
	s.Follow(Source{Meta: batch, Path: "/nosuch/file"})
	s.Finish(7, 0, "batch")
	waitEmpty(t, dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cursors) != 0 {
		t.Errorf("cursors %v", s.cursors)
	}
}
