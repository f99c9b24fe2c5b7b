package barn

import (
	"context"
	"fmt"

	"github.com/runink/rink/barn/state"
)

// FormatLevel is the highest level of entries and snapshots that this version
// reads and writes. It rises with a version that has a command, or a change of
// a format, that the version before could not make sense of; levelOf and the
// table of snapshot formats then say what belongs to which level.
//
// What a cluster writes is bound by the level in its state, which begins at 1
// and is raised by an entry once every controller has said that it reads more
// (Announced). Until then the leader refuses such commands, so that during a
// rolling upgrade no controller finds in its log what it cannot read.
const FormatLevel = 1

// levelOf returns the level from which on a command may be written.
func levelOf(cmd state.Command) uint32 {
	// No command is younger than the first level.
	return 1
}

// level is FormatLevel, or what a test makes of it.
func (o *Options) readsLevel() uint32 {
	if o.level != 0 {
		return o.level
	}
	return FormatLevel
}

// needsLevel is levelOf, or what a test makes of it.
func (o *Options) needsLevel(cmd state.Command) uint32 {
	if o.levelOf != nil {
		return o.levelOf(cmd)
	}
	return levelOf(cmd)
}

// mayWrite refuses a command that a controller of the cluster could not read.
func (b *Barn) mayWrite(cmd state.Command) error {
	need := b.o.needsLevel(cmd)
	if need <= 1 {
		return nil
	}
	now := b.ClusterLevel()
	if need > now {
		return fmt.Errorf("%w: %T needs format level %d, the cluster writes level %d until every controller runs a version that reads more",
			ErrOldMembers, cmd, need, now)
	}
	return nil
}

// ClusterLevel returns the level of what the cluster writes.
func (b *Barn) ClusterLevel() (level uint32) {
	b.Read(func(s *state.State) { level = s.FormatLevel() })
	return level
}

// Announced notes on the leader that the controller id reads up to level, and
// raises the cluster's level when that is now the lowest of all. It returns
// what the cluster writes. A controller that cannot read that is refused.
func (b *Barn) Announced(ctx context.Context, id string, level uint32) (uint32, error) {
	now := b.ClusterLevel()
	if level < now {
		return now, fmt.Errorf("%w: controller %s reads up to format level %d, the cluster writes level %d", ErrNewer, id, level, now)
	}
	b.levels.mu.Lock()
	if b.levels.of == nil {
		b.levels.of = map[string]uint32{}
	}
	b.levels.of[id] = level
	lowest := b.o.readsLevel()
	for _, s := range b.Servers() {
		if s.ID != b.o.ID {
			lowest = min(lowest, b.levels.of[s.ID])
		}
	}
	b.levels.mu.Unlock()
	if lowest <= now {
		return now, nil
	}
	results, err := b.Propose(ctx, state.Actor{System: true, User: "system"}, state.RaiseFormat{To: lowest})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return now, fmt.Errorf("cannot raise the format level to %d: %w", lowest, err)
	}
	b.log.Info("every controller reads it: the cluster writes a new format level from here on", "level", lowest, "before", now)
	return lowest, nil
}

// checkLevel refuses a state that a later version has raised the level of.
func (f *fsm) checkLevel(level uint32) error {
	if level > f.reads {
		return fmt.Errorf("%w: the cluster writes format level %d, this version reads up to %d", ErrNewer, level, f.reads)
	}
	return nil
}
