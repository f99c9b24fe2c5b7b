package barn

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// raftLog hands what the Raft library logs to slog. The library says at Info
// what only its authors need, so each level goes down by one, except for
// warnings and errors that an operator should see. A few of its warnings are
// the ordinary course of things and go down as well.
type raftLog struct {
	to   *slog.Logger
	name string
	args []any
}

// ordinary are warnings of the library that are no cause for worry: a single
// voter elects itself, and our own start-up removes what a crash left behind.
var ordinary = []string{
	"heartbeat timeout reached, starting election",
	"no known peers, aborting election",
	"not part of stable configuration, aborting election",
	"skipping application of old log",
	"found temporary snapshot",
}

func newRaftLog(to *slog.Logger) *raftLog { return &raftLog{to: to, name: "raft"} }

func (l *raftLog) level(level hclog.Level, msg string) slog.Level {
	switch {
	case level >= hclog.Error:
		if strings.Contains(msg, "nothing new to snapshot") {
			return slog.LevelDebug
		}
		return slog.LevelError
	case level == hclog.Warn:
		for _, o := range ordinary {
			if msg == o {
				return slog.LevelDebug
			}
		}
		return slog.LevelWarn
	case level == hclog.Info:
		return slog.LevelDebug
	default:
		return slog.LevelDebug - 4
	}
}

// Log emits msg with its key and value pairs.
func (l *raftLog) Log(level hclog.Level, msg string, args ...interface{}) {
	at := l.level(level, msg)
	if !l.to.Enabled(context.Background(), at) {
		return
	}
	pairs := make([]any, 0, len(l.args)+len(args))
	pairs = append(append(pairs, l.args...), args...)
	for i := 1; i < len(pairs); i += 2 {
		switch v := pairs[i].(type) {
		case hclog.Format:
			if len(v) > 0 {
				pairs[i] = fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...)
			}
		case fmt.Stringer:
			pairs[i] = v.String()
		}
	}
	l.to.Log(context.Background(), at, l.name+": "+msg, pairs...)
}

func (l *raftLog) Trace(msg string, args ...interface{}) { l.Log(hclog.Trace, msg, args...) }
func (l *raftLog) Debug(msg string, args ...interface{}) { l.Log(hclog.Debug, msg, args...) }
func (l *raftLog) Info(msg string, args ...interface{})  { l.Log(hclog.Info, msg, args...) }
func (l *raftLog) Warn(msg string, args ...interface{})  { l.Log(hclog.Warn, msg, args...) }
func (l *raftLog) Error(msg string, args ...interface{}) { l.Log(hclog.Error, msg, args...) }

func (l *raftLog) enabled(level slog.Level) bool {
	return l.to.Enabled(context.Background(), level)
}

func (l *raftLog) IsTrace() bool { return l.enabled(slog.LevelDebug - 4) }
func (l *raftLog) IsDebug() bool { return l.enabled(slog.LevelDebug - 4) }
func (l *raftLog) IsInfo() bool  { return l.enabled(slog.LevelDebug) }
func (l *raftLog) IsWarn() bool  { return l.enabled(slog.LevelWarn) }
func (l *raftLog) IsError() bool { return l.enabled(slog.LevelError) }

func (l *raftLog) ImpliedArgs() []interface{} { return l.args }
func (l *raftLog) Name() string               { return l.name }

func (l *raftLog) With(args ...interface{}) hclog.Logger {
	c := *l
	c.args = append(append([]any(nil), l.args...), args...)
	return &c
}

func (l *raftLog) Named(name string) hclog.Logger { return l.ResetNamed(l.name + "." + name) }

func (l *raftLog) ResetNamed(name string) hclog.Logger {
	c := *l
	c.name = name
	return &c
}

// SetLevel does nothing: the level is the slog handler's.
func (l *raftLog) SetLevel(hclog.Level) {}

func (l *raftLog) GetLevel() hclog.Level {
	switch {
	case l.IsTrace():
		return hclog.Trace
	case l.IsInfo():
		return hclog.Info
	case l.IsWarn():
		return hclog.Warn
	default:
		return hclog.Error
	}
}

func (l *raftLog) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(nil), "", 0)
}

func (l *raftLog) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lineWriter{l} }

// lineWriter logs each write as one message.
type lineWriter struct{ l *raftLog }

func (w lineWriter) Write(p []byte) (int, error) {
	w.l.Info(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
