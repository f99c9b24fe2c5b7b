package barn

import (
	"fmt"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// setCommand puts cmd into e. A new command gets its line here and in
// commandFrom; the test that fills every field fails until it has both.
func setCommand(e *rinkpb.Entry, cmd state.Command) error {
	switch c := cmd.(type) {
	case state.SubmitJobs:
		m, err := submitToProto(c)
		if err != nil {
			return err
		}
		e.Cmd = &rinkpb.Entry_SubmitJobs{SubmitJobs: m}
	case state.StartJobs:
		m := &rinkpb.StartJobs{Starts: make([]*rinkpb.Start, len(c.Starts))}
		for i := range c.Starts {
			m.Starts[i] = api.StartToProto(&c.Starts[i])
		}
		e.Cmd = &rinkpb.Entry_StartJobs{StartJobs: m}
	case state.SetWaits:
		m := &rinkpb.SetWaits{Waits: make([]*rinkpb.Wait, len(c.Waits))}
		for i := range c.Waits {
			m.Waits[i] = api.WaitToProto(&c.Waits[i])
		}
		e.Cmd = &rinkpb.Entry_SetWaits{SetWaits: m}
	case state.EndJob:
		e.Cmd = &rinkpb.Entry_EndJob{EndJob: &rinkpb.EndJob{
			Job: uint32(c.Job), Task: c.Task, IsTask: c.IsTask, Tasks: api.IndexSetToProto(c.Tasks), Restarts: c.Restarts,
			State: uint32(c.State), Reason: uint32(c.Reason), Exit: api.ExitCodeToProto(c.Exit), Text: c.Text,
			Requeue: c.Requeue, Hold: uint32(c.Hold), NotBefore: api.TimeToProto(c.NotBefore), Special: c.Special, SaysHeld: c.SaysHeld,
		}}
	case state.ReleaseNodes:
		e.Cmd = &rinkpb.Entry_ReleaseNodes{ReleaseNodes: &rinkpb.ReleaseNodes{
			Job: uint32(c.Job), Restarts: c.Restarts, Nodes: texts(c.Nodes),
			Batch: c.Batch, Exit: api.ExitCodeToProto(c.Exit), Usage: api.UsageToProto(c.Usage), Extern: api.UsageToProto(c.Extern),
		}}
	case state.UpdateJob:
		e.Cmd = &rinkpb.Entry_UpdateJob{UpdateJob: &rinkpb.UpdateJob{
			Job: uint32(c.Job), Task: c.Task, IsTask: c.IsTask, Tasks: api.IndexSetToProto(c.Tasks), Change: changeToProto(c.Change),
		}}
	case state.SetPriorities:
		m := &rinkpb.SetPriorities{Jobs: make([]*rinkpb.JobPriority, len(c.Jobs))}
		for i, j := range c.Jobs {
			m.Jobs[i] = &rinkpb.JobPriority{Job: uint32(j.Job), Priority: j.Priority, Age: j.Age}
		}
		e.Cmd = &rinkpb.Entry_SetPriorities{SetPriorities: m}
	case state.StartStep:
		if c.Step == nil {
			return fmt.Errorf("cannot encode the start of a step of job %d: the step is nil", c.Job)
		}
		e.Cmd = &rinkpb.Entry_StartStep{StartStep: &rinkpb.StartStep{
			Job: uint32(c.Job), Restarts: c.Restarts, Step: api.StepToProto(c.Step), Key: c.Key,
		}}
	case state.EndStep:
		e.Cmd = &rinkpb.Entry_EndStep{EndStep: &rinkpb.EndStep{
			Job: uint32(c.Job), Restarts: c.Restarts, Step: uint32(c.Step), State: uint32(c.State),
			Exit: api.ExitCodeToProto(c.Exit), Usage: api.UsageToProto(c.Usage), KilledBy: c.KilledBy,
		}}
	case state.RegisterNode:
		e.Cmd = &rinkpb.Entry_RegisterNode{RegisterNode: registerToProto(c)}
	case state.UpdateNode:
		e.Cmd = &rinkpb.Entry_UpdateNode{UpdateNode: updateNodeToProto(c)}
	case state.UpdatePartition:
		e.Cmd = &rinkpb.Entry_UpdatePartition{UpdatePartition: &rinkpb.UpdatePartition{
			Partition: api.PartitionToProto(&c.Partition), Delete: c.Delete,
		}}
	case state.ImportHistory:
		e.Cmd = &rinkpb.Entry_ImportHistory{ImportHistory: &rinkpb.ImportHistory{Records: c.Records, Used: pastUsesToProto(c.Used)}}
	case state.SetConfig:
		m := &rinkpb.SetConfig{Files: make([]*rinkpb.ConfigFile, len(c.Files))}
		for i, f := range c.Files {
			m.Files[i] = &rinkpb.ConfigFile{Name: f.Name, Text: f.Text}
		}
		e.Cmd = &rinkpb.Entry_SetConfig{SetConfig: m}
	case state.Purge:
		e.Cmd = &rinkpb.Entry_Purge{Purge: &rinkpb.Purge{Before: api.TimeToProto(c.Before)}}
	case state.AddToken:
		e.Cmd = &rinkpb.Entry_AddToken{AddToken: &rinkpb.AddToken{
			Hash: c.Hash, Role: c.Role, Name: c.Name, Expires: api.TimeToProto(c.Expires),
		}}
	case state.ResetUsage:
		e.Cmd = &rinkpb.Entry_ResetUsage{ResetUsage: &rinkpb.ResetUsage{
			All: c.All, Assocs: numbers(c.Assocs), Qos: c.QOS, Month: api.TimeToProto(c.Month), NextMonth: api.TimeToProto(c.NextMonth),
		}}
	case state.EditAccounts:
		m := &rinkpb.EditAccounts{Edit: api.AccountsEditToProto(&c.Edit)}
		for i := range c.Notes {
			m.Notes = append(m.Notes, api.TransactionToProto(&c.Notes[i]))
		}
		e.Cmd = &rinkpb.Entry_EditAccounts{EditAccounts: m}
	case state.SetReservation:
		e.Cmd = &rinkpb.Entry_SetReservation{SetReservation: &rinkpb.SetReservation{
			Reservation: api.ReservationToProto(&c.Reservation), Create: c.Create,
		}}
	case state.SetDevices:
		d := &rinkpb.SetDevices{Node: string(c.Node)}
		for _, f := range c.Sick {
			d.Sick = append(d.Sick, &rinkpb.SickFile{File: f.File, Why: f.Why, Missing: f.Missing})
		}
		e.Cmd = &rinkpb.Entry_SetDevices{SetDevices: d}
	case state.CutGPU:
		e.Cmd = &rinkpb.Entry_CutGpu{CutGpu: &rinkpb.CutGPU{Node: string(c.Node), File: c.File, Profiles: c.Profiles}}
	case state.NoteCut:
		e.Cmd = &rinkpb.Entry_NoteCut{NoteCut: &rinkpb.NoteCut{
			Node: string(c.Node), File: c.File, Made: api.CutPartsToProto(c.Made), Whole: c.Whole, Error: c.Error,
		}}
	case state.DropReservation:
		e.Cmd = &rinkpb.Entry_DropReservation{DropReservation: &rinkpb.DropReservation{Name: c.Name, Id: c.ID, Over: c.Over}}
	case state.UseToken:
		e.Cmd = &rinkpb.Entry_UseToken{UseToken: &rinkpb.UseToken{Hash: c.Hash, Role: c.Role, Name: c.Name}}
	case state.Mark:
		e.Cmd = &rinkpb.Entry_Mark{Mark: &rinkpb.Mark{Name: c.Name}}
	case state.RaiseFormat:
		e.Cmd = &rinkpb.Entry_RaiseFormat{RaiseFormat: &rinkpb.RaiseFormat{To: c.To}}
	case state.PreemptJobs, state.ResumeJobs, state.PowerNodes, state.ShrinkJob, state.BeginJob:
		setRoomCommand(e, c)
	case state.SetCrontab, state.DropCron, state.SetTrigger, state.DropTriggers:
		return setUserCommand(e, c)
	default:
		return fmt.Errorf("cannot encode the command %T: it has no form in the log", cmd)
	}
	return nil
}

// commandFrom returns the command in e.
func commandFrom(e *rinkpb.Entry) (state.Command, error) {
	switch m := e.Cmd.(type) {
	case *rinkpb.Entry_Mark:
		return state.Mark{Name: m.Mark.GetName()}, nil
	case *rinkpb.Entry_RaiseFormat:
		return state.RaiseFormat{To: m.RaiseFormat.GetTo()}, nil
	case *rinkpb.Entry_SubmitJobs:
		return submitFromProto(m.SubmitJobs)
	case *rinkpb.Entry_StartJobs:
		c := state.StartJobs{}
		for _, p := range m.StartJobs.GetStarts() {
			s, err := api.StartFromProto(p)
			if err != nil {
				return nil, err
			}
			c.Starts = append(c.Starts, *s)
		}
		return c, nil
	case *rinkpb.Entry_SetWaits:
		c := state.SetWaits{}
		for _, p := range m.SetWaits.GetWaits() {
			w, err := api.WaitFromProto(p)
			if err != nil {
				return nil, err
			}
			c.Waits = append(c.Waits, *w)
		}
		return c, nil
	case *rinkpb.Entry_EndJob:
		return endJobFromProto(m.EndJob)
	case *rinkpb.Entry_ReleaseNodes:
		p := m.ReleaseNodes
		c := state.ReleaseNodes{Restarts: p.GetRestarts(), Batch: p.GetBatch()}
		setNumber(&c.Job, p.GetJob())
		setTexts(&c.Nodes, p.GetNodes())
		c.Exit, c.Usage, c.Extern = api.ExitCodeFromProto(p.GetExit()), api.UsageFromProto(p.GetUsage()), api.UsageFromProto(p.GetExtern())
		return c, nil
	case *rinkpb.Entry_UpdateJob:
		p := m.UpdateJob
		c := state.UpdateJob{Task: p.GetTask(), IsTask: p.GetIsTask()}
		setNumber(&c.Job, p.GetJob())
		var err error
		if c.Tasks, err = api.IndexSetFromProto(p.GetTasks()); err != nil {
			return nil, err
		}
		c.Change, err = changeFromProto(p.GetChange())
		return c, err
	case *rinkpb.Entry_SetPriorities:
		c := state.SetPriorities{}
		for _, p := range m.SetPriorities.GetJobs() {
			j := state.JobPriority{Priority: p.GetPriority(), Age: p.GetAge()}
			setNumber(&j.Job, p.GetJob())
			c.Jobs = append(c.Jobs, j)
		}
		return c, nil
	case *rinkpb.Entry_StartStep:
		p := m.StartStep
		c := state.StartStep{Restarts: p.GetRestarts(), Key: p.GetKey()}
		setNumber(&c.Job, p.GetJob())
		var err error
		c.Step, err = api.StepFromProto(p.GetStep())
		return c, err
	case *rinkpb.Entry_EndStep:
		return endStepFromProto(m.EndStep)
	case *rinkpb.Entry_RegisterNode:
		return RegisterNodeFromProto(m.RegisterNode)
	case *rinkpb.Entry_UpdateNode:
		return updateNodeFromProto(m.UpdateNode), nil
	case *rinkpb.Entry_UpdatePartition:
		p, err := api.PartitionFromProto(m.UpdatePartition.GetPartition())
		if err != nil {
			return nil, err
		}
		return state.UpdatePartition{Partition: *p, Delete: m.UpdatePartition.GetDelete()}, nil
	case *rinkpb.Entry_SetConfig:
		c := state.SetConfig{}
		for _, f := range m.SetConfig.GetFiles() {
			c.Files = append(c.Files, state.ConfigFile{Name: f.GetName(), Text: f.GetText()})
		}
		return c, nil
	case *rinkpb.Entry_Purge:
		return state.Purge{Before: api.TimeFromProto(m.Purge.GetBefore())}, nil
	case *rinkpb.Entry_AddToken:
		t := m.AddToken
		return state.AddToken{Hash: t.GetHash(), Role: t.GetRole(), Name: t.GetName(), Expires: api.TimeFromProto(t.GetExpires())}, nil
	case *rinkpb.Entry_ResetUsage:
		c := state.ResetUsage{
			All: m.ResetUsage.GetAll(), QOS: m.ResetUsage.GetQos(),
			Month: api.TimeFromProto(m.ResetUsage.GetMonth()), NextMonth: api.TimeFromProto(m.ResetUsage.GetNextMonth()),
		}
		setNumbers(&c.Assocs, m.ResetUsage.GetAssocs())
		return c, nil
	case *rinkpb.Entry_ImportHistory:
		used, err := pastUsesFromProto(m.ImportHistory.GetUsed())
		return state.ImportHistory{Records: m.ImportHistory.GetRecords(), Used: used}, err
	case *rinkpb.Entry_EditAccounts:
		edit, err := api.AccountsEditFromProto(m.EditAccounts.GetEdit())
		if err != nil {
			return nil, err
		}
		c := state.EditAccounts{Edit: *edit}
		for _, p := range m.EditAccounts.GetNotes() {
			c.Notes = append(c.Notes, *api.TransactionFromProto(p))
		}
		return c, nil
	case *rinkpb.Entry_SetReservation:
		r, err := api.ReservationFromProto(m.SetReservation.GetReservation())
		if err != nil {
			return nil, err
		}
		return state.SetReservation{Reservation: *r, Create: m.SetReservation.GetCreate()}, nil
	case *rinkpb.Entry_SetDevices:
		d := state.SetDevices{Node: sched.NodeName(m.SetDevices.GetNode())}
		for _, f := range m.SetDevices.GetSick() {
			d.Sick = append(d.Sick, sched.SickFile{File: f.GetFile(), Why: f.GetWhy(), Missing: f.GetMissing()})
		}
		return d, nil
	case *rinkpb.Entry_CutGpu:
		c := m.CutGpu
		return state.CutGPU{Node: sched.NodeName(c.GetNode()), File: c.GetFile(), Profiles: c.GetProfiles()}, nil
	case *rinkpb.Entry_NoteCut:
		return NoteCutFromProto(m.NoteCut), nil
	case *rinkpb.Entry_DropReservation:
		d := m.DropReservation
		return state.DropReservation{Name: d.GetName(), ID: d.GetId(), Over: d.GetOver()}, nil
	case *rinkpb.Entry_UseToken:
		t := m.UseToken
		return state.UseToken{Hash: t.GetHash(), Role: t.GetRole(), Name: t.GetName()}, nil
	case *rinkpb.Entry_PreemptJobs, *rinkpb.Entry_ResumeJobs, *rinkpb.Entry_PowerNodes, *rinkpb.Entry_ShrinkJob, *rinkpb.Entry_BeginJob:
		return roomCommandFrom(e)
	case *rinkpb.Entry_SetCrontab, *rinkpb.Entry_DropCron, *rinkpb.Entry_SetTrigger, *rinkpb.Entry_DropTriggers:
		return userCommandFrom(e)
	default:
		return nil, fmt.Errorf("%w: a command this version does not know", ErrNewer)
	}
}

func submitToProto(c state.SubmitJobs) (*rinkpb.SubmitJobs, error) {
	m := &rinkpb.SubmitJobs{Key: c.Key, Het: c.Het, Jobs: make([]*rinkpb.Job, len(c.Jobs))}
	for i, j := range c.Jobs {
		if j == nil {
			return nil, fmt.Errorf("cannot encode a submission: job %d of %d is nil", i+1, len(c.Jobs))
		}
		m.Jobs[i] = api.JobToProto(j)
	}
	for _, b := range c.Blobs {
		m.Blobs = append(m.Blobs, &rinkpb.Blob{Id: string(b.ID), Data: b.Data})
	}
	for _, needs := range c.Needs {
		list := &rinkpb.Ints{V: make([]int32, len(needs))}
		for i, n := range needs {
			list.V[i] = int32(n)
		}
		m.Needs = append(m.Needs, list)
	}
	if c.Run != nil {
		m.Run = &rinkpb.RunInfo{Name: c.Run.Name, User: c.Run.User, Day: c.Run.Day}
	}
	return m, nil
}

func submitFromProto(m *rinkpb.SubmitJobs) (state.Command, error) {
	c := state.SubmitJobs{Key: m.GetKey(), Het: m.GetHet()}
	for i, p := range m.GetJobs() {
		j, err := api.JobFromProto(p)
		if err != nil {
			return nil, fmt.Errorf("job %d of %d: %w", i+1, len(m.Jobs), err)
		}
		c.Jobs = append(c.Jobs, j)
	}
	for _, b := range m.GetBlobs() {
		c.Blobs = append(c.Blobs, blobFromProto(b))
	}
	for _, needs := range m.GetNeeds() {
		var list []int
		for _, n := range needs.GetV() {
			list = append(list, int(n))
		}
		c.Needs = append(c.Needs, list)
	}
	if r := m.GetRun(); r != nil {
		c.Run = &state.RunInfo{Name: r.Name, User: r.User, Day: r.Day}
	}
	return c, nil
}

func endJobFromProto(p *rinkpb.EndJob) (state.Command, error) {
	c := state.EndJob{
		Task: p.GetTask(), IsTask: p.GetIsTask(), Restarts: p.GetRestarts(), Text: p.GetText(), Requeue: p.GetRequeue(),
		NotBefore: api.TimeFromProto(p.GetNotBefore()), Special: p.GetSpecial(), SaysHeld: p.GetSaysHeld(),
	}
	setNumber(&c.Job, p.GetJob())
	var err error
	if c.Tasks, err = api.IndexSetFromProto(p.GetTasks()); err != nil {
		return nil, err
	}
	if c.State, err = api.JobStateFromProto(p.GetState()); err != nil {
		return nil, err
	}
	if c.Reason, err = api.ReasonFromProto(p.GetReason()); err != nil {
		return nil, err
	}
	if c.Hold, err = api.HolderFromProto(p.GetHold()); err != nil {
		return nil, err
	}
	c.Exit = api.ExitCodeFromProto(p.GetExit())
	return c, nil
}

func endStepFromProto(p *rinkpb.EndStep) (state.Command, error) {
	c := state.EndStep{Restarts: p.GetRestarts(), KilledBy: p.GetKilledBy()}
	setNumber(&c.Job, p.GetJob())
	setNumber(&c.Step, p.GetStep())
	var err error
	if c.State, err = api.JobStateFromProto(p.GetState()); err != nil {
		return nil, err
	}
	c.Exit, c.Usage = api.ExitCodeFromProto(p.GetExit()), api.UsageFromProto(p.GetUsage())
	return c, nil
}

func changeToProto(c state.JobChange) *rinkpb.JobChange {
	m := &rinkpb.JobChange{
		Name: c.Name, Account: c.Account, Qos: c.QOS, Comment: c.Comment, AdminComment: c.AdminComment, SystemComment: c.SystemComment,
		Partitions: texts(c.Partitions), Priority: c.Priority, Requeue: c.Requeue, DepsAny: c.DepsAny, ReasonText: c.ReasonText, Suspend: c.Suspend,
	}
	if c.Spec != nil {
		m.Spec = api.JobOptionsToProto(c.Spec)
	}
	if c.TimeLimit != nil {
		m.TimeLimit = ptr(api.DurationToProto(*c.TimeLimit))
	}
	if c.TimeMin != nil {
		m.TimeMin = ptr(api.DurationToProto(*c.TimeMin))
	}
	if c.Need != nil {
		m.Need = api.NeedToProto(c.Need)
	}
	if c.Nice != nil {
		m.Nice = ptr(api.Int32(*c.Nice))
	}
	if c.Hold != nil {
		m.Hold = ptr(uint32(*c.Hold))
	}
	if c.Begin != nil {
		m.Begin = ptr(api.TimeToProto(*c.Begin))
	}
	if c.Throttle != nil {
		m.Throttle = ptr(api.Int32(*c.Throttle))
	}
	if c.Deps != nil {
		m.Deps = &rinkpb.Depends{Terms: api.DependsToProto(*c.Deps)}
	}
	if c.Reason != nil {
		m.Reason = ptr(uint32(*c.Reason))
	}
	if c.Assoc != nil {
		m.Assoc = ptr(uint32(*c.Assoc))
	}
	if c.EndAt != nil {
		m.EndAt = ptr(api.TimeToProto(*c.EndAt))
	}
	if c.Licenses != nil {
		m.Licenses = &rinkpb.LicenseSet{Items: api.LicensesToProto(*c.Licenses), Any: c.Licenses.Any}
	}
	for _, l := range c.StepLimits {
		m.StepLimits = append(m.StepLimits, &rinkpb.StepLimit{Step: uint32(l.Step), Limit: api.DurationToProto(l.Limit)})
	}
	return m
}

func changeFromProto(m *rinkpb.JobChange) (c state.JobChange, err error) {
	if m == nil {
		return c, nil
	}
	c = state.JobChange{
		Name: m.Name, Account: m.Account, QOS: m.Qos, Comment: m.Comment, AdminComment: m.AdminComment, SystemComment: m.SystemComment,
		Priority: m.Priority, Requeue: m.Requeue, DepsAny: m.DepsAny, ReasonText: m.ReasonText, Suspend: m.Suspend,
	}
	setTexts(&c.Partitions, m.Partitions)
	if m.Spec != nil {
		if c.Spec, err = api.JobOptionsFromProto(m.Spec); err != nil {
			return c, err
		}
	}
	if m.TimeLimit != nil {
		c.TimeLimit = ptr(api.DurationFromProto(*m.TimeLimit))
	}
	if m.TimeMin != nil {
		c.TimeMin = ptr(api.DurationFromProto(*m.TimeMin))
	}
	if m.Need != nil {
		need, err := api.NeedFromProto(m.Need)
		if err != nil {
			return c, err
		}
		c.Need = &need
	}
	if m.Nice != nil {
		c.Nice = ptr(int(*m.Nice))
	}
	if m.Hold != nil {
		hold, err := api.HolderFromProto(*m.Hold)
		if err != nil {
			return c, err
		}
		c.Hold = &hold
	}
	if m.Begin != nil {
		c.Begin = ptr(api.TimeFromProto(*m.Begin))
	}
	if m.Throttle != nil {
		c.Throttle = ptr(int(*m.Throttle))
	}
	if m.Deps != nil {
		deps, err := api.DependsFromProto(m.Deps.Terms)
		if err != nil {
			return c, err
		}
		c.Deps = &deps
	}
	if m.Assoc != nil {
		setPointer(&c.Assoc, *m.Assoc)
	}
	if m.Reason != nil {
		reason, err := api.ReasonFromProto(*m.Reason)
		if err != nil {
			return c, err
		}
		c.Reason = &reason
	}
	if m.EndAt != nil {
		c.EndAt = ptr(api.TimeFromProto(*m.EndAt))
	}
	if m.Licenses != nil {
		list, err := api.LicensesFromProto(m.Licenses.Items, m.Licenses.Any)
		if err != nil {
			return c, err
		}
		c.Licenses = &list
	}
	for _, l := range m.StepLimits {
		limit := state.StepLimit{Limit: api.DurationFromProto(l.GetLimit())}
		setNumber(&limit.Step, l.GetStep())
		c.StepLimits = append(c.StepLimits, limit)
	}
	return c, nil
}

func registerToProto(c state.RegisterNode) *rinkpb.RegisterNode {
	m := &rinkpb.RegisterNode{
		Node: string(c.Node), Arch: c.Arch, Os: c.OS, Version: c.Version,
		BootTime: api.TimeToProto(c.BootTime), AgentStart: api.TimeToProto(c.AgentStart), SpoolId: c.SpoolID,
		Cpus: api.Int32(c.CPUs), Boards: api.Int32(c.Boards), Sockets: api.Int32(c.Sockets), Cores: api.Int32(c.Cores), Threads: api.Int32(c.Threads),
		Memory: int64(c.Memory), TmpDisk: int64(c.TmpDisk), Up: c.Up, Reason: c.Reason,
	}
	for i := range c.Gres {
		m.Gres = append(m.Gres, api.NodeGresToProto(&c.Gres[i]))
	}
	m.Shapes, m.Cuts, m.Fabric = api.ShapesToProto(c.Shapes), api.CutsToProto(c.Cuts), c.Fabric
	return m
}

// NoteCutFromProto reads what an agent made of a GPU, as it stands in its report and in
// the log.
func NoteCutFromProto(m *rinkpb.NoteCut) state.NoteCut {
	return state.NoteCut{
		Node: sched.NodeName(m.GetNode()), File: m.GetFile(), Made: api.CutPartsFromProto(m.GetMade()), Whole: m.GetWhole(), Error: m.GetError(),
	}
}

// RegisterNodeFromProto reads what a node's agent found, as it stands in its
// first report and in the log.
func RegisterNodeFromProto(m *rinkpb.RegisterNode) (state.RegisterNode, error) {
	c := state.RegisterNode{
		Node: sched.NodeName(m.GetNode()), Arch: m.GetArch(), OS: m.GetOs(), Version: m.GetVersion(),
		BootTime: api.TimeFromProto(m.GetBootTime()), AgentStart: api.TimeFromProto(m.GetAgentStart()), SpoolID: m.GetSpoolId(),
		CPUs: int(m.GetCpus()), Boards: int(m.GetBoards()), Sockets: int(m.GetSockets()), Cores: int(m.GetCores()), Threads: int(m.GetThreads()),
		Up: m.GetUp(), Reason: m.GetReason(),
	}
	setSize(&c.Memory, m.GetMemory())
	setSize(&c.TmpDisk, m.GetTmpDisk())
	for _, p := range m.GetGres() {
		g, err := api.NodeGresFromProto(p)
		if err != nil {
			return c, fmt.Errorf("cannot read what node %q found: %w", m.GetNode(), err)
		}
		c.Gres = append(c.Gres, g)
	}
	c.Shapes, c.Cuts, c.Fabric = api.ShapesFromProto(m.GetShapes()), api.CutsFromProto(m.GetCuts()), m.GetFabric()
	return c, nil
}

func updateNodeToProto(c state.UpdateNode) *rinkpb.UpdateNode {
	m := &rinkpb.UpdateNode{
		Nodes: texts(c.Nodes), Set: uint32(c.Set), Clear: uint32(c.Clear), Reason: c.Reason, ReasonUser: c.ReasonUser,
		Weight: c.Weight, Comment: c.Comment, Extra: c.Extra, Addr: c.Addr, Hostname: c.Hostname, CpuBind: c.CPUBind,
	}
	if c.Available != nil {
		m.Available = &rinkpb.StringList{V: *c.Available}
	}
	if c.Base != nil {
		m.Base = ptr(uint32(*c.Base))
	}
	if c.NextState != nil {
		m.NextState = ptr(uint32(*c.NextState))
	}
	if c.Features != nil {
		m.Features = &rinkpb.StringList{V: *c.Features}
	}
	return m
}

func updateNodeFromProto(m *rinkpb.UpdateNode) state.UpdateNode {
	c := state.UpdateNode{Reason: m.Reason, ReasonUser: m.ReasonUser, Weight: m.Weight, Comment: m.Comment, Extra: m.Extra, Addr: m.Addr, Hostname: m.Hostname, CPUBind: m.CpuBind}
	if m.Available != nil {
		c.Available = &m.Available.V
	}
	setTexts(&c.Nodes, m.Nodes)
	setNumber(&c.Set, m.Set)
	setNumber(&c.Clear, m.Clear)
	if m.Base != nil {
		setPointer(&c.Base, *m.Base)
	}
	if m.NextState != nil {
		setPointer(&c.NextState, *m.NextState)
	}
	if m.Features != nil {
		c.Features = &m.Features.V
	}
	return c
}

func ptr[T any](v T) *T { return &v }

func setSize[T ~int64](to *T, v int64) { *to = T(v) }

func setPointer[T ~uint32](to **T, v uint32) {
	t := T(v)
	*to = &t
}
