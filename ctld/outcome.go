package ctld

import (
	"cmp"
	"slices"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// outcomeOf is the answer for one record that a reference named, with the tasks
// it stands for.
func outcomeOf(what string, tg target) *rinkpb.Outcome {
	out := &rinkpb.Outcome{What: what, Job: uint32(tg.job.ID), Status: &rinkpb.Status{}}
	if j := tg.job; j.ArrayID != 0 {
		tasks := tg.tasks
		switch {
		case tasks.Len() > 0:
		case j.IsArrayRest():
			tasks = j.Tasks
		default:
			tasks = slurm.NewIndexSet(j.TaskID)
		}
		out.Array, out.Tasks = uint32(j.ArrayID), api.IndexSetToProto(tasks)
	}
	return out
}

// nameOf is what answers call a job that was not named by a number.
func nameOf(j *sched.Job) string {
	if j.ArrayID != 0 {
		return j.ArrayID.String()
	}
	return j.ID.String()
}

// absent is the answer for what a reference named and is not there: a job, or
// some of the tasks of an array, of which found are there. It is nil when all are.
func absent(t *state.State, ref *rinkpb.JobRef, found []target) *rinkpb.Outcome {
	out := &rinkpb.Outcome{What: refName(ref), Job: ref.Job, Status: refuse(slurm.ErrnoInvalidJobID)}
	want, err := api.IndexSetFromProto(ref.Tasks)
	if ref.HasTask {
		want = slurm.NewIndexSet(ref.Task)
	}
	if err != nil || want.Len() == 0 {
		if len(found) > 0 {
			return nil
		}
		return out
	}
	own := make([]uint32, 0, len(found)) // taken out together: one by one costs the set each time
	for _, tg := range found {
		if tg.tasks.Len() > 0 {
			want = want.Minus(tg.tasks)
		} else {
			own = append(own, tg.job.TaskID)
		}
	}
	if want = want.Minus(slurm.NewIndexSet(own...)); want.Len() == 0 {
		return nil
	}
	out.Array, out.Tasks = ref.Job, api.IndexSetToProto(want)
	return out
}

// changeOf is the command that changes one record. A task that has its array's
// own id is named as a task: the id alone means the whole array.
func changeOf(tg target, change state.JobChange) state.UpdateJob {
	up := state.UpdateJob{Job: tg.job.ID, Tasks: tg.tasks, Change: change}
	if j := tg.job; j.ID == j.ArrayID && !j.IsArrayRest() {
		up.Tasks = slurm.NewIndexSet(j.TaskID)
	}
	return up
}

// topOf puts a job ahead of its owner's others that wait and are alike: it gets the highest
// priority among them. What it gets they give, so that their owner as a whole gains nothing:
// the same each, what cannot be shared out evenly the last of them; none stays as high.
func topOf(t *state.State, tg target) []state.Command {
	j := tg.job
	var others []*sched.Job
	best := j.Priority
	for other := range t.Pending() {
		if other.ID != j.ID && other.UID == j.UID && other.Account == j.Account && other.QOS == j.QOS && slices.Equal(other.Partitions, j.Partitions) &&
			other.HeldBy == sched.HeldByNobody {
			others = append(others, other)
			best = max(best, other.Priority)
		}
	}
	if len(others) == 0 {
		return nil
	}
	slices.SortFunc(others, func(a, b *sched.Job) int { return cmp.Compare(a.ID, b.ID) })
	toGive := int(best - j.Priority)
	nice := j.Nice - toGive
	cmds := []state.Command{changeOf(tg, state.JobChange{Nice: &nice})}
	for i, other := range others {
		share := toGive / (len(others) - i)
		toGive -= share
		if int64(other.Priority)-int64(share) >= int64(best) {
			share++
		}
		if share > 0 {
			down := other.Nice + share
			cmds = append(cmds, changeOf(target{job: other}, state.JobChange{Nice: &down}))
		}
	}
	return cmds
}
