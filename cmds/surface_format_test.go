package cmds_test

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
)

// live is a cluster in this process with a job that runs a step.
type live struct {
	t    *testing.T
	vars []string
	job  string
}

func startLive(t *testing.T) *live {
	t.Helper()
	dir, err := os.MkdirTemp("", "rs") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	conf, stop, err := startDev(dir, "--nodes", "2", "--cpus", "8", "--memory", "8000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	l := &live{t: t, vars: []string{"RINK_CONF=" + conf, "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC"}}
	return l
}

// do runs a command on the cluster.
func (l *live) do(args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	var out, errs strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	run, ok := programs[args[0]]
	if !ok {
		return "", args[0] + ": no such command", 127
	}
	code = run(&cli.Env{Name: args[0], Args: args[1:], Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: time.Now, Ctx: ctx, Vars: l.vars})
	return out.String(), errs.String(), code
}

// until repeats a command until it prints something with the text in it.
func (l *live) until(text string, args ...string) {
	l.t.Helper()
	var out string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out, _, _ = l.do(args...); strings.Contains(out, text) {
			return
		}
	}
	l.t.Fatalf("%v does not say %q but %q", args, text, out)
}

// headed reports whether a header is the one wanted, cut to just the width of its
// column where it is longer: without the + that a value gets, as in Slurm.
func headed(got, want, width string) bool {
	if n, err := strconv.Atoi(strings.TrimPrefix(width, "-")); err == nil && n < len(want) {
		want = want[:n]
	}
	return got == want
}

// entityOf is what sacctmgr lists to show a field, where not every entity has it.
var entityOf = []string{"association", "qos", "user", "account", "cluster", "event", "transaction", "tres", "wckey", "problem", "reservation", "federation", "resource", "stats", "runawayjobs", "instance"}

// reportsOf are the reports of each group of sreport's fields.
var reportsOf = map[string][]string{
	"sreport cluster":     {"cluster Utilization", "cluster AccountUtilizationByUser", "cluster AccountUtilizationByQOS", "cluster UserUtilizationByWckey", "cluster UserUtilizationByAccount"},
	"sreport job":         {"job SizesByAccount", "job SizesByWckey", "job SizesByAccountAndWckey"},
	"sreport user":        {"user TopUsage"},
	"sreport reservation": {"reservation Utilization"},
}

// Every field of every listing is printed, under its header and at its width.
func TestEveryFieldIsPrinted(t *testing.T) {
	rows := surface(t, "formats.tsv")
	l := startLive(t)
	out, errs, code := l.do("sbatch", "--parsable", "-J", "shown", "-n1", "-o", "/dev/null", "--wrap", "sleep 300")
	if code != 0 {
		t.Fatalf("sbatch: %s", errs)
	}
	l.job = strings.TrimSpace(out)
	l.until("R", "squeue", "-h", "-j", l.job, "-o", "%t")
	l.do("sbatch", "-J", "waits", "-H", "-n1", "-o", "/dev/null", "--wrap", "true")
	printed := 0
	for _, row := range rows {
		command, spec, header := row["command"], row["spec"], row["header"]
		names := []string{spec}
		if name, alias, ok := strings.Cut(spec, " (alias "); ok {
			names = append([]string{name}, strings.Split(strings.TrimSuffix(alias, ")"), ",")...)
		}
		for _, name := range names {
			if why := l.printed(command, name, header, row["default_width"]); why != "" {
				t.Errorf("%s %s (%s): %s", command, name, row["in_version"], why)
				continue
			}
			printed++
		}
	}
	t.Logf("%d fields printed", printed)
}

// printed asks for one field alone and says what is wrong with what comes.
func (l *live) printed(command, name, header, width string) string {
	program, how, _ := strings.Cut(command, " ")
	var args []string
	narrow := false // the width is the table's
	switch command {
	case "squeue -o", "sinfo -o", "sprio -o":
		args = []string{program, "-o", name}
		if name == "%all" {
			out, errs, code := l.do(args...)
			if code != 0 || errs != "" || strings.Count(out, "|") < 40 {
				return "prints " + out + errs
			}
			return ""
		}
	case "squeue -O", "sinfo -O":
		args = []string{program, "-O", name + ":60"}
	case "squeue -s -o":
		args = []string{program, "-s", "-o", name}
	case "squeue -s -O":
		args = []string{program, "-s", "-O", name + ":60"}
	case "sacct --format":
		args, narrow = []string{program, "-j", l.job, "--format", name}, true
	case "sstat --format":
		args, narrow = []string{program, "-a", "-j", l.job, "--format", name}, true
	case "sshare --format":
		args, narrow = []string{program, "-a", "--format", name}, true
	case "sacctmgr format=":
		for _, entity := range entityOf {
			out, errs, code := l.do(program, "-p", "show", entity, "format="+name)
			if head, _, _ := strings.Cut(out, "\n"); code == 0 && head == header+"|" {
				return ""
			} else if strings.Contains(errs, "too many arguments") {
				return errs
			}
		}
		return "no entity shows it under " + header
	default:
		for _, report := range reportsOf[command] {
			words := append([]string{program, "-p"}, strings.Fields(report)...)
			out, _, code := l.do(append(words, "format="+name)...)
			if code == 0 && regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(header)+`\|`).MatchString(out) {
				return ""
			}
		}
		return "no report of " + how + " shows it under " + header
	}
	out, errs, code := l.do(args...)
	head, body, _ := strings.Cut(out, "\n")
	if code != 0 || errs != "" || !headed(strings.TrimSpace(head), header, width) {
		return "prints " + strconv.Quote(out) + " " + errs
	}
	if !narrow && program != "sprio" && body == "" {
		return "prints no row"
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(width, "-")); narrow && err == nil {
		rule, _, _ := strings.Cut(body, "\n")
		if got := strings.Count(rule, "-"); got != n {
			return "is " + strconv.Itoa(got) + " wide, not " + width
		}
	}
	return ""
}
