package auth

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The metadata by which a daemon says for whom it makes a call.
const (
	keyUID    = "rink-uid"
	keyGID    = "rink-gid"
	keyDaemon = "rink-daemon" // ROLE/NAME; believed from controllers alone
)

// KeyToken is the metadata by which a command says that it acts for the user of a token:
// the token itself (see UserKey), which agents pass on unread.
const KeyToken = "rink-jwt"

// TokenOf returns the token a call came with and whether it came with one. Of
// several, which nobody sends, it returns one that is good for nothing.
func TokenOf(ctx context.Context) (string, bool) {
	md, _ := metadata.FromIncomingContext(ctx)
	switch list := md.Get(KeyToken); len(list) {
	case 0:
		return "", false
	case 1:
		return list[0], true
	}
	return "", true
}

type callerKey struct{}

// ByToken returns ctx in which Caller is the user of that number by the call's token,
// which has been verified. Caller without it is the user the kernel or a daemon named.
func ByToken(ctx context.Context, caller Identity, uid, gid uint32) context.Context {
	caller.Kind, caller.UID, caller.GID = TokenUser, uid, gid
	return context.WithValue(ctx, callerKey{}, caller)
}

// Caller returns for whom a call is made. Over a Unix socket it is the process
// at the other end, whatever it may claim. Over TLS it is the user the daemon
// at the other end speaks for, or that daemon itself when it names none. A
// controller that passes on what a daemon asked of it names that daemon. A token
// that was found good (ByToken) outdoes all of it, and a call with a token that
// nobody verified is nobody's.
//
// The error is a gRPC status: Unauthenticated when the transport does not know
// who is there, InvalidArgument when what a daemon says makes no sense, and
// PermissionDenied when it may not speak for whom it names.
func Caller(ctx context.Context) (Identity, error) {
	if id, ok := ctx.Value(callerKey{}).(Identity); ok {
		return id, nil
	}
	if _, ok := TokenOf(ctx); ok {
		return Identity{}, status.Error(codes.Unauthenticated, "the call's token was not verified")
	}
	return Bearer(ctx)
}

// Bearer returns who makes a call, or for whom it is made, whatever its token says.
func Bearer(ctx context.Context) (Identity, error) {
	id, ok := PeerFrom(ctx)
	if !ok {
		return Identity{}, status.Error(codes.Unauthenticated, "cannot tell who is calling")
	}
	if id.Kind != Daemon {
		return id, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	uids, gids, daemons := md.Get(keyUID), md.Get(keyGID), md.Get(keyDaemon)
	if len(daemons) > 0 {
		if len(daemons) > 1 || len(uids) > 0 || len(gids) > 0 {
			return Identity{}, status.Errorf(codes.InvalidArgument, "cannot tell for whom %s is calling: it names more than one", id)
		}
		if id.Role != RoleController {
			return Identity{}, status.Errorf(codes.PermissionDenied, "%s may not speak for another daemon", id)
		}
		r, name, _ := strings.Cut(daemons[0], "/")
		role, err := ParseRole(r)
		if err == nil {
			err = CheckName(name)
		}
		if err != nil {
			return Identity{}, status.Errorf(codes.InvalidArgument, "cannot tell for whom %s is calling: %s %q: %v", id, keyDaemon, daemons[0], err)
		}
		return Identity{Kind: Daemon, Cluster: id.Cluster, Role: role, Name: name}, nil
	}
	if len(uids) == 0 && len(gids) == 0 {
		return id, nil
	}
	uid, err := oneID(keyUID, uids)
	if err != nil {
		return Identity{}, status.Errorf(codes.InvalidArgument, "cannot tell for whom %s is calling: %v", id, err)
	}
	gid, err := oneID(keyGID, gids)
	if err != nil {
		return Identity{}, status.Errorf(codes.InvalidArgument, "cannot tell for whom %s is calling: %v", id, err)
	}
	id.Kind, id.UID, id.GID = Forwarded, uid, gid
	return id, nil
}

func oneID(key string, values []string) (uint32, error) {
	if len(values) != 1 {
		return 0, fmt.Errorf("%s is given %d times (want once)", key, len(values))
	}
	n, err := strconv.ParseUint(values[0], 10, 32)
	if err != nil || uint32(n) == noID {
		return 0, fmt.Errorf("%s %q is not an id", key, values[0])
	}
	return uint32(n), nil
}

// Outgoing returns ctx with id, as Caller gave it, attached to the calls made
// with it: who receives them sees the same user or daemon. Whatever ctx said of
// this before is replaced. Nobody attaches nothing, so that the call is made in
// the calling daemon's own name.
func Outgoing(ctx context.Context, id Identity) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx) // a copy
	if !ok {
		md = metadata.MD{}
	}
	md.Delete(keyUID)
	md.Delete(keyGID)
	md.Delete(keyDaemon)
	switch id.Kind {
	case LocalPeer, Forwarded, TokenUser:
		md.Set(keyUID, strconv.FormatUint(uint64(id.UID), 10))
		md.Set(keyGID, strconv.FormatUint(uint64(id.GID), 10))
	case Daemon:
		md.Set(keyDaemon, string(id.Role)+"/"+id.Name)
	}
	return metadata.NewOutgoingContext(ctx, md)
}
