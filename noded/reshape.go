package noded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu"
)

// An idle GPU is cut into instances when the controller orders it, and made whole
// again. Before a GPU is touched it is written down that it is whole by rights, so that
// an agent that finds it cut, or half cut, knows that it was this one's doing: to the
// controller it is the whole GPU it was, and what it is cut into besides.

// changedGPUs is where that is written, in the spool.
const changedGPUs = "gpus"

// readChanged reads what was changed of this machine's GPUs. A record that cannot be
// read is as none, said once: the driver tells what the GPUs are.
func (g *gear) readChanged() {
	g.changed = &rinkpb.ChangedGPUs{}
	raw, err := os.ReadFile(g.record)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = proto.Unmarshal(raw, g.changed)
	}
	if err != nil {
		g.log.Error("cannot read what was changed of GPUs", "file", g.record, "error", err)
		g.changed = &rinkpb.ChangedGPUs{}
	}
}

// keepChanged writes it down; g.mu is held.
func (g *gear) keepChanged() error {
	raw, err := proto.Marshal(g.changed)
	if err == nil {
		err = writeLasting(g.record, raw, 0o600) // the driver keeps a GPU's mode over a crash, too
	}
	if err != nil {
		return fmt.Errorf("cannot write down what is changed of GPUs: %w", err)
	}
	return nil
}

// findReshaped takes the GPUs that were cut on demand for the whole ones they are by
// rights, and finds what they are cut into now. It comes before the units are counted.
func (g *gear) findReshaped() {
	g.made = map[string][]gpu.Unit{}
	for i := range g.gpus {
		one := &g.gpus[i]
		if !slices.Contains(g.changed.Cut, one.UUID) {
			continue
		}
		instances := one.Instances
		one.MIG, one.Instances = false, nil
		g.made[one.UUID] = g.unitsOf(i, instances)
		g.log.Info("a GPU is cut on demand", "gpu", one.File(), "instances", len(instances))
	}
	for i := range g.gpus {
		if one := &g.gpus[i]; !one.MIG && one.UUID != "" {
			if list := g.lib.Profiles(one.UUID); list != nil {
				g.profiles[one.UUID] = list
			}
		}
	}
}

// unitsOf are the instances of the GPU at a place, in order.
func (g *gear) unitsOf(at int, instances []gpu.Instance) []gpu.Unit {
	one := g.gpus[at]
	one.MIG, one.Instances = true, instances
	list := gpu.Units([]gpu.GPU{one})
	for i := range list {
		list[i].GPU = at
	}
	return list
}

// all lists what can be given: what was found when the agent came up, and the
// instances that were made since.
func (g *gear) all() []gpu.Unit {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Clone(g.units)
	for i := range g.gpus {
		list = append(list, g.made[g.gpus[i].UUID]...)
	}
	return list
}

// unit finds what is opened by these files.
func (g *gear) unit(files string) (gpu.Unit, bool) {
	list := g.all()
	at := slices.IndexFunc(list, func(u gpu.Unit) bool { return u.Files == files })
	if at < 0 {
		return gpu.Unit{}, false
	}
	return list[at], true
}

// shapes tells which GPUs can be cut, and into what.
func (g *gear) shapes() []*rinkpb.Shape {
	var out []*rinkpb.Shape
	for i := range g.gpus {
		profiles := g.profiles[g.gpus[i].UUID]
		if profiles == nil {
			continue
		}
		s := &rinkpb.Shape{File: g.gpus[i].File()}
		for _, p := range profiles {
			one := &rinkpb.CutProfile{Name: p.Name, Memory: p.Memory}
			for _, at := range p.Spans {
				one.Spans = append(one.Spans, &rinkpb.CutSpan{Start: int32(at.Start), Size: int32(at.Size)})
			}
			s.Profiles = append(s.Profiles, one)
		}
		out = append(out, s)
	}
	return out
}

// cuts tells which GPUs are cut on demand, and into what.
func (g *gear) cuts() []*rinkpb.Cut {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*rinkpb.Cut
	for i := range g.gpus {
		if uuid := g.gpus[i].UUID; slices.Contains(g.changed.GetCut(), uuid) {
			out = append(out, &rinkpb.Cut{File: g.gpus[i].File(), Made: g.parts(i)})
		}
	}
	return out
}

// parts are the instances of the GPU at a place as the controller is told of them;
// g.mu is held. Their numbers are theirs for as long as they are where they are: a
// job that has one goes by it.
func (g *gear) parts(at int) []*rinkpb.CutPart {
	var out []*rinkpb.CutPart
	for k, u := range g.made[g.gpus[at].UUID] {
		out = append(out, &rinkpb.CutPart{
			Profile: strings.TrimPrefix(u.Type, g.gpus[at].Type()+"_"), Files: u.Files,
			Number: int32(len(g.units) + at*gpu.MaxInstances + k),
		})
	}
	return out
}

// reshape makes of a GPU what the controller ordered, and reports what became of it.
// Doing it twice does no harm.
func (a *Agent) reshape(order *rinkpb.CutGPU) {
	a.gear.reshaping.Lock()
	defer a.gear.reshaping.Unlock()
	note := &rinkpb.NoteCut{Node: a.conf.Node, File: order.File}
	if err := a.reshapeGPU(order, note); err != nil {
		note.Error = err.Error()
		a.log.Error("cannot reshape a GPU", "gpu", order.File, "into", order.Profiles, "error", err)
	}
	a.report(&rinkpb.Report{Report: &rinkpb.Report_Cut{Cut: note}})
}

func (a *Agent) reshapeGPU(order *rinkpb.CutGPU, note *rinkpb.NoteCut) error {
	g := a.gear
	at := slices.IndexFunc(g.gpus, func(one gpu.GPU) bool { return one.File() == order.File && one.UUID != "" })
	if at < 0 || g.lib == nil {
		return fmt.Errorf("there is no GPU %s here", order.File)
	}
	uuid := g.gpus[at].UUID
	g.mu.Lock()
	mine := slices.Contains(g.changed.Cut, uuid)
	now := g.made[uuid]
	g.mu.Unlock()
	switch {
	case !mine && len(order.Profiles) == 0:
		note.Whole = true
		return nil
	case mine && len(order.Profiles) > 0 && gpu.SameInstances(profilesOf(g.gpus[at], now), order.Profiles):
		g.mu.Lock()
		note.Made = g.parts(at)
		g.mu.Unlock()
		return nil
	}
	if err := a.gpuIdle(at); err != nil {
		note.Whole = !mine
		return err
	}
	if len(order.Profiles) == 0 {
		return g.makeWhole(uuid, note)
	}
	if !mine {
		g.mu.Lock()
		g.changed.Cut = append(g.changed.Cut, uuid)
		err := g.keepChanged()
		g.mu.Unlock()
		if err != nil {
			note.Whole = true
			return err
		}
	}
	instances, err := g.lib.Cut(uuid, order.Profiles)
	g.renew()
	if err != nil {
		if again := g.makeWhole(uuid, note); again != nil {
			return errors.Join(err, again)
		}
		return err
	}
	g.mu.Lock()
	g.made[uuid] = g.unitsOf(at, instances)
	note.Made = g.parts(at)
	g.mu.Unlock()
	a.log.Info("a GPU was cut into instances", "gpu", order.File, "into", order.Profiles)
	return nil
}

// makeWhole removes the instances of a GPU and forgets that it was cut.
func (g *gear) makeWhole(uuid string, note *rinkpb.NoteCut) error {
	err := g.lib.Whole(uuid)
	g.renew()
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.made, uuid)
	g.changed.Cut = slices.DeleteFunc(g.changed.Cut, func(c string) bool { return c == uuid })
	note.Whole = true
	g.log.Info("a GPU is whole again", "uuid", uuid)
	return g.keepChanged()
}

func profilesOf(one gpu.GPU, units []gpu.Unit) []string {
	out := make([]string, len(units))
	for i, u := range units {
		out[i] = strings.TrimPrefix(u.Type, one.Type()+"_")
	}
	return out
}

// gpuIdle says who uses the GPU at a place, nil when nobody does.
func (a *Agent) gpuIdle(at int) error {
	for _, j := range a.live() {
		if slices.Contains(a.gear.indexes(heldByJob(j.here)), at) {
			return fmt.Errorf("job %d has %s", j.key.job, a.gear.gpus[at].File())
		}
	}
	procs, err := a.gear.lib.Processes(0)
	if err != nil {
		return err
	}
	for _, p := range procs {
		if p.GPU == at {
			return fmt.Errorf("process %d uses %s", p.PID, a.gear.gpus[at].File())
		}
	}
	return nil
}

// fabric names the fabric the GPUs are of, and the part of it; "" when they are of
// none.
func (g *gear) fabric() string {
	if g.lib == nil {
		return ""
	}
	f, ok := g.lib.Fabric()
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s.%d", f.Cluster, f.Clique)
}
