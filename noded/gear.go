package noded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu"
	"github.com/runink/rink/gpu/probe"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

// gear is what this node has of devices: the GPUs that NVML tells of and the files
// that gres.conf names. It knows which are fit for use, and what a job that was
// given some of them may open and is told.
type gear struct {
	log   *slog.Logger
	node  string
	lib   *probe.Library // nil: there are no GPUs to ask about
	gpus  []gpu.GPU      // as they were when the agent came up
	units []gpu.Unit     // and what could be given then
	// profiles are what a GPU can be cut into, by its UUID.
	profiles  map[string][]gpu.Profile
	record    string     // the file that tells what was changed of the GPUs
	reshaping sync.Mutex // held while a GPU is cut or made whole

	mu      sync.Mutex // guards all below
	changed *rinkpb.ChangedGPUs
	made    map[string][]gpu.Unit // the instances made on demand, by the UUID of their GPU
	anew    context.CancelFunc    // has the driver be listened to anew
	conf    gearConf
	health  []gpu.Health
	told    []*rinkpb.SickFile // what was reported last
	once    bool               // something was
}

// gearConf is what the configuration says of this node's devices.
type gearConf struct {
	fence bool          // ConstrainDevices
	files []string      // of the units gres.conf names, those of one separated by commas
	envs  []string      // the variables that name GPUs
	gpus  bool          // gres.conf gives the node some
	quiet time.Duration // GPUQuietTime
}

// findGear asks the machine about its GPUs. No driver is normal and said once.
func findGear(log *slog.Logger, node, spool string) *gear {
	g := &gear{log: log, node: node, conf: gearConf{envs: gpuEnvs(nil)}, profiles: map[string][]gpu.Profile{}, record: filepath.Join(spool, changedGPUs)}
	g.readChanged()
	lib, err := probe.Open()
	if err == nil {
		g.gpus, err = lib.GPUs()
	}
	switch {
	case errors.Is(err, probe.ErrNone):
		log.Info("no GPUs found", "why", err)
		return g
	case err != nil:
		log.Warn("cannot look for GPUs", "error", err)
		if lib != nil {
			lib.Close()
		}
		return g
	}
	g.lib = lib
	g.findReshaped()
	g.units = gpu.Units(g.gpus)
	g.health = make([]gpu.Health, len(g.gpus))
	v := lib.Versions()
	log.Info("GPUs found", "count", len(g.gpus), "units", len(g.units), "driver", v.Driver, "cuda", v.CUDA)
	return g
}

func (g *gear) close() {
	if g.lib != nil {
		g.lib.Close()
	}
}

// found lists the GPUs as generic resources: an entry for those of one type near
// the same CPUs, with numbers by the driver's order, and links by number.
func (g *gear) found() []*rinkpb.NodeGres {
	ties := gpu.Ties(g.gpus, g.units)
	var out []*rinkpb.NodeGres
	for i, u := range g.units {
		cores := cpuText(g.gpus[u.GPU].CPUs)
		at := slices.IndexFunc(out, func(n *rinkpb.NodeGres) bool { return n.Type == u.Type && n.Cores == cores })
		if at < 0 {
			at = len(out)
			out = append(out, &rinkpb.NodeGres{Name: "gpu", Type: u.Type, Cores: cores})
		}
		n := out[at]
		n.Count++
		n.Files, n.Numbers = append(n.Files, u.Files), append(n.Numbers, int32(i))
		if ties != nil {
			row := &rinkpb.DeviceLinks{}
			for _, w := range ties[i] {
				row.To = append(row.To, int32(w))
			}
			n.Links = append(n.Links, row)
		}
	}
	return out
}

func cpuText(list []int) string {
	if len(list) == 0 {
		return ""
	}
	index := make([]uint32, len(list))
	for i, c := range list {
		index[i] = uint32(c)
	}
	return slurm.NewIndexSet(index...).String()
}

// configure takes what the configuration says of this node's devices.
func (g *gear) configure(files []slurm.ConfFile, common *slurm.Conf) {
	read := func(name string) ([]byte, error) {
		for _, f := range files {
			if f.Name == name {
				return f.Text, nil
			}
		}
		return nil, os.ErrNotExist
	}
	var c gearConf
	if common != nil {
		c.quiet = time.Duration(common.GPUQuietTime) * time.Second
	}
	if _, err := read("cgroup.conf"); err == nil {
		// The leader refuses files that do not parse.
		if conf, _, err := slurm.ParseCgroupConf("cgroup.conf", read); err == nil {
			c.fence = conf.ConstrainDevices
		}
	}
	var flags []string
	if _, err := read("gres.conf"); err == nil {
		if conf, _, err := slurm.ParseGresConf("gres.conf", read); err == nil {
			lines, _ := conf.ForNode(g.node)
			for _, l := range lines {
				c.files = append(c.files, l.Files...)
				if len(l.MultipleFiles) > 0 {
					c.files = append(c.files, strings.Join(l.MultipleFiles, ","))
				}
				if l.Name == "gpu" {
					c.gpus = true
					flags = append(flags, l.Flags...)
				}
			}
		}
	}
	c.envs = gpuEnvs(flags)
	g.mu.Lock()
	g.conf = c
	g.mu.Unlock()
}

// gpuEnvs are the variables that name a job's GPUs to the libraries that ask, by
// the flags of gres.conf: those of all makers when it has none.
func gpuEnvs(flags []string) []string {
	var envs []string
	for _, e := range []struct{ flag, name string }{
		{"nvidia_gpu_env", "CUDA_VISIBLE_DEVICES"}, {"amd_gpu_env", "ROCR_VISIBLE_DEVICES"},
		{"opencl_env", "GPU_DEVICE_ORDINAL"}, {"intel_gpu_env", "ZE_AFFINITY_MASK"},
	} {
		if slices.Contains(flags, e.flag) {
			envs = append(envs, e.name)
		}
	}
	switch {
	case slices.Contains(flags, "no_gpu_env"):
		return nil
	case envs == nil:
		return []string{"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK"}
	}
	return envs
}

// held is what a job or step was given of one kind of resource.
type held struct {
	name  string
	index []int32
	files []string // as many, or none
	count int64
	parts int64 // in how many parts each device is given; 0: whole
}

func heldOf(list []*rinkpb.GresAlloc, files []*rinkpb.DeviceFiles) []held {
	out := make([]held, len(list))
	for i, a := range list {
		out[i] = held{name: a.Name, index: a.Index, count: a.Count}
		if i < len(files) && len(files[i].Files) == len(a.Index) {
			out[i].files, out[i].parts = files[i].Files, files[i].PartsOf
		}
	}
	return out
}

func heldByJob(h *rinkpb.JobHere) []held     { return heldOf(h.GetGres(), h.GetGresFiles()) }
func heldByStep(s *rinkpb.LaunchStep) []held { return heldOf(s.Gres, s.GresFiles) }

// isGPU reports whether a resource is of GPUs, or of parts of them.
func (h *held) isGPU() bool { return h.name == "gpu" || h.name == "shard" || h.name == "mps" }

// rules are those for the devices that who was given some of this node's may open.
// basic: these alone, and what every program needs (SliceDevices=basic). Else all
// but the node's other devices, where cgroup.conf says so (ConstrainDevices). nil:
// there is nothing to keep it from.
func (g *gear) rules(basic bool, given []held) []slice.DeviceRule {
	g.mu.Lock()
	conf := g.conf
	g.mu.Unlock()
	if !basic && !conf.fence {
		return nil
	}
	open := map[slice.DeviceRule]bool{}
	// What every program needs stays open, whatever a configuration calls it.
	for _, r := range slice.BasicDevices() {
		open[r] = true
	}
	var rules []slice.DeviceRule
	if basic {
		rules = slices.Concat([]slice.DeviceRule{slice.DenyAllDevices}, slice.BasicDevices())
	}
	each := func(files string, do func(slice.DeviceRule)) {
		for path := range strings.SplitSeq(files, ",") {
			if r, ok := allowFile(path); ok && !open[r] {
				open[r] = true // once
				do(r)
			}
		}
	}
	gpus := false
	for _, a := range given {
		gpus = gpus || a.isGPU() && len(a.files) > 0
		for _, files := range a.files {
			each(files, func(r slice.DeviceRule) {
				if basic {
					rules = append(rules, r)
				}
			})
		}
	}
	if basic {
		if gpus {
			each(controlFiles, func(r slice.DeviceRule) { rules = append(rules, r) })
		}
		return rules
	}
	shut := func(r slice.DeviceRule) {
		r.Allow = false
		rules = append(rules, r)
	}
	for _, files := range conf.files {
		each(files, shut)
	}
	for _, u := range g.all() {
		each(u.Files, shut)
	}
	return rules
}

// controlFiles are what a program opens beside the GPUs themselves.
const controlFiles = "/dev/nvidiactl,/dev/nvidia-uvm,/dev/nvidia-uvm-tools,/dev/nvidia-modeset,/dev/kfd"

// allowFile is the rule that opens a device file; false when there is none.
func allowFile(path string) (slice.DeviceRule, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return slice.DeviceRule{}, false
	}
	r := slice.DeviceRule{Allow: true, Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)), Access: "rwm"}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		r.Type = 'c'
	case unix.S_IFBLK:
		r.Type = 'b'
	default:
		return r, false
	}
	return r, true
}

// shuts reports whether a slice is kept from the devices it was not given: whether
// that is a setting, and the slice has the cgroup that holds it to it.
func (g *gear) shuts(spec *slice.Spec, here *rinkpb.JobHere) bool {
	g.mu.Lock()
	fence := g.conf.fence
	g.mu.Unlock()
	iso, err := isolationOf(here)
	return spec.Cgroup.On && (fence || err == nil && iso.Devices == "basic")
}

// given is a GPU that a job or step has.
type given struct {
	index   int    // its number on the node
	number  int    // the one its driver counts it by
	visible string // what names it to CUDA where that is no number
	uuid    string // "" when not known
	cpus    []int  // near it; nil: not known
}

// gpusOf lists the GPUs of what was given, in their order on the node.
func (g *gear) gpusOf(list []held) []given {
	var out []given
	for _, a := range list {
		if !a.isGPU() {
			continue
		}
		for k, number := range a.index {
			one := given{index: int(number), number: int(number)}
			files := ""
			if a.files != nil {
				files = a.files[k]
			}
			if u, ok := g.unit(files); ok {
				one.visible, one.cpus, one.uuid = u.Visible, g.gpus[u.GPU].CPUs, cmp.Or(u.Visible, g.gpus[u.GPU].UUID)
			} else if n, ok := fileNumber(files); ok {
				one.number = n
			}
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b given) int { return cmp.Compare(a.number, b.number) })
	return slices.CompactFunc(out, func(a, b given) bool { return a.number == b.number && a.visible == b.visible })
}

// fileNumber reads the number a device file ends with, which is what drivers count
// by.
func fileNumber(path string) (int, bool) {
	at := len(path)
	for at > 0 && '0' <= path[at-1] && path[at-1] <= '9' {
		at--
	}
	n, err := strconv.Atoi(path[at:])
	return n, err == nil
}

// tell sets the variables that name GPUs. Where the others are shut off they are
// counted from 0, since a library sees no others there.
func (g *gear) tell(env *taskenv.Env, list []given, see []int, shut bool) {
	if len(list) == 0 {
		return
	}
	g.mu.Lock()
	conf := g.conf
	g.mu.Unlock()
	var names, uuids []string
	for _, k := range see {
		d := list[k]
		switch {
		case d.visible != "":
			names = append(names, d.visible)
		case shut:
			names = append(names, strconv.Itoa(k))
		default:
			names = append(names, strconv.Itoa(d.number))
		}
		if d.uuid != "" {
			uuids = append(uuids, d.uuid)
		}
	}
	for _, v := range conf.envs {
		env.Set(v, strings.Join(names, ","))
	}
	if len(uuids) == len(see) && slices.Contains(conf.envs, "CUDA_VISIBLE_DEVICES") {
		// What starts containers looks for devices by what they are called on the host.
		env.Set("NVIDIA_VISIBLE_DEVICES", strings.Join(uuids, ","))
	}
}

// hasGPUs reports whether the configuration gives the node GPUs. Only there the variables
// that name them are ours: elsewhere they pass as they are.
func (g *gear) hasGPUs() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conf.gpus
}

// silence unsets the variables that name GPUs.
func (g *gear) silence(env *taskenv.Env) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range g.conf.envs {
		env.Unset(v)
	}
	env.Unset("NVIDIA_VISIBLE_DEVICES")
}

func everyPlace(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// tellShare tells MPS which part of a GPU's threads is the job's.
func tellShare(env *taskenv.Env, gres []held) {
	for _, h := range gres {
		if h.name == "mps" && h.parts > 0 {
			env.Set("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", strconv.FormatInt(max(1, h.count*100/h.parts), 10))
		}
	}
}

// tellJob names all of a job's GPUs here.
func (g *gear) tellJob(env *taskenv.Env, gres []held, shut bool) {
	tellShare(env, gres)
	list := g.gpusOf(gres)
	if len(list) == 0 && g.hasGPUs() {
		g.silence(env) // what came along from where the job was submitted
	}
	g.tell(env, list, everyPlace(len(list)), shut)
}

// tellTasks names to each task of a step the GPUs it is bound to, and returns what is
// to be said of that. cpus are those each task is bound to; nil: not known.
func (g *gear) tellTasks(envs []*taskenv.Env, order *rinkpb.LaunchStep, cpus [][]int, shut bool) []string {
	gres, bind := heldByStep(order), order.GpuBind
	list := g.gpusOf(gres)
	near, global, local := make([][]int, len(list)), make([]int, len(list)), make([]int, len(list))
	for i, d := range list {
		near[i], global[i], local[i] = d.cpus, d.index, d.number
		if shut {
			local[i] = i
		}
	}
	bound := gpu.Bind(bind, len(list), len(envs), near, cpus)
	var words []string
	for i, env := range envs {
		if len(list) == 0 && (len(heldByJob(order.Here)) > 0 || g.hasGPUs()) || gpu.IsNone(bind) {
			g.silence(env) // what it would have of its job's, or from where it was submitted
		}
		tellShare(env, gres)
		if bind != "" && len(list) > 0 {
			env.Set("SLURMD_TRES_BIND", "gpu:"+bind)
		}
		switch {
		case gpu.IsNone(bind):
			env.Unset("SLURM_STEP_GPUS")
		case bound == nil:
			g.tell(env, list, everyPlace(len(list)), shut)
		default:
			g.tell(env, list, bound[i].See, shut)
			var seen []string
			for _, k := range bound[i].See {
				seen = append(seen, strconv.Itoa(global[k]))
			}
			if env.Get("SLURM_STEP_GPUS") != "" {
				env.Set("SLURM_STEP_GPUS", strings.Join(seen, ","))
			}
			words = append(words, gpu.BindWords(bind, int(order.Tasks[i].Local), bound[i], global, local)...)
		}
	}
	return words
}

// uses tells what the GPUs are doing, in the driver's order.
func (g *gear) uses() ([]probe.Use, error) {
	if g.lib == nil {
		return nil, probe.ErrNone
	}
	return g.lib.Uses()
}

// processes tells who uses the GPUs.
func (g *gear) processes(lately time.Duration) ([]probe.Process, error) {
	if g.lib == nil {
		return nil, probe.ErrNone
	}
	return g.lib.Processes(lately)
}

// indexes returns the driver's numbers of the GPUs that were given, each once.
func (g *gear) indexes(list []held) []int {
	var out []int
	for _, a := range list {
		for k, number := range a.index {
			i := int(number)
			if a.files != nil {
				u, ok := g.unit(a.files[k])
				if !ok {
					continue
				}
				i = u.GPU
			}
			if a.isGPU() && !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
	}
	return out
}

// reportDevices reports which devices of this node are out of service.
func (a *Agent) reportDevices(sick []*rinkpb.SickFile) {
	for _, s := range sick {
		a.log.Warn("a device is out of service", "file", s.File, "why", s.Why)
	}
	a.report(&rinkpb.Report{Report: &rinkpb.Report_Devices{Devices: &rinkpb.SetDevices{Node: a.conf.Node, Sick: sick}}})
}

// signsEvery is how often the health of GPUs is looked at when nothing is told of
// them, and signsSick at least while one is out of service.
const (
	signsEvery = 10 * time.Second
	signsSick  = time.Second
)

// watch follows the health of the devices until ctx ends, and has report told what
// is out of service whenever that changes, and once to begin with.
func (g *gear) watch(ctx context.Context, report func([]*rinkpb.SickFile)) {
	now := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	if g.lib != nil {
		wg.Go(func() {
			err := g.listen(ctx, func(e probe.Event) {
				g.log.Warn("the driver tells of an error", "gpu", e.GPU, "xid", e.XID)
				g.mu.Lock()
				if e.GPU >= 0 && e.GPU < len(g.health) {
					g.health[e.GPU].Error(e.XID, time.Now())
				}
				g.mu.Unlock()
				select {
				case now <- struct{}{}:
				default:
				}
			})
			if err != nil {
				g.log.Info("the driver does not tell of errors as they come", "why", err)
			}
		})
	}
	timer := time.NewTimer(signsEvery)
	defer timer.Stop()
	for {
		list, changed := g.look(time.Now())
		if changed {
			report(list)
		}
		timer.Reset(signsEvery)
		if len(list) > 0 {
			g.mu.Lock()
			timer.Reset(min(signsEvery, max(signsSick, g.conf.quiet/2)))
			g.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-now:
		case <-timer.C:
		}
	}
}

// listen has the driver tell of errors until ctx ends, anew whenever a GPU was reset.
func (g *gear) listen(ctx context.Context, tell func(probe.Event)) error {
	for ctx.Err() == nil {
		once, cancel := context.WithCancel(ctx)
		g.mu.Lock()
		g.anew = cancel
		g.mu.Unlock()
		err := g.lib.Watch(once, tell)
		stopped := once.Err() != nil
		cancel()
		if err != nil && !stopped {
			return err
		}
	}
	return nil
}

// renew has the driver be listened to anew: what was reset is not heard any more.
func (g *gear) renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.anew != nil {
		g.anew()
	}
}

// look lists the devices that are out of service, and whether that has changed
// since it was asked last.
func (g *gear) look(at time.Time) ([]*rinkpb.SickFile, bool) {
	var signs []gpu.Signs
	if g.lib != nil {
		var err error
		if signs, err = g.lib.Signs(); err != nil {
			g.log.Warn("cannot read the health of GPUs", "error", err)
			return nil, false
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []*rinkpb.SickFile
	for i := range g.gpus {
		if i < len(signs) {
			g.health[i].See(signs[i], at, g.conf.quiet)
		} else {
			g.health[i].See(gpu.Signs{Lost: true}, at, g.conf.quiet)
		}
		if why := g.health[i].Why(); why != "" {
			list = append(list, &rinkpb.SickFile{File: g.gpus[i].File(), Why: why})
		}
	}
	for _, files := range g.conf.files {
		for path := range strings.SplitSeq(files, ",") {
			if _, err := os.Stat(path); err != nil {
				list = append(list, &rinkpb.SickFile{File: path, Why: fmt.Sprintf("there is no device file %s", path), Missing: true})
			}
		}
	}
	same := slices.EqualFunc(list, g.told, func(a, b *rinkpb.SickFile) bool { return a.File == b.File && a.Why == b.Why })
	changed := !g.once || !same
	g.told, g.once = list, true
	return list, changed
}
