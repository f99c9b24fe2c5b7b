package srun

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/steps"
)

// followWindow tells the step of every change of the terminal's size.
func (c *carrier) followWindow(ctx context.Context) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	defer signal.Stop(changed)
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			rows, cols := steps.WindowSize()
			select {
			case c.up <- &rinkpb.StepUp{Rows: rows, Cols: cols, StdinTask: -1}:
			case <-ctx.Done():
				return
			}
		}
	}
}
