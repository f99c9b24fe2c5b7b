package show

import (
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// What has ended is said to have run from the second its start is shown in to that of
// its end, as sacct says.
func TestTimeUsedOfWhatHasEnded(t *testing.T) {
	start := time.Unix(1000, 900e6)
	j := &Job{Job: &sched.Job{State: slurm.JobCompleted, Start: start, End: start.Add(200 * time.Millisecond)}}
	if got := j.TimeUsed(start.Add(time.Hour)); got != 1 {
		t.Errorf("the job ran %d s, want 1", got)
	}
	s := &Step{Step: &sched.Step{State: slurm.JobCompleted, Start: start, End: start.Add(200 * time.Millisecond)}, Job: j}
	if got := s.TimeUsed(start.Add(time.Hour)); got != 1 {
		t.Errorf("the step ran %d s, want 1", got)
	}
}
