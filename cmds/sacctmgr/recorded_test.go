package sacctmgr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// keeper is a controller that keeps accounts and nothing else.
type keeper struct {
	rinkpb.Controller
	a     *sched.Accounts
	notes []sched.Transaction
	user  string // who asks
}

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func newKeeper() *keeper {
	return &keeper{a: sched.NewAccounts().WithTRES([]string{"gres/gpu", "gres/gpu:a100", "gres/gpu:v100", "license/matlab"}, 0), user: "root"}
}

func (k *keeper) ListAccounts(context.Context, *rinkpb.ListAccountsRequest) (*rinkpb.AccountsReply, error) {
	tables := k.a.Tables()
	level := k.a.AdminOf(k.user)
	if k.user == "root" {
		level = sched.AdminAdministrator
	}
	reply := &rinkpb.AccountsReply{
		Level:  uint32(level),
		Tables: api.AccountTablesToProto(&tables), Cluster: "ref", ControlHost: "127.0.0.1", ControlPort: 27817, Now: now.UnixNano(), Nodes: []string{"n1", "n2"},
	}
	for i := range k.notes {
		n := k.notes[i]
		n.ID, n.At, n.Actor = uint32(i+1), now, k.user
		reply.Transactions = append(reply.Transactions, api.TransactionToProto(&n))
	}
	return reply, nil
}

func (k *keeper) ChangeAccounts(_ context.Context, req *rinkpb.ChangeAccountsRequest) (*rinkpb.ChangeAccountsReply, error) {
	next := k.a
	reply := &rinkpb.ChangeAccountsReply{}
	var notes []sched.Transaction
	for _, p := range req.Asks {
		ask, err := api.AccountAskFromProto(p)
		if err != nil {
			return nil, err
		}
		edit, out, err := next.Ask(*ask, "ref", now)
		if denied := k.a.MayAsk(k.user, k.a.AdminOf(k.user), *ask, out); denied != nil && err == nil {
			err = denied
		}
		if err == nil {
			if next, err = next.With(edit, k.a.Version); err == nil {
				if t := next.NoAccess(edit); t != nil {
					err = t
				}
			}
		}
		if err != nil {
			var errno slurm.Errno
			if !errors.As(err, &errno) {
				return nil, err
			}
			reply.Status, reply.Trouble = &rinkpb.Status{Errno: int32(errno), Text: err.Error()}, api.AccountTroubleToProto(err)
			return reply, nil
		}
		reply.Outcomes = append(reply.Outcomes, api.AccountsOutcomeToProto(&out))
		notes = append(notes, out.Notes...)
	}
	if !req.DryRun {
		k.a, k.notes = next, append(k.notes, notes...)
	}
	return reply, nil
}

// run runs sacctmgr and returns what it prints, lines of stderr marked, and its
// exit status.
func (k *keeper) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &cli.Env{
		Name: "sacctmgr", Args: args, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Now: func() time.Time { return now }, Ctx: t.Context(),
	}
	o, err := parse(env)
	code := 1
	switch {
	case err != nil:
		fmt.Fprintln(&stderr, err)
	case o.done != "":
		code = 0
		stdout.WriteString(o.done)
	default:
		code = newCall(env, o, func() (rinkpb.Controller, error) { return k, nil }).run()
	}
	out := stdout.String()
	for _, line := range strings.SplitAfter(stderr.String(), "\n") {
		if line != "" {
			out += "E| " + line
		}
	}
	return fmt.Sprintf("%src=%d\n", out, code)
}

// TestRecorded does what was once done to a real Slurm 22.05, in the same order,
// and wants the same to be said, byte by byte. Lines without a $ in front make
// the accounts; what they say is not looked at.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { replay(t, file) })
	}
}

func replay(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k := newKeeper()
	blocks := strings.Split("\n"+string(text), "\n$ sacctmgr ")
	for _, line := range strings.Split(blocks[0], "\n") {
		if words := splitLine(line); len(words) > 1 && words[0] == "sacctmgr" {
			if out := k.run(t, "", words[1:]...); !strings.HasSuffix(out, "rc=0\n") {
				t.Fatalf("%s:\n%s", line, out)
			}
		}
	}
	for _, b := range blocks[1:] {
		line, want, _ := strings.Cut(b, "\n")
		words := splitLine(line)
		if got := k.run(t, "", words...); strings.TrimRight(got, "\n") != strings.TrimRight(want, "\n") {
			t.Errorf("sacctmgr %s\n--- Slurm\n%s\n--- here\n%s", line, want, got)
		}
	}
}
