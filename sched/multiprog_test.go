package sched

import (
	"slices"
	"strings"
	"testing"
)

func TestMultiProg(t *testing.T) {
	prog, err := ParseMultiProg("conf", []byte("# a comment\n0   echo master %t of 4, offset %o\n1-2 sh -c 'echo worker %t'\n* echo \"rest %t\" %o %% x%qy%\n"), 4)
	if err != nil {
		t.Fatal(err)
	}
	for rank, want := range [][]string{
		{"echo", "master", "0", "of", "4,", "offset", "0"},
		{"sh", "-c", "echo worker %t"},
		{"sh", "-c", "echo worker %t"},
		{"echo", "\"rest", "3\"", "3", "", "xy"}, // double quotes are letters, as in Slurm
	} {
		got, err := prog(rank)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("rank %d runs %q (%v), want %q", rank, got, err, want)
		}
	}
}

func TestMultiProgRanks(t *testing.T) {
	for _, text := range []string{"0,1, echo\n", "0- echo\n1 echo\n", "1,0 echo\n"} {
		if _, err := ParseMultiProg("conf", []byte(text), 2); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMultiProgRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		tasks      int
	}{
		"ErrMissing":   {"0 echo\n", "Configuration file conf invalid, no record for task id 1", 2},
		"ErrDuplicate": {"0-1 echo a\n1 echo b\n", "Duplicate record for task 1: Line 2 of configuration file conf invalid", 2},
		"ErrRange":     {"2-1 echo\n", "Invalid task range, 2-1: Line 1", 3},
		"ErrHighEnd":   {"0-x echo\n", "Invalid task range specification: Line 1", 3},
		"ErrNoRank":    {"[0-1] echo\n", "Invalid task range specification ([0-1]): Line 1", 2},
		"ErrNegative":  {"-1 echo\n", "Invalid task id, -1 < 0: Line 1", 1},
		"ErrBeyond":    {"0-9 echo\n", "Invalid task id, 9 >= ntasks: Line 1", 2},
		"ErrQuote":     {"0 echo 'x\n", "Line 1", 1},
		"ErrNoCommand": {"\n0\n", "Line 2", 1},
	} {
		if _, err := ParseMultiProg("conf", []byte(c.text), c.tasks); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}
