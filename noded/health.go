package noded

import (
	"context"
	"os/exec"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// checkHealth runs HealthCheckProgram, at most one at a time, and reports how
// it ended when that changed, or when this agent has not said so yet.
func (a *Agent) checkHealth(ctx context.Context) {
	conf := a.liveConf()
	if conf.HealthCheckProgram == "" || !a.health.running.TryLock() {
		return
	}
	a.wg.Go(func() { // ends with the program
		defer a.health.running.Unlock()
		limit := seconds(conf.HealthCheckTimeout)
		if limit <= 0 {
			limit = time.Minute
		}
		err := a.runHook(ctx, "HealthCheckProgram", conf.HealthCheckProgram, limit, a.ownEnv())
		if ctx.Err() != nil {
			return
		}
		words := ""
		if err != nil {
			words = err.Error()
		}
		if a.health.known && words == a.health.words {
			return
		}
		a.health.known, a.health.words = true, words
		a.report(&rinkpb.Report{Report: &rinkpb.Report_Health{Health: &rinkpb.NodeHealth{Healthy: err == nil, Reason: words}}})
	})
}

// reboot runs RebootProgram, once an agent's life. What was running here is over.
func (a *Agent) reboot(ctx context.Context) {
	if !a.rebooting.CompareAndSwap(false, true) {
		return
	}
	program := a.liveConf().RebootProgram
	if program == "" {
		program = "/sbin/reboot"
	}
	a.log.Warn("reboots", "program", program)
	a.wg.Go(func() { // ends with the program, or with the agent
		argv := strings.Fields(program)
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env, cmd.Dir = a.ownEnv(), "/"
		if out, err := cmd.CombinedOutput(); err != nil {
			a.rebooting.Store(false) // the leader asks again
			if ctx.Err() == nil {
				a.log.Error("cannot reboot", "program", program, "error", err, "output", string(out))
			}
		}
	})
}
