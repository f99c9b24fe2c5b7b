package show

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// callLimit is how long one question to the controller may take.
const callLimit = 60 * time.Second

// Jobs fetches the records that a request asks for, in the order of their ids,
// with what is expected of those that wait. Parts of one array's record are put
// together again. The error carries Slurm's number when the controller refused.
func Jobs(env *cli.Env, client rinkpb.Controller, req *rinkpb.ListJobsRequest) ([]*Job, error) {
	ctx, cancel := env.Call(callLimit)
	defer cancel()
	stream, err := client.ListJobs(ctx, req)
	if err != nil {
		return nil, cli.CallErr(err)
	}
	var list []*Job
	at := map[slurm.JobID]int{}
	expected := map[slurm.JobID]*rinkpb.Expected{}
	var nodeCPUs, nodeGPUs int
	var nodeMemory slurm.MB
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, cli.CallErr(err)
		}
		nodeGPUs = max(nodeGPUs, int(page.NodeGpus))
		nodeCPUs, nodeMemory = max(nodeCPUs, int(page.NodeCpus)), max(nodeMemory, slurm.MB(page.NodeMemory))
		for _, p := range page.Jobs {
			j, err := api.JobFromProto(p)
			if err != nil {
				return nil, err
			}
			if i, ok := at[j.ID]; ok {
				list[i] = JobOfTasks(list[i].Job, tasksOf(list[i]).Union(j.Tasks))
				continue
			}
			at[j.ID] = len(list)
			list = append(list, NewJob(j))
		}
		for _, e := range page.Expected {
			expected[slurm.JobID(e.Job)] = e
		}
		if err := cli.StatusErr(page.Status); err != nil {
			return nil, err
		}
	}
	for _, j := range list {
		j.nodeCPUs, j.nodeGPUs, j.nodeMemory = nodeCPUs, nodeGPUs, nodeMemory
		if e := expected[j.ID]; e != nil {
			j.Expected = api.TimeFromProto(e.Start)
			for _, n := range e.Nodes {
				j.ExpectedNodes = append(j.ExpectedNodes, sched.NodeName(n))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *Job) int { return int(int64(a.ID) - int64(b.ID)) })
	if len(req.Refs) == 1 {
		newestFirst(list)
	}
	return list, nil
}

// newestFirst puts the records of an array that alone was asked for into the order
// Slurm lists them in: the array's own, then those of its tasks, what got its
// record last in front.
func newestFirst(list []*Job) {
	slices.SortStableFunc(list, func(a, b *Job) int {
		switch {
		case a.ArrayID == 0 || a.ArrayID != b.ArrayID || a.ID == b.ID:
			return 0
		case a.ID == a.ArrayID:
			return -1
		case b.ID == b.ArrayID:
			return 1
		}
		return cmp.Compare(b.ID, a.ID)
	})
}

func tasksOf(j *Job) slurm.IndexSet {
	if j.IsRest() {
		return j.Rest
	}
	return slurm.NewIndexSet(j.Task)
}

// FindHets notes which components every heterogeneous job among the rows has.
func (v *View) FindHets(list []*Job) {
	for _, j := range list {
		if j.HetID != 0 {
			if v.HetIDs == nil {
				v.HetIDs = map[slurm.JobID][]slurm.JobID{}
			}
			v.HetIDs[j.HetID] = append(v.HetIDs[j.HetID], j.ID)
		}
	}
}

// Node is a node with what its controller knows of it at the moment.
type Node struct {
	*sched.Node
	Load      float64
	FreeMem   slurm.MB
	LoadKnown bool
	Connected bool
	// Reservation is the active one that the node is in; "" for none.
	Reservation string
}

// Nodes fetches nodes by name, all of them when none is named, in the order of
// the configuration. Names that are no node's are left out.
func Nodes(env *cli.Env, client rinkpb.Controller, names ...string) ([]*Node, error) {
	ctx, cancel := env.Call(callLimit)
	defer cancel()
	reply, err := client.ListNodes(ctx, &rinkpb.ListNodesRequest{Names: names})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	list := make([]*Node, 0, len(reply.Nodes))
	for _, p := range reply.Nodes {
		n, err := api.NodeFromProto(p)
		if err != nil {
			return nil, err
		}
		list = append(list, &Node{Node: n, Load: p.CpuLoad, FreeMem: slurm.MB(p.FreeMem), LoadKnown: p.LoadKnown, Connected: p.Connected,
			Reservation: p.Reservation})
	}
	return list, nil
}

// Partitions fetches the partitions in the order of the configuration.
func Partitions(env *cli.Env, client rinkpb.Controller) ([]*sched.Partition, error) {
	ctx, cancel := env.Call(callLimit)
	defer cancel()
	reply, err := client.ListPartitions(ctx, &rinkpb.ListPartitionsRequest{})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	return partitionsOf(reply)
}

func partitionsOf(reply *rinkpb.PartitionList) ([]*sched.Partition, error) {
	list := make([]*sched.Partition, 0, len(reply.Partitions))
	for _, p := range reply.Partitions {
		part, err := api.PartitionFromProto(p)
		if err != nil {
			return nil, err
		}
		list = append(list, part)
	}
	return list, nil
}

// LoadPartitions fetches the partitions and takes into the view what of them, and of
// the kinds that are counted, amounts are shown by.
func (v *View) LoadPartitions(env *cli.Env, client rinkpb.Controller) ([]*sched.Partition, error) {
	ctx, cancel := env.Call(callLimit)
	defer cancel()
	reply, err := client.ListPartitions(ctx, &rinkpb.ListPartitionsRequest{})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	list, err := partitionsOf(reply)
	if err != nil {
		return nil, err
	}
	v.Tracked = reply.TrackedTres
	v.SetWeights(list)
	return list, nil
}

// Hidden returns the names of the partitions that are only shown when asked for.
func Hidden(parts []*sched.Partition) map[sched.PartitionName]bool {
	hidden := map[sched.PartitionName]bool{}
	for _, p := range parts {
		if p.Hidden {
			hidden[p.Name] = true
		}
	}
	return hidden
}

// InHidden reports whether the job is in hidden partitions alone.
func (j *Job) InHidden(hidden map[sched.PartitionName]bool) bool {
	if len(hidden) == 0 {
		return false
	}
	if j.IsPending() && len(j.Partitions) > 1 {
		return !slices.ContainsFunc(j.Partitions, func(p sched.PartitionName) bool { return !hidden[p] })
	}
	return hidden[j.Partition]
}

// SetWeights takes the billing weights of partitions into the view.
func (v *View) SetWeights(list []*sched.Partition) {
	for _, p := range list {
		if p.BillingWeights != "" {
			if v.Weights == nil {
				v.Weights = map[sched.PartitionName]string{}
			}
			v.Weights[p.Name] = p.BillingWeights
		}
	}
}

// CallLimit is how long one question to the controller may take.
func CallLimit() time.Duration { return callLimit }

// GID returns the number of a group given by name or number.
func GID(name string) (uint32, error) {
	if g, err := hostuser.LookupGroup(name); err == nil {
		n, err := strconv.ParseUint(g.Gid, 10, 32)
		return uint32(n), err
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("cannot find group %q", name)
	}
	return uint32(n), nil
}

// Words cuts a list at its commas and leaves out what is empty.
func Words(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// Refs turns job references into what a request carries.
func Refs(refs []slurm.JobRef) []*rinkpb.JobRef {
	out := make([]*rinkpb.JobRef, len(refs))
	for i, r := range refs {
		out[i] = api.JobRefToProto(r)
	}
	return out
}
