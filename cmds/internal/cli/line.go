package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/rinkpb"
)

// The notes beside calls and answers: how far the state was, how fresh an answer is
// to be, that nothing was done, and the token of the user a call is made for.
const (
	keyIndex    = "rink-index"
	keyRead     = "rink-read"
	keyNotTaken = "rink-not-taken"
	keyToken    = "rink-jwt"
)

const (
	// tryLimit is how long one try of a quick call may take where there is another
	// daemon to ask.
	tryLimit = 6 * time.Second
	// downLimit is how long nobody may answer at all until a command gives up.
	downLimit = 5 * time.Second
)

// line is the way to the cluster: through one of the daemons of this host, and
// through another when that one is lost. A call is made again as long as nothing
// was done of it, or as doing it twice does no harm.
type line struct {
	socks []string
	read  string // RINK_READ: how fresh answers are to be
	token *token // SLURM_JWT, nil without

	mu    sync.Mutex // guards what follows
	at    int        // in socks
	free  *call.Conn // to socks[at], while it carries no call
	index uint64     // how far the state was by the last answer
}

// slow are calls that may take as long as they like.
func slow(method string) bool {
	switch method {
	case rinkpb.Controller_CreateStep_Call, rinkpb.Controller_ImportHistory_Call, rinkpb.Controller_Usage_Call,
		rinkpb.Controller_StepStats_Call, rinkpb.Controller_Reconfigure_Call,
		rinkpb.Controller_ChangeControllers_Call, rinkpb.Controller_Explain_Call:
		return true
	}
	return false
}

// once are calls not made again when it is not known what became of the first try.
func once(method string, req rinkpb.Message) bool {
	switch method {
	case rinkpb.Controller_ChangeAccounts_Call, rinkpb.Controller_CreateToken_Call:
		return true
	case rinkpb.Controller_ModifyReservation_Call:
		return req.(*rinkpb.ModifyReservationRequest).Create
	case rinkpb.Controller_Act_Call:
		a := req.(*rinkpb.ActRequest).Action
		return a == rinkpb.ActRequest_REQUEUE || a == rinkpb.ActRequest_REQUEUEHOLD
	}
	return false
}

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free == nil {
		return nil
	}
	err := l.free.Close()
	l.free = nil
	return err
}

// dial connects to the daemon at hand.
func (l *line) dial() (conn *call.Conn, at int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn = l.free; conn != nil {
		if l.free = nil; conn.Alive() {
			return conn, l.at, nil
		}
		conn.Close()
	}
	conn, err = call.Dial(l.socks[l.at])
	if err != nil {
		err = fmt.Errorf("%w: %w", &call.Error{Code: call.Unavailable, Text: err.Error()}, call.ErrNotUp)
	}
	return conn, l.at, err
}

// lose has the daemon after the one at tried next.
func (l *line) lose(at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at != at {
		return
	}
	l.at = (at + 1) % len(l.socks)
	if l.free != nil {
		l.free.Close()
		l.free = nil
	}
}

// begun is a call and what it goes over.
type begun struct {
	*call.Call
	conn *call.Conn
	at   int
}

// begin begins a call with a daemon that answers. The error is that none does, which
// means that nothing was done, or that the call cannot be made at all.
func (l *line) begin(ctx context.Context, method string, last rinkpb.Message) (*begun, error) {
	var err error
	for range l.socks {
		conn, at, failed := l.dial()
		if err = failed; err != nil {
			l.lose(at)
			continue
		}
		var k *call.Call
		if k, err = conn.Begin(ctx, method, l.notes(), last); err == nil {
			err = k.Up()
		}
		if err == nil {
			return &begun{k, conn, at}, nil
		}
		conn.Close()
		if !errors.Is(err, call.ErrNotUp) {
			if call.CodeOf(err) == call.Unavailable {
				l.lose(at)
			}
			return nil, err
		}
		if l.lose(at); ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// end gives back what a call went over that has ended.
func (l *line) end(b *begun) {
	l.saw(b.Notes())
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.Free() && l.free == nil && l.at == b.at {
		l.free = b.conn
		return
	}
	b.conn.Close()
}

func (l *line) notes() call.Notes {
	l.mu.Lock()
	defer l.mu.Unlock()
	var notes call.Notes
	if l.index > 0 {
		notes = append(notes, &rinkpb.CallNote{Key: keyIndex, Value: strconv.FormatUint(l.index, 10)})
	}
	if l.read != "" {
		notes = append(notes, &rinkpb.CallNote{Key: keyRead, Value: l.read})
	}
	if l.token != nil {
		notes = append(notes, &rinkpb.CallNote{Key: keyToken, Value: l.token.text})
	}
	return notes
}

// saw notes how far the state was by an answer.
func (l *line) saw(notes call.Notes) {
	for _, v := range notes.Get(keyIndex) {
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			l.mu.Lock()
			l.index = max(l.index, n)
			l.mu.Unlock()
		}
	}
}

// answer reads the one answer of a call.
func (b *begun) answer(reply rinkpb.Message) error {
	err := b.Recv(reply)
	if errors.Is(err, io.EOF) {
		return &call.Error{Code: call.Internal, Text: "no answer to a call"}
	}
	if err != nil {
		return err
	}
	if err = b.Recv(reply); errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = &call.Error{Code: call.Internal, Text: "two answers to one call"}
	}
	return err
}

// Call makes a call of one answer.
func (l *line) Call(ctx context.Context, method string, req, reply rinkpb.Message) error {
	var heard = time.Now()
	var last error
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 300*time.Millisecond) {
		try, cancel := ctx, context.CancelFunc(func() {})
		limited := len(l.socks) > 1 && !slow(method)
		if limited {
			try, cancel = context.WithTimeout(ctx, tryLimit)
		}
		b, err := l.begin(try, method, req)
		taken := !errors.Is(err, call.ErrNotUp)
		if err == nil {
			heard = time.Now()
			err = b.answer(reply)
			taken = len(b.Notes().Get(keyNotTaken)) == 0
			l.end(b)
		}
		cancel()
		code := call.CodeOf(err)
		// The other side may see that the try's time is over before this one does.
		hung := limited && ctx.Err() == nil
		if code != call.Unavailable && !(hung && code == call.DeadlineExceeded) {
			return err
		}
		if last == nil || b != nil {
			last = err
		}
		if taken {
			if b != nil {
				l.lose(b.at)
			}
			if once(method, req) {
				return err
			}
		}
		if time.Since(heard) > downLimit {
			return &call.Error{Code: call.Unavailable, Text: last.Error()}
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(wait):
		}
	}
}

// Exchange begins a call of many messages in both directions.
func (l *line) Exchange(ctx context.Context, method string) (rinkpb.Stream, error) {
	b, err := l.begin(ctx, method, nil)
	if err != nil {
		return nil, err
	}
	return &exchange{b, l}, nil
}

// exchange gives back what a call goes over when it has ended.
type exchange struct {
	*begun
	l *line
}

func (e *exchange) Recv(m rinkpb.Message) error {
	over := e.Over()
	err := e.begun.Recv(m)
	if err != nil && !over {
		e.l.end(e.begun)
	}
	return err
}

// Ask makes a call with one request and many answers.
func (l *line) Ask(ctx context.Context, method string, req rinkpb.Message) (rinkpb.Stream, error) {
	b, err := l.begin(ctx, method, req)
	if err != nil {
		return nil, err
	}
	return &listing{exchange: exchange{b, l}, ctx: ctx, method: method, req: req}, nil
}

// listing is a call with one request and many answers. Until the first of them is
// there it is made again when the line is lost; the word on a job is taken up again
// at any time, since each answer says all.
type listing struct {
	exchange
	ctx    context.Context // of the whole call, however often it is made
	method string
	req    rinkpb.Message
	begun  bool
}

func (s *listing) Recv(m rinkpb.Message) error {
	lost := time.Now()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 300*time.Millisecond) {
		err := s.exchange.Recv(m)
		if err == nil {
			if s.begun && s.method != rinkpb.Controller_WaitJob_Call { // the second page of a long list
				collectLate()
			}
			s.begun = true
			return nil
		}
		if call.CodeOf(err) != call.Unavailable || s.begun && s.method != rinkpb.Controller_WaitJob_Call {
			return err
		}
		for {
			select {
			case <-s.ctx.Done():
			case <-time.After(wait):
			}
			next, failed := s.l.begin(s.ctx, s.method, s.req)
			if failed == nil {
				lost = time.Now()
				s.exchange.begun = next
				break
			}
			if time.Since(lost) > downLimit || call.CodeOf(failed) != call.Unavailable {
				return err
			}
			wait = min(2*wait, 300*time.Millisecond)
		}
		rinkpb.Reset(m)
	}
}
