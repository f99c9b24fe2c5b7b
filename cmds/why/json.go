package why

import (
	"encoding/json"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// The same story for programs. Times are in seconds since 1970, 0 when not known;
// memory is in MiB.
type (
	jsonAnswer struct {
		Job      slurm.JobID `json:"job_id"`
		Array    slurm.JobID `json:"array_job_id,omitempty"`
		Task     *uint32     `json:"array_task_id,omitempty"`
		Tasks    string      `json:"array_tasks,omitempty"`
		Name     string      `json:"name"`
		User     string      `json:"user"`
		State    string      `json:"state"`
		Reason   string      `json:"reason"`
		Waits    bool        `json:"waits"`
		Submit   int64       `json:"submit_time"`
		Start    int64       `json:"start_time"` // expected, of one that waits
		End      int64       `json:"end_time,omitempty"`
		Nodes    string      `json:"nodes"`
		Promised bool        `json:"promised"`
		Bars     []jsonBar   `json:"kept_back_by"`
		Places   []jsonPlace `json:"partitions"`
	}
	jsonWhy struct {
		Reason string         `json:"reason"`
		Detail []jsonObstacle `json:"detail"`
	}
	jsonBar struct {
		jsonWhy
		Words string `json:"waits_for,omitempty"`
		Until int64  `json:"until"`
	}
	jsonObstacle struct {
		What  string `json:"what"`
		Where string `json:"where"`
		Asked int64  `json:"wanted"`
		There int64  `json:"there"`
		Short int64  `json:"short"`
	}
	jsonPlace struct {
		Partition string        `json:"partition"`
		Nodes     int           `json:"node_count"`
		Bar       *jsonWhy      `json:"kept_out_by,omitempty"`
		Never     bool          `json:"never"`
		Wanted    jsonWanted    `json:"wanted"`
		Kinds     []jsonKind    `json:"classes"`
		Ready     int           `json:"ready_nodes"`
		Tasks     int           `json:"ready_tasks"`
		Ahead     int           `json:"ahead"`
		First     []jsonAhead   `json:"first_ahead"`
		Start     int64         `json:"expected_start"`
		On        string        `json:"expected_nodes"`
		Promised  bool          `json:"promised"`
		Switches  int64         `json:"waits_for_switches_until,omitempty"`
		HangsOn   []slurm.JobID `json:"hangs_on_jobs_without_limit,omitempty"`
		Kept      []jsonKept    `json:"reservations,omitempty"`
	}
	jsonKept struct {
		Name  string `json:"name"`
		From  int64  `json:"from"`
		Until int64  `json:"until"`
		Nodes string `json:"nodes"`
		CPUs  int    `json:"cpus_per_node,omitempty"` // 0: the whole nodes
	}
	jsonWanted struct {
		MinNodes    int    `json:"min_nodes"`
		MaxNodes    int    `json:"max_nodes"` // 0: any number
		Tasks       int    `json:"tasks"`
		CPUs        int    `json:"cpus"`
		CPUsPerNode int    `json:"cpus_per_node"`
		MemPerNode  int64  `json:"memory_per_node"`
		MemPerCPU   int64  `json:"memory_per_cpu"`
		Gres        string `json:"gres"`
		Limit       int64  `json:"time_limit"` // seconds, -1: none
	}
	jsonKind struct {
		Nodes    string         `json:"nodes"`
		Count    int            `json:"count"`
		CPUs     int            `json:"cpus"`
		Memory   int64          `json:"memory"`
		Gres     string         `json:"gres"`
		Features []string       `json:"features"`
		Weight   uint32         `json:"weight"`
		Away     string         `json:"out_of_service"`
		AwayWhy  []string       `json:"out_of_service_why,omitempty"`
		Excluded string         `json:"excluded"`
		Full     string         `json:"full"`
		Taken    string         `json:"promised_to_others"`
		Ready    string         `json:"ready"`
		Unsuited []jsonObstacle `json:"wrong_kind"`
		Short    []jsonObstacle `json:"closest_lacks"`
		FreeCPUs int            `json:"free_cpus"`
		Promises []jsonPromised `json:"promises"`
	}
	jsonPromised struct {
		Job   slurm.JobID `json:"job_id"`
		From  int64       `json:"from"`
		Nodes string      `json:"nodes"`
	}
	jsonAhead struct {
		Job      slurm.JobID `json:"job_id"`
		Tasks    string      `json:"array_tasks,omitempty"`
		User     string      `json:"user"`
		Priority uint32      `json:"priority"`
		Nodes    int         `json:"nodes"`
		CPUs     int         `json:"cpus"`
		Limit    int64       `json:"time_limit"`
		Start    int64       `json:"promised_start"`
	}
)

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func seconds(d slurm.Duration) int64 {
	if d == slurm.Unlimited {
		return -1
	}
	return int64(d)
}

func obstacles(list []sched.Obstacle) []jsonObstacle {
	out := make([]jsonObstacle, 0, len(list))
	for _, o := range list {
		out = append(out, jsonObstacle{o.What, o.Where, o.Asked, o.There, o.Asked - o.There})
	}
	return out
}

// data is the answer as it is written.
func (a *answer) data() jsonAnswer {
	j := a.job
	out := jsonAnswer{
		Job: j.ID, Array: j.ArrayID, Name: j.Name, User: j.User, State: j.State.String(), Reason: sched.Why{Reason: j.Reason, Text: j.ReasonText}.Shown(),
		Waits: a.story != nil, Submit: stamp(j.Submit), Start: stamp(j.Start), End: stamp(j.End), Nodes: show.CompressNodes(j.Nodes()),
		Bars: []jsonBar{}, Places: []jsonPlace{},
	}
	switch {
	case j.IsArrayRest():
		out.Tasks = j.Tasks.String()
	case j.ArrayID != 0:
		out.Task = &j.TaskID
	}
	if a.story == nil {
		return out
	}
	if start, at := a.story.Expected(); at != nil {
		out.Start, out.Nodes, out.Promised = stamp(start), show.CompressNodes(at.On), at.Promised
	}
	for _, b := range a.story.Bars {
		out.Bars = append(out.Bars, jsonBar{jsonWhy{b.Why.Shown(), obstacles(b.Why.Detail)}, b.Words, stamp(b.Until)})
	}
	for i := range a.story.Places {
		out.Places = append(out.Places, placeData(&a.story.Places[i]))
	}
	return out
}

func placeData(p *sched.Place) jsonPlace {
	w := &p.Wanted
	out := jsonPlace{
		Partition: string(p.Partition), Nodes: p.Nodes, Never: p.Never, Ready: p.ReadyNodes, Tasks: p.ReadyTasks, Ahead: p.Ahead, Start: stamp(p.Start), On: show.CompressNodes(p.On),
		Promised: p.Promised, Switches: stamp(p.Switches), HangsOn: p.Endless, Kinds: []jsonKind{}, First: []jsonAhead{},
		Wanted: jsonWanted{w.MinNodes, w.MaxNodes, w.Tasks, w.CPUs, w.CPUsPerNode, int64(w.MemPerNode), int64(w.MemPerCPU), w.Gres, seconds(w.Limit)},
	}
	for _, k := range p.Kept {
		out.Kept = append(out.Kept, jsonKept{Name: k.Reservation, From: stamp(k.From), Until: stamp(k.Until), Nodes: show.CompressNodes(k.Nodes), CPUs: k.CPUs})
	}
	if !p.Bar.IsZero() {
		out.Bar = &jsonWhy{p.Bar.Shown(), obstacles(p.Bar.Detail)}
	}
	for i := range p.Kinds {
		k := &p.Kinds[i]
		x := jsonKind{
			Nodes: show.CompressNodes(k.Nodes), Count: len(k.Nodes), CPUs: k.CPUs, Memory: int64(k.Memory), Gres: k.Gres, Features: k.Features, Weight: k.Weight,
			Away: show.CompressNodes(k.Away), AwayWhy: k.AwayWhy, Excluded: show.CompressNodes(k.Excluded), Full: show.CompressNodes(k.Full), Taken: show.CompressNodes(k.Taken),
			Ready: show.CompressNodes(k.Ready), Unsuited: obstacles(k.Unsuited), Short: obstacles(k.Short), FreeCPUs: k.FreeCPUs, Promises: []jsonPromised{},
		}
		for _, o := range k.Promises {
			x.Promises = append(x.Promises, jsonPromised{o.Job, stamp(o.From), show.CompressNodes(o.Nodes)})
		}
		out.Kinds = append(out.Kinds, x)
	}
	for _, a := range p.First {
		x := jsonAhead{Job: a.Job, User: a.User, Priority: a.Priority, Nodes: a.Nodes, CPUs: a.CPUs, Limit: seconds(a.Limit), Start: stamp(a.Start)}
		if a.Array.Len() > 0 {
			x.Tasks = a.Array.String()
		}
		out.First = append(out.First, x)
	}
	return out
}

func (a *answer) printJSON(env *cli.Env) int {
	enc := json.NewEncoder(env.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.data()); err != nil {
		env.Errorf("cannot write the story as JSON: %v", err)
		return 1
	}
	return 0
}
