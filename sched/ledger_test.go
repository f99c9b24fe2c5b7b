package sched

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// plant builds accounts of lines "ID PARENT ACCOUNT [USER] [key=value...]".
func plant(t testing.TB, lines ...string) *Accounts {
	t.Helper()
	acc := &Accounts{Accounts: map[string]*Account{}, Users: map[string]*AccountUser{}, Assocs: map[AssocKey]*Assoc{}, ByID: map[AssocID]*Assoc{},
		QOS: map[string]*QOS{}}
	for _, line := range lines {
		words := strings.Fields(line)
		id, err1 := strconv.Atoi(words[0])
		parent, err2 := strconv.Atoi(words[1])
		if err1 != nil || err2 != nil {
			t.Fatalf("line %q", line)
		}
		a := &Assoc{ID: AssocID(id), Parent: AssocID(parent), Key: AssocKey{Account: words[2]}, Shares: 1, Limits: NoLimits()}
		for _, w := range words[3:] {
			key, value, ok := strings.Cut(w, "=")
			switch {
			case !ok:
				a.Key.User = w
			case key == "shares" && value == "parent":
				a.Shares = SharesParent
			case key == "shares":
				a.Shares, _ = strconv.ParseInt(value, 10, 64)
			default:
				setLimit(t, &a.Limits, nil, key, value)
			}
		}
		acc.Assocs[a.Key], acc.ByID[a.ID] = a, a
	}
	return acc
}

// withQOS adds a QOS of "NAME key=value...".
func withQOS(t testing.TB, acc *Accounts, line string) *QOS {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	q := &QOS{ID: uint32(len(acc.QOS) + 1), Name: name, Limits: NoLimits(), UsageFactor: 1, UsageThreshold: NoLimit}
	for w := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(w, "=")
		setLimit(t, &q.Limits, q, key, value)
	}
	acc.QOS[name] = q
	return q
}

// setLimit sets a limit by its sacctmgr name.
func setLimit(t testing.TB, l *Limits, q *QOS, key, value string) {
	t.Helper()
	n, _ := strconv.ParseInt(value, 10, 64)
	f, _ := strconv.ParseFloat(value, 64)
	tres := func(to *slurm.TRES) {
		list, err := slurm.ParseTRES(value)
		if err != nil {
			t.Fatal(err)
		}
		*to = list
	}
	switch key {
	case "GrpTRES":
		tres(&l.GrpTRES)
	case "GrpTRESMins":
		tres(&l.GrpTRESMins)
	case "GrpTRESRunMins":
		tres(&l.GrpTRESRunMins)
	case "MaxTRESPerJob":
		tres(&l.MaxTRESPerJob)
	case "MaxTRESPerNode":
		tres(&l.MaxTRESPerNode)
	case "MaxTRESMinsPerJob", "MaxTRESMins":
		tres(&l.MaxTRESMinsPerJob)
	case "MinTRESPerJob":
		tres(&l.MinTRESPerJob)
	case "MaxTRESPerUser":
		tres(&l.MaxTRESPerUser)
	case "MaxTRESRunMinsPerUser":
		tres(&l.MaxTRESRunMinsPerUser)
	case "MaxTRESPerAccount":
		tres(&l.MaxTRESPerAccount)
	case "MaxTRESRunMinsPerAccount":
		tres(&l.MaxTRESRunMinsPerAccount)
	case "GrpJobs":
		l.GrpJobs = n
	case "GrpSubmitJobs":
		l.GrpSubmitJobs = n
	case "GrpWall":
		l.GrpWall = slurm.Duration(n * 60)
	case "MaxWall":
		l.MaxWall = slurm.Duration(n * 60)
	case "MaxJobs", "MaxJobsPerUser":
		l.MaxJobsPerUser = n
	case "MaxSubmitJobs", "MaxSubmitJobsPerUser":
		l.MaxSubmitPerUser = n
	case "MaxJobsPerAccount":
		l.MaxJobsPerAccount = n
	case "MaxSubmitJobsPerAccount":
		l.MaxSubmitPerAccount = n
	case "priority":
		l.Priority = n
		if q != nil {
			q.Priority = uint32(n)
		}
	case "UsageFactor":
		q.UsageFactor = f
	case "UsageThreshold":
		q.UsageThreshold = f
	case "LimitFactor":
		q.LimitFactor = f
	case "flags":
		q.Flags = append(q.Flags, strings.Split(value, ",")...)
	default:
		t.Fatalf("no limit %q", key)
	}
}

// TestNoLimitIsExceeded submits, starts, suspends and ends jobs at random, as far as
// the book lets them, and counts after each step by itself.
func TestNoLimitIsExceeded(t *testing.T) {
	for _, seed := range seeds(60) {
		t.Run(strconv.FormatInt(seed, 10), func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			g := newGame(t, r)
			for range 600 {
				g.step(r)
				g.check()
			}
			g.endAll()
		})
	}
}

type game struct {
	t    *testing.T
	cfg  *Config
	acc  *Accounts
	l    *Ledger
	jobs map[slurm.JobID]*Job
	now  time.Time
	next slurm.JobID
	used map[AssocID]float64 // seconds of CPUs, of the jobs that ended, undecayed
}

func newGame(t *testing.T, r *rand.Rand) *game {
	cfg, _ := refCluster(t)
	cfg.Conf.AccountingStorageEnforce.Limits = true
	cfg.Conf.AccountingStorageEnforce.Safe = r.Intn(3) == 0
	cfg.Conf.PriorityDecayHalfLife = 0
	some := func(n int, of ...string) string {
		var out []string
		for range n {
			out = append(out, of[r.Intn(len(of))])
		}
		return strings.Join(out, " ")
	}
	assocLimits := []string{"GrpTRES=cpu=20", "GrpJobs=4", "MaxJobs=3", "MaxSubmitJobs=9", "GrpSubmitJobs=20", "MaxTRESPerJob=cpu=6", "MaxWall=90",
		"GrpTRESRunMins=cpu=900", "GrpTRES=cpu=30,mem=4000", "MaxTRESMins=cpu=300", "GrpTRESMins=cpu=2000"}
	g := &game{t: t, cfg: cfg, now: refNow, jobs: map[slurm.JobID]*Job{}, next: 1, used: map[AssocID]float64{}}
	g.acc = plant(t,
		"1 0 root "+some(r.Intn(2), assocLimits...), "2 1 a "+some(r.Intn(3), assocLimits...), "3 1 b "+some(r.Intn(3), assocLimits...),
		"4 2 c "+some(r.Intn(3), assocLimits...), "5 2 a u1", "6 4 c u1 "+some(r.Intn(2), assocLimits...), "7 4 c u2", "8 3 b u2 "+some(r.Intn(2), assocLimits...))
	qosLimits := []string{"GrpTRES=cpu=24", "MaxTRESPerUser=cpu=9", "MaxJobsPerUser=4", "MaxJobsPerAccount=5", "MaxTRESPerAccount=cpu=12", "GrpJobs=7",
		"MaxSubmitJobsPerUser=12", "MaxSubmitJobsPerAccount=15", "MaxTRESRunMinsPerUser=cpu=600", "MaxTRESRunMinsPerAccount=cpu=800",
		"MaxWall=60", "UsageFactor=2", "flags=OverPartQOS", "flags=DenyOnLimit", "GrpTRESMins=cpu=1500", "MinTRESPerJob=cpu=2"}
	for _, name := range []string{"normal", "x", "part"} {
		withQOS(t, g.acc, name+" "+some(r.Intn(4), qosLimits...))
	}
	if r.Intn(2) == 0 {
		cfg.Partition("short").QOS = "part"
	}
	g.l = NewLedger(cfg, g.acc, g.now)
	return g
}

func (g *game) set(j *Job) {
	g.jobs[j.ID] = j
	g.l.Set(j, g.now)
}

func (g *game) step(r *rand.Rand) {
	g.now = g.now.Add(time.Duration(r.Intn(120)) * time.Second)
	ids := slices.Sorted(maps.Keys(g.jobs))
	if len(ids) == 0 || r.Intn(3) == 0 {
		where := [][2]string{{"a", "u1"}, {"c", "u1"}, {"c", "u2"}, {"b", "u2"}}[r.Intn(4)]
		j := &Job{ID: g.next, Account: where[0], User: where[1], UID: uint32(where[1][1]), QOS: []string{"normal", "x"}[r.Intn(2)], State: slurm.JobPending,
			Partition: []PartitionName{"debug", "short"}[r.Intn(2)], TimeLimit: slurm.Duration(60 * (1 + r.Intn(100))),
			Need: Need{MinNodes: 1, CPUs: 1 + r.Intn(8), MemPerCPU: 100}}
		if r.Intn(4) == 0 {
			j.ArrayID, j.Tasks = j.ID, slurm.NewIndexSet(1, 2, 3)
		}
		g.next++
		if g.l.Admit([]*Job{j}, g.now) == nil {
			g.set(j)
		}
		return
	}
	j := *g.jobs[ids[r.Intn(len(ids))]]
	switch {
	case j.IsPending() && r.Intn(6) == 0:
		j.State = slurm.JobCancelled
		g.set(&j)
		delete(g.jobs, j.ID)
	case j.IsPending():
		alloc := []NodeAlloc{{Node: "n1", CPUs: j.Need.CPUs, Mem: slurm.MB(j.Need.CPUs) * 100}}
		if !g.l.Bars(&j, j.Partition, alloc, j.TimeLimit, g.now).IsZero() {
			return
		}
		if j.Tasks.Len() > 0 {
			rest := j
			task := j.Tasks.Min()
			rest.Tasks = j.Tasks.Minus(slurm.NewIndexSet(task))
			if rest.Tasks.Len() > 0 {
				j.ID, j.Tasks = g.next, slurm.IndexSet{}
				g.next++
				g.set(&rest)
			}
			j.Tasks = slurm.IndexSet{}
		}
		j.State, j.Alloc, j.Start = slurm.JobRunning, alloc, g.now
		j.End = g.now.Add(span(j.TimeLimit))
		g.set(&j)
	case j.IsRunning() && r.Intn(5) == 0:
		g.tally(&j)
		j.State, j.Suspended = slurm.JobSuspended, g.now
		g.set(&j)
	case j.IsSuspended():
		j.State, j.Start = slurm.JobRunning, g.now // as far as the test counts
		j.End = g.now.Add(j.End.Sub(j.Suspended))
		if !g.l.Bars(&j, j.Partition, j.Alloc, j.TimeLimit, g.now).IsZero() {
			_ = j // it has its allocation already
		}
		g.set(&j)
	case r.Intn(2) == 0:
		g.tally(&j)
		j.State = slurm.JobCompleted
		if r.Intn(2) == 0 {
			j.State |= slurm.JobCompleting
		}
		g.set(&j)
		if !j.IsCompleting() {
			delete(g.jobs, j.ID)
		}
	case j.IsCompleting():
		j.State = slurm.JobCompleted
		g.set(&j)
		delete(g.jobs, j.ID)
	}
}

// tally notes what a running job has used.
func (g *game) tally(j *Job) {
	if !j.IsRunning() {
		return
	}
	factor := g.acc.QOS[j.QOS].UsageFactor
	for a := g.acc.Assocs[AssocKey{Account: j.Account, User: j.User}]; a != nil; a = g.acc.ByID[a.Parent] {
		g.used[a.ID] += float64(j.Alloc[0].CPUs) * g.now.Sub(j.Start).Seconds() * factor
	}
}

// under are the running and the submitted jobs for which a test holds.
func (g *game) under(is func(*Job) bool) (running, submitted int, cpus int64, left int64) {
	for _, j := range g.jobs {
		if !is(j) {
			continue
		}
		if !j.HasEnded() {
			submitted += max(j.Tasks.Len(), 1)
		}
		if !j.IsPending() {
			running++
			cpus += int64(j.Alloc[0].CPUs)
		}
	}
	return
}

func (g *game) check() {
	g.t.Helper()
	below := func(j *Job, id AssocID) bool {
		for a := g.acc.Assocs[AssocKey{Account: j.Account, User: j.User}]; a != nil; a = g.acc.ByID[a.Parent] {
			if a.ID == id {
				return true
			}
		}
		return false
	}
	over := func(what string, have, most int64) {
		g.t.Helper()
		if most >= 0 && have > most {
			g.t.Fatalf("%s: %d, the limit is %d", what, have, most)
		}
	}
	cpuOf := func(t slurm.TRES) int64 {
		if n, ok := t.Get("cpu"); ok {
			return n
		}
		return NoLimit
	}
	m := g.l.moment(g.now)
	for id, a := range g.acc.ByID {
		running, submitted, cpus, _ := g.under(func(j *Job) bool { return below(j, id) })
		book := &g.l.assocs[g.l.byID[id]]
		if int64(running) != book.jobs || int64(submitted) != book.submitted || cpus != book.tres[kindCPU] {
			g.t.Fatalf("association %d: %d running, %d submitted, %d CPUs; the book has %d, %d, %d", id, running, submitted, cpus, book.jobs, book.submitted, book.tres[kindCPU])
		}
		// A QOS has the first word: only jobs of those that are silent are bound.
		if g.silent(func(l *Limits) bool { return l.GrpTRES == nil }) {
			over("GrpTRES", cpus, cpuOf(a.Limits.GrpTRES))
		}
		if g.silent(func(l *Limits) bool { return l.GrpJobs < 0 }) {
			over("GrpJobs", int64(running), a.Limits.GrpJobs)
		}
		over("GrpSubmitJobs", int64(submitted), a.Limits.GrpSubmitJobs)
		used := g.used[id]
		for _, j := range g.jobs {
			if below(j, id) && j.IsRunning() {
				used += float64(j.Alloc[0].CPUs) * g.now.Sub(j.Start).Seconds() * g.acc.QOS[j.QOS].UsageFactor
			}
		}
		if got := book.usedBy(kindCPU, m); math.Abs(got-used) > 1e-6*max(used, 1) {
			g.t.Fatalf("association %d used %f seconds of CPUs, the book has %f", id, used, got)
		}
	}
	for i := range g.l.quality {
		q := &g.l.quality[i]
		of := func(j *Job) bool { p := g.l.pair(j, j.Partition); return p[0] == int32(i) || p[1] == int32(i) }
		first := func(j *Job) bool { return g.l.pair(j, j.Partition)[0] == int32(i) }
		running, submitted, cpus, _ := g.under(of)
		book := &g.l.qos[i]
		if int64(running) != book.jobs || int64(submitted) != book.submitted || cpus != book.tres[kindCPU] {
			g.t.Fatalf("QOS %s: %d running, %d submitted, %d CPUs; the book has %d, %d, %d", q.name, running, submitted, cpus, book.jobs, book.submitted, book.tres[kindCPU])
		}
		if l := g.acc.QOS[q.name].Limits; q.name != "part" && g.cfg.Partition("short").QOS == "" {
			over("QOS GrpTRES", cpus, cpuOf(l.GrpTRES))
			over("QOS GrpJobs", int64(running), l.GrpJobs)
			for _, uid := range []uint32{'1', '2'} {
				n, s, c, _ := g.under(func(j *Job) bool { return first(j) && j.UID == uid })
				over("MaxJobsPerUser", int64(n), l.MaxJobsPerUser)
				over("MaxTRESPerUser", c, cpuOf(l.MaxTRESPerUser))
				over("MaxSubmitJobsPerUser", int64(s), l.MaxSubmitPerUser)
			}
			for _, name := range []string{"a", "b", "c"} {
				n, s, c, _ := g.under(func(j *Job) bool { return first(j) && j.Account == name })
				over("MaxJobsPerAccount", int64(n), l.MaxJobsPerAccount)
				over("MaxTRESPerAccount", c, cpuOf(l.MaxTRESPerAccount))
				over("MaxSubmitJobsPerAccount", int64(s), l.MaxSubmitPerAccount)
			}
		}
	}
	for _, j := range g.jobs {
		a := g.acc.Assocs[AssocKey{Account: j.Account, User: j.User}]
		if most := cpuOf(a.Limits.MaxTRESPerJob); !j.IsPending() && g.silent(func(l *Limits) bool { return l.MaxTRESPerJob == nil }) {
			over("MaxTRESPerJob", int64(j.Alloc[0].CPUs), most)
		}
	}
}

// silent reports whether no QOS has a limit.
func (g *game) silent(none func(*Limits) bool) bool {
	for _, q := range g.acc.QOS {
		if !none(&q.Limits) {
			return false
		}
	}
	return true
}

// endAll ends every job and looks whether anything is left.
func (g *game) endAll() {
	for _, id := range slices.Sorted(maps.Keys(g.jobs)) {
		g.l.Forget(id, g.now)
	}
	var zero counts
	left := func(name string, c *counts, rate []int64) {
		if c.jobs != 0 || c.submitted != 0 || c.accruing != 0 {
			g.t.Errorf("%s has %+v left, want %+v", name, c, zero)
		}
		for _, list := range [][]int64{c.tres, c.weight, c.ends, c.left, rate} {
			for _, n := range list {
				if n != 0 {
					g.t.Fatalf("%s has %v left", name, list)
				}
			}
		}
	}
	for i := range g.l.assocs {
		left(g.l.nameOf(int32(i)), &g.l.assocs[i].counts, g.l.assocs[i].rate)
	}
	for i := range g.l.qos {
		q := &g.l.qos[i]
		left("QOS "+g.l.quality[i].name, &q.counts, q.rate)
		if len(q.users)+len(q.accounts)+len(g.l.jobs) > 0 {
			g.t.Errorf("users %v, accounts %v and jobs %v are left", q.users, q.accounts, g.l.jobs)
		}
	}
}

func TestWhatPassesCostsNoMemory(t *testing.T) {
	cfg, _ := refCluster(t)
	cfg.Conf.AccountingStorageEnforce.Limits = true
	acc := plant(t, "1 0 root GrpTRES=cpu=1000", "2 1 physics GrpTRESMins=cpu=100000 GrpTRESRunMins=cpu=100000", "3 2 physics alice MaxTRESPerJob=cpu=100 MaxJobs=10")
	withQOS(t, acc, "normal MaxTRESPerUser=cpu=100 MaxJobsPerUser=10 GrpTRES=mem=100000,gres/gpu=10")
	l := NewLedger(cfg, acc, refNow)
	j := &Job{ID: 1, Account: "physics", User: "alice", QOS: "normal", Partition: "debug", TimeLimit: 600, State: slurm.JobPending,
		Need: Need{MinNodes: 1, CPUs: 2, MemPerCPU: 100, GresPerNode: slurm.Gres{{Name: "gpu", Count: 1}}}}
	l.Set(j, refNow)
	if w := l.Bars(j, "debug", nil, j.TimeLimit, refNow); !w.IsZero() {
		t.Fatal(w)
	}
	if n := testing.AllocsPerRun(100, func() { l.Bars(j, "debug", nil, j.TimeLimit, refNow) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUsageFades(t *testing.T) {
	cfg, _ := refCluster(t)
	cfg.Conf.PriorityDecayHalfLife = 600
	acc := plant(t, "1 0 root", "2 1 physics", "3 2 physics alice")
	withQOS(t, acc, "normal UsageFactor=2")
	withQOS(t, acc, "kept flags=NoDecay")
	l := NewLedger(cfg, acc, refNow)
	j := &Job{ID: 1, Account: "physics", User: "alice", QOS: "normal", Partition: "debug", TimeLimit: slurm.Unlimited, State: slurm.JobRunning,
		Start: refNow, Alloc: []NodeAlloc{{Node: "n1", CPUs: 4}}}
	kept := *j
	kept.ID, kept.QOS = 2, "kept"
	l.Set(j, refNow)
	l.Set(&kept, refNow)
	for _, id := range []slurm.JobID{1, 2} {
		l.Forget(id, refNow.Add(10*time.Minute))
	}
	charge := func(rate float64, ran, past float64) float64 {
		return rate * 600 / math.Ln2 * (1 - math.Exp2(-ran/600)) * math.Exp2(-past/600)
	}
	// More half-lives than the scale has, so that it begins anew.
	for _, past := range []float64{0, 300, 6000, 600 * 40} {
		at := refNow.Add(10*time.Minute + time.Duration(past)*time.Second)
		l.rescale(at)
		m := l.moment(at)
		for i := range l.assocs {
			if got, want := l.assocs[i].usedBy(l.chargedAt(), m), charge(8+4, 600, past); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%v s later: %s used %v, want %v", past, l.nameOf(int32(i)), got, want)
			}
		}
		if got := l.qos[l.byQOS["kept"]].usedBy(l.chargedAt(), m); math.Abs(got-4*600) > 1e-6 {
			t.Errorf("%v s later: what does not fade is %v", past, got)
		}
	}
}

// TestReorganizing moves an account with its usage while jobs run.
func TestReorganizing(t *testing.T) {
	cfg, _ := refCluster(t)
	cfg.Conf.PriorityDecayHalfLife = 0
	job := func(id slurm.JobID, account string, cpus int) *Job {
		return &Job{ID: id, Account: account, User: "u", QOS: "normal", Partition: "debug", TimeLimit: 3600, State: slurm.JobRunning, Start: refNow,
			End: refNow.Add(time.Hour), Alloc: []NodeAlloc{{Node: "n1", CPUs: cpus}}}
	}
	before := plant(t, "1 0 root", "2 1 a", "3 1 b", "4 2 c", "5 4 c u", "6 3 b u")
	withQOS(t, before, "normal")
	l := NewLedger(cfg, before, refNow)
	jobs := []*Job{job(1, "c", 3), job(2, "b", 1)}
	for _, j := range jobs {
		l.Set(j, refNow)
	}
	after := plant(t, "1 0 root", "2 1 a", "3 1 b", "4 3 c", "5 4 c u", "6 3 b u")
	withQOS(t, after, "normal UsageFactor=3")
	l.Rebuild(cfg, after, refNow.Add(100*time.Second), slices.Values(jobs))
	m := l.moment(refNow.Add(200 * time.Second))
	var got []string
	for _, id := range []AssocID{1, 2, 3, 4, 5, 6} {
		a := &l.assocs[l.byID[id]]
		got = append(got, fmt.Sprintf("%d:%.3f/%d", id, a.usedBy(l.chargedAt(), m), a.tres[kindCPU]))
	}
	want := "1:1600.000/4 2:0.000/0 3:1600.000/4 4:1200.000/3 5:1200.000/3 6:400.000/1"
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

// TestLimitsHaveSlurmsWords compares with what Slurm said to the same jobs.
func TestLimitsHaveSlurmsWords(t *testing.T) {
	for _, row := range rows(t, "limits.tsv") {
		side, limits, options, want := row[0], row[1], row[2], row[3]
		t.Run(side+" "+limits, func(t *testing.T) {
			cfg, nodes := refCluster(t)
			cfg.Conf.AccountingStorageEnforce.Limits = true
			own, of := "", "normal"
			if side == "assoc" {
				own = limits
			} else {
				of = "normal " + limits
			}
			acc := plant(t, "1 0 root", "2 1 physics", "3 2 physics alice "+own)
			withQOS(t, acc, of)
			l := NewLedger(cfg, acc, refNow)
			if !strings.Contains(options, "-t") {
				options += " -t 5"
			}
			j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, options)
			if err != nil {
				t.Fatal(err, lines)
			}
			got := "passes"
			var refused *Refused
			if err := l.Admit([]*Job{j}, refNow); errors.As(err, &refused) {
				got = "refused " + refused.Lines[0]
			} else if w := l.Bars(j, j.Partition, nil, j.TimeLimit, refNow); !w.IsZero() {
				got = "waits " + w.Reason.String()
				if len(w.Detail) == 0 || w.Detail[0].Where == "" {
					t.Errorf("nothing says how much was asked for: %+v", w)
				}
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestWhichOfTwoLimitsCounts(t *testing.T) {
	for _, c := range []struct{ name, qos, part, assoc, options, want string }{
		{"QOSBeforeAssociation", "MaxTRESPerJob=cpu=4", "", "MaxTRESPerJob=cpu=2", "-n3", "None"},
		{"QOSBeforeAssociationOver", "MaxTRESPerJob=cpu=4", "", "MaxTRESPerJob=cpu=2", "-n5", "QOSMaxCpuPerJobLimit"},
		{"SilentQOS", "MaxWall=10", "", "MaxTRESPerJob=cpu=2", "-n3", "AssocMaxCpuPerJobLimit"},
		{"JobsOfAccountForJobsOfUser", "MaxJobsPerAccount=10", "", "MaxJobs=0 MaxWall=2", "-n3", "AssocMaxWallDurationPerJobLimit"},
		{"Both", "MaxJobsPerUser=10 MaxWall=20", "", "MaxJobs=0 MaxWall=2", "-n3", "None"},
		{"PartitionFirst", "MaxTRESPerJob=cpu=4", "MaxTRESPerJob=cpu=2", "", "-n3", "QOSMaxCpuPerJobLimit"},
		{"PartitionFirstWider", "MaxTRESPerJob=cpu=1", "MaxTRESPerJob=cpu=2", "", "-n2", "None"},
		{"OverPartition", "MaxTRESPerJob=cpu=4 flags=OverPartQOS", "MaxTRESPerJob=cpu=2", "", "-n3", "None"},
		{"BesidePartition", "MaxTRESPerUser=cpu=1", "MaxTRESPerJob=cpu=2", "", "-n2", "QOSMaxCpuPerUserLimit"},
		{"Wider", "LimitFactor=2", "", "MaxTRESPerJob=cpu=2", "-n3", "None"},
		{"WiderGroup", "LimitFactor=2", "", "GrpTRES=cpu=2", "-n3", "None"},
		{"WiderNotEnough", "LimitFactor=2", "", "MaxTRESPerJob=cpu=1", "-n3", "AssocMaxCpuPerJobLimit"},
		{"MinutesNotWider", "LimitFactor=2", "", "MaxTRESMins=cpu=10", "-n3", "AssocMaxCpuMinutesPerJobLimit"},
		{"RunMinutesNotWider", "LimitFactor=2", "", "GrpTRESRunMins=cpu=10", "-n3", "AssocGrpCPURunMinutesLimit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, nodes := refCluster(t)
			cfg.Conf.AccountingStorageEnforce.Limits = true
			acc := plant(t, "1 0 root", "2 1 physics", "3 2 physics alice "+c.assoc)
			withQOS(t, acc, "normal "+c.qos)
			withQOS(t, acc, "part "+c.part)
			if c.part != "" {
				cfg.Partition("debug").QOS = "part"
			}
			l := NewLedger(cfg, acc, refNow)
			j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, c.options+" -t 5")
			if err != nil {
				t.Fatal(err, lines)
			}
			if w := l.Bars(j, j.Partition, nil, j.TimeLimit, refNow); w.Reason.String() != c.want {
				t.Errorf("got %s, want %s", w.Reason, c.want)
			}
		})
	}
}
