package ctld

import (
	"context"
	"fmt"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// maxCrontab bounds the text of a crontab, in bytes.
const maxCrontab = 1 << 20

// cronUser is whose crontab a request is about: the caller's own, or for root
// another's.
func (c *controller) cronUser(ctx context.Context, name string) (auth.User, error) {
	_, u, err := c.caller(ctx)
	if err != nil || name == "" || name == u.Name {
		return u, err
	}
	if !c.s.operator(u.UID) {
		return u, slurm.ErrnoAccessDenied
	}
	who, err := c.s.users.ByName(name)
	if err != nil {
		return u, fmt.Errorf("Invalid user id %q: %w", name, slurm.ErrnoUserIDMissing)
	}
	return who, nil
}

// cronEnabled refuses crontabs unless ScronParameters says enable, as Slurm does.
func (c *controller) cronEnabled() error {
	on := false
	c.s.barn.Read(func(t *state.State) {
		if conf := t.Config(); conf != nil {
			_, yes := conf.Conf.ScronParameters.Get("enable")
			_, no := conf.Conf.ScronParameters.Get("disable")
			on = yes && !no
		}
	})
	if !on {
		return slurm.ErrnoDisabled
	}
	return nil
}

// GetCrontab returns a user's crontab.
func (c *controller) GetCrontab(ctx context.Context, req *rinkpb.GetCrontabRequest) (*rinkpb.CrontabReply, error) {
	u, err := c.cronUser(ctx, req.User)
	if err == nil {
		err = c.cronEnabled()
	}
	if err != nil {
		return &rinkpb.CrontabReply{Status: refuse(err)}, nil
	}
	reply := &rinkpb.CrontabReply{Status: &rinkpb.Status{}, None: true}
	c.s.barn.Read(func(t *state.State) {
		if tab := t.Crontab(u.UID); tab != nil {
			reply.Text, reply.None = tab.Text, false
			for _, id := range tab.Jobs {
				reply.Jobs = append(reply.Jobs, uint32(id))
			}
		}
	})
	return reply, nil
}

// SetCrontab replaces a user's crontab and the jobs that stand for its lines.
func (c *controller) SetCrontab(ctx context.Context, req *rinkpb.SetCrontabRequest) (*rinkpb.CrontabReply, error) {
	u, err := c.cronUser(ctx, req.User)
	if err == nil {
		err = c.cronEnabled()
	}
	if err == nil && len(req.Text) > maxCrontab {
		err = fmt.Errorf("a crontab of %d bytes, at most %d: %w", len(req.Text), maxCrontab, slurm.ErrnoPathnameTooLong)
	}
	if err != nil {
		return &rinkpb.CrontabReply{Status: refuse(err)}, nil
	}
	cmd := state.SetCrontab{UID: u.UID, User: u.Name, Text: req.Text}
	now := time.Now()
	for _, jr := range req.Jobs {
		line := jr.GetOptions().GetCronLine()
		spec, err := slurm.ParseCron(jr.GetOptions().GetCron())
		var one state.SubmitJobs
		var notes []string
		if err == nil {
			jr.Options.Begin = api.TimeToProto(spec.Next(now))
			one, notes, err = c.resolve(&rinkpb.SubmitRequest{Jobs: []*rinkpb.JobRequest{jr}}, u)
		}
		if err == nil && one.Jobs[0].Tasks.Len() > 0 {
			err = slurm.ErrnoInvalidArray
		}
		if err != nil {
			return &rinkpb.CrontabReply{Status: refuse(err, notes...), FailedLine: line}, nil
		}
		j := one.Jobs[0]
		j.UID, j.GID, j.User, j.Group = u.UID, u.GID, u.Name, u.Group
		j.Requeue = true // it goes back into the queue after each turn
		cmd.Submit.Jobs = append(cmd.Submit.Jobs, j)
		cmd.Submit.Blobs = append(cmd.Submit.Blobs, one.Blobs...)
	}
	results, err := c.s.barn.Propose(ctx, actor(u), cmd)
	if err != nil {
		return nil, unavailable(err)
	}
	if err := results[0].Err; err != nil {
		return &rinkpb.CrontabReply{Status: refuse(err, linesOf(err)...)}, nil
	}
	reply := &rinkpb.CrontabReply{Status: &rinkpb.Status{}, Text: req.Text}
	for _, id := range results[0].Jobs {
		reply.Jobs = append(reply.Jobs, uint32(id))
	}
	return reply, nil
}

// cronTurns puts jobs of crontabs whose turn is over back into the queue, for the
// next one. It is the leader's, once a second; what was committed is not done
// twice, since a job that waits has no turn that is over.
func cronTurns(st *state.State, now time.Time) []state.Command {
	var cmds []state.Command
	for _, j := range st.CronDone() {
		spec, err := slurm.ParseCron(j.Spec.Cron)
		if err != nil {
			continue // it could be read when it was submitted
		}
		cmds = append(cmds, state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobCancelled, Requeue: true, NotBefore: spec.Next(now)})
	}
	return cmds
}

// explicitCron reports whether ending a job of a crontab takes scancel --cron.
func explicitCron(t *state.State) bool {
	_, ok := t.Config().Conf.ScronParameters.Get("explicit_scancel")
	return ok
}

// isCron reports whether a job stands for a line of a crontab.
func isCron(j *sched.Job) bool { return j.Spec != nil && j.Spec.Cron != "" }
