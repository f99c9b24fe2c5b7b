package scontrol

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
)

// jobWaits are the lines of --details that say, for each partition of a pending
// job, what it lacks and how many are ahead; "rink why" says more. Where the
// controller does not tell there are none.
func (c *call) jobWaits(r *record, j *show.Job) {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Explain(ctx, &rinkpb.ExplainRequest{Job: uint32(j.ID)})
	if err != nil || reply.GetStory() == nil {
		return
	}
	story, err := api.StoryFromProto(reply.Story)
	if err != nil {
		return
	}
	for i := range story.Places {
		p := &story.Places[i]
		r.line("WaitsIn", string(p.Partition), "JobsAhead", strconv.Itoa(p.Ahead), "NodesReady", fmt.Sprintf("%d/%d", p.ReadyNodes, p.Wanted.MinNodes),
			"TasksReady", fmt.Sprintf("%d/%d", p.ReadyTasks, p.Wanted.Tasks), "Lacks", show.Or(lacks(p), show.Null))
	}
}

// lacks lists what is there of what is wanted: the partition's bar, or for each
// kind of nodes that are full what the closest of them has.
func lacks(p *sched.Place) string {
	var parts []string
	add := func(list []sched.Obstacle) {
		for _, o := range list {
			where := ""
			if o.Where != "" {
				where = "@" + o.Where
			}
			parts = append(parts, fmt.Sprintf("%s:%d/%d%s", strings.ReplaceAll(o.What, " ", "_"), o.There, o.Asked, where))
		}
	}
	add(p.Bar.Detail)
	for i := range p.Kinds {
		add(p.Kinds[i].Short)
	}
	return strings.Join(parts, ",")
}
