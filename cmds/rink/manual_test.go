package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/cmds/barn"
	"github.com/runink/rink/cmds/dev"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/manual"
	"github.com/runink/rink/cmds/rinkctld"
	"github.com/runink/rink/cmds/rinknoded"
	"github.com/runink/rink/cmds/rinkrestd"
	"github.com/runink/rink/slurm"
)

var update = flag.Bool("update", false, "write the manual pages and the completion anew")

const (
	manDir  = "../../man/"
	bashOut = "../../etc/rink.bash"
)

// helpOf is what a command prints when asked how it is called.
func helpOf(t *testing.T, name string, run func(*cli.Env) int) string {
	t.Helper()
	for _, arg := range []string{"--help", "-h"} {
		var out, errs strings.Builder
		run(&cli.Env{Name: name, Args: []string{arg}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: time.Now, Ctx: context.Background(),
			Vars: []string{"RINK_CONF=/nonexistent/rink.conf"}})
		if out.Len() > 0 {
			return manual.FromFlags(out.String())
		}
	}
	t.Errorf("%s prints nothing with --help", name)
	return ""
}

// The commands of rinkd are asked for their help here, and not in another process.
func init() {
	of := map[string]func(*cli.Env) int{"rinkctld": rinkctld.Run, "rinknoded": rinknoded.Run, "rinkrestd": rinkrestd.Run, "dev": dev.Run, "barn": barn.Run}
	for _, list := range [][]command{commands, verbs} {
		for i := range list {
			if run := of[list[i].names[0]]; run != nil {
				list[i].run = run
			}
		}
	}
}

// related are the pages each page of a command points to.
var related = map[string]string{
	"squeue": "scancel.1 sacct.1 sinfo.1 scontrol.1", "sinfo": "squeue.1 scontrol.1", "sbatch": "srun.1 salloc.1 squeue.1 scancel.1 sacct.1",
	"srun": "sbatch.1 salloc.1 sattach.1", "salloc": "srun.1 sbatch.1", "scancel": "squeue.1", "scontrol": "squeue.1 sinfo.1 rink.conf.5",
	"sacct": "sstat.1 sreport.1 seff.1", "sacctmgr": "sacct.1 sshare.1 sreport.1", "sprio": "sshare.1 squeue.1", "sshare": "sprio.1 sacctmgr.1",
	"sdiag": "scontrol.1", "sstat": "sacct.1 seff.1", "sreport": "sacct.1 sacctmgr.1", "sattach": "srun.1", "sbcast": "srun.1", "scrontab": "sbatch.1 scancel.1",
	"strigger": "scontrol.1", "seff": "sacct.1 reff.1", "reff": "seff.1 sacct.1", "rinkctld": "rinknoded.8 rink.conf.5", "rinknoded": "rinkctld.8 rink.conf.5", "rinkrestd": "rinkctld.8 rink.conf.5 scontrol.1",
}

// byHand reports whether there is a page that was not made from help texts.
func byHand(file string) bool {
	text, err := os.ReadFile(manDir + file)
	return err == nil && !strings.HasPrefix(string(text), ".\\\" Made by make man") && !strings.HasPrefix(string(text), ".so ")
}

// pages makes every page there is a source or a help text for, and the short ones
// that stand for another name.
func pages(t *testing.T) map[string]string {
	out := map[string]string{}
	more := func(name string) string {
		text, err := os.ReadFile(manDir + "src/" + name + ".txt")
		if err != nil {
			t.Errorf("page %s has no source: %v", name, err)
		}
		return string(text)
	}
	add := func(p manual.Page, others ...string) {
		file := fmt.Sprintf("%s.%d", p.Name, p.Section)
		out[file] = p.Roff()
		for _, other := range others {
			out[fmt.Sprintf("%s.%d", other, p.Section)] = fmt.Sprintf(".so man%d/%s\n", p.Section, file)
		}
	}
	for _, c := range commands {
		name, section := c.names[0], 1
		if strings.HasPrefix(name, "rink") {
			section = 8
		}
		add(manual.Page{Name: name, Section: section, What: c.what, Help: helpOf(t, name, c.run), More: more(name), See: strings.Fields(related[name])}, c.names[1:]...)
	}
	var verbList strings.Builder
	for _, v := range verbs {
		name := "rink-" + v.names[0]
		fmt.Fprintf(&verbList, "- rink %s: %s. See rink-%s(1).\n", v.names[0], v.what, v.names[0])
		if byHand(name + ".1") {
			continue
		}
		add(manual.Page{Name: name, Section: 1, Title: "rink " + v.names[0], What: v.what, Help: helpOf(t, "rink "+v.names[0], v.run), More: more(name), See: []string{"rink.1"}})
	}
	var names strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&names, "- %s: %s\n", strings.Join(c.names, ", "), c.what)
	}
	add(manual.Page{Name: "rink", Section: 1, What: "a batch scheduler", See: []string{"rink.conf.5", "rinkctld.8", "rinknoded.8"},
		More: more("rink") + "\n# VERBS\n" + verbList.String() + "\n# COMMANDS\n" + names.String()})
	add(manual.Page{Name: "rink.conf", Section: 5, What: "a cluster's configuration, in the language of slurm.conf", See: []string{"rinkctld.8", "gres.conf.5", "cgroup.conf.5", "topology.conf.5"},
		More: more("rink.conf") + confKeys()}, "slurm.conf")
	for name, what := range map[string]string{
		"gres.conf": "the generic resources of nodes", "cgroup.conf": "what keeps jobs to their part of a node", "topology.conf": "how nodes are connected",
	} {
		add(manual.Page{Name: name, Section: 5, What: what, More: more(name), See: []string{"rink.conf.5"}})
	}
	return out
}

// confKeys are the keys of slurm.conf: those that are honoured, and those that are
// not with the reason.
func confKeys() string {
	var honoured, ignored strings.Builder
	for _, k := range slurm.ConfKeys() {
		if k.Verdict == slurm.Honoured {
			fmt.Fprintf(&honoured, "- %s: Default: %s.\n", k.Name, orNone(k.Default))
		} else {
			fmt.Fprintf(&ignored, "- %s: %s.\n", k.Name, k.Why)
		}
	}
	return "\n# KEYS ACTED ON\n" + honoured.String() + "\n# KEYS READ AND NOT ACTED ON\nrinkctld --check says so of each, with its file and line.\n\n" + ignored.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func completion(t *testing.T) string {
	var list []manual.Command
	for _, c := range commands {
		help := helpOf(t, c.names[0], c.run)
		one := manual.Command{Names: c.names, Options: manual.WithValues(help)}
		switch c.names[0] {
		case "scontrol":
			one.Words = strings.Fields("show create delete update hold uhold release requeue requeuehold suspend resume top notify wait_job write ping reconfigure " +
				"completing listjobs liststeps listpids pidinfo getaddrs errnumstr reboot cancel_reboot setdebug setdebugflags token version job node partition " +
				"reservation step config license hostnames hostlist topology assoc_mgr daemons aliases")
		case "sacctmgr":
			one.Words = strings.Fields("add modify delete show list dump load ping reconfigure account user association qos cluster coordinator event reservation resource transaction tres wckey")
		case "sreport":
			one.Words = strings.Fields("cluster job user reservation Utilization AccountUtilizationByUser UserUtilizationByAccount TopUsage SizesByAccount")
		}
		list = append(list, one)
	}
	var words []string
	for _, v := range verbs {
		words = append(words, v.names[0])
	}
	list = append(list, manual.Command{Names: []string{"rink"}, Options: []string{"--help", "--version"}, Words: append(words, "help", "links", "version")})
	return manual.Bash(list)
}

// The manual pages and the completion are what the help texts and the sources make
// of them; make man writes them.
func TestManualPages(t *testing.T) {
	want := pages(t)
	if *update {
		for name, text := range want {
			if err := os.WriteFile(manDir+name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(bashOut, []byte(completion(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range want {
		have, err := os.ReadFile(manDir + name)
		if err != nil || string(have) != text {
			t.Errorf("man/%s is not what make man makes: %v", name, err)
		}
	}
	if have, err := os.ReadFile(bashOut); err != nil || string(have) != completion(t) {
		t.Errorf("etc/rink.bash is not what make man makes: %v", err)
	}
	have, err := filepath.Glob(manDir + "*.[158]")
	if err != nil || len(have) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, path := range have {
		if name := filepath.Base(path); want[name] == "" && !byHand(name) {
			t.Errorf("man/%s belongs to nothing", name)
		}
	}
}

// Every option that --help tells of stands in the page, and every option that a
// command's --autocomplete lists is told of by --help.
func TestHelpPagesAndParsersAgree(t *testing.T) {
	all := pages(t)
	for _, c := range commands {
		name := c.names[0]
		help := helpOf(t, name, c.run)
		page := all[name+".1"]
		if strings.HasPrefix(name, "rink") {
			page = all[name+".8"]
		}
		told := manual.Options(help)
		if len(told) == 0 {
			t.Errorf("%s --help tells of no option", name)
		}
		for _, o := range told {
			if !strings.Contains(page, strings.ReplaceAll(o, "-", `\-`)) {
				t.Errorf("the page of %s says nothing of %s", name, o)
			}
		}
		if strings.HasPrefix(name, "rink") {
			continue // daemons have no such option
		}
		var out, errs strings.Builder
		c.run(&cli.Env{Name: name, Args: []string{"--autocomplete=--"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: time.Now, Ctx: context.Background()})
		for _, o := range strings.Fields(out.String()) {
			if o = strings.TrimSuffix(o, "="); !slices.Contains(told, o) {
				t.Errorf("%s --help says nothing of %s", name, o)
			}
		}
		for _, part := range c.names[1:] {
			if all[part+".1"] == "" {
				t.Errorf("no page under the name %s", part)
			}
		}
	}
}
