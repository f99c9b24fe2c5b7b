package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// UserKey signs and verifies tokens that say which user somebody is: JSON web tokens
// with the algorithm HS256, as Slurm's auth/jwt makes and takes them. Whoever has
// the key can be any user, root included.
type UserKey struct {
	key    []byte
	signer jose.Signer
}

const (
	// leastUserKey is the least a key for HS256 may have (RFC 7518, 3.2).
	leastUserKey = 32
	mostUserKey  = 1 << 16
	// maxUserToken bounds what is looked at as a token.
	maxUserToken = 1 << 14
)

// ReadUserKey reads a key, which is all the bytes of the file. The file must be one
// that others than its owner and its group have no rights to.
func ReadUserKey(path string) (*UserKey, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("cannot read the key of tokens: %s is not an absolute path", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key of tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the key of tokens: %w", err)
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("cannot use the key of tokens: %s is not a regular file", path)
	case mode.Perm()&0o007 != 0:
		return nil, fmt.Errorf("cannot use the key of tokens: %s has mode %04o, and others must have no rights to it (want 0600)", path, mode.Perm())
	case info.Size() > mostUserKey:
		return nil, fmt.Errorf("cannot use the key of tokens: %s has %d bytes (want at most %d)", path, info.Size(), mostUserKey)
	}
	data := make([]byte, info.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("cannot read the key of tokens: %w", err)
	}
	k, err := NewUserKey(data)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key of tokens in %s: %w", path, err)
	}
	return k, nil
}

// NewUserKey makes a key of these bytes.
func NewUserKey(data []byte) (*UserKey, error) {
	if len(data) < leastUserKey {
		return nil, fmt.Errorf("it has %d bytes, HS256 wants %d or more", len(data), leastUserKey)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: data}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	return &UserKey{key: data, signer: signer}, nil
}

// String keeps the key out of logs.
func (*UserKey) String() string { return "auth.UserKey(***)" }

// GoString keeps the key out of %#v.
func (k *UserKey) GoString() string { return k.String() }

// userClaims are what a token says. Slurm's own name for the user is sun; what others
// that make tokens for it write, and it reads, is username.
type userClaims struct {
	Expires   *jwt.NumericDate `json:"exp,omitempty"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	Issued    *jwt.NumericDate `json:"iat,omitempty"`
	User      string           `json:"sun,omitempty"`
	Username  string           `json:"username,omitempty"`
}

// Sign makes a token for the user of that name that is good from now on for life.
func (k *UserKey) Sign(user string, now time.Time, life time.Duration) (string, error) {
	if user == "" || strings.ContainsRune(user, 0) || !utf8.ValidString(user) { // JSON would make another name of that
		return "", fmt.Errorf("cannot make a token: %q is no user's name", user)
	}
	if life <= 0 {
		return "", fmt.Errorf("cannot make a token that lives for %v", life)
	}
	text, err := jwt.Signed(k.signer).Claims(userClaims{
		Issued: jwt.NewNumericDate(now), Expires: jwt.NewNumericDate(now.Add(life)), User: user,
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("cannot make a token: %w", err)
	}
	return text, nil
}

// ErrBadToken comes back, wrapped, for a token that says nothing: one that is not
// signed with the key, has expired, is not good yet, or names no user.
var ErrBadToken = errors.New("the token is not good")

func badToken(why string) error { return fmt.Errorf("%w: %s", ErrBadToken, why) }

// Verify returns the name of the user a token is for. Errors quote nothing of it.
func (k *UserKey) Verify(token string, now time.Time) (string, error) {
	if len(token) > maxUserToken {
		return "", badToken(fmt.Sprintf("it has %d bytes (want at most %d)", len(token), maxUserToken))
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return "", badToken("it is not a JSON web token signed with HS256")
	}
	var c userClaims
	if err := parsed.Claims(k.key, &c); err != nil {
		if errors.Is(err, jose.ErrCryptoFailure) {
			return "", badToken("it is signed with another key")
		}
		return "", badToken("its claims cannot be read")
	}
	user := c.User
	if user == "" {
		user = c.Username
	}
	switch {
	case c.Expires == nil:
		return "", badToken("it does not say when it expires")
	case !now.Before(c.Expires.Time()):
		return "", badToken("it expired on " + c.Expires.Time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && now.Before(c.NotBefore.Time()):
		return "", badToken("it is not good before " + c.NotBefore.Time().UTC().Format(time.RFC3339))
	case user == "" || strings.ContainsRune(user, 0):
		return "", badToken("it names no user")
	}
	return user, nil
}
