package srun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/runink/rink/api/call"

	"github.com/runink/rink/api/rinkpb"
)

// mpiTypes are the ways in which tasks can be told of each other, as --mpi
// names them.
var mpiTypes = []string{"none", "pmi2", "pmix"}

// listMPI is --mpi=list.
func (s *run) listMPI() {
	fmt.Fprintln(s.env.Stdout, "MPI plugin types are...")
	for _, t := range mpiTypes {
		fmt.Fprintf(s.env.Stdout, "\t%s\n", t)
	}
}

// knowsMPI reports whether there is an MPI of that name, and says why not.
func (s *run) knowsMPI(name string) bool {
	if name == "" || name == "openmpi" { // which once had one, and needs none
		return true
	}
	for _, t := range mpiTypes {
		if t == name {
			return true
		}
	}
	s.env.Errorf("Couldn't find the specified plugin name for mpi/%s looking at all files", name)
	s.env.Errorf("cannot find mpi plugin for mpi/%s", name)
	s.env.Errorf("MPI: Cannot create context for mpi/%s", name)
	s.env.Errorf("MPI: Unable to load any plugin")
	s.env.Errorf("Invalid MPI type '%s', --mpi=list for acceptable types", name)
	return false
}

// mpiHub brings together what the nodes of a step put for each other before a
// fence, and tells all of them when the last is there.
type mpiHub struct {
	fence  uint32
	done   map[string]bool // nodes that have said all
	keys   map[string][]*rinkpb.PmiKey
	latest []*rinkpb.StepUp // of the last fence that is complete, for an agent whose line broke
}

// maxShare is how many bytes of keys go in one message.
const maxShare = 512 << 10

// put takes a part of one node's keys. When it was the last of all, it returns
// what is for every node.
func (h *mpiHub) put(node string, part *rinkpb.PmiShare, nodes int) []*rinkpb.StepUp {
	if h.done == nil {
		h.done, h.keys = map[string]bool{}, map[string][]*rinkpb.PmiKey{}
	}
	if part.Fence+1 == h.fence && part.Last {
		return h.latest // it did not hear
	}
	if part.Fence != h.fence || h.done[node] {
		return nil
	}
	if part.First {
		h.keys[node] = nil
	}
	h.keys[node] = append(h.keys[node], part.Keys...)
	if !part.Last {
		return nil
	}
	if h.done[node] = true; len(h.done) < nodes {
		return nil
	}
	up := &rinkpb.PmiShare{Fence: h.fence, First: true}
	all := []*rinkpb.StepUp{{Pmi: up, StdinTask: -1}}
	size := 0
	for _, keys := range h.keys {
		for _, k := range keys {
			if size += len(k.Name) + len(k.Value); size > maxShare && len(up.Keys) > 0 {
				up = &rinkpb.PmiShare{Fence: h.fence}
				all = append(all, &rinkpb.StepUp{Pmi: up, StdinTask: -1})
				size = len(k.Name) + len(k.Value)
			}
			up.Keys = append(up.Keys, k)
		}
	}
	up.Last = true
	h.fence++
	h.done, h.keys, h.latest = nil, nil, all
	return all
}

// shares deals with keys that a node has put. What goes back has a line of its
// own: on the step's it would wait behind input that no task reads before it
// has been through the fence.
func (c *carrier) shares(ctx context.Context, node string, part *rinkpb.PmiShare) {
	first := c.mpi.fence
	all := c.mpi.put(node, part, len(c.step.Nodes))
	if len(all) == 0 {
		return
	}
	nodes := []string{node}
	if c.mpi.fence != first {
		nodes = nil
		for _, n := range c.step.Nodes {
			nodes = append(nodes, string(n.Node))
		}
	}
	go func() { // ends with the step
		for ctx.Err() == nil {
			if err := c.tellShares(ctx, nodes, all); err == nil || call.CodeOf(err) != call.Unavailable {
				return // an agent that did not hear it asks again
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
}

func (c *carrier) tellShares(ctx context.Context, nodes []string, all []*rinkpb.StepUp) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.s.client.StepIO(ctx)
	if err != nil {
		return err
	}
	at := &rinkpb.StepAttach{Job: uint32(c.job.ID), Step: uint32(c.step.ID), Uid: c.s.env.UID(), Nodes: nodes, Pmi: true}
	if err := stream.Send(&rinkpb.StepUp{Attach: at}); err != nil {
		return err
	}
	for _, m := range all {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	for {
		if _, err := stream.Recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// pmixVersion is --mpi=pmix_vN, which names a plugin of Slurm's. There is one server
// here, and the library on the node finds the version that each task speaks.
var pmixVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^pmix_v[1-9]$`) })

// mpiName is --mpi as the step has it.
func mpiName(name string) string {
	name = strings.ToLower(name)
	if pmixVersion().MatchString(name) {
		return "pmix"
	}
	return name
}
