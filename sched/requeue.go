package sched

import (
	"time"
)

// RequeueDelay is how long a job that was sent back into the queue stays out of the
// running: for as long as what its nodes were told of its earlier run holds, and a
// second more, or as SchedulerParameters=requeue_delay says.
func RequeueDelay(cfg *Config) time.Duration {
	c := conf(cfg)
	if n := c.SchedulerParameters.Int("requeue_delay", -1); n >= 0 {
		return time.Duration(n) * time.Second
	}
	const expire = 120
	return time.Duration(c.AuthInfo.Int("cred_expire", expire)+1) * time.Second
}

// MaxRequeues is how often a batch job that cannot be started is sent back into the
// queue before it is held.
func MaxRequeues(cfg *Config) uint32 {
	c := conf(cfg)
	n := c.SchedulerParameters.Int("max_batch_requeue", -1)
	if n < 0 {
		n = c.MaxBatchRequeue
	}
	return uint32(max(n, 0))
}
