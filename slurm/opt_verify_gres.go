package slurm

import (
	"errors"
	"fmt"
	"slices"
)

// verifyGres checks that what is asked of GPUs can be true at once, as Slurm's
// commands do before they submit. A step inside a job is its job's to check.
func (r *optionReader) verifyGres() error {
	job := r.job()
	if r.badGres != nil {
		code := ErrnoInvalidGres
		errors.As(r.badGres, &code)
		return r.errorf(1, "%s", code.Error())
	}
	if mixesTypes(slices.Concat(job.Gres, job.GPUs, job.GPUsPerNode, job.GPUsPerSocket, job.GPUsPerTask)) {
		return r.errorf(1, "%s", ErrnoInvalidGresType.Error())
	}
	if r.cmd == Srun && job.JobID != "" {
		return nil
	}
	if why := r.gpuConflict(); why != "" {
		e := r.errorf(1, "%s", why)
		e.Lines = append(e.Lines, r.errorf(1, "%s", ErrnoInvalidGres.Error()).Lines...)
		return e
	}
	return nil
}

// mixesTypes reports whether one name appears with and without a type.
func mixesTypes(g Gres) bool {
	typed, plain := map[string]bool{}, map[string]bool{}
	for _, item := range g {
		if item.Type != "" {
			typed[item.Name] = true
		} else {
			plain[item.Name] = true
		}
		if typed[item.Name] && plain[item.Name] {
			return true
		}
	}
	return false
}

// gpuConflict says which two requests for GPUs contradict each other.
func (r *optionReader) gpuConflict() string {
	job := r.job()
	total, perTask, perSocket := job.GPUs.Total("gpu"), job.GPUsPerTask.Total("gpu"), job.GPUsPerSocket.Total("gpu")
	perNode := max(job.GPUsPerNode.Total("gpu"), job.Gres.Total("gpu"))
	asked := total+perTask+perSocket+perNode > 0
	tasks := int64(0)
	if r.given("ntasks") {
		tasks = int64(job.NTasks)
	}
	low, high := int64(job.MinNodes), int64(job.MaxNodes)
	if r.given("nodes") && high == 0 {
		high = low
	}
	if perTask > 0 && tasks == 0 && r.given("nodes") && low == high {
		tasks = low // a number of nodes is a number of tasks
	}
	switch {
	case job.CPUsPerGPU > 0 && job.CPUsPerTask > 0:
		return "--cpus-per-gpu is mutually exclusive with --cpus-per-task"
	case job.MemPerGPU > 0 && !asked:
		return fmt.Sprintf("Requested mem_per_tres=gres:gpu:%d but did not request any GPU.", job.MemPerGPU)
	case perSocket > 0 && job.SocketsPerNode == 0:
		return "--gpus-per-socket option requires --sockets-per-node specification"
	case perSocket > 0 && perNode > 0 && perNode != perSocket*int64(job.SocketsPerNode):
		return "Failed to validate job spec. Based on --gres=gpu/--gpus-per-node and --gpus-per-socket required number of sockets differ from --sockets-per-node."
	case perNode > 0 && perTask > 0 && perNode%perTask != 0:
		return "Failed to validate job spec, --gres=gpu/--gpus-per-node not multiple of --gpus-per-task."
	case perNode > 0 && perTask > 0 && job.NTasksPerNode > 0 && perNode/perTask != int64(job.NTasksPerNode):
		return "Failed to validate job spec. Based on --gres=gpu/--gpus-per-node and --gpus-per-task requested number of tasks per node differ from --ntasks-per-node."
	case perTask > 0 && total == 0 && tasks == 0:
		return "Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed."
	case perTask > 0 && total > 0 && total < perTask:
		return "Failed to ensure --gpus >= --gpus-per-task"
	case perTask > 0 && total > 0 && total%perTask != 0:
		return "Failed to validate job spec, --gpus not multiple of --gpus-per-task"
	case perTask > 0 && total > 0 && tasks > 0 && total/perTask != tasks:
		return "Failed to validate job spec. Based on --gpus and --gpus-per-task number of requested tasks differ from -n/--ntasks."
	case perNode > 0 && total > 0 && total < perNode:
		return "Failed to ensure --gpus >= --gres=gpu/--gpus-per-node >= --gpus-per-socket"
	case perNode > 0 && total > 0 && total%perNode != 0:
		return "Failed to validate job spec, --gpus is not multiple of --gres=gpu/--gpus-per-node"
	case perNode > 0 && total > 0 && r.given("nodes") && (total/perNode < low || total/perNode > high):
		return fmt.Sprintf("Failed to validate job spec. Based on --gpu and --gres=gpu/--gpus-per-node required nodes (%d)"+
			" doesn't fall between min_nodes (%d) and max_nodes (%d) boundaries.", total/perNode, low, high)
	case r.given("nodes") && slices.ContainsFunc(job.GPUs, func(g GresItem) bool { return g.Count > 0 && g.Count < low }):
		return "Failed to validate job spec, --gpus < -N"
	case job.NTasksPerGPU > 0 && r.given("ntasks") && job.NTasks%job.NTasksPerGPU != 0:
		return "Failed to validate job spec, -n/--ntasks has to be a multiple of --ntasks-per-gpu."
	case job.NTasksPerGPU > 0 && !asked && tasks == 0 && !r.given("nodes"):
		return "gres_job_state_validate: --ntasks-per-tres needs either a GRES GPU specification or a node/ntask specification"
	}
	return ""
}
