package auth

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

func TestCaller(t *testing.T) {
	local := Identity{Kind: LocalPeer, UID: 1000, GID: 100, PID: 7}
	node := Identity{Kind: Daemon, Cluster: "ref", Role: RoleNode, Name: "n1"}
	controller := Identity{Kind: Daemon, Cluster: "ref", Role: RoleController, Name: "c1"}
	forwarded := func(by Identity, uid, gid uint32) Identity {
		by.Kind, by.UID, by.GID = Forwarded, uid, gid
		return by
	}
	for _, tt := range []struct {
		name string
		peer Identity
		md   []string
		want Identity
		code codes.Code
	}{
		{"Local", local, nil, local, codes.OK},
		{"LocalClaimingRoot", local, []string{keyUID, "0", keyGID, "0"}, local, codes.OK},
		{"LocalClaimingADaemon", local, []string{keyDaemon, "controller/c1"}, local, codes.OK},
		{"NodeForItself", node, nil, node, codes.OK},
		{"NodeForAUser", node, []string{keyUID, "1000", keyGID, "100"}, forwarded(node, 1000, 100), codes.OK},
		{"NodeForRoot", node, []string{keyUID, "0", keyGID, "0"}, forwarded(node, 0, 0), codes.OK},
		{"ControllerForAUser", controller, []string{keyUID, "1000", keyGID, "100"}, forwarded(controller, 1000, 100), codes.OK},
		{"ControllerForANode", controller, []string{keyDaemon, "node/n1"}, node, codes.OK},
		{"NodeForAController", node, []string{keyDaemon, "controller/c1"}, Identity{}, codes.PermissionDenied},
		{"NodeForAnotherNode", node, []string{keyDaemon, "node/n2"}, Identity{}, codes.PermissionDenied},
		{"UserAndDaemon", controller, []string{keyDaemon, "node/n1", keyUID, "0", keyGID, "0"}, Identity{}, codes.InvalidArgument},
		{"TwoDaemons", controller, []string{keyDaemon, "node/n1", keyDaemon, "node/n2"}, Identity{}, codes.InvalidArgument},
		{"DaemonWithoutName", controller, []string{keyDaemon, "node"}, Identity{}, codes.InvalidArgument},
		{"DaemonOfNoRole", controller, []string{keyDaemon, "king/n1"}, Identity{}, codes.InvalidArgument},
		{"UIDAlone", node, []string{keyUID, "1000"}, Identity{}, codes.InvalidArgument},
		{"GIDAlone", node, []string{keyGID, "1000"}, Identity{}, codes.InvalidArgument},
		{"TwoUIDs", node, []string{keyUID, "1000", keyUID, "0", keyGID, "100"}, Identity{}, codes.InvalidArgument},
		{"NegativeUID", node, []string{keyUID, "-1", keyGID, "100"}, Identity{}, codes.InvalidArgument},
		{"NoUID", node, []string{keyUID, "4294967295", keyGID, "100"}, Identity{}, codes.InvalidArgument},
		{"UIDTooLarge", node, []string{keyUID, "4294967296", keyGID, "100"}, Identity{}, codes.InvalidArgument},
		{"EmptyGID", node, []string{keyUID, "1000", keyGID, ""}, Identity{}, codes.InvalidArgument},
		{"Nobody", Identity{}, []string{keyUID, "0", keyGID, "0"}, Identity{}, codes.Unauthenticated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := peer.NewContext(context.Background(), &peer.Peer{AuthInfo: tlsAuthInfo(tt.peer)})
			ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(tt.md...))
			got, err := Caller(ctx)
			if got != tt.want || status.Code(err) != tt.code {
				t.Errorf("caller %+v, %v; want %+v, %v", got, err, tt.want, tt.code)
			}
		})
	}
	// A token outdoes the kernel and the daemons once it has been found good; until then
	// who calls is not known.
	for _, who := range []Identity{local, node, forwarded(node, 1000, 100)} {
		ctx := peer.NewContext(context.Background(), &peer.Peer{AuthInfo: tlsAuthInfo(who)})
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(KeyToken, "a.b.c"))
		if text, ok := TokenOf(ctx); text != "a.b.c" || !ok {
			t.Errorf("token %q, %v", text, ok)
		}
		if got, err := Caller(ctx); status.Code(err) != codes.Unauthenticated {
			t.Errorf("with a token that was not looked at: %v, %v", got, err)
		}
		if got, err := Bearer(ctx); got != who && who.Kind != Forwarded || err != nil && who.Kind != Forwarded {
			t.Errorf("bearer %v, %v", got, err)
		}
		got, err := Caller(ByToken(ctx, who, 7, 8))
		if err != nil || got.Kind != TokenUser || got.UID != 7 || got.GID != 8 || got.Name != who.Name || !got.IsUser() {
			t.Errorf("by a token: %+v, %v", got, err)
		}
		out, _ := metadata.FromOutgoingContext(Outgoing(context.Background(), got))
		if out.Get(keyUID)[0] != "7" || len(out.Get(KeyToken)) > 0 {
			t.Errorf("passed on as %v", out)
		}
	}
	two := metadata.NewIncomingContext(context.Background(), metadata.Pairs(KeyToken, "a", KeyToken, "b"))
	if text, ok := TokenOf(two); text != "" || !ok {
		t.Errorf("of two tokens: %q, %v", text, ok)
	}
	if _, err := Caller(context.Background()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a peer: %v, want Unauthenticated", err)
	}
}

func TestOutgoingIsWhatCallerSeesNext(t *testing.T) {
	controller := Identity{Kind: Daemon, Cluster: "ref", Role: RoleController, Name: "c2"}
	node := Identity{Kind: Daemon, Cluster: "ref", Role: RoleNode, Name: "n1"}
	user := Identity{Kind: Forwarded, UID: 1000, GID: 100, Cluster: "ref", Role: RoleController, Name: "c2"}
	for _, tt := range []struct {
		name     string
		id, want Identity
	}{
		{"LocalUser", Identity{Kind: LocalPeer, UID: 1000, GID: 100, PID: 7}, user},
		{"ForwardedUser", Identity{Kind: Forwarded, UID: 1000, GID: 100, Cluster: "ref", Role: RoleNode, Name: "n1"}, user},
		{"Daemon", node, node},
		{"Nobody", Identity{}, controller},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// What was attached before must not survive, and other keys must.
			ctx := metadata.AppendToOutgoingContext(context.Background(), keyUID, "0", keyGID, "0", keyDaemon, "node/n9", "other", "kept")
			before, _ := metadata.FromOutgoingContext(ctx)
			ctx = Outgoing(ctx, tt.id)
			sent, _ := metadata.FromOutgoingContext(ctx)
			if got := sent.Get("other"); len(got) != 1 || got[0] != "kept" {
				t.Errorf("other metadata is %q", got)
			}
			if len(before.Get(keyUID)) != 1 {
				t.Error("the context given was changed")
			}
			in := peer.NewContext(context.Background(), &peer.Peer{AuthInfo: tlsAuthInfo(controller)})
			got, err := Caller(metadata.NewIncomingContext(in, sent))
			if err != nil || got != tt.want {
				t.Errorf("the next one sees %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
