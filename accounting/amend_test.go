package accounting

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api/rinkpb"
)

// amended puts a job's record and changes it twice.
func amended(t *testing.T, s *Store) *rinkpb.Job {
	t.Helper()
	j := testJob(7, 1)
	s.Put(5, []*rinkpb.Record{final(j), final(testJob(8, 2))})
	s.Put(6, []*rinkpb.Record{AmendOf(final(j), &rinkpb.JobAmend{Comment: proto.String("first"), AdminComment: proto.String("seen"), DerivedExit: &rinkpb.ExitCode{Code: 2}})})
	s.Put(7, []*rinkpb.Record{AmendOf(final(j), &rinkpb.JobAmend{Comment: proto.String("second"), DerivedExit: &rinkpb.ExitCode{}})})
	return j
}

func checkAmended(t *testing.T, s *Store) {
	t.Helper()
	j := one(t, s, 7).Job
	if j.Spec.GetComment() != "second" || j.AdminComment != "seen" || j.DerivedExit.GetCode() != 0 {
		t.Errorf("comment %q, administrators' %q, derived exit %v; want second, seen, 0", j.Spec.GetComment(), j.AdminComment, j.DerivedExit)
	}
	if j := one(t, s, 8).Job; j.Amend != nil || j.AdminComment == "seen" {
		t.Errorf("another job was changed: %v", j.Amend)
	}
}

func TestAmendedRecordsStayAmended(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	j := amended(t, s)
	checkAmended(t, s)
	// The log tells of the job once more, when its nodes are free.
	again := proto.CloneOf(j)
	again.AdminComment = "from the log"
	s.Put(9, []*rinkpb.Record{final(again)})
	checkAmended(t, s)
	// What changes no record makes none.
	s.Put(10, []*rinkpb.Record{AmendOf(final(testJob(9, 3)), &rinkpb.JobAmend{Comment: proto.String("nobody")})})
	if list := collect(t, s.Query(Filter{Refs: []*rinkpb.JobRef{{Job: 9}}}, nil)); len(list) != 0 {
		t.Errorf("a change made %d records", len(list))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkAmended(t, openTest(t, dir))
}

// A changed record counts as it did, and the log applied whole or twice leaves the
// same.
func TestAmendedRecordsCountAsBefore(t *testing.T) {
	plain, changed := openTest(t, t.TempDir()), openTest(t, t.TempDir())
	plain.Put(5, []*rinkpb.Record{final(testJob(7, 1)), final(testJob(8, 2))})
	amended(t, changed)
	amended(t, changed)
	checkAmended(t, changed)
	from, to := int64(0), int64(1)<<33
	if a, b := sorted(fromUsage(t, plain, from, to)), sorted(fromUsage(t, changed, from, to)); a != b {
		t.Errorf("usage was %s, is %s", a, b)
	}
}

func TestAmendOfNamesTheIncarnationAlone(t *testing.T) {
	j := testJob(7, 1)
	r := AmendOf(final(j), &rinkpb.JobAmend{Comment: proto.String("x")})
	if keyOf(r.Job).compare(keyOf(j)) != 0 || len(r.Job.Name) > 0 || !r.Imported {
		t.Errorf("got %v", r)
	}
	if data, err := proto.Marshal(r); err != nil || len(data) > 64 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
