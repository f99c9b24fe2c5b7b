package sched

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// Request is a submission as it reaches the controller, with who asks and what
// the accounts say where the request does not.
type Request struct {
	Options        *slurm.JobOptions
	UID, GID       uint32
	User, Group    string
	Groups         []string // all groups of the user, for partitions that go by them
	Operator       bool     // may do what only operators may
	Batch          bool     // has a script
	Script, Env    BlobID
	ScriptName     string
	ScriptArgs     []string
	WorkDir        string // where the command ran, unless the options say
	SubmitHost     string
	SubmitPID      int32
	SubmitLine     string
	Umask          int
	Rlimits        []Rlimit
	DefaultAccount string // charged when the options name no account
	DefaultQOS     string // used when the options name no QOS
	// Accounts say who may use what; nil when nobody asks them, and the two above
	// hold.
	Accounts *Accounts
	Resv     *ResvView // the reservations; nil: there are none
}

// Resolve makes a pending job of a submission: defaults are filled in, what is
// asked for becomes numbers, and what can never be is refused with Slurm's error.
// The job has no id yet, and a priority that stands only until the caller sets
// one. The lines are what Slurm's commands print before they go on or fail.
func Resolve(req Request, cfg *Config, nodes []*Node, now time.Time) (*Job, []string, error) {
	r := &resolver{req: req, o: req.Options, cfg: cfg, nodes: nodes, now: now, t: tuningOf(cfg)}
	if r.o == nil {
		r.o = &slurm.JobOptions{}
	}
	r.job = &Job{
		Spec: r.o, UID: req.UID, GID: req.GID, User: req.User, Group: req.Group,
		SubmitHost: req.SubmitHost, SubmitPID: req.SubmitPID, SubmitLine: req.SubmitLine,
		Script: req.Script, ScriptName: req.ScriptName, ScriptArgs: req.ScriptArgs, Env: req.Env, Batch: req.Batch,
		Umask: req.Umask, Rlimits: req.Rlimits, Submit: now, State: slurm.JobPending, Scheduler: "Main",
	}
	for _, step := range []func() error{
		r.allowed, r.names, r.partitions, r.account, r.reserved, r.times, r.array, r.where, r.size, r.devices, r.memory, r.shape, r.licenses, r.possible, r.begin,
	} {
		if err := step(); err != nil {
			var lines []string // all of them are errors now
			for _, line := range r.lines {
				lines = append(lines, strings.TrimPrefix(line, "error: "))
			}
			if bad, ok := err.(*Refused); ok {
				lines = append(lines, bad.Lines...)
			}
			return nil, lines, err
		}
	}
	return r.job, r.lines, nil
}

// resolver is one submission on its way to a job.
type resolver struct {
	req   Request
	o     *slurm.JobOptions
	cfg   *Config
	t     *tuning
	nodes []*Node
	now   time.Time
	job   *Job
	parts []*Partition
	lines []string
	known map[NodeName]*Node
	limit Why          // what of a partition's limits the job waits for
	resv  *Reservation // the one whose nodes alone are looked at; nil: all nodes
}

// given reports whether an option was given explicitly.
func (r *resolver) given(name string) bool { return r.o.Given[name] }

// node finds a node by name, nil when there is none.
func (r *resolver) node(name NodeName) *Node {
	if r.known == nil {
		r.known = make(map[NodeName]*Node, len(r.nodes))
		for _, n := range r.nodes {
			r.known[n.Name] = n
		}
	}
	return r.known[name]
}

// allowed refuses what only operators may ask for.
func (r *resolver) allowed() error {
	if r.o.Step.X11 != "" && !slices.Contains(conf(r.cfg).PrologFlags, "X11") {
		return refuse(slurm.ErrnoX11NotAvail, "displays are forwarded with PrologFlags=X11")
	}
	if (r.given("core-spec") || r.given("thread-spec")) && !r.t.specCores {
		// As if it had not been said: Slurm takes it with AllowSpecResourcesUsage.
		for _, name := range [][2]string{{"core-spec", "-S"}, {"thread-spec", "--thread-spec"}} {
			if r.given(name[0]) {
				r.lines = append(r.lines, "error: Ignoring "+name[1]+" since it's not allowed by configuration (AllowSpecResourcesUsage = No)")
			}
		}
		o := r.without("core-spec", "thread-spec")
		o.CoreSpec, o.ThreadSpec = -1, 0
	}
	if most := slurm.Duration(r.t.switchWait / time.Second); r.o.Switches > 0 && (r.o.SwitchesWait <= 0 || r.o.SwitchesWait > most) {
		r.without().SwitchesWait = most
	}
	if err := r.samples(); err != nil {
		return err
	}
	if r.req.Operator {
		return nil
	}
	switch {
	case r.o.Nice < 0:
		return refuse(slurm.ErrnoInvalidNice, "nice %d by %s, who is no operator", r.o.Nice, r.req.User)
	case r.o.Reboot:
		return refuse(slurm.ErrnoAccessDenied, "a reboot asked for by %s, who is no operator", r.req.User).
			with("rebooting of nodes is only allowed for admins")
	}
	if r.given("priority") && r.o.Priority > 0 {
		// Slurm takes no priority from users.
		r.without("priority").Priority = 0
	}
	return nil
}

// samples refuses a job that wants its memory looked at less often than the cluster
// does where jobs are ended for the memory they use.
func (r *resolver) samples() error {
	c := conf(r.cfg)
	often := taskFrequency(c.JobAcctGatherFrequency)
	asked := taskFrequency(r.o.AcctgFreq)
	if asked < 0 || often < 0 || !slices.ContainsFunc(c.JobAcctGatherParams, func(s string) bool { return strings.EqualFold(s, "OverMemoryKill") }) {
		return nil
	}
	if asked == 0 || asked > often {
		return refuse(slurm.ErrnoNodeInvalidAcctFreq, "accounting every %d s, the cluster's %d s are needed to watch memory", asked, often)
	}
	return nil
}

// taskFrequency is how many seconds of task= or of a bare number a list such as
// "task=30,energy=60" says lie between two looks at a task; -1: nothing.
func taskFrequency(list string) int {
	for item := range strings.SplitSeq(list, ",") {
		name, value, named := strings.Cut(item, "=")
		if !named {
			value = name
		} else if !strings.EqualFold(name, "task") {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}

// without makes what was asked for a copy of its own, in which the named options were not
// given, and returns it: what the request holds stays as it came.
func (r *resolver) without(names ...string) *slurm.JobOptions {
	o := *r.o
	o.Given = make(map[string]bool, len(r.o.Given))
	for name, given := range r.o.Given {
		o.Given[name] = given && !slices.Contains(names, name)
	}
	r.o, r.job.Spec = &o, &o
	return &o
}

// names fills in what the job is called and charged to.
func (r *resolver) names() error {
	j, o := r.job, r.o
	j.Name = o.Name
	if j.Name == "" && !r.given("job-name") {
		switch base := r.req.ScriptName[strings.LastIndexByte(r.req.ScriptName, '/')+1:]; {
		case base != "":
			j.Name = base
		case r.req.Batch:
			j.Name = "sbatch"
		default:
			j.Name = "interactive"
		}
	}
	switch {
	case r.given("account") && o.Account == "":
		return refuse(slurm.ErrnoInvalidAccount, "an account without a name")
	case r.given("qos") && o.QOS == "":
		return refuse(slurm.ErrnoInvalidQOS, "a QOS without a name")
	}
	j.Account, j.QOS = o.Account, o.QOS
	if j.Account == "" {
		j.Account = r.req.DefaultAccount
	}
	if j.QOS == "" {
		j.QOS = r.req.DefaultQOS
	}
	j.WorkDir = o.WorkDir
	if j.WorkDir == "" {
		j.WorkDir = r.req.WorkDir
	}
	j.Nice = o.Nice
	j.KillOnInvalidDep = o.KillOnInvalidDep == "yes" || o.KillOnInvalidDep == "" && r.cfg.KillInvalidDepend
	switch {
	case o.Requeue == "no" || !r.req.Batch:
	case o.Requeue == "yes":
		j.Requeue = true
	default:
		j.Requeue = conf(r.cfg).JobRequeue
	}
	return nil
}

// reserved refuses reservations that are not there or do not let the job in.
func (r *resolver) reserved() error { return r.req.Resv.check(r.job, r.req.Groups) }

// partitions finds the partitions asked for, or the default one, and leaves out
// those the user may not use, if there are others.
func (r *resolver) partitions() error {
	names := r.o.Partitions
	if len(names) == 0 && r.given("partition") {
		return refuse(slurm.ErrnoInvalidPartition, "a list of partitions with none in it").with("invalid partition specified: (null)")
	}
	if len(names) == 0 {
		if r.cfg.Default == "" {
			return refuse(slurm.ErrnoDefaultPartitionNotSet, "no partition asked for and none is the default")
		}
		names = []string{string(r.cfg.Default)}
	}
	var first error
	for _, name := range names {
		p := r.cfg.Partition(PartitionName(name))
		if p == nil {
			return refuse(slurm.ErrnoInvalidPartition, "partition %q is not known", name).with("invalid partition specified: %s", name)
		}
		if slices.Contains(r.job.Partitions, p.Name) {
			continue
		}
		if err := r.mayUse(p); err != nil {
			if r.t.enforce == enforceAll {
				return err
			}
			if first == nil {
				first = err
			}
			continue
		}
		r.job.Partitions = append(r.job.Partitions, p.Name)
		r.parts = append(r.parts, p)
	}
	if len(r.parts) == 0 {
		return first
	}
	r.job.Partition = r.parts[0].Name
	return nil
}

// mayUse refuses a partition that takes no jobs, or none of this user.
func (r *resolver) mayUse(p *Partition) error {
	switch strings.ToUpper(p.State) {
	case "DRAIN", "INACTIVE":
		return refuse(slurm.ErrnoPartitionNotAvail, "partition %s is %s", p.Name, p.State)
	}
	group := func(name string) bool {
		return strings.EqualFold(name, "ALL") || name == r.req.Group || slices.Contains(r.req.Groups, name)
	}
	switch root := r.req.UID == 0; {
	case p.RootOnly && !root:
		return refuse(slurm.ErrnoAccessDenied, "partition %s is root's alone", p.Name)
	case p.DisableRootJobs && root:
		return refuse(slurm.ErrnoAccessDenied, "partition %s takes no jobs of root", p.Name)
	case p.ReqResv && r.o.Reservation == "":
		return refuse(slurm.ErrnoAccessDenied, "partition %s wants a reservation", p.Name)
	case len(p.AllowGroups) > 0 && !root && !slices.ContainsFunc(p.AllowGroups, group):
		return refuse(slurm.ErrnoJobMissingRequiredPartitionGroup, "partition %s is for groups %v", p.Name, p.AllowGroups)
	case len(p.AllocNodes) > 0 && !submitsFrom(p.AllocNodes, r.req.SubmitHost):
		return refuse(slurm.ErrnoAccessDenied, "partition %s takes jobs from %v, not from %s", p.Name, p.AllocNodes, r.req.SubmitHost)
	}
	return nil
}

// times works out how long the job may run, and by when.
func (r *resolver) times() error {
	j, o := r.job, r.o
	switch {
	case r.given("time") && o.TimeLimit <= 0:
		j.TimeLimit = slurm.Unlimited
	case o.TimeLimit > 0:
		j.TimeLimit = o.TimeLimit.RoundUp()
	default:
		// With several partitions, what all of them would give. It starts under the limit
		// of the one that takes it.
		j.TimeLimit = slurm.Unlimited
		for _, p := range r.parts {
			j.TimeLimit = min(j.TimeLimit, p.defaultLimit())
		}
	}
	if !o.Deadline.IsZero() && o.Deadline.Before(r.now.Truncate(time.Second)) {
		return refuse(slurm.ErrnoInvalidTimeLimit, "the deadline %s has passed", o.Deadline.Format(time.DateTime))
	}
	return r.leastTime()
}

// leastTime works out how short the job's time may be cut, and refuses what is longer
// than the job's limit, than its partitions allow, or than the time to its deadline.
func (r *resolver) leastTime() error {
	j, o := r.job, r.o
	if !o.Deadline.IsZero() && o.TimeMin <= 0 && j.TimeLimit == slurm.Unlimited && !r.given("time") {
		j.TimeMin = 60 // any time is better than none
	}
	if o.TimeMin <= 0 {
		return nil
	}
	j.TimeMin = o.TimeMin.RoundUp()
	most, begin := j.TimeLimit, r.now
	if p := r.parts[0]; p.MaxTime > 0 {
		most = min(most, p.MaxTime)
	}
	if o.Begin.After(begin) {
		begin = o.Begin
	}
	switch {
	case j.TimeMin == slurm.Unlimited && !r.given("time"):
		return refuse(slurm.ErrnoInvalidTimeMinLimit, "no least time can be without end")
	case j.TimeMin > most:
		return refuse(slurm.ErrnoInvalidTimeMinLimit, "at least %s asked for with a limit of %s", j.TimeMin, most)
	case !o.Deadline.IsZero() && begin.Add(span(j.TimeMin)).After(o.Deadline):
		return refuse(slurm.ErrnoInvalidTimeMinLimit, "at least %s asked for, and the deadline is %s", j.TimeMin, o.Deadline.Format(time.DateTime))
	}
	return nil
}

// array bounds an array's indexes.
func (r *resolver) array() error {
	a := r.o.Array
	if a == nil {
		return nil
	}
	switch n := a.Indexes.Len(); {
	case n == 0:
		return refuse(slurm.ErrnoInvalidArray, "an array without tasks")
	case a.Indexes.Max() >= r.t.maxArraySize:
		return refuse(slurm.ErrnoInvalidArray, "array index %d, the highest allowed is %d", a.Indexes.Max(), int64(r.t.maxArraySize)-1)
	case r.t.maxArrayTasks > 0 && n > r.t.maxArrayTasks:
		return refuse(slurm.ErrnoInvalidArray, "an array of %d tasks, %d are allowed", n, r.t.maxArrayTasks)
	}
	r.job.Tasks, r.job.ArrayAll, r.job.Throttle = a.Indexes, a.Indexes, a.Throttle
	return nil
}

// where reads the nodes and features asked for.
func (r *resolver) where() error {
	n := &r.job.Need
	var err error
	if n.NodeList, err = r.nodeNames(r.o.NodeList); err != nil {
		return err
	}
	if n.Exclude, err = r.nodeNames(r.o.ExcludeList); err != nil {
		return err
	}
	for _, x := range n.NodeList {
		if slices.Contains(n.Exclude, x) {
			return refuse(slurm.ErrnoInvalidNodeName, "node %s is asked for and excluded", x)
		}
	}
	constraint := func(text string, bad slurm.Errno) (slurm.Constraint, error) {
		c, err := slurm.ParseConstraint(text)
		switch {
		case err != nil:
			return c, refuse(bad, "%v", err)
		case !knownFeatures(c, r.nodes):
			return c, refuse(bad, "no node has all of the features of %q", text)
		}
		return c, nil
	}
	if n.Features, err = constraint(r.o.Constraint, slurm.ErrnoInvalidFeature); err != nil {
		return err
	}
	if _, err = constraint(r.o.Prefer, slurm.ErrnoInvalidPrefer); err != nil {
		return err
	}
	batch, err := constraint(r.o.BatchFeatures, slurm.ErrnoBatchConstraint)
	if err != nil {
		return err
	}
	asked := n.Features.Features()
	for _, name := range batch.Features() {
		if !slices.Contains(asked, name) {
			return refuse(slurm.ErrnoBatchConstraint, "feature %q is asked for the batch script and not for the job", name)
		}
	}
	return nil
}

// nodeNames reads a host list of nodes that must be known, each once.
func (r *resolver) nodeNames(text string) ([]NodeName, error) {
	list, err := nodeNames(text)
	if err != nil {
		return nil, err
	}
	var names []NodeName
	for _, name := range list {
		if r.node(name) == nil {
			return nil, refuse(slurm.ErrnoInvalidNodeName, "node %q is not known", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// shape reads how the job wants its nodes.
func (r *resolver) shape() error {
	n, o := &r.job.Need, r.o
	n.TmpDisk, n.Contiguous = o.TmpDisk, o.Contiguous
	n.Exclusive = o.Exclusive == "exclusive" || o.Exclusive == "topo"
	n.Share = o.OverSubscribe
	return r.segments()
}

// segments refuses segments that the job's nodes cannot be made of, or that are
// larger than a block.
func (r *resolver) segments() error {
	size, net := r.o.Segment, r.cfg.Topology
	if size == 0 || !net.IsBlocks() {
		return nil
	}
	if n := r.job.Need.MinNodes; n > size && n%size != 0 {
		return refuse(slurm.ErrnoRequestedTopoConfigUnavailable, "%d nodes in segments of %d", n, size)
	}
	for i := range net.Blocks {
		if len(net.Blocks[i].Nodes) >= size {
			return nil
		}
	}
	return refuse(slurm.ErrnoRequestedTopoConfigUnavailable, "segments of %d nodes, no block is that large", size)
}

// licenses reads the licences asked for.
func (r *resolver) licenses() error {
	l, err := slurm.ParseLicenses(r.o.Licenses)
	if err != nil {
		return refuse(slurm.ErrnoInvalidLicenses, "%v", err)
	}
	r.job.Need.Licenses = l
	return checkLicenses(l, r.cfg.Licenses)
}

// held reports whether the user wants the job to wait for a release. A priority of
// 0 asks for none in particular, as in Slurm.
func (r *resolver) held() bool { return r.o.Hold }

// begin says from when on the job may start and what it waits for at first.
func (r *resolver) begin() error {
	j, o := r.job, r.o
	for _, term := range o.Dependency.Terms {
		j.Deps = append(j.Deps, Depend{DependTerm: term})
	}
	j.DepsAny = o.Dependency.Any
	if o.Begin.After(r.now) {
		j.Begin = o.Begin
	}
	j.Priority = 1
	if multifactor(r.cfg) || r.given("priority") {
		j.Priority = Priority(j, r.cfg, TotalsOf(r.nodes), Standing{}, r.now)
	}
	switch {
	case r.held():
		j.HeldBy, j.Priority, j.Reason = HeldByUser, 0, slurm.ReasonJobHeldUser
		return nil
	case len(j.Deps) > 0:
		j.Reason = slurm.ReasonDependency
		return nil
	case !j.Begin.IsZero():
		j.Reason, j.Eligible = slurm.ReasonBeginTime, j.Begin
		return nil
	}
	j.Eligible = r.now
	down := func(p *Partition) bool { return strings.EqualFold(p.State, "DOWN") }
	if len(slices.DeleteFunc(slices.Clone(r.parts), down)) == 0 {
		j.Reason = slurm.ReasonPartitionDown
		return nil
	}
	j.Reason, j.ReasonText = r.limit.Reason, r.limit.Text
	return nil
}

// gresKnown reports whether some node has a kind of generic resource, or the
// configuration names it.
func (r *resolver) gresKnown(name string) bool {
	return slices.Contains(conf(r.cfg).GresTypes, name) || slices.ContainsFunc(r.nodes, func(n *Node) bool {
		return slices.ContainsFunc(n.Gres, func(g NodeGres) bool { return g.Name == name })
	})
}
