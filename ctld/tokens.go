package ctld

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/slurm"
)

// Tokens of users (AuthAltTypes=auth/jwt): a command that has one in SLURM_JWT acts as
// the user it names, whoever runs it. It is verified by the first controller a call
// comes to; what goes on from there goes in the user's name, without the token.

// tokenFile is the key of tokens below StateSaveLocation, where AuthAltParameters
// names none.
const tokenFile = "jwt_hs256.key"

// tokenLife is how long a token is good for that was asked for without a lifespan.
const tokenLife = 30 * time.Minute

// ReadTokenKey reads the key that users' tokens are signed with; nil when the
// cluster has none.
func (c *Config) ReadTokenKey() (*auth.UserKey, error) {
	if !slices.Contains(c.Conf.AuthAltTypes, slurm.AuthJWT) {
		return nil, nil
	}
	path := filepath.Join(c.StateDir, tokenFile)
	if v, ok := c.Conf.AuthAltParameters.Get("jwt_key"); ok && v != "" {
		path = c.Fill(v)
	}
	key, err := auth.ReadUserKey(path)
	if err != nil {
		return nil, fmt.Errorf("AuthAltTypes=%s: %w", slurm.AuthJWT, err)
	}
	return key, nil
}

// tokenUnary and tokenStream find out the caller of a call that comes with a token,
// before anybody asks who that is.
func (s *Server) tokenUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := s.byToken(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (s *Server) tokenStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := s.byToken(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	if ctx != ss.Context() {
		ss = &tokenStream{ss, ctx}
	}
	return handler(srv, ss)
}

// tokenStream is a stream of the user a token names.
type tokenStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (t *tokenStream) Context() context.Context { return t.ctx }

// byToken is the context of a call in which its token's user is the caller. All that
// is wrong with a token has one answer; the log has the reason, and never the token.
func (s *Server) byToken(ctx context.Context, method string) (context.Context, error) {
	text, ok := auth.TokenOf(ctx)
	if !ok {
		return ctx, nil
	}
	bearer, err := auth.Bearer(ctx)
	if err != nil {
		return ctx, err
	}
	refuse := func(why string) (context.Context, error) {
		s.log.Warn("a token was refused", "from", bearer.String(), "call", method, "why", why)
		return ctx, status.Error(codes.Unauthenticated, slurm.ErrnoProtocolAuthentication.Error())
	}
	switch {
	case s.tokenKey == nil:
		return refuse("there is no auth/jwt in AuthAltTypes")
	case !bearer.IsUser():
		return refuse("daemons have no use for tokens")
	}
	name, err := s.tokenKey.Verify(text, time.Now())
	if err != nil {
		return refuse(err.Error())
	}
	u, err := s.userNamed(name)
	switch {
	case errors.Is(err, auth.ErrUnknownUser):
		return refuse("this host knows no user " + strconv.Quote(name))
	case err != nil: // the users' database does not answer
		return ctx, status.Error(codes.Unavailable, err.Error())
	}
	return auth.ByToken(ctx, bearer, u.UID, u.GID), nil
}

// userNamed is the user of that name, or of the number that stands for one.
func (s *Server) userNamed(name string) (auth.User, error) {
	u, err := s.users.ByName(name)
	if errors.Is(err, auth.ErrUnknownUser) {
		if uid, numeric := strconv.ParseUint(name, 10, 32); numeric == nil {
			return s.users.ByUID(uint32(uid))
		}
	}
	return u, err
}

// UserToken makes a token for the caller, or for whom root or the controller's own user
// names.
func (c *controller) UserToken(ctx context.Context, req *rinkpb.UserTokenRequest) (*rinkpb.UserTokenReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	token, err := c.s.userToken(u, req)
	if err != nil {
		return &rinkpb.UserTokenReply{Status: refuse(err)}, nil
	}
	return &rinkpb.UserTokenReply{Status: &rinkpb.Status{}, Token: token}, nil
}

func (s *Server) userToken(u auth.User, req *rinkpb.UserTokenRequest) (string, error) {
	if s.tokenKey == nil {
		return "", slurm.ErrnoDisabled
	}
	params, super := s.conf.AuthAltParameters, s.superUser(u.UID)
	if params.Has("disable_token_creation") && !super {
		return "", slurm.ErrnoAccessDenied
	}
	name := u.Name
	if req.HasUser {
		name = req.User
	}
	// A token can lead to root, so that no level in the accounts is enough.
	if name != u.Name && !super || name == "" || strings.ContainsRune(name, 0) {
		return "", slurm.ErrnoUserIDMissing
	}
	life, limit := time.Duration(req.Lifespan)*time.Second, time.Duration(params.Int("max_token_lifespan", 0))*time.Second
	switch {
	case life == 0 && limit > 0:
		life = min(tokenLife, limit)
	case life == 0:
		life = tokenLife
	case limit > 0 && life > limit && !super:
		return "", slurm.ErrnoInvalidTimeLimit
	}
	token, err := s.tokenKey.Sign(name, time.Now(), life)
	if err == nil {
		s.log.Info("a token was made", "for", name, "by", u.Name, "seconds", int64(life/time.Second))
	}
	return token, err
}
