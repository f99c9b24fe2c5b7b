package slurm

import "testing"

func TestParseQuota(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"cpu=64":                                 "cpu=64",
		"cpu=64,gres/gpu=4,jobs=100,submit=1000": "cpu=64,gres/gpu=4,jobs=100,submit=1000",
		"JOBS=0,mem=2G":                          "mem=2048M,jobs=0",
		"jobs=-1":                                "error",
		"jobs=many":                              "error",
		"submit":                                 "error",
		"cpu=-1":                                 "error",
		"energy=5":                               "error",
		"gres=5":                                 "error",
		"cpu/x=5":                                "error",
		"nosuch=5":                               "error",
		"waiting=5,core-hours=10,cpu=4,borrow=yes,lend=reclaim": "cpu=4,waiting=5,cpu-hours=10,lend=reclaim,borrow=yes",
		"cpu=4,lend=no,borrow=no":                               "cpu=4",
		"GRES/gpu:a100-hours=7":                                 "gres/gpu:a100-hours=7",
		"jobs=3,lend=yes":                                       "error",
		"cpu=4,lend=maybe":                                      "error",
		"cpu=4,borrow=reclaim":                                  "error",
		"energy-hours=4":                                        "error",
	} {
		q, err := ParseQuota(in)
		got := q.String()
		if err != nil {
			got = "error"
		}
		if got != want || err == nil && q.IsZero() != (want == "") {
			t.Errorf("%q: got %q (%v), want %q", in, got, err, want)
		}
	}
}

func FuzzParseQuota(f *testing.F) {
	f.Add("cpu=64,gres/gpu=4,jobs=100,submit=1000")
	f.Add("cpu=64,waiting=3,cpu-hours=1000,lend=reclaim,borrow=yes")
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseQuota(in)
		if err != nil {
			return
		}
		again, err := ParseQuota(q.String())
		if err != nil || again.String() != q.String() {
			t.Errorf("%q became %q, %q, %v", in, q, again, err)
		}
	})
}
