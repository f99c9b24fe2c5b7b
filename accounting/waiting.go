package accounting

// Waiting returns how many records are not on disk yet.
func (s *Store) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}
