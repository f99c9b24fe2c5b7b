// Package daemon is what the daemons' commands share: their log and the
// signals that stop them.
package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/runink/rink/slurm"
)

// UntilStopped returns a context that ends on SIGINT or SIGTERM.
func UntilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// Log opens a daemon's log: a file when one is configured, stderr otherwise.
// Level goes by Slurm's words ("info", "debug", "error", or a number), and may be
// changed through what is returned.
func Log(file, level string, stderr io.Writer) (*slog.Logger, *slog.LevelVar, io.Closer, error) {
	out, closer := stderr, io.Closer(io.NopCloser(nil))
	if file != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, nil, nil, fmt.Errorf("cannot open the log: %w", err)
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("cannot open the log: %w", err)
		}
		out, closer = f, f
	}
	var at slog.LevelVar
	at.Set(slog.Level(slurm.LogLevel(level)))
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: &at})), &at, closer, nil
}

// PIDFile writes the daemon's process id and returns what removes it. Nothing
// is written when path is empty.
func PIDFile(path string) (func(), error) {
	if path == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot write the pid file: %w", err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		return nil, fmt.Errorf("cannot write the pid file: %w", err)
	}
	return func() { os.Remove(path) }, nil
}
