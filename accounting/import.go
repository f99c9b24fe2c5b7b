package accounting

import (
	"errors"
	"fmt"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// CheckImport refuses a record from elsewhere that would not make sense here.
func CheckImport(r *rinkpb.Record) error {
	j := r.GetJob()
	switch {
	case j == nil || r.Node != nil || r.Reservation != nil:
		return errors.New("cannot import what is no job")
	case j.Id == 0:
		return errors.New("cannot import a job without an id")
	case j.Submit <= 0:
		return fmt.Errorf("cannot import job %d: it was never submitted", j.Id)
	case !slurm.JobState(j.State).Ended() || j.End <= 0:
		return fmt.Errorf("cannot import job %d: it has not ended", j.Id)
	case j.Start != 0 && j.Start > j.End:
		return fmt.Errorf("cannot import job %d: it ended before it began", j.Id)
	}
	return nil
}

// Has reports whether the history has the final record of an incarnation.
func (s *Store) Has(r *rinkpb.Record) (bool, error) {
	found := false
	err := s.view(func(tx *txn) error {
		found = tx.Bucket(bucketJobs).Get(keyOf(r.Job).bytes()) != nil
		return nil
	})
	return found, err
}
