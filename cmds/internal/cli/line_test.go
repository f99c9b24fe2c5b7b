package cli

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/call/serve"
	"github.com/runink/rink/api/rinkpb"
)

// daemon answers submissions with an error, or with job 7.
type daemon struct {
	rinkpb.UnimplementedControllerServer
	err   error
	calls atomic.Int32
}

func (d *daemon) Submit(context.Context, *rinkpb.SubmitRequest) (*rinkpb.SubmitReply, error) {
	d.calls.Add(1)
	if d.err != nil {
		return nil, d.err
	}
	return &rinkpb.SubmitReply{Ids: []uint32{7}}, nil
}

func (d *daemon) serve(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := serve.New(serve.Options{Credentials: insecure.NewCredentials()})
	rinkpb.RegisterControllerServer(server, d)
	go server.Serve(l) // ends with the test
	t.Cleanup(server.Stop)
	return path
}

// A submission is made again through another daemon when the first one is lost, or
// says itself that the time of the try is over; what it was refused for is final.
func TestCallsAreMadeAgainElsewhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		again bool
	}{
		{"Lost", status.Error(codes.Unavailable, "the leader is lost"), true},
		{"TriesTimeIsOver", status.Error(codes.DeadlineExceeded, "context deadline exceeded"), true},
		{"Refused", status.Error(codes.InvalidArgument, "no"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, second := &daemon{err: c.err}, &daemon{}
			l := &line{socks: []string{first.serve(t, "a"), second.serve(t, "b")}}
			defer l.Close()
			reply, err := rinkpb.CallController(l).Submit(t.Context(), &rinkpb.SubmitRequest{Key: "k"})
			if again := second.calls.Load() == 1; again != c.again {
				t.Fatalf("made again: %v (%v)", again, err)
			}
			if c.again && (err != nil || len(reply.Ids) != 1 || reply.Ids[0] != 7) {
				t.Errorf("%v, %v", reply, err)
			}
			if !c.again && call.CodeOf(err) != call.Code(codes.InvalidArgument) {
				t.Errorf("%v", err)
			}
		})
	}
}
