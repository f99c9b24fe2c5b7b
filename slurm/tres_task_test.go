package slurm

import (
	"errors"
	"fmt"
	"testing"
)

func TestParseTRESPerTask(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "0 []"},
		{"cpu=2", "2 []"},
		{"cpu:2,gres/gpu:1", "2 [gpu:1]"},
		{"gres/gpu:a100=3,gres/shard=2", "0 [gpu:a100:3 shard:2]"},
	} {
		cpus, gres, err := ParseTRESPerTask(c.text)
		if got := fmt.Sprint(cpus, []GresItem(gres)); got != c.want || err != nil {
			t.Errorf("%q: %s, %v; want %s", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"cpu", "cpu=0", "cpu=x", "gres/gpu", "mem=1", "gres=1", "cpu/x=1", ",", "cpu=99999999999"} {
		if _, _, err := ParseTRESPerTask(text); !errors.Is(err, ErrnoInvalidTRES) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
