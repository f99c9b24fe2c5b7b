package state

import (
	"fmt"
	"time"

	"github.com/runink/rink/slurm"
)

// addToken lets one daemon join with a one-time token.
func (s *State) addToken(c AddToken) error {
	switch {
	case c.Hash == "":
		return fmt.Errorf("cannot add a token without its hash")
	case s.tokens[c.Hash] != nil:
		return fmt.Errorf("cannot add a token twice")
	case c.Role != "node" && c.Role != "controller":
		return fmt.Errorf("cannot add a token for role %q (want node or controller)", c.Role)
	}
	s.tokens[c.Hash] = &Token{Hash: c.Hash, Role: c.Role, Name: c.Name, Expires: c.Expires}
	return nil
}

// useToken consumes a token. Whatever is wrong with one, the answer is the
// same.
func (s *State) useToken(c UseToken) error {
	if !s.TokenValid(c.Hash, c.Role, c.Name, s.at) {
		return fmt.Errorf("cannot use the token: it is not there, used, expired, or for another daemon: %w", slurm.ErrnoAccessDenied)
	}
	delete(s.tokens, c.Hash)
	return nil
}

// TokenValid reports whether the token of that hash lets a daemon of that role
// and name join at that time.
func (s *State) TokenValid(hash, role, name string, now time.Time) bool {
	t := s.tokens[hash]
	return t != nil && t.Role == role && (t.Name == "" || t.Name == name) && now.Before(t.Expires)
}
