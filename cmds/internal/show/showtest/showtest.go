// Package showtest is a cluster of hand-made nouns for the tests of listing
// commands: what they ask of a controller is answered from it.
package showtest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Now is the time of the tests.
var Now = time.Date(2035, 3, 4, 12, 0, 0, 0, time.UTC)

// Cluster answers the questions of listing commands. Calls it has no answer for
// panic.
type Cluster struct {
	rinkpb.Controller
	JobList    []*sched.Job
	Expected   []*rinkpb.Expected
	NodeList   []*rinkpb.Node
	Parts      []*sched.Partition
	Records    []*rinkpb.Record
	Files      map[string]string // configuration files by name
	Licenses   []*rinkpb.LicenseInfo
	Scripts    map[uint32]string
	Outcomes   []*rinkpb.Outcome // of Act and Update
	ModifyErr  error
	Asked      []*rinkpb.ListJobsRequest
	AskedPast  []*rinkpb.HistoryRequest
	Acted      []*rinkpb.ActRequest
	Updated    []*rinkpb.UpdateJobRequest
	NodesSet   []*rinkpb.ModifyNodeRequest
	PartsSet   []*rinkpb.ModifyPartitionRequest
	Resvs      []*sched.Reservation
	ResvsSet   []*rinkpb.ModifyReservationRequest
	ResvReply  *rinkpb.ModifyReservationReply
	Configured int
	Pong       *rinkpb.PingReply
}

// Env is a command's call with these arguments; what it prints is in the two
// buffers. Variables are NAME=value.
func Env(name string, args []string, vars ...string) (env *cli.Env, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &cli.Env{
		Name: name, Args: args, Stdin: bytes.NewReader(nil), Stdout: stdout, Stderr: stderr, Vars: vars,
		Now: func() time.Time { return Now }, Ctx: context.Background(),
	}, stdout, stderr
}

// pages hands out a listing's messages one after the other.
type pages[T any] struct {
	list []*T
}

func (p *pages[T]) Recv() (*T, error) {
	if len(p.list) == 0 {
		return nil, io.EOF
	}
	first := p.list[0]
	p.list = p.list[1:]
	return first, nil
}

// ListJobs answers with all jobs, or with those the references name.
func (c *Cluster) ListJobs(_ context.Context, req *rinkpb.ListJobsRequest) (rinkpb.Answers[rinkpb.JobPage], error) {
	c.Asked = append(c.Asked, req)
	page := &rinkpb.JobPage{Now: Now.UnixNano(), Status: &rinkpb.Status{}}
	for _, j := range c.JobList {
		named := slices.ContainsFunc(req.Refs, func(r *rinkpb.JobRef) bool {
			return slices.Contains([]slurm.JobID{j.ID, j.ArrayID, j.HetID}, slurm.JobID(r.Job))
		})
		if len(req.Refs) == 0 && (req.Ended || !j.State.Ended() || j.IsCompleting()) || named {
			page.Jobs = append(page.Jobs, api.JobToProto(j))
		}
	}
	if req.Plan {
		page.Expected = c.Expected
	}
	if len(req.Refs) == 1 && len(page.Jobs) == 0 {
		page.Status = &rinkpb.Status{Errno: int32(slurm.ErrnoInvalidJobID)}
	}
	return &pages[rinkpb.JobPage]{list: []*rinkpb.JobPage{page}}, nil
}

// ListNodes answers with the nodes of these names, or all.
func (c *Cluster) ListNodes(_ context.Context, req *rinkpb.ListNodesRequest) (*rinkpb.NodeList, error) {
	reply := &rinkpb.NodeList{Now: Now.UnixNano()}
	for _, n := range c.NodeList {
		if len(req.Names) == 0 || slices.Contains(req.Names, n.Name) {
			reply.Nodes = append(reply.Nodes, n)
		}
	}
	return reply, nil
}

// ListPartitions answers with the partitions.
func (c *Cluster) ListPartitions(context.Context, *rinkpb.ListPartitionsRequest) (*rinkpb.PartitionList, error) {
	reply := &rinkpb.PartitionList{Now: Now.UnixNano()}
	for _, p := range c.Parts {
		reply.Partitions = append(reply.Partitions, api.PartitionToProto(p))
	}
	return reply, nil
}

// GetConfig answers with the configuration files.
func (c *Cluster) GetConfig(context.Context, *rinkpb.GetConfigRequest) (*rinkpb.ConfigReply, error) {
	reply := &rinkpb.ConfigReply{Now: Now.UnixNano(), BootTime: Now.Add(-time.Hour).UnixNano(), Version: "0.1.0", NextJob: 700009}
	for name, text := range c.Files {
		reply.Files = append(reply.Files, &rinkpb.ConfigFile{Name: name, Text: []byte(text)})
	}
	reply.Controllers = c.controllers()
	return reply, nil
}

func (c *Cluster) controllers() []*rinkpb.ControllerInfo {
	if c.Pong != nil {
		return c.Pong.Controllers
	}
	return []*rinkpb.ControllerInfo{{Name: "vm", Address: "127.0.0.1", Leader: true, Up: true}}
}

// Ping answers with the controllers.
func (c *Cluster) Ping(context.Context, *rinkpb.PingRequest) (*rinkpb.PingReply, error) {
	if c.Pong != nil {
		return c.Pong, nil
	}
	return &rinkpb.PingReply{Cluster: "ref", Version: "0.1.0", Host: "vm", Leader: "vm", Up: true, Controllers: c.controllers()}, nil
}

// GetScript answers with a job's script.
func (c *Cluster) GetScript(_ context.Context, req *rinkpb.GetScriptRequest) (*rinkpb.GetScriptReply, error) {
	text, ok := c.Scripts[req.Job]
	if !ok {
		return &rinkpb.GetScriptReply{Status: &rinkpb.Status{Errno: int32(slurm.ErrnoInvalidJobID)}}, nil
	}
	reply := &rinkpb.GetScriptReply{Status: &rinkpb.Status{}, Script: []byte(text)}
	if req.Env {
		reply.Env = []string{"HOME=/home/alice", "LANG=C"}
	}
	return reply, nil
}

// ListLicenses answers with the licences.
func (c *Cluster) ListLicenses(context.Context, *rinkpb.ListLicensesRequest) (*rinkpb.LicenseList, error) {
	return &rinkpb.LicenseList{Licenses: c.Licenses}, nil
}

// History answers with all records, in pages of one.
func (c *Cluster) History(_ context.Context, req *rinkpb.HistoryRequest) (rinkpb.Answers[rinkpb.HistoryPage], error) {
	c.AskedPast = append(c.AskedPast, req)
	stream := &pages[rinkpb.HistoryPage]{}
	for _, r := range c.Records {
		stream.list = append(stream.list, &rinkpb.HistoryPage{Now: Now.UnixNano(), Records: []*rinkpb.Record{r}})
	}
	return stream, nil
}

// Act notes what was asked for and answers with Outcomes.
func (c *Cluster) Act(_ context.Context, req *rinkpb.ActRequest) (*rinkpb.ActionReply, error) {
	c.Acted = append(c.Acted, req)
	return &rinkpb.ActionReply{Status: &rinkpb.Status{}, Outcomes: c.Outcomes}, nil
}

// Update notes what was asked for and answers with Outcomes.
func (c *Cluster) Update(_ context.Context, req *rinkpb.UpdateJobRequest) (*rinkpb.ActionReply, error) {
	c.Updated = append(c.Updated, req)
	return &rinkpb.ActionReply{Status: &rinkpb.Status{}, Outcomes: c.Outcomes}, nil
}

// ModifyNode notes what was asked for and answers with ModifyErr.
func (c *Cluster) ModifyNode(_ context.Context, req *rinkpb.ModifyNodeRequest) (*rinkpb.Done, error) {
	c.NodesSet = append(c.NodesSet, req)
	return &rinkpb.Done{}, c.ModifyErr
}

// ModifyPartition notes what was asked for and answers with ModifyErr.
func (c *Cluster) ModifyPartition(_ context.Context, req *rinkpb.ModifyPartitionRequest) (*rinkpb.Done, error) {
	c.PartsSet = append(c.PartsSet, req)
	return &rinkpb.Done{}, c.ModifyErr
}

// ListReservations answers with the reservations.
func (c *Cluster) ListReservations(context.Context, *rinkpb.ListReservationsRequest) (*rinkpb.ReservationList, error) {
	reply := &rinkpb.ReservationList{Now: Now.UnixNano()}
	for _, r := range c.Resvs {
		reply.Reservations = append(reply.Reservations, api.ReservationToProto(r))
	}
	return reply, nil
}

// ModifyReservation notes what was asked for and answers with ResvReply.
func (c *Cluster) ModifyReservation(_ context.Context, req *rinkpb.ModifyReservationRequest) (*rinkpb.ModifyReservationReply, error) {
	c.ResvsSet = append(c.ResvsSet, req)
	if c.ResvReply != nil {
		return c.ResvReply, nil
	}
	return &rinkpb.ModifyReservationReply{Status: &rinkpb.Status{}, Name: req.Name}, nil
}

// Reconfigure counts.
func (c *Cluster) Reconfigure(context.Context, *rinkpb.ReconfigureRequest) (*rinkpb.Done, error) {
	c.Configured++
	return &rinkpb.Done{}, c.ModifyErr
}
