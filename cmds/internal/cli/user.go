package cli

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/runink/rink/auth/hostuser"
)

// token is what SLURM_JWT has: the user a command acts as, whoever runs it. The
// controller verifies it; here it is only read.
type token struct {
	text string
	user string // whom it names, unverified; "" when it cannot be read
}

// maxToken bounds a token; longer ones no controller takes.
const maxToken = 1 << 14

// token returns the token of the environment; nil without one. One that is empty is
// one that no controller takes.
func (e *Env) token() *token {
	text, ok := e.Lookup("SLURM_JWT")
	if !ok {
		return nil
	}
	t := &token{text: text}
	// What no token looks like is not sent: on their way to a controller notes have to be
	// printable.
	if len(text) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		t.text = ""
		return t
	}
	_, rest, _ := strings.Cut(text, ".")
	body, _, _ := strings.Cut(rest, ".")
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(body, "="))
	if err != nil {
		return t
	}
	var claims struct {
		Sun      string `json:"sun"`
		Username string `json:"username"`
	}
	if json.Unmarshal(data, &claims) == nil {
		if t.user = claims.Sun; t.user == "" {
			t.user = claims.Username
		}
	}
	return t
}

// TokenUser is whom a token names, unverified; "" when it cannot be read.
func TokenUser(text string) string {
	return (&Env{Vars: []string{"SLURM_JWT=" + text}}).token().user
}

// User is whom the command asks for when nobody is named: the user of the token in
// SLURM_JWT, or the one who runs it. Nothing is decided by that: who calls is found
// out by the daemons.
func (e *Env) User() (*user.User, error) {
	t := e.token()
	if t == nil || t.user == "" {
		return hostuser.Current()
	}
	u, err := hostuser.Lookup(t.user)
	if err != nil {
		if byID, failed := hostuser.LookupID(t.user); failed == nil {
			return byID, nil
		}
	}
	return u, err
}

// UID is the number of that user. A token of a user this host does not know gives one
// that nobody has.
func (e *Env) UID() uint32 {
	if t := e.token(); t == nil || t.user == "" {
		return uint32(os.Getuid())
	}
	if u, err := e.User(); err == nil {
		if n, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			return uint32(n)
		}
	}
	return nobody
}

// nobody is the uid that stands for none.
const nobody = ^uint32(0)
