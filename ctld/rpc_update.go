package ctld

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Update changes jobs by scontrol's KEY=VALUE words. What a word changes in
// the request is put into a copy of what was asked for, and the copy resolved
// anew, so that an update is held to the same rules as a submission.
func (c *controller) Update(ctx context.Context, req *rinkpb.UpdateJobRequest) (*rinkpb.ActionReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	if req.Steps {
		return c.updateSteps(ctx, req, u)
	}
	reply := &rinkpb.ActionReply{Status: &rinkpb.Status{}}
	var cmds []state.Command
	var owner []int
	c.s.barn.Read(func(t *state.State) {
		var targets []target
		var names []string
		var missing []*rinkpb.Outcome
		for _, ref := range req.Refs {
			list, _ := find(t, ref)
			if out := absent(t, ref, list); out != nil {
				missing = append(missing, out)
			}
			for _, tg := range list {
				targets, names = append(targets, tg), append(names, refName(ref))
			}
		}
		if req.Name != "" {
			for _, j := range liveJobs(t) {
				if j.Name == req.Name && c.s.mayTouch(u, j) {
					targets, names = append(targets, target{job: j}), append(names, nameOf(j))
				}
			}
		}
		for i, tg := range targets {
			if len(targets) > 1 && tg.job.State.Ended() && tg.job.ArrayID == 0 {
				continue
			}
			out := outcomeOf(names[i], tg)
			reply.Outcomes = append(reply.Outcomes, out)
			if isCron(tg.job) {
				out.Status = refuse(slurm.ErrnoCannotModifyCronJob)
				continue
			}
			change, shrink, err := c.jobChange(t, tg.job, req.Changes, u)
			if err != nil {
				out.Status = refuse(err)
				if !errors.Is(err, slurm.ErrnoPrioResetFail) {
					continue
				}
			}
			cmds = append(cmds, changeOf(tg, change))
			owner = append(owner, len(reply.Outcomes)-1)
			if shrink != nil {
				cmds, owner = append(cmds, shrink), append(owner, len(reply.Outcomes)-1)
			}
		}
		reply.Outcomes = append(reply.Outcomes, missing...)
	})
	if len(cmds) > 0 {
		results, err := c.s.barn.Propose(ctx, actor(u), cmds...)
		if err != nil {
			return nil, unavailable(err)
		}
		for i, r := range results {
			if r.Err != nil {
				reply.Outcomes[owner[i]].Status = refuse(r.Err)
			}
		}
		c.s.reckonNow(ctx, cmds)
	}
	return reply, nil
}

// jobUpdate gathers what the words of one update ask for.
type jobUpdate struct {
	c        *controller
	t        *state.State
	j        *sched.Job
	spec     *slurm.JobOptions // a copy, free to change
	change   state.JobChange
	resolve  bool       // the request itself changed
	charged  *sched.Job // the job under another QOS, when that is what changed
	operator bool
	now      time.Time
	warning  error            // the change is made, and this is said of it
	less     []sched.NodeName // what a job that runs gives back
}

// jobChange works out what the words of an update make of a job, and the command, if
// any, by which it gives nodes back.
func (c *controller) jobChange(t *state.State, j *sched.Job, words []*rinkpb.KeyValue, u auth.User) (state.JobChange, state.Command, error) {
	op := c.s.operatorOf(u, j)
	if !op && j.UID != u.UID {
		return state.JobChange{}, nil, slurm.ErrnoUserIDMissing
	}
	if j.State.Ended() {
		return state.JobChange{}, nil, slurm.ErrnoJobFinished
	}
	spec := *j.Spec
	spec.Given = maps.Clone(j.Spec.Given)
	if spec.Given == nil {
		spec.Given = map[string]bool{}
	}
	up := &jobUpdate{c: c, t: t, j: j, spec: &spec, operator: op, now: time.Now()}
	for _, w := range words {
		if err := up.word(strings.ToLower(w.Key), w.Value, w.Op); err != nil {
			return state.JobChange{}, nil, err
		}
	}
	if up.resolve {
		if err := up.again(t); err != nil {
			return state.JobChange{}, nil, err
		}
	} else if up.charged != nil && up.charged.QOS != j.QOS {
		if err := t.Limits().Denies(up.charged, up.now); err != nil {
			return state.JobChange{}, nil, slurm.ErrnoAccountingPolicy
		}
	}
	up.change.Spec = up.spec
	return up.change, up.shrink(), up.warning
}

// again resolves the changed request and takes over what follows from it.
func (up *jobUpdate) again(t *state.State) error {
	if up.j.State.Base() != slurm.JobPending {
		return slurm.ErrnoNotPending
	}
	who, err := up.c.s.users.ByUID(up.j.UID)
	if err != nil {
		who = auth.User{UID: up.j.UID, GID: up.j.GID, Name: up.j.User, Group: up.j.Group}
	}
	asked := *up.spec
	asked.Account, asked.QOS = cmp.Or(asked.Account, up.j.Account), cmp.Or(asked.QOS, up.j.QOS)
	fresh, _, err := sched.Resolve(sched.Request{
		Options: &asked, UID: up.j.UID, GID: up.j.GID, User: up.j.User, Group: up.j.Group, Groups: who.GroupNames,
		Batch: up.j.Batch, ScriptName: up.j.ScriptName, Operator: up.operator, Accounts: t.Accounts(),
		Resv: resvView(t, up.now),
	}, t.Config(), t.Nodes(), up.now)
	if err != nil {
		return err
	}
	if asked.QOS != up.j.QOS {
		if err := t.Limits().Denies(fresh, up.now); err != nil {
			return slurm.ErrnoAccountingPolicy
		}
	}
	if fresh.AssocID != up.j.AssocID {
		up.change.Assoc = &fresh.AssocID
	}
	up.change.Need = &fresh.Need
	up.spec.SwitchesWait = min(up.spec.SwitchesWait, fresh.Spec.SwitchesWait)
	up.change.Partitions = fresh.Partitions
	if up.spec.Given["time"] && up.change.TimeLimit == nil {
		up.change.TimeLimit = &fresh.TimeLimit
	}
	if limit, ok := sched.LimitMoved(up.j, fresh.Partitions, t.Config()); ok && up.change.TimeLimit == nil {
		up.change.TimeLimit = &limit
	}
	return nil
}

// word takes one KEY=VALUE.
func (up *jobUpdate) word(key, value, op string) error {
	running := up.j.State.Base() != slurm.JobPending
	number := func() (int, error) {
		n, err := strconv.Atoi(strings.SplitN(value, "-", 2)[0])
		if err != nil || n < 0 {
			return 0, fmt.Errorf("Invalid %s value %q: %w", key, value, slurm.ErrnoError)
		}
		return n, nil
	}
	request := func(given string) { up.spec.Given[given], up.resolve = true, true }
	switch key {
	case "timelimit":
		return up.timeLimit(value, op)
	case "timemin":
		d, err := slurm.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("Invalid TimeMin value: %s: %w", value, slurm.ErrnoInvalidTime)
		}
		if running {
			return nil // it has begun with what it has
		}
		limit := up.j.TimeLimit
		if up.change.TimeLimit != nil {
			limit = *up.change.TimeLimit
		}
		if d > limit {
			return slurm.ErrnoInvalidTimeMinLimit
		}
		up.change.TimeMin = &d
	case "endtime":
		at, err := slurm.ParseTime(value, up.now, false)
		if err != nil {
			return fmt.Errorf("Invalid EndTime value: %s: %w", value, slurm.ErrnoInvalidTime)
		}
		if !up.operator && !up.j.End.IsZero() && at.After(up.j.End) {
			return slurm.ErrnoAccessDenied
		}
		up.change.EndAt = &at
	case "nice":
		n := 100
		if value != "" {
			var err error
			if n, err = strconv.Atoi(value); err != nil {
				return fmt.Errorf("Nice value out of range (+/- 2147483645). Value ignored: %w", slurm.ErrnoError)
			}
		}
		if n < 0 && !up.operator {
			return slurm.ErrnoAccessDenied
		}
		up.nice(n)
	case "priority":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fmt.Errorf("Invalid priority value %q: %w", value, slurm.ErrnoError)
		}
		switch {
		case up.j.HeldBy != sched.HeldByNobody && n != 0:
			return slurm.ErrnoJobHeld
		case n == 0 && up.j.HeldBy != sched.HeldByNobody && (!up.operator || up.j.HeldBy != sched.HeldByUser):
			return nil // it is held already
		case !up.operator && uint32(n) > up.j.Priority:
			return slurm.ErrnoAccessDenied
		case !up.operator && n != 0 && !up.j.Spec.Given["priority"]:
			// What is worked out stays worked out, and loses what its owner took off.
			up.warning = slurm.ErrnoPrioResetFail
			up.nice(0)
			return nil
		}
		p := uint32(n)
		if p == 0 { // which is what holding is
			by := sched.HeldByUser
			if up.operator {
				by = sched.HeldByAdmin
			}
			up.change.Hold = &by
		}
		up.change.Priority = &p
		if !up.operator && p != 0 && p < up.j.Priority {
			up.warning = slurm.ErrnoPrioResetFail // done all the same
		}
		up.spec.Priority, up.spec.Given["priority"] = p, p > 0 // and stays so, whatever the factors come to
	case "jobname", "name":
		up.change.Name, up.spec.Name = &value, value
	case "comment":
		up.spec.Comment = joinOp(op, up.spec.Comment, value)
		up.change.Comment = &up.spec.Comment
	case "admincomment":
		if !up.operator {
			return slurm.ErrnoAccessDenied
		}
		v := joinOp(op, up.j.AdminComment, value)
		up.change.AdminComment = &v
	case "systemcomment":
		if !up.operator {
			return slurm.ErrnoAccessDenied
		}
		v := joinOp(op, up.j.SystemComment, value)
		up.change.SystemComment = &v
	case "account":
		return up.account(value)
	case "qos":
		return up.qos(value)
	case "wckey":
		if running {
			return slurm.ErrnoNotPending
		}
		up.spec.WCKey = value
	case "reservationname", "reservation":
		switch {
		case running && value == "" && up.j.ReservationName() == "":
			return nil
		case running && value != "" && up.t.Reservation(value) == nil:
			return slurm.ErrnoReservationInvalid
		}
		up.spec.Reservation = value
		request("reservation")
	case "partition":
		up.spec.Partitions = strings.Split(value, ",")
		request("partition")
	case "starttime":
		at, err := slurm.ParseTime(value, up.now, false)
		if err != nil {
			return fmt.Errorf("Invalid StartTime value: %s: %w", value, slurm.ErrnoInvalidTime)
		}
		if running {
			return slurm.ErrnoNotPending
		}
		up.change.Begin, up.spec.Begin = &at, at
	case "deadline":
		at, err := slurm.ParseTime(value, up.now, false)
		if err != nil {
			return fmt.Errorf("Invalid Deadline value: %s: %w", value, slurm.ErrnoInvalidTime)
		}
		if at.Before(up.now) {
			return slurm.ErrnoInvalidTime
		}
		if running {
			return nil // it has begun in time
		}
		if !up.operator {
			return slurm.ErrnoAccessDenied
		}
		up.spec.Deadline = at
	case "dependency":
		return up.dependency(value)
	case "requeue":
		on := value != "0"
		up.change.Requeue = &on
	case "arraytaskthrottle":
		n, err := number()
		if err != nil {
			n = 0 // as in Slurm, what is no number is no limit
		}
		if up.j.ArrayID == 0 {
			return nil // which holds back nothing
		}
		up.change.Throttle = &n
	case "numnodes", "reqnodes":
		if running {
			return up.nodeCount(value)
		}
		low, high, isRange := strings.Cut(value, "-")
		n, err := strconv.Atoi(low)
		if err != nil || n < 1 {
			return fmt.Errorf("Invalid node count %q: %w", value, slurm.ErrnoInvalidNodeCount)
		}
		if most := up.spec.MaxNodes; !isRange && most > 0 && n > most {
			return slurm.ErrnoInvalidNodeCount // the larger count stays as it was given
		}
		up.spec.MinNodes = n
		if isRange {
			if up.spec.MaxNodes, err = strconv.Atoi(high); err != nil || up.spec.MaxNodes < n {
				return fmt.Errorf("Invalid node count %q: %w", value, slurm.ErrnoInvalidNodeCount)
			}
		}
		request("nodes")
	case "numtasks", "reqprocs":
		n, err := number()
		if err != nil {
			return err
		}
		if n == 0 {
			return slurm.ErrnoBadTaskCount
		}
		up.spec.NTasks = n
		request("ntasks")
	case "numcpus", "reqcpus", "mincpus":
		n, err := number()
		if err != nil {
			return err
		}
		up.spec.NTasks = max(1, n/max(1, up.spec.CPUsPerTask))
		request("ntasks")
	case "cpuspertask":
		n, err := number()
		if err != nil {
			return err
		}
		up.spec.CPUsPerTask = n
		request("cpus-per-task")
	case "mincpusnode":
		n, err := number()
		if err != nil {
			return err
		}
		up.spec.MinCPUs = n
		request("mincpus")
	case "minmemorynode", "minmemorycpu":
		mb, err := slurm.ParseMB(value)
		if err != nil {
			return fmt.Errorf("Invalid memory value %q: %w", value, slurm.ErrnoError)
		}
		up.spec.MemPerNode, up.spec.MemPerCPU = 0, 0
		delete(up.spec.Given, "mem")
		delete(up.spec.Given, "mem-per-cpu")
		if key == "minmemorynode" {
			up.spec.MemPerNode = mb
			request("mem")
		} else {
			up.spec.MemPerCPU = mb
			request("mem-per-cpu")
		}
	case "mintmpdisknode":
		mb, err := slurm.ParseMB(value)
		if err != nil {
			return fmt.Errorf("Invalid disk value %q: %w", value, slurm.ErrnoError)
		}
		up.spec.TmpDisk = mb
		request("tmp")
	case "features":
		up.spec.Constraint = joinOp(op, up.spec.Constraint, value)
		request("constraint")
		if up.spec.Constraint == "" {
			delete(up.spec.Given, "constraint")
		}
	case "nodelist", "reqnodelist":
		if running {
			return up.nodeList(value)
		}
		up.spec.NodeList = value
		request("nodelist")
	case "excnodelist":
		up.spec.ExcludeList = value
		request("exclude")
	case "trespernode", "gres":
		if value == "" || key == "trespernode" && !strings.HasPrefix(value, "gres") {
			return slurm.ErrnoInvalidTRES
		}
		if strings.EqualFold(value, "none") {
			return slurm.ErrnoInvalidGres
		}
		g, err := slurm.ParseGres(value)
		if err != nil {
			return fmt.Errorf("%w: %v", slurm.ErrnoInvalidGres, err)
		}
		up.spec.Gres = g
		request("gres")
	case "tresperjob", "trespersocket", "trespertask":
		if running {
			return slurm.ErrnoNotPending
		}
		g, err := gpusOnly(value)
		if err != nil {
			return err
		}
		switch key {
		case "tresperjob":
			up.spec.GPUs = g
			request("gpus")
		case "trespersocket":
			up.spec.GPUsPerSocket = g
			request("gpus-per-socket")
		default:
			up.spec.GPUsPerTask = g
			request("gpus-per-task")
		}
	case "cpuspertres":
		if running {
			return slurm.ErrnoNotPending
		}
		g, err := gpusOnly(value)
		if err != nil || len(g) != 1 || g[0].Type != "" || g[0].Count < 1 || g[0].Count > maxCPUsPerGPU {
			return slurm.ErrnoInvalidGres
		}
		up.spec.CPUsPerGPU = int(g[0].Count)
		request("cpus-per-gpu")
	case "licenses":
		if !up.j.IsPending() && !up.operator && value != "" { // anybody may give his back
			list, err := slurm.ParseLicenses(value)
			if _, possible := sched.TakeLicenses(list, up.t.Config().Licenses); err != nil || !possible && !list.IsZero() {
				return slurm.ErrnoInvalidLicenses
			}
			return slurm.ErrnoAccessDenied
		}
		up.spec.Licenses = value
		if up.j.IsRunning() {
			list, err := slurm.ParseLicenses(value)
			if err != nil {
				return slurm.ErrnoInvalidLicenses
			}
			up.change.Licenses, up.spec.Given["licenses"] = &list, true
			return nil
		}
		request("licenses")
	case "contiguous":
		if running {
			return slurm.ErrnoNotPending
		}
		if !up.operator {
			return slurm.ErrnoAccessDenied
		}
		up.spec.Contiguous = value == "1" || strings.EqualFold(value, "yes")
		request("contiguous")
	case "oversubscribe", "shared":
		if running {
			return slurm.ErrnoNotPending
		}
		if !up.operator {
			return slurm.ErrnoAccessDenied
		}
		up.spec.OverSubscribe = value == "1" || strings.EqualFold(value, "yes")
		request("oversubscribe")
	case "stdout":
		if running {
			return slurm.ErrnoNotPending
		}
		up.spec.Output = value
	case "stderr":
		if running {
			return slurm.ErrnoNotPending
		}
		up.spec.Error = value
	case "stdin":
		if running {
			return slurm.ErrnoNotPending
		}
		up.spec.Input = value
	case "mailuser":
		up.spec.MailUser = value
	case "mailtype":
		up.spec.MailTypes = nil
		if !strings.EqualFold(value, "NONE") {
			types, err := slurm.ParseMailTypes(value)
			if err != nil {
				return fmt.Errorf("Invalid MailType value: %s: %w", value, slurm.ErrnoError)
			}
			up.spec.MailTypes = types
		}
	default:
		return up.rare(key, value, request)
	}
	return nil
}

// maxCPUsPerGPU bounds --cpus-per-gpu, as Slurm's sixteen bits do.
const maxCPUsPerGPU = 0xfffd

// gpusOnly reads a count of GPUs as scontrol update is told it: [gres:]gpu[:type]:count.
func gpusOnly(value string) (slurm.Gres, error) {
	g, err := slurm.ParseGres(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", slurm.ErrnoInvalidGres, err)
	}
	for _, item := range g {
		if item.Name != "gpu" {
			return nil, fmt.Errorf("%q is no GPU: %w", item.Name, slurm.ErrnoInvalidGres)
		}
	}
	return g, nil
}

// nice changes what the owner takes off the priority. Of a job that waits that is worked
// out anew; of one that runs it is only told.
func (up *jobUpdate) nice(n int) {
	up.change.Nice = &n
	if up.j.State.Base() != slurm.JobPending {
		prio := uint32(max(int64(up.j.Priority)-int64(n-up.j.Nice), 1))
		up.change.Priority = &prio
	}
}

// timeLimit is TimeLimit=, += and -=: only an operator may give more time.
func (up *jobUpdate) timeLimit(value, op string) error {
	value, plus := strings.CutPrefix(value, "+")
	value, minus := strings.CutPrefix(value, "-")
	d, err := slurm.ParseDuration(value)
	relative := plus || minus || op == "+=" || op == "-="
	if err == nil && d == 0 && !relative && up.j.IsRunning() {
		up.change.EndAt = &up.now // it has had all the time it is to have
		return nil
	}
	if err != nil || d == 0 && !relative {
		return fmt.Errorf("Invalid TimeLimit value: %s: %w", value, slurm.ErrnoInvalidTime)
	}
	d = d.RoundUp()
	if now := up.j.TimeLimit; relative {
		if now == slurm.Unlimited || d == slurm.Unlimited {
			return slurm.ErrnoInvalidTime
		}
		if minus || op == "-=" {
			d = -d
		}
		if d += now; d < 60 {
			d = min(now, 60)
		}
	}
	if d > up.j.TimeLimit && !up.operator && (up.j.State.Base() != slurm.JobPending || up.beyondPartition(d)) {
		return slurm.ErrnoAccessDenied
	}
	up.change.TimeLimit, up.spec.TimeLimit = &d, d
	up.spec.Given["time"] = true
	return nil
}

// beyondPartition reports whether a time limit is more than the first of the job's
// partitions lets its jobs have.
func (up *jobUpdate) beyondPartition(d slurm.Duration) bool {
	if len(up.j.Partitions) == 0 {
		return false
	}
	p := up.t.Config().Partition(up.j.Partitions[0])
	return p != nil && p.MaxTime != slurm.Unlimited && (d == slurm.Unlimited || d > p.MaxTime)
}

func (up *jobUpdate) dependency(value string) error {
	if up.j.State.Base() != slurm.JobPending {
		return slurm.ErrnoNotPending
	}
	deps, err := slurm.ParseDependencies(value)
	if err != nil {
		return slurm.ErrnoDependency
	}
	terms := make([]sched.Depend, len(deps.Terms))
	for i, d := range deps.Terms {
		terms[i] = sched.Depend{DependTerm: d}
		if d.Job == up.j.ID || up.j.ArrayID != 0 && d.Job == up.j.ArrayID {
			return slurm.ErrnoDependency
		}
	}
	up.change.Deps, up.change.DepsAny, up.spec.Dependency = &terms, &deps.Any, deps
	return nil
}

func joinOp(op, old, value string) string {
	switch op {
	case "+=":
		if old == "" {
			return value
		}
		return old + "," + value
	case "-=":
		var keep []string
		for _, w := range strings.Split(old, ",") {
			if w != value {
				keep = append(keep, w)
			}
		}
		return strings.Join(keep, ",")
	}
	return value
}
