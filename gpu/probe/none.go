//go:build !cgo

package probe

import (
	"context"
	"time"

	"github.com/runink/rink/gpu"
)

// Library stands in for NVML in a build without cgo, which cannot load it.
type Library struct{}

// Open returns ErrNone.
func Open() (*Library, error) { return nil, ErrNone }

// The questions of a library that is never there.
func (*Library) Close()                                     {}
func (*Library) Versions() Versions                         { return Versions{} }
func (*Library) GPUs() ([]gpu.GPU, error)                   { return nil, ErrNone }
func (*Library) Uses() ([]Use, error)                       { return nil, ErrNone }
func (*Library) Signs() ([]Signs, error)                    { return nil, ErrNone }
func (*Library) Processes(time.Duration) ([]Process, error) { return nil, ErrNone }
func (*Library) Profiles(string) []gpu.Profile              { return nil }
func (*Library) Whole(string) error                         { return ErrNone }
func (*Library) ResetClocks(string) error                   { return ErrNone }
func (*Library) Fabric() (gpu.Fabric, bool)                 { return gpu.Fabric{}, false }
func (*Library) Watch(context.Context, func(Event)) error   { return ErrNone }

func (*Library) Cut(string, []string) ([]gpu.Instance, error)   { return nil, ErrNone }
func (*Library) Instances(string) ([]gpu.Instance, error)       { return nil, ErrNone }
func (*Library) SetClocks(string, gpu.Clocks) (int, int, error) { return 0, 0, ErrNone }
