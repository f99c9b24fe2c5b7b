package accounting

import (
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// What ended last is found whatever class of length it is kept in, and comes in
// the order of ends.
func TestLast(t *testing.T) {
	s := openTest(t, t.TempDir())
	var records []*rinkpb.Record
	want := map[uint32]int64{}
	for i := range 1200 {
		j := testJob(uint32(i+1), i)
		switch i % 3 {
		case 1:
			j.Eligible -= int64(3 * 24 * time.Hour)
		case 2:
			j.Eligible -= int64(30 * 24 * time.Hour)
		}
		j.Submit = j.Eligible
		records = append(records, final(j))
		want[j.Id] = j.End / int64(time.Second)
	}
	s.Put(1, records)
	ids := make([]uint32, 0, len(want))
	for id := range want {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uint32) int {
		if want[a] != want[b] {
			return int(want[a] - want[b])
		}
		return int(a) - int(b)
	})
	for _, n := range []int{0, 1, 700, 1200, 5000} {
		list, err := s.Last(n)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint32
		for _, j := range list {
			got = append(got, j.Id)
		}
		if !slices.Equal(got, ids[max(0, len(ids)-n):]) {
			t.Errorf("the last %d: got %d jobs, %v...", n, len(got), got[:min(5, len(got))])
		}
	}
}
