package atrest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, text string) *Keys {
	t.Helper()
	k, err := Load(file(t, text, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	one, two := New(), New()
	k := load(t, one)
	plain := []byte("who ran what")
	sealed := k.Seal(plain, []byte("7"))
	if len(sealed) != len(plain)+k.Overhead() || bytes.Contains(sealed, plain) {
		t.Errorf("sealed to %d bytes: %q", len(sealed), sealed)
	}
	if bytes.Equal(sealed, k.Seal(plain, []byte("7"))) {
		t.Error("the same is sealed to the same")
	}
	if got, err := k.Open(sealed, []byte("7")); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened to %q (%v)", got, err)
	}
	if _, err := k.Open(sealed, []byte("8")); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(bad, []byte("7")); err == nil {
			t.Errorf("with byte %d changed it opens", i)
		}
	}
	if _, err := k.Open(sealed[:20], nil); !errors.Is(err, ErrSealed) {
		t.Errorf("cut: %v", err)
	}
	// The new key first: it seals, and the old one still opens.
	both := load(t, "# two\n"+two+one)
	if got, err := both.Open(sealed, []byte("7")); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("with both keys: %q (%v)", got, err)
	}
	if both.ID() == k.ID() || both.ID() != load(t, two).ID() {
		t.Errorf("ids are %s and %s", both.ID(), k.ID())
	}
	_, err := load(t, two).Open(sealed, []byte("7"))
	if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), k.ID()) {
		t.Errorf("with the wrong key: %v, want %s named", err, k.ID())
	}
	if bytes.Equal(k.Digest(plain), both.Digest(plain)) || !bytes.Equal(k.Digest(plain), k.Digest(plain)) {
		t.Error("digests do not follow the key")
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		mode             os.FileMode
	}{
		{"OpenToGroup", New(), "mode 0640", 0o640},
		{"Empty", "# nothing\n", "has no key", 0o600},
		{"Short", "AAAA\n", "line 1 is not a key", 0o600},
		{"NoBase64", New() + "?!\n", "line 2 is not a key", 0o600},
		{"Large", strings.Repeat("#\n", maxFile), "larger than", 0o600},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Load(file(t, c.text, c.mode)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a directory: %v", err)
	}
	one := New()
	if _, err := Load(file(t, one+one, 0o600)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a key twice: %v", err)
	}
}
