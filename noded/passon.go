package noded

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/call/serve"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
)

// quickBackoff is how a lost controller is dialled again.
var quickBackoff = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}

// raw is a message that is passed on unread.
type raw struct{ data []byte }

// rawCodec moves messages without looking into them. It goes by the name of
// protobuf, which is what the messages are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	m, ok := v.(*raw)
	if !ok {
		return nil, errors.New("not a raw message")
	}
	return m.data, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	m, ok := v.(*raw)
	if !ok {
		return errors.New("not a raw message")
	}
	m.data = append([]byte(nil), data...)
	return nil
}

var _ encoding.Codec = rawCodec{}

// passOn is the server on this host's Unix socket: every call of a command is
// passed to a controller, in the name of the user the kernel says is calling. others
// takes those who speak gRPC.
func (a *Agent) passOn(limits []grpc.ServerOption) (local *serve.Server, others *grpc.Server) {
	return serve.New(serve.Options{Credentials: auth.ServerCredentials(), Codec: rawCodec{}, Unknown: a.passCall}),
		grpc.NewServer(append(limits, grpc.Creds(auth.ServerCredentials()), grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(a.passCall))...)
}

// passCall passes one call on, in both directions, until it ends.
func (a *Agent) passCall(_ any, down grpc.ServerStream) error {
	method, ok := grpc.MethodFromServerStream(down)
	if !ok {
		return status.Error(codes.Internal, "a call without a method")
	}
	who, ok := auth.PeerFrom(down.Context())
	if !ok || !who.IsUser() {
		return status.Error(codes.Unauthenticated, "the caller is not known")
	}
	if method == rinkpb.Controller_NodeMetrics_FullMethodName {
		return a.nodeMetrics(down)
	}
	if method == rinkpb.Controller_Adopt_FullMethodName {
		return a.adopt(down, who)
	}
	ctx, cancel := context.WithCancel(auth.Outgoing(a.asSeen(down.Context(), who.UID), who))
	defer cancel()
	var up grpc.ClientStream
	var err error
	for _, c := range a.lines.controllers() {
		var conn *grpc.ClientConn
		if conn, err = a.lines.dial(c); err != nil {
			continue
		}
		up, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodec(rawCodec{}))
		if err == nil {
			break
		}
	}
	if up == nil {
		if err == nil {
			err = status.Error(codes.Unavailable, "no controller is known")
		}
		return lineLost(down.Context(), err)
	}
	go func() { // ends when the command closes its side or the call ends
		for {
			m := &raw{}
			if err := down.RecvMsg(m); err != nil {
				if errors.Is(err, io.EOF) {
					up.CloseSend()
				} else {
					cancel()
				}
				return
			}
			if up.SendMsg(m) != nil {
				return
			}
		}
	}()
	header, err := up.Header()
	if err == nil && len(header) > 0 {
		down.SendHeader(passable(header))
	}
	for {
		m := &raw{}
		if err := up.RecvMsg(m); err != nil {
			trailer := up.Trailer()
			for _, v := range trailer.Get(keyIndex) {
				if index, err := strconv.ParseUint(v, 10, 64); err == nil {
					a.lines.saw(who.UID, index)
				}
			}
			down.SetTrailer(passable(trailer))
			if errors.Is(err, io.EOF) {
				return nil
			}
			return lineLost(down.Context(), err)
		}
		if err := down.SendMsg(m); err != nil {
			return err
		}
	}
}

// lineLost is how a call ended, as the command is to hear it: one that broke off
// because this agent gave up the line to a controller that hangs was not cancelled by
// anybody, and may be made again.
func lineLost(call context.Context, err error) error {
	if status.Code(err) == codes.Canceled && call.Err() == nil {
		return status.Error(codes.Unavailable, "the line to the controller was given up: "+status.Convert(err).Message())
	}
	return err
}

// keyIndex is the metadata by which calls and answers say how far the state has
// been seen, keyRead how fresh an answer is to be. A user's token (auth.KeyToken) is
// passed on beside the kernel's word on who is calling: controllers verify it.
const (
	keyIndex = "rink-index"
	keyRead  = "rink-read"
)

// asSeen is the context of a call that is to see no less than the user has seen.
func (a *Agent) asSeen(ctx context.Context, uid uint32) context.Context {
	index := a.lines.sees(uid)
	md, _ := metadata.FromIncomingContext(ctx)
	for _, v := range md.Get(keyIndex) {
		if n, err := strconv.ParseUint(v, 10, 64); err == nil {
			index = max(index, n)
		}
	}
	out := metadata.MD{}
	if index > 0 {
		out.Set(keyIndex, strconv.FormatUint(index, 10))
	}
	if read := md.Get(keyRead); len(read) > 0 {
		out.Set(keyRead, read...)
	}
	if tokens := md.Get(auth.KeyToken); len(tokens) > 0 {
		out.Set(auth.KeyToken, tokens...)
	}
	return metadata.NewOutgoingContext(ctx, out)
}

// passable leaves out what belongs to one hop alone.
func passable(md metadata.MD) metadata.MD {
	out := md.Copy()
	delete(out, "content-type")
	return out
}
