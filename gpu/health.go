package gpu

import (
	"fmt"
	"strings"
	"time"
)

// Signs is what a driver tells of a GPU's health at one moment.
type Signs struct {
	Lost          bool   // the driver cannot reach it
	RemapFailed   bool   // no spare row was left for one that broke
	Uncorrected   uint64 // memory errors nobody could correct, since the driver was loaded
	Throttled     string // why the hardware slows it down; "" when it does not
	Temperature   int    // degrees Celsius; 0: not told
	PowerMilliW   int
	RemapsPending bool // a row is to be replaced when the GPU is reset
}

// grave are the errors (XID) after which a GPU is no longer to be relied upon, by
// NVIDIA's "XID Errors" document. All others are of a program's making, or tell of
// something that was dealt with.
var grave = map[uint64]string{
	46: "GPU stopped processing", 48: "double bit ECC error", 62: "internal micro-controller halt", 64: "row remapping failure",
	74: "NVLink error", 79: "GPU has fallen off the bus", 92: "high single-bit ECC error rate", 95: "uncontained ECC error",
	110: "security fault error", 119: "GSP RPC timeout", 120: "GSP error", 136: "link training failed", 140: "unrecovered ECC error",
	143: "GPU initialization error",
}

// Grave says what an error means when it is one that takes a GPU out of service.
func Grave(xid uint64) (string, bool) {
	what, ok := grave[xid]
	return what, ok
}

// Health is what is thought of one GPU: signs and errors go in, a reason comes out
// for as long as it should not be used. The zero value is a healthy one.
type Health struct {
	xid   uint64
	last  time.Time // of the last error, or the last bad sign after it
	signs Signs
}

// Error notes an error the driver told of.
func (h *Health) Error(xid uint64, at time.Time) {
	if _, bad := Grave(xid); bad {
		h.xid, h.last = xid, at
	}
}

// See notes what the driver tells now. Errors are forgotten when it has told
// nothing bad for so long since.
func (h *Health) See(s Signs, at time.Time, quiet time.Duration) {
	h.signs = s
	if h.xid == 0 {
		return
	}
	if s.why() != "" {
		h.last = at
	}
	if at.Sub(h.last) >= quiet {
		h.xid = 0
	}
}

// Why is why the GPU should not be used, "" when it may be.
func (h *Health) Why() string {
	var why []string
	if h.xid != 0 {
		what, _ := Grave(h.xid)
		why = append(why, fmt.Sprintf("XID %d: %s", h.xid, what))
	}
	if w := h.signs.why(); w != "" {
		why = append(why, w)
	}
	return strings.Join(why, "; ")
}

func (s Signs) why() string {
	switch {
	case s.Lost:
		return "the driver has lost it"
	case s.RemapFailed:
		return "row remapping has failed"
	}
	return ""
}
