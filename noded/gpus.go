package noded

import (
	"errors"
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu/probe"
)

// findGPUs lists the machine's GPUs as generic resources, one entry a type. No
// driver is normal and said once.
func (a *Agent) findGPUs() []*rinkpb.NodeGres {
	list, err := probe.GPUs()
	if err != nil {
		if errors.Is(err, probe.ErrNone) {
			a.log.Info("no GPUs found", "why", err)
		} else {
			a.log.Warn("cannot look for GPUs", "error", err)
		}
		return nil
	}
	var out []*rinkpb.NodeGres
	for _, g := range list {
		n := len(out)
		if n == 0 || out[n-1].Type != g.Type() {
			out = append(out, &rinkpb.NodeGres{Name: "gpu", Type: g.Type()})
			n++
		}
		out[n-1].Count++
		out[n-1].Files = append(out[n-1].Files, fmt.Sprintf("/dev/nvidia%d", g.Minor))
	}
	return out
}
