package sched

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// story is a small cluster as a story tells of it.
type story struct {
	cfg     *Config
	nodes   []*Node
	pending []*Job
	running []*Job
	start   time.Time
	now     time.Time
	plan    Plan
	tree    *Accounts
	parted  bool // partitions were told of
	// topology is what topology.conf would say.
	topology string
	extras   []string   // what random jobs ask for besides
	live     *Scheduler // of the last cycle
	// wide is since when jobs could start behind more switches than they ask for, and
	// from when on they were promised to, which a scheduler that lives on remembers.
	wide  map[slurm.JobID]wideWait
	resvs []*Reservation
}

func newStory() *story {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return &story{cfg: testConfig(), start: start, now: start}
}

// words splits a command's arguments.
type words map[string]string

func parseWords(args []string) words {
	w := make(words)
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			value = "yes"
		}
		w[key] = value
	}
	return w
}

func (w words) num(key string, fallback int) int {
	if n, err := strconv.Atoi(w[key]); err == nil {
		return n
	}
	return fallback
}

func (s *story) do(line string, out *strings.Builder) error {
	args := strings.Fields(line)
	switch args[0] {
	case "nodes":
		return s.addNodes(args[1], parseWords(args[2:]))
	case "partition":
		return s.addPartition(args[1], parseWords(args[2:]))
	case "conf":
		for _, a := range args[1:] {
			key, value, _ := strings.Cut(a, "=")
			setConf(s.cfg, key, value)
		}
	case "licences":
		var err error
		s.cfg.Licenses, err = slurm.ParseLicenses(args[1])
		return err
	case "shrink":
		names, err := nodeNames(args[1])
		w := parseWords(args[2:])
		for i, n := range s.nodes {
			if slices.Contains(names, n.Name) {
				s.nodes[i] = n.Clone()
				s.nodes[i].CPUs, s.nodes[i].Memory = w.num("cpus", n.CPUs), slurm.MB(w.num("mem", int(n.Memory)))
			}
		}
		return err
	case "qos":
		return s.addQOS(args[1], parseWords(args[2:]))
	case "reservation":
		return s.addReservation(args[1], parseWords(args[2:]))
	case "running":
		return s.addRunning(args[1], parseWords(args[2:]))
	case "pending":
		return s.addPending(args[1], parseWords(args[2:]))
	case "cycle":
		if s.live == nil || args[0] == "cycle" {
			s.live = NewScheduler(s.view())
			s.live.takeOver(s.wide)
		}
		s.plan = s.live.Plan(s.now, true)
		s.wide = map[slurm.JobID]wideWait{}
		for id, it := range s.live.items {
			if it.wideWait != (wideWait{}) {
				s.wide[id] = it.wideWait
			}
		}
		s.print(out, len(args) > 1)
	case "apply":
		return s.apply()
	case "after":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		s.now = s.now.Add(d)
		for _, j := range slices.Clone(s.running) {
			if !j.End.IsZero() && !j.End.After(s.now) && !j.GaveWay() {
				s.finish(j)
			}
		}
	case "end":
		for _, j := range slices.Clone(s.running) {
			if j.ID.String() == args[1] {
				s.finish(j)
			}
		}
	case "test":
		for _, j := range s.pending {
			if j.ID.String() != args[1] {
				continue
			}
			f, err := TestOnly(s.view(), j, s.now)
			if err != nil {
				fmt.Fprintf(out, "%d: %v\n", j.ID, err)
				continue
			}
			fmt.Fprintf(out, "%d could start %s using %d processors on %s in partition %s\n", j.ID, s.moment(f.Start), f.CPUs,
				nodeListText(f.Nodes()), f.Partition)
		}
	case "switch", "block":
		s.topology += strings.Replace(strings.Replace(line, "switch ", "SwitchName=", 1), "block ", "BlockName=", 1) + "\n"
		return s.network(args[0])
	case "blocksizes":
		s.topology += "BlockSizes=" + args[1] + "\n"
		return s.network("block")
	case "why":
		return s.why(args[1], out)
	case "submit":
		s.submit(parseWords(args[1:]), out)
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

func (s *story) view() View {
	v := View{Config: s.cfg, Nodes: s.nodes, Pending: s.pending, Running: s.running, RunningTasks: map[slurm.JobID]int{},
		LicensesAll: s.cfg.Licenses, Accounts: s.tree, Reservations: s.resvs}
	for _, j := range s.running {
		if j.ArrayID != 0 && !j.HasEnded() {
			v.RunningTasks[j.ArrayID]++
		}
		v.LicensesUsed = PlusLicenses(v.LicensesUsed, j.LicensesUsed)
	}
	return v
}

func (s *story) addNodes(list string, w words) error {
	hosts, err := slurm.ParseHostList(list)
	if err != nil {
		return err
	}
	for name := range hosts.All() {
		n := &Node{Name: NodeName(name), Index: len(s.nodes), CPUs: w.num("cpus", 4), Memory: slurm.MB(w.num("mem", 64000)),
			Sockets: w.num("sockets", 1), Threads: w.num("threads", 1), Weight: uint32(w.num("weight", 1)), TmpDisk: slurm.MB(w.num("tmp", 0)),
			State: slurm.NodeIdle, Registered: true}
		n.Cores = max(n.CPUs/n.Sockets/n.Threads, 1)
		switch w["state"] {
		case "":
		case "drain":
			n.State |= slurm.NodeDrain
		case "down":
			n.State = slurm.NodeDown
		case "off":
			n.State |= slurm.NodePoweredDown
		default:
			return fmt.Errorf("no such state")
		}
		if f := w["features"]; f != "" {
			n.Features = strings.Split(f, ",")
		}
		gres, err := gresOf(w["gres"])
		if err != nil {
			return err
		}
		for _, g := range gres {
			ng := NodeGres{Name: g.Name, Type: g.Type, Count: g.Count}
			for i := range g.Count {
				ng.Files = append(ng.Files, fmt.Sprintf("/dev/%s%d", g.Name, i))
			}
			if w["pairs"] == "yes" {
				// Devices 0-1, 2-3, ... are tied by four links.
				for i := range int(g.Count) {
					row := make([]int, g.Count)
					row[i^1] = 4
					ng.Links = append(ng.Links, row)
				}
			}
			n.Gres = append(n.Gres, ng)
		}
		s.nodes = append(s.nodes, n)
		if !s.parted {
			p := s.cfg.Partitions[0]
			p.Nodes = append(p.Nodes, n.Name)
		}
	}
	return nil
}

func (s *story) addPartition(name string, w words) error {
	if !s.parted {
		s.cfg.Partitions, s.parted = nil, true
	}
	p := &Partition{Name: PartitionName(name), State: "UP", MaxTime: slurm.Unlimited, PriorityTier: uint32(w.num("tier", 1)),
		PriorityJobFactor: uint32(w.num("factor", 1)), MaxNodes: w.num("maxnodes", 0), MinNodes: w.num("minnodes", 0),
		MaxCPUsPerNode: w.num("maxcpus", 0), OverSubscribe: w["oversubscribe"], LLN: w["lln"] == "yes", ExclusiveUser: w["exclusiveuser"] == "yes",
		DefMemPerCPU: slurm.MB(w.num("defmempercpu", 0)), MaxMemPerCPU: slurm.MB(w.num("maxmempercpu", 0)), BillingWeights: w["billing"],
		Index: len(s.cfg.Partitions)}
	if w["state"] != "" {
		p.State = w["state"]
	}
	p.PreemptMode, p.GraceTime = w["preempt"], slurm.Duration(w.num("grace", 0))
	if w["default"] == "yes" || len(s.cfg.Partitions) == 0 {
		s.cfg.Default = p.Name
	}
	var err error
	for key, to := range map[string]*slurm.Duration{"maxtime": &p.MaxTime, "defaulttime": &p.DefaultTime} {
		if w[key] != "" {
			if *to, err = limitOf(w[key]); err != nil {
				return err
			}
		}
	}
	if w["allow"] != "" {
		p.AllowAccounts = strings.Split(w["allow"], ",")
	}
	names := make([]NodeName, 0, len(s.nodes))
	if w["nodes"] == "" {
		for _, n := range s.nodes {
			names = append(names, n.Name)
		}
	} else if names, err = nodeNames(w["nodes"]); err != nil {
		return err
	}
	p.Nodes = names
	s.cfg.Partitions = append(s.cfg.Partitions, p)
	return nil
}

// limitOf reads 10m, 1h30m or unlimited.
func limitOf(text string) (slurm.Duration, error) {
	if text == "unlimited" {
		return slurm.Unlimited, nil
	}
	d, err := time.ParseDuration(text)
	return slurm.Duration(d / time.Second), err
}

// gresOf reads gpu:a100:2,shard:4, or nothing.
func gresOf(text string) (slurm.Gres, error) {
	if text == "" {
		return nil, nil
	}
	return slurm.ParseGres(text)
}

// options makes the request that words tell of.
func (s *story) options(w words) (*slurm.JobOptions, error) {
	o := &slurm.JobOptions{Given: map[string]bool{}, NTasks: w.num("tasks", 0), CPUsPerTask: w.num("cpt", 0), NTasksPerNode: w.num("tpn", 0),
		MinCPUs: w.num("mincpus", 0), MemPerNode: slurm.MB(w.num("mem", 0)), MemPerCPU: slurm.MB(w.num("memcpu", 0)), MemPerGPU: slurm.MB(w.num("memgpu", 0)),
		CPUsPerGPU: w.num("cpusgpu", 0), NTasksPerGPU: w.num("tasksgpu", 0), NTasksPerSocket: w.num("tps", 0), NodeList: w["nodelist"], ExcludeList: w["exclude"],
		Constraint: w["features"], Prefer: w["prefer"], Licenses: w["licences"], Contiguous: w["contiguous"] == "yes", OverCommit: w["overcommit"] == "yes",
		Switches: w.num("switches", 0), Segment: w.num("segment", 0), SpreadSegments: w["apart"] == "yes", ConsolidateSegments: w["together"] == "yes",
		SocketsPerNode: w.num("sockets", 0), CoresPerSocket: w.num("cores", 0), NTasksPerCore: w.num("tpc", 0), Hint: w["hint"],
		OverSubscribe: w["share"] == "yes", SpreadJob: w["spread"] == "yes", UseMinNodes: w["usemin"] == "yes", Hold: w["held"] == "yes",
		Account: w["account"], TmpDisk: slurm.MB(w.num("tmp", 0)), ThreadsPerCore: w.num("threads", 0), BatchFeatures: w["batch"],
		Reservation: w["resv"]}
	for word, name := range map[string]string{"tasks": "ntasks", "cpt": "cpus-per-task", "tpn": "ntasks-per-node", "mem": "mem", "memcpu": "mem-per-cpu",
		"nodes": "nodes", "limit": "time"} {
		o.Given[name] = w[word] != ""
	}
	switch w["exclusive"] {
	case "":
	case "yes":
		o.Exclusive = "exclusive"
	default:
		o.Exclusive = w["exclusive"]
	}
	if lo, hi, ok := strings.Cut(w["nodes"], "-"); w["nodes"] != "" && !strings.Contains(w["nodes"], ",") {
		o.MinNodes, _ = strconv.Atoi(lo)
		o.MaxNodes = o.MinNodes
		if ok {
			o.MaxNodes, _ = strconv.Atoi(hi)
		}
	} else if w["nodes"] != "" {
		for x := range strings.SplitSeq(w["nodes"], ",") {
			n, err := strconv.Atoi(x)
			if err != nil {
				return nil, err
			}
			o.NodeSizes = append(o.NodeSizes, n)
		}
		o.MinNodes, o.MaxNodes = slices.Min(o.NodeSizes), slices.Max(o.NodeSizes)
	}
	if w["partition"] != "" {
		o.Partitions = strings.Split(w["partition"], ",")
	}
	var err error
	var errs []error
	note := func(e error) { errs = append(errs, e) }
	if w["limit"] != "" {
		o.TimeLimit, err = limitOf(w["limit"])
		note(err)
	}
	if w["switchwait"] != "" {
		o.SwitchesWait, err = limitOf(w["switchwait"])
		note(err)
	}
	if w["atleast"] != "" {
		o.TimeMin, err = limitOf(w["atleast"])
		note(err)
	}
	if w["begin"] != "" {
		d, err := time.ParseDuration(w["begin"])
		note(err)
		o.Begin = s.start.Add(d)
	}
	if w["deadline"] != "" {
		d, err := time.ParseDuration(w["deadline"])
		note(err)
		o.Deadline = s.start.Add(d)
	}
	if w["array"] != "" {
		a, err := slurm.ParseArray(w["array"], 1000)
		note(err)
		o.Array = &a
	}
	if w["gres"] != "" {
		o.Gres, err = slurm.ParseGres(w["gres"])
		note(err)
	}
	for word, to := range map[string]*slurm.Gres{"gpus": &o.GPUs, "gpusnode": &o.GPUsPerNode, "gpustask": &o.GPUsPerTask} {
		if w[word] != "" {
			*to, err = slurm.ParseGPUs(w[word])
			note(err)
		}
	}
	return o, errors.Join(errs...)
}

func (s *story) request(w words) (Request, error) {
	o, err := s.options(w)
	return Request{Options: o, UID: uint32(w.num("user", 1000)), GID: 1000, User: "u" + cmp.Or(w["user"], "1000"), Group: "g", Batch: true,
		DefaultAccount: "physics", DefaultQOS: "normal", WorkDir: "/home/u", Operator: w["operator"] == "yes",
		Resv: NewResvView(s.resvs, nil, s.now)}, err
}

func (s *story) addPending(id string, w words) error {
	req, err := s.request(w)
	if err != nil {
		return err
	}
	j, lines, err := Resolve(req, s.cfg, s.nodes, s.now)
	if err != nil {
		return fmt.Errorf("%w %v %s", err, lines, err.(*Refused).Why)
	}
	n, err := slurm.ParseJobID(id)
	if err != nil {
		return err
	}
	j.ID = n
	if j.ArrayAll.Len() > 0 {
		j.ArrayID = n
	}
	if j.HeldBy == HeldByNobody {
		j.Priority = uint32(w.num("priority", 1000-int(n)))
	}
	if w["new"] == "" {
		j.LastSched = s.start
	}
	if w["qos"] != "" {
		j.QOS = w["qos"]
	}
	if leader := w.num("het", 0); leader > 0 {
		j.HetID, j.HetOffset = slurm.JobID(leader), int(n)-leader
	}
	if w["after"] != "" {
		j.Deps = []Depend{{State: DependWaiting}}
		if w["after"] == "failed" {
			j.Deps[0].State = DependFailed
		}
	}
	s.pending = append(s.pending, j)
	return nil
}

func (s *story) addRunning(id string, w words) error {
	n, err := slurm.ParseJobID(id)
	if err != nil {
		return err
	}
	names, err := nodeNames(w["nodes"])
	if err != nil {
		return err
	}
	j := &Job{ID: n, UID: uint32(w.num("user", 1000)), State: slurm.JobRunning, Start: s.now, TimeLimit: slurm.Unlimited,
		Spec: &slurm.JobOptions{}, Partition: s.cfg.Partitions[0].Name, ArrayID: slurm.JobID(w.num("array", 0))}
	if w["partition"] != "" {
		j.Partition = PartitionName(w["partition"])
	}
	j.Need.Exclusive = w["exclusive"] == "yes"
	j.Need.Share = w["share"] == "yes"
	j.Resv = w["resv"]
	if j.LicensesUsed, err = slurm.ParseLicenses(w["licences"]); err != nil {
		return err
	}
	if w["ends"] != "" {
		d, err := time.ParseDuration(w["ends"])
		if err != nil {
			return err
		}
		j.End = s.now.Add(d)
		j.TimeLimit = slurm.Duration(d / time.Second)
	}
	gres, err := gresOf(w["gres"])
	if err != nil {
		return err
	}
	for _, name := range names {
		i := slices.IndexFunc(s.nodes, func(n *Node) bool { return n.Name == name })
		r := emptyRoom(s.nodes[i], i)
		for _, g := range s.nodes[i].UsedGres {
			r.takeGres(g, 1)
		}
		j.Alloc = append(j.Alloc, NodeAlloc{Node: name, CPUs: w.num("cpus", r.total), Mem: slurm.MB(w.num("mem", 0)), Tasks: 1,
			Gres: r.chooseGres(gres, true)})
	}
	s.hold(j, 1)
	s.running = append(s.running, j)
	if err := s.asStanding(j, w); err != nil {
		return err
	}
	if w["completing"] == "yes" {
		j.State = slurm.JobCompleted | slurm.JobCompleting
		j.End = s.now
		j.Completing = j.Nodes()
	}
	return nil
}

// hold books what a job has on its nodes, or gives it back.
func (s *story) hold(j *Job, sign int) {
	whole, user := Exclusivity(s.cfg, j, s.cfg.Partition(j.Partition))
	for _, a := range j.Alloc {
		for i, n := range s.nodes {
			if n.Name != a.Node {
				continue
			}
			n = n.Clone()
			n.UsedCPUs += sign * a.CPUs
			n.UsedMem += slurm.MB(sign) * a.Mem
			for _, g := range a.Gres {
				if sign > 0 {
					n.UsedGres = AddGres(n.UsedGres, g)
				} else {
					n.UsedGres = SubGres(n.UsedGres, g)
				}
			}
			if sign > 0 {
				n.Running = append(n.Running, j.ID)
				if whole || user {
					n.ExclusiveBy, n.ExclusiveUser = j.ID, j.UID
					if whole {
						n.ExclusiveUser = NoUser
					}
				}
			} else {
				n.Running = slices.DeleteFunc(n.Running, func(id slurm.JobID) bool { return id == j.ID })
				if len(n.Running) == 0 {
					n.ExclusiveBy = 0
				}
			}
			s.nodes[i] = n
		}
	}
}

func (s *story) finish(j *Job) {
	s.hold(j, -1)
	s.running = slices.DeleteFunc(s.running, func(x *Job) bool { return x == j })
}

func (s *story) apply() error {
	next := slurm.JobID(100000)
	for _, j := range s.running {
		next = max(next, j.ID+1)
	}
	for _, start := range s.plan.Starts {
		i := slices.IndexFunc(s.pending, func(j *Job) bool { return j.ID == start.Job })
		if i < 0 {
			return fmt.Errorf("job %d starts and is not pending", start.Job)
		}
		j := s.pending[i]
		one := *j
		if start.IsTask {
			rest, task := j.Split(start.Task, next)
			if task == nil {
				return fmt.Errorf("task %d_%d starts and is not pending", start.Job, start.Task)
			}
			next++
			one = *task
			one.RoomMade, one.RoomOn = time.Time{}, nil
			if rest != nil {
				rest.RoomMade, rest.RoomOn = time.Time{}, nil
				s.pending[i] = rest
			}
			if rest == nil {
				s.pending = slices.Delete(s.pending, i, i+1)
			}
		} else {
			s.pending = slices.Delete(s.pending, i, i+1)
		}
		one.State, one.Alloc, one.Start, one.Partition = slurm.JobRunning, start.Alloc, s.now, start.Partition
		one.Resv = start.Reservation
		if start.TimeLimit > 0 {
			one.TimeLimit = start.TimeLimit
		}
		if one.TimeLimit != slurm.Unlimited {
			one.End = s.now.Add(time.Duration(one.TimeLimit) * time.Second)
		}
		one.LicensesUsed, _ = TakeLicenses(one.Need.Licenses, s.cfg.Licenses.Minus(s.view().LicensesUsed))
		s.hold(&one, 1)
		s.running = append(s.running, &one)
	}
	for _, w := range s.plan.Waits {
		for i, j := range s.pending {
			if j.ID == w.Job {
				c := j.Clone()
				c.Reason, c.ReasonText, c.Start, c.LastSched = w.Reason, w.Text, w.Start, s.now
				s.pending[i] = c
			}
		}
	}
	s.giveWay()
	s.plan = Plan{}
	return nil
}

// moment writes a time as a story tells it.
func (s *story) moment(t time.Time) string {
	d := t.Sub(s.start)
	if d == 0 {
		return "0s"
	}
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
		if d%time.Hour == 0 {
			text = strings.TrimSuffix(text, "0m")
		}
	}
	return text
}
