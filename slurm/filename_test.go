package slurm

import (
	"strings"
	"testing"
)

func TestExpandFileName(t *testing.T) {
	batch := FileNameValues{Job: 700001, Step: StepBatch, User: "alice", JobName: "job-A", Host: "n1", Restarts: 2, SLUID: "s0"}
	task := FileNameValues{Job: 700009, Array: 700005, Task: 123, Step: 4, User: "bob", JobName: "x", Host: "n7", NodeIndex: 1, Rank: 12}
	for _, c := range []struct {
		pattern string
		v       FileNameValues
		want    string
	}{
		{"o-%j-%J-%x-%u-%n-%t-%%-%A.txt", batch, "o-700001-700001-job-A-alice-0-0-%-700001.txt"},
		{"p%10j_%3n.txt", batch, "p0000700001_000.txt"},
		{"%99j", batch, "0000700001"},
		{"%99999999999999999999t", batch, "0000000000"},
		{"%0j %00t", batch, "700001 0"},
		{`\%j.txt`, batch, "%j.txt"},
		{`a\\%j`, batch, `a\%j`},
		{`%j\`, batch, "%j"},
		{"%a %b", batch, "4294967294 4"},
		{"%s %r %S %N", batch, "batch 2 s0 n1"},
		{"%3x%3u%4s", batch, "job-Aalicebatch"},
		{"%q %5q % %", batch, "%q 5q % %"},
		{"%5", batch, "5"},
		{"%5%", batch, "%"},
		{DefaultOutput, batch, "slurm-700001.out"},
		{DefaultArrayOutput, task, "slurm-700005_123.out"},
		{"%J.%4t %N %n %b %4a %s %3s", task, "700009.4.0012 n7 1 3 0123 4 004"},
		{"", task, ""},
	} {
		if got := ExpandFileName(c.pattern, c.v); got != c.want {
			t.Errorf("ExpandFileName(%q) = %q, want %q", c.pattern, got, c.want)
		}
	}
}

func TestShowFileName(t *testing.T) {
	v := FileNameValues{Job: 700001, Step: StepBatch, User: "alice", JobName: "nn", Host: "n1"}
	for pattern, want := range map[string]string{
		"x-%u-%x-%N-%n-%t-%%": "x-alice-nn-%N-%n-%t-%%", "%10j-%3x": "%10j-%3x", "%A_%a-%j": "700001_4294967294-700001", "%%j": "%%j", "%": "%", "": "",
	} {
		if got := ShowFileName(pattern, v); got != want {
			t.Errorf("ShowFileName(%q) = %q, want %q", pattern, got, want)
		}
	}
}

func TestFileNamePerTaskAndNode(t *testing.T) {
	for pattern, want := range map[string][2]bool{
		"out": {false, false}, "%t": {true, false}, "x%3t": {true, false}, "%%t": {false, false}, "%N": {false, true}, "%n-%t": {true, true},
		`\%t%n`: {false, false}, "%j": {false, false}, "%": {false, false}, "%%%t": {true, false},
	} {
		if got := [2]bool{FileNamePerTask(pattern), FileNamePerNode(pattern)}; got != want {
			t.Errorf("%q: %v, want %v", pattern, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("slurm-%A_%4a.out")
	f.Add(`%%\%`)
	f.Fuzz(func(t *testing.T, s string) {
		got := ExpandFileName(s, FileNameValues{Job: 1, Step: StepBatch})
		if !strings.ContainsAny(s, `%\`) && got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
