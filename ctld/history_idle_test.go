package ctld

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
)

// Two reservations as a real cluster had them: one of alice's, of 16 CPUs for 300 seconds,
// of which a job used 800 CPU seconds, and one for maintenance, of root's. There the cluster
// had 9830 CPU seconds allocated, and root's associations 960 each, as here; alice's had 1066
// each, as what was used is taken off a second time.
func TestIdleReservationsAreChargedToTheirUsers(t *testing.T) {
	accounts := &sched.Accounts{Accounts: map[string]*sched.Account{}, Users: map[string]*sched.AccountUser{}, Assocs: map[sched.AssocKey]*sched.Assoc{},
		ByID: map[sched.AssocID]*sched.Assoc{}}
	for i, words := range []string{"root", "root root root", "chem root", "physics root", "capped physics", "optics physics", "optics physics root",
		"chem root alice", "physics root alice", "capped physics alice", "chem root bob"} {
		f := append(strings.Fields(words), "", "")
		a := &sched.Assoc{ID: sched.AssocID(i + 1), Key: sched.AssocKey{Account: f[0], User: f[2]}}
		up := sched.AssocKey{Account: f[1]}
		if f[2] != "" {
			up.Account = f[0]
			accounts.Users[f[2]] = &sched.AccountUser{Name: f[2]}
		}
		if parent := accounts.Assocs[up]; parent != nil {
			a.Parent = parent.ID
		}
		accounts.Accounts[f[0]] = &sched.Account{Name: f[0]}
		accounts.Assocs[a.Key], accounts.ByID[a.ID] = a, a
	}
	used := []*rinkpb.TRESSeconds{{Tres: "cpu", Seconds: 800}, {Tres: "mem", Seconds: 300000}}
	span := func(id uint32, name, who string, from, to int64, flags ...string) *rinkpb.ReservationSpan {
		return &rinkpb.ReservationSpan{Id: id, Name: name, Associations: who, Start: from * 1e9, End: to * 1e9, Tres: "cpu=16", Flags: flags}
	}
	for _, test := range []struct {
		name  string
		until int64
		rv    string
		want  string
	}{
		{"Over", 3600, "alice", "capped/alice cpu=1333, chem/alice cpu=1333, physics/alice cpu=1333, optics/root cpu=960, root/root cpu=960; allocated 9830 idle 26000"},
		{"GoesOn", 1100, "alice", "capped/alice cpu=266, chem/alice cpu=266, physics/alice cpu=266; allocated 6630 idle 29200"},
		{"UserInAccount", 3600, "alice,physics", "capped/alice cpu=2000, physics/alice cpu=2000, optics/root cpu=960, root/root cpu=960; allocated 9830 idle 26000"},
		{"Accounts", 3600, "chem,physics", "chem/ cpu=2000, physics/ cpu=2000, optics/root cpu=960, root/root cpu=960; allocated 9830 idle 26000"},
		{"KeptOut", 3600, "-bob", "optics/root cpu=960, root/root cpu=960; allocated 9830 idle 26000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			reply := &rinkpb.UsageReply{
				End:  3600 * 1e9,
				Tres: []*rinkpb.ClusterUsage{{Tres: "cpu", Allocated: 5830, Idle: 30000}},
				// The first was changed on the way: two spans, with the whole use of both.
				Reservations: []*rinkpb.ReservationUsage{
					{Span: span(1, "rv", test.rv, 1000, 1150), Allocated: used}, {Span: span(1, "rv", test.rv, 1150, 1300), Allocated: used},
					{Span: span(2, "mt", "root", 1300, 1420, "MAINT")},
				},
			}
			shareIdle(reply, accounts, test.until*1e9, func(string) uint32 { return 7 })
			var words []string
			for _, p := range reply.Parties {
				for _, x := range p.Tres {
					words = append(words, fmt.Sprintf("%s/%s %s=%d", p.Party.Account, p.Party.User, x.Tres, x.Seconds))
				}
			}
			got := fmt.Sprintf("%s; allocated %d idle %d", strings.Join(words, ", "), reply.Tres[0].Allocated, reply.Tres[0].Idle)
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
