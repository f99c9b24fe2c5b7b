package ctld

import (
	"github.com/runink/rink/sched"
)

// onNode notes where what a node's agent tells of was used.
func onNode(u sched.Usage, node sched.NodeName) sched.Usage {
	if u.MaxRSSNode == "" {
		u.MaxRSSNode = node
	}
	for _, t := range u.Extremes() {
		if t.Low.Node == "" {
			t.Low.Node = node
		}
		if t.High != nil && t.High.Node == "" {
			t.High.Node = node
		}
	}
	return u
}
