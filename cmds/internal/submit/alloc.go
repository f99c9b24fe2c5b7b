package submit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api/call"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// NewKey names a request, so that it is carried out once however often it is
// sent.
func NewKey() string {
	raw := make([]byte, 16)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}

// submitFor is how long a submission is tried again while no controller leads.
const submitFor = 2 * time.Minute

// Send submits until it is known what became of it. The key makes a second try
// find what the first one did.
func Send(env *cli.Env, client *cli.Client, req *rinkpb.SubmitRequest) (*rinkpb.SubmitReply, error) {
	ctx, cancel := env.Call(submitFor)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		reply, err := client.Submit(ctx, req)
		if err == nil && !cli.Is(cli.StatusErr(reply.Status), slurm.ErrnoAgain) {
			return reply, nil
		}
		if err != nil && call.CodeOf(err) != call.Unavailable {
			return nil, cli.CallErr(err)
		}
		select {
		case <-ctx.Done():
			if err == nil {
				return reply, nil
			}
			return nil, cli.CallErr(err)
		case <-time.After(pause):
		}
	}
}

// Allocation is a job without a script, held for a command on this host.
type Allocation struct {
	Job *sched.Job
	IDs []slurm.JobID // of all components, Job's first
}

// Allocate asks for resources and waits until they are granted. It says, as
// Slurm does, when that takes time. A context that ends takes the request back.
func Allocate(ctx context.Context, env *cli.Env, client *cli.Client, comps []slurm.CommandOptions, quiet bool, prefix string) (*Allocation, error) {
	req := &rinkpb.SubmitRequest{Key: NewKey(), Het: len(comps) > 1}
	for i := range comps {
		o := &comps[i]
		if o.Refused != nil {
			return nil, o.Refused
		}
		o.Job.WorkDir = WorkDir(env, o.Job.WorkDir)
		job := &rinkpb.JobRequest{Options: api.JobOptionsToProto(&o.Job)}
		if err := Whereabouts(env, job, o); err != nil {
			return nil, err
		}
		req.Jobs = append(req.Jobs, job)
	}
	reply, err := Send(env, client, req)
	if err != nil {
		return nil, err
	}
	for _, line := range reply.Messages {
		fmt.Fprintf(env.Stderr, "%s: %s\n", env.Name, line)
	}
	for _, line := range reply.Status.GetDetails() {
		env.Errorf("%s", line)
	}
	if err := cli.StatusErr(reply.Status); err != nil {
		return nil, err
	}
	got, err := waitGranted(ctx, env, client, reply.Ids[0], comps, quiet, prefix)
	if err != nil {
		return nil, err
	}
	for _, id := range reply.Ids {
		got.IDs = append(got.IDs, slurm.JobID(id))
	}
	return got, nil
}

// waitGranted follows the job until it holds its resources. One of several components
// is always said to wait: Slurm starts none at once.
func waitGranted(ctx context.Context, env *cli.Env, client *cli.Client, id uint32, comps []slurm.CommandOptions, quiet bool, prefix string) (*Allocation, error) {
	var deadline <-chan time.Time
	o := &comps[0]
	if limit := o.Job.Immediate; limit > 0 {
		quiet = quiet || limit == 1 // who does not wait is not told of it
		deadline = time.After(time.Duration(limit) * time.Second)
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	updates := make(chan *sched.Job)
	failed := make(chan error, 1)
	go func() { failed <- follow(watch, client, &rinkpb.WaitJobRequest{Job: id, UntilStarted: true}, updates) }() // ends with watch
	said := false
	var pending *sched.Job // as it waits
	say := func() {
		if !said && !quiet {
			if pending != nil && notNow(pending) != 0 {
				env.Infof("%s", notNow(pending))
			}
			if env.Name == "salloc" {
				env.Infof("Pending job allocation %d", id)
			}
			env.Infof("%s %d queued and waiting for resources", prefix, id)
		}
		said = true
	}
	patience := time.After(150 * time.Millisecond)
	for {
		select {
		case j := <-updates:
			switch {
			case j.State.Base() == slurm.JobPending:
				pending = j
				if why := notAtOnce(j); why != 0 && deadline != nil {
					Take(client, slurm.JobID(id))
					return nil, &BusyError{Job: id, Why: why}
				}
			case j.State.Base() == slurm.JobRunning:
				if len(comps) > 1 && !said {
					say()
				}
				if said && !quiet {
					env.Infof("%s %d has been allocated resources", prefix, id)
				}
				return &Allocation{Job: j}, nil
			default:
				return nil, &RevokedError{Job: id}
			}
		case <-patience:
			if pending != nil {
				say()
			}
		case <-deadline:
			Take(client, slurm.JobID(id))
			return nil, &BusyError{Job: id, Waited: o.Job.Immediate > 1}
		case err := <-failed:
			if ctx.Err() != nil {
				Take(client, slurm.JobID(id))
				return nil, &InterruptedError{Job: id}
			}
			return nil, err
		case <-ctx.Done():
			Take(client, slurm.JobID(id))
			return nil, &InterruptedError{Job: id}
		}
	}
}

// WaitReady waits until the nodes of an allocation are ready, which have a prolog to run
// or are being powered up, and says so.
func WaitReady(ctx context.Context, env *cli.Env, client *cli.Client, j *sched.Job, quiet bool) error {
	if !j.State.Has(slurm.JobConfiguring) {
		return nil
	}
	if !quiet {
		env.Infof("Waiting for resource configuration")
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	updates := make(chan *sched.Job)
	failed := make(chan error, 1)
	go func() { failed <- follow(watch, client, &rinkpb.WaitJobRequest{Job: uint32(j.ID)}, updates) }() // ends with watch
	for {
		select {
		case now := <-updates:
			switch {
			case now.State.Base() != slurm.JobRunning:
				return &RevokedError{Job: uint32(j.ID)}
			case !now.State.Has(slurm.JobConfiguring):
				if !quiet {
					var names []string
					for _, n := range now.Nodes() {
						names = append(names, string(n))
					}
					env.Infof("Nodes %s are ready for job", slurm.Compress(names))
				}
				return nil
			}
		case err := <-failed:
			if ctx.Err() != nil {
				return &InterruptedError{Job: uint32(j.ID)}
			}
			if err == nil {
				err = &RevokedError{Job: uint32(j.ID)}
			}
			return err
		}
	}
}

// notNow is the error Slurm's controller names for a job that it takes but
// does not consider now; 0 for one that just has to queue.
func notNow(j *sched.Job) slurm.Errno {
	switch j.Reason {
	case slurm.ReasonJobHeldUser, slurm.ReasonJobHeldAdmin:
		return slurm.ErrnoJobHeld
	case slurm.ReasonReqNodeNotAvail:
		return slurm.ErrnoNodeNotAvail
	case slurm.ReasonPartitionDown:
		return slurm.ErrnoPartitionDown
	case slurm.ReasonPartitionTimeLimit, slurm.ReasonPartitionNodeLimit, slurm.ReasonPartitionConfig,
		slurm.ReasonAccountNotAllowed, slurm.ReasonQOSNotAllowed:
		return slurm.ErrnoRequestedPartConfigUnavailable
	}
	return 0
}

// notAtOnce is the error Slurm's controller names to one that does not wait
// (--immediate) for a job that it does not consider now; 0 for one that just has to
// queue.
func notAtOnce(j *sched.Job) slurm.Errno {
	switch {
	case j.Reason == slurm.ReasonJobHeldUser || j.Reason == slurm.ReasonJobHeldAdmin || j.Reason == slurm.ReasonDependency || j.Reason == slurm.ReasonBeginTime:
		return slurm.ErrnoDependency
	case j.Reason.OfLimits():
		return slurm.ErrnoAccountingPolicy
	}
	return notNow(j)
}

// RevokedError tells that somebody ended an allocation before it began.
type RevokedError struct{ Job uint32 }

func (e *RevokedError) Error() string { return slurm.ErrnoAlreadyDone.Error() }

// InterruptedError tells that the caller's context ended before the allocation
// began, and that the request was taken back.
type InterruptedError struct{ Job uint32 }

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("Job allocation %d has been revoked", e.Job)
}

// BusyError tells that an allocation was not to be had within --immediate.
type BusyError struct {
	Job    uint32
	Why    slurm.Errno // why not at all now; 0: it was not granted in time
	Waited bool        // for longer than a moment
}

func (e *BusyError) Error() string {
	if e.Why != 0 {
		return e.Why.Error()
	}
	return slurm.ErrnoNodesBusy.Error()
}

// FailureCode is the exit code of a command that got no allocation: 1, or what
// the caller's environment says.
func FailureCode(env *cli.Env, err error) int {
	var busy *BusyError
	name := "SLURM_EXIT_ERROR"
	if errors.As(err, &busy) && busy.Why == 0 && env.Getenv("SLURM_EXIT_IMMEDIATE") != "" {
		name = "SLURM_EXIT_IMMEDIATE"
	}
	if code, err := strconv.Atoi(env.Getenv(name)); err == nil && code > 0 && code < 256 {
		return code
	}
	return 1
}

// Cause words what is wrong with a file as the C library does.
func Cause(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// follow sends a job's record whenever it changes, through changes of the
// controller that serves it.
func follow(ctx context.Context, client *cli.Client, req *rinkpb.WaitJobRequest, updates chan<- *sched.Job) error {
	for {
		stream, err := client.WaitJob(ctx, req)
		if err == nil {
			var p *rinkpb.Job
			for {
				if p, err = stream.Recv(); err != nil {
					break
				}
				j, bad := api.JobFromProto(p)
				if bad != nil {
					return bad
				}
				select {
				case updates <- j:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
		}
		if call.CodeOf(err) != call.Unavailable {
			return cli.CallErr(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Take cancels a request or an allocation that is no longer wanted.
func Take(client *cli.Client, id slurm.JobID) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client.Cancel(ctx, &rinkpb.CancelRequest{Refs: []*rinkpb.JobRef{{Job: uint32(id)}}})
}

// Release gives an allocation back, with the exit code of what ran in it.
func Release(client *cli.Client, id slurm.JobID, code, signal int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := client.CompleteJob(ctx, &rinkpb.CompleteJobRequest{
		Job: uint32(id), Exit: &rinkpb.ExitCode{Code: uint32(code) & 0xff, Signal: uint32(signal) & 0xff},
	})
	return cli.CallErr(err)
}
