//go:build !cgo

package probe

// Uses tells what the machine's GPUs are doing.
func Uses() ([]Use, error) { return nil, ErrNone }
