package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// byHand makes a token as the snippets people use do, without a library.
func byHand(key []byte, header, claims string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	sum := func(h func() hash.Hash) string {
		m := hmac.New(h, key)
		m.Write([]byte(text))
		return text + "." + enc.EncodeToString(m.Sum(nil))
	}
	switch {
	case strings.Contains(header, "none"):
		return text + "."
	case strings.Contains(header, "HS512"):
		return sum(sha512.New)
	}
	return sum(sha256.New)
}

const hs256 = `{"typ":"JWT","alg":"HS256"}`

func testUserKey(t testing.TB) (*UserKey, []byte) {
	data := []byte("0123456789abcdef0123456789abcde\n")
	k, err := NewUserKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return k, data
}

func TestVerify(t *testing.T) {
	k, key := testUserKey(t)
	other := []byte("another key of thirty-two bytes.")
	now := time.Unix(1_800_000_000, 0)
	claims := func(rest string) string { return `{"exp":1800000060,"iat":1799999990,` + rest + `}` }
	good := byHand(key, hs256, claims(`"sun":"ann"`))
	head, rest, _ := strings.Cut(good, ".")
	body, sum, _ := strings.Cut(rest, ".")
	for _, tt := range []struct{ name, token, user, why string }{
		{"OK", good, "ann", ""},
		{"Username", byHand(key, hs256, claims(`"username":"bob"`)), "bob", ""},
		{"SunBeforeUsername", byHand(key, hs256, claims(`"username":"bob","sun":"ann"`)), "ann", ""},
		{"NumberForAName", byHand(key, hs256, claims(`"sun":"1000"`)), "1000", ""},
		{"WithoutIssued", byHand(key, hs256, `{"exp":1800000060,"sun":"ann"}`), "ann", ""},
		{"IssuedLater", byHand(key, hs256, `{"exp":1800000060,"iat":1800000030,"sun":"ann"}`), "ann", ""},
		{"FractionOfASecond", byHand(key, hs256, `{"exp":1800000060.5,"iat":1.5,"sun":"ann"}`), "ann", ""},
		{"MoreClaims", byHand(key, hs256, claims(`"sun":"ann","iss":"portal","aud":["x"],"groups":{"a":[1]}`)), "ann", ""},
		{"WithoutType", byHand(key, `{"alg":"HS256"}`, claims(`"sun":"ann"`)), "ann", ""},
		{"ErrExpiredNow", byHand(key, hs256, `{"exp":1800000000,"sun":"ann"}`), "", "it expired on 2027-01-15T08:00:00Z"},
		{"ErrExpired", byHand(key, hs256, `{"exp":1,"sun":"ann"}`), "", "it expired on 1970-01-01T00:00:01Z"},
		{"ErrNotYet", byHand(key, hs256, claims(`"sun":"ann","nbf":1800000001`)), "", "it is not good before 2027-01-15T08:00:01Z"},
		{"ErrNoExpiry", byHand(key, hs256, `{"iat":1,"sun":"ann"}`), "", "does not say when it expires"},
		{"ErrExpiryIsText", byHand(key, hs256, `{"exp":"1800000060","sun":"ann"}`), "", "claims cannot be read"},
		{"ErrNoUser", byHand(key, hs256, `{"exp":1800000060}`), "", "names no user"},
		{"ErrEmptyUser", byHand(key, hs256, claims(`"sun":""`)), "", "names no user"},
		{"ErrUserIsANumber", byHand(key, hs256, claims(`"sun":0`)), "", "claims cannot be read"},
		{"ErrUserWithNUL", byHand(key, hs256, claims(`"sun":"ann\u0000"`)), "", "names no user"},
		{"ErrUserInCapitals", byHand(key, hs256, claims(`"Sun":"ann"`)), "", "names no user"},
		{"ErrUserTwice", byHand(key, hs256, claims(`"sun":"ann","sun":"root"`)), "", "claims cannot be read"},
		{"ErrOtherKey", byHand(other, hs256, claims(`"sun":"root"`)), "", "signed with another key"},
		{"ErrClaimsChanged", head + "." + base64.RawURLEncoding.EncodeToString([]byte(claims(`"sun":"root"`))) + "." + sum, "", "signed with another key"},
		{"ErrCutShort", good[:len(good)-2], "", "not a JSON web token signed with HS256"},
		{"ErrNoSignature", head + "." + body + ".", "", "signed with another key"},
		{"ErrAlgNone", byHand(key, `{"alg":"none"}`, claims(`"sun":"root"`)), "", "not a JSON web token signed with HS256"},
		{"ErrAlgNoneSigned", head[:0] + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + body + "." + sum, "", "not a JSON web token signed with HS256"},
		{"ErrHS512", byHand(key, `{"alg":"HS512"}`, claims(`"sun":"root"`)), "", "not a JSON web token signed with HS256"},
		{"ErrRS256", byHand(key, `{"alg":"RS256"}`, claims(`"sun":"root"`)), "", "not a JSON web token signed with HS256"},
		{"ErrNoAlg", byHand(key, `{}`, claims(`"sun":"root"`)), "", "not a JSON web token signed with HS256"},
		{"ErrUnknownCritical", byHand(key, `{"alg":"HS256","crit":["x"],"x":1}`, claims(`"sun":"root"`)), "", "cannot be read"},
		{"ErrNotJSON", byHand(key, hs256, `sun=ann`), "", "claims cannot be read"},
		{"ErrTwoParts", head + "." + body, "", "not a JSON web token"},
		{"ErrFourParts", good + ".x", "", "not a JSON web token"},
		{"ErrEmpty", "", "", "not a JSON web token"},
		{"ErrTooLong", strings.Repeat("a", maxUserToken+1), "", "want at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user, err := k.Verify(tt.token, now)
			if user != tt.user || (err == nil) != (tt.why == "") || err != nil && (!errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), tt.why)) {
				t.Errorf("user %q, error %v; want %q, %q", user, err, tt.user, tt.why)
			}
		})
	}
}

// A token that Slurm 22.05's own scontrol token made, with its key.
func TestVerifySlurmsOwn(t *testing.T) {
	const slurmExpires = 1795957836
	slurmToken := "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3OTU5NTc4MzYsImlhdCI6MTc5NTk1Nzc3Niwic3VuIjoiYWxpY2UifQ." +
		"S6eLgOk64JI8Q6Jx4ETRhq8Q1wUVC8MKIWj2Rxn0L0I"
	k, err := NewUserKey([]byte("not-a-secret-key-for-this-test-0"))
	if err != nil {
		t.Fatal(err)
	}
	if user, err := k.Verify(slurmToken, time.Unix(slurmExpires-1, 0)); user != "alice" || err != nil {
		t.Errorf("user %q, %v", user, err)
	}
	if _, err := k.Verify(slurmToken, time.Unix(slurmExpires, 0)); !errors.Is(err, ErrBadToken) {
		t.Errorf("once it has expired: %v", err)
	}
}

func TestSignIsWhatVerifyReads(t *testing.T) {
	k, _ := testUserKey(t)
	now := time.Unix(1_800_000_000, 500)
	text, err := k.Sign("ann", now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(text, ".")
	for i, want := range []string{`{"alg":"HS256","typ":"JWT"}`, `{"exp":1800000060,"iat":1800000000,"sun":"ann"}`} {
		if got, _ := base64.RawURLEncoding.DecodeString(part[i]); string(got) != want {
			t.Errorf("part %d is %s, want %s", i, got, want)
		}
	}
	if user, err := k.Verify(text, now.Add(59*time.Second)); user != "ann" || err != nil {
		t.Errorf("user %q, %v", user, err)
	}
	if _, err := k.Verify(text, now.Add(time.Minute)); !errors.Is(err, ErrBadToken) {
		t.Errorf("once it has expired: %v", err)
	}
	if text, err := k.Sign("ann", now, (1<<32-1)*time.Second); err != nil {
		t.Error(err)
	} else if user, err := k.Verify(text, now.AddDate(136, 0, 0)); user != "ann" || err != nil {
		t.Errorf("a token without end: %q, %v", user, err)
	}
	for _, user := range []string{"", "a\x00b", "a\xff"} {
		if _, err := k.Sign(user, now, time.Minute); err == nil {
			t.Errorf("a token for %q", user)
		}
	}
	if _, err := k.Sign("ann", now, 0); err == nil {
		t.Error("a token that does not live")
	}
}

func TestReadUserKey(t *testing.T) {
	long := strings.Repeat("k", 32)
	for _, tt := range []struct {
		name, data string
		mode       os.FileMode
		want       string
	}{
		{"OK", long, 0o600, ""},
		{"OwnerReadsOnly", long, 0o400, ""},
		{"GroupReads", long, 0o640, ""},
		{"ErrOthersRead", long, 0o644, "has mode 0644, and others must have no rights to it"},
		{"ErrOthersWrite", long, 0o602, "has mode 0602"},
		{"ErrEmpty", "", 0o600, "it has 0 bytes, HS256 wants 32 or more"},
		{"ErrShort", long[1:], 0o600, "it has 31 bytes, HS256 wants 32 or more"},
		{"ErrLong", strings.Repeat("k", 1<<16+1), 0o600, "has 65537 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			k, err := ReadUserKey(path)
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path)) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if err != nil {
				return
			}
			if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(s, "kkk") || strings.Contains(s, "107") {
				t.Errorf("the key is printed: %s", s)
			}
			text, err := k.Sign("ann", time.Now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			same, err := NewUserKey([]byte(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := same.Verify(text, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := ReadUserKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want os.ErrNotExist", err)
	}
	if _, err := ReadUserKey("key"); err == nil || !strings.Contains(err.Error(), "not an absolute path") {
		t.Errorf("error %v", err)
	}
	if _, err := ReadUserKey(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

// Whatever is taken for a token is one that the key signed.
func FuzzVerify(f *testing.F) {
	k, key := testUserKey(f)
	now := time.Unix(1_800_000_000, 0)
	for _, seed := range []string{
		byHand(key, hs256, `{"exp":1800000060,"sun":"ann"}`), byHand(key, `{"alg":"none"}`, `{"exp":1800000060,"sun":"ann"}`),
		byHand(key, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"exp":1800000060,"sun":"ann"}`), "..", "a.b.c", "", "eyJhbGciOiJIUzI1NiJ9..",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		user, err := k.Verify(token, now)
		if err != nil {
			if !errors.Is(err, ErrBadToken) || user != "" {
				t.Fatalf("user %q, %v", user, err)
			}
			return
		}
		at := strings.LastIndexByte(token, '.')
		m := hmac.New(sha256.New, key)
		m.Write([]byte(token[:max(at, 0)]))
		if sum, err := base64.RawURLEncoding.DecodeString(token[at+1:]); err != nil || !hmac.Equal(sum, m.Sum(nil)) {
			t.Fatalf("a token that nobody signed is %q's", user)
		}
	})
}

// What is signed for a user is verified for that user, or not signed.
func FuzzSign(f *testing.F) {
	k, _ := testUserKey(f)
	f.Add("ann", int64(60))
	f.Add("", int64(0))
	f.Add("\xbf\x8f", int64(60))
	f.Add("\xff\u2028<>&", int64(1<<32-1))
	f.Fuzz(func(t *testing.T, user string, seconds int64) {
		now := time.Unix(1_800_000_000, 0)
		text, err := k.Sign(user, now, time.Duration(seconds%(1<<32))*time.Second)
		if err != nil {
			return
		}
		got, err := k.Verify(text, now)
		if (err != nil || got != user) && len(text) <= maxUserToken {
			t.Fatalf("signed for %q, good for %q, %v", user, got, err)
		}
	})
}
