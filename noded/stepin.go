package noded

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
)

// What srun sends to the tasks. Their input has a line of its own, which stands still
// while no task reads: on the line of the output it would hold up srun's word of what
// it has, for which the output waits, and so the tasks.

// maxEarlyWords bounds what is kept of what srun says before the pipes are there.
const maxEarlyWords = 64

// takeInput gives the tasks what comes on a line of input until the line or the step
// ends.
func (t *taskIO) takeInput(ctx context.Context, next func() (*rinkpb.StepUp, error)) error {
	for {
		m, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-t.carried: // what comes before the pipes are there waits in the line
		case <-ctx.Done():
			return ctx.Err()
		case <-t.a.stopped:
			return nil
		}
		t.input(m)
	}
}

// input carries what srun sends to the tasks. Without input for them it waits for
// nobody; what comes before the pipes are there is told when they are.
func (t *taskIO) input(m *rinkpb.StepUp) {
	if len(m.Stdin) > 0 {
		select {
		case <-t.carried:
		case <-t.a.stopped:
			return
		}
	}
	t.mu.Lock()
	if !t.attached {
		if len(t.early) < maxEarlyWords {
			t.early = append(t.early, m)
		}
		t.mu.Unlock()
		return
	}
	files := t.files
	t.mu.Unlock()
	if len(m.Stdin) > 0 {
		t.feed(m, files)
	}
	t.tell(m, files)
}

// feed gives the tasks input, and waits for those that do not read.
func (t *taskIO) feed(m *rinkpb.StepUp, files []slice.Files) {
	t.inputs.Lock()
	defer t.inputs.Unlock()
	for i, f := range files {
		switch {
		case !t.isFor(m, i):
		case f.PTY != nil:
			f.PTY.Write(m.Stdin)
		case f.Stdin != nil:
			f.Stdin.Write(m.Stdin) // a task that has closed its input loses it, as with a shell's pipe
		}
	}
}

// isFor says whether a message is for the i-th task here.
func (t *taskIO) isFor(m *rinkpb.StepUp, i int) bool {
	return m.StdinTask < 0 || !m.HasInput && !m.StdinEof || i < len(t.order.Tasks) && t.order.Tasks[i].Rank == m.StdinTask
}

// tell passes on what a message says beside input.
func (t *taskIO) tell(m *rinkpb.StepUp, files []slice.Files) {
	box := t.a.launcher()
	ask := func(what string, do func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := do(ctx); err != nil && !errors.Is(err, launcher.ErrNotFound) && !errors.Is(err, launcher.ErrBusy) {
			t.a.log.Warn("cannot pass on what srun asks", "what", what, "slice", t.id, "error", err)
		}
	}
	if m.Signal != 0 {
		ask("signal", func(ctx context.Context) error {
			return box.Signal(ctx, t.id, slice.TargetTaskGroups, syscall.Signal(m.Signal))
		})
	}
	for i, f := range files {
		switch {
		case !t.isFor(m, i):
		case f.PTY != nil:
			if m.Rows > 0 && m.Cols > 0 {
				ask("resize", func(ctx context.Context) error {
					return box.Resize(ctx, t.id, i, slice.Winsize{Rows: uint16(m.Rows), Cols: uint16(m.Cols)})
				})
			}
			if m.StdinEof {
				f.PTY.Write([]byte{4}) // what a terminal sends at the end of input
			}
		case f.Stdin != nil && m.StdinEof:
			f.Stdin.Close()
			ask("end of input", func(ctx context.Context) error { return box.CloseStdin(ctx, t.id, i) })
		}
	}
}
