//go:build !amd64 && !arm64

package slice

// There is no profile for this processor; a slice that wants one does not start.
const (
	auditArch  = 0
	foreignABI = 0
)

var archCalls []uintptr
