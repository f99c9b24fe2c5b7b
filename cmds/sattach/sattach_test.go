package sattach

import (
	"bytes"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/steps"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// The text is what Slurm 22.05's command printed for these tasks.
func TestPrintLayout(t *testing.T) {
	var out bytes.Buffer
	printLayout(&out, &sched.Step{Tasks: 4, Nodes: []sched.StepNode{{Node: "n2", Ranks: []int{0, 2, 3}}, {Node: "n3", Ranks: []int{1}}}})
	if want := "Job step layout:\n\t4 tasks, 2 nodes (n[2-3])\n\n\tNode 0 (n2), 3 task(s): 0 2 3 \n\tNode 1 (n3), 1 task(s): 1 \n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestParse(t *testing.T) {
	const usage = "\nhow it is called"
	for _, c := range []struct {
		name string
		args []string
		want options
		err  string
	}{
		{name: "OK", args: []string{"7.0"}, want: options{input: anyTask, out: anyTask, err: anyTask}},
		{name: "All", args: []string{"-lvQ", "--pty", "--layout", "--input-filter=1", "--output-filter", "2", "--error-filter=0", "7.0"},
			want: options{input: 1, out: 2, label: true, layout: true, pty: true, quiet: 1, verbose: 1}},
		{name: "ErrNone", err: "sattach: error: too many parameters" + usage},
		{name: "ErrTwo", args: []string{"1.0", "2"}, err: "sattach: error: too many parameters" + usage},
		{name: "ErrNoStep", args: []string{"12"}, err: "sattach: error: Failed to parse stepid from command line options" + usage},
		{name: "ErrFilter", args: []string{"--error-filter=-1", "1.0"}, err: `sattach: error: Invalid numeric value "-1" for error-filter.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := parse(&cli.Env{Name: "sattach", Args: c.args})
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("%v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := *o
			if ref := (slurm.JobRef{Job: 7, HasStep: true}); got.ref.String() != ref.String() {
				t.Errorf("step %s", got.ref)
			}
			got.ref = c.want.ref
			if got.input != c.want.input || got.out != c.want.out || got.err != c.want.err || got.label != c.want.label ||
				got.layout != c.want.layout || got.pty != c.want.pty || got.quiet != c.want.quiet || got.verbose != c.want.verbose {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTake(t *testing.T) {
	var out, errs bytes.Buffer
	a := &attachment{
		env: &cli.Env{Name: "sattach", Stderr: &errs}, o: &options{out: 1, err: anyTask, verbose: 1},
		out: steps.NewPrinter(&out, &errs, false, 3), exits: map[int32]bool{},
	}
	for _, m := range []*rinkpb.StepDown{
		{Output: &rinkpb.TaskOutput{Rank: 0, Stream: 1, Data: []byte("zero\n")}},
		{Output: &rinkpb.TaskOutput{Rank: 1, Stream: 1, Data: []byte("one\n")}},
		{Output: &rinkpb.TaskOutput{Rank: 0, Stream: 2, Data: []byte("e0\n")}},
		{Exited: &rinkpb.TaskExit{Rank: 0, Exit: &rinkpb.ExitCode{Signal: 9}}},
		{Exited: &rinkpb.TaskExit{Rank: 2, Exit: &rinkpb.ExitCode{Code: 5}}},
		{Exited: &rinkpb.TaskExit{Rank: 2, Exit: &rinkpb.ExitCode{Code: 5}}},
	} {
		a.take(m)
	}
	if out.String() != "one\n" {
		t.Errorf("stdout %q", out.String())
	}
	want := "e0\nsattach: 1 tasks finished (rc=9)\nsattach: task 0 killed by signal 9\n" +
		"sattach: 1 tasks finished (rc=1280)\nsattach: error: task 2 exited with exit code 5\n"
	if errs.String() != want || a.code != 5 {
		t.Errorf("stderr %q, code %d", errs.String(), a.code)
	}
}
