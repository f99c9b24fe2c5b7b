package slurm

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// samples are values for options whose argument the list describes in words.
var samples = map[string]string{
	"--acctg-freq": "task=30", "--array": "0-3", "--begin": "now", "--deadline": "now+1hour", "--bbf": "hf", "--nodefile": "hf",
	"--cpu-freq": "low", "--cpu-bind": "cores", "--cpu_bind": "cores", "--dependency": "singleton", "--distribution": "block",
	"--exclusive": "user", "--extra-node-info": "1:1", "--get-user-env": "10L", "--gid": "bob", "--uid": "bob", "--gpu-bind": "closest",
	"--gpu-freq": "low", "--gres": "gpu:1", "--gres-flags": "enforce-binding", "--hint": "multithread", "--kill-on-invalid-dep": "no",
	"--mail-type": "END", "--mem-bind": "local", "--nodes": "1-2", "--no-kill": "off", "--open-mode": "append", "--profile": "all",
	"--propagate": "NONE", "--signal": "USR1@60", "--switches": "1@5", "--time": "5", "--time-min": "1", "--wait-all-nodes": "1",
	"--delay-boot": "5", "--kill-command": "TERM", "--x11": "first", "--send-libs": "no", "--compress": "lz4", "--requeue": "expedite",
	"--accel-bind": "g", "--het-group": "0", "--pack-group": "0", "--tres-per-task": "cpu=1", "--licenses": "a:1", "--mem-update": "10@5",
	"--priority": "5", "--tres-bind": "gres/gpu:closest", "--oom-kill-step": "1", "--constraint": "a&b", "--prefer": "a", "--batch": "a", "--nodelist": "n1", "--exclude": "n2",
}

// companions are options without which another is refused.
var companions = map[string][]string{
	"--gpus-per-task": {"-n1"}, "--gpus-per-socket": {"--sockets-per-node=1"}, "--mem-per-gpu": {"-G1"}, "--ntasks-per-gpu": {"-n1"},
	"--ntasks-per-tres": {"-n1"}, "--relative": {"--jobid=1"}, "--no-allocate": {"-wn1"},
}

func sampleOf(long, argument string) (value string, joined bool) {
	if v, ok := samples[long]; ok {
		return v, true
	}
	return "1", !strings.HasPrefix(argument, "none")
}

// Every option of the three commands is read, by its name, by its letter and by
// its variables, and is either a part of what is asked for, an option of the
// command itself, or named as without effect.
func TestEveryOptionIsRead(t *testing.T) {
	commands := map[string]Command{"sbatch": Sbatch, "salloc": Salloc, "srun": Srun}
	count := 0
	for _, row := range surface(t, "options.tsv") {
		cmd, ok := commands[row[0]]
		if !ok {
			continue
		}
		count++
		long, short, argument, env := row[1], row[2], row[3], row[4]
		value, takes := sampleOf(long, argument)
		name := strings.TrimPrefix(long, "--")
		base := ask{cmd: cmd, root: true, files: map[string]string{"hf": "n1\n"}}
		check := func(a ask, how string) {
			t.Helper()
			if extra := companions[long]; !slices.Contains(a.args, "true") {
				a.args = append(a.args, extra...)
				a.args = append(a.args, "true")
			}
			got, err := a.do()
			if help := (*HelpText)(nil); long == "--autocomplete" && errors.As(err, &help) && help.Exit == 0 {
				return
			}
			if err != nil {
				t.Errorf("%s %s by %s: %v", row[0], long, how, err)
				return
			}
			if got[0].Refused != nil {
				t.Errorf("%s %s by %s is refused: %v", row[0], long, how, got[0].Refused)
			}
			found := false
			for n := range got[0].From {
				r := optionNamed(cmd, name)
				found = found || r != nil && r.name() == n || long == ""
			}
			if !found {
				t.Errorf("%s %s by %s is lost: from %v", row[0], long, how, got[0].From)
			}
		}
		if long != "" {
			a := base
			a.args = []string{long}
			if takes {
				a.args = []string{long + "=" + value}
			}
			check(a, "name")
			if strings.HasPrefix(argument, "optional") {
				a.args = []string{long}
				check(a, "name without a value")
			}
		}
		if short != "" {
			a := base
			a.args = []string{short}
			if takes {
				a.args = []string{short + value}
			}
			check(a, "letter")
		}
		for _, v := range strings.Split(env, ",") {
			if v == "" {
				continue
			}
			a := base
			a.env = map[string]string{v: value}
			check(a, v)
		}
	}
	if count < 380 {
		t.Errorf("the list has only %d options of the three commands", count)
	}
}

func optionNamed(cmd Command, long string) *optionRow {
	for _, row := range optionsOf(cmd).rows {
		if slices.Contains(strings.Fields(row.names), long) {
			return row
		}
	}
	return nil
}
