package cli

import (
	"encoding/base64"
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"
)

func TestUserIsTheTokens(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	self := uint32(os.Getuid())
	claims := func(text string) string {
		return "SLURM_JWT=e30." + base64.RawURLEncoding.EncodeToString([]byte(text)) + ".c2ln"
	}
	for _, tt := range []struct {
		name, env, sent string
		uid             uint32
		user            string
	}{
		{"WithoutToken", "X=y", "", self, me.Username},
		{"Root", claims(`{"sun":"root"}`), "same", 0, "root"},
		{"Username", claims(`{"username":"root"}`), "same", 0, "root"},
		{"ByNumber", claims(`{"sun":"0"}`), "same", 0, "root"},
		{"Padded", claims(`{"sun":"root"} `) + "=", "same", 0, "root"},
		{"UnknownHere", claims(`{"sun":"no such user"}`), "same", nobody, ""},
		{"NoUser", claims(`{}`), "same", self, me.Username},
		{"NoToken", "SLURM_JWT=abc", "same", self, me.Username},
		{"Empty", "SLURM_JWT=", "", self, me.Username},
		{"NotPrintable", "SLURM_JWT=a\nb", "", self, me.Username},
		{"TooLong", "SLURM_JWT=" + strings.Repeat("a", maxToken+1), "", self, me.Username},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &Env{Vars: []string{tt.env}}
			if uid := e.UID(); uid != tt.uid {
				t.Errorf("uid %d, want %d", uid, tt.uid)
			}
			u, err := e.User()
			if (err == nil) != (tt.user != "") || err == nil && (u.Username != tt.user || u.Uid != strconv.FormatUint(uint64(tt.uid), 10)) {
				t.Errorf("user %+v, %v; want %s", u, err, tt.user)
			}
			notes := (&line{token: e.token()}).notes()
			value, has := strings.CutPrefix(tt.env, "SLURM_JWT=")
			if !has {
				if len(notes) > 0 {
					t.Errorf("notes %v", notes)
				}
				return
			}
			want := tt.sent
			if want == "same" {
				want = value
			}
			if got := notes.Get(keyToken); len(got) != 1 || got[0] != want {
				t.Errorf("sent %q, want %q", got, want)
			}
		})
	}
}
