// Package atrest seals what a controller keeps on its disk: XChaCha20-Poly1305
// with keys from a file. A key is known by its id, so that a wrong or missing one
// is told apart from damage.
package atrest

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed value is a version, the id of the key in four bytes, the nonce, the
// encrypted bytes and the tag. Nonces are random: of 24 bytes, no two are alike.
const (
	version  = 1
	idSize   = 4
	headSize = 1 + idSize + chacha20poly1305.NonceSizeX
	overhead = headSize + chacha20poly1305.Overhead
)

// Keys are the keys of one file. The first seals; all of them open.
type Keys struct {
	path string
	list []key
}

type key struct {
	id     [idSize]byte
	aead   cipher.AEAD
	digest []byte
}

// ErrKey comes back when something was sealed with a key that is not there.
var ErrKey = errors.New("the key is not there")

// ErrSealed comes back when something sealed is not what was sealed, or not
// where it was.
var ErrSealed = errors.New("the seal is broken")

// maxFile bounds a file of keys.
const maxFile = 64 << 10

// Load reads a file of keys: 32 bytes in base64 a line, the one that seals first,
// those that older data may be sealed with after it; # begins a comment. The file
// must not be open to group or others.
func Load(path string) (*Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the encryption key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the encryption key %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("the encryption key %s has mode %04o: only its owner may have access (chmod 600)", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("the encryption key %s is larger than %d bytes", path, maxFile)
	}
	k, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("the encryption key %s: %w", path, err)
	}
	k.path = path
	return k, nil
}

func parse(text []byte) (*Keys, error) {
	k := &Keys{}
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != chacha20poly1305.KeySize {
			return nil, fmt.Errorf("line %d is not a key (want %d bytes in base64)", i+1, chacha20poly1305.KeySize)
		}
		one, err := newKey(raw)
		if err != nil {
			return nil, err
		}
		for _, other := range k.list {
			if other.id == one.id {
				return nil, fmt.Errorf("line %d: this key is there twice", i+1)
			}
		}
		k.list = append(k.list, one)
	}
	if len(k.list) == 0 {
		return nil, errors.New("it has no key")
	}
	return k, nil
}

func newKey(raw []byte) (key, error) {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		return key{}, err
	}
	k := key{aead: aead, digest: derive(raw, "rink digest")}
	copy(k.id[:], derive(raw, "rink key id"))
	return k, nil
}

func derive(raw []byte, what string) []byte {
	h := hmac.New(sha256.New, raw)
	h.Write([]byte(what))
	return h.Sum(nil)
}

// New returns a fresh key as a line of a file for Load.
func New() string {
	raw := make([]byte, chacha20poly1305.KeySize)
	rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw) + "\n"
}

// ID names the key that seals. It says nothing of the key.
func (k *Keys) ID() string { return hex.EncodeToString(k.list[0].id[:]) }

// Overhead is by how many bytes what is sealed is longer.
func (k *Keys) Overhead() int { return overhead }

// Digest returns a checksum that says nothing of data to who has not got the key.
func (k *Keys) Digest(data []byte) []byte {
	h := hmac.New(sha256.New, k.list[0].digest)
	h.Write(data)
	return h.Sum(nil)
}

// Seal returns plain sealed, bound to ad, which is not kept.
func (k *Keys) Seal(plain, ad []byte) []byte {
	first := &k.list[0]
	out := make([]byte, headSize, len(plain)+overhead)
	out[0] = version
	copy(out[1:], first.id[:])
	rand.Read(out[1+idSize : headSize])
	return first.aead.Seal(out, out[1+idSize:headSize], plain, ad)
}

// Open is Seal undone. It fails with ErrKey or ErrSealed.
func (k *Keys) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < overhead || sealed[0] != version {
		return nil, fmt.Errorf("%w: it is not a sealed value (%d bytes)", ErrSealed, len(sealed))
	}
	for i := range k.list {
		if !bytes.Equal(k.list[i].id[:], sealed[1:1+idSize]) {
			continue
		}
		plain, err := k.list[i].aead.Open(nil, sealed[1+idSize:headSize], sealed[headSize:], ad)
		if err != nil {
			return nil, fmt.Errorf("%w: it is not what was sealed", ErrSealed)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w: it is sealed with key %x, %s has %s", ErrKey, sealed[1:1+idSize], k.path, k.ids())
}

func (k *Keys) ids() string {
	list := make([]string, len(k.list))
	for i, one := range k.list {
		list[i] = hex.EncodeToString(one.id[:])
	}
	return strings.Join(list, ", ")
}
