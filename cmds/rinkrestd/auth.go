package rinkrestd

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/scontrol"
)

// asker is who a request comes from.
type asker struct {
	via   cli.Via
	token string // what the controller finds out who it is by; "": it is whoever runs this process
}

// errWho is the answer to who does not say who they are, or not well.
var errWho = errors.New("Authentication failure")

// who finds out who asks: by a token, which the controller judges, or, over a Unix socket
// or standard input, by its being the very user who runs this process.
func (s *server) who(r *http.Request) (asker, error) {
	a := asker{via: cli.Via{Source: r.RemoteAddr}}
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		a.via.Source = "unix:" + at.String()
	}
	token := r.Header.Get("X-SLURM-USER-TOKEN")
	if token == "" {
		token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	name := r.Header.Get("X-SLURM-USER-NAME")
	if token != "" && slices.Contains(s.auths, "jwt") {
		a.token = strings.TrimSpace(token)
		if a.via.User = cli.TokenUser(a.token); a.via.User == "" {
			return a, errWho
		}
		if name != "" && name != a.via.User {
			return s.inNameOf(r, a, name)
		}
		a.via.Group = groupOf(a.via.User)
		return a, nil
	}
	if token == "" && slices.Contains(s.auths, "local") && s.isSelf(r) {
		u, err := hostuser.LookupID(strconv.FormatUint(uint64(s.uid), 10))
		if err != nil {
			return a, errWho
		}
		if a.via.User = u.Username; name != "" && name != a.via.User {
			return a, errWho
		}
		a.via.Group = groupOf(a.via.User)
		return a, nil
	}
	return a, errWho
}

// isSelf reports whether a request comes from this process's own user, by the kernel's
// word.
func (s *server) isSelf(r *http.Request) bool {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	if c, ok := conn.(*slotted); ok {
		conn = c.Conn
	}
	switch c := conn.(type) {
	case *stdio:
		return true
	case *net.UnixConn:
		raw, err := c.SyscallConn()
		if err != nil {
			return false
		}
		var peer *unix.Ucred
		if raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
			return false
		}
		return peer.Uid == s.uid
	}
	return false
}

func groupOf(name string) string {
	u, err := hostuser.Lookup(name)
	if err != nil {
		return ""
	}
	g, err := hostuser.LookupGroupID(u.Gid)
	if err != nil {
		return u.Gid
	}
	return g.Name
}

// inNameOf has who holds a token ask in another user's name: by a token of that user's,
// which the controller gives to those who may have one.
func (s *server) inNameOf(r *http.Request, a asker, name string) (asker, error) {
	q := &request{s: s, r: r, who: a}
	t := q.command(scontrol.Run, "scontrol", "token", "username="+name, "lifespan="+proxyLife)
	token, ok := strings.CutPrefix(strings.TrimSpace(t.out), "SLURM_JWT=")
	if t.code != 0 || !ok {
		return a, errWho
	}
	a.token, a.via.User, a.via.Group = token, name, groupOf(name)
	return a, nil
}

// proxyLife is how long a token for one request is good, in seconds.
const proxyLife = "300"
