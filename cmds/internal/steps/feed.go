package steps

import (
	"context"
	"io"
	"time"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/rinkpb"
)

// Open opens a stream of a step's.
type Open func(context.Context) (rinkpb.Exchange[rinkpb.StepUp, rinkpb.StepDown], error)

// Feed gives tasks of a step what from holds, until that or the step ends or ctx does.
// at says which step on which nodes, and task which of its tasks: -1 is all. Input has
// a line of its own, since tasks that do not read let it stand still; it is opened when
// there is something to give. Input that is over before it began is told through empty,
// which may be nil.
func Feed(ctx context.Context, open Open, at *rinkpb.StepAttach, task int32, from io.Reader, empty func(*rinkpb.StepUp)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the line
	l := &feedLine{open: open, at: at}
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !l.send(ctx, &rinkpb.StepUp{Stdin: append([]byte(nil), buf[:n]...), StdinTask: task, HasInput: true}) {
			return
		}
		if err == nil {
			continue
		}
		end := &rinkpb.StepUp{StdinEof: true, StdinTask: task}
		if l.stream == nil && empty != nil {
			empty(end)
			return
		}
		if l.send(ctx, end) {
			l.stream.CloseSend()
			<-l.over
		}
		return
	}
}

// feedLine is the line of a step's input.
type feedLine struct {
	open   Open
	at     *rinkpb.StepAttach
	stream rinkpb.Exchange[rinkpb.StepUp, rinkpb.StepDown] // nil before there is one, or when it broke
	over   chan error                                      // how it ended
}

// send sends a message, on a new line when the last one broke. What was on the way
// there is lost. It returns false when the step or ctx has ended.
func (l *feedLine) send(ctx context.Context, m *rinkpb.StepUp) bool {
	var broken time.Time
	for ctx.Err() == nil {
		var err error
		if l.stream == nil {
			err = l.dial(ctx)
		}
		if err == nil {
			if l.stream.Send(m) == nil {
				return true
			}
			err = <-l.over
			l.stream = nil
		}
		if broken.IsZero() {
			broken = time.Now()
		}
		if call.CodeOf(err) != call.Unavailable || time.Since(broken) > maxBroken {
			return false
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return false
}

// maxBroken is how long a line that broke is made anew.
const maxBroken = 60 * time.Second

func (l *feedLine) dial(ctx context.Context) error {
	stream, err := l.open(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&rinkpb.StepUp{Attach: l.at}); err != nil {
		_, err = stream.Recv()
		return err
	}
	over := make(chan error, 1)
	go func() { // ends with the stream
		for {
			if _, err := stream.Recv(); err != nil {
				over <- err
				return
			}
		}
	}()
	l.stream, l.over = stream, over
	return nil
}
