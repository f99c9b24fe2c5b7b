package sched

// Looked returns how many jobs the last pass looked at, and for how many of
// them it sought room.
func (s *Scheduler) Looked() (seen, tried int) { return s.seen, s.tested }

// Promised returns how many jobs are promised room.
func (s *Scheduler) Promised() int { return len(s.promised) }
