package sched

import (
	"cmp"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// TestSharesAreSlurms has the same tree used in the same way as a real cluster, and
// compares what its sshare said.
func TestSharesAreSlurms(t *testing.T) {
	acc := plant(t, "1 0 root", "2 1 root root", "3 1 physics shares=40", "4 1 chem shares=60", "5 3 optics", "6 3 capped", "7 3 physics alice",
		"8 4 chem alice", "9 6 capped alice", "10 4 chem bob", "11 5 optics root", "12 4 pa shares=parent", "13 12 pa bob shares=5",
		"14 12 pa alice shares=parent", "15 1 optics2", "16 15 optics2 alice")
	for _, q := range []string{"normal", "tq", "low UsageFactor=2"} {
		withQOS(t, acc, q)
	}
	at := func(text string) time.Time { return listedAt(t, text) }
	for _, flags := range []string{"FAIR_TREE", "NO_FAIR_TREE", "NO_FAIR_TREE damped by 3", "NO_FAIR_TREE,DEPTH_OBLIVIOUS"} {
		t.Run(flags, func(t *testing.T) {
			cfg, _ := refCluster(t)
			cfg.Conf.PriorityDecayHalfLife = 20 * 60
			words, damped, _ := strings.Cut(flags, " damped by ")
			cfg.Conf.PriorityFlags = strings.Split(words, ",")
			cfg.Conf.FairShareDampeningFactor, _ = strconv.Atoi(damped)
			l := NewLedger(cfg, acc, at("2026-11-28T11:40:00"))
			for i, row := range rows(t, "fairshare_jobs.tsv") {
				cpus, _ := strconv.Atoi(row[5])
				j := &Job{ID: slurm.JobID(i + 1), User: row[0], Account: row[1], QOS: row[2], Partition: "debug", State: slurm.JobRunning,
					Start: at(row[3]), TimeLimit: 300, Alloc: []NodeAlloc{{Node: "n1", CPUs: cpus}}}
				l.Set(j, j.Start)
				l.Forget(j.ID, at(row[4]))
			}
			given := NewLedger(cfg, acc, at("2026-11-28T11:40:00"))
			for _, row := range rows(t, "fairshare.tsv") {
				used, _ := strconv.ParseFloat(row[6], 64)
				if row[0] != flags || row[3] == "" {
					continue
				}
				for i := given.byKey[AssocKey{Account: row[2], User: row[3]}]; i >= 0; i = given.assoc[i].parent {
					given.assocs[i].used[given.chargedAt()] += used
				}
			}
			// From the same usage everything comes out the same. From the same jobs it does
			// but for what a second more or less of so short jobs makes.
			compareShares(t, "fairshare.tsv", flags, given, 0.001, math.Inf(1))
			compareShares(t, "fairshare.tsv", flags, l, 0.02, 0.06)
		})
	}
}

func listedAt(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse("2006-01-02T15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// TestSharesOfADeepTreeAreSlurms has accounts four deep, shares that are the parent's at
// several levels, jobs of minutes that are billed for their memory and GPUs too, and QOS
// that count more or less: within one per cent all comes out as a real cluster's sshare
// had it, and users are in the same order.
func TestSharesOfADeepTreeAreSlurms(t *testing.T) {
	acc := plant(t, "1 0 root", "2 1 root root", "3 1 physics shares=40", "4 1 chem shares=60", "5 3 optics", "6 3 capped", "7 3 physics alice",
		"8 4 chem alice", "9 6 capped alice", "10 4 chem bob", "11 1 sci shares=100", "12 1 eng shares=50", "13 11 phys shares=40", "14 11 chemi shares=60",
		"15 13 opt shares=10", "16 13 quant shares=30", "17 16 cold", "18 12 civil shares=parent", "19 12 mech shares=20", "20 12 idle shares=20",
		"21 13 phys alice shares=10", "22 14 chemi alice shares=parent", "23 15 opt alice", "24 13 phys bob shares=20", "25 14 chemi bob shares=parent",
		"26 18 civil bob shares=3", "27 16 quant games shares=5", "28 17 cold games shares=2", "29 17 cold mail", "30 19 mech mail shares=7",
		"31 19 mech backup shares=3", "32 18 civil backup shares=parent", "33 20 idle news", "34 14 chemi news shares=30")
	for _, q := range []string{"normal", "dbl UsageFactor=2", "half UsageFactor=0.5"} {
		withQOS(t, acc, q)
	}
	for _, flags := range []string{"FAIR_TREE", "NO_FAIR_TREE", "NO_FAIR_TREE damped by 3"} {
		t.Run(flags, func(t *testing.T) {
			conf, _, err := slurm.ParseConf("slurm.conf", func(string) ([]byte, error) {
				return []byte(strings.Replace(refConf, "PartitionName=debug ", "PartitionName=debug TRESBillingWeights=CPU=1.0,Mem=0.5G,GRES/gpu=3 ", 1)), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			conf.PriorityDecayHalfLife = 3600
			words, damped, _ := strings.Cut(flags, " damped by ")
			conf.PriorityFlags = []string{words}
			conf.FairShareDampeningFactor, _ = strconv.Atoi(damped)
			cfg, _, err := NewConfig(conf, nil)
			if err != nil {
				t.Fatal(err)
			}
			jobs := rows(t, "fairshare_deep_jobs.tsv")
			number := func(text string) int64 {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			l := NewLedger(cfg, acc, listedAt(t, jobs[0][3]))
			for i, row := range jobs {
				alloc := NodeAlloc{Node: "n1", CPUs: int(number(row[5])), Mem: slurm.MB(number(row[6]))}
				if n := number(row[7]); n > 0 {
					alloc.Gres = []GresAlloc{{Name: "gpu", Type: "a100", Count: n}}
				}
				l.Set(&Job{ID: slurm.JobID(i + 1), User: row[0], Account: row[1], QOS: row[2], Partition: "debug", State: slurm.JobRunning,
					Start: listedAt(t, row[3]), TimeLimit: 1200, Alloc: []NodeAlloc{alloc}}, listedAt(t, row[3]))
			}
			slices.SortFunc(jobs, func(a, b []string) int { return strings.Compare(a[4], b[4]) })
			for _, row := range jobs {
				for id, e := range l.jobs {
					if l.assoc[e.assoc].key == (AssocKey{Account: row[1], User: row[0]}) {
						l.Forget(id, listedAt(t, row[4]))
					}
				}
			}
			when := compareShares(t, "fairshare_deep.tsv", flags, l, 0.01, 0.01)

			// Users by what they are owed, those who are owed the same by name.
			var want, got []string
			byFactor := map[string]float64{}
			for _, row := range rows(t, "fairshare_deep.tsv") {
				if row[0] == flags && row[3] != "" {
					who := row[2] + "/" + row[3]
					byFactor[who], _ = strconv.ParseFloat(row[8], 64)
					want = append(want, who)
				}
			}
			order := func(list []string) {
				slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(byFactor[b], byFactor[a]), strings.Compare(a, b)) })
			}
			order(want)
			for _, s := range NewFairShare(l, when).Shares() {
				if s.Key.User != "" {
					who := s.Key.Account + "/" + s.Key.User
					byFactor[who] = s.Factor
					got = append(got, who)
				}
			}
			order(got)
			if !slices.Equal(got, want) {
				t.Errorf("the order of users is\n%q, want\n%q", got, want)
			}
		})
	}
}

// compareShares compares the shares of a book with those that sshare listed, and returns
// when that was.
func compareShares(t *testing.T, file, flags string, l *Ledger, within, usage float64) (when time.Time) {
	t.Helper()
	close := func(what, who string, got float64, text string, within float64) {
		t.Helper()
		if text == "" {
			return
		}
		want, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		if math.IsInf(want, 1) != math.IsInf(got, 1) || math.Abs(got-want) > within*math.Max(math.Abs(want), 0.02) {
			t.Errorf("%s of %s is %f, want %f", what, who, got, want)
		}
	}
	for _, row := range rows(t, file) {
		if row[0] != flags {
			continue
		}
		when = listedAt(t, row[1])
		f := NewFairShare(l, when)
		shares := f.Shares()
		i := slices.IndexFunc(shares, func(s Share) bool { return s.Key == AssocKey{Account: row[2], User: row[3]} })
		if i < 0 {
			t.Fatalf("%s %s is not there", row[2], row[3])
		}
		s, who := shares[i], row[2]+"/"+row[3]
		if s.Parent == 0 {
			continue // what stands for the root is a matter of listing
		}
		// A minute may have passed since Slurm reckoned the last time. optics2 had one
		// job of a second.
		if row[2] != "optics2" {
			close("raw usage", who, math.Floor(s.Used), row[5], usage)
		}
		close("normalised shares", who, s.Norm, row[4], 0.0001)
		close("normalised usage", who, s.Normed, row[6], within)
		// Slurm 22.05 has an effective usage of next to nothing for whoever is on the
		// other side of his share than his account: that is not followed.
		if strings.Contains(flags, "OBLIVIOUS") && slices.Contains([]string{"chem/alice", "chem/bob", "capped/", "capped/alice", "optics/", "optics/root"}, who) {
			continue
		}
		close("effective usage", who, s.Effective, row[7], within)
		close("fair share", who, s.Factor, row[8], 3*within) // a power of the usage
		close("level", who, s.Level, row[9], within)
	}
	return when
}

// TestRanksOfAnUpdateAreThoseOfANewTree changes usage at random; the order that was
// kept must be the one that sorting everything makes.
func TestRanksOfAnUpdateAreThoseOfANewTree(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	cfg, _ := refCluster(t)
	cfg.Conf.PriorityDecayHalfLife = 600
	lines := []string{"1 0 root"}
	id := 1
	for a := range 6 {
		id++
		account := id
		parent := 1
		if a > 2 {
			parent = 2
		}
		lines = append(lines, fmt.Sprintf("%d %d a%d shares=%d", account, parent, a, 1+r.Intn(3)))
		for u := range 8 {
			id++
			lines = append(lines, fmt.Sprintf("%d %d a%d u%d shares=%d", id, account, a, u, r.Intn(4)))
		}
	}
	acc := plant(t, lines...)
	withQOS(t, acc, "normal")
	l := NewLedger(cfg, acc, refNow)
	f := NewFairShare(l, refNow)
	now := refNow
	for step := range 300 {
		now = now.Add(time.Duration(r.Intn(300)) * time.Second)
		j := &Job{ID: slurm.JobID(1 + r.Intn(20)), User: fmt.Sprintf("u%d", r.Intn(8)), Account: fmt.Sprintf("a%d", r.Intn(6)), QOS: "normal", Partition: "debug",
			State: slurm.JobRunning, TimeLimit: 3600, Start: now, Alloc: []NodeAlloc{{Node: "n1", CPUs: 1 + r.Intn(8)}}}
		if l.jobs[j.ID] != nil {
			l.Forget(j.ID, now)
		} else {
			l.Set(j, now)
		}
		f.Update(now)
		fresh := NewFairShare(l, now)
		for i := range f.nodes {
			if f.nodes[i].factor != fresh.nodes[i].factor {
				t.Fatalf("step %d: %s has %v, a new tree %v", step, l.nameOf(int32(i)), f.nodes[i].factor, fresh.nodes[i].factor)
			}
		}
	}
}

func BenchmarkFairShare(b *testing.B) {
	cfg, _ := refCluster(b)
	cfg.Conf.PriorityDecayHalfLife = 7 * 24 * 3600
	lines := []string{"1 0 root"}
	for a := range 100 {
		lines = append(lines, fmt.Sprintf("%d 1 a%d", 2+a*101, a))
		for u := range 100 {
			lines = append(lines, fmt.Sprintf("%d %d a%d u%d", 3+a*101+u, 2+a*101, a, u))
		}
	}
	acc := plant(b, lines...)
	withQOS(b, acc, "normal")
	l := NewLedger(cfg, acc, refNow)
	r := rand.New(rand.NewSource(1))
	for i := range 20000 {
		j := &Job{ID: slurm.JobID(i + 1), User: fmt.Sprintf("u%d", r.Intn(100)), Account: fmt.Sprintf("a%d", r.Intn(100)), QOS: "normal", Partition: "debug",
			State: slurm.JobRunning, Start: refNow, TimeLimit: 3600, Alloc: []NodeAlloc{{Node: "n1", CPUs: 1 + r.Intn(8)}}}
		l.Set(j, refNow)
		if i >= 1000 {
			l.Forget(j.ID, refNow.Add(time.Duration(r.Intn(3600))*time.Second))
		}
	}
	f := NewFairShare(l, refNow.Add(time.Hour))
	b.Run("Update", func(b *testing.B) {
		for i := range b.N {
			f.Update(refNow.Add(time.Hour + time.Duration(i)*time.Second))
		}
	})
	b.Run("Clone", func(b *testing.B) {
		for range b.N {
			l.Clone()
		}
	})
	j := &Job{ID: 1 << 20, User: "u5", Account: "a5", QOS: "normal", Partition: "debug", State: slurm.JobRunning, Start: refNow, TimeLimit: 3600,
		Alloc: []NodeAlloc{{Node: "n1", CPUs: 4}}}
	b.Run("Set", func(b *testing.B) {
		for range b.N {
			l.Set(j, refNow.Add(time.Hour))
			l.Forget(j.ID, refNow.Add(time.Hour))
		}
	})
	cfg.Conf.AccountingStorageEnforce.Limits = true
	l = NewLedger(cfg, acc, refNow)
	b.Run("Bars", func(b *testing.B) {
		for range b.N {
			l.Bars(j, "debug", nil, 3600, refNow)
		}
	})
}
