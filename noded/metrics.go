package noded

import (
	"math"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/prom"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu/probe"
)

// nodeMetrics answers the one call of the host's commands that is the agent's own.
func (a *Agent) nodeMetrics(down grpc.ServerStream) error {
	if err := down.RecvMsg(&raw{}); err != nil {
		return err
	}
	text, err := a.metrics()
	if err != nil {
		return status.Errorf(codes.Internal, "cannot write the metrics: %v", err)
	}
	data, err := proto.Marshal(&rinkpb.MetricsReply{Text: text})
	if err != nil {
		return status.Errorf(codes.Internal, "cannot write the metrics: %v", err)
	}
	return down.SendMsg(&raw{data: data})
}

// metrics counts what is on this node: its jobs, and its GPUs by device, by job and
// by herd.
func (a *Agent) metrics() ([]byte, error) {
	var w prom.Writer
	node := a.conf.Node
	jobs := a.live()
	perHerd := map[string]float64{}
	for _, j := range jobs {
		perHerd[j.here.Partition]++
	}
	for herd, n := range perHerd {
		w.Gauge("rink_node_jobs", "jobs on the node", n, "node", node, "partition", herd)
	}
	if a.gear.lib == nil {
		return w.Text()
	}
	uses, err := a.gear.lib.Uses()
	if err != nil {
		a.log.Warn("cannot see what the GPUs do", "error", err)
	}
	signs, err := a.gear.lib.Signs()
	if err != nil {
		a.log.Warn("cannot read the health of GPUs", "error", err)
	}
	for i, g := range a.gear.gpus {
		labels := []string{"node", node, "gpu", strconv.Itoa(i), "uuid", g.UUID, "name", g.Name}
		w.Gauge("rink_gpu_memory_bytes", "memory of a GPU", float64(g.Memory)*(1<<20), labels...)
		if i < len(uses) {
			w.Gauge("rink_gpu_busy_ratio", "part of the time lately that something ran on a GPU", uses[i].Busy, labels...)
			w.Gauge("rink_gpu_memory_used_bytes", "memory of a GPU that is in use", float64(uses[i].Memory), labels...)
			w.Counter("rink_gpu_energy_joules_total", "what a GPU has drawn since its driver was loaded", float64(uses[i].Energy)/1e3, labels...)
		}
		if i < len(signs) {
			s := signs[i]
			w.Gauge("rink_gpu_temperature_celsius", "temperature of a GPU", float64(s.Temperature), labels...)
			w.Gauge("rink_gpu_power_watts", "what a GPU draws", float64(s.PowerMilliW)/1e3, labels...)
			w.Counter("rink_gpu_uncorrected_errors_total", "memory errors nobody could correct, since the driver was loaded", float64(s.Uncorrected), labels...)
			w.Gauge("rink_gpu_throttled", "1 while the hardware slows a GPU down", oneIf(s.Throttled != ""), append(labels, "why", s.Throttled)...)
		}
		why := a.gear.why(i)
		w.Gauge("rink_gpu_healthy", "0 while a GPU is out of service", oneIf(why == ""), append(labels, "why", why)...)
	}
	procs, err := a.gear.lib.Processes(0)
	if err != nil {
		a.log.Warn("cannot see who holds the memory of GPUs", "error", err)
	}
	memory := memoryByJob(procs)
	rates, used := a.meter.told()
	type sum struct{ gpus, busy, memory float64 }
	herds := map[string]sum{}
	for herd := range used {
		herds[herd] = sum{}
	}
	for _, j := range jobs {
		for _, d := range a.gear.heldGPUs(heldByJob(j.here)) {
			i := d.at
			labels := []string{"node", node, "gpu", strconv.Itoa(i), "job", strconv.Itoa(int(j.key.job)), "user", j.here.User,
				"account", j.here.Account, "partition", j.here.Partition}
			rate, held := rates[j.key][i], float64(memory[j.key][i])
			w.Gauge("rink_job_gpu", "1 for each GPU a job has, whole or in parts", 1, labels...)
			w.Gauge("rink_job_gpu_memory_used_bytes", "memory of a GPU that a job's processes hold", held, labels...)
			w.Gauge("rink_job_gpu_busy_ratio", "part of a GPU that a job used when it was last looked", rate, labels...)
			h := herds[j.here.Partition]
			herds[j.here.Partition] = sum{h.gpus + 1, h.busy + rate, h.memory + held}
		}
	}
	for herd, h := range herds {
		labels := []string{"node", node, "partition", herd}
		w.Gauge("rink_herd_gpus", "GPUs that the jobs of a herd have, whole or in parts", h.gpus, labels...)
		w.Gauge("rink_herd_gpu_memory_used_bytes", "memory of GPUs that the jobs of a herd hold", h.memory, labels...)
		w.Gauge("rink_herd_gpus_busy", "how many GPUs' worth the jobs of a herd used when it was last looked", math.Round(1e3*h.busy)/1e3, labels...)
		w.Counter("rink_herd_gpu_busy_seconds_total", "time that the jobs of a herd have used GPUs since the agent came up", used[herd].busy.Seconds(), labels...)
		w.Counter("rink_herd_gpu_energy_joules_total", "what GPUs have drawn for the jobs of a herd since the agent came up", used[herd].joules, labels...)
	}
	return w.Text()
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// why is why a GPU is out of service, "" when it is not.
func (g *gear) why(i int) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.health[i].Why()
}

// memoryByJob adds up, by the driver's number of the GPU, what the processes of each
// job hold.
func memoryByJob(procs []probe.Process) map[jobKey]map[int]int64 {
	held := map[jobKey]map[int]int64{}
	for _, p := range procs {
		if k, _, ok := groupOfProcess(p.PID); ok {
			if held[k] == nil {
				held[k] = map[int]int64{}
			}
			held[k][p.GPU] += p.Memory
		}
	}
	return held
}
