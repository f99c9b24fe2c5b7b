package pmi

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestMapping(t *testing.T) {
	for name, c := range map[string]struct {
		nodeOf []int32
		want   string
	}{
		"Block":  {[]int32{0, 0, 1, 1}, "(vector,(0,2,2))"},
		"Uneven": {[]int32{0, 0, 0, 1}, "(vector,(0,1,3),(1,1,1))"},
		"Cyclic": {[]int32{0, 1, 0, 1}, "(vector,(0,2,1),(0,2,1))"},
		"One":    {[]int32{0}, "(vector,(0,1,1))"},
		"Turned": {[]int32{1, 0}, "(vector,(1,1,1),(0,1,1))"},
		"Wide":   {[]int32{0, 1, 2, 3}, "(vector,(0,4,1))"},
	} {
		if got := Mapping(c.nodeOf); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct {
		framed bool
		in     string
		want   *message
		err    string
	}{
		"Line":          {false, "cmd=put kvsname=a key=k value=v\n", &message{"put", []pair{{"kvsname", "a"}, {"key", "k"}, {"value", "v"}}}, ""},
		"Several":       {false, "mcmd=spawn\nnprocs=2\nexecname=a b\nendcmd\n", &message{"spawn", []pair{{"nprocs", "2"}, {"execname", "a b"}}}, ""},
		"ErrNoCommand":  {false, "key=k\n", nil, "is no command"},
		"ErrNoValue":    {false, "cmd=put key\n", nil, "not key=value"},
		"Framed":        {true, "    18cmd=kvs-get;key=a;", nil, ""},
		"FramedSemi":    {true, "    20cmd=x;value=a;;b;c=;", &message{"x", []pair{{"value", "a;b"}, {"c", ""}}}, ""},
		"ErrLength":     {true, "   x19cmd=x;", nil, "length"},
		"ErrHuge":       {true, "999999", nil, "EOF"},
		"ErrEndless":    {true, "     9cmd=x;a=b", nil, "does not end"},
		"ErrNotCommand": {true, "     4a=b;", nil, "without a command"},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.in
			if name == "FramedSemi" {
				text = fmt.Sprintf("%6d%s", len(c.in)-headerSize, c.in[headerSize:])
			}
			r := bufio.NewReader(strings.NewReader(text))
			read := readLine
			if c.framed {
				read = readFramed
			}
			got, err := read(r)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q in it", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.want != nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzFramed(f *testing.F) {
	f.Add("cmd=kvs-put;key=a;value=x;;y;")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseFramed(text)
		if err != nil {
			return
		}
		again, err := readFramed(bufio.NewReader(bytes.NewReader(m.framed())))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%q: %+v, then %+v (%v)", text, m, again, err)
		}
	})
}

// rig is a step of two ranks on each of two nodes, whose nodes share through
// it.
type rig struct {
	t       *testing.T
	servers [2]*Server
	mu      sync.Mutex // guards all below
	shared  map[uint32][][]Key
	aborts  []string
}

var fourRanks = []int32{0, 0, 1, 1}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, shared: map[uint32][][]Key{}}
	for i := range r.servers {
		r.servers[i] = r.server(i, nil)
	}
	return r
}

func (r *rig) server(node int, journal *bytes.Buffer) *Server {
	conf := Config{
		Name: "7.0", NodeOf: fourRanks, Node: int32(node), Nodes: 2,
		Share: func(fence uint32, keys []Key) { go r.share(fence, keys) },
		Abort: func(rank int, words string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.aborts = append(r.aborts, fmt.Sprint(rank, " ", words))
		},
	}
	if journal != nil {
		conf.Journal = journal
	}
	return NewServer(conf)
}

func (r *rig) share(fence uint32, keys []Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shared[fence] = append(r.shared[fence], keys)
	if len(r.shared[fence]) == 2 {
		all := append(append([]Key(nil), r.shared[fence][0]...), r.shared[fence][1]...)
		for _, s := range r.servers {
			go s.Shared(fence, all)
		}
	}
}

// client is a task at its end of the socket.
type client struct {
	t      *testing.T
	conn   net.Conn
	r      *bufio.Reader
	framed bool
}

func (r *rig) client(rank int) *client {
	here, there := net.Pipe()
	s := r.servers[fourRanks[rank]]
	done := make(chan error, 1)
	go func() { done <- s.Serve(rank, there) }()
	r.t.Cleanup(func() {
		here.Close()
		if err := <-done; err != nil {
			r.t.Errorf("rank %d: %v", rank, err)
		}
	})
	return &client{t: r.t, conn: here, r: bufio.NewReader(here)}
}

func (c *client) ask(text, want string) {
	c.t.Helper()
	if c.framed {
		text = fmt.Sprintf("%6d%s", len(text), text)
	} else {
		text += "\n"
	}
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.t.Error(err)
		return
	}
	c.hear(want)
}

func (c *client) hear(want string) {
	c.t.Helper()
	read := readLine
	if c.framed {
		read = readFramed
	}
	m, err := read(c.r)
	if err != nil {
		c.t.Error(err)
		return
	}
	got := strings.TrimSuffix(string(m.line()), "\n")
	if got != want {
		c.t.Errorf("got %q, want %q", got, want)
	}
}

func TestTasksFindEachOther(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for rank := range fourRanks {
		c := r.client(rank)
		wg.Go(func() {
			c.ask("cmd=init pmi_version=1 pmi_subversion=1", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0")
			c.ask("cmd=get_maxes", "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024 rc=0")
			c.ask("cmd=get_my_kvsname", "cmd=my_kvsname kvsname=7.0 rc=0")
			c.ask("cmd=get kvsname=7.0 key=PMI_process_mapping", "cmd=get_result rc=0 msg=success value=(vector,(0,2,2))")
			c.ask("cmd=get kvsname=7.0 key=nosuch", "cmd=get_result rc=-1 msg=key_not_found value=unknown")
			for round := range 3 {
				c.ask(fmt.Sprintf("cmd=put kvsname=7.0 key=r%d.%d value=of-%d", rank, round, rank), "cmd=put_result rc=0 msg=success")
				c.ask("cmd=barrier_in", "cmd=barrier_out rc=0")
				for other := range fourRanks {
					c.ask(fmt.Sprintf("cmd=get kvsname=7.0 key=r%d.%d", other, round), fmt.Sprintf("cmd=get_result rc=0 msg=success value=of-%d", other))
				}
			}
			c.ask("mcmd=spawn\nnprocs=2\nendcmd", "cmd=spawn_result rc=-1 msg="+noSpawnWord)
			c.ask("cmd=finalize", "cmd=finalize_ack rc=0")
		})
	}
	wg.Wait()
}

func TestSecondVersion(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for rank := range fourRanks {
		c := r.client(rank)
		wg.Go(func() {
			c.ask("cmd=init pmi_version=2 pmi_subversion=0", "cmd=response_to_init pmi_version=2 pmi_subversion=0 rc=0")
			c.framed = true
			c.ask(fmt.Sprintf("cmd=fullinit;pmijobid=7.0;pmirank=%d;threaded=FALSE;", rank),
				fmt.Sprintf("cmd=fullinit-response rc=0 pmi-version=2 pmi-subversion=0 rank=%d size=4 appnum=0 debugged=FALSE pmiverbose=FALSE", rank))
			c.ask("cmd=info-getjobattr;key=PMI_process_mapping;", "cmd=info-getjobattr-response rc=0 found=TRUE value=(vector,(0,2,2))")
			c.ask(fmt.Sprintf("cmd=kvs-put;key=k%d;value=a;;%d;thrid=9;", rank, rank), "cmd=kvs-put-response thrid=9 rc=0")
			c.ask("cmd=kvs-fence;", "cmd=kvs-fence-response rc=0")
			c.ask("cmd=kvs-get;jobid=7.0;srcid=-1;key=k3;", "cmd=kvs-get-response rc=0 found=TRUE value=a;3")
			c.ask("cmd=kvs-get;jobid=7.0;srcid=-1;key=k9;", "cmd=kvs-get-response rc=0 found=FALSE")
			if rank%2 == 0 {
				c.ask("cmd=info-getnodeattr;key=n;wait=TRUE;", fmt.Sprintf("cmd=info-getnodeattr-response rc=0 found=TRUE value=of-%d", rank+1))
			} else {
				c.ask(fmt.Sprintf("cmd=info-putnodeattr;key=n;value=of-%d;", rank), "cmd=info-putnodeattr-response rc=0")
			}
			c.ask("cmd=spawn;ncmds=1;", "cmd=spawn-response rc=1 errmsg="+noSpawn)
			c.ask("cmd=finalize;", "cmd=finalize-response rc=0")
		})
	}
	wg.Wait()
}

func TestAbortIsPassedOn(t *testing.T) {
	r := newRig(t)
	c := r.client(2)
	c.ask("cmd=init pmi_version=1 pmi_subversion=1", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0")
	c.conn.Write([]byte("cmd=abort exitcode=5\ncmd=abort exitcode=6\n")) // once is enough
	c.ask("cmd=get_appnum", "cmd=appnum appnum=0 rc=0")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.aborts) != 1 || r.aborts[0] != "2 exit code 5" {
		t.Errorf("aborts %q", r.aborts)
	}
}

// A task may say anything, and as often as it likes: what is kept of it is bounded.
func TestTaskThatDoesNotTire(t *testing.T) {
	shares := 0
	var journal bytes.Buffer
	conf := Config{Name: "7.0", NodeOf: []int32{0, 1}, Nodes: 2, Share: func(uint32, []Key) { shares++ }, Journal: &journal}
	s := NewServer(conf)
	here, there := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- s.Serve(0, there) }() // ends with the task
	here.Write([]byte("cmd=init pmi_version=1 pmi_subversion=1\n"))
	bufio.NewReader(here).ReadString('\n')
	here.Write([]byte("cmd=barrier_in\ncmd=barrier_in\n"))
	if err := <-served; err == nil || shares != 1 {
		t.Errorf("a task that comes to a fence from a fence: %v, %d shares", err, shares)
	}
	// What was refused does not stand in the way of one that comes after.
	next := NewServer(Config{Name: "7.0", NodeOf: []int32{0, 1}, Nodes: 2, Share: func(uint32, []Key) {}})
	journal.WriteString(`{"c":"put","p":[["a2V5","ay0x"],["dmFsdWU=","djE="]]}` + "\n")
	if err := next.Replay(&journal); err != nil || len(next.fresh) != 1 {
		t.Errorf("replay: %v, %v", err, next.fresh)
	}
	w := s.tasks[0]
	w.version, w.conn = 2, nil
	for i := range maxAttrs + 10 {
		s.take(w, &message{cmd: "info-getnodeattr", pairs: []pair{{"key", fmt.Sprint(i)}, {"wait", "TRUE"}}})
	}
	if len(w.attrs) != maxAttrs {
		t.Errorf("%d attributes are waited for", len(w.attrs))
	}
	s.kept = maxJournal
	if err := s.take(w, &message{cmd: "kvs-put", pairs: []pair{{"key", "a"}, {"value", "b"}}}); err == nil {
		t.Error("the journal takes everything")
	}
}

// A server that is made anew from what another wrote down knows its keys, that
// its tasks are at a fence, and lets them go on from it.
func TestReplay(t *testing.T) {
	r := newRig(t)
	var journal bytes.Buffer
	s := r.server(0, &journal)
	say := func(s *Server, rank int, m *message) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.take(s.tasks[rank], m); err != nil {
			t.Fatal(err)
		}
	}
	for rank := range 2 {
		say(s, rank, &message{"init", []pair{{"pmi_version", "1"}, {"pmi_subversion", "1"}}})
		say(s, rank, &message{"put", []pair{{"key", fmt.Sprint("k", rank)}, {"value", "first"}}})
		say(s, rank, &message{cmd: "barrier_in"})
	}
	s.Shared(0, []Key{{"k0", "first"}, {"k1", "first"}, {"k2", "far"}})
	say(s, 0, &message{"put", []pair{{"key", "again"}, {"value", "second"}}})
	say(s, 0, &message{cmd: "barrier_in"})
	say(s, 1, &message{cmd: "barrier_in"})
	journal.WriteString(`{"r":1,"c":"put"`) // it died over this one

	told := make(chan []Key, 1)
	conf := s.conf
	conf.Journal = nil
	conf.Share = func(fence uint32, keys []Key) {
		if fence != 1 {
			t.Errorf("fence %d", fence)
		}
		told <- keys
	}
	next := NewServer(conf)
	if err := next.Replay(&journal); err != nil {
		t.Fatal(err)
	}
	if keys := <-told; len(keys) != 1 || keys[0] != (Key{"again", "second"}) {
		t.Errorf("shares %v", keys)
	}
	r.servers[0] = next
	c := r.client(0)
	for {
		next.mu.Lock()
		there := next.tasks[0].conn != nil
		next.mu.Unlock()
		if there {
			break
		}
	}
	go next.Shared(1, []Key{{"again", "second"}, {"k3", "farther"}})
	c.hear("cmd=barrier_out rc=0")
	for key, want := range map[string]string{"k0": "first", "k2": "far", "k3": "farther", "again": "second"} {
		c.ask("cmd=get kvsname=7.0 key="+key, "cmd=get_result rc=0 msg=success value="+want)
	}
}
