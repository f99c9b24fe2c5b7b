//go:build !cgo

// Package probe asks NVIDIA's management library about this machine's GPUs.
// This build has no cgo and cannot load the library.
package probe

import (
	"errors"

	"github.com/runink/rink/gpu"
)

// ErrNone tells that the machine's GPUs cannot be asked for.
var ErrNone = errors.New("built without cgo, and so without NVML")

// GPUs lists the machine's GPUs.
func GPUs() ([]gpu.GPU, error) { return nil, ErrNone }
