package scontrol

import (
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// What is said of a reservation reaches the controller as whole words, with plain
// times; what cannot be meant does not.
func TestReservationWords(t *testing.T) {
	for _, tt := range []struct {
		args, want, sent string
		code             int
	}{
		{"create reservation starttime=now+1hour duration=60 nodes=n1 users=alice", "Reservation created: \n", "starttime=uts2056626000 duration=60 nodes=n1 users=alice ", 0},
		{"create reservationname=r start=now end=now+5minutes NodeCnt=2 acc=chem part=debug", "Reservation created: r\n",
			"starttime=uts2056622400 endtime=uts2056622700 nodecnt=2 accounts=chem partitionname=debug ", 0},
		{"create res res=r starttime=now duration=1 corecnt=4,2 groups=g flags=daily,maint", "Reservation created: r\n",
			"starttime=uts2056622400 duration=1 corecnt=4,2 groups=g flags=daily,maint ", 0},
		{"create reservation starttime=now endtime=2001-01-01 nodes=n1 users=a", "scontrol: error: Start time cannot be after end time.  No reservation created.\n", "", 1},
		{"create reservation starttime=now duration=5 nodes= users=a", "scontrol: error: CoreCnt, Nodes, NodeCnt, BurstBuffer, Licenses or Watts must be specified.  No reservation created.\n", "", 1},
		{"create reservation starttime=now duration=5 nodecnt=0 users=a", "scontrol: error: CoreCnt, Nodes, NodeCnt, BurstBuffer, Licenses or Watts must be specified.  No reservation created.\n", "", 1},
		{"create reservation starttime=now duration=5 nodecnt=x users=a", "scontrol: error: Invalid node count x\n", "", 1},
		{"create reservation starttime=now duration=x nodes=n1 users=a", "scontrol: error: Invalid duration duration=x.  No reservation created.\n", "", 1},
		{"create reservation starttime=now duration=5 nodes=n1 users=a tres=gres/gpu=1", "scontrol: error: TRES type 'gres/gpu' not supported with reservations\n", "", 1},
		{"create reservation rz starttime=now duration=5", "scontrol: error: Misformatted parameter 'rz', most options have a parameter after '='.  No reservation created.\n", "", 1},
		{"create reservation starttime=now node=n1", "scontrol: error: Unknown parameter node=n1.  No reservation created.\n", "", 1},
		{"update reservationname=r users+=bob accounts-=chem flags=-daily", "Reservation updated.\n", "users+=bob accounts-=chem flags=-daily ", 0},
		{"update partition=short reservationname=r", "Reservation updated.\n", "partitionname=short ", 0},
		{"update reservationname=r skip", "Reservation updated.\n", "skip ", 0},
		{"update reservationname=r duration=+10", "scontrol: error: Invalid duration duration=+10.  No reservation update.\nslurm_update error: No error\n", "", 1},
		{"update reservationname=r nodes+=n1", "scontrol: error: The +=/-= notation is not supported when updating nodes.  No reservation update.\nslurm_update error: No error\n", "", 1},
		{"delete reservationname=r", "", "delete ", 0},
		{"delete reservation r", "", "delete ", 0},
	} {
		c := &showtest.Cluster{}
		got, code := run(t, c, strings.Fields(tt.args))
		sent := ""
		for _, r := range c.ResvsSet {
			for _, kv := range r.Changes {
				sent += kv.Key + kv.Op + kv.Value + " "
			}
			for word, said := range map[string]bool{"skip ": r.Skip, "delete ": r.Delete} {
				if said {
					sent += word
				}
			}
		}
		if got != tt.want || code != tt.code || sent != tt.sent {
			t.Errorf("scontrol %s: exit status %d, printed %q, sent %q; want %d, %q, %q", tt.args, code, got, sent, tt.code, tt.want, tt.sent)
		}
	}
	for _, tt := range []struct {
		args, want string
		code       slurm.Errno
	}{
		{"create reservation starttime=now duration=5 nodecnt=9 users=a", "Error creating the reservation: Requested nodes are busy\n" +
			"Note, unless nodes are directly requested a reservation must exist in a single partition.\nIf no partition is requested the default partition is assumed.\n", slurm.ErrnoNodesBusy},
		{"create reservation starttime=now duration=5 nodes=n1 users=a", "Error creating the reservation: Requested reservation overlaps with another reservation\n", slurm.ErrnoReservationOverlap},
		{"update reservationname=r duration=5", "Error updating the reservation: Requested reservation is invalid\nslurm_update error: Requested reservation is invalid\n", slurm.ErrnoReservationInvalid},
		{"delete reservation=r", "delete_reservation reservation=r: Requested reservation is in use\n", slurm.ErrnoReservationBusy},
	} {
		c := &showtest.Cluster{ResvReply: &rinkpb.ModifyReservationReply{Status: &rinkpb.Status{Errno: int32(tt.code)}}}
		if got, code := run(t, c, strings.Fields(tt.args)); got != tt.want || code != 1 {
			t.Errorf("scontrol %s: exit status %d, printed %q, want %q", tt.args, code, got, tt.want)
		}
	}
}

// The records are what Slurm 22.05 prints of such reservations.
func TestShowReservations(t *testing.T) {
	start := showtest.Now.Add(time.Hour)
	node := func(name string) *rinkpb.Node {
		return &rinkpb.Node{Name: name, Cpus: 16, Sockets: 2, Cores: 8, Threads: 1}
	}
	c := &showtest.Cluster{
		NodeList: []*rinkpb.Node{node("n1"), node("n2"), node("n3")},
		Files:    map[string]string{"slurm.conf": "ClusterName=ref\nSlurmctldHost=vm\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core_Memory\nNodeName=n[1-3] CPUs=16\n"},
		Resvs: []*sched.Reservation{
			{Name: "f6", Start: start, End: start.Add(30 * time.Minute), Nodes: []sched.NodeName{"n1", "n2", "n3"}, Users: []string{"root"},
				Flags: slurm.ResvSpecNodes | slurm.ResvAllNodes, MaxStartDelay: 600, TRES: slurm.TRES{{Type: "cpu", Count: 48}}},
			{Name: "f12", Start: showtest.Now, End: showtest.Now.Add(49 * time.Hour), Nodes: []sched.NodeName{"n1", "n2"}, Accounts: []string{"-chem", "-physics"}, Users: []string{"alice"},
				TRES: slurm.TRES{{Type: "cpu", Count: 6}}, Partition: "debug", Features: "slow&eth", Flags: slurm.ResvSpecNodes | slurm.ResvPurgeComp | slurm.ResvDaily, PurgeAfter: 60,
				Cores: []sched.ReservedCores{{Node: "n1", Cores: slurm.NewIndexSet(0, 1, 2, 3), CPUs: 4}, {Node: "n2", Cores: slurm.NewIndexSet(0, 1), CPUs: 2}}},
			{Name: "f4", Start: start, End: start.Add(24 * time.Hour), Groups: []string{"g"}, Flags: slurm.ResvAnyNodes,
				TRES: slurm.TRES{{Type: "license", Name: "matlab", Count: 2}}, Licenses: slurm.Licenses{Items: []slurm.License{{Name: "matlab", Count: 2}, {Name: "ansys", Count: 1, Bare: true}}}},
		},
	}
	want := `ReservationName=f6 StartTime=2035-03-04T13:00:00 EndTime=2035-03-04T13:30:00 Duration=00:30:00
   Nodes=n[1-3] NodeCnt=3 CoreCnt=48 Features=(null) PartitionName=(null) Flags=SPEC_NODES,ALL_NODES
   TRES=cpu=48
   Users=root Groups=(null) Accounts=(null) Licenses=(null) State=INACTIVE BurstBuffer=(null) Watts=n/a
   MaxStartDelay=00:10:00

ReservationName=f12 StartTime=2035-03-04T12:00:00 EndTime=2035-03-06T13:00:00 Duration=2-01:00:00
   Nodes=n[1-2] NodeCnt=2 CoreCnt=6 Features=slow&eth PartitionName=debug Flags=DAILY,SPEC_NODES,PURGE_COMP=00:01:00
     NodeName=n1 CoreIDs=0-3
     NodeName=n2 CoreIDs=0-1
   TRES=cpu=6
   Users=alice Groups=(null) Accounts=-chem,-physics Licenses=(null) State=ACTIVE BurstBuffer=(null) Watts=n/a
   MaxStartDelay=(null)

ReservationName=f4 StartTime=2035-03-04T13:00:00 EndTime=2035-03-05T13:00:00 Duration=1-00:00:00
   Nodes=(null) NodeCnt=0 CoreCnt=0 Features=(null) PartitionName=(null) Flags=ANY_NODES
   TRES=license/matlab=2
   Users=(null) Groups=g Accounts=(null) Licenses=matlab:2,ansys State=INACTIVE BurstBuffer=(null) Watts=n/a
   MaxStartDelay=(null)

`
	if got, code := run(t, c, []string{"show", "reservations"}); got != want || code != 0 {
		t.Errorf("exit status %d, printed\n%swant\n%s", code, got, want)
	}
	one := "ReservationName=f6 StartTime=2035-03-04T13:00:00 EndTime=2035-03-04T13:30:00 Duration=00:30:00 Nodes=n[1-3] NodeCnt=3 CoreCnt=48 " +
		"Features=(null) PartitionName=(null) Flags=SPEC_NODES,ALL_NODES TRES=cpu=48 Users=root Groups=(null) Accounts=(null) Licenses=(null) " +
		"State=INACTIVE BurstBuffer=(null) Watts=n/a MaxStartDelay=00:10:00\n"
	if got, code := run(t, c, []string{"-o", "show", "res", "f6"}); got != one || code != 0 {
		t.Errorf("exit status %d, printed\n%swant\n%s", code, got, one)
	}
	if got, code := run(t, c, []string{"show", "res", "f6", "--json"}); !strings.Contains(got, `"node_count": 3`) || code != 0 {
		t.Errorf("exit status %d, printed %s", code, got)
	}
}
