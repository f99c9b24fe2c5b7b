package exec

import (
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		line string
		want options
		err  string
	}{
		{line: "12", want: options{job: "12", step: -1}},
		{line: "12.3 ls -l", want: options{job: "12", step: 3, command: []string{"ls", "-l"}}},
		{line: "12.batch", want: options{job: "12", step: -1}},
		{line: "-w n2 --chdir=/x --pty 12_4 sh", want: options{job: "12_4", step: -1, node: "n2", dir: "/x", pty: true, command: []string{"sh"}}},
		{line: "", err: "which job?"},
		{line: "--nosuch 1", err: "unrecognized option"},
		{line: "-w", err: "requires an argument"},
		{line: "x", err: "Invalid job id"},
		{line: "1.x", err: "Invalid job id"},
	} {
		o, err := parse(strings.Fields(c.line), false)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %s", c.line, err, c.err)
			}
			continue
		}
		if err != nil || o.job != c.want.job || o.step != c.want.step || o.node != c.want.node || o.dir != c.want.dir || o.pty != c.want.pty ||
			strings.Join(o.command, " ") != strings.Join(c.want.command, " ") {
			t.Errorf("%q: %+v, %v", c.line, o, err)
		}
	}
}
