// Package probe asks NVIDIA's management library (NVML) about this machine's GPUs.
package probe

import (
	"errors"

	"github.com/runink/rink/gpu"
)

// ErrNone tells that there are no GPUs to ask about: no driver, which is normal, or
// a build without cgo.
var ErrNone = errors.New("no NVML on this machine")

// Use is what a GPU, or an instance of one, is doing.
type Use struct {
	Busy   float64 // part of the time lately that something ran on it
	Memory int64   // bytes in use
	Energy int64   // millijoules since the driver was loaded; 0 when it does not tell
	Lists  bool    // whether the driver tells of the processes on it
}

// Process is one that uses a GPU.
type Process struct {
	PID    int
	GPU    int   // the driver's number
	GI     int   // of the GPU instance; -1: the whole GPU
	Memory int64 // bytes it holds there
	// Busy is the part of the time lately that it ran something there. A process that
	// ended lately may be told of with this alone.
	Busy float64
}

// Event is an error a driver told of.
type Event struct {
	GPU int // the driver's number; -1: it did not say
	XID uint64
}

// Versions are those of the driver and of what it can run.
type Versions struct {
	Driver string
	CUDA   string // such as 12.4
}

// Signs are what the driver tells of the health of each GPU, in its order.
type Signs = gpu.Signs
