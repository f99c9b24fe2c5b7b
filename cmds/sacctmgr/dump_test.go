package sacctmgr

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runink/rink/sched"
)

// withQOS is a cluster that has the QOS of a dump and nothing else of it.
func withQOS(t *testing.T, names ...string) *keeper {
	k := newKeeper()
	for _, n := range names {
		if n != "normal" {
			k.run(t, "", "-i", "add", "qos", n)
		}
	}
	return k
}

// A dump that a real Slurm wrote comes in, and goes out again as the same bytes;
// in a second time it changes nothing.
func TestSlurmsDumpGoesInAndOut(t *testing.T) {
	want, err := os.ReadFile("testdata/dump.cfg")
	if err != nil {
		t.Fatal(err)
	}
	for _, clean := range []bool{false, true} {
		t.Run(fmt.Sprintf("Clean=%v", clean), func(t *testing.T) {
			k := withQOS(t, "low", "scav", "tiny", "strict", "high")
			args := []string{"-i", "load", "testdata/dump.cfg"}
			if clean {
				k.run(t, "", "-i", "add", "account", "old")
				k.run(t, "", "-i", "add", "user", "oldie", "account=old")
				args = append(args, "clean")
			}
			if out := k.run(t, "", args...); !strings.HasSuffix(out, "rc=0\n") {
				t.Fatalf("load:\n%s", out)
			}
			if u := k.a.Users["d1u"]; u == nil || u.Admin != sched.AdminOperator || !k.a.Coordinates("d1u", "d1") || u.DefaultAccount != "d1" {
				t.Errorf("d1u is %+v", u)
			}
			if gone := k.a.Accounts["old"] == nil && k.a.Users["oldie"] == nil; gone != true {
				t.Error("what was there before is still there")
			}
			file := filepath.Join(t.TempDir(), "out.cfg")
			if out := k.run(t, "", "-Q", "dump", "ref", "file="+file); out != "rc=0\n" {
				t.Fatalf("dump:\n%s", out)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			before := k.a
			if out := k.run(t, "", "-i", "load", "testdata/dump.cfg"); out != "For cluster ref\n Nothing new added.\nrc=0\n" || k.a != before {
				t.Errorf("loaded once more:\n%s", out)
			}
		})
	}
}

func TestFilesThatAreNoDumps(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"ErrEmpty", "# nothing\n", "You need to specify a cluster name first"},
		{"ErrNoCluster", "Account - 'chem':Fairshare=1\n", "You need to specify a cluster name first"},
		{"ErrNoDash", "Cluster 'ref'\n", "Misformatted line(1)"},
		{"ErrKind", "Cluster - 'ref'\nGuild - 'x'\n", "Misformatted line(2)"},
		{"ErrNoValue", "Cluster - 'ref':Fairshare\n", "Misformatted line(1)"},
		{"ErrOption", "Cluster - 'ref'\nAccount - 'a':Colour=red\n", "line 2: Unknown option: Colour"},
		{"ErrValue", "Cluster - 'ref'\nAccount - 'a':MaxJobs=x\n", "line 2: Invalid value for MaxJobs (x)"},
		{"ErrQOS", "Cluster - 'ref'\nAccount - 'a':QOS='nosuch'\n", "You gave a bad qos 'nosuch'"},
		{"ErrParent", "Cluster - 'ref'\nParent - 'nosuch'\nAccount - 'a'\n", "line(2)"},
		{"ErrOtherCluster", "Cluster - 'other'\nAccount - 'a'\n", "of cluster ref alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeeper()
			before := k.a
			file := filepath.Join(t.TempDir(), "in.cfg")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			out := k.run(t, "", "-i", "load", file)
			if !strings.Contains(out, c.want) || !strings.HasSuffix(out, "rc=1\n") {
				t.Errorf("got\n%s\nwant %q", out, c.want)
			}
			if k.a != before {
				t.Error("something was loaded")
			}
		})
	}
}

func TestSplitColons(t *testing.T) {
	for line, want := range map[string]string{
		"'a':GrpTRES=gres/gpu:a100=2,cpu=4:MaxJobs=3": "'a'|GrpTRES=gres/gpu:a100=2,cpu=4|MaxJobs=3",
		"'a':Description='x:y':Fairshare=1":           "'a'|Description='x:y'|Fairshare=1",
		"'a':GrpTRES=gres/gpu=2:GrpJobs=3":            "'a'|GrpTRES=gres/gpu=2|GrpJobs=3",
		"'a'":                                         "'a'",
	} {
		if got := strings.Join(splitColons(line), "|"); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

// The file is read without a panic, whatever is in it.
func FuzzReadDump(f *testing.F) {
	text, err := os.ReadFile("testdata/dump.cfg")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("Cluster - '")
	k := newKeeper()
	reply, err := k.ListAccounts(context.Background(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if list, err := readDump(s); err == nil {
			loadAsks(&cluster{Accounts: k.a, name: "ref", reply: reply}, list, true)
		}
	})
}
