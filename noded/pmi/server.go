package pmi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Key is one thing that a task has put for all to read.
type Key struct{ Name, Value string }

// Config says whom a server serves and whom it turns to.
type Config struct {
	Name   string  // of the group of tasks, such as 700001.0
	NodeOf []int32 // of each rank of the step, the index of its node
	Node   int32   // this one
	Nodes  int     // on how many the step is

	// Share is called, on a step of several nodes, when all tasks of this
	// one are at a fence, with what they have put since the last; what all nodes
	// have put comes back through Shared. It must not wait.
	Share func(fence uint32, keys []Key)
	// Abort is called when a task wants all to end.
	Abort func(rank int, words string)
	// Journal, when set, keeps what tasks have said, so that Replay can make
	// a server that goes on where this one was.
	Journal io.Writer
}

// MaxShared bounds the bytes of names and values that come from all nodes at a fence.
const MaxShared = 256 << 20

// maxKeys bounds the bytes of what a step may have put, so that no task fills
// the agent's memory.
const maxKeys = MaxShared

// Server is one node's part of the key space of a step. Its methods may be
// called from any goroutine.
type Server struct {
	conf  Config
	local []int // the ranks on this node

	mu      sync.Mutex // guards all below
	tasks   map[int]*task
	keys    map[string]string
	size    int   // bytes in keys
	fresh   []Key // put on this node since the last fence
	fences  uint32
	attrs   map[string]string // of this node
	replays bool              // nothing is said or written down
	aborted bool              // a task wanted all to end
	kept    int64             // bytes in the journal
}

// task is one task as the server knows it.
type task struct {
	rank    int
	version int // 1 or 2; 0 before it has said
	conn    io.Writer
	fence   *message            // it waits at one: what it said
	attrs   map[string]*message // it waits for these attributes
}

// NewServer returns a server of one node's tasks.
func NewServer(conf Config) *Server {
	s := &Server{conf: conf, tasks: map[int]*task{}, keys: map[string]string{}, attrs: map[string]string{}}
	for rank, node := range conf.NodeOf {
		if node == conf.Node {
			s.local = append(s.local, rank)
			s.tasks[rank] = &task{rank: rank, attrs: map[string]*message{}}
		}
	}
	if m := Mapping(conf.NodeOf); len(m) < maxValue {
		s.keys["PMI_process_mapping"] = m
	}
	return s
}

// Serve serves one task on its socket until the task closes it or the agent
// does. An error is a task that does not speak as it should.
func (s *Server) Serve(rank int, conn io.ReadWriter) error {
	s.mu.Lock()
	t := s.tasks[rank]
	if t == nil {
		s.mu.Unlock()
		return fmt.Errorf("rank %d is not on this node", rank)
	}
	t.conn = conn
	version := t.version
	s.mu.Unlock()
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		read := readLine
		if version == 2 {
			read = readFramed
		}
		m, err := read(r)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
			return nil
		case err != nil:
			return fmt.Errorf("rank %d: %w", rank, err)
		}
		s.mu.Lock()
		err = s.take(t, m)
		version = t.version
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("rank %d: %w", rank, err)
		}
	}
}

// say answers a task in the protocol it speaks. Needs s.mu held.
func (s *Server) say(t *task, asked *message, cmd string, pairs ...pair) {
	if s.replays || t.conn == nil {
		return
	}
	m := &message{cmd: cmd, pairs: pairs}
	text := m.line
	if t.version == 2 && asked.cmd != "init" {
		if id := asked.get("thrid"); id != "" {
			m.pairs = append([]pair{{"thrid", id}}, pairs...)
		}
		text = m.framed
	}
	if d, ok := t.conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		d.SetWriteDeadline(time.Now().Add(writeTime))
	}
	t.conn.Write(text()) // one that is gone, or does not listen, misses its answer
}

// writeTime is how long a task may let an answer wait.
const writeTime = 5 * time.Second

// take does what a task says. Needs s.mu held.
func (s *Server) take(t *task, m *message) error {
	if err := s.note(t, m); err != nil {
		return err
	}
	if t.version == 2 {
		return s.take2(t, m)
	}
	return s.take1(t, m)
}

// take1 is PMI-1, in which also a task of PMI-2 begins.
func (s *Server) take1(t *task, m *message) error {
	ok := pair{"rc", "0"}
	switch m.cmd {
	case "init":
		version, subversion := m.get("pmi_version"), m.get("pmi_subversion")
		if version != "1" && version != "2" {
			s.say(t, m, "response_to_init", pair{"pmi_version", "2"}, pair{"pmi_subversion", "0"}, pair{"rc", "-1"})
			return fmt.Errorf("it wants version %q of PMI", version)
		}
		t.version, _ = strconv.Atoi(version)
		s.say(t, m, "response_to_init", pair{"pmi_version", version}, pair{"pmi_subversion", subversion}, ok)
	case "get_maxes":
		s.say(t, m, "maxes", pair{"kvsname_max", strconv.Itoa(maxName)}, pair{"keylen_max", strconv.Itoa(maxKey)}, pair{"vallen_max", strconv.Itoa(maxValue)}, ok)
	case "get_appnum":
		s.say(t, m, "appnum", pair{"appnum", "0"}, ok)
	case "get_my_kvsname":
		s.say(t, m, "my_kvsname", pair{"kvsname", s.conf.Name}, ok)
	case "get_universe_size":
		s.say(t, m, "universe_size", pair{"size", strconv.Itoa(len(s.conf.NodeOf))}, ok)
	case "put":
		if words := s.put(m.get("key"), m.get("value")); words != "" {
			s.say(t, m, "put_result", pair{"rc", "-1"}, pair{"msg", words})
		} else {
			s.say(t, m, "put_result", ok, pair{"msg", "success"})
		}
	case "get":
		if value, found := s.keys[m.get("key")]; found {
			s.say(t, m, "get_result", ok, pair{"msg", "success"}, pair{"value", value})
		} else {
			s.say(t, m, "get_result", pair{"rc", "-1"}, pair{"msg", "key_not_found"}, pair{"value", "unknown"})
		}
	case "create_kvs":
		s.say(t, m, "newkvs", pair{"kvsname", s.conf.Name}, ok)
	case "destroy_kvs":
		s.say(t, m, "kvs_destroyed", ok)
	case "barrier_in":
		return s.enter(t, m)
	case "finalize":
		s.say(t, m, "finalize_ack", ok)
	case "abort":
		code := m.get("exitcode")
		s.abort(t, "exit code "+code)
	case "publish_name":
		s.say(t, m, "publish_result", pair{"rc", "1"}, pair{"msg", "names_cannot_be_published_here"})
	case "unpublish_name":
		s.say(t, m, "unpublish_result", pair{"rc", "1"}, pair{"msg", "names_cannot_be_published_here"})
	case "lookup_name":
		s.say(t, m, "lookup_result", pair{"rc", "1"}, pair{"msg", "names_cannot_be_published_here"})
	case "spawn":
		s.say(t, m, "spawn_result", pair{"rc", "-1"}, pair{"msg", noSpawnWord})
	default:
		return fmt.Errorf("it says %q, which is not PMI-1", m.cmd)
	}
	return nil
}

// What a task is told that wants to start others: processes beside the step's
// are nobody's to count.
const (
	noSpawn     = "more tasks cannot be started in a running step"
	noSpawnWord = "more_tasks_cannot_be_started_in_a_running_step"
)

// take2 is PMI-2.
func (s *Server) take2(t *task, m *message) error {
	ok := pair{"rc", "0"}
	answer := func(pairs ...pair) { s.say(t, m, m.cmd+"-response", pairs...) }
	found := func(value string, there bool) {
		if there {
			answer(ok, pair{"found", "TRUE"}, pair{"value", value})
		} else {
			answer(ok, pair{"found", "FALSE"})
		}
	}
	switch m.cmd {
	case "fullinit":
		answer(ok, pair{"pmi-version", "2"}, pair{"pmi-subversion", "0"}, pair{"rank", strconv.Itoa(t.rank)}, pair{"size", strconv.Itoa(len(s.conf.NodeOf))},
			pair{"appnum", "0"}, pair{"debugged", "FALSE"}, pair{"pmiverbose", "FALSE"})
	case "job-getid":
		answer(ok, pair{"jobid", s.conf.Name})
	case "kvs-put":
		if words := s.put(m.get("key"), m.get("value")); words != "" {
			answer(pair{"rc", "1"}, pair{"errmsg", words})
		} else {
			answer(ok)
		}
	case "kvs-get":
		value, there := s.keys[m.get("key")]
		found(value, there)
	case "kvs-fence":
		return s.enter(t, m)
	case "info-putnodeattr":
		key := m.get("key")
		if words := tooLong(key, m.get("value")); words != "" {
			answer(pair{"rc", "1"}, pair{"errmsg", words})
			return nil
		}
		if len(s.attrs) >= maxAttrs {
			answer(pair{"rc", "1"}, pair{"errmsg", "too many attributes"})
			return nil
		}
		s.attrs[key] = m.get("value")
		answer(ok)
		for _, rank := range s.local {
			if w := s.tasks[rank]; w.attrs[key] != nil {
				s.say(w, w.attrs[key], "info-getnodeattr-response", ok, pair{"found", "TRUE"}, pair{"value", s.attrs[key]})
				delete(w.attrs, key)
			}
		}
	case "info-getnodeattr":
		key := m.get("key")
		value, there := s.attrs[key]
		if wait := m.get("wait"); !there && (wait == "TRUE" || wait == "1") {
			if len(t.attrs) >= maxAttrs {
				answer(pair{"rc", "1"}, pair{"errmsg", "too many attributes"}, pair{"found", "FALSE"})
				return nil
			}
			t.attrs[key] = m // the task waits, so there is one at a time of each of its threads
			return nil
		}
		found(value, there)
	case "info-getjobattr":
		switch key := m.get("key"); key {
		case "PMI_process_mapping":
			found(Mapping(s.conf.NodeOf), true)
		case "universeSize":
			found(strconv.Itoa(len(s.conf.NodeOf)), true)
		default:
			found("", false)
		}
	case "finalize":
		answer(ok)
	case "abort":
		s.abort(t, m.get("msg"))
	case "spawn":
		answer(pair{"rc", "1"}, pair{"errmsg", noSpawn})
	case "name-publish", "name-unpublish", "name-lookup", "job-connect", "job-disconnect", "ring":
		answer(pair{"rc", "1"}, pair{"errmsg", m.cmd + " is not supported"}, pair{"found", "FALSE"})
	default:
		return fmt.Errorf("it says %q, which is not PMI-2", m.cmd)
	}
	return nil
}

const maxAttrs = 1024

func tooLong(key, value string) string {
	switch {
	case key == "" || len(key) > maxName:
		return "bad_key"
	case len(value) > maxMessage:
		return "value_too_long"
	}
	return ""
}

// put notes a key, or says why not. Needs s.mu held.
func (s *Server) put(key, value string) string {
	if words := tooLong(key, value); words != "" {
		return words
	}
	if s.size += len(key) + len(value); s.size > maxKeys {
		s.size -= len(key) + len(value)
		return "key_space_full"
	}
	s.keys[key] = value
	s.fresh = append(s.fresh, Key{key, value})
	return ""
}

// abort passes on, once, that a task wants all to end.
func (s *Server) abort(t *task, words string) {
	if !s.replays && s.conf.Abort != nil && !s.aborted {
		s.aborted = true
		s.conf.Abort(t.rank, words)
	}
}

// enter notes that a task is at a fence. Needs s.mu held.
func (s *Server) enter(t *task, m *message) error {
	if t.fence != nil {
		return errors.New("it is at a fence, and comes to another")
	}
	t.fence = m
	if s.allIn() {
		s.close()
	}
	return nil
}

// allIn reports whether every task here is at the fence. Needs s.mu held.
func (s *Server) allIn() bool {
	return !slices.ContainsFunc(s.local, func(rank int) bool { return s.tasks[rank].fence == nil })
}

// close has all tasks here at a fence: on one node they go on, on several the
// nodes share what they have first. Needs s.mu held.
func (s *Server) close() {
	if s.conf.Nodes > 1 {
		if !s.replays {
			s.conf.Share(s.fences, slices.Clone(s.fresh))
		}
		return
	}
	s.open()
}

// open lets the tasks go on from a fence. Needs s.mu held.
func (s *Server) open() {
	s.fences++
	s.fresh = nil
	for _, rank := range s.local {
		t := s.tasks[rank]
		m := t.fence
		t.fence = nil
		if t.version == 2 {
			s.say(t, m, "kvs-fence-response", pair{"rc", "0"})
		} else {
			s.say(t, m, "barrier_out", pair{"rc", "0"})
		}
	}
}

// Shared takes what all nodes have put before a fence; all must have been
// given. One that was taken before changes nothing.
func (s *Server) Shared(fence uint32, keys []Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared(fence, keys)
}

func (s *Server) shared(fence uint32, keys []Key) {
	if fence != s.fences || !s.allIn() {
		return
	}
	s.noteShared(fence, keys)
	for _, k := range keys {
		if old, had := s.keys[k.Name]; had {
			s.size -= len(k.Name) + len(old)
		}
		s.size += len(k.Name) + len(k.Value)
		s.keys[k.Name] = k.Value
	}
	s.open()
}
