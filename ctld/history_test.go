package ctld

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestNodeRecordsAreMadeOfWhatMatters(t *testing.T) {
	at := time.Unix(1000, 0)
	up := &sched.Node{Name: "n1", CPUs: 4, Memory: 1000, State: slurm.NodeIdle, Gres: []sched.NodeGres{{Name: "gpu", Type: "a100", Count: 2}}}
	change := func(f func(*sched.Node)) *sched.Node {
		n := up.Clone()
		f(n)
		return n
	}
	busy := change(func(n *sched.Node) { n.UsedCPUs = 3 })
	drained := change(func(n *sched.Node) { n.State |= slurm.NodeDrain; n.Reason = "disk" })
	for _, test := range []struct {
		name     string
		old, new *sched.Node
		want     string
	}{
		{"New", nil, up, "n1 cpu=4,mem=1000M,node=1,billing=4,gres/gpu=2,gres/gpu:a100=2 down=false"},
		{"BusyIsNothing", up, busy, "nothing"},
		{"Drained", busy, drained, "n1 cpu=4,mem=1000M,node=1,billing=4,gres/gpu=2,gres/gpu:a100=2 down=true disk"},
		{"AnotherReason", drained, change(func(n *sched.Node) { n.State |= slurm.NodeDrain; n.Reason = "fan" }), "n1 cpu=4,mem=1000M,node=1,billing=4,gres/gpu=2,gres/gpu:a100=2 down=true fan"},
		{"Back", drained, up, "n1 cpu=4,mem=1000M,node=1,billing=4,gres/gpu=2,gres/gpu:a100=2 down=false"},
		{"MoreCPUs", up, change(func(n *sched.Node) { n.CPUs = 8; n.Gres = nil }), "n1 cpu=8,mem=1000M,node=1,billing=8 down=false"},
		{"Gone", up, nil, "n1  down=false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := "nothing"
			if r := nodeRecord(state.NodeChanged{Old: test.old, New: test.new, At: at}); r != nil {
				got = strings.TrimSpace(fmt.Sprintf("%s %s down=%t %s", r.Node.Node, r.Node.Tres, r.Node.Down, r.Node.Reason))
				if r.Node.Start != at.UnixNano() {
					t.Errorf("it begins at %d", r.Node.Start)
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestReservationsAreKeptInSpans(t *testing.T) {
	at := func(sec int64) time.Time { return time.Unix(sec, 0) }
	resv := func(start, end int64) *sched.Reservation {
		return &sched.Reservation{Name: "r", ID: 7, Start: at(start), End: at(end), Nodes: []sched.NodeName{"n1", "n2"}, TRES: slurm.TRES{{Type: "cpu", Count: 8}}}
	}
	for _, test := range []struct {
		name     string
		old, new *sched.Reservation
		now      int64
		want     string
	}{
		{"Made", nil, resv(100, 200), 50, "100-200"},
		{"ChangedWhileItGoesOn", resv(100, 200), resv(100, 300), 150, "100-150 150-300"},
		{"MovedBeforeItBegan", resv(100, 200), resv(120, 220), 50, "100-100 120-220"},
		{"LongerBeforeItBegan", resv(100, 200), resv(100, 250), 50, "100-250"},
		{"DeletedWhileItGoesOn", resv(100, 200), nil, 150, "100-150"},
		{"DeletedBeforeItBegan", resv(100, 200), nil, 50, "100-100"},
		{"DeletedWhenOver", resv(100, 200), nil, 250, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var words []string
			for _, r := range reservationRecords(test.old, test.new, at(test.now)) {
				s := r.Reservation
				words = append(words, fmt.Sprintf("%d-%d", s.Start/1e9, s.End/1e9))
				if s.Id != 7 || s.Nodes != "n[1-2]" || s.Tres != "cpu=8" {
					t.Errorf("span %v", s)
				}
			}
			if got := strings.Join(words, " "); got != test.want {
				t.Errorf("spans %q, want %q", got, test.want)
			}
		})
	}
}

func TestAccountPlacesFollowTheTree(t *testing.T) {
	accounts := &sched.Accounts{Assocs: map[sched.AssocKey]*sched.Assoc{}, ByID: map[sched.AssocID]*sched.Assoc{}}
	for i, pair := range [][2]string{{"root", ""}, {"physics", "root"}, {"optics", "physics"}, {"chem", "root"}} {
		a := &sched.Assoc{ID: sched.AssocID(i + 1), Key: sched.AssocKey{Account: pair[0]}}
		if up := accounts.Assocs[sched.AssocKey{Account: pair[1]}]; up != nil {
			a.Parent = up.ID
		}
		accounts.Assocs[a.Key], accounts.ByID[a.ID] = a, a
	}
	reply := &rinkpb.UsageReply{Parties: []*rinkpb.PartyUsage{{Party: &rinkpb.Party{Account: "optics"}}, {Party: &rinkpb.Party{Account: "gone"}}}}
	var words []string
	for _, p := range accountPlaces(accounts, reply) {
		words = append(words, p.Name+"<"+p.Parent)
	}
	if got, want := strings.Join(words, " "), "root< chem<root gone<root physics<root optics<physics"; got != want {
		t.Errorf("tree %q, want %q", got, want)
	}
}

func TestAnAnswerGoesToWhoAskedThatNode(t *testing.T) {
	var a asking
	first, answer := a.ask("n1")
	second, other := a.ask("n2")
	a.answered("n2", &rinkpb.Sampled{Ask: first}) // of a node that was not asked this
	if len(answer) != 0 {
		t.Error("another node's answer was taken")
	}
	a.answered("n1", &rinkpb.Sampled{Ask: first})
	a.answered("n1", &rinkpb.Sampled{Ask: first})
	a.forget(second)
	a.answered("n2", &rinkpb.Sampled{Ask: second})
	if len(answer) != 1 || len(other) != 0 || len(a.open) != 0 {
		t.Errorf("%d and %d answers, %d questions left", len(answer), len(other), len(a.open))
	}
}

func TestAddUsageKeepsPlaces(t *testing.T) {
	one := func(node sched.NodeName, task int, cpu, rss int64) sched.Usage {
		of := func(n int64) sched.OfTask { return sched.OfTask{Amount: n, Task: task} }
		return onNode(sched.Usage{UserCPU: time.Duration(cpu), MaxRSS: rss, MaxRSSTask: task, TotalRSS: rss, Tasks: 1, CPUMin: of(cpu), CPUMax: of(cpu), RSSMin: of(rss)}, node)
	}
	u := sched.Usage{}.Plus(one("n1", 0, 5, 100)).Plus(one("n2", 1, 3, 300))
	if u.CPUMin != (sched.OfTask{Amount: 3, Node: "n2", Task: 1}) || u.CPUMax != (sched.OfTask{Amount: 5, Node: "n1"}) || u.RSSMin.Node != "n1" {
		t.Errorf("places %+v", u)
	}
	if u.UserCPU != 8 || u.MaxRSS != 300 || u.MaxRSSNode != "n2" || u.MaxRSSTask != 1 || u.TotalRSS != 400 || u.Tasks != 2 {
		t.Errorf("sums %+v", u)
	}
}
