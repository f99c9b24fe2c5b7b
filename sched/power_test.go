package sched

import (
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// powerCluster is six idle nodes, n6 of the cloud, that have been idle since now.
func powerCluster(t *testing.T, more string) (*Config, []*Node, time.Time) {
	t.Helper()
	cfg, nodes, err := configOf(t, `ClusterName=x
SlurmctldHost=c
SuspendProgram=/off
ResumeProgram=/on
SuspendTime=600
SuspendTimeout=30
ResumeTimeout=60
`+more+`
NodeName=n[1-5] CPUs=4
NodeName=n6 CPUs=4 State=CLOUD
PartitionName=main Nodes=n[1-4] Default=YES
PartitionName=other Nodes=n[5-6]
`, "")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, n := range nodes {
		n.LastBusy = now
		if !n.Asleep() {
			n.State, n.Registered = slurm.NodeIdle, true
		}
	}
	return cfg, nodes, now
}

func TestPlanPower(t *testing.T) {
	type want struct {
		off, gone, up, lost []NodeName
		next                time.Duration // 0: none
	}
	for _, c := range []struct {
		name, conf string
		set        func(nodes []*Node, now time.Time)
		after      time.Duration
		want       want
	}{
		{"NotYet", "", nil, time.Minute, want{next: 9 * time.Minute}},
		{"Idle", "", nil, 10 * time.Minute, want{off: []NodeName{"n1", "n2", "n3", "n4", "n5"}}},
		{"BusyStays", "", func(n []*Node, _ time.Time) {
			n[0].Running = []slurm.JobID{1}
			n[1].State |= slurm.NodeCompleting
			n[2].State = slurm.NodeDown
		}, 10 * time.Minute, want{off: []NodeName{"n4", "n5"}}},
		{"ExceptNodes", "SuspendExcNodes=n[1-2],n5:1", nil, 10 * time.Minute, want{off: []NodeName{"n3", "n4"}}},
		{"ExceptSoMany", "SuspendExcNodes=n[1-4]:3", nil, 10 * time.Minute, want{off: []NodeName{"n4", "n5"}}},
		{"ExceptParts", "SuspendExcParts=main", nil, 10 * time.Minute, want{off: []NodeName{"n5"}}},
		{"ExceptStates", "SuspendExcStates=DRAIN", func(n []*Node, _ time.Time) { n[0].State |= slurm.NodeDrain }, 10 * time.Minute,
			want{off: []NodeName{"n2", "n3", "n4", "n5"}}},
		{"Rate", "SuspendRate=2", nil, 10 * time.Minute, want{off: []NodeName{"n1", "n2"}, next: time.Minute}},
		{"RateOfTheLastMinute", "SuspendRate=2", func(n []*Node, now time.Time) {
			n[0].State, n[0].PowerAt = slurm.NodeIdle|slurm.NodePoweringDown, now.Add(10*time.Minute-20*time.Second)
		}, 10 * time.Minute, want{off: []NodeName{"n2"}, next: 10 * time.Second}},
		{"HasGone", "", func(n []*Node, now time.Time) {
			n[0].State, n[0].PowerAt = slurm.NodeIdle|slurm.NodePoweringDown, now
		}, 30 * time.Second, want{gone: []NodeName{"n1"}, next: 9*time.Minute + 30*time.Second}},
		{"ForAJob", "", func(n []*Node, _ time.Time) { n[5].State |= slurm.NodePowerUp }, time.Minute, want{up: []NodeName{"n6"}, next: 9 * time.Minute}},
		{"ResumeRate", "ResumeRate=1", func(n []*Node, _ time.Time) {
			n[4].State |= slurm.NodePoweredDown | slurm.NodePowerUp
			n[5].State |= slurm.NodePowerUp
		}, 0, want{up: []NodeName{"n5"}, next: time.Minute}},
		{"StillComing", "", func(n []*Node, now time.Time) {
			n[5].State, n[5].PowerAt = slurm.NodeIdle|slurm.NodeCloud|slurm.NodePoweringUp, now
		}, 59 * time.Second, want{next: time.Second}},
		{"Lost", "", func(n []*Node, now time.Time) {
			n[5].State, n[5].PowerAt = slurm.NodeIdle|slurm.NodeCloud|slurm.NodePoweringUp, now
		}, time.Minute, want{lost: []NodeName{"n6"}, next: 9 * time.Minute}},
		{"AskedFor", "SuspendTime=INFINITE", func(n []*Node, _ time.Time) {
			n[0].State |= slurm.NodePowerDown
			n[1].State |= slurm.NodePowerDown
			n[1].Running = []slurm.JobID{1}
		}, time.Hour, want{off: []NodeName{"n1"}}},
		{"NoPrograms", "", nil, time.Hour, want{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, nodes, now := powerCluster(t, c.conf)
			if c.name == "NoPrograms" {
				cfg.Conf.ResumeProgram = ""
			}
			if c.set != nil {
				c.set(nodes, now)
			}
			at := now.Add(c.after)
			got := PlanPower(cfg, nodes, at)
			for _, x := range []struct {
				what      string
				got, want []NodeName
			}{{"off", got.Off, c.want.off}, {"gone", got.Gone, c.want.gone}, {"up", got.Up, c.want.up}, {"lost", got.Lost, c.want.lost}} {
				if !slices.Equal(x.got, x.want) {
					t.Errorf("%s: %v, want %v", x.what, x.got, x.want)
				}
			}
			next := time.Duration(0)
			if !got.Next.IsZero() {
				next = got.Next.Sub(at).Round(time.Second)
			}
			if next != c.want.next {
				t.Errorf("next in %v, want %v", next, c.want.next)
			}
		})
	}
}

// What a partition or a node says of its own counts before the cluster's.
func TestTimesOfPower(t *testing.T) {
	cfg, _, err := configOf(t, `ClusterName=x
SlurmctldHost=c
SuspendTime=600
SuspendTimeout=30
ResumeTimeout=60
NodeName=n[1-2] CPUs=4
NodeName=n3 CPUs=4 SuspendTime=5
PartitionName=a Nodes=n[1-3] SuspendTime=60 ResumeTimeout=90
PartitionName=b Nodes=n2 SuspendTime=INFINITE ResumeTimeout=70
`, "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[NodeName]powerTimes{
		"n1": {60 * time.Second, 30 * time.Second, 90 * time.Second},
		"n2": {-1, 30 * time.Second, 90 * time.Second},
		"n3": {5 * time.Second, 30 * time.Second, 90 * time.Second},
	}
	got := powerTimesOf(cfg)
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %v, want %v", name, got[name], w)
		}
	}
}

func TestRequeueDelay(t *testing.T) {
	for conf, want := range map[string]time.Duration{
		"": 121 * time.Second, "AuthInfo=cred_expire=5": 6 * time.Second, "SchedulerParameters=requeue_delay=0": 0,
	} {
		cfg, _, err := configOf(t, "ClusterName=x\nSlurmctldHost=c\n"+conf+"\nNodeName=n1 CPUs=4\n", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := RequeueDelay(cfg); got != want {
			t.Errorf("%q: %v, want %v", conf, got, want)
		}
	}
}
