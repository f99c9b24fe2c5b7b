package sched

import (
	"time"

	"github.com/runink/rink/slurm"
)

// SimGaveWay counts how often jobs gave way to others in a replay, by what became
// of them.
type SimGaveWay struct{ Ended, Requeued, Suspended int }

// giveWay does to a running job what a plan says: it is suspended, ended or sent
// back into the queue, at once or when its grace is over.
func (r *replay) giveWay(p *Preempt) {
	k, v, to := int(p.Job)-1, r.records[p.Job-1], r.records[p.For-1]
	if v == nil || to == nil || v.Restarts != p.Restarts || v.PreemptedFor != 0 || p.Mode == PreemptOff || !to.IsPending() || !v.IsRunning() && !v.IsSuspended() {
		return
	}
	was := *to
	if until := r.at.Add(p.Grace); until.After(to.RoomMade) {
		to.RoomMade = until
	}
	to.RoomOn = p.Alloc
	r.live.Job(&was, to)

	was = *v
	if p.Mode == PreemptSuspend {
		if !v.IsRunning() {
			return
		}
		v.Preempted, v.PreemptedFor, v.PreemptMode = r.at, p.For, p.Mode
		v.State, v.Suspended, v.CPUsFree = slurm.JobSuspended, r.at, true
		r.left[k], r.end[k] = r.end[k]-r.now, notRunning
		r.gaveWay.Suspended++
		r.live.Job(&was, v)
		return
	}
	v.Preempted, v.PreemptedFor, v.PreemptMode = r.at, p.For, p.Mode
	end := r.now + int64((p.Grace+time.Second-1)/time.Second)
	if at := time.Unix(end, 0).UTC(); v.End.IsZero() || v.End.After(at) {
		v.End = at
	}
	r.live.Job(&was, v)
	if end < r.end[k] {
		r.cut[k] = p.Mode
		r.endsAt(k, end)
	}
	if end == r.now {
		r.endJob(k)
	}
}

// resume lets a job go on that was suspended for another.
func (r *replay) resume(p *Resume) {
	k, v := int(p.Job)-1, r.records[p.Job-1]
	if v == nil || v.Restarts != p.Restarts || !v.GaveWay() {
		return
	}
	was := *v
	paused := r.at.Sub(v.Suspended)
	v.State, v.CPUsFree, v.SuspendedFor = slurm.JobRunning, false, v.SuspendedFor+paused
	v.Preempted, v.PreemptedFor, v.PreemptMode = time.Time{}, 0, PreemptOff
	if !v.End.IsZero() {
		v.End = v.End.Add(paused)
	}
	r.live.Job(&was, v)
	r.paused[k] += int64(paused / time.Second)
	r.endsAt(k, r.now+r.left[k])
	delete(r.left, k)
}

// requeue sends a job that gave way back into the queue, where it waits for a while
// before it may start anew.
func (r *replay) requeue(k int) {
	j := r.records[k]
	was := *j
	j.State, j.Restarts = slurm.JobPending, j.Restarts+1
	j.Submit, j.Eligible, j.Begin = r.at, time.Time{}, r.at.Add(RequeueDelay(r.Config))
	j.Start, j.End, j.Suspended, j.SuspendedFor = time.Time{}, time.Time{}, time.Time{}, 0
	j.Alloc, j.CPUsFree = nil, false
	j.Preempted, j.PreemptedFor, j.PreemptMode = time.Time{}, 0, PreemptOff
	j.RoomMade, j.RoomOn = time.Time{}, nil
	j.Eligible = j.Begin
	if r.period > 0 {
		r.waiting = append(r.waiting, k)
	}
	r.runs[k] = SimRun{-1, -1}
	delete(r.paused, k)
	r.gaveWay.Requeued++
	r.live.Job(&was, j)
}
