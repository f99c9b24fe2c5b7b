package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strconv"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Is reports whether an error is the given Errno.
func Is(err error, errno slurm.Errno) bool {
	var got slurm.Errno
	return errors.As(err, &got) && got == errno
}

// LookupUID reads a user's name or number.
func LookupUID(name string) (uint32, error) {
	if u, err := hostuser.Lookup(name); err == nil {
		name = u.Uid
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, user.UnknownUserError(name)
	}
	return uint32(n), nil
}

// ListJobs gathers a whole listing. A reference to a job that is not known is
// an error when it is the only one.
func ListJobs(ctx context.Context, c *Client, req *rinkpb.ListJobsRequest) ([]*sched.Job, error) {
	stream, err := c.ListJobs(ctx, req)
	if err != nil {
		return nil, CallErr(err)
	}
	var jobs []*sched.Job
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return jobs, nil
		}
		if err != nil {
			return nil, CallErr(err)
		}
		for _, p := range page.Jobs {
			j, err := api.JobFromProto(p)
			if err != nil {
				return nil, fmt.Errorf("the controller sent a job that makes no sense: %w", err)
			}
			jobs = append(jobs, j)
		}
		if err := StatusErr(page.Status); err != nil {
			return jobs, err
		}
	}
}
