package auth

import (
	"fmt"
	"strings"
	"testing"
)

func TestTokenRoundTrip(t *testing.T) {
	a, b := testAuthority(t, "ref"), testAuthority(t, "ref")
	tok, err := NewToken(a.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseToken(tok.Text() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if back != tok || back.Hash() != tok.Hash() || len(tok.Hash()) != 64 {
		t.Error("the token read back is another one")
	}
	if !tok.Pins(a.Certificate()) || tok.Pins(b.Certificate()) {
		t.Error("the token pins the wrong authority")
	}
	secret := strings.Split(tok.Text(), ".")[2]
	for _, verb := range []string{"%v", "%s", "%+v", "%#v", "%q"} {
		if s := fmt.Sprintf(verb, tok); strings.Contains(s, secret) {
			t.Errorf("%s shows the secret: %s", verb, s)
		}
	}
	other, err := NewToken(a.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	if other.Hash() == tok.Hash() {
		t.Error("two tokens have one secret")
	}
}

func TestParseTokenRefuses(t *testing.T) {
	tok, err := NewToken([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	good := tok.Text()
	for _, tt := range []struct{ name, text, want string }{
		{"Empty", "", `does not begin with "rink1."`},
		{"OtherVersion", "rink2" + good[5:], `does not begin with "rink1."`},
		{"TwoParts", good[:strings.LastIndex(good, ".")], "has 2 parts"},
		{"FourParts", good + ".x", "has 4 parts"},
		{"ShortSecret", good[:len(good)-4], "its secret is damaged"},
		{"BadHash", strings.Replace(good, ".", ".!", 1), "its hash of the authority is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseToken(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if parts := strings.Split(tt.text, "."); len(parts) > 2 && strings.Contains(err.Error(), parts[2]) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func FuzzParseToken(f *testing.F) {
	tok, err := NewToken([]byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok.Text())
	f.Add("rink1..")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			return
		}
		if tok.Text() != strings.TrimSpace(s) {
			t.Errorf("%q read and written is %q", s, tok.Text())
		}
	})
}
