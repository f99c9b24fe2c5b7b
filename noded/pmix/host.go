// Package pmix is the PMIx server of a step's tasks on one node: libpmix, for
// which it is the host. It is a process of its own, run by the agent as the
// job's user and kept when the agent is replaced, since tasks that lose their
// server give up. What servers of several nodes have to say to each other goes
// from agent to agent, through srun.
package pmix

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// Some of PMIx' statuses, and a rank that means all.
const (
	success      = 0
	failed       = -1
	notFound     = -46
	notSupported = -47
	everyRank    = 1<<32 - 2
)

// library is libpmix as the host calls it.
type library interface {
	// begin starts the server and returns what the tasks here need in their environment.
	begin(h *host, s *rinkpb.PmixStep) ([]*rinkpb.PmixTask, error)
	// request asks for what a task of this node has put, or will have; answered hears it.
	request(space string, rank uint32, id uint64) int32
	// end puts away what the server has made.
	end()
}

// asked is something that the library waits to be answered, once.
type asked interface {
	op(status int32)
	modex(status int32, data []byte)
}

// proc is a task in PMIx' words.
type proc struct {
	space string
	rank  uint32
}

// host does for the library what it cannot do by itself: reach other nodes.
type host struct {
	lib  library
	say  func(*rinkpb.PmixWord) // to the agent, if there is one
	step *rinkpb.PmixStep       // given once, before the library begins

	mu      sync.Mutex // guards all below
	rounds  map[string]uint64
	fences  map[fenceKey]*fence
	asks    map[uint64]asked  // of this node's tasks, for what those of others have put
	answers map[uint64]answer // of others, for what this node's have
	lastID  uint64
	out     map[int32]*outbox
	in      map[int32]*inbox
}

type fenceKey struct {
	procs string
	round uint64
}

// fence is one that this node's tasks are in, or of which it is the first node.
type fence struct {
	mine  asked
	parts map[int32][]byte // on the first node: of each that is in
}

type answer struct {
	node int32
	id   uint64
}

func newHost(lib library, say func(*rinkpb.PmixWord)) *host {
	return &host{
		lib: lib, say: say, rounds: map[string]uint64{}, fences: map[fenceKey]*fence{}, asks: map[uint64]asked{}, answers: map[uint64]answer{},
		out: map[int32]*outbox{}, in: map[int32]*inbox{},
	}
}

// fence is called when all tasks here that are to be in a fence are.
func (h *host) fence(procs []proc, data []byte, a asked) int32 {
	h.mu.Lock()
	name, nodes, ok := h.among(procs)
	if !ok {
		h.mu.Unlock()
		return notSupported
	}
	h.rounds[name]++
	key := fenceKey{name, h.rounds[name]}
	f := h.fenceOf(key)
	f.mine = a
	var done []func()
	if nodes[0] == h.step.Node {
		done = h.join(key, nodes, h.step.Node, data)
	} else {
		h.post(nodes[0], &rinkpb.PmixNote{Part: &rinkpb.PmixPart{Procs: key.procs, Round: key.round, Data: data}})
	}
	h.mu.Unlock()
	for _, do := range done {
		do()
	}
	return success
}

func (h *host) fenceOf(key fenceKey) *fence {
	f := h.fences[key]
	if f == nil {
		f = &fence{parts: map[int32][]byte{}}
		h.fences[key] = f
	}
	return f
}

// join notes what a node has for a fence of which this is the first one. When it was
// the last, all hear of it; what is returned is done when the lock is let go. Needs mu
// held.
func (h *host) join(key fenceKey, nodes []int32, from int32, data []byte) []func() {
	f := h.fenceOf(key)
	f.parts[from] = data
	if len(f.parts) < len(nodes) {
		return nil
	}
	var all []byte
	for _, n := range nodes {
		all = append(all, f.parts[n]...)
	}
	for _, n := range nodes {
		if n != h.step.Node {
			h.post(n, &rinkpb.PmixNote{Whole: &rinkpb.PmixPart{Procs: key.procs, Round: key.round, Data: all}})
		}
	}
	delete(h.fences, key)
	mine := f.mine
	return []func(){func() { mine.modex(success, all) }}
}

// among names a set of tasks, the same on every node, and says on which nodes they
// are, in order.
func (h *host) among(procs []proc) (name string, nodes []int32, ok bool) {
	here := map[int32]bool{}
	var ranks []uint32
	for _, p := range procs {
		switch {
		case p.space != h.step.Space:
			return "", nil, false
		case p.rank == everyRank:
			ranks = append(ranks, p.rank)
			for _, n := range h.step.RankNodes {
				here[n] = true
			}
		case int64(p.rank) >= int64(len(h.step.RankNodes)):
			return "", nil, false
		default:
			ranks = append(ranks, p.rank)
			here[h.step.RankNodes[p.rank]] = true
		}
	}
	if len(ranks) == 0 {
		return "", nil, false
	}
	slices.Sort(ranks)
	var words []string
	for _, r := range slices.Compact(ranks) {
		words = append(words, strconv.FormatUint(uint64(r), 10))
	}
	for n := range here {
		nodes = append(nodes, n)
	}
	slices.Sort(nodes)
	return strings.Join(words, ","), nodes, true
}

// named reads back the name of a set of tasks.
func (h *host) named(name string) ([]int32, error) {
	var procs []proc
	for word := range strings.SplitSeq(name, ",") {
		rank, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no rank", word)
		}
		procs = append(procs, proc{h.step.Space, uint32(rank)})
	}
	_, nodes, ok := h.among(procs)
	if !ok {
		return nil, fmt.Errorf("there are no tasks %q", name)
	}
	return nodes, nil
}

// modex is called when a task here wants what one of another node has put.
func (h *host) modex(p proc, a asked) int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.space != h.step.Space || int64(p.rank) >= int64(len(h.step.RankNodes)) {
		return notFound
	}
	node := h.step.RankNodes[p.rank]
	if node == h.step.Node {
		return notFound // the library has it, if anybody
	}
	h.lastID++
	h.asks[h.lastID] = a
	h.post(node, &rinkpb.PmixNote{Ask: &rinkpb.PmixAsk{Id: h.lastID, Rank: p.rank}})
	return success
}

// answered is called with what a task here has put, which another node asked for.
func (h *host) answered(id uint64, status int32, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to, ok := h.answers[id]
	if !ok {
		return
	}
	delete(h.answers, id)
	h.post(to.node, &rinkpb.PmixNote{Answer: &rinkpb.PmixAnswer{Id: to.id, Status: status, Data: data}})
}

// abort is called when a task wants all to end. It goes on waiting until it is.
func (h *host) abort(rank uint32, status int32, words string, a asked) {
	h.say(&rinkpb.PmixWord{Abort: &rinkpb.PmixAbort{Rank: rank, Status: status, Words: strings.ToValidUTF8(words, "?")}})
	a.op(success)
}

// note takes what another node's server says.
func (h *host) note(from int32, n *rinkpb.PmixNote) error {
	h.mu.Lock()
	var done []func()
	var err error
	switch {
	case n.Part != nil:
		var nodes []int32
		if nodes, err = h.named(n.Part.Procs); err == nil && (nodes[0] != h.step.Node || !slices.Contains(nodes, from)) {
			err = fmt.Errorf("node %d is in no fence of %q that begins here", from, n.Part.Procs)
		}
		if err == nil {
			done = h.join(fenceKey{n.Part.Procs, n.Part.Round}, nodes, from, n.Part.Data)
		}
	case n.Whole != nil:
		key := fenceKey{n.Whole.Procs, n.Whole.Round}
		f := h.fences[key]
		if f == nil || f.mine == nil {
			err = fmt.Errorf("nobody waits at the fence %d of %q", key.round, key.procs)
			break
		}
		delete(h.fences, key)
		done = append(done, func() { f.mine.modex(success, n.Whole.Data) })
	case n.Ask != nil:
		h.lastID++
		id, space := h.lastID, h.step.Space
		h.answers[id] = answer{from, n.Ask.Id}
		done = append(done, func() {
			if status := h.lib.request(space, n.Ask.Rank, id); status != success {
				h.answered(id, status, nil)
			}
		})
	case n.Answer != nil:
		if a := h.asks[n.Answer.Id]; a != nil {
			delete(h.asks, n.Answer.Id)
			done = append(done, func() { a.modex(n.Answer.Status, n.Answer.Data) })
		}
	}
	h.mu.Unlock()
	for _, do := range done {
		do()
	}
	return err
}

// MaxPiece is how many bytes go in one piece of mail at most, and maxNote bounds what
// the pieces of one note may come to.
const (
	MaxPiece = 256 << 10
	maxNote  = 256 << 20
)

// outbox is what goes to one node.
type outbox struct {
	seq  uint64
	wait []*rinkpb.PmixMail // not yet known to be on its way
}

// inbox is what comes from one node: every piece once, and in order.
type inbox struct {
	got   uint64
	ahead map[uint64]*rinkpb.PmixMail
	note  []byte
}

// maxAhead bounds the pieces kept of a node that came before those they follow.
const maxAhead = 1024

// post sends a note to another node. Needs mu held.
func (h *host) post(node int32, n *rinkpb.PmixNote) {
	raw, err := proto.Marshal(n)
	if err != nil {
		h.say(&rinkpb.PmixWord{Error: err.Error()})
		return
	}
	box := h.out[node]
	if box == nil {
		box = &outbox{}
		h.out[node] = box
	}
	for piece := range slices.Chunk(raw, MaxPiece) {
		box.seq++
		m := &rinkpb.PmixMail{From: h.step.Node, To: node, Seq: box.seq, Data: piece}
		box.wait = append(box.wait, m)
	}
	box.wait[len(box.wait)-1].Last = true
	for _, m := range box.wait[len(box.wait)-(len(raw)+MaxPiece-1)/MaxPiece:] {
		h.say(&rinkpb.PmixWord{Mail: m})
	}
}

// again says once more all that a new agent may not know of.
func (h *host) again() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, box := range h.out {
		for _, m := range box.wait {
			h.say(&rinkpb.PmixWord{Mail: m})
		}
	}
}

// kept forgets mail to a node that is on its way.
func (h *host) kept(node int32, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if box := h.out[node]; box != nil {
		box.wait = slices.DeleteFunc(box.wait, func(m *rinkpb.PmixMail) bool { return m.Seq <= seq })
	}
}

// mail takes a piece from another node and says up to which all are here.
func (h *host) mail(m *rinkpb.PmixMail) error {
	h.mu.Lock()
	box := h.in[m.From]
	if box == nil {
		box = &inbox{ahead: map[uint64]*rinkpb.PmixMail{}}
		h.in[m.From] = box
	}
	if m.Seq > box.got {
		if len(box.ahead) >= maxAhead && m.Seq != box.got+1 {
			h.mu.Unlock()
			return fmt.Errorf("%d pieces of mail from node %d came before piece %d", len(box.ahead), m.From, box.got+1)
		}
		box.ahead[m.Seq] = m
	}
	var notes []*rinkpb.PmixNote
	var err error
	for next := box.ahead[box.got+1]; next != nil; next = box.ahead[box.got+1] {
		box.got++
		delete(box.ahead, box.got)
		if box.note = append(box.note, next.Data...); len(box.note) > maxNote {
			err = fmt.Errorf("node %d says more than %d bytes at once", m.From, maxNote)
			break
		}
		if next.Last {
			n := &rinkpb.PmixNote{}
			if err = proto.Unmarshal(box.note, n); err != nil {
				break
			}
			notes, box.note = append(notes, n), nil
		}
	}
	h.say(&rinkpb.PmixWord{Got: &rinkpb.PmixSeq{Node: m.From, Seq: box.got}})
	h.mu.Unlock()
	for _, n := range notes {
		if err == nil {
			err = h.note(m.From, n)
		}
	}
	return err
}
