package state

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// player makes up commands that a cluster might see, and some that it should
// not.
type player struct {
	*rig
	rnd  *rand.Rand
	keys int
}

func (p *player) pick(n int) int { return p.rnd.Intn(n) }

func (p *player) chance(percent int) bool { return p.rnd.Intn(100) < percent }

// anyJob returns a random job of those f likes, or nil.
func (p *player) anyJob(f func(*sched.Job) bool) *sched.Job {
	var jobs []*sched.Job
	for j := range p.s.Jobs() {
		if f(j) {
			jobs = append(jobs, j)
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	return jobs[p.pick(len(jobs))]
}

func everyJob(*sched.Job) bool { return true }

// someID returns the id of some job, or one that never was.
func (p *player) someID() slurm.JobID {
	if j := p.anyJob(everyJob); j != nil && !p.chance(5) {
		return j.ID
	}
	return slurm.JobID(p.pick(5000))
}

func (p *player) someNode() sched.NodeName {
	nodes := p.s.Nodes()
	return nodes[p.pick(len(nodes))].Name
}

func oneOf[T any](p *player, list ...T) T { return list[p.pick(len(list))] }

func (p *player) newJob() *sched.Job {
	j := asked()
	j.Name = oneOf(p, "job", "one", "two")
	j.UID = oneOf[uint32](p, 1000, 1001)
	j.Account, j.QOS = oneOf(p, "chem", "physics", "root"), "normal"
	if j.Account == "root" {
		j.User = "root"
	}
	j.Requeue = p.chance(80)
	j.TimeLimit = oneOf[slurm.Duration](p, 60, 3600, slurm.Unlimited)
	j.Need.CPUs = 1 + p.pick(10)
	j.Priority = uint32(p.pick(1000))
	if p.chance(20) {
		j.Partitions = []sched.PartitionName{"short", "main"}
	}
	if p.chance(15) {
		j.HeldBy = oneOf(p, sched.HeldByUser, sched.HeldByAdmin)
	}
	if p.chance(10) {
		j.Begin = p.at.Add(time.Duration(p.pick(120)) * time.Second)
	}
	if p.chance(25) {
		j.Tasks = slurm.IndexSetOf(slurm.IndexRange{Lo: uint32(p.pick(4)), Hi: uint32(4 + p.pick(9)), Step: uint32(1 + p.pick(3))})
		j.Throttle = oneOf(p, 0, 0, 1, 3)
	}
	if p.chance(15) {
		j.Need.Licenses, _ = slurm.ParseLicenses(oneOf(p, "lic:1", "lic:2,other", "lic:3|other:1"))
	}
	if p.chance(10) {
		j.Need.Exclusive = true
	} else if p.chance(10) {
		j.Spec = &slurm.JobOptions{Exclusive: "user"}
	} else if p.chance(50) {
		j.Spec = p.someSpec()
	}
	if p.chance(40) {
		p.addDeps(j)
	}
	if p.chance(10) {
		j.User = "ann"
		j.Spec = &slurm.JobOptions{Reservation: oneOf(p, "r0", "r1", "r0,r2")}
	}
	j.KillOnInvalidDep = p.chance(30)
	if p.chance(30) {
		j.Script = sched.BlobID(fmt.Sprintf("blob%d", p.pick(6)))
		j.Env = sched.BlobID(fmt.Sprintf("blob%d", p.pick(6)))
	}
	return j
}

// someSpec is one of a few requests, each time in memory of its own.
func (p *player) someSpec() *slurm.JobOptions {
	n := 1 + p.pick(3)
	return &slurm.JobOptions{NTasks: n, WorkDir: fmt.Sprint("/home/", n), Begin: began.Add(time.Hour), Given: map[string]bool{"ntasks": true}}
}

func (p *player) addDeps(j *sched.Job) {
	for range 1 + p.pick(3) {
		term := slurm.DependTerm{Type: slurm.DependType(1 + p.pick(8)), Job: p.someID()}
		switch {
		case term.Type == slurm.DependSingleton:
			term.Job = 0
		case p.chance(20):
			term.HasTask, term.Task = true, uint32(p.pick(12))
		case term.Type == slurm.DependAfter && p.chance(40):
			term.Delay = time.Duration(1+p.pick(3)) * time.Minute
		}
		if term.Type == slurm.DependExpand && !p.chance(5) {
			term.Type = slurm.DependAfterCorr
		}
		j.Deps = append(j.Deps, sched.Depend{DependTerm: term})
	}
	j.DepsAny = p.chance(30)
}

// alloc plans an allocation, which may or may not fit.
func (p *player) alloc(j *sched.Job) []sched.NodeAlloc {
	var list []sched.NodeAlloc
	for range 1 + p.pick(2) {
		a := sched.NodeAlloc{Node: p.someNode(), CPUs: 1 + p.pick(5), Mem: slurm.MB(p.pick(6000)), Tasks: 1}
		if n := p.s.Node(a.Node); len(n.Gres) > 0 && p.chance(60) {
			g := sched.GresAlloc{Name: "gpu", Type: "a100", Count: int64(1 + p.pick(2))}
			for i := range g.Count {
				g.Index = append(g.Index, (p.pick(2)+int(i)*2)%4)
			}
			a.Gres = []sched.GresAlloc{g}
		}
		list = append(list, a)
	}
	return list
}

func (p *player) start() Command {
	var c StartJobs
	for range 1 + p.pick(4) {
		j := p.anyJob(func(j *sched.Job) bool { return j.IsPending() || p.chance(2) })
		if j == nil {
			continue
		}
		group := []*sched.Job{j}
		if j.HetID != 0 && !p.chance(10) {
			group = p.s.HetJobs(j.HetID)
		}
		for _, j := range group {
			s := sched.Start{Job: j.ID, Restarts: j.Restarts, Partition: j.Partition, Alloc: p.alloc(j), Scheduler: "Main"}
			if names := sched.Wants(j); len(names) > 0 {
				s.Reservation = names[0]
			}
			if j.IsArrayRest() {
				s.IsTask, s.Task = true, uint32(p.pick(13))
			}
			if p.chance(3) {
				s.Restarts++
			}
			c.Starts = append(c.Starts, s)
		}
	}
	return c
}

func (p *player) submit() Command {
	c := SubmitJobs{}
	for range oneOf(p, 1, 1, 1, 1, 2, 3) {
		c.Jobs = append(c.Jobs, p.newJob())
	}
	for i := range 6 {
		if p.chance(90) {
			c.Blobs = append(c.Blobs, Blob{sched.BlobID(fmt.Sprintf("blob%d", i)), []byte{byte(i)}})
		}
	}
	if p.chance(30) {
		if p.keys++; p.chance(20) {
			p.keys--
		}
		c.Key = fmt.Sprintf("key%d", p.keys)
	}
	if len(c.Jobs) > 1 {
		switch {
		case p.chance(30):
			c.Het = true
			for _, j := range c.Jobs {
				j.Tasks = slurm.IndexSet{}
			}
		case p.chance(50):
			c.Run = &RunInfo{Name: "r", User: "ann", Day: oneOf(p, "20261123", "20261124")}
			c.Needs = [][]int{{}, {0}}
			if p.chance(5) {
				c.Needs[0] = []int{1}
			}
		}
	}
	if p.chance(1) {
		c.Jobs[0] = nil
	}
	return c
}

func (p *player) endJob() Command {
	j := p.anyJob(func(j *sched.Job) bool { return !j.HasEnded() || p.chance(10) })
	if j == nil {
		return Purge{Before: p.at}
	}
	c := EndJob{Job: j.ID, Restarts: oneOf(p, j.Restarts, j.Restarts, AnyIncarnation), State: slurm.JobState(3 + p.pick(9)), Requeue: p.chance(25)}
	if j.IsPending() && p.chance(90) {
		c.State, c.Requeue = slurm.JobCancelled, false
	}
	if c.Requeue && p.chance(30) {
		c.Hold = sched.HeldByUser
	} else if c.Requeue {
		c.NotBefore = p.at.Add(5 * time.Second)
	}
	if j.ArrayID != 0 && p.chance(50) {
		c.Job, c.Restarts = j.ArrayID, AnyIncarnation
		if p.chance(50) {
			c.IsTask, c.Task = true, uint32(p.pick(13))
		} else {
			c.Tasks = indexes(oneOf(p, "1-3", "0,5", "2-9", "0-12"))
		}
	}
	c.Exit.Code = uint8(p.pick(3))
	return c
}

func (p *player) releaseNodes() Command {
	j := p.anyJob((*sched.Job).IsCompleting)
	if j == nil {
		return p.endJob()
	}
	c := ReleaseNodes{Job: j.ID, Restarts: j.Restarts, Nodes: slices.Clone(j.Completing)}
	if p.chance(30) {
		c.Nodes = c.Nodes[:1]
	}
	if p.chance(50) {
		c.Batch, c.Usage.MaxRSS, c.Exit.Signal = true, 4096, uint8(p.pick(2)*9)
	}
	return c
}

func (p *player) update() Command {
	c := UpdateJob{Job: p.someID()}
	if j := p.s.Job(c.Job); j != nil && j.ArrayID != 0 && p.chance(60) {
		c.Job = j.ArrayID
		switch p.pick(3) {
		case 0:
			c.IsTask, c.Task = true, uint32(p.pick(13))
		case 1:
			c.Tasks = indexes(oneOf(p, "1-3", "2-9"))
		}
	}
	switch p.pick(14) {
	case 13:
		list, _ := slurm.ParseLicenses(oneOf(p, "", "lic", "lic:2", "other:2", "lic:9", "nosuch"))
		c.Change.Licenses = &list
	case 12:
		c.Change.Spec = p.someSpec()
	case 0:
		h := oneOf(p, sched.HeldByUser, sched.HeldByAdmin, sched.HeldByNobody)
		c.Change.Hold = &h
	case 1:
		n := oneOf(p, "one", "two")
		c.Change.Name = &n
	case 2:
		d := oneOf[slurm.Duration](p, 60, 7200, slurm.Unlimited, 0)
		c.Change.TimeLimit = &d
	case 3, 4:
		b := p.chance(50)
		c.Change.Suspend = &b
	case 5:
		at := p.at.Add(time.Duration(p.pick(200)-20) * time.Second)
		c.Change.EndAt = &at
	case 6:
		at := p.at.Add(time.Duration(p.pick(60)-20) * time.Second)
		c.Change.Begin = &at
	case 7, 8:
		j := &sched.Job{}
		p.addDeps(j)
		c.Change.Deps, c.Change.DepsAny = &j.Deps, &j.DepsAny
	case 9:
		n := p.pick(4)
		c.Change.Throttle = &n
	case 10:
		text := "words"
		c.Change.Comment, c.Change.AdminComment = &text, &text
	case 11:
		prio := uint32(p.pick(10))
		c.Change.Priority = &prio
		c.Change.Partitions = []sched.PartitionName{"main"}
	}
	return c
}

func (p *player) step() Command {
	j := p.anyJob(func(j *sched.Job) bool { return j.Holds() })
	if j == nil {
		return p.start()
	}
	if len(j.Steps) > 0 && p.chance(50) {
		s := j.Steps[p.pick(len(j.Steps))]
		return EndStep{Job: j.ID, Restarts: j.Restarts, Step: s.ID, State: slurm.JobFailed, Exit: sched.ExitCode{Code: uint8(p.pick(4))}}
	}
	a := j.Alloc[p.pick(len(j.Alloc))]
	s := &sched.Step{ID: oneOf(p, slurm.StepPending, slurm.StepPending, slurm.StepInteractive), Overlap: p.chance(20),
		Nodes: []sched.StepNode{{Node: a.Node, CPUs: 1 + p.pick(3)}}}
	c := StartStep{Job: j.ID, Restarts: j.Restarts, Step: s}
	if p.chance(30) {
		c.Key = fmt.Sprintf("s%d", p.pick(50))
	}
	return c
}

func (p *player) node() Command {
	if p.chance(30) {
		return RegisterNode{Node: p.someNode(), CPUs: 8, Up: p.chance(90), Reason: "Low RealMemory", SpoolID: fmt.Sprint(p.pick(3))}
	}
	c := UpdateNode{Nodes: []sched.NodeName{p.someNode()}, ReasonUser: "root"}
	switch p.pick(5) {
	case 0:
		reason := "bad"
		c.Set, c.Reason = slurm.NodeDrain, &reason
	case 1:
		down, reason := slurm.NodeDown, "dead"
		c.Base, c.Reason = &down, &reason
	default:
		idle := slurm.NodeIdle
		c.Base, c.Clear = &idle, slurm.NodeDrain|slurm.NodeFail|slurm.NodeNotResponding
	}
	return c
}

// accounts makes up a change of the accounts, sometimes one that does not hold
// together or comes too late.
func (p *player) accounts() Command {
	a := p.s.Accounts()
	name := oneOf(p, "chem", "physics", "optics")
	user := oneOf(p, "ann", "bob")
	c := EditAccounts{Edit: sched.AccountsEdit{Base: a.Version}, Notes: []sched.Transaction{{Action: "Modify", Where: name, Info: user}}}
	put := &c.Edit.Put
	add := func(key sched.AssocKey, parent sched.AssocID) {
		put.Assocs = append(put.Assocs, &sched.Assoc{ID: a.NextAssoc, Key: key, Parent: parent, Shares: 1, Limits: sched.NoLimits(), Place: a.NextPlace})
		put.NextAssoc, put.NextPlace = a.NextAssoc+1, a.NextPlace+1
	}
	own := a.Own(name)
	switch p.pick(6) {
	case 5:
		normal := *a.QOS["normal"]
		normal.UsageFactor, normal.Limits.GrpJobs, normal.Flags = float64(p.pick(5))/4, int64(p.pick(9)), oneOf(p, nil, []string{"NoDecay"})
		normal.Limits.GrpJobsAccrue = int64(p.pick(12)) - 1
		put.QOS = []*sched.QOS{&normal}
	case 0:
		put.QOS = []*sched.QOS{sched.NewQOS(a.NextQOS, name, "")}
		put.NextQOS = a.NextQOS + 1
	case 1:
		if own != nil {
			c.Edit.DropAccounts, c.Edit.DropAssocs = []string{name}, []sched.AssocID{own.ID}
		}
	case 2:
		if own != nil && a.Find(user, name, "") == nil {
			put.Users = []*sched.AccountUser{{Name: user, DefaultAccount: name}}
			add(sched.AssocKey{Account: name, User: user}, own.ID)
		}
	default:
		if own == nil {
			put.Accounts = []*sched.Account{{Name: name}}
			add(sched.AssocKey{Account: name}, oneOf[sched.AssocID](p, 1, 1, 1, 2))
		} else {
			changed := *own
			changed.Shares, changed.DefaultQOS = int64(p.pick(9)), oneOf(p, "", "normal", "nosuch")
			put.Assocs = []*sched.Assoc{&changed}
		}
	}
	if p.chance(5) {
		c.Edit.Base++
	}
	return c
}

func (p *player) settings() Command {
	switch p.pick(6) {
	case 4, 5:
		if p.chance(10) {
			month := p.at.Add(-time.Duration(p.pick(5)) * time.Hour)
			return ResetUsage{Month: month, NextMonth: month.Add(time.Duration(p.pick(9)+1) * time.Hour)}
		}
		if p.chance(10) {
			return ResetUsage{All: p.chance(50), Assocs: []sched.AssocID{sched.AssocID(p.pick(5))}, QOS: []uint32{uint32(p.pick(3))}}
		}
		if p.chance(10) {
			from := p.at.Add(-time.Duration(p.pick(100)) * time.Hour)
			return ImportHistory{Records: [][]byte{{1}}, Used: []sched.PastUse{{
				Assoc: sched.AssocID(p.pick(5)), QOS: oneOf(p, "", "normal", "nosuch"), From: from, To: from.Add(time.Duration(p.pick(9)) * time.Hour),
				Held: slurm.TRES{{Type: "cpu", Count: int64(p.pick(9))}}, Charged: float64(p.pick(9)),
			}}}
		}
		return p.accounts()
	case 0:
		files := rigFiles(oneOf(p, "", "", "DependencyParameters=kill_invalid_depend\n", "NodeName=n[7-8] CPUs=8 RealMemory=16000\n", "AccountingStorageTRES=gres/gpu,license/lic\n", "AccountingStorageEnforce=limits\nPriorityDecayHalfLife=5\n",
			"PriorityDecayHalfLife=0\n", "NoSuchKey=1\n"))
		return SetConfig{files}
	case 1:
		part := *oneOf(p, p.s.Partitions()...)
		part.State = oneOf(p, "UP", "UP", "DOWN", "DRAIN", "odd")
		part.Default = p.chance(50)
		return UpdatePartition{Partition: part}
	case 2:
		return UpdatePartition{Partition: sched.Partition{Name: oneOf[sched.PartitionName](p, "extra", "short"), State: "UP", Nodes: []sched.NodeName{"n1"}}, Delete: p.chance(50)}
	}
	return oneOf[Command](p,
		AddToken{Hash: fmt.Sprint(p.pick(20)), Role: "node", Expires: p.at.Add(time.Minute)},
		UseToken{Hash: fmt.Sprint(p.pick(20)), Role: "node", Name: "n1"},
		nil, EndStep{}, StartStep{}, ReleaseNodes{}, UpdateJob{}, EndJob{}, StartJobs{Starts: []sched.Start{{}}}, SubmitJobs{})
}

// room makes up what makes or takes room: jobs that give way and go on, nodes that
// go off and come up, nodes a job goes on without.
func (p *player) room() Command {
	holds := func(j *sched.Job) bool { return j.Holds() }
	switch p.pick(4) {
	case 0:
		v, to := p.anyJob(holds), p.anyJob((*sched.Job).IsPending)
		if v == nil || to == nil {
			return PreemptJobs{}
		}
		return PreemptJobs{[]sched.Preempt{{Job: v.ID, Restarts: v.Restarts, Mode: sched.PreemptMode(p.pick(4)), For: to.ID,
			Grace: oneOf(p, 0, 0, time.Minute), Alloc: v.Alloc}}}
	case 1:
		if v := p.anyJob((*sched.Job).GaveWay); v != nil {
			return ResumeJobs{[]sched.Resume{{Job: v.ID, Restarts: v.Restarts}}}
		}
		return ResumeJobs{[]sched.Resume{{Job: p.someID()}}}
	case 2:
		return PowerNodes{Nodes: []sched.NodeName{p.someNode()}, Step: PowerStep(p.pick(8)), Reason: "ResumeTimeout reached"}
	}
	if j := p.anyJob(func(j *sched.Job) bool { return j.IsRunning() && len(j.Alloc) > 1 }); j != nil {
		return ShrinkJob{Job: j.ID, Restarts: j.Restarts, Nodes: []sched.NodeName{j.Alloc[p.pick(len(j.Alloc))].Node}, Given: p.chance(50)}
	}
	return ShrinkJob{Job: p.someID(), Nodes: []sched.NodeName{p.someNode()}}
}

func (p *player) reservation() Command {
	name := fmt.Sprintf("r%d", p.pick(4))
	if p.chance(30) {
		return DropReservation{Name: name, Over: p.chance(50)}
	}
	r := resv(name, p.at.Sub(began)+time.Duration(p.pick(120)-60)*time.Second, time.Duration(p.pick(300))*time.Second, p.someNode(), p.someNode())
	r.Flags = oneOf(p, 0, slurm.ResvMaint, slurm.ResvNoHoldJobs, slurm.ResvOverlap|slurm.ResvFlex)
	if p.chance(30) {
		r.Cores = []sched.ReservedCores{{Node: r.Nodes[0], Cores: slurm.NewIndexSet(0, 1), CPUs: 2}}
	}
	old := p.s.Reservation(name)
	if old != nil && p.chance(60) {
		r.ID, r.ChangedAt = old.ID, old.ChangedAt
	}
	return SetReservation{Reservation: r, Create: old == nil}
}

func (p *player) waits() Command {
	var c SetWaits
	var d SetPriorities
	for j := range p.s.Pending() {
		if p.chance(30) {
			c.Waits = append(c.Waits, sched.Wait{Job: j.ID, Reason: oneOf(p, slurm.ReasonResources, slurm.ReasonPriority)})
			d.Jobs = append(d.Jobs, JobPriority{Job: j.ID, Priority: uint32(p.pick(1000)), Age: p.chance(30)})
		}
	}
	if p.chance(30) {
		return d
	}
	return c
}

// next makes up the next command.
func (p *player) next() Command {
	switch n := p.pick(100); {
	case n < 18 && p.s.JobCount() < 400:
		return p.submit()
	case n < 40:
		return p.start()
	case n < 55:
		return p.endJob()
	case n < 72:
		return p.releaseNodes()
	case n < 78:
		return p.update()
	case n < 82:
		return p.room()
	case n < 88:
		return p.step()
	case n < 93:
		return p.node()
	case n < 95 && p.chance(50):
		return p.settings()
	case n < 95:
		return p.reservation()
	case n < 98:
		return p.waits()
	}
	return Purge{Before: p.at.Add(-time.Duration(p.pick(90)) * time.Second)}
}

// indexesOf gathers what a state knows beside its tables, in a form that can be
// compared.
func indexesOf(s *State) map[string]any {
	ids := func(l *jobList) []slurm.JobID {
		var out []slurm.JobID
		for j := range l.all() {
			if j != s.jobs[j.ID] {
				panic(fmt.Sprintf("job %d is in a list as it was once", j.ID))
			}
			out = append(out, j.ID)
		}
		return out
	}
	m := map[string]any{
		"all": ids(&s.all), "pending": ids(&s.pending), "holding": ids(&s.holding), "count": s.jobCount,
		"active": s.active, "waiters": s.waiters.lists, "onTask": s.waiters.onTask, "hets": s.hets,
		"licenses": s.licensesUsed, "members": s.members, "resvs": len(s.resvs), "nextResv": s.nextResv, "nodeAt": s.nodeAt, "default": s.config.Default,
	}
	for id, a := range s.arrays {
		m[fmt.Sprint("array", id)] = []any{ids(&a.records), a.tasks, a.total, a.past}
	}
	for key, n := range s.names {
		m[fmt.Sprint("name", key)] = []any{n.running, n.pending, n.singles, n.free, fmt.Sprint(n.tasks), s.turnNow(key, n)}
	}
	for id, b := range s.blobs {
		m[fmt.Sprint("blob", id)] = b.refs
	}
	ended := map[slurm.JobID]time.Time{}
	for _, e := range s.ended {
		if j := s.jobs[e.id]; j != nil && s.mayPurge(j) && j.End.Equal(e.at) {
			ended[e.id] = e.at
		}
	}
	m["ended"] = ended
	return m
}

// compareIndexes says in what the indexes of two states differ.
func compareIndexes(a, b *State) error {
	x, y := indexesOf(a), indexesOf(b)
	for key := range x {
		if !reflect.DeepEqual(x[key], y[key]) {
			return fmt.Errorf("index %s is\n%v\nand built anew\n%v", key, x[key], y[key])
		}
	}
	for key := range y {
		if _, ok := x[key]; !ok {
			return fmt.Errorf("index %s is not there, and built anew %v", key, y[key])
		}
	}
	return nil
}

func reload(t *testing.T, s *State) *State {
	t.Helper()
	d := s.Dump()
	fresh, err := Load(d)
	if err != nil {
		t.Fatal(err)
	}
	if !sameDump(d, fresh.Dump(), false) {
		t.Fatal("a state that was loaded dumps otherwise")
	}
	return fresh
}

// TestRandomHistoryReplays makes up a history, checking the cluster after every
// command and the indexes every so often, and applies it again whole, in
// halves and through dumps: each time the same must follow.
func TestRandomHistoryReplays(t *testing.T) {
	for seed := range int64(4) {
		t.Run(fmt.Sprintf("Seed%d", seed), func(t *testing.T) {
			t.Parallel()
			length := 4000
			if testing.Short() {
				length = 800
			}
			p := &player{rig: newRig(t), rnd: rand.New(rand.NewSource(seed))}
			kinds := map[string]int{}
			var events [][]Event
			applied := 0
			for i := range length {
				cmd := p.next()
				if res := p.do(cmd); res.Err == nil && len(p.events) > 0 {
					applied++
					kinds[fmt.Sprintf("%T", cmd)]++
				}
				events = append(events, p.events)
				if i%50 == 0 {
					if err := compareIndexes(p.s, reload(t, p.s)); err != nil {
						t.Fatalf("after %T %+v: %v", cmd, cmd, err)
					}
				}
			}
			if applied < length/3 || len(kinds) < 13 {
				t.Errorf("only %d of %d commands did anything, of %d kinds: %v", applied, length, len(kinds), kinds)
			}
			setup := len(p.log) - length
			want := p.s.Dump()

			whole, halves := New("t"), New("t")
			for i, e := range p.log {
				_, ev := whole.Apply(uint64(i+1), e)
				if i >= setup && !reflect.DeepEqual(ev, events[i-setup]) {
					t.Fatalf("replayed, %T has other events:\n%v\nfirst\n%v", e.Cmd, ev, events[i-setup])
				}
				if i == len(p.log)/2 || i%97 == 0 {
					halves = reload(t, halves)
				}
				_, ev = halves.Apply(uint64(i+1), e)
				if i >= setup && !reflect.DeepEqual(ev, events[i-setup]) {
					t.Fatalf("replayed through dumps, %T has other events:\n%v\nfirst\n%v", e.Cmd, ev, events[i-setup])
				}
			}
			if !sameDump(want, whole.Dump(), false) {
				t.Error("replayed whole, the state is another")
			}
			if !sameDump(want, halves.Dump(), false) {
				t.Error("replayed through dumps, the state is another")
			}
		})
	}
}
