package sshare

import (
	"context"
	_ "embed"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
)

// tree is what a real cluster's sshare -a -P -l said, and listed what the same
// associations looked like with other options.
var (
	//go:embed testdata/tree.txt
	tree string
	//go:embed testdata/listed.txt
	listed string
)

type shares struct {
	rinkpb.Controller
	reply *rinkpb.SharesReply
	asked *rinkpb.SharesRequest
}

func (s *shares) Shares(_ context.Context, req *rinkpb.SharesRequest) (*rinkpb.SharesReply, error) {
	s.asked = req
	return s.reply, nil
}

// recorded is the reply that tree was printed from.
func recorded(t *testing.T) *rinkpb.SharesReply {
	t.Helper()
	reply := &rinkpb.SharesReply{Cluster: "ref", FairTree: true}
	lines := strings.Split(strings.TrimSpace(tree), "\n")
	var above []uint32
	for i, line := range lines[2:] {
		f := strings.Split(line, "|")
		number := func(s string) float64 {
			if s == "" {
				return 0
			}
			x, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		account := strings.TrimLeft(f[0], " ")
		depth := len(f[0]) - len(account)
		a := &rinkpb.AssocShare{Id: uint32(i + 1), Account: account, User: f[1], Shares: int64(number(strings.Replace(f[2], "parent", "-1", 1))),
			NormShares: number(f[3]), RawUsage: number(f[4]), NormUsage: number(f[5]), EffectiveUsage: number(f[6]), Factor: number(f[7]), RunTresMins: f[10]}
		if a.Level = number(f[8]); f[8] == "inf" {
			a.Level = math.Inf(1)
		}
		above = append(above[:depth], a.Id)
		if depth > 0 {
			a.Parent = above[depth-1]
		}
		reply.Shares = append(reply.Shares, a)
	}
	return reply
}

func TestListsAsSlurmDoes(t *testing.T) {
	for _, block := range strings.Split(listed, "# ")[1:] {
		head, want, _ := strings.Cut(block, "\n")
		who, line, _ := strings.Cut(head, ": sshare ")
		t.Run(head, func(t *testing.T) {
			env, stdout, stderr := showtest.Env("sshare", strings.Fields(line))
			o, err := parse(env)
			if err != nil {
				t.Fatal(err)
			}
			if !o.allUsers && len(o.users) == 0 {
				o.users = []string{who}
			}
			list(env, o, &shares{reply: recorded(t)})
			if got := stdout.String() + stderr.String(); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestLongParsableListIsTheRecordedOne(t *testing.T) {
	env, stdout, _ := showtest.Env("sshare", []string{"-a", "-P", "-l"})
	o, err := parse(env)
	if err != nil {
		t.Fatal(err)
	}
	list(env, o, &shares{reply: recorded(t)})
	if _, want, _ := strings.Cut(tree, "\n"); stdout.String() != want {
		t.Errorf("got\n%swant\n%s", stdout, want)
	}
}

func TestClassicSharesHaveNoLevel(t *testing.T) {
	reply := &rinkpb.SharesReply{Cluster: "c", Shares: []*rinkpb.AssocShare{
		{Id: 1, Account: "root", Shares: 1, NormShares: 1, EffectiveUsage: 1, Factor: 0.5},
		{Id: 2, Parent: 1, Account: "chem", Shares: 60, NormShares: 0.588235, RawUsage: 1184.9, EffectiveUsage: 0.51795, Factor: 0.543173, GrpTresMins: "cpu=100"},
	}}
	env, stdout, _ := showtest.Env("sshare", []string{"-a", "-l", "-P"})
	o, _ := parse(env)
	list(env, o, &shares{reply: reply})
	want := "Account|User|RawShares|NormShares|RawUsage|NormUsage|EffectvUsage|FairShare|GrpTRESMins|TRESRunMins\n" +
		"root|||1.000000|0||1.000000|0.500000||\n chem||60|0.588235|1184|0.000000|0.517950|0.543173|cpu=100|\n"
	if stdout.String() != want {
		t.Errorf("got\n%swant\n%s", stdout, want)
	}
}

func TestRequestNamesWhatIsAskedFor(t *testing.T) {
	env, _, _ := showtest.Env("sshare", []string{"-A", "Chem,physics", "-u", "ann,bob", "--json"})
	o, err := parse(env)
	if err != nil {
		t.Fatal(err)
	}
	o.settle(env)
	c := &shares{reply: &rinkpb.SharesReply{}}
	if list(env, o, c); strings.Join(c.asked.Accounts, " ")+"/"+strings.Join(c.asked.Users, " ") != "chem physics/ann bob" {
		t.Errorf("asked %v", c.asked)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-o nosuch", "sshare: error: Invalid field requested: \"nosuch\"\n"},
		{"--nosuch", "sshare: unrecognized option '--nosuch'\nTry \"sshare --help\" for more information\n"},
	} {
		env, stdout, stderr := showtest.Env("sshare", strings.Fields(c.args))
		if code := Run(env); code != 1 || stderr.String() != strings.TrimPrefix(c.want, ",") || stdout.Len() > 0 {
			t.Errorf("sshare %s: exit %d, %q", c.args, code, stderr)
		}
	}
}

func TestJSON(t *testing.T) {
	env, stdout, _ := showtest.Env("sshare", []string{"-a", "--json"})
	o, _ := parse(env)
	list(env, o, &shares{reply: &rinkpb.SharesReply{Cluster: "c", FairTree: true, Shares: []*rinkpb.AssocShare{
		{Id: 3, Parent: 1, Account: "chem", User: "ann", Shares: sched.SharesParent, Level: math.Inf(1), RunTresMins: "cpu=5"}}}})
	for _, want := range []string{`"name": "ann"`, `"infinite": true`, `"run_seconds"`, `"total_shares": 0`} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %s in %s", want, stdout)
		}
	}
}
