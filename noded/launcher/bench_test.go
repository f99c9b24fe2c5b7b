package launcher

import (
	"strconv"
	"testing"
)

func BenchmarkLaunch(b *testing.B) {
	cl, c := rig(b)
	exits := subscribe(b, cl)
	g := groups(c, cl, b, "step_batch")
	i := 0
	for b.Loop() {
		i++
		s := shell("b"+strconv.Itoa(i), "", g)
		s.Tasks[0].Argv = []string{"/bin/true"}
		launch(b, cl, s)
		next(b, exits)
		if err := cl.Forget(b.Context(), s.ID); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "slices/s")
}
