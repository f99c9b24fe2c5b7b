// Package rinkpb is the messages of api/*.proto and the services made of them. It is
// generated twice: as protobuf's own Go code, and, with the build tag lean, as plain
// structs that write and read the same bytes. Commands are built with the second,
// since setting up the first takes longer than all else that a short command does.
package rinkpb

import "context"

// Line carries calls to a daemon.
type Line interface {
	// Call makes a call of one answer.
	Call(ctx context.Context, method string, req, reply Message) error
	// Ask makes a call of one request and many answers, which ends with ctx.
	Ask(ctx context.Context, method string, req Message) (Stream, error)
	// Exchange begins a call of many messages in both directions, which ends with ctx.
	Exchange(ctx context.Context, method string) (Stream, error)
}

// Stream is a call of more than two messages. One goroutine may send while another
// receives.
type Stream interface {
	// Send returns io.EOF when the other side has ended the call; Recv says how.
	Send(m Message) error
	// CloseSend says that no more is sent.
	CloseSend() error
	// Recv returns io.EOF when the call has ended well.
	Recv(m Message) error
}

// Answers are what a call of one request is answered with. Recv returns io.EOF after
// the last.
type Answers[R any] interface {
	Recv() (*R, error)
}

// Exchange is a call of many messages in both directions, or of one answer to many.
type Exchange[Q, R any] interface {
	Answers[R]
	Send(*Q) error
	CloseSend() error
	// CloseAndRecv says that no more is sent and returns the one answer.
	CloseAndRecv() (*R, error)
}

type pointer[T any] interface {
	*T
	Message
}

type answers[R any, PR pointer[R]] struct{ s Stream }

func (a answers[R, PR]) Recv() (*R, error) {
	m := new(R)
	if err := a.s.Recv(PR(m)); err != nil {
		return nil, err
	}
	return m, nil
}

type exchange[Q, R any, PQ pointer[Q], PR pointer[R]] struct{ s Stream }

func (e exchange[Q, R, PQ, PR]) Send(m *Q) error   { return e.s.Send(PQ(m)) }
func (e exchange[Q, R, PQ, PR]) CloseSend() error  { return e.s.CloseSend() }
func (e exchange[Q, R, PQ, PR]) Recv() (*R, error) { return answers[R, PR]{e.s}.Recv() }

func (e exchange[Q, R, PQ, PR]) CloseAndRecv() (*R, error) {
	if err := e.s.CloseSend(); err != nil {
		return nil, err
	}
	return e.Recv()
}
